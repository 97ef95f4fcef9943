package proxy

import (
	"errors"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// redirectedQuestions is the socket to which the firewall leads questions of DNS. Where
// they were going is not told: they are questions to telltale. It answers from the
// address at which they arrived, so that the firewall puts the one back that was asked.
type redirectedQuestions struct {
	*net.UDPConn
	ways map[netip.Addr]*Way // by our address
}

// maxLinks bounds the addresses of this machine that are remembered.
const maxLinks = 256

// readQuestions takes in datagrams of DNS that were redirected to a socket, until that is
// closed.
func (p *Proxy) readQuestions(dns net.PacketConn) error {
	udp, ok := dns.(*net.UDPConn)
	if !ok {
		return errors.New("proxy: questions of DNS need a socket of UDP")
	}
	if err := tellLocal(udp); err != nil {
		return err
	}
	q := &redirectedQuestions{udp, map[netip.Addr]*Way{}}
	buf, control := make([]byte, datagramSize), make([]byte, 256)
	for failed := 0; failed < maxErrors; {
		n, oobn, _, from, err := udp.ReadMsgUDPAddrPort(buf, control)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			failed++
			continue
		}
		failed = 0
		p.receiveRedirected(q, from, localOf(control[:oobn]), buf[:n])
	}
	return nil
}

// receiveRedirected passes a question on, from a client that may use the proxy.
func (p *Proxy) receiveRedirected(q *redirectedQuestions, from netip.AddrPort, own netip.Addr, payload []byte) {
	defer p.survive(func() { p.books.drop(modeTransparent, dropBug, amountOf(payload)) })
	client := netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if !own.IsValid() || !p.guard.allows(client.Addr()) {
		p.books.drop(modeTransparent, dropUnknown, amountOf(payload))
		return
	}
	w := q.ways[own]
	if w == nil {
		if len(q.ways) >= maxLinks {
			clear(q.ways)
		}
		w = &Way{Mode: modeTransparent, Own: []netip.Addr{own}}
		q.ways[own] = w
	}
	p.Receive(Datagram{
		Way: w, Client: client, Destination: netip.AddrPortFrom(own, dnsPort), Payload: payload,
		Answer: func(answer []byte) {
			q.WriteMsgUDPAddrPort(answer, fromLocal(own), from) //nolint:errcheck // as good as lost on the way
		},
	})
}

// tellLocal makes a socket tell at which of our addresses a datagram arrived. One of both
// families has both options, one of IPv4 the first.
func tellLocal(udp *net.UDPConn) error {
	raw, err := udp.SyscallConn()
	if err != nil {
		return err
	}
	var err4, err6 error
	err = raw.Control(func(fd uintptr) {
		err4 = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		err6 = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	})
	if err == nil && err4 != nil && err6 != nil {
		err = err4
	}
	return err
}

// localOf reads our address out of what came with a datagram (ip(7) and RFC 3542, 6.2).
func localOf(control []byte) netip.Addr {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return netip.Addr{}
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= 12:
			return netip.AddrFrom4([4]byte(m.Data[4:8]))
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= 16:
			return netip.AddrFrom16([16]byte(m.Data[:16])).Unmap()
		}
	}
	return netip.Addr{}
}

// fromLocal says from which of our addresses a datagram is to leave.
func fromLocal(own netip.Addr) []byte {
	if own.Is4() {
		return unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: own.As4()})
	}
	return unix.PktInfo6(&unix.Inet6Pktinfo{Addr: own.As16()})
}
