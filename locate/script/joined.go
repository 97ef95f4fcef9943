package script

import (
	"bytes"

	"telltale/locate/reading"
)

// How texts are joined, in words.
const (
	howAdded    = "strings added up"
	howJoined   = "elements of an array, joined"
	howEscaped  = "escapes decoded"
	howElements = "elements of one array, in their order"
)

// Joined calls visit for the texts that code makes of literals: what + adds, what concat and join put
// together, templates with literals filled in, and literals that are written with escapes. A name
// that was given a literal before in the same scope, and nothing else since, stands for it.
//
// Sure is false for the elements of a short array that nothing joins on the spot.
func (d *Doc) Joined(visit func(reading.Joined) bool) {
	j := joiner{lexer: d.lexer(), visit: visit, budget: len(d.src), declared: -1}
	for !j.stopped {
		j.value = j.operand
		switch j.next() {
		case ended:
			j.finishArray(false)
			j.flush()
			return
		case remark:
		default:
			j.names.see(&j)
			j.array()
			j.token()
		}
	}
}

// A joiner follows one chain of operands at a time.
type joiner struct {
	lexer
	visit   func(reading.Joined) bool
	stopped bool

	pieces []span
	last   int // the number of pieces before the last operand, which may yet be part of something else
	state  chainState
	concat int  // how many brackets were open in the arguments of concat; 0 outside
	value  bool // a value had ended before the token
	member bool // the last word is a property: a.word
	names  constants
	list   arrayOfStrings

	declared int // how many brackets are open around the declaration that is read; -1 outside
	budget   int // how many bytes names may still add: each literal is written once, and used often

	out   []byte
	parts []reading.Part
	read  decoder
}

// A chainState is what may go on a chain.
type chainState uint8

const (
	idle     chainState = iota // an operand begins a chain
	afterOne                   // an operand was read
	wantsOne                   // +, a comma of concat or ${ was read
	afterDot                   // an operand and a dot
	isConcat                   // an operand and .concat
)

// token goes on with the chain, or ends it.
func (j *joiner) token() {
	switch t := j.tok; t.kind {
	case str:
		j.operandIs(inside(j.src, t))
	case chunk:
		j.template(t)
	case number:
		if j.state != wantsOne {
			j.flush()
			return
		}
		j.operandIs(span{t.start, t.end})
	case word:
		j.word()
	case punct:
		j.mark(t.op)
	default:
		j.flush()
	}
}

// operandIs adds an operand; it begins a chain where none waits for one.
func (j *joiner) operandIs(s span) {
	if j.state != wantsOne {
		j.flush()
	}
	j.last = len(j.pieces)
	if !s.empty() {
		j.pieces = append(j.pieces, s)
	}
	j.state = afterOne
}

// template adds the characters of a template. A hole with one operand in it is part of the chain.
func (j *joiner) template(t token) {
	if j.src[t.start] == '}' && j.state == afterOne {
		j.state = wantsOne
	}
	j.operandIs(inside(j.src, t))
	if bytes.HasSuffix(j.text(t), []byte("${")) {
		j.state = wantsOne
	}
}

// word adds what a name stands for.
func (j *joiner) word() {
	if j.state == afterDot && string(j.text(j.tok)) == "concat" {
		j.state = isConcat
		return
	}
	if j.state == wantsOne && j.tok.op == noKeyword {
		if s, ok := j.constant(j.tok); ok {
			j.operandIs(s)
			return
		}
	}
	j.flush()
}

// constant returns the literal that a name stands for.
func (j *joiner) constant(t token) (span, bool) {
	s, ok := j.names.find(j.src, j.text(t))
	if !ok || int(s.end-s.start) > j.budget {
		return span{}, false
	}
	j.budget -= int(s.end - s.start)
	return s, true
}

// mark goes on behind an operand.
func (j *joiner) mark(op byte) {
	depth := len(j.frames)
	switch op {
	case '+':
		if j.state == idle && j.before.kind == word && !j.member {
			if s, ok := j.constant(j.before); ok {
				j.operandIs(s)
			}
		}
		if j.state == afterOne {
			j.state = wantsOne
			return
		}
	case '.':
		if j.state == afterOne {
			j.state = afterDot
			return
		}
	case '(':
		if j.state == isConcat {
			j.concat, j.state = depth, wantsOne
			return
		}
		j.drop()
	case '[', '*', '/', '%', '-', opStep:
		j.drop()
	case ',':
		if j.concat > 0 && depth == j.concat {
			if j.state != afterOne {
				j.flush()
			}
			j.state = wantsOne
			return
		}
	case ')':
		if j.concat > 0 && depth == j.concat-1 {
			j.concat = 0
			if j.state == afterOne {
				return
			}
		}
	}
	j.flush()
}

// drop takes the last operand back: what is called, indexed or multiplied is not it.
func (j *joiner) drop() {
	if j.state == afterOne {
		j.pieces = j.pieces[:min(j.last, len(j.pieces))]
	}
}

