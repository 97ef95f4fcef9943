package hermes

import (
	"slices"
	"sort"

	"telltale/locate/reading"
)

// Bounds of what is told of one place.
const (
	maxUsers       = 4
	maxTried       = 1 << 12 // uses of a string
	maxStrings     = 96
	smallModule    = 64      // functions
	searchedCode   = 1 << 16 // bytes of code, for strings of the same code
	longestSibling = 128     // bytes of such a string
)

// stringStorage is the section in which all texts stand.
const stringStorage = "string storage"

// DebugInformation is what a [reading.Source] is by that the bytecode itself tells.
const DebugInformation = "its debug information"

// Place implements [reading.Document]. In the string storage, the literal is the shortest
// string that holds the bytes, and Users have those who use it before those who use longer
// strings around it. The Offset of a [reading.User] is the address of its instruction: what stack
// traces and the compiler's source map call it ([Bytecode.MapPosition]), not an offset in the
// file. A Module has no bounds: its texts stand apart from each other. Source comes of debug
// information.
func (b *Bytecode) Place(start, end int) reading.Place {
	if b.layout == nil || start < 0 || end < start || start > len(b.data) {
		return reading.Place{}
	}
	p := reading.Place{Section: b.layout.sectionOf(start)}
	var uses []use
	switch p.Section {
	case stringStorage:
		holders := b.holders(start, end)
		if len(holders) == 0 {
			return p
		}
		s := b.string(holders[0])
		p.LiteralStart, p.LiteralEnd = s.start, s.end
		if s.wide {
			p.Literal = b.wideText(holders[0])
		}
		uses, p.More = b.firstUses(holders)
	case "code":
		uses = b.useAt(start)
	}
	if len(uses) == 0 {
		return p
	}
	for _, u := range uses {
		p.Users = append(p.Users, b.user(u, p.LiteralStart))
	}
	first := &b.functions[uses[0].function]
	p.Module = b.moduleOf(int(uses[0].function))
	if l, ok := b.locate(first, uses[0].offset); ok {
		p.Source = &reading.Source{File: l.file, Line: l.line, Column: l.column, By: DebugInformation}
	}
	return p
}

// firstUses returns one use of each of the first functions that use some strings, and how many
// functions more do; what many functions use, each of them once.
func (b *Bytecode) firstUses(ids []int) (first []use, more int) {
	if b.set == nil {
		return nil, 0
	}
	for _, id := range ids {
		last := uint32(1<<32 - 1)
		uses := b.usesOf(id)
		if left := len(uses) - maxTried; left > 0 {
			uses, more = uses[:maxTried], more+left
		}
		for _, u := range uses {
			switch {
			case u.function == last || slices.ContainsFunc(first, func(f use) bool { return f.function == u.function }):
			case len(first) < maxUsers:
				first = append(first, u)
			default:
				more++
			}
			last = u.function
		}
	}
	return first, more
}

// useAt is the place in the code of the first function that has it.
func (b *Bytecode) useAt(at int) []use {
	if b.set == nil {
		return nil
	}
	b.index()
	b.byCodeOnce.Do(b.orderCode)
	n := sort.Search(len(b.byCode), func(n int) bool { return b.functions[b.byCode[n]].code.start > at }) - 1
	if n < 0 || at >= b.functions[b.byCode[n]].code.end {
		return nil
	}
	return []use{{b.byCode[n], uint32(at - b.functions[b.byCode[n]].code.start)}}
}

// orderCode sorts the functions by where their code is.
func (b *Bytecode) orderCode() {
	start := func(id uint32) int { return b.functions[id].code.start }
	for id := range b.functions {
		if b.functions[id].code.len() > 0 {
			b.byCode = append(b.byCode, uint32(id))
		}
	}
	slices.SortStableFunc(b.byCode, func(x, y uint32) int { return start(x) - start(y) })
	b.byCode = slices.CompactFunc(b.byCode, func(x, y uint32) bool { return start(x) == start(y) })
}

// wideText returns a string that is UTF-16, the same one for all places in it.
func (b *Bytecode) wideText(id int) string {
	s := b.string(id)
	text, ok := b.wide.At(s.start)
	if !ok {
		text = b.text(id)
		b.wide.Keep(s.start, s.start+1, text)
	}
	return text
}

// user tells of a function that uses a string, which stands at except.
func (b *Bytecode) user(u use, except int) reading.User {
	f := &b.functions[u.function]
	who := reading.User{Name: b.functionName(int(u.function)), Offset: f.address + int(u.offset)}
	if l, ok := b.locate(f, u.offset); ok {
		who.File, who.Line = l.file, l.line
	}
	seen := map[int]bool{}
	budget := searchedCode
	who.Strings = b.appendStrings(nil, f, except, &budget, seen)
	if f.module >= 0 {
		members := b.uses.modules[f.module].members
		if members.len() <= smallModule {
			for _, m := range b.uses.members[members.start:members.end] {
				if m != u.function {
					who.Strings = b.appendStrings(who.Strings, &b.functions[m], except, &budget, seen)
				}
			}
		}
	}
	return who
}

// appendStrings appends the strings of a function, but for that which stands at except.
func (b *Bytecode) appendStrings(to []string, f *function, except int, budget *int, seen map[int]bool) []string {
	b.visitCode(f, func(o *opcode, at int) bool {
		*budget--
		b.stringsOf(o, at, budget, func(id int) {
			s := b.string(id)
			if len(to) >= maxStrings || seen[id] || s.start == except || s.len() == 0 || s.len() > longestSibling {
				return
			}
			seen[id] = true
			to = append(to, b.text(id))
		})
		return len(to) < maxStrings && *budget > 0
	})
	return to
}
