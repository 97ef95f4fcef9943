package wireguard

import (
	"maps"
	"sync/atomic"
	"time"

	"telltale/coverage"
)

// amount is a [coverage.Amount] that several goroutines add to.
type amount struct{ units, bytes atomic.Int64 }

func (a *amount) add(bytes int) {
	a.units.Add(1)
	a.bytes.Add(int64(bytes))
}

func (a *amount) read() coverage.Amount {
	return coverage.Amount{Units: a.units.Load(), Bytes: a.bytes.Load()}
}

// counts is what came out of the tunnel, and what of it was not handed on.
type counts struct {
	received map[coverage.Class]*amount // the maps never change
	dropped  map[string]*amount
	outside
}

func newCounts() *counts {
	c := &counts{received: map[coverage.Class]*amount{}, dropped: map[string]*amount{}}
	for _, class := range coverage.Classes {
		c.received[class] = new(amount)
	}
	for _, reason := range []string{malformed, badChecksum, sourceRouted, incomplete, foreignSource, noServer, flooded, abandoned, bug} {
		c.dropped[reason] = new(amount)
	}
	return c
}

func (c *counts) receive(class coverage.Class, bytes int) { c.received[class].add(bytes) }

// drop counts a packet that nobody can tell the class of.
func (c *counts) drop(reason string, bytes int) {
	c.receive(coverage.Other, bytes)
	c.dropped[reason].add(bytes)
}

// classOf returns the class of a protocol.
func classOf(protocol byte) coverage.Class {
	switch protocol {
	case protoTCP:
		return coverage.TCP
	case protoUDP:
		return coverage.UDP
	case protoICMP, protoICMPv6:
		return coverage.ICMP
	}
	return coverage.Other
}

// What is on its way from here to the proxy is in neither's books for a moment. So they
// are read between two batches of packets, and again where they do not balance: this
// often and after this long. Ledger never waits for packets to be taken, since whoever
// takes one may wait for who reads the ledger.
const (
	ledgerTries = 10
	ledgerPause = 2 * time.Millisecond
)

// Ledger sets what came out of the tunnel beside what became of it.
func (t *Tunnel) Ledger() coverage.Ledger {
	for range ledgerTries {
		if t.taking.TryLock() {
			l := t.readLedger()
			t.taking.Unlock()
			if l.Balanced() {
				return l
			}
		}
		time.Sleep(ledgerPause)
	}
	return t.readLedger()
}

func (t *Tunnel) readLedger() coverage.Ledger {
	l := coverage.Ledger{Mode: Mode, Received: map[coverage.Class]coverage.Amount{}, Dropped: map[string]coverage.Amount{}}
	for class, a := range t.counts.received {
		if got := a.read(); got != (coverage.Amount{}) {
			l.Received[class] = got
		}
	}
	waiting := t.tcp.waiting()
	recorded, underWay := t.proxy.Recorded(Mode)
	l.Recorded, l.UnderWay = maps.Clone(recorded), maps.Clone(underWay)
	if waiting > 0 {
		if l.UnderWay == nil {
			l.UnderWay = map[coverage.Class]coverage.Amount{}
		}
		tcp := l.UnderWay[coverage.TCP]
		tcp.Units += waiting
		l.UnderWay[coverage.TCP] = tcp
	}
	for reason, a := range t.counts.dropped {
		if got := a.read(); got != (coverage.Amount{}) {
			l.Dropped[reason] = got
		}
	}
	for reason, got := range t.proxy.Dropped(Mode) {
		sum := l.Dropped[reason]
		l.Dropped[reason] = coverage.Amount{Units: sum.Units + got.Units, Bytes: sum.Bytes + got.Bytes}
	}
	return l
}

// Outside is what came to the tunnel's port from others than its devices.
type Outside struct {
	Foreign   int64 // datagrams that are no message of WireGuard
	Strangers int64 // handshakes with keys that the tunnel does not know, or used before
	// Unread are messages with data that could not be decrypted: forged, repeated,
	// damaged inside, or of a session that ended with another telltale before the
	// device had a new one. Those being decrypted are among them.
	Unread int64
}

// Outside counts it since the tunnel was opened.
func (t *Tunnel) Outside() Outside {
	return Outside{Foreign: t.socket.foreign.Load(), Strangers: t.counts.strangers.Load(),
		Unread: max(0, t.socket.backlog.unread())}
}
