package unwrap

import (
	"bytes"
	"strconv"
	"strings"
)

// A step leads from a place to one inside of it.
type step struct {
	kind  stepKind
	label string
	name  []byte
	index int
	// title is, in an object of JSON that spells a pair out as {"name": "x", "value": 1},
	// the name.
	title []byte
}

type stepKind uint8

const (
	atPart    stepKind = iota + 1 // label: "header", "body", "WebSocket message"; name or index
	atJSON                        // the value that is JSON
	atMember                      // of a JSON object: name
	atElement                     // of a JSON array: index
	atFormat                      // label: "form", "multipart", "xml"
	atName                        // field of a form, part of a multipart body: name
	atField                       // of protobuf: index
	atTag                         // element or attribute of XML: name
	atKey                         // the name of a member or field
)

// body is the label of a request's body, behind which the format stands.
const body = "body"

// push goes a step, where places are wanted.
func (w *walk) push(s step) {
	if w.value != nil {
		w.steps = append(w.steps, s)
	}
}

// pop goes back to where the place had n steps.
func (w *walk) pop(n int) {
	if len(w.steps) > n {
		w.steps = w.steps[:n]
	}
}

// at looks at what stands one step further.
func (w *walk) at(s step, look func()) {
	n := len(w.steps)
	w.push(s)
	look()
	w.pop(n)
}

// nearest returns the name of the innermost step that has one.
func (w *walk) nearest() string {
	for i := len(w.steps) - 1; i >= 0; i-- {
		s := &w.steps[i]
		if s.title != nil && isValueName(s.name) {
			return w.intern(s.title)
		}
		if len(s.name) > 0 {
			return w.intern(s.name)
		}
	}
	return ""
}

// isTitleName reports whether a member of this name has the name of another.
func isTitleName(name []byte) bool {
	switch string(name) {
	case "name", "key", "k", "Name", "Key":
		return true
	}
	return false
}

// isValueName reports whether a member of this name has the value of a pair.
func isValueName(name []byte) bool {
	switch string(name) {
	case "value", "val", "v", "Value", "string_value", "stringValue":
		return true
	}
	return false
}

// maxInterned is the length of a name that is worth keeping, in bytes.
const maxInterned = 64

func (w *walk) intern(name []byte) string {
	n := len(name)
	recent := &w.recent[(n*5+int(name[0])*3+int(name[n-1])+int(name[n/2])*7)%len(w.recent)]
	if *recent == string(name) {
		return *recent
	}
	s, ok := w.names[string(name)]
	if !ok {
		s = string(name)
		if n > maxInterned {
			return s
		}
		w.names[s] = s
	}
	*recent = s
	return s
}

// Where returns the place: "query email", "header X-User", "cookie sid", "URL path",
// "body.json $.user.mail", "body.form mail", "body.multipart mail", "body.protobuf 2.1",
// "WebSocket message 3 $.mail", "gRPC message 1 2.1", "DNS name". What stands in a value
// has the place of the value in front: "query data $.mail", "body.json $.link query mail".
// A name that is itself what was sent is at "body.json $.users (name)".
//
// Names that do not look as if a programmer chose them are shown as "*", since they may
// be what identifies somebody: "body.json $.users.*.age". Other names can still hold a
// value that must not show.
func (v *Value) Where() string {
	var room [128]byte
	out := room[:0]
	for i := range v.place {
		var before stepKind
		if i > 0 {
			before = v.place[i-1].kind
		}
		out = v.place[i].append(out, before, i == 1 && v.place[0].label == body)
	}
	if n := len(v.place); v.IsName && (n == 0 || v.place[n-1].kind != atKey) {
		out = append(out, isName...)
	}
	return string(out)
}

// Part returns the part of the flow that the value stands in, as [Value.Where] begins:
// "query", "header", "cookie", "body", "URL path".
func (v *Value) Part() string {
	if len(v.place) == 0 {
		return ""
	}
	return v.place[0].label
}

const isName = " (name)"

// append appends a step. format says that a body's format is to be named.
func (s *step) append(out []byte, before stepKind, format bool) []byte {
	switch s.kind {
	case atPart:
		if before != 0 {
			out = append(out, ' ')
		}
		out = append(out, s.label...)
		switch {
		case s.name != nil:
			out = append(append(out, ' '), harmless(s.name)...)
		case s.index > 0:
			out = strconv.AppendInt(append(out, ' '), int64(s.index), 10)
		}
	case atJSON:
		if format {
			out = append(out, ".json"...)
		}
		out = append(out, " $"...)
	case atMember:
		if len(s.name) > 0 {
			out = appendMember(out, harmless(s.name))
		}
	case atElement:
		out = append(strconv.AppendInt(append(out, '['), int64(max(s.index, 0)), 10), ']')
	case atFormat:
		if format {
			out = append(append(out, '.'), s.label...)
		}
	case atName:
		out = append(append(out, ' '), harmless(s.name)...)
	case atField:
		out = strconv.AppendInt(append(out, between(before == atField, '.')), int64(s.index), 10)
	case atTag:
		out = append(append(out, between(before == atTag, '/')), harmless(s.name)...)
	case atKey:
		out = append(out, isName...)
	}
	return out
}

func between(same bool, separator byte) byte {
	if same {
		return separator
	}
	return ' '
}

// appendMember appends a step to a member as JSONPath has it (RFC 9535, 2.3.1).
func appendMember(out, name []byte) []byte {
	if bytes.ContainsAny(name, " .:[]/") {
		return append(append(append(out, "['"...), name...), "']"...)
	}
	return append(append(out, '.'), name...)
}

const (
	maxNameShown   = 64 // bytes
	maxDigitsShown = 6  // more are a number of something, or part of an identifier
)

// ShownName returns a name as [Value.Where] shows it: "*" for one that may identify somebody.
func ShownName(name string) string { return string(harmless([]byte(name))) }

var hiddenName = []byte("*")

// harmless returns a name that a programmer chose, and "*" for another.
func harmless(name []byte) []byte {
	if len(name) == 0 || len(name) > maxNameShown {
		return hiddenName
	}
	digits, colons := 0, 0
	for _, c := range name {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == ':':
			colons++
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', strings.IndexByte("_-.$[] /@", c) >= 0:
		default:
			return hiddenName
		}
	}
	// An "@" starts the name of an attribute; elsewhere it is that of an address.
	if digits > maxDigitsShown || colons > 1 || bytes.LastIndexByte(name, '@') > 0 {
		return hiddenName
	}
	return name
}
