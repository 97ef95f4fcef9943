package rules

import (
	"net/http"
	"strings"
)

// A checker finds what is wrong with a tree.
type checker struct {
	m      *mistakes
	listed bool // all modifiers have been listed once
}

// modifier checks an object that shall be one modifier.
func (c *checker) modifier(n *node) {
	const expected = `expected one modifier: {"name": {…}}`
	if n.form != object {
		c.m.add(n.at, n.path, "%s, %s", n.form, expected)
		return
	}
	if len(n.members) != 1 {
		what := "an empty object"
		if len(n.members) > 1 {
			what = "more than one modifier in an object (" + c.names(n) + ")"
		}
		c.m.add(n.at, n.path, "%s, %s; several go into a fifo.Group", what, expected)
		return
	}
	name := n.members[0]
	if m := c.known(name); m != nil {
		c.fields(m, name)
	}
}

// names lists the names of an object's members, some of them.
func (c *checker) names(n *node) string {
	var names []string
	for _, x := range n.members[:min(len(n.members), 4)] {
		names = append(names, quoted(x.name))
	}
	if len(n.members) > 4 {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}

// known returns the modifier of a name; where there is none it says why.
func (c *checker) known(name member) *Modifier {
	if m := lookup(name.name); m != nil {
		return m
	}
	for _, r := range Refused {
		if r.Name == name.name {
			c.m.add(name.at, name.value.path, "%s is not for rules: %s", r.Name, r.Why)
			return nil
		}
	}
	var names []string
	for _, m := range Modifiers {
		names = append(names, m.Name)
	}
	near := meant(name.name, names)
	if near == "" && !c.listed {
		c.listed = true
		near = ", expected one of " + strings.Join(names, ", ")
	}
	c.m.add(name.at, name.value.path, "%s is no modifier%s", quoted(name.name), near)
	return nil
}

// fields checks the object of a modifier whose name is known.
func (c *checker) fields(m *Modifier, name member) {
	n := name.value
	if n.form != object {
		c.m.add(n.at, n.path, "%s is %s, expected an object with %s", m.Name, n.form, strings.Join(m.fieldNames(), ", "))
		return
	}
	before := len(c.m.list)
	for _, x := range n.members {
		f := m.field(x.name)
		if f == nil {
			c.m.add(x.at, x.value.path, "%s is no field of %s, expected %s%s", quoted(x.name), m.Name,
				strings.Join(m.fieldNames(), ", "), meant(x.name, m.fieldNames()))
			continue
		}
		c.value(m, f, x.value)
	}
	for _, f := range m.Fields {
		if f.Required && n.member(f.Name) == nil {
			c.m.add(name.at, n.path, "%s has no %s, expected %s", m.Name, f.Name, f.Kind.holds)
		}
	}
	if m.together != nil && len(c.m.list) == before {
		if what := m.together(n); what != "" {
			c.m.add(name.at, n.path, "%s %s", m.Name, what)
		}
	}
}

// value checks the value of a field.
func (c *checker) value(m *Modifier, f *Field, n *node) {
	if n.form != f.Kind.form {
		c.m.add(n.at, n.path, "%s is %s, expected %s", f.Name, n.form, f.Kind.holds)
		return
	}
	switch f.Kind {
	case kindScope:
		c.scope(m, n)
	case kindModifier:
		c.modifier(n)
	case kindModifiers, kindOrdered:
		if len(n.items) == 0 {
			c.m.add(n.at, n.path, "%s is empty, expected %s", f.Name, f.Kind.holds)
		}
		for _, item := range n.items {
			if f.Kind == kindModifiers {
				c.modifier(item)
			} else {
				c.ordered(item)
			}
		}
	default:
		if f.Kind.wrong == nil {
			return
		}
		if what := f.Kind.wrong(n); what != "" {
			c.m.add(n.at, n.path, "%s: %s, expected %s", f.Name, what, f.Kind.holds)
		}
	}
}

// scope checks what a modifier is for. An empty list is a mistake: martian takes it for
// "nothing", and the modifier would never do anything.
func (c *checker) scope(m *Modifier, n *node) {
	const expected = `expected "request", "response" or both`
	if len(n.items) == 0 {
		c.m.add(n.at, n.path, "scope is empty, %s", expected)
	}
	seen := map[string]bool{}
	for _, item := range n.items {
		switch {
		case item.form != text:
			c.m.add(item.at, item.path, "scope has %s in it, %s", item.form, expected)
		case item.text != "request" && item.text != "response":
			c.m.add(item.at, item.path, "scope: %s, %s%s", quoted(item.text), expected, meant(item.text, []string{"request", "response"}))
		case seen[item.text]:
			c.m.add(item.at, item.path, "scope has %q twice, %s", item.text, expected)
		case item.text == "request" && !m.Requests:
			c.m.add(item.at, item.path, `%s alters answers alone, expected "response"`, m.Name)
		case item.text == "response" && !m.Answers:
			c.m.add(item.at, item.path, `%s alters requests alone, expected "request"`, m.Name)
		}
		seen[item.text] = true
	}
}

// ordered checks one item of a priority.Group.
func (c *checker) ordered(n *node) {
	if n.form != object {
		c.m.add(n.at, n.path, "%s, expected {\"priority\": 1, \"modifier\": {…}}", n.form)
		return
	}
	for _, x := range n.members {
		switch x.name {
		case "priority":
			switch {
			case x.value.form != number:
				c.m.add(x.value.at, x.value.path, "priority is %s, expected a whole number", x.value.form)
			case kindInteger.wrong(x.value) != "":
				c.m.add(x.value.at, x.value.path, "priority is %s, expected a whole number", clip(x.value.text))
			}
		case "modifier":
			c.modifier(x.value)
		default:
			c.m.add(x.at, x.value.path, "%s is no field here, expected priority, modifier%s", quoted(x.name),
				meant(x.name, []string{"priority", "modifier"}))
		}
	}
	for _, name := range []string{"priority", "modifier"} {
		if n.member(name) == nil {
			c.m.add(n.at, n.path, "an item of priority.Group has no %s, expected {\"priority\": 1, \"modifier\": {…}}", name)
		}
	}
}

// wrongURL refuses a modifier that sets nothing.
func wrongURL(n *node) string {
	for _, f := range []string{"scheme", "host", "path", "query"} {
		if n.member(f) != nil {
			return ""
		}
	}
	return "sets nothing, expected scheme, host, path or query"
}

// wrongCookie refuses what net/http would quietly leave out of a cookie, or the cookie as
// a whole.
func wrongCookie(n *node) string {
	c := http.Cookie{Name: n.member("name").text, Value: n.member("value").text} //nolint:gosec // looked at, never set
	if path := n.member("path"); path != nil {
		c.Path = path.text
	}
	if domain := n.member("domain"); domain != nil {
		c.Domain = domain.text
	}
	if err := c.Valid(); err != nil {
		return "is no cookie: " + clip(strings.TrimPrefix(err.Error(), "http: "))
	}
	return ""
}
