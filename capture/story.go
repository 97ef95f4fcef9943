package capture

import (
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"telltale/coverage"
)

// A Story is what a capture keeps beside its flows: for who makes another of them.
type Story struct {
	Started time.Time     // of the first recording
	Watched time.Duration // as [Store.Watched]
	Spans   []Span        // of the recordings, in their order: together they are Watched
	Idle    bool          // as [Store.Idle]
	Marks   []PhaseMark   // in their order
	// Switches are from when which experiments were in force, as [Store.Switches].
	Switches []Switch
	Notes    []string          // in their order, of those that were known when it was opened
	Ledgers  []coverage.Ledger // sums over all recordings
	// Names are what a person called devices, and Annotations what people and programs said.
	Names       map[netip.Addr]string
	Annotations []Annotation
}

// A PhaseMark is the beginning of a phase.
type PhaseMark struct {
	Time time.Time
	Name string // "" where a phase only ended
}

// A Span is the time of one recording. Where it goes on, or was killed, it reaches as far as
// [Store.Watched] counts.
type Span struct{ From, To time.Time }

// Story returns what the capture keeps beside its flows.
func (s *Store) Story(ctx context.Context) (Story, error) {
	story := Story{Idle: s.Idle(), Names: maps.Clone(*s.names.Load()), Annotations: s.Annotations()}
	s.mu.Lock()
	story.Notes, story.Ledgers, story.Switches = slices.Clone(s.notes), s.ledgersLocked(), slices.Clip(s.switches)
	s.mu.Unlock()
	watched, err := s.Watched(ctx)
	if err == nil {
		story.Watched = watched
		now := s.opts.Now().UnixMicro()
		err = s.read(ctx, func(c *conn) error { return c.story(&story, s.worker != nil, now) })
	}
	if err != nil {
		return Story{}, fmt.Errorf("read capture: %w", err)
	}
	if s.opts.Foreign {
		story.Started, story.Watched, story.Spans = time.Time{}, 0, nil
	}
	return story, nil
}

func (c *conn) story(story *Story, recording bool, now int64) error {
	started, err := c.integer("SELECT min(started) FROM sessions")
	if err != nil {
		return err
	}
	story.Started = time.UnixMicro(started).UTC()
	if err := c.spans(story, recording, now); err != nil {
		return err
	}
	st, err := c.prepare("SELECT started, name FROM phases ORDER BY id")
	if err != nil {
		return err
	}
	defer st.Close()
	return st.each(func(r []driver.Value) error {
		row := columns(r)
		story.Marks = append(story.Marks, PhaseMark{time.UnixMicro(row.int(0)).UTC(), row.str(1)})
		return nil
	})
}

// spans reads when recorders had the capture open, as Watched sums it up.
func (c *conn) spans(story *Story, recording bool, now int64) error {
	st, err := c.prepare(`WITH spans AS (SELECT id, started, ended, lead(started) OVER (ORDER BY id) AS next FROM sessions)
		SELECT started, coalesce(ended, 0), next IS NULL, coalesce(
			(SELECT max(coalesce(f.ended, f.started)) FROM flows AS f WHERE f.started >= spans.started AND f.started < coalesce(next, 9e18)),
			started) FROM spans ORDER BY id`)
	if err != nil {
		return err
	}
	defer st.Close()
	return st.each(func(r []driver.Value) error {
		row := columns(r)
		from, to := row.int(0), row.int(1)
		switch {
		case to != 0:
		case row.int(2) != 0 && recording:
			to = now
		default:
			to = row.int(3)
		}
		story.Spans = append(story.Spans, Span{time.UnixMicro(from).UTC(), time.UnixMicro(max(from, to)).UTC()})
		return nil
	})
}
