package hosts

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"telltale/flow"
)

// schemes are those whose URLs name a host that is contacted.
var schemes = map[string]bool{
	"http": true, "https": true, "ws": true, "wss": true, "ftp": true, "ftps": true, "sftp": true,
	"rtsp": true, "rtsps": true, "rtmp": true, "rtmps": true, "rtmpt": true, "srt": true, "mms": true,
	"mqtt": true, "mqtts": true, "amqp": true, "amqps": true, "coap": true, "coaps": true, "stomp": true,
	"grpc": true, "grpcs": true, "tcp": true, "udp": true, "tls": true, "ssl": true, "quic": true, "nats": true,
	"ldap": true, "ldaps": true, "imap": true, "imaps": true, "smtp": true, "smtps": true, "pop3": true, "xmpp": true,
	"ssh": true, "git": true, "svn": true, "telnet": true, "irc": true, "ircs": true, "redis": true, "rediss": true,
	"mongodb": true, "mongodb+srv": true, "postgres": true, "postgresql": true, "mysql": true, "mssql": true,
	"socks": true, "socks4": true, "socks5": true, "socks5h": true, "doh": true, "dns": true, "ntp": true, "sips": true,
}

const (
	maxScheme    = 32
	maxAuthority = 1024
	maxURL       = 2048
	maxHole      = 64
	maxName      = 253 // RFC 1035, 2.3.4, without the last dot
	maxLabel     = 63
)

// slashes looks at what may be the "://" of a URL: at is where its sign begins. It
// returns false when visit does.
func (f *finder) slashes(at int) bool {
	colon, from := at, 0
	switch c := f.text[at]; c {
	case '/':
		if at == 0 || f.text[at-1] != ':' {
			return f.withoutScheme(at)
		}
		colon, from = at-1, at+2
	case ':':
		first := slash(f.text[at+1:])
		second := slash(f.text[at+1+first:])
		if first == 0 || second == 0 {
			return true
		}
		from = at + 1 + first + second
	default: // %3A%2F, %253A%252F
		width := len("%2F")
		if f.text[at+1] == '2' {
			width = len("%252F")
		}
		from = at + 3*width
		if from > len(f.text) || !bytes.EqualFold(f.text[at+width:at+2*width], f.text[at+2*width:from]) {
			return true
		}
	}
	start := f.scheme(colon)
	if start < 0 {
		return true
	}
	return f.url(start, from)
}

// slash is the width of an escaped slash: \/ or \\/ (JSON), \u002f, \x2f (JavaScript),
// &#47; or &#x2f; (HTML).
func slash(b []byte) int {
	const widest = 10
	b = b[:min(len(b), widest)]
	if len(b) > 0 && b[0] == '&' {
		for _, spelled := range []string{"&#47;", "&#x2f;", "&#x2F;", "&#047;"} {
			if bytes.HasPrefix(b, []byte(spelled)) {
				return len(spelled)
			}
		}
		return 0
	}
	i := 0
	for i < len(b) && b[i] == '\\' {
		i++
	}
	rest := b[i:]
	switch {
	case i == 0:
		return 0
	case len(rest) >= 1 && rest[0] == '/':
		return i + 1
	case len(rest) >= 5 && bytes.EqualFold(rest[:5], []byte("u002f")):
		return i + 5
	case len(rest) >= 3 && bytes.EqualFold(rest[:3], []byte("x2f")):
		return i + 3
	}
	return 0
}

// scheme returns where the scheme before a colon begins, -1 where there is none that
// counts. Texts that are stored without a gap run into one another, so that "http" may
// follow a letter.
func (f *finder) scheme(colon int) int {
	start := colon
	for start > 0 && colon-start < maxScheme && isSchemeByte(f.text[start-1]) {
		start--
	}
	var lower [maxScheme]byte
	token := lower[:copy(lower[:], f.text[start:colon])]
	for i, c := range token {
		token[i] = toLower(c)
	}
	if schemes[string(token)] {
		return start
	}
	for _, end := range []string{"https", "http", "wss"} {
		if bytes.HasSuffix(token, []byte(end)) {
			return colon - len(end)
		}
	}
	return -1
}

// withoutScheme looks at "//host/path", which takes the scheme of the page that it is on. In
// code, most of the like are comments, so that it must begin a text.
func (f *finder) withoutScheme(at int) bool {
	if at == 0 && !f.whole {
		return true
	}
	if at > 0 {
		switch f.text[at-1] {
		case '"', '\'', '`', '(', '=', 0:
		default:
			return true
		}
	}
	from := at + 2
	a, ok := f.authority(from)
	if !ok || a.holes || a.address || a.host != from || !isBareName(f.text[a.host:a.hostEnd], false, a.end < len(f.text) && f.text[a.end] == '/') {
		return true
	}
	return f.url(at, from)
}

