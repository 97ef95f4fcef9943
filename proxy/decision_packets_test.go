package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	quicgo "github.com/quic-go/quic-go"

	"telltale/flow"
)

// aboutQuestions makes a decision about questions of DNS alone.
func aboutQuestions(d Decision) func(*Config) {
	return func(c *Config) {
		c.Admit = func(f *flow.Flow) Decision {
			if f.Kind == flow.DNS {
				return d
			}
			return Decision{}
		}
	}
}

// untouchedResolver is one that must not be asked.
func untouchedResolver(t *testing.T) netip.AddrPort {
	return nameserver(t, func(_ dns.ResponseWriter, m *dns.Msg) { t.Errorf("the resolver was asked for %s", m.Question[0].Name) })
}

// A question is answered in each form without its resolver, telltale's own or one of the
// device's choice.
func TestQuestionsRefused(t *testing.T) {
	for _, to := range []string{ownResolver, "192.0.2.53:53"} {
		for form, want := range map[Refusal]struct {
			code  int
			words string
		}{
			Refused:    {dns.RcodeRefused, "answered REFUSED in the place of the resolver"},
			Unresolved: {dns.RcodeNameError, "answered NXDOMAIN in the place of DNS"},
			Reset:      {dns.RcodeSuccess, "answered with the stand-in 198.18.0.1 in the place of DNS"},
			Answered:   {dns.RcodeSuccess, "answered with the stand-in 198.18.0.1 in the place of DNS"},
		} {
			d := simulated(form)
			server := untouchedResolver(t)
			r := newRig(t, asks(server), leads("192.0.2.53:53", server.String()), aboutQuestions(d))
			phone := r.device(5000)
			answer := phone.ask(to, question("ads.test", "A"))
			if standIn := datas(answer) == "198.18.0.1"; answer.Rcode != want.code || standIn != (want.code == dns.RcodeSuccess) {
				t.Errorf("%s, %q: %v", to, form, answer)
			}
			other := phone.ask(to, question("ads.test", "HTTPS"))
			if other.Rcode != want.code || len(other.Answer) > 0 {
				t.Errorf("%s, %q: %v", to, form, other)
			}
			r.shutdown()
			questions := r.questions()
			decided(t, questions[0], d, want.words)
			if f := questions[1]; f.Outcome != flow.Simulated || !f.IsContact() {
				t.Errorf("%s, contact: %v", f.Outcome, f.IsContact())
			}
		}
	}
}

// Questions that look for no server are asked of nobody where nothing is to leave, and
// are no contacts for that.
func TestLookupsRefused(t *testing.T) {
	for name, typ := range map[string]string{"4.3.2.1.in-addr.arpa": "PTR", "_dns.resolver.arpa": "SVCB", "ipv4only.arpa": "AAAA"} {
		d := simulated(Unresolved)
		server := untouchedResolver(t)
		r := newRig(t, asks(server), aboutQuestions(d))
		if answer := r.device(5000).ask(ownResolver, question(name, typ)); answer.Rcode != dns.RcodeNameError {
			t.Errorf("%s: %v", name, answer)
		}
		f := r.one()
		decided(t, f, d, "answered NXDOMAIN in the place of DNS")
		if f.IsContact() {
			t.Errorf("%s: it is a contact", name)
		}
	}
}

// A question that is left unanswered has a row at once, and its device nothing.
func TestQuestionsUnanswered(t *testing.T) {
	for _, to := range []string{ownResolver, "192.0.2.53:53"} {
		d := simulated(Silent)
		server := untouchedResolver(t)
		r := newRig(t, asks(server), leads("192.0.2.53:53", server.String()), aboutQuestions(d))
		phone := r.device(5000)
		phone.post(to, question("ads.test", "A"))
		r.wait("the row of the question", func(flows []*flow.Flow) bool {
			return slices.ContainsFunc(flows, func(f *flow.Flow) bool { return f.Kind == flow.DNS && f.Ended() })
		})
		r.shutdown()
		if len(phone.answers) > 0 || phone.refused.Load() > 0 {
			t.Errorf("%s: answered %d times, refused %d", to, len(phone.answers), phone.refused.Load())
		}
		f := r.questions()[0]
		decided(t, f, d, "never answered the question")
		equal(t, "code and bytes", f.DNS.Code+" "+time.Duration(f.Received).String(), " 0s")
	}
}

// A name under a --resolve rule is no question for DNS, but one that does not exist now.
func TestRuledNamesRefused(t *testing.T) {
	for form, code := range map[Refusal]int{Refused: dns.RcodeSuccess, Unresolved: dns.RcodeNameError} {
		r := newRig(t, leads("192.0.2.1:80", "127.0.0.1:1"), aboutQuestions(simulated(form)), func(c *Config) { c.Resolve[0].Host = "ruled.test" })
		if answer := r.device(5000).ask(ownResolver, question("ruled.test", "A")); answer.Rcode != code {
			t.Errorf("%q: %v", form, answer)
		}
		r.one()
	}
}

