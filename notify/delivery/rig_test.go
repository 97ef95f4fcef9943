package delivery_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"telltale/event"
	"telltale/notify"
	"telltale/notify/delivery"
	"telltale/notify/outbox"
	"telltale/notify/transport"
)

func TestMain(m *testing.M) {
	if job := os.Getenv(childEnv); job != "" {
		child(job)
		return
	}
	goleak.VerifyTestMain(m)
}

// audit is a source whose events a test makes.
type audit struct {
	id     string
	mutex  sync.Mutex
	events []delivery.Event
	told   int64
	err    error
	closed bool
}

func (a *audit) Audit() string { return a.id }

func (a *audit) Events(after int64, limit int) ([]delivery.Event, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.err != nil {
		return nil, a.err
	}
	rest := a.events[min(int(after), len(a.events)):]
	return slices.Clone(rest[:min(limit, len(rest))]), nil
}

func (a *audit) Told(upTo int64) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.told = upTo
}

func (a *audit) Count(violation string) (int, bool) { return 7, violation != "v0" }

func (a *audit) Close() error { a.closed = true; return nil }

// add makes events of violations.
func (a *audit) add(violations ...string) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for _, v := range violations {
		e := event.Event{Kind: event.OfViolation, ID: fmt.Sprintf("%s-%d", a.id, len(a.events)+1), Audit: a.id, Violation: &event.Violation{ID: v, Rule: "tracker", Severity: "error", Host: "x.example", Count: 1}}
		a.events = append(a.events, delivery.Event{Seq: int64(len(a.events) + 1), Document: e.Document()})
	}
}

func (a *audit) addRow(document string) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.events = append(a.events, delivery.Event{Seq: int64(len(a.events) + 1), Document: []byte(document)})
}

// names returns the IDs of n violations.
func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("v%d", i)
	}
	return list
}

// room is a receiver without a network.
type room struct {
	name   string
	mutex  sync.Mutex
	posts  []post
	tries  map[string]int                          // by ID of the message
	answer func(p post, nth int) transport.Outcome // nth attempt of this message, from 1; nil: Delivered
	each   bool
}

type post struct {
	at      time.Duration // since the test began
	message notify.Message
	outcome transport.Outcome
}

func (p post) violations() []string {
	var list []string
	for _, item := range p.message.Items {
		list = append(list, item.ID)
	}
	return list
}

var (
	delivered = transport.Outcome{Status: transport.Delivered, Ref: "ref"}
	again     = transport.Outcome{Status: transport.Again, Reason: "the receiver answered 503"}
	rejected  = transport.Outcome{Status: transport.Rejected, Reason: "the receiver answered 404"}
)

func (r *room) destination(began time.Time) delivery.Destination {
	return delivery.Destination{
		Destination: outbox.Destination{Name: r.name, Kind: "webhook", Identity: "identity of " + r.name},
		Each:        r.each,
		Send: func(_ context.Context, m notify.Message) transport.Outcome {
			p := post{at: time.Since(began), message: m, outcome: delivered}
			r.mutex.Lock()
			if r.tries == nil {
				r.tries = map[string]int{}
			}
			r.tries[m.ID]++
			nth := r.tries[m.ID]
			r.mutex.Unlock()
			if r.answer != nil {
				p.outcome = r.answer(p, nth)
			}
			r.mutex.Lock()
			defer r.mutex.Unlock()
			r.posts = append(r.posts, p)
			return p.outcome
		},
	}
}

// got returns the attempts, and the violations that arrived, in order.
func (r *room) got() (posts []post, violations []string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, p := range r.posts {
		if p.outcome.Status == transport.Delivered {
			violations = append(violations, p.violations()...)
		}
	}
	return slices.Clone(r.posts), violations
}

// journal is a log that several may write.
type journal struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.text.String()
}

// rig is a delivery with what is around it.
type rig struct {
	*testing.T
	path  string
	audit *audit
	rooms []*room
	began time.Time
	log   *journal
	*delivery.Delivery
}

func newRig(t *testing.T, rooms ...*room) *rig {
	return &rig{T: t, path: filepath.Join(t.TempDir(), "outbox.db"), audit: &audit{id: "audit"}, rooms: rooms, began: time.Now(), log: &journal{}}
}

func (r *rig) config() delivery.Config {
	c := delivery.Config{
		Outbox: r.path, Source: r.audit, Capture: "a.telltale",
		Recipients: func(event.Event) (all []notify.Recipient) {
			for _, room := range r.rooms {
				all = append(all, notify.Recipient{Destination: room.name})
			}
			return all
		},
		Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, room := range r.rooms {
		c.Destinations = append(c.Destinations, room.destination(r.began))
	}
	return c
}

func (r *rig) start(change ...func(*delivery.Config)) {
	c := r.config()
	for _, f := range change {
		f(&c)
	}
	r.Delivery = delivery.Start(c)
}

// observe makes events and says so.
func (r *rig) observe(violations ...string) {
	r.audit.add(violations...)
	r.Wake()
}

// stop closes the delivery, with that much time left to send.
func (r *rig) stop(left time.Duration) {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), left)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		r.Errorf("close: %v", err)
	}
}

// inbox opens the outbox to look into it.
func (r *rig) inbox(f func(*outbox.Outbox)) {
	r.Helper()
	box, err := outbox.Open(r.path, outbox.Options{})
	if err != nil {
		r.Fatal(err)
	}
	defer box.Close()
	f(box)
}

// messages returns those in the outbox.
func (r *rig) messages(states ...outbox.State) (list []outbox.Message) {
	r.Helper()
	r.inbox(func(box *outbox.Outbox) {
		var err error
		if list, err = box.List(states...); err != nil {
			r.Fatal(err)
		}
	})
	return list
}

// equal compares what arrived with what should have, each once, in any order.
func equal(t testing.TB, what string, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%s: %d arrived of %d: %.300q", what, len(got), len(want), got)
	}
}
