package cmd

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"telltale/ca"
	"telltale/reports"
	"telltale/setup"
)

// setupFlags are those of every kind of device.
type setupFlags struct {
	folder, port string
	code         bool // draw the QR code
}

func newSetup(s *streams) *cobra.Command {
	var flags setupFlags
	c := command("setup", func(c *cobra.Command, args []string) error {
		wanted := setup.Platforms
		if len(args) > 0 {
			i := slices.IndexFunc(setup.Platforms, func(p setup.Platform) bool { return p.ID == args[0] })
			if i < 0 {
				return fmt.Errorf("unknown platform %q; the platforms are %s", args[0], strings.Join(append(platformNames(), "ios-simulator", "wireguard", "hotspot"), ", "))
			}
			wanted = setup.Platforms[i : i+1]
		}
		return flags.print(c, s, wanted)
	})
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 1 {
			return withHint(fmt.Errorf("%s takes one platform, found %q", c.CommandPath(), args[1]), "%s --help", c.CommandPath())
		}
		return nil
	}
	// Those that are commands of their own are completed as such.
	c.ValidArgs = slices.DeleteFunc(platformNames(), func(name string) bool { return name == "android" })
	c.PersistentFlags().StringVar(&flags.folder, "ca", "", "`folder` of the certificate authority (default: "+caFolderHelp+")")
	c.PersistentFlags().StringVar(&flags.port, "port", "8080", "`port` on which the proxy will listen")
	flags.addCode(c)
	c.AddCommand(newSetupAndroid(s, &flags), newSetupSimulator(s, &flags), newSetupWireguard(s, &flags), newSetupHotspot(s))
	return c
}

func (f *setupFlags) addCode(c *cobra.Command) {
	c.Flags().BoolVar(&f.code, "qr", false, "draw the QR code of the set-up page (default: on a terminal)")
}

// number returns the port as a number.
func (f *setupFlags) number(c *cobra.Command) (int, error) {
	n, err := strconv.ParseUint(f.port, 10, 16)
	if err != nil || n == 0 {
		return 0, withHint(fmt.Errorf("%q is no port: it is a number from 1 to 65535", f.port), "%s --port 8080", c.CommandPath())
	}
	return int(n), nil
}

// print writes the steps for a person.
func (f *setupFlags) print(c *cobra.Command, s *streams, platforms []setup.Platform) error {
	if _, err := f.number(c); err != nil {
		return err
	}
	if !c.Flags().Changed("qr") {
		f.code = isTerminal(s.out)
	}
	a, err := ca.OpenRoot(caFolder(f.folder))
	if err != nil {
		return err
	}
	return printSetup(s, a, f.port, platforms, f.code)
}

func platformNames() []string {
	var names []string
	for _, p := range setup.Platforms {
		names = append(names, p.ID)
	}
	return names
}

func printSetup(s *streams, a *ca.Root, port string, platforms []setup.Platform, code bool) error {
	addresses, err := setup.Addresses()
	if err != nil {
		return err
	}
	if len(addresses) == 0 {
		addresses, code = []string{"ADDRESS-OF-THIS-MACHINE"}, false
	}
	fingerprint := a.Fingerprint()
	half := len(fingerprint)/2 + 1 // behind a colon; in one line it is wider than most terminals
	at := setup.Place{Host: addresses[0], Port: port, Authority: a.Name()}
	for i, step := range []string{
		fmt.Sprintf("Start the proxy here:\n  telltale record --listen :%s", port),
		fmt.Sprintf("Connect the device to the same network. This machine is %s.", strings.Join(addresses, " or ")),
		fmt.Sprintf("On the device, set the HTTP proxy to %s, port %s, and open the set-up page, which has the certificate authority and these steps:\n  %s", at.Host, at.Port, at.Page()),
		"Trust the authority if its SHA-256 fingerprint is\n  " + fingerprint[:half] + "\n  " + fingerprint[half:],
	} {
		printStep(s.out, fmt.Sprintf("%d. ", i+1), step)
	}
	if code {
		if err := drawCode(s.out, at.Page(), "The set-up page, for the camera of a phone:"); err != nil {
			return err
		}
	}
	for _, p := range platforms {
		fmt.Fprintf(s.out, "\n%s\n", p.Name)
		for i, step := range setup.Steps(p, at) {
			printStep(s.out, fmt.Sprintf("  %d. ", i+1), step)
		}
	}
	return nil
}

// drawCode draws the QR code of a text below a title, if it fits. In colours it is
// black on white by numbers of the fixed palette, since themes give the names of
// colours other meanings; without them it counts on light text on a dark ground.
func drawCode(w io.Writer, text, title string) error {
	const quiet = 2
	code, err := setup.QR(text)
	if err != nil {
		return err
	}
	if code.Size()+2*quiet+2 > width(w) {
		return nil
	}
	before, after := "  ", ""
	coloured := colour(w, false)
	if coloured {
		before, after = "  \x1b[38;5;16;48;5;231m", "\x1b[0m"
	}
	fmt.Fprintf(w, "\n%s\n\n", title)
	for _, row := range code.Blocks(quiet, !coloured) {
		fmt.Fprintln(w, before+row+after)
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
