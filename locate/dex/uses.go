package dex

// How a string is used.
const (
	byCode  = iota // an instruction loads it
	byField        // a static field holds it from the start
	byTag          // an annotation has it
)

// A use is one place that uses a string.
type use struct {
	text  uint32 // id of the string
	by    int
	owner int // index of the method in code, of the class, or of the tag in uses
	field uint32
	at    int // in part.data
}

// uses are all uses of strings, by string.
type uses struct {
	all   []use
	first []uint32 // of each string, and one more for the end
	tags  []tagged
}

// A tagged is an annotation and its class.
type tagged struct {
	class int
	tag
}

// of are the uses of a string: by code first, then by fields and annotations.
func (u *uses) of(text uint32) []use {
	return u.all[u.first[text]:u.first[text+1]]
}

// readUses makes the index, from one pass over code, static values and annotations.
func (p *part) readUses() *uses {
	u := &uses{}
	var found []use
	code := p.code()
	for i := range code.methods {
		for _, l := range code.loadsOf(i) {
			found = append(found, use{text: l.text, by: byCode, owner: i, at: l.at})
		}
	}
	budget := p.spending()
	var held []constant
	for id := range p.classes.n {
		class := p.class(id)
		held = p.constants(held[:0], class, budget)
		for _, c := range held {
			found = append(found, use{text: c.text, by: byField, owner: id, field: c.field, at: c.at})
		}
		p.annotations(class, budget, func(t tag, text uint32, at int) {
			found = append(found, use{text: text, by: byTag, owner: len(u.tags), at: at})
			u.tags = append(u.tags, tagged{id, t})
		})
	}
	u.sort(found, p.strings.n)
	if budget.left < 0 {
		p.cut.Store(true)
	}
	return u
}

// sort orders uses by string, and leaves out those of strings that do not exist.
func (u *uses) sort(found []use, n int) {
	u.first = make([]uint32, n+1)
	for _, f := range found {
		if int64(f.text) < int64(n) {
			u.first[f.text+1]++
		}
	}
	for i := range n {
		u.first[i+1] += u.first[i]
	}
	next := make([]uint32, n)
	copy(next, u.first)
	u.all = make([]use, u.first[n])
	for _, f := range found {
		if int64(f.text) < int64(n) {
			u.all[next[f.text]] = f
			next[f.text]++
		}
	}
}
