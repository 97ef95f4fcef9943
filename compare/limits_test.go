package compare

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// crowd is audit with n more flows at the start, each made another by vary.
func crowd(t *testing.T, p *policy.Policy, n int, vary func(f *flow.Flow, i int), flows []*flow.Flow) *Audit {
	t.Helper()
	r := NewRecorder(p, p)
	f := flowtest.Get(retrieval + "/1")
	judged := p.Judge(f)
	for i := range n {
		vary(f, i)
		r.note(f, judged)
	}
	store := capture.New(capture.Options{Judge: r})
	for i, f := range flows {
		f.ID = flow.ID(i + 1)
		store.Observe(f)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return r.Audit(store.Summary(), false)
}

// TestMoreThanCanBeToldApart checks that what goes unnamed beyond a limit is in doubt.
// Each of these was no fix, but would look like one.
func TestMoreThanCanBeToldApart(t *testing.T) {
	nameless := func(flows []*flow.Flow) []*flow.Flow {
		for _, f := range flows {
			flowtest.UserAgentOf("")(f)
		}
		return flows
	}
	apart := func(flows []*flow.Flow) []*flow.Flow { // a recording for each
		for i, f := range flows {
			f.Origin.Capture = fmt.Sprintf("last%d.har", i)
		}
		return flows
	}
	in := func(file string, flows []*flow.Flow) []*flow.Flow {
		for _, f := range flows {
			f.Origin.Capture = file
		}
		return flows
	}
	slow := []*flow.Flow{get(retrieval + "/1")(time.Hour), head(probe)(time.Hour + 10*time.Minute)}
	last := func(flows []*flow.Flow) []*flow.Flow {
		for _, f := range flows {
			f.Phase = "last"
		}
		return flows
	}
	nothing := func(*flow.Flow, int) {}
	recording := func(f *flow.Flow, i int) { f.Origin.Capture = fmt.Sprintf("%d.har", i) }
	app := func(f *flow.Flow, i int) {
		flowtest.UserAgentOf(fmt.Sprintf("App%d/1", i))(f)
	}
	phase := func(f *flow.Flow, i int) { f.Phase = fmt.Sprint(i) }
	device := func(f *flow.Flow, i int) {
		f.Client.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1)
		flowtest.UserAgentOf("")(f)
	}
	tests := []struct {
		name          string
		before, after int
		vary          func(*flow.Flow, int)
		was, is       []*flow.Flow
	}{
		{"recordings after", 0, maxSessions, recording, covid(), apart(mend(5 * time.Minute))},
		{"recordings before", maxSessions, 0, recording, append(in("a.har", covid()), in("b.har", slow)...), mend(5 * time.Minute)},
		{"apps before", maxApps, 0, app, covid(), mend(5*time.Minute, flowtest.UserAgentOf("OtherApp/1.0"))},
		{"phases before", maxPhases, 0, phase, last(covid()), mend(5 * time.Minute)},
		{"devices after", 0, maxSettings, device, nameless(covid()), apart(nameless(mend(5 * time.Minute)))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := parse(t, "")
			compared := func(before, after int) Violation {
				was, is := tt.vary, tt.vary
				if before == 0 {
					was = nothing
				}
				if after == 0 {
					is = nothing
				}
				return one(t, Captures(crowd(t, p, before, was, tt.was), crowd(t, p, after, is, tt.is)))
			}
			v := compared(tt.before, tt.after)
			if v.State != NotExercised || !strings.Contains(doubts(v), string(WasLongEnough)) {
				t.Errorf("%q because of %q", v.State, doubts(v))
			}
			if crowded := map[bool]time.Duration{true: v.TimeBefore, false: v.TimeAfter}[tt.before > 0]; crowded != 0 {
				t.Errorf("%v of use in recordings that cannot be told apart", crowded)
			}
			for _, a := range v.Answers {
				if a.Question == WasLongEnough && !a.Untimed {
					t.Errorf("a time is compared: %+v", a)
				}
			}
		})
	}
	p := parse(t, "")
	before := crowd(t, p, maxSessions-1, recording, in("last.har", covid()))
	if v := one(t, Captures(before, audit(t, p, mend(5*time.Minute)...))); v.State != Fixed {
		t.Errorf("at the limit: %q because of %q", v.State, doubts(v))
	}
}

// TestMoreKindsThanNumbers checks that what has no number is in doubt, and nothing else
// goes by its number.
func TestMoreKindsThanNumbers(t *testing.T) {
	p := parse(t, "")
	r := NewRecorder(p, p)
	r.write(1, maxKinds-1, isViolation, 0)
	r.write(1, maxKinds-1, 0, 0)
	if r.crowded || r.journal.length != 2 {
		t.Errorf("crowded: %v, %d events", r.crowded, r.journal.length)
	}
	r.write(1, maxKinds, 0, 0)
	if !r.crowded || r.journal.length != 2 {
		t.Errorf("crowded: %v, %d events", r.crowded, r.journal.length)
	}
}

// TestEventsArePackedWhole checks the ends of every field, and times at both ends of
// what a capture may have.
func TestEventsArePackedWhole(t *testing.T) {
	first, last := time.Date(1970, 1, 1, 0, 0, 0, 0, time.FixedZone("", 14*3600)), time.Date(2250, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	for _, at := range []int64{untimed, -1, 0, 1, 1<<24 - 1, 1 << 24, 1<<55 - 1, microseconds(flowtest.Epoch), microseconds(first), microseconds(last)} {
		for _, what := range []uint32{0, 1, 1<<16 - 1, 1 << 16, maxKinds - 1, isViolation, isViolation | maxKinds - 1} {
			for _, where := range []uint16{0, 1, maxSettings - 1} {
				if e := (event{at, what, where}); e.pack().event() != e {
					t.Errorf("%+v came back as %+v", e, e.pack().event())
				}
			}
		}
	}
	if got := between(microseconds(first), microseconds(last)); got != last.Sub(first) {
		t.Errorf("%v between the ends of time, want %v", got, last.Sub(first))
	}
	for _, t0 := range []time.Time{{}, first.Add(-time.Hour), last.Add(time.Hour)} {
		if microseconds(t0) != untimed {
			t.Errorf("%v is a time", t0)
		}
	}
}
