package proxy

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	quicgo "github.com/quic-go/quic-go"

	"telltale/flow"
)

// untilTakenBack makes a decision that holds until it is taken back, and then none.
func untilTakenBack(d Decision, of flow.Kind) (edit func(*Config), takeBack func()) {
	var gone atomic.Bool
	d.Holds = func() bool { return !gone.Load() }
	return func(c *Config) {
		c.Admit = func(f *flow.Flow) Decision {
			if gone.Load() || f.Kind != of {
				return Decision{}
			}
			return d
		}
	}, func() { gone.Store(true) }
}

// A conversation that was refused is decided about anew when the experiment is off; what
// was refused keeps its row, and what is forwarded has one of its own.
func TestDatagramsAfterTheExperiment(t *testing.T) {
	for _, form := range []Refusal{Refused, Silent, Answered} {
		d := simulated(form)
		edit, takeBack := untilTakenBack(d, flow.UDP)
		r := newRig(t, edit)
		to, phone := udpEcho(t).String(), r.device(5000)
		phone.send(to, "\x99one")
		phone.send(to, "\x99two")
		takeBack()
		phone.send(to, "\x99three")
		if got := phone.answer(); got != "\x99three" {
			t.Errorf("%q: %q", form, got)
		}
		r.shutdown()
		flows := r.ending(2)
		decided(t, flows[0], d, "forwarded no datagram")
		if f := flows[1]; f.Outcome != flow.Tunnelled || len(f.Experiments)+len(f.Altered) > 0 || f.DatagramsSent != 1 || flows[0].DatagramsSent != 2 {
			t.Errorf("%q: %d datagrams, then %s by %q with %d", form, flows[0].DatagramsSent, f.Outcome, f.Experiments, f.DatagramsSent)
		}
	}
}

// The same of QUIC: a client that uses one port for all gets through.
func TestQUICAfterTheExperiment(t *testing.T) {
	d := simulated(Refused)
	edit, takeBack := untilTakenBack(d, flow.UDP)
	r := newRig(t, quicMode(QUICPass), edit)
	r.leadsTo(r.h3Origin(func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, q.Host) }))
	c := r.quicClient(5000)
	var refused *quicgo.VersionNegotiationError
	if _, err := c.Get("https://h3.example.test/"); !errors.As(err, &refused) {
		t.Fatalf("the client says %v", err)
	}
	takeBack()
	if got := c.get(t, "https://h3.example.test/"); got != "h3.example.test" {
		t.Errorf("answered %q", got)
	}
	c.stop()
	r.shutdown()
	flows := r.ending(2)
	if flows[0].Outcome != flow.Simulated || flows[1].Outcome != flow.PassedThrough || len(flows[1].Experiments) > 0 {
		t.Errorf("%s, then %s by %q", flows[0].Outcome, flows[1].Outcome, flows[1].Experiments)
	}
}

// A conversation with a resolver is decided about when it is known what is said in it, and
// anew when that is something else.
func TestConversationWithAResolver(t *testing.T) {
	server := untouchedResolver(t)
	d := simulated(Silent)
	r := newRig(t, leads("192.0.2.53:53", server.String()), func(c *Config) {
		c.Admit = func(f *flow.Flow) Decision {
			switch {
			case f.Kind == flow.DNS:
				return simulated(Answered)
			case f.Speech == flow.SpeechDNS:
				return Decision{}
			}
			return d
		}
	})
	phone, other := r.device(5000), r.device(5001)
	if got := datas(phone.ask("192.0.2.53:53", question("a.test", "A"))); got != "198.18.0.1" {
		t.Errorf("answered %q", got)
	}
	phone.send("192.0.2.53:53", "no question")
	other.send("192.0.2.53:53", "no question")
	r.shutdown()
	flows := slices.DeleteFunc(r.ending(3), func(f *flow.Flow) bool { return f.Kind == flow.DNS })
	for _, f := range flows {
		decided(t, f, d, "forwarded no datagram")
	}
}
