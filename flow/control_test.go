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
		// What is addressed to all stays in the network, where nothing forwards it.
		{flowtest.Datagrams("224.0.0.251:5353", flowtest.Outcome(flow.DestinationDenied)), false, "UDP"},
		{flowtest.Datagrams("239.255.255.250:1900", flowtest.Outcome(flow.Open)), false, "UDP"},
		{flowtest.Datagrams("[ff02::fb]:5353", flowtest.Outcome(flow.DestinationDenied)), false, "UDP"},
		{flowtest.Datagrams("255.255.255.255:67", flowtest.Outcome(flow.DestinationDenied)), false, "UDP"},
		{flowtest.Packets("224.0.0.5", "protocol 89"), false, "IP"},
		{flowtest.Ping("ff02::1"), false, "ICMP"},
		{flowtest.Datagrams("224.0.0.251:5353"), true, "UDP"},
		{flowtest.Datagrams("192.0.2.255:67", flowtest.Outcome(flow.DestinationDenied)), true, "UDP"},
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
