package locate

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"

	"telltale/flow"
)

// A view is the text around a match, with the form undone in which it stands.
type view struct {
	text       []byte
	start, end int // of the match in it
}

// How much of a file is looked at around a match, in bytes of the undone text: an address
// begins shortly before its host, and may go on for long.
const (
	lookBehind = 256
	lookAhead  = 1024
)

// A viewer undoes a form around the match at data[start:end]; ok is false where the
// match turns out to be none.
type viewer func(data []byte, start, end int) (v view, ok bool)

// window returns the bytes around a match, factor times as many as are looked at.
func window(data []byte, start, end, factor int) (around []byte, at int) {
	from := max(0, start-lookBehind*factor)
	return data[from:min(len(data), end+lookAhead*factor)], start - from
}

func viewPlain(data []byte, start, end int) (view, bool) {
	around, at := window(data, start, end, 1)
	return view{around, at, at + end - start}, true
}

// viewUTF16 undoes UTF-16 of ASCII in either order of bytes: characters with a zero between
// them. The text ends where something else begins.
func viewUTF16(data []byte, start, end int) (view, bool) {
	around, at := window(data, start, end, 2)
	from := at
	for from >= 2 && around[from-1] == 0 && around[from-2] != 0 {
		from -= 2
	}
	text := []byte{around[from]}
	for i := from + 2; i < len(around) && around[i-1] == 0 && around[i] != 0; i += 2 {
		text = append(text, around[i])
	}
	first := (at - from) / 2
	last := first + (end-start+1)/2
	return view{text, first, last}, last <= len(text)
}

// bigEndian reports whether the characters of a text in UTF-16 stand behind their zeros. Where
// both its ends have zeros, or none has, texts at even places are taken for little-endian.
func bigEndian(data []byte, start, end int) bool {
	first, last := start, end-1
	for first >= 2 && data[first-1] == 0 && data[first-2] != 0 {
		first -= 2
	}
	for last+2 < len(data) && data[last+1] == 0 && data[last+2] != 0 {
		last += 2
	}
	before := first > 0 && data[first-1] == 0
	behind := last+1 < len(data) && data[last+1] == 0
	if before != behind {
		return before
	}
	return first%2 == 1
}

func viewReversed(data []byte, start, end int) (view, bool) {
	from, to := max(0, start-lookAhead), min(len(data), end+lookBehind)
	text := []byte(reversed(string(data[from:to])))
	return view{text, to - end, to - start}, true
}

func viewPercent(data []byte, start, end int) (view, bool) {
	around, at := window(data, start, end, 3)
	before := flow.Unpercent(string(around[:at]))
	match := flow.Unpercent(string(around[at : at+end-start]))
	after := flow.Unpercent(string(around[at+end-start:]))
	text := before + match + after
	return view{[]byte(text), len(before), len(before) + len(match)}, true
}

// viewHex undoes hexadecimal digits.
func viewHex(data []byte, start, end int) (view, bool) {
	around, at := window(data, start, end, 2)
	from := at
	for from >= 2 && isHex(around[from-1]) && isHex(around[from-2]) {
		from -= 2
	}
	to := at + end - start
	for to+1 < len(around) && isHex(around[to]) && isHex(around[to+1]) {
		to += 2
	}
	text, err := hex.DecodeString(string(around[from:to]))
	first := (at - from) / 2
	return view{text, first, first + (end-start)/2}, err == nil
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// base64View undoes the run of base64 in which a match stands, that of a text of length
// bytes which begins at byte before (0 to 2) of a group.
func base64View(before, length int) viewer {
	phase := base64Skip(before)
	return func(data []byte, start, end int) (view, bool) {
		around, at := window(data, start, end, 2)
		from := at
		for from > 0 && isBase64(around[from-1]) {
			from--
		}
		from += (at - from - phase%4 + 4) % 4 // the first group that is whole
		if from > at-phase {
			return view{}, false // the run begins behind the group of the match
		}
		to := at + end - start
		for to < len(around) && isBase64(around[to]) {
			to++
		}
		if (to-from)%4 == 1 {
			to-- // such a rest holds no byte
		}
		coded := bytes.Map(standardBase64, around[from:to])
		text := make([]byte, base64.RawStdEncoding.DecodedLen(len(coded)))
		n, err := base64.RawStdEncoding.Decode(text, coded)
		first := (at-phase-from)/4*3 + before
		return view{text[:n], first, first + length}, err == nil && first+length <= n
	}
}

// base64Skip returns how many characters of base64 the neighbours of a text change, which
// begins at byte before of a group.
func base64Skip(before int) int { return (before*8 + 5) / 6 }

func isBase64(c byte) bool {
	return isHex(c) || c >= 'g' && c <= 'z' || c >= 'G' && c <= 'Z' || c == '+' || c == '/' || c == '-' || c == '_'
}

// standardBase64 turns the alphabet for URLs (RFC 4648, section 5) into the standard one.
func standardBase64(r rune) rune {
	switch r {
	case '-':
		return '+'
	case '_':
		return '/'
	}
	return r
}

// viewXOR undoes an XOR with one byte. A neighbour of the match that separates texts in
// files is taken for the end of the text, though it might be a letter of it.
func viewXOR(data []byte, start, end int, key byte) view {
	around, at := window(data, start, end, 1)
	text := make([]byte, len(around))
	for i, c := range around {
		text[i] = c ^ key
	}
	last := at + end - start
	for _, i := range []int{at - 1, last} {
		if i >= 0 && i < len(around) && isBetween(around[i]) {
			text[i] = 0
		}
	}
	return view{text, at, last}
}

// isBetween reports whether a byte is one that separates texts in files.
func isBetween(c byte) bool {
	return c == 0 || c == ' ' || c == '\n' || c == '\r' || c == '"' || c == '\''
}
