package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"telltale/coverage"
	"telltale/flow"
)

// foreign is a resolver that the device chose itself.
const foreign = "192.0.2.53:53"

// A question to a resolver of the device's own choice goes there, and both the resolver
// and the question have a row.
func TestForeignResolver(t *testing.T) {
	server := nameserver(t, records("@ 60 IN A 192.0.2.7"))
	r := newRig(t, leads(foreign, server.String()))
	d := r.device(5000)
	m := question("www.test", "A")
	if got := datas(d.ask(foreign, m)); got != "192.0.2.7" {
		t.Errorf("%q", got)
	}
	r.wait("the question's row", func([]*flow.Flow) bool { return len(r.questions()) == 1 })
	r.shutdown()
	flows := r.ending(2)
	talk, asked := talkIn(flows), r.questions()[0]
	if talk.Kind != flow.UDP || talk.Outcome != flow.Completed || talk.Host() != "192.0.2.53" || talk.Speech != flow.SpeechDNS || !talk.Readable() || talk.DatagramsSent != 1 || talk.DatagramsReceived != 1 {
		t.Errorf("%+v", talk)
	}
	if asked.Outcome != flow.Completed || asked.Server.Asked != "www.test:53" || asked.Server.Destination.String() != foreign || asked.Server.Dialed != server ||
		asked.DNS.Code != "NOERROR" || len(asked.DNS.Answers) != 1 || asked.Times.Wait < 0 || asked.DatagramsSent != 0 {
		t.Errorf("%+v %+v", asked, asked.DNS)
	}
	r.balanced(coverage.UDP, 1, sizeOf(t, m)) // once: the question is in the conversation
}

// talkIn returns the conversation among flows.
func talkIn(flows []*flow.Flow) *flow.Flow {
	return flows[slices.IndexFunc(flows, func(f *flow.Flow) bool { return f.Kind == flow.UDP })]
}

// A question that nobody answers has its row, and one that is asked again has one.
func TestForeignResolverIsSilent(t *testing.T) {
	server := nameserver(t, func(dns.ResponseWriter, *dns.Msg) {})
	r := newRig(t, leads(foreign, server.String()))
	r.proxy.dns.timeout = 50 * time.Millisecond
	d := r.device(5000)
	m := question("www.test", "A")
	d.post(foreign, m)
	d.post(foreign, m)
	r.wait("the question's row", func([]*flow.Flow) bool { return len(r.questions()) > 0 })
	r.shutdown()
	r.ending(2)
	f := r.questions()[0]
	if f.Outcome != flow.UpstreamFailed || f.Failure != flow.FailureTimeout || f.DNS.Code != "" || !strings.Contains(f.Error, "192.0.2.53:53 did not answer in") {
		t.Errorf("%+v", f)
	}
}

// The end of the audit ends questions that wait.
func TestShutdownEndsForeignQuestions(t *testing.T) {
	asked := make(chan struct{}, 1)
	server := nameserver(t, func(dns.ResponseWriter, *dns.Msg) { asked <- struct{}{} })
	r := newRig(t, leads(foreign, server.String()))
	r.device(5000).post(foreign, question("www.test", "A"))
	<-asked
	r.shutdown()
	r.ending(2)
	if f := r.questions()[0]; f.Outcome != flow.Abandoned {
		t.Errorf("%+v", f)
	}
}

// Where nothing may be forwarded, the name that was asked for is known all the same.
func TestForeignResolverIsDenied(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AllowLocal = false })
	r.proxy.dns.timeout = time.Hour
	d := r.device(5000)
	d.post("127.0.0.1:53", question("first.test", "A"))
	d.post("127.0.0.1:53", question("second.test", "A"))
	r.wait("the second row", func([]*flow.Flow) bool {
		return slices.ContainsFunc(r.questions(), func(f *flow.Flow) bool { return f.DNS.Name == "second.test" })
	})
	r.shutdown()
	for _, f := range r.ending(3) {
		if f.Kind == flow.UDP && f.Outcome != flow.DestinationDenied || f.Kind == flow.DNS && f.Outcome != flow.DestinationDenied {
			t.Errorf("%+v", f)
		}
	}
	if d.refused.Load() != 2 {
		t.Errorf("refused %d times", d.refused.Load())
	}
}

