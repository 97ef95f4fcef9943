package policy

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"telltale/exposure"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// identifierPolicy is the example of docs/identifiers.md.
const identifierPolicy = `version: 1
allow:
  - api.example.com
ignore:
  - preset: ios-system
identifiers:
  e-mail: never              # nobody may have it
  advertising-id: third-parties
  local-address: ignore
never-send:
  - name: e-mail of the test account
    value: ${TEST_EMAIL}
waivers:
  - {rule: identifier-leaked, host: waived.example, reason: x, until: 2027-01-01}
  - {rule: host-not-allowed, host: waived.example, reason: x, until: 2027-01-01}
devices:
  - name: lab
    address: 192.168.1.23
    allow: [lab.example]
`

var badIdentifiers = []badPolicy{
	{"identifiers as a list", "version: 1\nallow: [a.example]\nidentifiers: [e-mail]\n", 3, 14, "expected kinds of identifiers, found a list", "e-mail: never"},
	{"no identifiers", "version: 1\nallow: [a.example]\nidentifiers: {}\n", 3, 14, "identifiers names no kind", "remove the key"},
	{"identifiers without a value", "version: 1\nallow: [a.example]\nidentifiers:\n", 3, 1, `"identifiers" has no value`, ""},
	{"an unknown kind of identifiers", "version: 1\nallow: [a.example]\nidentifiers:\n  email: never\n", 4, 3, `unknown kind of identifiers "email"; did you mean "e-mail"?`, `write "e-mail"`},
	{"a kind near none", "version: 1\nallow: [a.example]\nidentifiers:\n  zzzzzzzz: never\n", 4, 3, `unknown kind of identifiers "zzzzzzzz"`, "one of: advertising-id"},
	{"an unknown reach", "version: 1\nallow: [a.example]\nidentifiers:\n  idfv: third-party\n", 4, 9, `idfv cannot be "third-party"; did you mean "third-parties"?`, "never, third-parties, ignore"},
	{"a reach as a number", "version: 1\nallow: [a.example]\nidentifiers:\n  idfv: 1\n", 4, 9, "expected who must not get it, found a number", "one of: never"},
	{"a reach as a list", "version: 1\nallow: [a.example]\nidentifiers:\n  idfv: [never]\n", 4, 9, "expected who must not get it, found a list", "one of: never"},
	{"a reach that is not there", "version: 1\nallow: [a.example]\nidentifiers:\n  idfv:\n  imei: never\n", 4, 0, "expected who must not get it, found nothing", ""},
	{"a kind twice", "version: 1\nallow: [a.example]\nidentifiers:\n  idfv: never\n  idfv: ignore\n", 5, 3, `key "idfv" stands here twice`, "keep one"},
	{"a merge of identifiers", "version: 1\nallow: [a.example]\nidentifiers:\n  <<: {idfv: never}\n", 4, 3, `unknown kind of identifiers "<<"`, ""},
	{"identifiers of a device", "version: 1\ndevices:\n  - name: a\n    address: 192.0.2.1\n    identifiers: {idfv: never}\n", 5, 5, `unknown key "identifiers"`, ""},
}

func TestParseBadIdentifiers(t *testing.T) { checkBad(t, badIdentifiers) }

// carries adds exposures, written "kind where masked".
func carries(exposures ...string) flowtest.Option {
	return func(f *flow.Flow) {
		f.Examined = exposure.Version
		for _, text := range exposures {
			kind, where, _ := strings.Cut(text, " ")
			f.Exposures = append(f.Exposures, flow.Exposure{Kind: kind, Where: where, Masked: "m…", Digest: kind + where})
		}
	}
}

// identified is what the rule says of a flow: "kind severity" each.
func identified(j Judgement) string {
	var out []string
	for _, f := range slices.Concat(j.Findings, j.Excused) {
		if f.Rule == IdentifierLeaked {
			out = append(out, f.Subject+" "+string(f.Severity))
		}
	}
	return strings.Join(out, ", ")
}

