package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"telltale/event"
	"telltale/flow/plain"
	"telltale/notify"
	"telltale/notify/delivery"
	"telltale/notify/outbox"
	"telltale/notify/transport"
)

// aboutEvent returns the rule and the host of a violation's event.
func aboutEvent(document []byte) (rule, host string) {
	e, err := event.Parse(document)
	if err != nil || e.Violation == nil {
		return "", ""
	}
	return plain.Text(e.Violation.Rule), plain.Text(e.Violation.Host)
}

func newNotify(s *streams) *cobra.Command {
	c := command("notify", nil)
	c.AddCommand(newNotifyList(s), newNotifyRetry(s), newNotifyRun(s), newNotifyTest(s))
	return c
}

func newNotifyList(s *streams) *cobra.Command {
	c := command("notify list", func(*cobra.Command, []string) error {
		box, err := openOutbox()
		if err != nil {
			return err
		}
		if box == nil {
			s.say("nobody was told of anything yet")
			return nil
		}
		defer box.Close()
		messages, err := box.List()
		if err != nil {
			return err
		}
		if len(messages) == 0 {
			s.say("no messages wait, none is dead, and none was delivered lately")
			return nil
		}
		table := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "MESSAGE\tTO\tSTATE\tATTEMPTS\tMADE\tWHAT")
		for _, m := range messages {
			fmt.Fprintf(table, "%s\t%s (%s)\t%s\t%d\t%s\t%s\n", m.ID, plain.Text(m.To.Name), m.To.Kind, m.State, m.Attempts, localTime(m.Made), whatOf(m))
		}
		return table.Flush()
	})
	c.Args = noArguments
	return c
}

// whatOf says what a message is about, or what became of it.
func whatOf(m outbox.Message) string {
	var parts []string
	for _, part := range []string{m.Document.Title, m.Reason, m.Ref} {
		if part != "" {
			parts = append(parts, plain.Text(part))
		}
	}
	if m.State == outbox.Waiting && m.Attempts > 0 {
		parts = append(parts, "next attempt "+localTime(m.Next))
	}
	return strings.Join(parts, "; ")
}

// notifyFlags choose who is told, for the commands that do so without an audit.
type notifyFlags struct {
	policy policyFlags
	notify []string
}

func (n *notifyFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&n.policy.file, "policy", "", "policy `file` (default: "+defaultPolicy+" in the working folder, where there is one)")
	_ = c.MarkFlagFilename("policy", "yaml", "yml")
	c.Flags().StringArrayVar(&n.notify, "notify", nil, "also tell `URL`, as in record; repeatable")
}

// addressees looks up who is told.
func (n *notifyFlags) addressees() (*addressees, error) {
	pol, err := n.policy.orNothing()
	if err != nil {
		return nil, err
	}
	all, err := addressed(pol.Notify(), n.notify)
	if err != nil {
		return nil, err
	}
	if len(all.targets) == 0 {
		return nil, withHint(errors.New("neither the policy nor a flag says who is to be told"), "add --notify URL, or a section notify to the policy")
	}
	return all, nil
}

func newNotifyTest(s *streams) *cobra.Command {
	flags := &notifyFlags{}
	c := command("notify test", func(c *cobra.Command, _ []string) error {
		all, err := flags.addressees()
		if err != nil {
			return err
		}
		client := all.client()
		defer client.Close()
		ctx, stop := interruptible(c.Context(), 0)
		defer stop()
		failed := false
		for _, t := range all.targets {
			outcome := client.Send(ctx, t, testMessage(t.Name(), time.Now()))
			if outcome.Status == transport.Delivered {
				s.say("%s (%s): delivered%s", plain.Text(t.Name()), t.Kind(), because(outcome.Reason))
				continue
			}
			failed = true
			s.complain(fmt.Errorf("%s (%s): not delivered: %s", plain.Text(t.Name()), t.Kind(), plain.Text(outcome.Reason)))
		}
		if failed {
			return exitCode(ExitFailed)
		}
		return nil
	})
	c.Args = noArguments
	flags.register(c)
	return c
}

