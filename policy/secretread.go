package policy

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"html"
	"strings"
	"unicode/utf8"

	"telltale/flow"
	"telltale/flow/content"
)

// A reading is a text with one layer or more of encoding undone. at says for each byte
// where it comes from in the text; nil is identity.
type reading struct {
	text []byte
	at   []span
	runs bool // only what stood in runs of base64 or hexadecimal
}

// span is a part of a text, in bytes. Located readings have one for each byte: it is small.
type span struct{ start, end int32 }

// Bounds of the readings of one text.
const (
	maxUndone   = 4   // encodings in one another: percent-encoded twice in a form in JSON
	maxReadings = 150 // of a text that has all encodings at once

	// maxRead is how many bytes are read or undone, which a text of 64 KiB does not reach.
	// Longer ones are read less deep; a text that is longer by itself is read as it stands.
	maxRead = 32 << 20

	maxInflated = 64 << 10 // bytes of what was compressed before it was written in base64
	inflating   = 4 << 10  // bytes that trying so counts for
	maxInflates = 1 << 20  // bytes for all runs
)

// A decoding undoes one encoding. step appends what the text at i stands for, and returns
// how many bytes it took; 0 means that the byte is itself.
type decoding struct {
	mark byte // without which a text has none of it; 0 for any
	step func(s []byte, i int, out []byte) ([]byte, int)
	// runs says that runs are decoded, and that the reading holds nothing else. It has no step.
	runs bool
}

var decodings = [...]decoding{
	{'+', decodePlus, false},
	{'%', decodePercent, false},
	{'\\', decodeJSON, false},
	{'&', decodeEntity, false},
	{0, nil, true},
}

// readings calls read with a text as it stands and as a receiver would decode it, until it
// returns false: plus signs for spaces, percent-encoding, escapes of JSON, character
// references of HTML, base64 and hexadecimal, a few of them in one another. Only where
// located is set do readings know where their bytes come from, which takes longer.
func readings(text []byte, located bool, read func(*reading) bool) {
	r := reader{located: located, left: maxReadings, inflates: maxInflates, read: read}
	r.visit(&reading{text: text}, 0, maxRead)
}

type reader struct {
	located  bool
	left     int // readings
	spent    int // bytes that were read or undone
	inflates int // bytes for what was compressed
	read     func(*reading) bool
	pieces   []piece // of the run that is being decoded, where readings are located
}

// visit calls read with a reading and with what decoding makes of it. The bytes that this
// may take are shared by the encodings that it has, so that none takes those of the next;
// what one leaves, the next ones have.
func (r *reader) visit(in *reading, depth, budget int) bool {
	end := r.spent + budget
	r.spent += len(in.text)
	if r.left--; !r.read(in) {
		return false
	}
	if depth == maxUndone {
		return true
	}
	var waiting [len(decodings)]*decoding
	n := 0
	for i := range decodings {
		if d := &decodings[i]; d.runs && !in.runs || !d.runs && bytes.IndexByte(in.text, d.mark) >= 0 {
			waiting[n] = d
			n++
		}
	}
	for i, d := range waiting[:n] {
		share := (end - r.spent) / (n - i)
		if r.left <= 0 || share < 2*len(in.text) { // to undo, and to read
			continue
		}
		r.spent += len(in.text)
		if out := r.undo(in, d); len(out.text) > 0 && !r.visit(&out, depth+1, share-len(in.text)) {
			return false
		}
	}
	return true
}

// undo removes one layer; the reading is empty where there is none.
func (r *reader) undo(in *reading, d *decoding) reading {
	out := reading{runs: in.runs || d.runs}
	if !d.runs {
		out.text = make([]byte, 0, len(in.text))
	}
	if !d.runs && r.located {
		out.at = make([]span, 0, len(in.text))
	}
	changed := false
	for i := 0; i < len(in.text); {
		before := len(out.text)
		var text []byte
		var n int
		if d.runs {
			text, n = r.decodeRun(in.text, i, out.text)
		} else {
			text, n = d.step(in.text, i, out.text)
		}
		switch {
		case n > 0:
			changed = changed || len(text) > before
		case d.runs:
			n = 1
		default: // up to where it may begin
			if n = bytes.IndexByte(in.text[i+1:], d.mark) + 1; n == 0 {
				n = len(in.text) - i
			}
			text = append(text, in.text[i:i+n]...)
		}
		out.text = text
		switch {
		case r.located && d.runs:
			out.at = in.traceRun(out.at, i, r.pieces)
			r.pieces = r.pieces[:0]
		case r.located:
			out.at = in.trace(out.at, i, n, len(out.text)-before)
		}
		i += n
	}
	if !changed {
		return reading{}
	}
	return out
}

