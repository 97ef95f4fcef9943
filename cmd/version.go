package cmd

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func newVersion(s *streams) *cobra.Command {
	c := command("version", func(*cobra.Command, []string) error {
		_, err := fmt.Fprintf(s.out, "telltale %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return err
	})
	c.Args = cobra.NoArgs
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
	c.Args = cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)
	return c
}