func TestIdentifiers(t *testing.T) {
	const usual = "version: 1\nallow: [api.example.com]\nignore: [{preset: ios-system}, noise.example]\n"
	all := make([]string, len(exposure.Kinds))
	var grave, everything []string
	for i, k := range exposure.Kinds {
		all[i] = k.Name + " query x"
		severity := SeverityWarning
		if k.Grave {
			severity = SeverityError
			grave = append(grave, k.Name+" error")
		}
		everything = append(everything, k.Name+" "+string(severity))
	}
	for _, tt := range []struct {
		name, policy string
		f            *flow.Flow
		verdict      Verdict
		want         string
	}{
		{"an allowed host gets grave ones", usual, flowtest.Get("https://api.example.com/", carries(all...)), Violation, strings.Join(grave, ", ")},
		{"another host gets any", usual, flowtest.Get("https://other.example/", carries(all...)), Violation, strings.Join(everything, ", ")},
		{"noise gets any", usual, flowtest.Get("https://noise.example/", carries(all...)), Ignored, ""},
		{"nothing is sent", usual, flowtest.Get("https://api.example.com/"), Allowed, ""},
		{"only harmless ones", usual, flowtest.Get("https://api.example.com/", carries("idfv query x", "e-mail query y")), Allowed, ""},
		{"in a question of DNS", usual, &flow.Flow{Kind: flow.DNS, Outcome: flow.Completed, DNS: &flow.Question{Name: "a.other.example"},
			Server: flow.Server{Asked: "a.other.example:53"}, Exposures: []flow.Exposure{{Kind: "advertising-id", Where: "DNS name"}}}, Violation, "advertising-id error"},
		{"a kind of a newer version", usual, flowtest.Get("https://other.example/", carries("shoe-size query x")), Violation, "shoe-size warning"},
		{"named never", identifierPolicy, flowtest.Get("https://api.example.com/", carries("e-mail query x")), Violation, "e-mail error"},
		{"named third-parties, allowed", identifierPolicy, flowtest.Get("https://api.example.com/", carries("advertising-id query x")), Allowed, ""},
		{"named third-parties, not allowed", identifierPolicy, flowtest.Get("https://other.example/", carries("advertising-id query x")), Violation, "advertising-id error"},
		{"named ignore", identifierPolicy, flowtest.Get("https://other.example/", carries("local-address query x")), Violation, ""},
		{"waived", identifierPolicy, flowtest.Get("https://waived.example/", carries("e-mail query x")), Waived, "e-mail error"},
		{"at a device's own host", identifierPolicy, flowtest.Get("https://lab.example/", carries("e-mail query x", "local-address query y")), Violation, "e-mail error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := parse(t, tt.policy).Judge(tt.f)
			if got := identified(j); got != tt.want || j.Verdict != tt.verdict {
				t.Errorf("%s: %s\nwant %s: %s", j.Verdict, got, tt.verdict, tt.want)
			}
		})
	}
}

func TestIdentifierFinding(t *testing.T) {
	p := parse(t, identifierPolicy)
	f := flowtest.Get("https://api.example.com/", carries("e-mail body.json $.user.mail", "e-mail query mail", "e-mail cookie a", "e-mail cookie b"))
	f.Exposures[0].Layers = []string{"gzip", "base64"}
	j := p.Judge(f)
	if len(j.Findings) != 1 {
		t.Fatalf("%d findings, want one for the kind", len(j.Findings))
	}
	got := j.Findings[0]
	if got.Subject != "e-mail" || got.Title != "sends the e-mail address" || got.Source.Line != 7 || j.Source != got.Source {
		t.Errorf("subject %q, title %q, decided by %s", got.Subject, got.Title, got.Source)
	}
	if len(got.Evidence) != 4 || got.Evidence[0].Where != "body.json $.user.mail" || !slices.Equal(got.Evidence[0].Layers, []string{"gzip", "base64"}) || got.Evidence[0].Masked != "m…" {
		t.Errorf("evidence %+v", got.Evidence)
	}
	for _, want := range []string{"to api.example.com", "at $.user.mail, inside gzip and base64", "1 more place", exposure.KindOf("e-mail").Why, "nobody may have it"} {
		if !strings.Contains(got.Message, want) {
			t.Errorf("the message lacks %q: %s", want, got.Message)
		}
	}
	if !strings.Contains(got.Remedy, "hash") || !strings.Contains(got.Remedy, "identifier-leaked") {
		t.Errorf("remedy %q", got.Remedy)
	}
}

