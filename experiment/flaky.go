package experiment

import (
	"encoding/binary"
	"hash/fnv"
	"strconv"
	"sync"

	"telltale/proxy"
)

// What flaky does, in hundredths of the contacts with one host, each stage counted by
// itself. Of requests in a connection that was decrypted, some are hit as well as some of
// the connections themselves, which is what a bad link does to long and to short ones. A
// question of DNS and a conversation of UDP are dropped at the share of both.
const (
	resetShare = 8  // reset at the first bytes
	hangShare  = 4  // never answered
	cutShare   = 10 // of requests: the answer breaks off
	// maxCut bounds where an answer breaks off, in bytes: most are longer.
	maxCut = 512
)

// flaky hits a share of contacts. A handshake belongs to a connection that was decided
// about when it was opened, and questions of DNS are counted, not the conversations in which
// they are asked.
func (p *played) flaky(c *contact) proxy.Decision {
	if c.stage == atHandshake || c.stage == atQUIC || c.asksDNS() {
		return proxy.Decision{}
	}
	n := p.counts.next(c.stage, c.host)
	chance := draw(p.seed, c.stage, c.host, n)
	switch percent := chance % 100; {
	case percent < resetShare+hangShare && (c.stage == atQuestion || c.stage == atDatagram):
		return p.block(proxy.Silent, "dropped, as contact "+strconv.FormatUint(n, 10)+" of the host")
	case percent < resetShare:
		return p.block(proxy.Reset, "reset, as contact "+strconv.FormatUint(n, 10)+" of the host")
	case percent < resetShare+hangShare:
		return p.block(proxy.Silent, "left unanswered, as contact "+strconv.FormatUint(n, 10)+" of the host")
	case percent < resetShare+hangShare+cutShare && c.stage == atRequest:
		cut := int64(1 + chance/100%maxCut)
		return proxy.Decision{Cut: cut, CutBy: []string{p.name}, Why: p.name + ": broken off, as contact " + strconv.FormatUint(n, 10) + " of the host"}
	}
	return proxy.Decision{}
}

// draw is a number that is the same for the same arguments, and looks random.
func draw(seed uint64, s stage, host string, n uint64) uint64 {
	h := fnv.New64a()
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], seed)
	binary.LittleEndian.PutUint64(b[8:], n)
	h.Write(b[:])
	h.Write([]byte(s))
	h.Write([]byte{0})
	h.Write([]byte(host))
	x := h.Sum64() // of which neighbours have much in common: mixed as in SplitMix64
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// maxCounted bounds the hosts that are counted by themselves. A device that invents names
// shares one count for the rest of them.
const maxCounted = 4096

// counts numbers the contacts of each host at each stage, from 1.
type counts struct {
	mu    sync.Mutex
	of    map[stageOfHost]uint64
	other uint64
}

type stageOfHost struct {
	stage stage
	host  string
}

func (c *counts) next(s stage, host string) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := stageOfHost{s, host}
	n, ok := c.of[key]
	if !ok && len(c.of) >= maxCounted {
		c.other++
		return c.other
	}
	if c.of == nil {
		c.of = make(map[stageOfHost]uint64)
	}
	c.of[key] = n + 1
	return n + 1
}
