package policy

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// NewFile returns the beginning of a policy file that allows the patterns, as
// --allow does without a file. Without a pattern it is not yet a policy: [Edit] adds
// the first entry. It does not look at the patterns; [ParsePattern] does.
func NewFile(name string, allow []string) []byte {
	if name = strings.TrimSpace(name); name == "" || checkReason(name) != "" {
		name = "hosts that the app may contact"
	}
	var b strings.Builder
	b.WriteString("# What an app may contact. Check with `telltale policy lint`.\nversion: 1\n")
	fmt.Fprintf(&b, "name: %s\n", quotes{}.scalar(escapeVariables(name), false))
	if len(allow) > 0 {
		b.WriteString("allow:\n")
	}
	for _, pattern := range allow {
		fmt.Fprintf(&b, "  - %s\n", quotes{}.scalar(escapeVariables(pattern), false))
	}
	return []byte(b.String())
}

// Edit returns the text of a policy file with the change made: one entry more, at the
// end of its section. Text without any content, as nil, becomes a new file.
//
// It only adds bytes, so that comments, order, indentation, quoting and line endings
// stay what they were; an empty value ("allow: []", "allow: ~") alone makes room for
// the list. The result is read again before it is returned: it is valid, and says what
// the file said before and this entry, or there is an error.
//
// The error is a [*ChangeError] where the change is at fault or has no effect
// ([ErrUnchanged] where the policy makes it already), a [*PatternError] where its
// pattern is, and an [*Error] where the file is: because it is not valid, or because
// it is written in a way that cannot be added to without harm.
func Edit(file string, data []byte, c Change, opts Options) ([]byte, error) {
	change, err := c.check(opts.now())
	if err != nil {
		return nil, err
	}
	data = begun(data)
	m, err := readManuscript(file, data, change.kind.section(), opts)
	if err != nil {
		return nil, err
	}
	if err := change.effect(file, m.doc); err != nil {
		return nil, err
	}
	splices, err := m.insert(change)
	if err != nil {
		return nil, err
	}
	edited := apply(data, splices)
	if err := m.verify(edited, change, opts); err != nil {
		return nil, err
	}
	return edited, nil
}

// begun returns the text, with the beginning of a policy where it has nothing but
// comments and blank lines.
func begun(data []byte) []byte {
	text := strings.TrimPrefix(string(data), byteOrderMark)
	for line := range strings.Lines(text) {
		if s := strings.TrimSpace(line); s != "" && s[0] != '#' {
			return data
		}
	}
	if text == "" {
		return append(data[:len(data):len(data)], NewFile("", nil)...)
	}
	eol := "\n"
	if strings.Contains(text, "\r\n") {
		eol = "\r\n"
	}
	begin := string(NewFile("", nil))
	if begin = begin[strings.IndexByte(begin, '\n')+1:]; !strings.HasSuffix(text, "\n") {
		begin = "\n" + begin
	}
	return append(data[:len(data):len(data)], strings.ReplaceAll(begin, "\n", eol)...)
}

// A splice replaces cut bytes at an offset of the file by a text.
type splice struct {
	at, cut int
	text    string
}

// apply makes splices, which are in the file's order and apart from each other.
func apply(data []byte, splices []splice) []byte {
	var out []byte
	done := 0
	for _, s := range splices {
		out = append(append(out, data[done:s.at]...), s.text...)
		done = s.at + s.cut
	}
	return append(out, data[done:]...)
}

// verify reads the edited text as the program will and compares what it says.
func (m *manuscript) verify(edited []byte, c *checked, opts Options) error {
	d, after, _, err := read(m.d.file, edited, opts, "")
	if err != nil || d.checkNamesSomething(after) != nil {
		return m.unable(c, nil)
	}
	want := *m.doc
	c.appendTo(&want)
	forgetPlaces(reflect.ValueOf(&want).Elem())
	forgetPlaces(reflect.ValueOf(after).Elem())
	if !reflect.DeepEqual(&want, after) {
		return m.unable(c, nil)
	}
	return nil
}

// unable is the error of a file whose form does not let an entry in: at the node, or
// at the section.
func (m *manuscript) unable(c *checked, at ast.Node) error {
	key := c.kind.section()
	line, column := 1, 1
	if s := m.section(key); s != nil {
		line, column = s.line+1, s.column+1
	}
	if at != nil {
		p := placeOf(at)
		line, column = p.Line, p.Column
	}
	return m.d.errorAt(line, column, "no entry can be added to "+key+" without changing what else the file says, because of how it is written",
		"write "+key+" as a list, one entry to a line, or add this one by hand: "+c.inline(quoting{}))
}

// forgetPlaces removes from a document where things stand, so that what it says can
// be compared.
func forgetPlaces(v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			forgetPlaces(v.Index(i))
		}
	case reflect.Struct:
		placed, ok := v.Addr().Interface().(interface{ setPlace(place) })
		if !ok {
			return
		}
		placed.setPlace(place{})
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				forgetPlaces(v.Field(i))
			}
		}
	}
}
