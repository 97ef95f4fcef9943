package wireguard

import (
	"net/netip"
	"testing"

	"telltale/proxy"
)

// The way in tells where a device's packets come from, and of no other anything.
func TestOutside(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	p := r.first(t)
	if at := r.Way().Outside(p.IPv4); at.IsValid() {
		t.Errorf("a device that never came is at %s", at)
	}
	seen := make(chan netip.Addr, 2)
	r.onArrive(func(a proxy.Arrival) {
		seen <- a.Way.Outside(a.Client.Addr())
		seen <- a.Way.Outside(netip.MustParseAddr("10.1.2.3"))
		echo(a)
	})
	c, err := r.phone(t, p).DialTCPAddrPort(addr("203.0.113.1:443"))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if at := <-seen; at != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("the device is at %s", at)
	}
	if at := <-seen; at.IsValid() {
		t.Errorf("nobody is at %s", at)
	}
}

// A bug that one packet meets ends neither the tunnel nor what others send.
func TestBugsAreSurvived(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	met := make(chan struct{})
	r.onReceive(func(d proxy.Datagram) {
		if string(d.Payload) == "bad" {
			close(met)
			panic("a bug")
		}
		d.Answer(d.Payload)
	})
	b := r.bare(t, r.clientSettings(r.first(t)))
	b.out <- datagramFrom(r.first(t).IPv4, "203.0.113.1:7", "bad")
	<-met
	b.out <- datagramFrom(r.first(t).IPv4, "203.0.113.1:7", "good")
	b.next(t)
	r.balanced(t)
}