// testMessage is what a destination is sent to try it.
func testMessage(name string, now time.Time) notify.Message {
	id := fmt.Sprintf("test-%d", now.UnixNano())
	return notify.Compose([]event.Event{{
		Kind: event.OfTest, ID: id, Time: now.UTC(), Audit: "test",
		Message: fmt.Sprintf("This is a test of the destination %s. If you can read it, violations will reach you here.", name),
	}}, notify.Composition{ID: id})
}

func newNotifyRetry(s *streams) *cobra.Command {
	flags := &notifyFlags{}
	c := command("notify retry", func(c *cobra.Command, args []string) error {
		all, err := flags.addressees()
		if err != nil {
			return err
		}
		box, err := openOutbox()
		if err != nil {
			return err
		}
		if box == nil {
			s.say("nobody was told of anything yet")
			return nil
		}
		n, err := box.Retry(args...)
		if err = errors.Join(err, box.Close()); err != nil {
			return err
		}
		s.say("sending %s again", plural(n, "message"))
		ctx, stop := interruptible(c.Context(), drain)
		defer stop()
		return all.conclude(ctx, s, all.deliver(s))
	})
	c.Args = cobra.ArbitraryArgs
	flags.register(c)
	return c
}

func newNotifyRun(s *streams) *cobra.Command {
	flags := &notifyFlags{}
	var duration time.Duration
	c := command("notify run", func(c *cobra.Command, _ []string) error {
		all, err := flags.addressees()
		if err != nil {
			return err
		}
		// What waits is in the outbox: one that cannot be read is not made up for in memory.
		box, err := outbox.Open(outboxFile(), outbox.Options{})
		if err != nil {
			return err
		}
		if err := box.Close(); err != nil {
			return err
		}
		ctx, stop := interruptible(c.Context(), duration)
		defer stop()
		s.say("delivering what waits; Ctrl-C ends")
		d := all.deliver(s)
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return all.conclude(last, s, d)
	})
	c.Args = noArguments
	flags.register(c)
	c.Flags().DurationVar(&duration, "for", 0, "stop after this `duration`")
	return c
}

// deliver begins to send what waits for these addressees.
func (a *addressees) deliver(s *streams) *delivery.Delivery {
	a.dead = deadLetters()
	return delivery.Start(delivery.Config{
		Outbox: outboxFile(), Destinations: a.destinations(a.client()), Group: a.notify.Group,
		Recipients: a.recipients, Left: leftBehind, Log: toolLog(s),
	})
}

// conclude ends a delivery, once it has tried what can be tried until ctx ends, and says
// what is left.
func (a *addressees) conclude(ctx context.Context, s *streams, d *delivery.Delivery) error {
	failed := d.Close(ctx)
	status := d.Status()
	left := a.sayWhatIsLeft(s, status, failed != nil)
	if failed != nil {
		return failed
	}
	if left {
		return exitCode(ExitFailed)
	}
	if status.Trouble != "" {
		return withHint(fmt.Errorf("what waits in the outbox cannot be delivered: %s", plain.Text(status.Trouble)), "telltale notify list")
	}
	s.say("everything is delivered")
	return nil
}

// sayWhatIsLeft warns of messages that wait, and of those that were given up since delivery
// began, and reports whether there are any. Where some are lost, which was said, nobody knows
// what goes out later.
func (a *addressees) sayWhatIsLeft(s *streams, status delivery.Status, lost bool) bool {
	if status.Waiting > 0 && !lost {
		s.say("warning: %s to be delivered%s: they go out at the next start, or with telltale notify run", waiting(status.Waiting), because(status.Trouble))
	}
	given := 0
	for id := range deadLetters() {
		if !a.dead[id] {
			given++
		}
	}
	if given > 0 {
		s.say("warning: %s could not be delivered: telltale notify list says why", plural(given, "message"))
	}
	return status.Waiting+given > 0
}

func waiting(n int) string {
	if n == 1 {
		return "1 message still waits"
	}
	return plural(n, "message") + " still wait"
}

// deadLetters are the messages that are not tried any more.
func deadLetters() map[string]bool {
	dead := map[string]bool{}
	box, err := openOutbox()
	if box == nil || err != nil {
		return dead
	}
	defer box.Close()
	messages, _ := box.List(outbox.Dead) // what cannot be read is said by who delivers
	for _, m := range messages {
		dead[m.ID] = true
	}
	return dead
}
