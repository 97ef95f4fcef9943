package filter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/expr-lang/expr/file"
)

// Error is a mistake in an expression.
type Error struct {
	Expression string
	Column     int // 1-based, in characters; one past the end where something is missing
	Message    string
}

// Error returns the column and the message, on one line that is harmless to print.
func (e *Error) Error() string {
	return fmt.Sprintf("filter, column %d: %s", e.Column, e.Message)
}

// Hint names the command that lists the language.
func (e *Error) Hint() string { return "telltale flows --help" }

// Excerpt returns the expression, and on a second line a caret at the mistake.
// Nothing in it moves a cursor.
func (e *Error) Excerpt() string {
	return printable(e.Expression) + "\n" + strings.Repeat(" ", max(0, e.Column-1)) + "^"
}

// printable puts a space in place of every character that does not show, so that
// the others keep their columns.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}

// newError says what the compiler, or the machine, found in this language's words.
func newError(expression string, err error) *Error {
	e := &Error{Expression: expression, Column: 1, Message: err.Error()}
	var at *file.Error
	if errors.As(err, &at) {
		// The column counts from the start of the text: a filter has one line.
		e.Column, e.Message = min(at.From, utf8.RuneCountInString(expression))+1, at.Message
	}
	e.Message, _, _ = strings.Cut(e.Message, "\n")
	e.explain()
	e.Message = printable(e.Message)
	return e
}

// explain rewrites the messages of the compiler that people are most likely to
// meet.
func (e *Error) explain() {
	tokens := scan(e.Expression)
	if name, ok := strings.CutPrefix(e.Message, "unknown name "); ok {
		e.Message = e.unknownName(name)
		return
	}
	number := strings.HasPrefix(e.Message, "bad number syntax: ")
	if (number || strings.HasPrefix(e.Message, "unexpected token Identifier(")) && e.numberWithUnit() {
		return
	}
	if operator, ok := cut(e.Message, "unexpected token Identifier(\"", "\")"); ok {
		if exact := exactOperator(operator); exact != "" {
			e.Message = fmt.Sprintf("%s is spelt %s", operator, exact)
			return
		}
	}
	if types, ok := cut(e.Message, " (mismatched types ", ")"); ok {
		operator, _ := cut(e.Message, "invalid operation: ", " (mismatched types "+types+")")
		left, right, _ := strings.Cut(types, " and ")
		e.Message = fmt.Sprintf("%s does not take %s and %s", operator, typeInWords(left), typeInWords(right))
		return
	}
	switch {
	case number:
		e.Message = "letters do not belong to a number; a text stands in quotes"
	case e.Message == `unexpected token Operator("=")`:
		e.Message = "= compares nothing; write =="
	case strings.HasPrefix(e.Message, "unexpected token EOF"), strings.HasPrefix(e.Message, "unexpected end"):
		e.Column = utf8.RuneCountInString(strings.TrimRightFunc(e.Expression, unicode.IsSpace)) + 1
		e.Message = "the expression is not complete"
	case strings.HasPrefix(e.Message, "cannot use ") && strings.HasSuffix(e.Message, " in array"):
		e.Message = "the list holds texts and the field is a number, or the other way round"
	case e.Message == "literal not terminated":
		if i := slices.IndexFunc(tokens, func(t token) bool { return t.kind == quoted && !t.closed }); i >= 0 {
			e.Column = utf8.RuneCountInString(e.Expression[:tokens[i].start]) + 1
		}
		e.Message = "the closing quote is missing"
	case strings.HasPrefix(e.Message, "unrecognized character: ") && strings.ContainsAny(e.Message, "\u201c\u201d\u2018\u2019\u00ab\u00bb"):
		e.Message = `texts stand in straight quotes: "`
	}
}

// cut returns what stands between two marks.
func cut(s, before, after string) (string, bool) {
	_, rest, ok := strings.Cut(s, before)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, after)
}

func (e *Error) unknownName(name string) string {
	if e.afterComparison() {
		return fmt.Sprintf("unknown field %s; a text stands in quotes: %q", name, name)
	}
	if near := nearest(name); near != "" {
		return fmt.Sprintf("unknown field %s; did you mean %s?", name, near)
	}
	return "unknown field " + name
}

// afterComparison reports whether what stands at the mistake is compared with what
// stands before it.
func (e *Error) afterComparison() bool {
	before := scan(string([]rune(e.Expression)[:e.Column-1]))
	if len(before) == 0 {
		return false
	}
	last := before[len(before)-1].text
	return slices.Contains(comparisons, last) || slices.Contains(textComparisons, last)
}

func exactOperator(misspelt string) string {
	for _, op := range append([]string{"and", "or", "not", "in"}, textComparisons...) {
		if strings.EqualFold(op, misspelt) {
			return op
		}
	}
	return ""
}

func typeInWords(t string) string {
	switch t {
	case "string":
		return "a text"
	case "int", "float64":
		return "a number"
	case "bool":
		return "a comparison"
	}
	if strings.HasPrefix(t, "[]") {
		return "a list"
	}
	return "something else"
}

// nearest returns the field whose name is most like a misspelt one, "" when none
// is.
func nearest(misspelt string) string {
	best, least := "", 3
	for _, f := range Fields {
		if d := distance(strings.ToLower(misspelt), f.Name); d < least && d < len(f.Name)-1 {
			best, least = f.Name, d
		}
	}
	return best
}

// distance counts the letters to insert, drop, replace or swap with a neighbour
// (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 20 {
		return len(a)
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
