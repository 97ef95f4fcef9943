package cmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"telltale/reports"
)

// The exit codes.
const (
	ExitClean      = 0
	ExitViolations = 1
	ExitFailed     = 2
)

// ExitCodes is the table of exit codes, as the help topic prints it.
var ExitCodes = []struct {
	Code int
	Name string
	When string
}{
	{ExitClean, "clean", "the job was done and no flow broke the policy"},
	{ExitViolations, "violations", "at least one flow broke the policy"},
	{ExitFailed, "failed", "the job could not be done: bad flags, bad policy, a capture that could not be read whole, a port that is taken, a report that could not be written, no flow seen at all (--allow-empty accepts that), or under --strict a clean verdict that is worth too little"},
}

// exitCode ends a command with a code and without words of its own.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// exit turns what a command returned into its exit code and prints its error.
func (s *streams) exit(err error) int {
	var code exitCode
	switch {
	case err == nil:
		return ExitClean
	case errors.As(err, &code):
		return int(code)
	}
	s.complain(err)
	return ExitFailed
}

// verdictExit returns the code of a verdict. Trouble outweighs it: an input that
// could not be read whole is never clean. An audit that saw nothing says so.
func (s *streams) verdictExit(doc *reports.Report, trouble bool) error {
	switch {
	case trouble:
		return exitCode(ExitFailed)
	case doc.Verdict == reports.Inconclusive && recordedNothing(doc):
		return withHint(errors.New("this audit recorded no contact, so nothing is proven: what the capture holds is of earlier ones"), "check that the app's traffic reaches telltale, save to another file, or accept this with --allow-empty")
	case doc.Verdict == reports.Inconclusive && doc.Summary.Flows > 0:
		return withHint(errors.New("the verdict is worth too little for --strict: "+strings.Join(doc.Warnings, " ")), "record more of what the app does, set --min-flows, or leave out --strict")
	case doc.Verdict == reports.Inconclusive:
		return withHint(errors.New("no contact was seen, so nothing is proven"), "check that the app's traffic reaches telltale, or accept this with --allow-empty")
	case doc.Verdict == reports.Violations:
		return exitCode(ExitViolations)
	}
	return nil
}

// helpWidth is how many columns texts in the source are written for.
const helpWidth = 80

func newExitCodesTopic() *cobra.Command {
	c := command("exit-codes", nil)
	c.RunE = nil // a command that does nothing is a help topic to cobra
	var b strings.Builder
	b.WriteString(c.Long + "\n\n")
	for _, e := range ExitCodes {
		left := fmt.Sprintf("  %d  %-11s ", e.Code, e.Name)
		when := reports.Wrap(e.When, helpWidth-len(left))
		b.WriteString(left + strings.Join(when, "\n"+strings.Repeat(" ", len(left))) + "\n")
	}
	b.WriteString("\n" + words["exit-codes"].example)
	c.Long, c.Example = b.String(), ""
	return c
}
