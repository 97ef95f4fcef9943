package cmd

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"telltale/actions"
	"telltale/capture"
	"telltale/event"
	"telltale/notify/delivery"
	"telltale/notify/transport"
	"telltale/policy"
	"telltale/reports"
	"telltale/token"
)

// How long the end of an audit waits for those that are told of it. What is not sent by then
// goes out at the next start.
const (
	programsEnd = 2 * time.Second // for programs that run, and again for what they have waived
	drain       = 4 * time.Second // for programs that are told of the end, and for messages
	sendingEnd  = 3 * time.Second // for messages, of this
)

// deviceGlance is how often somebody looks for devices that are new.
const deviceGlance = time.Second

// telling is everybody who is told of an audit while it runs: people, by messages, and
// programs of the user's. It reads the events of the capture, and no flow ever waits for it.
type telling struct {
	audit      *audit
	addressees *addressees
	client     *transport.Client
	delivery   *delivery.Delivery // nil: no people are told
	actions    *actions.Runner    // nil: no programs are run
	waiving    *waiving           // nil: no programs are run
	links      *token.Key         // nil: messages have no links
	log        *slog.Logger
	room       chan struct{} // programs take events again
	stop       func()        // following the audit

	acknowledged int64      // acknowledgements of others up to this one are in the capture
	ended        chan error // what became of the messages

	mu       sync.Mutex
	messaged int64           // events up to this one are messages
	acted    int64           // events up to this one were given to programs
	troubled bool            // that the capture cannot be written was said
	devices  map[string]bool // that were told of, by address; nil: nobody asks for devices
	said     lastLines
	waivers  []policy.Waiver           // of programs
	findings map[string]policy.Finding // that may be escalated, by the violation; nil: none is
	standing *standing                 // a moment ago
}

// tells reports whether anybody is told of the audit.
func (l *liveFlags) tells(pol *policy.Policy) bool {
	return len(pol.Notify().To) > 0 || len(l.notify) > 0 || len(pol.Actions()) > 0
}

