package policy

import "bytes"

// Bounds of a number that is found however it is grouped, in digits: a phone number has at
// most 15 (ITU-T E.164), a number of an account or a card up to 34 (ISO 13616).
const (
	minGrouped = 8
	maxGrouped = 34
)

// secretNumbers are the values that are nothing but digits, by them.
type secretNumbers map[string]*secretForm

// add takes a value that is a number, as people group it or not.
func (s secretNumbers) add(secret int, value string) {
	digits := withoutSeparators(value)
	if !all(digits, isDigit) {
		return
	}
	digits = string(withoutExit([]byte(digits)))
	if len(digits) >= minGrouped && len(digits) <= maxGrouped && s[digits] == nil {
		s[digits] = &secretForm{secret: secret, how: "with other separators"}
	}
}

// withoutExit leaves out the 00 that stands for the plus of a phone number.
func withoutExit(digits []byte) []byte { return bytes.TrimPrefix(digits, []byte("00")) }

// find calls found for each value whose digits stand in a text in groups, until it returns
// false. The groups must have all digits of the value and no other: what stands beside them
// in a list or a date is another number.
func (s secretNumbers) find(text []byte, found func(form *secretForm, start, end int) bool) {
	var digits [maxGrouped + 2]byte
	for i := 0; i < len(text); i++ {
		if !isDigit(text[i]) {
			i = nextGrouped(text, i+1) - 1
			continue
		}
		start, n, groups := i, 0, 1
		end := i
		for i < len(text) {
			if isDigit(text[i]) {
				if n < len(digits) {
					digits[n] = text[i]
				}
				n++
				i++
				end = i
				continue
			}
			gap := gapOf(text[i:])
			if gap == 0 {
				break
			}
			i += gap
			groups++
		}
		if groups == 1 || n < minGrouped || n > len(digits) { // in one piece it is searched for as a text
			continue
		}
		form := s[string(digits[:n])]
		if form == nil {
			form = s[string(withoutExit(digits[:n]))]
		}
		if form != nil && !found(form, start, end) {
			return
		}
	}
}

// inGroups are the bytes that digits in groups consist of, with their separators.
var inGroups = func() (t [256]bool) {
	for _, c := range []byte("0123456789 .-/()\xa0\u00a0\u202f\u2011") {
		t[c] = true
	}
	return t
}()

// nextGrouped returns where the next digits in groups may begin, at i or later; len(text) for
// nowhere. It looks from the far end of the shortest ones, so that it skips most of a text.
func nextGrouped(text []byte, i int) int {
	for i+minGrouped < len(text) {
		k := i + minGrouped // one more for a separator
		for k >= i && inGroups[text[k]] {
			k--
		}
		if k < i {
			return i
		}
		i = k + 1
	}
	return len(text)
}

// separatorSize returns the length of the separator that text begins with, 0 without one:
// also the spaces and the hyphen that do not break a line (U+00A0, U+202F, U+2011), in UTF-8
// and ISO 8859-1.
func separatorSize(text []byte) int {
	if len(text) == 0 {
		return 0
	}
	switch text[0] {
	case ' ', '.', '-', '/', '(', ')', 0xa0:
		return 1
	case 0xc2:
		if bytes.HasPrefix(text, []byte("\u00a0")) {
			return 2
		}
	case 0xe2:
		if bytes.HasPrefix(text, []byte("\u202f")) || bytes.HasPrefix(text, []byte("\u2011")) {
			return 3
		}
	}
	return 0
}

// gapOf returns the length of what stands between two groups of digits where text begins: one
// separator, or two of which one is a bracket; 0 where the number ends.
func gapOf(text []byte) int {
	n, bracket := 0, false
	for count := 0; count < 3; count++ {
		size := separatorSize(text[n:])
		if size == 0 {
			return 0
		}
		bracket = bracket || text[n] == '(' || text[n] == ')'
		if n += size; n < len(text) && isDigit(text[n]) {
			if count == 0 || bracket {
				return n
			}
			return 0
		}
	}
	return 0
}
