package proxy

import (
	"bytes"
	"net/url"
	"strings"

	"telltale/flow"
)

// Limits of an HTTP/1 head. Servers stop at 8 to 64 KiB and at 100 fields; a
// proxy that only watches must not be the first to refuse.
const (
	maxHead   = 256 << 10 // bytes, of a trailer section too
	maxFields = 1000
)

// malformed is why a message is refused. As an error it is what a request's body
// ends with when its framing breaks.
type malformed struct {
	status int
	reason string
}

func (m *malformed) Error() string { return m.reason }

// The refusals. They are values, so that finding one costs nothing.
var (
	errBareLF       = &malformed{400, "a line of the head ends in a bare LF (RFC 9112, 2.2)"}
	errBareCR       = &malformed{400, "a bare CR in the head (RFC 9112, 2.2)"}
	errNUL          = &malformed{400, "a NUL byte in the head (RFC 9110, 5.5)"}
	errControl      = &malformed{400, "a control character in the head (RFC 9110, 5.5)"}
	errRequestLine  = &malformed{400, "the request line is not METHOD TARGET HTTP/1.x (RFC 9112, 3)"}
	errMethod       = &malformed{400, "the method is not a token (RFC 9110, 9.1)"}
	errTarget       = &malformed{400, "the request target has a character that no URL has (RFC 9112, 3.2)"}
	errTargetForm   = &malformed{400, "the request target is neither a path nor an absolute URL (RFC 9112, 3.2)"}
	errTargetURL    = &malformed{400, "the request target does not parse as a URL (RFC 3986)"}
	errVersion      = &malformed{400, "the HTTP version is malformed (RFC 9112, 2.3)"}
	errOtherVersion = &malformed{505, "an HTTP version other than 1.0 and 1.1 (RFC 9110, 15.6.6)"}
	errFolded       = &malformed{400, "a folded header line, or white space before the first one (RFC 9112, 5.2)"}
	errNoColon      = &malformed{400, "a header line without a colon (RFC 9112, 5)"}
	errSpaceColon   = &malformed{400, "white space between a header's name and its colon (RFC 9112, 5.1)"}
	errFieldName    = &malformed{400, "a header's name is not a token (RFC 9110, 5.1)"}
	errTwoLengths   = &malformed{400, "more than one Content-Length (RFC 9112, 6.3)"}
	errLength       = &malformed{400, "a Content-Length that is not one number (RFC 9112, 6.3)"}
	errCoding       = &malformed{400, "a Transfer-Encoding other than chunked (RFC 9112, 6.1)"}
	errTwoCodings   = &malformed{400, "more than one Transfer-Encoding (RFC 9112, 6.1)"}
	errOldCoding    = &malformed{400, "Transfer-Encoding in HTTP/1.0 (RFC 9112, 6.1)"}
	errCodingLength = &malformed{400, "both Transfer-Encoding and Content-Length (RFC 9112, 6.3)"}
	errNoHost       = &malformed{400, "no Host (RFC 9112, 3.2)"}
	errTwoHosts     = &malformed{400, "more than one Host (RFC 9112, 3.2)"}
	errHost         = &malformed{400, "a Host with a character that no host has (RFC 9112, 3.2)"}
	errTrailer      = &malformed{400, "a Trailer that announces a framing field (RFC 9110, 6.5.1)"}
	errConnectBody  = &malformed{400, "a CONNECT with content (RFC 9110, 9.3.6)"}
	errExpect       = &malformed{417, "an Expect other than 100-continue (RFC 9110, 10.1.1)"}
	errLarge        = &malformed{431, "a head of more than 256 KiB"}
	errManyFields   = &malformed{431, "a head of more than 1000 lines"}
	errChunk        = &malformed{400, "broken chunked framing (RFC 9112, 7.1)"}
	errEagerUpgrade = &malformed{400, "too much data behind an Upgrade that was not answered"}
	errSOCKS        = &malformed{400, "SOCKS was spoken to the port of the HTTP proxy: set this as an HTTP proxy"}
	errNotHTTP      = &malformed{400, "this is neither HTTP nor TLS"}
	errNested       = &malformed{400, "a CONNECT inside a tunnel"}
)

// Classes of bytes.
const (
	tokenByte  = 1 << iota // RFC 9110, 5.6.2
	valueByte              // RFC 9110, 5.5: VCHAR, SP, HTAB, obs-text
	targetByte             // anything visible but "#", which has no place in a target
	plainByte              // of a path and query that url.Parse takes as it is
	hostByte               // what net/http takes in a Host
	nameByte               // of a host name or address, without port
)

var class = classes()

