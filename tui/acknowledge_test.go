package tui

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/capture"
)

// acknowledging is a setting whose acknowledgements go where those of the program do.
func acknowledging() setting {
	s := withStory()
	s.change = func(c *Config) {
		store := c.Store
		c.Acknowledge = func(id string) error {
			return store.Annotate(capture.Annotation{Time: noon, Violation: id, Kind: capture.Acknowledged, Author: "screen"})
		}
	}
	return s
}

// remarked lets a program remark on every violation.
func remarked(text string) func(*rig) {
	return func(r *rig) {
		r.t.Helper()
		for _, v := range r.store.Summary().Violations {
			check(r.t, r.store.Annotate(capture.Annotation{Time: noon, Violation: v.ID, Kind: capture.Remark, Author: "telltale.yaml:12: ./triage.py", Text: text}))
		}
		r.news()
	}
}

// telling is a setting in which messages wait and a program talks.
func telling(told Told) func() setting {
	return func() setting {
		s := withStory()
		s.change = func(c *Config) { c.Told = func() Told { return told } }
		return s
	}
}

func init() {
	pictures = append(pictures,
		picture{"violations-acknowledged", acknowledging, func(r *rig) { r.onto("1", "clients3").press("K"); r.news() }},
		picture{"detail-why-acknowledged", acknowledging, func(r *rig) {
			remarked("the default of the library, ticket 12")(r)
			r.onto("1", "clients3").press("K", "enter")
			r.news()
		}},
		picture{"told", telling(Told{Waiting: 2, Failed: 1, Output: []string{"triage.py: looking at t.example.com", "triage.py: done"}}), press("1", "P")},
		picture{"told-line", telling(Told{Waiting: 2, Failed: 1, Output: []string{"triage.py: looking at t.example.com"}}), func(r *rig) {
			r.press("1")
			r.m.news.told.Output = nil
			r.news()
		}},
		picture{"told-hostile", telling(Told{Output: []string{"\x1b[31mred\x1b]0;x\x07\u202e " + secretMail + strings.Repeat(" long", 90)}}), press("1", "P")},
	)
}

func TestAcknowledging(t *testing.T) {
	t.Parallel()
	r := newRig(t, acknowledging())
	r.onto("1", "clients3").press("K")
	r.sees("acknowledged: captive-portal-probe, clients3.google.com")
	r.news()
	r.sees("✗✓")
	r.press("K").sees("it was acknowledged already, on the screen at 12:10:00")
	if n := len(r.store.Annotations()); n != 1 {
		t.Errorf("%d annotations", n)
	}
}

// From the detail of a flow that was opened by the list of flows, too; and what is said
// while it is open appears.
func TestAcknowledgingInTheDetail(t *testing.T) {
	t.Parallel()
	s := acknowledging()
	s.w, s.h = 100, 40
	r := newRig(t, s)
	detailOf("/generate_204", "Why")(r)
	r.press("K").sees("acknowledged: ")
	r.news()
	r.sees("acknowledged   on the screen, 2")
	remarked("two\nlines \x1b[31m and " + secretMail)(r)
	r.sees("remark", "by telltale.yaml:12: ./triage.py", `lines \x1b[31m`)
	r.seesNot(secretMail)
	r.press("esc", "esc")
	detailOf("/claim-key", "Why")(r)
	r.press("K").sees("no violation is here")
}

func TestAcknowledgingThatFails(t *testing.T) {
	t.Parallel()
	s := withStory()
	s.change = func(c *Config) { c.Acknowledge = func(string) error { return errors.New("disk full") } }
	r := newRig(t, s)
	r.onto("1", "clients3").press("K").sees("! not acknowledged: disk full")
	r.news()
	r.seesNot("✗✓")
	r.m.cfg.Acknowledge = nil
	r.press("K").sees("cannot be written")
	empty := newRig(t, setting{})
	empty.press("1", "K").sees("no violation is here")
}

// A program's newest line shows for a moment, and hides nothing that is being said.
func TestOutputOfPrograms(t *testing.T) {
	t.Parallel()
	told := Told{}
	s := withStory()
	s.change = func(c *Config) { c.Told = func() Told { t := told; t.Output = slices.Clone(t.Output); return t } }
	r := newRig(t, s)
	say := func(line string) {
		told.Output = append(told.Output, line)
		r.now = r.now.Add(time.Second)
		r.news()
	}
	r.press("1")
	say("one")
	r.sees("(P) one")
	say("two")
	r.sees("(P) two")
	r.seesNot("(P) one")
	r.press("down").seesNot("(P)") // any key takes it away
	r.m.status = status{text: "something else"}
	say("three")
	r.sees("something else")
	r.press("P").sees("Output of programs", "one", "two", "three", "None is waiting")
}
