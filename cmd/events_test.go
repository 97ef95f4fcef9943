package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

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
	l = &eventLog{out: reports.NewLines(&b), audit: &audit{flags: &liveFlags{}}, devices: map[string]string{}, diagnoses: map[string]*toldDiagnoses{}}
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
