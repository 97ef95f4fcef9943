package reports

import (
	"strings"
	"testing"
	"time"

	"telltale/capture"
	"telltale/policy"
)

// TestTimeChart checks the numbers and the places of a drawing.
func TestTimeChart(t *testing.T) {
	s := phased().Summary
	s.Flows = 12
	c := newTimeChart(s)
	if c == nil || len(c.Bars) != 6 || len(c.Rows) != 6 {
		t.Fatalf("%+v", c)
	}
	if got := c.Rows[0]; got.Flows != 2 || got.Words != "1 to hosts with a violation, 1 to allowed hosts" || got.From != "2026-11-20 12:00:00" {
		t.Errorf("the first step is %+v", got)
	}
	boxes := c.Bars[0].Boxes
	if len(boxes) != 2 || boxes[0].Kind != "violation" || boxes[0].Y != "101" || boxes[0].H != "75" || boxes[1].Y != "26" {
		t.Errorf("the first bar is %+v", boxes)
	}
	if c.From != "12:00:00" || c.To != "12:05:04" || c.Note != "3 flows have no time and are not drawn." {
		t.Errorf("%s to %s: %s", c.From, c.To, c.Note)
	}
	if len(c.Phases) != 2 || c.Phases[0] != (phaseMark{"7%", "1"}) || c.Phases[1].Label != "2" {
		t.Errorf("phases %+v", c.Phases) // the third began after the drawing's end
	}
	if newTimeChart(capture.Summary{Flows: 1, Hosts: []capture.Host{{Name: "a", Flows: 1}}}) != nil {
		t.Error("there is a drawing of flows without a time")
	}
}

// TestTimeChartOfWideBuckets checks that hosts with narrower steps than the whole
// fall into the right ones.
func TestTimeChartOfWideBuckets(t *testing.T) {
	s := capture.Summary{Activity: capture.Activity{Start: epoch, Width: 64 * time.Second, Counts: []int{3, 2}}, Hosts: []capture.Host{
		{Verdict: policy.Allowed, Activity: capture.Activity{Start: epoch.Add(56 * time.Second), Width: 8 * time.Second, Counts: []int{3, 2}}},
		{Verdict: policy.Ignored, Activity: capture.Activity{Start: epoch.Add(-64 * time.Second), Width: 64 * time.Second, Counts: []int{7, 0, 0, 9}}},
	}}
	if got := bucketsOf(s); len(got) != 2 || got[0] != (byKind{2: 3}) || got[1] != (byKind{2: 2}) {
		t.Errorf("got %v", got)
	}
}

func TestNiceAbove(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 2, 3: 4, 5: 5, 6: 8, 9: 10, 11: 20, 41: 50, 801: 1000} {
		if got := niceAbove(n); got != want {
			t.Errorf("niceAbove(%d) = %d, want %d", n, got, want)
		}
	}
}

// TestOwners checks who runs a host, and that no bar is lost.
func TestOwners(t *testing.T) {
	for _, test := range []struct{ host, found, want string }{
		{"app-measurement.com", "", "Google"},
		{"clients3.google.com", "Google", "Google"},
		{"a.b.service.co.uk", "", "service.co.uk"},
		{"192.0.2.7", "", "192.0.2.7"},
	} {
		if got := ownerOf(test.host, test.found); got != test.want {
			t.Errorf("ownerOf(%s) = %q, want %q", test.host, got, test.want)
		}
	}
	c := newOwnerChart(crowd(t, 100))
	if len(c.Bars) != maxOwners || !strings.HasSuffix(c.Bars[maxOwners-1].Name, " others") {
		t.Errorf("%d bars, the last %q", len(c.Bars), c.Bars[len(c.Bars)-1].Name)
	}
	flows, hosts := 0, 0
	for _, b := range c.Bars {
		flows, hosts = flows+b.Flows, hosts+b.Hosts
	}
	if flows != 250 || hosts != 100 {
		t.Errorf("%d flows to %d hosts", flows, hosts)
	}
	if newOwnerChart(&Report{}) != nil {
		t.Error("there is a drawing of nobody")
	}
}
