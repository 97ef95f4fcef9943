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

// Story returns what the capture keeps beside its flows.
func (s *Store) Story(ctx context.Context) (Story, error) {
	story := Story{Idle: s.Idle(), Names: maps.Clone(*s.names.Load()), Annotations: s.Annotations()}
	s.mu.Lock()
	story.Notes, story.Ledgers, story.Switches = slices.Clone(s.notes), s.ledgersLocked(), slices.Clip(s.switches)
	s.mu.Unlock()
	watched, err := s.Watched(ctx)
	if err == nil {
		story.Watched = watched
		err = s.read(ctx, func(c *conn) error { return c.story(&story) })
	}
	if err != nil {
		return Story{}, fmt.Errorf("read capture: %w", err)
	}
	if s.opts.Foreign {
		story.Started, story.Watched = time.Time{}, 0
	}
	return story, nil
}

func (c *conn) story(story *Story) error {
	started, err := c.integer("SELECT min(started) FROM sessions")
	if err != nil {
		return err
	}
	story.Started = time.UnixMicro(started).UTC()
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
