package pretty

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"telltale/flow"
)

// guards are what servers put before JSON so that it is no script.
var guards = []string{")]}'", "for(;;);", "for (;;);", "while(1);", "while (1);", "throw 1;", "{}&&"}

// maxLevels is how deep the values of a JSON text may nest.
const maxLevels = 1 << 16

// json shows text that is JSON, one value or several, and returns its format; ""
// when it is none and nothing was shown. Text that does not call itself JSON has to
// be a whole object or array, or be cut in the midst of one.
func (p *page) json(text string, declared, cut bool) string {
	body := strings.TrimLeft(text, " \t\r\n\x1e")
	guard := ""
	for _, g := range guards {
		if strings.HasPrefix(body, g) {
			guard, body = g, strings.TrimLeft(body[len(g):], ",\r\n\t ")
		}
	}
	if !declared && guard == "" && !p.sniffJSON(body, cut) {
		return ""
	}
	if body == "" {
		return ""
	}
	first, what := p.scanner(body).value(0)
	if first == 0 || what != nil && first < 2 {
		if declared {
			p.note("the message says that it is JSON, but it does not start as that")
		}
		return ""
	}
	if guard != "" {
		p.line(0)
		p.add(Comment, guard)
	}
	return p.values(body, cut)
}

// values shows JSON values that stand behind each other.
func (p *page) values(body string, cut bool) string {
	at, count := 0, 0
	for at < len(body) {
		s := p.scanner(body)
		s.page = p
		p.line(0)
		end, what := s.value(at)
		count++
		if what != nil {
			p.broken(s, end, what, cut)
			break
		}
		at = end
		for at < len(body) && strings.IndexByte(" \t\r\n\x1e", body[at]) >= 0 {
			at++
		}
	}
	if count > 1 {
		return JSONLines
	}
	return JSON
}

// broken says where JSON ends too early or stops being JSON, and shows what is
// left as it is.
func (p *page) broken(s *scanner, at int, what error, cut bool) {
	body := s.text
	if at >= len(body) {
		if cut {
			p.note("the JSON is cut off")
		} else {
			p.note("the JSON ends early: %v", what)
		}
		return
	}
	line := 1 + strings.Count(body[:at], "\n")
	p.note("not JSON from line %d, byte %d on: %v", line, at-strings.LastIndexByte(body[:at], '\n'), what)
	rest := body[at:]
	if s.hides() {
		rest = flow.Redacted + body[s.word(at):]
	}
	p.text(Plain, p.withoutMembers(rest))
}

// member is a member of an object whose value is a string, or the start of one.
var member = regexp.MustCompile(`("(?:[^"\\]|\\.)*"\s*:\s*)"(?:[^"\\]|\\.)*"?`)

// withoutMembers redacts the credentials in text that once was JSON.
func (p *page) withoutMembers(text string) string {
	if p.opts.Reveal {
		return text
	}
	return member.ReplaceAllStringFunc(text, func(found string) string {
		end, _ := (&scanner{text: found}).quoted(0)
		if !p.hidesMember(decoded(found[:end])) {
			return found
		}
		return member.ReplaceAllString(found, `$1"`+flow.Redacted+`"`)
	})
}

// sniffJSON reports whether text that may be anything is JSON.
func (p *page) sniffJSON(body string, cut bool) bool {
	if body == "" || body[0] != '{' && body[0] != '[' || p.tookOut(body) {
		return false
	}
	end, what := p.scanner(body).value(0)
	if what != nil {
		return cut && end >= len(body) && len(body) > 2
	}
	rest := strings.TrimLeft(body[end:], " \t\r\n\x1e")
	return rest == "" || rest[0] == '{' || rest[0] == '['
}

// scanner walks through a JSON text (RFC 8259) and shows it on its page, if it has
// one. It keeps no values: numbers and strings stay as they were spelled.
type scanner struct {
	text   string
	masked bool // [flow.Redacted] may stand for a value
	page   *page
	levels []level // those that are open
}

// level is an array or object that is open.
type level struct {
	bracket byte
	// hidden says that the value that stands here next is a credential. What is in
	// an array is called like it; the members of an object have names of their own.
	hidden bool
}

// hides reports whether the value that comes next is shown as [flow.Redacted].
func (s *scanner) hides() bool { return len(s.levels) > 0 && s.levels[len(s.levels)-1].hidden }

func (p *page) scanner(text string) *scanner {
	return &scanner{text: text, masked: p.opts.Mask != nil}
}

func (s *scanner) space(i int) int {
	for i < len(s.text) && (s.text[i] == ' ' || s.text[i] == '\n' || s.text[i] == '\t' || s.text[i] == '\r') {
		i++
	}
	return i
}

func (s *scanner) add(class Class, text string) {
	if s.page != nil {
		s.page.add(class, text)
	}
}

func (s *scanner) line() {
	if s.page != nil {
		s.page.line(len(s.levels))
	}
}

