package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"telltale/flow"
	"telltale/policy/catalog"
)

// ChangeKind is what a person decides about a host or a violation.
type ChangeKind string

// The kinds of changes.
const (
	ChangeAllow  ChangeKind = "allow"  // the app may contact the host
	ChangeIgnore ChangeKind = "ignore" // the device's own noise
	ChangeWaive  ChangeKind = "waive"  // a violation that is excused until a date
)

// section is the key of the policy file under which such changes stand.
func (k ChangeKind) section() string {
	if k == ChangeWaive {
		return "waivers"
	}
	return string(k)
}

// A Change is one decision of a person about what was seen: one new entry of the
// policy file. [Edit] makes it.
type Change struct {
	Kind    ChangeKind
	Pattern string    // host pattern as [ParsePattern] reads it
	Rule    Rule      // of a waiver
	Reason  string    // one line; needed for a waiver, "" for none otherwise
	Until   time.Time // last day of a waiver; its date alone counts
}

// ErrUnchanged is what [errors.Is] finds in the error of a [Change] that the policy
// makes already.
var ErrUnchanged = errors.New("the policy says so already")

// A ChangeError says why a change cannot be made, or would change no verdict.
type ChangeError struct {
	At        Source // the entry that stands in the way; zero where none does
	Message   string // lower case, without a full stop
	hint      string
	unchanged bool
}

// Error returns the message, and before it the line that stands in the way.
func (e *ChangeError) Error() string {
	if e.At.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("%s:%d: %s", e.At.File, e.At.Line, e.Message)
}

// Hint says what to do instead, "" when that is not known.
func (e *ChangeError) Hint() string { return e.hint }

// Is reports whether target is [ErrUnchanged] and the change is made already.
func (e *ChangeError) Is(target error) bool { return target == ErrUnchanged && e.unchanged }

// checked is a change whose parts are valid by themselves.
type checked struct {
	kind    ChangeKind
	pattern Pattern
	rule    Rule
	reason  string
	until   time.Time // midnight UTC
}

// check reads the parts of a change, on the day now.
func (c Change) check(now time.Time) (*checked, error) {
	fail := func(message, hint string) (*checked, error) {
		return nil, &ChangeError{Message: message, hint: hint}
	}
	switch c.Kind {
	case ChangeAllow, ChangeIgnore, ChangeWaive:
	default:
		return fail(fmt.Sprintf("unknown change %q", c.Kind), "one of: allow, ignore, waive")
	}
	pattern, err := ParsePattern(c.Pattern)
	if err != nil {
		return nil, err
	}
	out := &checked{kind: c.Kind, pattern: pattern, reason: strings.TrimSpace(c.Reason)}
	if message := checkReason(out.reason); message != "" {
		return fail(message, "write it in one line of plain text")
	}
	if c.Kind != ChangeWaive {
		return out, nil
	}
	if out.rule = c.Rule; !contains(ruleNames(), string(c.Rule)) {
		suffix, hint := didYouMean(string(c.Rule), ruleNames())
		return fail(fmt.Sprintf("unknown rule %q%s", c.Rule, suffix), hint)
	}
	if out.reason == "" {
		return fail("a waiver needs a reason", "say why the violation is excused")
	}
	if c.Until.IsZero() || c.Until.Year() > 9999 {
		return fail("a waiver needs a last day", "write it as "+now.AddDate(0, 3, 0).Format(time.DateOnly))
	}
	year, month, day := c.Until.Date()
	out.until = time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if today := now.UTC().Truncate(24 * time.Hour); out.until.Before(today) {
		return fail("the waiver would have expired on "+out.until.Format(time.DateOnly), "give it a day that is still to come")
	}
	return out, nil
}

// maxReason bounds a reason, in bytes. It is a line that people read.
const maxReason = 1000

// checkReason returns what is wrong with a reason, "" when nothing is. What turns
// the direction of text could make a line of the policy look like another one.
func checkReason(s string) string {
	if !utf8.ValidString(s) {
		return "the reason is not UTF-8"
	}
	if len(s) > maxReason {
		return fmt.Sprintf("the reason is longer than %d bytes", maxReason)
	}
	for _, r := range s {
		switch {
		case r == '\n' || r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029:
			return "the reason has more than one line"
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == 0xfeff:
			return fmt.Sprintf("the reason has a control character (U+%04X)", r)
		}
	}
	return ""
}

