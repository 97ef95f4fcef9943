// Package needle finds many short texts in a long one, in one pass.
//
// A [Set] is compiled once and then searched by any number of goroutines. It promises
// that every place of every form is found, and that the time depends on the length of the
// text and hardly on the number of forms: thousands cost as much as one. Nothing is
// allocated while it searches.
//
// How: at every fourth byte of the text, the eight bytes that begin there are hashed and
// looked up in a table of bits that fits the processor's first cache. A form of eleven
// bytes or more has its first four such pieces in the table, so that one of them is met
// wherever it stands; shorter forms have the four bytes they begin with in a second table,
// which is asked at each byte. What the tables let through is compared with the forms
// themselves. (Karp and Rabin, "Efficient randomized pattern-matching algorithms", IBM
// Journal of Research and Development 31(2), 1987, is the idea of the hash; the stride is
// that of sampled indexes of q-grams.)
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

const (
	stride  = 4                  // bytes from one look at the text to the next
	piece   = 8                  // bytes that are looked at
	minLong = piece + stride - 1 // bytes of a form that has a piece at each offset into a stride

	longBits  = 19 // log2 of the bits in the table of pieces: 64 KiB
	shortBits = 16 // of the table of beginnings: 8 KiB
)

// A Set is compiled forms. It is safe for concurrent use.
type Set struct {
	forms []Form

	longSeen  *[1 << (longBits - 6)]uint64 // nil where there is no long form
	shortSeen *[1 << (shortBits - 6)]uint64
	long      index
	short     index
}

// Compile returns a set of forms, which must not be changed afterwards. A form of fewer
// than [MinForm] bytes is never found.
func Compile(forms []Form) *Set {
	s := &Set{forms: slices.Clone(forms)}
	var long, short []entry
	for i := range s.forms {
		b := s.forms[i].Bytes
		switch {
		case len(b) < MinForm:
		case len(b) < minLong:
			if s.shortSeen == nil {
				s.shortSeen = new([1 << (shortBits - 6)]uint64)
			}
			v := binary.LittleEndian.Uint32(b) | fold4
			h := hash4(v)
			s.shortSeen[h/64] |= 1 << (h % 64)
			short = append(short, entry{hash: h, check: v, form: uint32(i)})
		default:
			if s.longSeen == nil {
				s.longSeen = new([1 << (longBits - 6)]uint64)
			}
			for offset := range stride {
				v := binary.LittleEndian.Uint64(b[offset:]) | fold8
				h := hash8(v)
				s.longSeen[h/64] |= 1 << (h % 64)
				long = append(long, entry{hash: h, check: check8(v), form: uint32(i), offset: uint32(offset)})
			}
		}
	}
	s.long, s.short = newIndex(long, longBits), newIndex(short, shortBits)
	return s
}

// Every byte of a piece has this bit set before it is hashed, which makes one of the two
// cases of a letter. It makes one of some other pairs, too: the comparison tells.
const (
	fold8 = 0x2020202020202020
	fold4 = 0x20202020
)

// hash8 and hash4 multiply by the golden ratio and keep the upper bits (Knuth, The Art of
// Computer Programming, volume 3, 6.4).
func hash8(v uint64) uint64 { return v * 0x9e3779b97f4a7c15 >> (64 - longBits) }

func hash4(v uint32) uint64 { return uint64(v * 0x9e3779b1 >> (32 - shortBits)) }

// check8 is what is kept of a piece to tell it from most others of the same hash.
func check8(v uint64) uint32 { return uint32(v>>32) ^ uint32(v)<<1 }

// An entry is one piece of one form.
type entry struct {
	hash   uint64
	check  uint32
	form   uint32 // index into Set.forms
	offset uint32 // of the piece in the form, in bytes
}

// An index has the pieces by their hashes.
type index struct {
	shift  uint     // from a hash to its bucket
	starts []uint32 // where the pieces of each bucket start; one more for the end
	pieces []pieceOf
}

type pieceOf struct {
	check uint32
	at    uint32 // form and offset: form*stride + offset
}

