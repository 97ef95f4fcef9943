package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"

	"telltale/flow"
)

// source is what has one socket towards the world: an address and port of a client,
// through one way in. As all that it sends leaves from one port, whatever the
// destination, STUN tells it an address under which others reach it (RFC 4787, REQ-1).
type source struct {
	way    *Way
	client netip.AddrPort
	six    bool // the socket's family
	// nth tells the sockets of one port apart, where there are several: two conversations
	// that lead to one peer, by names or --resolve, could not be told apart by its answers.
	nth int
}

// mapping is the socket of a source. Only who was written to gets through to the client
// (RFC 4787, 5: address and port-dependent filtering).
type mapping struct {
	table  *talks
	source source
	conn   *net.UDPConn
	leave  func() // gives its place among the open files back

	mu    sync.Mutex
	peers map[netip.AddrPort]*conversation
}

// maxSocketsPerClient bounds the sockets of one client, and so does half of its places
// among the connections to servers: a flood from many ports leaves it the other half.
const maxSocketsPerClient = 1 << 10

// errNoSocket is met when a client has as many as it may have.
var errNoSocket = errors.New("this device sends from too many ports at once")

// socketLimit returns how many sockets a client may have; p is the places of the dialer.
func socketLimit(p *places) int {
	if p.perClient > 0 {
		return min(maxSocketsPerClient, max(p.perClient/2, 1))
	}
	return maxSocketsPerClient
}

// forward sends a datagram on to where the conversation goes, and opens the way there
// with the first one. What is refused is turned down.
func (v *conversation) forward(payload []byte) {
	v.mu.Lock()
	at := v.stage
	if at == unopened {
		v.stage = naming
	}
	if at == naming {
		v.detain(payload)
	}
	via, to := v.via, v.to
	v.mu.Unlock()
	switch at {
	case unopened:
		v.open(payload)
	case opened:
		v.send(via, to, payload)
	case shut:
		v.turnDown()
	}
}

// maxDetained bounds the datagrams that wait for a name to be resolved.
const maxDetained = 16

// detain keeps a datagram until there is a way. v.mu is held.
func (v *conversation) detain(payload []byte) {
	if len(v.detained) < maxDetained {
		v.detained = append(v.detained, append([]byte(nil), payload...))
	}
}

// open finds the way to the destination. Where that takes time, for a name to be resolved
// or a tunnel to be asked, it is done by a goroutine of its own: the tunnel's packets do
// not wait for it.
func (v *conversation) open(payload []byte) {
	v.mu.Lock()
	asked := v.draft.Server.Asked
	v.mu.Unlock()
	host, _ := flow.SplitHostPort(asked)
	to, err := netip.ParseAddr(host)
	if (err != nil || v.p.dialer.guardWaits(v.key.client.Addr(), to)) && !v.p.dialer.isNamed(asked) {
		v.mu.Lock()
		v.detain(payload)
		v.mu.Unlock()
		if !v.p.spawn(func() {
			defer v.p.survive(func() { v.decline(flow.Abandoned, "", dropBug) })
			v.connect()
		}) {
			v.decline(flow.Abandoned, "", "the audit ended before the way there was found")
		}
		return
	}
	v.connect()
	v.forward(payload)
}

// connect opens the way to the destination, or declines, and sends what was detained.
func (v *conversation) connect() {
	to, err := v.allowed()
	var via *mapping
	if err == nil {
		via, err = v.p.talks.mapping(v.p, v, to)
	}
	if err != nil {
		o, failure := failureOf(err)
		v.decline(o, failure, err.Error())
		for range v.freed() {
			v.turnDown()
		}
		return
	}
	v.mu.Lock()
	if v.ended {
		v.mu.Unlock()
		via.drop(to)
		return
	}
	v.via, v.to, v.stage = via, to, opened
	v.draft.Server.Dialed = to
	v.mu.Unlock()
	for _, b := range v.freed() {
		v.send(via, to, b)
	}
}

// freed returns the datagrams that were detained.
func (v *conversation) freed() [][]byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	detained := v.detained
	v.detained = nil
	return detained
}

// send writes a datagram to the world. What the system says of it ends the way. Where the
// socket is closed already, the next datagram opens another.
func (v *conversation) send(via *mapping, to netip.AddrPort, payload []byte) {
	_, err := via.conn.WriteToUDPAddrPort(payload, to)
	switch {
	case err == nil:
		return
	case errors.Is(err, net.ErrClosed):
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.stage == opened && v.via == via {
			v.stage, v.via = unopened, nil
		}
		return
	}
	o, failure := failureOf(err)
	v.decline(o, failure, (&dialError{to.String(), "send to", err}).Error())
	v.turnDown()
}

// errUpstreamUDP keeps datagrams from going past the upstream proxy.
var errUpstreamUDP = errors.New("UDP cannot go through the upstream proxy, and must not go past it")

// allowed returns the address to which datagrams of the conversation may go: that of a
// --resolve rule, or else the destination if the guard lets its client reach it. It
// resolves a name, if one is all that was given. The error says why nothing may go, and
// failureOf classes it.
func (v *conversation) allowed() (netip.AddrPort, error) {
	v.mu.Lock()
	asked := v.draft.Server.Asked
	if v.stage == shut {
		defer v.mu.Unlock()
		return netip.AddrPort{}, errors.New(v.draft.Error)
	}
	v.mu.Unlock()
	ctx, cancel := context.WithTimeout(v.p.base, v.p.dialer.timeout)
	defer cancel()
	return v.p.dialer.datagrams(ctx, v.key.client.Addr(), asked)
}

// isNamed reports whether a --resolve rule has an address for hostport.
func (d *dialer) isNamed(hostport string) bool {
	_, named, err := d.named(flow.SplitHostPort(hostport))
	return named || err != nil
}

