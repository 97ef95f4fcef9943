package notify

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"telltale/event"
)

func TestComposeGroups(t *testing.T) {
	first, again := violation("aa", "a.example", "tracker", 1), violation("aa", "a.example", "tracker", 10)
	again.Device, again.Client, again.Phase = "", "192.168.1.21", "after consent"
	again.Violation.First, again.Violation.Last = noon.Add(-time.Minute), noon.Add(time.Hour)
	m := Compose([]event.Event{again, first}, Composition{ID: "m"})
	if len(m.Items) != 1 {
		t.Fatalf("items %+v", m.Items)
	}
	item := m.Items[0]
	if item.Count != 10 || !item.AtLeast || !item.First.Equal(noon.Add(-time.Minute)) || !item.Last.Equal(noon.Add(time.Hour)) {
		t.Errorf("item %+v", item)
	}
	if !slices.Equal(item.Devices, []string{"192.168.1.21", "Pixel 8"}) || !slices.Equal(item.Phases, []string{"after consent", "before consent"}) {
		t.Errorf("devices %q, phases %q", item.Devices, item.Phases)
	}
	if !m.First.Equal(item.First) || !m.Last.Equal(item.Last) || m.ID != "m" || m.Kind != event.OfViolation {
		t.Errorf("message %+v", m)
	}
	for count, want := range map[int]struct {
		count   int
		atLeast bool
	}{37: {37, false}, 10: {10, false}, 3: {10, true}} { // a store that was opened later knows fewer
		item := Compose([]event.Event{again, first}, Composition{Counts: map[string]int{"aa": count}}).Items[0]
		if item.Count != want.count || item.AtLeast != want.atLeast {
			t.Errorf("with %d counted: %d, at least %v", count, item.Count, item.AtLeast)
		}
	}
}

func TestComposeSorts(t *testing.T) {
	m := burst()
	if len(m.Items) != 12 || m.More != 0 {
		t.Fatalf("%d items and %d more", len(m.Items), m.More)
	}
	if read := listed(m); len(read.Items) != 10 || read.More != 2 {
		t.Errorf("people read %d items and of %d more", len(read.Items), read.More)
	}
	if m.Items[0].Count != 100 || m.Items[8].Severity != "error" || m.Items[9].Severity != "warning" || m.Severity != "error" {
		t.Errorf("items %+v", m.Items)
	}
	for i := 1; i < 9; i++ {
		if m.Items[i].Count > m.Items[i-1].Count {
			t.Errorf("item %d has a higher count", i)
		}
	}
}

