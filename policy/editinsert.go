package policy

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// insert returns the splices that add an entry at the end of its section.
func (m *manuscript) insert(c *checked) ([]splice, error) {
	key := c.kind.section()
	if m.isFlow() {
		return m.insertIntoJSON(c)
	}
	s := m.section(key)
	if s == nil {
		return m.insertSection(c), nil
	}
	switch value := s.value.(type) {
	case *ast.AliasNode:
		return nil, m.d.errorAt(s.line+1, s.column+1, key+" is an alias: an entry would be added to the list that it stands for, and to whatever else is that list",
			"write the list out under "+key)
	case *ast.NullNode:
		return m.insertFirst(c, s)
	case *ast.SequenceNode:
		switch {
		case !value.IsFlowStyle:
			return m.insertItem(c, s, value)
		case len(value.Values) == 0 && emptyValue.MatchString(m.behindKey(s)):
			return m.insertFirst(c, s)
		default:
			return m.insertIntoFlow(c, value, quotingOf(value.Values, true))
		}
	}
	return nil, m.unable(c, s.value)
}

// insertLines adds whole lines before a line.
func (m *manuscript) insertLines(line int, lines []string) splice {
	eol, at := m.ending(line), m.offset(line)
	if at == len(m.data) && at > 0 && m.data[at-1] != '\n' { // the last line is open, and stays so
		return splice{at: at, text: eol + strings.Join(lines, eol)}
	}
	return splice{at: at, text: strings.Join(lines, eol) + eol}
}

// insertItem adds an entry to a list in block style, under its last one.
func (m *manuscript) insertItem(c *checked, s *section, list *ast.SequenceNode) ([]splice, error) {
	dash := list.Start.Position
	if _, ok := m.offsetOf(place{Line: dash.Line, Column: dash.Column}, '-'); !ok || len(list.Values) == 0 {
		return nil, m.unable(c, list)
	}
	indent := strings.Repeat(" ", dash.Column-1)
	gap := " "
	for i := s.line + 1; i < s.end; i++ { // of the last entry that has text on its line
		if rest, ok := strings.CutPrefix(m.d.lines[i], indent+"-"); ok && indentOf(rest) > 0 && !isBlank(rest) && !isComment(rest) {
			gap = rest[:indentOf(rest)]
		}
	}
	return []splice{m.insertLines(s.end, c.lines(quotingOf(list.Values, false), indent, gap))}, nil
}

// insertFirst gives a section that has no entries a list.
func (m *manuscript) insertFirst(c *checked, s *section) ([]splice, error) {
	rest := m.behindKey(s)
	match := emptyValue.FindStringSubmatch(rest)
	if match == nil {
		return nil, m.unable(c, s.value)
	}
	indent := m.listIndent()
	for i := s.line + 1; i < s.end; i++ { // comments show where entries would stand
		if isComment(m.d.lines[i]) {
			indent = m.d.lines[i][:indentOf(m.d.lines[i])]
		}
	}
	items := m.insertLines(s.end, c.lines(quoting{}, indent, " "))
	if isBlank(match[1]) {
		return []splice{items}, nil
	}
	at := m.starts[s.line] + len(m.d.lines[s.line]) - len(rest)
	return []splice{{at: at, cut: len(match[1])}, items}, nil
}

// insertSection adds a section that is missing.
func (m *manuscript) insertSection(c *checked) []splice {
	line, spaced := m.placeFor(c.kind.section())
	var lines []string
	if spaced {
		lines = append(lines, "")
	}
	lines = append(lines, strings.Repeat(" ", m.indent)+c.kind.section()+":")
	return []splice{m.insertLines(line, append(lines, c.lines(quoting{}, m.listIndent(), " ")...))}
}

// listIndent returns the blanks before the dashes of the file's lists, two more than
// those of the keys where it has none.
func (m *manuscript) listIndent() string {
	for _, s := range m.sections {
		if list, ok := s.value.(*ast.SequenceNode); ok && !list.IsFlowStyle {
			return strings.Repeat(" ", max(0, list.Start.Position.Column-1))
		}
	}
	return strings.Repeat(" ", m.indent+2)
}

