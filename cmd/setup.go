package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"telltale/ca"
	"telltale/setup"
)

func newSetup(s *streams) *cobra.Command {
	var folder, port string
	c := command("setup", func(_ *cobra.Command, args []string) error {
		wanted := setup.Platforms
		if len(args) > 0 {
			i := slices.IndexFunc(setup.Platforms, func(p setup.Platform) bool { return p.ID == args[0] })
			if i < 0 {
				return fmt.Errorf("unknown platform %q; the platforms are %s", args[0], strings.Join(platformNames(), ", "))
			}
			wanted = setup.Platforms[i : i+1]
		}
		a, err := ca.Open(caFolder(folder))
		if err != nil {
			return err
		}
		return printSetup(s, a, port, wanted)
	})
	c.Args = cobra.MaximumNArgs(1)
	c.ValidArgs = platformNames()
	c.Flags().StringVar(&folder, "ca", "", "`folder` of the certificate authority (default: "+caFolderHelp+")")
	c.Flags().StringVar(&port, "port", "8080", "`port` on which the proxy will listen")
	return c
}

func platformNames() []string {
	var names []string
	for _, p := range setup.Platforms {
		names = append(names, p.ID)
	}
	return names
}

func printSetup(s *streams, a *ca.Authority, port string, platforms []setup.Platform) error {
	addresses, err := setup.Addresses()
	if err != nil {
		return err
	}
	if len(addresses) == 0 {
		addresses = []string{"ADDRESS-OF-THIS-MACHINE"}
	}
	fmt.Fprintf(s.out, "1. Start the proxy here:\n     telltale record --listen :%s\n", port)
	fmt.Fprintf(s.out, "2. Connect the device to the same network. This machine is %s\n", strings.Join(addresses, " or "))
	fmt.Fprintf(s.out, "3. On the device, set the HTTP proxy to %s, port %s, and trust the certificate authority\n", addresses[0], port)
	fmt.Fprintf(s.out, "   whose SHA-256 fingerprint is %s\n", a.Fingerprint())
	at := setup.Place{Host: addresses[0], Port: port, Authority: a.Certificate().Subject.CommonName}
	for _, p := range platforms {
		fmt.Fprintf(s.out, "\n%s\n", p.Name)
		for i, step := range setup.Steps(p, at) {
			fmt.Fprintf(s.out, "  %d. %s\n", i+1, strings.ReplaceAll(step, "\n", "\n     "))
		}
	}
	return nil
}
