package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"telltale/attribution"
	"telltale/capture"
	"telltale/capture/filter"
	"telltale/flow"
	"telltale/flow/plain"
	"telltale/intake"
	"telltale/policy"
	"telltale/reports"
)

// flowFormats are the ways to print flows.
var flowFormats = []string{"table", "json", "har", "csv"}

func newFlows(s *streams) *cobra.Command {
	var flags policyFlags
	var rest restFlags
	var where, format, search string
	var reveal, redacted bool
	c := command("flows", func(c *cobra.Command, args []string) error {
		if !slices.Contains(flowFormats, format) {
			return fmt.Errorf("--format: unknown format %q; the formats are %s", format, strings.Join(flowFormats, ", "))
		}
		pick, err := filter.Parse(where)
		if err != nil {
			return atColumn(err)
		}
		pol, err := flags.orNothing()
		if err != nil {
			return err
		}
		if pol.File() == "" && len(flags.allow) == 0 {
			s.say("note: no policy, so every host is a violation; name one with --policy or --allow")
		}
		ctx, stop := interruptible(c.Context(), 0)
		defer stop()
		in, troubles := intake.Find(ctx, args, s.in)
		defer in.Close()
		if pick.Names("device") || len(pick.Words()) > 0 {
			pick.NameDevices(deviceNames(ctx, in, pol))
		}
		if err := rest.settleBy(ctx, in, pol); err != nil {
			return err
		}
		rest.say(s, pick.Names("subtracted"), masker(pol, reveal))
		opts := needed(pol)
		opts.Bodies = format == "har" || pick.Names("body") || pick.Words() != nil
		l := &lister{policy: pol, judge: rest.beside(pol), pick: pick, search: strings.ToLower(search), mask: masker(pol, reveal), reveal: reveal}
		if redacted {
			masked, err := masks(ctx, in, pol, reveal)
			if err != nil {
				return err
			}
			l.redact = masked.Flow
			opts.Bodies = true // what else is to be masked shows in them
		}
		if format == "json" || pick.Names("attributed") {
			l.apps = apps(ctx, in)
			pick.NameApps(func(f *flow.Flow) string { return l.apps.Of(f).App })
		}
		more, err := l.list(ctx, s.out, format, in, opts)
		for _, t := range append(troubles, more...) {
			s.complain(masked(t, masker(pol, reveal)))
			err = exitCode(ExitFailed)
		}
		return err
	})
	c.Long = strings.Replace(c.Long, fieldsGoHere, fieldTable(), 1)
	c.Args = atLeastOneCapture
	flags.register(c)
	rest.register(c)
	c.Flags().StringVarP(&where, "where", "w", "", "list only flows that `filter` picks: an expression, or words that must all be there")
	c.Flags().StringVarP(&search, "search", "s", "", "list only flows whose URL or headers contain `text`, whatever its case")
	c.Flags().StringVar(&format, "format", "table", "`format` of the list: "+strings.Join(flowFormats, ", "))
	c.Flags().BoolVar(&reveal, "reveal", false, "show credentials and never-send values instead of [redacted]")
	c.Flags().BoolVar(&redacted, "redact", false, "make what is printed safe to hand over: equal values have equal masks")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(flowFormats, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// settleBy reads the captures of a device at rest, and the inputs once: only then it is known
// what was made no more often than at rest.
func (r *restFlags) settleBy(ctx context.Context, in *intake.Set, pol *policy.Policy) error {
	if err := r.load(ctx, pol); err != nil || len(r.files) == 0 {
		return err
	}
	sum, infos, _, _ := judge(ctx, in, nil, intake.Options{}) // what is wrong with an input is said when its flows are listed
	r.settle(sum, intake.Watched(infos))
	return nil
}

// say tells what is known of the captures at rest. asked says that somebody wants to see
// what they explain.
func (r *restFlags) say(s *streams, asked bool, mask func(string) string) {
	if asked && len(r.files) == 0 {
		s.say("note: nothing is subtracted without --subtract FILE")
	}
	for _, note := range r.notes {
		if mask != nil {
			note = mask(note)
		}
		s.say("note: %s", note)
	}
}

// deviceNames reads the inputs once and returns what names the device of a flow as reports
// do: a name that is made of User-Agents is known when all of them were seen.
func deviceNames(ctx context.Context, in *intake.Set, pol *policy.Policy) func(*flow.Flow) string {
	sum, _, _, _ := judge(ctx, in, pol, intake.Options{}) // what is wrong with an input is said when its flows are listed
	names := make(map[string]string, len(sum.Health.Devices))
	for _, device := range sum.Health.Devices {
		names[device.Addr] = device.Name
	}
	return func(f *flow.Flow) string {
		return cmp.Or(f.Client.Device, names[f.Client.Addr.Addr().Unmap().WithZone("").String()])
	}
}

// apps reads the inputs once and returns what is known of the apps in them.
func apps(ctx context.Context, in *intake.Set) *attribution.Book {
	book := attribution.NewBook()
	_, _ = in.Read(ctx, intake.Options{}, func(f *flow.Flow) error { // what is wrong with an input is said when its flows are listed
		book.Learn(f)
		return nil
	})
	return book
}

// lister prints the flows that it picks, as they are read.
type lister struct {
	policy *policy.Policy
	judge  policy.Judge // by the policy
	pick   *filter.Filter
	search string
	mask   func(string) string
	reveal bool
	redact func(*flow.Flow) *flow.Flow // nil: flows are printed as they are
	apps   *attribution.Book           // asked by the format json and the field attributed
	doc    *reports.Report             // what a HAR is made of; nil for the other formats
	next   flow.ID
}

func (l *lister) list(ctx context.Context, w io.Writer, format string, in *intake.Set, opts intake.Options) (troubles []error, err error) {
	write, finish := l.printer(w, format)
	infos, err := in.Read(ctx, opts, func(f *flow.Flow) error {
		if f.ID == 0 || f.Origin.Capture != "" {
			l.next++
			f.ID = l.next
		}
		r := capture.Recorded{Flow: f, Judgement: l.judge.Judge(f)}
		ok, err := l.wants(r)
		if err == nil && ok {
			if l.redact != nil {
				r.Flow = l.redact(r.Flow)
			}
			err = write(r)
		}
		return err
	})
	if errors.Is(err, context.Canceled) {
		return nil, errors.New("interrupted before everything was listed")
	}
	if err != nil {
		return nil, err // of ours, not of a capture
	}
	for _, info := range infos {
		if info.Err != nil {
			troubles = append(troubles, info.Err)
		}
	}
	if l.doc != nil {
		l.doc.Summary.Experiments, l.doc.Redact = intake.Experiments(infos, nil), l.redact
	}
	return troubles, finish()
}

func (l *lister) wants(r capture.Recorded) (bool, error) {
	if l.search != "" && !filter.Contains(r.Flow, l.search) {
		return false, nil
	}
	ok, err := l.pick.Match(r.Flow, r.Judgement)
	return ok, atColumn(err)
}

// A filterError shows a mistake in a filter under what was typed.
type filterError struct{ mistake *filter.Error }

func (e filterError) Error() string {
	return e.mistake.Error() + "\n  " + strings.ReplaceAll(e.mistake.Excerpt(), "\n", "\n  ")
}

func (e filterError) Unwrap() error { return e.mistake }

// atColumn adds what was typed to a mistake in a filter; other errors pass.
func atColumn(err error) error {
	var mistake *filter.Error
	if errors.As(err, &mistake) {
		return filterError{mistake}
	}
	return err
}

// fieldsGoHere stands in the help for the fields and functions of filters.
const fieldsGoHere = "FIELDS"

// fieldTable lists the fields and functions of filters, for the help.
func fieldTable() string {
	var b strings.Builder
	row := func(name, help string) {
		left := fmt.Sprintf("  %-10s", name)
		lines := reports.Wrap(help, helpWidth-len(left))
		b.WriteString(left + strings.Join(lines, "\n"+strings.Repeat(" ", len(left))) + "\n")
	}
	for _, f := range filter.Fields {
		help := f.Help
		if f.Type == "number" {
			help += " (number)"
		}
		if len(f.Values) > 0 {
			help += ": " + strings.Join(f.Values, ", ")
		}
		row(f.Name, help)
	}
	b.WriteString("\nFunctions:\n\n")
	for _, f := range filter.Functions {
		row(f.Name, f.Help)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// printer returns what writes one flow, and what ends the list.
func (l *lister) printer(w io.Writer, format string) (write func(capture.Recorded) error, finish func() error) {
	switch format {
	case "json":
		out := reports.NewLines(w)
		return func(r capture.Recorded) error { return out.Encode(newFlowEvent(r, l.apps, l.mask)) }, func() error { return nil }
	case "csv":
		return reports.FlowsCSV(w, l.mask)
	case "har":
		l.doc = &reports.Report{
			Tool: reports.Tool{Name: "telltale", Version: version()}, Mask: l.mask, Reveal: l.reveal, MaskBody: l.policy.MaskBody, Leaks: l.policy.Leaks,
			Redact: asRedacted(l.redact),
		}
		return reports.FlowsHAR(w, l.doc)
	}
	return l.table(w)
}

func (l *lister) table(w io.Writer) (write func(capture.Recorded) error, finish func() error) {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tTIME\tVERDICT\tMETHOD\tSTATUS\tPROTOCOL\tSIZE\tURL")
	text := func(s string) string {
		if l.mask != nil {
			s = l.mask(s)
		}
		return plain.Text(s)
	}
	return func(r capture.Recorded) error {
		f := r.Flow
		status := text(string(f.Outcome))
		if f.Outcome == flow.Completed {
			status = fmt.Sprint(f.Status())
		}
		when := "-"
		if !f.Times.Start.IsZero() {
			when = f.Times.Start.Local().Format("15:04:05.000")
		}
		_, err := fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", f.ID, when, verdictCell(r.Judgement),
			text(f.Method()), status, text(f.Protocol()), f.BytesSent()+f.BytesReceived(), plain.Text(reports.URL(f.URL(), l.mask)))
		return err
	}, table.Flush
}

func verdictCell(j policy.Judgement) string {
	switch {
	case j.Verdict == policy.Unjudged:
		return "-"
	case j.Rule() != "":
		return string(j.Rule())
	}
	return string(j.Verdict)
}
