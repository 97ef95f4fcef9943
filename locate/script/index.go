package script

import (
	"bytes"
	"slices"
	"sort"
	"strconv"
)

// An index is what one reading of the whole file leaves: where to begin to read again for one
// place, its modules, and what says whose code it is.
type index struct {
	checks  []checkpoint
	modules []module // in order, none inside of another
	clues   []clue   // in order
	paths   []clue   // comments of bundlers that name the file that follows, in order
	lines   []lineMark
}

// A checkpoint is the state of the lexer between two tokens.
type checkpoint struct {
	state
	frames []frame
}

// checkEvery is how many bytes are between checkpoints, at least.
const checkEvery = 8 << 10

// indexed returns the index, and makes it at the first call.
func (f *file) indexed() *index {
	f.once.Do(func() {
		f.index = &index{lines: markLines(f.src)}
		f.walk(f.index)
	})
	return f.index
}

// walk reads the file for the index.
func (f *file) walk(ix *index) {
	l := f.lexer()
	find := newFinder(&l, ix)
	due := 0
	for {
		if l.pos >= due {
			ix.checks = append(ix.checks, checkpoint{l.state, slices.Clone(l.frames)})
			due = l.pos + checkEvery
		}
		switch l.next() {
		case ended:
			find.end()
			if f.ram != nil {
				ix.modules = f.ramModules(ix.modules)
			}
			return
		case remark:
			find.remark()
		default:
			find.token()
		}
	}
}

// ramModules returns the modules of the table, with what the code says of them.
func (f *file) ramModules(found []module) []module {
	modules := make([]module, 0, len(f.ram))
	for _, s := range f.ram {
		if s.id < 0 || s.start == s.end {
			continue
		}
		m := module{span: span{int32(s.start), int32(s.end)}, number: int32(s.id)}
		// The code of a module is one call, whose arguments say the rest.
		if i := sort.Search(len(found), func(i int) bool { return int(found[i].start) >= s.start }); i < len(found) && int(found[i].start) < s.end {
			m.name, m.deps = found[i].name, found[i].deps
		}
		modules = append(modules, m)
	}
	return modules
}

// from returns a lexer that is about to read what stands at pos.
func (f *file) from(pos int) lexer {
	checks := f.indexed().checks
	i := sort.Search(len(checks), func(i int) bool { return checks[i].pos > pos }) - 1
	l := f.lexer()
	if i >= 0 {
		l.state = checks[i].state
		l.frames = slices.Clone(checks[i].frames)
	}
	return l
}

// A module is one of a bundle.
type module struct {
	span
	id     span  // its number or name
	number int32 // its id, where id is empty
	name   span  // its path, where the bundle says; empty
	deps   span  // the array of what it depends on; empty
}

// enclosing returns the module that holds pos, nil without one.
func enclosing(modules []module, pos int) *module {
	i := sort.Search(len(modules), func(i int) bool { return int(modules[i].start) > pos }) - 1
	if i < 0 || pos >= int(modules[i].end) {
		return nil
	}
	return &modules[i]
}

// idOf returns the number or the name of a module. Minifiers write 1000 as 1e3.
func (f *file) idOf(m *module) string {
	if m.id.empty() {
		return strconv.Itoa(int(m.number))
	}
	text := string(f.src[m.id.start:m.id.end])
	if n, err := strconv.ParseFloat(text, 64); err == nil && n >= 0 && n < 1<<53 {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return text
}

// nameOf returns the path of a module, "" where the bundle has none.
func (f *file) nameOf(m *module) string {
	if !m.name.empty() {
		return string(decoded(f.src[m.name.start:m.name.end], nil))
	}
	if id := f.src[m.id.start:m.id.end]; bytes.IndexByte(id, '/') >= 0 {
		return string(id)
	}
	return ""
}

// depsOf returns the ids of the modules that a module depends on, in its order.
func (f *file) depsOf(m *module) []string {
	if m.deps.empty() {
		return nil
	}
	l := lexer{src: f.src[:m.deps.end], state: state{pos: int(m.deps.start)}}
	var ids []string
	for {
		switch l.next() {
		case ended:
			return ids
		case number:
			ids = append(ids, f.idOf(&module{id: span{l.tok.start, l.tok.end}}))
		case str:
			in := inside(f.src, l.tok)
			ids = append(ids, string(f.src[in.start:in.end]))
		case word: // null: it is not in the bundle
			ids = append(ids, "")
		}
	}
}

// A lineMark is what precedes a block of the file.
type lineMark struct {
	line         int32 // line feeds
	column, unit int32 // characters since the last one, and UTF-16 units
}

// lineEvery is how many bytes are between two marks.
const lineEvery = 4 << 10

func markLines(src []byte) []lineMark {
	marks := make([]lineMark, 0, len(src)/lineEvery+1)
	var at lineMark
	for start := 0; start <= len(src); start += lineEvery {
		marks = append(marks, at)
		at = at.over(src[start:min(start+lineEvery, len(src))])
	}
	return marks
}

// over returns the mark behind b.
func (m lineMark) over(b []byte) lineMark {
	for _, c := range b {
		switch {
		case c == '\n':
			m.line, m.column, m.unit = m.line+1, 0, 0
		case c < 0x80:
			m.column, m.unit = m.column+1, m.unit+1
		case c >= 0xf0:
			m.column, m.unit = m.column+1, m.unit+2
		case c >= 0xc0:
			m.column, m.unit = m.column+1, m.unit+1
		}
	}
	return m
}

// lineAt returns the line and column of a byte, from 0.
func (f *file) lineAt(pos int) lineMark {
	i := pos / lineEvery
	return f.indexed().lines[i].over(f.src[i*lineEvery : pos])
}
