package tui

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// lamps are experiments that only remember what is on.
type lamps struct {
	mu      sync.Mutex
	all     []Experiment
	refused []Refusal
	fail    error // of the next switch
	calls   []string
}

func newLamps() *lamps {
	return &lamps{all: []Experiment{
		{Name: "enforce", Help: "refuses what the policy forbids", Variants: []string{"refused", "dns", "403", "204", "hang", "reset"}},
		{Name: "captive-portal", Help: "a network with a sign-in page: HTTP is redirected to it, HTTPS gets a wrong certificate, until the device has signed in"},
		{Name: "offline", Help: "no network: names do not resolve, connections are refused", Flows: 12},
		{Name: "slow", Help: "a slow link: rate and delay of 3G, EDGE or a satellite", Variants: []string{"3g", "edge", "satellite"}},
		{Name: "server-error", Help: "servers in trouble: every request is answered with an error", Variants: []string{"503", "500"}, Hosts: []string{"*.example.com", "api.canada.ca"}},
		{Name: "bad-certificate", Help: "servers whose certificate nobody should trust", Variants: []string{"unknown-authority", "wrong-name", "self-signed"}},
		{Name: "modify no-cookies.json", Help: "alters messages as the file says"},
	}}
}

func (l *lamps) List() []Experiment {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

func (l *lamps) Forms() []string { return []string{"refused", "dns", "403", "204", "hang", "reset"} }

func (l *lamps) Refused() []Refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.refused)
}

func (l *lamps) Switch(name, variant string, on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, strings.TrimSpace(fmt.Sprint(name, " ", variant, " ", on)))
	if err := l.fail; err != nil {
		l.fail = nil
		return err
	}
	for i := range l.all {
		if x := &l.all[i]; x.Name == name {
			x.On, x.Variant = on, variant
		}
	}
	return nil
}

func (l *lamps) Refuse(host, form string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, strings.TrimSpace("refuse "+host+" "+form))
	if err := l.fail; err != nil {
		l.fail = nil
		return err
	}
	l.refused = slices.DeleteFunc(l.refused, func(r Refusal) bool { return r.Host == host })
	if form != "" {
		l.refused = append(l.refused, Refusal{host, form})
	}
	return nil
}

func by(experiments ...string) flowtest.Option {
	return func(f *flow.Flow) { f.Experiments = experiments }
}

// alteredStory is the audit of COVID Alert with experiments.
func alteredStory() []*flow.Flow {
	at := flowtest.At
	const s = time.Second
	return flowtest.Number(append(story(),
		flowtest.Head("https://clients3.google.com/generate_204", at(190*s), flowtest.Outcome(flow.Blocked), flowtest.Status(403), by("enforce 403"),
			flowtest.Altered("answered 403 in the place of the server: the policy does not allow clients3.google.com")),
		flowtest.Head("https://clients3.google.com/generate_204", at(195*s), flowtest.Outcome(flow.Blocked), flowtest.Status(403), by("enforce 403", "slow edge"),
			flowtest.Altered("answered 403 in the place of the server: enforce 403", "held back to the rate of edge: slow edge")),
		flowtest.Get("https://www.canada.ca/keys", at(200*s), flowtest.Outcome(flow.Simulated), flowtest.Status(503), by("server-error 503"),
			flowtest.Altered("answered 503 in the place of the server: server-error 503")),
		flowtest.Tunnel("www.canada.ca:443", at(205*s), flowtest.Outcome(flow.Simulated), by("offline"), flowtest.Altered("refused the connection")),
	)...)
}

// withLamps is a setting in which experiments can be switched.
func withLamps(l *lamps, flows []*flow.Flow) setting {
	return setting{flows: flows, change: func(c *Config) { c.Experiments = l }}
}

func lit(names ...string) func() setting {
	return func() setting {
		l := newLamps()
		for i := range l.all {
			x := &l.all[i]
			if x.On = slices.Contains(names, x.Name); x.On && len(x.Variants) > 0 {
				x.Variant = x.Variants[0]
			}
		}
		l.refused = []Refusal{{"clients3.google.com", "403"}, {".tracker.example", "refused"}}
		return withLamps(l, alteredStory())
	}
}

