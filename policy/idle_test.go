package policy_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"telltale/declarations"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

const idlePolicy = `
version: 1
app:
  user-agent: "CovidShield*"
allow:
  - "*.canada.ca"
never-send:
  - name: account
    value: ann@example.org
waivers:
  - host: waived.example
    rule: host-not-allowed
    until: 2100-01-01
    reason: agreed
devices:
  - address: 192.0.2.7
    name: Ann's phone
`

// atRest is a baseline with some shapes, one of which sent an identifier.
func atRest() *policy.Idle {
	sync := policy.Shape{Host: "sync.example", Method: "POST", Path: "/v1/*"}
	return &policy.Idle{File: "idle.telltale", Sent: map[policy.Shape][]string{sync: {"e-mail"}}, Shapes: map[policy.Shape]string{
		{Host: "clients3.google.com", Method: "HEAD", Path: "/generate_204"}: "every minute",
		sync: "",
		{Host: "waived.example", Method: "GET", Path: "/"}: "",
		{Host: "a.canada.ca", Method: "GET", Path: "/"}:    "",
	}}
}

func idleJudge(t *testing.T) (policy.Judge, policy.Judge) {
	t.Helper()
	p, err := policy.Parse("p.yaml", []byte(idlePolicy), policy.Options{Now: func() time.Time { return flowtest.Epoch }})
	if err != nil {
		t.Fatal(err)
	}
	return p, atRest().Beside(p)
}

