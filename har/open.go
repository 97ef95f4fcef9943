package har

import (
	"bufio"
	"bytes"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// source is a file as UTF-8 without a byte order mark.
type source struct {
	io.Reader
	start int64  // bytes that were dropped from its start
	note  string // what was done to it; ""
}

// openSource looks at the first bytes of a file and undoes a byte order mark and
// UTF-16. What is packed has to be unpacked by the caller.
func openSource(r io.Reader) (source, error) {
	b := bufio.NewReaderSize(r, windowSize)
	head, err := b.Peek(4)
	if err != nil && err != io.EOF {
		return source{}, &Error{Message: "cannot read the file", Err: err}
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}): // RFC 1952, 2.3.1
		return source{}, &Error{Message: "expected JSON, found gzip data", hint: "unpack it with gunzip"}
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return source{}, &Error{Message: "expected JSON, found a ZIP archive", hint: "unpack the archive and check the .har file in it"}
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return source{}, &Error{Message: "expected JSON, found zstd data", hint: "unpack it with zstd -d"}
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, _ = b.Discard(3)
		return source{Reader: b, start: 3}, nil
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), len(head) >= 2 && head[0] != 0 && head[1] == 0:
		return source{Reader: &utf16Reader{r: b, high: 1}, note: "The file is UTF-16; HAR has to be UTF-8."}, nil
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}), len(head) >= 2 && head[0] == 0 && head[1] != 0:
		return source{Reader: &utf16Reader{r: b, high: 0}, note: "The file is UTF-16; HAR has to be UTF-8."}, nil
	}
	return source{Reader: b}, nil
}

// utf16Reader turns UTF-16 into UTF-8 and drops the byte order mark. Unpaired
// surrogates become U+FFFD.
type utf16Reader struct {
	r    *bufio.Reader
	high int    // index of the high byte in a unit: 0 big endian, 1 little endian
	out  []byte // decoded and not yet read
	room [4096]byte
	unit rune // read ahead; valid when held
	held bool
	body bool // past the first unit
	err  error
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	if len(u.out) == 0 {
		u.out = u.room[:0]
		for len(u.out) < len(u.room)-utf8.UTFMax && u.err == nil {
			u.decode()
		}
	}
	if len(u.out) == 0 {
		return 0, u.err
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}

// decode appends one character.
func (u *utf16Reader) decode() {
	r, ok := u.next()
	if !ok {
		return
	}
	first := !u.body
	u.body = true
	if first && r == 0xfeff {
		return
	}
	if utf16.IsSurrogate(r) {
		low, ok := u.next()
		pair := utf16.DecodeRune(r, low)
		if ok && pair == utf8.RuneError {
			u.unit, u.held = low, true
		}
		r = pair
	}
	u.out = utf8.AppendRune(u.out, r)
}

func (u *utf16Reader) next() (rune, bool) {
	if u.held {
		u.held = false
		return u.unit, true
	}
	var b [2]byte
	if _, u.err = io.ReadFull(u.r, b[:]); u.err != nil {
		return 0, false
	}
	return rune(b[u.high])<<8 | rune(b[1-u.high]), true
}
