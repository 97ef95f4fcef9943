package wireguard

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/stack/gro"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"telltale/coverage"
	"telltale/proxy"
)

// Bounds of connections that are being opened, so that neither one device nor all of
// them fill the memory with half of connections.
const (
	maxOpening         = 2048 // of one device
	maxOpeningTogether = 8192
	// openWait is how long the stack may take to hand over a connection whose first
	// packet it was given; it takes none that it finds wrong.
	openWait = 30 * time.Second
)

// nic is the stack's name for the link.
const nic tcpip.NICID = 1

// tcpEnd accepts the connections of all devices. The stack does the protocol; this
// counts connections as their first packets come, knows which of these are repeated,
// and bounds how many are being opened.
type tcpEnd struct {
	t          *Tunnel
	stack      *stack.Stack
	forwarder  *tcp.Forwarder
	collectors sync.Pool // of *gro.GRO

	mu      sync.Mutex
	conns   map[pair]*connection
	opening int
}

// pair is the two ends of a connection: the device's and the other.
type pair struct{ src, dst netip.AddrPort }

// connection is one that a device opened, from its first packet until nothing of it is
// left in the stack.
type connection struct {
	peer     *peer
	began    time.Time
	taken    bool           // the stack has handed it over
	opening  bool           // and it is neither open nor refused
	endpoint tcpip.Endpoint // when it is open
}

func newTCPEnd(t *Tunnel) (*tcpEnd, error) {
	e := &tcpEnd{t: t, conns: map[pair]*connection{}}
	e.collectors.New = func() any {
		g := &gro.GRO{Dispatcher: e}
		g.Init(true)
		return g
	}
	e.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	if err := e.configure(); err != nil {
		e.stack.Close()
		return nil, fmt.Errorf("wireguard: set up the TCP stack: %w", err)
	}
	// The limit is above ours, which is checked first and counted.
	e.forwarder = tcp.NewForwarder(e.stack, 0, 2*maxOpeningTogether, e.arrive)
	e.stack.SetTransportProtocolHandler(tcp.ProtocolNumber, e.forwarder.HandlePacket)
	return e, nil
}

// configure sets up the stack. Buffers hold what is sent and not acknowledged, or came
// and was not read; they begin small and grow with the speed of a connection that
// needs it, so that a thousand that wait take next to nothing.
func (e *tcpEnd) configure() error {
	sack, moderate, cubic := tcpip.TCPSACKEnabled(true), tcpip.TCPModerateReceiveBufferOption(true), tcpip.CongestionControlOption("cubic")
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4 << 10, Default: 256 << 10, Max: 2 << 20}
	send := tcpip.TCPSendBufferSizeRangeOption{Min: 4 << 10, Default: 256 << 10, Max: 2 << 20}
	// A device may use a port again soon; see admit.
	timeWait := tcpip.TCPTimeWaitTimeoutOption(15 * time.Second)
	// RACK of this stack takes coalesced packets for reordering and slows down.
	recovery := tcpip.TCPRecovery(0)
	for _, option := range []tcpip.SettableTransportProtocolOption{&sack, &moderate, &cubic, &receive, &send, &timeWait, &recovery} {
		if err := e.stack.SetTransportProtocolOption(tcp.ProtocolNumber, option); err != nil {
			return fmt.Errorf("option %T: %s", option, err)
		}
	}
	if err := e.stack.CreateNIC(nic, endpoint{e.t.link}); err != nil {
		return errors.New(err.String())
	}
	// Packets for any address are for this stack, and it answers from there.
	if err := e.stack.SetPromiscuousMode(nic, true); err != nil {
		return errors.New(err.String())
	}
	if err := e.stack.SetSpoofing(nic, true); err != nil {
		return errors.New(err.String())
	}
	e.stack.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}, {Destination: header.IPv6EmptySubnet, NIC: nic}})
	return nil
}

// take counts a packet if it begins a connection, and gives it to the stack.
func (e *tcpEnd) take(from *peer, p *packet, g *gro.GRO) {
	const syn, ack = 2, 16
	if p.payload[13]&(syn|ack) == syn && !e.admit(from, p) {
		return
	}
	raw := p.whole
	if !p.plain { // the stack need not know what we took off
		raw = wrap(p.src, p.dst, protoTCP, p.payload)
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(raw)})
	pkt.NetworkProtocolNumber = header.IPv6ProtocolNumber
	if p.src.Is4() {
		pkt.NetworkProtocolNumber = header.IPv4ProtocolNumber
	}
	pkt.RXChecksumValidated = true
	g.Enqueue(pkt)
	pkt.DecRef()
}

// admit decides about the first packet of a connection. One that was seen before goes
// to the stack, which knows what to do with it. A new one is counted.
func (e *tcpEnd) admit(from *peer, p *packet) bool {
	srcPort, dstPort := p.ports()
	key := pair{netip.AddrPortFrom(p.src, srcPort), netip.AddrPortFrom(p.dst, dstPort)}
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.conns[key]; c != nil {
		if !c.over() {
			return true
		}
		// The device uses the port again (RFC 9293, section 3.10.7.4, allows that
		// in TIME-WAIT); the stack would not let it while it remembers the last one.
		c.endpoint.Abort()
		delete(e.conns, key)
	}
	counts := e.t.counts
	counts.receive(coverage.TCP, 0)
	switch {
	case !canHaveServer(p.dst):
		counts.dropped[noServer].add(0)
		return false
	case from.opening >= maxOpening, e.opening >= maxOpeningTogether:
		counts.dropped[flooded].add(0)
		e.t.notes.say(noteFlood)
		return false
	}
	e.conns[key] = &connection{peer: from, began: time.Now(), opening: true}
	from.opening++
	e.opening++
	return true
}

