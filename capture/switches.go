package capture

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Switch is a moment from which other experiments are in force than before.
type Switch struct {
	Time   time.Time
	Active []string // sorted, as in flow.Flow.Experiments; nil: none
}

// NoExperimentPhase is the name of the phase after the last experiment was switched off,
// where the operator has set no mark: what was seen before the first experiment and what was
// seen after it are two things.
const NoExperimentPhase = "no experiment"

// marks are what phases are named after.
type marks struct {
	marked string   // by the operator
	active []string // experiments; never changed in place
	tried  bool     // an experiment was in force in this session
}

// phase is the name of the phase of flows that begin now.
func (m *marks) phase() string {
	experiments := strings.Join(m.active, ", ")
	switch {
	case experiments == "" && m.marked == "" && m.tried:
		return NoExperimentPhase
	case experiments == "":
		return m.marked
	case m.marked == "":
		return experiments
	}
	return m.marked + " · " + experiments
}

// Mark starts a phase of the audit ("before consent"): flows that start from now
// on carry its name, beside the experiments that are in force. "" ends the phase.
func (s *Store) Mark(name string) {
	s.marking.Lock()
	defer s.marking.Unlock()
	s.marks.marked = name
	s.beginPhase(s.moment())
}

// SetExperiments notes which experiments are in force from now on, by their names, and
// begins a phase that is named after them beside the mark of the operator. Nil: none is.
// What is in force already changes nothing. On a store that only reads it does nothing.
func (s *Store) SetExperiments(active []string) {
	if s.worker == nil {
		return
	}
	active = slices.Compact(slices.Sorted(slices.Values(active)))
	s.marking.Lock()
	defer s.marking.Unlock()
	if slices.Equal(active, s.marks.active) {
		return
	}
	now := s.moment()
	s.marks.active, s.marks.tried = active, true
	s.addSwitch(Switch{now, active})
	s.worker.tell(func(w *writer) error { return w.switched(Switch{now, active}) })
	s.beginPhase(now)
}

// moment is the time of now, as precise as the file keeps it.
func (s *Store) moment() time.Time { return s.opts.Now().UTC().Truncate(time.Microsecond) }

// beginPhase gives flows that begin from now on their phase. Whoever calls it holds marking.
func (s *Store) beginPhase(now time.Time) {
	name := s.marks.phase()
	s.phase.Store(&phase{name, now, s.phase.Load()})
	if s.worker != nil {
		s.worker.tell(func(w *writer) error { return w.phase(now, name) })
	}
}

// Phase returns the name of the phase that goes on, "" for none: that of flows which begin
// now.
func (s *Store) Phase() string { return s.phase.Load().name }

// A phase is what flows belong to that begin from a moment on.
type phase struct {
	name   string
	since  time.Time
	before *phase // nil for the first of the session
}

// of returns the name of the phase in which a flow began: of one that is observed late, not
// the present one. A flow that began before the session is from elsewhere, and of the present one.
func (p *phase) of(start time.Time) string {
	for at := p; at != nil; at = at.before {
		if !start.Before(at.since) {
			return at.name
		}
	}
	return p.name
}

// Marked returns the mark of the operator, without the experiments that are in force.
func (s *Store) Marked() string {
	s.marking.Lock()
	defer s.marking.Unlock()
	return s.marks.marked
}

// Switches returns from when which experiments were in force, in their order: in the
// sessions before, as far as they are known since it was opened, and in this one. The end of
// a session ends them.
func (s *Store) Switches() []Switch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.switches)
}

