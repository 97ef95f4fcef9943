package resources

import (
	"bytes"
	"sort"
	"strings"
	"sync"

	"telltale/locate/reading"
)

// keyed is text in which each line gives a value to a key: properties, .env, INI, TOML, YAML.
type keyed struct {
	text []byte
	yaml bool
	once sync.Once
	// headings are the lines that hold others, in their order: in YAML keys without a value.
	headings []heading
}

// heading is a line that names those below it.
type heading struct {
	line   int
	indent int
	key    string
	above  int // index of the heading that holds it; -1 where none does
}

func newKeyed(text []byte) syntax { return &keyed{text: text} }
func newYAML(text []byte) syntax  { return &keyed{text: text, yaml: true} }

// entry is what a line says; its places are in the text.
type entry struct {
	indent     int
	heading    bool // "[name]", whose name is the key
	key        string
	start, end int // of the value, without quotes
}

// maxLine bounds how much of a line is looked at, in bytes.
const maxLine = 64 << 10

// read reads the line that begins at an offset; ok is false where it sets nothing.
func (k *keyed) read(at int) (e entry, ok bool) {
	line := k.text[at:min(at+maxLine, len(k.text))]
	if n := bytes.IndexByte(line, '\n'); n >= 0 {
		line = line[:n]
	}
	body := bytes.TrimLeft(line, " \t\ufeff")
	e.indent = len(line) - len(body)
	for k.yaml && (bytes.HasPrefix(body, []byte("- ")) || bytes.HasPrefix(body, []byte("? "))) {
		rest := bytes.TrimLeft(body[1:], " ")
		e.indent += len(body) - len(rest)
		body = rest
	}
	if len(body) == 0 || body[0] == '#' || body[0] == '!' || body[0] == ';' {
		return e, false
	}
	if body[0] == '[' && !k.yaml {
		e.heading, e.key = true, string(bytes.Trim(body, "[] \t\r"))
		return e, true
	}
	body = bytes.TrimPrefix(body, []byte("export "))
	n := bytes.IndexAny(body, "=:")
	if k.yaml {
		if n = bytes.Index(body, []byte(": ")); n < 0 && bytes.HasSuffix(bytes.TrimRight(body, " \t\r"), []byte(":")) {
			n = bytes.LastIndexByte(body, ':')
		}
	}
	if n < 0 {
		return e, false
	}
	e.key = string(bytes.Trim(body[:n], " \t\"'"))
	value := body[n+1:]
	if k.yaml || bytes.ContainsAny(value[:min(1, len(value))], "\"'") {
		if n := bytes.Index(value, []byte(" #")); n >= 0 {
			value = value[:n]
		}
	}
	trimmed := bytes.TrimLeft(value, " \t")
	e.start = at + len(line) - len(body) + n + 1 + len(value) - len(trimmed)
	trimmed = bytes.TrimRight(trimmed, " \t\r")
	if q := len(trimmed); q >= 2 && (trimmed[0] == '"' || trimmed[0] == '\'') && trimmed[q-1] == trimmed[0] {
		e.start++
		trimmed = trimmed[1 : q-1]
	}
	e.end = e.start + len(trimmed)
	return e, e.key != ""
}

// maxKeys is how many names around a line are told.
const maxKeys = 20

// index finds the headings.
func (k *keyed) index() {
	for at := 0; at < len(k.text); {
		if e, ok := k.read(at); ok && (e.heading || k.yaml && e.start == e.end) {
			h := heading{line: at, indent: e.indent, key: clip(e.key, 60), above: -1}
			if k.yaml {
				h.above = k.holder(len(k.headings)-1, e.indent)
			}
			k.headings = append(k.headings, h)
		}
		n := bytes.IndexByte(k.text[at:], '\n')
		if n < 0 {
			return
		}
		at += n + 1
	}
}

// holder returns the index of the heading that holds a line, from the last one before it on.
func (k *keyed) holder(last, indent int) int {
	for last >= 0 && k.yaml && k.headings[last].indent >= indent {
		last = k.headings[last].above
	}
	return last
}

// section names the key of a line, with the keys around it: "android.api.url".
func (k *keyed) section(at, line int) (name string, start, end int) {
	k.once.Do(k.index)
	e, ok := k.read(line)
	var keys []string
	indent := e.indent
	if ok {
		keys = append(keys, clip(e.key, 60))
		if !e.heading {
			start, end = e.start, e.end
		}
	} else {
		indent++
	}
	if !e.heading {
		n := sort.Search(len(k.headings), func(n int) bool { return k.headings[n].line >= line })
		for n = k.holder(n-1, indent); n >= 0 && len(keys) < maxKeys; n = k.headings[n].above {
			keys = append(keys, k.headings[n].key)
		}
	}
	var b strings.Builder
	for i := len(keys) - 1; i >= 0; i-- {
		b.WriteString(keys[i])
		if i > 0 {
			b.WriteByte('.')
		}
	}
	if at < start || at >= end {
		start, end = 0, 0
	}
	return b.String(), start, end
}

// settings finds the lines that set one of the names.
func (k *keyed) settings(names []string, visit func(reading.Setting)) {
	for at := 0; at < len(k.text); {
		if e, ok := k.read(at); ok && !e.heading {
			if name := among(names, []byte(e.key)); name != "" && e.end > e.start {
				visit(reading.Setting{Name: name, Value: string(k.text[e.start:e.end]), Known: !strings.HasPrefix(string(k.text[e.start:e.end]), "$"), Start: e.start, End: e.end})
			}
		}
		n := bytes.IndexByte(k.text[at:], '\n')
		if n < 0 {
			return
		}
		at += n + 1
	}
}