func hostileLamps(s string) *lamps {
	return &lamps{
		all:     []Experiment{{Name: s, Help: s, Variants: []string{s, "b"}, Variant: s, On: true, Hosts: []string{s, s}, Flows: 3, Note: s}, {Name: "modify " + s, Help: s}},
		refused: []Refusal{{s, s}, {"a.example", s}}, fail: errors.New(s),
	}
}

func init() {
	pictures = append(pictures,
		picture{"lab", lit(), press("1", "X")},
		picture{"lab-on", lit("enforce", "offline", "server-error"), press("3", "X", "down", "down", "down", "down")},
		picture{"lab-refused", lit("offline"), press("2", "X", "end")},
		picture{"lab-recorded", func() setting { return recorded(alteredStory()) }, press("3", "X")},
		picture{"lab-recorded-none", func() setting { return recorded(story()) }, press("3", "X")},
		picture{"lab-hostile", func() setting { return withLamps(hostileLamps(hostile), []*flow.Flow{hostileFlow(1)}) }, press("3", "X")},
		picture{"refuse", lit(), func(r *rig) { r.onto("2", "api.pinned").press("R") }},
		picture{"altered-violations", lit("offline", "enforce"), press("1")},
		picture{"altered-hosts", lit("offline", "enforce"), press("2")},
		picture{"altered-flows", lit("offline"), press("3")},
		picture{"altered-why", lit("offline", "enforce", "slow"), func(r *rig) { r.onto("1", "clients3").press("enter") }},
		picture{"altered-response", lit(), detailOf("/keys", "Response")},
		picture{"altered-clean", func() setting {
			s := lit("offline", "slow")()
			s.flows = flowtest.Number(story()[0], alteredStory()[22], alteredStory()[23])
			return s
		}, press("1")},
	)
}

func (r *rig) lamps() *lamps { return r.m.cfg.Experiments.(*lamps) }

func TestSwitchingExperiments(t *testing.T) {
	t.Parallel()
	r := newRig(t, withLamps(newLamps(), story()))
	r.press("1").seesNot("EXPERIMENT")
	r.press("X", "down", "down", "space")
	r.sees("offline is on", "EXPERIMENT offline", "[x] offline")
	r.press("down", "right", "enter")
	r.sees("slow edge is on", "EXPERIMENT offline, slow edge")
	r.press("right").sees("slow satellite is on", "EXPERIMENT offline, slow satellite")
	r.press("space").sees("slow satellite is off")
	r.seesNot("EXPERIMENT offline, slow")
	r.press("space").sees("slow satellite is on") // as it was
	r.press("esc").seesNot("── Experiments")
	r.sees("EXPERIMENT offline, slow satellite")
	want := []string{"offline  true", "slow edge true", "slow satellite true", "slow  false", "slow satellite true"}
	if got := r.lamps().calls; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	r.press("X", "home", "left").sees("reset")
	r.press("space").sees("enforce reset is on")
	r.press("down", "right").sees("captive-portal has no variants")
	if r.press("q"); r.quit || r.m.panel != nil {
		t.Error("q does not close the panel alone")
	}
	if r.press("q"); !r.quit {
		t.Error("an experiment that is on keeps the program from ending")
	}
}

// An answer from before a switch comes late, and hides nothing.
func TestAnOldAnswerHidesNoSwitch(t *testing.T) {
	t.Parallel()
	r := newRig(t, withLamps(newLamps(), story()))
	old := r.m.feed.read()
	r.press("X", "down", "down", "space").sees("EXPERIMENT offline")
	r.send(old)
	r.sees("EXPERIMENT offline")
	r.lamps().all[2].On = false
	r.news()
	r.seesNot("EXPERIMENT")
}

