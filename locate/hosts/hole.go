package hosts

import (
	"bytes"
	"strings"
)

// hole returns the width of the template at the start of b, 0 for none: what printf, string
// formats and template literals leave open for a value.
func hole(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[0] {
	case '%':
		return printfHole(b)
	case '{':
		return enclosed(b, "{", "}")
	case '<':
		return enclosed(b, "<", ">")
	case '#':
		return enclosed(b, "#{", "}") // Ruby
	case '\\':
		return enclosed(b, `\(`, ")") // Swift
	case '$':
		if n := enclosed(b, "${", "}"); n > 0 {
			return n
		}
		n := 1
		for n < min(len(b), maxHole) && (isAlnum(b[n]) || b[n] == '_') {
			n++
		}
		if n > 1 {
			return n // Kotlin, Dart, PHP
		}
	case ':':
		// A parameter of a route: "https://:tenant.example.com". A port is a number.
		if n := 1; 'a' <= toLower(b[1]) && toLower(b[1]) <= 'z' {
			for n < min(len(b), maxHole) && isAlnum(b[n]) {
				n++
			}
			return n
		}
	}
	return 0
}

// printfHole is the width of %s, %1$s, %@, %ld, %(name)s. An octet that is percent-encoded is
// none.
func printfHole(b []byte) int {
	b = b[:min(len(b), maxHole)]
	if len(b) >= 3 && isHex(b[1]) && isHex(b[2]) {
		return 0
	}
	i := 1
	if b[i] == '(' {
		if closing := bytes.IndexByte(b, ')'); closing > 0 {
			i = closing + 1
		}
	}
	for i < len(b) && (b[i] >= '0' && b[i] <= '9' || b[i] == '$' || b[i] == 'l' || b[i] == '-' || b[i] == '.') {
		i++
	}
	if i < len(b) && strings.IndexByte("sdiuxXvq@fgS", b[i]) >= 0 {
		return i + 1
	}
	return 0
}

// enclosed is the width of what stands between opening and closing, if that is on one line
// and short.
func enclosed(b []byte, opening, closing string) int {
	if !bytes.HasPrefix(b, []byte(opening)) {
		return 0
	}
	b = b[:min(len(b), maxHole)]
	if len(opening) == 1 && bytes.HasPrefix(b, []byte(opening+opening)) && len(b) > 2 {
		// {{name}}
		if end := bytes.Index(b, []byte(closing+closing)); end > 0 {
			return end + 2
		}
		return 0
	}
	end := bytes.Index(b, []byte(closing))
	if end < 0 || bytes.ContainsAny(b[:end], "\"'\n\r\x00/ ,") {
		return 0
	}
	return end + len(closing)
}

// hasHole reports whether a path or query has a template.
func hasHole(b []byte) bool {
	for i := range b {
		switch b[i] {
		case '%', '{', '$', '\\':
			if hole(b[i:]) > 0 {
				return true
			}
		case ':':
			if i > 0 && b[i-1] == '/' && hole(b[i:]) > 0 {
				return true
			}
		}
	}
	return false
}

// withStar returns a host with holes as its known end after a star, or its known start
// before one; "" where nothing is known.
func withStar(host []byte) string {
	var b strings.Builder
	for i := 0; i < len(host); {
		if n := hole(host[i:]); n > 0 {
			b.WriteByte('*')
			i += n
			continue
		}
		b.WriteByte(host[i])
		i++
	}
	name := strings.Trim(b.String(), ".")
	star := strings.LastIndexByte(name, '*')
	if star < 0 {
		return name
	}
	if dot := strings.IndexByte(name[star:], '.'); dot >= 0 {
		return "*" + name[star+dot:]
	}
	// The last part is open.
	first := strings.IndexByte(name, '*')
	if dot := strings.LastIndexByte(name[:first], '.'); dot > 0 {
		return name[:dot] + ".*"
	}
	return ""
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= toLower(c) && toLower(c) <= 'f'
}