func newIndex(entries []entry, bits uint) index {
	size := uint(6) // log2 of the buckets: about one for each piece
	for size < bits && 1<<size < len(entries) {
		size++
	}
	x := index{shift: bits - size, starts: make([]uint32, 1<<size+1), pieces: make([]pieceOf, len(entries))}
	slices.SortStableFunc(entries, func(a, b entry) int { return int(a.hash) - int(b.hash) })
	for i, e := range entries {
		x.pieces[i] = pieceOf{e.check, e.form*stride + e.offset}
		x.starts[e.hash>>x.shift+1]++
	}
	for i := 1; i < len(x.starts); i++ {
		x.starts[i] += x.starts[i-1]
	}
	return x
}

// bucket returns the pieces whose hash may be the given one.
func (x *index) bucket(hash uint64) []pieceOf {
	i := hash >> x.shift
	return x.pieces[x.starts[i]:x.starts[i+1]]
}

// Len returns how many forms the set has.
func (s *Set) Len() int { return len(s.forms) }

// Find calls found for each place where a form stands, until it returns false. Places come
// in no particular order, each of them once.
func (s *Set) Find(text []byte, found func(form *Form, start int) bool) {
	if len(text) < MinForm {
		return
	}
	if s.longSeen == nil && s.shortSeen == nil {
		return
	}
	if s.shortSeen == nil {
		s.findLong(text, found)
		return
	}
	s.findAll(text, found)
}

// findLong searches where every form is long.
func (s *Set) findLong(text []byte, found func(*Form, int) bool) {
	seen := s.longSeen
	for i := 0; i+piece <= len(text); i += stride {
		v := binary.LittleEndian.Uint64(text[i:]) | fold8
		h := hash8(v)
		if seen[h/64]>>(h%64)&1 != 0 && !s.matchLong(text, i, v, found) {
			return
		}
	}
}

// findAll searches for forms of every length. The eight bytes of one look hold the
// beginnings of all short forms that start in the stride.
func (s *Set) findAll(text []byte, found func(*Form, int) bool) {
	long, short := s.longSeen, s.shortSeen
	if long == nil {
		long = &noLong
	}
	i := 0
	for ; i+piece <= len(text); i += stride {
		v := binary.LittleEndian.Uint64(text[i:]) | fold8
		h := hash8(v)
		if long[h/64]>>(h%64)&1 != 0 && !s.matchLong(text, i, v, found) {
			return
		}
		h0, h1, h2, h3 := hash4(uint32(v)), hash4(uint32(v>>8)), hash4(uint32(v>>16)), hash4(uint32(v>>24))
		if (short[h0/64]>>(h0%64)|short[h1/64]>>(h1%64)|short[h2/64]>>(h2%64)|short[h3/64]>>(h3%64))&1 != 0 &&
			!s.matchShort(text, i, v, found) {
			return
		}
	}
	for ; i < len(text); i += stride { // the end, filled up: what does not belong to it is told by the comparison
		var end [piece]byte
		copy(end[:], text[i:])
		if !s.matchShort(text, i, binary.LittleEndian.Uint64(end[:])|fold8, found) {
			return
		}
	}
}

var noLong [1 << (longBits - 6)]uint64

// matchLong calls found for the forms that have a piece at a place of the text.
func (s *Set) matchLong(text []byte, at int, v uint64, found func(*Form, int) bool) bool {
	check := check8(v)
	for _, p := range s.long.bucket(hash8(v)) {
		if p.check != check {
			continue
		}
		form, start := &s.forms[p.at/stride], at-int(p.at%stride)
		if start >= 0 && form.stands(text[start:]) && !found(form, start) {
			return false
		}
	}
	return true
}

// matchShort calls found for the forms that start within a stride of a place in the text,
// whose eight bytes are v.
func (s *Set) matchShort(text []byte, at int, v uint64, found func(*Form, int) bool) bool {
	for start := at; start < min(at+stride, len(text)); start++ {
		beginning := uint32(v)
		v >>= 8
		for _, p := range s.short.bucket(hash4(beginning)) {
			if p.check != beginning {
				continue
			}
			form := &s.forms[p.at/stride]
			if form.stands(text[start:]) && !found(form, start) {
				return false
			}
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
