package locate

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// alone reports whether the match in a view is a whole name of a host: neither the end
// of a longer one nor the beginning of another.
func (v view) alone() bool {
	return !v.continues() && (v.start == 0 || !v.precededByName())
}

// continues reports whether the name goes on behind the match, or is that of a user.
func (v view) continues() bool {
	rest := v.text[v.end:]
	if len(rest) >= 3 && strings.EqualFold(string(rest[:3]), "%2e") {
		return beginsName(rest[3:])
	}
	if len(rest) > 0 && rest[0] == '.' {
		return beginsName(rest[1:])
	}
	return beginsName(rest) || len(rest) > 0 && rest[0] == '@'
}

// slashes are the escapes of what stands before a host in an address, lower case.
var slashes = []string{"%2f", "%40", "%3a", "%22", "%3d", `\x2f`, `\u002f`, `\u{2f}`, "&#x2f;"}

// precededByName reports whether what stands before the match belongs to a name, and not to
// something that an escape stands for: "\n", "\u002f", "%2F".
func (v view) precededByName() bool {
	before := v.text[:v.start]
	if !endsName(before) && before[len(before)-1] != '.' {
		return false
	}
	for _, escape := range slashes {
		if len(before) >= len(escape) && strings.EqualFold(string(before[len(before)-len(escape):]), escape) {
			return false
		}
	}
	return !(len(before) > 1 && before[len(before)-2] == '\\' && strings.IndexByte("nrtbfv", before[len(before)-1]) >= 0)
}

// inPercent reports whether what stands before a host is part of an address that was
// percent-encoded as a whole: its slash, or the end of a user's name.
func inPercent(before []byte) bool {
	if len(before) < 3 || before[len(before)-3] != '%' {
		return false
	}
	switch strings.ToLower(string(before[len(before)-2:])) {
	case "2f", "40":
		return true
	}
	return false
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
		return !endsName(before) && last != '.'
	}
}

// beginsName and endsName report whether a text begins or ends with a character of a
// label. Bytes that are no UTF-8 are none.
func beginsName(text []byte) bool {
	r, _ := utf8.DecodeRune(text)
	return isNameRune(r)
}

func endsName(text []byte) bool {
	r, _ := utf8.DecodeLastRune(text)
	return isNameRune(r)
}

func isNameRune(r rune) bool {
	switch {
	case r == utf8.RuneError:
		return false
	case r < utf8.RuneSelf:
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
	}
	return unicode.In(r, unicode.Letter, unicode.Mark, unicode.Digit)
}