// The loop never waits for a switch, and one is under way at a time.
func TestOneSwitchAtATime(t *testing.T) {
	t.Parallel()
	r := newRig(t, withLamps(newLamps(), story()))
	r.press("X", "down", "down")
	r.hold = true
	r.press("space").sees("switching …")
	r.press("space", "enter", "right", "down", "right", "esc")
	r.onto("2", "clients3").press("R")
	if r.m.panel != nil || len(r.lamps().calls) != 0 {
		t.Fatalf("something began while a switch was under way: %q", r.lamps().calls)
	}
	r.release()
	if got := r.lamps().calls; len(got) != 1 || r.m.switching {
		t.Errorf("%q", got)
	}
	r.sees("EXPERIMENT offline")
}

func TestASwitchThatFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, withLamps(newLamps(), story()))
	r.lamps().fail = errors.New("the policy has no section consent")
	r.press("X", "down", "space").sees("! the policy has no section consent", "[ ] captive-portal")
	r.lamps().fail = errors.New("no such form")
	r.press("esc").onto("2", "clients3").press("R", "enter").sees("! no such form")
	r.seesNot("EXPERIMENT")
}

func TestRefusingAHost(t *testing.T) {
	t.Parallel()
	r := newRig(t, withLamps(newLamps(), story()))
	r.onto("2", "clients3").press("R").sees("Refuse clients3.google.com", "names 1 host of this capture, 4 flows", "the connection is refused")
	r.press("tab", "down", "down").sees("answered 403")
	r.press("enter").sees("clients3.google.com is refused from now on (403)", "EXPERIMENT refuse clients3.google.com 403")
	r.press("u").sees("nothing to undo: experiments are no decisions, X switches them")
	r.onto("1", "clients3").press("R").sees("clients3.google.com is no longer refused")
	r.seesNot("EXPERIMENT")
	// By a pattern: it is lifted from each host that it names.
	r.onto("2", "clients3").press("R", "down", "enter").sees(".google.com is refused from now on (refused)")
	r.onto("3", "clients3").press("enter", "R").sees(".google.com is no longer refused")
	r.press("R").sees("Refuse clients3.google.com")
	r.press("tab", "ctrl+u").typeText("418").press("enter").sees("form: one of refused, dns, 403, 204, hang, reset")
	r.press("shift+tab", "ctrl+u").typeText("a b").press("enter").seesNot("from now on")
	r.press("esc", "esc")
	r.press("X", "end", "space") // the last experiment
	r.sees("modify no-cookies.json is on")
	want := []string{"refuse clients3.google.com 403", "refuse clients3.google.com", "refuse .google.com refused", "refuse .google.com", "modify no-cookies.json  true"}
	if got := r.lamps().calls; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if text, err := os.ReadFile(r.file); err != nil || string(text) != covidPolicy || r.m.desk.unsaved() {
		t.Error("a refusal changed the policy")
	}
}

func TestRefusalsInThePanel(t *testing.T) {
	t.Parallel()
	r := newRig(t, lit()())
	r.press("X", "end").sees("refuse .tracker.example", "EXPERIMENT refuse 2 hosts")
	r.press("right").sees(".tracker.example is refused from now on (dns)")
	r.press("home").sees("It altered 2 flows so far.") // as the store counts them
	r.press("end", "space").sees(".tracker.example is no longer refused", "EXPERIMENT refuse clients3.google.com 403")
	r.press("space").sees("clients3.google.com is no longer refused")
	r.seesNot("EXPERIMENT")
}

func TestNothingLive(t *testing.T) {
	t.Parallel()
	r := newRig(t, recorded(alteredStory()))
	r.onto("2", "clients3").press("R").sees("nothing is live: no contact can be refused")
	r.press("X").sees("Nothing is live", "enforce 403: altered 2 flows to 1 host", "offline: altered 1 flow to 1 host")
	r.press("esc").seesNot("EXPERIMENT")
	r.sees("✗ 6 VIOLATIONS, with experiments")
	from := func(h, m int) time.Time { return time.Date(2026, 1, 2, h, m, 0, 0, time.UTC) }
	if got := periodsText([]capture.Period{{From: from(12, 1), To: from(12, 3)}, {From: from(12, 5)}}); got != "12:01:00–12:03:00, from 12:05:00" {
		t.Error(got)
	}
}

