package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/spf13/cobra"

	"telltale/setup"
	"telltale/setup/drive"
	"telltale/setup/hotspot"
)

// errNotLinux is the error of everything that needs nftables.
var errNotLinux = withHint(errors.New("a hotspot is led to telltale by nftables, which Linux alone has"), "use the tunnel, which needs no system's help: telltale setup wireguard")

// hotspotFlags are the flags of setup hotspot.
type hotspotFlags struct {
	link  string
	port  uint16
	apply bool
}

func newSetupHotspot(s *streams) *cobra.Command {
	flags := &hotspotFlags{}
	c := command("setup hotspot", func(c *cobra.Command, _ []string) error {
		ctx, stop := interruptible(c.Context(), 0)
		defer stop()
		return adviseTyped(c, flags.run(ctx, c, s))
	})
	c.Args = noArguments
	f := c.Flags()
	f.StringVar(&flags.link, "interface", "", "the network `interface` that the devices are behind (default: the one that looks like it)")
	f.Uint16Var(&flags.port, "transparent-port", defaultTransparent, "`port` of telltale record --transparent")
	f.BoolVar(&flags.apply, "apply", false, "have the rules in force until Ctrl-C; needs root")
	_ = c.RegisterFlagCompletionFunc("interface", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		links, _ := links() // none is completed then
		for _, l := range links {
			names = append(names, l.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	return c
}

func (f *hotspotFlags) run(ctx context.Context, c *cobra.Command, s *streams) error {
	if !hasNFTables {
		return errNotLinux
	}
	all, err := links()
	if err != nil {
		return err
	}
	if f.link == "" {
		if f.link, err = hotspot.Choose(all); err != nil {
			return err
		}
	}
	rules, err := hotspot.New(f.link, f.port)
	if err != nil {
		return withHint(err, "%s --interface wlan0 --transparent-port %d", c.CommandPath(), defaultTransparent)
	}
	if err := hotspot.Known(f.link, all); err != nil {
		return err
	}
	if f.apply {
		return applyRules(ctx, s, rules)
	}
	again := drive.Quote([]string{"telltale", "setup", "hotspot", "--interface", f.link, "--transparent-port", fmt.Sprint(f.port)})
	fmt.Fprintf(s.out, `# Leads the devices behind %s to telltale.
#
# 1. Start telltale:         telltale record --transparent=:%d
# 2. Load these rules:       %s | sudo nft -f -
#    or until Ctrl-C alone:  sudo %s --apply
# 3. Use a device, and see what the rules counted:
#                            sudo %s
# 4. When the audit is over: sudo %s

%s`, f.link, f.port, again, again, drive.Quote(hotspot.Check()), drive.Quote(hotspot.Undo()), rules.Text())
	return nil
}

// links lists the interfaces of this machine.
func links() ([]hotspot.Link, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("network interfaces of this machine: %w", err)
	}
	out := setup.Routed()
	var all []hotspot.Link
	for _, i := range interfaces {
		l := hotspot.Link{Name: i.Name}
		addrs, err := i.Addrs()
		if err != nil || i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue // it went away meanwhile, or leads nowhere
		}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				l.Addrs = append(l.Addrs, prefix.Addr())
				l.Routed = l.Routed || prefix.Addr() == out
			}
		}
		all = append(all, l)
	}
	return all, nil
}
