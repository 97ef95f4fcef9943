package contacts

import (
	"bytes"
	"errors"
	"io"
)

// A row may be this long, in bytes, and have this many lines, where a quoted field holds
// line ends. Real ones have a few hundred bytes and one line.
const (
	maxRecord = 64 << 10
	maxLines  = 64
)

// records cuts a text into rows and holds a few at a time.
type records struct {
	r      io.Reader
	window []byte // all that is held
	rest   []byte // the part of it that was not handed out yet
	err    error  // of r; io.EOF at the end
	line   int    // 1-based, on which the row handed out last begins
	lines  int    // that this row takes
}

func newRecords(r io.Reader) *records {
	s := &records{r: r, window: make([]byte, 4*maxRecord), line: 1}
	for len(s.rest) < len(byteOrderMark) && s.err == nil {
		s.fill()
	}
	s.rest = bytes.TrimPrefix(s.rest, byteOrderMark)
	return s
}

// What is wrong with a row as such.
var (
	errLong   = errors.New("the row is longer than 64 KiB")
	errQuotes = errors.New("a quotation mark is opened and never closed")
)

// next returns a row without its line feed, which is valid until the next call. In a
// table, separator is what parts the fields, so that a quoted field may hold line ends
// (RFC 4180, 2.6); 0 for rows that are lines whatever they hold. The errors errLong and
// errQuotes are the row's own: those behind it can be read. io.EOF is the end.
func (s *records) next(separator byte) ([]byte, error) {
	s.line += s.lines
	s.lines = 1
	end, lines := recordEnd(s.rest, separator)
	for end < 0 && len(s.rest) <= maxRecord && s.err == nil {
		s.fill()
		end, lines = recordEnd(s.rest, separator)
	}
	switch {
	case end >= 0 && end <= maxRecord:
		s.lines = lines
		return s.take(end, end+1), nil
	case bytes.IndexByte(s.rest[:min(len(s.rest), maxRecord)], '\n') >= 0:
		// A quotation mark swallowed what follows it. That costs its own line alone.
		first := bytes.IndexByte(s.rest, '\n')
		s.take(first, first+1)
		return nil, errQuotes
	case end >= 0 || s.err == nil:
		return nil, s.skipLine()
	case len(s.rest) == 0 || s.err != io.EOF:
		return nil, s.err
	}
	row := s.take(len(s.rest), len(s.rest)) // the last line has no end
	if len(row) > maxRecord {
		return nil, errLong
	}
	return row, nil
}

// take hands out the first bytes of what is held, and passes some more.
func (s *records) take(length, passed int) []byte {
	row := s.rest[:length]
	s.rest = s.rest[passed:]
	return row
}

// fill reads more into the window.
func (s *records) fill() {
	n := copy(s.window, s.rest)
	for range maxEmptyReads {
		more, err := s.r.Read(s.window[n:])
		s.rest, s.err = s.window[:n+more], err
		if more > 0 || err != nil {
			return
		}
	}
	s.err = io.ErrNoProgress
}

// maxEmptyReads is how often a reader may return neither bytes nor an error.
const maxEmptyReads = 100

// skipLine passes a line that is too long.
func (s *records) skipLine() error {
	for {
		if i := bytes.IndexByte(s.rest, '\n'); i >= 0 {
			s.rest = s.rest[i+1:]
			return errLong
		}
		s.rest = nil
		if s.err == io.EOF {
			return errLong
		}
		if s.err != nil {
			return s.err
		}
		s.fill()
	}
}

// recordEnd finds the line feed behind a row, and how many lines the row has; -1 when it
// is not there.
func recordEnd(b []byte, separator byte) (end, lines int) {
	end = bytes.IndexByte(b, '\n')
	if end < 0 || separator == 0 || bytes.IndexByte(b[:end], '"') < 0 {
		return end, 1
	}
	lines = 1
	for i, atStart := 0, true; i < len(b); i++ {
		c := b[i]
		if c == '"' && atStart {
			length := quotedLength(b[i+1:], separator)
			if length == unclosed {
				return -1, 1
			}
			if length >= 0 {
				lines += bytes.Count(b[i+1:i+1+length], []byte("\n"))
				i += length + 1
			}
		}
		if c == '\n' {
			return i, lines
		}
		atStart = c == separator
	}
	return -1, 1
}

// What quotedLength returns instead of a length.
const (
	notQuoted = -1 // the mark belongs to the text: PCAPdroid quotes nothing
	unclosed  = -2
)

// quotedLength returns how long a quoted field is, from behind its opening mark to its
// closing one. The end of b counts as the end of a row.
func quotedLength(b []byte, separator byte) int {
	lines := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\n':
			if lines++; lines >= maxLines {
				return unclosed
			}
		case '"':
			switch {
			case i+1 == len(b) || b[i+1] == separator || b[i+1] == '\r' || b[i+1] == '\n':
				return i
			case b[i+1] != '"':
				return notQuoted
			}
			i++
		}
	}
	return unclosed
}

// field is one field of a row.
type field struct {
	text   []byte
	quoted bool // text had quotation marks around it
}

// splitRecord parts a row into its fields, which it appends to fields[:0]. The error is
// errQuotes or nil.
func splitRecord(row []byte, separator byte, fields []field) ([]field, error) {
	row = bytes.TrimSuffix(row, []byte("\r"))
	fields = fields[:0]
	for {
		if len(row) > 0 && row[0] == '"' {
			length := quotedLength(row[1:], separator)
			if length == unclosed {
				return fields, errQuotes
			}
			if length >= 0 {
				fields = append(fields, field{unescape(row[1 : 1+length]), true})
				row = row[length+2:]
				if len(row) == 0 {
					return fields, nil
				}
				row = row[1:]
				continue
			}
		}
		i := bytes.IndexByte(row, separator)
		if i < 0 {
			return append(fields, field{text: row}), nil
		}
		fields = append(fields, field{text: row[:i]})
		row = row[i+1:]
	}
}

// unescape makes one quotation mark of two (RFC 4180, 2.7).
func unescape(text []byte) []byte {
	if bytes.IndexByte(text, '"') < 0 {
		return text
	}
	return bytes.ReplaceAll(text, []byte(`""`), []byte(`"`))
}

// separators are those of tables: spreadsheets write what the country's list separator
// is.
const separators = ",;\t"

// findSeparator returns the separator that a line has most of.
func findSeparator(line []byte) (separator byte, found bool) {
	most := 0
	for i := range len(separators) {
		if n := bytes.Count(line, []byte{separators[i]}); n > most {
			separator, most = separators[i], n
		}
	}
	return separator, most > 0
}

// isSeparatorLine knows the line "sep=;" that some spreadsheets write and read before the
// names of the columns.
func isSeparatorLine(line []byte) bool {
	line = bytes.TrimRight(line, "\r")
	return len(line) == len("sep=;") && bytes.EqualFold(line[:4], []byte("sep="))
}
