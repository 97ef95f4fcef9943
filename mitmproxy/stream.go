package mitmproxy

import (
	"bytes"
	"math"

	"telltale/flow"
)

// messages are what went through a WebSocket, or a stream of TCP or UDP.
type messages struct {
	frames         []flow.Frame
	frameBytes     int64 // memory that the frames take
	sent, received int64
	last           float64 // when the last of them passed
}

// maxFrames bounds the WebSocket messages of one flow, in bytes of memory, and
// frameCost is what one takes without its data.
const (
	maxFrames = 64 << 20
	frameCost = 128
)

// socketMember reads a member of "websocket", which there is from 12 on.
func (d *reader) socketMember(name string, end int64) (err error) {
	f := &d.draft
	switch name {
	case "messages":
		err = d.messages(end)
	case "closed_by_client":
		var v value
		v, err = d.s.value(end, maxNumber)
		f.closed = f.closed || v.kind == kindBool // null while it is open
	case "timestamp_end":
		f.endedAt, err = d.numberValue(end)
	default:
		err = d.s.skip(end)
	}
	return err
}

// messages reads [from_client, content, time] of streams and
// [opcode, from_client, content, time, …] of WebSockets.
func (d *reader) messages(end int64) error {
	m := &d.draft.messages
	*m = messages{last: math.NaN()}
	limit := int64(maxNumber)
	if d.opts.Bodies {
		limit = max(limit, d.opts.BodyLimit)
	}
	_, err := d.s.list(end, func(end int64) error {
		frame := flow.Frame{Opcode: -1}
		at, when := 0, math.NaN()
		_, err := d.s.list(end, func(end int64) error {
			v, err := d.s.value(end, limit)
			if at == 0 && v.kind == kindBool { // a stream has no opcode
				at = 1
			}
			switch at {
			case 0:
				frame.Opcode = opcode(v.number())
			case 1:
				frame.FromClient = v.isTrue()
			case 2:
				frame.Size = v.size
				if d.opts.Bodies && frame.Opcode >= 0 && v.size > 0 {
					frame.Data = bytes.Clone(v.data[:min(int64(len(v.data)), d.opts.BodyLimit)])
				}
			case 3:
				when = v.number()
			}
			at++
			return err
		})
		if err == nil {
			d.count(frame, when)
		}
		return err
	})
	return err
}

// opcode reads the type of a WebSocket message; text where it is none.
func opcode(n float64) int {
	if n >= 0 && n < 16 {
		return int(n)
	}
	return 1
}

// count adds a message to those of the flow.
func (d *reader) count(frame flow.Frame, when float64) {
	m := &d.draft.messages
	if frame.FromClient {
		m.sent += frame.Size
	} else {
		m.received += frame.Size
	}
	if !math.IsNaN(when) {
		m.last = when
	}
	if frame.Opcode < 0 {
		return
	}
	frame.Time, frame.Truncated = moment(when), int64(len(frame.Data)) < frame.Size
	before := m.frameBytes
	m.frameBytes += frameCost + int64(len(frame.Data))
	switch {
	case m.frameBytes <= maxFrames:
		m.frames = append(m.frames, frame)
	case before <= maxFrames:
		d.note(noteManyFrames)
	}
}
