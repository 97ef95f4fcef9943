//go:build !linux

package proxy

import (
	"net"
	"net/netip"
)

// redirects says that this system does not tell where a redirected connection was going.
const redirects = false

func originalDestination(net.Conn) (netip.AddrPort, error) {
	return netip.AddrPort{}, errNotRedirected
}

func (p *Proxy) readQuestions(net.PacketConn) error { return errNotRedirected }
