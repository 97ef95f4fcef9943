package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"telltale/flow"
	"telltale/wire/dns"
)

// relayDNS forwards a connection to a resolver of the device's own choice message by
// message, as overhear does with datagrams: each question has its row, and answers lose
// what would hide names. Nothing is learned from them (see receiveAnswer).
func (p *Proxy) relayDNS(c *connection) {
	t, err := p.dialFor(c)
	if err != nil {
		p.undialled(t, err)
		return
	}
	t.watch, t.flow.Speech = false, flow.SpeechDNS
	r := &dnsRelay{Conn: t.up, p: p, c: c, dialed: t.flow.Server.Dialed, waiting: map[heardKey]*relayed{}}
	t.up, t.seal = r, r.seal
	c.account.hold()
	defer c.account.release()
	p.carry(t, flow.Completed, "")
	r.finish()
}

// asksDNS reports whether a connection is one to a resolver on which a question is asked:
// by its port and the first bytes (RFC 1035, 4.1.1 and 4.2.2). It was opened by a device
// that found the address itself: through the HTTP proxy nobody asks DNS.
func (c *connection) asksDNS() bool {
	_, port := flow.SplitHostPort(c.asked)
	b := c.early
	if c.mode == modeHTTP || c.secure || port != "53" || len(b) < 2+dns.HeaderSize {
		return false
	}
	return binary.BigEndian.Uint16(b) >= dns.HeaderSize && b[4]&0xf8 == 0 && b[6] == 0 && b[7] == 1
}

// dnsRelay is the connection to a resolver, as a transit uses it: what is written are a
// device's questions, what is read are the answers that it gets. One goroutine writes,
// another reads.
type dnsRelay struct {
	net.Conn
	p      *Proxy
	c      *connection
	dialed netip.AddrPort

	said  []byte // by the device, not a whole message yet
	heard []byte // of the resolver, not a whole message yet
	ready []byte // for the device, not read yet

	odd atomic.Bool // something else than DNS was forwarded

	mu      sync.Mutex
	own     []byte // answers of ours, with their lengths
	waiting map[heardKey]*relayed
}

// relayed is a question that waits for its answer, for a time.
type relayed struct {
	inquiry *inquiry
	leave   func()
	timer   *time.Timer
}

// Write takes bytes of the device, and forwards the messages that are complete.
func (r *dnsRelay) Write(b []byte) (int, error) {
	r.said = append(r.said, b...)
	for {
		message, rest, ok := cutFrame(r.said)
		if !ok {
			return len(b), nil
		}
		if r.asked(message) {
			if _, err := r.Conn.Write(framed(message)); err != nil {
				return 0, err
			}
		}
		r.said = append(r.said[:0], rest...)
	}
}

// cutFrame parts the first message from what follows.
func cutFrame(b []byte) (message, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, b, false
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	if len(b) < n {
		return nil, b, false
	}
	return b[2:n], b[n:], true
}

// asked takes a message of the device, and reports whether it is to be forwarded.
func (r *dnsRelay) asked(message []byte) bool {
	query, err := dns.ReadQuery(message)
	if err != nil {
		r.odd.Store(true)
		return true // what is no question is the resolver's to refuse
	}
	in := &inquiry{
		p: r.p, own: []netip.Addr{r.c.destination.Addr()}, flow: r.c.questionFlow(),
		reply: r.inject, record: func(f *flow.Flow) { r.p.observe(r.c, f) }, settled: func(string) {},
	}
	in.begin(len(message))
	in.ask(query)
	if in.answeredHere() {
		return false
	}
	leave, ok := r.p.dns.enter(r.c.client.Addr.Addr())
	if !ok {
		return true // beyond the limits it is in the row of the connection alone
	}
	key := heardKey{nil, query.ID, in.name, query.Type}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting[key] != nil {
		leave()
		return true
	}
	w := &relayed{inquiry: in, leave: leave}
	w.timer = time.AfterFunc(r.p.dns.timeout, func() { r.giveUp(key, w) })
	r.waiting[key] = w
	return true
}

