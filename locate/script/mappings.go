package script

import "sort"

// An original is a place in a source, as a segment of the mappings gives it: from 0, and all
// -1 but for what was given. The sums go on over all segments (ECMA-426, "Mappings
// structure").
type original struct{ source, line, column, name int }

// A mapMark is where decoding of the mappings may begin: between two segments.
type mapMark struct {
	offset       int // in the mappings
	line, column int // of the generated code, of the segment before
	sums         original
	last         original // the segment before, if it is of this line; its source is -1 otherwise
}

// markEvery is how many bytes of mappings are between two marks.
const markEvery = 2 << 10

var nowhere = original{source: -1, name: -1}

// find returns what the last segment of a line at or before a column maps to.
func (m *Map) find(line, column int) (original, bool) {
	m.once.Do(m.mark)
	i := sort.Search(len(m.marks), func(i int) bool {
		k := &m.marks[i]
		return k.line > line || k.line == line && k.column > column
	})
	if i == 0 {
		return nowhere, false
	}
	at := m.marks[i-1]
	best := nowhere
	if at.line == line {
		best = at.last
	}
	for at.offset < len(m.mappings) && at.line <= line {
		if !m.step(&at) {
			continue
		}
		if at.line == line && at.column > column {
			break
		}
		if at.line == line {
			best = at.last
		}
	}
	return best, best.source >= 0
}

// mark reads all mappings once and leaves marks.
func (m *Map) mark() {
	at := mapMark{last: nowhere}
	due := 0
	for at.offset < len(m.mappings) {
		if at.offset >= due {
			m.marks = append(m.marks, at)
			due = at.offset + markEvery
		}
		m.step(&at)
	}
}

// step reads one separator or one segment, and reports whether it was a segment.
func (m *Map) step(at *mapMark) bool {
	switch m.mappings[at.offset] {
	case ';':
		at.offset++
		at.line++
		at.column = 0
		at.last = nowhere
		return false
	case ',':
		at.offset++
		return false
	}
	var n [5]int
	count, length := vlqs(m.mappings[at.offset:], &n)
	at.offset += max(length, 1)
	if count == 0 {
		return false // what is none is skipped
	}
	at.column += n[0]
	at.last = nowhere
	if count < 4 {
		return true // generated code that nobody wrote
	}
	at.sums.source += n[1]
	at.sums.line += n[2]
	at.sums.column += n[3]
	at.last = original{at.sums.source, at.sums.line, at.sums.column, -1}
	if count == 5 {
		at.sums.name += n[4]
		at.last.name = at.sums.name
	}
	return true
}

// functionAt returns the name of the function that encloses a place of a source, by Metro's
// x_facebook_sources; "" where it does not say. Its mappings have a column, the index of a name and,
// at the first of a line, how many lines were passed: all of them as differences (metro-source-map,
// src/generateFunctionMap.js).
func (m *Map) functionAt(source, line, column int) string {
	if source >= len(m.functions) {
		return ""
	}
	names, mappings, ok := m.functionMap(m.functions[source])
	if !ok {
		return ""
	}
	var n [5]int
	found, name, at, col := -1, 0, 0, 0
	for i := 0; i < len(mappings); {
		switch mappings[i] {
		case ';':
			col = 0
			i++
			continue
		case ',':
			i++
			continue
		}
		count, length := vlqs(mappings[i:], &n)
		i += max(length, 1)
		if count < 2 {
			continue
		}
		col += n[0]
		name += n[1]
		if count > 2 {
			at += n[2]
		}
		if at > line || at == line && col > column {
			break
		}
		found = name
	}
	if found < 0 || found >= len(names) {
		return ""
	}
	switch text := m.text(names[found]); text {
	case "<global>", "<anonymous>":
		return ""
	default:
		return text
	}
}

// functionMap reads the first element of the array that is kept for a source.
func (m *Map) functionMap(value span) (names []span, mappings []byte, ok bool) {
	s := &scanner{src: m.data[:value.end], pos: int(value.start)}
	if s.peek() != '[' {
		return nil, nil, false
	}
	s.pos++
	if s.peek() != '{' {
		return nil, nil, false
	}
	err := s.object(func(key string) (err error) {
		switch key {
		case "names":
			names, err = s.texts()
		case "mappings":
			var text span
			text, err = s.text()
			mappings = s.src[text.start:text.end]
		default:
			err = s.skip()
		}
		return err
	})
	return names, mappings, err == nil
}