// newTelling looks up everything that can be missing before the audit starts; nil where
// nobody is told.
func newTelling(s *streams, a *audit) (*telling, error) {
	pol := a.policy.Load()
	if !a.flags.tells(pol) {
		return nil, nil
	}
	if a.flags.idle {
		if !a.flags.report.quiet {
			s.say("note: --idle has no verdict, so nobody is told of anything and no program is run")
		}
		return nil, nil
	}
	t := &telling{audit: a, log: toolLog(s), room: make(chan struct{}, 1), ended: make(chan error, 1), stop: func() {}}
	var err error
	if t.addressees, err = addressed(pol.Notify(), a.flags.notify); err != nil {
		return nil, err
	}
	if t.addressees.notify.Link != "" {
		if t.links, err = token.OpenKey(keysFolder()); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(t.addressees.notify.Routes, func(r policy.Route) bool { return r.Escalate != nil }) {
		t.findings = map[string]policy.Finding{}
	}
	return t, nil
}

// asksFor reports whether anybody wants to be told of a kind of events that nobody is told of
// unasked.
func asksFor(kind event.Kind, told policy.Notify, rules []policy.Action) bool {
	return slices.ContainsFunc(told.Routes, func(r policy.Route) bool { return slices.Contains(r.When.Events, string(kind)) }) ||
		slices.ContainsFunc(rules, func(r policy.Action) bool {
			return len(r.When.Events) == 0 || slices.Contains(r.When.Events, string(kind))
		})
}

// start begins to tell, once the capture is open. What happened in earlier sessions of it is
// no news to programs; people are told of what they were not told of yet.
func (t *telling) start() {
	if t == nil {
		return
	}
	a := t.audit
	rules := a.policy.Load().Actions()
	t.acted = a.store.LastEvent()
	if asksFor(event.OfDevice, t.addressees.notify, rules) {
		t.devices = map[string]bool{}
		for _, d := range a.store.Summary().Health.Devices {
			t.devices[d.Addr] = true
		}
	}
	if len(t.addressees.targets) > 0 {
		t.client = t.addressees.client()
		t.addressees.dead = deadLetters()
		t.delivery = delivery.Start(delivery.Config{
			Outbox: outboxFile(), Source: t, Capture: a.file, Discarded: a.discard,
			Destinations: t.addressees.destinations(t.client), Group: t.addressees.notify.Group,
			Recipients: t.addressees.recipients, Report: t.report, Link: t.link, Settled: t.settled,
			Left: leftBehind, Log: t.log,
		})
	}
	if len(rules) > 0 {
		t.waiving = startWaiving(a, t.log)
		t.waiveAgain()
		t.actions = actions.New(t.programs(rules))
		for _, problem := range t.actions.Check() {
			t.log.Warn("program of the policy", "problem", problem)
		}
	}
	t.stop = t.follow()
}

// programs is how rules are run.
func (t *telling) programs(rules []policy.Action) actions.Config {
	return actions.Config{
		Rules: rules, Destinations: t.addressees.names(), Answer: t.answer, Output: t.output,
		Room:    func() { nudge(t.room) },
		Trouble: func(err error) { t.log.Warn("program of the policy", "problem", err) },
	}
}

// nudge wakes who waits for a channel that holds one token.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// follow looks at what is new, whenever something happened, until it is stopped.
func (t *telling) follow() (stop func()) {
	wake, cancel := t.audit.store.Wake()
	end, done := make(chan struct{}), make(chan struct{})
	ticker := time.NewTicker(deviceGlance)
	go func() {
		defer close(done)
		defer ticker.Stop()
		for {
			select {
			case <-wake:
				t.look()
			case <-t.room:
				t.act()
			case <-ticker.C:
				t.lookForDevices()
				t.audit.takeAcknowledgements()
			case <-end:
				return
			}
		}
	}()
	return func() {
		close(end)
		<-done
		cancel()
	}
}

// look passes on what is new. It is called often, and costs little where nothing is.
func (t *telling) look() {
	a := t.audit
	if err := a.store.Err(); err != nil && !t.troubled {
		t.troubled = true
		a.tellOfTrouble(fmt.Sprintf("recording to %s stopped: %v", filepath.Base(a.path), err))
	}
	if t.delivery != nil {
		t.delivery.Wake()
	}
	t.act()
}

// lookForDevices tells of devices that are new, where anybody asks for them. To know them
// takes a summary of the whole audit.
func (t *telling) lookForDevices() {
	if t.devices == nil {
		return
	}
	for _, d := range t.audit.store.Summary().Health.Devices {
		if !t.devices[d.Addr] {
			t.devices[d.Addr] = true
			t.audit.store.Tell(string(event.OfDevice), d.Addr, t.audit.deviceSeen(d))
		}
	}
}

// act gives new events to programs, as many as they take, and reports whether that was all.
func (t *telling) act() (all bool) {
	if t.actions == nil {
		return true
	}
	for {
		events, err := t.audit.store.Events(t.acted, eventPage)
		if err != nil || len(events) == 0 {
			return true
		}
		for _, e := range events {
			if parsed, err := event.Parse(e.Document); err == nil && !t.actions.Offer(parsed) {
				return false
			}
			t.mu.Lock()
			t.acted = e.Seq
			t.mu.Unlock()
		}
		t.letGo()
	}
}

// letGo tells the store which events nobody needs any more.
func (t *telling) letGo() {
	t.mu.Lock()
	taken := int64(1<<63 - 1)
	if t.delivery != nil {
		taken = t.messaged
	}
	if t.actions != nil {
		taken = min(taken, t.acted)
	}
	t.mu.Unlock()
	t.audit.store.Told(taken)
}

// Audit names the audit for delivery.
func (t *telling) Audit() string { return t.audit.store.AuditID() }

// Events hands events to delivery.
func (t *telling) Events(after int64, limit int) ([]delivery.Event, error) {
	t.mu.Lock()
	t.standing = nil // who takes events asks next how they stand
	t.mu.Unlock()
	return capturedEvents(t.audit.store, after, limit)
}

// Told notes that events are messages.
func (t *telling) Told(upTo int64) {
	t.mu.Lock()
	t.messaged = upTo
	t.mu.Unlock()
	t.letGo()
}

// capturedEvents reads events of a capture as delivery wants them.
func capturedEvents(store *capture.Store, after int64, limit int) ([]delivery.Event, error) {
	events, err := store.Events(after, limit)
	if err != nil {
		return nil, err
	}
	out := make([]delivery.Event, len(events))
	for i, e := range events {
		out[i] = delivery.Event{Seq: e.Seq, Document: e.Document}
	}
	return out, nil
}

// settle looks for the last time, lets programs come to their end, and applies what they
// have answered: all that the verdict depends on.
func (t *telling) settle() {
	if t == nil {
		return
	}
	_ = t.audit.store.Sync() // its error is said by who closes the store
	t.stop()
	t.look()
	t.lookForDevices()
	t.audit.takeAcknowledgements()
	if t.actions == nil {
		return
	}
	_ = t.audit.store.Sync()
	ctx, cancel := context.WithTimeout(context.Background(), programsEnd)
	defer cancel()
	t.actAll(ctx)
	t.actions.Close(ctx)
	if rest, err := t.audit.store.Events(t.acted, eventPage); err == nil && len(rest) > 0 {
		t.log.Warn("events ran no program: the audit ended before their turn", "events", atMost(len(rest), eventPage))
	}
	applying, end := context.WithTimeout(context.Background(), programsEnd)
	defer end()
	t.waiving.finish(applying)
}

// atMost writes a number of things of which no more than limit were looked at.
func atMost(n, limit int) string {
	if n == limit {
		return fmt.Sprintf("%d or more", n)
	}
	return fmt.Sprint(n)
}

// actAll gives events to programs until all were taken, or ctx ends.
func (t *telling) actAll(ctx context.Context) {
	for !t.act() {
		select {
		case <-t.room:
		case <-ctx.Done():
			return
		}
	}
}

// conclude tells of the end, and goes on to send what is left: await waits for that.
func (t *telling) conclude(doc *reports.Report) {
	if t == nil {
		return
	}
	a := t.audit
	a.store.Tell(string(event.OfSummary), "", a.conclusion(doc))
	_ = a.store.Sync()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()
		t.lastPrograms(ctx)
		if t.delivery == nil {
			t.ended <- nil
			return
		}
		sending, stop := context.WithTimeout(ctx, sendingEnd)
		defer stop()
		err := t.delivery.Close(sending)
		t.client.Close()
		t.ended <- err
	}()
}

