package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"telltale/flow/plain"
)

// A form is what kind of JSON value a node is.
type form int

const (
	object form = iota
	list
	text
	number
	truth
	null
)

// String names the form as errors name it.
func (f form) String() string {
	return [...]string{"an object", "a list", "text", "a number", "true or false", "null"}[f]
}

// A node is one value of a JSON document, with its place.
type node struct {
	form    form
	at      int // offset of its first byte
	end     int // offset behind its last byte
	path    string
	members []member // of an object, in the order of the file
	items   []*node  // of a list
	text    string   // of text; of a number its digits
	truth   bool
}

// A member is a name in an object, and its value.
type member struct {
	name  string
	at    int
	value *node
}

// member returns the value of a name, nil where it is absent.
func (n *node) member(name string) *node {
	for i := range n.members {
		if n.members[i].name == name {
			return n.members[i].value
		}
	}
	return nil
}

// A document is the text of a file as a tree of nodes.
type document struct {
	name string // of the file, as errors say it
	text []byte
	root *node
}

// read makes the tree. Syntax errors, repeated names and text that JSON cannot hold are
// mistakes of m; it returns false where there is no tree to go on with.
func (d *document) read(m *mistakes) bool {
	switch {
	case len(d.text) > maxFile:
		m.add(0, "", "the file has %d bytes, expected at most %d", len(d.text), maxFile)
		return false
	case bytes.HasPrefix(d.text, []byte("\xef\xbb\xbf")):
		m.add(0, "", "the file begins with a byte order mark, expected UTF-8 without one")
		return false
	case len(bytes.TrimSpace(d.text)) == 0:
		m.add(0, "", "the file is empty, expected one modifier: {\"fifo.Group\": …}")
		return false
	}
	for i := 0; i < len(d.text); {
		r, size := utf8.DecodeRune(d.text[i:])
		if r == utf8.RuneError && size == 1 {
			m.add(i, "", "a byte that is no UTF-8, expected UTF-8")
			return false
		}
		i += size
	}
	var whole json.RawMessage
	var syntax *json.SyntaxError
	if err := json.Unmarshal(d.text, &whole); errors.As(err, &syntax) {
		at := min(max(int(syntax.Offset)-1, 0), len(d.text))
		if what := syntax.Error(); strings.HasPrefix(what, "unexpected end") {
			m.add(len(d.text), "", "the file ends too early: a bracket or a quotation mark is not closed")
		} else {
			m.add(at, "", "no JSON: %s", plain.Text(what))
		}
		return false
	}
	p := &reader{d: d, m: m, dec: json.NewDecoder(bytes.NewReader(d.text))}
	p.dec.UseNumber()
	d.root = p.value("$", 0)
	return d.root != nil
}

// The bounds of a file.
const (
	maxFile  = 4 << 20
	maxDepth = 64
)

// A reader makes nodes of tokens.
type reader struct {
	d   *document
	m   *mistakes
	dec *json.Decoder
}

// next returns the next token and where it begins; the text is known to be JSON.
func (p *reader) next() (tok json.Token, at int) {
	at = int(p.dec.InputOffset())
	for at < len(p.d.text) && strings.IndexByte(" \t\r\n,:", p.d.text[at]) >= 0 {
		at++
	}
	tok, err := p.dec.Token()
	if err != nil && err != io.EOF {
		p.m.add(at, "", "no JSON: %s", plain.Text(err.Error()))
		return nil, at
	}
	return tok, at
}

// value reads one value. It returns nil where the rest cannot be read.
func (p *reader) value(path string, depth int) *node {
	tok, at := p.next()
	if depth > maxDepth {
		p.m.add(at, "", "objects and lists within each other, expected at most %d", maxDepth)
		return nil
	}
	n := &node{at: at, path: path}
	switch v := tok.(type) {
	case json.Delim:
		ok := false
		switch v {
		case '{':
			n.form, ok = object, p.members(n, depth)
		case '[':
			n.form, ok = list, p.list(n, depth)
		}
		if !ok {
			return nil
		}
	case string:
		n.form, n.text = text, v
		p.whole(v, at, path)
	case json.Number:
		n.form, n.text = number, v.String()
	case bool:
		n.form, n.truth = truth, v
	default:
		n.form = null
	}
	n.end = int(p.dec.InputOffset())
	return n
}

// members reads an object behind its bracket.
func (p *reader) members(n *node, depth int) bool {
	seen := map[string]int{}
	for p.dec.More() {
		tok, at := p.next()
		name, ok := tok.(string)
		if !ok {
			return false
		}
		path := below(n.path, name)
		p.whole(name, at, path)
		value := p.value(path, depth+1)
		if value == nil {
			return false
		}
		if first, twice := seen[name]; twice {
			line, _ := p.d.place(first)
			p.m.add(at, path, "%s stands here once more, expected it once (it is in line %d already)", quoted(name), line)
			continue
		}
		seen[name] = at
		n.members = append(n.members, member{name, at, value})
	}
	tok, _ := p.next()
	return tok != nil
}

// list reads a list behind its bracket.
func (p *reader) list(n *node, depth int) bool {
	for p.dec.More() {
		item := p.value(fmt.Sprintf("%s[%d]", n.path, len(n.items)), depth+1)
		if item == nil {
			return false
		}
		n.items = append(n.items, item)
	}
	tok, _ := p.next()
	return tok != nil
}

// whole refuses text with half of a surrogate pair: encoding/json puts another character
// in its place, and says nothing.
func (p *reader) whole(s string, at int, path string) {
	if strings.ContainsRune(s, utf8.RuneError) {
		p.m.add(at, path, "the text has a character that is none, or half of one (\\ud800 to \\udfff alone)")
	}
}

// below writes the path of a member.
func below(path, name string) string {
	for i, c := range []byte(name) {
		if !(c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9') {
			return path + "[" + quoted(name) + "]"
		}
	}
	return path + "." + clip(name)
}

// place returns line and column (in characters, from 1) of an offset.
func (d *document) place(at int) (line, column int) {
	before := d.text[:at]
	start := bytes.LastIndexByte(before, '\n') + 1
	return 1 + bytes.Count(before, []byte("\n")), 1 + utf8.RuneCount(before[start:])
}
