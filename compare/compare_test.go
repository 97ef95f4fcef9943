package compare

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/guard/raced"
	"telltale/policy"
)

const (
	retrieval = "https://retrieval.covid-notification.alpha.canada.ca"
	probe     = "https://clients3.google.com/generate_204"
	tracker   = "https://app-measurement.com/a"
)

// parse reads a policy, by default that of the story.
func parse(t testing.TB, text string) *policy.Policy {
	t.Helper()
	if text == "" {
		text = "version: 1\nname: Canada only\nallow:\n  - \"*.canada.ca\"\n"
	}
	p, err := policy.Parse("telltale.yaml", []byte(text), policy.Options{Now: func() time.Time { return flowtest.Epoch }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// audit sends flows through a real store, in the order in which they are given.
func audit(t testing.TB, p *policy.Policy, flows ...*flow.Flow) *Audit {
	t.Helper()
	r := NewRecorder(p, p)
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

func every(n int, gap time.Duration, build func(at time.Duration) *flow.Flow) []*flow.Flow {
	var out []*flow.Flow
	for i := range n {
		out = append(out, build(time.Duration(i)*gap))
	}
	return out
}

func head(url string, opts ...flowtest.Option) func(time.Duration) *flow.Flow {
	return func(at time.Duration) *flow.Flow {
		return flowtest.Head(url, append([]flowtest.Option{flowtest.At(at + time.Second)}, opts...)...)
	}
}

func get(url string, opts ...flowtest.Option) func(time.Duration) *flow.Flow {
	return func(at time.Duration) *flow.Flow {
		return flowtest.Get(url, append([]flowtest.Option{flowtest.At(at)}, opts...)...)
	}
}

// covid is the app as it was: a probe every minute, and what it is for.
func covid() []*flow.Flow {
	return slices.Concat(every(6, time.Minute, head(probe)), every(2, 4*time.Minute, get(retrieval+"/302/2652")))
}

// mend is the app without the probe, in use for so long.
func mend(use time.Duration, opts ...flowtest.Option) []*flow.Flow {
	return every(2, use, get(retrieval+"/302/2653", opts...))
}

// one returns the only violation of a comparison.
func one(t *testing.T, c Comparison) Violation {
	t.Helper()
	if len(c.Violations) != 1 {
		t.Fatalf("%d violations: %+v", len(c.Violations), c.Violations)
	}
	return c.Violations[0]
}

// doubts lists the questions that were answered with no.
func doubts(v Violation) string {
	var out []string
	for _, a := range v.Answers {
		if !a.Yes {
			out = append(out, string(a.Question))
		}
	}
	return strings.Join(out, " ")
}

// asked puts what comes before requests on a whole device in front of each: a question, and
// QUIC that is refused.
func asked(flows []*flow.Flow) []*flow.Flow {
	var out []*flow.Flow
	for _, f := range flows {
		at := f.Times.Start.Sub(flowtest.Epoch)
		from := flowtest.From(f.Client.Addr.String())
		out = append(out,
			flowtest.DNS(f.Host(), flowtest.At(at-2*time.Millisecond), from),
			flowtest.DNS(f.Host(), flowtest.Question("AAAA", "NOERROR"), flowtest.At(at-2*time.Millisecond), from),
			flowtest.QUIC("192.0.2.10", f.Host(), flowtest.At(at-time.Millisecond), from), f)
	}
	return out
}

// What a whole device sends besides says no more of the use of an app than a proxy sees.
func TestQuestionsAndRefusedQUICChangeNothing(t *testing.T) {
	ofApp := "version: 1\napp:\n  user-agent: \"CovidShield*\"\nallow:\n  - \"*.canada.ca\"\n"
	for _, policy := range []string{"", ofApp} {
		p := parse(t, policy)
		plain := one(t, Captures(audit(t, p, covid()...), audit(t, p, mend(5*time.Minute)...)))
		for _, c := range []struct {
			name          string
			before, after []*flow.Flow
		}{
			{"in both", asked(covid()), asked(mend(5 * time.Minute))},
			{"before", asked(covid()), mend(5 * time.Minute)},
			{"after", covid(), asked(mend(5 * time.Minute))},
		} {
			got := Captures(audit(t, p, c.before...), audit(t, p, c.after...)).Violations
			if len(got) == 0 {
				t.Errorf("%s: no violation", c.name)
			}
			for _, v := range got { // the request, and the question of its name
				if v.State != plain.State || doubts(v) != doubts(plain) {
					t.Errorf("%s: %s, doubts %q; without them %s, doubts %q", c.name, v.State, doubts(v), plain.State, doubts(plain))
				}
			}
		}
	}
}

func TestTheStoryOfOneViolation(t *testing.T) {
	ofApp := "version: 1\napp:\n  user-agent: \"CovidShield*\"\nallow:\n  - \"*.canada.ca\"\n"
	other := flowtest.UserAgentOf("OtherApp/1.0")
	inPhase := func(name string, flows []*flow.Flow) []*flow.Flow {
		for _, f := range flows {
			f.Phase = name
		}
		return flows
	}
	tests := []struct {
		name, policy  string
		before, after []*flow.Flow
		state         State
		result        Result
		doubts        string
	}{
		{"fixed", "", covid(), mend(5 * time.Minute), Fixed, AllFixed, ""},
		{"a new version of the app", "", covid(), mend(5*time.Minute, flowtest.UserAgentOf("CovidShield/2.0 CFNetwork/1200")), Fixed, AllFixed, ""},
		{"still there", "", covid(), covid(), StillThere, Unchanged, ""},
		{"too short by a second", "", covid(), mend(60 * time.Second), NotExercised, Unproven, "long-enough"},
		{"just long enough", "", covid(), mend(61 * time.Second), Fixed, AllFixed, ""},
		{"another app", "", covid(), mend(5*time.Minute, other), NotExercised, Unproven, "same-app"},
		{"another app beside it", "", covid(), append(mend(30*time.Second), mend(5*time.Minute, other)...), NotExercised, Unproven, "long-enough"},
		{"sent by a library of the app", ofApp, every(6, time.Minute, head(probe, flowtest.UserAgentOf("okhttp/4"))), mend(6 * time.Minute), Fixed, AllFixed, ""},
		{"not the app of the policy", ofApp, covid(), mend(5*time.Minute, other), NotExercised, Unproven, "same-app"},
		{"without any name", "", every(6, time.Minute, head(probe, flowtest.UserAgentOf(""))), mend(6*time.Minute, other), Fixed, AllFixed, ""},
		{"empty", "", covid(), nil, NotExercised, Inconclusive, "same-app"},
		{"new", "", mend(5 * time.Minute), covid(), New, Worse, ""},
		{"the same phase", "", inPhase("consent", covid()), inPhase("consent", mend(5*time.Minute)), Fixed, AllFixed, ""},
		{"another phase", "", inPhase("consent", covid()), inPhase("login", mend(5*time.Minute)), NotExercised, Unproven, "same-phase"},
		{"the phase too short", "", inPhase("consent", covid()), append(inPhase("consent", mend(time.Minute)), inPhase("", every(2, time.Minute, get(retrieval+"/1", flowtest.At(time.Hour))))...), NotExercised, Unproven, "long-enough"},
		{"only partly in phases", "", append(inPhase("consent", covid()), head(probe)(6*time.Minute)), mend(7 * time.Minute), Fixed, AllFixed, ""},
		{"unread at the host", "", covid(), append(mend(5*time.Minute), flowtest.Refused("clients3.google.com")), NotExercised, Worse, ""},
		{"without times", "", covid(), every(3, 0, func(time.Duration) *flow.Flow {
			f := flowtest.Get(retrieval + "/1")
			f.Times.Start, f.Times.End = time.Time{}, time.Time{}
			return f
		}), NotExercised, Unproven, "long-enough"},
		{"mostly failed", "", covid(), slices.Concat(mend(5*time.Minute), every(3, time.Second, func(at time.Duration) *flow.Flow {
			return flowtest.Failed(retrieval+"/1", flow.FailureDNS, flowtest.At(at))
		})), NotExercised, Unproven, "answered"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := parse(t, tt.policy)
			c := Captures(audit(t, p, tt.before...), audit(t, p, tt.after...))
			if c.Result != tt.result {
				t.Errorf("result %q, want %q: %+v", c.Result, tt.result, c.Violations)
			}
			for _, v := range c.Violations {
				if f := v.Finding(); f.Rule != policy.CaptivePortalProbe {
					continue // that of the unread connection
				}
				if v.State != tt.state || tt.doubts != "" && doubts(v) != tt.doubts || (v.State == NotExercised) != (doubts(v) != "") {
					t.Errorf("state %q because of %q, want %q because of %q", v.State, doubts(v), tt.state, tt.doubts)
				}
			}
		})
	}
}

// TestCompany checks that what comes before a violation has to be done again.
func TestCompany(t *testing.T) {
	p := parse(t, "")
	session := func(start time.Duration, with bool) []*flow.Flow {
		out := []*flow.Flow{
			flowtest.Get(retrieval+"/exposure/"+fmt.Sprint(int(start))+".zip", flowtest.At(start)),
			flowtest.Post(retrieval+"/users/3f2a91bc77/share", "{}", flowtest.At(start+2*time.Second)),
		}
		if with {
			out = append(out, flowtest.Post(tracker, "{}", flowtest.At(start+3*time.Second)))
		}
		return out
	}
	var before []*flow.Flow
	for i := range 5 {
		before = append(before, session(time.Duration(i*i)*time.Minute, true)...)
	}
	host := strings.TrimPrefix(retrieval, "https://")
	want := []string{"POST " + host + "/users/*/share", "GET " + host + "/exposure/*.zip"}

	v := one(t, Captures(audit(t, p, before...), audit(t, p, append(session(0, false), session(time.Hour, false)...)...)))
	if v.State != Fixed {
		t.Errorf("the same use: %q because of %q", v.State, doubts(v))
	}
	var made []string
	for _, a := range v.Answers {
		for _, c := range a.Made {
			made = append(made, c.Action)
			if c.Before != 5 || c.Of != 5 {
				t.Errorf("%+v", c)
			}
		}
	}
	if !slices.Equal(made, want) {
		t.Errorf("company %q, want %q", made, want)
	}
	v = one(t, Captures(audit(t, p, before...), audit(t, p, every(3, time.Hour, get(retrieval+"/news"))...)))
	if doubts(v) != string(WasDone) {
		t.Errorf("another use: %q because of %q", v.State, doubts(v))
	}
	// Half of it is not enough without the nearest, which is the likeliest trigger.
	if v = one(t, Captures(audit(t, p, before...), audit(t, p, every(3, time.Hour, get(retrieval+"/exposure/77.zip"))...))); doubts(v) != string(WasDone) {
		t.Errorf("without the nearest: %q because of %q", v.State, doubts(v))
	}
	// With it, half is enough; what is not readable is not done.
	share := func(at time.Duration) *flow.Flow {
		return flowtest.Post(retrieval+"/users/77/share", "{}", flowtest.At(at))
	}
	half := append(every(3, time.Hour, share), every(5, time.Second, func(at time.Duration) *flow.Flow {
		return flowtest.Refused(host, flowtest.At(at))
	})...)
	if v = one(t, Captures(audit(t, p, before...), audit(t, p, half[:3]...))); v.State != Fixed {
		t.Errorf("half of it: %q because of %q", v.State, doubts(v))
	}
	withUnread := Captures(audit(t, p, before...), audit(t, p, half...))
	for _, v := range withUnread.Violations {
		if v.Finding().Rule == policy.Tracker && doubts(v) != string(WasReadable) {
			t.Errorf("mostly unread: %q because of %q", v.State, doubts(v))
		}
	}
}

// TestContent checks rules about content: their host has to be contacted and read.
func TestContent(t *testing.T) {
	p := parse(t, "")
	clear := every(3, time.Minute, get("http://api.canada.ca/x"))
	fixed := every(3, time.Minute, get("https://api.canada.ca/x"))
	if v := one(t, Captures(audit(t, p, clear...), audit(t, p, fixed...))); v.State != Fixed || v.Finding().Rule != policy.Cleartext {
		t.Errorf("%q because of %q", v.State, doubts(v))
	}
	// A host that must not be contacted at all is left alone by the fix.
	leaks := parse(t, "version: 1\nallow:\n  - \"*.canada.ca\"\nnever-send:\n  - name: e-mail\n    value: tester@example.org\n")
	c := Captures(audit(t, leaks, every(3, time.Minute, get("https://evil.example/?q=tester@example.org"))...), audit(t, leaks, mend(5*time.Minute)...))
	if len(c.Violations) != 2 || c.Result != AllFixed {
		t.Errorf("%q: %+v", c.Result, c.Violations)
	}
	if v := one(t, Captures(audit(t, p, clear...), audit(t, p, mend(5*time.Minute)...))); doubts(v) != string(WasContacted) {
		t.Errorf("host not contacted: %q because of %q", v.State, doubts(v))
	}
}

// TestWaived checks what a policy excuses: it never makes a comparison worse.
func TestWaived(t *testing.T) {
	p := parse(t, "version: 1\nallow:\n  - \"*.canada.ca\"\nwaivers:\n  - rule: captive-portal-probe\n    host: clients3.google.com\n    reason: being fixed\n    until: 2027-01-01\n")
	c := Captures(audit(t, p, mend(5*time.Minute)...), audit(t, p, covid()...))
	if v := one(t, c); v.State != Excused || !v.WaivedAfter || c.Result != Clean {
		t.Errorf("%q, %q", v.State, c.Result)
	}
	c = Captures(audit(t, p, covid()...), audit(t, p, mend(5*time.Minute)...))
	if v := one(t, c); v.State != Fixed || !v.WaivedBefore || c.Result != Clean {
		t.Errorf("%q because of %q, %q", v.State, doubts(v), c.Result)
	}
}

func TestDamageIsNoFix(t *testing.T) {
	p := parse(t, "")
	after := audit(t, p, mend(5*time.Minute)...)
	after.Damaged = true
	c := Captures(audit(t, p, covid()...), after)
	if v := one(t, c); doubts(v) != string(WasRead) || c.Result != Inconclusive {
		t.Errorf("%q because of %q, %q", v.State, doubts(v), c.Result)
	}
	// What looks new beside a damaged capture may have been in what it lacks.
	for _, damaged := range []bool{true, false} {
		before := audit(t, p, mend(5*time.Minute)...)
		before.Damaged = damaged
		c := Captures(before, audit(t, p, covid()...))
		if want := map[bool]Result{true: Inconclusive, false: Worse}[damaged]; one(t, c).State != New || c.Result != want {
			t.Errorf("damaged %v: %q", damaged, c.Result)
		}
	}
	empty := audit(t, p)
	if c := Captures(empty, empty); c.Result != Inconclusive {
		t.Errorf("nothing beside nothing is %q", c.Result)
	}
	empty.AllowEmpty = true
	if c := Captures(empty, empty); c.Result != Clean {
		t.Errorf("nothing beside nothing, as asked, is %q", c.Result)
	}
}

// TestRecordingsApart checks that the time between two recordings of one side is no
// use of the app.
func TestRecordingsApart(t *testing.T) {
	p := parse(t, "")
	in := func(file string, flows []*flow.Flow) []*flow.Flow {
		for i, f := range flows {
			f.Origin = flow.Origin{Capture: file, Entry: i + 1}
		}
		return flows
	}
	tomorrow := every(2, 3*time.Minute, get(retrieval+"/1", flowtest.At(24*time.Hour)))
	for i, f := range tomorrow {
		f.Times.Start = flowtest.Epoch.Add(24*time.Hour + time.Duration(i)*3*time.Minute)
	}
	before := append(in("a.har", covid()), in("b.har", tomorrow)...)
	short := append(in("a.har", mend(30*time.Second)), in("b.har", every(1, 0, func(time.Duration) *flow.Flow {
		return flowtest.Get(retrieval+"/1", flowtest.At(24*time.Hour))
	}))...)
	if v := one(t, Captures(audit(t, p, before...), audit(t, p, mend(2*time.Minute)...))); v.State != Fixed {
		t.Errorf("%q because of %q", v.State, doubts(v))
	}
	if v := one(t, Captures(audit(t, p, covid()...), audit(t, p, short...))); doubts(v) != string(WasLongEnough) {
		t.Errorf("two short ones: %q because of %q", v.State, doubts(v))
	}
}

func TestHosts(t *testing.T) {
	p := parse(t, "")
	c := Captures(audit(t, p, covid()...), audit(t, p, append(mend(time.Minute), flowtest.Get("https://new.canada.ca/"))...))
	var got []string
	for _, h := range c.Hosts {
		got = append(got, fmt.Sprintf("%s %s %v %v", h.Change, h.Name, h.Before != nil, h.After != nil))
	}
	want := []string{"came new.canada.ca false true", "went clients3.google.com true false", "stayed retrieval.covid-notification.alpha.canada.ca true true"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// random returns flows of many kinds whose results are not obvious.
func random(rng *rand.Rand) []*flow.Flow {
	urls := []string{probe, tracker, retrieval + "/1", retrieval + "/a/b", "http://api.canada.ca/x", "https://api.canada.ca/x", "https://evil.example/"}
	agents := []string{"A/1", "A/2", "B/1", ""}
	var out []*flow.Flow
	for range rng.IntN(60) {
		f := flowtest.Get(urls[rng.IntN(len(urls))], flowtest.UserAgentOf(agents[rng.IntN(len(agents))]),
			flowtest.At(time.Duration(rng.IntN(40))*7*time.Second), flowtest.From(fmt.Sprintf("10.0.0.%d:1", 1+rng.IntN(2))),
			flowtest.Phase([]string{"", "p", "q"}[rng.IntN(3)]))
		f.Origin.Capture = []string{"a.har", "b.har"}[rng.IntN(2)]
		out = append(out, f)
	}
	return out
}

// TestAgainstItself: a capture has nothing new and nothing fixed beside itself.
func TestAgainstItself(t *testing.T) {
	p := parse(t, "")
	for seed := range uint64(100) {
		a := audit(t, p, random(rand.New(rand.NewPCG(seed, 1)))...)
		c := Captures(a, a)
		for _, v := range c.Violations {
			if v.State != StillThere {
				t.Fatalf("seed %d: %s of %s", seed, v.State, v.Finding().Host)
			}
		}
		for _, h := range c.Hosts {
			if h.Change != Stayed {
				t.Fatalf("seed %d: %s %s", seed, h.Name, h.Change)
			}
		}
	}
}

// TestOrderDoesNotMatter reads the same entries in another order.
func TestOrderDoesNotMatter(t *testing.T) {
	p := parse(t, "")
	essence := func(c Comparison) []string {
		out := []string{string(c.Result)}
		for _, v := range c.Violations {
			out = append(out, fmt.Sprintf("%s %s %v %v %+v", v.ID, v.State, v.TimeBefore, v.TimeAfter, v.Answers))
		}
		return out
	}
	gone, seeds := 0, uint64(raced.Size(100, 20))
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 2))
		before, after := random(rng), random(rng)
		first := Captures(audit(t, p, before...), audit(t, p, after...))
		for range 3 {
			rng.Shuffle(len(before), func(i, k int) { before[i], before[k] = before[k], before[i] })
			rng.Shuffle(len(after), func(i, k int) { after[i], after[k] = after[k], after[i] })
			again := Captures(audit(t, p, before...), audit(t, p, after...))
			if !reflect.DeepEqual(essence(first), essence(again)) {
				t.Fatalf("seed %d:\n%q\n%q", seed, essence(first), essence(again))
			}
		}
		gone += first.Count(Fixed) + first.Count(NotExercised)
	}
	if gone < int(seeds)/5 {
		t.Errorf("only %d violations were gone: the test asks nothing", gone)
	}
}

func TestRecorderReadsWhatThePolicyReads(t *testing.T) {
	plain, leaks := parse(t, ""), parse(t, "version: 1\nnever-send:\n  - name: e-mail\n    value: tester@example.org\n")
	if NewRecorder(plain, plain).ReadsContent() {
		t.Error("a policy without never-send values reads content")
	}
	if !NewRecorder(leaks, leaks).ReadsContent() {
		t.Error("a policy with never-send values reads no content")
	}
}

// TestSeveralGoroutines judges from several goroutines at once, as a store may.
func TestSeveralGoroutines(t *testing.T) {
	p := parse(t, "")
	r := NewRecorder(p, p)
	flows := slices.Concat(covid(), mend(5*time.Minute))
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := worker; i < len(flows); i += 4 {
				f := *flows[i]
				f.ID = flow.ID(i + 1)
				r.Judge(&f)
			}
		})
	}
	all.Wait()
	a := r.Audit(capture.Summary{}, false)
	if got := newSide(a, wholePath).use(scope{app: "CovidShield"}); got.flows != len(flows) || got.length() != 301*time.Second {
		t.Errorf("%d flows in %v", got.flows, got.length())
	}
	if len(a.traces) != 1 || len(a.deeds) != 1 {
		t.Errorf("%d violations, %d deeds", len(a.traces), len(a.deeds))
	}
}

