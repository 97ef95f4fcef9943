package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"telltale/flow"
)

// decides makes the same decision about every contact, and fails the test that reaches a
// server for all that.
func decides(d Decision) func(*Config) {
	return func(c *Config) { c.Admit = func(*flow.Flow) Decision { return d } }
}

// simulated is a decision as simulations make it.
func simulated(form Refusal) Decision {
	return Decision{
		Admission: Block, Refusal: form, Outcome: flow.Simulated, Why: "no network", By: []string{"offline"},
		Answer: func(r *http.Request) (*http.Response, string) {
			return &http.Response{
				StatusCode: http.StatusFound, Header: http.Header{"Location": {"http://portal.test/"}, "X-Path": {r.URL.Path}},
				Body: io.NopCloser(strings.NewReader("sign in")),
			}, "redirected to the sign-in page"
		},
	}
}

// nameless is a rig in which no name leads anywhere.
func nameless(t *testing.T, edit ...func(*Config)) *rig {
	r := newRig(t, edit...)
	r.proxy.dialer.lookup = func(_ context.Context, name string) ([]netip.Addr, error) {
		t.Errorf("%s was looked up", name)
		return nil, errors.New("nobody is there")
	}
	return r
}

// decided fails the test unless a flow is the one of a decision.
func decided(t testing.TB, f *flow.Flow, d Decision, what string) {
	t.Helper()
	if f.Outcome != d.outcome() || f.Error != d.Why || f.Failure != "" || !slices.Equal(f.Experiments, d.By) || f.Server.Dialed.IsValid() {
		t.Errorf("%s %s: %s %q, by %q, dialled %v", f.Kind, f.Server.Asked, f.Outcome, f.Error, f.Experiments, f.Server.Dialed)
	}
	if len(f.Altered) != 1 || !strings.Contains(f.Altered[0], what) || !strings.HasSuffix(f.Altered[0], ": "+d.Why) {
		t.Errorf("%s %s: altered %q, want %q", f.Kind, f.Server.Asked, f.Altered, what)
	}
}

// wasReset fails the test unless a connection ends by a reset.
func (c *peer) wasReset() {
	c.t.Helper()
	if b, err := io.ReadAll(c); len(b) > 0 || !errors.Is(err, syscall.ECONNRESET) {
		c.t.Errorf("read %q, %v; want a reset", b, err)
	}
}

// hung waits for a contact to be left without an answer, and returns it.
func (r *rig) hung(what string) *flow.Flow {
	r.t.Helper()
	flows := r.wait("a contact without an answer", func(flows []*flow.Flow) bool { return len(flows) == 1 && len(flows[0].Altered) > 0 })
	if f := flows[0]; f.Ended() || !strings.Contains(f.Altered[0], what) {
		r.t.Errorf("%s %q", f.Outcome, f.Altered)
	}
	return flows[0]
}

// hello is the beginning of TLS for a name.
func hello(t testing.TB, name string) string {
	t.Helper()
	near, far := net.Pipe()
	go tls.Client(near, &tls.Config{ServerName: name}).Handshake() //nolint:errcheck // it ends with the pipe
	defer near.Close()
	defer far.Close()
	b := make([]byte, 4<<10)
	n, err := far.Read(b)
	must(t, err)
	return string(b[:n])
}

