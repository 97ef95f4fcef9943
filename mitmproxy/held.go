package mitmproxy

import (
	"net"

	"telltale/flow"
)

// maxHeld bounds the flows that wait for others which may explain them, a CONNECT or
// the handshake of a WebSocket before version 12, in bytes of memory. Further ones are
// delivered at once, and may count twice. maxInner bounds what is known of the others.
const (
	maxHeld  = 64 << 20
	maxInner = 100_000
)

// saw remembers a TLS request, which explains the CONNECT that it came through.
func (d *reader) saw(asked string) {
	if len(d.inner) < maxInner {
		d.inner[canonicalHostPort(asked)] = true
	}
}

// connect makes a flow of a CONNECT request.
func (d *reader) connect() *flow.Flow {
	q := &d.draft.request
	f := d.flow(flow.Tunnel)
	f.Server = d.server()
	// Without a URL: the tunnel's own is made of what was asked for.
	f.Request = &flow.Request{Method: "CONNECT", Proto: proto(q.proto), Header: q.header}
	d.response(f)
	if f.Response != nil && f.Response.Status >= 200 && f.Response.Status < 300 {
		f.Response = nil // the tunnel was opened; that is no answer of the server
	}
	d.outcome(f)
	return f
}

// hold keeps back a flow that another one may explain.
func (d *reader) hold(f *flow.Flow) bool {
	cost := d.draft.request.cost() + d.draft.response.cost()
	if d.heldBytes+cost > maxHeld {
		return false
	}
	switch {
	case d.draft.isHandshake && d.draft.id != "":
		d.handshakes[d.draft.id] = len(d.held)
	case f.Kind == flow.Tunnel && f.Request != nil:
		if names := f.Names(); names.Host != "" && names.Host != names.Asked {
			return false // a finding of its own, whatever went through it
		}
	default:
		return false
	}
	d.held = append(d.held, f)
	d.heldBytes += cost
	return true
}

// cost is about how much memory a message takes.
func (m *message) cost() int {
	return 1<<10 + m.headerBytes + len(m.path) + len(m.content)
}

// release delivers the flows that nothing explained: CONNECTs through which nothing
// is seen to have gone, and handshakes without messages.
func (d *reader) release() error {
	for _, f := range d.held {
		switch {
		case f == nil: // a handshake whose messages came
			continue
		case f.Kind == flow.Tunnel && d.inner[canonicalHostPort(f.Server.Asked)]:
			d.note(noteTunnels)
			continue
		}
		if err := d.deliver(f); err != nil {
			return err
		}
	}
	return nil
}

// oldSocket makes a flow of a WebSocket before version 12: it has the messages, and the
// handshake came before it.
func (d *reader) oldSocket() *flow.Flow {
	e := &d.draft
	f := d.handshake()
	if f == nil {
		d.note(noteHandshake)
		e.request.seen = true // as good as: there was one
		f = d.flow(flow.WebSocket)
		f.Server = d.server()
		f.Request = &flow.Request{Method: "GET", URL: d.url(f)}
	}
	f.Frames, f.Sent, f.Received = e.messages.frames, e.messages.sent, e.messages.received
	if end := moment(firstKnown(e.messages.last, e.server.end, e.client.end)); end.After(f.Times.End) {
		f.Times.End = end
	}
	switch {
	case e.failure != "":
		d.outcome(f)
	case e.closed:
		f.Outcome, f.Error = flow.Completed, ""
	default:
		f.Outcome = flow.Open
	}
	return f
}

// handshake takes the flow that waits for the draft's messages, nil when none does.
func (d *reader) handshake() *flow.Flow {
	at, waits := d.handshakes[d.draft.handshake]
	if !waits {
		return nil
	}
	f := d.held[at]
	d.held[at] = nil
	delete(d.handshakes, d.draft.handshake)
	return f
}

func canonicalHostPort(s string) string {
	host, port := flow.SplitHostPort(s)
	return net.JoinHostPort(flow.CanonicalHost(host), port)
}
