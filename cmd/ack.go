package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"telltale/capture"
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
	_, err := acknowledgeIn(outbox.Acknowledgement{Audit: a.store.AuditID(), Violation: violation, By: by})
	return errors.Join(err, a.store.Annotate(acknowledgement(violation, by)))
}

func acknowledgement(violation, by string) capture.Annotation {
	return capture.Annotation{Time: time.Now(), Violation: violation, Kind: capture.Acknowledged, Author: by}
}

// acknowledgeIn notes it in the outbox, where escalation looks.
func acknowledgeIn(ack outbox.Acknowledgement) (violation string, err error) {
	box, err := openOutbox()
	if box == nil || err != nil {
		return ack.Violation, err
	}
	violation, err = box.Acknowledge(ack)
	return violation, errors.Join(err, box.Close())
}

func newAck(s *streams) *cobra.Command {
	var file string
	c := command("ack", func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return listUnanswered(s)
		}
		var failed error
		for _, id := range args {
			if err := ackOne(s, id, file); err != nil {
				failed = errors.Join(failed, err)
			}
		}
		return failed
	})
	c.Args = cobra.ArbitraryArgs
	c.Flags().StringVar(&file, "capture", "", "capture `file` in which the violation is; without it, every audit whose escalation waits")
	_ = c.MarkFlagFilename("capture", "telltale")
	return c
}

// ackOne acknowledges a violation by its ID, or how that starts.
func ackOne(s *streams, id, file string) error {
	ack := outbox.Acknowledgement{Violation: id, By: byCommand}
	if file != "" {
		return ackInCapture(s, ack, file)
	}
	box, err := openOutbox()
	if err != nil {
		return err
	}
	if box == nil {
		return withHint(fmt.Errorf("nothing waits for an acknowledgement, so there is no %s", id), "telltale ack %s --capture FILE", quote(id))
	}
	defer box.Close()
	waiting, err := box.Escalations()
	if err != nil {
		return err
	}
	found := map[string]bool{}
	for _, e := range waiting {
		if strings.HasPrefix(e.Violation, id) {
			found[e.Violation] = true
		}
	}
	switch len(found) {
	case 0:
		return withHint(fmt.Errorf("no violation whose ID starts with %q waits for an acknowledgement", plain.Text(id)), "telltale ack lists those that do")
	case 1:
	default:
		return &outbox.AmbiguousError{Violation: id}
	}
	done, err := box.Acknowledge(ack)
	if err != nil {
		return err
	}
	s.say("acknowledged %s: nobody else is told", done)
	return nil
}

// ackInCapture also keeps in the capture who has acknowledged.
func ackInCapture(s *streams, ack outbox.Acknowledgement, file string) error {
	path, err := keptCapture(file)
	if err != nil {
		return err
	}
	store, err := capture.Open(path, capture.Options{})
	if err != nil {
		return err
	}
	ack.Audit = store.AuditID()
	if err := store.Close(); err != nil {
		return err
	}
	if ack.Violation, err = acknowledgeIn(ack); err != nil {
		return err
	}
	var locked *capture.LockedError
	switch err := capture.Annotate(path, acknowledgement(ack.Violation, byCommand)); {
	case errors.As(err, &locked):
		s.say("note: %s is being recorded, so the acknowledgement is not in it; nobody else is told all the same", path)
	case err != nil:
		return err
	}
	s.say("acknowledged %s", ack.Violation)
	return nil
}

// listUnanswered lists what somebody else will be told of.
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
	waiting, err := box.Escalations()
	if err != nil {
		return err
	}
	if len(waiting) == 0 {
		s.say("nothing waits for an acknowledgement")
		return nil
	}
	table := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "VIOLATION\tRULE\tHOST\tTHEN TOLD\tAT")
	for _, e := range waiting {
		rule, host := aboutEvent(e.Event)
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", plain.Text(e.Violation), rule, host, plain.Text(e.To.Name), localTime(e.Due))
	}
	return table.Flush()
}
