package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"telltale/ca"
	"telltale/intake"
	"telltale/setup"
	"telltale/setup/android"
	"telltale/setup/drive"
)

// androidFlags are the flags of setup android.
type androidFlags struct {
	driven
	serial, host, store, script string
	api                         int
	emulator, steps, force      bool
}

func newSetupAndroid(s *streams, shared *setupFlags) *cobra.Command {
	flags := androidFlags{driven: driven{setupFlags: shared}}
	c := flags.command("setup android", "take everything back", func(ctx context.Context, c *cobra.Command) error {
		switch {
		case flags.script == intake.StandardInput:
			_, err := s.out.Write([]byte(android.Script))
			return err
		case flags.script != "":
			return writeNew(s, flags.script, []byte(android.Script), flags.force)
		case flags.steps:
			return flags.byHand(c, s)
		}
		return flags.run(ctx, c, s)
	})
	f := c.Flags()
	f.StringVar(&flags.serial, "serial", "", "the device, by its `serial` number as adb devices lists it")
	f.StringVar(&flags.host, "host", "", "`address` of this machine that the device uses, instead of a way through adb")
	f.StringVar(&flags.store, "store", string(android.Auto), "where the authority is trusted: auto, system, user or none")
	f.BoolVar(&flags.steps, "steps", false, "print the steps to do by hand")
	f.IntVar(&flags.api, "api", 34, "with --dry-run, assume a device with this API `level`")
	f.BoolVar(&flags.emulator, "emulator", false, "with --dry-run, assume an emulator with root")
	f.StringVar(&flags.script, "script", "", "write the script that runs as root on the device to `FILE` (- for standard output), and nothing else")
	f.BoolVar(&flags.force, "force", false, "with --script, replace the file where it exists")
	flags.addCode(c)
	_ = c.RegisterFlagCompletionFunc("store", cobra.FixedCompletions([]string{"auto", "system", "user", "none"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// byHand prints the steps for a person.
func (f *androidFlags) byHand(c *cobra.Command, s *streams) error {
	i := slices.IndexFunc(setup.Platforms, func(p setup.Platform) bool { return p.ID == "android" })
	return f.print(c, s, setup.Platforms[i:i+1])
}

// check refuses flags that make no sense.
func (f *androidFlags) check(c *cobra.Command) error {
	switch android.Store(f.store) {
	case android.Auto, android.System, android.User, android.None:
	default:
		return withHint(fmt.Errorf("unknown store %q; it is auto, system, user or none", f.store), "%s --store user", c.CommandPath())
	}
	if f.assumes(c) && !f.dry {
		return withHint(errors.New("--api and --emulator describe a device that is not there: they go with --dry-run"), "%s --dry-run --api %d", c.CommandPath(), f.api)
	}
	if f.api < 1 || f.api > 999 {
		return withHint(fmt.Errorf("%d is no API level of Android", f.api), "%s --dry-run --api 34", c.CommandPath())
	}
	_, err := f.number(c)
	return err
}

func (f *androidFlags) assumes(c *cobra.Command) bool {
	return c.Flags().Changed("api") || c.Flags().Changed("emulator")
}

func (f *androidFlags) run(ctx context.Context, c *cobra.Command, s *streams) error {
	if err := f.check(c); err != nil {
		return err
	}
	if f.assumes(c) {
		return f.plan(ctx, c, s, f.assume(c), "Assumed, as asked for")
	}
	if f.serial == "" {
		f.serial = os.Getenv("ANDROID_SERIAL")
	}
	facts, err := f.ask(ctx, s)
	if errors.Is(err, android.ErrNoADB) || errors.Is(err, android.ErrNoDevice) {
		switch {
		case f.dry:
			return f.plan(ctx, c, s, f.assume(c), fmt.Sprintf("Assumed, since %v; --api and --emulator assume another", err))
		case f.undo || f.serial != "":
			return withHint(err, "%s", missing(err))
		}
		if err := f.byHand(c, s); err != nil {
			return err
		}
		s.say("\nnote: %v, so these are the steps to do by hand. To have them done: %s", err, missing(err))
		return nil
	}
	if err != nil {
		return err
	}
	return f.plan(ctx, c, s, facts, "")
}

// assume returns the facts of a device that is not there.
func (f *androidFlags) assume(c *cobra.Command) android.Facts {
	facts := android.Assume("adb", f.api, f.emulator)
	if port, err := f.number(c); err == nil && f.undo {
		return facts.Connected(port)
	}
	return facts
}

// missing says what to do where there is no adb or no device.
func missing(err error) string {
	const device = "switch on Developer options › USB debugging on the device and plug it in, or start an emulator; then: adb devices"
	if errors.Is(err, android.ErrNoADB) {
		return "install adb (Android SDK Platform-Tools), " + device
	}
	return device
}

// ask finds adb and the device, and asks it what the plan has to know.
func (f *androidFlags) ask(ctx context.Context, s *streams) (android.Facts, error) {
	adb, err := android.Find(os.Getenv)
	if err != nil {
		return android.Facts{}, err
	}
	const starting = 30 * time.Second // adb starts its server first
	out, err := drive.Output(ctx, starting, []string{adb, "devices"})
	if err != nil {
		return android.Facts{}, withHint(fmt.Errorf("adb devices: %w", err), "adb kill-server; adb devices")
	}
	device, err := android.Choose(android.Parse(out), f.serial)
	if err != nil {
		return android.Facts{}, err
	}
	store := android.Store(f.store)
	root := !f.undo && (store == android.Auto || store == android.System)
	if root {
		s.mayAsk()
	}
	facts, err := android.Read(ctx, adb, device.Serial, root)
	if err == nil && f.undo && facts.Left.NeedsRoot() {
		s.mayAsk()
		return android.Read(ctx, adb, device.Serial, true)
	}
	return facts, err
}

// mayAsk prepares a person for what su shows on a rooted phone.
func (s *streams) mayAsk() {
	if isTerminal(s.err) {
		s.say("If the phone is rooted, it may ask now whether the shell may be root: allow it.")
	}
}

// plan makes the plan for a device and prints it or carries it out. assumed says why
// the device is one that is not there; "" for one that is.
func (f *androidFlags) plan(ctx context.Context, c *cobra.Command, s *streams, facts android.Facts, assumed string) error {
	o := android.Options{
		Host: f.host, Store: android.Store(f.store), Script: "telltale-trust.sh",
		Authority: "the telltale CA", Certificate: f.certificate(), Hash: "HASH",
	}
	var err error
	if o.Port, err = f.number(c); err != nil {
		return err
	}
	var root *ca.Root
	trusts := !f.undo && o.Store != android.None
	if trusts {
		if root, err = f.authority(s); err != nil {
			return err
		}
	}
	if root != nil {
		o.Authority, o.Hash = root.Name(), root.AndroidName()
	}
	if addresses, err := setup.Addresses(); err == nil && len(addresses) > 0 {
		o.LAN = addresses[0]
	}
	if !f.dry {
		folder, err := os.MkdirTemp("", "telltale")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		o.Script = filepath.Join(folder, "trust.sh")
		if err := os.WriteFile(o.Script, []byte(android.Script), 0o600); err != nil {
			return err
		}
	}
	p := android.Undo(facts)
	if !f.undo {
		if p, err = android.Install(facts, o); err != nil {
			return err
		}
	}
	if f.dry {
		f.printPlan(s, facts, assumed, p, o.Script, trusts && root == nil)
		return nil
	}
	fmt.Fprintln(s.out, facts)
	return f.carryOut(ctx, s, p, drive.Quote([]string{"telltale", "setup", "android", "--undo", "--serial", facts.Serial}))
}

// printPlan prints what would be done, for a shell; missing is that of printDry.
func (f *androidFlags) printPlan(s *streams, facts android.Facts, assumed string, p drive.Plan, script string, missing bool) {
	fmt.Fprintf(s.out, "# %s\n", facts)
	if assumed != "" {
		fmt.Fprintf(s.out, "# %s.\n", assumed)
	}
	if slices.ContainsFunc(p.Steps, func(step drive.Step) bool { return slices.Contains(step.Argv, script) }) {
		p.Steps = slices.Insert(p.Steps, 0, drive.Step{
			Do: "Write the script that the device will run, here", Argv: []string{"telltale", "setup", "android", "--script", script},
		})
	}
	f.printDry(s, p, missing)
}
