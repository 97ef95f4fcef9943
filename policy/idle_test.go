package policy_test

import (
	"net/netip"
	"testing"
	"time"

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

// atRest is a baseline with two shapes.
func atRest() *policy.Idle {
	return &policy.Idle{File: "idle.telltale", Shapes: map[policy.Shape]string{
		{Host: "clients3.google.com", Method: "HEAD", Path: "/generate_204"}: "every minute",
		{Host: "sync.example", Method: "POST", Path: "/v1/*"}:                "",
		{Host: "waived.example", Method: "GET", Path: "/"}:                   "",
		{Host: "a.canada.ca", Method: "GET", Path: "/"}:                      "",
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
