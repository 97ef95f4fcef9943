package reports

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

var epoch = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return epoch.Add(d) }

// cases are the audits that every format has to tell.
var cases = map[string]func() *Report{
	"violations":   covidAlert,
	"clean":        clean,
	"inconclusive": inconclusive,
	"hostile":      hostile,
	"unread":       unreadAndWaived,
	"damaged":      damaged,
	"phases":       phased,
	"devices":      threeDevices,
	"baseline":     besideBaseline,
	"warned":       warned,
	"tunnel":       throughTunnel,
	"gap":          withGap,
	"located":      besideApp,
	"annotated":    annotated,
	"zero":         func() *Report { return &Report{Checks: []Check{}, Flows: each()} },
}

const (
	retrieval  = "retrieval.covid-notification.alpha.canada.ca"
	submission = "submission.covid-notification.alpha.canada.ca"
	probe      = "clients3.google.com"
	app        = "CovidShield/1.0.2 CFNetwork/1120 Darwin/19.0.0"
)

var allowCanada = policy.Source{File: "telltale.yaml", Line: 6, Text: "*.canada.ca"}

// each returns what Report.Flows wants.
func each(flows ...*flow.Flow) func(func(*flow.Flow) error) error {
	return func(yield func(*flow.Flow) error) error {
		for _, f := range flowtest.Number(flows...) {
			if err := yield(f); err != nil {
				return err
			}
		}
		return nil
	}
}

func base() *Report {
	return &Report{
		Tool:      Tool{"telltale", "1.0.0"},
		Generated: after(time.Hour),
		Policy: PolicyInfo{
			Name: "COVID Alert talks to the Government of Canada only", File: "telltale.yaml",
			Digest: strings.Repeat("0123456789abcdef", 4),
		},
		Checks: []Check{
			{Rule: policy.HostNotAllowed, Title: "a host that nothing in the policy allows", Severity: policy.SeverityError},
			{Rule: policy.CaptivePortalProbe, Title: "a reachability probe to a third party", Severity: policy.SeverityError},
			{Rule: policy.Cleartext, Title: "content sent without encryption", Severity: policy.SeverityError},
		},
		Captures: []CaptureInfo{{File: "covid-alert.har", Entries: 9, Producer: "mitmproxy 11.0", SHA256: strings.Repeat("fedcba9876543210", 4)}},
		Modes:    []string{"har"},
		Command:  "telltale check covid-alert.har --policy telltale.yaml",
		Flows:    each(),
	}
}

// covidAlert is the story that telltale exists for.
func covidAlert() *Report {
	r := base()
	r.Verdict = Violations
	v := capture.Violation{
		ID: "9f2c61d07b1e4a33", Count: 6, Method: "HEAD", URL: "https://clients3.google.com/generate_204",
		App: app, First: after(time.Second), Last: after(5*time.Minute + time.Second), Interval: time.Minute,
		Finding: policy.Finding{
			Rule: policy.CaptivePortalProbe, Severity: policy.SeverityError, Host: probe, Category: "captive-portal", Owner: "Google",
			Title:   "reachability check of React Native NetInfo, with its default URL",
			Message: "Each request tells Google the device's IP address and that this app is running, at that time. Nothing was sent to or read from the user, but whoever holds the log can tell who uses the app, when and from where. The system's own probe would not carry the app's name.",
			Remedy:  "NetInfo's default asks Google. Point it at a server of your own, or switch it off:\n\n    NetInfo.configure({reachabilityUrl: ''})",
			Source:  policy.Source{File: "telltale.yaml", Line: 5, Text: "allow: nothing allows clients3.google.com"},
		},
	}
	for i := range 6 {
		v.Flows = append(v.Flows, capture.Reference{Capture: "covid-alert.har", Entry: i + 2, Line: 40 * (i + 1), ID: flow.ID(i + 2)})
	}
	r.Summary = capture.Summary{
		Flows: 9, Allowed: 3, Violating: 6, First: epoch, Last: after(5*time.Minute + 2*time.Second),
		Hosts: []capture.Host{
			{Name: probe, Verdict: policy.Violation, Rule: policy.CaptivePortalProbe, Category: "captive-portal", Flows: 6, Violating: 6,
				Source: v.Finding.Source, First: v.First, Last: v.Last, Apps: []string{app}},
			{Name: retrieval, Verdict: policy.Allowed, Source: allowCanada, Flows: 2, First: epoch, Last: after(4 * time.Minute), BytesReceived: 48213, Apps: []string{app}},
			{Name: submission, Verdict: policy.Allowed, Source: allowCanada, Flows: 1, First: after(5*time.Minute + 2*time.Second),
				Last: after(5*time.Minute + 2*time.Second), BytesSent: 1290, BytesReceived: 36, Apps: []string{app}},
		},
		Violations: []capture.Violation{v},
	}
	r.Summary.Activity = activity(0, 0, 7, 15, 22, 30, 30, 37, 37)
	r.Summary.Hosts[0].Activity, r.Summary.Hosts[1].Activity, r.Summary.Hosts[2].Activity = activity(0, 7, 15, 22, 30, 37), activity(0, 30), activity(37)
	r.Flows = each(
		flowtest.Get("https://"+retrieval+"/302/2652", flowtest.ResponseBody("application/zip", "\x00\xff")),
		flowtest.Head("https://clients3.google.com/generate_204", flowtest.At(time.Second)),
		flowtest.Head("https://clients3.google.com/generate_204", flowtest.At(61*time.Second)),
		flowtest.Post("https://"+submission+"/upload", `{"keys":[]}`, flowtest.At(5*time.Minute)),
	)
	return r
}

