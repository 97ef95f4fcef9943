package reports

import (
	"strings"
	"testing"
	"time"

	"telltale/attribution"
	"telltale/capture"
	"telltale/coverage"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// throughTunnel is an audit of a whole device: what has no request is in it too, and the
// books balance.
func throughTunnel() *Report {
	r := base()
	r.Verdict, r.Modes = Violations, []string{"http", "privacy-report", "wireguard"}
	r.Captures = []CaptureInfo{{File: "tunnel.telltale", Entries: 6, Producer: "telltale 1.0.0"}}
	r.Command = "telltale check tunnel.telltale --policy telltale.yaml"
	r.Checks = append(r.Checks, Check{Rule: policy.EncryptedDNS, Title: "names asked of a resolver that hides them", Severity: policy.SeverityWarning})
	r.Flows = each(deviceFlows()...)
	found := func(id string, rule policy.Rule, severity policy.Severity, host, method, url string) capture.Violation {
		return capture.Violation{
			ID: id, Count: 1, Method: method, URL: url, First: epoch, Last: epoch, Clients: []string{"10.99.0.2"},
			Flows: []capture.Reference{{Capture: "tunnel.telltale", Entry: 1, ID: 1}},
			Finding: policy.Finding{
				Rule: rule, Severity: severity, Host: host, Title: "a title", Message: "A message.", Remedy: "A remedy.",
				Source: policy.Source{File: "telltale.yaml", Line: 5, Text: "allow: nothing allows " + host},
			},
		}
	}
	r.Summary = capture.Summary{
		Flows: 6, Allowed: 2, Violating: 4, First: epoch, Last: after(time.Minute),
		Hosts: []capture.Host{
			{Name: "ads.example", Verdict: policy.Violation, Rule: policy.HostNotAllowed, Flows: 1, Violating: 1, First: epoch, Last: epoch},
			{Name: "dns.example", Verdict: policy.Violation, Rule: policy.EncryptedDNS, Flows: 1, Violating: 1, Unread: 1, First: epoch, Last: epoch},
			{Name: "time.example", Verdict: policy.Violation, Rule: policy.HostNotAllowed, Flows: 1, Violating: 1, Unread: 1, First: epoch, Last: epoch},
			{Name: "tracker.example", Verdict: policy.Violation, Rule: policy.HostNotAllowed, Flows: 1, Violating: 1, First: epoch, Last: epoch},
			{Name: "www.canada.ca", Verdict: policy.Allowed, Source: allowCanada, Flows: 2, First: epoch, Last: epoch},
		},
		Violations: []capture.Violation{
			found("1111111111111111", policy.HostNotAllowed, policy.SeverityError, "ads.example", "QUERY", "dns:ads.example"),
			found("2222222222222222", policy.EncryptedDNS, policy.SeverityWarning, "dns.example", "CONNECT", "https://dns.example:853"),
			found("3333333333333333", policy.HostNotAllowed, policy.SeverityError, "time.example", "UDP", "udp://time.example:123"),
			found("4444444444444444", policy.HostNotAllowed, policy.SeverityError, "tracker.example", "CONTACT", "https://tracker.example"),
		},
		Health: capture.Health{
			QUICRefused: map[string]int{"www.canada.ca": 2}, Lookups: 3,
			Unread: map[string]map[flow.Outcome]int{
				"dns.example": {flow.PassedThrough: 1}, "time.example": {flow.Tunnelled: 1},
			},
			Ledgers: []coverage.Ledger{{
				Mode:     "wireguard",
				Received: map[coverage.Class]coverage.Amount{coverage.TCP: {Units: 1204}, coverage.UDP: {Units: 9000, Bytes: 4_200_000}, coverage.ICMP: {Units: 3, Bytes: 168}},
				Recorded: map[coverage.Class]coverage.Amount{coverage.TCP: {Units: 1200}, coverage.UDP: {Units: 8962, Bytes: 4_191_000}, coverage.ICMP: {Units: 3, Bytes: 168}},
				UnderWay: map[coverage.Class]coverage.Amount{coverage.TCP: {Units: 4}},
				Dropped:  map[string]coverage.Amount{"malformed packets": {Units: 38, Bytes: 9000}},
			}},
		},
	}
	udp := &r.Summary.Violations[2]
	udp.Flows[0].Destination, udp.Flows[0].Resolved = "203.0.113.7:123", "time.example"
	udp.Attributed = []attribution.Attribution{{App: "Weather", ID: "com.example.weather", How: attribution.Record, Words: "likely Weather: it alone contacted time.example, as the phone's own record says"}}
	r.Summary.Hosts[2].Attributed, r.Summary.Hosts[4].QUICRefused = udp.Attributed, 2
	return r
}

// deviceFlows are one of each kind that has no request, and what comes back over TCP.
func deviceFlows() []*flow.Flow {
	return []*flow.Flow{
		flowtest.DNS("ads.example"),
		flowtest.DNS("nowhere.example", flowtest.Question("HTTPS", "NXDOMAIN")),
		flowtest.Datagrams("203.0.113.7:123", flowtest.Resolved("time.example"), flowtest.Speech("NTP")),
		flowtest.QUIC("203.0.113.9", "www.canada.ca", flowtest.Noted("an Alt-Svc header leads to port 8443")),
		flowtest.Ping("203.0.113.9"),
		flowtest.Seen("tracker.example", "Weather", "com.example.weather"),
	}
}

// withGap is the same audit with books that do not balance.
func withGap() *Report {
	r := throughTunnel()
	l := &r.Summary.Health.Ledgers[0]
	l.Recorded[coverage.TCP] = coverage.Amount{Units: 1190}
	r.Warnings = WarningsOf(r.Summary, r.Captures, false, FewFlows)
	return r
}

func TestUnbalancedBooksAreAWarning(t *testing.T) {
	t.Parallel()
	if w := throughTunnel(); len(WarningsOf(w.Summary, w.Captures, false, FewFlows)) > 0 {
		t.Errorf("warned of books that balance: %q", WarningsOf(w.Summary, w.Captures, false, FewFlows))
	}
	warnings := withGap().Warnings
	if len(warnings) != 1 || !strings.Contains(warnings[0], `10 connections of 1,204`) || !strings.Contains(warnings[0], `"Everything" cannot be claimed`) {
		t.Errorf("warnings %q", warnings)
	}
}

// Whoever reads a report in whatever format learns that something is missing.
func TestEveryFormatWarnsOfMissingPackets(t *testing.T) {
	t.Parallel()
	killed := throughTunnel()
	killed.Verdict, killed.Summary.Health.Ledgers[0].Cut = Clean, true
	killed.Warnings = WarningsOf(killed.Summary, killed.Captures, false, FewFlows)
	for want, r := range map[string]*Report{"10 connections of 1,204": withGap(), "the recorder was killed": killed} {
		for _, format := range []string{"text", "markdown", "html", "json", "github", "sarif", "junit", "gitlab"} {
			f, ok := ByName(format)
			if !ok {
				t.Fatalf("there is no format %s", format)
			}
			r.Width = 4000 // no sentence is broken
			var b strings.Builder
			if err := f.Write(&b, r); err != nil {
				t.Fatal(err)
			}
			if at := strings.Index(b.String(), "Incomplete: "); at < 0 || !strings.Contains(b.String()[at:], want) {
				t.Errorf("%s does not warn that %s", format, want)
			}
		}
	}
}

// What is missing is said also where there is no flow: that was accepted, the loss was not.
func TestMissingPacketsOfAnEmptyAudit(t *testing.T) {
	t.Parallel()
	lost := capture.Summary{Health: capture.Health{Ledgers: []coverage.Ledger{{
		Mode: "wireguard", Received: map[coverage.Class]coverage.Amount{coverage.UDP: {Units: 2, Bytes: 20}},
	}}}}
	if w := WarningsOf(lost, nil, false, FewFlows); len(w) != 1 || !strings.Contains(w[0], "2 datagrams") {
		t.Errorf("warnings %q", w)
	}
}

// "Everything" is never claimed of what cannot have seen everything.
func TestOnlyWholeWaysClaimEverything(t *testing.T) {
	t.Parallel()
	for _, way := range coverage.Ways {
		r := &Report{Modes: []string{way.Mode}}
		for _, text := range claims(r, onTerminal) {
			if strings.Contains(text, "Everything that") {
				t.Errorf("%s claims: %s", way.Mode, text)
			}
		}
		if len(r.ways()) != 1 {
			t.Errorf("%s has %d ways", way.Mode, len(r.ways()))
		}
	}
	if ways := (&Report{Modes: []string{"of tomorrow"}}).ways(); len(ways) != 0 {
		t.Errorf("ways of a mode that nobody knows: %v", ways)
	}
}

// What has no URL that anybody could ask for is explained by its host.
func TestExplainsWhatCanBeAsked(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"dns:ads.example": "host.example", "contact:ads.example": "host.example", "icmp://203.0.113.9": "host.example",
		"udp://time.example:123": "udp://time.example:123", "https://a.example/": "https://a.example/",
	} {
		v := capture.Violation{URL: url, Finding: policy.Finding{Host: "host.example"}}
		if got := explained(v); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

func TestCutRequestsAreWarnedOf(t *testing.T) {
	s := capture.Summary{Flows: 20, Health: capture.Health{Cut: 2, CutBytes: 3 << 20, Omitted: 7}}
	if w := WarningsOf(s, nil, false, FewFlows); len(w) != 1 || !strings.Contains(w[0], "2 requests (3.1 MB)") {
		t.Errorf("warned of %q", w)
	}
}

// Contents that the policy does not keep were searched: no report tells people to record more
// of them.
func TestOmittedContentsAreCounted(t *testing.T) {
	r := covidAlert()
	r.Summary.Health.Omitted = 7
	const want = "7 flows have contents that were not recorded, as the policy asks"
	for _, name := range []string{"text", "markdown", "html"} {
		f, ok := ByName(name)
		if !ok {
			t.Fatal(name)
		}
		if text := render(t, f, r); !strings.Contains(strings.Join(strings.Fields(text), " "), want) || strings.Contains(text, "--body-limit") {
			t.Errorf("%s does not say so", name)
		}
	}
	f, _ := ByName("json")
	if text := render(t, f, r); !strings.Contains(text, `"omitted": 7`) {
		t.Error("the JSON has no count")
	}
}
