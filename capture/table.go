package capture

import "slices"

// table maps keys to sums. One that lies over another starts from its rows and
// copies those that it changes.
type table[K comparable, V any] struct {
	base   *table[K, V] // of permanent rows; nil for these themselves
	rows   map[K]*V     // new ones and copies
	list   []*V         // new ones
	copies map[*V]*V    // of rows of the base
}

func newTable[K comparable, V any]() table[K, V] { return table[K, V]{rows: map[K]*V{}} }

// over returns a table that lies over t, which must not change while it is used.
func (t *table[K, V]) over() table[K, V] {
	return table[K, V]{base: t, rows: map[K]*V{}, copies: map[*V]*V{}}
}

// row returns the row of a key to be changed, made or copied from the base when it
// is touched for the first time.
func (t *table[K, V]) row(key K, create func(K) *V, clone func(*V) *V) *V {
	if v, ok := t.rows[key]; ok {
		return v
	}
	if t.base != nil {
		if b, ok := t.base.rows[key]; ok {
			v := clone(b)
			t.rows[key], t.copies[b] = v, v
			return v
		}
	}
	v := create(key)
	t.rows[key] = v
	t.list = append(t.list, v)
	return v
}

func (t *table[K, V]) len() int {
	if t.base == nil {
		return len(t.list)
	}
	return len(t.base.list) + len(t.list)
}

func (t *table[K, V]) has(key K) bool {
	_, ok := t.rows[key]
	if !ok && t.base != nil {
		_, ok = t.base.rows[key]
	}
	return ok
}

// sorted returns all rows in order. The slice is the table's own.
func (t *table[K, V]) sorted(compare func(a, b *V) int) []*V {
	if t.base == nil {
		slices.SortFunc(t.list, compare) // cheap, because it mostly is already
		return t.list
	}
	base := t.base.sorted(compare)
	all := make([]*V, 0, len(base)+len(t.list))
	for _, v := range base {
		if c, ok := t.copies[v]; ok {
			v = c
		}
		all = append(all, v)
	}
	if len(t.list) > 0 || len(t.copies) > 0 {
		all = append(all, t.list...)
		slices.SortFunc(all, compare)
	}
	return all
}
