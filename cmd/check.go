package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"telltale/flow"
	"telltale/intake"
	"telltale/policy"
	"telltale/redact"
	"telltale/reports"
)

// judgement is the flags and steps that check and report share.
type judgement struct {
	policy policyFlags
	report reportFlags
	gate   gateFlags
	app    appFlags
	format string
	redact bool
}

func (j *judgement) register(c *cobra.Command, format string) {
	j.policy.register(c)
	j.report.register(c)
	j.gate.register(c)
	j.app.register(c)
	c.Flags().StringVar(&j.format, "format", format, "`format` on standard output: "+strings.Join(formatNames(), ", "))
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formatNames(), cobra.ShellCompDirectiveNoFileComp))
	c.Flags().BoolVar(&j.redact, "redact", false, "make all that is written safe to hand over: equal values have equal masks")
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
	if err := j.app.validate(); err != nil {
		return err
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
	tradeTimeForMemory()
	ctx, release := interruptible(ctx, 0)
	defer release()
	if err := j.gate.load(ctx, pol); err != nil {
		return nil, false, err
	}
	in, troubles := intake.Find(ctx, args, s.in)
	defer in.Close()
	if err := spare(j.report.files, in, j.gate.madeOf(pol, &j.policy.facts)...); err != nil {
		return nil, false, err
	}
	stop := startMeter(s, readingOf(in), j.report.quiet)
	if len(j.gate.rest.files) > 0 {
		sum, infos, _, _ := judge(ctx, in, nil, intake.Options{}) // what is wrong with an input is said the second time
		j.gate.rest.settle(sum, intake.Watched(infos))
	}
	var redacted *redact.Redactor
	if j.redact {
		if redacted, err = masks(ctx, in, pol, j.report.reveal); err != nil {
			return nil, false, err
		}
		in.Through(redacted.Flow)
	}
	excused := pardonsIn(ctx, in)
	sum, infos, modes, more := judge(ctx, in, j.gate.judge(excused.under(pol)), needed(pol), excused.observe)
	stop()
	if ctx.Err() != nil {
		return nil, false, errInterrupted
	}
	troubles = append(troubles, more...)
	for _, t := range troubles {
		s.complain(masked(t, masker(pol, j.report.reveal)))
	}
	doc = j.report.document(pol, j.policy.allow, sum, captureInfos(infos))
	if len(troubles) > 0 && doc.Verdict == reports.Clean {
		doc.Verdict = reports.Inconclusive // an input that is not there at all
	}
	j.gate.apply(doc, pol)
	j.policy.facts.apply(doc)
	j.follow(ctx, doc, pol, infos)
	doc.Command, doc.Modes, j.report.capture = commandLine(c, args), modes, j.origin(args)
	doc.Flows = func(yield func(*flow.Flow) error) error { return again(ctx, in, yield) }
	if j.redact {
		doc.Mask, doc.Redact = redacted.Text, asRedacted(redacted.Flow) // flows are when they are read
	}
	lost := j.app.applyAfter(ctx, s, doc, pol, j.report.quiet)
	j.warn(s, doc)
	if err := j.report.show(s.out, j.format, doc); err != nil {
		return nil, false, err
	}
	failed := j.report.writeAll(s, doc)
	j.report.pointToDoctor(s, doc, args)
	return doc, failed || lost || len(troubles) > 0, nil
}

// origin returns the one capture of ours that reports are made of, so that what they keep
// beside themselves goes with it: "" for others, and for what is made to be handed over.
func (j *judgement) origin(args []string) string {
	if stored, err := intake.IsStored(args[0]); err != nil || !stored || len(args) > 1 || j.redact {
		return ""
	}
	return args[0]
}

// again reads the inputs once more, bodies included, for reports that list single
// flows. What is damaged was said the first time; what has changed since was not.
func again(ctx context.Context, in *intake.Set, yield func(*flow.Flow) error) error {
	var id flow.ID
	infos, err := in.Read(ctx, intake.Options{Bodies: true}, func(f *flow.Flow) error {
		id++
		f.ID = id
		return yield(f)
	})
	for _, info := range infos {
		var changed *intake.ChangedError
		if errors.As(info.Err, &changed) {
			err = errors.Join(err, changed)
		}
	}
	return err
}

// warn says why the verdict is worth little where what is printed does not.
func (j *judgement) warn(s *streams, doc *reports.Report) {
	if f, ok := reports.ByName(j.format); ok && f.ForPeople && !j.report.quiet {
		return
	}
	for _, warning := range doc.Warnings {
		s.say("warning: %s", warning)
	}
}

// captureInfos says of each input what documents say.
func captureInfos(infos []intake.Info) []reports.CaptureInfo {
	all := make([]reports.CaptureInfo, 0, len(infos))
	for _, i := range infos {
		c := reports.CaptureInfo{
			File: i.File, Entries: i.Entries, Flows: i.Flows, Producer: i.Producer, SHA256: i.SHA256,
			Skipped: i.Skipped, LeftOut: i.LeftOut, Notes: i.Notes,
		}
		if i.Err != nil {
			c.Error = i.Err.Error()
		}
		all = append(all, c)
	}
	return all
}

// follow says what followed the experiments of a capture. Of several captures together, it
// says nothing: one may be the time before another, and who reads them cannot know.
func (j *judgement) follow(ctx context.Context, doc *reports.Report, pol *policy.Policy, infos []intake.Info) {
	if len(doc.Summary.Experiments) == 0 {
		return
	}
	if len(infos) != 1 || infos[0].Err != nil || infos[0].File == intake.StandardInput {
		doc.Notes = append(doc.Notes, "What followed the experiments is said of one capture, in a file that can be read.")
		return
	}
	w, err := openWatched(infos[0].File, pol, &j.gate.rest)
	if err == nil {
		defer w.close()
		err = w.load(ctx, func(int, int) {})
	}
	if err != nil {
		doc.Notes = append(doc.Notes, fmt.Sprintf("What followed the experiments could not be read: %v.", err))
		return
	}
	j.report.follow(doc, w.store)
}

// commandLine returns the command as the reader of a report can repeat it.
func commandLine(c *cobra.Command, args []string) string {
	words := []string{c.CommandPath()}
	for _, arg := range args {
		words = append(words, quote(arg))
	}
	for _, name := range []string{"policy", "allow", "baseline", "list", "declaration", "subtract", "enforce", "refuse", "simulate", "modify"} {
		f := c.Flags().Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		values := []string{f.Value.String()}
		if list, err := c.Flags().GetStringArray(name); err == nil {
			values = list
		}
		for _, v := range values {
			if f.NoOptDefVal != "" {
				words = append(words, "--"+name+"="+quote(v)) // a word of its own would be an argument
				continue
			}
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
