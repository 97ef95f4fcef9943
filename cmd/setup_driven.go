package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"telltale/ca"
	"telltale/setup/drive"
)

// driven are the flags of the commands that have another program connect a device.
type driven struct {
	*setupFlags
	undo, dry bool
}

// command returns the command of a name, which ends when it is interrupted.
func (d *driven) command(name, undoes string, run func(context.Context, *cobra.Command) error) *cobra.Command {
	c := command(name, func(c *cobra.Command, _ []string) error {
		ctx, stop := interruptible(c.Context(), 0)
		defer stop()
		return adviseTyped(c, run(ctx, c))
	})
	c.Args = noArguments
	c.Flags().BoolVar(&d.undo, "undo", false, undoes)
	c.Flags().BoolVar(&d.dry, "dry-run", false, "print the commands and run none; a device is asked what it is")
	return c
}

// adviseTyped gives an error that asks for more flags the whole command to type.
func adviseTyped(c *cobra.Command, err error) error {
	var choice *drive.ChoiceError
	if !errors.As(err, &choice) || choice.Flags == nil {
		return err
	}
	argv := strings.Fields(c.CommandPath())
	c.Flags().Visit(func(f *pflag.Flag) {
		switch {
		case slices.Contains(choice.Flags, "--"+f.Name):
		case f.Value.Type() == "bool":
			argv = append(argv, "--"+f.Name+strings.TrimSuffix("="+f.Value.String(), "=true"))
		default:
			argv = append(argv, "--"+f.Name, f.Value.String())
		}
	})
	return withHint(err, "%s", strings.TrimSpace(choice.Advice+" "+drive.Quote(append(argv, choice.Flags...))))
}

// authority returns the authority that a device is to trust. A dry run makes none: where
// there is none yet, root is nil.
func (d *driven) authority(s *streams) (root *ca.Root, err error) {
	if !d.dry {
		return ca.OpenRoot(caFolder(d.folder))
	}
	root, err = ca.LoadRoot(caFolder(d.folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		for _, warning := range root.Warnings() {
			s.say("warning: %s", warning)
		}
	}
	return root, err
}

// certificate returns the path of the authority's certificate, which may be still to be made.
func (d *driven) certificate() string { return filepath.Join(caFolder(d.folder), ca.CertificateFile) }

// printDry prints what would be done, for a shell. missing says that the plan is about
// an authority which is still to be made.
func (d *driven) printDry(s *streams, p drive.Plan, missing bool) {
	if missing {
		argv := []string{"telltale", "ca", "show"}
		if d.folder != "" {
			argv = append(argv, "--ca", d.folder)
		}
		p.Steps = slices.Insert(p.Steps, 0, drive.Step{
			Do: "Make the certificate authority: there is none yet", Argv: argv,
			Why: "It says how the authority is called, and the HASH of its Android system-store name.",
		})
	}
	if len(p.Steps) == 0 {
		fmt.Fprintln(s.out, "# There is nothing to do.")
	}
	p.Print(s.out)
}

// carryOut runs a plan and says what is left for the person. Where a step fails it
// says how to undo the ones before.
func (d *driven) carryOut(ctx context.Context, s *streams, p drive.Plan, undoCommand string) error {
	if len(p.Steps) == 0 && d.undo {
		fmt.Fprintln(s.out, "There is nothing to undo.")
	}
	if err := p.Run(ctx, s.out); err != nil {
		if d.undo {
			s.say("It can be repeated: %s", undoCommand)
		} else {
			s.say("To undo what was done so far: %s", undoCommand)
		}
		return err
	}
	for _, note := range p.Notes {
		fmt.Fprintln(s.out)
		printStep(s.out, "", note)
	}
	return nil
}
