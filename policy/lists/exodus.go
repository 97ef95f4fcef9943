package lists

import (
	"fmt"
	"regexp"
	"strings"
)

// exodusCategories are those of Exodus in the catalogue's words. Location, profiling and
// identification have no match: they say what is collected, and not what for.
var exodusCategories = map[string]string{
	"Analytics":       "analytics",
	"Advertisement":   "advertising",
	"Crash reporting": "crash-reporting",
}

// tracker is one of Exodus' list.
type tracker struct {
	name, signature, website, category string
	line                               int
}

// trackers reads the trackers of Exodus or of ETIP: an array of them, or an object by
// their numbers.
//
//	{"1": {"name": "Kit", "network_signature": "kit\\.example|kit\\.test", "categories": ["Analytics"]}}
func (r *jsonReader) trackers() error {
	if r.starts() == '[' {
		return r.array("an array of trackers", r.tracker)
	}
	return r.object("an object or an array of trackers", func(string) error { return r.tracker() })
}

func (r *jsonReader) tracker() error {
	var t tracker
	err := r.object("a tracker", func(key string) error {
		var err error
		switch {
		case key == "network_signature" && r.starts() == '"':
			t.signature, err = r.text("a regular expression")
			t.line = r.at()
		case key == "name":
			t.name, err = r.text("a name")
		case key == "website" && r.starts() == '"':
			t.website, err = r.text("a URL")
		case key == "categories" && r.starts() == '[':
			t.category, err = r.category()
		default:
			err = r.skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	if t.signature == "" || t.signature == "NC" { // "not communicated"
		r.list.Skipped++
		return nil
	}
	return r.list.addSignature(&t)
}

// category reads a tracker's categories, names or objects with a name, and returns the
// first one that the catalogue has a word for.
func (r *jsonReader) category() (string, error) {
	category := ""
	keep := func(name string) {
		if category == "" {
			category = exodusCategories[name]
		}
	}
	err := r.array("an array of categories", func() error {
		switch r.starts() {
		case '"':
			name, err := r.text("a category")
			keep(name)
			return err
		case '{':
			return r.object("a category", func(key string) error {
				if key != "name" || r.starts() != '"' {
					return r.skip()
				}
				name, err := r.text("a name")
				keep(name)
				return err
			})
		}
		return r.skip()
	})
	return category, err
}

// addSignature takes in a tracker's regular expression. Nearly all are names of domains
// with their dots escaped: these become rules for the domain and what is below, so that
// finding is quick. The others stay what they are.
func (l *List) addSignature(t *tracker) error {
	if len(t.signature) > maxPattern {
		l.note(t.line, 1, fmt.Sprintf("expected a regular expression of at most %d bytes, found one of %d", maxPattern, len(t.signature)))
		return nil
	}
	o := l.ownedBy(owner{product: t.name, category: t.category})
	for _, part := range alternatives(t.signature) {
		r := rule{text: t.name + ": " + part, line: int32(t.line), owner: o, below: true}
		if part == "" {
			continue
		}
		if name, below, ok := domain(literal(part)); ok {
			r.below = below || !isAddress(name)
			if err := l.add(name, r); err != nil {
				return err
			}
			continue
		}
		l.addRegexp(part, r)
	}
	return nil
}

func (l *List) addRegexp(part string, r rule) {
	if repeats(part) {
		l.note(int(r.line), 1, "expected a regular expression of names, found one that counts: "+quoted(part))
		return
	}
	re, err := regexp.Compile("(?i:" + part + ")")
	switch {
	case err != nil:
		l.note(int(r.line), 1, "expected a regular expression in the syntax of RE2, found "+quoted(part))
	case re.MatchString("") || re.MatchString("x9--q.invalid") || re.MatchString("x9--q.invalid/7-w"):
		l.note(int(r.line), 1, "expected a regular expression of some hosts, found one that matches any: "+quoted(part))
	case len(l.regexps) >= maxRegexps:
		l.note(int(r.line), 1, fmt.Sprintf("more than %d regular expressions", maxRegexps))
	default:
		r.text = harmless(r.text)
		l.regexps = append(l.regexps, signature{re, strings.Contains(part, "/"), r})
		l.Rules++
	}
}

// highCount is a count of three digits in a regular expression: "{100}", "{1,999}".
var highCount = regexp.MustCompile(`\{\d*,?\d{3}`)

// repeats reports whether a regular expression counts high, or in several places: each
// count makes what is compiled as many times as large.
func repeats(part string) bool {
	return strings.Count(part, "{") > maxCounts || highCount.MatchString(part)
}

// maxCounts bounds the counts {n,m} of a regular expression.
const maxCounts = 2

// alternatives parts a regular expression at the bars that are outside of groups and
// classes.
func alternatives(s string) []string {
	var parts []string
	depth, class, start := 0, false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '|' && depth == 0:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// literal returns the domain that a regular expression means, "" where it means more than
// one. An anchor or a run of anything before the domain is the same as what is below it,
// and a dot that nobody escaped is a dot.
func literal(part string) string {
	s := strings.TrimSuffix(strings.TrimPrefix(part, "^"), "$")
	s = strings.TrimSuffix(s, "/")
	s = strings.TrimPrefix(s, ".*")
	s = strings.TrimPrefix(strings.ReplaceAll(strings.ReplaceAll(s, `\.`, "."), `\-`, "-"), ".")
	if strings.HasPrefix(s, "*") {
		return ""
	}
	return s
}
