package mitmproxy

import (
	"strconv"

	"telltale/flow"
)

// maxHeld bounds the handshakes of WebSockets before version 12 that wait for their
// messages, in bytes of memory. Further ones are delivered at once, and may count twice.
const maxHeld = 64 << 20

// connect makes a flow of a CONNECT request.
func (d *reader) connect() *flow.Flow {
	q := &d.draft.request
	f := d.flow(flow.Tunnel)
	f.Server = d.server()
	// Without a URL: the tunnel's own is made of what was asked for.
	f.Request = &flow.Request{Method: "CONNECT", Proto: proto(q.proto), Header: q.header}
	d.response(f)
	status := f.Status()
	opened := status >= 200 && status < 300
	if opened {
		f.Response = nil // that is no answer of the server
	}
	d.outcome(f)
	switch {
	case f.Outcome != flow.Tunnelled || opened:
	case d.draft.response.seen:
		f.Outcome, f.Error = flow.UpstreamFailed, "mitmproxy did not open the tunnel: status "+strconv.Itoa(status)
	default:
		f.Outcome, f.Error = flow.Open, noResponse
	}
	return f
}

// hold keeps back a flow that another one may explain.
func (d *reader) hold(f *flow.Flow) bool {
	if f.Kind == flow.Tunnel && f.Request != nil {
		return d.tunnels.Hold(f)
	}
	if !d.draft.isHandshake || d.draft.id == "" {
		return false
	}
	cost := d.draft.request.cost() + d.draft.response.cost()
	if d.heldBytes+cost > maxHeld {
		return false
	}
	d.heldBytes += cost
	d.handshakes[d.draft.id] = len(d.held)
	d.held = append(d.held, f)
	return true
}

// cost is about how much memory a message takes.
func (m *message) cost() int {
	return 1<<10 + m.headerBytes + len(m.path) + len(m.content)
}

// release delivers the flows that nothing explained: CONNECTs through which nothing
// is seen to have gone, and handshakes without messages.
func (d *reader) release() error {
	rest, explained := d.tunnels.Rest()
	d.notes[noteTunnels] += explained
	for _, f := range append(rest, d.held...) {
		if f == nil { // a handshake whose messages came
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
