package capture_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"context"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// documentOf is what a test says of an occurrence.
func documentOf(o capture.Occurrence) []byte {
	return fmt.Appendf(nil, `{"seq":%d,"host":%q,"count":%d,"phase":%q,"device":%q}`, o.Seq, o.Finding.Host, o.Count, o.Flow.Phase, o.Device)
}

// said returns the documents of all events behind one, and fails where their order or
// their numbers are wrong.
func said(t testing.TB, s *capture.Store, after int64) (documents []string) {
	t.Helper()
	events, err := s.Events(after, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Seq <= after || e.Time.IsZero() || !json.Valid(e.Document) {
			t.Errorf("event %+v behind %d", e, after)
		}
		after = e.Seq
		if e.Kind != "violation" {
			documents = append(documents, fmt.Sprintf("%s %s %s", e.Kind, e.Subject, e.Document))
			continue
		}
		var d struct {
			Seq   int64
			Host  string
			Count int
		}
		if err := json.Unmarshal(e.Document, &d); err != nil || d.Seq != e.Seq || d.Count != e.Count || e.Flow == 0 {
			t.Errorf("event %+v with document %s", e, e.Document)
		}
		if want := (policy.Finding{Rule: policy.HostNotAllowed, Host: d.Host}).Fingerprint(); e.Subject != want {
			t.Errorf("subject %s, want %s", e.Subject, want)
		}
		documents = append(documents, fmt.Sprintf("%s %d", d.Host, d.Count))
	}
	return documents
}

func expect(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func get(s *capture.Store, host string, opts ...flowtest.Option) *flow.Flow {
	return flowtest.Get("https://"+host+"/", append(opts, flowtest.ID(s.NextID()))...)
}

// telling records under a judge, with events.
var telling = capture.Options{Judge: hostJudge{}, Tell: documentOf}

func TestEventsAtTheFirstAndEachTenthTime(t *testing.T) {
	s, path := create(t, telling)
	s.Mark("before consent")
	observe(t, s, get(s, "ok.canada.ca"), get(s, "x.waived.example"), get(s, "evil.example"), get(s, "bad.example", flowtest.Device("Ann's phone")))
	expect(t, "first", said(t, s, 0), "evil.example 1", "bad.example 1")
	events, err := s.Events(0, 0)
	if err != nil || string(events[1].Document) != `{"seq":2,"host":"bad.example","count":1,"phase":"before consent","device":"Ann's phone"}` || events[1].Flow != 4 {
		t.Errorf("%+v, %s", events, events[1].Document)
	}
	for range 100 {
		s.Observe(get(s, "evil.example"))
	}
	observe(t, s)
	expect(t, "tenfold", said(t, s, 2), "evil.example 10", "evil.example 100")
	if page, err := s.Events(1, 2); err != nil || len(page) != 2 || page[0].Seq != 2 || page[1].Seq != 3 {
		t.Errorf("a page: %+v, %v", page, err)
	}
	s.Told(3)
	expect(t, "read back from the file", said(t, s, 0), "evil.example 1", "bad.example 1", "evil.example 10", "evil.example 100")
	id := s.AuditID()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, "after the end", said(t, s, 3), "evil.example 100")
	r := reopen(t, path, capture.Options{})
	expect(t, "from the file", said(t, r, 0), "evil.example 1", "bad.example 1", "evil.example 10", "evil.example 100")
	expect(t, "from the file, behind one", said(t, r, 3), "evil.example 100")
	if r.AuditID() != id || len(id) < 16 {
		t.Errorf("audit %q, was %q", r.AuditID(), id)
	}
	r.Tell("trouble", "", func(int64) []byte { t.Error("a reader makes events"); return nil })
}

func TestEventsGoOnInTheNextSession(t *testing.T) {
	s, path := create(t, telling)
	for range 8 {
		s.Observe(get(s, "evil.example"))
	}
	s.Tell("device", "192.0.2.9", func(seq int64) []byte { return fmt.Appendf(nil, `{"n":%d}`, seq) })
	s.Tell("nothing", "", func(int64) []byte { return nil })
	if err := s.Sync(); err != nil { // else what comes next may be of the same batch, and before
		t.Fatal(err)
	}
	observe(t, s, get(s, "bad.example"))
	id := s.AuditID()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := capture.Create(path, telling)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	expect(t, "what was there", said(t, s, 0), "evil.example 1", `device 192.0.2.9 {"n":2}`, "bad.example 1")
	observe(t, s, get(s, "evil.example"), get(s, "bad.example"))
	expect(t, "known before", said(t, s, 3))
	observe(t, s, get(s, "evil.example"), get(s, "new.example"))
	expect(t, "the tenth in all", said(t, s, 3), "evil.example 10", "new.example 1")
	if s.AuditID() != id {
		t.Errorf("audit %q, was %q", s.AuditID(), id)
	}
}

