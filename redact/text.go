package redact

import (
	"strings"
	"unicode/utf8"

	"telltale/exposure"
	"telltale/flow"
)

// value masks the value of a member, parameter or attribute of a name, "" for none.
func (m *masker) value(name, text string) string {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" || isMask(trimmed) {
		return text
	}
	if v, ok := m.lookup(trimmed); ok {
		return m.put(v)
	}
	if kind := kindByName(name, trimmed); kind != "" {
		return m.take(kind, trimmed)
	}
	masked := m.text(text)
	if m.harsh && !isMask(masked) && m.stands(name, masked) {
		return m.take(Identifier, trimmed)
	}
	return masked
}

// stands reports whether a search finds something in a text by itself.
func (m *masker) stands(name, text string) bool {
	if name == "" {
		name = "value"
	}
	f := &flow.Flow{Kind: flow.HTTP, Request: &flow.Request{URL: "https://redacted/", Header: []flow.Field{flow.NewField(name, text)}}}
	return len(real(exposure.Finds(f))) > 0 || len(m.r.policy.Leaks(f)) > 0
}

// text masks what stands in a text: formats by their look, then what was found in the flow,
// then each word by its own look.
func (m *masker) text(s string) string {
	if len(s) < 4 || m.depth >= maxDepth {
		return s
	}
	m.depth++
	defer func() { m.depth-- }()
	head := strings.TrimLeft(s[:min(len(s), 64)], " \t\r\n\ufeff")
	switch {
	case head == "":
		return m.plain(s)
	case head[0] == '{' || head[0] == '[', strings.Contains(s, `":`), strings.Contains(s, `" :`):
		return m.quoted(s)
	case head[0] == '<' && strings.IndexByte(s, '>') > 0:
		return m.markup(s)
	case isForm(s):
		return m.form(s)
	}
	return m.quoted(s)
}

// plain masks a text without a format: the phrases that were found in the flow, URLs, and
// words.
func (m *masker) plain(s string) string {
	if len(s) < 4 {
		return s
	}
	s = m.places(s)
	for _, phrase := range m.phrases {
		if strings.Contains(s, phrase) {
			s = replaceWord(s, phrase, func() string { return m.put(m.known[phrase]) })
		}
	}
	if m.own != "" && strings.Contains(s, m.own) {
		s = replaceWord(s, m.own, func() string { return m.put(value{Client, digestOf(m.own)}) })
	}
	return m.urls(s)
}

