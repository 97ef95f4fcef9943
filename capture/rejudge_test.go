package capture_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// switchJudge is a hostJudge for exchanges and finds fault with each frame that
// holds one of its words.
type switchJudge struct {
	hostJudge
	word string
}

func (p switchJudge) Judge(f *flow.Flow) policy.Judgement {
	j := p.hostJudge.Judge(f)
	for _, fr := range f.Frames {
		if string(fr.Data) == p.word {
			j.Verdict = policy.Violation
			j.Findings = append(j.Findings, policy.Finding{Rule: policy.ValueLeaked, Host: f.Host(), Subject: p.word})
		}
	}
	return j
}

// produce observes flows until told to stop: ones that end at once, ones that stay
// open for a while, WebSockets whose frames come one by one, and, with again set,
// flows of an earlier session anew. Without an end of its own it would outrun a slow
// machine for ever.
func produce(s *capture.Store, seed uint64, stop *atomic.Bool, again flow.ID) {
	random := rand.New(rand.NewPCG(seed, 1))
	var open []*flow.Flow
	end := func(f *flow.Flow) {
		done := *f
		done.Outcome, done.Times.End = flow.Completed, f.Times.Start.Add(time.Second)
		done.FrameOffset, done.Frames = f.FrameOffset+len(f.Frames), nil
		s.Observe(&done)
	}
	for i := 0; i < 400 && !stop.Load(); i++ {
		id := s.NextID()
		if again > 0 && i%100 == 0 {
			id = 1 + flow.ID(random.Int64N(int64(again)))
		}
		at := flowtest.At(time.Duration(id) * time.Millisecond)
		switch random.IntN(8) {
		case 0:
			ws := flowtest.WebSocket("wss://b.canada.ca/", []flow.Frame{flowtest.Text(true, 0, fmt.Sprint("word", i%3))}, flowtest.ID(id), at, flowtest.Outcome(flow.Open))
			s.Observe(ws)
			open = append(open, ws)
		case 1:
			f := flowtest.Get("https://open.example/", flowtest.ID(id), at, flowtest.Outcome(flow.Open))
			s.Observe(f)
			open = append(open, f)
		default:
			s.Observe(flowtest.Get(fmt.Sprintf("https://h%d.%s/", i%9, []string{"example", "canada.ca"}[i%2]), flowtest.ID(id), at))
		}
		if len(open) > 200 { // the oldest moves on, and ends sooner or later
			f := *open[0]
			open = open[1:]
			if f.Kind == flow.WebSocket && random.IntN(2) == 0 {
				f.FrameOffset, f.Frames = f.FrameOffset+len(f.Frames), []flow.Frame{flowtest.Text(true, 0, fmt.Sprint("word", i%3))}
				s.Observe(&f)
				open = append(open, &f)
			} else {
				end(&f)
			}
		}
	}
}

