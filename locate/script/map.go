package script

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"sort"
	"strings"
	"sync"
	"unicode/utf8"

	"telltale/locate/reading"
)

// A Map is a source map (ECMA-426, "Source map format"), which tells for places in generated code
// where they were written. What it is asked for is decoded, and no more. It is safe for
// concurrent use.
type Map struct {
	name     string
	data     []byte
	root     string
	sources  []span
	contents []span
	names    []span
	// functions are Metro's x_facebook_sources: for each source, the functions that enclose its lines.
	functions []span
	offsets   []int // Metro's x_facebook_offsets: the line that each module of a RAM bundle begins after
	mappings  []byte
	sections  []section // of an index map, in order; it has nothing else then

	once  sync.Once
	marks []mapMark
}

// A section is a map of the code from a line and column on.
type section struct {
	line, column int
	m            *Map
}

// mostSections is how many an index map has, at most: Metro writes one for each module.
const mostSections = 1 << 16

// mostNesting is how deep sections may hold sections. The standard has one level.
const mostNesting = 4

// OpenMap reads a source map; name is how it is called in a Source. The error says what is
// wrong with it, and where.
func OpenMap(name string, data []byte) (*Map, error) {
	if len(data) >= math.MaxInt32 {
		return nil, fmt.Errorf("source map of %d bytes: 2 GiB and more are not read", len(data))
	}
	s := &scanner{src: data}
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		s.pos = len("\ufeff")
	}
	// A line that keeps the file from being run as a script (ECMA-426, "Fetching source maps").
	if bytes.HasPrefix(data[s.pos:], []byte(")]}")) {
		s.pos = lineEnd(data, s.pos)
	}
	m, err := readMap(s, name, mostNesting)
	if err != nil {
		return nil, fmt.Errorf("source map: %w", err)
	}
	return m, nil
}