// over reports whether nothing can come on the connection any more.
func (c *connection) over() bool {
	if c.endpoint == nil {
		return false
	}
	switch tcp.EndpointState(c.endpoint.State()) {
	case tcp.StateTimeWait, tcp.StateClose, tcp.StateError:
		return true
	}
	return false
}

// arrive is called by the stack, in a goroutine of its own, for each connection that a
// device opens.
func (e *tcpEnd) arrive(r *tcp.ForwarderRequest) {
	id := r.ID()
	key := pair{addrPort(id.RemoteAddress, id.RemotePort), addrPort(id.LocalAddress, id.LocalPort)}
	e.mu.Lock()
	c := e.conns[key]
	known := c != nil && !c.taken
	if known {
		c.taken = true
	}
	e.mu.Unlock()
	if !known { // it was given up, or refused while its first packet was repeated
		r.Complete(true)
		return
	}
	a := &arrival{end: e, key: key, c: c, request: r}
	e.t.proxy.Arrive(proxy.Arrival{Way: &e.t.way, Client: netip.AddrPortFrom(c.peer.IPv4, key.src.Port()),
		Device: c.peer.Name, Destination: key.dst, Accept: a.accept, Refuse: a.refuse})
	a.refuse(nil) // unless it was answered
}

func addrPort(a tcpip.Address, port uint16) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(a.AsSlice())
	return netip.AddrPortFrom(addr, port)
}

// arrival is a connection that waits for the proxy's word.
type arrival struct {
	end     *tcpEnd
	key     pair
	c       *connection
	once    sync.Once
	request *tcp.ForwarderRequest
}

// errAnswered is that of a second word.
var errAnswered = errors.New("wireguard: the connection was answered before")

// accept finishes the handshake with the device.
func (a *arrival) accept() (net.Conn, error) {
	err := errAnswered
	var conn net.Conn
	a.once.Do(func() {
		var queue waiter.Queue
		ep, failed := a.request.CreateEndpoint(&queue)
		if failed != nil {
			a.request.Complete(true)
			a.end.settle(a.key, a.c, nil)
			err = fmt.Errorf("wireguard: the device gave the connection up: %s", failed)
			return
		}
		keepAlive(ep)
		a.request.Complete(false)
		a.end.settle(a.key, a.c, ep)
		conn, err = &resettable{gonet.NewTCPConn(&queue, ep), ep}, nil
	})
	return conn, err
}

// keepAlive has the stack find out about devices that went away. It does not ask often:
// each time wakes a device's radio.
func keepAlive(ep tcpip.Endpoint) {
	idle, interval := tcpip.KeepaliveIdleOption(5*time.Minute), tcpip.KeepaliveIntervalOption(30*time.Second)
	ep.SetSockOpt(&idle)
	ep.SetSockOpt(&interval)
	ep.SocketOptions().SetKeepAlive(true)
}

// resettable is a connection that can end by a reset.
type resettable struct {
	*gonet.TCPConn
	endpoint tcpip.Endpoint
}

// SetLinger makes the end of the connection a reset where seconds is 0, as that of
// [net.TCPConn] does. Other times are not kept.
func (c *resettable) SetLinger(seconds int) error {
	c.endpoint.SocketOptions().SetLinger(tcpip.LingerOption{Enabled: seconds == 0})
	return nil
}

// refuse resets the connection, whatever the reason: a device takes that for an answer
// and goes on to its next address, where it would wait for a network to come back. It is
// left without an answer only where that is what is wanted.
func (a *arrival) refuse(why error) {
	a.once.Do(func() {
		a.request.Complete(!errors.Is(why, proxy.ErrUnanswered))
		a.end.settle(a.key, a.c, nil)
	})
}

// settle ends the opening of a connection: it is open, or gone.
func (e *tcpEnd) settle(key pair, c *connection, open tcpip.Endpoint) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.opening {
		c.opening = false
		c.peer.opening--
		e.opening--
	}
	if c.endpoint = open; open == nil && e.conns[key] == c {
		delete(e.conns, key)
	}
}

// waiting counts connections that were not handed to the proxy yet.
func (e *tcpEnd) waiting() (n int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.conns {
		if !c.taken {
			n++
		}
	}
	return n
}

// sweep forgets connections of which nothing is left.
func (e *tcpEnd) sweep(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, c := range e.conns {
		switch {
		case !c.taken && now.Sub(c.began) > openWait:
			e.t.counts.dropped[abandoned].add(0)
			c.opening = false
			c.peer.opening--
			e.opening--
			delete(e.conns, key)
		case c.over() && tcp.EndpointState(c.endpoint.State()) != tcp.StateTimeWait:
			delete(e.conns, key)
		}
	}
}

// cut ends the connections of a device that is one no more.
func (e *tcpEnd) cut(p *peer) {
	e.mu.Lock()
	var open []tcpip.Endpoint
	for _, c := range e.conns {
		if c.peer == p && c.endpoint != nil {
			open = append(open, c.endpoint)
		}
	}
	e.mu.Unlock()
	for _, ep := range open {
		ep.Abort()
	}
}

// close ends everything and waits until nothing of the stack runs any more.
func (e *tcpEnd) close() {
	e.stack.Close()
	e.stack.Wait()
}

// flush hands on what was collected. One call of Flush hands on no more than one packet
// of each bucket, of which a bucket holds eight.
func flush(g *gro.GRO) {
	const bucketSize = 8
	for range bucketSize {
		g.Flush()
	}
}

// DeliverNetworkPacket gives what was collected to the stack.
func (e *tcpEnd) DeliverNetworkPacket(protocol tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	e.t.link.deliver(protocol, pkt)
}

// DeliverLinkPacket implements [stack.NetworkDispatcher]; nobody listens to whole frames.
func (e *tcpEnd) DeliverLinkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) {}
