package tui

import (
	"context"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/flow"
)

// pace is how often the screen takes over news at most. Five times a second is
// live to the eye and costs a fiftieth of a core under load.
const pace = 200 * time.Millisecond

// heartbeat is how often it does so when nothing happens: rates fall, clocks run.
const heartbeat = time.Second

// feed brings news from the store, at the pace of the screen.
type feed struct {
	ctx      context.Context
	store    *capture.Store
	problems func() []string
	modes    func() []string
	told     func() Told
	diagnose func(capture.Device) []diagnosis.Diagnosis
	now      func() time.Time
	live     bool
	wake     <-chan struct{}
	cancel   func()
	last     time.Time

	experiments *asker
}

// newsMsg is the state of the audit at one moment.
type newsMsg struct {
	at       time.Time
	sum      capture.Summary
	err      error // first trouble with the file
	last     flow.ID
	phase    string // the mark of the operator
	problems []string
	modes    []string // ways in of the audit
	told     Told
	lab      inForce
	// diagnoses has those of each device that has any, by address.
	diagnoses map[string][]diagnosis.Diagnosis
}

func newFeed(ctx context.Context, cfg *Config) *feed {
	f := &feed{ctx: ctx, store: cfg.Store, problems: cfg.Problems, modes: cfg.Modes, told: cfg.Told, diagnose: cfg.Diagnose, now: cfg.Now, live: cfg.Live, experiments: &asker{of: cfg.Experiments}}
	f.wake, f.cancel = f.store.Wake()
	return f
}

func (f *feed) close() { f.cancel() }

// first returns the state that there is.
func (f *feed) first() tea.Msg { return f.read() }

// next waits until there is news, no sooner than the pace allows.
func (f *feed) next() tea.Msg {
	beat := heartbeat
	if !f.live {
		beat = time.Hour // nothing changes by itself
	}
	idle := time.NewTimer(beat)
	defer idle.Stop()
	select {
	case <-f.wake:
	case <-idle.C:
	case <-f.ctx.Done():
		return nil
	}
	if early := pace - time.Since(f.last); early > 0 {
		rest := time.NewTimer(early)
		defer rest.Stop()
		select {
		case <-rest.C:
		case <-f.ctx.Done():
			return nil
		}
	}
	return f.read()
}

func (f *feed) read() tea.Msg {
	f.last = time.Now()
	m := newsMsg{at: f.now(), sum: f.store.Summary(), err: f.store.Err(), last: f.store.LastID(), phase: f.store.Marked(), lab: f.experiments.ask()}
	if f.problems != nil {
		m.problems = f.problems()
	}
	if f.modes != nil {
		m.modes = f.modes()
	}
	if f.told != nil {
		m.told = f.told()
	}
	if f.diagnose != nil {
		m.diagnoses = map[string][]diagnosis.Diagnosis{}
		for _, d := range m.sum.Health.Devices {
			if found := f.diagnose(d); len(found) > 0 {
				m.diagnoses[d.Addr] = found
			}
		}
	}
	return m
}
