package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"telltale/flow"
	"telltale/wire/dns"
)

// heardKey is what an answer and its question have in common.
type heardKey struct {
	talk      *conversation
	id        uint16
	name, typ string // as in the question, canonical
}

// heard is a question to a foreign resolver that waits for its answer.
type heard struct {
	inquiry *inquiry
	came    chan overheard // with room for one
}

// overheard is an answer of a foreign resolver.
type overheard struct {
	message *dns.Message // nil: none can come, since nothing is forwarded
	altered []string
	size    int // in bytes, of what the device is given
}

// oddNote marks a conversation on the port of DNS in which something else is said.
const oddNote = "Among the datagrams were some that are no questions of DNS: they were forwarded unread."

// overhear takes a datagram to a foreign resolver: it is forwarded, and read for the row
// of the question in it. What telltale answers by itself is answered here, too. The
// conversation is decided about when it is known whether questions are asked in it, each of
// which is decided about besides, and anew when something else is said.
func (p *Proxy) overhear(v *conversation, payload []byte, first bool) {
	v.lasts(p.waits.oneShot) // the next question comes from another port
	query, err := dns.ReadQuery(payload)
	undecided := first
	v.edit(func(f *flow.Flow) {
		switch odd := slices.Contains(f.Notes, oddNote); {
		case err == nil && !odd:
			f.Speech = flow.SpeechDNS
		case err != nil && !odd:
			f.Speech, f.Notes = "", append(f.Notes, oddNote)
			undecided = true
		}
	})
	if undecided && !v.closed() {
		v.admit()
	}
	switch {
	case err == nil:
	case v.closed():
		v.turnDown()
		return
	default:
		v.forward(payload)
		return
	}
	in := &inquiry{p: p, own: v.key.way.Own, flow: v.flow(), datagram: true, reply: v.answer, record: p.record, settled: func(string) {}}
	in.begin(len(payload))
	in.ask(query)
	switch {
	case v.closed():
		v.turnDown()
		in.endAs(v)
	case in.answeredHere():
	default:
		p.passOn(v, in, payload)
	}
}

// passOn forwards a question and waits, by a goroutine of its own, for the answer.
// Beyond the limits it has no row of its own: the conversation counts it.
func (p *Proxy) passOn(v *conversation, in *inquiry, payload []byte) {
	key := heardKey{v, in.query.ID, in.name, in.query.Type}
	h := &heard{in, make(chan overheard, 1)}
	leave, first := p.dns.expect(key, h)
	if first && !p.spawn(func() { defer leave(); p.await(v, h) }) {
		leave()
	}
	if v.forward(payload); v.closed() {
		if h := p.dns.waitsFor(key, nil); h != nil {
			h.came <- overheard{}
		}
	}
}

// waitsFor returns the question that waits for an answer, and lets it wait no more. A nil
// answer is any. The caller sends it what came.
func (r *resolver) waitsFor(key heardKey, answer *dns.Message) *heard {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.waiting[key]
	if h == nil || answer != nil && !h.inquiry.query.Matches(answer, key.id) {
		return nil
	}
	delete(r.waiting, key)
	return h
}

// expect notes that an answer is waited for. first is not set for a question that is
// asked again, nor beyond the limits.
func (r *resolver) expect(key heardKey, h *heard) (leave func(), first bool) {
	r.mu.Lock()
	again := r.waiting[key] != nil
	r.mu.Unlock()
	if again {
		return nil, false
	}
	place, ok := r.enter(key.talk.key.client.Addr())
	if !ok {
		return nil, false
	}
	r.mu.Lock()
	r.waiting[key] = h
	r.mu.Unlock()
	return func() { r.forget(key, h); place() }, true
}

func (r *resolver) forget(key heardKey, h *heard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting[key] == h {
		delete(r.waiting, key)
	}
}

// await ends the row of a question when it was answered, or will not be.
func (p *Proxy) await(v *conversation, h *heard) {
	timer := time.NewTimer(p.dns.timeout)
	defer timer.Stop()
	in := h.inquiry
	select {
	case a := <-h.came:
		in.overheard(v, a)
	case <-timer.C:
		in.flow.Server.Dialed = v.dialed()
		if v.closed() {
			in.endAs(v)
			return
		}
		in.end(flow.UpstreamFailed, flow.FailureTimeout, fmt.Sprintf("%s did not answer in %v", v.key.asked, p.dns.timeout))
	case <-p.base.Done():
		select {
		case a := <-h.came:
			in.overheard(v, a)
		default:
			in.end(flow.Abandoned, "", "the audit ended before the answer came")
		}
	}
}

// overheard ends a question with what came.
func (in *inquiry) overheard(v *conversation, a overheard) {
	if a.message == nil {
		in.endAs(v)
		return
	}
	in.flow.Times.Wait = time.Since(in.flow.Times.Start)
	in.flow.DNS.Code, in.flow.DNS.Answers = a.message.Question.Code, a.message.Question.Answers
	in.flow.Altered, in.flow.Received = a.altered, int64(a.size)
	in.flow.Server.Dialed = v.dialed()
	in.end(flow.Completed, "", "")
}

// endAs ends a question whose conversation may not be forwarded.
func (in *inquiry) endAs(v *conversation) {
	var o flow.Outcome
	var failure, why string
	v.edit(func(f *flow.Flow) {
		o, failure, why = f.Outcome, f.Failure, f.Error
		marks{f.Experiments, f.Altered}.put(in.flow)
	})
	in.end(o, failure, why)
}

// dialed returns the address that a conversation's datagrams are forwarded to.
func (v *conversation) dialed() (to netip.AddrPort) {
	v.edit(func(f *flow.Flow) { to = f.Server.Dialed })
	return to
}

// receiveAnswer takes a datagram that a foreign resolver answered with, and returns what
// the device is to get: the same without what would hide names.
//
// It proves no name: whoever makes an app can run such a resolver, and have it give the
// address of a server of theirs for any name. Its answers are in the rows of questions; a
// connection to the address is one to the address, until its own TLS says more.
func (p *Proxy) receiveAnswer(v *conversation, payload []byte) []byte {
	m, err := dns.Parse(payload)
	if err != nil || !m.Response {
		return payload
	}
	out, altered := dns.Bare(payload)
	name := flow.CanonicalHost(net.JoinHostPort(m.Question.Name, "53"))
	h := p.dns.waitsFor(heardKey{v, m.ID, name, m.Question.Type}, m)
	if h == nil {
		v.edit(func(f *flow.Flow) {
			for _, what := range altered {
				if len(f.Altered) < maxLateAltered && !slices.Contains(f.Altered, what) {
					f.Altered = append(slices.Clone(f.Altered), what)
				}
			}
		})
		return out
	}
	h.came <- overheard{m, altered, len(out)}
	return out
}

// maxLateAltered bounds what a conversation says of answers that nobody waited for.
const maxLateAltered = 16