// value walks through the value at i and returns where it ends, or where and why it
// is broken.
func (s *scanner) value(i int) (int, error) {
	for {
		i = s.space(i)
		end, opened, err := s.begin(i)
		if err != nil {
			return end, err
		}
		i = end
		if !opened {
			if i, err = s.close(i); err != nil || len(s.levels) == 0 {
				return i, err
			}
		}
		if s.levels[len(s.levels)-1].bracket == '{' {
			if i, err = s.name(i); err != nil {
				return i, err
			}
		}
	}
}

// begin walks through the start of a value: a scalar, an empty container, or the
// bracket of one that has opened.
func (s *scanner) begin(i int) (end int, opened bool, err error) {
	if i >= len(s.text) {
		return i, false, errEnd("a value")
	}
	c := s.text[i]
	switch {
	case c == '"':
		end, ok := s.quoted(i)
		if !ok {
			s.add(String, s.unlessHidden(s.text[i:]))
			return end, false, errEnd("the end of a string")
		}
		s.str(s.text[i:end])
		return end, false, nil
	case (c == '{' || c == '[') && !s.redactedAt(i):
		return s.open(i, c)
	}
	end = s.word(i)
	word := s.text[i:end]
	class, ok := scalar(word, s.masked)
	if !ok {
		if end == len(s.text) && len(word) > 0 && partial(word) {
			s.add(class, word)
			return end, false, errEnd("the end of a value")
		}
		if s.hides() {
			return i, false, errors.New("that is no value")
		}
		return i, false, fmt.Errorf("%.20q is no value", s.text[i:min(max(end, i+1), len(s.text))])
	}
	if class == Number {
		word = s.unlessHidden(word)
	}
	s.add(class, word)
	return end, false, nil
}

// unlessHidden returns what is shown of a string or number. Nothing can be learned
// from an empty string, nor from true, false and null.
func (s *scanner) unlessHidden(raw string) string {
	switch {
	case !s.hides() || raw == `""`:
		return raw
	case raw[0] == '"':
		return `"` + flow.Redacted + `"`
	}
	return flow.Redacted
}

// open walks through a bracket, and its counterpart when nothing is between.
func (s *scanner) open(i int, c byte) (end int, opened bool, err error) {
	if len(s.levels) >= maxLevels {
		return i, false, fmt.Errorf("more than %d values within values", maxLevels)
	}
	next := s.space(i + 1)
	if next < len(s.text) && s.text[next] == c+2 {
		s.add(Punctuation, string([]byte{c, c + 2}))
		return next + 1, false, nil
	}
	s.add(Punctuation, s.text[i:i+1])
	s.levels = append(s.levels, level{c, c == '[' && s.hides()})
	if next < len(s.text) {
		s.line()
	}
	return next, true, nil
}

// close walks through what follows a value: closing brackets, then a comma if
// another value is to come.
func (s *scanner) close(i int) (int, error) {
	for len(s.levels) > 0 {
		i = s.space(i)
		if i >= len(s.text) {
			return i, errEnd("a closing bracket")
		}
		switch c, open := s.text[i], s.levels[len(s.levels)-1].bracket; c {
		case ',':
			s.add(Punctuation, ",")
			i = s.space(i + 1)
			if i < len(s.text) && s.text[i] != open+2 { // a comma too many is shown and forgiven
				s.line()
				return i, nil
			}
			if i >= len(s.text) {
				return i, errEnd("a value")
			}
		case open + 2:
			s.levels = s.levels[:len(s.levels)-1]
			s.line()
			s.add(Punctuation, string(c))
			i++
		default:
			return i, fmt.Errorf("%.20q where a comma or a closing bracket belongs", s.text[i:min(i+1, len(s.text))])
		}
	}
	return i, nil
}

// name walks through the name of a member and its colon.
func (s *scanner) name(i int) (int, error) {
	i = s.space(i)
	if i >= len(s.text) {
		return i, errEnd("a name")
	}
	var end int
	switch {
	case s.text[i] == '"':
		var ok bool
		if end, ok = s.quoted(i); !ok {
			s.add(Key, s.text[i:])
			return end, errEnd("the end of a name")
		}
		s.add(Key, s.spelled(s.text[i:end]))
		s.levels[len(s.levels)-1].hidden = s.page != nil && s.page.open && s.page.hidesMember(decoded(s.text[i:end]))
	case s.redactedAt(i):
		end = s.word(i)
		s.add(Key, s.text[i:end])
		s.levels[len(s.levels)-1].hidden = false
	default:
		return i, fmt.Errorf("%.20q where a name belongs", s.text[i:i+1])
	}
	i = s.space(end)
	if i >= len(s.text) {
		return i, errEnd("a colon")
	}
	if s.text[i] != ':' {
		return i, fmt.Errorf("%.20q where a colon belongs", s.text[i:i+1])
	}
	s.add(Punctuation, ": ")
	return i + 1, nil
}

// errEnd is what was missing when the text ended.
type errEnd string

func (e errEnd) Error() string { return string(e) + " is missing" }
