// Package cmd is the command line of telltale: one file for each command, the
// words that people read in words.go, and the exit codes in exit.go.
//
// It wires the other packages together and is the only one that may see them
// all. [Main] takes its arguments and streams from the caller and returns the
// exit code, so that tests run the real program without a process. No command
// keeps state between runs except in the folders that xdg names: the certificate
// authority and the captures that are kept.
//
// It does not judge, record or format anything itself: when a command grows
// logic that is not about flags, words or order of steps, the logic belongs to
// another package.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Version is set by the linker in released builds; otherwise the version comes
// from the module's build information.
var Version = ""

// streams are the program's connections to the person or script that runs it.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs one command and returns its exit code (see [ExitCodes]).
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &streams{in: stdin, out: stdout, err: stderr}
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return s.exit(root.ExecuteContext(context.Background()))
}

func newRoot(s *streams) *cobra.Command {
	root := command("telltale", nil)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.Version = version()
	root.SetVersionTemplate("telltale {{.Version}}\n")
	root.AddGroup(&cobra.Group{ID: "audit", Title: "Audit:"}, &cobra.Group{ID: "prepare", Title: "Prepare:"}, &cobra.Group{ID: "keep", Title: "Look back:"}, &cobra.Group{ID: "tell", Title: "Tell somebody:"})
	for _, c := range []struct {
		group string
		cmd   *cobra.Command
	}{
		{"audit", newWatch(s)},
		{"audit", newRecord(s)},
		{"audit", newServe(s)},
		{"audit", newCheck(s)},
		{"audit", newReport(s)},
		{"audit", newDiff(s)},
		{"audit", newDoctor(s)},
		{"audit", newLocate(s)},
		{"audit", newDemo(s)},
		{"prepare", newPolicy(s)},
		{"prepare", newSetup(s)},
		{"prepare", newCA(s)},
		{"keep", newFlows(s)},
		{"keep", newCaptures(s)},
		{"keep", newReplay(s)},
		{"tell", newNotify(s)},
		{"tell", newAck(s)},
		{"", newVersion(s)},
		{"", newCompletion(s)},
		{"", newExitCodesTopic()},
	} {
		c.cmd.GroupID = c.group
		root.AddCommand(c.cmd)
	}
	root.SetHelpCommand(newHelp())
	root.SetUsageTemplate(strings.NewReplacer(
		".FlagUsages ", fmt.Sprintf(".FlagUsagesWrapped %d ", width(s.out)),
		"for more information about a command", "for more about a command", // else it is wider than a terminal
	).Replace(root.UsageTemplate()))
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return withHint(err, "%s --help", c.CommandPath())
	})
	return root
}

// command makes a cobra command from its words. Commands without run only group
// others.
func command(name string, run func(c *cobra.Command, args []string) error) *cobra.Command {
	w, ok := words[name]
	if !ok {
		panic("no words for the command " + name)
	}
	c := &cobra.Command{Use: w.use, Short: w.short, Long: w.long, Example: w.example, RunE: run}
	if run == nil {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return withHint(fmt.Errorf("unknown command %q for %q%s", args[0], c.CommandPath(), suggestion(c, args[0])), "%s --help", c.CommandPath())
			}
			return c.Help()
		}
	}
	return c
}

// noArguments refuses arguments of commands that take none.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return withHint(fmt.Errorf("%s takes no argument, found %q", c.CommandPath(), args[0]), "%s --help", c.CommandPath())
}

// newHelp replaces cobra's own command, which takes an unknown topic for success.
func newHelp() *cobra.Command {
	c := command("help", func(c *cobra.Command, args []string) error {
		topic, rest, err := c.Root().Find(args)
		if err != nil || len(rest) > 0 {
			return withHint(fmt.Errorf("there is no help on %q%s", strings.Join(args, " "), suggestion(topic, rest[0])), "%s --help", c.Root().Name())
		}
		topic.InitDefaultHelpFlag() // else its usage does not list it
		return topic.Help()
	})
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		var names []string
		if topic, rest, err := c.Root().Find(args); err == nil && len(rest) == 0 {
			for _, below := range topic.Commands() {
				if !below.Hidden {
					names = append(names, below.Name())
				}
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

func suggestion(c *cobra.Command, typed string) string {
	c.SuggestionsMinimumDistance = 2 // letters; cobra's own search sets the same
	if near := c.SuggestionsFor(typed); len(near) > 0 {
		return fmt.Sprintf("; did you mean %q?", near[0])
	}
	return ""
}

// version returns the version of this build.
func version() string {
	if Version != "" {
		return Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development build"
}

// isTerminal reports whether w is a screen that a person looks at.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width returns the columns of the terminal w, 80 when it is none.
func width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return columns
		}
	}
	return 80
}

// colour reports whether text on w may be coloured: a terminal, and neither
// --no-color nor NO_COLOR (https://no-color.org) says otherwise. CLICOLOR_FORCE
// colours pipes too (https://bixense.com/clicolors).
func colour(w io.Writer, noColor bool) bool {
	if noColor || os.Getenv("NO_COLOR") != "" {
		return false
	}
	if force := os.Getenv("CLICOLOR_FORCE"); force != "" && force != "0" {
		return true
	}
	return os.Getenv("TERM") != "dumb" && isTerminal(w)
}

// say writes a line for people to standard error.
func (s *streams) say(format string, args ...any) {
	fmt.Fprintln(s.err, harmless(fmt.Sprintf(format, args...)))
}

// complain reports a trouble that does not end the command by itself.
func (s *streams) complain(err error) {
	s.say("error: %v", err)
	if hint := hintOf(err); hint != "" {
		s.say("hint: %s", hint)
	}
}

// A hinted error knows what the person can type next.
type hinted struct {
	error
	hint string
}

func (h hinted) Hint() string  { return h.hint }
func (h hinted) Unwrap() error { return h.error }

// withHint adds the command to type next to an error.
func withHint(err error, format string, args ...any) error {
	return hinted{err, fmt.Sprintf(format, args...)}
}

// hintOf returns the first hint that an error or one of its causes has.
func hintOf(err error) string {
	for err != nil {
		var h interface {
			error
			Hint() string
		}
		if !errors.As(err, &h) {
			return ""
		}
		if hint := h.Hint(); hint != "" {
			return hint
		}
		err = errors.Unwrap(h)
	}
	return ""
}
