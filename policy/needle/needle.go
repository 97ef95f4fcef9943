// Package needle finds many short texts in a long one, in one pass.
//
// A [Set] is compiled once and then searched by any number of goroutines. It promises
// that every place of every form is found, and that the time depends on the length of the
// text and hardly on the number of forms: thousands cost as much as one. Nothing is
// allocated while it searches.
//
// How: the text is looked at in steps of four bytes. The eight bytes that begin there are
// hashed and looked up in a table of bits; a form of eleven bytes or more has the pieces
// at its first four offsets in that table, so that one of them is met wherever it stands.
// Shorter forms have pieces of four bytes, or of three in steps of two, in tables of their
// own. What a table lets through is compared with the forms themselves. (The hash is the
// idea of Karp and Rabin, "Efficient randomized pattern-matching algorithms", IBM Journal
// of Research and Development 31(2), 1987; the steps are that of sampled indexes of
// q-grams.)
//
// It knows nothing of encodings: package policy makes a form of each. To see why a form
// is not found, search for it in itself: its length, and Fold with a capital in Bytes, are
// the usual reasons.
package needle

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// A Form is one text that is looked for.
type Form struct {
	Bytes []byte
	// Fold says that letters of ASCII match in either case. Bytes are then in lower case.
	Fold bool
	Tag  int // the caller's
}

// MinForm is the length of the shortest form that can be found, in bytes.
const MinForm = 4

// step is how far one look at the text is from the next, in bytes; sight is how much of it
// a look takes in.
const (
	step  = 4
	sight = 8
)

// A Set is compiled forms. It is safe for concurrent use.
type Set struct {
	forms []Form
	// By the length of the form: 11 bytes or more, 7 to 10, 4 to 6. Nil where there is none.
	long, middle, short *table
}

// Compile returns a set of forms, which must not be changed afterwards. A form of fewer
// than [MinForm] bytes is never found.
func Compile(forms []Form) *Set {
	s := &Set{forms: slices.Clone(forms)}
	s.long = newTable(s.forms, 8, step, 1<<30)
	s.middle = newTable(s.forms, 4, step, 8+step-2)
	s.short = newTable(s.forms, 3, step/2, 4+step-2)
	return s
}

// Len returns how many forms the set has.
func (s *Set) Len() int { return len(s.forms) }

// Find calls found for each place where a form stands, until it returns false. Places come
// in no particular order, each of them once.
func (s *Set) Find(text []byte, found func(form *Form, start int) bool) {
	switch {
	case s.middle == nil && s.short == nil && s.long == nil:
	case s.middle == nil && s.short == nil:
		s.findLong(text, found)
	default:
		s.findAll(text, found)
	}
}

// findLong searches where every form is long.
func (s *Set) findLong(text []byte, found func(*Form, int) bool) {
	t := s.long
	for i := 0; i+sight <= len(text); i += step {
		v := binary.LittleEndian.Uint64(text[i:]) | fold
		if t.has(v) && !s.match(t, text, i, v, found) {
			return
		}
	}
}

// findAll searches for forms of every length.
func (s *Set) findAll(text []byte, found func(*Form, int) bool) {
	long, middle, short := orNone(s.long), orNone(s.middle), orNone(s.short)
	for i := 0; i < len(text); i += step {
		var v uint64
		if i+sight <= len(text) {
			v = binary.LittleEndian.Uint64(text[i:]) | fold
		} else { // filled up: what does not belong to the text is told by the comparison
			var end [sight]byte
			copy(end[:], text[i:])
			v = binary.LittleEndian.Uint64(end[:]) | fold
		}
		if long.has(v) && !s.match(long, text, i, v, found) ||
			middle.has(v&four) && !s.match(middle, text, i, v&four, found) ||
			short.has(v&three) && !s.match(short, text, i, v&three, found) ||
			short.has(v>>16&three) && !s.match(short, text, i+2, v>>16&three, found) {
			return
		}
	}
}

// match calls found for the forms that have the piece v, which stands at a place of the text.
func (s *Set) match(t *table, text []byte, at int, v uint64, found func(*Form, int) bool) bool {
	check := checkOf(v)
	for _, p := range t.bucket(v) {
		if p.check != check {
			continue
		}
		form, start := &s.forms[p.at/step], at-int(p.at%step)
		if start >= 0 && start < len(text) && form.stands(text[start:]) && !found(form, start) {
			return false
		}
	}
	return true
}

// stands reports whether a text begins with the form.
func (f *Form) stands(text []byte) bool {
	if len(text) < len(f.Bytes) {
		return false
	}
	if !f.Fold {
		return bytes.Equal(text[:len(f.Bytes)], f.Bytes)
	}
	for i, c := range f.Bytes {
		if lower[text[i]] != c {
			return false
		}
	}
	return true
}

// lower maps capitals of ASCII to their small letters.
var lower = func() (table [256]byte) {
	for i := range table {
		table[i] = byte(i)
		if i >= 'A' && i <= 'Z' {
			table[i] += 'a' - 'A'
		}
	}
	return table
}()
