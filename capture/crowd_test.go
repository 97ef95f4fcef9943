package capture_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/guard/raced"
	"telltale/policy"
)

// crowdJudge finds fault with every host, and more with those that are heavy.
type crowdJudge struct{}

func (crowdJudge) Judge(f *flow.Flow) policy.Judgement {
	host := f.Host()
	severity := policy.SeverityWarning
	if strings.HasPrefix(host, "heavy") {
		severity = policy.SeverityError
	}
	return policy.Judgement{Host: host, Verdict: policy.Violation, Findings: []policy.Finding{
		{Rule: policy.HostNotAllowed, Severity: severity, Host: host}, {Rule: policy.HostNotAllowed, Severity: severity, Host: host, Subject: "again"},
	}}
}

// asks has a device contact hosts that were made up for nobody else.
func asks(t *testing.T, s *capture.Store, first, n int, host func(int) string) {
	t.Helper()
	for i := range n {
		f := flowtest.Get("https://" + host(i) + "/")
		f.ID = flow.ID(first + i)
		s.Observe(f)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
}

// A device that contacts more hosts than any app does takes no more memory than they are
// worth; flows, verdicts and counts stay exact.
func TestCrowdsOfHosts(t *testing.T) {
	raced.SkipMeasure(t)
	const rows = 10_000
	s := capture.New(capture.Options{Judge: crowdJudge{}})
	defer s.Close()
	asks(t, s, 1, rows/2-1, func(i int) string { return fmt.Sprintf("h%d.before.example", i) })
	if sum := s.Summary(); len(sum.Hosts) != rows/2-1 || len(sum.Violations) != rows-2 || len(sum.Health.Notes) != 0 {
		t.Fatalf("below the bound: %d hosts, %d violations, %q", len(sum.Hosts), len(sum.Violations), sum.Health.Notes)
	}
	asks(t, s, rows/2, rows/2, func(i int) string { return fmt.Sprintf("h%d.more.example", i) })
	before := heap()
	const many = 50_000
	asks(t, s, rows, many, func(i int) string { return fmt.Sprintf("h%d.x.made-up.example", i) })
	asks(t, s, rows+many, 3, func(i int) string { return []string{"198.51.100.7", "[2001:db8:1:2::3]", "heavy.made-up.example"}[i] })
	asks(t, s, rows+many+3, 1, func(int) string { return "h0.before.example" })
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("%d hosts keep %d KiB", many, grown>>10)
	}
	at := time.Now()
	sum := s.Summary()
	t.Logf("the summary took %s", time.Since(at))
	if want := rows - 1 + many + 3 + 1; sum.Flows != want || sum.Violating != want {
		t.Errorf("%d flows, %d violating, want %d", sum.Flows, sum.Violating, want)
	}
	hosts, flows := map[string]int{}, 0
	for _, h := range sum.Hosts {
		hosts[h.Name] = h.Flows
		if h.Crowd() != strings.Contains(h.Name, "*") {
			t.Errorf("%s is a crowd: %v", h.Name, h.Crowd())
		}
		flows += h.Flows
	}
	if flows != sum.Flows || hosts["h0.before.example"] != 2 || hosts["*.made-up.example"] != many || hosts["h0.x.made-up.example"] != 1 || hosts["198.51.*.*"] != 1 || hosts["2001:db8:1:*"] != 1 {
		t.Errorf("%d flows in %d hosts: %v", flows, len(sum.Hosts), []int{hosts["h0.before.example"], hosts["*.made-up.example"], hosts["h0.x.made-up.example"], hosts["198.51.*.*"], hosts["2001:db8:1:*"]})
	}
	if len(sum.Hosts) > rows+5 || len(sum.Violations) > rows+5 || len(sum.Shapes) > rows+5 {
		t.Errorf("%d hosts, %d violations, %d shapes", len(sum.Hosts), len(sum.Violations), len(sum.Shapes))
	}
	for _, v := range sum.Violations {
		if v.Finding.Host != "*.made-up.example" {
			continue
		}
		if v.Count != many+1 || v.Finding.Severity != policy.SeverityError || v.ID != v.Finding.Fingerprint() {
			t.Errorf("%d of %+v", v.Count, v.Finding)
		}
	}
	if notes := sum.Health.Notes; len(notes) != 3 || !strings.HasPrefix(notes[0], "more than 10000 hosts") || !strings.HasPrefix(notes[1], "there were more than 10000 violations") {
		t.Errorf("notes %q", notes)
	}
	if again := s.Summary().Health.Notes; len(again) != 3 {
		t.Errorf("notes %q", again)
	}
}

// Parents may be made up too.
func TestCrowdsOfParents(t *testing.T) {
	raced.SkipMeasure(t)
	s := capture.New(capture.Options{Judge: crowdJudge{}})
	defer s.Close()
	const many = 25_000
	asks(t, s, 1, many, func(i int) string { return fmt.Sprintf("www.h%d.example", i) })
	asks(t, s, many+1, 1, func(int) string { return "localhost" })
	sum := s.Summary()
	flows := 0
	for _, h := range sum.Hosts {
		if flows += h.Flows; h.Name == "*" && h.Flows != many+1-2*10_000 {
			t.Errorf("%d flows to all others", h.Flows)
		}
	}
	if len(sum.Hosts) != 2*10_000+1 || len(sum.Violations) > 2*10_000+1 || flows != many+1 || sum.Health.Devices[0].Hosts != len(sum.Hosts) {
		t.Errorf("%d hosts with %d flows, %d violations", len(sum.Hosts), flows, len(sum.Violations))
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
