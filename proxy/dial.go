package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"telltale/flow"
)

const (
	defaultDialTimeout = 15 * time.Second
	// attemptDelay is the head start of one address before the next is tried
	// beside it (RFC 8305, 5).
	attemptDelay = 250 * time.Millisecond
	// maxAttempts bounds the addresses of one name that are tried.
	maxAttempts = 16
)

// dialer reaches servers by name. It is the only way out: every connection to a
// server, of an exchange or of a tunnel, has passed its guard after the name was
// resolved, so that no answer of DNS can lead to this machine.
type dialer struct {
	cfg     *Config
	timeout time.Duration // for the name and the connection together
	lookup  func(ctx context.Context, host string) ([]netip.Addr, error)
	network *network
	places  places
}

// dialed says what a dial did. The durations are flow.Unmeasured when the stage
// did not happen.
type dialed struct {
	Addr         netip.AddrPort // what was connected to: the upstream proxy where there is one
	DNS, Connect time.Duration
}

// newDialer returns the dialer of a proxy.
func newDialer(cfg *Config, n *network) *dialer {
	d := &dialer{cfg: cfg, timeout: cfg.DialTimeout, lookup: lookupHost, network: n}
	if d.timeout <= 0 {
		d.timeout = defaultDialTimeout
	}
	d.places.freed = make(chan struct{}, 1)
	return d
}

func lookupHost(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// dial connects to hostport for a client, through the upstream proxy where there is
// one. The error says in words what failed; failureOf classes it.
func (d *dialer) dial(ctx context.Context, client netip.Addr, hostport string) (net.Conn, dialed, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	leave, err := d.places.take(client)
	if err != nil {
		return nil, notDialed(), &dialError{hostport, "reach", err}
	}
	conn, out, err := d.reach(ctx, client, hostport)
	if err != nil {
		leave()
		return nil, out, err
	}
	return holding(conn, leave), out, nil
}

// reach is dial once there is a place.
func (d *dialer) reach(ctx context.Context, client netip.Addr, hostport string) (net.Conn, dialed, error) {
	host, port := flow.SplitHostPort(hostport)
	target, named, err := d.named(host, port)
	if err == nil && isSetup(hostport) {
		err = errSetup
	}
	if err != nil {
		return nil, notDialed(), &dialError{hostport, "reach", err}
	}
	if d.cfg.UpstreamProxy != nil {
		if !named {
			target = hostport
		}
		return d.dialVia(ctx, client, hostport, target, named)
	}
	if named {
		addr := netip.MustParseAddrPort(target)
		return d.connect(ctx, hostport, []netip.AddrPort{addr}, notDialed())
	}
	return d.dialName(ctx, host, port, func(a netip.Addr) error { return d.guard(client, a) })
}

// errSetup is met by who says nothing to the set-up page's name, or no HTTP.
var errSetup = errors.New("only HTTP is spoken there, by telltale itself")

func notDialed() dialed { return dialed{DNS: flow.Unmeasured, Connect: flow.Unmeasured} }

// named returns the address that a --resolve rule gives to host:port; the first
// rule that matches decides. What the operator names is not guarded.
func (d *dialer) named(host, port string) (addr string, ok bool, err error) {
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", false, fmt.Errorf("%q is no port", port)
	}
	if len(d.cfg.Resolve) == 0 {
		return "", false, nil
	}
	name := flow.CanonicalHost(net.JoinHostPort(host, port))
	for _, r := range d.cfg.Resolve {
		if (r.Host != "*" && r.Host != name) || (r.Port != "*" && r.Port != port) {
			continue
		}
		if r.ToPort != "" {
			port = r.ToPort
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return "", false, fmt.Errorf("%q is no port", port)
		}
		return netip.AddrPortFrom(r.Addr, uint16(n)).String(), true, nil
	}
	return "", false, nil
}

