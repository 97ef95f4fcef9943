package policy

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/invopop/jsonschema"

	"telltale/exposure"
)

// identifierList is the section identifiers: its keys are the kinds of package exposure.
type identifierList struct {
	place
	Value []identifierEntry
}

// identifierEntry is one kind of identifiers, and who must not get it. Its place is that
// of the kind.
type identifierEntry struct {
	place
	Kind  string
	Reach reach
}

// decodeScalar takes kinds with their reaches, each kind once.
func (l *identifierList) decodeScalar(d *decoder, n ast.Node) error {
	mapping, ok := n.(ast.MapNode)
	if !ok {
		return d.errorOn(n, "expected kinds of identifiers, found "+describe(n), "write a kind and who must not get it: e-mail: "+string(reachNever))
	}
	seen := map[string]bool{}
	for it := mapping.MapRange(); it.Next(); {
		e, err := d.identifier(it.KeyValue())
		if err != nil {
			return err
		}
		if seen[e.Kind] {
			return d.errorAt(e.Line, e.Column, fmt.Sprintf("key %q stands here twice", e.Kind), "keep one of them")
		}
		seen[e.Kind] = true
		l.Value = append(l.Value, e)
	}
	if len(l.Value) == 0 {
		return d.errorOn(n, "identifiers names no kind", "name one, or remove the key")
	}
	return nil
}

// identifier reads one line of the section.
func (d *decoder) identifier(kv *ast.MappingValueNode) (e identifierEntry, err error) {
	key, err := d.resolve(kv.Key)
	if err != nil {
		return e, err
	}
	if !isScalar(key) {
		return e, d.errorOn(key, "expected a kind of identifiers, found "+describe(key), "")
	}
	name := key.GetToken().Value
	if !contains(identifierKinds(), name) {
		suffix, hint := didYouMean(name, identifierKinds())
		return e, d.errorOn(key, fmt.Sprintf("unknown kind of identifiers %q%s", name, suffix), hint)
	}
	value, err := d.resolve(kv.Value)
	if err != nil {
		return e, err
	}
	said, err := d.stringOf(value)
	if err != nil {
		return e, d.errorOn(value, "expected who must not get it, found "+describe(value), "one of: "+strings.Join(reaches, ", "))
	}
	if !contains(reaches, said) {
		suffix, _ := didYouMean(said, reaches)
		return e, d.errorOn(value, fmt.Sprintf("%s cannot be %q%s", name, said, suffix), "one of: "+strings.Join(reaches, ", "))
	}
	return identifierEntry{placeOf(key), name, reach(said)}, nil
}

// identifierKinds returns the names of the kinds, in the order of package exposure.
func identifierKinds() []string {
	names := make([]string, len(exposure.Kinds))
	for i, k := range exposure.Kinds {
		names[i] = k.Name
	}
	return names
}

// identifierSchema is the form of the section.
func identifierSchema() *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema}
	for _, kind := range exposure.Kinds {
		one := &jsonschema.Schema{Type: "string", Description: fmt.Sprintf("Who must not get the %s (default %s).", kind.Title, usualReach(kind))}
		for _, r := range reaches {
			one.Enum = append(one.Enum, r)
		}
		s.Properties.Set(kind.Name, one)
	}
	return s
}

// addIdentifiers takes the section.
func (p *Policy) addIdentifiers(l *identifierList, source func(place, string) Source) {
	for _, e := range l.Value {
		if p.identifiers == nil {
			p.identifiers = map[string]identifierRule{}
		}
		p.identifiers[e.Kind] = identifierRule{e.Reach, source(e.place, fmt.Sprintf("identifiers: %s: %s", e.Kind, e.Reach)), e.Column}
	}
}

// identifiers looks at the section.
func (l *linter) identifiers() {
	for _, kind := range exposure.Kinds {
		r, ok := l.p.identifiers[kind.Name]
		switch {
		case !ok:
		case r.reach == usualReach(kind):
			l.warn(r.source, r.column, "says what holds without it", "remove it, or keep it as a reminder")
		case r.reach == reachIgnore && kind.Grave:
			l.warn(r.source, r.column, "the "+kind.Title+" may be sent to every host, and nothing will say so",
				"write "+string(reachThirdParties)+" if only the app's own servers may have it, or name the host in a waiver of "+string(IdentifierLeaked))
		}
	}
}

// explainIdentifiers says what the section has about a host.
func (e *Explanation) explainIdentifiers(s *Sighting) {
	for _, kind := range exposure.Kinds {
		r, ok := s.policy.identifiers[kind.Name]
		if !ok {
			continue
		}
		text := "may be sent to " + s.Host
		if r.forbids(s.contact.verdict) {
			text = "must not be sent to " + s.Host + " (" + string(IdentifierLeaked) + ")"
		}
		e.add(Step{"sending", r.source, true, false, "the " + kind.Title + " " + text})
	}
}