// The totals after a change of the policy, made while producers are at work, are
// those of the file read afresh.
func TestRejudgeBesideProducers(t *testing.T) {
	for _, tt := range []struct {
		name  string
		again flow.ID
	}{{"new flows", 0}, {"and flows recorded anew", 500}} {
		t.Run(tt.name, func(t *testing.T) {
			s, path := create(t, capture.Options{Judge: switchJudge{word: "word0"}})
			for range 500 {
				id := s.NextID()
				s.Observe(flowtest.Get("https://earlier.example/", flowtest.ID(id), flowtest.At(time.Duration(id)*time.Millisecond)))
			}
			s.Close()
			s, err := capture.Create(path, capture.Options{Judge: switchJudge{word: "word0"}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var stop atomic.Bool
			var producers sync.WaitGroup
			for seed := range uint64(2) {
				producers.Go(func() { produce(s, seed, &stop, tt.again) })
			}
			var last switchJudge
			for i := range 3 {
				last = switchJudge{hostJudge{allow: []string{".example", ".canada.ca"}[i%2]}, fmt.Sprint("word", i%3)}
				if err := s.Rejudge(context.Background(), last, nil); err != nil {
					t.Error(err)
				}
				s.Summary()
			}
			stop.Store(true)
			producers.Wait()
			if tt.again > 0 { // each that was recorded anew since counts as another one
				err = s.Rejudge(context.Background(), last, nil)
			}
			if err := errors.Join(err, s.Sync()); err != nil {
				t.Fatal(err)
			}
			want := reopen(t, path, capture.Options{Judge: last}).Summary()
			if diff := cmp.Diff(want, s.Summary(), cmpopts.EquateEmpty(), capture.SameEvidence); diff != "" {
				t.Errorf("(-read afresh +live):\n%s", diff)
			}
			for _, q := range []capture.Query{{Limit: 300}, {Last: true, Limit: 300}} {
				checkVerdicts(t, s, q, last)
			}
		})
	}
}

// checkVerdicts fails unless exchanges of a page have the verdict of the policy.
func checkVerdicts(t *testing.T, s *capture.Store, q capture.Query, judge policy.Judge) {
	t.Helper()
	page, err := s.Flows(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page {
		if r.Flow.Kind != flow.WebSocket && !cmp.Equal(r.Judgement, judge.Judge(r.Flow)) {
			t.Fatalf("flow %d has the verdict of another policy: %+v", r.Flow.ID, r.Judgement)
		}
	}
}

// What an earlier policy said of frames that came before does not stick to a
// WebSocket that goes on.
func TestRejudgeOpenWebSocket(t *testing.T) {
	s, _ := create(t, capture.Options{Judge: switchJudge{word: "old"}})
	state := func(offset int, outcome flow.Outcome, words ...string) {
		t.Helper()
		var frames []flow.Frame
		for _, w := range words {
			frames = append(frames, flowtest.Text(true, 0, w))
		}
		f := flowtest.WebSocket("wss://b.canada.ca/", frames, flowtest.ID(1), flowtest.Outcome(outcome))
		f.FrameOffset = offset
		observe(t, s, f)
	}
	check := func(what, want string) {
		t.Helper()
		sum, got := s.Summary(), []string{}
		for _, v := range sum.Violations {
			got = append(got, v.Finding.Subject)
		}
		if sum.Flows != 1 || fmt.Sprint(got) != want {
			t.Errorf("%s: %d flows, leaks %v, want %s", what, sum.Flows, got, want)
		}
	}
	state(0, flow.Open, "old", "new")
	check("before", "[old]")
	if err := s.Rejudge(context.Background(), switchJudge{word: "new"}, nil); err != nil {
		t.Fatal(err)
	}
	check("judged again", "[new]")
	state(2, flow.Open, "old")
	check("gone on", "[new]")
	state(3, flow.Completed)
	check("ended", "[new]")
}

func TestRejudgeTellsProgressAndCanBeCancelled(t *testing.T) {
	s, path := create(t, capture.Options{Judge: hostJudge{}})
	scattered(t, s)
	before := s.Summary()
	ctx, cancel := context.WithCancel(context.Background())
	err := s.Rejudge(ctx, hostJudge{allow: ".example"}, func(int, int) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if diff := cmp.Diff(before, s.Summary(), capture.SameEvidence); diff != "" {
		t.Errorf("cancelled, it changed (-before +after):\n%s", diff)
	}
	checkVerdicts(t, s, capture.Query{Limit: 100}, hostJudge{})
	progress := func(reports *[]int) func(done, total int) {
		return func(done, total int) {
			if total != 3001 {
				t.Errorf("%d of %d", done, total)
			}
			*reports = append(*reports, done)
		}
	}
	check := func(what string, reports []int) {
		t.Helper()
		if len(reports) < 3 || reports[len(reports)-1] != 3001 {
			t.Errorf("%s: progress %v", what, reports)
		}
		for i := range reports[1:] {
			if reports[i] >= reports[i+1] {
				t.Errorf("%s: progress %v", what, reports)
			}
		}
	}
	var reports []int
	if err := s.Rejudge(context.Background(), hostJudge{allow: ".example"}, progress(&reports)); err != nil {
		t.Fatal(err)
	}
	check("rejudge", reports)
	s.Close()
	reports = nil
	reopen(t, path, capture.Options{Judge: hostJudge{}, Progress: progress(&reports)})
	check("open", reports)
	cancelled, err := capture.OpenContext(ctx, path, capture.Options{Judge: hostJudge{}})
	if !errors.Is(err, context.Canceled) || cancelled != nil {
		t.Errorf("opening, cancelled: %v", err)
	}
}

// Close ends what is being judged again.
func TestCloseWhileJudgingAgain(t *testing.T) {
	s, _ := create(t, capture.Options{Judge: hostJudge{}})
	scattered(t, s)
	started := make(chan struct{})
	result := make(chan error)
	go func() {
		var once sync.Once
		result <- s.Rejudge(context.Background(), hostJudge{}, func(int, int) {
			once.Do(func() { close(started) })
		})
	}()
	<-started
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-result; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := s.Rejudge(context.Background(), hostJudge{}, nil); err == nil {
		t.Error("a closed store judges")
	}
}

// contentJudge notes whether it was given bodies and frames to read.
type contentJudge struct {
	hostJudge
	reads bool
	bytes *atomic.Int64
}

func (p contentJudge) ReadsContent() bool { return p.reads }

func (p contentJudge) Judge(f *flow.Flow) policy.Judgement {
	if f.Request != nil {
		p.bytes.Add(int64(len(f.Request.Body.Content)))
	}
	p.bytes.Add(int64(len(f.Frames)))
	return p.hostJudge.Judge(f)
}

// Contents are loaded for judges that read them, and for no others.
func TestContentsForJudgesThatReadThem(t *testing.T) {
	s, path := create(t, capture.Options{Judge: hostJudge{}})
	scattered(t, s)
	s.Close()
	for _, reads := range []bool{true, false} {
		judge := contentJudge{reads: reads, bytes: new(atomic.Int64)}
		reopen(t, path, capture.Options{Judge: judge})
		if got := judge.bytes.Load() > 0; got != reads {
			t.Errorf("reads content %v: was given some: %v", reads, got)
		}
	}
}

// replacingJudge reads no content, and has its policy replaced when it is asked that.
type replacingJudge struct {
	hostJudge
	asked *func()
}

func (p replacingJudge) ReadsContent() bool {
	(*p.asked)()
	return false
}

// A policy that is replaced while a page is read decides by what it reads itself, not
// by what the former one had loaded.
func TestPolicyIsReplacedWhileAPageIsRead(t *testing.T) {
	s, path := create(t, capture.Options{Judge: hostJudge{}})
	scattered(t, s)
	s.Close()
	asked := func() {}
	s = reopen(t, path, capture.Options{Judge: replacingJudge{asked: &asked}})
	withContent := contentJudge{reads: true, bytes: new(atomic.Int64)}
	asked = sync.OnceFunc(func() {
		if err := s.Rejudge(context.Background(), withContent, nil); err != nil {
			t.Error(err)
		}
	})
	page := func() {
		if _, err := s.Flows(context.Background(), capture.Query{Limit: 1}); err != nil {
			t.Fatal(err)
		}
	}
	page()
	withContent.bytes.Store(0)
	if page(); withContent.bytes.Load() == 0 {
		t.Error("the new policy was given no content, or what it said without was remembered")
	}
}
