package proxy

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"telltale/coverage"
	"telltale/flow"
)

// Receive takes a datagram in: it is counted in the flow of its conversation, answered
// by telltale itself where it is a question of DNS or QUIC that is not let through, and
// forwarded otherwise. It keeps no part of d.Payload. It may block for as long as the
// recorder does.
func (p *Proxy) Receive(d Datagram) {
	if d.Destination.Port() == dnsPort && d.Way.owns(d.Destination.Addr()) {
		p.receiveOwn(&d)
		return
	}
	amount, counted := amountOf(d.Payload), false
	defer p.survive(func() {
		if !counted {
			p.books.drop(d.Way.Mode, dropBug, amount)
		}
	})
	for {
		v, dropped := p.talks.find(p, &d)
		if v == nil {
			p.books.drop(d.Way.Mode, dropped, amount)
			if dropped == dropTooMany {
				p.note(floodNote)
			}
			return
		}
		if v.outdated() {
			p.talks.over(v) // what comes now is a conversation that is decided about anew
			continue
		}
		nth := v.take(&d)
		if nth == 0 {
			continue // it ended between the two
		}
		counted = true
		p.dispatch(v, d.Payload, nth)
		return
	}
}

// floodNote is said when datagrams were dropped for being too many.
const floodNote = "Datagrams of UDP were dropped: a device wrote to more addresses at once than the limits allow."

// dispatch hands a datagram to who knows its protocol.
func (p *Proxy) dispatch(v *conversation, payload []byte, nth int64) {
	if nth == 1 && v.port != dnsPort {
		v.admit()
	}
	switch {
	case v.port == dnsPort:
		p.overhear(v, payload, nth == 1)
	case p.receiveQUIC(v, payload, nth == 1):
	case v.closed():
		v.turnDown()
	default:
		v.forward(payload)
	}
	if nth <= recognisedBy {
		v.recognise(payload)
	}
	if nth == 1 {
		v.show()
	}
}

// recognisedBy is how many datagrams are looked at for their protocol.
const recognisedBy = 4

// dnsPort is where DNS is spoken (RFC 1035, 4.2).
const dnsPort = 53

// talk is what tells conversations apart.
type talk struct {
	way         *Way
	client      netip.AddrPort
	destination netip.AddrPort // zero where asked is all that is known
	asked       string         // host:port
}

// conversation is what one client's address and port says to one destination over UDP,
// with what it is answered. It is one flow of kind UDP.
//
// It is made by [Proxy.Receive] and given to whoever knows the protocol in it:
// overhear for port 53, receiveQUIC for QUIC. They
//
//   - answer, forward or turn a datagram down, which all count in the flow;
//   - edit what the flow will say, and show it.
//
// It is safe for use by several goroutines.
type conversation struct {
	p     *Proxy
	key   talk
	port  uint16   // that it goes to
	names []string // for which the device was given the destination's address, newest first

	quic quicTalk // what receiveQUIC keeps of it

	mu       sync.Mutex
	draft    flow.Flow // what is known of it; counts are filled in by state
	ended    bool
	stage    stage
	idle     time.Duration // after which it ends
	last     time.Time     // when the last datagram passed
	sent     coverage.Amount
	received coverage.Amount
	reply    func([]byte)
	refuse   func()
	to       netip.AddrPort // where it is forwarded to
	via      *mapping
	detained [][]byte // while the name is resolved
	silent   bool     // nothing is to be told of a refusal: it went to many
	withheld bool     // it is not shown while it is open: other flows may say what it was
	told     bool     // they do, and it is none itself
	passed   bool     // the operator asked not to look inside
	why      string   // in whose words
	awaited  bool     // it is blocked unless QUIC is spoken, whose requests will be answered
	decision Decision // about its QUIC
	// holds is not nil where nothing is forwarded for a reason that may go away.
	holds func() bool
}

// stage is how far the way to a conversation's destination is.
type stage int

const (
	unopened stage = iota // nothing was forwarded yet
	naming                // its name is being resolved
	opened                // there is a socket
	shut                  // nothing is forwarded; draft.Outcome says why
)

// own reports whether a conversation goes to telltale itself.
func (v *conversation) own() bool { return v.key.way.owns(v.key.destination.Addr()) }

// owns reports whether an address is telltale's own, in a way in.
func (w *Way) owns(a netip.Addr) bool {
	for _, own := range w.Own {
		if own == a {
			return true
		}
	}
	return false
}

// take counts a datagram from the client in and returns the how manieth it is, 0 where
// the conversation has ended.
func (v *conversation) take(d *Datagram) (nth int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended {
		return 0
	}
	v.sent.Units++
	v.sent.Bytes += int64(len(d.Payload))
	v.last = time.Now()
	v.reply, v.refuse = d.Answer, d.Refuse
	v.p.books.begin(v.key.way.Mode, coverage.UDP, amountOf(d.Payload))
	return v.sent.Units
}

// answer sends a datagram to the client, as from the destination, and counts it.
func (v *conversation) answer(payload []byte) {
	v.mu.Lock()
	reply := v.reply
	v.received.Units++
	v.received.Bytes += int64(len(payload))
	v.last = time.Now()
	v.mu.Unlock()
	if reply != nil {
		reply(payload)
	}
}

