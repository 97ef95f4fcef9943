// Package lists reads the lists of trackers that others keep: hosts files and lists of
// domains, Adblock filters, Disconnect's services and Exodus' trackers.
//
// It knows the part of each format that says which hosts, and which paths of them, are
// listed, and promises that [List.Find] is quick however long a list is. What is about
// web pages (hiding of elements, rules for the requests of one site) has no meaning for
// an app: it is counted in [List.Skipped]. What was not understood is in [List.Notes];
// a list of which nothing was understood is an error with its place.
//
// The package judges nothing and opens no file: whether a listed host may be contacted
// is the policy's business ([telltale/policy.Policy.AddList]). To see what a list says of
// a URL, run `telltale policy explain --list FILE URL`.
package lists

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"telltale/flow/plain"
)

// An Entry is what a list says of a host.
type Entry struct {
	Company  string // "" where the list names none
	Product  string // "" where the list names none
	Category string // one of the catalogue's, "" where the list's own has no match
	Line     int    // 1-based
	Text     string // as written, at most maxText bytes, harmless to show
}

// Owner returns the product with its company, whichever the list names: "Crashlytics
// (Google)". It is "" where the list names neither.
func (e *Entry) Owner() string {
	switch {
	case e.Product == "":
		return e.Company
	case e.Company == "" || strings.Contains(e.Product, e.Company):
		return e.Product
	}
	return e.Product + " (" + e.Company + ")"
}

// The formats.
const (
	HostsFile  = "hosts file"
	DomainList = "list of domains"
	Adblock    = "Adblock filters"
	Disconnect = "Disconnect services"
	Exodus     = "Exodus trackers"
)

// A List is one file. It does not change, and any goroutine may use it.
type List struct {
	Name    string // as the user named the file
	Format  string // one of the constants
	Digest  string // lower-case hex SHA-256 of the file
	Rules   int    // that were understood
	Skipped int    // rules that are about pages and not about contacts
	// Notes say what was not understood, the first few with their places, and what was
	// left out on purpose.
	Notes []string

	rules   []rule
	hosts   map[string]int32 // host: its first rule, the others by rule.next
	owners  []owner
	regexps []signature

	damage    []*Error // the first of what was not understood
	damaged   int
	exempting bool // there are exceptions
}

// owner is who rules are about. The first one of a list is nobody.
type owner struct{ company, product, category string }

// rule says that a host is listed.
type rule struct {
	text   string
	path   string // pattern of the path; "" for any
	glob   string // pattern of the host, where its name has a *; ""
	line   int32
	owner  int32
	next   int32 // the rule before it for the same name; 0 for none
	below  bool  // with everything below the name
	exempt bool  // an exception: what it covers is not listed
}

// signature is a rule that only a regular expression says.
type signature struct {
	pattern *regexp.Regexp
	byPath  bool
	rule
}

// MaxSize bounds a file, in bytes. The largest lists that people keep have some 20 MB.
const MaxSize = 128 << 20

// Limits: a list comes from strangers.
const (
	maxRules   = 4_000_000
	maxText    = 200 // bytes of what Entry.Text quotes
	maxDamage  = 3   // places that notes name
	maxRegexps = 2_000
	maxPattern = 1_000 // bytes of a regular expression
)

// Read reads a list, whose format it recognises by its content. The error is an [*Error].
func Read(name string, data []byte) (*List, error) {
	l := &List{Name: name, hosts: map[string]int32{}, rules: make([]rule, 1), owners: make([]owner, 1)}
	sum := sha256.Sum256(data)
	l.Digest = hex.EncodeToString(sum[:])
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if err := l.read(data); err != nil {
		return nil, err
	}
	if l.Rules == 0 {
		return nil, l.unusable()
	}
	for _, e := range l.damage {
		l.Notes = append(l.Notes, fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message))
	}
	if more := l.damaged - len(l.damage); more > 0 {
		l.Notes = append(l.Notes, fmt.Sprintf("%d more that were not understood", more))
	}
	return l, nil
}

