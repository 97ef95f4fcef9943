package capture_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
)

func served(path string, after time.Duration, opts ...flowtest.Option) *flow.Flow {
	return flowtest.Get("http://setup.telltale"+path, append([]flowtest.Option{flowtest.Outcome(flow.Served), flowtest.At(after)}, opts...)...)
}

func TestServedPages(t *testing.T) {
	sum := summarize(t, flowtest.Number(
		served("/ca.pem?again", 5*time.Second), served("/ca.pem", 3*time.Second), served("/", time.Second), served("", 2*time.Second),
		served("/nothing", 0, flowtest.Status(404)), served("/%zz", 4*time.Second),
		served("/ca.pem", time.Second, flowtest.From("192.168.1.99:1")),
		flowtest.Get("https://x.example/other", flowtest.From("192.168.1.99:1")),
	)...)
	want := map[string]time.Time{"/": flowtest.Epoch.Add(time.Second), "/ca.pem": flowtest.Epoch.Add(3 * time.Second)}
	if len(sum.Health.Devices) != 2 || !cmp.Equal(sum.Health.Devices[0].Served, want) {
		t.Errorf("devices %+v", sum.Health.Devices)
	}
	if got := sum.Health.Devices[1].Served; len(got) != 1 || sum.Flows != 1 {
		t.Errorf("the other device: %v, %d flows", got, sum.Flows)
	}
}

func TestManyServedPagesAreCut(t *testing.T) {
	var flows []*flow.Flow
	for i := range 40 {
		flows = append(flows, served(fmt.Sprintf("/%02d", i), time.Duration(40-i)*time.Second))
	}
	got := summarize(t, flowtest.Number(flows...)...).Health.Devices[0].Served
	if len(got) != capture.MaxServed || got["/39"].IsZero() || got["/24"].IsZero() {
		t.Errorf("%v", got)
	}
}

func TestWhoContactsAHost(t *testing.T) {
	var flows []*flow.Flow
	for i := range 40 {
		flows = append(flows, flowtest.Get("https://two.example/", flowtest.From(fmt.Sprintf("192.168.1.%d:%d", 60-i, i+1)), flowtest.At(time.Duration(i)*time.Second)))
	}
	flows = append(flows, flowtest.Get("https://two.example/", flowtest.From("[::ffff:192.168.1.60]:9")),
		flowtest.Get("https://a.canada.ca/", flowtest.From("[fe80::1%eth0]:9")), flowtest.Get("https://har.example/", func(f *flow.Flow) { f.Client = flow.Client{} }))
	sum := summarize(t, flowtest.Number(flows...)...)
	var want []string
	for i := range capture.MaxClients {
		want = append(want, fmt.Sprintf("192.168.1.%d", 21+i))
	}
	if got := sum.Hosts[2].Clients; !cmp.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := sum.Hosts[0].Clients; !cmp.Equal(got, []string{"fe80::1"}) || sum.Hosts[1].Clients != nil {
		t.Errorf("%q, %q", got, sum.Hosts[1].Clients)
	}
	for _, v := range sum.Violations[1:] {
		if !cmp.Equal(v.Clients, want) || v.LastFlow != 41 {
			t.Errorf("%s: %q, last flow %d", v.ID, v.Clients, v.LastFlow)
		}
	}
}