// admit asks the policy, and declines what it forbids and what is not forwarded.
func (v *conversation) admit() {
	to := v.key.destination.Addr()
	switch {
	case v.own():
		v.decline(flow.DestinationDenied, "", "nothing but DNS is spoken over UDP at telltale's own address")
		return
	case to.IsMulticast() || to == broadcast || v.p.dialer.network.broadcasts(to):
		v.silent = true // RFC 1122, 3.2.2: no errors for what goes to many
		v.decline(flow.DestinationDenied, "", "what is sent to all in the network is recorded and not forwarded")
		return
	}
	d := v.p.admit(v.flow())
	if d.Admission == Block {
		v.block(d)
		return
	}
	v.edit(d.mark)
	if d.Admission == PassThrough {
		v.mu.Lock()
		v.passed, v.why = true, d.Why
		v.mu.Unlock()
	}
}

// turnDown tells the client that nobody is there.
func (v *conversation) turnDown() {
	v.mu.Lock()
	refuse := v.refuse
	if v.silent {
		refuse = nil
	}
	v.mu.Unlock()
	if refuse != nil {
		refuse()
	}
}

// decline ends the forwarding: the flow will end so. What comes from then on is counted
// and turned down.
func (v *conversation) decline(o flow.Outcome, failure, why string) {
	v.edit(func(f *flow.Flow) { f.Outcome, f.Failure, f.Error = o, failure, why })
	v.mu.Lock()
	v.stage = shut
	v.mu.Unlock()
}

// outdated reports whether nothing is forwarded for a reason that is gone.
func (v *conversation) outdated() bool {
	v.mu.Lock()
	holds := v.holds
	v.mu.Unlock()
	return holds != nil && !holds()
}

// until sets how long nothing is forwarded.
func (v *conversation) until(holds func() bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.holds = holds
}

// over ends a conversation.
func (ts *talks) over(v *conversation) {
	ts.mu.Lock()
	ts.remove(v)
	ts.mu.Unlock()
	v.end()
}

// closed reports whether nothing is forwarded, for a reason that the flow will have.
func (v *conversation) closed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.stage == shut
}

// edit changes what the flow will say. An outcome other than Open is the one that it
// ends with. The function must not keep f.
func (v *conversation) edit(change func(f *flow.Flow)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change(&v.draft)
}

// withhold keeps the flow from being shown before the end, or lets it be: requests may
// come of the conversation, and be its flows.
func (v *conversation) withhold(yes bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.withheld = yes
}

// tell says that other flows tell what passed: the conversation will be none itself.
func (v *conversation) tell() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told = true
}

// lasts sets after which silence the conversation ends.
func (v *conversation) lasts(idle time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.idle = idle
}

// flow returns a new flow with the facts of the conversation and without an ID: its
// client, server and times. Its outcome is Open.
func (v *conversation) flow() *flow.Flow {
	v.mu.Lock()
	defer v.mu.Unlock()
	f := v.state(flow.Open)
	f.ID = 0
	f.Sent, f.Received, f.DatagramsSent, f.DatagramsReceived = 0, 0, 0, 0
	return f
}

// state returns the flow as it is now, with an outcome. v.mu is held.
func (v *conversation) state(o flow.Outcome) *flow.Flow {
	f := v.draft
	f.Outcome = o
	f.Server.Resolved = resolvedBy(v.names, f.Server.SNI)
	f.Sent, f.DatagramsSent = v.sent.Bytes, v.sent.Units
	f.Received, f.DatagramsReceived = v.received.Bytes, v.received.Units
	return &f
}

// show lets the recorder have the flow as it is now.
func (v *conversation) show() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended || v.withheld {
		return
	}
	if v.draft.ID == 0 {
		v.draft.ID = v.p.cfg.Recorder.NextID()
	}
	f := v.state(flow.Open)
	if f.Error != "" {
		f.Error = "" // is said with the end
	}
	v.p.cfg.Recorder.Observe(f)
}

// end seals the flow. Whoever calls it has taken v out of the table.
func (v *conversation) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended {
		return
	}
	v.ended = true
	v.detained = nil
	if v.via != nil {
		v.via.drop(v.to)
	}
	if v.told {
		v.p.books.settle(v.key.way.Mode, coverage.UDP, v.sent)
		return
	}
	switch undecided := v.draft.Outcome == "" || v.draft.Outcome == flow.Open; {
	case undecided && v.draft.Speech == flow.SpeechDNS:
		v.draft.Outcome = flow.Completed // its questions were read
	case undecided && v.passed:
		v.draft.Outcome, v.draft.Error = flow.PassedThrough, v.why
	case undecided:
		v.draft.Outcome = flow.Tunnelled
		if v.draft.Error = "UDP: forwarded unread"; v.received.Units == 0 {
			v.draft.Error = "UDP: forwarded unread, and never answered"
		}
	}
	f := v.state(v.draft.Outcome)
	f.Times.End = v.last
	v.p.record(f)
	v.p.books.settle(v.key.way.Mode, coverage.UDP, v.sent)
}

// record gives the recorder a state of a flow that belongs to no connection. The caller
// does not touch f again.
func (p *Proxy) record(f *flow.Flow) {
	if f.ID == 0 {
		f.ID = p.cfg.Recorder.NextID()
	}
	if f.Ended() && f.Times.End.IsZero() {
		f.Times.End = time.Now()
	}
	p.cfg.Recorder.Observe(f)
}

// resolvedBy chooses, of the names for which a device was given an address, the one
// that the connection claims, or else the newest.
func resolvedBy(names []string, claims ...string) string {
	if len(names) == 0 {
		return ""
	}
	for _, claim := range claims {
		if claim != "" && slices.Contains(names, flow.CanonicalHost(claim)) {
			return flow.CanonicalHost(claim)
		}
	}
	return names[0]
}
