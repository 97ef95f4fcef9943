package experiment

import (
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/proxy"
)

// Where questions of DNS are decided about one by one, the conversation in which they are
// asked is not, whoever the resolver is.
func TestConversationsWithResolvers(t *testing.T) {
	for flags, want := range map[string]string{
		"captive-portal": "", "flaky=7": "", "offline": "refused simulated by offline", "refuse:192.0.2.53=hang": "hang by refuse 192.0.2.53 hang",
	} {
		s := play(t, flags)
		for range 100 {
			f := opened(flowtest.Datagrams("192.0.2.53:53", flowtest.Speech(flow.SpeechDNS)))
			if got := shown(s.Decide(f), f); got != want {
				t.Fatalf("%s: %q, want %q", flags, got, want)
			}
		}
	}
	f := opened(flowtest.Datagrams("192.0.2.53:53"))
	if got := shown(play(t, "captive-portal").Decide(f), f); got != "hang simulated by captive-portal" {
		t.Errorf("what is no question: %q", got)
	}
}

// What is decided about a conversation holds until something is switched, or the device
// has signed in.
func TestDecisionsHold(t *testing.T) {
	f := from(stages["udp"]("a.example"), aGuest)
	s := play(t, "captive-portal offline")
	offline := s.Decide(f)
	if !offline.Holds() {
		t.Error("nothing was switched")
	}
	if err := s.Switch(Spec{Name: "offline"}, false); err != nil {
		t.Fatal(err)
	}
	captive := s.Decide(f)
	if offline.Holds() || !captive.Holds() {
		t.Errorf("after the switch: offline holds %v, captive-portal %v", offline.Holds(), captive.Holds())
	}
	s.guestsNow().add(aGuest.Addr())
	if captive.Holds() {
		t.Error("the device has signed in")
	}
	if d := s.Decide(f); d.Admission != proxy.Inspect || d.Holds != nil {
		t.Errorf("%+v", d)
	}
	if d := play(t, "offline").Decide(stages["https"]("a.example")); d.Holds != nil {
		t.Error("a request is over when it was decided about")
	}
}
