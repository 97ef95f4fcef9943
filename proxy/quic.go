package proxy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"

	"telltale/flow"
	"telltale/wire/clienthello"
	"telltale/wire/quic"
)

// quicFate is what becomes of the QUIC in a conversation.
type quicFate int

const (
	notQUIC        quicFate = iota // none was seen
	quicNegotiated                 // asked to come back in a version that can be decrypted
	quicUnread                     // its ClientHello has not come whole yet
	quicRefused                    // answered with Version Negotiation that offers none
	quicPassed                     // forwarded unread
	quicDecrypted
)

// Limits of what is kept of the QUIC in one conversation.
const (
	// maxUnread is how many datagrams wait for the ClientHello to be whole, which takes
	// one or two; then the conversation is judged by what is known. What is refused
	// anyway waits for one only: its client is not to be kept.
	maxUnread        = 4
	maxUnreadRefused = 1
	// maxOpenings bounds the connections of one conversation whose names are read. A
	// client that uses one port for all has a few.
	maxOpenings = 256
	maxExtra    = 32 // names that get a row besides the conversation's
)

// quicTalk is what is known of the QUIC in a conversation. The zero value is ready.
type quicTalk struct {
	mu       sync.Mutex
	fate     quicFate
	opening  quic.Opening // of the newest attempt at a connection
	attempts int
	unread   [][]byte
	peer     *quicPeer // its name for the library that decrypts; nil before
	denied   bool      // a connection was, which its client tries again and again
	extra    []string  // server names besides the first that have rows of their own
}

// receiveQUIC takes a datagram of a conversation in which QUIC is spoken, on whatever
// port. It reports whether it did: else the datagram is forwarded like any other.
func (p *Proxy) receiveQUIC(v *conversation, payload []byte, first bool) (taken bool) {
	q := &v.quic
	q.mu.Lock()
	was := q.fate
	q.read(v, payload, first)
	fate, waiting := q.fate, q.unread
	switch fate {
	case notQUIC, quicNegotiated, quicUnread:
	default:
		q.unread = nil
	}
	q.mu.Unlock()
	if was != fate && !first {
		defer v.show()
	}
	switch fate {
	case notQUIC:
		return false
	case quicNegotiated:
		p.http3.receive(v, payload)
	case quicRefused:
		v.refuseQUIC(payload)
	case quicPassed:
		for _, b := range waiting {
			v.forward(b)
		}
		v.forward(payload)
	case quicDecrypted:
		for _, b := range waiting {
			p.http3.receive(v, b)
		}
		p.http3.receive(v, payload)
	}
	return true
}

// read reads what a datagram says in the clear, and decides the fate when that is
// enough. q.mu is held.
func (q *quicTalk) read(v *conversation, payload []byte, first bool) {
	switch q.fate {
	case notQUIC, quicNegotiated:
		if !q.begin(v, payload, first) {
			return
		}
	case quicUnread:
	default:
		q.follow(v, payload)
		return
	}
	state := q.opening.Add(payload)
	most := maxUnread
	if v.p.cfg.QUIC == QUICBlock {
		most = maxUnreadRefused
	}
	if state == clienthello.Partial && len(q.unread) < most {
		q.unread = append(q.unread, bytes.Clone(payload))
		return
	}
	q.decide(v)
}

// begin looks for QUIC in a conversation that has had none, and reports whether there is
// some to be read. q.mu is held.
func (q *quicTalk) begin(v *conversation, payload []byte, first bool) bool {
	h, ok := quic.Recognise(payload)
	switch {
	case !ok && first && v.isOpenQUIC(payload):
		q.refuse(v, "QUIC", "it belongs to a connection of QUIC that was opened elsewhere, and cannot be read. "+quicComesBack)
		return false
	case !ok:
		return false
	case v.p.cfg.QUIC == QUICIntercept && h.DCID != nil && h.Version != quic.V1 && h.Version != quic.V2 && !v.closed():
		q.fate = quicNegotiated
		v.withhold(true)
		v.edit(func(f *flow.Flow) {
			f.Speech, f.Outcome = h.Version.String(), flow.HandshakeFailed
			f.Error = "no connection came of " + f.Speech + ", of which telltale speaks v1 and v2"
		})
		return false
	}
	q.fate, q.attempts = quicUnread, 1
	v.withhold(v.p.cfg.QUIC == QUICIntercept)
	return true
}