// effect refuses a change that the policy makes already, or that another entry keeps
// from having any effect. What it lets pass may still be unwise: see [Lint].
func (c *checked) effect(file string, doc *document) error {
	fail := func(at place, unchanged bool, message, hint string) error {
		return &ChangeError{At: Source{File: file, Line: at.Line, Text: at.written}, Message: message, hint: hint, unchanged: unchanged}
	}
	if c.kind == ChangeWaive {
		return c.waiverEffect(doc, fail)
	}
	for i := range doc.Deny {
		e := &doc.Deny[i]
		if !e.Category.present() && e.Host.Pattern.covers(c.pattern) {
			return fail(e.place, false, fmt.Sprintf("deny forbids %s, and deny wins", e.Host.Pattern), "remove that entry first")
		}
		if t, ok := catalog.FindProduct(c.pattern.name, ""); ok && c.pattern.kind == exactName && e.Category.Value == t.Category {
			return fail(e.place, false, fmt.Sprintf("deny forbids the category %s, to which %s of %s belongs, and deny wins", t.Category, c.pattern, t.Owner()), "remove that entry first")
		}
	}
	for i := range doc.Allow {
		e := &doc.Allow[i]
		switch whole := len(e.Methods)+len(e.Paths) == 0; {
		case !whole || !e.Host.Pattern.covers(c.pattern):
		case c.kind == ChangeAllow:
			return fail(e.place, true, "allow names "+e.Host.Pattern.String()+" already", "")
		default:
			return fail(e.place, false, fmt.Sprintf("allow names %s, and allow wins over ignore", e.Host.Pattern), "remove that entry first")
		}
	}
	for i := range doc.Ignore {
		if e := &doc.Ignore[i]; c.kind == ChangeIgnore && e.Host.present() && e.Host.Pattern.covers(c.pattern) {
			return fail(e.place, true, "ignore names "+e.Host.Pattern.String()+" already", "")
		}
	}
	return nil
}

func (c *checked) waiverEffect(doc *document, fail func(place, bool, string, string) error) error {
	for i := range doc.Waivers {
		w := &doc.Waivers[i]
		if w.Rule.Value != c.rule || !w.Host.Pattern.covers(c.pattern) {
			continue
		}
		until := w.Until.Value.Format(time.DateOnly)
		if !w.Until.Value.Before(c.until) {
			return fail(w.place, true, fmt.Sprintf("a waiver excuses %s on %s already, until %s", c.rule, w.Host.Pattern, until), "")
		}
		// A second one would not help: when the first expires the file is an error.
		if w.Host.Pattern == c.pattern {
			return fail(w.place, false, fmt.Sprintf("a waiver excuses %s on %s until %s", c.rule, w.Host.Pattern, until), "give that entry the new date")
		}
	}
	return nil
}

// appendTo adds the entry to a document, as reading the edited file must do.
func (c *checked) appendTo(doc *document) {
	host, reason := hostPattern{Pattern: c.pattern}, text{Value: c.reason}
	switch c.kind {
	case ChangeAllow:
		doc.Allow = append(doc.Allow, allowEntry{Host: host, Reason: reason})
	case ChangeIgnore:
		doc.Ignore = append(doc.Ignore, ignoreEntry{Host: host, Reason: reason})
	case ChangeWaive:
		doc.Waivers = append(doc.Waivers, waiverEntry{Rule: ruleName{Value: c.rule}, Host: host, Reason: reason, Until: date{Value: c.until}})
	}
}

// Suggest returns the patterns by which a host may be allowed, the narrowest first:
// the host, then each domain above it with all that is below, up to the registered
// one (public suffix list, private section included). An address, and a name without
// a registered domain, stand for themselves alone. What is no host has none.
func Suggest(host string) []string {
	if host == "" {
		return nil
	}
	host = flow.CanonicalHost(host)
	self, err := ParsePattern(host)
	if err != nil || self.kind != exactName && !self.prefix.IsSingleIP() {
		return nil
	}
	out := []string{self.String()}
	if _, err := netip.ParseAddr(host); err == nil {
		return out
	}
	registered, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return out
	}
	for domain := host; ; {
		if _, parent, _ := strings.Cut(domain, "."); domain != registered {
			domain = parent
		}
		out = append(out, "."+domain)
		if domain == registered {
			return out
		}
	}
}
