package outbox_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"telltale/notify"
	"telltale/notify/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	lab  = outbox.Destination{Name: "lab", Kind: "slack", Identity: "1111111111111111"}
	desk = outbox.Destination{Name: "desk", Kind: "mail", Identity: "2222222222222222"}
)

// clock is a time that a test sets.
type clock struct {
	mutex sync.Mutex
	at    time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 1, 0, 30, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.at = c.at.Add(d)
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "data folder?", "outbox.db") }

func open(t *testing.T, path string, c *clock) *outbox.Outbox {
	t.Helper()
	box, err := outbox.Open(path, outbox.Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	return box
}

func drafts(to outbox.Destination, ids ...string) []outbox.Draft {
	var list []outbox.Draft
	for _, id := range ids {
		list = append(list, outbox.Draft{To: to, Message: notify.Message{ID: id, Title: "title of " + id, Audit: "audit"}})
	}
	return list
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func claim(t *testing.T, box *outbox.Outbox, to outbox.Destination) (m outbox.Message, id string) {
	t.Helper()
	m, ok, err := box.Claim(to.Identity, 10*time.Second)
	must(t, err)
	if !ok {
		return m, ""
	}
	return m, m.ID
}

func one(t *testing.T, box *outbox.Outbox, id string) outbox.Message {
	t.Helper()
	list, err := box.List()
	must(t, err)
	i := slices.IndexFunc(list, func(m outbox.Message) bool { return m.ID == id })
	if i < 0 {
		t.Fatalf("no message %s in %v", id, list)
	}
	return list[i]
}

func TestEventsBecomeMessagesOnce(t *testing.T) {
	path, c := newPath(t), newClock()
	box := open(t, path, c)
	moved := filepath.Join(t.TempDir(), "moved.telltale")
	seq, err := box.Register("audit", filepath.Join(t.TempDir(), "a.telltale"))
	must(t, err)
	if seq != 0 {
		t.Errorf("a new audit is at %d", seq)
	}
	taking := outbox.Taking{Audit: "audit", From: 0, To: 7, Drafts: drafts(lab, "m1", "m2")}
	must(t, box.Take(taking))
	if err := box.Take(taking); !errors.Is(err, outbox.ErrTaken) {
		t.Errorf("taken twice: %v", err)
	}
	if err := box.Take(outbox.Taking{Audit: "unknown", To: 1}); !errors.Is(err, outbox.ErrTaken) {
		t.Errorf("an unknown audit: %v", err)
	}
	// A message that cannot be kept keeps the events from being taken.
	bad := outbox.Taking{Audit: "audit", From: 7, To: 9, Drafts: []outbox.Draft{drafts(lab, "m3")[0], {To: lab, Message: notify.Message{ID: "m4", First: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)}}}}
	if err := box.Take(bad); err == nil {
		t.Error("a time that has no JSON was kept")
	}
	box.Close()
	box = open(t, path, c)
	list, err := box.List(outbox.Waiting)
	must(t, err)
	if len(list) != 2 || list[0].ID != "m1" || list[1].Document.Title != "title of m2" || list[0].To != lab || list[0].Audit != "audit" {
		t.Errorf("waiting: %+v", list)
	}
	if seq, err := box.Register("audit", moved); err != nil || seq != 7 {
		t.Errorf("after a restart: %d, %v", seq, err)
	}
	sources, err := box.Sources()
	must(t, err)
	if len(sources) != 1 || sources[0].Path != moved || sources[0].Seq != 7 {
		t.Errorf("sources: %+v", sources)
	}
	must(t, box.Finish("audit"))
	if sources, err := box.Sources(); err != nil || len(sources) != 0 {
		t.Errorf("sources after the end: %v, %v", sources, err)
	}
	if seq, err := box.Taken("audit"); err != nil || seq != 7 {
		t.Errorf("what was taken is forgotten: %d, %v", seq, err)
	}
}

func TestOneClaimAtATime(t *testing.T) {
	path, c := newPath(t), newClock()
	a, b := open(t, path, c), open(t, path, c) // as two processes would
	must(t, a.Add(append(drafts(lab, "m1", "m2"), drafts(desk, "m3")...), nil))
	m1, id := claim(t, a, lab)
	if _, other := claim(t, b, lab); id != "m1" || other != "m2" {
		t.Errorf("claimed %s and %s", id, other)
	}
	if _, id := claim(t, b, lab); id != "" {
		t.Errorf("%s is claimed twice", id)
	}
	if at, ok, err := b.Next(lab.Identity); err != nil || !ok || !at.Equal(c.now().Add(10*time.Second)) {
		t.Errorf("next at %v, %v, %v", at, ok, err)
	}
	c.add(10 * time.Second) // the lease of a process that died
	again, id := claim(t, b, lab)
	if id != "m1" || again.Attempts != 2 {
		t.Errorf("after the lease: %s, %d attempts", id, again.Attempts)
	}
	// Who was first comes late: only that it was delivered still counts.
	must(t, a.Later(m1, time.Minute, "late"))
	must(t, a.Bury(m1, "late"))
	must(t, a.Release(m1))
	if m := one(t, b, "m1"); m.State != outbox.Waiting || m.Reason != "" || m.Attempts != 2 {
		t.Errorf("a claim that had ended changed %+v", m)
	}
	must(t, a.Delivered(m1, "ref"))
	must(t, b.Later(again, time.Minute, "late"))
	if m := one(t, b, "m1"); m.State != outbox.Delivered || m.Ref != "ref" || m.Document.Title != "" || m.Reason != "" {
		t.Errorf("delivered: %+v", m)
	}
}

func TestManyClaimantsGetEachMessageOnce(t *testing.T) {
	path, c := newPath(t), newClock()
	var ids []string
	for i := range 60 {
		ids = append(ids, fmt.Sprintf("m%03d", i))
	}
	must(t, open(t, path, c).Add(drafts(lab, ids...), nil))
	var all sync.WaitGroup
	var mutex sync.Mutex
	var got []string
	for range 3 {
		box := open(t, path, c)
		all.Go(func() {
			for {
				m, ok, err := box.Claim(lab.Identity, time.Minute)
				if err != nil {
					t.Error(err)
				}
				if !ok {
					return
				}
				mutex.Lock()
				got = append(got, m.ID)
				mutex.Unlock()
				if err := box.Delivered(m, ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	slices.Sort(got)
	if !slices.Equal(got, ids) {
		t.Errorf("%d claims of 60 messages", len(got))
	}
}

func TestWhatFailsWaitsBehindWhatDoesNot(t *testing.T) {
	c := newClock()
	box := open(t, newPath(t), c)
	must(t, box.Add(drafts(lab, "poison", "m2"), nil))
	m, _ := claim(t, box, lab)
	must(t, box.Later(m, time.Minute, "the receiver answered 500"))
	m2, id := claim(t, box, lab)
	if id != "m2" {
		t.Fatalf("claimed %q", id)
	}
	must(t, box.Release(m2))
	if m := one(t, box, "m2"); m.Attempts != 0 {
		t.Errorf("an attempt that we broke off counts: %d", m.Attempts)
	}
	m2, _ = claim(t, box, lab)
	must(t, box.Bury(m2, "the receiver answered 404"))
	if _, id := claim(t, box, lab); id != "" {
		t.Errorf("%s is tried too early", id)
	}
	if at, ok, err := box.Next(lab.Identity); err != nil || !ok || !at.Equal(c.now().Add(time.Minute)) {
		t.Errorf("next at %v, %v, %v", at, ok, err)
	}
	counts, err := box.Counts()
	must(t, err)
	if len(counts) != 1 || counts[0].Waiting != 1 || counts[0].Dead != 1 || counts[0].Reason == "" {
		t.Errorf("counts: %+v", counts)
	}
	c.add(time.Minute)
	m, id = claim(t, box, lab)
	if id != "poison" || m.Attempts != 2 || m.Reason != "the receiver answered 500" {
		t.Errorf("after its pause: %+v", m)
	}
	must(t, box.Later(m, 1000*time.Hour, "too long"))
	if m := one(t, box, "poison"); m.Next.Sub(c.now()) != outbox.LongestPause {
		t.Errorf("it waits %v", m.Next.Sub(c.now()))
	}
}

func TestAClockThatIsSetBackHoldsNothingUp(t *testing.T) {
	c := newClock()
	box := open(t, newPath(t), c)
	must(t, box.Add(drafts(lab, "claimed", "paused"), nil))
	claim(t, box, lab)
	paused, _ := claim(t, box, lab)
	must(t, box.Later(paused, time.Minute, ""))
	must(t, box.Add(nil, []outbox.Escalation{{Audit: "audit", Violation: "v1", To: desk, After: time.Hour, Due: c.now().Add(time.Hour)}}))
	c.add(-48 * time.Hour)
	if at, ok, err := box.Next(lab.Identity); err != nil || !ok || at.After(c.now()) {
		t.Errorf("next at %v, %v, %v", at, ok, err)
	}
	var got []string
	for range 2 {
		_, id := claim(t, box, lab)
		got = append(got, id)
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"claimed", "paused"}) {
		t.Errorf("due are %q", got)
	}
	_, next, err := box.Due([]string{desk.Identity})
	must(t, err)
	if !next.Equal(c.now().Add(time.Hour)) {
		t.Errorf("escalation at %v, %v from now", next, next.Sub(c.now()))
	}
}

func TestRetry(t *testing.T) {
	c := newClock()
	box := open(t, newPath(t), c)
	must(t, box.Add(drafts(lab, "abc1", "abd2", "abe3"), nil))
	for range 2 {
		m, _ := claim(t, box, lab)
		must(t, box.Bury(m, "no"))
	}
	m, _ := claim(t, box, lab)
	must(t, box.Delivered(m, ""))
	c.add(48 * time.Hour)
	for _, bad := range []string{"", "ab", "abe3", "x", "*", "[a]"} {
		var missing *outbox.NotFoundError
		if n, err := box.Retry(bad); !errors.As(err, &missing) || n != 0 || missing.Hint() == "" {
			t.Errorf("retry %q: %d, %v", bad, n, err)
		}
	}
	if _, err := box.Retry("abc", "x"); err == nil {
		t.Error("half of what was asked is no success")
	}
	if m := one(t, box, "abc1"); m.State != outbox.Dead {
		t.Errorf("a retry that failed changed %+v", m)
	}
	if n, err := box.Retry("abc"); err != nil || n != 1 {
		t.Errorf("retry: %d, %v", n, err)
	}
	if m := one(t, box, "abc1"); m.State != outbox.Waiting || m.Attempts != 0 || !m.Since.Equal(c.now()) || m.Made.Equal(c.now()) || !m.Ended.IsZero() {
		t.Errorf("sent again: %+v", m)
	}
	if n, err := box.Retry(); err != nil || n != 2 {
		t.Errorf("retry all: %d, %v", n, err)
	}
}

func TestLittleIsKept(t *testing.T) {
	c := newClock()
	box := open(t, newPath(t), c)
	must(t, box.Add(append(drafts(lab, "delivered", "dead", "waiting"), drafts(desk, "orphan")...), nil))
	m, _ := claim(t, box, lab)
	must(t, box.Delivered(m, ""))
	m, _ = claim(t, box, lab)
	must(t, box.Bury(m, "no"))
	states := func() string {
		t.Helper()
		must(t, box.Sweep([]string{lab.Identity}, func(string) bool { return false }))
		list, err := box.List()
		must(t, err)
		var all []string
		for _, m := range list {
			all = append(all, m.ID+" "+string(m.State))
		}
		return strings.Join(all, ", ")
	}
	const day = 24 * time.Hour
	for _, step := range []struct {
		after time.Duration
		want  string
	}{
		{7*day - time.Second, "delivered delivered, dead dead, waiting waiting, orphan waiting"},
		{2 * time.Second, "dead dead, waiting waiting, orphan dead"},
		{23 * day, "waiting waiting, orphan dead"},
		{7*day + time.Second, "waiting waiting"},
	} {
		c.add(step.after)
		if got := states(); got != step.want {
			t.Errorf("after %v more: %s, not %s", step.after, got, step.want)
		}
	}
}

func TestCapturesThatAreGoneAreForgotten(t *testing.T) {
	c := newClock()
	box := open(t, newPath(t), c)
	for _, audit := range []string{"gone", "there", ""} {
		_, err := box.Register("audit "+audit, audit)
		must(t, err)
		must(t, box.Take(outbox.Taking{Audit: "audit " + audit, To: 3}))
	}
	there := func(path string) bool { return filepath.IsAbs(path) && filepath.Base(path) == "there" }
	c.add(89 * 24 * time.Hour)
	must(t, box.Sweep(nil, there))
	if seq, err := box.Taken("audit gone"); err != nil || seq != 3 {
		t.Errorf("forgotten too early: %d, %v", seq, err)
	}
	c.add(2 * 24 * time.Hour)
	must(t, box.Sweep(nil, there))
	for audit, want := range map[string]int64{"audit gone": 0, "audit there": 3, "audit ": 0} {
		if seq, err := box.Taken(audit); err != nil || seq != want {
			t.Errorf("%s is at %d, %v", audit, seq, err)
		}
	}
}

func TestEscalations(t *testing.T) {
	path, c := newPath(t), newClock()
	box := open(t, path, c)
	plan := func(violation string, after time.Duration) outbox.Escalation {
		return outbox.Escalation{Audit: "audit", Violation: violation, To: desk, After: after, Due: c.now().Add(after), Event: []byte("{}")}
	}
	must(t, box.Add(nil, []outbox.Escalation{plan("aa1", time.Hour), plan("ab2", time.Hour), plan("b3", time.Hour), plan("c4", 2*time.Hour)}))
	must(t, box.Add(nil, []outbox.Escalation{plan("aa1", 5*time.Hour)})) // ten times as often: the first time counts
	var ambiguous *outbox.AmbiguousError
	if _, err := box.Acknowledge(outbox.Acknowledgement{Violation: "a", By: "link"}); !errors.As(err, &ambiguous) {
		t.Errorf("an ambiguous start: %v", err)
	}
	if done, err := box.Acknowledge(outbox.Acknowledgement{Violation: "ab", By: "link"}); err != nil || len(done) != 1 || done[0].Violation != "ab2" || done[0].Audit != "audit" || done[0].Before {
		t.Errorf("acknowledged %+v, %v", done, err)
	}
	if _, err := box.Acknowledge(outbox.Acknowledgement{By: "link"}); err == nil {
		t.Error("nothing was acknowledged")
	}
	if done, err := box.Acknowledge(outbox.Acknowledgement{Audit: "audit", Violation: "unheard of", By: "screen"}); err != nil || len(done) != 1 || done[0].Violation != "unheard of" {
		t.Errorf("acknowledged %+v, %v", done, err)
	}
	must(t, box.Add(nil, []outbox.Escalation{plan("unheard of", time.Minute)}))
	must(t, box.Settle("audit", "b3")) // waived
	box.Close()
	box = open(t, path, c)
	if ok, err := box.Acknowledged("audit", "ab2"); err != nil || !ok {
		t.Errorf("the acknowledgement is lost: %v", err)
	}
	c.add(time.Hour)
	if due, _, err := box.Due([]string{lab.Identity}); err != nil || len(due) != 0 {
		t.Errorf("due to another destination: %v, %v", due, err)
	}
	due, next, err := box.Due([]string{desk.Identity})
	must(t, err)
	if len(due) != 1 || due[0].Violation != "aa1" || !next.Equal(c.now().Add(time.Hour)) || string(due[0].Event) != "{}" || due[0].After != time.Hour {
		t.Fatalf("due: %+v, next %v", due, next)
	}
	for _, want := range []bool{true, false} {
		if done, err := box.Escalate(due, drafts(desk, fmt.Sprint("e", want))); err != nil || done != want {
			t.Errorf("escalated: %v, %v", done, err)
		}
	}
	list, err := box.List()
	must(t, err)
	if len(list) != 1 || list[0].To != desk {
		t.Errorf("messages: %+v", list)
	}
	c.add(time.Hour)
	due, _, err = box.Due([]string{desk.Identity})
	must(t, err)
	_, err = box.Acknowledge(outbox.Acknowledgement{Audit: "audit", Violation: "c4"})
	must(t, err)
	if done, err := box.Escalate(due, drafts(desk, "late")); err != nil || done {
		t.Errorf("escalated what was acknowledged a moment ago: %v, %v", done, err)
	}
}
