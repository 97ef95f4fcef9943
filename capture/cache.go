package capture

// recent maps keys to values and forgets what was not used for a while: a map of
// new entries and one of old, of which the old one is dropped when the new one
// is full. An entry that is found moves to the new map.
type recent[K comparable, V any] struct {
	size     int
	new, old map[K]V
}

func newRecent[K comparable, V any](size int) *recent[K, V] {
	return &recent[K, V]{size: size, new: make(map[K]V)}
}

func (r *recent[K, V]) get(k K) (v V, ok bool) {
	if v, ok = r.new[k]; ok {
		return v, true
	}
	if v, ok = r.old[k]; ok {
		r.put(k, v)
	}
	return v, ok
}

func (r *recent[K, V]) put(k K, v V) {
	if len(r.new) >= r.size {
		r.old, r.new = r.new, make(map[K]V)
	}
	r.new[k] = v
}

// idSet is a set of flow IDs: they are dense, so a bit each in pages.
type idSet map[uint64]*[64]uint64

func (s idSet) add(id uint64) {
	page := s[id>>12]
	if page == nil {
		page = new([64]uint64)
		s[id>>12] = page
	}
	page[id>>6&63] |= 1 << (id & 63)
}

func (s idSet) has(id uint64) bool {
	page := s[id>>12]
	return page != nil && page[id>>6&63]&(1<<(id&63)) != 0
}
