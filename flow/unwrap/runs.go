package unwrap

import (
	"bytes"
	"encoding/binary"
	"errors"

	"telltale/flow/content"
)

// minRun is the length from which a run of characters is tried as base64, base32 or hex.
const minRun = 16

// headDigits is how much of a run is decoded to see whether the rest is worth it.
const headDigits = 8

// maxTries bounds how many pieces of one run are tried by themselves.
const maxTries = 64

var (
	base64Digits = digits("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
	base32Digits = digits("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "abcdefghijklmnopqrstuvwxyz234567")
)

// runClass says what a byte may be in a run; of a run, what its bytes together are not.
type runClass uint8

const (
	inRun runClass = 1 << iota
	notHex
	notBase32
	isUpper
	isLower
	separates // words as well: "/", "-", "_"
)

var runClasses = func() (t [256]runClass) {
	for i := range t {
		c := byte(i)
		if base64Digits[c] < 0 {
			continue
		}
		t[c] = inRun
		if hexDigits[c] < 0 {
			t[c] |= notHex
		}
		if base32Digits[c] < 0 {
			t[c] |= notBase32
		}
		switch {
		case c >= 'A' && c <= 'Z':
			t[c] |= isUpper
		case c >= 'a' && c <= 'z':
			t[c] |= isLower
		case c == '/', c == '-', c == '_':
			t[c] |= separates
		}
	}
	return t
}()

// runs tries each long run of base64's characters in a text.
func (w *walk) runs(text []byte) {
	for i := nextRun(text, 0); i < len(text) && !w.exhausted(); {
		end, what := runEnd(text, i)
		w.run(text[i:end], what)
		i = nextRun(text, end+1)
	}
}

// nextRun returns where the next run of at least minRun bytes begins that begins at i or
// later; len(text) for none. Runs are looked for from their far end, so that most bytes of
// other texts are not looked at.
func nextRun(text []byte, i int) int {
	for i+minRun <= len(text) {
		k := i + minRun - 1
		for k >= i && runClasses[text[k]] != 0 {
			k--
		}
		if k < i {
			return i
		}
		i = k + 1
	}
	return len(text)
}

// runEnd returns where the run that starts at i ends, and what it consists of. A line
// break within base64 does not end it (RFC 2045, 6.8).
func runEnd(text []byte, start int) (int, runClass) {
	what := runClass(0)
	for i := start; ; i++ {
		if i == len(text) {
			return i, what
		}
		c := runClasses[text[i]]
		if what |= c; c != 0 {
			continue
		}
		if i-start < 4*minRun || text[i] != '\r' && text[i] != '\n' {
			return i, what
		}
		next := i
		for next < len(text) && (text[next] == '\r' || text[next] == '\n') {
			next++
		}
		if next == len(text) || runClasses[text[next]] == 0 {
			return i, what
		}
		i = next - 1
	}
}

// run tries a run whole, then the pieces between characters that also separate words.
func (w *walk) run(run []byte, what runClass) {
	if w.token(run, what) || what&separates == 0 {
		return
	}
	start, tries := 0, 0
	what = 0
	for i := 0; i <= len(run) && tries < maxTries && !w.exhausted(); i++ {
		if i < len(run) && runClasses[run[i]]&separates == 0 {
			what |= runClasses[run[i]]
			continue
		}
		if i-start >= minRun {
			tries++
			w.token(run[start:i], what)
		}
		start, what = i+1, 0
	}
}

// token decodes a run if that makes something, and reports whether it did.
func (w *walk) token(run []byte, what runClass) bool {
	cases := what & (isUpper | isLower)
	return what&notHex == 0 && len(run)%2 == 0 && w.tried(layerHex, run, &hexDigits, 4) ||
		what&notBase32 == 0 && cases != 0 && cases != isUpper|isLower && w.tried(layerBase32, run, &base32Digits, 5) ||
		w.tried(layerBase64, run, &base64Digits, 6)
}

// tried decodes a run of digits of so many bits if that makes something.
func (w *walk) tried(layer string, run []byte, digit *[256]int8, bits uint) bool {
	var v uint64
	var have uint
	for _, c := range run[:headDigits] {
		if d := digit[c]; d >= 0 {
			v = v<<bits | uint64(d)
			have += bits
		}
	}
	var head [8]byte
	binary.BigEndian.PutUint64(head[:], v<<(64-have))
	if !promising(head[:have/8], len(run)) || len(run) > w.left {
		return false
	}
	out := appendDigits(w.room(len(run)), run, digit, bits)
	if !worthwhile(out) {
		return false
	}
	w.decoded(layer, w.keep(out), func(b []byte) { w.content(mediaType{}, b) })
	return true
}

// appendDigits appends the bytes that digits of so many bits stand for. It leaves out
// what is no digit, and bits at the end that make no byte.
func appendDigits(out, text []byte, digit *[256]int8, bits uint) []byte {
	var acc, have uint
	for _, c := range text {
		d := digit[c]
		if d < 0 {
			continue
		}
		acc = acc<<bits | uint(d)
		if have += bits; have >= 8 {
			have -= 8
			out = append(out, byte(acc>>have))
			acc &= 1<<have - 1
		}
	}
	return out
}

// promising reports whether data may start as something worthwhile that is not longer
// than size.
func promising(head []byte, size int) bool {
	if looksLikeText(head) || compression(head) != "" {
		return true
	}
	_, ok := utf16Order(head)
	return ok || maybeProtobuf(head, size)
}

// worthwhile reports whether data is something and not just any bytes.
func worthwhile(data []byte) bool {
	if len(data) < 4 {
		return false
	}
	if compression(data) != "" || looksLikeText(data) {
		return true
	}
	if bigEndian, ok := utf16Order(data); ok {
		var sample [3 * 64]byte
		return looksLikeText(appendUTF16(sample[:0], data[:min(len(data), 128)], bigEndian))
	}
	return bytes.HasPrefix(data, []byte(plistMagic)) || convincing(data)
}

// compression returns the coding that data starts as, "" for none.
func compression(data []byte) string {
	switch {
	case len(data) < 4:
	case data[0] == 0x1f && data[1] == 0x8b && data[2] == 8:
		return "gzip"
	case data[0] == 0x78 && (int(data[0])<<8|int(data[1]))%31 == 0 && data[1]&0x20 == 0:
		return "deflate" // zlib, RFC 1950
	case bytes.HasPrefix(data, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return "zstd"
	}
	return ""
}

// decompress undoes a compression that nothing but the bytes names.
func (w *walk) decompress(data []byte) bool {
	coding := compression(data)
	if coding == "" || w.exhausted() {
		return false
	}
	// What is damaged gives what stands before the damage.
	out, err := content.Decode(coding, data, int64(min(w.left, w.piece)))
	damaged := err != nil && !errors.Is(err, content.ErrTooLarge)
	if len(out) == 0 || damaged && !looksLikeText(out) && !convincing(out) {
		return false
	}
	if coding == "deflate" {
		coding = "zlib"
	}
	w.decoded(coding, out, func(b []byte) { w.content(mediaType{}, b) })
	return true
}