// What is no DNS is forwarded, and does not pass for read.
func TestOtherSpeechOnThePortOfDNS(t *testing.T) {
	echo := udpEcho(t)
	r := newRig(t, leads(foreign, echo.String()))
	d := r.device(5000)
	d.send(foreign, "not a question")
	if got := d.answer(); got != "not a question" {
		t.Errorf("%q", got)
	}
	d.post(foreign, question("www.test", "A")) // is echoed: a question, which answers nothing
	d.answer()
	r.shutdown()
	flows := r.ending(2)
	if f := talkIn(flows); f.Readable() || len(f.Notes) != 1 || f.DatagramsSent != 2 {
		t.Errorf("%+v", f)
	}
}

// An answer that was not asked for teaches no names, and is bared as others are.
func TestUnaskedAnswers(t *testing.T) {
	server := nameserver(t, func(w dns.ResponseWriter, m *dns.Msg) {
		other := m.Copy()
		other.Question[0].Name = "other.test."
		records(`@ 60 IN A 192.0.2.66`, `@ 60 IN HTTPS 1 . alpn="h3,h2"`)(w, other)
		records(`@ 60 IN A 192.0.2.7`)(w, m)
		records(`@ 60 IN A 192.0.2.67`)(w, m)
	})
	r := newRig(t, leads(foreign, server.String()))
	d := r.device(5000)
	m := question("www.test", "A")
	if got := datas(d.ask(foreign, m)); got != `192.0.2.66 1 . alpn="h2"` {
		t.Errorf("%q", got)
	}
	d.reply(m)
	d.reply(m)
	r.wait("the question's row", func([]*flow.Flow) bool { return len(r.questions()) == 1 })
	r.shutdown()
	flows := r.ending(2)
	if talk := talkIn(flows); len(talk.Altered) != 1 || !strings.Contains(talk.Altered[0], "h3 removed") {
		t.Errorf("%v", talk.Altered)
	}
	if got := fmt.Sprint(r.questions()[0].DNS.Answers); !strings.Contains(got, "192.0.2.7") || strings.Contains(got, "192.0.2.66") || strings.Contains(got, "192.0.2.67") {
		t.Errorf("%s", got)
	}
}

// Over TCP, too: the connection has a row, and each question.
func TestForeignResolverOverTCP(t *testing.T) {
	server := nameserver(t, func(w dns.ResponseWriter, m *dns.Msg) {
		if m.Question[0].Name == "silent.test." {
			w.Close()
			return
		}
		records("@ 60 IN A 192.0.2.7", `@ 60 IN HTTPS 1 . alpn="h3,h2"`)(w, m)
	})
	r := newRig(t, leads(foreign, server.String()))
	c := r.knocked(foreign)
	conn := &dns.Conn{Conn: c}
	for name, want := range map[string]string{"www.test": `192.0.2.7 1 . alpn="h2"`, "mask.icloud.com": "", "other.test": `192.0.2.7 1 . alpn="h2"`} {
		m := question(name, "A")
		must(t, conn.WriteMsg(m))
		got, err := conn.ReadMsg()
		if err != nil || got.Id != m.Id || datas(got) != want {
			t.Fatalf("%s: %v %v", name, err, got)
		}
	}
	must(t, conn.WriteMsg(question("silent.test", "A")))
	c.closed()
	c.Close()
	for _, f := range r.ending(5) {
		switch {
		case f.Kind == flow.Tunnel:
			if f.Outcome != flow.Completed || f.Speech != flow.SpeechDNS || f.Unread() || f.Server.Asked != foreign || f.Sent == 0 || f.Received == 0 {
				t.Errorf("%+v", f)
			}
		case f.DNS.Name == "silent.test":
			if f.Outcome != flow.UpstreamFailed || f.Server.Dialed != server {
				t.Errorf("%+v", f)
			}
		case f.DNS.Name == "mask.icloud.com":
			if f.DNS.Code != "NXDOMAIN" || f.Server.Dialed.IsValid() {
				t.Errorf("%+v", f)
			}
		case f.Outcome != flow.Completed || len(f.Altered) != 1 || len(f.DNS.Answers) != 2 || f.Server.Dialed != server:
			t.Errorf("%+v", f)
		}
	}
}

