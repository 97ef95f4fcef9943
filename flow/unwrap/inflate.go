package unwrap

import (
	"bytes"
	"compress/flate"
	"io"
)

// window is how far back deflate refers, in bytes (RFC 1951, 2).
const window = 32 << 10

// inflater undoes permessage-deflate (RFC 7692, 7.2.2) for messages of one direction that
// were recorded as they came. A message may refer to those before it.
type inflater struct {
	before []byte // the end of the messages so far
}

// message returns the content of a message, as far as it can be read.
func (z *inflater) message(data []byte, cut bool, limit int) []byte {
	// The sender took the first four bytes off; an empty last block ends it.
	tail := bytes.NewReader([]byte{0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff})
	r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(data), tail), z.before)
	out, err := io.ReadAll(io.LimitReader(r, int64(limit)))
	if err != nil || cut {
		return out
	}
	z.before = append(z.before, out...)
	z.before = bytes.Clone(z.before[max(len(z.before)-window, 0):])
	return out
}
