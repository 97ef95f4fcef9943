package tui

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/flow/flowtest"
)

func TestFilterWhileTyping(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.press("3", "/").typeText("generate_204")
	r.sees("4 flows of 20 on 1 host", "ents3.google.com")
	r.seesNot("www.canada.ca")
	r.press("enter")
	r.sees("/generate_204  4 flows")
	r.press("1")
	r.sees("captive-portal-probe")
	r.seesNot("app-measurement.com")
	r.press("2")
	r.seesNot("app-measurement.com")

	r.press("f")
	r.sees("(off)", "app-measurement.com")
	r.press("f")
	r.seesNot("(off)", "app-measurement.com")

	r.press("/").typeText(" nothing")
	r.sees("0 flows of 20")
	r.press("esc")
	r.sees("/generate_204  4 flows", "ents3.google.com")

	r.press("esc")
	r.seesNot("/generate_204")
	r.sees("app-measurement.com")
}

func TestEscapeLeavesTheFilterAsItWas(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.press("2", "/").typeText("generate_204").press("enter", "f")
	r.sees("(off)", "app-measurement.com")
	r.press("/").typeText("x").press("esc")
	r.sees("/generate_204  (off)", "app-measurement.com")
}

func TestFilterMistake(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.press("3", "/").typeText(`host == "www.canada.ca"`)
	r.sees("2 flows of 20")
	r.typeText(" and")
	r.sees("column")
	r.press("enter")
	r.sees("── Filter") // it stays open
	r.press("esc")
	r.seesNot("── Filter", "column")
	r.sees("ents3.google.com")
}

func TestEmptyCaptureIsNotSearchedForever(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{})
	r.press("3", "/").typeText("word").press("enter")
	r.sees("Nothing here matches the filter")
	r.observe(flowtest.Get("https://www.canada.ca/word"))
	r.now = r.now.Add(3 * time.Second)
	r.news()
	r.sees("www.canada.ca")
}

func TestFilterSeesFlowsThatEndLater(t *testing.T) {
	t.Parallel()
	slow := func(o ...flowtest.Option) *flow.Flow { return flowtest.Get("https://slow.canada.ca/poll", o...) }
	for _, text := range []string{`status == 503`, `host == "slow.canada.ca" and status == 503`, `status == 200`} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			open := slow(flowtest.ID(1), flowtest.Outcome(flow.Open))
			open.Response = nil
			r := newRig(t, setting{flows: []*flow.Flow{open, flowtest.Get("https://other.canada.ca/", flowtest.ID(2), flowtest.Status(404))}})
			r.press("3", "/").typeText(text).press("enter")
			r.sees("Nothing here matches")
			for range 3 {
				r.news()
			}
			r.observe(slow(flowtest.ID(1), flowtest.Status(map[bool]int{true: 503, false: 200}[strings.Contains(text, "503")])))
			r.news()
			r.sees("slow.canada.ca", "1 flow")
			r.press("2")
			r.sees("slow.canada.ca")
			r.seesNot("other.canada.ca")
		})
	}
	t.Run("no longer picked", func(t *testing.T) {
		t.Parallel()
		open := slow(flowtest.ID(1), flowtest.Outcome(flow.Open))
		r := newRig(t, setting{flows: []*flow.Flow{open}})
		r.press("3", "/").typeText(`outcome == "open"`).press("enter")
		r.sees("slow.canada.ca")
		r.observe(slow(flowtest.ID(1)))
		r.news()
		r.seesNot("slow.canada.ca")
		r.sees("Nothing here matches")
	})
}

// TestHostFilterMissesNoLateFlow: an ID is promised when a request begins, and the
// flow may be written after flows with higher IDs were looked at.
func TestHostFilterMissesNoLateFlow(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`host == "a.example"`, `status == 200`} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, setting{flows: visits(1, 3, "a.example")})
			first, second := r.store.NextID(), r.store.NextID()
			r.observe(visit(r.store.NextID(), "a.example"))
			r.press("3", "/").typeText(text).press("enter")
			r.sees("4 flows")
			for i, late := range []flow.ID{second, first} {
				for range 3 { // looking again and again in vain is no reason to give up
					r.news()
				}
				r.observe(visit(late, "a.example"))
				r.news()
				r.sees(fmt.Sprint(5+i, " flows"))
			}
			if !slices.IsSorted(r.m.search.found.ids) || r.m.search.found.hosts["a.example"] != 6 {
				t.Errorf("found %+v", r.m.search.found)
			}
		})
	}
}

