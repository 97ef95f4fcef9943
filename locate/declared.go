package locate

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"telltale/declarations"
)

// sayDeclared adds to the first lead of each host what the app declares of contacts to it.
func (s *search) sayDeclared(leads []Lead) {
	type told struct {
		host string
		app  int
	}
	seen := map[told]bool{}
	for i := range leads {
		l := &leads[i]
		key := told{l.Mention.Host, l.App}
		if key.host == "" || l.Mention.Template || l.Mention.Noise != "" || seen[key] {
			continue
		}
		seen[key] = true
		for _, d := range s.declared[l.App] {
			l.Declared = append(l.Declared, saysOf(d, key.host)...)
		}
	}
}

// inUse leaves out the network security configurations that no manifest of the app names. A compiled
// manifest has a number in place of the name: it means the only one that there is.
func inUse(all []declarations.Declaration) []declarations.Declaration {
	named, numbered, configs := map[string]bool{}, false, 0
	for _, d := range all {
		if d.Network != nil {
			configs++
		}
		if d.Manifest != nil && d.Manifest.Config != "" {
			_, name, ok := strings.Cut(d.Manifest.Config, "xml/")
			named[name] = ok
			numbered = numbered || !ok
		}
	}
	return slices.DeleteFunc(all, func(d declarations.Declaration) bool {
		name, _, _ := strings.Cut(path.Base(d.File), ".")
		return d.Network != nil && !named[name] && !(numbered && configs == 1)
	})
}

// saysOf returns what a declaration says of a host by itself, a clause each, without full
// stops.
func saysOf(d declarations.Declaration, host string) (clauses []string) {
	say := func(format string, args ...any) {
		clauses = append(clauses, fmt.Sprintf(format, args...)+", by "+d.File)
	}
	if n := d.Network; n != nil {
		config, by := n.For(host)
		sayCleartext(say, config.Cleartext, by)
		if user, _ := config.TrustsUser(); user && by != "" {
			say("authorities that the user installed are trusted for %s", by)
		}
		if config.Pins != nil {
			say("its certificate is pinned (%s)", by)
		}
	}
	if t := d.Transport; t != nil {
		config, by := t.For(host)
		sayCleartext(say, config.Cleartext, by)
		if config.Pinned {
			say("its key is pinned (%s)", by)
		}
	}
	if p := d.Privacy; p != nil && p.Tracks(host) {
		say("it is one of the domains that the app declares to track by")
	}
	return clauses
}

// sayCleartext says that cleartext is permitted, or that an entry for the host forbids it:
// that nothing is permitted is what apps do by themselves.
func sayCleartext(say func(string, ...any), p declarations.Permission, by string) {
	switch {
	case p == declarations.Permitted && by != "":
		say("cleartext to %s is permitted", by)
	case p == declarations.Permitted:
		say("cleartext to any host is permitted")
	case p == declarations.Forbidden && by != "":
		say("cleartext to %s is forbidden", by)
	}
}

// declared joins what the app declares of the host.
func (l *Lead) declared(st Style) string {
	if len(l.Declared) == 0 {
		return ""
	}
	return st.Prose(strings.Join(l.Declared, "; "))
}
