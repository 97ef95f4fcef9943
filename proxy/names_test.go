package proxy

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

func TestNamesOfAnAddress(t *testing.T) {
	n := newNames()
	phone, other, at := netip.MustParseAddr("10.70.0.2"), netip.MustParseAddr("10.70.0.3"), netip.MustParseAddr("192.0.2.7")
	if got := n.of(phone, at); got != nil {
		t.Errorf("%v", got)
	}
	for i := range maxNamesOf + 2 {
		n.learn(phone, fmt.Sprintf("H%d.Test.", i), []netip.Addr{at})
	}
	held := n.of(phone, at)
	if len(held) != maxNamesOf || held[0] != "h9.test" || held[7] != "h2.test" {
		t.Errorf("%v", held)
	}
	before := slices.Clone(held)
	n.learn(phone, "h5.test", []netip.Addr{at})
	if got := n.of(phone, netip.MustParseAddr("::ffff:192.0.2.7")); got[0] != "h5.test" || len(got) != maxNamesOf || got[1] != "h9.test" {
		t.Errorf("%v", got)
	}
	if !slices.Equal(held, before) {
		t.Error("a list that was handed out changed")
	}
	if got := n.of(other, at); got != nil {
		t.Errorf("another device knows %v", got)
	}
	n.learn(phone, "", []netip.Addr{at})
	n.learn(phone, "none.test", nil)
	if got := n.of(phone, at); got[0] != "h5.test" {
		t.Errorf("%v", got)
	}
}

// nth returns one of many addresses.
func nth(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }

// What is used stays, whatever a flood of names pushes out; and the memory is bounded.
func TestNamesAreBounded(t *testing.T) {
	n := newNames()
	phone, kept := netip.MustParseAddr("10.70.0.2"), netip.MustParseAddr("192.0.2.7")
	n.learn(phone, "kept.test", []netip.Addr{kept})
	for i := range 3 * maxAddresses {
		n.learn(phone, "flood.test", []netip.Addr{nth(i)})
		if i%1000 == 0 && len(n.of(phone, kept)) != 1 {
			t.Fatalf("forgotten after %d", i)
		}
	}
	d := n.devices[phone]
	if len(d.fresh) > maxAddresses || len(d.stale) > maxAddresses {
		t.Errorf("%d and %d addresses", len(d.fresh), len(d.stale))
	}
	if n.of(phone, nth(0)) != nil || n.of(phone, nth(3*maxAddresses-1)) == nil {
		t.Error("the oldest stayed, or the newest went")
	}
	for i := range 3 * maxDevices {
		n.learn(nth(i), "x.test", []netip.Addr{kept})
		n.of(phone, kept)
	}
	if len(n.devices) > maxDevices || n.of(phone, kept) == nil {
		t.Errorf("%d devices", len(n.devices))
	}
}

func TestStandIns(t *testing.T) {
	n := newNames()
	first := n.standInFor("One.test.")
	if first.String() != "198.18.0.1" || n.standInFor("one.test") != first {
		t.Errorf("%v", first)
	}
	if name, ok := n.standIn(first); !ok || name != "one.test" {
		t.Errorf("%q %v", name, ok)
	}
	if got := n.of(netip.MustParseAddr("10.70.0.2"), first); !slices.Equal(got, []string{"one.test"}) {
		t.Errorf("%v", got)
	}
	for _, a := range []string{"198.18.0.0", "198.18.0.2", "198.19.255.255", "192.0.2.1", "2001:db8::1"} {
		if name, ok := n.standIn(netip.MustParseAddr(a)); ok {
			t.Errorf("%s stands for %q", a, name)
		}
	}
	seen := map[netip.Addr]bool{first: true}
	for i := range maxStandIns - 1 {
		a := n.standInFor(fmt.Sprintf("h%d.test", i))
		if seen[a] || !standInBlock.Contains(a) {
			t.Fatalf("%v given twice", a)
		}
		seen[a] = true
		if name, ok := n.standIn(a); !ok || name != fmt.Sprintf("h%d.test", i) {
			t.Fatalf("%v stands for %q", a, name)
		}
	}
	if again := n.standInFor("late.test"); again != first {
		t.Errorf("%v", again)
	}
	if name, _ := n.standIn(first); name != "late.test" || len(n.byName) != maxStandIns {
		t.Errorf("%q, %d names", name, len(n.byName))
	}
}
