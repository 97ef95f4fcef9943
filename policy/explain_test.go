package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/flow/flowtest"
)

func TestExplain(t *testing.T) {
	p := parse(t, testPolicy)
	for _, tt := range []struct {
		method, url string
		verdict     Verdict
		decided     string // stage and line of the step that decided
		text        string // a part of all steps
	}{
		{"GET", "https://www.canada.ca/x", Allowed, "allow 4", "allows it"},
		{"", "https://www.canada.ca/x", Allowed, "allow 4", ""},
		{"DELETE", "https://api.example.com/v1/x", Violation, "otherwise 3", "only for the methods GET, POST and the paths /v1/*, /health"},
		{"GET", "https://bad.canada.ca/", Violation, "deny 18", "forbids bad.canada.ca (host-denied)"},
		{"POST", "https://app-measurement.com/a", Violation, "deny 19", "tracker"},
		{"GET", "https://x.example/", Violation, "otherwise 3", "nothing allows or ignores x.example (host-not-allowed)"},
		{"HEAD", "https://x.example/generate_204", Violation, "otherwise 3", "captive-portal-probe"},
		{"GET", "https://noise.example/", Ignored, "ignore 16", "overlooks it"},
		{"GET", "http://captive.apple.com/", Ignored, "ignore 14", "captive-portal check, or that of a library inside an app"},
		{"GET", "https://waived.example/", Waived, "otherwise 3", "excuses host-not-allowed until 2027-01-01: x"},
		{"", "www.canada.ca", Allowed, "allow 4", ""},
		{"", "api.example.com", Allowed, "allow 5", "cannot be checked without the request"},
		{"", "port.example.com:8443", Allowed, "allow 8", ""},
		{"", "port.example.com", Violation, "otherwise 3", ""},
		{"", "2001:db8::1", Violation, "otherwise 3", ""},
	} {
		e, err := p.Explain(tt.method, tt.url)
		if err != nil {
			t.Errorf("Explain(%q): %v", tt.url, err)
			continue
		}
		var all, decided []string
		for _, s := range e.Steps {
			all = append(all, s.Text)
			if s.Decided && s.Stage != "waiver" {
				decided = append(decided, fmt.Sprint(s.Stage, " ", s.Source.Line))
			}
		}
		if e.Verdict != tt.verdict || strings.Join(decided, ",") != tt.decided || !strings.Contains(strings.Join(all, "\n"), tt.text) {
			t.Errorf("Explain(%q, %q) = %s by %v, want %s by %s and %q in\n%s", tt.method, tt.url, e.Verdict, decided, tt.verdict, tt.decided, tt.text, strings.Join(all, "\n"))
		}
	}
	for _, bad := range []string{"dns:", "dns://a.example", "dns:a.example:53", "tcp://a.example", "tcp://a.example:99999", "udp://:53", "icmp://a.example:1", "ip://", "contact:", "contact:a b", "", "https://", "://x", "a b", "/path", "https:///x", "host/path"} {
		if e, err := p.Explain("GET", bad); err == nil {
			t.Errorf("Explain(%q) = %+v", bad, e)
		}
	}
}

// TestExplainAgreesWithJudge: what explain says is what a capture is judged by.
func TestExplainAgreesWithJudge(t *testing.T) {
	p := parse(t, testPolicy)
	for _, url := range []string{"https://www.canada.ca/", "https://x.example/", "http://www.canada.ca/", "https://api.example.com/v2", "https://waived.example/"} {
		f := flowtest.Get(url)
		f.Request.Header = nil
		f.Server.TLS = nil
		e, err := p.Explain("GET", url)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := judged(e.Judgement), judged(p.Judge(f)); got != want {
			t.Errorf("%s: explained %q, judged %q", url, got, want)
		}
	}
}