func classes() (t [256]uint8) {
	const alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	mark := func(bit uint8, chars string) {
		for i := range len(chars) {
			t[chars[i]] |= bit
		}
	}
	mark(tokenByte, alnum+"!#$%&'*+-.^_`|~")
	mark(plainByte, alnum+"/-._~!$&'()*+,;=:@?")
	mark(hostByte, alnum+"-._~!$&'()*+,;=:[]%")
	mark(nameByte, alnum+"-._")
	mark(valueByte, "\t ")
	for c := 0x21; c < 0x100; c++ {
		if c != 0x7f {
			t[c] |= valueByte | targetByte
		}
	}
	t['#'] &^= targetByte
	return t
}

// all reports whether every byte is of a class.
func all(b []byte, bit uint8) bool {
	ok := bit
	for _, c := range b {
		ok &= class[c]
	}
	return ok != 0
}

// headScan reads one HTTP/1 request head, resuming where it stopped when bytes
// were missing. It is strict where two readers of one head could disagree on
// where the message ends or whom it is for, and lenient elsewhere.
type headScan struct {
	line    int // where the line being read begins
	seen    int // no LF between line and here
	lines   int
	length  int64 // Content-Length
	hosts   int
	lengths int
	codings int
	old     bool // HTTP/1.0
	connect bool
	upgrade bool // an Upgrade header is there
}

// scan reads on in b, which is all of the head that has arrived and, maybe, more.
// It returns the length of the head when it is complete, 0 when it is not.
func (s *headScan) scan(b []byte) (int, *malformed) {
	for {
		i := bytes.IndexByte(b[s.seen:], '\n')
		if i < 0 {
			return 0, s.partial(b)
		}
		end := s.seen + i
		if end == s.line || b[end-1] != '\r' {
			return 0, errBareLF
		}
		line := b[s.line : end-1]
		s.line, s.seen = end+1, end+1
		s.lines++
		var bad *malformed
		switch {
		case s.line > maxHead:
			bad = errLarge
		case s.lines == 1:
			bad = s.requestLine(line)
		case len(line) == 0:
			if bad = s.complete(); bad == nil {
				return s.line, nil
			}
		case s.lines > maxFields+1:
			bad = errManyFields
		default:
			bad = s.field(line)
		}
		if bad != nil {
			return 0, bad
		}
	}
}

// partial judges a line of which the end is missing: whoever waits for our
// answer to a broken line must not wait for ever.
func (s *headScan) partial(b []byte) *malformed {
	if len(b) > maxHead {
		return errLarge
	}
	if s.lines == 0 && len(b) > 0 && class[b[0]]&tokenByte == 0 && b[0] != '\r' {
		return notHTTP(b[0])
	}
	rest := b[s.seen:]
	if n := len(rest); n > 0 && rest[n-1] == '\r' {
		rest = rest[:n-1] // its LF may come yet
	}
	if bytes.IndexByte(rest, '\r') >= 0 {
		return errBareCR
	}
	s.seen += len(rest)
	return nil
}

// notHTTP names what begins with a byte that no request begins with. Its end is not
// waited for: it may have no lines.
func notHTTP(first byte) *malformed {
	if first == 4 || first == 5 {
		return errSOCKS
	}
	return errNotHTTP
}

func (s *headScan) requestLine(line []byte) *malformed {
	if bad := badByte(line); bad != nil {
		return bad
	}
	sp := bytes.IndexByte(line, ' ')
	if sp <= 0 {
		return errRequestLine
	}
	method, rest := line[:sp], line[sp+1:]
	if !all(method, tokenByte) {
		return errMethod
	}
	sp = bytes.LastIndexByte(rest, ' ')
	if sp <= 0 {
		return errRequestLine
	}
	target, version := rest[:sp], rest[sp+1:]
	switch {
	case string(version) == "HTTP/1.1":
	case string(version) == "HTTP/1.0":
		s.old = true
	case len(version) == 8 && string(version[:5]) == "HTTP/" && isDigit(version[5]) && version[6] == '.' && isDigit(version[7]):
		return errOtherVersion
	default:
		return errVersion
	}
	if !all(target, targetByte) {
		return errTarget
	}
	s.connect = string(method) == "CONNECT"
	return targetForm(method, target)
}

// targetForm checks the target as net/http will parse it, so that it has nothing
// left to refuse.
func targetForm(method, target []byte) *malformed {
	switch {
	case string(method) == "CONNECT":
		_, _, bad := parseTarget(string(target))
		return bad
	case target[0] == '/':
		if all(target, plainByte) {
			return nil
		}
	case string(target) == "*":
		if string(method) != "OPTIONS" {
			return errTargetForm
		}
		return nil
	default:
		i := bytes.Index(target, []byte("://"))
		if i <= 0 || i+3 == len(target) || target[i+3] == '/' || target[i+3] == '?' {
			return errTargetForm
		}
	}
	if _, err := url.ParseRequestURI(string(target)); err != nil {
		return errTargetURL
	}
	return nil
}