// url reports the URL that begins at start, and whose authority begins at from.
func (f *finder) url(start, from int) bool {
	m := Mention{Start: start}
	if end := f.inCertificate(start); end > from {
		// What follows in DER may be a letter as well.
		whole := f.text
		f.text = whole[:end]
		defer func() { f.text = whole }()
		m.Noise = NoiseCertificate
	}
	a, ok := f.authority(from)
	if !ok {
		return true
	}
	if m.Host = f.canonical(a); m.Host == "" {
		return true
	}
	m.End = f.end(a)
	m.URL = string(f.text[start:m.End])
	rest := f.text[a.end:max(a.end, m.End)]
	m.Template = a.holes || a.open || hasHole(rest)
	if m.Noise == "" {
		m.Noise = noiseOf(m.Host, rest)
	}
	return f.visit(m)
}

// inCertificate returns where the URL ends if it is in DER, as an IA5String or the name of
// a subject or a distribution point (RFC 5280, 4.2.1.6: [6]); else -1. Its length stands before it.
func (f *finder) inCertificate(start int) int {
	if start < 2 || f.text[start-2] != 0x86 && f.text[start-2] != 0x16 {
		return -1
	}
	length := int(f.text[start-1])
	if length >= 0x80 || length < len("http://a") || start+length > len(f.text) {
		return -1
	}
	for _, c := range f.text[start : start+length] {
		if c <= ' ' || c > '~' || c == '"' {
			return -1
		}
	}
	return start + length
}

// An authority is the part of a URL that names the host (RFC 3986, 3.2).
type authority struct {
	host, hostEnd int  // without user and port
	end           int  // of all of it
	holes         bool // after the user
	open          bool // there are holes before, too
	address       bool // in brackets
}

// authority reads the one that begins at from.
func (f *finder) authority(from int) (authority, bool) {
	a := authority{host: from, hostEnd: -1}
	i := from
loop:
	for i < len(f.text) && i-from < maxAuthority {
		c := f.text[i]
		if n := hole(f.text[i:]); n > 0 && (c != ':' || i == a.host) {
			i += n
			a.holes = true
			continue
		}
		switch {
		case c == '@':
			a = authority{host: i + 1, hostEnd: -1, open: a.open || a.holes}
		case c == '[' && i == a.host:
			closing := bytes.IndexByte(f.text[i:min(len(f.text), i+maxHole)], ']')
			if closing < 0 {
				return a, false
			}
			a.address = true
			i += closing
			a.hostEnd = i + 1
		case c == ':':
			if a.hostEnd < 0 {
				a.hostEnd = i
			}
		case c == '%' && !percentInName(f.text[i:]):
			break loop
		case c == '\\' && i+2 < len(f.text) && f.text[i+1] == '.' && isNameByte(f.text[i+2]):
			// A regular expression.
			i++
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(f.text[i:])
			if r == utf8.RuneError || !unicode.In(r, unicode.Letter, unicode.Mark, unicode.Number) && r != '。' {
				break loop
			}
			i += n - 1
		case !isAuthorityByte(c):
			break loop
		}
		i++
	}
	a.end = i
	if a.hostEnd < 0 {
		a.hostEnd = i
	}
	return a, a.hostEnd > a.host
}

// percentInName reports whether an octet that is percent-encoded may be part of a name, and
// is not what ends it.
func percentInName(b []byte) bool {
	c, ok := flow.PercentByte(b, 0)
	return ok && c != '%' && (c >= utf8.RuneSelf || isNameByte(c) || c == '.')
}

// canonical returns the host of an authority, "" where it is none.
func (f *finder) canonical(a authority) string {
	host := f.text[a.host:a.hostEnd]
	if a.address {
		return address(string(host))
	}
	if bytes.IndexByte(host, '\\') >= 0 {
		host = bytes.ReplaceAll(host, []byte(`\.`), []byte("."))
	}
	var name string
	if a.holes || bytes.IndexByte(host, '*') >= 0 {
		if name = withStar(host); name == "" {
			return ""
		}
	} else {
		name = flow.Unpercent(string(host))
	}
	return nameOf(strings.Trim(name, "-_~"))
}