// TestExplainRows: the URL of a row that is no request is judged as such a row is.
func TestExplainRows(t *testing.T) {
	p := parse(t, testPolicy)
	for _, f := range []*flow.Flow{
		flowtest.DNS("www.canada.ca"), flowtest.DNS("x.example"), flowtest.DNS("bad.canada.ca"), flowtest.DNS("app-measurement.com"),
		flowtest.DNS("port.example.com"), flowtest.DNS("waived.example"), flowtest.DNS("_dns.resolver.arpa", flowtest.Question("SVCB", "NOERROR")),
		flowtest.Datagrams("203.0.113.7:443"), flowtest.Datagrams("[2001:db8::1]:3478"), flowtest.Datagrams("203.0.113.7:443", flowtest.Resolved("www.canada.ca")),
		flowtest.Ping("203.0.113.7"), flowtest.Ping("2001:db8::1"), flowtest.Packets("203.0.113.7", "GRE"),
		flowtest.Seen("www.canada.ca", "", ""), flowtest.Seen("x.example", "", ""), flowtest.Seen("2001:db8::1", "", ""),
	} {
		e, err := p.Explain("", f.URL())
		if err != nil {
			t.Errorf("%s: %v", f.URL(), err)
			continue
		}
		if e.URL != f.URL() || e.Method != f.Method() {
			t.Errorf("%s %s is explained as %s %s", f.Method(), f.URL(), e.Method, e.URL)
		}
		if got, want := judged(e.Judgement), judged(p.Judge(f)); got != want {
			t.Errorf("%s: explained %q, judged %q", f.URL(), got, want)
		}
		if decided := e.decided(); decided != f.IsContact() {
			t.Errorf("%s: decided %t by %v", f.URL(), decided, e.Steps)
		}
	}
	for url, want := range map[string]string{"tcp://www.canada.ca:5223": "CONNECT", "tcp://x.example:5223": "CONNECT", "DNS:www.canada.ca": "QUERY", "dns:443": "CONNECT"} {
		if e, err := p.Explain("GET", url); err != nil || e.Method != want || e.Verdict == Unjudged {
			t.Errorf("%s: %+v, %v", url, e, err)
		}
	}
}

func TestLint(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string // parts of the warnings, in order
	}{
		{"clean", contractPolicy, nil},
		{"any host", "version: 1\nallow: [\"*\"]\n", []string{"2:9: allows every host"}},
		{"a top-level domain", "version: 1\nallow: [\"*.com\"]\n", []string{"2:9: allows every name under the public suffix com"}},
		{"a public suffix", "version: 1\nallow: [\"*.co.uk\"]\n", []string{"under the public suffix co.uk"}},
		{"a public suffix with its apex", "version: 1\nignore: [\".gc.ca\"]\nallow: [a.example]\n", []string{"ignores every name under"}},
		{"a domain for everybody", "version: 1\nallow: [\"*.github.io\"]\n", []string{"under github.io, where anybody can have one"}},
		{"a registered domain", "version: 1\nallow: [\"*.canada.ca\"]\n", nil},
		{"every address", "version: 1\nallow: [\"0.0.0.0/0\"]\n", []string{"allows every address"}},
		{"covered", "version: 1\nallow:\n  - \"*.a.example\"\n  - b.a.example\n", []string{"4:5: never decides: *.a.example before it covers it (line 3)"}},
		{"the limited one first", "version: 1\nallow:\n  - {host: b.a.example, methods: [GET]}\n  - \"*.a.example\"\n", nil},
		{"denied", "version: 1\nallow: [b.a.example]\ndeny: [\"*.a.example\"]\n", []string{"2:9: never decides: deny forbids *.a.example (line 3)"}},
		{"denied in part", "version: 1\nallow: [\"*.a.example\"]\ndeny: [b.a.example]\n", nil},
		{"denied by category", "version: 1\nallow: [app-measurement.com]\ndeny: [{category: analytics}]\n", []string{"never decides: the host belongs to Google Analytics for Firebase, and deny forbids the category analytics (line 3)"}},
		{"a tracker without a reason", "version: 1\nallow: [app-measurement.com]\n", []string{"without a reason"}},
		{"a tracker with a reason", "version: 1\nallow: [{host: app-measurement.com, reason: agreed}]\n", nil},
		{"ignored and allowed", "version: 1\nallow: [\"*.a.example\"]\nignore: [b.a.example]\n", []string{"3:10: never decides: allow names *.a.example (line 2)"}},
		{"preset twice", "version: 1\nallow: [a.example]\nignore:\n  - preset: ios-system\n  - preset: ios-system\n", []string{"5:5: the preset ios-system stands here twice"}},
		{"deny twice", "version: 1\nallow: [a.example]\ndeny:\n  - {category: social}\n  - {category: social}\n  - \"*.b.example\"\n  - c.b.example\n", []string{"5:6: never decides", "7:5: never decides"}},
		{"a waiver's end", "version: 1\nallow: [a.example]\nwaivers: [{rule: cleartext, host: a.example, reason: x, until: 2026-11-25}]\n", []string{"the waiver ends in 5 days"}},
		{"a waiver's last day", "version: 1\nallow: [a.example]\nwaivers: [{rule: cleartext, host: a.example, reason: x, until: 2026-11-20}]\n", []string{"the waiver ends in 0 days"}},
		{"a waiver for all", "version: 1\nallow: [a.example]\nwaivers: [{rule: cleartext, host: \"*\", reason: x, until: 2027-11-25}]\n", []string{"excuses cleartext on every host"}},
		{"a short value", "version: 1\nallow: [a.example]\nnever-send: [{name: PIN, value: \"1234\"}]\n", []string{`the value "PIN" has fewer than 8`}},
		{"devices", devicePolicy, []string{"15:9: never decides: deny forbids bad.example (line 7)"}},
		{"every address is a device", "version: 1\nallow: [a.example]\ndevices:\n  - {name: x, address: \"::/0\"}\n", []string{"4:24: ::/0 is every device"}},
		{"an address for a name", "version: 1\nallow: [a.example]\ndevices:\n  - {name: 192.0.2.2, address: 192.0.2.1}\n", []string{"the name \"192.0.2.2\" is an address"}},
		{"no device's address", "version: 1\nallow: [a.example]\ndevices:\n  - {name: x, address: [0.0.0.0, 224.0.0.0/4, \"ff02::1\", 255.255.255.255]}\n",
			[]string{"4:25: matches never: 0.0.0.0", "4:34: matches never: 224.0.0.0/4", "4:47: matches never: ff02::1", "4:58: matches never: 255.255.255.255"}},
		{"a device's entries", "version: 1\nallow: [\"*.a.example\"]\nignore: [{preset: ios-system}]\ndeny: [\"*.b.example\"]\ndevices:\n" +
			"  - name: x\n    address: 192.0.2.1\n    allow: [c.a.example, c.b.example, \"*.com\", ok.example]\n    ignore: [d.a.example, {preset: ios-system}]\n    deny: [e.b.example]\n" +
			"    waivers: [{rule: cleartext, host: \"*\", reason: x, until: 2027-11-25}]\n",
			[]string{"8:13: never decides: *.a.example before it covers it (line 2)", "8:26: never decides: deny forbids *.b.example (line 4)", "8:39: allows every name under",
				"9:14: never decides: allow names *.a.example (line 2)", "9:28: the preset ios-system stands here twice", "10:12: never decides: the entry (line 4) covers it", "11:16: the waiver excuses cleartext on every host"}},
		{"allowed to one device", "version: 1\ndevices: [{name: x, address: 192.0.2.1, allow: [a.example]}]\n", nil},
		{"nothing allowed", "version: 1\ndeny: [a.example]\n", []string{"nothing is allowed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Lint(parse(t, tt.text), today)
			if len(got) != len(tt.want) {
				t.Fatalf("warnings %v, want %q", got, tt.want)
			}
			for i, w := range got {
				if !strings.Contains(w.String(), tt.want[i]) || w.Hint() == "" || !strings.HasPrefix(w.String(), "telltale.yaml:") {
					t.Errorf("warning %q (hint %q), want %q", w, w.Hint(), tt.want[i])
				}
			}
		})
	}
	flags, err := New([]string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	if got := Lint(flags, today); len(got) != 1 || !strings.HasPrefix(got[0].String(), "--allow '*': allows every host") {
		t.Errorf("flags: %v", got)
	}
}