// httpsPort is where QUIC is known by its port alone.
const httpsPort = 443

// isOpenQUIC reports whether the first datagram of a conversation looks like one of a
// connection that a device opened before it came here: it has a short header (RFC 9000,
// 17.3), goes to the port of HTTP/3 and is nothing else that is known.
func (v *conversation) isOpenQUIC(b []byte) bool {
	const shortest = 21 // RFC 9000, 10.3: what is shorter could not be a packet
	return v.p.cfg.QUIC != QUICPass && v.port == httpsPort && len(b) >= shortest && b[0]&0xc0 == 0x40 &&
		speechOf(b, v.port) == "" && !v.closed()
}

const quicComesBack = "QUIC is refused, so that the client comes back over TCP"

// decide settles the fate of a conversation by what its first connection said.
func (q *quicTalk) decide(v *conversation) {
	hello, speech := q.opening.Hello, speechOfQUIC(&q.opening)
	q.learn(v)
	if !v.unblock() {
		q.fate = quicRefused // for the reason that the flow has already
		return
	}
	d := v.p.admit(v.flow())
	answered := d.Admission == Block && d.Refusal == Answered
	switch {
	case d.Admission == Block && !answered:
		v.block(d)
		q.fate = quicRefused
	case v.p.cfg.QUIC == QUICBlock:
		q.refuse(v, speech, quicComesBack)
	case answered && !q.answerable(v):
		q.refuse(v, speech, quicComesBack)
		v.edit(marks{by: d.By}.put)
		v.until(d.Holds)
	case v.p.cfg.QUIC == QUICPass:
		q.pass(v, flow.PassedThrough, "QUIC was forwarded unread (--quic pass)")
	case d.Admission == PassThrough:
		q.pass(v, flow.PassedThrough, d.Why)
	case hello != nil && !slices.Contains(hello.ALPN, "h3"):
		q.pass(v, flow.Tunnelled, fmt.Sprintf("QUIC for %q, which is not HTTP/3: forwarded unread", hello.ALPN))
	case strings.HasPrefix(speech, "gQUIC"):
		q.refuse(v, speech, "it is of before the standard, and cannot be read. "+quicComesBack)
	default:
		v.decline(flow.HandshakeFailed, "", "no connection came of "+speech)
		v.decide(d)
		q.fate = quicDecrypted
		return
	}
	if q.fate == quicPassed {
		v.edit(d.mark)
	}
	v.withhold(false)
}

// answerable reports whether requests can come of the connection, and be answered here.
func (q *quicTalk) answerable(v *conversation) bool {
	hello := q.opening.Hello
	return v.p.cfg.QUIC == QUICIntercept && hello != nil && slices.Contains(hello.ALPN, "h3")
}

// decide notes what was decided about the connections of QUIC in a conversation.
func (v *conversation) decide(d Decision) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.decision = d
}

// decided returns what was.
func (v *conversation) decided() Decision {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.decision
}

// learn puts what was read into the flow.
func (q *quicTalk) learn(v *conversation) {
	hello, speech := q.opening.Hello, speechOfQUIC(&q.opening)
	v.edit(func(f *flow.Flow) {
		f.Speech = speech
		if hello != nil {
			f.Client.Hello, f.Server.SNI = hello, hello.ServerName
		}
	})
}

// speechOfQUIC names the protocol: the one inside where that hides names, which is worse
// to know than the version.
func speechOfQUIC(o *quic.Opening) string {
	if o.Hello != nil && slices.ContainsFunc(o.Hello.ALPN, isDoQ) {
		return "DNS over QUIC"
	}
	return o.Version.String()
}