func address(bracketed string) string {
	if host := flow.CanonicalHost(bracketed); strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return host
	}
	if host := flow.CanonicalHost(bracketed); strings.Count(host, ".") == 3 {
		return host // IPv4 in IPv6
	}
	return ""
}

// nameOf is the canonical form of a name, "" for what cannot be one.
func nameOf(s string) string {
	if len(s) > 4*maxName {
		return ""
	}
	name := flow.CanonicalHost(s)
	if name == "" || len(name) > maxName || name[0] == '.' {
		return ""
	}
	label := 0
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.':
			if i == label || i-label > maxLabel {
				return ""
			}
			label = i + 1
		case !isNameByte(c) && c != '*':
			return ""
		}
	}
	if len(name)-label > maxLabel {
		return ""
	}
	return name
}

// end returns where the URL of an authority ends.
func (f *finder) end(a authority) int {
	if a.end >= f.ended {
		f.ended = f.tail(a.end)
	}
	return f.trim(a.end, f.ended)
}

// tail reads on to what cannot be in a URL.
func (f *finder) tail(from int) int {
	i := from
	for limit := min(len(f.text), i+maxURL); i < limit; i++ {
		c := f.text[i]
		switch {
		case c <= ' ', c == '"', c == '\'', c == '`', c == '<', c == '>', c == '|', c == '^', c == 0x7f:
			return i
		case c == '%' && isPercentSign(f.text[i:limit]):
			if start := f.scheme(i); start > from {
				return start
			}
		case c == '{' || c == '$' || c == '%' || c == '\\':
			if n := max(hole(f.text[i:limit]), slash(f.text[i:limit])); n > 0 {
				i += n - 1
			} else if c == '{' || c == '\\' {
				return i
			}
		case c == '}':
			return i
		case c == ':':
			if start := f.another(from, i); start >= 0 {
				return start
			}
		case c == '&' && endsInEntity(f.text[i:]):
			return i
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(f.text[i:])
			if r == utf8.RuneError || !unicode.IsPrint(r) {
				return i
			}
			i += n - 1
		}
	}
	return i
}

// isPercentSign reports whether "://" follows, percent-encoded. What it belongs to is told by
// itself, and not read again as the end of each URL that it stands in.
func isPercentSign(b []byte) bool {
	return len(b) >= len("%3A%2F%2F") && b[1] == '3' && bytes.EqualFold(b[:9], []byte("%3A%2F%2F"))
}

// another returns where the URL begins whose scheme ends at a colon, and which is no part of
// the one before it: nothing stands between the two; else -1.
func (f *finder) another(from, colon int) int {
	if colon+2 >= len(f.text) || f.text[colon+1] != '/' || f.text[colon+2] != '/' {
		return -1
	}
	start := f.scheme(colon)
	if start <= from || bytes.IndexByte([]byte("=/:?&#%+(-"), f.text[start-1]) >= 0 {
		return -1
	}
	return start
}

// endsInEntity reports whether an HTML entity stands for what ends a URL.
func endsInEntity(b []byte) bool {
	for _, entity := range []string{"&quot;", "&lt;", "&gt;", "&#34;", "&#39;", "&apos;", "&#x22;", "&#x27;"} {
		if bytes.HasPrefix(b, []byte(entity)) {
			return true
		}
	}
	return false
}

// trim takes off what belongs to the sentence around a URL.
func (f *finder) trim(from, end int) int {
	round := unopened(f.text[from:end], '(', ')')
	square := unopened(f.text[from:end], '[', ']')
	for ; end > from; end-- {
		switch f.text[end-1] {
		case '.', ',', ';', ':', '!', '?', '*', '\\':
		case ')':
			if round--; round < 0 {
				return end
			}
		case ']':
			if square--; square < 0 {
				return end
			}
		default:
			return end
		}
	}
	for f.text[end-1] == '.' {
		end--
	}
	return end
}

// unopened is how many brackets close what was not opened.
func unopened(b []byte, opening, closing byte) int {
	return bytes.Count(b, []byte{closing}) - bytes.Count(b, []byte{opening})
}

func isSchemeByte(c byte) bool {
	return isAlnum(c) || c == '+' || c == '-' || c == '.'
}

// isAuthorityByte reports whether c may stand in an authority: RFC 3986 has more in the
// user's part, but they end texts.
func isAuthorityByte(c byte) bool {
	return isNameByte(c) || c == '.' || c == '~' || c == ':' || c == '@' || c == '%' || c == '*' || c == '!' || c == '$' || c == '+'
}

func isNameByte(c byte) bool { return isAlnum(c) || c == '-' || c == '_' }

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func toLower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
