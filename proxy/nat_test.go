package proxy

import (
	"net/netip"
	"testing"
)

// Two conversations of one port that lead to one peer do not get each other's answers,
// and the end of one is not the end of the other.
func TestConversationsWithOnePeer(t *testing.T) {
	echo := udpEcho(t)
	r := newRig(t, leads("192.0.2.1:7000", echo.String()), leads("192.0.2.2:7000", echo.String()))
	one, two := r.device(5000), r.device(5000)
	say := func(d *device, to, what string) {
		t.Helper()
		d.send(to, what)
		if got := d.answer(); got != what {
			t.Errorf("%s was answered %q", what, got)
		}
	}
	say(one, "192.0.2.1:7000", "one")
	say(two, "192.0.2.2:7000", "two")
	say(one, "192.0.2.1:7000", "three")
	if n := r.mappings(); n != 2 {
		t.Errorf("%d sockets", n)
	}
	r.proxy.talks.finish(func(v *conversation) bool { return v.key.destination.Addr() == netip.MustParseAddr("192.0.2.2") })
	say(one, "192.0.2.1:7000", "four")
}

// A conversation whose socket is gone gets another.
func TestConversationWithClosedSocket(t *testing.T) {
	echo := udpEcho(t)
	r := newRig(t)
	d := r.device(5000)
	d.send(echo.String(), "one")
	d.answer()
	var gone *mapping
	r.proxy.talks.mu.Lock()
	for key, m := range r.proxy.talks.mappings {
		gone = m
		delete(r.proxy.talks.mappings, key)
		m.leave()
	}
	r.proxy.talks.mu.Unlock()
	gone.conn.Close()
	d.send(echo.String(), "lost")
	d.send(echo.String(), "two")
	if got := d.answer(); got != "two" {
		t.Errorf("got %q", got)
	}
}
