package exposure

import (
	"strings"

	"telltale/flow"
)

// MaskURL returns a URL with the identifiers in its path, query and fragment masked, as
// [flow.Exposure.Masked] has them. It works on text, and what it does not mask stays byte
// for byte.
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
	s := newSearch(&flow.Flow{Kind: flow.HTTP, Request: &flow.Request{URL: url}})
	s.keepRaw = true
	s.run()
	for _, r := range s.raw {
		rest = maskPieces(rest, r.text, r.masked)
	}
	s.release()
	return authority + rest
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