// dialName resolves host and connects to one of its addresses that allow takes.
// A nil allow takes all.
func (d *dialer) dialName(ctx context.Context, host, port string, allow func(netip.Addr) error) (net.Conn, dialed, error) {
	out, hostport := notDialed(), net.JoinHostPort(host, port)
	n, _ := strconv.ParseUint(port, 10, 16)
	addr, err := netip.ParseAddr(host)
	addrs := []netip.Addr{addr}
	if err != nil {
		start := time.Now()
		addrs, err = d.lookup(ctx, resolvable(host))
		out.DNS = time.Since(start)
		if err == nil && len(addrs) == 0 {
			err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		if err != nil {
			return nil, out, &dialError{host, "resolve", asDNSError(err, host)}
		}
	}
	var denied error
	var targets []netip.AddrPort
	for _, a := range interleave(addrs) {
		if allow != nil {
			if err := allow(a); err != nil {
				denied = err
				continue
			}
		}
		targets = append(targets, netip.AddrPortFrom(a.Unmap(), uint16(n)))
	}
	if len(targets) == 0 {
		return nil, out, &dialError{hostport, "reach", denied}
	}
	return d.connect(ctx, hostport, targets[:min(len(targets), maxAttempts)], out)
}

// resolvable returns the spelling under which DNS knows a name (RFC 5891, 4.4).
func resolvable(host string) string {
	for i := range len(host) {
		if host[i] >= 0x80 {
			return flow.CanonicalHost(host)
		}
	}
	return host
}

// asDNSError keeps a resolver's other errors, a deadline above all, in the class
// of their stage.
func asDNSError(err error, host string) error {
	var dns *net.DNSError
	if errors.As(err, &dns) || errors.Is(err, context.Canceled) {
		return err
	}
	return &net.DNSError{Err: err.Error(), Name: host, IsTimeout: errors.Is(err, context.DeadlineExceeded)}
}

// interleave alternates the families, beginning with that of the first address,
// as RFC 8305, 4 wants; the resolver has sorted each by RFC 6724.
func interleave(addrs []netip.Addr) []netip.Addr {
	var same, other []netip.Addr
	for _, a := range addrs {
		if a.Unmap().Is4() == addrs[0].Unmap().Is4() {
			same = append(same, a)
		} else {
			other = append(other, a)
		}
	}
	mixed := make([]netip.Addr, 0, len(addrs))
	for i := range max(len(same), len(other)) {
		if i < len(same) {
			mixed = append(mixed, same[i])
		}
		if i < len(other) {
			mixed = append(mixed, other[i])
		}
	}
	return mixed
}

// attempt is the end of one try to connect.
type attempt struct {
	conn net.Conn
	addr netip.AddrPort
	err  error
}

// connect tries the addresses in order, each a little after the one before, and
// keeps the first that answers.
func (d *dialer) connect(ctx context.Context, hostport string, addrs []netip.AddrPort, out dialed) (net.Conn, dialed, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	start := time.Now()
	results := make(chan attempt, len(addrs))
	next := time.NewTimer(0)
	defer next.Stop()
	var first attempt
	for started, ended := 0, 0; ended < len(addrs); {
		select {
		case <-next.C:
			if started == len(addrs) {
				continue
			}
			go func(a netip.AddrPort) {
				c, err := (&net.Dialer{}).DialContext(ctx, "tcp", a.String())
				results <- attempt{c, a, err}
			}(addrs[started])
			started++
			next.Reset(attemptDelay)
		case a := <-results:
			ended++
			out.Addr, out.Connect = a.addr, time.Since(start)
			if a.err == nil {
				go discard(results, started-ended)
				return a.conn, out, nil
			}
			if first.err == nil {
				first = a
			}
			next.Reset(0)
		}
	}
	out.Addr = first.addr
	return nil, out, &dialError{hostport, "connect to", first.err}
}

// discard closes connections that came too late.
func discard(results <-chan attempt, n int) {
	for range n {
		if a := <-results; a.conn != nil {
			a.conn.Close()
		}
	}
}
