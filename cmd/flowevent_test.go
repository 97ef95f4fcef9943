package cmd

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"telltale/attribution"
	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// TestFlowEventOfAQuestion checks the keys of what comes out of a tunnel, and that what
// must not be told is masked in each of them.
func TestFlowEventOfAQuestion(t *testing.T) {
	t.Parallel()
	f := &flow.Flow{
		ID: 7, Kind: flow.DNS, Mode: "wireguard", Times: flow.Times{Start: flowtest.Epoch}, Outcome: flow.Completed,
		Client: flow.Client{Addr: netip.MustParseAddrPort("10.86.0.2:5353"), Device: "phone", App: flow.App{Name: "Notes of secret", ID: "org.example.secret"}},
		Server: flow.Server{Asked: "secret.example:53", Destination: netip.MustParseAddrPort("10.86.0.1:53"), Resolved: "secret.example"},
		DNS: &flow.Question{Name: "secret.example", Type: "A", Code: "NOERROR", Answers: []flow.Answer{
			{Name: "secret.example", Type: "CNAME", TTL: 90 * time.Second, Data: "cdn.secret.example"},
		}},
		Speech: "DNS", DatagramsSent: 1, DatagramsReceived: 2, Notes: []string{"asked about secret"},
		Altered: []string{"refused: secret.example is offline"}, Experiments: []string{"modify secret.json", "offline"},
	}
	mask := func(s string) string { return strings.ReplaceAll(s, "secret", flow.Redacted) }
	encoded, err := json.Marshal(newFlowEvent(capture.Recorded{Flow: f}, attribution.NewBook(), mask))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"host", "url"} { // names what was contacted; contract section 6
		delete(got, key)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"kind":"dns"`, `"destination":"10.86.0.1:53"`, `"resolved":"[redacted].example"`, `"device":"phone"`, `"speech":"DNS"`,
		`"dns":{"answers":[{"data":"cdn.[redacted].example","name":"[redacted].example","ttl":90,"type":"CNAME"}],"code":"NOERROR","name":"[redacted].example","type":"A"}`,
		`"datagrams_sent":1`, `"datagrams_received":2`, `"notes":["asked about [redacted]"]`,
		`"altered":["refused: [redacted].example is offline"]`, `"experiments":["modify [redacted].json","offline"]`,
		`"attributed":{"app":"Notes of [redacted]","how":"said","id":"org.example.[redacted]"`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("it lacks %s:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "secret") {
		t.Errorf("it tells what must not be told:\n%s", text)
	}
}

// What a proxy sees has none of these keys.
func TestFlowEventOfAnExchange(t *testing.T) {
	t.Parallel()
	encoded, err := json.Marshal(newFlowEvent(capture.Recorded{Flow: flowtest.Get("https://a.example/")}, attribution.NewBook(), nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"destination", "resolved", "speech", "dns", "datagrams_sent", "datagrams_received", "notes", "altered", "experiments"} {
		if strings.Contains(string(encoded), `"`+key+`"`) {
			t.Errorf("it has %s:\n%s", key, encoded)
		}
	}
}
