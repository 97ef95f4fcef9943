package resources

import (
	"slices"
	"sort"
	"strconv"

	"telltale/locate/reading"
)

// tableUse says that a value is a string of the pool.
type tableUse struct {
	text        uint32
	pack, chunk uint16
	index, nth  int32
	key, item   uint32
}

// tableUses are sorted by their strings.
type tableUses []tableUse

// Place names the resource whose value the string is, and the configuration.
func (t *table) Place(start, _ int) (p reading.Place) {
	i, ok := t.pool.find(start)
	if !ok {
		p.Section = t.elsewhere(start)
		return p
	}
	p.LiteralStart, p.LiteralEnd, _ = t.pool.span(i)
	if !t.pool.utf8 {
		p.Literal = t.pool.literal(p.LiteralStart, p.LiteralEnd)
	}
	t.once.Do(t.index)
	n, found := slices.BinarySearchFunc(t.uses, i, func(u tableUse, text uint32) int { return int(int64(u.text) - int64(text)) })
	if !found {
		p.Section = "string pool, string " + strconv.Itoa(int(i))
		return p
	}
	u := t.uses[n]
	p.Section = t.section(&resource{pack: int(u.pack), chunk: int(u.chunk), index: int(u.index), key: u.key, item: u.item, nth: int(u.nth)})
	if more := sort.Search(len(t.uses)-n-1, func(k int) bool { return t.uses[n+1+k].text > i }); more > 0 {
		p.Section += " and " + strconv.Itoa(more) + " more"
	}
	return p
}

// index lists the values that are strings.
func (t *table) index() {
	t.visit(func(r *resource) bool {
		if r.value.kind == typeString && r.pack < 1<<16 && r.chunk < 1<<16 {
			t.uses = append(t.uses, tableUse{text: r.value.data, pack: uint16(r.pack), chunk: uint16(r.chunk),
				index: int32(r.index), nth: int32(r.nth), key: r.key, item: r.item})
		}
		return true
	})
	slices.SortStableFunc(t.uses, func(a, b tableUse) int { return int(int64(a.text) - int64(b.text)) })
}

// elsewhere names a place that is in no value.
func (t *table) elsewhere(at int) string {
	for p := range t.packages {
		pack := &t.packages[p]
		for _, names := range []*pool{pack.types, pack.keys} {
			if names == nil {
				continue
			}
			if _, ok := names.find(at); ok {
				return "names of resources"
			}
		}
	}
	return ""
}
