package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"telltale/event"
	"telltale/notify"
	"telltale/notify/outbox"
	"telltale/notify/transport"
)

// Times that are the same for everybody.
const (
	Lead         = 2 * time.Second  // from the first event of a burst to its message
	DefaultGroup = 30 * time.Second // from one message of a destination to the next
	GiveUp       = 24 * time.Hour   // from when a message was made to when it is dead
	lookAround   = time.Minute      // for events, should nobody wake us
	glance       = time.Second      // between two looks at how things stand
	housekeeping = 10 * time.Minute // for what others have left behind or is too old
	settleDown   = 5 * time.Second  // after trouble with the outbox or a source
	reserve      = 10 * time.Second // by which a lease is longer than two attempts
	minAttempts  = 8                // before a message is given up, however old: the machine may have slept
	batch        = 500              // events that are read at once
	maxGathered  = 2 * batch        // events that gather at most
)

// ErrLive is what Config.Left returns for a capture that is still being recorded: it is not
// left behind.
var ErrLive = errors.New("the capture is still being recorded")

// A Source is an audit that has events. [Counter] and [Teller] are optional abilities.
type Source interface {
	Audit() string
	// Events returns the events after a sequence number, in order, at most limit of them.
	Events(after int64, limit int) ([]Event, error)
}

// An Event is one row of a source.
type Event struct {
	Seq      int64
	Document []byte // as package event has it
}

// A Counter knows how many flows a violation has by now.
type Counter interface {
	// Count returns that number; atLeast says that there may be more.
	Count(violation string) (n int, atLeast bool)
}

// A Teller wants to know up to which event all became messages.
type Teller interface{ Told(upTo int64) }

// A Left is a source that was left behind, opened.
type Left interface {
	Source
	Close() error
}

// A Destination is one place that can be told.
type Destination struct {
	outbox.Destination
	// Send makes one attempt. It returns within Longest, or soon after the context ends,
	// and what it returns holds no secret.
	Send    func(context.Context, notify.Message) transport.Outcome
	Longest time.Duration // 0: transport.DefaultTimeout
	// Each says that every violation is a message of its own: issues. Many who may not
	// acknowledge read these, so that they have no links.
	Each bool
}

// Config says what is delivered and where to.
type Config struct {
	Outbox       string // path of the file
	Source       Source // that is being recorded; nil: only what was left behind is delivered
	Capture      string // path of its capture; "" where it has no file
	Discarded    bool   // the capture goes when the audit ends: messages do not speak of it
	Destinations []Destination
	Group        time.Duration // 0: DefaultGroup

	// Recipients says who is told of an event, now: package notify does, for a policy.
	Recipients func(event.Event) []notify.Recipient
	// Report returns the audit of a violation in Markdown, for issues; "" where there is
	// none. nil: never.
	Report func(audit, violation string) string
	// Link returns the address of the page on which a violation is acknowledged, with a
	// permission that ends; "" for none. It is asked at each attempt, for violations of the
	// source: nobody serves the page of another audit. nil: no links.
	Link func(audit, violation string) string
	// Settled reports whether a violation needs no escalation any more, beside what the
	// outbox knows: it was waived. nil: never.
	Settled func(audit, violation string) bool
	// Left opens a capture that was left behind: [ErrLive] where its recorder still works,
	// fs.ErrNotExist where it is no more. nil: none is taken.
	Left func(path string) (Left, error)

	Log   *slog.Logger // nil: nothing is logged
	Clock Clock        // nil: the system's
}

// A Delivery is at work until it is closed.
type Delivery struct {
	Config
	kept   *kept
	lanes  []*lane
	byName map[string]Destination

	wake     chan struct{} // there are new events
	changed  chan struct{} // the outbox has changed
	closing  chan struct{} // take what there is, and end
	deadline func() time.Duration
	cancel   context.CancelFunc
	takers   sync.WaitGroup // who write messages
	senders  sync.WaitGroup // who send them
	keepers  sync.WaitGroup

	mutex   sync.Mutex
	status  Status
	untaken error // events that did not become messages in the end
}