// flush ends the chain and tells it.
func (j *joiner) flush() {
	if j.state == idle && j.concat == 0 {
		return
	}
	if j.state == afterDot || j.state == isConcat {
		j.state = afterOne
		j.drop()
	}
	if j.concat > len(j.frames) {
		j.concat = 0
	}
	pieces := j.pieces
	j.pieces, j.state, j.last = j.pieces[:0], idle, 0
	switch {
	case len(pieces) > 1:
		j.tell(pieces, nil, howAdded, true)
	case len(pieces) == 1 && hidden(j.src[pieces[0].start:pieces[0].end]):
		j.tell(pieces, nil, howEscaped, true)
	}
}

// hidden reports whether a literal has an escape that hides what it says: all but those that no
// address has.
func hidden(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 || i+1 >= len(raw) {
			return false
		}
		switch raw[i+1] {
		case 'n', 't', 'r', 'b', 'f', 'v', '"', '\'', '\\', '`', '$':
		default:
			return true
		}
		raw = raw[i+2:]
	}
}

// tell hands out what pieces make, with a separator between them.
func (j *joiner) tell(pieces []span, separator []byte, how string, sure bool) {
	j.out, j.parts = j.out[:0], j.parts[:0]
	for i, s := range pieces {
		if i > 0 {
			j.out = append(j.out, separator...)
		}
		j.parts = append(j.parts, reading.Part{At: len(j.out), Start: int(s.start), End: int(s.end)})
		j.out = append(j.out, j.read.of(j.src[s.start:s.end])...)
	}
	// Nothing shorter is an address, or is looked for.
	if len(j.out) >= 4 && !j.stopped {
		j.stopped = !j.visit(reading.Joined{Value: j.out, Parts: j.parts, How: how, Sure: sure})
	}
}

// An arrayOfStrings is an array literal that has held nothing but strings so far.
type arrayOfStrings struct {
	depth    int // how many brackets are open in it; 0 without one
	elements []span
	step     int // behind it: 1 ], 2 the dot, 3 join, 4 (, 5 the separator
	by       span
}

// longestList is how many elements an array has, at most, whose elements are taken for
// the parts of an address without a join.
const longestList = 32

// array follows an array of strings, up to its join.
func (j *joiner) array() {
	a := &j.list
	if a.depth == 0 && j.tok.op != '[' {
		return
	}
	t := j.tok
	if a.step > 0 {
		j.join(t)
	}
	switch {
	case t.kind == punct && t.op == '[' && !j.value:
		*a = arrayOfStrings{depth: len(j.frames), elements: a.elements[:0]}
	case a.depth == 0 || a.step > 0:
	case t.kind == str && j.before.kind == punct && (j.before.op == '[' || j.before.op == ','):
		a.elements = append(a.elements, inside(j.src, t))
	case t.kind == punct && t.op == ',' && len(j.frames) == a.depth:
	case t.kind == punct && t.op == ']' && len(j.frames) == a.depth-1 && len(a.elements) > 1:
		a.step = 1
	default:
		a.depth = 0
	}
}

// join takes the tokens behind an array.
func (j *joiner) join(t token) {
	a := &j.list
	switch {
	case a.step == 1 && t.kind == punct && t.op == '.',
		a.step == 2 && t.kind == word && string(j.text(t)) == "join",
		a.step == 3 && t.kind == punct && t.op == '(':
		a.step++
	case a.step == 4 && t.kind == str:
		a.by = inside(j.src, t)
		a.step++
	case a.step == 5 && t.kind == punct && t.op == ')':
		j.finishArray(true)
	default:
		j.finishArray(false)
	}
}

// finishArray tells the elements of the array that has ended.
func (j *joiner) finishArray(joins bool) {
	a := &j.list
	if a.step > 0 {
		by := bytes.Clone(j.read.of(j.src[a.by.start:a.by.end]))
		switch {
		case joins && len(by) <= 16:
			j.tell(a.elements, by, howJoined, true)
		case len(a.elements) <= longestList:
			if by, ok := j.likely(); ok {
				j.tell(a.elements, by, howElements, false)
			}
		}
	}
	a.step, a.depth = 0, 0
}

// likely returns what stands between the elements of an array that is joined elsewhere, if it is: nothing,
// where they bring dots or slashes themselves, and a dot where they look like the labels of a host.
// Most arrays of strings are neither.
func (j *joiner) likely() (by []byte, ok bool) {
	labels := true
	for _, s := range j.list.elements {
		text := j.src[s.start:s.end]
		if bytes.Contains(text, []byte("://")) || bytes.HasPrefix(text, []byte(".")) || bytes.HasSuffix(text, []byte(".")) {
			return nil, true
		}
		for _, c := range text {
			labels = labels && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-')
		}
	}
	last := j.list.elements[len(j.list.elements)-1]
	n := last.end - last.start
	return []byte("."), labels && n >= 2 && n <= 4
}
