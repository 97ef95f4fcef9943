package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"telltale/attribution"
	"telltale/capture"
	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
	"telltale/reports"
)

// eventsOf is an event log without an audit, and what it printed since it was last
// asked, an event a line: its kind, cause and certainty, or name.
func eventsOf(t *testing.T, policyText string) (l *eventLog, printed func() string) {
	t.Helper()
	pol, err := policy.Parse("test.yaml", []byte(policyText), policy.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	l = &eventLog{out: reports.NewLines(&b), audit: &audit{flags: &liveFlags{}}, violations: map[string]reports.Violation{}, devices: map[string]string{}, diagnoses: map[string]*toldDiagnoses{}}
	l.audit.policy.Store(pol)
	return l, func() string {
		t.Helper()
		var out []string
		for line := range strings.Lines(b.String()) {
			var e struct {
				Event, Client, Name, Time string
				Cause, Title, Certainty   string
				Hosts, Evidence, Next     []string
				Gone                      bool
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if _, err := time.Parse(time.RFC3339Nano, e.Time); err != nil || e.Client == "" {
				t.Errorf("no time or no client: %s", line)
			}
			if e.Event == "diagnosis" && (e.Title == "" || len(e.Evidence) == 0 || len(e.Next) == 0) {
				t.Errorf("a diagnosis without title, evidence or next step: %s", line)
			}
			gone := ""
			if e.Gone {
				gone = " gone"
			}
			out = append(out, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s%s", e.Event, e.Name, e.Cause, gone)), " "))
		}
		b.Reset()
		return strings.Join(out, ", ")
	}
}

const canadaOnly = "version: 1\nallow: [\"*.canada.ca\"]\n"

// TestDiagnosisEvents checks that a diagnosis is told when it is made and when it no
// longer holds, not for each connection.
func TestDiagnosisEvents(t *testing.T) {
	l, printed := eventsOf(t, canadaOnly)
	var seen diagnosis.Collector
	n := 0
	sum := func(flows ...*flow.Flow) capture.Summary {
		for _, f := range flows {
			n++
			f.ID = flow.ID(n)
			seen.Add(f)
		}
		return capture.Summary{Health: capture.Health{Devices: []capture.Device{{Addr: "192.168.1.23", Evidence: seen.Evidence()}}}}
	}
	at := func(seconds int) flowtest.Option { return flowtest.At(time.Duration(seconds) * time.Second) }
	var refusals []*flow.Flow
	for i := range 8 {
		refusals = append(refusals, flowtest.Refused(fmt.Sprintf("host-%d.example", i), at(i)))
	}
	now := flowtest.Epoch.Add(time.Minute)
	l.tellDiagnoses(sum(refusals...), now)
	if got := printed(); got != "diagnosis ca-not-installed" {
		t.Fatalf("after eight refusals: %q", got)
	}
	l.tellDiagnoses(sum(), now)
	l.tellDiagnoses(sum(flowtest.Refused("host-8.example", at(9))), now)
	l.tellDiagnoses(sum(flowtest.Refused("host-9.example", at(10))), now)
	if got := printed(); got != "" {
		t.Errorf("after one more of the same: %q", got)
	}
	var read []*flow.Flow
	for i := range 8 {
		read = append(read, flowtest.Get(fmt.Sprintf("https://host-%d.example/", i), at(20+i)))
	}
	l.tellDiagnoses(sum(read...), now)
	if got := printed(); got != "diagnosis ca-not-installed gone" {
		t.Errorf("after all can be read: %q", got)
	}
	l.tellDiagnoses(sum(), time.Time{})
	if got := printed(); got != "" {
		t.Errorf("at the end: %q", got)
	}
}

// TestDiagnosesOfOneKindAreToldApart checks that each of two programs without a name has
// events of its own, once.
func TestDiagnosesOfOneKindAreToldApart(t *testing.T) {
	l, printed := eventsOf(t, canadaOnly)
	var seen diagnosis.Collector
	n := 0
	tell := func(flows ...*flow.Flow) string {
		for _, f := range flows {
			n++
			f.ID = flow.ID(n)
			seen.Add(f)
		}
		sum := capture.Summary{Health: capture.Health{Devices: []capture.Device{{Addr: "192.168.1.23", Evidence: seen.Evidence()}}}}
		l.tellDiagnoses(sum, flowtest.Epoch.Add(time.Minute))
		return printed()
	}
	at := func(seconds int) flowtest.Option { return flowtest.At(time.Duration(seconds) * time.Second) }
	nameless := func(stack, host string, seconds int) *flow.Flow {
		f := flowtest.Refused(host, at(seconds))
		f.Request, f.Client.Hello.JA4, f.Client.Hello.Alert = nil, "t13d1516h2_"+stack+"_02713d6af862", "unknown_ca (48)"
		return f
	}
	phone := flowtest.UserAgentOf("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1")
	first := tell(flowtest.Get("https://news.example/", at(1), phone),
		nameless("aaaaaaaaaaaa", "a.example", 10), nameless("aaaaaaaaaaaa", "b.example", 11), nameless("bbbbbbbbbbbb", "game.example", 12),
		flowtest.Tunnel("mask.icloud.com:443", at(13)), flowtest.Get("https://dns.google/", at(14), phone), flowtest.DNS("news.example"))
	if want := "diagnosis app-pinning, diagnosis app-pinning, diagnosis hidden-by-relay, diagnosis hidden-by-relay"; first != want {
		t.Fatalf("told %q, want %q", first, want)
	}
	for i := range 5 {
		if again := tell(flowtest.Get("https://news.example/", at(20+i), phone)); again != "" {
			t.Errorf("told again: %q", again)
		}
	}
}

// TestEventsAskAgainForTheApp checks that the app is no longer missed on a device of which
// nothing new was seen, when another one shows it.
func TestEventsAskAgainForTheApp(t *testing.T) {
	l, printed := eventsOf(t, canadaOnly+"app:\n  user-agent: \"CovidShield*\"\n")
	var seen diagnosis.Collector
	for i := range 9 {
		seen.Add(flowtest.Get("https://news.example/", flowtest.ID(flow.ID(i+1)), flowtest.At(time.Duration(20*i)*time.Second), flowtest.UserAgentOf("Browser/1")))
	}
	laptop := capture.Device{Addr: "192.168.1.50", Apps: []string{"Browser/1"}, Evidence: seen.Evidence()}
	now := flowtest.Epoch.Add(time.Hour)
	l.tellDiagnoses(capture.Summary{Health: capture.Health{Devices: []capture.Device{laptop}}}, now)
	if got := printed(); got != "diagnosis proxy-ignored" {
		t.Fatalf("without the app: %q", got)
	}
	phone := capture.Device{Addr: "192.168.1.23", Apps: []string{"CovidShield/1.0.2 CFNetwork/1120 Darwin/19.0.0"}}
	l.tellDiagnoses(capture.Summary{Health: capture.Health{Devices: []capture.Device{phone, laptop}}}, now)
	if got := printed(); got != "diagnosis proxy-ignored gone" {
		t.Errorf("with it on another device: %q", got)
	}
}

// TestEventsSpellAClientOneWay checks that events of flows and of devices agree.
func TestEventsSpellAClientOneWay(t *testing.T) {
	for _, from := range []string{"[fe80::1%eth0]:5", "[::ffff:192.0.2.7]:5", "192.0.2.7:5", "[2001:db8::1]:5"} {
		s := capture.New(capture.Options{})
		f := flowtest.Get("https://a.example/", flowtest.From(from), flowtest.ID(s.NextID()))
		s.Observe(f)
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		devices := s.Summary().Health.Devices
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := newFlowEvent(capture.Recorded{Flow: f}, attribution.NewBook(), nil).Client; len(devices) != 1 || got != devices[0].Addr {
			t.Errorf("%s: the flow is of %s, the devices are %+v", from, got, devices)
		}
	}
}

// TestDiagnosesAreMasked checks that no part of a never-send value is told where the texts
// of a diagnosis are cut.
func TestDiagnosesAreMasked(t *testing.T) {
	const secret = "7f3c9a1e-55aa-4bcd-9e00-aabbccddeeff"
	pol, err := policy.Parse("test.yaml", []byte(canadaOnly+"never-send:\n  - name: the installation\n    value: "+secret+"\n"), policy.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	var seen diagnosis.Collector
	for i := range 4 {
		seen.Add(flowtest.Refused(secret+"-install.tracker.example", flowtest.ID(flow.ID(i+1))))
	}
	d := capture.Device{Addr: "192.168.1.23", Evidence: seen.Evidence()}
	told := func(reveal bool) string {
		return fmt.Sprint(diagnose(pol, capture.Summary{}, masker(pol, reveal), time.Time{})(d))
	}
	if text := told(false); strings.Contains(text, "ccddeeff") || !strings.Contains(text, flow.Redacted) {
		t.Errorf("the value shows: %s", text)
	}
	if text := told(true); !strings.Contains(text, secret) {
		t.Errorf("the value does not show although it was asked for: %s", text)
	}
}

// TestViolationsThatAreGone checks that a violation that was told, and is a part of another
// by now, is told as gone: a question of DNS does not tell yet that a request will be a
// probe for a captive portal.
func TestViolationsThatAreGone(t *testing.T) {
	l, _ := eventsOf(t, canadaOnly)
	var out bytes.Buffer
	l.out = reports.NewLines(&out)
	s := capture.New(capture.Options{Judge: l.audit.policy.Load()})
	defer s.Close()
	tell := func(flows ...*flow.Flow) (told []string) {
		t.Helper()
		for _, f := range flows {
			f.ID = s.NextID()
			s.Observe(f)
		}
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		out.Reset()
		l.tellViolations(s.Summary())
		for line := range strings.Lines(out.String()) {
			var e struct {
				Event, ID, Rule, Time string
				Count                 int
				Gone                  bool
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.Event != "violation" || e.Time == "" || e.ID == "" {
				t.Fatalf("%s: %v", line, err)
			}
			told = append(told, fmt.Sprintf("%s %d %t", e.Rule, e.Count, e.Gone))
			if e.Gone != strings.Contains(line, `"gone"`) {
				t.Errorf("it is not gone, and says of it: %s", line)
			}
		}
		return told
	}
	const probed = "clients3.google.com"
	for _, step := range []struct {
		flows []*flow.Flow
		want  string
	}{
		{[]*flow.Flow{flowtest.DNS(probed)}, "[host-not-allowed 1 false]"},
		{[]*flow.Flow{flowtest.DNS(probed)}, "[host-not-allowed 2 false]"},
		{nil, "[]"},
		{[]*flow.Flow{flowtest.Get("https://" + probed + "/generate_204")}, "[captive-portal-probe 3 false host-not-allowed 2 true]"},
		{nil, "[]"},
	} {
		if got := fmt.Sprint(tell(step.flows...)); got != step.want {
			t.Errorf("told %s, want %s", got, step.want)
		}
	}
}

// TestEventsAskAgainAtTheEnd checks that the last look is not spared: what took time
// is known only then.
func TestEventsAskAgainAtTheEnd(t *testing.T) {
	l, printed := eventsOf(t, canadaOnly)
	var seen diagnosis.Collector
	for i := range 6 {
		seen.Add(flowtest.Refused(fmt.Sprintf("host-%d.example", i), flowtest.ID(flow.ID(i+1))))
	}
	evidence := seen.Evidence()
	sum := capture.Summary{Health: capture.Health{Devices: []capture.Device{{Addr: "192.168.1.23", Evidence: evidence}}}}
	l.diagnoses["192.168.1.23"] = &toldDiagnoses{evidence: evidence}
	l.tellDiagnoses(sum, flowtest.Epoch)
	if got := printed(); got != "" {
		t.Errorf("nothing new was seen, and told is %q", got)
	}
	l.tellDiagnoses(sum, time.Time{})
	if got := printed(); got != "diagnosis ca-not-installed" {
		t.Errorf("at the end: %q", got)
	}
}

// TestDeviceEvents checks that a device is told once, and again under another name,
// which is masked like all that comes from outside.
func TestDeviceEvents(t *testing.T) {
	l, printed := eventsOf(t, canadaOnly+"never-send:\n  - name: the tester\n    value: Erika Mustermann\n")
	sum := func(name string) capture.Summary {
		return capture.Summary{Health: capture.Health{Devices: []capture.Device{{Addr: "192.168.1.23", Name: name, First: flowtest.Epoch}}}}
	}
	for _, name := range []string{"", "", "Pixel 8, Android 14", "Pixel 8, Android 14", "phone of Erika Mustermann"} {
		l.tellDevices(sum(name))
	}
	if got, want := printed(), "device, device Pixel 8, Android 14, device phone of "+flow.Redacted; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
