package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"telltale/ca"
	"telltale/setup"
)

func newCARemove(s *streams, f *caFlags) *cobra.Command {
	var yes bool
	var platform string
	c := command("ca remove", func(c *cobra.Command, _ []string) error {
		wanted, err := undoPlatforms(platform)
		if err != nil {
			return err
		}
		root, err := ca.LoadRoot(f.dir())
		if errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if root != nil && (!yes || platform != "") {
			printUndo(s, root, wanted)
		}
		if !yes {
			if err := confirmRemoval(s); err != nil {
				return err
			}
		}
		if err := ca.Remove(f.dir()); err != nil {
			return err
		}
		s.say("the authority is gone from this machine")
		if root == nil { // broken, and nobody knows its name
			s.say("now remove its certificate from every device that trusts it")
			return nil
		}
		s.say("until you remove it there, devices trust a key that no longer exists here, which is harmless if it was never copied:")
		s.say("  %s, SHA-256 %s", root.Name(), root.Fingerprint())
		return nil
	})
	c.Args = noArguments
	c.Flags().BoolVar(&yes, "yes", false, "delete it without asking")
	addPlatform(c, &platform)
	return c
}

// addPlatform adds the flag of commands after which devices have to forget a root.
func addPlatform(c *cobra.Command, platform *string) {
	c.Flags().StringVar(platform, "platform", "", "show the steps on this `kind` of device alone: "+strings.Join(platformNames(), ", "))
	_ = c.RegisterFlagCompletionFunc("platform", cobra.FixedCompletions(platformNames(), cobra.ShellCompDirectiveNoFileComp))
}

// undoPlatforms returns the platform that was named, or all.
func undoPlatforms(name string) ([]setup.Platform, error) {
	if name == "" {
		return setup.Platforms, nil
	}
	i := slices.Index(platformNames(), name)
	if i < 0 {
		return nil, fmt.Errorf("--platform: unknown platform %q; the platforms are %s", name, strings.Join(platformNames(), ", "))
	}
	return setup.Platforms[i : i+1], nil
}

// printUndo writes what a person does on each kind of device so that it forgets a root.
func printUndo(s *streams, root *ca.Root, platforms []setup.Platform) {
	fingerprint := root.Fingerprint()
	half := len(fingerprint)/2 + 1 // behind a colon; in one line it is wider than most terminals
	fmt.Fprintln(s.out, harmless(fmt.Sprintf("Remove %s from every device that trusts it. Its SHA-256 fingerprint is\n  %s\n  %s\nand its SHA-1 fingerprint, which Windows calls thumbprint,\n  %s",
		root.Name(), fingerprint[:half], fingerprint[half:], root.FingerprintSHA1())))
	at := setup.Place{Authority: root.Name(), Android: root.AndroidName()}
	for _, p := range platforms {
		steps := setup.UndoSteps(p, at)
		if p.ID == "android" {
			steps = append(steps, "Or, where adb reaches the device:\n\n  telltale setup android --undo")
		}
		fmt.Fprintf(s.out, "\n%s\n", p.Name)
		for i, step := range steps {
			printStep(s.out, fmt.Sprintf("  %d. ", i+1), strings.TrimRight(step, "\n"))
		}
	}
	fmt.Fprintln(s.out)
}

// confirmRemoval asks the person; a script has to say --yes.
func confirmRemoval(s *streams) error {
	in, ok := s.in.(*os.File)
	if !ok || !isTerminal(in) || !isTerminal(s.out) {
		return withHint(errors.New("this deletes the authority's key; devices keep trusting its certificate until you remove it there"), "telltale ca remove --yes")
	}
	fmt.Fprint(s.out, "Type remove to delete the authority from this machine: ")
	answer, _ := bufio.NewReader(in).ReadString('\n')
	if strings.TrimSpace(answer) != "remove" {
		return errors.New("nothing was removed")
	}
	return nil
}
