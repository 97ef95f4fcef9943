package capture_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// secretJudge forbids the word "secret" in what a device sends, as never-send does.
type secretJudge struct{}

func (secretJudge) ReadsContent() bool { return true }

func (secretJudge) Judge(f *flow.Flow) policy.Judgement {
	j := policy.Judgement{Host: f.Host(), Verdict: policy.Allowed}
	if len(secretsIn(f)) > 0 {
		j.Verdict = policy.Violation
		j.Findings = []policy.Finding{{Rule: policy.ValueLeaked, Severity: policy.SeverityError, Host: f.Host(), Subject: "word"}}
	}
	return j
}

func secretsIn(f *flow.Flow) (leaks []flow.Leak) {
	leaks = slices.Clone(f.Leaks)
	found := f.Request != nil && strings.Contains(string(f.Request.Body.Content), "secret")
	for _, frame := range f.Frames {
		found = found || frame.FromClient && strings.Contains(string(frame.Data), "secret")
	}
	if found && len(leaks) == 0 {
		leaks = []flow.Leak{{Name: "word", Where: []string{"body"}}}
	}
	return leaks
}

// keeping records contents as a policy with this section asks.
func keeping(r policy.Recording) capture.Options {
	return capture.Options{
		Judge: secretJudge{}, Leaks: secretsIn,
		KeepBodies: func(f *flow.Flow, j policy.Judgement) bool { return r.Keeps(f.Host(), "", j) },
	}
}

func post(s *capture.Store, host, body string) *flow.Flow {
	return flowtest.Post("https://"+host+"/", body, flowtest.ID(s.NextID()), flowtest.ResponseBody("text/plain", "answer to "+body))
}

// opened is the first state of a flow.
func opened(f *flow.Flow) *flow.Flow {
	c := *f
	c.Outcome, c.Times.End, c.Response, c.Frames = flow.Open, time.Time{}, nil, nil
	return &c
}

// holds reports whether a text stands anywhere in the file as bytes; contents shorter than
// 512 bytes are not compressed.
func holds(t *testing.T, path, text string) bool {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err == nil && strings.Contains(string(b), text) {
			return true
		}
	}
	return false
}

