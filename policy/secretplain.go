package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// bareVariable is what people write for a variable who are used to a shell (POSIX.1, 2.6.2),
// to Windows or to templates.
var bareVariable = regexp.MustCompile(`^(?:\$([A-Za-z_][A-Za-z0-9_]*)|\$\(([A-Za-z_][A-Za-z0-9_]*)\)|\$env:([A-Za-z_][A-Za-z0-9_]*)|%([A-Za-z_][A-Za-z0-9_]*)%|\$?\{\{\s*(?:env\.|secrets\.)?([A-Za-z_][A-Za-z0-9_]*)\s*\}\})$`)

// checkPlain refuses a value that cannot be meant: one that looks like a variable, and one
// of which nothing is left without its separators.
func (d *decoder) checkPlain(e *secretEntry) error {
	if m := bareVariable.FindStringSubmatch(e.Value.written); m != nil {
		name := strings.Join(m[1:], "") // one of them
		if _, set := d.env(name); set || name == strings.ToUpper(name) {
			return d.errorAt(e.Value.Line, e.Value.Column, "the value is the name of a variable, which is written ${NAME}",
				"write ${"+name+"}; text that looks like this goes into a file (file: secrets/value)")
		}
	}
	if !strings.ContainsFunc(e.Value.Value, func(r rune) bool {
		return r != '_' && !unicode.IsSpace(r) && !unicode.IsPunct(r) && (r >= 0x80 || isWord(byte(r)))
	}) {
		at := e.Value.place
		if e.File.present() {
			at = e.File.place
		}
		return d.errorAt(at.Line, at.Column, "the value has no letter and no digit", "")
	}
	return nil
}

// schemes are those of the URLs of flows.
var schemes = []string{"http", "https", "ws", "wss", "tcp", "udp", "icmp"}

// isScheme reports whether a value stands in URLs that do not hold it.
func isScheme(value string) bool { return slices.Contains(schemes, strings.ToLower(value)) }

// commonWords are other values that stand in the head of requests that do not hold them.
var commonWords = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/2.0", "HTTP/3"}

// commonSecret warns of a value that stands in requests to the app's own hosts anyway.
func (l *linter) commonSecret(s *Secret) {
	const hint = "list a value that nobody else has"
	switch {
	case isScheme(s.value):
		l.warn(s.source, 1, fmt.Sprintf("the value %q is the scheme of URLs: there it is not looked for, and elsewhere it says nothing", s.Name), hint)
	case slices.ContainsFunc(commonWords, func(word string) bool { return strings.EqualFold(word, s.value) }):
		l.warn(s.source, 1, fmt.Sprintf("the value %q is a word of HTTP: it stands in requests that say nothing of the device", s.Name), hint)
	default:
		for i := range l.p.allow {
			r := &l.p.allow[i]
			labels := append(strings.Split(r.Pattern.name, "."), r.Pattern.name)
			if r.Pattern.name != "" && slices.ContainsFunc(labels, func(label string) bool { return strings.EqualFold(label, s.value) }) {
				l.warn(s.source, 1, fmt.Sprintf("the value %q is part of a host that is allowed%s: it stands in every request there", s.Name, atLine(r.Source)), hint)
				return
			}
		}
	}
}
