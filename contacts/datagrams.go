package contacts

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"telltale/flow"
	"telltale/wire/clienthello"
	"telltale/wire/dns"
	"telltale/wire/quic"
)

// Of a conversation of datagrams this many of the client's are looked at, and this many
// conversations may wait for the rest of a hello at a time.
const (
	maxDatagrams = 12
	maxWaiting   = 1024
)

// datagram takes what is in a packet of another protocol than TCP.
func (s *conversations) datagram(c *conversation, p *segment) {
	if p.protocol != protocolUDP {
		c.speech = protocolName(p.protocol)
		return
	}
	if p.from != c.client || c.hello != nil || c.datagrams >= maxDatagrams || len(p.payload) == 0 {
		return
	}
	c.datagrams++
	if c.quic == nil {
		header, ok := quic.Recognise(p.payload)
		if !ok {
			if c.datagrams == 1 {
				c.speech = speechOf(p)
			}
			return
		}
		c.speech = header.Version.String()
		if c.server.Port() == 853 {
			c.speech = "DNS over QUIC" // RFC 9250, 4.1.1
		}
		if s.waiting >= maxWaiting {
			return
		}
		c.quic = &quic.Opening{}
		s.waiting++
	}
	state := c.quic.Add(p.payload)
	c.hello = c.quic.Hello
	if state != clienthello.Partial || c.datagrams >= maxDatagrams {
		s.settle(c)
	}
}

// protocolName names a protocol over IP for people.
func protocolName(protocol byte) string {
	switch protocol {
	case protocolICMP, protocolICMPv6:
		return "ICMP"
	}
	return fmt.Sprintf("IP protocol %d", protocol)
}

// speechOf names a protocol over UDP by its first datagram.
func speechOf(p *segment) string {
	b := p.payload
	switch {
	case len(b) >= 20 && b[0] < 4 && binary.BigEndian.Uint32(b[4:]) == 0x2112a442: // RFC 8489, 5
		return "STUN"
	case p.to.Port() == 123 && len(b) >= 48 && b[0]&7 >= 1: // RFC 5905, 7.3
		return "NTP"
	case p.to.Port() == 853:
		return "DNS over QUIC"
	}
	return ""
}

// message takes a message of DNS. Each question is a flow of its own. A resolver outside
// of the network is a contact besides, one for all questions to it.
func (s *conversations) message(p *segment, f *frame, m *dns.Message) error {
	client, server := p.from, p.to
	if m.Response {
		client, server = server, client
	}
	if !isPrivate(server.Addr()) {
		k := keyOf(p)
		k.low, k.high = netip.AddrPortFrom(client.Addr(), 0), server
		c, err := s.find(k, p, f)
		if err != nil {
			return err
		}
		c.client, c.server, c.sure, c.speech = k.low, server, true, flow.SpeechDNS
		c.count(&segment{from: sender(m, c), protocol: protocolUDP, length: p.length}, f)
	}
	k := keyOf(p)
	k.question, k.name = m.ID, m.Question.Name+" "+m.Question.Type
	c, err := s.find(k, p, f)
	if err != nil {
		return err
	}
	if c.question == nil {
		c.client, c.server, c.sure = client, server, true
		c.question = &m.Question
	}
	c.count(p, f)
	if m.Response {
		c.question = &m.Question
		delete(s.table, k) // the next one with this ID is another
		s.names.give(client.Addr(), m.Question.Name, m.Addresses())
	}
	return nil
}

// sender returns the end of a conversation from which a message came.
func sender(m *dns.Message, c *conversation) netip.AddrPort {
	if m.Response {
		return c.server
	}
	return c.client
}

// asDNS fills in a flow that is a question.
func (c *conversation) asDNS(f *flow.Flow) {
	f.Kind = flow.DNS
	f.DNS = c.question
	f.Server.Asked = net.JoinHostPort(c.question.Name, "53")
	if c.question.Code != "" {
		f.Outcome = flow.Completed
	}
}

// givenNames remembers for which names DNS gave addresses to a device: in two halves, of
// which the older one is forgotten when the newer one is full.
type givenNames struct {
	newer, older map[given][]string
}

// given is an address that a device was given.
type given struct{ client, address netip.Addr }

// maxGiven is how many addresses a half remembers, maxNames how many names of each.
const (
	maxGiven = 64 << 10
	maxNames = 8
)

// Stand-ins for the device where its address is of no use: a resolver on the machine
// itself asks for all its addresses, and a device asks over IPv4 for what it contacts over
// IPv6.
var (
	thisMachine = netip.Addr{}
	overIPv4    = netip.IPv4Unspecified()
	overIPv6    = netip.IPv6Unspecified()
)

// give remembers an answer.
func (g *givenNames) give(client netip.Addr, name string, addresses []netip.Addr) {
	for _, a := range addresses {
		switch {
		case client.IsLoopback():
			g.remember(given{thisMachine, a.Unmap()}, name)
			continue
		case client.Is4():
			g.remember(given{overIPv4, a.Unmap()}, name)
		default:
			g.remember(given{overIPv6, a.Unmap()}, name)
		}
		g.remember(given{client, a.Unmap()}, name)
	}
}

func (g *givenNames) remember(k given, name string) {
	known := g.at(k)
	if len(known) > 0 && known[len(known)-1] == name {
		return
	}
	// Conversations hold what was known when they began: it is never changed.
	names := slices.DeleteFunc(slices.Clone(known), func(n string) bool { return n == name })
	names = append(names[max(0, len(names)-maxNames+1):], name)
	if len(g.newer) >= maxGiven {
		g.older, g.newer = g.newer, nil
	}
	if g.newer == nil {
		g.newer = map[given][]string{}
	}
	g.newer[k] = names
}

func (g *givenNames) at(k given) []string {
	if names, ok := g.newer[k]; ok {
		return names
	}
	return g.older[k]
}

// of returns the names for which a device was given an address, newest last.
func (g *givenNames) of(client, address netip.Addr) []string {
	other := overIPv4
	if client.Is4() {
		other = overIPv6
	}
	for _, c := range [...]netip.Addr{client, other, thisMachine} {
		if names := g.at(given{c, address}); len(names) > 0 {
			return names
		}
	}
	return nil
}

// resolved returns the name for which the device was given the server's address: of
// several the one that the client claims, else the newest.
func (c *conversation) resolved() string {
	if len(c.names) == 0 {
		return ""
	}
	claims := []string{flow.CanonicalHost(c.host)}
	if c.hello != nil {
		claims[0] = flow.CanonicalHost(c.hello.ServerName)
	}
	for _, name := range c.names {
		if slices.Contains(claims, flow.CanonicalHost(name)) {
			return name
		}
	}
	return c.names[len(c.names)-1]
}
