package rules

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// maxWarnings is how many warnings of a file are told.
const maxWarnings = 20

// A warner finds what is right and yet likely not what was meant.
type warner struct{ m *mistakes }

// A way is what a message has passed before it comes to a modifier.
type way struct {
	requests, answers bool
	// fixed is what filters around have fixed, by what they look at ("url.Filter.host").
	fixed map[string]string
}

// with returns the way through a filter that fixes something more; taken is where it does so in vain.
func (w way) with(m *Modifier, fields *node) (next way, vain string) {
	next = w
	next.fixed = map[string]string{}
	for k, v := range w.fixed {
		next.fixed[k] = v
	}
	for _, f := range m.Fields {
		n := fields.member(f.Name)
		if n == nil || n.form == object || f.Kind == kindScope {
			continue
		}
		key, value := m.Name+"."+f.Name, n.text
		switch key {
		case "url.Filter.scheme", "url.Filter.path", "url.Filter.query", "port.Filter.port":
		case "url.Filter.host", "method.Filter.method":
			value = strings.ToLower(value)
			if strings.Contains(value, "*") && f.Name == "host" {
				continue
			}
		default:
			continue
		}
		if old, there := w.fixed[key]; there && old != value {
			vain = f.Name
		}
		next.fixed[key] = value
	}
	return next, vain
}

// warn returns the warnings about a tree that was checked.
func warn(d *document) []string {
	w := &warner{m: &mistakes{d: d}}
	w.modifier(d.root, way{requests: true, answers: true})
	slices.SortStableFunc(w.m.list, func(a, b mistake) int { return a.at - b.at })
	var lines []string
	for i, x := range w.m.list {
		if i == maxWarnings {
			lines = append(lines, fmt.Sprintf("%s: and %d more", d.name, len(w.m.list)-i))
			break
		}
		x.path = ""
		lines = append(lines, d.say(x))
	}
	return lines
}

// modifier looks at one modifier and what is in it.
func (w *warner) modifier(n *node, by way) {
	name := n.members[0]
	m, fields := lookup(name.name), name.value
	requests, answers := reach(m, fields)
	by.requests, by.answers = by.requests && requests, by.answers && answers
	if !by.requests && !by.answers {
		w.m.add(name.at, "", "%s never does anything: it is for %s, and what is around it is not", m.Name, messages(requests, answers))
		return
	}
	w.alone(m, name, by)
	if part := overtaken(m, fields); part != "" && by.requests && by.answers {
		w.m.add(name.at, "", "%s looks at the request that was sent, whose %s is altered here: what is for answers here may never be done", m.Name, part)
	}
	inside, vain := by.with(m, fields)
	if vain != "" {
		w.m.add(name.at, "", "%s never matches: a filter around it wants another %s", m.Name, vain)
		return
	}
	for _, f := range m.Fields {
		value := fields.member(f.Name)
		switch {
		case value == nil:
		case f.Name == "else":
			w.modifier(value, by)
		case f.Kind == kindModifier:
			w.modifier(value, inside)
		case f.Kind == kindModifiers:
			for _, item := range value.items {
				w.modifier(item, inside)
			}
		case f.Kind == kindOrdered:
			w.ordered(value, inside)
		}
	}
}

// messages names what a modifier is for.
func messages(requests, answers bool) string {
	switch {
	case requests && answers:
		return "requests and answers"
	case requests:
		return "requests"
	}
	return "answers"
}

// ordered looks at the items of a priority.Group. Those of one priority are done by martian in
// the reverse order of the file.
func (w *warner) ordered(n *node, by way) {
	seen := map[string]bool{}
	for _, item := range n.items {
		rank := item.member("priority")
		if seen[rank.text] {
			w.m.add(rank.at, "", "two modifiers have the priority %s: the later one in the file is done first", rank.text)
		}
		seen[rank.text] = true
		w.modifier(item.member("modifier"), by)
	}
}

