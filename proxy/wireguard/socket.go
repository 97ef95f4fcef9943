package wireguard

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
)

// parseListen reads IP:port, where IP may be missing.
func parseListen(addr string) (netip.AddrPort, error) {
	hostPart, port, err := net.SplitHostPort(addr)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if hostPart == "" {
		hostPart = netip.IPv6Unspecified().String()
	}
	at, err := netip.ParseAddrPort(net.JoinHostPort(hostPart, port))
	if err != nil {
		return netip.AddrPort{}, errors.New("that is not IP:port or :port")
	}
	return at, nil
}

// socket is the tunnel's UDP port. It counts what comes there and is no message of
// WireGuard, which wireguard-go throws away silently.
type socket struct {
	conn.Bind
	notes   *notes
	backlog *backlog
	bound   atomic.Uint32 // port
	foreign atomic.Int64  // datagrams
}

// newSocket returns the port of every address of this machine, or that of one.
func newSocket(at netip.Addr, n *notes) *socket {
	if at.IsUnspecified() {
		return &socket{Bind: conn.NewStdNetBind(), notes: n, backlog: newBacklog()}
	}
	return &socket{Bind: &oneAddress{Bind: conn.NewStdNetBind(), at: at}, notes: n, backlog: newBacklog()}
}

func (s *socket) port() uint16 { return uint16(s.bound.Load()) }

// Open implements [conn.Bind].
func (s *socket) Open(port uint16) ([]conn.ReceiveFunc, uint16, error) {
	receivers, port, err := s.Bind.Open(port)
	if err != nil {
		return nil, 0, err
	}
	s.bound.Store(uint32(port))
	for i, receive := range receivers {
		receivers[i] = func(packets [][]byte, sizes []int, from []conn.Endpoint) (int, error) {
			n, err := receive(packets, sizes, from)
			carriers := 0
			for j, size := range sizes[:max(n, 0)] {
				switch {
				case size == 0: // none came in its place
				case !isMessage(packets[j][:size]):
					s.foreign.Add(1)
					s.notes.say(noteForeign)
				case packets[j][0] == device.MessageTransportType && size > device.MessageKeepaliveSize:
					carriers++
				}
			}
			s.backlog.receive(carriers)
			return n, err
		}
	}
	return receivers, port, nil
}

// isMessage reports whether a datagram has the type and length of a message of
// WireGuard (whitepaper, section 5.4).
func isMessage(b []byte) bool {
	if len(b) < device.MinMessageSize {
		return false
	}
	switch binary.LittleEndian.Uint32(b) {
	case device.MessageInitiationType:
		return len(b) == device.MessageInitiationSize
	case device.MessageResponseType:
		return len(b) == device.MessageResponseSize
	case device.MessageCookieReplyType:
		return len(b) == device.MessageCookieReplySize
	case device.MessageTransportType:
		return true
	}
	return false
}

// oneAddress is the port of one address of this machine. It leaves the endpoints to
// the Bind it wraps, which is never opened, and is slower than that: it moves one
// datagram in each call of the kernel.
type oneAddress struct {
	conn.Bind
	at netip.Addr

	mu  sync.Mutex
	udp *net.UDPConn
}

// BatchSize implements [conn.Bind].
func (o *oneAddress) BatchSize() int { return 1 }

// SetMark implements [conn.Bind]; nothing sets one.
func (o *oneAddress) SetMark(uint32) error { return nil }

// Open implements [conn.Bind].
func (o *oneAddress) Open(port uint16) ([]conn.ReceiveFunc, uint16, error) {
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(o.at, port)))
	if err != nil {
		return nil, 0, err
	}
	const buffer = 4 << 20     // as much as the system allows
	udp.SetReadBuffer(buffer)  //nolint:errcheck // a smaller one works too
	udp.SetWriteBuffer(buffer) //nolint:errcheck // a smaller one works too
	o.mu.Lock()
	o.udp = udp
	o.mu.Unlock()
	receive := func(packets [][]byte, sizes []int, from []conn.Endpoint) (int, error) {
		n, addr, err := udp.ReadFromUDPAddrPort(packets[0])
		if err != nil {
			return 0, err
		}
		sizes[0] = n
		from[0] = &conn.StdNetEndpoint{AddrPort: netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())}
		return 1, nil
	}
	return []conn.ReceiveFunc{receive}, uint16(udp.LocalAddr().(*net.UDPAddr).Port), nil
}

// Close implements [conn.Bind].
func (o *oneAddress) Close() error {
	o.mu.Lock()
	udp := o.udp
	o.udp = nil
	o.mu.Unlock()
	if udp == nil {
		return nil
	}
	return udp.Close()
}

// Send implements [conn.Bind].
func (o *oneAddress) Send(packets [][]byte, to conn.Endpoint) error {
	o.mu.Lock()
	udp := o.udp
	o.mu.Unlock()
	endpoint, ok := to.(*conn.StdNetEndpoint)
	switch {
	case udp == nil:
		return net.ErrClosed
	case !ok:
		return conn.ErrWrongEndpointType
	}
	for _, b := range packets {
		if _, err := udp.WriteToUDPAddrPort(b, endpoint.AddrPort); err != nil {
			return err
		}
	}
	return nil
}