// A violation that the policy did not know when it happened is told of at the next flow;
// one that was told of is not new.
func TestEventsAfterRejudging(t *testing.T) {
	opts := telling
	opts.Judge = hostJudge{allow: ".example"}
	s, _ := create(t, opts)
	observe(t, s, get(s, "a.example"), get(s, "a.example"), get(s, "b.other"))
	expect(t, "first policy", said(t, s, 0), "b.other 1")
	open := get(s, "a.example", flowtest.Outcome(flow.Open))
	open.Times.End = time.Time{}
	observe(t, s, open)
	rejudge := func(j policy.Judge) {
		t.Helper()
		if err := s.Rejudge(context.Background(), j, nil); err != nil {
			t.Fatal(err)
		}
	}
	rejudge(hostJudge{})
	observe(t, s, get(s, "b.other"))
	expect(t, "nothing new", said(t, s, 1))
	observe(t, s, get(s, "a.example"))
	expect(t, "of what is now a violation", said(t, s, 1), "a.example 4")
	rejudge(hostJudge{allow: ".example"})
	rejudge(hostJudge{})
	closed := *open
	closed.Outcome, closed.Times.End = flow.Completed, time.Now()
	observe(t, s, get(s, "a.example"), &closed)
	expect(t, "told of already", said(t, s, 2))
	for range 5 {
		s.Observe(get(s, "a.example"))
	}
	observe(t, s)
	expect(t, "tenth", said(t, s, 2), "a.example 10")
}

func TestEventsOfOpenFlows(t *testing.T) {
	s, path := create(t, telling)
	chat := flowtest.WebSocket("wss://chat.example/", []flow.Frame{flowtest.Text(true, 0, "one")}, flowtest.ID(s.NextID()))
	open := *chat
	open.Outcome, open.Times.End = flow.Open, time.Time{}
	for i := range 4 {
		state := open
		state.FrameOffset = i
		observe(t, s, &state)
	}
	expect(t, "open", said(t, s, 0), "chat.example 1")
	chat.FrameOffset = 4
	observe(t, s, chat)
	if s.Summary().Violations[0].Count != 1 {
		t.Fatal("the flow counts more than once")
	}
	expect(t, "ended", said(t, s, 1))
	for range 9 {
		s.Observe(get(s, "chat.example"))
	}
	observe(t, s)
	expect(t, "tenth", said(t, s, 1), "chat.example 10")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := query(t, path, "SELECT group_concat(seq || ' ' || flow_id || ' ' || count) FROM events"); got != "1 1 1,2 10 10" {
		t.Error(got)
	}
}

// A question of DNS is a part of the violation that the connection is.
func TestQuestionsOfKnownViolationsMakeNoEvents(t *testing.T) {
	s, _ := create(t, telling)
	observe(t, s, get(s, "evil.example"), flowtest.DNS("evil.example", flowtest.ID(s.NextID())), flowtest.DNS("asked.example", flowtest.ID(s.NextID())))
	expect(t, "questions", said(t, s, 0), "evil.example 1", "asked.example 1")
}

func TestWithoutTellThereAreNoEvents(t *testing.T) {
	s, path := create(t, capture.Options{Judge: hostJudge{}})
	observe(t, s, get(s, "evil.example"))
	s.Tell("summary", "", func(int64) []byte { return []byte("{}") })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := query(t, path, "SELECT group_concat(kind) FROM events"); got != "summary" {
		t.Error(got)
	}
}

func TestNoDocumentNoEvent(t *testing.T) {
	opts := telling
	opts.Tell = func(o capture.Occurrence) []byte {
		if o.Finding.Host == "quiet.example" {
			return nil
		}
		return documentOf(o)
	}
	s, _ := create(t, opts)
	observe(t, s, get(s, "quiet.example"), get(s, "evil.example"))
	expect(t, "events", said(t, s, 0), "evil.example 1")
}

