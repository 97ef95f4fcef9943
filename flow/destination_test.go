package flow_test

import (
	"net/netip"
	"testing"

	"telltale/flow"
)

func TestAddressedTo(t *testing.T) {
	t.Parallel()
	for addr, want := range map[netip.AddrPort]string{
		{}: "",
		netip.MustParseAddrPort("203.0.113.7:443"):   "203.0.113.7:443",
		netip.MustParseAddrPort("203.0.113.7:0"):     "203.0.113.7",
		netip.MustParseAddrPort("[2001:db8::7]:853"): "[2001:db8::7]:853",
		netip.MustParseAddrPort("[2001:db8::7]:0"):   "2001:db8::7",
	} {
		s := flow.Server{Destination: addr}
		if got := s.AddressedTo(); got != want {
			t.Errorf("%v: %q, want %q", addr, got, want)
		}
	}
}
