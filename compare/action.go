package compare

import (
	"strings"

	"telltale/flow"
)

// An action is what a request does, roughly: method, host and the shape of the path.
// Two runs of an app never send quite the same requests, but they do the same things.

// Limits of what is told apart.
const (
	maxActions  = 1 << 16 // actions of one capture; beyond that they are told apart more coarsely
	maxSegments = 8       // segments of a path
	maxSegment  = 48      // bytes of one: what is longer is data, not a name
)

// detail is how finely actions are told apart. A capture with more than maxActions of
// them, as that of a crawler, is seen from further away.
type detail int

const (
	wholePath detail = iota
	firstSegment
	hostAlone // not bounded by maxActions: hosts are kept by name everywhere
)

// anything stands for a part of a path that differs from run to run.
const anything = "*"

// appendAction appends the name of what a flow does: "GET api.example/users/*".
func appendAction(b []byte, f *flow.Flow, host string) []byte {
	b = append(b, f.Method()...)
	b = append(b, ' ')
	b = append(b, host...)
	path := strings.Trim(f.Path(), "/")
	for n := 0; path != ""; n++ {
		if n == maxSegments {
			return append(b, "/…"...)
		}
		var segment string
		segment, path, _ = strings.Cut(path, "/")
		b = append(b, '/')
		b = append(b, shape(segment)...)
	}
	return b
}

// shape returns a segment of a path, or what stands for it where it is a number, a
// date, an identifier or a token. An extension stays: "2652.zip" is "*.zip".
func shape(segment string) string {
	stem, extension := segment, ""
	if i := strings.LastIndexByte(segment, '.'); i > 0 && len(segment)-i <= 6 && isWord(segment[i+1:]) {
		stem, extension = segment[:i], segment[i:]
	}
	if len(stem) > maxSegment || variable(stem) || stem == anything {
		return anything + extension
	}
	return segment
}

// isWord reports whether s is made of letters, and of one digit at most (mp3, woff2).
func isWord(s string) bool {
	letters, digits := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			letters++
		case c >= '0' && c <= '9':
			digits++
		default:
			return false
		}
	}
	return letters > 0 && digits <= 1
}

// minHex and minToken are the lengths from which a word with digits is no longer a
// name: "cafe2" and "oauth2" are names, "3f2a91bc" is none.
const (
	minHex   = 8
	minToken = 16
)

// variable reports whether a part of a path is data: digits with punctuation (numbers,
// dates), hexadecimal with a digit (hashes, UUIDs), or a long word with digits.
func variable(s string) bool {
	digits, hex, letters := 0, 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
			hex++
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			letters++
		case strings.IndexByte("-_:.,=+~@", c) >= 0:
		default:
			return false
		}
	}
	switch {
	case digits == 0:
		return false
	case hex+letters == 0:
		return true
	case letters == 0:
		return digits+hex >= minHex
	}
	return len(s) >= minToken
}

// coarse returns the name of an action as it is at a level of detail. It undoes nothing:
// a coarser name has no finer one.
func coarse(name string, level detail) string {
	if level == wholePath {
		return name
	}
	end := strings.IndexByte(name, '/')
	if end < 0 {
		return name
	}
	if level == firstSegment {
		if next := strings.IndexByte(name[end+1:], '/'); next >= 0 {
			return name[:end+1+next] + "/…"
		}
		return name
	}
	return name[:end] + "/…"
}

// hostOf returns the host in the name of an action.
func hostOf(name string) string {
	_, name, _ = strings.Cut(name, " ")
	host, _, _ := strings.Cut(name, "/")
	return host
}

// actions gives the actions of one capture numbers.
type actions struct {
	limit  int
	level  detail
	number map[string]uint32
	names  []string // by number, at the level of detail
	buffer []byte
}

func newActions(limit int) *actions { return &actions{limit: limit, number: map[string]uint32{}} }

// of returns the number of what a flow does. It stays good when the level of detail
// changes; then several numbers may have one name.
func (a *actions) of(f *flow.Flow, host string) uint32 {
	a.buffer = appendAction(a.buffer[:0], f, host)
	if a.level == wholePath {
		if n, ok := a.number[string(a.buffer)]; ok { // without a copy
			return n
		}
	}
	name := coarse(string(a.buffer), a.level)
	n, ok := a.number[name]
	if !ok {
		n = uint32(len(a.names)) // names are kept, so that memory ends before numbers do
		a.names = append(a.names, name)
		a.number[name] = n
	}
	for len(a.number) > a.limit && a.level < hostAlone {
		a.retreat()
	}
	return n
}

// retreat goes to the next level of detail. Which one is reached depends on the flows
// alone and not on their order: each is left when it has more names than the limit.
func (a *actions) retreat() {
	a.level++
	clear(a.number)
	for i, name := range a.names {
		a.names[i] = coarse(name, a.level)
		if _, ok := a.number[a.names[i]]; !ok {
			a.number[a.names[i]] = uint32(i)
		}
	}
}
