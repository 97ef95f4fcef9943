package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"telltale/flow/plain"
)

// visibleWriter passes JSON on and writes as \u escapes what would not show as
// itself, so that JSON on a terminal is as harmless as text and has lost nothing.
// Beyond ASCII, valid JSON has characters in its strings only, and the controls
// of ASCII but DEL are escaped already. It must be closed.
type visibleWriter struct {
	w    io.Writer
	tail []byte // the first bytes of a character whose end is yet to come
	out  []byte
}

func (v *visibleWriter) Write(p []byte) (int, error) {
	in := p
	if len(v.tail) > 0 {
		in = slices.Concat(v.tail, p)
	}
	whole := len(in)
	// A character has four bytes at most; what is broken anyway waits no longer.
	for back := 1; back < utf8.UTFMax && back <= len(in); back++ {
		if i := len(in) - back; utf8.RuneStart(in[i]) {
			if !utf8.FullRune(in[i:]) {
				whole = i
			}
			break
		}
	}
	v.out = onlyVisible(v.out[:0], in[:whole])
	v.tail = append([]byte(nil), in[whole:]...)
	if _, err := v.w.Write(v.out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// NewLines returns an encoder of one JSON value a line, as harmless on a terminal
// as the JSON report.
func NewLines(w io.Writer) *json.Encoder {
	out := json.NewEncoder(&visibleWriter{w: w}) // a line is valid UTF-8 and whole, so nothing waits
	out.SetEscapeHTML(false)
	return out
}

// close writes what waits for its end.
func (v *visibleWriter) close() error {
	if len(v.tail) == 0 {
		return nil
	}
	_, err := v.w.Write(onlyVisible(nil, v.tail))
	v.tail = nil
	return err
}

// onlyVisible appends JSON with everything escaped that does not show as itself.
func onlyVisible(out, in []byte) []byte {
	for i := 0; i < len(in); {
		start := i
		for i < len(in) && (in[i] < 0x7f) {
			i++
		}
		out = append(out, in[start:i]...)
		if i == len(in) {
			break
		}
		r, n := utf8.DecodeRune(in[i:])
		switch {
		case r != 0x7f && plain.Shows(r) && (r != utf8.RuneError || n > 1):
			out = append(out, in[i:i+n]...)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += n
	}
	return out
}
