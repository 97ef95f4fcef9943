package capture_test

import (
	"context"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow/flowtest"
)

func TestIdleMarkIsKept(t *testing.T) {
	now := flowtest.Epoch
	s, path := create(t, capture.Options{Now: func() time.Time { return now }})
	if s.Idle() {
		t.Error("a capture is idle from the start")
	}
	observe(t, s, flowtest.Get("https://before.example/", flowtest.ID(s.NextID())))
	if err := s.SetIdle(); err != nil || !s.Idle() {
		t.Fatalf("idle %v, error %v", s.Idle(), err)
	}
	observe(t, s, flowtest.Get("https://idle.example/", flowtest.ID(s.NextID())))
	now = now.Add(10 * time.Minute)
	s.Close()
	s = reopen(t, path, capture.Options{Judge: hostJudge{}})
	if !s.Idle() || s.Summary().Hosts[1].Phases[0] != capture.IdlePhase {
		t.Errorf("idle %v, hosts %+v", s.Idle(), s.Summary().Hosts)
	}
	if watched, err := s.Watched(context.Background()); err != nil || watched != 10*time.Minute {
		t.Errorf("watched for %v, error %v", watched, err)
	}
	if err := s.SetIdle(); err == nil {
		t.Error("a store that only reads was marked")
	}
	memory := capture.New(capture.Options{})
	defer memory.Close()
	if err := memory.SetIdle(); err == nil {
		t.Error("a store without a file was marked")
	}
}

// The time between two recordings was not watched, also where the first was killed.
func TestWatchedLeavesOutTheTimeBetween(t *testing.T) {
	for _, killed := range []bool{false, true} {
		now := flowtest.Epoch
		opts := capture.Options{Now: func() time.Time { return now }}
		s, path := create(t, opts)
		seen := func(watched time.Duration) {
			t.Helper()
			if got, err := s.Watched(context.Background()); err != nil || got != watched {
				t.Errorf("killed %v: watched for %v, want %v, error %v", killed, got, watched, err)
			}
			story, err := s.Story(context.Background())
			var sum time.Duration
			for _, span := range story.Spans {
				sum += span.To.Sub(span.From)
			}
			if err != nil || sum != watched {
				t.Errorf("killed %v: spans %v of %v, want %v, error %v", killed, story.Spans, sum, watched, err)
			}
		}
		f := flowtest.Get("https://a.example/", flowtest.ID(s.NextID()), flowtest.At(4*time.Minute))
		f.Times.End = f.Times.Start
		observe(t, s, f)
		now = now.Add(10 * time.Minute)
		seen(10 * time.Minute) // of this recording, it ends now
		s.Close()
		first := 10 * time.Minute
		if killed {
			queryRW(t, path, "UPDATE sessions SET ended = NULL RETURNING id")
			first = 4 * time.Minute
		}
		now = now.Add(72 * time.Hour)
		s, err := capture.Create(path, opts)
		if err != nil {
			t.Fatal(err)
		}
		observe(t, s, flowtest.Get("https://a.example/", flowtest.ID(s.NextID()), flowtest.At(72*time.Hour+11*time.Minute)))
		now = now.Add(5 * time.Minute)
		seen(first + 5*time.Minute)
		s.Close()
		s = reopen(t, path, capture.Options{})
		seen(first + 5*time.Minute)
	}
}