// readMap reads the object of a map.
func readMap(s *scanner, name string, nesting int) (*Map, error) {
	m := &Map{name: name, data: s.src}
	version, mapped := 3, false
	err := s.object(func(key string) (err error) {
		switch key {
		case "version":
			version, err = s.number()
		case "sourceRoot":
			m.root, err = s.maybeText()
		case "sources":
			m.sources, err = s.texts()
		case "sourcesContent":
			m.contents, err = s.texts()
		case "names":
			m.names, err = s.texts()
		case "mappings":
			mapped = true
			var text span
			text, err = s.text()
			m.mappings = s.src[text.start:text.end]
			if bytes.IndexByte(m.mappings, '\\') >= 0 {
				m.mappings = []byte(unquoted(m.mappings))
			}
		case "x_facebook_sources":
			m.functions, err = s.values()
		case "x_facebook_offsets":
			err = s.array(func() error {
				n, err := s.number()
				m.offsets = append(m.offsets, n)
				return err
			})
		case "sections":
			mapped = true
			err = m.readSections(s, nesting-1)
		default:
			err = s.skip()
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case version != 3:
		return nil, fmt.Errorf("version %d, only 3 is known", version)
	case !mapped:
		return nil, errors.New(`it has no "mappings"`)
	}
	return m, nil
}

// readSections reads the sections of an index map.
func (m *Map) readSections(s *scanner, nesting int) error {
	if nesting == 0 {
		return fmt.Errorf("sections within sections at byte %d", s.pos)
	}
	err := s.array(func() error {
		if len(m.sections) == mostSections {
			return fmt.Errorf("more than %d sections at byte %d", mostSections, s.pos)
		}
		var one section
		err := s.object(func(key string) (err error) {
			switch key {
			case "offset":
				return s.object(func(key string) (err error) {
					switch key {
					case "line":
						one.line, err = s.number()
					case "column":
						one.column, err = s.number()
					default:
						err = s.skip()
					}
					return err
				})
			case "map":
				one.m, err = readMap(s, m.name, nesting)
			default:
				err = s.skip()
			}
			return err
		})
		if one.m != nil {
			m.sections = append(m.sections, one)
		}
		return err
	})
	slices.SortStableFunc(m.sections, func(a, b section) int {
		if a.line != b.line {
			return a.line - b.line
		}
		return a.column - b.column
	})
	return err
}

// At returns where a place of the generated code was written, nil where the map does not say.
// Lines count from 1; columns from 0, in UTF-16 units, as in the map. In bytecode of Hermes all
// is line 1, and the column is the offset of the instruction.
func (m *Map) At(line, column int) *reading.Source { return m.at(line-1, column) }

// at is At with lines from 0.
func (m *Map) at(line, column int) *reading.Source {
	if i := sort.Search(len(m.sections), func(i int) bool {
		s := m.sections[i]
		return s.line > line || s.line == line && s.column > column
	}); i > 0 {
		s := m.sections[i-1]
		if line == s.line {
			column -= s.column
		}
		return s.m.at(line-s.line, column)
	}
	at, ok := m.find(line, column)
	if !ok || at.source < 0 || at.source >= len(m.sources) || at.line < 0 || at.column < 0 {
		return nil
	}
	src := &reading.Source{
		File: m.file(at.source), Line: at.line + 1, Column: at.column + 1,
		Name: m.functionAt(at.source, at.line, at.column), By: m.name,
	}
	if at.name >= 0 && at.name < len(m.names) {
		src.Name = m.text(m.names[at.name])
	}
	if at.source < len(m.contents) {
		src.Text = m.line(m.contents[at.source], at.line)
	}
	return src
}

// Files returns the names of the sources, with the map's root.
func (m *Map) Files() []string {
	var files []string
	for i := range m.sources {
		files = append(files, m.file(i))
	}
	for _, s := range m.sections {
		files = append(files, s.m.Files()...)
	}
	return files
}

// file returns the name of a source, below the root that the map gives.
func (m *Map) file(i int) string {
	name := m.text(m.sources[i])
	if m.root == "" || strings.HasPrefix(name, "/") || strings.Contains(name, "://") {
		return name
	}
	return strings.TrimSuffix(m.root, "/") + "/" + name
}

func (m *Map) text(s span) string { return unquoted(m.data[s.start:s.end]) }

// longestLine is how much of a line of a source is told, in bytes.
const longestLine = 4 << 10

// line returns a line of a text, counted from 0, without decoding the others.
func (m *Map) line(s span, line int) string {
	raw := m.data[s.start:s.end]
	start := 0
	for i := 0; i < len(raw); {
		n := bytes.IndexByte(raw[i:], '\\')
		if n < 0 || i+n+1 >= len(raw) {
			break
		}
		i += n
		if raw[i+1] == 'n' {
			if line == 0 {
				return shorten(unquoted(raw[start:i]))
			}
			line--
			start = i + 2
		}
		i += 2
	}
	if line > 0 {
		return ""
	}
	return shorten(unquoted(raw[start:]))
}

func shorten(line string) string {
	line = strings.TrimSuffix(line, "\r")
	if len(line) <= longestLine {
		return line
	}
	end := longestLine
	for end > 0 && !utf8.RuneStart(line[end]) {
		end--
	}
	return line[:end]
}

// offset returns how many lines stand before a module of a RAM bundle, in the lines of the map.
func (m *Map) offset(module int) int {
	if module < 0 || module >= len(m.offsets) {
		return 0
	}
	return m.offsets[module]
}

// DataURL returns what a data URL holds (RFC 2397), as [Doc.MapName] may return one.
func DataURL(name string) ([]byte, bool) {
	rest, ok := strings.CutPrefix(name, "data:")
	if !ok {
		return nil, false
	}
	media, data, ok := strings.Cut(rest, ",")
	if !ok {
		return nil, false
	}
	if !strings.HasSuffix(media, ";base64") {
		text, err := url.PathUnescape(data)
		return []byte(text), err == nil
	}
	out, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(data, "="))
	return out, err == nil
}
