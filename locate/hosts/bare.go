package hosts

import "bytes"

// bare looks at what may be a bare host at from: it must reach to the bound, which is what
// closes the text, but for a port or a path. It returns false when visit does.
func (f *finder) bare(from int, bound byte) bool {
	text := f.text
	start := from + prefixOf(text[from:])
	end := start
	at, dots := -1, 0
	for limit := min(len(text), start+maxName+maxLabel); end < limit && inBare[text[end]] != 0; end++ {
		switch inBare[text[end]] {
		case dot:
			dots++
		case atSign:
			if at >= 0 {
				return true
			}
			at, dots = end, 0
		case userOnly:
			if at >= 0 {
				return true
			}
		}
	}
	if dots == 0 || end-start < len("t.co") {
		return true
	}
	path := port(text, end)
	closed := path
	if path < len(text) && text[path] == '/' {
		closed = toBound(text, path)
	}
	if !isClosed(text, closed, bound) {
		return true
	}
	m := Mention{Start: start, End: end, Bare: true}
	name := text[start:end]
	switch {
	case at >= 0:
		if name = text[at+1 : end]; at == start || path != end || !isBareName(name, false, true) {
			return true
		}
		m = Mention{Start: at + 1, End: end, Noise: NoiseEMail}
	case start > from:
		m = Mention{Start: from, End: closed, URL: string(text[from:closed])}
	}
	return f.bareName(m, name, path < closed)
}

// bareName reports a bare host, if it is one. What has a scheme is.
func (f *finder) bareName(m Mention, name []byte, path bool) bool {
	if trimmed := bytes.TrimPrefix(name, []byte("*")); len(trimmed) > 0 && trimmed[0] == '.' {
		// A domain of a cookie, or what follows a name that is put before it.
		name = trimmed[1:]
		m.Template = true
	}
	number := isAddressText(name)
	if m.Bare && !number && !isBareName(name, m.Template, path) {
		return true
	}
	m.Host = nameOf(string(name))
	if number && (m.Template || isVersion(m.Host)) || m.Host == "" {
		return true
	}
	if m.Template {
		m.Host = "*." + m.Host
	}
	if m.Noise == "" {
		m.Noise = noiseOf(m.Host, nil)
	}
	return f.visit(m)
}

// What a byte is in a bare name, or in an e-mail address: 0 ends it.
const (
	letter = iota + 1
	dot
	atSign
	userOnly
)

var inBare = func() (t [256]byte) {
	for c := range t {
		if isNameByte(byte(c)) || c == '*' {
			t[c] = letter
		}
	}
	t['.'], t['@'], t['+'], t['%'] = dot, atSign, userOnly, userOnly
	return t
}()

// prefixes are schemes whose URLs name a host without slashes (RFC 7064, RFC 7065, RFC 6068).
var prefixes = [][]byte{[]byte("stun:"), []byte("stuns:"), []byte("turn:"), []byte("turns:"), []byte("mailto:")}

func prefixOf(b []byte) int {
	if len(b) < 8 || b[0] != 's' && b[0] != 't' && b[0] != 'm' {
		return 0
	}
	for _, p := range prefixes {
		if bytes.HasPrefix(b, p) {
			return len(p)
		}
	}
	return 0
}

// port returns where a port after a name ends.
func port(text []byte, at int) int {
	if at == len(text) || text[at] != ':' {
		return at
	}
	end := at + 1
	for end < len(text) && end-at <= len("65535") && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	if end == at+1 {
		return at
	}
	return end
}

// toBound returns where a path ends: at what cannot be in one, or where it is too long.
func toBound(text []byte, at int) int {
	for limit := min(len(text), at+maxAuthority); at < limit; at++ {
		switch c := text[at]; {
		case c <= ' ', c == '"', c == '\'', c == '`', c == '<', c == '>', c == '\\', c >= 0x7f:
			return at
		}
	}
	return at
}

// isClosed reports whether the text that bound belongs to ends at an offset.
func isClosed(text []byte, at int, bound byte) bool {
	if at >= len(text) {
		return true
	}
	switch c := text[at]; bound {
	case literal:
		return false
	case nul:
		return c == 0
	case '\n':
		return c == '\n' || c == '\r' || c == 0
	case '<':
		return c == '<'
	default:
		return c == bound || c == '\\' && at+1 < len(text) && text[at+1] == bound
	}
}

// isBareName reports whether a text that could be anything is the name of a host, or the
// last part of one. Evidence says that something beside the name speaks for it: a path, a scheme.
func isBareName(name []byte, part, evidence bool) bool {
	if len(name) > maxName {
		return false
	}
	s := shape{part: part}
	label := 0 // where the current one begins
	for i, c := range name {
		switch {
		case c == '.':
			if i == label || name[i-1] == '-' || i-label > maxLabel {
				return false
			}
			if s.labels == 0 {
				s.first = name[:i]
			}
			s.labels++
			label = i + 1
		case c == '-':
			if i == label {
				return false
			}
			s.unlikeWord = true
		case '0' <= c && c <= '9':
			s.unlikeWord = true
		case 'a' <= c && c <= 'z':
		case c == '_':
			// Only names of services and of machines have it.
			if s.labels > 0 {
				return false
			}
			s.underscore = true
		default:
			return false
		}
	}
	s.labels++
	s.last = name[label:]
	return s.labels > 1 && isHost(name, s, evidence)
}

func isAddressText(name []byte) bool {
	dots := 0
	for _, c := range name {
		switch {
		case c == '.':
			dots++
		case c < '0' || c > '9':
			return false
		}
	}
	return dots == 3
}
