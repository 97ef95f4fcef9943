package capture_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

func TestSecondSessionContinues(t *testing.T) {
	s, path := create(t, capture.Options{Judge: hostJudge{}})
	s.Note("no UDP is seen")
	observe(t, s, flowtest.Get("https://x.example/", flowtest.ID(s.NextID())), flowtest.Get("https://y.example/", flowtest.ID(s.NextID()), flowtest.Outcome(flow.Open)))
	if !capture.Recording(path) || capture.Recording(path+"2") {
		t.Error("a recorder is missed, or one is seen where there is no capture")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if capture.Recording(path) {
		t.Error("a recorder that has ended is seen")
	}
	again, err := capture.Create(path, capture.Options{Judge: hostJudge{}})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if id := again.NextID(); id != 3 {
		t.Errorf("next ID %d", id)
	}
	observe(t, again, flowtest.Get("https://x.example/", flowtest.ID(3)))
	sum := again.Summary()
	if sum.Flows != 3 || sum.Health.Open != 1 || len(sum.Violations) != 2 || sum.Violations[0].Count != 2 {
		t.Errorf("summary %+v", sum)
	}
	if !cmp.Equal(sum.Health.Notes, []string{"no UDP is seen"}) {
		t.Errorf("notes %q", sum.Health.Notes)
	}
}

func TestRejudge(t *testing.T) {
	s, path := create(t, capture.Options{Judge: hostJudge{}})
	observe(t, s, flowtest.Number(flowtest.Get("https://a.canada.ca/"), flowtest.Get("https://b.example/"),
		flowtest.Get("https://b.example/", flowtest.Outcome(flow.Open)))...)
	if sum := s.Summary(); sum.Allowed != 1 || sum.Violating != 2 {
		t.Fatalf("before: %+v", sum)
	}
	if err := s.Rejudge(context.Background(), hostJudge{allow: ".example"}, nil); err != nil {
		t.Fatal(err)
	}
	check := func(s *capture.Store) {
		t.Helper()
		if sum := s.Summary(); sum.Flows != 3 || sum.Allowed != 2 || sum.Violating != 1 || sum.Health.Open != 1 {
			t.Errorf("after: %+v", sum)
		}
		page, err := s.Flows(context.Background(), capture.Query{})
		if err != nil || page[0].Judgement.Verdict != policy.Violation || page[1].Judgement.Verdict != policy.Allowed || page[2].Judgement.Verdict != policy.Allowed {
			t.Errorf("page %v, error %v", page, err)
		}
	}
	check(s)
	s.Close()
	read := reopen(t, path, capture.Options{Judge: hostJudge{}})
	if err := read.Rejudge(context.Background(), hostJudge{allow: ".example"}, nil); err != nil {
		t.Fatal(err)
	}
	check(read)
	memory := capture.New(capture.Options{})
	defer memory.Close()
	if err := memory.Rejudge(context.Background(), hostJudge{}, nil); !errors.Is(err, capture.ErrNotRecorded) {
		t.Errorf("totals only: %v", err)
	}
}

func TestLiveAndReadBackAgree(t *testing.T) {
	s, path := create(t, capture.Options{Judge: hostJudge{}})
	memory := capture.New(capture.Options{Judge: hostJudge{}})
	defer memory.Close()
	observe(t, s, everyKind()...)
	observe(t, memory, everyKind()...)
	live := s.Summary()
	if diff := cmp.Diff(live, memory.Summary(), capture.SameEvidence); diff != "" {
		t.Errorf("file against none:\n%s", diff)
	}
	s.Close()
	if diff := cmp.Diff(live, reopen(t, path, capture.Options{Judge: hostJudge{}}).Summary(), capture.SameEvidence); diff != "" {
		t.Errorf("live against read back:\n%s", diff)
	}
}

func TestWakeCoalesces(t *testing.T) {
	s := capture.New(capture.Options{})
	defer s.Close()
	wake, stop := s.Wake()
	other, stopOther := s.Wake()
	defer stopOther()
	for range 3 {
		observe(t, s, flowtest.Get("https://x.example/", flowtest.ID(s.NextID())))
	}
	<-wake
	<-other
	select {
	case <-wake:
		t.Error("a second token for the same news")
	default:
	}
	stop()
	observe(t, s, flowtest.Get("https://x.example/", flowtest.ID(s.NextID())))
	<-other
	select {
	case <-wake:
		t.Error("woken after stop")
	default:
	}
}