// activity has one flow for each bucket that is named, of eight seconds since the
// epoch.
func activity(buckets ...int) capture.Activity {
	a := capture.Activity{Start: epoch, Width: 8 * time.Second, Counts: make([]int, slices.Max(buckets)+1)}
	for _, b := range buckets {
		a.Counts[b]++
	}
	return a
}

// phased is the same audit in phases: the probe fires before anybody agreed to
// anything, and a crash report follows after the last phase.
func phased() *Report {
	const before, agreed, crash = "before consent", "after consent", "crashes.example"
	r := covidAlert()
	s := &r.Summary
	s.Flows, s.Violating = 10, 7
	s.Phases = []capture.Phase{
		{Name: before, Flows: 4, Violating: 3, Hosts: 2, First: epoch, Last: after(2*time.Minute + time.Second)},
		{Name: agreed, Flows: 5, Violating: 3, Hosts: 3, First: after(3 * time.Minute), Last: after(5*time.Minute + 2*time.Second)},
		{Flows: 1, Violating: 1, Hosts: 1, First: after(6 * time.Minute), Last: after(6 * time.Minute)},
	}
	probes := &s.Violations[0]
	probes.Phases = []string{agreed, before}
	s.Hosts[0].Phases, s.Hosts[1].Phases, s.Hosts[2].Phases = probes.Phases, probes.Phases, []string{agreed}
	last := *probes
	last.ID, last.Count, last.Method, last.URL, last.Interval, last.Phases = "1c", 1, "POST", "https://crashes.example/report", 0, nil
	last.First, last.Last, last.Flows = after(6*time.Minute), after(6*time.Minute), []capture.Reference{{Capture: "covid-alert.har", Entry: 10, ID: 10}}
	last.Finding = policy.Finding{Rule: policy.HostNotAllowed, Severity: policy.SeverityError, Host: crash, Title: "a host that nothing in the policy allows"}
	s.Violations = append(s.Violations, last)
	s.Hosts = append([]capture.Host{{Name: crash, Verdict: policy.Violation, Rule: policy.HostNotAllowed, Flows: 1, Violating: 1, First: last.First, Last: last.Last}}, s.Hosts...)
	s.Last, r.Captures[0].Entries = last.Last, 10
	r.Flows = each(
		flowtest.Head("https://clients3.google.com/generate_204", flowtest.At(time.Second), flowtest.Phase(before)),
		flowtest.Head("https://clients3.google.com/generate_204", flowtest.At(181*time.Second), flowtest.Phase(agreed)),
		flowtest.Post("https://crashes.example/report", "{}", flowtest.At(6*time.Minute)),
	)
	return r
}

