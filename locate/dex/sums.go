package dex

import (
	"strconv"
	"unicode/utf8"

	"telltale/locate/reading"
)

// invoke follows a call: it adds up what methods of strings add up.
func (f *flow) invoke(in []byte, at int) {
	f.args = f.args[:0]
	if in[0] < opInvokeVirtualR {
		n := min(int(in[1]>>4), 5)
		for i := range min(n, 4) {
			f.args = append(f.args, u16(in, 4)>>(4*i)&15)
		}
		if n == 5 {
			f.args = append(f.args, uint32(in[1]&15))
		}
	} else {
		for i := range uint32(in[1]) {
			f.args = append(f.args, u16(in, 4)+i)
		}
	}
	method := u16(in, 2)
	what := other
	if int(method) < len(f.roles) {
		what = f.roles[method]
	}
	if f.call != nil {
		var data [8]datum
		n := copy(data[:], f.data(data[:0]))
		f.call(method, data[:n], at)
	}
	if what == other || len(f.args) == 0 || !f.concatenate(what) {
		for _, register := range f.args {
			f.escape(f.get(int(register)))
		}
	}
}

// data appends what is known of a call's first arguments, at most as many as dst can hold.
func (f *flow) data(dst []datum) []datum {
	for _, register := range f.args {
		if len(dst) == cap(dst) {
			break
		}
		dst = append(dst, f.get(int(register)))
	}
	return dst
}

// concatenate does what a method of strings does; false where it has too few arguments.
func (f *flow) concatenate(what role) bool {
	on := f.get(int(f.args[0]))
	var arg datum
	if len(f.args) > 1 {
		arg = f.get(int(f.args[1]))
	}
	switch what {
	case initBuilder, initBuilderText:
		made := f.make(nil)
		if what == initBuilderText {
			f.addDatum(made, arg)
		}
		f.set(int(f.args[0]), made)
	case appendText, appendChar, appendNumber, appendOther:
		if on.is != aSum {
			on = f.make([]piece{{}})
			f.set(int(f.args[0]), on)
		}
		switch {
		case what == appendOther:
			f.add(on, piece{})
		case what == appendChar && arg.is == aNumber:
			f.add(on, piece{aChar, arg.n})
		case what == appendNumber && arg.is == aNumber:
			f.add(on, piece{aNumber, arg.n})
		case what == appendText && arg.is != aNumber:
			f.addDatum(on, arg)
		default:
			f.add(on, piece{})
		}
		f.result = on
	case toString, valueOf:
		f.result = on
		if on.is == aSum {
			// The builder may grow further; the string will not.
			f.result = f.make(nil)
			f.addDatum(f.result, on)
			f.sums[f.result.n].fixed = true
		}
	case concat:
		if len(f.args) < 2 {
			return false
		}
		f.result = f.make(nil)
		f.addDatum(f.result, on)
		f.addDatum(f.result, arg)
		f.sums[f.result.n].fixed = true
	}
	return true
}

// make begins a sum.
func (f *flow) make(pieces []piece) datum {
	f.sums = append(f.sums, sum{pieces: pieces})
	return datum{aSum, uint32(len(f.sums) - 1)}
}

// add appends a piece to a sum.
func (f *flow) add(to datum, p piece) {
	s := &f.sums[to.n]
	s.used = false
	if len(s.pieces) < maxPieces {
		s.pieces = append(s.pieces, p)
	}
}

// addDatum appends what a register holds to a sum.
func (f *flow) addDatum(to, d datum) {
	if d.is != aSum {
		f.add(to, pieceOf(d))
		return
	}
	f.sums[d.n].used = true
	pieces := f.sums[d.n].pieces
	if f.copied += len(pieces); f.copied > maxCopied {
		pieces = []piece{{}}
	}
	for _, p := range pieces {
		f.add(to, p)
	}
}

// pieceOf is a register's string as a piece, or a gap.
func pieceOf(d datum) piece {
	if d.is == aText {
		return piece{aText, d.n}
	}
	return piece{}
}

