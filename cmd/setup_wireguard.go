package cmd

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"telltale/flow"
	"telltale/proxy/wireguard"
	"telltale/setup"
)

// tunnelFlags are the flags of setup wireguard and of what is below it.
type tunnelFlags struct {
	*setupFlags
	keys, endpoint, name string
}

func newSetupWireguard(s *streams, shared *setupFlags) *cobra.Command {
	flags := &tunnelFlags{setupFlags: shared}
	show := func(c *cobra.Command, _ []string) error { return flags.show(c, s, flags.name) }
	c := command("setup wireguard", show)
	c.Args = noArguments
	c.Flags().StringVar(&flags.name, "name", "", "the device, by its `name` (default: the oldest made by hand)")
	_ = c.RegisterFlagCompletionFunc("name", flags.complete)
	c.PersistentFlags().StringVar(&flags.keys, "wireguard-dir", "", "`folder` of the tunnel's keys (default: "+tunnelFolderHelp+")")
	_ = c.MarkPersistentFlagDirname("wireguard-dir")
	flags.showing(c)

	list := command("setup wireguard list", func(*cobra.Command, []string) error { return flags.list(s) })
	list.Args = noArguments
	add := flags.forOne("setup wireguard add", func(c *cobra.Command, args []string) error { return flags.add(c, s, args[0]) })
	flags.showing(add)
	remove := flags.forOne("setup wireguard remove", func(_ *cobra.Command, args []string) error { return flags.remove(s, args[0]) })
	remove.ValidArgsFunction = flags.complete
	c.AddCommand(list, add, remove)
	return c
}

// forOne returns a command that takes the name of one device.
func (f *tunnelFlags) forOne(name string, run func(*cobra.Command, []string) error) *cobra.Command {
	c := command(name, run)
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return withHint(fmt.Errorf("%s needs the name of one device, found %s", c.CommandPath(), plural(len(args), "argument")), "%s tablet", c.CommandPath())
		}
		return nil
	}
	return c
}

// showing adds the flags of a command that shows a configuration.
func (f *tunnelFlags) showing(c *cobra.Command) {
	c.Flags().StringVar(&f.endpoint, "endpoint", "", "`host[:port]` at which the device reaches this machine's tunnel")
	c.Flags().BoolVar(&f.code, "qr", false, "draw the configuration as a QR code (default: on a terminal)")
}

func (f *tunnelFlags) complete(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if book, err := wireguard.Open(tunnelFolder(f.keys)); err == nil {
		for _, peer := range book.Peers() {
			names = append(names, peer.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (f *tunnelFlags) list(s *streams) error {
	book, err := wireguard.Open(tunnelFolder(f.keys))
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "DEVICE\tADDRESSES IN THE TUNNEL\tPUBLIC KEY\tMADE\tBY")
	for _, peer := range book.Peers() {
		maker := "hand"
		if peer.Visitor.IsValid() {
			maker = fmt.Sprintf("the set-up page, for %s", peer.Visitor)
		}
		fmt.Fprintf(table, "%s\t%s, %s\t%s\t%s\t%s\n", peer.Name, peer.IPv4, peer.IPv6, peer.PublicKey, peer.Created.Format("2006-01-02"), maker)
	}
	return table.Flush()
}

func (f *tunnelFlags) add(c *cobra.Command, s *streams, name string) error {
	book, err := wireguard.Open(tunnelFolder(f.keys))
	if err != nil {
		return err
	}
	if _, err := f.reachedAt(c, book); err != nil {
		return err // before there are keys
	}
	if _, err := book.Add(name); err != nil {
		return err
	}
	return f.show(c, s, name)
}

func (f *tunnelFlags) remove(s *streams, name string) error {
	book, err := wireguard.Open(tunnelFolder(f.keys))
	if err != nil {
		return err
	}
	if err := book.Remove(name); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s cannot use the tunnel any more. On the device, delete it in the app WireGuard.\n", name)
	return nil
}

// show writes a device's configuration and says what to do with it. The file is for its
// owner alone; only a terminal is shown what is in it, as a QR code.
func (f *tunnelFlags) show(c *cobra.Command, s *streams, name string) error {
	book, err := wireguard.Open(tunnelFolder(f.keys))
	if err != nil {
		return err
	}
	peer, err := peerNamed(book, name)
	if err != nil {
		return err
	}
	endpoint, err := f.reachedAt(c, book)
	if err != nil {
		return err
	}
	path, err := book.WriteConfig(peer, endpoint)
	if err != nil {
		return err
	}
	if !c.Flags().Changed("qr") {
		f.code = isTerminal(s.out)
	}
	start := "telltale record --wireguard"
	if at, _ := netip.ParseAddrPort(endpoint); at.Port() != 0 && at.Port() != wireguard.DefaultPort {
		start += fmt.Sprintf("=:%d", at.Port())
	}
	if f.keys != "" {
		start += " --wireguard-dir " + quote(f.keys)
	}
	for i, step := range []string{
		"Start telltale here:\n  " + start,
		"On the device, install the app WireGuard from its store.",
		"In the app, tap the plus sign and scan the code, or import this file, and switch the tunnel on:\n  " + path,
		"Through the tunnel, open the set-up page, and install and trust the certificate as it says:\n  http://" + setup.Host + "/",
		"Check that the page shows WireGuard as done. Leave the device's proxy off.",
	} {
		printStep(s.out, fmt.Sprintf("%d. ", i+1), step)
	}
	if f.code {
		if err := drawCode(s.out, string(book.Config(peer, endpoint)), "The configuration of "+peer.Name+", for the camera in the app WireGuard:"); err != nil {
			return err
		}
	}
	s.say("note: code and file hold the private key of %s: whoever has them is that device to telltale", peer.Name)
	return nil
}

// peerNamed returns the device of a name, the oldest that a person named for "". Where there
// is none of these, it makes one.
func peerNamed(book *wireguard.Book, name string) (wireguard.Peer, error) {
	if name != "" {
		return book.Peer(name)
	}
	for _, peer := range book.Peers() {
		if !peer.Visitor.IsValid() {
			return peer, nil
		}
	}
	return book.Add(wireguard.FirstPeer)
}

// reachedAt returns HOST:PORT at which a device reaches the tunnel: what was asked for,
// else this machine's likeliest address and the port of the last time.
func (f *tunnelFlags) reachedAt(c *cobra.Command, book *wireguard.Book) (string, error) {
	if f.endpoint == "" {
		hosts, err := setup.Addresses()
		if err != nil {
			return "", err
		}
		if len(hosts) == 0 {
			return "", withHint(fmt.Errorf("this machine has no address that a device can reach"), "%s --endpoint HOST", c.CommandPath())
		}
		return hostPort(hosts[0], book.Port()), nil
	}
	host, port := flow.SplitHostPort(f.endpoint)
	if port == "" {
		port = strconv.Itoa(int(book.Port()))
	}
	if host = flow.CanonicalHost(host); host == "" || !validPort(port) {
		return "", withHint(fmt.Errorf("--endpoint: %q is not HOST or HOST:PORT", f.endpoint), "%s --endpoint 192.0.2.1:%d", c.CommandPath(), wireguard.DefaultPort)
	}
	return net.JoinHostPort(host, port), nil
}

func hostPort(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
