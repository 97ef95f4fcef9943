package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zalando/go-keyring"

	"telltale/actions"
	"telltale/capture"
	"telltale/event"
	"telltale/flow/plain"
	"telltale/notify"
	"telltale/notify/delivery"
	"telltale/notify/outbox"
	"telltale/notify/transport"
	"telltale/policy"
	"telltale/reports"
	"telltale/token"
)

// outboxFile is where messages wait, of all audits.
func outboxFile() string { return filepath.Join(dataHome(), "telltale", "notify", "outbox.db") }

// credentials are where secrets are looked up.
func credentials() policy.Sources {
	return policy.Sources{Env: os.LookupEnv, ReadFile: os.ReadFile, Keychain: keyring.Get}
}

// drain is how long an audit that has ended waits for messages that can be delivered now.
// What is not gone by then goes out at the next start.
const drain = 4 * time.Second

// linkLife is how long a link in a message is good.
const linkLife = 24 * time.Hour

// addressees are who is told, with their secrets looked up.
type addressees struct {
	notify  policy.Notify
	targets []transport.Target
	dead    map[string]bool // messages that had been given up before
}

// addressed joins the destinations of the policy with those of --notify, and looks up their
// secrets. Destinations of flags, which no route of the policy names, are told of everything
// that matters.
func addressed(of policy.Notify, flags []string) (*addressees, error) {
	a := &addressees{notify: of}
	sources := credentials()
	for _, text := range flags {
		d, err := policy.ParseDestination(text, sources)
		if err != nil {
			return nil, fmt.Errorf("--notify: %w", err)
		}
		a.notify.To = append(a.notify.To[:len(a.notify.To):len(a.notify.To)], d)
	}
	for _, d := range a.notify.To {
		t, err := transport.Resolve(d, sources)
		if err != nil {
			return nil, fmt.Errorf("cannot tell %s: %w", d.Name, err)
		}
		a.targets = append(a.targets, t)
	}
	return a, nil
}

// client returns what sends messages to them.
func (a *addressees) client() *transport.Client {
	return transport.New(transport.Options{Timeout: a.notify.Timeout, UserAgent: "telltale/" + version()})
}

// destinations are the addressees as delivery wants them.
func (a *addressees) destinations(client *transport.Client) []delivery.Destination {
	var out []delivery.Destination
	for _, t := range a.targets {
		out = append(out, delivery.Destination{
			Destination: outbox.Destination{Name: t.Name(), Kind: string(t.Kind()), Identity: t.Identity()},
			Send:        func(ctx context.Context, m notify.Message) transport.Outcome { return client.Send(ctx, t, m) },
			Longest:     client.Longest(t),
			Each:        t.Kind() == policy.GitHub || t.Kind() == policy.GitLab,
		})
	}
	return out
}

// recipients says who is told of an event, and who else unless somebody acknowledges it.
func (a *addressees) recipients(e event.Event) []notify.Recipient {
	return notify.Recipients(a.notify, e)
}

// telling is everybody who is told of an audit while it runs: people, by messages, and
// programs of the user's. It reads the events of the capture, and no flow ever waits for it.
type telling struct {
	audit      *audit
	addressees *addressees
	client     *transport.Client
	delivery   *delivery.Delivery // nil: no people are told
	actions    *actions.Runner    // nil: no programs are run
	links      *token.Key         // nil: messages have no links
	stop       func()

	mu       sync.Mutex
	messaged int64 // events up to this one are messages
	acted    int64 // events up to this one were given to programs
	troubled bool  // that the capture cannot be written was said
	said     lastLines
	excused  map[string]bool // violations that programs have waived
	waivers  []policy.Waiver // of programs
	devices  map[string]bool // that were told of, by address
}

// tells reports whether anybody is told of the audit.
func (l *liveFlags) tells(pol *policy.Policy) bool {
	return len(pol.Notify().To) > 0 || len(l.notify) > 0 || len(pol.Actions()) > 0
}