// trace appends where count bytes come from that were made of n at i.
func (r *reading) trace(at []span, i, n, count int) []span {
	for k := range count {
		if n == count { // themselves
			at = append(at, r.origin(i+k))
		} else {
			at = append(at, span{r.origin(i).start, r.origin(i + n - 1).end})
		}
	}
	return at
}

// origin returns where a byte of the reading comes from.
func (r *reading) origin(i int) span {
	if r.at == nil {
		return span{int32(i), int32(i + 1)} // #nosec G115 -- no text has 2 GiB
	}
	return r.at[i]
}

// A piece is what was decoded of a part of a run, and a line break behind it.
type piece struct {
	from, size int // the part, in characters of the run
	count      int // bytes that were made of it, without the line break
	bits       int // that a character stands for; 0 where a byte is made of all of them
}

// tookFrom notes a piece.
func (r *reader) tookFrom(from, size, count, bits int) {
	if r.located {
		r.pieces = append(r.pieces, piece{from, size, count, bits})
	}
}

// traceRun appends where the bytes of pieces come from, whose run begins at i: each from the
// characters that hold its bits, so that what stands beside a value is left alone.
func (r *reading) traceRun(at []span, i int, pieces []piece) []span {
	for _, p := range pieces {
		first, last := i+p.from, i+p.from+p.size-1
		for k := range p.count {
			start, end := first, last
			if p.bits > 0 {
				start, end = first+8*k/p.bits, first+(8*k+7)/p.bits
			}
			at = append(at, span{r.origin(start).start, r.origin(end).end})
		}
		at = append(at, span{r.origin(last).start, r.origin(last).end})
	}
	return at
}

// decodePlus is for forms (WHATWG URL, 5.1).
func decodePlus(s []byte, i int, out []byte) ([]byte, int) {
	if s[i] != '+' {
		return out, 0
	}
	return append(out, ' '), 1
}

func decodePercent(s []byte, i int, out []byte) ([]byte, int) {
	if c, ok := flow.PercentByte(s, i); ok {
		return append(out, c), 3
	}
	return out, 0
}

// decodeJSON removes one escape of a JSON string (RFC 8259, 7).
func decodeJSON(s []byte, i int, out []byte) ([]byte, int) {
	if s[i] != '\\' || i+1 >= len(s) {
		return out, 0
	}
	if j := strings.IndexByte(`"\/bfnrt`, s[i+1]); j >= 0 {
		return append(out, "\"\\/\b\f\n\r\t"[j]), 2
	}
	r, n := jsonRune(s, i)
	if n == 0 {
		return out, 0
	}
	if r >= 0xd800 && r < 0xdc00 { // the first half of a surrogate pair
		if low, m := jsonRune(s, i+n); m > 0 && low >= 0xdc00 && low < 0xe000 {
			r, n = 0x10000+(r-0xd800)<<10+(low-0xdc00), n+m
		}
	}
	return append(out, string(r)...), n
}

func jsonRune(s []byte, i int) (rune, int) {
	if i+6 > len(s) || s[i] != '\\' || s[i+1] != 'u' {
		return 0, 0
	}
	var unit [2]byte
	if _, err := hex.Decode(unit[:], s[i+2:i+6]); err != nil {
		return 0, 0
	}
	return rune(unit[0])<<8 | rune(unit[1]), 6
}

// maxEntity is the length of the longest character reference that is undone: the longest
// of HTML has 33 (WHATWG HTML, 13.5).
const maxEntity = 33