// How texts are joined, in words.
const (
	addedUp      = "strings added up"
	ofOneMethod  = "strings of one method, in their order"
	ofOneClass   = "values of one class's static fields, in their order"
	maxJoinPart  = 1024 // a longer text is no part of a host
	maxJoinBytes = 1 << 16
)

// Joined visits what code adds up, then what stands together in each method and class.
func (d *document) Joined(visit func(reading.Joined) bool) {
	for _, p := range d.parts {
		j := &joiner{p: p, visit: visit, left: 8*len(p.data) + 1<<20}
		if !j.classes() || !j.methods() {
			return
		}
	}
}

// A joiner puts texts one behind the other.
type joiner struct {
	p     *part
	visit func(reading.Joined) bool
	left  int // bytes that may still be made, to stay in proportion to the file
	value []byte
	parts []reading.Part
}

// text adds a string of the file; a long one ends what was joined so far.
func (j *joiner) text(id uint32, how string, sure bool) bool {
	start, end := j.p.stringBounds(id)
	if start == end {
		return true
	}
	if end-start > maxJoinPart || len(j.value) > maxJoinBytes {
		return j.flush(how, sure)
	}
	j.parts = append(j.parts, reading.Part{At: len(j.value), Start: j.p.base + start, End: j.p.base + end})
	if b := j.p.data[start:end]; ascii(b) {
		j.value = append(j.value, b...)
	} else {
		j.value = appendUTF8(j.value, b)
	}
	return true
}

// flush hands out what was joined, if it is of several. It reports whether to go on.
func (j *joiner) flush(how string, sure bool) bool {
	more := true
	if n := len(j.parts); n > 1 || n == 1 && len(j.value) > j.parts[0].End-j.parts[0].Start {
		if j.left -= len(j.value); j.left < 0 {
			j.p.cut.Store(true)
			return false
		}
		more = j.visit(reading.Joined{Value: j.value, Parts: j.parts, How: how, Sure: sure})
	}
	j.value, j.parts = j.value[:0], j.parts[:0]
	return more
}

// classes joins the static values of each class.
func (j *joiner) classes() bool {
	budget := j.p.spending()
	var held []constant
	for id := range j.p.classes.n {
		held = j.p.constants(held[:0], j.p.class(id), budget)
		for _, c := range held {
			if !j.text(c.text, ofOneClass, false) {
				return false
			}
		}
		if !j.flush(ofOneClass, false) {
			return false
		}
	}
	return true
}

// methods joins what each method adds up, and all that it loads.
func (j *joiner) methods() bool {
	code := j.p.code()
	f := j.p.flow(j.p.finals())
	for i, m := range code.methods {
		loads := code.loadsOf(i)
		if len(loads) == 0 {
			continue
		}
		if f.run(m.item); !j.sums(f.sums) {
			return false
		}
		if len(loads) < 2 {
			continue
		}
		for _, l := range loads {
			if !j.text(l.text, ofOneMethod, false) {
				return false
			}
		}
		if !j.flush(ofOneMethod, false) {
			return false
		}
	}
	return true
}

// sums joins what a method added up, from gap to gap.
func (j *joiner) sums(sums []sum) bool {
	for _, s := range sums {
		if s.used {
			continue
		}
		for _, p := range s.pieces {
			ok := true
			switch p.is {
			case aText:
				ok = j.text(p.text, addedUp, true)
			case aNumber:
				j.value = strconv.AppendInt(j.value, int64(int32(p.text)), 10)
			case aChar:
				j.value = utf8.AppendRune(j.value, rune(p.text))
			default:
				ok = j.flush(addedUp, true)
			}
			if !ok {
				return false
			}
		}
		if !j.flush(addedUp, true) {
			return false
		}
	}
	return true
}

// finals are the static fields that hold one string for ever.
func (p *part) finals() map[uint32]uint32 {
	held := map[uint32]uint32{}
	budget := p.spending()
	var constants []constant
	for id := range p.classes.n {
		constants = p.constants(constants[:0], p.class(id), budget)
		for _, c := range constants {
			if c.final {
				held[c.field] = c.text
			}
		}
	}
	return held
}
