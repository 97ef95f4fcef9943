package policy

import (
	"strings"

	"telltale/flow"
	"telltale/policy/catalog"
)

// checkPathGlob returns what is wrong with a path pattern, and what to write.
func checkPathGlob(s string) (message, hint string) {
	sample := "/" + strings.TrimPrefix(strings.ReplaceAll(s, "*", "x"), "/")
	switch {
	case s == "":
		return "is empty", `write "/*" for every path, or leave paths out`
	case s[0] != '/' && s[0] != '*':
		return "does not start with /", "write " + `"/` + s + `"`
	case strings.ContainsAny(s, "?#"):
		return "has a query or fragment", "paths are compared without the query: leave it out"
	case strings.ContainsAny(s, "%;\\"):
		return "has an encoded character, a parameter or a backslash", "paths are compared decoded and normalised: write the plain path"
	case normalPath(sample) != sample || strings.HasPrefix(s, "//"):
		return "is not normal: it has //, /./ or /../", "write the path that the server sees"
	}
	return "", ""
}

// A requestPath is a URL's path in the two readings that servers give it. A limit on
// paths holds only where both are within it.
type requestPath struct {
	decoded string // percent-encoding removed once: what most programs compare
	normal  string // decoded to the end, with \, //, ;parameters and dots resolved
}

// pathOf reads the path of an absolute URL, without a full parse: what a URL parser
// refuses must be judged, too.
func pathOf(url string) requestPath {
	_, rest, _ := strings.Cut(url, "://")
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	i := strings.IndexAny(rest, `/\`)
	if i < 0 {
		return requestPath{"/", "/"}
	}
	path := rest[i:]
	if isCleanPath(path) {
		return requestPath{path, path}
	}
	return requestPath{flow.Unpercent(path), normalPath(path)}
}

// isCleanPath reports whether nothing in the path needs a second reading.
func isCleanPath(path string) bool {
	for i := 0; i < len(path); i++ {
		switch path[i] {
		case '%', '\\', ';':
			return false
		case '/':
			if i+1 < len(path) && (path[i+1] == '/' || path[i+1] == '.') {
				return false
			}
		}
	}
	return true
}

// maxDecodings bounds how often a path is decoded: a server behind a gateway decodes
// twice.
const maxDecodings = 4

// normalPath resolves a path as the most obliging server would: decoded until
// nothing is left to decode, backslashes as slashes, empty segments and path
// parameters dropped, dot segments resolved (RFC 3986, 5.2.4).
func normalPath(path string) string {
	for range maxDecodings {
		decoded := flow.Unpercent(path)
		if decoded == path {
			break
		}
		path = decoded
	}
	path = strings.ReplaceAll(path, `\`, "/")
	var out []string
	segments := strings.Split(path, "/")
	for _, segment := range segments {
		segment, _, _ = strings.Cut(segment, ";")
		switch segment {
		case "", ".":
		case "..":
			out = out[:max(0, len(out)-1)]
		default:
			out = append(out, segment)
		}
	}
	normal := "/" + strings.Join(out, "/")
	last, _, _ := strings.Cut(segments[len(segments)-1], ";")
	if len(out) > 0 && (last == "" || last == "." || last == "..") {
		normal += "/"
	}
	return normal
}

// within reports whether both readings of the path match one of the patterns. They
// may match different ones: each is allowed by itself.
func (p requestPath) within(globs []string) bool {
	return matchesAny(globs, p.decoded) && (p.normal == p.decoded || matchesAny(globs, p.normal))
}

func matchesAny(globs []string, s string) bool {
	for _, g := range globs {
		if catalog.Glob(g, s) {
			return true
		}
	}
	return false
}