// decodeEntity removes one character reference of HTML, with its semicolon (WHATWG HTML,
// 13.2.5.72).
func decodeEntity(s []byte, i int, out []byte) ([]byte, int) {
	if s[i] != '&' {
		return out, 0
	}
	n := bytes.IndexByte(s[i:min(len(s), i+maxEntity)], ';') + 1
	if n < len("&lt;") {
		return out, 0
	}
	reference := string(s[i : i+n])
	plain := html.UnescapeString(reference)
	if plain == reference {
		return out, 0
	}
	return append(out, plain...), n
}

// Lengths of runs: from minRun on, one of base64 or hexadecimal may hold a value; below
// maxWord, small letters alone are a word.
const (
	minRun  = 6
	maxWord = 12
)

func isPlainWord(run []byte) bool {
	for _, c := range run {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// decodeRun decodes one run of hexadecimal or base64 that holds text. What is no text is
// left to the forms of values in base64, which find them whatever is around.
func (r *reader) decodeRun(s []byte, i int, out []byte) ([]byte, int) {
	if !base64Byte[s[i]] {
		return out, 0
	}
	n := 1
	for i+n < len(s) && base64Byte[s[i+n]] {
		n++
	}
	run, before := s[i:i+n], len(out)
	if n < minRun || n < maxWord && isPlainWord(run) {
		return out, n
	}
	if n%2 == 0 && all(string(run), isHexDigit) {
		if out, _ = hex.AppendDecode(out, run); isText(out[before:]) {
			r.tookFrom(0, n, len(out)-before, 4)
			return append(out, '\n'), n // what follows is another text
		}
		out = out[:before]
	}
	out = r.appendBase64(out, run, 0)
	at := 0
	for segment := range bytes.SplitSeq(run, []byte("/")) { // of a path, each may be one
		if len(segment) < n {
			out = r.appendBase64(out, segment, at)
		}
		at += len(segment) + 1
	}
	return out, n
}

// appendBase64 appends what a part of a run, from at on, stands for and a line break, or
// nothing if it is no text.
func (r *reader) appendBase64(out, run []byte, at int) []byte {
	if len(run)%4 == 1 || len(run) < minRun {
		return out
	}
	alphabet := base64.RawStdEncoding
	if bytes.ContainsAny(run, "-_") {
		alphabet = base64.RawURLEncoding
	}
	before := len(out)
	decoded, err := alphabet.AppendDecode(out, run)
	if err != nil {
		return out[:before]
	}
	bits := 6
	if plain := r.inflated(decoded[before:]); plain != nil {
		decoded, bits = append(decoded[:before], plain...), 0
	}
	if !isText(decoded[before:]) {
		return out[:before]
	}
	r.tookFrom(at, len(run), len(decoded)-before, bits)
	return append(decoded, '\n')
}

// inflated undoes compression that shows by its first bytes: gzip (RFC 1952, 2.3.1), zlib
// (RFC 1950, 2.2) and Zstandard (RFC 8878, 3.1.1). It returns nil where there is none.
func (r *reader) inflated(b []byte) []byte {
	coding := ""
	switch {
	case len(b) < 8:
	case b[0] == 0x1f && b[1] == 0x8b:
		coding = "gzip"
	case b[0]&0x0f == 8 && (uint(b[0])<<8|uint(b[1]))%31 == 0:
		coding = "deflate"
	case string(b[:4]) == "\x28\xb5\x2f\xfd":
		coding = "zstd"
	}
	if coding == "" || r.inflates <= 0 {
		return nil
	}
	plain, _ := content.Decode(coding, b, maxInflated) // what stands before damage counts
	r.inflates -= inflating + len(plain)
	return plain
}

// base64Byte is the characters of both alphabets of base64, without padding.
var base64Byte = func() (is [256]bool) {
	for c := range is {
		is[c] = c < utf8.RuneSelf && (isWord(byte(c)) || strings.IndexByte("+/-_", byte(c)) >= 0)
	}
	return is
}()

// isText reports whether bytes are UTF-8 without control characters other than white space.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}
