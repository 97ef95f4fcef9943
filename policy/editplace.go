package policy

import (
	"reflect"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// A manuscript is a policy file under the pen: its bytes, its lines and where its
// sections stand. Lines and columns in it count from 0, columns in bytes.
type manuscript struct {
	d        *decoder // its lines are the file's, without their endings
	data     []byte
	starts   []int // offset of each line in data
	doc      *document
	root     ast.MapNode
	indent   int       // of the top-level keys, in block style
	sections []section // in the file's order; none where the root is in flow style
}

// A section is one top-level key of a file.
type section struct {
	key          string
	line, column int      // of the key
	next         int      // line of the next key, or behind the last line
	end          int      // line behind the last one that belongs to it
	value        ast.Node // anchors removed
}

func readManuscript(file string, data []byte, key string, opts Options) (*manuscript, error) {
	d, doc, root, err := read(file, data, opts, key)
	if err != nil {
		return nil, err
	}
	m := &manuscript{d: d, data: data, doc: doc}
	offset := 0
	if strings.HasPrefix(string(data), byteOrderMark) {
		offset = len(byteOrderMark)
	}
	for line := range strings.Lines(string(data[offset:])) {
		m.starts = append(m.starts, offset)
		offset += len(line)
	}
	if len(m.starts) < len(d.lines) { // behind the last line ending
		m.starts = append(m.starts, offset)
	}
	var ok bool
	if m.root, ok = unanchored(root).(ast.MapNode); !ok {
		return nil, d.errorOn(root, "the file is written in a way that cannot be added to", "write one key to a line")
	}
	if m.isFlow() {
		return m, nil
	}
	return m, m.findSections()
}

// isFlow reports whether the whole file is one {…}, as JSON is.
func (m *manuscript) isFlow() bool {
	node, ok := m.root.(*ast.MappingNode)
	return ok && node.IsFlowStyle
}

// findSections finds the lines of the top-level keys. The parser says where they are,
// and the file must agree.
func (m *manuscript) findSections() error {
	for it := m.root.MapRange(); it.Next(); {
		key := it.Key().GetToken()
		s := section{key: key.Value, line: key.Position.Line - 1, value: unanchored(it.Value())}
		if s.line < 0 || s.line >= len(m.d.lines) {
			return m.strange(s.key, 0)
		}
		line := m.d.lines[s.line]
		s.column = indentOf(line)
		if len(m.sections) == 0 {
			m.indent = s.column
		}
		_, known := documented[s.key] // an alias is not
		ordered := len(m.sections) == 0 || m.sections[len(m.sections)-1].line < s.line
		if !known || !ordered || s.column != m.indent || !strings.HasPrefix(strings.TrimLeft(line[s.column:], `"'`), s.key) {
			return m.strange(s.key, s.line)
		}
		m.sections = append(m.sections, s)
	}
	for i := range m.sections {
		s := &m.sections[i]
		s.next = m.behindText()
		if i+1 < len(m.sections) {
			s.next = m.sections[i+1].line
		}
		s.end = m.endOf(s)
	}
	return nil
}

func (m *manuscript) strange(key string, line int) error {
	return m.d.errorAt(line+1, 1, "the key "+key+" is written in a way that cannot be added to", "write one key to a line, without marks before it")
}

// behindText returns the line behind the document: that of its end mark, or behind the
// last line.
func (m *manuscript) behindText() int {
	for i, line := range m.d.lines {
		if rest, ok := strings.CutPrefix(line, "..."); ok && (rest == "" || rest[0] == ' ') {
			return i
		}
	}
	if n := len(m.d.lines); m.d.lines[n-1] == "" {
		return n - 1
	}
	return len(m.d.lines)
}

// endOf returns the line behind the last one of a section: what is no blank line and
// no comment, and the comments right behind it that are indented deeper than the key.
// Comments further left, and behind a blank line, belong to what follows or to nothing.
func (m *manuscript) endOf(s *section) int {
	end := s.line + 1
	for i := end; i < s.next; i++ {
		if !isBlank(m.d.lines[i]) && !isComment(m.d.lines[i]) {
			end = i + 1
		}
	}
	for end < s.next && isComment(m.d.lines[end]) && indentOf(m.d.lines[end]) > m.indent {
		end++
	}
	return end
}

// section returns the one with that key, nil when there is none.
func (m *manuscript) section(key string) *section {
	for i := range m.sections {
		if m.sections[i].key == key {
			return &m.sections[i]
		}
	}
	return nil
}

// documented is the order of sections in the documentation.
var documented = func() map[string]int {
	out := map[string]int{}
	t := reflect.TypeFor[document]()
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" {
			out[key] = i
		}
	}
	return out
}()