// Each device has its own totals, also of flows that are under way, and the forms of
// one address are one device.
func TestTotalsOfDevices(t *testing.T) {
	s := capture.New(capture.Options{Judge: hostJudge{}})
	defer s.Close()
	open := flowtest.Outcome(flow.Open)
	flows := flowtest.Number(
		flowtest.Get("https://a.canada.ca/", flowtest.From("192.168.1.7:1")),
		flowtest.Get("https://a.canada.ca/2", flowtest.From("[::ffff:192.168.1.7]:2")),
		flowtest.Get("https://x.example/", flowtest.From("192.168.1.7:3")),
		flowtest.Refused("refused.example", flowtest.From("192.168.1.7:4")),
		flowtest.Get("https://a.canada.ca/", flowtest.From("[fe80::1%eth0]:1")),
		flowtest.Get("https://new.example/", flowtest.From("192.168.1.7:5"), open),
		flowtest.Get("https://x.example/", flowtest.From("192.168.1.7:6"), open),
		flowtest.Get("https://x.example/", func(f *flow.Flow) { f.Client = flow.Client{} }),
	)
	observe(t, s, flows...)
	check := func(when string) {
		t.Helper()
		sum := s.Summary()
		if len(sum.Health.Devices) != 2 {
			t.Fatalf("%s: %+v", when, sum.Health.Devices)
		}
		var got [][6]int
		for _, d := range sum.Health.Devices {
			got = append(got, [...]int{d.Flows, d.Hosts, d.Allowed, d.Ignored, d.Waived, d.Violating})
		}
		if want := [][6]int{{6, 4, 2, 0, 0, 4}, {1, 1, 1, 0, 0, 0}}; !cmp.Equal(got, want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
		if d := sum.Health.Devices[0]; d.Unread != 1 || sum.Violating != 5 {
			t.Errorf("%s: %+v", when, d)
		}
	}
	check("open")
	check("asked again")
	for _, f := range flows[5:7] {
		ended := *f
		ended.Outcome = flow.Completed
		observe(t, s, &ended)
	}
	check("ended")
}

func TestActivityOfHostsAndOfAll(t *testing.T) {
	s := capture.New(capture.Options{Judge: hostJudge{}})
	defer s.Close()
	observe(t, s, flowtest.Number(
		flowtest.Get("https://a.example/"), flowtest.Get("https://a.example/", flowtest.At(2*time.Second)),
		flowtest.Get("https://b.example/", flowtest.At(time.Second)),
		flowtest.Get("https://b.example/", flowtest.At(3*time.Second), flowtest.Outcome(flow.Open)), served("/", 9*time.Second),
	)...)
	for range 2 { // open flows are there each time, once
		sum := s.Summary()
		want := capture.Activity{Start: flowtest.Epoch, Width: time.Second, Counts: []int{1, 1, 1, 1}}
		if diff := cmp.Diff(want, sum.Activity); diff != "" {
			t.Errorf("all (-want +got):\n%s", diff)
		}
		want.Counts = []int{1, 0, 1}
		if diff := cmp.Diff(want, sum.Hosts[0].Activity); diff != "" {
			t.Errorf("a.example (-want +got):\n%s", diff)
		}
		want.Start, want.Counts = flowtest.Epoch.Add(time.Second), []int{1, 0, 1}
		if diff := cmp.Diff(want, sum.Hosts[1].Activity); diff != "" {
			t.Errorf("b.example (-want +got):\n%s", diff)
		}
		s.Note("forget the last summary")
	}
}

func TestPagesByID(t *testing.T) {
	s, _ := create(t, capture.Options{})
	var flows []*flow.Flow
	for i := range 1200 {
		flows = append(flows, flowtest.Get(fmt.Sprintf("https://h%d.example/%d", i%3, i)))
	}
	observe(t, s, flowtest.Number(flows...)...)
	all := make([]flow.ID, capture.MaxIDs)
	for i := range all {
		all[i] = flow.ID(capture.MaxIDs - i)
	}
	for _, tt := range []struct {
		name string
		q    capture.Query
		want []flow.ID
	}{
		{"in the order of IDs", capture.Query{IDs: []flow.ID{900, 3, 500, 3}}, []flow.ID{3, 500, 900}},
		{"those that exist", capture.Query{IDs: []flow.ID{0, -1, 1200, 1201, 1 << 62}}, []flow.ID{1200}},
		{"with bounds", capture.Query{IDs: []flow.ID{3, 500, 900, 1100}, After: 3, Before: 1100}, []flow.ID{500, 900}},
		{"the newest", capture.Query{IDs: []flow.ID{3, 500, 900}, Last: true, Limit: 2}, []flow.ID{500, 900}},
		{"of a host", capture.Query{IDs: []flow.ID{1, 2, 3, 4, 901}, Host: "h0.example"}, []flow.ID{1, 4, 901}},
		{"with words", capture.Query{IDs: []flow.ID{1, 2, 901}, Text: "h0"}, []flow.ID{1, 901}},
		{"none", capture.Query{IDs: []flow.ID{}, Limit: 1}, []flow.ID{1}},
	} {
		if got := ids(t, s, tt.q); !cmp.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if got := ids(t, s, capture.Query{IDs: all}); len(got) != len(all) || got[0] != 1 || got[999] != 1000 {
		t.Errorf("%d flows", len(got))
	}
	if _, err := s.Flows(context.Background(), capture.Query{IDs: make([]flow.ID, capture.MaxIDs+1)}); err == nil {
		t.Error("any number of IDs is answered")
	}
}

func TestLastID(t *testing.T) {
	s, path := create(t, capture.Options{})
	if s.LastID() != 0 {
		t.Errorf("an empty capture ends at %d", s.LastID())
	}
	observe(t, s, flowtest.Get("https://x.example/", flowtest.ID(40)), flowtest.Get("https://x.example/", flowtest.ID(7)), flowtest.Get("https://x.example/", flowtest.ID(0)))
	if s.LastID() != 41 || s.NextID() != 42 || s.LastID() != 42 {
		t.Errorf("last %d", s.LastID())
	}
	s.Close()
	if got := reopen(t, path, capture.Options{}).LastID(); got != 41 {
		t.Errorf("read back: last %d", got)
	}
}
