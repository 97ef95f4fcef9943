package flow_test

import (
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

// Nothing passes unread where an experiment is in the place of the server, or where a
// certificate with a fault is refused.
func TestExperimentsLetNothingPassUnread(t *testing.T) {
	for _, tt := range []struct {
		outcome     flow.Outcome
		experiments []string
		unread      bool
		fault       bool
	}{
		{flow.Simulated, []string{"offline"}, false, false},
		{flow.ClientRefused, nil, true, false},
		{flow.ClientRefused, []string{"slow edge"}, true, false},
		{flow.ClientRefused, []string{"bad-certificate self-signed", "slow edge"}, false, true},
		{flow.HandshakeFailed, []string{"clock-skew expired"}, false, true},
		{flow.ClientSilent, []string{"captive-portal"}, false, true},
		{flow.PassedThrough, []string{"clock-skew expired"}, true, true},
		{flow.Tunnelled, []string{"modify clock-skew.json"}, true, false},
	} {
		f := flowtest.Tunnel("a.example", flowtest.Outcome(tt.outcome), flowtest.Experiments(tt.experiments...))
		if f.Unread() != tt.unread || f.ShownFault() != tt.fault {
			t.Errorf("%s by %q: unread %v, shown a fault %v", tt.outcome, tt.experiments, f.Unread(), f.ShownFault())
		}
	}
}

// What is answered in the place of a server came from no server.
func TestSimulatedAnswersAreNotReceived(t *testing.T) {
	f := flowtest.Get("https://a.example/", flowtest.ResponseBody("text/plain", "five!"))
	if f.BytesReceived() != 5 {
		t.Errorf("%d bytes of the server", f.BytesReceived())
	}
	if f.Outcome = flow.Simulated; f.BytesReceived() != 0 || !f.IsContact() || !f.Ended() {
		t.Errorf("%d bytes, contact %v, ended %v", f.BytesReceived(), f.IsContact(), f.Ended())
	}
}

// Nothing that a client said reached a server that was played: the address that it asked for
// gives way to the name of its hello, as where QUIC is refused.
func TestNamesOfSimulatedContacts(t *testing.T) {
	f := flowtest.Tunnel("192.0.2.7:443", flowtest.Mode("wireguard"), flowtest.SNI("a.example"), flowtest.Outcome(flow.Simulated))
	if n := f.Names(); n.Asked != "" || n.SNI != "a.example" {
		t.Errorf("%+v", n)
	}
}
