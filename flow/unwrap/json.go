package unwrap

import "bytes"

// maxLevels is how many levels of one JSON text have a place of their own.
const maxLevels = 200

// json takes JSON apart: a text (RFC 8259), several behind each other, or what looks like
// it. It does not check the grammar: each string and each run of other characters is a
// value wherever it stands, so that damage hides nothing.
func (w *walk) json(data []byte) {
	if w.value == nil && w.plainJSON(data) {
		return
	}
	n := len(w.steps)
	w.push(step{kind: atJSON})
	j := jsonWalk{walk: w, data: data, base: len(w.steps)}
	j.run()
	w.pop(n)
}

// plainJSON shows the texts in JSON of which nothing is encoded but, perhaps, runs of
// base64 and the like: they are found without its structure, which is much faster. It
// reports whether this is such JSON.
func (w *walk) plainJSON(data []byte) bool {
	flags := classify(data)
	// A plus sign is a space in the forms and URLs that may stand in a string.
	if flags&special != 0 || flags&hasPlus != 0 && flags&(hasQuery|structure) != 0 && bytes.ContainsAny(data, "=?") {
		return false
	}
	for i := nextRun(data, 0); i < len(data) && !w.exhausted(); {
		end, what := runEnd(data, i)
		run := data[i:end]
		if len(run) >= 4*minRun && bytes.ContainsAny(run, "\r\n") {
			return false // where one value ends and another begins
		}
		w.run(run, what)
		if what&separates != 0 && bytes.IndexByte(run, '/') >= 0 { // it may be of the path of a URL
			for segment := range bytes.SplitSeq(run, []byte("/")) {
				w.runs(segment)
			}
		}
		i = nextRun(data, end+1)
	}
	return true
}

// jsonWalk is one pass over JSON.
type jsonWalk struct {
	*walk
	data []byte
	base int // steps to the root
	deep int // levels beyond maxLevels
}

func (j *jsonWalk) run() {
	data := j.data
	for i := 0; i < len(data) && !j.over; {
		switch c := data[i]; c {
		case ' ', '\t', '\r', '\n', ',', ':', 0x1e:
			i++
		case '{':
			j.open(step{kind: atMember})
			i++
		case '[':
			j.open(step{kind: atElement, index: -1})
			i++
		case '}', ']':
			j.close()
			i++
		case '"':
			i = j.quoted(i + 1)
		default:
			i = j.bare(i)
		}
	}
}

// open enters an object or array.
func (j *jsonWalk) open(s step) {
	if j.value == nil {
		return
	}
	j.next()
	if len(j.steps)-j.base >= maxLevels {
		j.deep++
		return
	}
	j.steps = append(j.steps, s)
}

func (j *jsonWalk) close() {
	switch {
	case j.deep > 0:
		j.deep--
	case len(j.steps) > j.base:
		j.steps = j.steps[:len(j.steps)-1]
	}
}

// next says that a value begins: in an array, that is another element.
func (j *jsonWalk) next() {
	if len(j.steps) > j.base && j.deep == 0 {
		if top := &j.steps[len(j.steps)-1]; top.kind == atElement {
			top.index++
		}
	}
}

// quoted reads the string whose content starts at i, and returns where it goes on.
func (j *jsonWalk) quoted(i int) int {
	start, flags := i, class(0)
	data := j.data
	for i < len(data) {
		c := classes[data[i]]
		if c&endsString != 0 {
			if data[i] == '"' {
				break
			}
			i++
		}
		flags |= c
		i++
	}
	raw := data[start:min(i, len(data))]
	i = min(i+1, len(data))
	if len(raw) == 0 {
		return i
	}
	if j.value == nil {
		if flags&special != 0 || len(raw) >= minRun || flags&structure != 0 {
			j.str(raw, flags)
		}
		return i
	}
	if j.isKey(i) {
		j.key(raw, flags)
		return i
	}
	j.next()
	if top := &j.steps[len(j.steps)-1]; top.kind == atMember && isTitleName(top.name) && len(raw) <= maxInterned {
		top.title = raw
	}
	j.str(raw, flags)
	return i
}

// isKey reports whether a string that ends at i is the name of a member.
func (j *jsonWalk) isKey(i int) bool {
	for ; i < len(j.data); i++ {
		switch j.data[i] {
		case ' ', '\t', '\r', '\n':
			continue
		}
		return j.data[i] == ':'
	}
	return false
}

// key shows the name of a member and enters the member.
func (j *jsonWalk) key(raw []byte, flags class) {
	inObject := len(j.steps) > j.base && j.deep == 0 && j.steps[len(j.steps)-1].kind == atMember
	if inObject {
		j.steps[len(j.steps)-1].name = nil
	}
	if flags&(special|structure) == 0 && len(raw) < minRun { // there is nothing in it
		j.named(raw, flags)
	} else {
		j.at(step{kind: atKey}, func() { j.str(raw, flags) })
	}
	if !inObject {
		return
	}
	if flags&hasBackslash != 0 {
		raw, _ = decodeAll(j.room(len(raw)), raw, '\\', escapeStep)
		raw = j.keep(raw)
	}
	j.steps[len(j.steps)-1].name = raw
}

// named shows a name that is nothing else.
func (j *jsonWalk) named(raw []byte, flags class) {
	if !j.over && !(j.filter.Names && flags&notWord == 0) {
		j.visit("", raw, true)
	}
}

// str shows a string and what is in it.
func (j *jsonWalk) str(raw []byte, flags class) {
	j.show(raw)
	if flags&hasBackslash == 0 {
		j.undo(raw, flags)
		return
	}
	if j.exhausted() || len(raw) > j.left {
		return
	}
	text, _ := decodeAll(j.room(len(raw)), raw, '\\', escapeStep)
	text = j.keep(text)
	if isJSON(text) {
		j.decoded(layerString, text, func(text []byte) {
			j.show(text)
			j.json(text)
		})
		return
	}
	j.decoded(layerEscapes, text, j.leaf)
}

// bare reads a literal, a number, or what stands there instead.
func (j *jsonWalk) bare(i int) int {
	start, flags := i, class(0)
	for ; i < len(j.data); i++ {
		c := j.data[i]
		if classes[c]&endsBare != 0 {
			break
		}
		flags |= classes[c]
	}
	if i == start {
		return i + 1
	}
	raw := j.data[start:i]
	if j.value != nil {
		j.next()
	}
	j.show(raw)
	if flags&special != 0 || len(raw) >= minRun {
		j.undo(raw, flags)
	}
	return i
}

// isJSON reports whether text starts as JSON does that holds something.
func isJSON(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n\x1e")
	if len(text) < 2 || text[0] != '{' && text[0] != '[' {
		return false
	}
	rest := bytes.TrimLeft(text[1:], " \t\r\n")
	if len(rest) == 0 {
		return false
	}
	if text[0] == '{' {
		return rest[0] == '"' || rest[0] == '}'
	}
	return bytes.IndexByte([]byte(`{["-0123456789tfn]`), rest[0]) >= 0
}

// isJSONString reports whether text is one string of JSON.
func isJSONString(text []byte) bool {
	return len(text) > 2 && text[0] == '"' && text[len(text)-1] == '"'
}