func TestEventsWithoutAFile(t *testing.T) {
	s := capture.New(telling)
	defer s.Close()
	wake, done := s.Wake()
	defer done()
	s.Observe(get(s, "evil.example"))
	for len(said(t, s, 0)) == 0 {
		<-wake
	}
	s.Tell("trouble", "disk", func(seq int64) []byte { return []byte(`{}`) })
	for len(said(t, s, 1)) == 0 {
		<-wake
	}
	s.Told(1)
	expect(t, "after those that were taken", said(t, s, 0), "trouble disk {}")
	other := capture.New(telling)
	defer other.Close()
	if s.AuditID() == "" || s.AuditID() == other.AuditID() {
		t.Errorf("audit %q", s.AuditID())
	}
}

// Producers, a reader that takes events, and a policy that changes: each event is handed
// out once, in order.
func TestEventsUnderLoad(t *testing.T) {
	s, path := create(t, telling)
	const producers, each = 4, 300
	var running sync.WaitGroup
	for p := range producers {
		running.Go(func() {
			for i := range each {
				s.Observe(get(s, fmt.Sprintf("h%d-%d.example", p, i/10)))
			}
		})
	}
	taken, stop, reader := map[string]int{}, make(chan struct{}), make(chan struct{})
	wake, done := s.Wake()
	defer done()
	var last int64
	take := func() {
		events, err := s.Events(last, 7)
		for err == nil && len(events) > 0 {
			for _, e := range events {
				if e.Seq != last+1 {
					t.Errorf("%d behind %d", e.Seq, last)
				}
				last = e.Seq
				taken[e.Subject+fmt.Sprint(e.Count)]++
			}
			s.Told(last)
			events, err = s.Events(last, 7)
		}
		if err != nil {
			t.Error(err)
		}
	}
	go func() {
		defer close(reader)
		for {
			select {
			case <-wake:
				take()
			case <-stop:
				return
			}
		}
	}()
	running.Wait()
	if err := s.Rejudge(context.Background(), hostJudge{}, nil); err != nil {
		t.Error(err)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	close(stop)
	<-reader
	take()
	if len(taken) != 2*producers*each/10 { // the first and the tenth of each
		t.Errorf("%d events", len(taken))
	}
	for key, n := range taken {
		if n != 1 {
			t.Errorf("%s was handed out %d times", key, n)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := query(t, path, "SELECT count(*) || ' ' || max(seq) FROM events"); got != "240 240" {
		t.Error(got)
	}
}

// After a kill, every event of a flow that is in the file is there, once, and none of a
// flow that is not.
func TestKilledRecorderKeepsEventsWithTheirFlows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.telltale")
	audit := ""
	for range 2 {
		cmd, lines := command(t, self(t), "tell", path)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() && lines.Text() != "500" {
			if strings.HasPrefix(lines.Text(), "error") {
				t.Fatal(lines.Text())
			}
		}
		if err := cmd.Process.Kill(); err != nil { // in the middle of its work
			t.Fatal(err)
		}
		cmd.Wait()
		r := reopen(t, path, telling)
		told := map[string]int{}
		events, err := r.Events(0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			told[fmt.Sprintf("%s %d", e.Subject, e.Count)]++
			if _, err := r.Flow(context.Background(), e.Flow); err != nil {
				t.Errorf("event %d: flow %d: %v", e.Seq, e.Flow, err)
			}
		}
		due := 0
		for _, v := range r.Summary().Violations {
			for n := 1; n <= v.Count; n *= 10 {
				due++
				if told[fmt.Sprintf("%s %d", v.ID, n)] != 1 {
					t.Errorf("%s (%d flows) was told of %d times at %d", v.Finding.Host, v.Count, told[fmt.Sprintf("%s %d", v.ID, n)], n)
				}
			}
		}
		if due != len(events) || due == 0 {
			t.Errorf("%d events, want %d", len(events), due)
		}
		if audit != "" && r.AuditID() != audit {
			t.Errorf("audit %q, was %q", r.AuditID(), audit)
		}
		audit = r.AuditID()
		r.Close()
	}
	if got := query(t, path, "SELECT max(seq) > 1048576 FROM events"); got != "1" {
		t.Error("numbers that may have been handed out are given again after a kill")
	}
}
