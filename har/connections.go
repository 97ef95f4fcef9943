package har

import (
	"bytes"
	"math"
	"net/netip"

	"telltale/flow"
)

// maxFrames bounds the WebSocket messages of one entry, in bytes of memory, and
// frameCost is what one takes without its data.
const (
	maxFrames = 64 << 20
	frameCost = 128
)

// frames reads _webSocketMessages as Chrome writes them: time in seconds since
// 1970 (Playwright: milliseconds), binary messages in base64. Ours have _size,
// _truncated and _compressed besides.
func (d *reader) frames() error {
	return d.arrayValue(func() error {
		d.draft.framed = true // an empty list says nothing: Cypress gives one to every entry
		return d.oneFrame()
	})
}

// oneFrame reads a message and keeps it.
func (d *reader) oneFrame() error {
	e := &d.draft
	frame, err := d.frame()
	if err != nil {
		return err
	}
	before := e.frameBytes
	e.frameBytes += frameCost + int64(len(frame.Data))
	switch {
	case e.frameBytes <= maxFrames:
		e.frames = append(e.frames, frame)
	case before <= maxFrames:
		d.note(noteManyFrames)
	}
	return nil
}

func (d *reader) frame() (flow.Frame, error) {
	f := flow.Frame{Opcode: 1}
	data := bodyDraft{sent: true} // as far as is known
	var when string
	size, opcode, cut := int64(-1), int64(1), false
	err := d.objectValue(func(name []byte) (err error) {
		switch string(name) {
		case "type":
			var direction string
			direction, err = d.textValue()
			f.FromClient = direction == "send" || direction == "request"
		case "time":
			when, err = d.textValue()
		case "opcode":
			opcode, err = d.wholeValue(1)
		case "data":
			err = d.bodyText(&data, false)
		case "_size":
			size, err = d.wholeValue(-1)
		case "_truncated":
			cut, err = d.boolValue()
		case "_compressed":
			f.Compressed, err = d.boolValue()
		default:
			err = d.s.skip()
		}
		return err
	})
	if opcode >= 0 && opcode < 16 {
		f.Opcode = int(opcode)
	}
	data.base64 = f.Opcode > 1
	f.Time, _ = parseDate(when)
	content, whole := data.decoded()
	if (d.opts.Bodies || d.opts.Sent && f.FromClient) && len(content) > 0 {
		f.Data = bytes.Clone(content[:min(int64(len(content)), d.limit(&data))])
	}
	f.Size = max(whole, size)
	f.Truncated = cut || int64(len(f.Data)) < f.Size
	return f, err
}

// tlsError reads an element of log._tlsErrors, where HTTP Toolkit keeps the
// clients that did not accept its certificate.
func (d *reader) tlsError() error {
	at := d.place()
	d.draft.reset()
	var host, cause, addr string
	var port int64
	err := d.objectValue(func(name []byte) (err error) {
		switch string(name) {
		case "startedDateTime":
			d.draft.started, err = d.textValue()
		case "time":
			d.draft.total, err = d.numberValue()
		case "hostname":
			host, err = d.textValue()
		case "cause":
			cause, err = d.textValue()
		case "clientIPAddress":
			addr, err = d.textValue()
		case "clientPort":
			port, err = d.wholeValue(0)
		default:
			err = d.s.skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	f := &flow.Flow{Kind: flow.Tunnel, Mode: "har", Outcome: flow.ClientRefused, Times: d.times()}
	switch cause {
	case "unknown", "no-shared-cipher", "handshake-timeout":
		f.Outcome = flow.HandshakeFailed
	}
	f.Error = "the client did not accept the connection"
	if cause != "" {
		f.Error += ": " + cause
	}
	f.Origin = flow.Origin{Capture: d.opts.Name, Line: at.Line}
	f.Server.SNI = host
	f.Client.Hello = &flow.ClientHello{ServerName: host}
	if host != "" {
		f.Server.Asked = target{host: host, port: "443"}.hostPort()
	}
	if ip, err := netip.ParseAddr(addr); err == nil {
		f.Client.Addr = netip.AddrPortFrom(ip.Unmap(), uint16(max(0, min(port, math.MaxUint16))))
	}
	return d.deliver(f)
}

// contact reads an element of log._contacts, where [Writer] keeps the flows that
// are no entries: connections without content.
func (d *reader) contact() error {
	at := d.place()
	if d.s.kind() != kindObject {
		return d.s.skip()
	}
	d.draft.reset()
	if err := d.readEntry(); err != nil {
		return err
	}
	own := d.ownRecord()
	if own == nil {
		at.Message = "expected an element of _contacts to have a _telltale object"
		d.damaged(at)
		return nil
	}
	f := d.ownFlow(own)
	f.Origin = flow.Origin{Capture: d.opts.Name, Line: at.Line}
	return d.deliver(f)
}
