package proxy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"telltale/flow"
)

// Opcodes of RFC 6455, 5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// maxControl is the length of a control frame's payload (RFC 6455, 5.5).
const maxControl = 125

// frameReader reads the frames of one direction of a WebSocket from the bytes that
// pass by, however they are cut. It gives each message and each control frame to
// emit. Behind bytes that are no frame it reads no more: the bytes are forwarded
// anyway, and err says what was wrong.
type frameReader struct {
	fromClient bool
	limit      int64 // bytes of a message that are kept
	emit       func(flow.Frame)
	inflater   *inflater // of compressed messages; nil when there are none

	head    [14]byte // of the frame being read
	headLen int
	payload int64 // bytes of the payload to come
	inFrame bool
	control bool
	final   bool
	mask    [4]byte
	masked  bool
	turn    int // byte of the mask that is next

	message *flow.Frame // data message under way, maybe of several frames
	signal  flow.Frame  // control frame under way; it may stand between frames of a message
	err     error
}

var errReserved = errors.New("a frame with a reserved bit or opcode (RFC 6455, 5.2)")

// feed reads on in p.
func (r *frameReader) feed(p []byte) {
	for len(p) > 0 && r.err == nil {
		if !r.inFrame {
			p = r.feedHead(p)
			continue
		}
		n := min(int64(len(p)), r.payload)
		r.content(p[:n])
		p = p[n:]
		if r.payload -= n; r.payload == 0 {
			r.endFrame()
		}
	}
}

// feedHead collects the header of a frame and returns what is behind it.
func (r *frameReader) feedHead(p []byte) []byte {
	for {
		need := r.headSize()
		if r.headLen >= need {
			break
		}
		n := copy(r.head[r.headLen:need], p)
		r.headLen += n
		if p = p[n:]; r.headLen < need {
			return p // which is empty
		}
	}
	r.beginFrame()
	return p
}

// headSize is the length of the header, as far as can be told (RFC 6455, 5.2).
func (r *frameReader) headSize() int {
	if r.headLen < 2 {
		return 2
	}
	size := 2
	switch r.head[1] & 0x7f {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	if r.head[1]&0x80 != 0 {
		size += 4
	}
	return size
}

func (r *frameReader) beginFrame() {
	b0, b1 := r.head[0], r.head[1]
	opcode := int(b0 & 0x0f)
	r.final, r.control, r.masked = b0&0x80 != 0, opcode >= opClose, b1&0x80 != 0
	at := 2
	switch n := b1 & 0x7f; n {
	case 126:
		r.payload, at = int64(binary.BigEndian.Uint16(r.head[2:])), 4
	case 127:
		r.payload, at = int64(binary.BigEndian.Uint64(r.head[2:])), 10
	default:
		r.payload = int64(n)
	}
	if r.masked {
		copy(r.mask[:], r.head[at:])
	}
	r.headLen, r.turn, r.inFrame = 0, 0, true
	if r.err = r.check(opcode, b0&0x70); r.err != nil {
		return
	}
	f := flow.Frame{FromClient: r.fromClient, Opcode: opcode, Compressed: b0&0x40 != 0}
	switch {
	case r.control:
		r.signal = f
	case opcode != opContinuation:
		r.message = &f
	}
	if r.payload == 0 {
		r.endFrame()
	}
}

// check finds what makes a header none of a WebSocket, so that bytes of another
// protocol are not taken for frames.
func (r *frameReader) check(opcode int, reserved byte) error {
	switch {
	case reserved&0x30 != 0, opcode > opPong, opcode > opBinary && opcode < opClose:
		return errReserved
	case r.payload < 0:
		return errors.New("a frame of more than 63 bits of length (RFC 6455, 5.2)")
	case r.control && (r.payload > maxControl || !r.final):
		return errors.New("a long or fragmented control frame (RFC 6455, 5.5)")
	case r.masked != r.fromClient:
		return errors.New("masked by the server, or not masked by the client (RFC 6455, 5.1)")
	case opcode == opContinuation && r.message == nil:
		return errors.New("a continuation of nothing (RFC 6455, 5.4)")
	case !r.control && opcode != opContinuation && r.message != nil:
		return errors.New("a message within a message (RFC 6455, 5.4)")
	}
	return nil
}

// content takes in payload, unmasking what is kept.
func (r *frameReader) content(p []byte) {
	f := r.message
	if r.control {
		f = &r.signal
	}
	f.Size += int64(len(p))
	limit := r.limit
	if r.inflates(f) {
		limit = max(limit, maxDeflated)
	}
	keep := max(min(int64(len(p)), limit-int64(len(f.Data))), 0)
	at := len(f.Data)
	f.Data = append(f.Data, p[:keep]...)
	if r.masked {
		for i := range f.Data[at:] {
			f.Data[at+i] ^= r.mask[(r.turn+i)&3]
		}
		r.turn = (r.turn + len(p)) & 3
	}
	f.Truncated = f.Size > int64(len(f.Data))
}

func (r *frameReader) endFrame() {
	r.inFrame = false
	switch {
	case r.control:
		r.deliver(r.signal)
		r.signal = flow.Frame{}
	case r.final:
		r.inflate(r.message)
		r.deliver(*r.message)
		r.message = nil
	}
}

// inflates reports whether the content of a message is wanted without its compression.
func (r *frameReader) inflates(f *flow.Frame) bool {
	return f.Compressed && r.inflater != nil && r.limit > 0
}

// inflate undoes the compression of a whole message. One that cannot be undone stays as
// it came.
func (r *frameReader) inflate(f *flow.Frame) {
	if !r.inflates(f) {
		return
	}
	if f.Truncated {
		r.inflater.lost = r.inflater.takeover
	} else if data, size, ok := r.inflater.message(f.Data, r.limit); ok {
		f.Data, f.Size, f.Compressed = data, size, false
	}
	r.cut(f)
}

// cut keeps of a message what the limit allows.
func (r *frameReader) cut(f *flow.Frame) {
	if int64(len(f.Data)) > r.limit {
		f.Data = bytes.Clone(f.Data[:r.limit])
	}
	f.Truncated = f.Size > int64(len(f.Data))
}

func (r *frameReader) deliver(f flow.Frame) {
	f.Time = time.Now()
	r.emit(f)
}

// close gives out what has come of a message that did not end.
func (r *frameReader) close() {
	for _, f := range []*flow.Frame{&r.signal, r.message} {
		if f != nil && f.Size > 0 {
			r.cut(f)
			f.Truncated = true
			r.deliver(*f)
		}
	}
	r.message, r.signal = nil, flow.Frame{}
	if r.err == nil && (r.inFrame || r.headLen > 0) {
		r.err = errors.New("the stream ended within a frame")
	}
}

// trouble says what could not be read, "" for nothing.
func (r *frameReader) trouble() string {
	if r.err == nil {
		return ""
	}
	who := "server"
	if r.fromClient {
		who = "client"
	}
	return fmt.Sprintf("not all frames of the %s could be read: %v", who, r.err)
}
