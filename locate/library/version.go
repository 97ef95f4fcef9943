package library

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// A span is the versions from first to last, both with it; "" leaves an end open.
type span struct{ first, last string }

// String says it in words: "5.5.0 to 6.0.6"; "" where both ends are open.
func (s span) String() string {
	switch {
	case s.first == "" && s.last == "":
		return ""
	case s.first == "":
		return "up to " + s.last
	case s.last == "":
		return s.first + " and later"
	case s.first == s.last:
		return s.first
	}
	return s.first + " to " + s.last
}

// has reports whether a version lies in it.
func (s span) has(version string) bool {
	return (s.first == "" || compareVersions(version, s.first) >= 0) && (s.last == "" || compareVersions(version, s.last) <= 0)
}

// meets reports whether two spans have a version in common.
func (s span) meets(o span) bool {
	before := func(a, b string) bool { return a != "" && b != "" && compareVersions(a, b) < 0 }
	return !before(s.last, o.first) && !before(o.last, s.first)
}

// compareVersions orders versions as semver.org says: numbers by value, and what is released
// after its pre-releases. Missing numbers are zero; what stands behind a + does not count.
func compareVersions(a, b string) int {
	a, b = strings.TrimPrefix(a, "v"), strings.TrimPrefix(b, "v")
	a, _, _ = strings.Cut(a, "+")
	b, _, _ = strings.Cut(b, "+")
	a, preA, isPreA := strings.Cut(a, "-")
	b, preB, isPreB := strings.Cut(b, "-")
	if c := compareParts(strings.Split(a, "."), strings.Split(b, "."), "0"); c != 0 {
		return c
	}
	switch {
	case isPreA != isPreB && isPreA:
		return -1
	case isPreA != isPreB:
		return 1
	}
	return compareParts(strings.Split(preA, "."), strings.Split(preB, "."), "")
}

func compareParts(a, b []string, missing string) int {
	for i := range max(len(a), len(b)) {
		x, y := missing, missing
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		m, errX := strconv.ParseUint(x, 10, 64)
		n, errY := strconv.ParseUint(y, 10, 64)
		switch {
		case errX == nil && errY == nil && m != n:
			return cmp.Compare(m, n)
		case errX == nil && errY == nil:
		case errX == nil && y != "":
			return -1 // a number stands before a word
		case errY == nil && x != "":
			return 1
		case x != y:
			return cmp.Compare(x, y)
		}
	}
	return 0
}

// told returns the versions that fit to the names which code has and, where whole says that
// all of the code is seen, to those which it lacks. The words say by which. Code without any of
// the names tells nothing: it may be somebody else's.
func (l *Library) told(code code, whole bool) (span, string) {
	var s span
	var has, lacks string
	for _, t := range l.Tells {
		switch {
		case code.has(t.Name):
			if s.first == "" || compareVersions(t.Since, s.first) > 0 {
				s.first, has = t.Since, t.Name
			}
		case whole && t.Before != "":
			if s.last == "" || compareVersions(t.Before, s.last) < 0 {
				s.last, lacks = t.Before, t.Name
			}
		}
	}
	if s.first != "" && s.last != "" && compareVersions(s.first, s.last) > 0 {
		s.last, lacks = "", "" // it has been changed, or a tool left out what is not used
	}
	switch {
	case has == "":
		return span{}, ""
	case lacks == "":
		return s, "its code, which has " + has
	}
	return s, "its code, which has " + has + " and lacks " + lacks
}

// code is what is seen of the code around an address.
type code struct {
	around []byte
	texts  []string
}

// has reports whether a name stands in it as a whole: not as a part of a longer one.
func (c code) has(name string) bool {
	if slices.Contains(c.texts, name) {
		return true
	}
	for from := 0; ; {
		at := bytes.Index(c.around[from:], []byte(name))
		if at < 0 {
			return false
		}
		at += from
		end := at + len(name)
		if (at == 0 || !inName(c.around[at-1])) && (end == len(c.around) || !inName(c.around[end])) {
			return true
		}
		from = at + 1
	}
}

func inName(b byte) bool {
	return b == '_' || b == '$' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}
