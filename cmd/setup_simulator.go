package cmd

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/spf13/cobra"

	"telltale/ca"
	"telltale/setup/drive"
	"telltale/setup/simulator"
)

var errNoXcrun = errors.New("xcrun is not in PATH: it comes with Xcode, on a Mac")

// simulatorFlags are the flags of setup ios-simulator.
type simulatorFlags struct {
	driven
	udid, service string
	reset         bool
}

func newSetupSimulator(s *streams, shared *setupFlags) *cobra.Command {
	flags := simulatorFlags{driven: driven{setupFlags: shared}}
	c := flags.command("setup ios-simulator", "take back what can be taken back", func(ctx context.Context, c *cobra.Command) error {
		return flags.run(ctx, c, s)
	})
	f := c.Flags()
	f.StringVar(&flags.udid, "udid", "", "the simulator, by its `UDID` (default: the one that is booted)")
	f.StringVar(&flags.service, "mac-proxy", "", "set the proxy of this network `service` of the Mac too, as Wi-Fi")
	f.BoolVar(&flags.reset, "reset-keychain", false, "with --undo, reset the simulator's keychain, and so remove the certificate")
	return c
}

func (f *simulatorFlags) run(ctx context.Context, c *cobra.Command, s *streams) error {
	port, err := f.number(c)
	if err != nil {
		return err
	}
	if f.reset && !f.undo {
		return withHint(errors.New("--reset-keychain goes with --undo"), "%s --undo --reset-keychain", c.CommandPath())
	}
	var root *ca.Root
	if !f.undo {
		if root, err = f.authority(s); err != nil {
			return err
		}
	}
	o := simulator.Options{Certificate: f.certificate(), Port: port, Service: f.service, Reset: f.reset}
	device, assumed, err := f.ask(ctx, &o)
	if err != nil {
		return err
	}
	var p drive.Plan
	whole := true
	if f.undo {
		p, whole = simulator.Undo(device, o)
	} else if p, err = simulator.Install(device, o); err != nil {
		return err
	}
	if f.dry {
		fmt.Fprintf(s.out, "# %s\n", device)
		if assumed != "" {
			fmt.Fprintf(s.out, "# Assumed, since %s.\n", assumed)
		}
		f.printDry(s, p, root == nil && !f.undo)
		return nil
	}
	fmt.Fprintln(s.out, device)
	undo := simulator.UndoCommand(device, o)
	if err := f.carryOut(ctx, s, p, undo); err != nil {
		return err
	}
	if !whole {
		return withHint(errors.New("the simulator still trusts the certificate"), "%s", undo)
	}
	return nil
}

// ask finds the simulator and the Mac's proxies. A dry run without xcrun or simulator
// is for one that is assumed, which it says why.
func (f *simulatorFlags) ask(ctx context.Context, o *simulator.Options) (device simulator.Device, assumed string, err error) {
	device, err = f.find(ctx)
	var choice *drive.ChoiceError
	if err != nil && f.dry && (errors.Is(err, errNoXcrun) || errors.As(err, &choice) && f.udid == "") {
		if f.undo {
			o.Proxies = simulator.Connected(o.Port)
		}
		return simulator.Device{UDID: simulator.Booted}, err.Error(), nil
	}
	if err != nil || f.service == "" {
		return device, "", err
	}
	for i, question := range simulator.ProxyQuestions(f.service) {
		out, err := drive.Output(ctx, 0, question)
		if err != nil {
			return device, "", withHint(fmt.Errorf("asking for the Mac's proxy: %w", err), "networksetup -listallnetworkservices")
		}
		o.Proxies[i] = simulator.ParseProxy(out)
	}
	return device, "", nil
}

func (f *simulatorFlags) find(ctx context.Context) (simulator.Device, error) {
	list := simulator.List()
	if _, err := exec.LookPath(list[0]); err != nil {
		return simulator.Device{}, withHint(errNoXcrun, "telltale setup ios-simulator --dry-run")
	}
	out, err := drive.Output(ctx, 0, list)
	if err != nil {
		return simulator.Device{}, withHint(fmt.Errorf("simctl: %w", err), "xcode-select --install, or open Xcode once")
	}
	devices, err := simulator.Parse(out)
	if err != nil {
		return simulator.Device{}, err
	}
	return simulator.Choose(devices, f.udid)
}