// TestIdentifierNamesAreHarmless holds names that an app chose: they are long, and hold
// what moves cursors.
func TestIdentifierNamesAreHarmless(t *testing.T) {
	f := flowtest.Get("https://other.example/", carries("imei query \x1b[31m\u202eevil"+strings.Repeat("x", 5000)))
	for _, finding := range parse(t, identifierPolicy).Judge(f).Findings {
		if finding.Rule == IdentifierLeaked && (strings.ContainsAny(finding.Message, "\x1b\u202e") || len(finding.Message) > 2000) {
			t.Errorf("message %q", finding.Message)
		}
	}
}

// TestOneValueIsOneFault holds that a value of never-send is not blamed as an identifier
// as well, and that nothing beside it gets away.
func TestOneValueIsOneFault(t *testing.T) {
	p := parse(t, identifierPolicy)
	leak := func(where string) []Finding {
		return []Finding{{Rule: ValueLeaked, Subject: "e-mail of the test account", Evidence: []Evidence{{Where: where}}}}
	}
	for _, tt := range []struct {
		name  string
		found []Finding
		sent  []string
		want  string
	}{
		{"the value itself", leak("header X-User"), []string{"e-mail header X-User"}, ""},
		{"another kind at its place", leak("header X-User"), []string{"e-mail header X-User", "imei header X-User"}, "imei"},
		{"another address elsewhere", leak("header X-User"), []string{"e-mail query to", "e-mail header X-User"}, "e-mail"},
		{"no value was found", nil, []string{"e-mail header X-User"}, "e-mail"},
		{"another rule", []Finding{{Rule: HostNotAllowed, Subject: "e-mail of the test account"}}, []string{"e-mail header X-User"}, "e-mail"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := p.see(flowtest.Get("https://api.example.com/", carries(tt.sent...)))
			s.found = tt.found
			var got []string
			for _, f := range detectIdentifiers(s) {
				got = append(got, f.Subject)
				if len(f.Evidence) != 1 {
					t.Errorf("evidence %+v", f.Evidence)
				}
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("%v, want %s", got, tt.want)
			}
		})
	}
}

func TestKindsLike(t *testing.T) {
	for value, want := range map[string]string{
		"jane.doe@example.com":                 "e-mail",
		"6d92078a-8246-4ba4-ae5b-76104861e7dc": "advertising-id",
		"6D9207 8A":                            "ssid",
		"00:1b:63:84:45:e6":                    "mac-address",
		"45.4215, -75.6972":                    "location",
		"+1 613 555 0100":                      "phone-number",
		"490154203237518":                      "imei",
		"9774d56d682e549c":                     "android-id",
		"192.168.1.23":                         "local-address",
		"my home network":                      "ssid",
	} {
		if got := kindsLike(value); got[0] != want {
			t.Errorf("%q is like %v, want %s", value, got, want)
		}
	}
}

func TestEveryKindHasARemedy(t *testing.T) {
	if len(identifierRemedies) != len(exposure.Kinds) {
		t.Errorf("%d remedies for %d kinds", len(identifierRemedies), len(exposure.Kinds))
	}
	for _, k := range exposure.Kinds {
		if identifierRemedies[k.Name] == "" {
			t.Errorf("no remedy for %s", k.Name)
		}
	}
	if identifierRemedy("shoe-size") == "" {
		t.Error("no remedy for a kind of a newer version")
	}
}

