package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"telltale/coverage"
	"telltale/flow"
)

// A resolver that is gone, silent, ill or forged does not keep a question from being
// answered by the next one.
func TestNextResolver(t *testing.T) {
	good := nameserver(t, records("@ 60 IN A 192.0.2.7"))
	gone, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	refuses := netip.MustParseAddrPort(gone.LocalAddr().String())
	gone.Close()
	for name, bad := range map[string]netip.AddrPort{
		"refuses": refuses,
		"silent":  nameserver(t, func(dns.ResponseWriter, *dns.Msg) {}),
		"ill":     nameserver(t, func(w dns.ResponseWriter, m *dns.Msg) { w.WriteMsg(new(dns.Msg).SetRcode(m, dns.RcodeServerFailure)) }),
		"forged": nameserver(t, func(w dns.ResponseWriter, m *dns.Msg) {
			m.Id++
			records("@ 60 IN A 192.0.2.66")(w, m)
			m.Id--
			w.Write([]byte("garbage"))
			other := m.Copy()
			other.Question[0].Name = "other.test."
			records("@ 60 IN A 192.0.2.66")(w, other)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, asks(bad, good))
			r.proxy.dns.timeout = time.Second
			if got := datas(r.device(5000).ask(ownResolver, question("www.test", "A"))); got != "192.0.2.7" {
				t.Errorf("%q", got)
			}
			if f := r.one(); f.Server.Dialed != good || f.Outcome != flow.Completed {
				t.Errorf("%+v", f)
			}
		})
	}
}

// Where nobody answers, the device is told, and the row says who was asked and why it
// failed.
func TestNoAnswer(t *testing.T) {
	silent := nameserver(t, func(dns.ResponseWriter, *dns.Msg) {})
	ill := nameserver(t, func(w dns.ResponseWriter, m *dns.Msg) { w.WriteMsg(new(dns.Msg).SetRcode(m, dns.RcodeServerFailure)) })
	for name, tc := range map[string]struct {
		server        netip.AddrPort
		outcome       flow.Outcome
		failure, code string
		within        time.Duration
	}{
		"silent": {silent, flow.UpstreamFailed, flow.FailureTimeout, "", 60 * time.Millisecond},
		"ill":    {ill, flow.Completed, "", "SERVFAIL", patience},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, asks(tc.server))
			r.proxy.dns.timeout = tc.within
			if answer := r.device(5000).ask(ownResolver, question("www.test", "A")); answer.Rcode != dns.RcodeServerFailure {
				t.Errorf("%v", answer)
			}
			f := r.one()
			if f.Outcome != tc.outcome || f.Failure != tc.failure || f.DNS.Code != tc.code || !f.IsContact() ||
				f.Outcome != flow.Completed && !strings.Contains(f.Error, "no answer from "+tc.server.String()+": timed out") {
				t.Errorf("%+v %+v", f, f.DNS)
			}
		})
	}
}

// An answer that is too long for UDP is fetched over TCP: the row and the names have all
// of it, the device as much as it takes, and the rest when it comes over TCP itself.
func TestLongAnswers(t *testing.T) {
	var lines []string
	for i := range 60 {
		lines = append(lines, fmt.Sprintf("@ 60 IN A 192.0.2.%d", i+1))
	}
	server := nameserver(t, func(w dns.ResponseWriter, m *dns.Msg) {
		if w.RemoteAddr().Network() == "udp" {
			r := new(dns.Msg).SetReply(m)
			r.Truncated = true
			w.WriteMsg(r)
			return
		}
		records(lines...)(w, m)
	})
	r := newRig(t, asks(server))
	answer := r.device(5000).ask(ownResolver, question("many.test", "A"))
	answer.Compress = true // as it came
	if !answer.Truncated || len(answer.Answer) == 0 || answer.Len() > 512 {
		t.Errorf("%d records, %d bytes, truncated %v", len(answer.Answer), answer.Len(), answer.Truncated)
	}
	if f := r.one(); len(f.DNS.Answers) != 60 {
		t.Errorf("%d answers", len(f.DNS.Answers))
	}
	if got := r.proxy.names.of(tunnelPeer, netip.MustParseAddr("192.0.2.60")); len(got) != 1 {
		t.Errorf("%v", got)
	}
	c := r.knocked(ownResolver)
	conn := &dns.Conn{Conn: c}
	must(t, conn.WriteMsg(question("many.test", "A")))
	whole, err := conn.ReadMsg()
	if err != nil || whole.Truncated || len(whole.Answer) != 60 {
		t.Errorf("%v %v", err, whole)
	}
	c.Close()
}

