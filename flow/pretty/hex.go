package pretty

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// maxDump is how many bytes a dump shows.
const maxDump = 64 << 10

// bytesPerLine of a dump, as in hexdump -C.
const bytesPerLine = 16

// dump shows up to most bytes in hexadecimal, beside their ASCII.
func (p *page) dump(data []byte, most int) {
	if p.opts.Mask != nil {
		if masked := p.mask(string(data)); masked != string(data) {
			p.note("values that must not be shown were taken out of the dump: offsets after them are not those of the body")
			data = []byte(masked)
		}
	}
	if len(data) > most {
		p.note("the dump shows the first %s of %s", size(int64(most)), size(int64(len(data))))
		data = data[:most]
	}
	for at := 0; at < len(data); at += bytesPerLine {
		p.line(0)
		if p.full() && !p.open {
			p.left += (len(data) - at - 1) / bytesPerLine
			return
		}
		row := data[at:min(at+bytesPerLine, len(data))]
		p.put(Offset, fmt.Sprintf("%08x", at))
		p.put(Punctuation, "  ")
		p.put(Hex, fmt.Sprintf("%-*s", 3*bytesPerLine, hexRow(row)))
		p.put(Punctuation, "  |")
		p.put(String, ascii(row))
		p.put(Punctuation, "|")
	}
}

// hexRow returns bytes in hexadecimal, in two groups of eight.
func hexRow(b []byte) string {
	var s strings.Builder
	for i, c := range b {
		switch {
		case i == bytesPerLine/2:
			s.WriteString("  ")
		case i > 0:
			s.WriteString(" ")
		}
		s.WriteString(hex.EncodeToString([]byte{c}))
	}
	return s.String()
}

// ascii returns bytes as characters, a dot for what is none.
func ascii(b []byte) string {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = '.'
		if c >= ' ' && c <= '~' {
			out[i] = c
		}
	}
	return string(out)
}
