package cmd

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"telltale/proxy"
	"telltale/proxy/wireguard"
)

// The ports of the ways in where the flag names none.
const (
	defaultWireguard   = wireguard.DefaultPort
	defaultSOCKS5      = 1080
	defaultTransparent = 8081
)

// wayFlags are the flags of the ways in beside the HTTP proxy.
type wayFlags struct {
	wireguard, socks5, transparent wayFlag
	keys                           string // folder of the tunnel's
	quic                           string
	dns                            []string

	given *pflag.FlagSet // nil where there is no command line
	last  *wayFlag       // the way in that was asked for last; nil for none
}

// quicModes are the values of --quic.
var quicModes = map[string]proxy.QUICMode{"block": proxy.QUICBlock, "pass": proxy.QUICPass, "intercept": proxy.QUICIntercept}

func (w *wayFlags) register(c *cobra.Command) {
	f := c.Flags()
	w.given = f
	w.wireguard.register(f, &w.last, "wireguard", defaultWireguard, "also capture every packet of a device through a WireGuard tunnel; elsewhere: --wireguard=ADDRESS")
	w.socks5.register(f, &w.last, "socks5", defaultSOCKS5, "also accept SOCKS5; elsewhere: --socks5=ADDRESS")
	w.transparent.register(f, &w.last, "transparent", defaultTransparent, "also accept what nftables leads here (Linux; see setup hotspot); elsewhere: --transparent=ADDRESS")
	f.StringVar(&w.keys, "wireguard-dir", "", "`folder` of the tunnel's keys (default: "+tunnelFolderHelp+")")
	_ = c.MarkFlagDirname("wireguard-dir")
	f.StringVar(&w.quic, "quic", "block", "what becomes of QUIC: block, so that apps use TCP; pass, unread; or intercept")
	_ = c.RegisterFlagCompletionFunc("quic", cobra.FixedCompletions([]string{"block", "pass", "intercept"}, cobra.ShellCompDirectiveNoFileComp))
	f.StringArrayVar(&w.dns, "dns", nil, "ask the resolver at `address[:port]` what devices ask of DNS, instead of the system's; repeatable")
}

// configure puts into a proxy's configuration what it has to know of the ways in.
func (w *wayFlags) configure(cfg *proxy.Config) error {
	for _, way := range w.all() {
		if err := way.check(); err != nil {
			return err
		}
	}
	mode, ok := quicModes[cmp.Or(w.quic, "block")]
	if !ok {
		return withHint(fmt.Errorf("--quic: %q is not block, pass or intercept", w.quic), "--quic block refuses QUIC, so that apps come back over TCP")
	}
	cfg.QUIC = mode
	for _, s := range w.dns {
		at, err := parseResolver(s)
		if err != nil {
			return err
		}
		cfg.Resolvers = append(cfg.Resolvers, at)
	}
	return nil
}

// all are the ways in beside the HTTP proxy.
func (w *wayFlags) all() []*wayFlag { return []*wayFlag{&w.wireguard, &w.socks5, &w.transparent} }

// misplaced returns the error of an argument that looks like the address of the way in
// that was asked for last, without one; nil for any other.
func (w *wayFlags) misplaced(argument string) error {
	way := w.last
	if way == nil || way.at != way.usually() {
		return nil
	}
	at := argument
	if port, err := strconv.ParseUint(at, 10, 16); err == nil {
		at = ":" + strconv.FormatUint(port, 10)
	} else if addr, err := netip.ParseAddr(strings.Trim(at, "[]")); err == nil {
		at = hostPort(addr.String(), uint16(way.usual))
	}
	meant := wayFlag{name: way.name, usual: way.usual}
	if meant.Set(at) != nil || meant.check() != nil {
		return nil //nolint:nilerr // it is no address: another argument that is too many
	}
	return withHint(fmt.Errorf("unexpected argument %q behind --%s", argument, way.name), "write it as --%s=%s", way.name, quote(at))
}

// idle returns a warning for flags that have nothing to be about, "" where there are none.
func (w *wayFlags) idle() string {
	if w.given == nil || slices.ContainsFunc(w.all(), func(way *wayFlag) bool { return way.on }) {
		return ""
	}
	var idle []string
	for _, name := range []string{"quic", "dns"} {
		if w.given.Changed(name) {
			idle = append(idle, "--"+name)
		}
	}
	verb := " changes"
	switch len(idle) {
	case 0:
		return ""
	case 2:
		verb = " change"
	}
	return strings.Join(idle, " and ") + verb + " nothing for the HTTP proxy alone; add --wireguard, --socks5 or --transparent"
}

// parseResolver reads ADDR[:PORT].
func parseResolver(s string) (netip.AddrPort, error) {
	if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return netip.AddrPortFrom(addr.Unmap(), 53), nil
	}
	at, err := netip.ParseAddrPort(s)
	if err != nil || at.Port() == 0 {
		return at, withHint(fmt.Errorf("--dns: %q is not an IP address, with or without a port", s), "write it as 9.9.9.9, or as 127.0.0.1:5353")
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), nil
}

// A wayFlag is the flag of a way in: off, on at its usual port, or on at an address.
type wayFlag struct {
	name  string
	usual int
	on    bool
	at    string
	last  **wayFlag // is told of this one when it is set; may be nil
}