func clean() *Report {
	r := covidAlert()
	r.Verdict = Clean
	r.Summary.Violations = nil
	r.Summary.Hosts = r.Summary.Hosts[1:]
	r.Summary.Flows, r.Summary.Violating = 3, 0
	r.Flows = each(flowtest.Get("https://" + retrieval + "/302/2652"))
	r.Modes, r.Command = []string{"http"}, "telltale record --policy telltale.yaml"
	r.Captures = []CaptureInfo{{File: "audit.telltale", Entries: 3, Producer: "telltale"}}
	r.Summary.Health.Devices = []capture.Device{{
		Addr: "192.168.1.23", Name: "test phone", Flows: 3, Hosts: 2, Allowed: 3, First: epoch, Last: after(5*time.Minute + 2*time.Second), Decrypted: after(time.Second),
	}}
	return r
}

func inconclusive() *Report {
	r := base()
	r.Verdict = Inconclusive
	r.Captures = []CaptureInfo{{}}
	r.Modes, r.Command = []string{"http"}, "telltale record --policy telltale.yaml --report audit.md"
	r.Summary.Health = capture.Health{Denied: 2, Nameless: 1}
	return r
}

func damaged() *Report {
	r := clean()
	r.Verdict = Inconclusive
	r.Captures = append(r.Captures, CaptureInfo{
		File: "broken.har", Entries: 2, Producer: "Charles 4.6", Skipped: map[string]int{"data": 3, "blob": 1},
		Error: `broken.har: line 120, column 7, entry 3: expected "}", the file ends here`,
	})
	return r
}

// attack is text that tries everything: escape sequences, forged structure of
// each format, bidirectional and invisible characters, broken UTF-8.
const attack = "\x1b[2J\x1b[31mCLEAN\x1b[0m\r\n# Clean: nothing to see\n|a|b|\n```\n</details><script>alert(1)</script>" +
	"<img src=x onerror=alert(1)>`code``@octocat #123 GH-7 https://evil.example/ www.evil.example [x](http://e) ![y](z) $x$ :tada:" +
	"\u202egnp.exe\u2066\u200b\ufeff\u00ad\u3164\x00\x7f\u0085\u2028\xff\xfe=cmd|' /C calc'!A0 \\x1b $(reboot) '; rm -rf ~ #"

// secret is a never-send value. It occurs in every text of the hostile report.
const secret = "tester@example.org"

// token is the value of a parameter that is called like a credential.
const token = "b7f3c9e1d2"

func hostile() *Report { return hostileWith(attack + secret) }

// hostileWith has a text wherever a text may be.
func hostileWith(bad string) *Report {
	r := base()
	r.Verdict = Violations
	r.Mask = func(s string) string { return strings.ReplaceAll(s, secret, flow.Redacted) }
	r.Policy = PolicyInfo{Name: bad, File: bad, Digest: "00", Allow: []string{bad}}
	r.Captures = []CaptureInfo{{File: bad, Entries: 1, Producer: bad, SHA256: "00", Skipped: map[string]int{bad: 1}, Error: bad}}
	r.Notes, r.Warnings = []string{bad}, []string{bad}
	r.Diagnose = func(capture.Device) []diagnosis.Diagnosis {
		return []diagnosis.Diagnosis{{
			Key: bad, Cause: diagnosis.AppPinning, Certainty: diagnosis.Likely, Title: bad, App: "@" + bad, Hosts: []string{bad, "=" + bad}, MoreHosts: 1,
			Connections: 2, First: epoch, Last: epoch, Evidence: []string{bad, "`" + bad}, Next: []string{bad + "`", "1. " + bad},
		}, {Cause: diagnosis.Cause(bad), Certainty: diagnosis.Certainty(bad), Title: bad}}
	}
	r.Baseline = &BaselineInfo{File: bad, Violations: 1}
	r.Command = "telltale check " + shellWord(bad)
	r.Origins = hostileResult(bad)
	r.Origins.Wanted.Hosts = append(r.Origins.Wanted.Hosts, bad)
	r.Origins.Leads[0].Wanted, r.Origins.Leads[1].Wanted = bad, bad
	finding := policy.Finding{
		Rule: policy.HostNotAllowed, Severity: policy.SeverityError, Host: bad, Subject: bad, Category: "unknown", Owner: bad,
		Title: bad, Message: bad, Remedy: bad + "\n\n    " + bad + "\n\n```\n" + bad, Source: policy.Source{File: bad, Line: 1, Text: bad},
	}
	known := finding
	known.Known = true
	v := capture.Violation{ID: "00", Finding: finding, Count: 1, Method: "=" + bad, URL: "https://user:hunter2@evil.example/?access_token=" + token + "&q=" + bad, App: "@" + bad,
		First: epoch, Last: epoch, Flows: []capture.Reference{{Capture: bad, Entry: 1, Line: 1, ID: 1}}, Clients: []string{bad, bad + "2"}, Phases: []string{"", "=" + bad}}
	r.Summary = capture.Summary{
		Flows: 2, Violating: 1, Waived: 1, First: epoch, Last: epoch,
		Hosts: []capture.Host{
			{Name: "=" + bad, Verdict: policy.Violation, Rule: policy.HostNotAllowed, Flows: 2, Unread: 1, Phases: v.Phases, Apps: []string{"-" + bad, "+" + bad}, Source: finding.Source},
			{Name: bad, Verdict: policy.Allowed, Flows: 1, Source: finding.Source},
		},
		Violations: []capture.Violation{v}, Waivers: []capture.Violation{v, {ID: "01", Finding: known, Count: 1, Method: v.Method, URL: v.URL, Flows: v.Flows}},
		Phases: []capture.Phase{{Name: "=" + bad, Flows: 1, Violating: 1, Hosts: 1, First: epoch, Last: epoch}, {Flows: 1, Hosts: 1}},
		Health: capture.Health{
			Devices: []capture.Device{{Addr: bad, Name: bad, Flows: 1, Violating: 1}, {Addr: bad + "2"}},
			Unread:  map[string]map[flow.Outcome]int{bad: {flow.Tunnelled: 1}},
			Notes:   []string{bad},
		},
	}
	hostileSent(r, bad)
	hostileExperiments(r, bad)
	r.Flows = each(
		flowtest.Get("https://user:hunter2@evil.example/?q="+secret, flowtest.Asked("evil.example:443"), flowtest.Host("evil.example"), flowtest.UserAgentOf(bad), flowtest.Header("Cookie", "a=hunter2"),
			flowtest.ResponseBody("text/html", strings.ToValidUTF8(bad, "?"))),
		flowtest.Post("https://evil.example/", bad, flowtest.Phase(strings.ToValidUTF8(bad, "?"))), // not UTF-8
		flowtest.Refused("evil.example"),
	)
	return r
}

