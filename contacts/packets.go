package contacts

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"telltale/flow"
)

// packets reads a packet capture of either form.
func (in *input) packets(r io.Reader) error {
	w := newWindow(r)
	source, err := openFrames(w)
	if err != nil {
		return err
	}
	p := &capture{in: in, conversations: newConversations(in)}
	err = p.read(source)
	in.info.Producer = source.producer()
	if errors.Is(err, errStopped) {
		return err
	}
	if rest := p.conversations.flush(); rest != nil {
		return rest
	}
	return p.judge(err)
}

// openFrames tells the two forms apart.
func openFrames(w *window) (frames, error) {
	head, err := w.r.Peek(4)
	if err != nil {
		return nil, cut("its header", err)
	}
	if _, _, ok := classicMagic(head); ok {
		return newClassic(w)
	}
	return &blocks{w: w}, nil
}

// capture is a packet capture while it is read.
type capture struct {
	in            *input
	conversations *conversations
	segment       segment
	links         map[uint32]int // packets of link types that are not known
	understood    bool           // a packet had a known one
	short         int            // packets that were captured in part
}

// read reads all packets.
func (c *capture) read(source frames) error {
	var f frame
	for {
		if err := source.next(&f); err != nil {
			var damage *Error
			if errors.As(err, &damage) {
				damage.Packet = c.in.info.Entries + 1
			}
			if err == io.EOF {
				return nil
			}
			return err
		}
		c.in.info.Entries++
		if err := c.packet(&f); err != nil {
			return err
		}
	}
}

// packet takes one packet.
func (c *capture) packet(f *frame) error {
	f.untap()
	ip, why, ok := toIP(f.link, f.data)
	if !ok {
		if c.links == nil {
			c.links = map[uint32]int{}
		}
		if len(c.links) < maxKinds {
			c.links[f.link]++
		}
		c.in.skip("packet of an unknown link type")
		return nil
	}
	c.understood = true
	if why == "" {
		why = c.segment.parse(ip)
	}
	if why != "" {
		c.in.skip(why)
		return nil
	}
	if len(c.segment.payload) < c.segment.length {
		c.short++
	}
	return c.conversations.add(&c.segment, f)
}

// judge says at the end what could not be read.
func (c *capture) judge(err error) error {
	if c.in.claimed > 0 {
		c.in.note(claimedNames(c.in.claimed))
	}
	if c.short > 0 {
		c.in.note("Packets were cut short when they were captured, so that names may be missing: capture them whole (tcpdump -s 0).")
	}
	if len(c.links) == 0 {
		return err
	}
	var all []string
	for link := range 1 << 16 { // in order
		if n := c.links[uint32(link)]; n > 0 {
			all = append(all, fmt.Sprintf("%d", link))
		}
	}
	types := strings.Join(all, ", ")
	if c.understood || err != nil {
		c.in.note("Packets of these link types were not read: " + types + ".")
		return err
	}
	return &Error{Message: "expected packets of " + knownLinks + ", found link type " + types, hint: linkHint}
}

// flowOf makes a flow of a conversation.
func (in *input) flowOf(c *conversation) *flow.Flow {
	f := in.flow(0)
	f.Origin.Entry = c.first
	f.Client = flow.Client{Addr: c.client, App: c.app, Hello: c.hello}
	f.Server.Destination = c.server
	f.Sent, f.Received = c.sent, c.received
	f.DatagramsSent, f.DatagramsReceived = c.packetsSent, c.packetsReceived
	f.Times = times(instant(c.start), instant(c.last))
	if c.packetsReceived > 0 && !c.refused {
		f.Server.Dialed = c.server
	}
	if c.question != nil {
		c.asDNS(f)
		return f
	}
	f.Server.Asked = hostPort(c.server.Addr().String(), c.server.Port())
	f.Server.Host = c.host
	if c.hello != nil {
		f.Server.SNI = c.hello.ServerName
	}
	f.Server.Resolved = c.resolved()
	if f.Server.SNI != "" && f.Server.Resolved == "" {
		in.claimed++
	}
	f.Speech = c.speech
	if f.Speech == "" && c.key.protocol == protocolUDP {
		f.Speech = "UDP"
	}
	switch {
	case c.refused && c.packetsReceived == 1:
		f.Notes = append(f.Notes, "The server refused the connection.")
	case c.packetsReceived == 0 && c.packetsSent > 0:
		f.Notes = append(f.Notes, "The server did not answer.")
	}
	return f
}
