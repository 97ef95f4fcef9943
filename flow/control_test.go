package flow_test

import (
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

func TestControlIsNoContact(t *testing.T) {
	tests := []struct {
		f       *flow.Flow
		contact bool
		method  string
	}{
		{flowtest.Ping("192.0.2.7"), true, "PING"},
		{flowtest.Ping("192.0.2.7", flowtest.Speech("ICMPv6")), true, "PING"},
		{flowtest.Ping("192.0.2.7", flowtest.Speech(flow.SpeechICMPError)), false, "ICMP"},
		{flowtest.Ping("ff02::2", flowtest.Speech(flow.SpeechICMPControl)), false, "ICMP"},
		{flowtest.Packets("224.0.0.22", flow.SpeechIGMP), false, "IP"},
		{flowtest.Packets("192.0.2.7", "GRE"), true, "IP"},
		{flowtest.Datagrams("192.0.2.7:1", flowtest.Speech(flow.SpeechICMPError)), true, "UDP"},
	}
	for _, tt := range tests {
		if tt.f.IsContact() != tt.contact || tt.f.IsControl() == tt.contact || tt.f.Method() != tt.method {
			t.Errorf("%s %s: contact %v, control %v, %s", tt.f.Kind, tt.f.Speech, tt.f.IsContact(), tt.f.IsControl(), tt.f.Method())
		}
		if !tt.contact && tt.f.Unread() {
			t.Errorf("%s: content may have passed unread", tt.f.Speech)
		}
	}
}
