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
	line, offset                       int // of the signature
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
			t.line, t.offset = r.at(), r.began
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
	return r.addSignature(&t)
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
func (r *jsonReader) addSignature(t *tracker) error {
	if len(t.signature) > maxPattern {
		r.noteOf(t, fmt.Sprintf("expected a regular expression of at most %d bytes, found one of %d", maxPattern, len(t.signature)))
		return nil
	}
	o := r.list.ownedBy(owner{product: t.name, category: t.category})
	for _, part := range alternatives(t.signature) {
		listed := rule{text: t.name + ": " + part, line: int32(t.line), owner: o, below: true}
		if part == "" {
			continue
		}
		if name, below, ok := domain(literal(part)); ok {
			listed.below = below || !isAddress(name)
			if err := r.list.add(name, listed); err != nil {
				return err
			}
			continue
		}
		if problem := r.list.addRegexp(part, listed); problem != "" {
			r.noteOf(t, problem)
		}
	}
	return nil
}

// noteOf keeps what was not understood of a tracker's signature. The tracker is named:
// these files mostly are one line.
func (r *jsonReader) noteOf(t *tracker, problem string) {
	r.note(t.offset, "tracker "+quoted(t.name)+": "+problem)
}

// addRegexp takes in a rule that only a regular expression says, or says what is wrong
// with it.
func (l *List) addRegexp(part string, listed rule) (problem string) {
	if repeats(part) {
		return "expected a regular expression of names, found one that counts: " + quoted(part)
	}
	re, err := regexp.Compile("(?i:" + part + ")")
	switch {
	case err != nil:
		return "expected a regular expression in the syntax of RE2, found " + quoted(part)
	case re.MatchString("") || re.MatchString("x9--q.invalid") || re.MatchString("x9--q.invalid/7-w"):
		return "expected a regular expression of some hosts, found one that matches any: " + quoted(part)
	case len(l.regexps) >= maxRegexps:
		return fmt.Sprintf("more than %d regular expressions", maxRegexps)
	}
	listed.text = harmless(listed.text)
	l.regexps = append(l.regexps, signature{re, strings.Contains(part, "/"), listed})
	l.Rules++
	return ""
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