func TestCONNECTRefused(t *testing.T) {
	ask := func(r *rig, more string) *peer {
		c := r.dial()
		c.say("CONNECT ads.test:443 HTTP/1.1\r\nHost: ads.test:443\r\n\r\n%s", more)
		return c
	}
	t.Run("unresolved", func(t *testing.T) {
		d := simulated(Unresolved)
		r := nameless(t, decides(d))
		c := ask(r, "")
		resp, body := c.answer()
		c.Close()
		if resp.StatusCode != 502 || !strings.Contains(body, "the name ads.test could not be found") {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
		f := r.one()
		decided(t, f, d, "answered 502 in the place of the server")
		equal(t, "status", f.Response.Status, 502)
	})
	t.Run("refused", func(t *testing.T) {
		d := Decision{Admission: Block, Why: "host-not-allowed", By: []string{"enforce"}, Forbidden: true}
		r := nameless(t, decides(d))
		c := ask(r, "")
		resp, body := c.answer()
		c.Close()
		if resp.StatusCode != 403 || body != "telltale: the policy forbids ads.test:443: host-not-allowed\n" {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
		decided(t, r.one(), d, "answered 403 in the place of the server")
	})
	t.Run("reset", func(t *testing.T) {
		d := simulated(Reset)
		r := nameless(t, decides(d))
		c := ask(r, "")
		equal(t, "status", c.status(), 200)
		c.say("%s", hello(t, "ads.test"))
		c.wasReset()
		f := r.one()
		decided(t, f, d, "reset the connection in the place of the server")
		if f.Server.SNI != "ads.test" || f.Sent < 100 {
			t.Errorf("%q, %d bytes sent", f.Server.SNI, f.Sent)
		}
	})
	for _, end := range []string{"the client", "the audit"} {
		t.Run("hang, ended by "+end, func(t *testing.T) {
			d := simulated(Silent)
			r := nameless(t, decides(d))
			c := ask(r, "four")
			r.hung("never answered")
			if end == "the audit" {
				r.shutdown()
				c.closed()
			}
			c.Close()
			f := r.one()
			decided(t, f, d, "never answered the connection")
			equal(t, "sent", f.Sent, 4)
		})
	}
}

func TestSOCKS5Refused(t *testing.T) {
	request := "\x05\x01\x00\x03\x08ads.test\x01\xbb"
	for form, code := range map[Refusal]byte{Refused: 2, Unresolved: 4} {
		d := simulated(form)
		r := nameless(t, decides(d))
		c := r.dialTo(r.socks())
		c.talkSOCKS(socksHello, socksOpen)
		c.talkSOCKS(request, "\x05"+string([]byte{code})+socksNone)
		c.closed()
		c.Close()
		decided(t, r.one(), d, "refused the connection in the place of the server")
	}
	t.Run("hang", func(t *testing.T) {
		d := simulated(Silent)
		r := nameless(t, decides(d))
		c := r.dialTo(r.socks())
		c.talkSOCKS(socksHello, socksOpen)
		c.say("%s", request)
		r.hung("never answered")
		r.shutdown()
		c.closed()
		decided(t, r.one(), d, "never answered the connection")
	})
	t.Run("reset", func(t *testing.T) {
		d := simulated(Reset)
		r := nameless(t, decides(d))
		c := r.dialTo(r.socks())
		c.talkSOCKS(socksHello, socksOpen)
		c.talkSOCKS(request, "\x05\x00"+socksNone)
		c.say("GET / HTTP/1.1\r\n")
		c.wasReset()
		decided(t, r.one(), d, "reset the connection")
	})
	t.Run("answered", func(t *testing.T) {
		d := simulated(Answered)
		r := nameless(t, decides(d))
		c := r.dialTo(r.socks())
		c.talkSOCKS(socksHello, socksOpen)
		c.talkSOCKS(request, "\x05\x00"+socksNone)
		c.say("GET /here HTTP/1.1\r\nHost: ads.test\r\nConnection: close\r\n\r\n")
		resp, body := c.answer()
		if resp.StatusCode != 302 || body != "sign in" || resp.Header.Get("X-Path") != "/here" {
			t.Errorf("%d %q %v", resp.StatusCode, body, resp.Header)
		}
		c.closed()
		decided(t, r.one(), d, "redirected to the sign-in page")
	})
}

func TestArrivalsRefused(t *testing.T) {
	const to = "192.0.2.1:443"
	for _, form := range []Refusal{Refused, Unresolved} {
		d := simulated(form)
		r := nameless(t, decides(d))
		if _, err := r.knock(to); err == nil || !strings.Contains(err.Error(), "an experiment refuses 192.0.2.1:443: no network") {
			t.Errorf("%q: %v", form, err)
		}
		decided(t, r.one(), d, "refused the connection in the place of the server")
	}
	t.Run("reset", func(t *testing.T) {
		d := simulated(Reset)
		r := nameless(t, decides(d))
		c := r.knocked(to)
		c.say("%s", hello(t, "ads.test"))
		c.wasReset()
		decided(t, r.one(), d, "reset the connection")
	})
	t.Run("nobody speaks", func(t *testing.T) {
		for _, form := range []Refusal{Reset, Answered} {
			r := nameless(t, decides(simulated(form)))
			r.knocked(to).Close()
			f := r.one()
			if f.Outcome != flow.Simulated || f.Error != "no network" || len(f.Altered) != 1 {
				t.Errorf("%q: %s %q %q", form, f.Outcome, f.Error, f.Altered)
			}
		}
	})
}

// A device whose connection is not to be answered is neither accepted nor refused, and
// hears nothing in the end either.
func TestArrivalLeftUnanswered(t *testing.T) {
	d := simulated(Silent)
	r := nameless(t, decides(d))
	said := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.proxy.Arrive(Arrival{
			Way: tunnelWay, Client: netip.AddrPortFrom(tunnelPeer, 9), Destination: netip.MustParseAddrPort("192.0.2.1:443"),
			Accept: func() (net.Conn, error) { t.Error("accepted"); return nil, io.EOF },
			Refuse: func(err error) { said <- err },
		})
	}()
	r.hung("never answered")
	select {
	case err := <-said:
		t.Errorf("refused with %v", err)
	default:
	}
	r.shutdown()
	<-done
	if err := <-said; !errors.Is(err, ErrUnanswered) {
		t.Errorf("told %v", err)
	}
	decided(t, r.one(), d, "never answered the connection")
}

// Where only the ClientHello says who is meant, it is there that the client meets the
// refusal.
func TestRefusedByServerName(t *testing.T) {
	bySNI := func(d Decision) func(*Config) {
		return func(c *Config) {
			c.Admit = func(f *flow.Flow) Decision {
				if f.Server.SNI == "ads.test" {
					return d
				}
				return Decision{}
			}
		}
	}
	say := func(t *testing.T, r *rig) *peer {
		c := r.tunnel("192.0.2.1:443")
		c.say("%s", hello(t, "ads.test"))
		return c
	}
	for _, form := range []Refusal{Refused, Unresolved} {
		d := simulated(form)
		r := nameless(t, bySNI(d))
		c := say(t, r)
		if b, _ := io.ReadAll(c); string(b) != string(alertRecord(alertAccessDenied)) {
			t.Errorf("%q: read %q", form, b)
		}
		decided(t, r.one(), d, "ended the TLS handshake in the place of the server")
	}
	t.Run("reset", func(t *testing.T) {
		d := simulated(Reset)
		r := nameless(t, bySNI(d))
		say(t, r).wasReset()
		decided(t, r.one(), d, "reset the connection")
	})
	t.Run("hang", func(t *testing.T) {
		d := simulated(Silent)
		r := nameless(t, bySNI(d))
		c := say(t, r)
		r.hung("never answered")
		c.Close()
		f := r.one()
		decided(t, f, d, "never answered the connection")
		if f.Client.Hello == nil || f.Sent < 100 {
			t.Errorf("%+v, %d bytes", f.Client.Hello, f.Sent)
		}
	})
	t.Run("answered", func(t *testing.T) {
		d := simulated(Answered)
		r := nameless(t, bySNI(d))
		c := r.handshake(r.tunnel("192.0.2.1:443"), func(c *tls.Config) { c.ServerName = "ads.test" })
		c.say("GET / HTTP/1.1\r\nHost: ads.test\r\nConnection: close\r\n\r\n")
		equal(t, "status", c.status(), 302)
		decided(t, r.one(), d, "redirected")
	})
}

// What is not HTTP is not forwarded from a connection on which telltale is in the place of
// the server.
func TestAnsweredIsNeverForwarded(t *testing.T) {
	for name, speak := range map[string]func(t *testing.T, r *rig, c *peer){
		"noise": func(_ *testing.T, _ *rig, c *peer) { c.say("\x00\x01noise") },
		"other ALPN": func(_ *testing.T, _ *rig, c *peer) {
			err := tls.Client(c, &tls.Config{ServerName: "ads.test", NextProtos: []string{"imap"}}).Handshake()
			if err == nil {
				c.t.Error("a handshake for IMAP")
			}
		},
		"noise within TLS": func(_ *testing.T, r *rig, c *peer) {
			tc := tls.Client(c, &tls.Config{RootCAs: r.ca.pool(), ServerName: "ads.test"})
			must(c.t, tc.Handshake())
			io.WriteString(tc, "\x00\x01noise")
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := simulated(Answered)
			r := nameless(t, decides(d))
			c := r.tunnel("ads.test:443")
			speak(t, r, c)
			io.Copy(io.Discard, c)
			decided(t, r.one(), d, "reset the connection in the place of the server")
		})
	}
	t.Run("nothing within TLS", func(t *testing.T) {
		d := simulated(Answered)
		r := nameless(t, decides(d))
		r.handshake(r.tunnel("ads.test:443"), func(c *tls.Config) { c.ServerName, c.NextProtos = "ads.test", []string{"http/1.1"} }).Close()
		decided(t, r.one(), d, "accepted the connection in the place of the server, and TLS; no request came")
	})
	t.Run("DNS over TCP", func(t *testing.T) {
		d := simulated(Answered)
		r := nameless(t, decides(d))
		c := r.knocked("192.0.2.53:53")
		m, err := question("ads.test", "A").Pack()
		must(t, err)
		c.say("%s", framed(m))
		c.wasReset()
		decided(t, r.one(), d, "reset the connection")
	})
	t.Run("WebSocket", func(t *testing.T) {
		d := simulated(Answered)
		r := nameless(t, decides(d))
		c := r.tunnel("ads.test:80")
		c.say("GET / HTTP/1.1\r\nHost: ads.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Version: 13\r\n\r\n")
		equal(t, "status", c.status(), 302)
		c.Close()
		decided(t, r.one(), d, "redirected")
	})
}