// newTelling looks up everything that can be missing before the audit starts; nil where
// nobody is told.
func newTelling(a *audit) (*telling, error) {
	pol := a.policy.Load()
	if !a.flags.tells(pol) {
		return nil, nil
	}
	t := &telling{audit: a, excused: map[string]bool{}, devices: map[string]bool{}, stop: func() {}}
	var err error
	if t.addressees, err = addressed(pol.Notify(), a.flags.notify); err != nil {
		return nil, err
	}
	if t.addressees.notify.Link != "" {
		if t.links, err = token.OpenKey(keysFolder()); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// start begins to tell, once the capture is open.
func (t *telling) start(s *streams) {
	if t == nil {
		return
	}
	a := t.audit
	log := toolLog(s)
	if len(t.addressees.targets) > 0 {
		t.client = t.addressees.client()
		t.addressees.dead = deadLetters()
		t.delivery = delivery.Start(delivery.Config{
			Outbox: outboxFile(), Source: t, Capture: a.path,
			Destinations: t.addressees.destinations(t.client), Group: t.addressees.notify.Group,
			Recipients: t.addressees.recipients, Report: t.report, Link: t.link, Settled: t.settled,
			Left: leftBehind, Log: log,
		})
	}
	if rules := a.policy.Load().Actions(); len(rules) > 0 {
		t.actions = actions.New(actions.Config{
			Rules: rules, Destinations: t.addressees.names(), Answer: t.answer, Output: t.output,
			Trouble: func(err error) { log.Warn("program of the policy", "problem", err) },
		})
		for _, problem := range t.actions.Check() {
			log.Warn("program of the policy", "problem", problem)
		}
	}
	t.stop = follow(a.store, t.look)
}

// names are those of the destinations.
func (a *addressees) names() (names []string) {
	for _, d := range a.notify.To {
		names = append(names, d.Name)
	}
	return names
}

// look passes on what is new. It is called whenever something happened.
func (t *telling) look() {
	a := t.audit
	if err := a.store.Err(); err != nil && !t.troubled {
		t.troubled = true
		a.store.Tell(string(event.OfTrouble), "", a.trouble(fmt.Sprintf("recording to %s stopped: %v", filepath.Base(a.path), err)))
	}
	for _, d := range a.store.Summary().Health.Devices {
		if !t.devices[d.Addr] {
			t.devices[d.Addr] = true
			a.store.Tell(string(event.OfDevice), d.Addr, a.deviceSeen(d))
		}
	}
	if t.delivery != nil {
		t.delivery.Wake()
	}
	t.act()
}

// act gives new events to programs.
func (t *telling) act() {
	if t.actions == nil {
		return
	}
	for {
		t.mu.Lock()
		after := t.acted
		t.mu.Unlock()
		events, err := t.audit.store.Events(after, eventPage)
		if err != nil || len(events) == 0 {
			return
		}
		for _, e := range events {
			if parsed, err := event.Parse(e.Document); err == nil {
				t.actions.Offer(parsed)
			}
		}
		t.mu.Lock()
		t.acted = events[len(events)-1].Seq
		t.mu.Unlock()
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

// Count returns how many flows a violation has by now.
func (t *telling) Count(violation string) (n int, atLeast bool) {
	for _, v := range t.audit.store.Summary().Violations {
		if v.ID == violation {
			return v.Count, false
		}
	}
	return 0, true
}

// left is a capture that a recorder left behind.
type left struct{ *capture.Store }

// Audit names the audit for delivery.
func (l left) Audit() string { return l.AuditID() }

// Events hands events to delivery.
func (l left) Events(after int64, limit int) ([]delivery.Event, error) {
	return capturedEvents(l.Store, after, limit)
}

// leftBehind opens a capture whose recorder is gone.
func leftBehind(path string) (delivery.Left, error) {
	if capture.Recording(path) {
		return nil, delivery.ErrLive
	}
	store, err := capture.Open(path, capture.Options{})
	if err != nil {
		return nil, err
	}
	return left{store}, nil
}

// report is the audit of one violation in Markdown, for an issue.
func (t *telling) report(audit, violation string) string {
	if audit != t.Audit() {
		return ""
	}
	doc := t.audit.document("")
	doc.Reveal = false
	sum := &doc.Summary
	i := slices.IndexFunc(sum.Violations, func(v capture.Violation) bool { return v.ID == violation })
	if i < 0 {
		return ""
	}
	host := sum.Violations[i].Finding.Host
	sum.Violations, sum.Waivers, sum.Shapes, sum.Trails = sum.Violations[i:i+1:i+1], nil, nil, nil
	sum.Hosts = slices.DeleteFunc(slices.Clone(sum.Hosts), func(h capture.Host) bool { return h.Name != host })
	format, _ := reports.ByName("markdown")
	var text strings.Builder
	if err := format.Write(&text, doc); err != nil {
		return ""
	}
	return text.String()
}

// link is the address of the page on which a violation is acknowledged.
func (t *telling) link(audit, violation string) string {
	return acknowledgementLink(t.links, t.addressees.notify.Link, audit, violation, time.Now())
}

func acknowledgementLink(key *token.Key, base, audit, violation string, now time.Time) string {
	if key == nil || base == "" {
		return ""
	}
	pass, err := key.Sign(token.Claim{Scope: token.Acknowledge, Subject: audit + "/" + violation, Expires: now.Add(linkLife)})
	if err != nil {
		return ""
	}
	return strings.TrimRight(base, "/") + "/acknowledge?token=" + pass
}

// settled reports whether a violation needs nobody any more: a program has waived it, or
// the policy in force no longer has it.
func (t *telling) settled(audit, violation string) bool {
	if audit != t.Audit() {
		return false
	}
	t.mu.Lock()
	excused := t.excused[violation]
	t.mu.Unlock()
	if excused {
		return true
	}
	n, unknown := t.Count(violation)
	return n == 0 && unknown
}

// finish tells of the end, lets programs and messages that are under way come to theirs,
// and says what is left for the next start.
func (t *telling) finish(s *streams, doc *reports.Report) (trouble bool) {
	if t == nil {
		return false
	}
	a := t.audit
	a.store.Tell(string(event.OfSummary), "", a.conclusion(doc))
	_ = a.store.Sync() // its error is said by who closes the store
	t.stop()
	t.look()
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if t.actions != nil {
		t.actions.Close(ctx)
	}
	if t.delivery == nil {
		return false
	}
	if err := t.delivery.Close(ctx); err != nil {
		s.complain(err)
		trouble = true
	}
	t.client.Close()
	t.addressees.sayWhatIsLeft(s, t.delivery.Status())
	return trouble
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + plain.Text(reason) + ")"
}
