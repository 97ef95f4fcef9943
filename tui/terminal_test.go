package tui

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/flow/flowtest"
)

// stuck is a terminal that can be stopped, as kill -STOP and a dead connection do.
type stuck struct {
	mu      sync.Mutex
	wait    chan struct{} // nil: it takes what comes
	waiting chan struct{} // holds a token once somebody is held up
	text    strings.Builder
}

func (s *stuck) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wait, s.waiting = make(chan struct{}), make(chan struct{}, 1)
}

func (s *stuck) goOn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.wait)
	s.wait = nil
}

func (s *stuck) Write(p []byte) (int, error) {
	s.mu.Lock()
	wait, waiting := s.wait, s.waiting
	s.mu.Unlock()
	if wait != nil {
		select {
		case waiting <- struct{}{}:
		default:
		}
		<-wait
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *stuck) shows(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), text)
}

// stopped runs the screen in a terminal that stops while flows come in.
func stopped(t *testing.T) (r *rig, out *stuck, cancel func(), ended chan error) {
	r = newRig(t, setting{})
	out, ended = &stuck{}, make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	out.stop()
	go func() { ended <- Run(ctx, r.m.cfg, nil, out) }()
	<-out.waiting
	for id := range 10_000 { // more than any queue holds
		r.store.Observe(flowtest.Get("https://x.canada.ca/", flowtest.ID(0), flowtest.At(time.Duration(id)*time.Millisecond)))
	}
	check(t, r.store.Sync())
	if n := r.store.Summary().Flows; n != 10_000 {
		t.Fatalf("%d flows were recorded", n)
	}
	return r, out, cancel, ended
}

// A stopped terminal keeps no flow from being recorded, and is up to date as soon as
// it goes on.
func TestStoppedTerminal(t *testing.T) {
	t.Parallel()
	_, out, cancel, ended := stopped(t)
	out.goOn()
	for !out.shows("10,000 flows") {
		select {
		case err := <-ended:
			t.Fatalf("the screen ended: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	check(t, <-ended)
}

// A signal ends the audit though the terminal never goes on.
func TestLeavingAStoppedTerminal(t *testing.T) {
	t.Parallel()
	_, out, cancel, ended := stopped(t)
	cancel()
	check(t, <-ended)
	out.goOn() // for what still holds the last write
}