// behindKey returns what follows the colon of a section's key on its line.
func (m *manuscript) behindKey(s *section) string {
	line := m.d.lines[s.line]
	return line[s.column+strings.IndexByte(line[s.column:], ':')+1:]
}

// insertIntoJSON adds an entry to a list of a file that is one {…}.
func (m *manuscript) insertIntoJSON(c *checked) ([]splice, error) {
	key := c.kind.section()
	for it := m.root.MapRange(); it.Next(); {
		if list, ok := it.Value().(*ast.SequenceNode); ok && it.Key().GetToken().Value == key && list.IsFlowStyle {
			return m.insertIntoFlow(c, list, quoting{json: true})
		}
	}
	return nil, m.d.errorAt(1, 1, fmt.Sprintf("the file is one {…} without a list %q to add to", key), fmt.Sprintf("add %q: [] to it", key))
}

// insertIntoFlow adds an entry to a list in brackets: on the line of the last one, or
// on a line of its own where the closing bracket has one.
func (m *manuscript) insertIntoFlow(c *checked, list *ast.SequenceNode, q quoting) ([]splice, error) {
	open, ok := m.offsetOf(place{Line: list.Start.Position.Line, Column: list.Start.Position.Column}, '[')
	if !ok {
		return nil, m.unable(c, list)
	}
	f, ok := scanFlow(m.data, open)
	if !ok {
		return nil, m.unable(c, list)
	}
	entry := c.inline(q)
	empty := f.end == open+1
	last := m.lineAt(f.end - 1)
	if last == m.lineAt(f.closing) {
		switch {
		case empty:
			return []splice{{at: f.end, text: entry}}, nil
		case f.comma:
			return []splice{{at: f.end, text: " " + entry + ","}}, nil
		}
		return []splice{{at: f.end, text: ", " + entry}}, nil
	}
	indent := indentOf(m.d.lines[last])
	if last == m.lineAt(open) {
		indent += 2
	}
	line := strings.Repeat(" ", indent) + entry
	if f.comma {
		line += ","
	}
	splices := []splice{m.insertLines(last+1, []string{line})}
	if !f.comma && !empty {
		splices = append([]splice{{at: f.end, text: ","}}, splices...)
	}
	return splices, nil
}

// lineAt returns the line of an offset.
func (m *manuscript) lineAt(offset int) int {
	line := 0
	for line+1 < len(m.starts) && m.starts[line+1] <= offset {
		line++
	}
	return line
}

// A flowSpan is where a list in brackets ends.
type flowSpan struct {
	end     int  // behind the last byte inside that is no blank and no comment, or behind the opening bracket
	comma   bool // that byte is a comma
	closing int  // of the closing bracket
}

// scanFlow finds the end of the list whose bracket opens at an offset.
func scanFlow(data []byte, open int) (f flowSpan, ok bool) {
	depth, fresh := 0, true // fresh: a quote would open here
	for i := open; i < len(data); i++ {
		switch c := data[i]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		case c == '#' && (i == 0 || strings.IndexByte(" \t\r\n", data[i-1]) >= 0):
			for i+1 < len(data) && data[i+1] != '\n' {
				i++
			}
			continue
		case (c == '"' || c == '\'') && fresh:
			if i, ok = closingQuote(data, i); !ok {
				return f, false
			}
			fresh = false
		case c == '[' || c == '{':
			depth++
			fresh = true
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				f.closing = i
				return f, true
			}
			fresh = false
		default:
			fresh = c == ',' || c == ':'
		}
		f.end, f.comma = i+1, data[i] == ',' && fresh
	}
	return f, false
}

// closingQuote returns where the quoted text that opens at an offset ends.
func closingQuote(data []byte, open int) (at int, ok bool) {
	for i := open + 1; i < len(data); i++ {
		switch c := data[i]; {
		case c == '\\' && data[open] == '"':
			i++
		case c != data[open]:
		case c == '\'' && i+1 < len(data) && data[i+1] == '\'':
			i++
		default:
			return i, true
		}
	}
	return 0, false
}
