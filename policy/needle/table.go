package needle

import (
	"encoding/binary"
	"slices"
)

// tableBits is log2 of the bits in a table: 128 KiB, of which one look needs one word.
const tableBits = 20

// A table knows the pieces of forms.
type table struct {
	seen [1 << (tableBits - 6)]uint64 // a bit for each hash
	// The pieces by their hashes: those of a bucket stand from one start to the next.
	shift  uint // from a hash to its bucket
	starts []uint32
	pieces []piece
}

// A piece is a few bytes of a form.
type piece struct {
	check uint32 // tells it from most others of its bucket
	at    uint32 // where it stands: the form's index * step + its offset there, in bytes
}

// Pieces are the lower bytes of a number whose first byte is that of the text. Every byte
// has the bit of fold set, which makes one of the two cases of a letter. It makes one of
// some other pairs, too: the comparison tells.
const (
	fold  = 0x2020202020202020
	four  = 1<<32 - 1
	three = 1<<24 - 1
)

// newTable returns the table of the forms that no table of longer pieces takes: those of
// up to longest bytes that have a piece of size bytes at each of the first offsets. It is
// nil where there is none.
func newTable(forms []Form, size, offsets, longest int) *table {
	type entry struct {
		hash uint64
		piece
	}
	var entries []entry
	for i := range forms {
		b := forms[i].Bytes
		if len(b) < size+offsets-1 || len(b) > longest {
			continue
		}
		for offset := range offsets {
			var bytes [sight]byte
			copy(bytes[:], b[offset:])
			v := (binary.LittleEndian.Uint64(bytes[:]) | fold) & (1<<(8*size) - 1)
			entries = append(entries, entry{hashOf(v), piece{checkOf(v), uint32(i*step + offset)}})
		}
	}
	if len(entries) == 0 {
		return nil
	}
	buckets := 6 // log2: about one bucket for each piece
	for buckets < tableBits && 1<<buckets < len(entries) {
		buckets++
	}
	t := &table{shift: uint(tableBits - buckets), starts: make([]uint32, 1<<buckets+1), pieces: make([]piece, len(entries))}
	slices.SortFunc(entries, func(a, b entry) int { return int(a.hash) - int(b.hash) })
	for i, e := range entries {
		t.seen[e.hash/64] |= 1 << (e.hash % 64)
		t.pieces[i] = e.piece
		t.starts[e.hash>>t.shift+1]++
	}
	for i := 1; i < len(t.starts); i++ {
		t.starts[i] += t.starts[i-1]
	}
	return t
}

// orNone returns a table that is there.
func orNone(t *table) *table {
	if t == nil {
		return &none
	}
	return t
}

var none table

// has reports whether a piece may be in the table: never false for one that is.
func (t *table) has(v uint64) bool {
	h := hashOf(v)
	return t.seen[h/64]>>(h%64)&1 != 0
}

// bucket returns the pieces that may be v.
func (t *table) bucket(v uint64) []piece {
	i := hashOf(v) >> t.shift
	return t.pieces[t.starts[i]:t.starts[i+1]]
}

// hashOf multiplies by the golden ratio and keeps the upper bits (Knuth, The Art of
// Computer Programming, volume 3, 6.4).
func hashOf(v uint64) uint64 { return v * 0x9e3779b97f4a7c15 >> (64 - tableBits) }

func checkOf(v uint64) uint32 { return uint32(v>>32) ^ uint32(v)<<1 }
