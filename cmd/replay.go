package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"telltale/actions"
	"telltale/capture"
	"telltale/event"
	"telltale/flow/plain"
	"telltale/policy"
	"telltale/reports"
)

func newReplay(s *streams) *cobra.Command {
	flags := &liveFlags{}
	again := &resendFlags{}
	var on bool
	var format string
	c := command("replay", func(c *cobra.Command, args []string) error {
		switch {
		case on && again.against != "":
			return withHint(errors.New("--on runs programs and --against sends requests: one of them at a time"), "leave out --on or --against")
		case !on && again.against == "":
			return withHint(errors.New("nothing says what to do with the recording"), "telltale replay %s --on runs the programs of the policy; --against URL sends its requests to a server of yours", quote(args[0]))
		}
		if format != "text" && format != "json" {
			return fmt.Errorf("--format: %q is neither text nor json", format)
		}
		ctx, stop := interruptible(c.Context(), 0)
		defer stop()
		if on {
			if err := again.refuseWithoutAgainst(c.Flags()); err != nil {
				return err
			}
			return replayOn(ctx, s, flags, args[0], format)
		}
		again.limited = c.Flags().Changed("limit")
		return replayAgainst(ctx, s, &flags.policy, again, args[0], format)
	})
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return withHint(fmt.Errorf("%s takes one capture, found %d arguments", c.CommandPath(), len(args)), "%s --help", c.CommandPath())
		}
		return nil
	}
	flags.policy.register(c)
	again.register(c)
	c.Flags().BoolVar(&on, "on", false, "run the programs of the policy's section on")
	c.Flags().StringVar(&format, "format", "text", "how results are printed: `text` or json, one object a line")
	return c
}

// A replay makes the events of a recording anew and gives them to programs.
type replay struct {
	audit  *audit
	runner *actions.Runner
	show   func(event.Event, actions.Result)
	seq    int64
	told   *capture.Retelling
	failed int
}

// replayOn runs the programs of the policy over a recording.
func replayOn(ctx context.Context, s *streams, flags *liveFlags, name, format string) error {
	pol, err := flags.policy.load()
	if err != nil {
		return err
	}
	if len(pol.Actions()) == 0 {
		return withHint(fmt.Errorf("%s has no section on, so there is no program to run", policyLabel(pol)), "docs/actions.md says what one looks like")
	}
	w, err := openWatched(name, pol, &restFlags{})
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.load(ctx, func(int, int) {}); err != nil {
		return err
	}
	a := &audit{flags: flags, store: w.store, path: name}
	a.policy.Store(pol)
	var names []string
	for _, d := range pol.Notify().To {
		names = append(names, d.Name)
	}
	runner := actions.New(actions.Config{Rules: pol.Actions(), Destinations: names})
	defer runner.Close(ctx)
	for _, problem := range runner.Check() {
		s.complain(problem)
	}
	r := &replay{audit: a, runner: runner, show: replayText(s), told: capture.Retell()}
	if format == "json" {
		r.show = replayJSON(s)
	}
	if err := r.all(ctx, w, flags); err != nil {
		return err
	}
	s.say("ran the programs of %s on %s", policyLabel(pol), plural(int(r.seq), "event"))
	if r.failed > 0 {
		s.say("warning: %s failed", plural(r.failed, "run"))
		return exitCode(ExitFailed)
	}
	return ctx.Err()
}

func policyLabel(pol *policy.Policy) string {
	if file := pol.File(); file != "" {
		return file
	}
	return "the policy"
}

// all makes every event. Programs are asked about what they have excused, too; the verdict
// is the one of the audit.
func (r *replay) all(ctx context.Context, w *watched, flags *liveFlags) error {
	pol := w.policy.Load()
	by := w.excused.under(pol)
	excused := by != policy.Judge(pol)
	if excused {
		if err := w.store.Rejudge(ctx, pol, nil); err != nil {
			return err
		}
	}
	if err := r.run(ctx); err != nil {
		return err
	}
	if excused {
		if err := w.store.Rejudge(ctx, by, nil); err != nil {
			return err
		}
	}
	return r.offer(ctx, r.audit.conclusion(w.document(flags, "")))
}