// badByte says which byte of a line has no place in any head; nil for none.
func badByte(line []byte) *malformed {
	if all(line, valueByte) {
		return nil
	}
	for _, c := range line {
		switch {
		case c == '\r':
			return errBareCR
		case c == 0:
			return errNUL
		case class[c]&valueByte == 0:
			return errControl
		}
	}
	return nil
}

func (s *headScan) field(line []byte) *malformed {
	if line[0] == ' ' || line[0] == '\t' {
		return errFolded
	}
	if bad := badByte(line); bad != nil {
		return bad
	}
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return errNoColon
	}
	name := line[:i]
	if i == 0 || !all(name, tokenByte) {
		if i > 0 && (name[i-1] == ' ' || name[i-1] == '\t') {
			return errSpaceColon
		}
		return errFieldName
	}
	switch len(name) { // the names that matter differ in length, but for two
	case len("Host"), len("Expect"), len("Upgrade"), len("Content-Length"), len("Transfer-Encoding"):
		return s.framing(name, bytes.Trim(line[i+1:], " \t"))
	}
	return nil
}

// framing takes note of the fields on which the meaning of the message hangs.
func (s *headScan) framing(name, value []byte) *malformed {
	switch {
	case is(name, "host"):
		if s.hosts++; s.hosts > 1 {
			return errTwoHosts
		}
		if len(value) == 0 && !s.connect {
			return errNoHost
		}
		if !all(value, hostByte) {
			return errHost
		}
	case is(name, "content-length"):
		if s.lengths++; s.lengths > 1 {
			return errTwoLengths
		}
		return s.contentLength(value)
	case is(name, "transfer-encoding"):
		if s.codings++; s.codings > 1 {
			return errTwoCodings
		}
		if !is(value, "chunked") {
			return errCoding
		}
	case is(name, "expect"):
		if !is(value, "100-continue") {
			return errExpect
		}
	case is(name, "upgrade"):
		s.upgrade = true
	case is(name, "trailer"):
		return announced(value)
	}
	return nil
}

// contentLength takes 1*DIGIT of at most 18 digits: more would not fit 63 bits,
// and a reader that wraps around is what an attacker hopes for.
func (s *headScan) contentLength(value []byte) *malformed {
	if len(value) == 0 || len(value) > 18 {
		return errLength
	}
	for _, c := range value {
		if !isDigit(c) {
			return errLength
		}
		s.length = s.length*10 + int64(c-'0')
	}
	return nil
}

// announced refuses trailers that would frame the message.
func announced(value []byte) *malformed {
	for _, name := range strings.Split(string(value), ",") {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "transfer-encoding", "trailer", "content-length":
			return errTrailer
		}
	}
	return nil
}

func (s *headScan) complete() *malformed {
	switch {
	case s.codings > 0 && s.lengths > 0:
		return errCodingLength
	case s.codings > 0 && s.old:
		return errOldCoding
	case s.hosts == 0 && !s.old && !s.connect:
		return errNoHost
	case s.connect && (s.codings > 0 || s.length > 0):
		return errConnectBody
	}
	return nil
}

// is compares without regard to the case of ASCII letters; want is lower case.
func is(b []byte, want string) bool {
	if len(b) != len(want) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != want[i] {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// head is one request's head as it came. The zero head is none.
type head struct {
	raw     string     // with the empty line; what had arrived of it when it was refused
	refused *malformed // nil: the request may be served
	slow    *marks     // what slowed it; nil for nothing
	upgrade bool       // what follows is another protocol, if the answer agrees
}

// fields returns the header lines in order, as they were spelled. Lines that are
// no fields, as a refused head may have, are left out.
func (h head) fields() []flow.Field {
	_, rest, _ := strings.Cut(h.raw, "\r\n")
	fields := make([]flow.Field, 0, min(strings.Count(rest, "\n"), maxFields))
	for len(rest) > 0 && len(fields) < maxFields {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\r"), ":")
		if ok && name != "" {
			fields = append(fields, flow.NewField(name, strings.Trim(value, " \t")))
		}
	}
	return fields
}

// request parts the request line. The parts are "" where it has none.
func (h head) request() (method, target, proto string) {
	line, _, _ := strings.Cut(h.raw, "\n")
	method, rest, _ := strings.Cut(strings.TrimSuffix(line, "\r"), " ")
	if i := strings.LastIndexByte(rest, ' '); i >= 0 {
		return method, rest[:i], rest[i+1:]
	}
	return method, rest, ""
}
