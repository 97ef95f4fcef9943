package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"telltale/coverage"
	"telltale/flow"
)

// ownResolver is telltale's own, as devices of the tunnel reach it.
const ownResolver = "10.70.0.1:53"

// nameserver starts a resolver on UDP and TCP.
func nameserver(tb testing.TB, answer func(w dns.ResponseWriter, m *dns.Msg)) netip.AddrPort {
	tb.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(tb, err)
		u, err := net.ListenPacket("udp", l.Addr().String())
		if err != nil { // somebody else has the port
			l.Close()
			continue
		}
		for _, s := range []*dns.Server{{Listener: l}, {PacketConn: u}} {
			s.Handler = dns.HandlerFunc(answer)
			started, ended := make(chan struct{}), make(chan struct{})
			s.NotifyStartedFunc = func() { close(started) }
			go func() { defer close(ended); s.ActivateAndServe() }()
			<-started
			tb.Cleanup(func() { s.Shutdown(); <-ended })
		}
		return addrPort(l.Addr())
	}
	tb.Fatal("no port is free for UDP and TCP")
	return netip.AddrPort{}
}

// records answers with zone file lines; "@" is the name that was asked for.
func records(lines ...string) func(dns.ResponseWriter, *dns.Msg) {
	return func(w dns.ResponseWriter, m *dns.Msg) {
		r := new(dns.Msg).SetReply(m)
		for _, line := range lines {
			rr, err := dns.NewRR(strings.ReplaceAll(line, "@", m.Question[0].Name))
			if err != nil {
				panic(err)
			}
			r.Answer = append(r.Answer, rr)
		}
		if opt := m.IsEdns0(); opt != nil {
			r.SetEdns0(1232, false)
		}
		w.WriteMsg(r)
	}
}

// asks makes a resolver the one that questions are put to.
func asks(servers ...netip.AddrPort) func(*Config) {
	return func(c *Config) { c.Resolvers = servers }
}

func question(name, typ string, edit ...func(*dns.Msg)) *dns.Msg {
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.StringToType[typ])
	for _, f := range edit {
		f(m)
	}
	return m
}

// ask puts a question to a resolver, and returns what the device is answered.
func (d *device) ask(to string, m *dns.Msg) *dns.Msg {
	d.r.t.Helper()
	d.post(to, m)
	return d.reply(m)
}

func (d *device) post(to string, m *dns.Msg) {
	d.r.t.Helper()
	b, err := m.Pack()
	must(d.r.t, err)
	d.send(to, string(b))
}

func (d *device) reply(m *dns.Msg) *dns.Msg {
	d.r.t.Helper()
	answer := new(dns.Msg)
	must(d.r.t, answer.Unpack([]byte(d.answer())))
	if answer.Id != m.Id || !answer.Response {
		d.r.t.Fatalf("an answer to another question: %v", answer)
	}
	return answer
}

