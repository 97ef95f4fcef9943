package capture

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"fmt"
	"slices"
	"sort"
	"sync"

	"telltale/flow"
)

// maxEvents is how many events are held in memory for who takes them. Those before are
// in the file, or lost where there is none.
const maxEvents = 10_000

// outbox holds the events of a capture for those who take them.
type outbox struct {
	mu        sync.Mutex
	waiting   []Event // in order
	filed     int64   // events up to this one are not in memory
	announced []announcement
	lost      bool
}

// announcement is an event of the audit itself that is still to be made.
type announcement struct {
	kind, subject string
	document      func(seq int64) []byte
}

// announce adds one for the worker.
func (o *outbox) announce(a announcement) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.announced = append(o.announced, a)
}

// announcements takes what was announced.
func (o *outbox) announcements() []announcement {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.announced
	o.announced = nil
	return taken
}

func (o *outbox) hasAnnouncements() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.announced) > 0
}

// publish hands out events. The oldest are let go of when nobody takes them: it reports
// whether they are lost for the first time, which is so where no file has them.
func (o *outbox) publish(events []Event, inFile bool) (lost bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = append(o.waiting, events...)
	over := len(o.waiting) - maxEvents
	if over <= 0 {
		return false
	}
	o.letGo(over)
	lost = !inFile && !o.lost
	o.lost = o.lost || lost
	return lost
}

// letGo drops the first n events.
func (o *outbox) letGo(n int) {
	if n == 0 {
		return
	}
	o.filed = o.waiting[n-1].Seq
	o.waiting = slices.Delete(o.waiting, 0, n)
}

// index returns the place of the first event behind a number.
func (o *outbox) index(after int64) int {
	return sort.Search(len(o.waiting), func(i int) bool { return o.waiting[i].Seq > after })
}

// Tell makes an event of the audit itself: trouble, a device, the end. document is called
// soon, by the goroutine that writes, with the number that the event has; nil makes no
// event. It must not call the store. Tell does not wait; what is told before Close is
// written by Close. On a store that only reads, or is closed, it does nothing.
func (s *Store) Tell(kind, subject string, document func(seq int64) []byte) {
	if s.worker == nil {
		return
	}
	s.events.announce(announcement{kind, subject, document})
	s.queue.signal()
}

// Events returns events in order, from the one behind after, at most so many
// ([DefaultLimit] for 0). While a store records they come from memory, also when the file
// takes no more; those of earlier sessions, and of a store that reads, come from the file.
// Each is handed out once it is on disk with the flow that made it. [Store.Wake] tells of
// new ones.
func (s *Store) Events(after int64, limit int) ([]Event, error) {
	if limit <= 0 {
		limit = DefaultLimit
	}
	s.events.mu.Lock()
	filed := s.events.filed
	waiting := s.events.waiting[s.events.index(after):]
	events := slices.Clone(waiting[:min(limit, len(waiting))])
	s.events.mu.Unlock()
	if after >= filed {
		return events, nil
	}
	older, err := s.readEvents(after, filed, limit)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	older = append(older, events...)
	return older[:min(limit, len(older))], nil
}

// LastEvent returns the number up to which there are events by now: right after the store
// was opened, those of earlier sessions.
func (s *Store) LastEvent() int64 {
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	if n := len(s.events.waiting); n > 0 {
		return s.events.waiting[n-1].Seq
	}
	return s.events.filed
}

// Told lets go of the events up to a number in memory: they were taken. The file keeps
// them.
func (s *Store) Told(upTo int64) {
	if s.worker == nil {
		return
	}
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	s.events.letGo(s.events.index(upTo))
}

// readEvents reads events from the file.
func (s *Store) readEvents(after, upTo int64, limit int) (events []Event, err error) {
	if s.readers == nil {
		return nil, nil
	}
	err = s.read(context.Background(), func(c *conn) error {
		if version, err := c.version(); err != nil || version < 5 {
			return err
		}
		st, err := c.prepare("SELECT seq, time, kind, subject, flow_id, count, document FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?")
		if err != nil {
			return err
		}
		defer st.Close()
		return st.each(func(r []driver.Value) error {
			row := columns(r)
			events = append(events, Event{
				Seq: row.int(0), Time: row.time(1), Kind: row.str(2), Subject: row.str(3), Flow: flow.ID(row.int(4)), Count: int(row.int(5)),
				Document: row.blob(6),
			})
			return nil
		}, after, upTo, int64(limit))
	})
	return events, err
}

// event writes an event.
func (w *writer) event(e *Event) error {
	return w.once("INSERT INTO events VALUES (?,?,?,?,?,?,?)",
		e.Seq, micros(e.Time), e.Kind, text(e.Subject), number(int64(e.Flow)), int64(e.Count), string(e.Document))
}

// lastEvent returns the highest number that an event may have had so far. It is to be asked
// before a session starts.
func (c *conn) lastEvent() (int64, error) {
	last, err := c.integer("SELECT max(seq) FROM events")
	if err != nil {
		return 0, err
	}
	cut, err := c.integer("SELECT ended IS NULL FROM sessions ORDER BY id DESC LIMIT 1")
	if cut != 0 {
		last = (last/eventGap + 1) * eventGap
	}
	return last, err
}

// toldOf returns for each violation that was told of the count at which it is again.
func (c *conn) toldOf() (map[string]int, error) {
	st, err := c.prepare("SELECT subject, max(count) FROM events WHERE kind = ? AND subject IS NOT NULL GROUP BY subject ORDER BY max(seq) DESC LIMIT ?")
	if err != nil {
		return nil, err
	}
	defer st.Close()
	told := map[string]int{}
	err = st.each(func(r []driver.Value) error {
		told[columns(r).str(0)] = tenfold(int(columns(r).int(1)))
		return nil
	}, eventOfViolation, int64(maxToldOf))
	return told, err
}

// resumeEvents goes on with the events of the sessions before.
func (s *Store) resumeEvents(c *conn) (err error) {
	if s.events.filed, err = c.lastEvent(); err != nil {
		return err
	}
	s.toldOf, err = c.toldOf()
	return err
}

// auditTag is the key in meta of what tells an audit from all others.
const auditTag = "audit"

// newAuditID returns a random one.
func newAuditID() string { return rand.Text()[:20] }

// audit returns the ID of the audit, and makes one when there is none.
func (w *writer) audit(known string) (string, error) {
	if known != "" {
		return known, nil
	}
	id := newAuditID()
	return id, w.transaction(func() error { return w.insertTag.exec(auditTag, id) })
}

// AuditID tells this audit from all others. It is made with the capture and the same in
// all of its sessions. Files of a version before 5 get one when they are opened for
// recording; until then it is "".
func (s *Store) AuditID() string { return s.auditID }
