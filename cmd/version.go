package cmd

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func newVersion(s *streams) *cobra.Command {
	c := command("version", func(*cobra.Command, []string) error {
		_, err := fmt.Fprintf(s.out, "telltale %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return err
	})
	c.Args = noArguments
	return c
}

// shells are those that cobra can complete for.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func newCompletion(s *streams) *cobra.Command {
	c := command("completion", func(c *cobra.Command, args []string) error {
		root := c.Root()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(s.out, true)
		case "zsh":
			return root.GenZshCompletion(s.out)
		case "fish":
			return root.GenFishCompletion(s.out, true)
		}
		return root.GenPowerShellCompletionWithDesc(s.out)
	})
	c.ValidArgs = shells
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 1 && slices.Contains(shells, args[0]) {
			return nil
		}
		return withHint(fmt.Errorf("%s needs one of %s", c.CommandPath(), strings.Join(shells, ", ")), "%s --help", c.CommandPath())
	}
	return c
}
