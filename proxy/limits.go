package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// This file holds the limits that protect the machine and other clients from one
// that takes too much; docs/threat-model.md lists them with their reasons. None of
// them cuts an exchange that was begun, however slow it is: an upload in pieces, a
// long poll and an event stream last as long as both sides want. Peers that are gone
// are found out by the keep-alive of TCP.

// waits are the times that are waited for somebody: the first three while a client
// owes us the beginning of something.
type waits struct {
	head      time.Duration // for the first request of a connection, and each later head once begun
	handshake time.Duration // for TLS with the client, as in Go's and nginx's order of magnitude
	idle      time.Duration // between two requests
	// spare is how long the row of a TLS connection that its client never used waits for
	// the same device to use the host over another one (spare.go).
	spare time.Duration
	// upgraded is what the second direction of an upgraded connection gets after the
	// first has ended, counted from the last byte that it moved.
	upgraded time.Duration
	talk     time.Duration // after which a silent conversation over UDP has ended (RFC 4787, REQ-5)
	oneShot  time.Duration // the same, of protocols that ask and are answered once
	makeRoom time.Duration // silence after which a conversation makes room for another
	sweep    time.Duration // how often silent ones are looked for
}

var defaultWaits = waits{
	head: 60 * time.Second, handshake: 15 * time.Second, idle: 5 * time.Minute, spare: 2 * time.Second, upgraded: 5 * time.Second,
	talk: 2 * time.Minute, oneShot: 15 * time.Second, makeRoom: 30 * time.Second, sweep: time.Second,
}

// filled returns w with the defaults for what is zero.
func (w waits) filled() waits {
	w.head, w.handshake, w.idle = cmp.Or(w.head, defaultWaits.head), cmp.Or(w.handshake, defaultWaits.handshake), cmp.Or(w.idle, defaultWaits.idle)
	w.spare, w.upgraded = cmp.Or(w.spare, defaultWaits.spare), cmp.Or(w.upgraded, defaultWaits.upgraded)
	w.talk, w.oneShot = cmp.Or(w.talk, defaultWaits.talk), cmp.Or(w.oneShot, defaultWaits.oneShot)
	w.makeRoom, w.sweep = cmp.Or(w.makeRoom, defaultWaits.makeRoom), cmp.Or(w.sweep, defaultWaits.sweep)
	return w
}

const (
	serverFirstAfter = 300 * time.Millisecond
	closeTimeout     = 5 * time.Second // for handlers to return once their sockets are closed
)

// maxH2Head is what http.Server reads of one request head. Heads over maxHead
// (head.go) are refused; HTTP/2 needs the higher limit for the refusal to be
// recorded, since http.Server answers 431 to anything above without telling.
const maxH2Head = 4 << 20

// limits are how many connections there may be at once.
type limits struct {
	files     int // what the system lets this process open
	clients   int // connections of all clients
	perClient int
	servers   int // connections to servers, and attempts at them
	perDevice int // of these, for one client
}

// maxPerClient bounds the connections of one client where nothing else does. Ten
// thousand at once must pass; what is far beyond is a runaway.
const maxPerClient = 16 << 10

// newLimits parts the files that may be open: some are for the capture, the reports
// and the resolver; three quarters of the rest are for clients, the others for servers.
// Clients get more because most of what they hold open is idle, whereas a connection
// to a server that is idle makes room for another. Of both parts an eighth is out of
// one client's reach.
func newLimits(files, perClient int) limits {
	usable := files - min(files/8, 512)
	l := limits{files: files, clients: usable / 4 * 3, perClient: perClient}
	l.servers = usable - l.clients
	l.perDevice = l.servers - l.servers/8
	if most := l.clients - l.clients/8; perClient <= 0 || perClient > most {
		l.perClient = min(most, maxPerClient)
	}
	return l
}

// The notes on limits that were met. Each is constant, so that it is kept once.
const (
	fullNote    = "Connections were refused: as many were open as the limits allow."
	acceptNote  = "For a while no connections could be accepted: the machine was out of open files or of memory."
	serversNote = "Servers could not be reached: as many connections to servers were open as the limit of open files allows (ulimit -n)."
)

// note hands a sentence on the proxy's health out.
func (p *Proxy) note(sentence string) {
	if p.cfg.Note != nil {
		p.cfg.Note(sentence)
	}
}

// places counts the connections to servers, so that the last open file of the process
// is not one of them, nor all of them one client's.
type places struct {
	limit, perClient int              // 0: none
	full             func(netip.Addr) // makes room, among a client's own where it is valid, and tells; nil does nothing

	freed chan struct{} // a token when a place was given back

	mu    sync.Mutex
	taken map[netip.Addr]int // by client
	total int
}

var (
	// errNoPlace is met when all places are taken.
	errNoPlace = errors.New("too many connections to servers are open for this machine's limit of open files")
	// errNoShare is met when a client has as many as it may have.
	errNoShare = errors.New("this device has too many connections to servers open, of those that this machine's limit of open files allows")
)

// take takes a place for a client. leave gives it back, once, however often it is
// called.
func (p *places) take(client netip.Addr) (leave func(), err error) {
	client = scoped(client)
	if err = p.tryTake(client); err != nil && p.full != nil {
		err = p.takeInRoomMade(client, err)
	}
	if err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() { p.leave(client) }), nil
}

// placeWait is how long a connection that makes room waits for it: what is idle is
// closed at once, what is about to be takes a moment.
const placeWait = 250 * time.Millisecond

// takeInRoomMade takes a place that others make when err is why there is none.
func (p *places) takeInRoomMade(client netip.Addr, err error) error {
	var of netip.Addr
	if errors.Is(err, errNoShare) {
		of = client
	}
	p.full(of)
	timer := time.NewTimer(placeWait)
	defer timer.Stop()
	for {
		if err = p.tryTake(client); err == nil {
			return nil
		}
		select {
		case <-p.freed:
		case <-timer.C:
			return err
		}
	}
}

func (p *places) tryTake(client netip.Addr) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.perClient > 0 && p.taken[client] >= p.perClient:
		return fmt.Errorf("%w (%d)", errNoShare, p.perClient)
	case p.limit > 0 && p.total >= p.limit:
		return fmt.Errorf("%w (%d)", errNoPlace, p.limit)
	case p.taken == nil:
		p.taken = map[netip.Addr]int{}
	}
	p.taken[client]++
	p.total++
	return nil
}

func (p *places) leave(client netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total--
	if p.taken[client]--; p.taken[client] == 0 {
		delete(p.taken, client)
	}
	select {
	case p.freed <- struct{}{}:
	default:
	}
}

// holding returns c with the place that it gives back when it is closed.
func holding(c net.Conn, leave func()) net.Conn {
	if t, ok := c.(*net.TCPConn); ok {
		return &placed{t, leave}
	}
	return &placedOther{c, leave}
}

// placed is a TCP connection that takes a place. It embeds the concrete type so that
// the kernel can still move its bytes.
type placed struct {
	*net.TCPConn
	leave func()
}

// Close closes the connection and gives its place back.
func (c *placed) Close() error {
	defer c.leave()
	return c.TCPConn.Close()
}

// placedOther is the same for a connection through an upstream proxy.
type placedOther struct {
	net.Conn
	leave func()
}

// Close closes the connection and gives its place back.
func (c *placedOther) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// CloseWrite ends our direction and leaves the other open.
func (c *placedOther) CloseWrite() error { return closeWrite(c.Conn) }
