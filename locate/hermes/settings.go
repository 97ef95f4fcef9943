package hermes

import (
	"slices"

	"telltale/locate/reading"
)

// Settings implements [reading.Setter]: the keys of object literals and assignments of
// constants, function by function. A value that code decides is only told of a literal. Call
// is the method that gets the object, where it is a call in the same stretch of code.
func (b *Bytecode) Settings(names []string) []reading.Setting {
	if b.set == nil || len(names) == 0 {
		return nil
	}
	wanted := b.idsOf(names)
	if len(wanted) == 0 {
		return nil
	}
	var found []reading.Setting
	t := newTracer(b)
	t.withObjects, t.wanted = true, wanted
	t.onResult = t.handOver
	for _, id := range b.functionsUsing(wanted) {
		t.run(id)
		found = t.appendSettings(found)
	}
	return found
}

// handOver remembers the call that gets an object, and returns what comes of the call:
// something known only of Object.assign, into whose result its objects go.
func (t *tracer) handOver(callee value, args []value, _ int) value {
	var given []uint32
	for _, arg := range args[min(1, len(args)):] {
		if arg.kind == isObject {
			given = append(given, arg.id)
		}
	}
	if callee.kind == isMember && t.b.is(int(callee.id), "assign") && len(given) > 0 && len(t.objects) < maxObjects {
		t.objects = append(t.objects, object{})
		result := uint32(len(t.objects) - 1)
		for _, id := range given {
			t.objects[id].into = result
		}
		return value{kind: isObject, id: result}
	}
	for _, id := range given {
		if t.objects[id].call.kind == isUnknown {
			t.objects[id].call = callee
		}
	}
	return value{}
}

// callOf is the call that gets an object, or what it goes into.
func (t *tracer) callOf(o *object) value {
	for depth := 0; o.call.kind == isUnknown && o.into != 0 && depth < maxNesting; depth++ {
		o = &t.objects[o.into]
	}
	return o.call
}

// idsOf returns the ids of strings that read as one of the names.
func (b *Bytecode) idsOf(names []string) map[uint32]bool {
	known := make(map[string]bool, len(names))
	longest := 0
	for _, name := range names {
		known[name] = true
		longest = max(longest, len(name))
	}
	ids := map[uint32]bool{}
	for id := range b.stringCount() {
		s := b.string(id)
		if s.wide || s.len() > longest {
			continue
		}
		if text := b.bytes(id); known[string(text)] {
			ids[uint32(id)] = true
		}
	}
	return ids
}

// functionsUsing returns the functions that use one of some strings, without those whose code is
// that of another one.
func (b *Bytecode) functionsUsing(ids map[uint32]bool) []int {
	var found []int
	functions := b.allFunctions()
	for id := range ids {
		for _, u := range b.usesOf(int(id)) {
			if !functions[u.function].shared {
				found = append(found, int(u.function))
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// appendSettings appends what the objects of the function just run set.
func (t *tracer) appendSettings(to []reading.Setting) []reading.Setting {
	for i := range t.objects {
		o := &t.objects[i]
		call := t.callOf(o)
		for _, p := range o.properties {
			if !t.wanted[p.name] {
				continue
			}
			s := reading.Setting{Name: t.b.text(int(p.name)), Start: p.at.start, End: p.at.end}
			if p.value.literal() && t.spend(p.value) {
				s.Known, s.Value = true, t.literalText(p.value)
			}
			if call.kind == isMember {
				s.Call = t.b.text(int(call.id))
			}
			to = append(to, s)
		}
	}
	return to
}

// spend takes the bytes of a value from the budget, and reports whether they fit.
func (t *tracer) spend(v value) bool {
	if v.kind == isString {
		t.budget -= t.b.string(int(v.id)).len()
	}
	return t.budget > 0
}
