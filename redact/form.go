package redact

import (
	"net/url"
	"strings"

	"telltale/flow"
)

// isForm reports whether a text is pairs of names and values, as in a query (WHATWG URL, 5).
func isForm(s string) bool {
	name, _, ok := strings.Cut(s, "=")
	if !ok || name == "" || len(name) > 200 || strings.ContainsAny(s, " \t\r\n\"<>{}") {
		return false
	}
	return strings.IndexByte(name, '/') < 0 && strings.IndexByte(name, ':') < 0 && (strings.IndexByte(s, '&') > 0 || len(name) <= maxName && strings.Count(s, "=") == 1)
}

// form masks the values of a form or a query, and names that are values.
func (m *masker) form(s string) string {
	var b strings.Builder
	for rest := s; ; {
		n := strings.IndexAny(rest, "&;")
		pair := rest
		if n >= 0 {
			pair = rest[:n]
		}
		b.WriteString(m.pair(pair))
		if n < 0 {
			break
		}
		b.WriteByte(rest[n])
		rest = rest[n+1:]
	}
	return b.String()
}

func (m *masker) pair(pair string) string {
	name, val, has := strings.Cut(pair, "=")
	plain := unescaped(name)
	if !has {
		return m.part("", pair)
	}
	return m.part("", name) + "=" + m.part(plain, val)
}

// part masks one part that may be percent-encoded.
func (m *masker) part(name, s string) string {
	if s == "" {
		return s
	}
	plain := unescaped(s)
	if masked := m.value(name, plain); masked != plain {
		return escaped(masked)
	}
	return s
}

// unescaped undoes the encoding of forms, as far as it goes.
func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return flow.Unpercent(s)
}

// escaped encodes a text for a form, except that masks stay as they are.
func escaped(s string) string {
	var b strings.Builder
	for s != "" {
		i := strings.IndexByte(s, '[')
		if i < 0 {
			i = len(s)
		}
		if n := maskAt(s[i:]); n > 0 {
			b.WriteString(url.QueryEscape(s[:i]))
			b.WriteString(s[i : i+n])
			s = s[i+n:]
			continue
		}
		i = min(i+1, len(s))
		b.WriteString(url.QueryEscape(s[:i]))
		s = s[i:]
	}
	return b.String()
}

// url masks an absolute URL. Its host stays, except for values in it.
func (m *masker) url(s string) string {
	i := strings.Index(s, "://")
	if i < 0 {
		return m.reference(s)
	}
	start, end := i+3, len(s)
	if n := strings.IndexAny(s[start:], authorityEnds); n >= 0 {
		end = start + n
	}
	authority := s[start:end]
	var b strings.Builder
	b.WriteString(s[:start])
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		if user := authority[:at]; user != "" && !strings.HasPrefix(user, "redacted") && user != flow.Redacted {
			for part := range strings.SplitSeq(user, ":") {
				m.r.remember(unescaped(part), value{Credential, digestOf(unescaped(part))})
			}
			b.WriteString(asLabel(m.put(value{Credential, digestOf(user)})))
		} else {
			b.WriteString(user)
		}
		b.WriteByte('@')
		authority = authority[at+1:]
	}
	if plain := flow.Unpercent(authority); plain != authority && m.words(plain) != plain {
		authority = asLabel(m.words(plain))
	}
	b.WriteString(m.host(authority))
	b.WriteString(m.reference(s[end:]))
	return b.String()
}

// reference masks what follows the authority of a URL, or stands without one.
func (m *masker) reference(s string) string {
	rest, fragment, hasFragment := strings.Cut(s, "#")
	path, query, hasQuery := strings.Cut(rest, "?")
	segments := strings.Split(path, "/")
	before := ""
	for i, segment := range segments {
		segments[i] = m.segment(before, segment)
		before = flow.Unpercent(segment)
	}
	out := strings.Join(segments, "/")
	if hasQuery {
		out += "?" + m.form(query)
	}
	if hasFragment {
		out += "#" + m.fragment(fragment)
	}
	return out
}

// fragment masks a fragment, which pages use as a path, a query, or both.
func (m *masker) fragment(s string) string {
	path, query, has := strings.Cut(s, "?")
	if has {
		return m.fragment(path) + "?" + m.form(query)
	}
	if strings.IndexByte(s, '=') >= 0 {
		return m.form(s)
	}
	segments := strings.Split(s, "/")
	for i, segment := range segments {
		segments[i] = m.segment("", segment)
	}
	return strings.Join(segments, "/")
}

// segment masks one segment of a path, which the one before may name.
func (m *masker) segment(before, segment string) string {
	if len(segment) < 4 {
		return segment
	}
	var b strings.Builder
	for rest := segment; ; { // parameters of a segment (RFC 3986, 3.3)
		part, more, has := strings.Cut(rest, ";")
		b.WriteString(m.segmentPart(before, part))
		if !has {
			return b.String()
		}
		b.WriteByte(';')
		rest = more
	}
}

func (m *masker) segmentPart(before, part string) string {
	plain := flow.Unpercent(part)
	if looksRandom(plain) {
		return m.take(Token, plain)
	}
	// A segment names the next one where that has a digit: /devices/3f2a…, not /email/list.
	if kind := kindByName(before, plain); kind != "" && len(plain) >= 7 && strings.ContainsAny(plain, "0123456789@") && !strings.HasPrefix(plain, "v") {
		return m.take(kind, plain)
	}
	if name, val, ok := strings.Cut(part, "="); ok {
		return name + "=" + m.part(unescaped(name), val)
	}
	masked := m.value("", plain)
	if masked == plain {
		return part
	}
	return strings.ReplaceAll(escaped(masked), "+", "%20")
}