func draftHosts() []DraftHost {
	return []DraftHost{
		{Name: "retrieval.covid-notification.alpha.canada.ca", Flows: 12, Method: "GET", URL: "https://retrieval.covid-notification.alpha.canada.ca/x"},
		{Name: "submission.covid-notification.alpha.canada.ca", Flows: 1},
		{Name: "Canada.CA.", Flows: 1},
		{Name: "192.0.2.7", Flows: 2},
		{Name: "localhost", Flows: 1},
		{Name: "clients3.google.com", Flows: 30, Method: "HEAD", URL: "https://clients3.google.com/generate_204", UserAgent: app},
		{Name: "captive.apple.com", Flows: 1, Method: "GET", URL: "http://captive.apple.com/hotspot-detect.html", UserAgent: system},
		{Name: "gs.apple.com", Flows: 1},
		{Name: "app-measurement.com", Flows: 3, Method: "POST", URL: "https://app-measurement.com/a"},
		{Name: "x.example", Flows: 1, Method: "GET", URL: "https://x.example/generate_204"},
		{Name: "evil\nallow: [everything.example]", Flows: 1},
		{Name: "", Flows: 1},
		{Name: "*", Flows: 1},
	}
}

func TestDraftFromHosts(t *testing.T) {
	text := string(Draft("The app \"x\"\nallow: []\u2028 \x07é", draftHosts()))
	golden(t, "draft.yaml", text)
	p := parse(t, text)
	if want := "The app \"x\"\nallow: []\u2028 \aé"; p.Name() != want {
		t.Errorf("name %q, want %q", p.Name(), want)
	}
	for url, want := range map[string]Verdict{
		"https://retrieval.covid-notification.alpha.canada.ca/x": Allowed,
		"https://canada.ca/":                       Allowed,
		"https://192.0.2.7/":                       Allowed,
		"https://other.canada.ca/":                 Violation,
		"https://clients3.google.com/generate_204": Violation,
		"https://app-measurement.com/a":            Violation,
		"https://everything.example/":              Violation,
		"https://gs.apple.com/":                    Ignored,
	} {
		if j := p.Judge(flowtest.Get(url, flowtest.UserAgentOf("x"))); j.Verdict != want {
			t.Errorf("%s is %s, want %s", url, j.Verdict, want)
		}
	}
}

