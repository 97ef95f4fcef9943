package proxy

import (
	"container/list"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"telltale/flow"
)

// Limits of what is remembered of UDP. A conversation is a row, so that a flood to many
// ports must not be one row a datagram.
const (
	maxTalks          = 16 << 10 // conversations at once
	maxTalksPerClient = 2 << 10  // of one device's address
)

// talks is the table of the conversations that are open. The zero value is ready;
// sweep ends what is idle, close ends all.
type talks struct {
	wg sync.WaitGroup // goroutines that may still observe flows or read sockets

	mu       sync.Mutex
	closed   bool
	by       map[talk]*list.Element
	clients  map[netip.Addr]*list.List // of *conversation, the one that spoke last at the end
	mappings map[source]*mapping
	sockets  map[netip.Addr]int // of mappings, by client
	relays   map[netip.Addr]int // of SOCKS5, by client
}

// find returns the conversation that a datagram belongs to, a new one where there is
// none. Without one, dropped says why.
func (ts *talks) find(p *Proxy, d *Datagram) (v *conversation, dropped string) {
	key := talk{d.Way, d.Client, d.Destination, d.Asked}
	if key.asked == "" {
		key.asked = d.Destination.String()
	}
	ts.mu.Lock()
	if e := ts.by[key]; e != nil {
		v = e.Value.(*conversation)
		ts.clients[key.client.Addr()].MoveToBack(e)
	}
	ts.mu.Unlock()
	if v != nil {
		return v, ""
	}
	return ts.add(p.converse(key, d), p.waits.makeRoom)
}

// add puts a conversation into the table, or returns the one that is there already.
func (ts *talks) add(v *conversation, idle time.Duration) (*conversation, string) {
	ts.mu.Lock()
	if e := ts.by[v.key]; e != nil {
		ts.mu.Unlock()
		return e.Value.(*conversation), ""
	}
	if ts.closed {
		ts.mu.Unlock()
		return nil, dropEnding
	}
	if ts.by == nil {
		ts.by, ts.clients = map[talk]*list.Element{}, map[netip.Addr]*list.List{}
	}
	oldest, ok := ts.room(v.key.client.Addr(), idle)
	if !ok {
		ts.mu.Unlock()
		return nil, dropTooMany
	}
	of := ts.clients[v.key.client.Addr()]
	if of == nil {
		of = list.New()
		ts.clients[v.key.client.Addr()] = of
	}
	ts.by[v.key] = of.PushBack(v)
	ts.mu.Unlock()
	if oldest != nil {
		oldest.end()
	}
	return v, ""
}

// room makes room for another conversation of a client: the one that has been idle for
// longest is taken out, for the caller to end. A flood finds that there is none, and is
// not let look for it each time. ts.mu is held.
func (ts *talks) room(client netip.Addr, idle time.Duration) (oldest *conversation, ok bool) {
	of := ts.clients[client]
	mine := of != nil && of.Len() >= maxTalksPerClient
	if !mine && len(ts.by) < maxTalks {
		return nil, true
	}
	now := time.Now()
	var since time.Time
	for c, l := range ts.clients {
		if mine && c != client {
			continue
		}
		v := l.Front().Value.(*conversation)
		if at := v.lastAt(); oldest == nil || at.Before(since) {
			oldest, since = v, at
		}
	}
	if now.Sub(since) < idle {
		return nil, false
	}
	ts.remove(oldest)
	return oldest, true
}

// remove takes a conversation out. ts.mu is held.
func (ts *talks) remove(v *conversation) {
	e := ts.by[v.key]
	if e == nil || e.Value != v {
		return
	}
	delete(ts.by, v.key)
	client := v.key.client.Addr()
	of := ts.clients[client]
	if of.Remove(e); of.Len() == 0 {
		delete(ts.clients, client)
	}
}

// finish ends the conversations that are chosen.
func (ts *talks) finish(chosen func(*conversation) bool) {
	ts.mu.Lock()
	var ending []*conversation
	for _, e := range ts.by {
		if v := e.Value.(*conversation); chosen(v) {
			ending = append(ending, v)
		}
	}
	for _, v := range ending {
		ts.remove(v)
	}
	ts.mu.Unlock()
	for _, v := range ending {
		v.end()
	}
}

// sweep ends what is idle, until stop is closed.
func (p *Proxy) sweep(stop <-chan struct{}) {
	tick := time.NewTicker(p.waits.sweep)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			p.talks.finish(func(v *conversation) bool { return v.idleAt(now) })
			p.strays.finish(func(s *stray) bool { return now.Sub(s.last) >= p.waits.talk })
		}
	}
}

// close ends all conversations and waits for what works on them.
func (ts *talks) close() {
	ts.mu.Lock()
	ts.closed = true
	ts.mu.Unlock()
	ts.finish(func(*conversation) bool { return true })
	ts.wg.Wait()
}

// hold keeps close waiting until release is called, unless the audit is ending.
func (ts *talks) hold() (release func(), ok bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.closed {
		return nil, false
	}
	ts.wg.Add(1)
	return ts.wg.Done, true
}

// spawn runs work that may observe flows, or belongs to a conversation, unless the
// audit is ending: Shutdown waits for it. It must end when the context p.base does.
func (p *Proxy) spawn(work func()) bool {
	ts := &p.talks
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.closed {
		return false
	}
	ts.wg.Go(func() {
		defer p.survive(func() {})
		work()
	})
	return true
}

// survive is deferred where packets of strangers are read: a bug met by one of them must
// not end the audit of the others. It logs the bug, and then settles what it left open.
func (p *Proxy) survive(settle func()) {
	if e := recover(); e != nil {
		p.logPanic(e)
		settle()
	}
}

func (v *conversation) lastAt() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last
}

func (v *conversation) idleAt(now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return now.Sub(v.last) >= v.idle
}

// converse makes a conversation. A destination that stands in for a name is that name.
func (p *Proxy) converse(key talk, d *Datagram) *conversation {
	now := time.Now()
	v := &conversation{p: p, key: key, last: now, idle: p.waits.talk}
	p.dialer.network.through(key.way, key.client.Addr())
	asked := key.asked
	if to := key.destination; to.IsValid() {
		v.names = p.names.of(key.client.Addr(), to.Addr())
		if name, ok := p.names.standIn(to.Addr()); ok {
			asked, v.names = net.JoinHostPort(name, strconv.Itoa(int(to.Port()))), []string{name}
		}
	}
	_, port := flow.SplitHostPort(asked)
	n, _ := strconv.ParseUint(port, 10, 16)
	v.port = uint16(n)
	v.draft = flow.Flow{
		Kind: flow.UDP, Mode: key.way.Mode, Client: flow.Client{Addr: key.client, Device: d.Device},
		Server: flow.Server{Asked: asked, Destination: key.destination}, Times: flow.NoTimes(now),
	}
	return v
}
