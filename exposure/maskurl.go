package exposure

import (
	"slices"
	"strings"

	"telltale/flow"
)

// MaskURL returns a URL with the identifiers in its path, query and fragment masked, as
// [flow.Exposure.Masked] has them. It works on text, and what it does not mask stays byte
// for byte. Where a value stands in a form that has no place for a mask, such as base64 of
// JSON, the whole parameter or segment is masked; where there are more values than are
// followed, all that is behind the host.
func MaskURL(url string) string {
	begin := 0
	if i := strings.Index(url, "://"); i >= 0 {
		begin = i + len("://")
	}
	i := strings.IndexAny(url[begin:], "/?#")
	if i < 0 {
		return url
	}
	authority, rest := url[:begin+i], url[begin+i:]
	found, raw := inside(url)
	m := urlMask{authority: authority, digests: map[string]bool{}}
	kinds := map[string]int{}
	for _, e := range found {
		m.digests[e.Digest] = true
		if kinds[e.Kind]++; kinds[e.Kind] == MaxOfKind {
			return authority + "/…"
		}
	}
	for _, r := range raw {
		rest = maskPieces(rest, r.text, r.masked)
	}
	if _, left := m.left(rest); left {
		rest = m.parts(rest)
		if _, left := m.left(rest); left {
			rest = "/…"
		}
	}
	return authority + rest
}

// inside returns the identifiers in a URL, without those in front of its path, and the
// texts that they were found in.
func inside(url string) ([]flow.Exposure, []original) {
	s := newSearch(&flow.Flow{Kind: flow.HTTP, Request: &flow.Request{URL: url}})
	s.keepRaw = true
	s.run()
	found, raw := s.found, s.raw
	s.release()
	return slices.DeleteFunc(found, func(e flow.Exposure) bool {
		return strings.HasPrefix(e.Where, "URL user") || strings.HasPrefix(e.Where, "URL host")
	}), raw
}

// urlMask masks what is left in a URL of the values that were found in it.
type urlMask struct {
	authority string
	digests   map[string]bool // of the values
}

// maxURLParts is how many segments and parameters are looked at one by one.
const maxURLParts = 256

// left returns what takes the place of the values in what may follow the authority, and
// reports whether there are any.
func (m urlMask) left(rest string) (masked string, any bool) {
	if len(m.digests) == 0 {
		return "", false
	}
	digest := ""
	found, _ := inside(m.authority + rest)
	for _, e := range found {
		switch {
		case !m.digests[e.Digest]: // a mask may look like a value
		case digest == "" || digest == e.Digest:
			digest, masked = e.Digest, e.Masked
		default:
			return "…", true
		}
	}
	return masked, digest != ""
}

// parts masks each segment and each name and value of a parameter that holds a value.
func (m urlMask) parts(rest string) string {
	if strings.Count(rest, "/")+strings.Count(rest, "&") > maxURLParts {
		return "/…"
	}
	rest, fragment, hasFragment := strings.Cut(rest, "#")
	path, query, hasQuery := strings.Cut(rest, "?")
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = m.part("/", segment)
	}
	masked := strings.Join(segments, "/")
	if hasQuery {
		masked += "?" + m.pairs("/?", query)
	}
	if hasFragment {
		masked += "#" + m.pairs("/#", fragment)
	}
	return masked
}

func (m urlMask) pairs(before, text string) string {
	pairs := strings.Split(text, "&")
	for i, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if pairs[i] = m.part(before, name); ok {
			pairs[i] += "=" + m.part(before+pairs[i]+"=", value)
		}
	}
	return strings.Join(pairs, "&")
}

// part masks a part of a URL if it holds a value, given what stands in front of it.
func (m urlMask) part(before, text string) string {
	if text == "" {
		return ""
	}
	if masked, left := m.left(before + text); left {
		return masked
	}
	return text
}

// maskPieces masks a value in the pieces of a URL that hold it, as it is or encoded: of the
// latter, the whole piece.
func maskPieces(s, raw, masked string) string {
	var b strings.Builder
	for s != "" {
		end := strings.IndexAny(s, "/?#&;=")
		if end < 0 {
			end = len(s)
		}
		piece := s[:end]
		switch {
		case strings.Contains(piece, raw):
			piece = strings.ReplaceAll(piece, raw, masked)
		case strings.Contains(flow.Unpercent(flow.Unpercent(piece)), raw):
			piece = masked
		}
		b.WriteString(piece)
		if s = s[end:]; s != "" {
			b.WriteByte(s[0])
			s = s[1:]
		}
	}
	return b.String()
}