// replaceWord replaces a text where it is not the middle of a longer number or word.
func replaceWord(s, old string, mask func() string) string {
	var b strings.Builder
	from := 0
	for {
		i := strings.Index(s[from:], old)
		if i < 0 {
			return b.String() + s[from:]
		}
		i += from
		end := i + len(old)
		// Short ones are masked as words alone: "12.34" is no part of "312.345".
		if len(old) < 12 && (i > 0 && isAlphanumeric(s[i-1]) && isAlphanumeric(old[0]) || end < len(s) && isAlphanumeric(s[end]) && isAlphanumeric(old[len(old)-1])) {
			b.WriteString(s[from : i+1])
			from = i + 1
			continue
		}
		b.WriteString(s[from:i])
		b.WriteString(mask())
		from = end
	}
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// urls masks the URLs in a text, and what stands around them.
func (m *masker) urls(s string) string {
	if strings.HasPrefix(s, "/") && strings.IndexByte(s, '?') > 0 && !strings.ContainsAny(s, " \t\n") && !strings.Contains(s, "://") {
		return m.reference(s)
	}
	const scheme, data = "://", ";base64,"
	if !strings.Contains(s, scheme) && !strings.Contains(s, data) {
		return m.runs(s)
	}
	var b strings.Builder
	done := 0
	for at := 0; at < len(s); {
		switch {
		case s[at] == ':' && strings.HasPrefix(s[at:], scheme):
			start := at
			for start > done && (isAlphanumeric(s[start-1]) || strings.IndexByte("+-.", s[start-1]) >= 0) {
				start--
			}
			end := at + len(scheme)
			for end < len(s) && strings.IndexByte(" \t\r\n\"'<>\\^`", s[end]) < 0 {
				end++
			}
			b.WriteString(m.runs(s[done:start]) + m.url(s[start:end]))
			at, done = end, end
		case s[at] == ';' && strings.HasPrefix(s[at:], data): // a URL that is its own content (RFC 2397)
			at += len(data)
			b.WriteString(m.runs(s[done:at]))
			done = at
			for at < len(s) && inRun[s[at]] {
				at++
			}
			if at > done {
				b.WriteString(m.opaque(s[done:at]))
			}
			done = at
		default:
			at++
		}
	}
	return b.String() + m.runs(s[done:])
}

// inRun and inWord are the characters of a run, which may be one value, and of the words
// that it is made of otherwise.
var inRun, inWord = charset("-_.~+/=@:%|"), charset("-_.~+@%")

func charset(more string) (t [256]bool) {
	for c := range t {
		t[c] = isAlphanumeric(byte(c)) || c < utf8.RuneSelf && strings.IndexByte(more, byte(c)) >= 0
	}
	return t
}

// minWord is the length from which on a word can be a value.
const minWord = 6

// runs masks each run of characters that may be a value. A word before "=" or ":" names what
// follows.
func (m *masker) runs(s string) string {
	if len(s) < 4 {
		return s
	}
	var b strings.Builder
	name, done := "", 0
	for i := 0; i < len(s); {
		if s[i] == '[' {
			if n := maskAt(s[i:]); n > 0 {
				i += n
				name = ""
				continue
			}
		}
		if !inRun[s[i]] {
			if s[i] == '\n' || s[i] == ',' || s[i] == ';' {
				name = ""
			}
			i++
			continue
		}
		end := i
		for end < len(s) && inRun[s[end]] {
			end++
		}
		run := s[i:end]
		var masked string
		if name != "" && !isScheme(run) {
			masked = m.namedWord(name, run)
			name = ""
		} else {
			masked = m.run(run)
		}
		if masked == run && len(run) <= maxName {
			if bare, ok := strings.CutSuffix(run, ":"); ok {
				name = bare
			} else if bare, ok := strings.CutSuffix(run, "="); ok {
				name = bare
			} else if isScheme(run) {
				name = "authorization"
			}
		}
		if masked != run {
			b.WriteString(s[done:i])
			b.WriteString(masked)
			done = end
		}
		i = end
	}
	if done == 0 {
		return s
	}
	return b.String() + s[done:]
}

// maskAt returns the length of the mask that a text begins with, 0 for none.
func maskAt(s string) int {
	if strings.HasPrefix(s, flow.Redacted) {
		return len(flow.Redacted)
	}
	const n = len(maskStart) + maskLength + 1
	if len(s) >= n && isMask(s[:n]) {
		return n
	}
	return 0
}

// isScheme reports whether a word announces a credential (RFC 9110, 11.4).
func isScheme(s string) bool {
	switch strings.TrimSuffix(s, ":") {
	case "Bearer", "Basic", "bearer", "DPoP", "Digest", "Negotiate":
		return true
	}
	return false
}

func (m *masker) namedWord(name, run string) string {
	if kind := kindByName(name, run); kind != "" && len(run) >= 4 && (name != "authorization" || len(run) >= 8) {
		return m.take(kind, run)
	}
	return m.run(run)
}

// run masks one run: as a whole, as what it is an encoding of, or word by word.
func (m *masker) run(run string) string {
	if len(run) < minWord {
		return run
	}
	if v, ok := m.lookup(strings.Trim(run, ".:=|")); ok {
		return m.put(v)
	}
	if masked, ok := m.encoded(run); ok {
		return masked
	}
	if !strings.ContainsAny(run, "/=:|") {
		return m.word(run)
	}
	var b strings.Builder
	name := ""
	for rest := run; rest != ""; {
		n := 0
		for n < len(rest) && inWord[rest[n]] {
			n++
		}
		word := rest[:n]
		switch kind := kindByName(name, word); {
		case kind != "" && n >= 4:
			b.WriteString(m.take(kind, word))
		default:
			b.WriteString(m.word(word))
		}
		name = ""
		if rest = rest[n:]; rest != "" {
			if rest[0] == '=' || rest[0] == ':' {
				name = word
			}
			b.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	return b.String()
}

// word masks a word that is a value by its look, or that was found elsewhere.
func (m *masker) word(w string) string {
	if len(w) < minWord {
		return w
	}
	core := strings.Trim(w, ".~-")
	if core == "" {
		return w
	}
	kind := ""
	switch {
	case isJWT(core), isMarked(core):
		kind = Token
	case isCard(core):
		kind = Identifier
	case strings.IndexByte(core, '@') > 0 && isEmail(core):
		v := value{exposure.Email, digestOf(strings.ToLower(core))}
		m.r.remember(core, v)
		return strings.Replace(w, core, m.put(v), 1)
	}
	if v, ok := m.lookup(core); ok {
		return strings.Replace(w, core, m.put(v), 1)
	}
	if kind != "" {
		return strings.Replace(w, core, m.take(kind, core), 1)
	}
	if core != w {
		return w
	}
	if masked, ok := m.encoded(w); ok {
		return masked
	}
	return w
}

// maxEncoded bounds the runs that are taken for an encoding of text.
const (
	minEncoded = 10
	maxEncoded = 4 << 20
	minOpaque  = 100 // bytes of base64 that hold no text, from which on they may hold anything
)

// encoded masks a run that stands for another text in which something is masked: percent-
// encoding is put back, of base64 and hexadecimal the run is replaced as a whole.
func (m *masker) encoded(run string) (string, bool) {
	if len(run) < minEncoded || len(run) > maxEncoded || m.depth >= maxDepth {
		return "", false
	}
	if strings.IndexByte(run, '%') >= 0 {
		plain := flow.Unpercent(run)
		if plain != run && utf8.ValidString(plain) {
			if masked := m.text(plain); masked != plain {
				return escaped(masked), true
			}
		}
	}
	plain, ok := decoded(run)
	switch {
	case !ok:
		return "", false
	case plain == "":
		if len(run) >= minOpaque {
			return m.opaque(run), true
		}
		return "", false
	}
	masked := m.text(plain)
	switch {
	case masked == plain:
		return "", false
	case isMask(strings.TrimSpace(masked)):
		return strings.TrimSpace(masked), true
	}
	return m.put(value{Opaque, digestOf(run)}), true
}

// opaque masks what cannot be looked into.
func (m *masker) opaque(s string) string { return m.put(value{Opaque, digestOf(s)}) }
