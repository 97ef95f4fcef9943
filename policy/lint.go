package policy

import (
	"fmt"
	"net/netip"
	"sort"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"telltale/policy/catalog"
)

// A Warning is something in a valid policy that is probably not meant.
type Warning struct {
	Source  Source
	Column  int // 1-based; 0 for a flag
	Message string
	hint    string
}

// String returns the place and the message.
func (w Warning) String() string {
	if w.Source.File == "" {
		return w.Source.Text + ": " + w.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", w.Source.File, w.Source.Line, w.Column, w.Message)
}

// Hint says what to do about it, "" when that is not known.
func (w Warning) Hint() string { return w.hint }

// waiverNotice is how long before its end a waiver is called to mind.
const waiverNotice = 30 * 24 * time.Hour

// Lint returns what is suspicious in a policy that is valid, in the file's order:
// entries that can never decide, patterns that cover whole registries, waivers that
// are about to end.
func Lint(p *Policy, now time.Time) []Warning {
	l := &linter{p: p}
	l.entries(now)
	l.secrets()
	l.identifiers()
	l.devices(now)
	l.telling()
	if p.file != "" && len(p.allow) == 0 && !p.allowsForDevices() {
		l.warn(p.nothing, 1, "nothing is allowed: every host that is not ignored is a violation", "name the app's own hosts under allow")
	}
	sort.SliceStable(l.out, func(i, j int) bool { return l.out[i].Source.Line < l.out[j].Source.Line })
	return l.out
}

type linter struct {
	p   *Policy
	out []Warning
	// general are the places of the general entries, while those of a device are looked
	// at: its policy has both.
	general map[Source]bool
}

// entries looks at the sections.
func (l *linter) entries(now time.Time) {
	l.allow()
	l.ignore()
	l.deny()
	l.consent()
	l.waivers(now)
}

func (l *linter) warn(at Source, column int, message, hint string) {
	l.out = append(l.out, Warning{at, column, l.p.Mask(message), l.p.Mask(hint)})
}

func (l *linter) allow() {
	for i := range l.p.allow {
		r := &l.p.allow[i]
		if l.general[r.Source] {
			continue
		}
		l.broad(r.Pattern, r.Source, r.column, "allows")
		for j := range l.p.allow[:i] {
			if former := &l.p.allow[j]; !former.limited() && former.Pattern.covers(r.Pattern) {
				l.warn(r.Source, r.column, fmt.Sprintf("never decides: %s before it covers it%s", former.Pattern, atLine(former.Source)), "remove one of the two")
				break
			}
		}
		for j := range l.p.deny {
			if d := &l.p.deny[j]; d.Category == "" && d.Pattern.covers(r.Pattern) {
				l.warn(r.Source, r.column, fmt.Sprintf("never decides: deny forbids %s%s, and deny wins", d.Pattern, atLine(d.Source)), "remove one of the two")
				break
			}
		}
		if t, ok := catalog.FindProduct(r.Pattern.name, ""); ok && r.Pattern.kind == exactName {
			switch d := l.p.categoryRule(t.Category); {
			case d != nil:
				l.warn(r.Source, r.column, fmt.Sprintf("never decides: the host belongs to %s, and deny forbids the category %s%s", t.Owner(), t.Category, atLine(d.Source)), "remove one of the two")
			case tracks(t.Category) && r.Reason == "":
				l.warn(r.Source, r.column, fmt.Sprintf("allows a host of %s (%s) without a reason", t.Owner(), t.Category), "add a reason, or remove the entry")
			}
		}
	}
}

func (l *linter) ignore() {
	seen := map[string]bool{}
	for i := range l.p.ignore {
		r := &l.p.ignore[i]
		if l.general[r.Source] {
			seen[r.Preset] = r.Preset != ""
			continue
		}
		if r.Preset != "" {
			key := fmt.Sprint(r.Preset, r.Source.Line)
			if !seen[key] && seen[r.Preset] {
				l.warn(r.Source, r.column, "the preset "+r.Preset+" stands here twice", "remove one of the two")
			}
			seen[key], seen[r.Preset] = true, true
			continue
		}
		l.broad(r.Pattern, r.Source, r.column, "ignores")
		for j := range l.p.allow {
			if a := &l.p.allow[j]; !a.limited() && a.Pattern.covers(r.Pattern) {
				l.warn(r.Source, r.column, fmt.Sprintf("never decides: allow names %s%s", a.Pattern, atLine(a.Source)), "remove one of the two")
				break
			}
		}
	}
}

func (l *linter) deny() {
	for i := range l.p.deny {
		r := &l.p.deny[i]
		if l.general[r.Source] {
			continue
		}
		for j := range l.p.deny[:i] {
			former := &l.p.deny[j]
			if former.Category == "" && former.Pattern.covers(r.Pattern) || r.Category != "" && former.Category == r.Category {
				l.warn(r.Source, r.column, "never decides: the entry"+atLine(former.Source)+" covers it", "remove one of the two")
				break
			}
		}
	}
}

func (l *linter) waivers(now time.Time) {
	for i := range l.p.waivers {
		w := &l.p.waivers[i]
		if l.general[w.Source] || w.momentary() {
			continue
		}
		if end := w.Until.AddDate(0, 0, 1); end.Sub(now) < waiverNotice {
			days := max(0, int(end.Sub(now).Hours()/24))
			l.warn(w.Source, w.column, fmt.Sprintf("the waiver ends in %d days; from then on the file is an error", days), "solve its cause, or decide again and give it a new date")
		}
		if w.Pattern.kind == anyHost {
			l.warn(w.Source, w.column, "the waiver excuses "+string(w.Rule)+" on every host", "name the host")
		}
	}
}

// shortSecret is the length below which a value is found by chance now and then.
const shortSecret = 8

func (l *linter) secrets() {
	for i := range l.p.secrets {
		s := &l.p.secrets[i]
		l.commonSecret(s)
		if len(s.value) < shortSecret {
			l.warn(s.source, 1, fmt.Sprintf("the value %q has fewer than %d characters: it may be found by chance", s.Name, shortSecret), "use a longer value in the test account")
		}
	}
}

// broad warns of patterns that name far more than one owner's hosts.
func (l *linter) broad(p Pattern, at Source, column int, verb string) {
	switch p.kind {
	case anyHost:
		l.warn(at, column, verb+" every host: nothing can be a violation by its host", "name the app's own hosts")
	case belowName, nameAndBelow:
		// Only registries count: domains under which a company hosts its customers
		// (ICANN false) are named on purpose.
		if suffix, icann := publicsuffix.PublicSuffix(p.name); suffix == p.name && (icann || !strings.Contains(p.name, ".")) {
			l.warn(at, column, fmt.Sprintf("%s every name under the public suffix %s: anybody can register one", verb, p.name), "name a registered domain, such as *.example."+p.name)
		} else if suffix == p.name {
			l.warn(at, column, fmt.Sprintf("%s every name under %s, where anybody can have one", verb, p.name), "name the app's own host")
		}
	case addressBlock:
		if wide := netip.PrefixFrom(p.prefix.Addr(), 0).Masked(); p.prefix == wide {
			l.warn(at, column, verb+" every address", "name the app's own hosts")
		}
	}
}

func atLine(s Source) string {
	if s.Line == 0 {
		return ""
	}
	return fmt.Sprintf(" (line %d)", s.Line)
}