// Start begins to deliver. It does not wait for anything but the disk, and an outbox that
// cannot be used is no error: it is said in the log and in the status.
func Start(c Config) *Delivery {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = systemClock{}
	}
	if c.Group <= 0 {
		c.Group = DefaultGroup
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &Delivery{
		Config: c, byName: map[string]Destination{}, cancel: cancel,
		wake: make(chan struct{}, 1), changed: make(chan struct{}, 1), closing: make(chan struct{}),
	}
	d.kept = openKept(c.Outbox, c.Clock, c.Log)
	for _, to := range c.Destinations {
		if to.Longest <= 0 {
			to.Longest = transport.DefaultTimeout
		}
		d.byName[to.Name] = to
		if to.Send != nil {
			d.lanes = append(d.lanes, newLane(d, to))
		}
	}
	for _, l := range d.lanes {
		d.senders.Go(func() { l.run(ctx) })
	}
	d.takers.Go(func() { d.takeLeft(ctx) })
	if c.Source != nil {
		t := newTaker(d)
		d.takers.Go(func() { t.run(ctx) })
	}
	d.keepers.Go(func() { d.keep(ctx) })
	return d
}

// Wake says that the source has new events. It never waits.
func (d *Delivery) Wake() { nudge(d.wake) }

// Close takes all events that there are, tries what can be tried before the context ends,
// and stops; once. What is not delivered by then waits in the outbox; where that is not to be
// had either, the error says how many messages are lost.
func (d *Delivery) Close(ctx context.Context) error {
	d.mutex.Lock()
	d.deadline = func() time.Duration {
		at, ok := ctx.Deadline()
		if !ok {
			return outbox.LongestPause
		}
		return time.Until(at)
	}
	d.mutex.Unlock()
	close(d.closing)
	stop := context.AfterFunc(ctx, d.cancel)
	defer stop()
	d.takers.Wait()
	for _, l := range d.lanes {
		l.finish()
	}
	d.senders.Wait()
	d.cancel()
	d.keepers.Wait()
	lost, err := d.kept.close()
	d.mutex.Lock()
	d.status.Waiting = max(0, d.status.Waiting-lost)
	d.mutex.Unlock()
	return errors.Join(d.untaken, err)
}

// file is the capture as messages name it.
func (d *Delivery) file() string {
	if d.Discarded {
		return ""
	}
	return d.Capture
}

// patience is how long a lane may go on after the end was announced.
func (d *Delivery) patience() time.Duration {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.deadline()
}

// Acknowledge keeps that somebody knows of a violation, as [outbox.Outbox.Acknowledge] does:
// also where messages are in memory just now.
func (d *Delivery) Acknowledge(a outbox.Acknowledgement) (done []outbox.Acknowledgement, err error) {
	for _, box := range d.kept.boxes() {
		of, boxErr := box.Acknowledge(a)
		if len(of) > 0 && (len(done) == 0 || of[0].Violation != a.Violation) {
			done = of
		}
		err = errors.Join(err, boxErr)
	}
	return done, err
}

// Acknowledgements returns those of the source that came after the one numbered so, from
// whatever process, as [outbox.Outbox.Acknowledgements] does.
func (d *Delivery) Acknowledgements(after int64) (list []outbox.Acknowledgement, last int64, err error) {
	if d.kept.file == nil || d.Source == nil {
		return nil, after, nil
	}
	return d.kept.file.Acknowledgements(d.Source.Audit(), after)
}

// Status is how delivery stands.
type Status struct {
	Waiting, Dead int
	// Trouble is what keeps messages from being kept or sent, in plain words; "".
	Trouble      string
	Destinations []outbox.Counts // those that are configured and have messages
}

// Status returns how delivery stood a moment ago. It costs nothing.
func (d *Delivery) Status() Status {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.status
}

// refresh brings the status up to date.
func (d *Delivery) refresh() {
	counts, err := d.kept.counts()
	if err != nil {
		d.Log.Warn("outbox cannot be read", "error", err)
		return
	}
	status := Status{Trouble: d.kept.trouble()}
	for _, c := range counts {
		if to, ok := d.byName[c.To.Name]; !ok || to.Identity != c.To.Identity {
			continue
		}
		status.Waiting += c.Waiting
		status.Dead += c.Dead
		status.Destinations = append(status.Destinations, c)
		if status.Trouble == "" && c.Waiting > 0 && c.Reason != "" {
			status.Trouble = fmt.Sprintf("%s: %s", c.To.Name, c.Reason)
		}
	}
	d.mutex.Lock()
	d.status = status
	d.mutex.Unlock()
}

// told lets everybody know that messages were written or settled.
func (d *Delivery) told() {
	for _, l := range d.lanes {
		nudge(l.wake)
	}
	nudge(d.changed)
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// exists reports whether a capture is still there. What cannot be told counts as there.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