// datagrams returns the address that datagrams of a client to hostport go to.
func (d *dialer) datagrams(ctx context.Context, client netip.Addr, hostport string) (netip.AddrPort, error) {
	host, port := flow.SplitHostPort(hostport)
	target, named, err := d.named(host, port)
	switch {
	case err == nil && d.cfg.UpstreamProxy != nil:
		err = errUpstreamUDP
	case err == nil && named:
		return netip.ParseAddrPort(target)
	}
	if err != nil {
		return netip.AddrPort{}, &dialError{hostport, "reach", err}
	}
	n, _ := strconv.ParseUint(port, 10, 16) // named has seen to it
	addr, err := netip.ParseAddr(host)
	addrs := []netip.Addr{addr}
	if err != nil {
		if addrs, err = d.lookup(ctx, resolvable(host)); err != nil {
			return netip.AddrPort{}, &dialError{host, "resolve", asDNSError(err, host)}
		}
	}
	err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	for _, a := range addrs {
		if err = d.guard(client, a); err == nil {
			return netip.AddrPortFrom(a.Unmap(), uint16(n)), nil
		}
	}
	return netip.AddrPort{}, &dialError{hostport, "reach", err}
}

// mapping returns the socket of a conversation's source, or another one where the first
// speaks with the peer for another conversation, and lets the peer's answers through to it.
func (ts *talks) mapping(p *Proxy, v *conversation, peer netip.AddrPort) (*mapping, error) {
	key := source{way: v.key.way, client: v.key.client, six: peer.Addr().Is6()}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for ; ; key.nth++ {
		m := ts.mappings[key]
		if m == nil {
			var err error
			if m, err = ts.bind(p, key); err != nil {
				return nil, err
			}
		}
		if m.admit(peer, v) {
			return m, nil
		}
	}
}

// admit lets the answers of a peer through to a conversation, unless they go to another.
func (m *mapping) admit(peer netip.AddrPort, v *conversation) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if other := m.peers[peer]; other != nil && other != v {
		return false
	}
	m.peers[peer] = v
	return true
}

// bind opens the socket of a source. ts.mu is held.
func (ts *talks) bind(p *Proxy, key source) (*mapping, error) {
	client := scoped(key.client.Addr())
	refuse := func(err error) error { return &dialError{key.client.String(), "open a socket for", err} }
	if ts.closed {
		return nil, refuse(net.ErrClosed)
	}
	if limit := socketLimit(&p.dialer.places); ts.sockets[client] >= limit {
		return nil, refuse(fmt.Errorf("%w (%d)", errNoSocket, limit))
	}
	if err := p.dialer.places.tryTake(client); err != nil {
		return nil, refuse(err)
	}
	network := "udp4"
	if key.six {
		network = "udp6"
	}
	conn, err := listenUnicast(network)
	if err != nil {
		p.dialer.places.leave(client)
		return nil, refuse(err)
	}
	m := &mapping{table: ts, source: key, conn: conn, peers: map[netip.AddrPort]*conversation{}}
	m.leave = func() { ts.unbind(p, client) }
	if ts.mappings == nil {
		ts.mappings, ts.sockets = map[source]*mapping{}, map[netip.Addr]int{}
	}
	ts.mappings[key] = m
	ts.sockets[client]++
	ts.wg.Go(m.read)
	return m, nil
}

// listenUnicast opens a socket that cannot send to everybody in a network: which addresses
// mean that, the kernel knows best.
func listenUnicast(network string) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if controlled := raw.Control(func(fd uintptr) { err = noBroadcast(fd) }); controlled != nil {
			return controlled
		}
		return err
	}}
	conn, err := config.ListenPacket(context.Background(), network, ":0")
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// unbind gives the place of a socket back. ts.mu is held.
func (ts *talks) unbind(p *Proxy, client netip.Addr) {
	p.dialer.places.leave(client)
	if ts.sockets[client]--; ts.sockets[client] == 0 {
		delete(ts.sockets, client)
	}
}

// drop lets no more answers of a peer through. The socket is closed with the last one.
func (m *mapping) drop(peer netip.AddrPort) {
	m.table.mu.Lock()
	defer m.table.mu.Unlock()
	m.mu.Lock()
	delete(m.peers, peer)
	last := len(m.peers) == 0
	m.mu.Unlock()
	if last && m.table.mappings[m.source] == m {
		delete(m.table.mappings, m.source)
		m.conn.Close()
		m.leave()
	}
}

// Sizes of the buffer that a socket is read with. Most datagrams fit a packet; the first
// one that does not is lost, as any may be, and makes room for those behind it.
const (
	packetSize   = 2 << 10
	datagramSize = 64 << 10
	maxErrors    = 100 // in a row, before a socket is given up
)

// read passes answers on to the client until the socket is closed.
func (m *mapping) read() {
	buf := make([]byte, packetSize)
	for failed := 0; failed < maxErrors; {
		n, from, err := m.conn.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case n == len(buf), err != nil && n > 0: // cut, in the words of Unix and of Windows
			buf = make([]byte, datagramSize)
			continue
		case err != nil: // on Windows: somebody before refused a datagram
			failed++
			continue
		}
		failed = 0
		m.mu.Lock()
		v := m.peers[netip.AddrPortFrom(from.Addr().Unmap(), from.Port())]
		m.mu.Unlock()
		if v != nil {
			v.hear(buf[:n])
		}
	}
}

// hear passes an answer on to the client.
func (v *conversation) hear(payload []byte) {
	defer v.p.survive(func() {})
	if v.port == dnsPort {
		payload = v.p.receiveAnswer(v, payload)
	}
	v.answer(payload)
}