// The order in which events come in changes nothing but the order of names.
func TestComposeIsTheSameInAnyOrder(t *testing.T) {
	var events []event.Event
	for _, host := range []string{"a.example", "b.example", "c.example"} {
		events = append(events, violation(host, host, "tracker", 3))
	}
	want := Compose(events, Composition{ID: "m"})
	slices.Reverse(events)
	if got := Compose(events, Composition{ID: "m"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestComposeTitles(t *testing.T) {
	trouble := event.Event{Kind: event.OfTrouble, Message: "the disk is full"}
	device := event.Event{Kind: event.OfDevice, Device: "Pixel 8", Client: "192.0.2.7"}
	unnamed := event.Event{Kind: event.OfDevice, Client: "192.0.2.8"}
	end := event.Event{Kind: event.OfSummary, Policy: "p", Summary: &event.Summary{Verdict: "clean", Flows: 1, Hosts: 1}}
	tried, many := end, end
	tried.Summary = &event.Summary{Verdict: "clean", Flows: 1, Hosts: 1, Experiments: []string{"offline"}}
	many.Summary = &event.Summary{Verdict: "violations", Flows: 2, Hosts: 1, Violating: 2, Violations: 1, Experiments: []string{"a", "b", "c", "d", "e", "f"}}
	nothing := event.Event{Kind: event.OfSummary, Summary: &event.Summary{Verdict: "inconclusive"}}
	action := event.Event{Kind: event.OfAction, Message: "the build of 12:00 sends more than that of 11:00"}
	v := violation("aa", "a.example", "tracker", 1)
	v.Policy, v.Device, v.Client = "", "", ""
	for _, test := range []struct {
		events      []event.Event
		kind        event.Kind
		title, text string
	}{
		{[]event.Event{trouble}, event.OfTrouble, "telltale cannot do its work: the disk is full", ""},
		{[]event.Event{device}, event.OfDevice, "New device: Pixel 8 (192.0.2.7)", ""},
		{[]event.Event{device, unnamed}, event.OfDevice, "2 new devices", "New devices: Pixel 8 (192.0.2.7), 192.0.2.8"},
		{[]event.Event{end}, event.OfSummary, "The audit of “p” has ended: no violation", "1 flow to 1 host. Nothing breaks the policy."},
		{[]event.Event{tried}, event.OfSummary, "The audit of “p” has ended: no violation, with experiments: offline", "1 flow to 1 host. Nothing breaks the policy, with experiments: offline: what an altered flow shows is what the app does in an experiment."},
		{[]event.Event{many}, event.OfSummary, "The audit of “p” has ended: 1 violation, with experiments: a, b, c, d, 2 more", "2 flows to 1 host. 1 violation in 2 flows, with experiments: a, b, c, d, 2 more."},
		{[]event.Event{nothing}, event.OfSummary, "The audit has ended and proves nothing", "0 flows to 0 hosts. This proves nothing: no flow was recorded that could be judged."},
		{[]event.Event{action}, event.OfAction, "The build of 12:00 sends more than that of 11:00", ""},
		{[]event.Event{v}, event.OfViolation, "1 violation: a.example (tracker)", ""},
		{[]event.Event{v, trouble, device}, event.OfViolation, "telltale cannot do its work: the disk is full; 1 violation: a.example (tracker); new device: Pixel 8 (192.0.2.7)", ""},
		{nil, "", "", ""},
	} {
		m := Compose(test.events, Composition{})
		if m.Title != capital(test.title) || m.Text != test.text || m.Kind != test.kind {
			t.Errorf("%s: %q, %q\nwant %q, %q", m.Kind, m.Title, m.Text, test.title, test.text)
		}
	}
}

func TestComposeNext(t *testing.T) {
	one := []event.Event{violation("aa", "a.example", "tracker", 1)}
	two := append(slices.Clone(one), violation("bb", "b.example", "tracker", 1))
	links := map[string]string{"aa": "https://h.example/ack?t=x"}
	for _, test := range []struct {
		events []event.Event
		about  Composition
		want   string
	}{
		{one, Composition{File: "a.telltale"}, "Look at it with `telltale watch a.telltale`. Acknowledge it with `telltale ack aa`."},
		{one, Composition{File: "my lab's.telltale", Acknowledge: links}, `Look at it with ` + "`telltale watch 'my lab'\\''s.telltale'`. Open its link to acknowledge it, or type `telltale ack aa`."},
		{one, Composition{File: "a`reboot`"}, "Acknowledge it with `telltale ack aa`."},
		{two, Composition{}, "Acknowledge one with `telltale ack` and its number, which `telltale ack` alone lists."},
		{two, Composition{Acknowledge: links}, "Open the link of a violation to acknowledge it, or type `telltale ack` and its number."},
		{one, Composition{Acknowledge: map[string]string{"aa": "javascript:alert(1)"}}, "Acknowledge it with `telltale ack aa`."},
	} {
		if got := Compose(test.events, test.about).Next; got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestApart(t *testing.T) {
	a, b, trouble := violation("aa", "a.example", "tracker", 1), violation("bb", "b.example", "tracker", 1), event.Event{Kind: event.OfTrouble}
	again := violation("aa", "a.example", "tracker", 10)
	got := Apart([]event.Event{a, trouble, b, again})
	want := [][]event.Event{{a, again}, {trouble}, {b}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestComposeIsBounded(t *testing.T) {
	long := strings.Repeat("日本 <@here> ", 100_000)
	e := violation("aa", long, long, 1)
	e.Violation.URL, e.Violation.Explanation, e.Violation.Remedy, e.Violation.App = long, long, long, long
	e.Device, e.Policy, e.Capture, e.Phase = long, long, long, long
	m := Compose([]event.Event{e, {Kind: event.OfTrouble, Message: long}}, Composition{Escalated: long})
	for what, s := range map[string]string{"title": m.Title, "text": m.Text, "host": m.Items[0].Host, "explanation": m.Items[0].Explanation, "escalated": m.Escalated} {
		if n := utf8.RuneCountInString(s); n > maxText || !utf8.ValidString(s) {
			t.Errorf("%s has %d characters", what, n)
		}
	}
}

func TestTimes(t *testing.T) {
	for _, test := range []struct {
		item Item
		want string
	}{
		{Item{}, ""}, {Item{Count: 1}, "once"}, {Item{Count: 1, AtLeast: true}, ""}, {Item{Count: 2}, "2 times"},
		{Item{Count: 1000, AtLeast: true}, "at least 1,000 times"}, {Item{Count: 1234567}, "1,234,567 times"},
	} {
		if got := times(test.item); got != test.want {
			t.Errorf("%+v: %q, want %q", test.item, got, test.want)
		}
	}
}

func TestWhen(t *testing.T) {
	zone := time.FixedZone("", -5*3600)
	for _, test := range []struct {
		first, last time.Time
		want        string
	}{
		{time.Time{}, time.Time{}, ""},
		{noon, time.Time{}, "2026-11-20 12:00:00 UTC"},
		{time.Time{}, noon, "2026-11-20 12:00:00 UTC"},
		{noon.In(zone), noon.Add(time.Minute), "2026-11-20 12:00:00 to 12:01:00 UTC"},
		{noon, noon.Add(24 * time.Hour), "2026-11-20 12:00:00 to 2026-11-21 12:00:00 UTC"},
		{noon, noon.Add(-time.Hour), "2026-11-20 12:00:00 UTC"},
	} {
		if got := when(test.first, test.last); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