// TestLookingBeforeEverythingIsJudged: what was picked and opened while a capture was
// still being judged is asked for anew.
func TestLookingBeforeEverythingIsJudged(t *testing.T) {
	t.Parallel()
	judging := func() *rig {
		r := newRig(t, setting{flows: story(), change: func(c *Config) { c.Live = false }})
		check(t, r.store.Rejudge(t.Context(), nil, nil))
		r.m.loading = newLoading()
		r.news()
		return r
	}
	judged := func(r *rig) {
		check(t, r.store.Rejudge(t.Context(), r.m.desk.policy, nil))
		r.news()
		r.send(loadedMsg{})
	}
	r := judging()
	r.press("3", "/").typeText(`verdict == "violation"`).press("enter")
	r.sees("Nothing here matches")
	judged(r)
	r.sees("8 flows", "clients3")

	r = judging()
	r.press("3", "home", "down", "enter")
	r.sees("Not judged")
	judged(r)
	r.sees("captive-portal-probe")
	r.seesNot("Not judged")
}

func TestToggleInTheMiddleOfASearch(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: visits(1, 200, "")})
	r.press("3")
	r.hold = true
	r.press("/").typeText(`status == 200`).press("enter", "f", "f")
	r.release()
	r.news()
	r.sees("200 flows")
	r.seesNot("%")
}

func TestRejudgeUnderAFilter(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.press("3", "/").typeText(`verdict == "violation"`).press("enter")
	r.sees("8 flows")
	r.onto("2", "clients3").press("a", "enter")
	r.news()
	r.sees("4 flows")
	r.seesNot("captive-portal-probe")
	r.press("3")
	r.seesNot("generate_204")
	r.press("u")
	r.news()
	r.sees("8 flows")
}

func TestOnlyItsFlows(t *testing.T) {
	t.Parallel()
	evil := flowtest.Get("https://x.example/", flowtest.ID(30), flowtest.Asked(`we"ird\host`+"\u202e\x1b:443"))
	v6 := flowtest.Get("https://[2001:db8::1]:8443/", flowtest.ID(31))
	r := newRig(t, setting{flows: append(story(), evil, v6)})
	r.onto("1", "clients3").press("F")
	r.sees("4 flows", `/host == "clients3`)
	r.press("esc").onto("2", "app-measurement").press("F")
	r.sees("1 flow")
	r.press("esc").onto("2", "2001:db8::1").press("F")
	r.sees("1 flow", "001:db8::1")
	r.press("esc").onto("2", `we"ird`).press("F")
	if r.m.search.mistake != nil {
		t.Fatal(r.m.search.mistake)
	}
	r.press("esc", "2", "d").onto("2", ".canada.ca").press("enter")
	r.sees("10 flows")
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.press("3", "/").typeText("hos").press("tab")
	if got := r.m.search.typed; got != "host" {
		t.Fatalf("completed to %q", got)
	}
}

// TestSearchKeepsUp filters while flows come in, as a live audit does.
func TestSearchKeepsUp(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`host == "www.canada.ca"`, `path startsWith "/"`, `canada`} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, setting{})
			r.press("3", "/").typeText(text).press("enter")
			for i := range 20 {
				for j := range 10 {
					r.store.Observe(flowtest.Get(fmt.Sprintf("https://www.canada.ca/%d", j), flowtest.ID(flow.ID(i*10+j+1))))
				}
				if i%3 == 0 {
					check(t, r.store.Sync())
				}
				r.now = r.now.Add(time.Second)
				r.news()
			}
			check(t, r.store.Sync())
			r.now = r.now.Add(time.Minute)
			r.news()
			r.sees("200 flows")
			if n := len(r.m.search.found.ids); n != 200 {
				t.Fatalf("%d flows were found", n)
			}
		})
	}
}

func TestFilterLeavesNoFile(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()})
	r.press("3", "/").typeText("a b c").press("enter", "esc")
	text, err := os.ReadFile(r.file)
	check(t, err)
	if string(text) != covidPolicy {
		t.Fatal("a filter changed the policy file")
	}
}

func TestDroppingAnotherKeysFilterComesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story(), w: 120, h: 24})
	r.press("2", "/").typeText("canada").press("enter")
	r.onto("2", "www.canada.ca").press("F")
	r.sees(`/host == "www.canada.ca"`)
	r.press("esc")
	r.sees("/canada ")
	r.press("esc")
	r.seesNot("/canada ")
}