// giveUp ends the row of a question that was not answered in time.
func (r *dnsRelay) giveUp(key heardKey, w *relayed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting[key] != w {
		return
	}
	delete(r.waiting, key)
	defer w.leave()
	w.inquiry.flow.Server.Dialed = r.dialed
	w.inquiry.end(flow.UpstreamFailed, flow.FailureTimeout, fmt.Sprintf("%s did not answer in %v", r.c.asked, r.p.dns.timeout))
}

// maxOwnAnswers bounds, in bytes, the answers of ours that wait to be read.
const maxOwnAnswers = 128 << 10

// inject gives the device an answer of ours, and wakes who reads for it.
func (r *dnsRelay) inject(message []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.own) > maxOwnAnswers {
		r.Conn.Close() // a device that asks and never reads
		return
	}
	r.own = append(r.own, framed(message)...)
	r.Conn.SetReadDeadline(past)
}

// Read returns what the device is to get.
func (r *dnsRelay) Read(b []byte) (int, error) {
	for len(r.ready) == 0 {
		if r.takeOwn() {
			break
		}
		if message, rest, ok := cutFrame(r.heard); ok {
			r.ready = framed(r.answered(message))
			r.heard = append(r.heard[:0], rest...)
			break
		}
		n, err := r.Conn.Read(b)
		r.heard = append(r.heard, b[:n]...)
		if err != nil && n == 0 && !(errors.Is(err, os.ErrDeadlineExceeded) && r.hasOwn()) {
			return 0, err
		}
	}
	n := copy(b, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

func (r *dnsRelay) hasOwn() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.own) > 0
}

// takeOwn makes answers of ours ready.
func (r *dnsRelay) takeOwn() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.own) == 0 {
		return false
	}
	r.ready, r.own = r.own, nil
	r.Conn.SetReadDeadline(time.Time{})
	return true
}

// answered takes a message of the resolver, and returns it as the device gets it.
func (r *dnsRelay) answered(message []byte) []byte {
	m, err := dns.Parse(message)
	if err != nil || !m.Response {
		r.odd.Store(true)
		return message
	}
	out, altered := dns.Bare(message)
	key := heardKey{nil, m.ID, flow.CanonicalHost(net.JoinHostPort(m.Question.Name, "53")), m.Question.Type}
	r.mu.Lock()
	w := r.waiting[key]
	if w != nil && w.inquiry.query.Matches(m, m.ID) {
		delete(r.waiting, key)
	} else {
		w = nil
	}
	r.mu.Unlock()
	if w == nil {
		return out
	}
	defer w.leave()
	w.timer.Stop()
	in := w.inquiry
	in.flow.DNS.Code, in.flow.DNS.Answers = m.Question.Code, m.Question.Answers
	in.flow.Altered, in.flow.Received, in.flow.Server.Dialed = altered, int64(len(out)), r.dialed
	in.flow.Times.Wait = time.Since(in.flow.Times.Start)
	in.end(flow.Completed, "", "")
	return out
}

// seal ends the row of the connection.
func (r *dnsRelay) seal(f *flow.Flow) {
	if r.odd.Load() {
		f.Speech, f.Outcome, f.Error = "", flow.Tunnelled, "among the questions of DNS was something else: forwarded unread"
	}
}

// CloseWrite ends our direction and leaves the other open.
func (r *dnsRelay) CloseWrite() error { return closeWrite(r.Conn) }

// finish ends the rows of questions that were not answered.
func (r *dnsRelay) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, w := range r.waiting {
		delete(r.waiting, key)
		w.timer.Stop()
		w.inquiry.flow.Server.Dialed = r.dialed
		w.inquiry.end(flow.UpstreamFailed, flow.FailureReset, "the connection ended before the answer came")
		w.leave()
	}
}

// questionFlow returns the beginning of the row of a question on a connection.
func (c *connection) questionFlow() *flow.Flow {
	return &flow.Flow{
		Mode: c.mode, Client: flow.Client{Addr: c.client.Addr, Device: c.client.Device},
		Server: flow.Server{Destination: c.destination},
	}
}
