package contacts_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"github.com/miekg/dns"

	"telltale/flow"
)

// question returns a packet that asks a resolver for a name, and the one with the answer.
func question(t testing.TB, id uint16, client, resolver, name, address string) (ask, answer []byte) {
	t.Helper()
	typ := dns.TypeA
	if netip.MustParseAddr(address).Is6() {
		typ = dns.TypeAAAA
	}
	m := new(dns.Msg).SetQuestion(name+".", typ)
	m.Id = id
	asked, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	reply := new(dns.Msg).SetReply(m)
	reply.Answer = append(reply.Answer, &dns.CNAME{Hdr: dns.RR_Header{Name: name + ".", Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 60}, Target: "cdn.example."})
	record, err := dns.NewRR(fmt.Sprintf("cdn.example. 60 IN %s %s", dns.TypeToString[typ], address))
	if err != nil {
		t.Fatal(err)
	}
	reply.Answer = append(reply.Answer, record)
	answered, err := reply.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return ip(t, client, resolver, udp(5000, 53), asked), ip(t, resolver, client, udp(53, 5000), answered)
}

// call returns a segment that opens a connection.
func call(t testing.TB, client, server string, port uint16, payload []byte) []byte {
	t.Helper()
	return ip(t, client, server, &layers.TCP{SrcPort: layers.TCPPort(port), DstPort: 443, Seq: 5, ACK: true}, payload)
}

// TestNamesOfAddresses checks which name an address gets, of several and for whom.
func TestNamesOfAddresses(t *testing.T) {
	t.Parallel()
	const resolver, other = "10.0.0.1", "10.0.0.9"
	ask := func(id uint16, client, name, address string) [][]byte {
		a, b := question(t, id, client, resolver, name, address)
		return [][]byte{a, b}
	}
	plain := []byte("GET / HTTP/1.1\r\nAccept: */*\r\nHost: b.example\r\n\r\n")
	for name, c := range map[string]struct {
		before [][]byte
		call   []byte
		want   string // of the connection: Resolved
	}{
		"none":               {nil, call(t, phone, server, 1, nil), ""},
		"one":                {ask(1, phone, "a.example", server), call(t, phone, server, 1, nil), "a.example"},
		"the newest":         {append(ask(1, phone, "a.example", server), ask(2, phone, "b.example", server)...), call(t, phone, server, 1, nil), "b.example"},
		"newest again":       {append(append(ask(1, phone, "a.example", server), ask(2, phone, "b.example", server)...), ask(3, phone, "a.example", server)...), call(t, phone, server, 1, nil), "a.example"},
		"the one in TLS":     {append(ask(1, phone, "app.canada.example", server), ask(2, phone, "b.example", server)...), call(t, phone, server, 1, hello(t)), "app.canada.example"},
		"the one in HTTP":    {append(ask(1, phone, "b.example", server), ask(2, phone, "c.example", server)...), call(t, phone, server, 1, plain), "b.example"},
		"of another device":  {ask(1, other, "a.example", server), call(t, phone, server, 1, nil), ""},
		"over the other IP":  {ask(1, other, "a.example", "2001:db8::10"), call(t, "2001:db8::1", "2001:db8::10", 1, nil), "a.example"},
		"of the machine":     {ask(1, "127.0.0.1", "a.example", server), call(t, phone, server, 1, nil), "a.example"},
		"of another address": {ask(1, phone, "a.example", "203.0.113.11"), call(t, phone, server, 1, nil), ""},
	} {
		r := record(t, raw)
		for _, p := range c.before {
			r.add(p)
		}
		r.add(c.call)
		flows := r.read()
		last := flows[len(flows)-1]
		if last.Kind != flow.Contact || last.Server.Resolved != c.want || len(flows) != len(c.before)/2+1 {
			t.Errorf("%s: %d flows, the last resolved as %q, want %q", name, len(flows), last.Server.Resolved, c.want)
		}
	}
}