// The question in a conversation that is blocked as a whole has its reason and experiments.
func TestQuestionOfABlockedConversation(t *testing.T) {
	d := simulated(Silent)
	r := newRig(t, func(c *Config) {
		c.Admit = func(f *flow.Flow) Decision {
			if f.Kind == flow.UDP {
				return d
			}
			return Decision{}
		}
	})
	phone := r.device(5000)
	phone.post("192.0.2.53:53", question("ads.test", "A"))
	r.shutdown()
	for _, f := range r.ending(2) {
		if f.Outcome != flow.Simulated || f.Error != d.Why || !slices.Equal(f.Experiments, d.By) || len(f.Altered) != 1 {
			t.Errorf("%s: %s %q by %q: %q", f.Kind, f.Outcome, f.Error, f.Experiments, f.Altered)
		}
	}
	if phone.refused.Load() > 0 {
		t.Error("the device was told")
	}
}

// Datagrams are dropped; all forms but silence say so.
func TestDatagramsRefused(t *testing.T) {
	for _, form := range []Refusal{Refused, Unresolved, Silent, Reset, Answered} {
		d := simulated(form)
		r := newRig(t, decides(d))
		phone := r.device(5000)
		phone.send("192.0.2.1:9", "one")
		phone.send("192.0.2.1:9", "two")
		r.shutdown()
		f := r.one()
		decided(t, f, d, "forwarded no datagram")
		if told := phone.refused.Load() == 2; told == (form == Silent) || f.DatagramsSent != 2 {
			t.Errorf("%q: refused %d times, %d datagrams", form, phone.refused.Load(), f.DatagramsSent)
		}
	}
}

// QUIC that would be answered comes back over TCP, or is answered where it is decrypted.
func TestQUICAnswered(t *testing.T) {
	for _, mode := range []QUICMode{QUICBlock, QUICPass} {
		d := simulated(Answered)
		r := newRig(t, quicMode(mode), decides(d))
		c := r.quicClient(5000)
		var refused *quicgo.VersionNegotiationError
		if _, err := c.Get("https://h3.example.test/"); !errors.As(err, &refused) {
			t.Fatalf("mode %d: the client says %v", mode, err)
		}
		c.stop()
		r.shutdown()
		f := r.one()
		byExperiment := mode == QUICPass // else it is what telltale always does
		if f.Outcome != flow.QUICRefused || f.Server.SNI != "h3.example.test" || (len(f.Experiments) > 0) != byExperiment {
			t.Errorf("mode %d: %s by %q: %q", mode, f.Outcome, f.Experiments, f.Altered)
		}
	}
	t.Run("other than HTTP/3", func(t *testing.T) {
		d := simulated(Answered)
		r := newRig(t, quicMode(QUICIntercept), decides(d))
		c := r.quicClient(5000)
		cfg := c.h3.TLSClientConfig.Clone()
		cfg.NextProtos, cfg.ServerName = []string{"other"}, "h3.example.test"
		if _, err := c.quic.Dial(t.Context(), c.wire.from, cfg, nil); err == nil {
			t.Error("connected")
		}
		c.stop()
		r.shutdown()
		if f := r.one(); f.Outcome != flow.QUICRefused || !slices.Equal(f.Experiments, d.By) {
			t.Errorf("%s by %q", f.Outcome, f.Experiments)
		}
	})
	t.Run("a connection without a request", func(t *testing.T) {
		d := simulated(Answered)
		r := newRig(t, quicMode(QUICIntercept), decides(d))
		c := r.quicClient(5000)
		cfg := c.h3.TLSClientConfig.Clone()
		cfg.NextProtos, cfg.ServerName = []string{"h3"}, "h3.example.test"
		conn, err := c.quic.Dial(t.Context(), c.wire.from, cfg, nil)
		must(t, err)
		r.accountsExpect(flow.ClientSilent)
		conn.CloseWithError(0x100, "")
		decided(t, r.one(), d, "accepted the connection in the place of the server, and TLS; no request came")
		c.stop()
	})
}

// QUIC that is to be met by silence is.
func TestQUICUnanswered(t *testing.T) {
	for _, mode := range []QUICMode{QUICBlock, QUICPass, QUICIntercept} {
		d := simulated(Silent)
		r := newRig(t, quicMode(mode), func(c *Config) {
			c.Admit = func(f *flow.Flow) Decision {
				if f.Server.SNI != "" {
					return d
				}
				return Decision{}
			}
		})
		c := r.quicClient(5000)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			r.wait("the conversation to be blocked", func(flows []*flow.Flow) bool { return len(flows) == 1 && len(flows[0].Experiments) > 0 })
			cancel()
		}()
		req, err := http.NewRequestWithContext(ctx, "GET", "https://h3.example.test/", nil)
		must(t, err)
		if _, err := c.Do(req); err == nil || strings.Contains(err.Error(), "negotiation") {
			t.Errorf("mode %d: %v", mode, err)
		}
		c.stop()
		r.shutdown()
		f := r.one()
		decided(t, f, d, "forwarded no datagram")
		if c.wire.refused.Load() > 0 || f.DatagramsReceived > 0 {
			t.Errorf("mode %d: refused %d times, %d answers", mode, c.wire.refused.Load(), f.DatagramsReceived)
		}
	}
}