// placeFor returns the line at which a section that is missing belongs: behind the
// comment in which the template shows it, or behind the last section that comes
// before it in the documented order. spaced says that a blank line belongs between.
func (m *manuscript) placeFor(key string) (line int, spaced bool) {
	anchor, order := 0, -1
	for i, s := range m.sections {
		if line, ok := m.exampleOf(key, s); ok {
			return line, false
		}
		if o := documented[s.key]; order < o && o < documented[key] {
			anchor, order = i, o
		}
	}
	line = m.sections[anchor].end
	spaced = line < m.sections[anchor].next && isBlank(m.d.lines[line])
	if anchor > 0 {
		spaced = spaced || m.hasBlank(m.sections[anchor-1].end, m.sections[anchor].line)
	}
	return line, spaced
}

func (m *manuscript) hasBlank(from, to int) bool {
	for i := from; i < to; i++ {
		if isBlank(m.d.lines[i]) {
			return true
		}
	}
	return false
}

// exampleOf looks for a section in the comments behind another one, as `telltale
// policy init` writes them, and returns the line behind it.
func (m *manuscript) exampleOf(key string, behind section) (line int, ok bool) {
	for i := behind.end; i < behind.next; i++ {
		text, ok := commentText(m.d.lines[i])
		if !ok || strings.TrimSpace(text) != key+":" {
			continue
		}
		indent := indentOf(text)
		for i++; i < behind.next; i++ {
			text, ok := commentText(m.d.lines[i])
			if deeper := indentOf(text) > indent; !ok || !deeper && !strings.HasPrefix(strings.TrimLeft(text, " "), "- ") {
				break
			}
		}
		return i, true
	}
	return 0, false
}

// offset returns where a line begins in the file; one behind the last line is its end.
func (m *manuscript) offset(line int) int {
	if line < len(m.starts) {
		return m.starts[line]
	}
	return len(m.data)
}

// offsetOf returns where a token stands that begins with the byte. The parser counts
// characters and is not right about every line, so that the file must agree.
func (m *manuscript) offsetOf(n place, first byte) (offset int, ok bool) {
	if n.Line < 1 || n.Line > len(m.d.lines) {
		return 0, false
	}
	line, column := m.d.lines[n.Line-1], 1
	for i := range line {
		if column == n.Column {
			return m.starts[n.Line-1] + i, line[i] == first
		}
		column++
	}
	return 0, false
}

// ending returns the line ending to use before a line: that of the line above it, or
// of the file's first.
func (m *manuscript) ending(line int) string {
	if line > 0 && line < len(m.starts) {
		if m.starts[line] >= 2 && m.data[m.starts[line]-2] == '\r' {
			return "\r\n"
		}
		return "\n"
	}
	if len(m.starts) > 1 {
		return m.ending(1)
	}
	return "\n"
}

func unanchored(n ast.Node) ast.Node {
	if anchor, ok := n.(*ast.AnchorNode); ok {
		return anchor.Value
	}
	return n
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

func isBlank(line string) bool { return strings.TrimSpace(line) == "" }

func isComment(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "#") }

// commentText returns what follows the # of a comment line.
func commentText(line string) (text string, ok bool) {
	return strings.CutPrefix(strings.TrimSpace(line), "#")
}

// emptyValue matches what stands behind a key without entries: the value, and blanks
// before it, then a comment.
var emptyValue = regexp.MustCompile(`^( *(?:~|null|Null|NULL|\[ *\])?)(?: *| +#.*)$`)