// CopyMarks writes the phases and switches of another capture, as they were. It is for
// copies, whose flows carry their phases; open switches end with the session.
func (s *Store) CopyMarks(marks []PhaseMark, switches []Switch) error {
	if s.worker == nil || s.path == "" {
		return errors.New("copy marks: the capture is not open for writing")
	}
	for _, sw := range switches {
		s.addSwitch(sw)
	}
	return s.worker.doWriting(func(w *writer) error {
		for _, m := range marks {
			if err := w.phase(m.Time, m.Name); err != nil {
				return err
			}
		}
		for _, sw := range switches {
			if err := w.switched(sw); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) addSwitch(sw Switch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switches, s.periods = append(s.switches, sw), nil
	s.changedLocked()
}

// endSwitches notes that a session ends, and with it the experiments that are in force.
func (s *Store) endSwitches(now time.Time) {
	if n := len(s.Switches()); n > 0 && s.Switches()[n-1].Active != nil {
		s.addSwitch(Switch{Time: now})
	}
}

// switched writes a switch.
func (w *writer) switched(sw Switch) error {
	active, err := json.Marshal(append([]string{}, sw.Active...))
	if err != nil {
		return err
	}
	return w.once("INSERT INTO switches(session_id, time, active) VALUES (?,?,?)", w.session, micros(sw.Time), string(active))
}

// loadSwitches reads the switches of the sessions before. Older files have none.
func (s *Store) loadSwitches(ctx context.Context) error {
	recording := s.lock == nil && Recording(s.path)
	return s.read(ctx, func(c *conn) error {
		version, err := c.version()
		if err != nil || version < switchesSince {
			return err
		}
		s.switches, err = c.switches(recording)
		return err
	})
}

// switchesSince is the version of the format that has switches first.
const switchesSince = 6

// selectSwitches has beside the last switch of each session the end of that: of a recorder
// that was killed, the time of its newest flow; NULL while it is being recorded.
const selectSwitches = `WITH spans AS (SELECT id, started, ended, lead(started) OVER (ORDER BY id) AS next FROM sessions)
	SELECT x.time, x.active, x.session_id, CASE
		WHEN lead(x.id) OVER (PARTITION BY x.session_id ORDER BY x.id) IS NOT NULL THEN NULL
		WHEN ended IS NULL AND next IS NULL AND ?1 THEN NULL
		ELSE coalesce(
			ended,
			(SELECT max(coalesce(f.ended, f.started)) FROM flows AS f WHERE f.started >= spans.started AND f.started < coalesce(next, 9e18)),
			x.time)
		END
	FROM switches AS x LEFT JOIN spans ON spans.id = x.session_id ORDER BY x.id`

// switches reads all switches. Where a session ended with experiments in force, it adds the
// switch that this was.
func (c *conn) switches(recording bool) (all []Switch, err error) {
	st, err := c.prepare(selectSwitches)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	var session int64
	var end time.Time
	closes := func() {
		if n := len(all); n > 0 && all[n-1].Active != nil && !end.IsZero() {
			if last := all[n-1].Time; end.Before(last) {
				end = last
			}
			all = append(all, Switch{Time: end})
		}
	}
	err = st.each(func(r []driver.Value) error {
		row := columns(r)
		if row.int(2) != session {
			closes()
		}
		session, end = row.int(2), row.time(3)
		sw := Switch{Time: row.time(0)}
		if err := row.array(1, &sw.Active); err != nil {
			return fmt.Errorf("a switch of experiments: %w", err)
		}
		if len(sw.Active) == 0 {
			sw.Active = nil
		}
		all = append(all, sw)
		return nil
	}, truth(recording))
	closes()
	return all, err
}

// periodsOf returns when each experiment was in force.
func periodsOf(switches []Switch) map[string][]Period {
	all := map[string][]Period{}
	var before []string
	for _, sw := range switches {
		for _, name := range before {
			if list := all[name]; !slices.Contains(sw.Active, name) {
				list[len(list)-1].To = sw.Time
			}
		}
		for _, name := range sw.Active {
			if !slices.Contains(before, name) {
				all[name] = append(all[name], Period{From: sw.Time})
			}
		}
		before = sw.Active
	}
	return all
}

// experimentRows joins what experiments altered with when they were in force. Of too many
// it has the first by name, as totals have.
func experimentRows(altered experimentTotals, periods map[string][]Period) []Experiment {
	names := slices.Collect(maps.Keys(periods))
	for _, e := range altered {
		names = append(names, e.name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	var rows []Experiment
	for _, name := range names[:min(len(names), MaxExperiments)] {
		row := Experiment{Name: name, Periods: periods[name]}
		if i, found := altered.search(name); found {
			row.Flows, row.Hosts = altered[i].flows, altered[i].hosts
		}
		rows = append(rows, row)
	}
	return rows
}