func TestContentsThatThePolicyDoesNotKeep(t *testing.T) {
	s, path := create(t, keeping(policy.Recording{Bodies: policy.ViolationsBodies}))
	plain, leak := post(s, "a.example", "harmless-plainword"), post(s, "b.example", "my secret")
	observe(t, s, opened(plain), opened(leak))
	observe(t, s) // open states were written
	if holds(t, path, "harmless-plainword") || holds(t, path, "my secret") {
		t.Error("contents of open flows are written before it is known whether they are kept")
	}
	observe(t, s, plain, leak)
	check := func(s *capture.Store) {
		t.Helper()
		sum := s.Summary()
		if sum.Violating != 1 || sum.Allowed != 1 || sum.Health.Cut != 0 || sum.Health.Omitted != 1 {
			t.Errorf("%d violate, %d are allowed, %d cut, %d omitted", sum.Violating, sum.Allowed, sum.Health.Cut, sum.Health.Omitted)
		}
		got, err := s.Flow(context.Background(), plain.ID)
		if err != nil {
			t.Fatal(err)
		}
		q, r := got.Flow.Request.Body, got.Flow.Response.Body
		if !got.Flow.Omitted || q.Size != plain.Request.Body.Size || !q.Truncated || q.Digest != "" || !r.Truncated || r.Size != plain.Response.Body.Size || r.Digest != "" {
			t.Errorf("omitted %v, %+v, %+v", got.Flow.Omitted, q, r)
		}
		if kept, err := s.Flow(context.Background(), leak.ID); err != nil || kept.Flow.Omitted || kept.Flow.Request.Body.Truncated || kept.Flow.Request.Body.Digest == "" || kept.Judgement.Verdict != policy.Violation {
			t.Errorf("%+v, %v", kept.Flow, err)
		}
		if found, err := s.Flows(context.Background(), capture.Query{Text: "plainword"}); err != nil || len(found) != 0 {
			t.Errorf("found %d flows, error %v", len(found), err)
		}
	}
	check(s)
	if err := s.Rejudge(context.Background(), secretJudge{}, nil); err != nil {
		t.Fatal(err)
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if holds(t, path, "harmless-plainword") || !holds(t, path, "my secret") {
		t.Error("the file holds what it must not, or lacks what it must have")
	}
	check(reopen(t, path, capture.Options{Judge: secretJudge{}}))
}

// Also where nothing at all is kept, a value that leaked stays a violation.
func TestLeaksOutliveTheirContents(t *testing.T) {
	s, path := create(t, keeping(policy.Recording{Bodies: policy.NoBodies}))
	leak := post(s, "b.example", "my secret")
	observe(t, s, leak, post(s, "a.example", "harmless"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if holds(t, path, "my secret") {
		t.Error("the content is in the file")
	}
	r := reopen(t, path, capture.Options{Judge: secretJudge{}})
	got, err := r.Flow(context.Background(), leak.ID)
	if sum := r.Summary(); err != nil || sum.Violating != 1 || sum.Health.Omitted != 2 || sum.Health.Cut != 0 || len(got.Flow.Leaks) != 1 || got.Flow.Leaks[0].Name != "word" {
		t.Errorf("%d violate, %d omitted, leaks %v, error %v", sum.Violating, sum.Health.Omitted, got.Flow.Leaks, err)
	}
}

// Identifiers are looked for before contents are left out.
func TestExposuresOutliveTheirContents(t *testing.T) {
	s, path := create(t, keeping(policy.Recording{Bodies: policy.NoBodies}))
	f := flowtest.Post("https://a.example/", `{"idfa":"6d92078a-8246-4ba4-ae5b-76104861e7dc"}`, flowtest.ID(s.NextID()), flowtest.Header("Content-Type", "application/json"))
	observe(t, s, f)
	live := s.Summary().Trails
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if after := reopen(t, path, capture.Options{Judge: secretJudge{}}).Summary().Trails; len(live) == 0 || len(after) != len(live) {
		t.Errorf("%d trails, were %d", len(after), len(live))
	}
}

func TestFramesThatThePolicyDoesNotKeep(t *testing.T) {
	s, path := create(t, keeping(policy.Recording{Bodies: policy.ViolationsBodies}))
	chat := flowtest.WebSocket("wss://chat.example/", nil, flowtest.ID(s.NextID()))
	state := func(offset int, text string, ended bool) {
		t.Helper()
		c := *chat
		if !ended {
			c = *opened(chat)
		}
		c.FrameOffset, c.Frames = offset, []flow.Frame{flowtest.Text(true, 0, text)}
		observe(t, s, &c)
		if string(c.Frames[0].Data) != text {
			t.Error("the flow that was observed has changed")
		}
	}
	state(0, "first-harmless", false)
	state(1, "now a secret", false)
	state(2, "what follows", true)
	if s.Summary().Violating != 1 {
		t.Error("no violation")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if holds(t, path, "first-harmless") {
		t.Error("a message from before the violation is in the file")
	}
	r := reopen(t, path, capture.Options{Judge: secretJudge{}})
	frames, err := r.Frames(context.Background(), chat.ID, 0, 10)
	if err != nil || len(frames) != 3 || frames[0].Data != nil || !frames[0].Truncated || frames[0].Size != 14 || string(frames[1].Data) != "now a secret" || string(frames[2].Data) != "what follows" {
		t.Errorf("%+v, %v", frames, err)
	}
	if sum := r.Summary(); sum.Violating != 1 || sum.Health.Omitted != 1 {
		t.Errorf("%d violate, %d omitted", sum.Violating, sum.Health.Omitted)
	}
}

func TestNothingIsOmittedWhereThereWasNothing(t *testing.T) {
	s, _ := create(t, keeping(policy.Recording{Bodies: policy.NoBodies}))
	f := flowtest.Get("https://a.example/", flowtest.ID(s.NextID()))
	f.Response.Body = flow.Body{}
	observe(t, s, f)
	if got, err := s.Flow(context.Background(), f.ID); err != nil || got.Flow.Omitted || got.Flow.Request.Body.Truncated {
		t.Errorf("%+v, %v", got.Flow, err)
	}
}
