package contacts

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"telltale/flow"
)

// plainDigits writes the digits of other scripts as ASCII: Android formats times with
// those of the device's language.
func plainDigits(text []byte) string {
	if !slices.ContainsFunc(text, func(c byte) bool { return c >= utf8.RuneSelf }) {
		return string(text)
	}
	return strings.Map(func(r rune) rune {
		for _, zero := range [...]rune{0x660, 0x6f0, 0x966, 0x9e6, 0xe50, 0xff10} { // Arabic, Persian, Devanagari, Bengali, Thai, full width
			if r >= zero && r <= zero+9 {
				return '0' + r - zero
			}
		}
		return r
	}, string(text))
}

// layouts of times as text: ISO 8601 as phones write it, and without the zone.
var layouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"}

// moment reads a time: ISO 8601, or seconds or milliseconds since 1970. It is zero when
// it is none. A time without a zone is taken for UTC.
func moment(text []byte) time.Time {
	if len(text) == 0 || len(text) > 64 {
		return time.Time{}
	}
	s := plainDigits(text)
	if n, ok := number(s); ok {
		if n >= 1e11 { // seconds in the year 5138, milliseconds in 1973
			n /= 1e3
		}
		if n <= 0 || n > 253402300799 { // the year 9999
			return time.Time{}
		}
		whole, part := math.Modf(n)
		return time.Unix(int64(whole), int64(math.Round(part*1e3))*int64(time.Millisecond)).UTC()
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1970 {
			return t
		}
	}
	return time.Time{}
}

// number reads a number, also as a spreadsheet may have written it: "1,7E+12".
func number(s string) (float64, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && strings.Count(s, ",") == 1 {
		n, err = strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64)
	}
	return n, err == nil && !math.IsInf(n, 0)
}

// amount reads a count of bytes or packets, 0 for what is none.
func amount(text []byte) int64 {
	if len(text) > 32 {
		return 0
	}
	if n, ok := smallNumber(text); ok {
		return n
	}
	n, ok := number(plainDigits(text))
	if !ok || n < 0 || n >= math.MaxInt64 {
		return 0
	}
	return int64(n)
}

// smallNumber reads the usual case, a few digits.
func smallNumber(text []byte) (n int64, ok bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(text) > 0 && len(text) < 18
}

// port reads a port; false for what is none. An empty one is 0.
func port(text []byte) (uint16, bool) {
	if len(text) == 0 {
		return 0, true
	}
	if len(text) > 16 {
		return 0, false
	}
	n, err := strconv.ParseUint(plainDigits(text), 10, 16)
	return uint16(n), err == nil
}

// times makes the stages of a contact of which only the first and the last moment are
// known.
func times(first, last time.Time) flow.Times {
	if first.IsZero() {
		first = last
	}
	if last.Before(first) {
		last = first
	}
	t := flow.NoTimes(first)
	t.End = last
	return t
}

// maxHost is the longest name of DNS (RFC 1035, 2.3.4), with a dot at its end and as much
// again for scripts that are not ASCII.
const maxHost = 512

// isHost reports whether the text can be the name or address of a server. It is generous
// about the characters, for what an app asked for is a fact.
func isHost(text []byte) bool {
	if len(text) == 0 || len(text) > maxHost || !utf8.Valid(text) {
		return false
	}
	for _, c := range text {
		if c <= ' ' || c == 0x7f || c == '/' || c == '"' {
			return false
		}
	}
	return flow.CanonicalHost(string(text)) != ""
}

// errHost says that a row names no server.
var errHost = errors.New("expected the name or address of a server, found none")

// address reads an IP address; the zero address for what is none.
func address(text []byte) netip.Addr {
	if len(text) > 64 {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(string(bytes.Trim(text, "[]")))
	return a.Unmap()
}

// maxText bounds the texts that go into a flow's notes and names of apps.
const maxText = 200

// text makes a string of a text from a file.
func (in *input) text(b []byte) string {
	if len(b) > maxText {
		b = b[:maxText]
	}
	if !utf8.Valid(b) {
		b = bytes.ToValidUTF8(b, []byte("\uFFFD"))
	}
	return in.intern(b)
}