// TestTheTopLineSaysIt looks at the verdict and the marker in every view and at every
// width.
func TestTheTopLineSaysIt(t *testing.T) {
	t.Parallel()
	clean := flowtest.Number(story()[0], alteredStory()[22], alteredStory()[23])
	for _, flows := range [][]*flow.Flow{clean, alteredStory(), {}} {
		for _, live := range []bool{true, false} {
			l := newLamps()
			l.all[2].On, l.all[0].On = live, live
			s := withLamps(l, flows)
			r := newRig(t, s)
			r.m.news.problems = []string{"trouble"}
			for _, keys := range [][]string{{"c"}, {"1"}, {"2"}, {"3"}, {"4"}, {"4", "enter"}, {"3", "enter"}, {"esc", "?"}, {"esc", "m"}, {"esc", "X"}} {
				r.press(keys...)
				for w := 40; w <= 130; w += 5 {
					for _, h := range []int{3, 12, 24} {
						r.resize(w, h)
						top, _, _ := strings.Cut(r.m.View(), "\n")
						if live != strings.Contains(top, "EXPERIMENT") {
							t.Fatalf("%v %d×%d, on %v: %q", keys, w, h, live, top)
						}
						if strings.Contains(top, "CLEAN") && !strings.Contains(top, "CLEAN, with experiments") {
							t.Fatalf("%v %d×%d, on %v: %q", keys, w, h, live, top)
						}
						if len(flows) > 0 && !live && !strings.Contains(top, "with experiments") {
							t.Fatalf("%v %d×%d: %q", keys, w, h, top)
						}
					}
				}
				r.press("esc")
			}
		}
	}
}

// TestNoDeviceIsJustClean looks at the list of devices and at one of them.
func TestNoDeviceIsJustClean(t *testing.T) {
	t.Parallel()
	s := withLamps(newLamps(), flowtest.Number(story()[0], alteredStory()[22], alteredStory()[23]))
	r := newRig(t, s)
	r.resize(130, 24)
	r.press("4").sees("in experiments")
	r.press("enter").sees("✓ iOS 13 (192.168.1.23) · clean, with experiments")
}

// Without experiments nothing of them stands in the lists; flows that telltale altered by
// itself are none.
func TestWithoutExperimentsNothingIsMarked(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{w: 200, h: 40, flows: flowtest.Number(flowtest.Get("https://www.canada.ca/", flowtest.Altered("took ECH out of the answer")))})
	for _, view := range []string{"1", "2", "3"} {
		r.press(view).seesNot(alteredMark, "ALTERED", "experiment")
	}
	r.press("enter").sees("took ECH out of the answer")
	r.seesNot(alteredMark)
}

func TestAlteredInTheDetail(t *testing.T) {
	t.Parallel()
	s := lit()()
	s.w, s.h = 110, 60
	r := newRig(t, s)
	r.onto("1", "captive-portal-probe").press("enter")
	r.sees("≠ Altered by enforce 403, slow edge:", "experiments    enforce 403, slow edge", "altered        2 of 6 flows, by experiments", "held back to the rate")
	r.press("p").sees("by enforce 403: answered 403 in the place")
	r.press("p").seesNot("≠ Altered by")
	r.observe(flowtest.Head("https://clients3.google.com/generate_204", flowtest.ID(30), flowtest.At(4*time.Minute), flowtest.Outcome(flow.Blocked), by("offline")))
	r.news()
	r.sees("altered        3 of 7 flows, by experiments")
	r.press("esc").onto("1", "captive-portal-probe").press("enter").sees("altered        by offline")
	r.press("tab").sees("≠ Altered by offline")
}

func TestAlteredText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n, all int
		want   string
	}{{0, 3, ""}, {2, 3, "2 of 3"}, {3, 3, "all"}, {1200, 43000, "1,200"}, {12, 40, "12"}} {
		if got := alteredText(c.n, c.all); got != c.want || width(got) > alteredWidth {
			t.Errorf("%d of %d: %q, want %q", c.n, c.all, got, c.want)
		}
	}
}
