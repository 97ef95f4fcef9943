package hermes

import (
	"telltale/locate/reading"
)

// How texts come together, in the words of a [reading.Joined].
const (
	howAdded      = "strings added up"
	howConcat     = "strings put together by concat"
	howArray      = "strings of an array, put together by join"
	howNeighbours = "strings of one function, in their order"
)

// Bounds of what is put together: no address is longer, and damaged or hostile code could go on
// without end.
const (
	longestSum       = 1 << 12 // bytes of one text
	longestNeighbour = 256     // bytes of a string that may be a part of another text
	joinedPerByte    = 4       // bytes and parts of all, for each byte of the file
	maxSums          = 1 << 15 // of one function
)

// A sum is a text that code puts together of two.
type sum struct {
	left, right value
	length      int // bytes, about
	parts       int
	how         string
	used        bool // in another sum, which tells it
}

// A joiner collects the sums of a function, and tells them.
type joiner struct {
	b      *Bytecode
	visit  func(reading.Joined) bool
	tracer *tracer
	sums   []sum
	budget int
	joined reading.Joined // whose memory is used again
}

// Joined implements [reading.Joiner]. Sure are texts of constants that one stretch of code adds
// up or joins; else they are the strings that a function loads, one behind the other.
func (b *Bytecode) Joined(visit func(reading.Joined) bool) {
	if b.set == nil {
		return
	}
	j := &joiner{b: b, visit: visit, tracer: newTracer(b), budget: joinedPerByte * len(b.data)}
	j.tracer.onAdd = func(left, right value) value { return j.add(left, right, howAdded) }
	j.tracer.onResult = j.result
	functions := b.allFunctions()
	for id := range functions {
		if functions[id].shared || !b.putsTogether(&functions[id]) {
			continue
		}
		j.sums = j.sums[:0]
		j.tracer.run(id)
		if !j.tellSums() || !j.tellNeighbours(&functions[id]) {
			return
		}
	}
}

// putsTogether reports whether a function has two strings or an array.
func (b *Bytecode) putsTogether(f *function) bool {
	count := 0
	b.visitCode(f, func(o *opcode, _ int) bool {
		switch o.means {
		case loadString:
			count++
		case newArrayBuffer:
			count += 2
		}
		return count < 2
	})
	return count >= 2
}

// add makes the sum of two constants; unknown where one is none.
func (j *joiner) add(left, right value, how string) value {
	if len(j.sums) >= maxSums || !left.constant() || !right.constant() || left.kind == isNumber && right.kind == isNumber {
		return value{}
	}
	made := sum{left: left, right: right, how: how}
	for _, v := range [2]value{left, right} {
		length, parts := j.measure(v)
		made.length += length
		made.parts += parts
	}
	if made.length > longestSum || made.parts > longestSum {
		return value{}
	}
	for _, v := range [2]value{left, right} {
		if v.kind == isSum {
			j.sums[v.id].used = true
		}
	}
	j.sums = append(j.sums, made)
	return value{kind: isSum, id: uint32(len(j.sums) - 1)}
}

func (j *joiner) measure(v value) (length, parts int) {
	switch v.kind {
	case isString:
		return j.b.string(int(v.id)).len(), 1
	case isSum:
		return j.sums[v.id].length, j.sums[v.id].parts
	}
	return len(v.number()), 1
}

// result is what a call of concat or join makes.
func (j *joiner) result(callee value, args []value, _ int) value {
	if callee.kind != isMember || len(args) == 0 {
		return value{}
	}
	switch this := args[0]; {
	case this.constant() && j.b.is(int(callee.id), "concat"):
		for _, arg := range args[1:] {
			if this = j.add(this, arg, howConcat); this.kind != isSum {
				break
			}
		}
		return this
	case this.kind == isArray && len(args) == 2 && args[1].kind == isString && j.b.is(int(callee.id), "join"):
		return j.join(this, args[1])
	}
	return value{}
}

// join puts the literals of an array together.
func (j *joiner) join(array, between value) value {
	var made value
	bad := false
	j.b.visitLiterals(j.b.layout.arrays, int(array.id), min(int(array.bits), longestSum), func(i int, l literal) bool {
		l.from = array.from
		if i == 0 {
			made, bad = l.value, !l.constant()
			return !bad
		}
		if len(j.b.bytes(int(between.id))) > 0 {
			made = j.add(made, between, howArray)
		}
		made = j.add(made, l.value, howArray)
		bad = made.kind != isSum
		return !bad
	})
	if bad {
		return value{}
	}
	return made
}

func (j *joiner) tellSums() bool {
	for i := range j.sums {
		if s := &j.sums[i]; !s.used {
			j.begin(s.how, true)
			j.flatten(value{kind: isSum, id: uint32(i)})
			if !j.tell() {
				return false
			}
		}
	}
	return true
}

// flatten appends the parts of a value in their order. Its depth is that of parts, which
// longestSum bounds.
func (j *joiner) flatten(v value) {
	switch v.kind {
	case isSum:
		j.flatten(j.sums[v.id].left)
		j.flatten(j.sums[v.id].right)
	case isString:
		j.part(j.b.string(int(v.id)).span, int(v.id), "")
	default:
		o := &j.b.set[j.b.data[v.from]]
		j.part(span{int(v.from), int(v.from) + int(o.size)}, -1, v.number())
	}
}

// tellNeighbours tells the strings that a function loads or has in arrays.
func (j *joiner) tellNeighbours(f *function) bool {
	j.begin(howNeighbours, false)
	j.b.visitCode(f, func(o *opcode, at int) bool {
		switch o.means {
		case loadString:
			j.neighbour(o.stringID(j.b.data[at:]))
		case newArrayBuffer:
			code := j.b.data[at:]
			j.b.visitLiterals(j.b.layout.arrays, o.operand(code, 3), o.operand(code, 2), func(_ int, l literal) bool {
				if l.kind == isString {
					j.neighbour(int(l.id))
				}
				j.budget--
				return j.budget > len(j.joined.Value)
			})
		}
		return j.budget > len(j.joined.Value)
	})
	if len(j.joined.Parts) < 2 {
		return true
	}
	return j.tell()
}

func (j *joiner) neighbour(id int) {
	if text := j.b.bytes(id); len(text) > 0 && len(text) <= longestNeighbour {
		j.part(j.b.string(id).span, id, "")
	}
}

func (j *joiner) begin(how string, sure bool) {
	j.joined = reading.Joined{Value: j.joined.Value[:0], Parts: j.joined.Parts[:0], How: how, Sure: sure}
}

// part appends a string of the table, or a text that stands somewhere else.
func (j *joiner) part(at span, id int, text string) {
	j.joined.Parts = append(j.joined.Parts, reading.Part{At: len(j.joined.Value), Start: at.start, End: at.end})
	if id >= 0 {
		j.joined.Value = j.b.appendString(j.joined.Value, id)
	} else {
		j.joined.Value = append(j.joined.Value, text...)
	}
}

func (j *joiner) tell() bool {
	j.budget -= len(j.joined.Value) + len(j.joined.Parts)
	return j.budget > 0 && j.visit(j.joined)
}
