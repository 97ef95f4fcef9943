package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"telltale/capture"
	"telltale/event"
	"telltale/flow/plain"
	"telltale/notify/outbox"
)

// Who acknowledges, as captures and reports name it.
const (
	byScreen  = "screen"
	byCommand = "command line"
	byLink    = "link"
)

// openOutbox opens the outbox where there is one; nil where nobody was ever told of
// anything.
func openOutbox() (*outbox.Outbox, error) {
	if _, err := os.Stat(outboxFile()); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return outbox.Open(outboxFile(), outbox.Options{})
}

// acknowledge notes that somebody knows of a violation: for the escalation, and in the
// capture.
func (a *audit) acknowledge(violation, by string) error {
	ack := outbox.Acknowledgement{Audit: a.store.AuditID(), Violation: violation, By: by}
	var err error
	if t := a.telling; t != nil && t.delivery != nil {
		_, err = t.delivery.Acknowledge(ack)
	} else {
		_, err = acknowledgeIn(ack)
	}
	return errors.Join(err, a.store.Annotate(acknowledgement(violation, by, time.Now())))
}

func acknowledgement(violation, by string, at time.Time) capture.Annotation {
	return capture.Annotation{Time: at, Violation: violation, Kind: capture.Acknowledged, Author: by}
}

// acknowledgeIn notes it in the outbox, where escalation looks; where there is none, nobody
// does.
func acknowledgeIn(ack outbox.Acknowledgement) (done []outbox.Acknowledgement, err error) {
	box, err := openOutbox()
	if box == nil || err != nil {
		return []outbox.Acknowledgement{ack}, err
	}
	done, err = box.Acknowledge(ack)
	return done, errors.Join(err, box.Close())
}

func newAck(s *streams) *cobra.Command {
	var file string
	var pol policyFlags
	c := command("ack", func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return listUnanswered(s)
		}
		var failed error
		for _, id := range args {
			one := ackOne
			if file != "" {
				one = func(s *streams, id string) error { return ackInCapture(c.Context(), s, id, file, &pol) }
			}
			failed = errors.Join(failed, one(s, id))
		}
		return failed
	})
	c.Args = cobra.ArbitraryArgs
	c.Flags().StringVar(&file, "capture", "", "capture `file` in which the violation is; without it, every audit of which somebody was told of it")
	_ = c.MarkFlagFilename("capture", "telltale")
	c.Flags().StringVar(&pol.file, "policy", "", "policy `file` by which the capture is judged, to find the violation (default: "+defaultPolicy+" in the working folder, where there is one)")
	_ = c.MarkFlagFilename("policy", "yaml", "yml")
	return c
}

