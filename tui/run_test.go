package tui

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// terminalRecord is what a terminal was sent.
type terminalRecord struct {
	mu   sync.Mutex
	text strings.Builder
	news chan struct{}
}

func newTerminalRecord() *terminalRecord { return &terminalRecord{news: make(chan struct{}, 1)} }

func (o *terminalRecord) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b)
	select {
	case o.news <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (o *terminalRecord) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// shows waits until the terminal was sent a text.
func (o *terminalRecord) shows(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !strings.Contains(o.String(), text) {
		select {
		case <-o.news:
		case <-deadline:
			t.Fatalf("the terminal never shows %q: %q", text, o.String())
		}
	}
}

// running is a screen in front of a store.
type running struct {
	t      *testing.T
	store  *capture.Store
	keys   *io.PipeWriter
	screen *terminalRecord
	ended  chan error
}

func run(ctx context.Context, t *testing.T, change func(*Config)) *running {
	t.Helper()
	pol, err := policy.Parse("telltale.yaml", []byte(covidPolicy), policy.Options{Now: func() time.Time { return noon }})
	check(t, err)
	r := &running{t: t, screen: newTerminalRecord(), ended: make(chan error, 1)}
	r.store, err = capture.Create(filepath.Join(t.TempDir(), "a.telltale"), capture.Options{Judge: pol})
	check(t, err)
	t.Cleanup(func() { r.store.Close() })
	in, keys := io.Pipe()
	r.keys = keys
	t.Cleanup(func() { keys.Close() })
	cfg := Config{Store: r.store, Capture: "a.telltale", Live: true, Policy: Policy{Current: pol, Text: []byte(covidPolicy)}, Reports: Reports{}}
	if change != nil {
		change(&cfg)
	}
	go func() { r.ended <- Run(ctx, cfg, in, r.screen) }()
	return r
}

func (r *running) press(text string) {
	r.t.Helper()
	_, err := r.keys.Write([]byte(text))
	check(r.t, err)
}

func (r *running) ends() error {
	r.t.Helper()
	select {
	case err := <-r.ended:
		for _, sequence := range []string{"\x1b[?1049l", "\x1b[?25h"} { // back from the other screen, with a cursor
			if !strings.Contains(r.screen.String(), sequence) {
				r.t.Errorf("the terminal was not given back: %q is missing", sequence)
			}
		}
		return err
	case <-time.After(20 * time.Second):
		r.t.Fatal("the screen does not end")
		return nil
	}
}

// leavesNothing fails when goroutines of the screen go on after it has ended.
func leavesNothing(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// The tests below look for goroutines that stay, so they are not parallel.

func TestRunUntilTheKeyToQuit(t *testing.T) {
	leavesNothing(t)
	r := run(t.Context(), t, nil)
	r.screen.shows(t, "NOTHING SEEN YET")
	r.store.Observe(flowtest.Head("https://clients3.google.com/generate_204"))
	r.screen.shows(t, "captive-portal-probe")
	r.press("3")
	r.screen.shows(t, "following")
	r.press("q")
	if err := r.ends(); err != nil {
		t.Fatal(err)
	}
}

func TestRunUntilTheContextEnds(t *testing.T) {
	for _, live := range []bool{true, false} {
		leavesNothing(t)
		ctx, cancel := context.WithCancel(t.Context())
		r := run(ctx, t, func(c *Config) { c.Live = live })
		r.screen.shows(t, "NOTHING")
		cancel()
		if err := r.ends(); err != nil {
			t.Fatalf("live %v: %v", live, err)
		}
	}
}

func TestRunRecorded(t *testing.T) {
	leavesNothing(t)
	r := run(t.Context(), t, func(c *Config) {
		store := c.Store
		c.Live = false
		c.Load = func(_ context.Context, progress func(done, total int)) error {
			for _, f := range story() {
				store.Observe(f)
				progress(int(f.ID), 20)
			}
			return store.Sync()
		}
	})
	r.screen.shows(t, "6 VIOLATIONS")
	r.press("q")
	if err := r.ends(); err != nil {
		t.Fatal(err)
	}
}

func TestRunShowsWhyLoadingFailed(t *testing.T) {
	leavesNothing(t)
	r := run(t.Context(), t, func(c *Config) {
		c.Live = false
		c.Load = func(context.Context, func(done, total int)) error { return errors.New("line 3: no JSON") }
	})
	r.screen.shows(t, "line 3: no JSON")
	r.press("q")
	if err := r.ends(); err != nil {
		t.Fatal(err)
	}
}

// TestRunWaitsForLoading: what Load touches belongs to the caller again when Run
// has returned.
func TestRunWaitsForLoading(t *testing.T) {
	leavesNothing(t)
	loading := false
	begun := make(chan struct{})
	r := run(t.Context(), t, func(c *Config) {
		c.Live = false
		c.Load = func(ctx context.Context, _ func(done, total int)) error {
			loading = true
			close(begun)
			<-ctx.Done()
			loading = false // a race where Run does not wait
			return ctx.Err()
		}
	})
	r.screen.shows(t, "READING")
	<-begun
	r.press("q")
	if err := r.ends(); err != nil {
		t.Fatal(err)
	}
	if loading {
		t.Fatal("Run has returned, and the capture is still being read")
	}
}

// TestRunWaitsForReports: a report that was begun is written to its end.
func TestRunWaitsForReports(t *testing.T) {
	begun, left := make(chan struct{}), make(chan struct{})
	var written atomic.Bool
	r := run(t.Context(), t, func(c *Config) {
		c.Reports = Reports{Base: filepath.Join(t.TempDir(), "audit"), Formats: []ReportFormat{{".md", "for a bug tracker"}}, Write: func([]string) error {
			close(begun)
			<-left
			written.Store(true)
			return nil
		}}
	})
	r.screen.shows(t, "NOTHING SEEN YET")
	r.press("e")
	r.screen.shows(t, "Write reports")
	r.press("\r")
	<-begun
	r.press("q")
	r.screen.shows(t, "\x1b[?1049l")
	close(left)
	if err := r.ends(); err != nil || !written.Load() {
		t.Fatalf("written: %v, %v", written.Load(), err)
	}
}

func TestRunSaysThatTheTerminalIsGone(t *testing.T) {
	leavesNothing(t)
	r := run(t.Context(), t, nil)
	r.screen.shows(t, "NOTHING SEEN YET")
	r.keys.CloseWithError(errors.New("the terminal is gone"))
	select {
	case <-r.ended: // whatever it says, it ends
	case <-time.After(20 * time.Second):
		t.Fatal("the screen goes on without a terminal")
	}
}

// TestFeedKeepsThePace observes thousands of flows: the screen asks a few times a
// second.
func TestFeedKeepsThePace(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{})
	f := r.m.feed
	start, n := time.Now(), 0
	for time.Since(start) < 3*pace {
		for i := range 50 {
			r.store.Observe(flowtest.Get("https://www.canada.ca/", flowtest.ID(flow.ID(i+1))))
		}
		if f.next() == nil {
			t.Fatal("no news")
		}
		n++
	}
	if n > 5 {
		t.Fatalf("%d news in three times the pace", n)
	}
}

// TestRunUnderLoad filters, decides and looks around while flows come in, open
// first and ended later: with -race it shows that nothing is shared.
func TestRunUnderLoad(t *testing.T) {
	leavesNothing(t)
	r := run(t.Context(), t, func(c *Config) {
		c.Policy.File = filepath.Join(t.TempDir(), "telltale.yaml")
		c.Policy.Parse = func(text []byte) (*policy.Policy, error) {
			return policy.Parse("telltale.yaml", text, policy.Options{Now: func() time.Time { return noon }})
		}
	})
	r.screen.shows(t, "NOTHING SEEN YET")
	const n = 1500
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range n {
			id := flow.ID(i + 1)
			open := flowtest.Get("https://evil.example/", flowtest.ID(id), flowtest.Outcome(flow.Open))
			open.Response = nil
			r.store.Observe(open)
			if i >= 20 {
				r.store.Observe(flowtest.Get("https://evil.example/", flowtest.ID(id-20)))
			}
		}
		for id := flow.ID(n - 19); id <= n; id++ {
			r.store.Observe(flowtest.Get("https://evil.example/", flowtest.ID(id)))
		}
	}()
	r.press("3/")
	r.screen.shows(t, "── ")
	r.press("status == 200")
	r.press("\r")
	r.press("kkk\x1b[A\x1b[5~")
	r.press("1")
	r.screen.shows(t, "host-not-allowed")
	r.press("a")
	r.screen.shows(t, "Allow evil.example")
	r.press("\r")
	r.screen.shows(t, "allowed evil.example")
	r.press("3")
	<-done
	check(t, r.store.Sync())
	r.screen.shows(t, "1,500 flows")
	r.press("G")
	r.screen.shows(t, "following")
	r.press("qq")
	if err := r.ends(); err != nil {
		t.Fatal(err)
	}
}
