package lists

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// An Error says what is wrong with a list, and where.
type Error struct {
	File    string // as the user named it
	Line    int    // 1-based
	Column  int    // 1-based, in characters
	Message string // what was expected there, and what was found

	hint string // "": the formats
}

// Error returns the place and the message.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Hint says how to get a list that can be read; mostly, it names the formats.
func (e *Error) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	return "a list is a hosts file, a list of domains, Adblock filters (||host^), Disconnect's services.json or Exodus' trackers as JSON; see docs/lists.md"
}

func (l *List) fail(line, column int, message string) *Error {
	return &Error{File: l.Name, Line: line, Column: column, Message: message}
}

// note keeps what was not understood, which harms no other rule.
func (l *List) note(line, column int, message string) {
	l.damaged++
	if l.quotesMore() {
		l.damage = append(l.damage, l.fail(line, column, message))
	}
}

// quotesMore reports whether what is not understood next is quoted, and not only counted.
func (l *List) quotesMore() bool { return len(l.damage) < maxDamage }

// place returns the line and the column of an offset.
func place(data []byte, offset int) (line, column int) {
	before := data[:min(offset, len(data))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1
}

// maxQuoted bounds what a message quotes, in bytes.
const maxQuoted = 40

// quoted writes a part of a list so that no terminal is harmed.
func quoted(s string) string {
	if len(s) > maxQuoted {
		s = strings.ToValidUTF8(s[:maxQuoted], "") + "…"
	}
	return fmt.Sprintf("%+q", s)
}