// ackOne acknowledges a violation of which somebody was told, by its ID or how that starts,
// in each audit that has it.
func ackOne(s *streams, id string) (err error) {
	box, err := openOutbox()
	if err != nil {
		return err
	}
	if box == nil {
		return withHint(fmt.Errorf("nobody was told of any violation, so there is no %s", plain.Text(id)), "telltale ack %s --capture FILE", quote(id))
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	done, err := box.Acknowledge(outbox.Acknowledgement{Violation: id, By: byCommand})
	if err != nil {
		return err
	}
	for _, ack := range done {
		if err := keepAcknowledgement(box, ack); err != nil {
			s.say("note: nobody else is told, but the acknowledgement is not in the capture: %v", err)
		}
	}
	sayAcknowledged(s, done[0])
	return nil
}

func sayAcknowledged(s *streams, ack outbox.Acknowledgement) {
	if ack.Before {
		s.say("%s was acknowledged before: %s, by %s", plain.Text(ack.Violation), localTime(ack.Time), plain.Text(ack.By))
		return
	}
	s.say("acknowledged %s: nobody else is told", plain.Text(ack.Violation))
}

// keepAcknowledgement puts an acknowledgement into the capture of its audit. One that is
// being recorded takes it by itself, and one that is gone needs none.
func keepAcknowledgement(box *outbox.Outbox, ack outbox.Acknowledgement) error {
	source, _, known, err := box.SourceOf(ack.Audit)
	if err != nil || !known || source.Path == "" || capture.Recording(source.Path) {
		return err
	}
	store, err := capture.Open(source.Path, capture.Options{})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	same := store.AuditID() == ack.Audit
	if err := store.Close(); err != nil || !same {
		return err
	}
	err = capture.Annotate(source.Path, acknowledgement(ack.Violation, ack.By, ack.Time))
	if locked := (*capture.LockedError)(nil); errors.As(err, &locked) {
		return nil
	}
	return err
}

// ackInCapture acknowledges a violation of a capture, also one of which nobody was told.
func ackInCapture(ctx context.Context, s *streams, id, file string, policy *policyFlags) error {
	path, err := keptCapture(file)
	if err != nil {
		return err
	}
	store, err := capture.Open(path, capture.Options{})
	if err != nil {
		return err
	}
	ack := outbox.Acknowledgement{Audit: store.AuditID(), By: byCommand}
	ack.Violation, err = violationIn(ctx, store, path, id, policy)
	if err = errors.Join(err, store.Close()); err != nil {
		return err
	}
	if capture.Recording(path) {
		return ackRecorded(s, ack, path)
	}
	done, err := acknowledgeIn(ack)
	if err != nil {
		return err
	}
	if done[0].Time.IsZero() {
		done[0].Time = time.Now()
	}
	if err := capture.Annotate(path, acknowledgement(done[0].Violation, done[0].By, done[0].Time)); err != nil {
		return err
	}
	sayAcknowledged(s, done[0])
	return nil
}

// ackRecorded leaves an acknowledgement to who records the capture now.
func ackRecorded(s *streams, ack outbox.Acknowledgement, path string) (err error) {
	unheard := withHint(fmt.Errorf("%s is being recorded by a telltale that tells nobody", path), "acknowledge it on the screen of telltale watch, or when the audit has ended")
	box, err := openOutbox()
	if err != nil {
		return err
	}
	if box == nil {
		return unheard
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	if _, open, known, err := box.SourceOf(ack.Audit); err != nil || !known || !open {
		return errors.Join(err, unheard)
	}
	done, err := box.Acknowledge(ack)
	if err != nil {
		return err
	}
	sayAcknowledged(s, done[0])
	return nil
}

// violationIn returns the whole ID of a violation of a capture: one of which it has an event,
// or that it has under the policy.
func violationIn(ctx context.Context, store *capture.Store, path, id string, flags *policyFlags) (string, error) {
	if id == "" {
		return "", errors.New("no violation is named")
	}
	known := map[string]bool{}
	for after := int64(0); ; {
		events, err := store.Events(after, eventPage)
		if err != nil {
			return "", err
		}
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			if e.Kind == string(event.OfViolation) {
				known[e.Subject] = true
			}
		}
		after = events[len(events)-1].Seq
	}
	if known[id] {
		return id, nil
	}
	pol, err := flags.orNothing()
	if err != nil {
		return "", err
	}
	if err := store.Rejudge(ctx, pol, nil); err != nil {
		return "", err
	}
	for _, v := range store.Summary().Violations {
		known[v.ID] = true
	}
	found := slices.DeleteFunc(slices.Collect(maps.Keys(known)), func(v string) bool { return !strings.HasPrefix(v, id) })
	switch {
	case known[id]:
		return id, nil
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", &outbox.AmbiguousError{Violation: id}
	}
	return "", withHint(fmt.Errorf("%s has no violation whose ID starts with %q", path, plain.Text(id)), "telltale report %s --format json lists the IDs; --policy names the policy that they break", quote(path))
}

// listUnanswered lists the violations that somebody was told of and nobody has acknowledged,
// and whom they are told next.
func listUnanswered(s *streams) error {
	box, err := openOutbox()
	if err != nil {
		return err
	}
	if box == nil {
		s.say("nothing waits for an acknowledgement")
		return nil
	}
	defer box.Close()
	told, err := box.Unacknowledged()
	if err != nil {
		return err
	}
	next, err := box.Escalations()
	if err != nil {
		return err
	}
	if len(told)+len(next) == 0 {
		s.say("nothing waits for an acknowledgement")
		return nil
	}
	table := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "VIOLATION\tRULE\tHOST\tTHEN TOLD\tAT")
	listed := map[string]bool{}
	for _, e := range next {
		listed[e.Violation] = true
		rule, host := aboutEvent(e.Event)
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", plain.Text(e.Violation), rule, host, plain.Text(e.To.Name), localTime(e.Due))
	}
	for _, t := range told {
		if !listed[t.Violation] {
			listed[t.Violation] = true
			fmt.Fprintf(table, "%s\t%s\t%s\t\t\n", plain.Text(t.Violation), plain.Text(t.Rule), plain.Text(t.Host))
		}
	}
	return table.Flush()
}
