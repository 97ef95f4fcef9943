package proxy

import (
	"net"
	"net/netip"
)

// A Way is one open way in that sees packets, or addresses that clients resolved: the
// tunnel, SOCKS5, the transparent port.
type Way struct {
	Mode string // one of Modes
	// Own are the addresses under which devices reach telltale itself through it: its
	// resolver at port 53, the set-up page at the others.
	Own []netip.Addr
	// Outside returns the address from which the packets of a client come, where those of
	// clients are a tunnel's own and say nothing of it; zero where it is not known. It may
	// be called by any goroutine but the one that hands datagrams over, since it may wait
	// for that. Nil where clients are at their addresses.
	Outside func(client netip.Addr) netip.Addr
}

// An Arrival is a TCP connection that a device is opening, not accepted yet.
type Arrival struct {
	Way         *Way
	Client      netip.AddrPort
	Device      string         // name of the device; "" when it has none
	Destination netip.AddrPort // of the device's packets; zero where Asked is all that is known
	Asked       string         // host:port where the client named its server; "" is Destination
	// Accept answers the device, once, when its server was reached. Nil: it was
	// answered already, and Conn is the connection.
	Accept func() (net.Conn, error)
	Conn   net.Conn
	// Refuse tells the device that its server was not reached, and why. By [ErrUnanswered]
	// it tells it nothing.
	Refuse func(error)
}

// A Datagram is one datagram of UDP from a device.
type Datagram struct {
	Way         *Way
	Client      netip.AddrPort
	Device      string
	Destination netip.AddrPort
	Asked       string // host:port where the client named its server; "" is Destination
	Payload     []byte // not kept after the call
	// Answer sends a datagram to the client, as from Destination. It may be called at any
	// later time, by any goroutine.
	Answer func(payload []byte)
	// Refuse tells the client that nobody is there (ICMP). Nil where that cannot be said.
	Refuse func()
}

// A Stray is one packet from a device that is neither TCP nor UDP.
type Stray struct {
	Way         *Way
	Client      netip.Addr
	Device      string
	Destination netip.Addr
	Protocol    uint8  // of IP (IANA, Protocol Numbers)
	Speech      string // what it is, where that is known better than by Protocol; "" where not
	Bytes       int    // of its payload
	Answered    bool   // an echo request that was answered by the tunnel's end
}