// lastPrograms runs those that are told of the end, and takes what they ask to be told.
func (t *telling) lastPrograms(ctx context.Context) {
	rules := slices.DeleteFunc(slices.Clone(t.audit.policy.Load().Actions()), func(r policy.Action) bool {
		return !asksFor(event.OfSummary, policy.Notify{}, []policy.Action{r})
	})
	if t.actions == nil || len(rules) == 0 {
		return
	}
	events, err := t.audit.store.Events(t.audit.store.LastEvent()-1, 1)
	if err != nil || len(events) == 0 {
		return
	}
	summary, err := event.Parse(events[0].Document)
	if err != nil || summary.Kind != event.OfSummary {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, programsEnd)
	defer cancel()
	last := actions.New(t.programs(rules))
	last.Offer(summary)
	last.Close(ctx)
	_ = t.audit.store.Sync() // what they ask to be told is an event by then
}

// await waits until everybody was told who could be, says what is left for the next start,
// and reports whether the capture still has events that nobody has taken.
func (t *telling) await(s *streams) (untold, trouble bool) {
	if t == nil {
		return false, false
	}
	err := <-t.ended
	if t.delivery == nil {
		return false, false
	}
	if err != nil {
		s.complain(err)
	}
	t.addressees.sayWhatIsLeft(s, t.delivery.Status(), err != nil)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.messaged < t.audit.store.LastEvent(), err != nil
}