// What is no question on such a connection goes on unread, and the row says so.
func TestForeignResolverIsNone(t *testing.T) {
	r := newRig(t)
	r = newRig(t, leads(foreign, r.listener(func(c net.Conn) { io.Copy(io.Discard, c) })))
	c := r.knocked(foreign)
	first, err := question("www.test", "A").Pack()
	must(t, err)
	c.say("%s%s", framed(first), framed([]byte("the secret of the device")))
	c.CloseWrite()
	c.closed()
	for _, f := range r.ending(2) {
		if f.Kind == flow.Tunnel && (f.Outcome != flow.Tunnelled || f.Speech != "" || !f.Unread() || f.Error == "") {
			t.Errorf("%+v", f)
		}
	}
}

// A resolver of an app's own may give its server's address for any name: that is no proof
// of the name, and a Host that says it is only a claim.
func TestForeignResolverProvesNoName(t *testing.T) {
	server := nameserver(t, records("@ 60 IN A 192.0.2.66"))
	tracker := (&rig{t: t}).plainOrigin(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "tracked") })
	r := newRig(t, leads(foreign, server.String()), leads("192.0.2.66:80", tracker.Host))
	d := r.device(5000)
	d.ask(foreign, question("www.allowed.test", "A"))
	relay := r.knocked(foreign)
	conn := &dns.Conn{Conn: relay}
	must(t, conn.WriteMsg(question("www.allowed.test", "A")))
	if _, err := conn.ReadMsg(); err != nil {
		t.Fatal(err)
	}
	c := r.knocked("192.0.2.66:80")
	c.say("GET /leak HTTP/1.1\r\nHost: www.allowed.test\r\nConnection: close\r\n\r\n")
	c.answer()
	relay.Close()
	c.Close()
	r.shutdown()
	found := false
	for _, f := range r.all() {
		if f.Kind != flow.HTTP || !f.Ended() {
			continue
		}
		found = true
		if f.Server.Resolved != "" || f.Names().Asked != "192.0.2.66" {
			t.Errorf("resolved %q, names %+v", f.Server.Resolved, f.Names())
		}
	}
	if !found {
		t.Error("the request has no row")
	}
}

// A resolver that keeps silent over TCP takes no places of others for longer than a
// question may take.
func TestForeignResolverIsSilentOverTCP(t *testing.T) {
	silent := (&rig{t: t}).listener(func(c net.Conn) { io.Copy(io.Discard, c) })
	r := newRig(t, leads(foreign, silent))
	r.proxy.dns.timeout = 50 * time.Millisecond
	c := r.knocked(foreign)
	conn := &dns.Conn{Conn: c}
	for _, name := range []string{"one.test", "two.test"} {
		must(t, conn.WriteMsg(question(name, "A")))
	}
	r.wait("the rows of the questions", func([]*flow.Flow) bool { return len(r.questions()) == 2 })
	for _, f := range r.questions() {
		if f.Outcome != flow.UpstreamFailed || f.Failure != flow.FailureTimeout {
			t.Errorf("%s %s %q", f.Outcome, f.Failure, f.Error)
		}
	}
	until(t, "the places to be free", func() bool {
		r.proxy.dns.mu.Lock()
		defer r.proxy.dns.mu.Unlock()
		return r.proxy.dns.total == 0
	})
	c.Close()
	r.ending(3)
}

// What is no question on this port is forwarded as anything else is.
func TestOtherSpeechOverTCPOnThePortOfDNS(t *testing.T) {
	for _, first := range []string{"SSH-2.0-x\r\n", "\x00\x20\x00\x01\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00", "\x00\x02xx"} {
		echo := newRig(t).listener(func(c net.Conn) {
			b := make([]byte, len(first))
			io.ReadFull(c, b)
			c.Write(b)
		})
		r := newRig(t, leads(foreign, echo))
		c := r.knocked(foreign)
		c.say("%s", first)
		b := make([]byte, len(first))
		if _, err := io.ReadFull(c, b); err != nil || string(b) != first {
			t.Errorf("%q: %q %v", first, b, err)
		}
		c.Close()
		if f := r.one(); f.Kind != flow.Tunnel || f.Outcome != flow.Tunnelled {
			t.Errorf("%+v", f)
		}
	}
}
