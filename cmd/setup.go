package cmd

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"telltale/ca"
	"telltale/reports"
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
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 1 {
			return withHint(fmt.Errorf("%s takes one platform, found %q", c.CommandPath(), args[1]), "%s --help", c.CommandPath())
		}
		return nil
	}
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
	for i, step := range []string{
		fmt.Sprintf("Start the proxy here:\n  telltale record --listen :%s", port),
		fmt.Sprintf("Connect the device to the same network. This machine is %s.", strings.Join(addresses, " or ")),
		fmt.Sprintf("On the device, set the HTTP proxy to %s, port %s, and trust the certificate authority whose SHA-256 fingerprint is\n  %s", addresses[0], port, a.Fingerprint()),
	} {
		printStep(s.out, fmt.Sprintf("%d. ", i+1), step)
	}
	at := setup.Place{Host: addresses[0], Port: port, Authority: a.Certificate().Subject.CommonName}
	for _, p := range platforms {
		fmt.Fprintf(s.out, "\n%s\n", p.Name)
		for i, step := range setup.Steps(p, at) {
			printStep(s.out, fmt.Sprintf("  %d. ", i+1), step)
		}
	}
	return nil
}

// printStep writes a step below its number. Lines that are indented are for copying
// and stay whole.
func printStep(w io.Writer, number, step string) {
	left := number
	for line := range strings.Lines(step) {
		text := []string{strings.TrimRight(line, "\n")}
		if !strings.HasPrefix(line, " ") {
			text = reports.Wrap(line, width(w)-len(number))
		}
		for _, part := range text {
			fmt.Fprintln(w, strings.TrimRight(left+part, " "))
			left = strings.Repeat(" ", len(number))
		}
	}
}
