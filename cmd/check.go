package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"telltale/capture"
	"telltale/flow"
	"telltale/policy"
	"telltale/reports"
)

// judgement is the flags and steps that check and report share.
type judgement struct {
	policy policyFlags
	report reportFlags
	format string
}

func (j *judgement) register(c *cobra.Command, format string) {
	j.policy.register(c)
	j.report.register(c)
	c.Flags().StringVar(&j.format, "format", format, "`format` on standard output: "+strings.Join(formatNames(), ", "))
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formatNames(), cobra.ShellCompDirectiveNoFileComp))
}

func formatNames() []string {
	var all []string
	for _, f := range reports.Formats {
		all = append(all, f.Name)
	}
	return append(all, "none")
}

func (j *judgement) validate() error {
	if !slices.Contains(formatNames(), j.format) {
		return fmt.Errorf("--format: unknown format %q; the formats are %s", j.format, strings.Join(formatNames(), ", "))
	}
	return j.report.validate()
}

func newCheck(s *streams) *cobra.Command {
	j := &judgement{}
	c := command("check", func(c *cobra.Command, args []string) error {
		doc, trouble, err := j.run(c.Context(), s, args, c)
		if err != nil {
			return err
		}
		return s.verdictExit(doc, trouble)
	})
	c.Args = atLeastOneCapture
	j.register(c, "text")
	return c
}

func newReport(s *streams) *cobra.Command {
	j := &judgement{}
	c := command("report", func(c *cobra.Command, args []string) error {
		if len(j.report.files) > 0 && !c.Flags().Changed("format") {
			j.format = "none" // the files are the report
		}
		_, trouble, err := j.run(c.Context(), s, args, c)
		if err == nil && trouble {
			err = exitCode(ExitFailed)
		}
		return err
	})
	c.Args = atLeastOneCapture
	j.register(c, "markdown")
	return c
}

func atLeastOneCapture(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return withHint(fmt.Errorf("%s needs a capture", c.CommandPath()), "%s --help", c.CommandPath())
	}
	return nil
}

// run judges the captures, prints the verdict and writes the reports. trouble is
// set when an input could not be read whole or a report not be written.
func (j *judgement) run(ctx context.Context, s *streams, args []string, c *cobra.Command) (doc *reports.Report, trouble bool, err error) {
	if err := j.validate(); err != nil {
		return nil, false, err
	}
	pol, err := j.policy.load()
	if err != nil {
		return nil, false, err
	}
	in, troubles := findInputs(args)
	defer in.close()
	if err := in.keepStdin(s.in); err != nil {
		return nil, false, err
	}
	in.bodies = len(pol.Secrets()) > 0
	sum, infos, modes, more := judge(ctx, in, pol)
	troubles = append(troubles, more...)
	for _, t := range troubles {
		s.complain(t)
	}
	doc = j.report.document(pol, j.policy.allow, sum, infos)
	if len(troubles) > 0 && doc.Verdict == reports.Clean {
		doc.Verdict = reports.Inconclusive // an input that is not there at all
	}
	doc.Command, doc.Modes = commandLine(c, args), modes
	doc.Flows = func(yield func(*flow.Flow) error) error { return in.again(ctx, yield) }
	if err := j.report.show(s.out, j.format, doc); err != nil {
		return nil, false, err
	}
	failed := j.report.writeAll(s, doc)
	return doc, failed || len(troubles) > 0, nil
}

// judge sends every flow of the inputs through a store that keeps totals alone.
// modes are the ways in by which the flows came, in order of appearance.
func judge(ctx context.Context, in *inputs, pol *policy.Policy) (sum capture.Summary, infos []reports.CaptureInfo, modes []string, troubles []error) {
	store := capture.New(capture.Options{Judge: pol})
	infos, troubles = in.each(ctx, func(f *flow.Flow) error {
		if len(modes) == 0 || modes[len(modes)-1] != f.Mode && !slices.Contains(modes, f.Mode) {
			modes = append(modes, f.Mode)
		}
		f.ID = store.NextID()
		store.Observe(f)
		return nil
	})
	for _, info := range infos {
		for _, note := range info.Notes {
			store.Note(info.File + ": " + note)
		}
	}
	if err := store.Close(); err != nil {
		troubles = append(troubles, err)
	}
	return store.Summary(), infos, modes, troubles
}

// again reads the inputs once more, bodies included, for reports that list single
// flows. What is damaged was said the first time.
func (in *inputs) again(ctx context.Context, yield func(*flow.Flow) error) error {
	second := &inputs{files: in.files, stdin: in.stdin, bodies: true}
	var id flow.ID
	var failed error
	second.each(ctx, func(f *flow.Flow) error {
		id++
		f.ID = id
		failed = yield(f)
		return failed
	})
	return failed
}

// commandLine returns the command as the reader of a report can repeat it.
func commandLine(c *cobra.Command, args []string) string {
	words := []string{c.CommandPath()}
	for _, arg := range args {
		words = append(words, quote(arg))
	}
	for _, name := range []string{"policy", "allow"} {
		f := c.Flags().Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		values := []string{f.Value.String()}
		if list, err := c.Flags().GetStringArray(name); err == nil {
			values = list
		}
		for _, v := range values {
			words = append(words, "--"+name, quote(v))
		}
	}
	return strings.Join(words, " ")
}

// quote makes an argument safe to paste into a POSIX shell.
func quote(arg string) string {
	if arg != "" && !strings.ContainsAny(arg, " \t\n'\"\\$`*?[]{}()<>|&;#~!") {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
