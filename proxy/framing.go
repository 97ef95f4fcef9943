package proxy

// framing follows the content of one message to its end (RFC 9112, 6 and 7).
type framing struct {
	state  frameState
	left   int64 // bytes to come, of content or of this chunk
	digits int   // of this chunk's size
	line   int   // bytes of this chunk's extensions, or of the trailer section
}

type frameState uint8

const (
	between      frameState = iota // no message is under way
	content                        // in content of known length
	chunkSize                      // in the digits of a chunk's size
	chunkExt                       // in what may follow them
	chunkSizeLF                    // at the LF that ends them
	chunkData                      // in a chunk
	chunkDataCR                    // at the CR behind it
	chunkDataLF                    // at the LF behind it
	trailerStart                   // at the beginning of a trailer line
	trailerName                    // in its name
	trailerValue                   // in its value
	trailerLF                      // at the LF that ends it
	lastLF                         // at the LF of the empty line
)

// Limits of framing. net/http takes 4096 bytes for a line before a chunk, and finds no
// fault before this package does; 15 digits fit 63 bits.
const (
	maxChunkLine = 4000
	maxDigits    = 15
)

// skip returns how many bytes of b belong to the message. The state is between
// when that is all of it.
func (f *framing) skip(b []byte) (int, *malformed) {
	i := 0
	for i < len(b) {
		switch f.state {
		case between:
			return i, nil
		case content, chunkData:
			n := min(f.left, int64(len(b)-i))
			i += int(n)
			if f.left -= n; f.left > 0 {
				return i, nil
			}
			if f.state == content {
				f.state = between
			} else {
				f.state = chunkDataCR
			}
		default:
			if !f.step(b[i]) {
				return i, errChunk
			}
			i++
		}
	}
	return i, nil
}

// step takes one byte of chunked framing, and reports whether it may stand there.
func (f *framing) step(c byte) bool {
	switch f.state {
	case chunkSize:
		return f.size(c)
	case chunkExt:
		if c == '\r' {
			f.state = chunkSizeLF
			return true
		}
		f.line++
		return class[c]&valueByte != 0 && f.line <= maxChunkLine
	case chunkSizeLF:
		f.state = chunkData
		if f.left == 0 {
			f.state, f.line = trailerStart, 0
		}
		return c == '\n'
	case chunkDataCR:
		f.state = chunkDataLF
		return c == '\r'
	case chunkDataLF:
		f.state, f.digits, f.line = chunkSize, 0, 0
		return c == '\n'
	case lastLF:
		f.state = between
		return c == '\n'
	}
	return f.trailer(c)
}

func (f *framing) size(c byte) bool {
	switch {
	case c == '\r' && f.digits > 0:
		f.state = chunkSizeLF
		return true
	case c == ';' && f.digits > 0:
		f.state = chunkExt
		return true
	}
	v := unhex(c)
	f.left = f.left<<4 | int64(v&0xf)
	f.digits++
	return v < 16 && f.digits <= maxDigits
}

// trailer checks the fields behind the last chunk as those of a head are.
func (f *framing) trailer(c byte) bool {
	f.line++
	switch f.state {
	case trailerStart:
		if c == '\r' {
			f.state = lastLF
			return true
		}
		f.state = trailerName
		return class[c]&tokenByte != 0
	case trailerName:
		if c == ':' {
			f.state = trailerValue
			return true
		}
		return class[c]&tokenByte != 0 && f.line <= maxHead
	case trailerValue:
		if c == '\r' {
			f.state = trailerLF
			return true
		}
		return class[c]&valueByte != 0 && f.line <= maxHead
	case trailerLF:
		f.state = trailerStart
		return c == '\n'
	}
	return false
}

// unhex returns the value of a hexadecimal digit, 0xff for any other byte.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}
