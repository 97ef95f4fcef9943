package contacts

import (
	"net/netip"
	"slices"
	"time"

	"telltale/flow"
	"telltale/wire/dns"
	"telltale/wire/quic"
)

// maxConversations is how many are under way at once. The one that was quiet for longest
// makes room for a new one.
const maxConversations = 32 << 10

// key names what belongs together: both ends, the lower first.
type key struct {
	protocol byte
	low      netip.AddrPort
	high     netip.AddrPort
	question uint16 // ID of a question of DNS, which are told apart by it; 0 for the rest
	name     string // that it asks for
}

// conversation is a connection of TCP, datagrams between two ends, or a question.
type conversation struct {
	key             key
	first           int // number of its first packet
	serial          int // in which order it began
	client, server  netip.AddrPort
	sure            bool // which is which
	start, last     int64
	sent, received  int64
	packetsSent     int64
	packetsReceived int64
	app             flow.App

	names    []string // for which DNS had given the server's address, newest last
	hello    *flow.ClientHello
	host     string // that a header of HTTP claims
	speech   string
	question *flow.Question

	opening   *opening      // of TCP, until enough is known
	quic      *quic.Opening // likewise
	datagrams int           // of the client, that were looked at
	closing   [2]bool       // whether client and server have ended theirs
	refused   bool          // the first that a server of TCP said was RST

	newer, older *conversation // by when they were last heard of
}

// conversations is all that is under way.
type conversations struct {
	in      *input
	table   map[key]*conversation
	newest  *conversation
	oldest  *conversation
	count   int // under way
	begun   int
	names   givenNames
	held    int // bytes that openings hold
	waiting int // openings of QUIC
}

func newConversations(in *input) *conversations {
	return &conversations{in: in, table: map[key]*conversation{}}
}

// instant makes a time of nanoseconds; 0 is none.
func instant(n int64) time.Time {
	if n <= 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// add takes a packet.
func (s *conversations) add(p *segment, f *frame) error {
	if p.protocol == protocolUDP && (p.from.Port() == 53 || p.to.Port() == 53) {
		if m, err := dns.Parse(p.payload); err == nil && m.Questions > 0 {
			return s.message(p, f, m)
		}
	}
	if p.protocol != protocolTCP {
		c, err := s.find(keyOf(p), p, f)
		if err != nil {
			return err
		}
		c.count(p, f)
		s.datagram(c, p)
		return nil
	}
	return s.tcp(p, f)
}

func keyOf(p *segment) key {
	k := key{protocol: p.protocol, low: p.from, high: p.to}
	if k.low.Compare(k.high) > 0 {
		k.low, k.high = k.high, k.low
	}
	return k
}

// find returns a conversation, a new one where there is none.
func (s *conversations) find(k key, p *segment, f *frame) (*conversation, error) {
	if c := s.table[k]; c != nil {
		s.touch(c)
		return c, nil
	}
	return s.begin(k, p, f)
}

// begin makes a conversation.
func (s *conversations) begin(k key, p *segment, f *frame) (*conversation, error) {
	if s.count >= maxConversations {
		if err := s.end(s.oldest); err != nil {
			return nil, err
		}
	}
	s.begun++
	c := &conversation{key: k, serial: s.begun, first: s.in.info.Entries, start: f.time, last: f.time, client: p.from, server: p.to}
	if isAnswer(p) {
		c.client, c.server = p.to, p.from
	}
	c.names = s.names.of(c.client.Addr(), c.server.Addr())
	s.table[k] = c
	s.count++
	s.push(c)
	return c, nil
}

// isAnswer guesses from a packet in the midst of a conversation whether the server sent
// it: servers have the low ports, devices the private addresses.
func isAnswer(p *segment) bool {
	if p.protocol != protocolTCP && p.protocol != protocolUDP {
		return p.reply
	}
	if from, to := p.from.Port() < 1024, p.to.Port() < 1024; from != to {
		return from
	}
	return !isPrivate(p.from.Addr()) && isPrivate(p.to.Addr())
}

// isPrivate reports whether an address belongs to a local network (RFC 1918, RFC 4193,
// RFC 6598 and the addresses of a link).
func isPrivate(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || shared.Contains(a)
}

var shared = netip.MustParsePrefix("100.64.0.0/10")

// count adds a packet to the sums.
func (c *conversation) count(p *segment, f *frame) (fromClient bool) {
	if c.app == (flow.App{}) {
		c.app = f.app
	}
	if f.time > c.last {
		c.last = f.time
	}
	if fromClient = p.from == c.client; p.protocol != protocolTCP && p.protocol != protocolUDP {
		fromClient = p.from == c.client && !p.reply
	}
	if fromClient {
		c.sent += int64(p.length)
		c.packetsSent++
		return true
	}
	if p.protocol == protocolTCP && c.packetsReceived == 0 {
		c.refused = p.flags&flagRST != 0
	}
	c.received += int64(p.length)
	c.packetsReceived++
	return false
}

// end hands a conversation over.
func (s *conversations) end(c *conversation) error {
	s.remove(c)
	s.count--
	if s.table[c.key] == c {
		delete(s.table, c.key)
	}
	s.settle(c)
	return s.in.deliver(s.in.flowOf(c))
}

// settle drops what a conversation holds of its first bytes.
func (s *conversations) settle(c *conversation) {
	if c.opening != nil {
		s.held -= c.opening.size()
		c.opening = nil
	}
	if c.quic != nil {
		c.quic = nil
		s.waiting--
	}
}

// flush hands over all that is left, in the order in which they began.
func (s *conversations) flush() error {
	all := make([]*conversation, 0, s.count)
	for c := s.oldest; c != nil; c = c.newer {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *conversation) int { return a.serial - b.serial })
	for _, c := range all {
		if err := s.end(c); err != nil {
			return err
		}
	}
	return nil
}

// touch makes a conversation the newest.
func (s *conversations) touch(c *conversation) {
	if s.newest != c {
		s.remove(c)
		s.push(c)
	}
}

func (s *conversations) push(c *conversation) {
	c.older, c.newer = s.newest, nil
	if s.newest != nil {
		s.newest.newer = c
	} else {
		s.oldest = c
	}
	s.newest = c
}

func (s *conversations) remove(c *conversation) {
	if c.older != nil {
		c.older.newer = c.newer
	} else {
		s.oldest = c.newer
	}
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		s.newest = c.older
	}
	c.older, c.newer = nil, nil
}
