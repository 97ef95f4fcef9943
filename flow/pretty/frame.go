package pretty

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"strconv"

	"telltale/flow"
)

// Opcodes of frames (RFC 6455, 5.2).
const (
	opText   = 1
	opBinary = 2
	opClose  = 8
)

// Frame returns one WebSocket message or control frame.
func Frame(f flow.Frame, opts Options) Document {
	p := newPage(opts)
	if len(f.Data) == 0 {
		return p.nothing(f.Size)
	}
	cut := f.Truncated
	if cut {
		p.note("the recorded copy was cut at %s of %s", size(int64(len(f.Data))), size(f.Size))
	}
	data := f.Data
	if f.Compressed {
		out, ended := p.inflate(data, cut)
		if len(out) == 0 {
			p.dump(data, maxDump)
			return p.document(Binary)
		}
		data, cut = out, ended
	} else if limit := opts.limit(); int64(len(data)) > limit {
		p.note("shown up to %s of %s", size(limit), size(int64(len(data))))
		data, cut = data[:limit], true
	}
	if f.Opcode == opClose && len(data) >= 2 {
		p.closing(data)
		return p.document(Text)
	}
	t := mediaType{}
	if f.Opcode == opText {
		t.name = "text/plain"
	}
	return p.document(p.show(t, data, cut))
}

// closing shows the body of a close frame (RFC 6455, 5.5.1).
func (p *page) closing(data []byte) {
	p.line(0)
	p.add(Key, "code")
	p.add(Punctuation, " = ")
	p.add(Number, strconv.Itoa(int(binary.BigEndian.Uint16(data))))
	if len(data) > 2 {
		p.line(0)
		p.add(Key, "reason")
		p.add(Punctuation, " = ")
		p.add(String, p.mask(string(data[2:])))
	}
}

// inflate undoes permessage-deflate for one message on its own (RFC 7692, 7.2.2).
func (p *page) inflate(data []byte, cut bool) (out []byte, missing bool) {
	// The sender took the first four bytes off; an empty last block ends it.
	tail := bytes.NewReader([]byte{0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff})
	limit := p.opts.limit()
	r := flate.NewReader(io.MultiReader(bytes.NewReader(data), tail))
	out, err := io.ReadAll(io.LimitReader(r, limit+1))
	if len(out) > 0 {
		p.layer("permessage-deflate")
	}
	var corrupt flate.CorruptInputError
	switch {
	case int64(len(out)) > limit:
		p.note("shown up to %s of the decoded content", size(limit))
		return out[:limit], true
	case err == nil:
		return out, false
	case cut:
		p.note("the message is compressed with permessage-deflate")
	case errors.As(err, &corrupt):
		p.note("the message is compressed with permessage-deflate and does not decompress on its own: it refers to earlier messages, or is damaged")
	default:
		p.note("the message is compressed with permessage-deflate and ends early: %v", err)
	}
	return out, true
}
