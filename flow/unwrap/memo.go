package unwrap

import (
	"hash/maphash"
	"sync/atomic"
)

// A Memo remembers texts of which somebody has found out that there is nothing in them. It
// forgets the older of two that fall on one place. It holds no text but 64 bits of a hash
// that is seeded anew with each process: that another text has the same is as unlikely as
// guessing a key of that length. It is safe for concurrent use; a Memo is made by NewMemo.
type Memo struct {
	seed   maphash.Seed
	hashes [memoSize]atomic.Uint64
}

const memoSize = 4096 // texts: 32 KiB

// NewMemo returns a Memo that knows nothing.
func NewMemo() *Memo { return &Memo{seed: maphash.MakeSeed()} }

// Has reports whether a text was added, and returns what Add takes to add it.
func (m *Memo) Has(text []byte) (hash uint64, ok bool) {
	hash = maphash.Bytes(m.seed, text) | 1 // 0 is an empty place
	return hash, m.hashes[hash>>32%memoSize].Load() == hash
}

// Add adds the text of which Has returned the hash.
func (m *Memo) Add(hash uint64) { m.hashes[hash>>32%memoSize].Store(hash) }
