package proxy

import (
	"cmp"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"telltale/coverage"
	"telltale/flow"
)

// maxStraysPerClient bounds the rows of packets that are neither TCP nor UDP which are
// open for one device: a scan of a network must not be a row for each address.
const maxStraysPerClient = 256

// stray is packets of one protocol from one client to one address: one flow.
type stray struct {
	key   strayKey
	draft flow.Flow
	last  time.Time
	count coverage.Amount
}

type strayKey struct {
	way         *Way
	client      netip.Addr
	destination netip.Addr
	protocol    uint8
	speech      string
	answered    bool
}

// strays is the table of them. The zero value is ready.
type strays struct {
	p      *Proxy
	mu     sync.Mutex
	closed bool
	by     map[strayKey]*stray
	counts map[netip.Addr]int
}

// Numbers of protocols over IP (IANA, Protocol Numbers).
const (
	protocolICMP   = 1
	protocolICMPv6 = 58
)

var protocolNames = map[uint8]string{
	protocolICMP: "ICMP", 2: flow.SpeechIGMP, 4: "IPv4 in IP", 41: "IPv6 in IP", 47: "GRE", 50: "ESP", 51: "AH",
	protocolICMPv6: "ICMPv6", 132: "SCTP", 136: "UDP-Lite",
}

// Stray records a packet that is neither TCP nor UDP. All that one device sends to one
// address by one protocol is one flow; of ICMP, echo requests, errors and what else there
// is are told apart.
func (p *Proxy) Stray(s Stray) {
	a := coverage.Amount{Units: 1, Bytes: int64(s.Bytes)}
	if !p.strays.count(s, a) {
		p.books.drop(s.Way.Mode, dropStrays, a)
	}
}

// count adds a packet to its flow, which it opens with the first. It reports false
// where there are too many.
func (ss *strays) count(s Stray, a coverage.Amount) bool {
	key := strayKey{s.Way, s.Client, s.Destination, s.Protocol, s.Speech, s.Answered}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	one := ss.by[key]
	if one == nil {
		if ss.closed || ss.counts[s.Client] >= maxStraysPerClient {
			return false
		}
		if ss.by == nil {
			ss.by, ss.counts = map[strayKey]*stray{}, map[netip.Addr]int{}
		}
		one = &stray{key: key, draft: ss.p.strayFlow(s)}
		ss.by[key] = one
		ss.counts[s.Client]++
		open := one.draft
		open.Outcome, open.Sent, open.DatagramsSent = flow.Open, a.Bytes, a.Units
		ss.p.cfg.Recorder.Observe(&open)
	}
	one.last = time.Now()
	one.count.Units += a.Units
	one.count.Bytes += a.Bytes
	ss.p.books.begin(s.Way.Mode, strayClass(s.Protocol), a)
	return true
}

// strayFlow returns the flow that a packet opens.
func (p *Proxy) strayFlow(s Stray) flow.Flow {
	f := flow.Flow{
		ID: p.cfg.Recorder.NextID(), Kind: flow.IP, Mode: s.Way.Mode, Speech: cmp.Or(s.Speech, protocolName(s.Protocol)),
		Client: flow.Client{Addr: netip.AddrPortFrom(s.Client, 0), Device: s.Device},
		Server: flow.Server{
			Asked: s.Destination.String(), Destination: netip.AddrPortFrom(s.Destination, 0),
			Resolved: resolvedBy(p.names.of(s.Client, s.Destination)),
		},
		Times: flow.NoTimes(time.Now()),
	}
	if strayClass(s.Protocol) == coverage.ICMP {
		f.Kind = flow.ICMP
	}
	return f
}

func strayClass(protocol uint8) coverage.Class {
	if protocol == protocolICMP || protocol == protocolICMPv6 {
		return coverage.ICMP
	}
	return coverage.Other
}

func protocolName(protocol uint8) string {
	if name := protocolNames[protocol]; name != "" {
		return name
	}
	return "protocol " + strconv.Itoa(int(protocol))
}

// finish ends the flows that are chosen.
func (ss *strays) finish(chosen func(*stray) bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for key, s := range ss.by {
		if !chosen(s) {
			continue
		}
		delete(ss.by, key)
		if ss.counts[key.client]--; ss.counts[key.client] == 0 {
			delete(ss.counts, key.client)
		}
		ss.end(s)
	}
}

// end seals a flow. ss.mu is held.
func (ss *strays) end(s *stray) {
	f := s.draft
	f.Sent, f.DatagramsSent = s.count.Bytes, s.count.Units
	f.Outcome, f.Error = flow.DestinationDenied, f.Speech+" is recorded and not forwarded"
	if s.key.answered {
		f.Outcome, f.Error = flow.Completed, "the tunnel's end answered: nothing was sent to the address"
		f.Altered = []string{"answered the echo requests in the place of the address"}
		f.Received, f.DatagramsReceived = f.Sent, f.DatagramsSent
	}
	f.Times.End = s.last
	ss.p.record(&f)
	ss.p.books.settle(f.Mode, strayClass(s.key.protocol), s.count)
}

// close ends all.
func (ss *strays) close() {
	ss.mu.Lock()
	ss.closed = true
	ss.mu.Unlock()
	ss.finish(func(*stray) bool { return true })
}