func (l *List) read(data []byte) error {
	switch {
	case len(data) > MaxSize:
		return l.fail(1, 1, fmt.Sprintf("the file has more than %d MiB", MaxSize>>20))
	case bytes.IndexByte(data, 0) >= 0:
		at := bytes.IndexByte(data, 0)
		line, column := place(data, at)
		return l.fail(line, column, "expected text, found a NUL byte")
	case isWebPage(data):
		line, column := place(data, len(data)-len(skipRemarks(data)))
		e := l.fail(line, column, "expected a list, found a web page")
		e.hint = "a browser saved the page that shows the list; save the list itself: on the page, follow the link to the raw file"
		return e
	case looksLikeJSON(data):
		return l.readJSON(data)
	}
	return l.readText(string(data))
}

// looksLikeJSON tells JSON from the header of Adblock filters, which begins with a
// bracket, too: "[Adblock Plus 2.0]".
func looksLikeJSON(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	if len(data) == 0 || data[0] != '{' && data[0] != '[' {
		return false
	}
	rest := bytes.TrimLeft(data[1:], " \t\r\n")
	return data[0] == '{' || len(rest) == 0 || rest[0] == '{' || rest[0] == ']'
}

// unusable is the error about a list of which nothing was understood.
func (l *List) unusable() error {
	if len(l.damage) > 0 {
		return l.damage[0]
	}
	if l.Skipped > 0 {
		return l.fail(1, 1, fmt.Sprintf("no usable rule: all %d rules are about web pages", l.Skipped))
	}
	return l.fail(1, 1, "no usable rule: the list is empty")
}

// add takes in a rule for a name.
func (l *List) add(name string, r rule) error {
	if len(l.rules) > maxRules {
		return l.fail(int(r.line), 1, fmt.Sprintf("the list has more than %d rules", maxRules))
	}
	r.text = harmless(r.text)
	r.next = l.hosts[name]
	l.hosts[name] = int32(len(l.rules))
	l.rules = append(l.rules, r)
	l.exempting = l.exempting || r.exempt
	l.Rules++
	return nil
}

// harmless returns what may be quoted of a list.
func harmless(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	if plain.Is(s) {
		return s
	}
	return plain.Text(s)
}

// Find returns what the list says of a request to a canonical host. The path is decoded
// and without the query, "" where it is not known: rules about paths then do not apply.
// Of several rules the one with the longest name wins, and an exception wins over all.
func (l *List) Find(host, path string) (Entry, bool) {
	var found *rule
	for name := host; name != ""; {
		closest := found
		for i := l.hosts[name]; i != 0; i = l.rules[i].next {
			r := &l.rules[i] // of those for one name, the first of the file comes last
			switch {
			case closest != nil && !r.exempt, !r.covers(host, name, path):
			case r.exempt:
				return Entry{}, false
			default:
				found = r
			}
		}
		if found != nil && !l.exempting {
			break
		}
		_, name, _ = strings.Cut(name, ".")
	}
	if found == nil {
		found = l.findSignature(host, path)
	}
	if found == nil {
		return Entry{}, false
	}
	o := l.owners[found.owner]
	return Entry{Company: o.company, Product: o.product, Category: o.category, Line: int(found.line), Text: found.text}, true
}

// covers reports whether a rule, found under a name that the host ends in, is about the
// request.
func (r *rule) covers(host, name, path string) bool {
	switch {
	case r.glob != "" && !matchHost(r.glob, host):
		return false
	case r.glob == "" && !r.below && len(name) != len(host):
		return false
	}
	return r.path == "" || path != "" && matchPath(r.path, path)
}

func (l *List) findSignature(host, path string) *rule {
	for i := range l.regexps {
		s := &l.regexps[i]
		subject := host
		if s.byPath {
			subject += path
		}
		if s.pattern.MatchString(subject) {
			return &s.rule
		}
	}
	return nil
}

// ByPath reports whether it depends on the path what the list says of a host.
func (l *List) ByPath(host string) bool {
	for name := host; name != ""; {
		for i := l.hosts[name]; i != 0; i = l.rules[i].next {
			if l.rules[i].path != "" {
				return true
			}
		}
		_, name, _ = strings.Cut(name, ".")
	}
	for i := range l.regexps {
		if l.regexps[i].byPath {
			return true
		}
	}
	return false
}

// ownedBy returns the number of an owner.
func (l *List) ownedBy(o owner) int32 {
	if o == l.owners[len(l.owners)-1] {
		return int32(len(l.owners) - 1)
	}
	o.company, o.product = harmless(o.company), harmless(o.product)
	l.owners = append(l.owners, o)
	return int32(len(l.owners) - 1)
}