func TestIdleSubtracts(t *testing.T) {
	before, judge := idleJudge(t)
	email := flow.Exposure{Kind: "e-mail", Where: "query to", Masked: "b…@example.net"}
	phone := flowtest.UserAgentOf("Dalvik/2.1")
	exposing := flowtest.Post("https://sync.example/v1/55231", "x", phone)
	exposing.Exposures, exposing.Examined = []flow.Exposure{email}, 1
	for name, c := range map[string]struct {
		flow *flow.Flow
		text string // "" when it must not be subtracted
	}{
		"probe":             {flowtest.Head("https://clients3.google.com/generate_204?x=7", phone), "idle baseline: HEAD clients3.google.com/generate_204, every minute"},
		"no user agent":     {flowtest.Post("https://sync.example/v1/99", "", flowtest.UserAgentOf("")), "idle baseline: POST sync.example/v1/*"},
		"identifier":        {exposing, "idle baseline: POST sync.example/v1/*"},
		"question":          {flowtest.DNS("clients3.google.com"), "idle baseline: contacts of clients3.google.com"},
		"the app's own":     {flowtest.Head("https://clients3.google.com/generate_204", flowtest.UserAgentOf("CovidShield/1.0")), ""},
		"other method":      {flowtest.Get("https://clients3.google.com/generate_204", phone), ""},
		"other path":        {flowtest.Head("https://clients3.google.com/generate_205", phone), ""},
		"other host":        {flowtest.Head("https://clients4.google.com/generate_204", phone), ""},
		"other question":    {flowtest.DNS("clients4.google.com"), ""},
		"unread":            {flowtest.Tunnel("clients3.google.com:443"), ""},
		"secret":            {flowtest.Post("https://sync.example/v1/55231", "ann@example.org", phone), ""},
		"names that differ": {flowtest.Head("https://clients3.google.com/generate_204", phone, flowtest.Host("evil.example")), ""},
	} {
		was, got := before.Judge(c.flow), judge.Judge(c.flow)
		if was.Verdict != policy.Violation {
			t.Fatalf("%s: %v without a baseline", name, was.Verdict)
		}
		if got.Subtracted != (c.text != "") {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		if c.text == "" {
			if got.Verdict != policy.Violation || len(got.Findings) == 0 {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		if got.Verdict != policy.Ignored || len(got.Findings) > 0 || got.Source != (policy.Source{File: "idle.telltale", Text: c.text}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What the policy says of it is left as it was.
func TestIdleLeavesVerdicts(t *testing.T) {
	before, judge := idleJudge(t)
	for _, f := range []*flow.Flow{
		flowtest.Get("https://a.canada.ca/"), flowtest.Get("https://waived.example/"),
		flowtest.Get("http://a.canada.ca/"), // allowed, and in clear
		flowtest.Refused("a.canada.ca"),
	} {
		was, got := before.Judge(f), judge.Judge(f)
		if got.Verdict != was.Verdict || got.Subtracted || len(got.Findings) != len(was.Findings) {
			t.Errorf("%s: %+v, was %+v", f.URL(), got, was)
		}
	}
}

// withKinds makes a request with identifiers in it.
func withKinds(url string, kinds ...string) *flow.Flow {
	f := flowtest.Post(url, "x", flowtest.UserAgentOf("Dalvik/2.1"))
	for _, kind := range kinds {
		f.Exposures = append(f.Exposures, flow.Exposure{Kind: kind, Where: "query " + kind, Masked: "b…", Digest: kind})
	}
	f.Examined = 1
	return f
}

// What the baseline never sent is told, of every kind by itself; and to a host that may be
// contacted, what it did send, too.
func TestIdleLeavesIdentifiersThatItNeverSent(t *testing.T) {
	_, judge := idleJudge(t)
	allowed := policy.Shape{Host: "a.canada.ca", Method: "POST", Path: "/"}
	sending := atRest()
	sending.Shapes[allowed], sending.Sent[allowed] = "", []string{"advertising-id"}
	p, _ := idleJudge(t)
	for name, c := range map[string]struct {
		judge policy.Judge
		flow  *flow.Flow
		want  []string // kinds
	}{
		"none":                    {judge, withKinds("https://sync.example/v1/55231"), nil},
		"known":                   {judge, withKinds("https://sync.example/v1/55231", "e-mail"), nil},
		"new":                     {judge, withKinds("https://sync.example/v1/55231", "imei"), []string{"imei"}},
		"known and new":           {judge, withKinds("https://sync.example/v1/55231", "e-mail", "imei", "idfv"), []string{"imei", "idfv"}},
		"to an allowed host":      {sending.Beside(p), withKinds("https://a.canada.ca/", "advertising-id"), []string{"advertising-id"}},
		"known to two, the first": {(&policy.Idle{File: "bare", Shapes: sending.Shapes}).Beside(sending.Beside(p)), withKinds("https://sync.example/v1/1", "e-mail"), nil},
		"known to two, the other": {sending.Beside((&policy.Idle{File: "bare", Shapes: sending.Shapes}).Beside(p)), withKinds("https://sync.example/v1/1", "e-mail"), nil},
	} {
		j := c.judge.Judge(c.flow)
		var kinds []string
		for _, f := range j.Findings {
			if f.Rule != policy.IdentifierLeaked {
				t.Errorf("%s: %s counts", name, f.Rule)
			}
			kinds = append(kinds, f.Subject)
		}
		if !slices.Equal(kinds, c.want) || j.Subtracted != (c.want == nil) {
			t.Errorf("%s: %v counts, subtracted %v", name, kinds, j.Subtracted)
		}
	}
}

// What a manifest does not declare is no fault of the app where the phone does it by
// itself.
func TestIdleSubtractsWhatIsNotDeclared(t *testing.T) {
	p, _ := idleJudge(t)
	d, err := declarations.Read("PrivacyInfo.xcprivacy", []byte("<plist><dict><key>NSPrivacyTracking</key><false/></dict></plist>"))
	if err != nil {
		t.Fatal(err)
	}
	p.(*policy.Policy).Declare(d)
	tracker := policy.Shape{Host: "app-measurement.com", Method: "POST", Path: "/a"}
	idle := &policy.Idle{File: "idle.telltale", Shapes: map[policy.Shape]string{tracker: ""}, Sent: map[policy.Shape][]string{tracker: {"e-mail"}}}
	judge := idle.Beside(p)
	request := func(kinds ...string) *flow.Flow {
		f := withKinds("https://app-measurement.com/a", kinds...)
		flowtest.UserAgentOf("")(f) // else it says that it is another app's
		return f
	}
	was := p.Judge(request("e-mail"))
	for _, rule := range []policy.Rule{policy.UndeclaredTracking, policy.UndeclaredData} {
		if !slices.ContainsFunc(was.Findings, func(f policy.Finding) bool { return f.Rule == rule }) {
			t.Fatalf("without a baseline, %s is missing: %+v", rule, was.Findings)
		}
	}
	if j := judge.Judge(request("e-mail")); !j.Subtracted || len(j.Findings) > 0 {
		t.Errorf("%+v", j)
	}
	j := judge.Judge(request("e-mail", "phone-number"))
	var left []string
	for _, f := range j.Findings {
		left = append(left, string(f.Rule)+" "+f.Subject)
	}
	if want := []string{"identifier-leaked phone-number", "undeclared-data NSPrivacyCollectedDataTypePhoneNumber"}; !slices.Equal(left, want) {
		t.Errorf("%q", left)
	}
	secret := request("e-mail")
	secret.Request.URL += "?m=ann@example.org"
	if j := judge.Judge(secret); !slices.ContainsFunc(j.Findings, func(f policy.Finding) bool { return f.Rule == policy.UndeclaredData }) {
		t.Errorf("a value under never-send is not declared: %+v", j.Findings)
	}
}

// What counts although the contact does not is still told.
func TestIdleLeavesSecrets(t *testing.T) {
	_, judge := idleJudge(t)
	f := flowtest.Post("https://sync.example/v1/1", "mail=ann@example.org", flowtest.UserAgentOf("Dalvik/2.1"))
	j := judge.Judge(f)
	if len(j.Findings) != 1 || j.Findings[0].Rule != policy.ValueLeaked || j.Source != j.Findings[0].Source {
		t.Errorf("%+v", j)
	}
}

func TestIdleSaysWhatItsJudgeSays(t *testing.T) {
	_, judge := idleJudge(t)
	judge = policy.Baseline{"x": true}.Beside(judge)
	if !policy.IsApp(judge, "CovidShield/2") || policy.IsApp(judge, "Other/2") || !policy.ReadsContent(judge) ||
		policy.DeviceName(judge, netip.MustParseAddr("192.0.2.7")) != "Ann's phone" {
		t.Error("the policy's answers are lost")
	}
	p, err := policy.New([]string{"x.example"})
	if err != nil {
		t.Fatal(err)
	}
	if judge := (&policy.Idle{File: "empty"}).Beside(p); judge != policy.Judge(p) {
		t.Error("a baseline without shapes changes the judge")
	}
	if judge := (*policy.Idle)(nil).Beside(p); judge != policy.Judge(p) {
		t.Error("no baseline changes the judge")
	}
}

func TestIdleWithout(t *testing.T) {
	p, _ := idleJudge(t)
	probe := policy.Shape{Host: "clients3.google.com", Method: "HEAD", Path: "/generate_204"}
	all := atRest()
	judge := all.Without(probe).Beside(p)
	for _, f := range []*flow.Flow{flowtest.Head("https://clients3.google.com/generate_204", flowtest.UserAgentOf("")), flowtest.DNS("clients3.google.com")} {
		if j := judge.Judge(f); j.Subtracted || j.Verdict != policy.Violation {
			t.Errorf("%+v", j)
		}
	}
	if j := judge.Judge(flowtest.Post("https://sync.example/v1/1", "", flowtest.UserAgentOf(""))); !j.Subtracted {
		t.Errorf("%+v", j)
	}
	if all.Shapes[probe] != "every minute" {
		t.Error("the whole baseline has changed")
	}
}
