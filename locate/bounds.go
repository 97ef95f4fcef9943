package locate

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// alone reports whether the match in a view is a whole name of a host: neither the end
// of a longer one nor the beginning of another.
func (v view) alone() bool {
	return !v.continues() && (v.start == 0 || !v.precededByName())
}

// continues reports whether the name goes on behind the match.
func (v view) continues() bool {
	rest := v.text[v.end:]
	if len(rest) == 0 {
		return false
	}
	if rest[0] == '.' {
		return len(rest) > 1 && isNameByte(rest[1])
	}
	return isNameByte(rest[0])
}

// precededByName reports whether the byte before the match belongs to a name, and not to
// something that an escape stands for: "\n", "\u002f", "%2F".
func (v view) precededByName() bool {
	before := v.text[:v.start]
	if last := before[len(before)-1]; !isNameByte(last) && last != '.' {
		return false
	}
	for _, escape := range []string{"%2f", `\x2f`, `\u002f`, `\u{2f}`, "%40", "%3a", "%22", "%3d", "&#x2f;"} {
		if len(before) >= len(escape) && strings.EqualFold(string(before[len(before)-len(escape):]), escape) {
			return false
		}
	}
	return !(len(before) > 1 && before[len(before)-2] == '\\' && strings.IndexByte("nrtbfv", before[len(before)-1]) >= 0)
}

// inPercent reports whether what stands before a host is a percent-encoded slash: the host is
// part of a URL that was encoded as a whole.
func inPercent(before []byte) bool {
	return len(before) >= 3 && strings.EqualFold(string(before[len(before)-3:]), "%2f")
}

// ending reports whether the match in a view is what a longer name ends in that is made at
// run time: the text begins with it, or with a dot or a hole before it.
func (v view) ending() bool {
	if v.continues() {
		return false
	}
	before := v.text[:v.start]
	dot := len(before) > 0 && before[len(before)-1] == '.'
	if dot {
		before = before[:len(before)-1]
	}
	if len(before) == 0 {
		return true
	}
	switch last := before[len(before)-1]; last {
	case '}', '>':
		return dot // a hole: "{region}.example.com"
	case 's', '@', 'd':
		return dot && strings.IndexByte(string(before[max(0, len(before)-4):]), '%') >= 0 // "%1$s.example.com"
	default:
		return !isNameByte(last) && last != '.'
	}
}

// isNameByte reports whether a byte may be part of a label of a name.
func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c >= utf8.RuneSelf
}

// snippetSide is how much a snippet has on either side, in bytes.
const snippetSide = 60

// snippet returns what stands around a range of a view, in one line.
func (v view) snippet(from, to int) Snippet {
	before, after := v.text[max(0, from-snippetSide):from], v.text[to:min(len(v.text), to+snippetSide)]
	before = before[bytes.LastIndexFunc(before, unprintable)+1:]
	if cut := bytes.IndexFunc(after, unprintable); cut >= 0 {
		after = after[:cut]
	}
	return Snippet{Before: oneLine(before), Match: oneLine(v.text[from:to]), After: oneLine(after)}
}

// line is snippet within the line of a text.
func (v view) line(from, to int) Snippet {
	start := bytes.LastIndexByte(v.text[:from], '\n') + 1
	end := len(v.text)
	if i := bytes.IndexByte(v.text[to:], '\n'); i >= 0 {
		end = to + i
	}
	return view{text: v.text[start:end]}.snippet(from-start, to-start)
}

// unprintable reports whether a character is none of a text: what stands beyond it has
// nothing to do with the match.
func unprintable(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == utf8.RuneError || r == 0x7f
}

// oneLine returns a text with its spaces and line ends as single spaces, and without the
// halves of characters that a cut has left.
func oneLine(text []byte) string {
	valid := strings.ToValidUTF8(string(text), "")
	out := strings.Join(strings.Fields(valid), " ")
	if out != "" && strings.TrimLeft(valid, " \t\r\n") != valid {
		out = " " + out
	}
	if out != "" && strings.TrimRight(valid, " \t\r\n") != valid {
		out += " "
	}
	return out
}
