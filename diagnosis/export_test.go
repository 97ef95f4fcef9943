package diagnosis

import (
	"reflect"
	"slices"
)

// Equal reports whether two pieces of evidence say the same.
func Equal(a, b *Evidence) bool {
	return reflect.DeepEqual(plainly(&a.state), plainly(&b.state))
}

// plainly is a state without the marks of who owns its parts.
func plainly(s *state) state {
	c := *s
	c.clients.own, c.lookups.own = nil, nil
	c.clients.parts, c.lookups.parts = slices.Clone(c.clients.parts), slices.Clone(c.lookups.parts)
	for i, p := range c.clients.parts {
		q := *p
		q.own, q.servers.own = nil, nil
		q.servers.parts = slices.Clone(q.servers.parts)
		for k, server := range q.servers.parts {
			d := *server
			d.own = nil
			q.servers.parts[k] = &d
		}
		c.clients.parts[i] = &q
	}
	for i, l := range c.lookups.parts {
		d := *l
		d.own = nil
		c.lookups.parts[i] = &d
	}
	return c
}

// Size returns how many clients and servers are kept, how many contacts there were, and
// how many flows belong to clients that are not kept.
func Size(e *Evidence) (clients, servers, contacts, more int) {
	for _, p := range e.state.clients.parts {
		servers += len(p.servers.parts)
	}
	return len(e.state.clients.parts), servers, e.state.all.count, e.state.clients.more
}
