package cmd

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseNetworks(t *testing.T) {
	got, err := parseNetworks([]string{"10.1.0.0/16", "10.1.2.3", "fd00:1::/64", "fd00::1", "::ffff:10.9.9.9"})
	if want := "[10.1.0.0/16 10.1.2.3/32 fd00:1::/64 fd00::1/128 10.9.9.9/32]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v; want %s", got, err, want)
	}
	for bad, words := range map[string]string{
		"": "neither", "vpn": "neither", "10.1.0.0/33": "neither", "fe80::1%eth0": "neither", "::ffff:10.0.0.0/104": "neither", "10.1.2.3/-1": "neither",
		"10.1.2.3/16": "the network is 10.1.0.0/16",
	} {
		if _, err := parseNetworks([]string{bad}); err == nil || !strings.Contains(err.Error(), "--allow-network: ") || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v, want %q", bad, err, words)
		}
	}
}