// A question of DNS is told as a part of the contact that follows. Where the question alone
// is left, nothing new has come, and nothing is fixed.
func TestPreludesOfContacts(t *testing.T) {
	p := parse(t, "")
	const host = "clients3.google.com"
	question := func() *flow.Flow { return flowtest.DNS(host, flowtest.At(time.Second)) }
	contact := func() *flow.Flow { return flowtest.Head(probe, flowtest.At(2*time.Second)) }
	use := func(more ...*flow.Flow) *Audit { return audit(t, p, append(mend(time.Minute), more...)...) }
	for _, c := range []struct {
		name          string
		before, after *Audit
		result        Result
		state         State
		rule          policy.Rule
	}{
		{"only the question is left", use(question(), contact()), use(question()), Unchanged, StillThere, policy.HostNotAllowed},
		{"the question was not seen before", use(contact()), use(question()), Unchanged, StillThere, policy.HostNotAllowed},
		{"refused QUIC is left", use(contact()), use(flowtest.QUIC("192.0.2.7", host)), Unchanged, StillThere, policy.HostNotAllowed},
		{"both are left", use(question(), contact()), use(contact(), question()), Unchanged, StillThere, policy.CaptivePortalProbe},
		{"another request", use(contact()), use(flowtest.Get("https://" + host + "/x")), Worse, New, policy.HostNotAllowed},
		{"the contact came", use(question()), use(question(), contact()), Worse, New, policy.CaptivePortalProbe},
		{"the question came", use(), use(question()), Worse, New, policy.HostNotAllowed},
	} {
		got := Captures(c.before, c.after)
		if v := got.Violations[0]; got.Result != c.result || v.State != c.state || v.Finding().Rule != c.rule {
			t.Errorf("%s: %s; %s %s", c.name, got.Result, v.State, v.Finding().Rule)
		}
		if c.state == StillThere {
			one(t, got)
		}
	}
}