// run makes the events of devices and violations in the order of the flows.
func (r *replay) run(ctx context.Context) error {
	a := r.audit
	for _, d := range a.store.Summary().Health.Devices {
		if err := r.offer(ctx, a.deviceSeen(d)); err != nil {
			return err
		}
	}
	return a.store.Scan(ctx, capture.ScanOptions{Judge: true, Headers: true}, func(batch []capture.Recorded) error {
		for _, one := range batch {
			if err := r.flow(ctx, one); err != nil {
				return err
			}
		}
		return nil
	})
}

// flow makes the events that a flow had while it was recorded.
func (r *replay) flow(ctx context.Context, one capture.Recorded) error {
	for _, o := range r.told.Occurrences(one.Flow, one.Judgement) {
		o.Device = r.audit.store.DeviceOf(one.Flow)
		err := r.offer(ctx, func(seq int64) []byte {
			o.Seq = seq
			return r.audit.occurrence(o)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// offer runs the programs that take an event.
func (r *replay) offer(ctx context.Context, document func(seq int64) []byte) error {
	r.seq++
	e, err := event.Parse(document(r.seq))
	if err != nil {
		return err
	}
	for _, result := range r.runner.Run(ctx, e) {
		if result.Err != nil {
			r.failed++
		}
		r.show(e, result)
	}
	return ctx.Err()
}

// replayText prints results for people.
func replayText(s *streams) func(event.Event, actions.Result) {
	last := ""
	return func(e event.Event, result actions.Result) {
		if e.ID != last {
			last = e.ID
			fmt.Fprintln(s.out, aboutOccasion(e))
		}
		fmt.Fprintf(s.out, "  %s (%s)\n", plain.Text(result.Action.Source.String()), result.Took.Round(time.Millisecond))
		for _, line := range result.Output {
			fmt.Fprintf(s.out, "    | %s\n", line)
		}
		if result.Err != nil {
			fmt.Fprintf(s.out, "    failed: %s\n", plain.Text(result.Err.Error()))
		}
		answer := result.Answer
		if answer.Annotate != "" {
			fmt.Fprintf(s.out, "    annotate: %s\n", answer.Annotate)
		}
		if w := answer.Waive; w != nil {
			fmt.Fprintf(s.out, "    waive until %s: %s\n", localTime(w.Until), w.Reason)
		}
		if m := answer.Notify; m != nil {
			fmt.Fprintf(s.out, "    notify %v: %s\n", m.To, m.Title)
		}
	}
}

// aboutOccasion names an event in one line.
func aboutOccasion(e event.Event) string {
	switch {
	case e.Violation != nil:
		v := e.Violation
		return plain.Text(fmt.Sprintf("violation %s %s %s (%s so far)", v.Rule, v.Method, v.Host, plural(v.Count, "flow")))
	case e.Kind == event.OfDevice:
		return plain.Text("device " + e.Client + " " + e.Device)
	case e.Summary != nil:
		with := ","
		if len(e.Summary.Experiments) > 0 {
			with = ", with experiments: " + strings.Join(e.Summary.Experiments, ", ") + ";"
		}
		return plain.Text(fmt.Sprintf("summary %s%s %s", e.Summary.Verdict, with, plural(e.Summary.Violations, "violation")))
	}
	return plain.Text(string(e.Kind) + " " + e.Message)
}

// replayJSON prints results for programs.
func replayJSON(s *streams) func(event.Event, actions.Result) {
	lines := reports.NewLines(s.out)
	return func(e event.Event, result actions.Result) {
		out := map[string]any{
			"event": e, "rule": result.Action.Source.String(), "took": result.Took.Seconds(), "output": result.Output, "answer": result.Answer,
		}
		if result.Err != nil {
			out["error"] = result.Err.Error()
		}
		_ = lines.Encode(out)
	}
}