// Where the system names no resolver, it is asked to find addresses itself.
func TestSystemFindsAddresses(t *testing.T) {
	r := newRig(t)
	r.proxy.dns.system = func() ([]netip.AddrPort, error) { return nil, errors.New("none") }
	r.proxy.dns.lookup = func(_ context.Context, network, host string) ([]netip.Addr, error) {
		switch {
		case host == "broken.test":
			return nil, &net.DNSError{Err: "server misbehaving", Name: host}
		case network == "ip4":
			return []netip.Addr{netip.MustParseAddr("192.0.2.7")}, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	d := r.device(5000)
	for _, tc := range []struct {
		name, typ string
		code      int
		data      string
	}{
		{"www.test", "A", dns.RcodeSuccess, "192.0.2.7"}, {"www.test", "AAAA", dns.RcodeSuccess, ""}, {"www.test", "HTTPS", dns.RcodeSuccess, ""},
		{"www.test", "TXT", dns.RcodeNotImplemented, ""}, {"broken.test", "A", dns.RcodeServerFailure, ""},
	} {
		if answer := d.ask(ownResolver, question(tc.name, tc.typ)); answer.Rcode != tc.code || datas(answer) != tc.data {
			t.Errorf("%s %s: %v", tc.name, tc.typ, answer)
		}
	}
	for _, f := range r.ending(5) {
		if f.DNS.Name == "broken.test" && (f.Outcome != flow.UpstreamFailed || f.Failure != flow.FailureDNS) {
			t.Errorf("%+v", f)
		}
	}
}

// Beyond the limits questions are answered with SERVFAIL and counted; those of others go
// on.
func TestTooManyQuestions(t *testing.T) {
	asked, release := make(chan struct{}, 10), make(chan struct{})
	server := nameserver(t, func(w dns.ResponseWriter, m *dns.Msg) {
		asked <- struct{}{}
		<-release
		records("@ 60 IN A 192.0.2.7")(w, m)
	})
	var noted atomic.Bool
	r := newRig(t, asks(server), func(c *Config) { c.Note = func(s string) { noted.Store(s == questionsNote) } })
	r.proxy.dns.limit, r.proxy.dns.perClient = 2, 1
	d, other := r.device(5000), r.device(5001)
	other.addr = netip.MustParseAddrPort("10.70.0.3:5001")
	first, more := question("one.test", "A"), question("more.test", "A")
	d.post(ownResolver, first)
	<-asked
	if answer := d.ask(ownResolver, more); answer.Rcode != dns.RcodeServerFailure {
		t.Errorf("%v", answer)
	}
	others := question("other.test", "A")
	other.post(ownResolver, others)
	<-asked
	close(release)
	d.reply(first)
	other.reply(others)
	r.ending(2)
	if got := r.proxy.Dropped(modeWireGuard)[dropQuestions]; got != (coverage.Amount{Units: 1, Bytes: sizeOf(t, more)}) || !noted.Load() {
		t.Errorf("%v, noted %v", got, noted.Load())
	}
}

// A question needs a place among the connections to servers, so that the last open file is
// not one's of a question; it gives it back.
func TestQuestionsTakePlaces(t *testing.T) {
	server := nameserver(t, records("@ 60 IN A 192.0.2.7"))
	r := newRig(t, asks(server))
	r.proxy.dialer.places.limit = 1
	d := r.device(5000)
	if answer := d.ask(ownResolver, question("one.test", "A")); datas(answer) != "192.0.2.7" {
		t.Errorf("%v", answer)
	}
	for r.proxy.dialer.places.tryTake(tunnelPeer) != nil {
		runtime.Gosched() // the question gives its place back after its row
	}
	if answer := d.ask(ownResolver, question("two.test", "A")); answer.Rcode != dns.RcodeServerFailure {
		t.Errorf("%v", answer)
	}
	r.proxy.dialer.places.leave(tunnelPeer)
	if answer := d.ask(ownResolver, question("three.test", "A")); datas(answer) != "192.0.2.7" {
		t.Errorf("%v", answer)
	}
	r.ending(2)
}

// The names of telltale's own connections are asked of the resolvers that were named.
func TestNamedResolversAreAsked(t *testing.T) {
	server := nameserver(t, func(w dns.ResponseWriter, m *dns.Msg) {
		switch q := m.Question[0]; {
		case q.Name == "nothing.test.":
			w.WriteMsg(new(dns.Msg).SetRcode(m, dns.RcodeNameError))
		case q.Name == "ill.test.":
			w.WriteMsg(new(dns.Msg).SetRcode(m, dns.RcodeServerFailure))
		case q.Qtype == dns.TypeA:
			records("@ 60 IN A 192.0.2.7")(w, m)
		default:
			records("@ 60 IN AAAA 2001:db8::7")(w, m)
		}
	})
	r := newRig(t, asks(server))
	addrs, err := r.proxy.dialer.lookup(context.Background(), "both.test")
	if err != nil || fmt.Sprint(addrs) != "[192.0.2.7 2001:db8::7]" {
		t.Errorf("%v %v", addrs, err)
	}
	for _, name := range []string{"nothing.test", "ill.test", strings.Repeat("x", 64) + ".test"} {
		_, _, err := r.proxy.dialer.dialName(context.Background(), name, "443", nil)
		if _, failure := failureOf(err); failure != flow.FailureDNS {
			t.Errorf("%s: %v", name, err)
		}
	}
}