func TestLintIdentifiers(t *testing.T) {
	p := parse(t, "version: 1\nallow: [a.example]\nidentifiers:\n  imei: never\n  idfv: third-parties\n  ssid: ignore\n  e-mail: never\n  bssid: third-parties\n")
	var got []string
	for _, w := range Lint(p, today) {
		got = append(got, fmt.Sprint(w.Source.Line, ":", w.Column, " ", w.Message))
	}
	want := []string{
		"4:3 says what holds without it", "5:3 says what holds without it",
		"6:3 the name of the Wi-Fi network (SSID) may be sent to every host, and nothing will say so",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestExplainIdentifiers(t *testing.T) {
	p := parse(t, identifierPolicy)
	for url, want := range map[string]string{
		"https://api.example.com/": "e-mail address must not, advertising identifier may, address of the device in the local network may",
		"https://other.example/":   "e-mail address must not, advertising identifier must not, address of the device in the local network may",
	} {
		e, err := p.Explain("GET", url)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(want, ", ") {
			if !slices.ContainsFunc(e.Steps, func(s Step) bool {
				return s.Stage == "sending" && s.Source.Line > 0 && strings.HasPrefix(s.Text, "the "+part)
			}) {
				t.Errorf("%s: no step says %q: %+v", url, part, e.Steps)
			}
		}
	}
}

func BenchmarkJudgeIdentifiers(b *testing.B) {
	p := benchmarkPolicy(b)
	p.secrets = nil
	f := flowtest.Get(benchURL, carries("idfv query x", "e-mail body.json $.mail"))
	b.ReportAllocs()
	for b.Loop() {
		p.Judge(f)
	}
}

// TestIdentifiersReference holds docs/identifiers.md against the code.
func TestIdentifiersReference(t *testing.T) {
	const file = "../docs/identifiers.md"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for _, k := range exposure.Kinds {
		fmt.Fprintf(&rows, "| `%s` | %s | `%s` |\n", k.Name, k.Title, usualReach(k))
	}
	const head = "| --- | --- | --- |\n"
	before, rest, found := strings.Cut(string(data), head)
	table, after, ended := strings.Cut(rest, "\n\n")
	if !found || !ended {
		t.Fatal("docs/identifiers.md has no table of kinds")
	}
	if *update {
		data = []byte(before + head + rows.String() + "\n" + after)
		if err := os.WriteFile(file, data, 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
	} else if table+"\n" != rows.String() {
		t.Errorf("the table of kinds is not that of package exposure; -update writes it:\n%s", rows.String())
	}
	for _, r := range reaches {
		if !strings.Contains(string(data), "| `"+r+"` | ") {
			t.Errorf("docs/identifiers.md does not explain %q", r)
		}
	}
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(data), -1) {
		example := block[1]
		if !strings.Contains(example, "version:") {
			example = "version: 1\ndeny: [unused.example]\n" + example
		}
		if _, err := Parse(file, []byte(example), options()); err != nil {
			t.Errorf("an example does not parse: %v", err)
		}
	}
}

// TestIdentifiersAreFoundAndJudged goes the whole way: what a request holds is looked for,
// and judged, and no value shows.
func TestIdentifiersAreFoundAndJudged(t *testing.T) {
	p := parse(t, "version: 1\nallow: [api.example.com]\nnever-send: [{name: mail, value: jane.doe@telltale-audit.net}]\n")
	const body = `{"user": {"mail": "jane.doe@telltale-audit.net", "other": "john.roe@telltale-audit.net"}, "idfa": "6d92078a-8246-4ba4-ae5b-76104861e7dc"}`
	for host, want := range map[string]string{
		"api.example.com": "identifier-leaked advertising-id, value-leaked mail",
		"ads.example":     "host-not-allowed, identifier-leaked advertising-id, identifier-leaked e-mail, value-leaked mail",
	} {
		f := flowtest.Post("https://"+host+"/v1", body)
		f.Exposures = exposure.Look(f)
		var got []string
		for _, finding := range p.Judge(f).Findings {
			got = append(got, strings.TrimSpace(string(finding.Rule)+" "+finding.Subject))
			text := fmt.Sprintf("%+v", finding)
			if strings.Contains(text, "jane.doe") || strings.Contains(text, "john.roe") || strings.Contains(text, "8246-4ba4") {
				t.Errorf("a value shows: %s", text)
			}
			if finding.Subject == "e-mail" && (len(finding.Evidence) != 1 || finding.Evidence[0].Where != "body.json $.user.other") {
				t.Errorf("%s: the listed value is blamed twice: %+v", host, finding.Evidence)
			}
		}
		slices.Sort(got)
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}