func unreadAndWaived() *Report {
	r := clean()
	source := policy.Source{File: "telltale.yaml", Line: 21, Text: "captive-portal-probe at captive.apple.com until 2027-01-31: made by iOS itself"}
	r.Summary.Flows, r.Summary.Allowed, r.Summary.Waived, r.Summary.Ignored = 8, 4, 2, 2
	r.Captures[0].Entries = 8
	r.Summary.Hosts = append([]capture.Host{
		{Name: "captive.apple.com", Verdict: policy.Waived, Rule: policy.CaptivePortalProbe, Category: "captive-portal", Flows: 2,
			Source: source, First: epoch, Last: after(time.Minute), BytesReceived: 136},
		{Name: "gateway.icloud.com", Verdict: policy.Ignored, Flows: 2, Unread: 2, Source: policy.Source{File: "telltale.yaml", Line: 12, Text: "preset: ios-system"},
			First: epoch, Last: after(2 * time.Minute)},
	}, r.Summary.Hosts...)
	r.Summary.Hosts[2].Unread, r.Summary.Hosts[2].Flows = 1, 3
	r.Summary.Waivers = []capture.Violation{{
		ID: "77", Count: 2, Method: "GET", URL: "http://captive.apple.com/hotspot-detect.html", App: "CaptiveNetworkSupport/1.0", First: epoch, Last: after(time.Minute),
		Finding: policy.Finding{Rule: policy.CaptivePortalProbe, Severity: policy.SeverityWarning, Host: "captive.apple.com", Title: "Reachability probe of iOS", Source: source},
		Flows:   []capture.Reference{{Capture: "audit.telltale", Entry: 4, ID: 4}, {Capture: "audit.telltale", Entry: 7, ID: 7}},
	}}
	r.Summary.Health = capture.Health{
		Devices: []capture.Device{
			{Addr: "192.168.1.23", Name: "test phone", Flows: 7, Hosts: 4, Allowed: 4, Waived: 2, Ignored: 1, Unread: 2, First: epoch, Last: after(2 * time.Minute), Decrypted: after(time.Second), Refused: 2},
			{Addr: "192.168.1.40", Flows: 1, Hosts: 1, Ignored: 1, Unread: 1, First: epoch, Last: epoch, Refused: 1},
		},
		Unread: map[string]map[flow.Outcome]int{
			"gateway.icloud.com": {flow.ClientRefused: 2}, retrieval: {flow.ClientSilent: 1},
		},
		Failed: 1, Open: 1,
		Notes: []string{"1 body was cut at 1 MiB; its size is exact, its content is not complete."},
	}
	return r
}