// TestQuestions makes one flow of each question, however often it is sent, and one contact
// of all that are put to a resolver outside.
func TestQuestions(t *testing.T) {
	t.Parallel()
	const outside = "198.51.100.53"
	r := record(t, raw)
	a, answerA := question(t, 1, phone, outside, "a.example", server)
	b, _ := question(t, 2, phone, outside, "b.example", server)
	for _, p := range [][]byte{a, a, b, answerA, a, answerA} {
		r.add(p)
	}
	_, late := question(t, 9, phone, "10.0.0.1", "late.example", server)
	r.add(late)
	r.add(ip(t, phone, outside, udp(5000, 53), []byte("no message of DNS")))
	var got []string
	for _, f := range r.read() {
		code := ""
		if f.DNS != nil {
			code = f.DNS.Type + " " + f.DNS.Code
		}
		got = append(got, fmt.Sprintf("%s %s %s %s %d/%d", f.Kind, f.Host(), f.Outcome, code, f.DatagramsSent, f.DatagramsReceived))
	}
	want := `contact 198.51.100.53 seen  4/2
dns a.example completed A NOERROR 2/1
dns b.example seen A  1/0
dns a.example completed A NOERROR 1/1
dns late.example completed A NOERROR 0/1
contact 198.51.100.53 seen  1/0`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

// TestSpeech names what is spoken by the first bytes.
func TestSpeech(t *testing.T) {
	t.Parallel()
	stun := make([]byte, 20)
	binary.BigEndian.PutUint32(stun[4:], 0x2112a442)
	tls := hello(t)
	for name, c := range map[string]struct {
		packet []byte
		speech string
		host   string
	}{
		"STUN":         {ip(t, phone, server, udp(5000, 3478), stun), "STUN", server},
		"NTP":          {ip(t, phone, server, udp(5000, 123), append([]byte{0x23}, make([]byte, 47)...)), "NTP", server},
		"unknown":      {ip(t, phone, server, udp(5000, 9999), []byte("abc")), "UDP", server},
		"nothing":      {ip(t, phone, server, udp(5000, 9999), nil), "UDP", server},
		"DNS in TLS":   {ip(t, phone, server, &layers.TCP{SrcPort: 1, DstPort: 853, ACK: true}, tls), "DNS over TLS", "app.canada.example"},
		"DNS in TCP":   {ip(t, phone, server, &layers.TCP{SrcPort: 1, DstPort: 53, ACK: true}, []byte("\x00\x11abc")), "DNS over TCP", server},
		"HTTP":         {call(t, phone, server, 1, []byte("POST /x HTTP/1.1\r\nhost:  a.example:8080 \r\n\r\n")), "HTTP", "a.example"},
		"HTTP, open":   {call(t, phone, server, 1, []byte("GET /x HTTP/1.1\r\nHost: a.example\r\nUser-Ag")), "HTTP", "a.example"},
		"HTTP, cut":    {call(t, phone, server, 1, []byte("GET /x HTTP/1.1\r\nHost: a.exam")), "HTTP", server},
		"HTTP, no one": {call(t, phone, server, 1, []byte("GET /x HTTP/1.0\r\nAccept: Host: x\r\n\r\n")), "HTTP", server},
		"like HTTP":    {call(t, phone, server, 1, []byte("GETTING on")), "", server},
		"ping":         {func() []byte { p := ip(t, phone, server, udp(2048, 0), []byte("ping")); p[9] = 1; return p }(), "ICMP", server},
		"ESP":          {func() []byte { p := ip(t, phone, server, udp(1, 2), nil); p[9] = 50; return p }(), "IP protocol 50", server},
	} {
		r := record(t, raw)
		r.add(c.packet)
		flows := r.read()
		if len(flows) != 1 || flows[0].Speech != c.speech || flows[0].Host() != c.host {
			t.Errorf("%s: %+v", name, flows)
			for _, f := range flows {
				t.Logf("%q %q", f.Speech, f.Host())
			}
		}
	}
}
