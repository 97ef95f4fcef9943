package dex

import (
	"slices"
	"strconv"
	"strings"

	"telltale/locate/reading"
)

// Settings returns what code hands to methods and fields of these names, or together with a text
// of these names: builder.reachabilityUrl("…"), client.setReachabilityUrl("…"),
// client.reachabilityUrl = "…", map.put("reachabilityUrl", "…"). Call is the method that gets
// it, with its class: "com.example.sdk.Options$Builder.reachabilityUrl".
func (d *document) Settings(names []string) []reading.Setting {
	var found []reading.Setting
	for _, p := range d.parts {
		s := &settings{p: p, found: found}
		if !s.look(names) {
			continue
		}
		s.constants()
		s.flow = p.flow(nil)
		s.flow.call, s.flow.put = s.call, s.put
		budget := p.spending()
		for _, m := range p.code().methods {
			if insns, ok := p.insns(m.item); ok && budget.spend(len(insns)) {
				s.flow.run(m.item)
			}
		}
		found = s.found
	}
	return found
}

// settings looks for values that go by a name.
type settings struct {
	p    *part
	flow *flow
	// named has the strings of the file that are names of settings, or of their setters, and the
	// setting of each.
	named map[uint32]string
	keys  map[uint32]bool // those that are the setting's name itself
	found []reading.Setting
}

// look finds the names among the strings; false if there is none.
func (s *settings) look(names []string) bool {
	s.named, s.keys = map[uint32]string{}, map[uint32]bool{}
	for _, name := range names {
		if name == "" {
			continue
		}
		if id, ok := s.p.find(name); ok {
			s.named[id], s.keys[id] = name, true
		}
		if id, ok := s.p.find("set" + strings.ToUpper(name[:1]) + name[1:]); ok {
			s.named[id] = name
		}
	}
	return len(s.named) > 0
}

// find looks a string of ASCII up: the table of strings is sorted.
func (p *part) find(text string) (id uint32, ok bool) {
	lo, hi := 0, p.strings.n
	for lo < hi {
		mid := (lo + hi) / 2
		start, end := p.stringBounds(uint32(mid))
		switch c := strings.Compare(string(p.data[start:end]), text); {
		case c == 0:
			return uint32(mid), true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return 0, false
}

// constants notes the static fields of these names that hold a string from the start.
func (s *settings) constants() {
	budget := s.p.spending()
	for id := range s.p.classes.n {
		for _, c := range s.p.constants(nil, s.p.class(id), budget) {
			m, _ := s.p.member(s.p.fields, c.field)
			if name, ok := s.named[m.name]; ok {
				s.add(name, datum{aText, c.text}, 'L', s.p.typeName(m.class)+"."+name, c.at)
			}
		}
	}
}

// call sees a call: of a setter, or with the name as a text and the value behind it.
func (s *settings) call(method uint32, args []datum, at int) {
	m, ok := s.p.member(s.p.methods, method)
	if !ok {
		return
	}
	setter, isSetter := s.named[m.name]
	isKeyed := slices.ContainsFunc(args, func(d datum) bool { return d.is == aText && s.keys[d.n] })
	if !isSetter && !isKeyed {
		return
	}
	shorty := s.p.shorty(m.kind)
	parameters := strings.TrimPrefix(shorty, shorty[:min(1, len(shorty))])
	this := len(args) - len(parameters)
	if this < 0 || this > 1 || strings.ContainsAny(parameters, "JD") {
		return // of two registers each, or more than were noted
	}
	call := s.p.typeName(m.class) + "." + s.p.text(m.name)
	if isSetter && len(parameters) == 1 {
		s.add(setter, args[this], parameters[0], call, at)
		return
	}
	for i := 0; i+1 < len(parameters); i++ {
		if key := args[this+i]; key.is == aText && s.keys[key.n] {
			s.add(s.named[key.n], args[this+i+1], parameters[i+1], call, at)
		}
	}
}

// put sees a field get a value.
func (s *settings) put(field uint32, value datum, at int) {
	m, ok := s.p.member(s.p.fields, field)
	if !ok || !s.keys[m.name] || value.is == unknown {
		return // constructors copy what they got: that says nothing
	}
	kind, _ := s.p.typeString(m.kind)
	letter := byte('L')
	if text := s.p.text(kind); text != "" {
		letter = text[0]
	}
	s.add(s.named[m.name], value, letter, s.p.typeName(m.class)+"."+s.named[m.name], at)
}

// add notes a setting. The letter of the value's type tells false from 0.
func (s *settings) add(name string, value datum, letter byte, call string, at int) {
	set := reading.Setting{Name: name, Call: call, Start: s.p.base + at, End: s.p.base + at + 2}
	switch value.is {
	case aText:
		start, end := s.p.stringBounds(value.n)
		set.Value, set.Known = s.p.text(value.n), true
		set.Start, set.End = s.p.base+start, s.p.base+end
	case aNumber:
		set.Value, set.Known = strconv.Itoa(int(int32(value.n))), true
		switch {
		case letter == 'Z':
			set.Value = strconv.FormatBool(value.n != 0)
		case letter == 'L' && value.n == 0:
			set.Value = "null"
		case letter != 'I' && letter != 'S' && letter != 'B':
			set.Value, set.Known = "", false
		}
	case aSum:
		set.Value, set.Known = s.flow.sumText(value.n)
	}
	s.found = append(s.found, set)
}

// sumText is what a sum of which all is known says.
func (f *flow) sumText(n uint32) (string, bool) {
	var b strings.Builder
	for _, p := range f.sums[n].pieces {
		switch p.is {
		case aText:
			b.WriteString(f.p.text(p.text))
		case aNumber:
			b.WriteString(strconv.Itoa(int(int32(p.text))))
		case aChar:
			b.WriteRune(rune(p.text))
		default:
			return "", false
		}
		if b.Len() > maxJoinBytes {
			return "", false
		}
	}
	return b.String(), true
}