// threeDevices is one audit of three devices: one whose app breaks the policy, one whose
// app cannot be read, and one that only looked at the set-up page.
func threeDevices() *Report {
	r := covidAlert()
	r.Modes, r.Command = []string{"http"}, "telltale record --policy telltale.yaml --save audit.telltale"
	r.Captures = []CaptureInfo{{File: "audit.telltale", Entries: 14, Producer: "telltale"}}
	s := &r.Summary
	s.Flows, s.Allowed, s.Ignored = 14, 6, 2
	phone, other, idle := "192.168.1.23", "192.168.1.40", "192.168.1.41"
	s.Violations[0].Clients = []string{phone}
	s.Hosts[1].Flows, s.Hosts[1].Unread = 5, 3
	s.Hosts = append(s.Hosts, capture.Host{Name: "gateway.icloud.com", Verdict: policy.Ignored, Flows: 2, Unread: 2,
		Source: policy.Source{File: "telltale.yaml", Line: 12, Text: "preset: ios-system"}, First: epoch, Last: after(2 * time.Minute)})
	s.Health = capture.Health{
		Devices: []capture.Device{
			{Addr: phone, Name: "test phone", Flows: 9, Hosts: 3, Allowed: 3, Violating: 6, First: epoch, Last: s.Last, Decrypted: after(time.Second)},
			{Addr: other, Name: "Pixel 8, Android 14", Flows: 5, Hosts: 2, Allowed: 3, Ignored: 2, First: epoch, Last: after(2 * time.Minute), Unread: 5, Refused: 5},
			{Addr: idle, First: after(time.Minute), Last: after(time.Minute)},
		},
		Unread: map[string]map[flow.Outcome]int{"gateway.icloud.com": {flow.ClientRefused: 2}, retrieval: {flow.ClientRefused: 3}},
	}
	r.Diagnose = diagnoseOther
	return r
}

// diagnoseOther finds what stands in the way of the second of threeDevices.
func diagnoseOther(d capture.Device) []diagnosis.Diagnosis {
	if d.Refused == 0 {
		return nil
	}
	return []diagnosis.Diagnosis{
		{
			Key: "user-ca-ignored/app/1f2e", Cause: diagnosis.UserCAIgnored, Certainty: diagnosis.Likely, Title: "the app does not trust authorities that the user installed",
			App: app, Hosts: []string{retrieval}, MoreHosts: 2, Connections: 3, First: epoch, Last: after(time.Minute),
			Evidence: []string{"3 of 3 connections of the app were refused with the alert `certificate_unknown (46)`.", "The browser of the same device could be read from 12:00:40 on."},
			Next:     []string{"In an app of your own, trust the user's authorities in debug builds: `res/xml/network_security_config.xml`.", "On an emulator, install the authority as one of the system: `telltale setup android --system`."},
		},
		{
			Key: "system-pinning/apple", Cause: diagnosis.SystemPinning, Certainty: diagnosis.Certain, Title: "services of the system refuse every interception",
			Hosts: []string{"gateway.icloud.com"}, Connections: 2, First: after(time.Minute), Last: after(2 * time.Minute),
			Evidence: []string{"gateway.icloud.com is a service of Apple."}, Next: []string{"Nothing: list it under `ignore`."},
		},
	}
}

