package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"telltale/compare"
	"telltale/intake"
	"telltale/policy"
	"telltale/reports"
)

// comparison is the flags and steps of diff.
type comparison struct {
	policy policyFlags
	gate   gateFlags // its baseline alone
	format string

	reports    []string
	reveal     bool
	allowEmpty bool
	quiet      bool
	noColor    bool
}

func newDiff(s *streams) *cobra.Command {
	d := &comparison{}
	c := command("diff", func(c *cobra.Command, args []string) error { return d.run(c, s, args) })
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) != 2 {
			return withHint(fmt.Errorf("%s compares two captures, found %s", c.CommandPath(), plural(len(args), "argument")), "%s --help", c.CommandPath())
		}
		return nil
	}
	d.register(c)
	return c
}

func (d *comparison) register(c *cobra.Command) {
	d.policy.register(c)
	names, extensions := diffFormats()
	d.gate.registerBaseline(c)
	c.Flags().StringVar(&d.format, "format", "text", "`format` on standard output: "+strings.Join(names, ", "))
	c.Flags().StringArrayVar(&d.reports, "report", nil, "write the comparison to `file`; its extension gives the format ("+strings.Join(extensions, ", ")+"); repeatable")
	c.Flags().BoolVar(&d.reveal, "reveal", false, "show credentials and never-send values instead of [redacted]")
	c.Flags().BoolVar(&d.allowEmpty, "allow-empty", false, "accept a capture without any flow")
	c.Flags().BoolVarP(&d.quiet, "quiet", "q", false, "print nothing but errors")
	c.Flags().BoolVar(&d.noColor, "no-color", false, "print without colours (also: NO_COLOR)")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
}

// diffFormats returns what --format and the names of files may say.
func diffFormats() (names, extensions []string) {
	for _, f := range reports.DiffFormats {
		names, extensions = append(names, f.Name), append(extensions, f.Ext)
	}
	return append(names, "none"), extensions
}

// validate refuses what cannot be written before anything is read.
func (d *comparison) validate() error {
	if names, _ := diffFormats(); !slices.Contains(names, d.format) {
		return fmt.Errorf("--format: unknown format %q; the formats are %s", d.format, strings.Join(names, ", "))
	}
	for _, file := range d.reports {
		if _, err := reports.DiffByFile(file); err != nil {
			return err
		}
		if err := reportFolder(file); err != nil {
			return err
		}
	}
	return nil
}

// run compares, prints and writes. Trouble outweighs every result.
func (d *comparison) run(c *cobra.Command, s *streams, args []string) error {
	if err := d.validate(); err != nil {
		return err
	}
	if args[0] == intake.StandardInput && args[1] == intake.StandardInput {
		return errors.New("standard input can be one of the two captures, not both")
	}
	pol, err := d.policy.load()
	if err != nil {
		return err
	}
	for _, side := range args {
		for _, file := range d.reports {
			if sameFile(file, side) {
				return errReplaces(file)
			}
		}
	}
	tradeTimeForMemory()
	ctx, stop := interruptible(c.Context(), 0)
	defer stop()
	if err := d.gate.load(ctx, pol); err != nil {
		return err
	}
	before, beforeSide, trouble := d.read(ctx, s, args[0], pol)
	after, afterSide, more := d.read(ctx, s, args[1], pol)
	if ctx.Err() != nil {
		return exitCode(ExitFailed) // said by each side
	}
	doc := d.document(pol, commandLine(c, args))
	doc.Before, doc.After, doc.Comparison = beforeSide, afterSide, compare.Captures(before, after)
	if err := d.show(s.out, doc); err != nil {
		return err
	}
	trouble = d.writeAll(s, doc) || trouble || more
	return d.exit(doc, trouble)
}

// read judges one side, and says what of it could not be read.
func (d *comparison) read(ctx context.Context, s *streams, name string, pol *policy.Policy) (*compare.Audit, reports.Side, bool) {
	in, troubles := intake.Find(ctx, []string{name}, s.in)
	defer in.Close()
	excused := pardonsIn(ctx, in)
	recorder := compare.NewRecorder(d.gate.judge(excused.under(pol)), pol)
	stop := startMeter(s, readingOf(in), d.quiet)
	sum, infos, _, more := judge(ctx, in, recorder, needed(pol), excused.observe)
	stop()
	troubles = append(troubles, more...)
	for _, t := range troubles {
		s.complain(masked(t, masker(pol, d.reveal)))
	}
	audit := recorder.Audit(sum, len(troubles) > 0)
	audit.AllowEmpty = d.allowEmpty
	side := reports.Side{Captures: captureInfos(infos), Summary: sum}
	side.Warnings = reports.WarningsOf(sum, side.Captures, appUnseen(pol, sum), reports.FewFlows)
	side.Warnings = append(side.Warnings, unpardoned(pol, sum.Violations)...)
	return audit, side, len(troubles) > 0
}

func (d *comparison) document(pol *policy.Policy, command string) *reports.Diff {
	return &reports.Diff{
		Tool: reports.Tool{Name: "telltale", Version: version()}, Generated: reports.Now(),
		Policy: policyInfo(pol, d.policy.allow), Command: command, Reveal: d.reveal, Mask: masker(pol, d.reveal), Width: 80,
	}
}

// show writes the document to w in the format that was asked for.
func (d *comparison) show(w io.Writer, doc *reports.Diff) error {
	f, ok := reports.DiffByName(d.format)
	if !ok || d.quiet {
		return nil // "none"
	}
	onScreen := *doc
	onScreen.Color, onScreen.Width = colour(w, d.noColor), width(w)
	return printTo(w, f.Name, func(w io.Writer) error { return f.Write(w, &onScreen) })
}

// writeAll writes the files that were asked for. One that fails does not keep the
// others from being written.
func (d *comparison) writeAll(s *streams, doc *reports.Diff) (failed bool) {
	for _, file := range d.reports {
		if err := reports.WriteDiffFile(file, doc); err != nil {
			s.complain(err)
			failed = true
		} else if !d.quiet {
			s.say("wrote %s", file)
		}
	}
	return failed
}

// exit returns the code of a comparison.
func (d *comparison) exit(doc *reports.Diff, trouble bool) error {
	if trouble {
		return exitCode(ExitFailed)
	}
	for _, side := range []reports.Side{doc.Before, doc.After} {
		if side.Summary.Inconclusive() && !d.allowEmpty {
			return withHint(errors.New("one of the two captures has no contact, so nothing is proven"), "record it again, or accept this with --allow-empty")
		}
	}
	if doc.Comparison.Result == compare.Worse {
		return exitCode(ExitViolations)
	}
	return nil
}
