package script

import (
	"bytes"
	"slices"
	"sort"
	"strings"

	"telltale/locate/reading"
)

// Place says what is known of the bytes from start to end: line and column, the string, template or
// comment that holds them, the module, and by whom they are used.
//
// A User's Name is the way to the value, the outermost name first: the functions that are
// written around it, the variable or property that it becomes and the properties within,
// "default.reachabilityUrl". Names that a minifier made short are left out, unless all of them
// are; Obfuscated says so. Its Strings are the other properties of the same object.
//
// In a RAM bundle lines count from the start of the module, as React Native reports them.
// With a source map, Source is where the place was written.
func (d *Doc) Place(start, end int) reading.Place {
	start = min(max(start, d.code), len(d.src))
	var p reading.Place
	if start < d.code || len(d.src) == 0 {
		return p
	}
	ix := d.indexed()
	base, line := d.line(start)
	p.Line, p.Column = int(line.line)+1, int(line.column)+1
	p.Module = d.moduleAt(start)
	first := int(base)
	if m := enclosing(ix.modules, start); m != nil {
		first = int(m.start)
	}
	d.read(&p, start, first)
	if d.source != nil {
		p.Source = d.source.at(d.mapped(start, line))
	}
	return p
}

// line returns the line and column of a byte from 0, and where the text begins in which they count.
func (f *file) line(pos int) (base int32, at lineMark) {
	at = f.lineAt(pos)
	i := sort.Search(len(f.ram), func(i int) bool { return f.ram[i].start > pos }) - 1
	if i < 0 {
		return int32(f.code), at
	}
	from := f.lineAt(f.ram[i].start)
	at.line -= from.line
	if at.line == 0 {
		at.column -= from.column
		at.unit -= from.unit
	}
	return int32(f.ram[i].start), at
}

// mapped returns the line and column, from 0, by which the source map knows a byte. The map of a RAM
// bundle counts the lines of each module from an offset of its own.
func (d *Doc) mapped(pos int, at lineMark) (line, column int) {
	line = int(at.line)
	if m := enclosing(d.indexed().modules, pos); d.ram != nil && m != nil {
		line += d.source.offset(int(m.number))
	}
	return line, int(at.unit)
}

// moduleAt returns the module that holds pos, and its name as far as the bundle says.
func (d *Doc) moduleAt(pos int) *reading.Module {
	ix := d.indexed()
	var out *reading.Module
	low := 0
	if m := enclosing(ix.modules, pos); m != nil {
		out = &reading.Module{ID: d.idOf(m), Name: d.nameOf(m), Start: int(m.start), End: int(m.end)}
		low = out.Start
	}
	// What bundlers put together in one scope is kept apart by comments.
	i := sort.Search(len(ix.paths), func(i int) bool { return int(ix.paths[i].start) > pos }) - 1
	if i < 0 || int(ix.paths[i].start) < low {
		return out
	}
	if out == nil {
		out = &reading.Module{End: len(d.src)}
	}
	out.Name = string(d.src[ix.paths[i].start:ix.paths[i].end])
	out.Start = int(ix.paths[i].start)
	if i+1 < len(ix.paths) {
		out.End = min(out.End, int(ix.paths[i+1].start))
	}
	return out
}

// read fills in what the tokens around pos say. Names count from first on.
func (d *Doc) read(p *reading.Place, pos, first int) {
	l := d.reach(pos)
	if l.tok.kind == ended || int(l.tok.start) > pos {
		p.Section = "code"
	} else {
		d.literal(p, l.tok)
	}
	if l.tok.kind == remark {
		return
	}
	frames := l.frames
	if l.tok.kind == chunk && bytes.HasSuffix(l.text(l.tok), []byte("${")) && len(frames) > 0 {
		frames = frames[:len(frames)-1] // its own hole
	}
	if first == d.code { // in no module
		frames = append([]frame{l.root}, frames...)
	}
	if u, ok := d.user(frames, first); ok {
		p.Users = []reading.User{u}
	}
}