// register adds the flag. Its help shows that the value stands behind an equals sign:
// pflag would write it as one that follows a space, which is an argument of its own.
func (w *wayFlag) register(f *pflag.FlagSet, last **wayFlag, name string, usual int, help string) {
	w.name, w.usual, w.last = name, usual, last
	f.Var(w, name, "``"+help)
	f.Lookup(name).NoOptDefVal = w.usually()
}

// usually returns the address where the flag names none.
func (w *wayFlag) usually() string { return ":" + strconv.Itoa(w.usual) }

// Set takes the address.
func (w *wayFlag) Set(at string) error {
	if port, ok := strings.CutPrefix(at, "localhost:"); ok {
		at = "127.0.0.1:" + port
	}
	w.on, w.at = true, at
	if w.last != nil {
		*w.last = w
	}
	return nil
}

// String returns the address, "" for a way that is off.
func (w *wayFlag) String() string { return w.at }

// Type names the value for pflag.
func (w *wayFlag) Type() string { return "address" }

// check refuses an address of which nobody can listen.
func (w *wayFlag) check() error {
	if !w.on {
		return nil
	}
	host, port, err := net.SplitHostPort(w.at)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if _, bad := netip.ParseAddr(host); err == nil && host != "" {
		err = bad
	}
	if err != nil {
		return withHint(fmt.Errorf("--%s: %q is not :PORT or ADDRESS:PORT", w.name, w.at), "write it as --%s=:%d, or as --%s=192.0.2.1:%d for one address of this machine", w.name, w.usual, w.name, w.usual)
	}
	return nil
}

// trouble explains why nobody can listen there.
func (w *wayFlag) trouble(err error) error {
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return withHint(fmt.Errorf("--%s: cannot listen on %s: %w", w.name, w.at, err), "name an address of this machine, or listen on all of them with --%s=:%d", w.name, w.usual)
	}
	return withHint(fmt.Errorf("--%s: cannot listen on %s: %w", w.name, w.at, err), "choose another port with --%s=:%d, or let the system choose with --%s=:0", w.name, w.usual+1, w.name)
}

// ways are the ways in beside the HTTP proxy that an audit has open.
type ways struct {
	flags       *wayFlags
	socks5      net.Listener
	transparent net.Listener
	questions   net.PacketConn // of DNS, at the port of transparent
	taken       []io.Closer    // the ports among them
	tunnel      *tunnelWay     // nil where it is off
}

// listen takes every port that was asked for, or none. The tunnel's is only tried: it
// opens with its proxy.
func (w *wayFlags) listen() (*ways, error) {
	open := &ways{flags: w}
	var err error
	if w.socks5.on {
		open.socks5, err = w.socks5.listen(open)
	}
	if err == nil && w.transparent.on {
		err = open.listenTransparent()
	}
	if err == nil && w.wireguard.on {
		open.tunnel, err = w.openKeys()
	}
	if err != nil {
		open.close()
		return nil, err
	}
	return open, nil
}

func (w *wayFlag) listen(open *ways) (net.Listener, error) {
	l, err := net.Listen("tcp", w.at)
	if err != nil {
		return nil, w.trouble(err)
	}
	open.taken = append(open.taken, l)
	return l, nil
}

// listenTransparent takes one port of TCP and of UDP.
func (w *ways) listenTransparent() (err error) {
	if !hasNFTables {
		return withHint(errors.New("--transparent: only Linux tells where a connection was going that was led here"), "use the tunnel, which needs no system's help: --wireguard")
	}
	flag := &w.flags.transparent
	if w.transparent, err = flag.listen(w); err != nil {
		return err
	}
	host, _ := splitPort(flag.at)
	_, port := splitPort(w.transparent.Addr().String())
	if w.questions, err = net.ListenPacket("udp", net.JoinHostPort(host, port)); err != nil {
		return flag.trouble(err)
	}
	w.taken = append(w.taken, w.questions)
	return nil
}

// serve has the proxy accept what comes by these ways, and tells failed when one ends.
func (w *ways) serve(p *proxy.Proxy, failed chan<- error) {
	if w.socks5 != nil {
		go func() { failed <- p.ServeSOCKS5(w.socks5) }()
	}
	if w.transparent != nil {
		go func() { failed <- p.ServeTransparent(w.transparent, w.questions) }()
	}
}

// close gives back the ports.
func (w *ways) close() {
	for _, port := range w.taken {
		port.Close()
	}
}

// modes are the ways in that are open, as flows name them.
func (w *ways) modes() []string {
	modes := []string{"http"}
	for _, way := range []*wayFlag{&w.flags.socks5, &w.flags.transparent, &w.flags.wireguard} {
		if way.on {
			modes = append(modes, way.name)
		}
	}
	return modes
}

// addresses are where the ways are reached from this machine, by the name of their flag.
func (w *ways) addresses() map[string]string {
	at := map[string]string{}
	if w.socks5 != nil {
		at[w.flags.socks5.name] = reachable(w.socks5.Addr())
	}
	if w.transparent != nil {
		at[w.flags.transparent.name] = reachable(w.transparent.Addr())
	}
	if w.tunnel != nil {
		at[w.flags.wireguard.name] = w.tunnel.endpoint
	}
	return at
}

// reachable returns HOST:PORT under which a program on this machine reaches a listener.
// One on all addresses is named by loopback.
func reachable(listener net.Addr) string {
	at := listener.(*net.TCPAddr).AddrPort()
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
	}
	return at.String()
}
