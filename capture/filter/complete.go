package filter

import (
	"slices"
	"strconv"
	"strings"
)

// A Completion is one way to go on with what was typed: Text in place of the bytes
// from Start to End.
type Completion struct {
	Start, End int
	Text       string // a name, an operator, or a value in quotes
	Help       string // what it means; "" for values
}

// Complete lists what fits at the cursor, a number of bytes: fields and functions
// where an operand begins, operators after a field, known values after an operator,
// and what joins after a comparison. What was begun there narrows the list, without
// regard to case. Among plain words nothing fits but a field that they begin.
func Complete(text string, cursor int) []Completion {
	cursor = min(max(cursor, 0), len(text))
	before := shape(scan(text[:cursor]))
	begun := token{kind: name, start: cursor, end: cursor, spaced: true}
	if n := len(before); n > 0 && before[n-1].isBegun(cursor) {
		begun, before = before[n-1], before[:n-1]
	}
	var all []Completion
	for _, c := range before.candidates() {
		if c.fits(begun) {
			c.Start, c.End = begun.start, cursor
			all = append(all, c)
		}
	}
	return all
}

// isBegun reports whether more can be typed to the token.
func (t token) isBegun(cursor int) bool {
	switch t.kind {
	case name:
		return t.end == cursor
	case quoted:
		return !t.closed
	}
	return t.end == cursor && slices.Contains([]string{"=", "!", "<", ">", "&", "|"}, t.text)
}

// fits reports whether the completion starts with what was begun, and adds to it.
func (c Completion) fits(begun token) bool {
	typed, full := begun.text, c.Text
	if begun.kind == quoted || strings.HasPrefix(full, `"`) {
		if begun.kind == quoted && !strings.HasPrefix(full, `"`) {
			return false
		}
		typed, full = strings.TrimLeft(typed, "\"'`"), strings.Trim(full, `"`)
	} else if typed == full {
		return false
	}
	return len(typed) <= len(full) && strings.EqualFold(typed, full[:len(typed)])
}

// candidates lists what can follow the tokens.
func (s shape) candidates() []Completion {
	last := len(s) - 1
	switch {
	case last < 0 || slices.Contains([]string{"and", "or", "&&", "||", "!", "("}, s[last].text):
		return s.operands(last)
	case s.isField(last), s.endsCall(last):
		return operators(s.compared(last))
	case s[last].text == "not":
		if last > 0 && s.isField(last-1) {
			return operators(s.compared(last - 1))[len(comparisons):]
		}
		return s.operands(last)
	case s.isOperator(last):
		return values(s.leftOf(last))
	case s[last].text == "in":
		return []Completion{{Text: "[", Help: "a list: [200, 204]"}}
	case s[last].text == "[" || s[last].text == ",":
		return values(s.listed(last))
	case s.endsComparison(last):
		return []Completion{{Text: "and", Help: "both must hold"}, {Text: "or", Help: "one must hold"}}
	}
	return nil
}

func (s shape) operands(last int) []Completion {
	var all []Completion
	for _, f := range Fields {
		all = append(all, Completion{Text: f.Name, Help: f.Help})
	}
	if last >= 1 && s[last].text == "(" && isFunction(s[last-1].text) {
		return all
	}
	for _, f := range Functions {
		all = append(all, Completion{Text: f.Name + "(", Help: f.Help})
	}
	return append(all, Completion{Text: "not", Help: "the opposite of what follows"})
}

// operators lists what compares a field; those that are words come last.
func operators(f Field) []Completion {
	all := []Completion{
		{Text: "==", Help: "is"}, {Text: "!=", Help: "is not"},
		{Text: "<", Help: "is less than"}, {Text: "<=", Help: "is at most"}, {Text: ">", Help: "is more than"}, {Text: ">=", Help: "is at least"},
	}
	if f.Type == "text" {
		all = append(all,
			Completion{Text: "contains", Help: "has the text in it"}, Completion{Text: "startsWith", Help: "begins with the text"},
			Completion{Text: "endsWith", Help: "ends with the text"}, Completion{Text: "matches", Help: "fits the regular expression (RE2)"})
	}
	return append(all, Completion{Text: "in", Help: "is one of a list"}, Completion{Text: "not", Help: "the opposite of what follows"})
}

func values(f Field) []Completion {
	all := make([]Completion, len(f.Values))
	for i, v := range f.Values {
		all[i].Text = strconv.Quote(v)
	}
	return all
}

func (s shape) isOperator(i int) bool {
	t := s.at(i).text
	return slices.Contains(comparisons, t) || slices.Contains(textComparisons, t)
}

// leftOf returns the field that the operator at i compares.
func (s shape) leftOf(i int) Field {
	if s.at(i-1).text == "not" {
		i--
	}
	return s.compared(i - 1)
}

// compared returns the field at i, or the argument of the function call that ends
// there.
func (s shape) compared(i int) Field {
	if s.endsCall(i) {
		if fn := s.at(i - 3).text; fn != "lower" && fn != "trim" && fn != "upper" {
			return Field{Type: "number"}
		}
		return Field{Type: "text"}
	}
	if !s.isField(i) {
		return Field{}
	}
	return fieldByName[s[i].text]
}

// endsCall reports whether `lower(host)` ends at i.
func (s shape) endsCall(i int) bool {
	return s.at(i).text == ")" && s.at(i-2).text == "(" && isFunction(s.at(i-3).text)
}

// listed returns the field whose list, `method in ["GET",`, is open at i.
func (s shape) listed(i int) Field {
	for ; i > 0; i-- {
		switch {
		case s[i].text == "]":
			return Field{}
		case s[i].text == "[" && s[i-1].text == "in":
			return s.leftOf(i - 1)
		}
	}
	return Field{}
}

// endsComparison reports whether a comparison can be complete at i.
func (s shape) endsComparison(i int) bool {
	switch {
	case s[i].text == "]" || s[i].text == ")":
		return slices.ContainsFunc(s[:i], func(t token) bool {
			return t.text == "in" || slices.Contains(comparisons, t.text) || slices.Contains(textComparisons, t.text)
		})
	case s[i].kind == quoted || s[i].kind == name:
		return s.isOperator(i-1) || s.at(i-1).text == "." && s.at(i-2).text == "."
	}
	return false
}
