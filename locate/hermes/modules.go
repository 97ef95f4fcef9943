package hermes

import (
	"slices"
	"strconv"

	"telltale/locate/reading"
)

// A module is what the script defines by Metro's __d(factory, id, dependencies, name).
type module struct {
	factory int // function
	id      string
	name    string
	members span // in useIndex.members
}

// defines is the end of the name of the function that defines a module: a prefix may be
// configured (metro's globalPrefix).
const defines = "__d"

// findModules returns the modules that the script itself defines.
func (b *Bytecode) findModules() []module {
	var found []module
	functions := b.allFunctions()
	if b.layout.global < 0 || b.layout.global >= len(functions) {
		return nil
	}
	t := newTracer(b)
	t.onCall = func(callee value, args []value) {
		if callee.kind != isMember || !b.hasSuffix(int(callee.id), defines) || len(args) < 3 ||
			args[1].kind != isClosure || args[2].kind != isNumber && args[2].kind != isString {
			return
		}
		m := module{factory: int(args[1].id), id: t.literalText(args[2])}
		if len(args) > 4 && args[4].kind == isString {
			m.name = b.text(int(args[4].id))
		}
		found = append(found, m)
	}
	t.run(b.layout.global)
	return found
}

// placeInModules gives every function the module whose factory it is or stands in, and
// returns the functions of the modules.
func (b *Bytecode) placeInModules(modules []module) []uint32 {
	functions := b.allFunctions()
	for i := range modules {
		if factory := modules[i].factory; factory < len(functions) {
			functions[factory].module = int32(i)
		}
	}
	for i := range functions {
		for around, depth := i, 0; around >= 0 && depth < maxNesting; around, depth = int(functions[around].parent), depth+1 {
			if m := functions[around].module; m >= 0 {
				functions[i].module = m
				break
			}
		}
	}
	members := make([]uint32, 0, len(functions))
	for i := range functions {
		if functions[i].module >= 0 {
			members = append(members, uint32(i))
		}
	}
	slices.SortStableFunc(members, func(x, y uint32) int {
		return int(functions[x].module - functions[y].module)
	})
	for i := 0; i < len(members); {
		m, start := functions[members[i]].module, i
		for i < len(members) && functions[members[i]].module == m {
			i++
		}
		modules[m].members = span{start, i}
	}
	return members
}

// moduleOf returns the module that a function belongs to; nil without one.
func (b *Bytecode) moduleOf(function int) *reading.Module {
	m := b.allFunctions()[function].module
	if m < 0 {
		return nil
	}
	found := &b.index().modules[m]
	return &reading.Module{ID: found.id, Name: found.name}
}

// literalText writes a constant as JavaScript would turn it into a string.
func (t *tracer) literalText(v value) string {
	switch v.kind {
	case isString:
		return t.b.text(int(v.id))
	case isNumber:
		return v.number()
	case isTrue, isFalse:
		return strconv.FormatBool(v.kind == isTrue)
	case isNull:
		return "null"
	case isUndefined:
		return "undefined"
	}
	return ""
}
