package useragent

import (
	"net/url"
	"strings"
)

// header is a User-Agent in the parts that RFC 9110, 10.1.5 names.
type header struct {
	text     string
	products []product
	comments []comment
}

// product is one word outside of comments: name/version.
type product struct{ name, version string }

// comment is what stands in brackets, by its semicolons.
type comment struct {
	fields []string
	after  int // how many products stand before it
}

// split never fails: whatever is no comment is a product.
func split(text string) *header {
	h := &header{text: strings.TrimSpace(text)}
	for rest := h.text; rest != ""; rest = strings.TrimLeft(rest, " \t;") {
		if rest[0] == '(' || rest[0] == '[' {
			end := closing(rest)
			h.comments = append(h.comments, comment{fieldsOf(rest[1:end]), len(h.products)})
			rest = rest[min(end+1, len(rest)):]
			continue
		}
		end := strings.IndexAny(rest, " \t([")
		if end < 0 {
			end = len(rest)
		}
		name, version, _ := strings.Cut(rest[:end], "/")
		h.products = append(h.products, product{name, version})
		rest = rest[end:]
	}
	return h
}

// closing returns where the bracket that opens s closes, or its end.
func closing(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(', '[':
			depth++
		case ')', ']':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(s)
}

func fieldsOf(s string) []string {
	fields := strings.Split(s, ";")
	for i, f := range fields {
		fields[i] = strings.TrimSpace(f)
	}
	return fields
}

// product returns the first one of that name, nil when there is none.
func (h *header) product(name string) *product {
	for i := range h.products {
		if h.products[i].name == name {
			return &h.products[i]
		}
	}
	return nil
}

// field returns the first field of a comment that begins so.
func (h *header) field(prefix string) (string, bool) {
	for _, c := range h.comments {
		for _, f := range c.fields {
			if strings.HasPrefix(f, prefix) {
				return f, true
			}
		}
	}
	return "", false
}

// app reads what programs send that are no browsers: "name/version (what; it; runs; on)".
func (h *header) app() Agent {
	a := h.system()
	a.App = h.name()
	if isModel(a.App) {
		a.App = ""
	}
	return a
}

// name returns what stands at the front, up to its version: a name may have blanks.
// Where that is the system, as some of Apple's programs put it, the last product is the
// program.
func (h *header) name() string {
	if os, version, ok := systemOf(h.text); ok && os != "" && version != "" && len(h.products) > 1 {
		return decoded(h.products[len(h.products)-1].name)
	}
	name, slash := h.text, false
	if i := strings.IndexAny(name, "/(["); i >= 0 {
		name, slash = name[:i], name[i] == '/'
	}
	if slash {
		return decoded(strings.TrimSpace(name))
	}
	words := strings.Fields(name)
	for i, word := range words { // "Name 1.2", "Name-1.2 more"
		if dash := strings.LastIndexByte(word, '-'); dash > 0 && startsWithDigit(word[dash+1:]) {
			words = append(words[:i:i], word[:dash])
			break
		}
		if i > 0 && startsWithDigit(word) {
			words = words[:i]
			break
		}
	}
	return decoded(strings.Join(words, " "))
}

// decoded undoes the percent-encoding that CFNetwork gives names.
func decoded(name string) string {
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}

func startsWithDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }
