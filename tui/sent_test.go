package tui

import (
	"strings"
	"testing"
	"time"

	"telltale/cadence"
	"telltale/capture"
	"telltale/exposure"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// told is what was told to whom in the story of these tests.
func told(s *capture.Summary) {
	s.Trails = []exposure.Trail{
		{Kind: exposure.AdvertisingID, Masked: "6d92…", Names: []string{"adid", "rdid"}, Hosts: []string{"a.example"}, Receivers: []string{"AppsFlyer", "Google"}, Count: 7, Lasting: exposure.Stable},
		{Kind: exposure.InstallationID, Masked: "c0f1…", Names: []string{"fid"}, Receivers: []string{"Google"}, Count: 2, Lasting: exposure.Session},
		{Kind: exposure.Email, Label: "e-mail 1", Names: []string{secretMail + "\x1b[2J"}, Receivers: []string{"tracker.example"}, Count: 1},
	}
	s.Shapes = []capture.Shape{
		{Shape: policy.Shape{Host: "clients3.google.com", Method: "HEAD", Path: "/generate_204"}, Flows: 6, Rhythm: cadence.Rhythm{Every: time.Minute, Count: 6}},
		{Shape: policy.Shape{Host: "mesu.apple.com", Method: "GET", Path: "/*"}, Flows: 4, Subtracted: 3},
	}
}

// TestWhatWasToldToWhom looks at the panel on screens of three sizes.
func TestWhatWasToldToWhom(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}, {40, 24}} {
		r := newRig(t, setting{flows: story(), w: size.w, h: size.h})
		told(&r.m.news.sum)
		r.press("2", "s")
		writeScreen(&b, size.w, size.h, r)
		r.press("G")
		writeScreen(&b, size.w, size.h, r)
	}
	compare(t, "sent", b.String())
	if got := b.String(); strings.Contains(got, secretMail) || strings.Contains(got, "␛") {
		t.Error("the panel shows what it must not")
	}
}

// TestNothingWasTold says so.
func TestNothingWasTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story()[:1]})
	r.press("s")
	if text := r.m.View(); !strings.Contains(text, "No identifier") {
		t.Errorf("the panel says nothing:\n%s", text)
	}
}

// TestWhySaysWhatWasSent draws the first tab of a flow that carried an identifier.
func TestWhySaysWhatWasSent(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{})
	f := flowtest.Post("https://conversions.appsflyer.com/api/v6", `{}`)
	f.Exposures = []flow.Exposure{{Kind: exposure.AdvertisingID, Name: "adid", Where: "body.json $.adid", Layers: []string{"gzip"}, Masked: "6d92…", Digest: "00c0ffee"}}
	d := &detail{recorded: &capture.Recorded{Flow: f, Judgement: policy.Judgement{Verdict: policy.Violation, Host: f.Host(), Findings: []policy.Finding{{
		Rule: policy.ValueLeaked, Severity: policy.SeverityError, Host: f.Host(), Subject: "e-mail", Title: "sends the e-mail", Message: "It names the person.",
		Evidence: []policy.Evidence{{Where: "header X-User", Form: "SHA-256 of it", Masked: "a…@example.ca"}, {Where: "query m " + secretMail}},
	}}}}}
	p := &paper{theme: &r.m.theme, width: 100, mask: r.m.mask(false), policy: r.m.desk.policy, timer: "it tells AppsFlyer every minute that the app is open"}
	drawWhy(p, d)
	text := strings.Join(p.lines, "\n")
	for _, want := range []string{
		"in a header field, named X-User, as SHA-256 of it: a…@example.ca", "MASTG-TEST-0206", "AppsFlyer (IL)",
		"advertising identifier 6d92…, in the JSON of the request body, at $.adid, inside gzip", flow.Redacted,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the tab does not say %q:\n%s", want, text)
		}
	}
	for _, secret := range []string{"00c0ffee", secretMail} {
		if strings.Contains(text, secret) {
			t.Errorf("the tab shows %s", secret)
		}
	}
}

// TestNoiseIsDimmedNotDropped looks at flows that devices make by themselves.
func TestNoiseIsDimmedNotDropped(t *testing.T) {
	t.Parallel()
	judged := policy.Judgement{Verdict: policy.Ignored}
	quiet := newFlowRow(capture.Recorded{Flow: flowtest.Get("https://mesu.apple.com/assets"), Judgement: judged}, mask{})
	if !quiet.dimmed || quiet.verdict != "ignored, system" {
		t.Errorf("system noise: %+v", quiet)
	}
	judged.Subtracted = true
	idle := newFlowRow(capture.Recorded{Flow: flowtest.Get("https://api.example.com/ping"), Judgement: judged}, mask{})
	if !idle.dimmed || idle.verdict != "with app closed, too" {
		t.Errorf("subtracted: %+v", idle)
	}
	loud := newFlowRow(capture.Recorded{Flow: flowtest.Get("https://mesu.apple.com/assets"), Judgement: policy.Judgement{Verdict: policy.Violation, Findings: []policy.Finding{{Rule: policy.HostNotAllowed}}}}, mask{})
	if loud.dimmed {
		t.Error("a violation is dimmed")
	}
	app := newFlowRow(capture.Recorded{Flow: flowtest.Get("https://www.canada.ca/"), Judgement: policy.Judgement{Verdict: policy.Allowed}}, mask{})
	if app.dimmed || app.verdict != "allowed" {
		t.Errorf("the app's own: %+v", app)
	}
}

func TestTimerOfAHost(t *testing.T) {
	t.Parallel()
	r := newRig(t, setting{flows: story(), w: 80, h: 24})
	r.m.news.sum.Hosts = []capture.Host{
		{Name: "captive.apple.com", Verdict: policy.Ignored, Rhythm: cadence.Rhythm{Every: time.Hour, Count: 5}},
		{Name: "clients3.google.com", Verdict: policy.Violation, Rhythm: cadence.Rhythm{Every: time.Minute, Count: 6}},
		{Name: "www.canada.ca", Verdict: policy.Allowed},
	}
	for host, want := range map[string]string{
		"captive.apple.com": "it tells Apple every hour that the device is on", "clients3.google.com": "it tells Google every minute that the app is open",
		"www.canada.ca": "", "nobody.example": "",
	} {
		if got := r.m.timerOf(host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}