// isDoQ reports whether a protocol is DNS over QUIC (RFC 9250, 4.1.1), or a draft of it.
func isDoQ(alpn string) bool { return alpn == "doq" || strings.HasPrefix(alpn, "doq-") }

// refuse makes a conversation one that is refused.
func (q *quicTalk) refuse(v *conversation, speech, why string) {
	q.fate = quicRefused
	v.decline(flow.QUICRefused, "", why)
	v.edit(func(f *flow.Flow) {
		f.Speech = speech
		f.Altered = append(f.Altered, "refused QUIC in the place of the server")
	})
	v.lasts(v.p.waits.oneShot)
}

// pass makes a conversation one that is forwarded.
func (q *quicTalk) pass(v *conversation, o flow.Outcome, why string) {
	q.fate = quicPassed
	v.edit(func(f *flow.Flow) { f.Outcome, f.Error = o, why })
}

// refuseQUIC answers a datagram so that its client gives up at once: by Version
// Negotiation if it opens a connection, and by ICMP.
func (v *conversation) refuseQUIC(payload []byte) {
	v.mu.Lock()
	silent := v.silent
	v.mu.Unlock()
	if h, ok := quic.Recognise(payload); ok && !silent {
		if answer := h.Refusal(); answer != nil {
			v.answer(answer)
		}
	}
	v.turnDown()
}

// follow reads the names of further connections in a conversation: a client may use one
// port for all. They are told apart by the ID that a client draws for each.
func (q *quicTalk) follow(v *conversation, payload []byte) {
	h, ok := quic.Recognise(payload)
	if !ok {
		return
	}
	// The rest of a ClientHello may come to the ID with which a server answered its beginning.
	rest := q.opening.State() == clienthello.Partial && bytes.Equal(h.SCID, q.opening.SCID)
	if !bytes.Equal(h.DCID, q.opening.DCID) && !rest {
		if len(h.DCID) < 8 || q.attempts >= maxOpenings { // RFC 9000, 7.2: a server's ID
			return
		}
		q.attempts++
		q.opening = quic.Opening{}
	}
	if q.opening.State() != clienthello.Partial || q.opening.Add(payload) != clienthello.Whole {
		return
	}
	f := v.flow()
	if q.fate == quicDecrypted || f.Client.Hello == nil {
		q.learn(v) // for the connection that comes of it, or because it was late
		return
	}
	name := q.opening.Hello.ServerName
	if name == f.Server.SNI || slices.Contains(q.extra, name) || len(q.extra) >= maxExtra {
		return
	}
	q.extra = append(q.extra, name)
	q.tellOf(v, f)
}

// tellOf records another connection of a conversation, whose row has another name.
func (q *quicTalk) tellOf(v *conversation, f *flow.Flow) {
	f.Client.Hello, f.Server.SNI, f.Speech = q.opening.Hello, q.opening.Hello.ServerName, speechOfQUIC(&q.opening)
	f.Server.Resolved = resolvedBy(v.names, f.Server.SNI)
	f.Times = flow.NoTimes(v.lastAt())
	f.Outcome, f.Error = v.verdict()
	if q.fate == quicPassed {
		if d := v.p.admit(f); d.Admission == Block {
			d.seal(f, "forwarded no more datagrams")
			v.decline(d.outcome(), "", d.Why)
			v.edit(marks{by: d.By}.put)
			v.until(d.Holds)
			q.fate = quicRefused
		}
	}
	f.Notes = append(slices.Clone(f.Notes), "The client uses one port for several connections: its datagrams are counted in another flow.")
	v.p.record(f)
}

// verdict is the outcome that a conversation will have, as far as it is known.
func (v *conversation) verdict() (flow.Outcome, string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.draft.Outcome, v.draft.Error
}

// deny makes a conversation one in which no connection is served any more: its client
// has a row that says so.
func (q *quicTalk) deny() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.denied = true
}

func (q *quicTalk) isDenied() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.denied
}