// datas returns what the records of an answer say.
func datas(m *dns.Msg) string {
	var all []string
	for _, rr := range m.Answer {
		all = append(all, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	return strings.Join(all, " ")
}

func sizeOf(t *testing.T, m *dns.Msg) int64 {
	t.Helper()
	b, err := m.Pack()
	must(t, err)
	return int64(len(b))
}

// A question is answered as the resolver answered it, and is a row with all that was said.
func TestQuestion(t *testing.T) {
	server := nameserver(t, records("@ 60 IN CNAME edge.test.", "edge.test. 300 IN A 192.0.2.7", "stray.test. 300 IN A 192.0.2.8"))
	r := newRig(t, asks(server))
	d := r.device(5000)
	m := question("WWW.Example.test", "A")
	m.SetEdns0(1400, false)
	answer := d.ask(ownResolver, m)
	if datas(answer) != "edge.test. 192.0.2.7 192.0.2.8" || answer.Question[0].Name != "WWW.Example.test." {
		t.Errorf("%v", answer)
	}
	f := r.one()
	if f.Kind != flow.DNS || f.Outcome != flow.Completed || f.Mode != modeWireGuard || f.Client.Device != "phone" || f.Client.Addr != d.addr ||
		f.Server.Asked != "WWW.Example.test:53" || f.Host() != "www.example.test" || f.Server.Dialed != server || f.Server.Destination.String() != ownResolver ||
		f.Times.Wait < 0 || f.Times.End.IsZero() || f.Request != nil || f.Response != nil || f.Sent != sizeOf(t, m) || f.Received == 0 || len(f.Altered) > 0 {
		t.Errorf("%+v", f)
	}
	want := flow.Question{Name: "WWW.Example.test", Type: "A", Code: "NOERROR", Answers: []flow.Answer{
		{Name: "WWW.Example.test", Type: "CNAME", TTL: time.Minute, Data: "edge.test."}, {Name: "edge.test", Type: "A", TTL: 5 * time.Minute, Data: "192.0.2.7"},
		{Name: "stray.test", Type: "A", TTL: 5 * time.Minute, Data: "192.0.2.8"},
	}}
	if fmt.Sprint(*f.DNS) != fmt.Sprint(want) {
		t.Errorf("%+v", *f.DNS)
	}
	if got := r.proxy.names.of(tunnelPeer, netip.MustParseAddr("192.0.2.7")); !slices.Equal(got, []string{"www.example.test"}) {
		t.Errorf("the address is known as %v", got)
	}
	if got := r.proxy.names.of(tunnelPeer, netip.MustParseAddr("192.0.2.8")); got != nil {
		t.Errorf("an address of nobody's is known as %v", got)
	}
	r.balanced(coverage.UDP, 1, sizeOf(t, m))
}

// The connection that follows a question has its name.
func TestQuestionNamesTheConnection(t *testing.T) {
	server := nameserver(t, records("@ 60 IN A 192.0.2.7"))
	origin := newRig(t).listener(func(c net.Conn) { fmt.Fprint(c, "hello") })
	r := newRig(t, asks(server), leads("192.0.2.7:25", origin))
	r.device(5000).ask(ownResolver, question("mail.test", "A"))
	c := r.knocked("192.0.2.7:25")
	c.CloseWrite()
	c.br.ReadString(0)
	for _, f := range r.ending(2) {
		if f.Kind == flow.Tunnel && (f.Host() != "mail.test" || f.Server.Resolved != "mail.test" || f.Server.Asked != "192.0.2.7:25") {
			t.Errorf("%+v", f.Server)
		}
	}
}

// A device asks each question from another port: that must not take the places of what it
// says to others.
func TestQuestionsAreNoConversations(t *testing.T) {
	server := nameserver(t, records("@ 60 IN A 192.0.2.7"))
	r := newRig(t, asks(server))
	for i := range 50 {
		r.device(uint16(5000+i)).ask(ownResolver, question("www.test", "A"))
	}
	r.ending(50)
	r.proxy.talks.mu.Lock()
	if n := len(r.proxy.talks.by); n != 0 {
		t.Errorf("%d conversations", n)
	}
	r.proxy.talks.mu.Unlock()
	r.shutdown()
	late := question("late.test", "A")
	r.device(6000).post(ownResolver, late)
	if got := r.proxy.Dropped(modeWireGuard)[dropEnding]; got != (coverage.Amount{Units: 1, Bytes: sizeOf(t, late)}) {
		t.Errorf("%v", got)
	}
	r.ending(50)
}

// What would hide names is taken out of answers, and the row says so and holds all of it.
func TestAnswersAreBared(t *testing.T) {
	server := nameserver(t, records(`@ 60 IN HTTPS 1 . alpn="h3,h2" ipv4hint="192.0.2.7" ech="AEX+DQBBpQAgACB/RU5hAC5mXe3uOZtNY58Bc8UU1cd4QBxQzqirMlWZeQAEAAEAAQASY2xvdWRmbGFyZS1lY2guY29tAAA="`))
	for _, to := range []string{ownResolver, "192.0.2.53:53"} {
		r := newRig(t, asks(server), leads("192.0.2.53:53", server.String()))
		d := r.device(5000)
		if got := datas(d.ask(to, question("_8443._https.www.test", "HTTPS"))); got != `1 . alpn="h2" ipv4hint="192.0.2.7"` {
			t.Errorf("%s: %s", to, got)
		}
		r.shutdown()
		f := r.questions()[0]
		if len(f.Altered) != 2 || !strings.Contains(f.Altered[1], "ech removed from the HTTPS record of _8443._https.www.test") || !strings.Contains(f.DNS.Answers[0].Data, "ech=") {
			t.Errorf("%s: %+v %+v", to, f.Altered, f.DNS)
		}
		learned := []string{"www.test"}
		if to != ownResolver {
			learned = nil
		}
		if got := r.proxy.names.of(tunnelPeer, netip.MustParseAddr("192.0.2.7")); !slices.Equal(got, learned) {
			t.Errorf("%s: the hint is known as %v", to, got)
		}
	}
}

// questions returns the rows of questions.
func (r *rig) questions() []*flow.Flow {
	return slices.DeleteFunc(r.all(), func(f *flow.Flow) bool { return f.Kind != flow.DNS })
}

// Some names are telltale's own to answer, at whatever resolver they are asked.
func TestAnsweredHere(t *testing.T) {
	server := nameserver(t, func(w dns.ResponseWriter, m *dns.Msg) { t.Errorf("%v left", m.Question) })
	for name, tc := range map[string]struct {
		name, typ string
		code      int
		data      string
		outcome   flow.Outcome
		altered   string
	}{
		"set-up page":           {"Setup.Telltale", "A", dns.RcodeSuccess, "10.70.0.1", flow.Served, ""},
		"set-up page over IPv6": {"setup.telltale", "AAAA", dns.RcodeSuccess, "", flow.Served, ""},
		"Firefox":               {"use-application-dns.net", "A", dns.RcodeNameError, "", flow.Served, "so that Firefox asks"},
		"Private Relay":         {"mask.icloud.com", "A", dns.RcodeNameError, "", flow.Served, "Private Relay stays off"},
		"Private Relay, h2":     {"mask-h2.icloud.com", "HTTPS", dns.RcodeNameError, "", flow.Served, "Private Relay stays off"},
		"DDR":                   {"_dns.resolver.arpa", "SVCB", dns.RcodeSuccess, "", flow.Served, "does not find an encrypted resolver"},
		"DDR's root":            {"resolver.arpa", "A", dns.RcodeSuccess, "", flow.Served, "RFC 9462"},
		"under a rule":          {"Ruled.test", "A", dns.RcodeSuccess, "198.18.0.1", flow.Completed, "with the stand-in 198.18.0.1"},
		"under a rule, HTTPS":   {"ruled.test", "HTTPS", dns.RcodeSuccess, "", flow.Completed, "--resolve says where"},
		"under a rule, IPv6":    {"ruled.test", "AAAA", dns.RcodeSuccess, "", flow.Completed, "--resolve says where"},
	} {
		for _, to := range []string{ownResolver, "192.0.2.53:53"} {
			t.Run(name+" at "+to, func(t *testing.T) {
				r := newRig(t, asks(server), leads("192.0.2.53:53", server.String()), func(c *Config) {
					c.Resolve = append(c.Resolve, Resolve{Host: "ruled.test", Port: "443", Addr: netip.MustParseAddr("127.0.0.1")})
				})
				answer := r.device(5000).ask(to, question(tc.name, tc.typ))
				if answer.Rcode != tc.code || datas(answer) != tc.data {
					t.Errorf("%v", answer)
				}
				r.shutdown()
				f := r.questions()[0]
				if f.Outcome != tc.outcome || f.DNS.Code != dns.RcodeToString[tc.code] || f.Server.Dialed.IsValid() ||
					tc.altered != "" && (len(f.Altered) != 1 || !strings.Contains(f.Altered[0], tc.altered)) || tc.altered == "" && len(f.Altered) > 0 {
					t.Errorf("%+v %+v", f, f.DNS)
				}
				if tc.outcome == flow.Served && f.IsContact() {
					t.Error("a contact with telltale")
				}
			})
		}
	}
}

// Under a rule for every name nothing is asked of DNS, and each name has an address that
// leads to it.
func TestStandInsLeadToTheirNames(t *testing.T) {
	origin := newRig(t).listener(func(c net.Conn) { fmt.Fprint(c, "hello") })
	r := newRig(t, func(c *Config) {
		c.Resolve = []Resolve{{Host: "*", Port: "*", Addr: netip.MustParseAddr("127.0.0.1"), ToPort: portOf(origin)}}
	})
	d := r.device(5000)
	first := datas(d.ask(ownResolver, question("one.test", "A")))
	second := datas(d.ask(ownResolver, question("two.test", "A")))
	if again := datas(d.ask(ownResolver, question("ONE.test", "A"))); again != first || first == second {
		t.Fatalf("%s, %s, %s", first, second, again)
	}
	c := r.knocked(net.JoinHostPort(second, "25"))
	c.CloseWrite()
	c.br.ReadString(0)
	for _, f := range r.ending(4) {
		if f.Kind == flow.Tunnel && (f.Server.Asked != "two.test:25" || f.Server.Resolved != "two.test" || f.Server.Destination.Addr().String() != second) {
			t.Errorf("%+v", f.Server)
		}
	}
}

// What is no question is refused as the standards want it, and counted; where it has a
// name, it has a row, which is no contact: nothing left.
func TestNoQuestions(t *testing.T) {
	r := newRig(t, asks(netip.MustParseAddrPort("127.0.0.1:1")))
	d := r.device(5000)
	d.send(ownResolver, "short")
	response := question("x.test", "A")
	response.Response = true
	d.post(ownResolver, response)
	loop := "\x00\x09\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"
	d.send(ownResolver, loop)
	if got := d.answer(); got != "\x00\x09\x81\x01\x00\x00\x00\x00\x00\x00\x00\x00" {
		t.Errorf("%x", got)
	}
	if answer := d.ask(ownResolver, question("zone.test", "AXFR")); answer.Rcode != dns.RcodeRefused {
		t.Errorf("%v", answer)
	}
	if answer := d.ask(ownResolver, question("version.bind", "TXT", func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS })); answer.Rcode != dns.RcodeRefused {
		t.Errorf("%v", answer)
	}
	for _, f := range r.ending(2) {
		if f.IsContact() || f.Outcome != flow.Served || f.DNS.Code != "REFUSED" || f.Error == "" {
			t.Errorf("%+v", f)
		}
	}
	dropped := r.proxy.Dropped(modeWireGuard)
	for why, bytes := range map[string]int64{"too short for a message of DNS": 5, "a response of DNS where a question belongs": sizeOf(t, response), "malformed message of DNS": 18} {
		if dropped[why] != (coverage.Amount{Units: 1, Bytes: bytes}) {
			t.Errorf("%s: %v", why, dropped)
		}
	}
}

// A question that the policy forbids does not leave (--enforce).
func TestForbiddenQuestions(t *testing.T) {
	server := nameserver(t, func(w dns.ResponseWriter, m *dns.Msg) {
		if m.Question[0].Name == "evil.test." {
			t.Error("the question left")
		}
		records("@ 60 IN A 192.0.2.7")(w, m)
	})
	for _, to := range []string{ownResolver, "192.0.2.53:53"} {
		r := newRig(t, asks(server), leads("192.0.2.53:53", server.String()), verdicts(map[string]Admission{"evil.test": Block}, nil))
		d := r.device(5000)
		if answer := d.ask(to, question("evil.test", "A")); answer.Rcode != dns.RcodeRefused {
			t.Errorf("%v", answer)
		}
		if answer := d.ask(to, question("good.test", "A")); datas(answer) != "192.0.2.7" {
			t.Errorf("%v", answer)
		}
		r.shutdown()
		f := r.questions()[0]
		if f.Outcome != flow.Blocked || len(f.Altered) != 1 || !strings.Contains(f.Altered[0], "answered REFUSED") {
			t.Errorf("%+v", f)
		}
	}
}
