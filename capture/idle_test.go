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