// besideBaseline has what was known before, what a waiver excuses and what is new.
func besideBaseline() *Report {
	r := covidAlert()
	r.Baseline = &BaselineInfo{File: "baseline.json", Violations: 3}
	r.Command = "telltale check covid-alert.har --policy telltale.yaml --baseline baseline.json"
	waived := unreadAndWaived().Summary.Waivers[0]
	known := r.Summary.Violations[0]
	known.Finding.Known = true
	fresh := capture.Violation{
		ID: "5e0c11d2aa07b9f4", Count: 1, Method: "POST", URL: "https://crashes.example/report", First: after(2 * time.Minute), Last: after(2 * time.Minute),
		Finding: policy.Finding{
			Rule: policy.HostNotAllowed, Severity: policy.SeverityError, Host: "crashes.example", Title: "contacts a host that the policy does not name",
			Message: "Nothing in the policy names this host.", Remedy: "Remove what sends it, or allow the host under allow.",
			Source: policy.Source{File: "telltale.yaml", Line: 5, Text: "nothing in allow names this host"},
		},
		Flows: []capture.Reference{{Capture: "covid-alert.har", Entry: 5, Line: 180, ID: 5}},
	}
	s := &r.Summary
	s.Violations, s.Waivers = []capture.Violation{fresh}, []capture.Violation{waived, known}
	s.Flows, s.Violating, s.Waived = 12, 1, 8
	s.Hosts[0].Verdict = policy.Waived
	s.Hosts = append([]capture.Host{
		{Name: "captive.apple.com", Verdict: policy.Waived, Rule: policy.CaptivePortalProbe, Category: "captive-portal", Flows: 2, Source: waived.Finding.Source, First: epoch, Last: after(time.Minute)},
	}, s.Hosts...)
	s.Hosts = slices.Insert(s.Hosts, 2, capture.Host{Name: "crashes.example", Verdict: policy.Violation, Rule: policy.HostNotAllowed, Flows: 1, Violating: 1,
		Source: fresh.Finding.Source, First: fresh.First, Last: fresh.Last})
	return r
}

// warned is a clean verdict that is worth little.
func warned() *Report {
	r := clean()
	r.Warnings = []string{
		"Nearly empty: 3 flows were recorded, where fewer than 5 say next to nothing about an app.",
		"Not the app: no flow carries a User-Agent that the policy names as the app's own (app.user-agent).",
	}
	return r
}

// huge has more of everything than a document can show.
func huge(n int) *Report {
	r := covidAlert()
	long := strings.Repeat("@#|<_*", 500)
	one := r.Summary.Violations[0]
	r.Summary.Hosts, r.Summary.Violations = nil, nil
	r.Summary.Health.Unread = map[string]map[flow.Outcome]int{}
	for i := range n {
		name := fmt.Sprintf("host-%05d.%s.example", i, strings.Repeat("very-long-label.", 10))
		v := one
		v.ID, v.Finding.Host, v.URL, v.App = fmt.Sprint(i), name, "https://"+name+"/"+long, long
		v.Finding.Message, v.Finding.Remedy, v.Finding.Title = long, long, long
		if i < capture.MaxPhases {
			r.Summary.Phases = append(r.Summary.Phases, capture.Phase{Name: long + name, Flows: 1, Hosts: 1})
		}
		for _, p := range r.Summary.Phases {
			v.Phases = append(v.Phases, p.Name)
		}
		r.Summary.Violations = append(r.Summary.Violations, v)
		r.Summary.Waivers = append(r.Summary.Waivers, v)
		r.Summary.Hosts = append(r.Summary.Hosts, capture.Host{Name: name, Verdict: policy.Violation, Flows: 1, Unread: 1},
			capture.Host{Name: "a" + name, Verdict: policy.Allowed, Flows: 1, Source: policy.Source{Text: long + name}})
		r.Summary.Health.Unread[name] = map[flow.Outcome]int{flow.Tunnelled: 1}
		r.Summary.Health.Devices = append(r.Summary.Health.Devices, capture.Device{Addr: name, Name: long, Flows: 1})
		v.Clients = append(v.Clients, name)
		r.Notes, r.Warnings = append(r.Notes, long), append(r.Warnings, long)
		r.Captures = append(r.Captures, CaptureInfo{File: name, Producer: long, Error: long})
		r.Checks = append(r.Checks, Check{Rule: policy.Rule(name), Title: long})
		r.Policy.Allow = append(r.Policy.Allow, name)
	}
	r.Diagnose = func(d capture.Device) []diagnosis.Diagnosis {
		many := []string{long, long, long, long, long, long, long, long, long, long}
		return []diagnosis.Diagnosis{{Cause: diagnosis.AppPinning, Certainty: diagnosis.Certain, Title: long, App: long, Hosts: many, MoreHosts: n, Connections: n, Evidence: many, Next: many}}
	}
	r.Policy.Name = long
	r.Summary.Flows = n
	manySent(r, n, func(i int) string { return fmt.Sprintf("sent-%05d.example", i) }, long)
	return r
}