func TestDraftTemplate(t *testing.T) {
	text := string(Draft("", nil))
	golden(t, "template.yaml", text)
	parse(t, text)
	if w := Lint(parse(t, text), today); len(w) != 0 {
		t.Errorf("the template is suspicious: %v", w)
	}
}

func TestDraftAlwaysParses(t *testing.T) {
	for name, hosts := range map[string][]DraftHost{
		"only probes":   {{Name: "clients3.google.com", Method: "HEAD", URL: "https://clients3.google.com/generate_204"}},
		"only noise":    {{Name: "gs.apple.com"}},
		"only nonsense": {{Name: "a b"}, {Name: "\xff"}, {Name: "*.x"}},
		"one address":   {{Name: "2001:db8::1", Flows: 1}},
		"odd URL":       {{Name: "a.example", URL: "::", Method: "x\ny"}},
	} {
		if _, err := Parse("draft.yaml", Draft(name, hosts), Options{Now: func() time.Time { return today.AddDate(50, 0, 0) }}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDraft(f *testing.F) {
	for _, h := range draftHosts() {
		f.Add(h.Name, h.Name, h.URL)
	}
	f.Fuzz(func(t *testing.T, name, host, url string) {
		text := Draft(name, []DraftHost{{Name: host, Flows: 1, Method: "GET", URL: url}})
		p, err := Parse("draft.yaml", text, options())
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if len(p.allow) > 1 || len(p.allow) == 1 && p.allow[0].Pattern.kind != exactName && p.allow[0].Pattern.kind != addressBlock {
			t.Errorf("%q and %q make\n%s", name, host, text)
		}
	})
}

func TestPathOf(t *testing.T) {
	for url, want := range map[string]requestPath{
		"https://a.example":                 {"/", "/"},
		"https://a.example?x=/y":            {"/", "/"},
		"https://a.example/":                {"/", "/"},
		"https://a.example/a/b?c#d":         {"/a/b", "/a/b"},
		"https://a.example/a/":              {"/a/", "/a/"},
		"https://a.example/a%20b":           {"/a b", "/a b"},
		"https://a.example/a/./b":           {"/a/./b", "/a/b"},
		"https://a.example/a/../../../b":    {"/a/../../../b", "/b"},
		"https://a.example/a/..":            {"/a/..", "/"},
		"https://a.example/a/b/..":          {"/a/b/..", "/a/"},
		"https://a.example//b":              {"//b", "/b"},
		`https://a.example\b`:               {`\b`, "/b"},
		"https://a.example/%2e%2e%5Cb":      {`/..\b`, "/b"},
		"https://a.example/%252e%252e%252f": {"/%2e%2e%2f", "/"},
		"https://a.example/a;x=1/b;y":       {"/a;x=1/b;y", "/a/b"},
		"https://a.example/%zz%4":           {"/%zz%4", "/%zz%4"},
		"https://a.example/%3Fx":            {"/?x", "/?x"},
	} {
		if got := pathOf(url); got != want {
			t.Errorf("pathOf(%q) = %q, want %q", url, got, want)
		}
	}
}

func FuzzNormalPath(f *testing.F) {
	f.Add("/a/../b")
	f.Add("/%2e%2e/%252f;x//")
	f.Fuzz(func(t *testing.T, path string) {
		got := normalPath(path)
		if !strings.HasPrefix(got, "/") || strings.Contains(got, "//") || strings.Contains(got+"/", "/../") || strings.Contains(got+"/", "/./") {
			t.Errorf("normalPath(%q) = %q", path, got)
		}
		if p := pathOf("https://a.example/" + path); !strings.HasPrefix(p.normal, "/") {
			t.Errorf("pathOf(%q) = %q", path, p)
		}
	})
}