// A client that takes its time is waited for, and no server is reached meanwhile.
func TestAnsweredLate(t *testing.T) {
	d := simulated(Answered)
	r := nameless(t, decides(d))
	c := r.tunnel("ads.test:80")
	<-time.After(2 * serverFirstAfter) // past the moment at which a server would be listened to
	c.say("GET / HTTP/1.1\r\nHost: ads.test\r\nConnection: close\r\n\r\n")
	equal(t, "status", c.status(), 302)
	decided(t, r.one(), d, "redirected")
}

// A name is answered with a stand-in while an experiment is on. When it is off, the device
// still reaches the server behind the address that it was given.
func TestStandInOutlivesTheExperiment(t *testing.T) {
	var on switchable
	server := nameserver(t, records("@ 60 IN A 127.0.0.1"))
	origin := (&rig{t: t}).plainOrigin(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "server") })
	r := newRig(t, asks(server), on.admit)
	d := simulated(Answered)
	on.set(d)
	m := r.device(5000).ask(ownResolver, question("app.test", "A"))
	to := datas(m) + ":" + origin.Port()
	c := r.knocked(to)
	c.say("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
	equal(t, "while it is on", c.status(), 302)
	on.set(Decision{})
	for _, c := range []*peer{c, r.knocked(to)} {
		c.say("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
		if _, body := c.answer(); body != "server" {
			t.Errorf("afterwards: %q", body)
		}
		c.Close()
	}
	flows := r.ending(4)
	decided(t, flows[0], d, "answered with the stand-in")
	decided(t, flows[1], d, "redirected")
	for _, f := range flows[2:] {
		if f.Outcome != flow.Completed || len(f.Experiments)+len(f.Altered) > 0 || f.Host() != "app.test" {
			t.Errorf("%s by %q: %q", f.Outcome, f.Experiments, f.Altered)
		}
	}
}

// What is done to a contact that is let through is said of it, whatever it is.
func TestMarksOfWhatIsLetThrough(t *testing.T) {
	d := Decision{By: []string{"slow edge", "another"}, What: "passed over a slow link"}
	server := nameserver(t, records("@ 60 IN A 127.0.0.1"))
	echo := udpEcho(t)
	r := newRig(t, asks(server), leads("192.0.2.1:9", echo.String()), decides(d))
	raw := r.listener(func(c net.Conn) { io.Copy(c, c) })
	origin := r.plainOrigin(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "server") })
	phone := r.device(5000)
	phone.ask(ownResolver, question("app.test", "A"))
	phone.send("192.0.2.1:9", "ping")
	phone.answer()
	c := r.tunnel(raw)
	c.say("\x00")
	c.mustRead(make([]byte, 1))
	c.Close()
	c = r.tunnel(origin.Host)
	c.say("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	c.status()
	c.Close()
	r.wait("the flows over TCP", func(flows []*flow.Flow) bool {
		n := 0
		for _, f := range flows {
			if f.Ended() {
				n++
			}
		}
		return n == 3
	})
	r.shutdown()
	for _, f := range r.ending(4) {
		if !slices.Equal(f.Experiments, []string{"another", "slow edge"}) || !slices.Equal(f.Altered, []string{d.What}) || f.Outcome == flow.Simulated {
			t.Errorf("%s: %s by %q: %q", f.Kind, f.Outcome, f.Experiments, f.Altered)
		}
	}
	if slices.IsSorted(d.By) {
		t.Error("the decision's own list was sorted")
	}
}

// Sockets behind wrappers are found; others are closed all the same.
func TestLingerNot(t *testing.T) {
	near, far := tcpPair(t)
	defer far.Close()
	lingerNot(wrapped{wrapped{near}})
	near.Close()
	(&peer{Conn: far, t: t, br: bufio.NewReader(far)}).wasReset()
	a, b := net.Pipe()
	defer b.Close()
	lingerNot(a)
	a.Close()
}

type wrapped struct{ net.Conn }

func (w wrapped) NetConn() net.Conn { return w.Conn }