// overtaken returns the part of a request that a filter looks at, and that is altered within
// it, where answers are altered there as well: "" for none.
func overtaken(m *Modifier, fields *node) string {
	within := fields.member("modifier")
	if within == nil {
		return ""
	}
	var looks []string
	switch m.Name {
	case "url.Filter":
		for _, f := range []string{"scheme", "host", "path", "query"} {
			if fields.member(f) != nil {
				looks = append(looks, f)
			}
		}
	case "url.RegexFilter":
		looks = []string{"scheme", "host", "path", "query"}
	case "querystring.Filter":
		looks = []string{"query"}
	case "port.Filter":
		looks = []string{"host"}
	case "header.RegexFilter":
		looks = []string{"header " + http.CanonicalHeaderKey(fields.member("header").text)}
	default:
		return ""
	}
	altered, answers := within.altered()
	for _, part := range looks {
		if answers && slices.Contains(altered, part) {
			return part
		}
	}
	return ""
}

// altered returns which parts of requests a modifier and those in it alter, and whether
// they alter answers.
func (n *node) altered() (parts []string, answers bool) {
	m, fields := lookup(n.members[0].name), n.members[0].value
	requests, replies := reach(m, fields)
	var inside []*node
	for _, f := range m.Fields {
		value := fields.member(f.Name)
		switch {
		case value == nil:
		case f.Kind == kindModifier:
			inside = append(inside, value)
		case f.Kind == kindModifiers:
			inside = append(inside, value.items...)
		case f.Kind == kindOrdered:
			for _, item := range value.items {
				inside = append(inside, item.member("modifier"))
			}
		case m.Name == "url.Modifier" && f.Kind != kindScope:
			parts = append(parts, f.Name)
		case f.Kind == kindSettable || f.Kind == kindHeaders:
			for _, name := range namesOf(value) {
				parts = append(parts, "header "+name)
			}
		}
	}
	if m.Name == "querystring.Modifier" {
		parts = append(parts, "query")
	}
	answers = replies && len(inside) == 0 && m.Name != "noop.Modifier"
	for _, x := range inside {
		more, also := x.altered()
		parts, answers = append(parts, more...), answers || also && replies
	}
	if !requests {
		parts = nil
	}
	return parts, answers
}

// known are the methods that apps use.
var known = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "PROPFIND", "REPORT", "QUERY"}

// alone looks at one modifier for itself.
func (w *warner) alone(m *Modifier, name member, by way) {
	fields := name.value
	switch m.Name {
	case "noop.Modifier":
		w.m.add(name.at, "", "noop.Modifier does nothing")
	case "url.Filter":
		if slices.ContainsFunc([]string{"scheme", "host", "path", "query"}, func(f string) bool { return fields.member(f) != nil }) {
			break
		}
		w.m.add(name.at, "", "url.Filter matches every request: it has no scheme, host, path or query")
	case "method.Filter":
		if method := fields.member("method"); !slices.Contains(known, strings.ToUpper(method.text)) {
			w.m.add(method.at, "", "%s is no method that apps use%s", quoted(method.text), meant(method.text, known))
		}
	case "body.Modifier":
		if fields.member("scope") == nil && by.requests && by.answers {
			w.m.add(name.at, "", `body.Modifier replaces the content of requests as well; "scope": ["response"] is for answers alone`)
		}
	case "url.Modifier":
		if host := fields.member("host"); host != nil {
			w.m.add(host.at, "", "requests go to %s with all that they carry, cookies and tokens too", host.text)
		}
		if scheme := fields.member("scheme"); scheme != nil && scheme.text == "http" {
			w.m.add(scheme.at, "", "requests that the client encrypts leave in the clear")
		}
	case "status.Modifier":
		switch status := fields.member("statusCode"); status.text {
		case "206", "304":
			w.m.add(status.at, "", "a client that did not ask for it may take an answer of %s for broken", status.text)
		}
	}
	if path := fields.member("path"); path != nil && m.Name == "url.Filter" {
		if strings.Contains(path.text, "*") {
			w.m.add(path.at, "", "a star in a path stands for itself; url.RegexFilter has expressions")
		}
		if strings.Contains(path.text, "%") {
			w.m.add(path.at, "", "the path is compared when it is no longer escaped; %% stands for itself")
		}
	}
}