// reach returns a lexer that has read the token that holds pos, or the one behind it.
func (d *Doc) reach(pos int) lexer {
	if l, ok := d.long.At(pos); ok {
		return l
	}
	l := d.from(pos)
	for l.next() != ended && int(l.tok.end) <= pos {
	}
	if l.tok.end-l.tok.start > checkEvery {
		d.long.Keep(int(l.tok.start), int(l.tok.end), l)
	}
	return l
}

// longestLiteral is how long a literal with escapes is, in bytes, that is told decoded. Longer ones
// are code or data in themselves.
const longestLiteral = 64 << 10

// literal notes the bounds of a literal and, where it has escapes, what it means.
func (d *Doc) literal(p *reading.Place, t token) {
	p.Section = sections[t.kind]
	if t.kind != str && t.kind != chunk && t.kind != remark {
		return
	}
	in := inside(d.src, t)
	p.LiteralStart, p.LiteralEnd = int(in.start), int(in.end)
	raw := d.src[in.start:in.end]
	if t.kind != remark && len(raw) <= longestLiteral && bytes.IndexByte(raw, '\\') >= 0 {
		var ok bool
		if p.Literal, ok = d.meant.At(int(in.start)); !ok {
			p.Literal = string(decoded(raw, nil))
			d.meant.Keep(int(in.start), int(in.end), p.Literal)
		}
	}
}

// sections are what the parts of code are called.
var sections = [...]string{
	ended: "code", word: "code", number: "code", punct: "code",
	str: "string", chunk: "template", pattern: "regular expression", remark: "comment",
}

// mostNames is how many names a way has, at most: the last ones.
const mostNames = 4

// user returns who uses what stands in these brackets.
func (d *Doc) user(frames []frame, first int) (reading.User, bool) {
	var way, short []string
	add := func(s span) {
		name := strings.Trim(string(d.src[s.start:s.end]), `"'`)
		switch {
		case name == "" || len(name) > 128:
		case len(name) <= 2:
			short = append(short, name)
		case len(way) == 0 || way[len(way)-1] != name:
			way = append(way, name)
		}
	}
	offset := 0
	for _, f := range frames {
		if f.kind != 0 && int(f.start) < first {
			continue
		}
		if f.kind == 'f' {
			add(f.name)
			offset = int(f.start)
		}
		add(f.key)
	}
	u := reading.User{Offset: offset}
	if len(way) == 0 {
		way, u.Obfuscated = short, true
	}
	way = way[max(0, len(way)-mostNames):]
	u.Name = strings.Join(way, ".")
	u.Strings = d.siblings(frames)
	return u, u.Name != ""
}

// mostSiblings is how many properties of an object are told, and siblingReach within how many bytes.
const (
	mostSiblings = 24
	siblingReach = 16 << 10
)

// siblings returns the names of the properties of the innermost object that is written there.
func (d *Doc) siblings(frames []frame) []string {
	i := len(frames) - 1
	for i >= 0 && (frames[i].kind == '[' || frames[i].kind == '$') {
		i--
	}
	if i < 0 || frames[i].kind != '{' {
		return nil
	}
	start, key := int(frames[i].start), frames[i].key
	found, ok := d.file.siblings.At(start)
	if !ok {
		found = d.properties(start)
		d.file.siblings.Keep(start, start+1, found)
	}
	own := strings.Trim(string(d.src[key.start:key.end]), `"'`)
	var others []string
	for _, name := range found {
		if name != own && len(others) < mostSiblings {
			others = append(others, name)
		}
	}
	return others
}

// properties returns the names of the properties of the object that begins at start.
func (d *Doc) properties(start int) []string {
	l := lexer{src: d.src[:min(len(d.src), start+siblingReach)], state: state{pos: start}}
	l.before = token{kind: punct, op: '('} // it is an object, not a block
	l.tok = l.before
	var found []string
	for l.next() != ended && len(l.frames) > 0 && len(found) <= mostSiblings {
		if len(l.frames) != 1 || l.tok.kind != punct || l.tok.op != ':' {
			continue
		}
		key := l.frames[0].key
		name := strings.Trim(string(d.src[key.start:key.end]), `"'`)
		if name != "" && len(name) <= 64 && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found
}
