package proxy

import (
	"context"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"telltale/flow"
)

// Over TCP a client may ask without waiting for answers, which come as they are ready.
func TestQuestionsOverTCP(t *testing.T) {
	release := make(chan struct{})
	server := nameserver(t, func(w dns.ResponseWriter, m *dns.Msg) {
		if m.Question[0].Name == "slow.test." {
			<-release
		}
		records("@ 60 IN A 192.0.2.7")(w, m)
	})
	r := newRig(t, asks(server))
	c := r.knocked(ownResolver)
	conn := &dns.Conn{Conn: c}
	slow, fast := question("slow.test", "A"), question("fast.test", "A")
	must(t, conn.WriteMsg(slow))
	must(t, conn.WriteMsg(fast))
	got, err := conn.ReadMsg()
	if err != nil || got.Id != fast.Id {
		t.Fatalf("%v %v", err, got)
	}
	c.CloseWrite() // the answer to what was asked comes all the same
	close(release)
	if got, err = conn.ReadMsg(); err != nil || got.Id != slow.Id {
		t.Fatalf("%v %v", err, got)
	}
	for _, f := range r.ending(2) {
		if f.Kind != flow.DNS || f.Outcome != flow.Completed || f.Client.Device != "phone" || f.Server.Destination.String() != ownResolver {
			t.Errorf("%+v", f)
		}
	}
	c.closed()
}

// Garbage over TCP is answered where there is something to answer, and bounds itself.
func TestGarbageOverTCP(t *testing.T) {
	r := newRig(t, asks(netip.MustParseAddrPort("127.0.0.1:1")))
	c := r.knocked(ownResolver)
	c.say("\x00\x00\x00\x01x\x00\x0c\x00\x07\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff") // empty, short, no question, cut
	var refused [14]byte
	if _, err := c.Read(refused[:]); err != nil || binary.BigEndian.Uint16(refused[:]) != 12 || refused[5]&0xf != dns.RcodeFormatError {
		t.Errorf("%v %x", err, refused)
	}
	c.CloseWrite()
	c.closed()
	if f := r.one(); f.Kind != flow.Tunnel || f.Outcome != flow.Malformed || f.IsContact() || !strings.Contains(f.Error, "no question of DNS") {
		t.Errorf("%+v", f)
	}
	for said, outcome := range map[string]flow.Outcome{"": flow.Abandoned, "GET / HTTP/1.1\r\n\r\n": flow.Malformed} {
		r := newRig(t, asks(netip.MustParseAddrPort("127.0.0.1:1")))
		c := r.knocked(ownResolver)
		c.say("%s", said)
		c.CloseWrite()
		c.closed()
		if f := r.one(); f.Outcome != outcome || f.IsContact() || f.Host() != flow.SetupHost {
			t.Errorf("%q: %+v", said, f)
		}
	}
}

// An open connection for questions does not keep the audit from ending.
func TestShutdownEndsQuestions(t *testing.T) {
	asked := make(chan struct{}, 10)
	silent := nameserver(t, func(dns.ResponseWriter, *dns.Msg) { asked <- struct{}{} })
	answering := nameserver(t, records("@ 60 IN A 192.0.2.7"))
	r := newRig(t, asks(answering))
	conn := &dns.Conn{Conn: r.knocked(ownResolver)}
	must(t, conn.WriteMsg(question("one.test", "A")))
	_, err := conn.ReadMsg()
	must(t, err)
	r.proxy.dns.named = []netip.AddrPort{silent}
	d := r.device(5000)
	d.post(ownResolver, question("two.test", "A"))
	<-asked
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.proxy.Shutdown(ctx); err != nil {
		t.Errorf("cut: %v", err)
	}
	if f := r.ending(2)[1]; f.Outcome != flow.Abandoned || f.DNS.Name != "two.test" {
		t.Errorf("%+v", f)
	}
}
