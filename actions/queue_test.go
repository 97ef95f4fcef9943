package actions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/event"
	"telltale/policy"
)

// heard collects what a runner says.
type heard struct {
	mu       sync.Mutex
	answers  []string
	lines    []string
	troubles []error
}

func (h *heard) config(t *testing.T, rules ...policy.Action) Config {
	return Config{
		Rules: rules, Folder: t.TempDir(), Destinations: []string{"lab"},
		Answer: func(e event.Event, a policy.Action, answer Answer) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.answers = append(h.answers, e.ID+" "+answer.Annotate)
		},
		Output: func(l Line) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.lines = append(h.lines, l.Event+" "+l.Text)
		},
		Trouble: func(err error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.troubles = append(h.troubles, err)
		},
	}
}

func (h *heard) count(what *[]string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(*what)
}

// numbered returns a violation with an ID of its own.
func numbered(i int) event.Event {
	e := violation()
	e.ID = fmt.Sprintf("a1b2-%d", i)
	return e
}

func TestOfferedEventsAreAnswered(t *testing.T) {
	t.Parallel()
	h := &heard{}
	r := New(h.config(t, script(t, `echo "at $TELLTALE_EVENT" >&2; printf '{"annotate": "done"}'`), script(t, "exit 1"), script(t, "true")))
	for i := range 3 {
		r.Offer(numbered(i))
	}
	r.Close(context.Background()) // what waits is done before it ends
	slices.Sort(h.answers)
	slices.Sort(h.lines)
	if got := strings.Join(h.answers, "|"); got != "a1b2-0 done|a1b2-1 done|a1b2-2 done" {
		t.Error(got)
	}
	if got := strings.Join(h.lines, "|"); got != "a1b2-0 at a1b2-0|a1b2-1 at a1b2-1|a1b2-2 at a1b2-2" {
		t.Error(got)
	}
	if len(h.troubles) != 3 {
		t.Error(h.troubles)
	}
	r.Offer(numbered(6)) // nothing, and no panic
	r.Close(context.Background())
	if len(h.answers) != 3 {
		t.Error(h.answers)
	}
}

// A rule runs for what it selects; what a program asked for runs nothing, or it would never
// end.
func TestRulesSelectEvents(t *testing.T) {
	t.Parallel()
	trackers := script(t, "echo trackers >&2")
	trackers.When = policy.Selection{Rules: []policy.Rule{"tracker"}}
	devices := script(t, "echo devices >&2")
	devices.When = policy.Selection{Events: []string{"device"}}
	all := script(t, "echo all >&2")
	r := New((&heard{}).config(t, trackers, devices, all))
	defer r.Close(t.Context())
	for kind, want := range map[event.Kind]string{event.OfViolation: "trackers all", event.OfDevice: "devices all", event.OfAction: ""} {
		e := event.Event{Kind: kind, ID: "a1b2-1"}
		if kind == event.OfViolation {
			e = violation()
		}
		var got []string
		for _, result := range r.Run(t.Context(), e) {
			got = append(got, result.Output...)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v", kind, got)
		}
	}
}

// Two programs run at once, and never a third.
func TestTwoProgramsAtOnce(t *testing.T) {
	t.Parallel()
	h := &heard{}
	log := filepath.Join(t.TempDir(), "log")
	a := script(t, `echo + >>"$1"; while [ "$(grep -c + "$1")" -lt 2 ]; do sleep 0.02; done; echo - >>"$1"`)
	a.Run = append(a.Run, log)
	r := New(h.config(t, a))
	for i := range 6 {
		r.Offer(numbered(i))
	}
	r.Close(context.Background())
	text, err := os.ReadFile(log)
	if err != nil || len(h.troubles) > 0 {
		t.Fatal(err, h.troubles)
	}
	running, most := 0, 0
	for _, line := range strings.Fields(string(text)) {
		if line == "+" {
			running++
		} else {
			running--
		}
		most = max(most, running)
	}
	if most != 2 || running != 0 {
		t.Errorf("%d at once: %s", most, text)
	}
}

// Events that come faster than programs end are not taken, until there is room again; none is
// lost.
func TestOfferNeverBlocks(t *testing.T) {
	t.Parallel()
	h := &heard{}
	gate := filepath.Join(t.TempDir(), "gate")
	a := script(t, `echo waiting >&2; until [ -e "$1" ]; do sleep 0.02; done`)
	a.Run = append(a.Run, gate)
	c := h.config(t, a)
	room := make(chan struct{}, 1)
	c.Queue, c.AtOnce = 3, 1
	c.Room = func() { room <- struct{}{} }
	r := New(c)
	r.Offer(numbered(0))
	await(t, "the program runs", func() bool { return h.count(&h.lines) == 1 })
	next := 1
	for r.Offer(numbered(next)) {
		next++
	}
	if next != 4 {
		t.Errorf("%d events wait, of 3 that may", next-1)
	}
	if r.Offer(numbered(next)) || len(room) > 0 {
		t.Error("there is room")
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for next < 8 {
		if !r.Offer(numbered(next)) {
			<-room
			continue
		}
		next++
	}
	r.Close(context.Background())
	if len(h.lines) != 8 || len(h.troubles) > 0 {
		t.Error(h.lines, h.troubles)
	}
}

// Close lets programs end until its context does, and says what did not run.
func TestCloseKillsInTheEnd(t *testing.T) {
	t.Parallel()
	h := &heard{}
	c := h.config(t, script(t, `trap "" TERM; echo waiting >&2; sleep 86400`))
	c.AtOnce = 1
	r := New(c)
	for i := range 3 {
		r.Offer(numbered(i))
	}
	await(t, "the program runs", func() bool { return h.count(&h.lines) == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	r.Close(ctx)
	var texts []string
	for _, err := range h.troubles {
		texts = append(texts, err.Error())
	}
	got := strings.Join(texts, "|")
	if !strings.Contains(got, "./program.sh for event a1b2-0: ended with the audit") || !strings.Contains(got, "2 events ran no program") || len(texts) != 2 {
		t.Error(got)
	}
	if left, err := os.ReadDir(c.Folder); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

// Run ends with its context.
func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	a := script(t, `sleep 86400`)
	r := New(Config{Rules: []policy.Action{a, a}, Folder: t.TempDir()})
	defer r.Close(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if results := r.Run(ctx, violation()); len(results) != 1 || !errors.Is(results[0].Err, ErrKilled) {
		t.Errorf("%+v", results)
	}
}

// Without rules, or without a folder to work in, nothing breaks.
func TestRunnerWithoutMuch(t *testing.T) {
	t.Parallel()
	r := New(Config{})
	r.Offer(violation())
	if results := r.Run(t.Context(), violation()); len(results) != 0 || len(r.Check()) != 0 {
		t.Error(results)
	}
	r.Close(t.Context())

	h := &heard{}
	c := h.config(t, script(t, "true"))
	c.Folder = filepath.Join(c.Folder, "not-there")
	r = New(c)
	r.Offer(violation())
	r.Close(t.Context())
	if len(h.troubles) != 2 || !strings.Contains(h.troubles[1].Error(), "cannot make a folder for it") {
		t.Error(h.troubles)
	}
}
