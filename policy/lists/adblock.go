package lists

import (
	"strings"

	"telltale/policy/catalog"
)

// elementMarks part the sites from what a filter does to their pages.
var elementMarks = []string{"##", "#@#", "#?#", "#@?#", "#$#", "#@$#", "#%#", "#@%#", "$$", "$@$"}

// isAboutElements reports whether a filter is about what pages show.
func isAboutElements(s string) bool {
	if strings.HasPrefix(s, "##") && (len(s) == 2 || s[2] == '#' || s[2] == ' ') {
		return false // a headline among the comments
	}
	for _, mark := range elementMarks {
		if i := strings.Index(s, mark); i >= 0 && i+len(mark) < len(s) && !strings.ContainsAny(s[:i], " \t") {
			return mark[0] == '$' || s[i+len(mark)] != ' '
		}
	}
	return false
}

// readFilter reads an Adblock filter: "||host^", "||host/path", "@@||host^$third-party".
func (l *List) readFilter(n int, s, line string) error {
	body, exempt := strings.CutPrefix(s, "@@")
	body, options := cutOptions(body)
	if !apply(options) {
		l.Skipped++
		return nil
	}
	host, path, problem := target(body)
	switch {
	case problem == aboutPages:
		l.Skipped++
		return nil
	case problem != "":
		l.note(n, columnOf(line, strings.TrimLeft(s, "@|")), problem)
		return nil
	}
	r := rule{text: s, line: int32(n), below: strings.HasPrefix(body, "||"), exempt: exempt, path: path}
	name, below, ok := domain(host)
	if i := strings.LastIndexByte(host, '*'); i >= 0 && !ok {
		tail := host[i:]
		_, tail, _ = strings.Cut(tail, ".")
		if name, _, ok = domain(tail); ok {
			r.glob = strings.ToLower(host)
		}
	}
	if !ok {
		l.note(n, columnOf(line, host), "expected a host name, found "+quoted(host))
		return nil
	}
	r.below = (r.below || below) && r.glob == ""
	return l.add(name, r)
}

// cutOptions parts a filter from what stands behind its last $, if these are options.
func cutOptions(s string) (body string, options []string) {
	i := strings.LastIndexByte(s, '$')
	if i < 0 || strings.ContainsAny(s[i:], "/") && !strings.Contains(s[i:], "=") {
		return s, nil
	}
	return s[:i], strings.Split(s[i+1:], ",")
}

// apply reports whether a filter with these options says anything of what an app contacts.
// What is limited to some pages, some apps or some ways to show a page does not.
func apply(options []string) bool {
	for _, o := range options {
		switch o {
		case "third-party", "3p", "strict3p", "important", "match-case", "all", "network",
			"script", "image", "stylesheet", "object", "xmlhttprequest", "xhr", "ping", "beacon", "websocket", "media", "font", "other",
			"~script", "~image", "~stylesheet", "~object", "~xmlhttprequest", "~xhr", "~ping", "~websocket", "~media", "~font", "~other",
			"subdocument", "~subdocument", "~document", "doc", "document", "popup", "~popup", "frame", "css", "_", "":
		default:
			return false
		}
	}
	return !only(options, "document", "doc", "popup", "subdocument", "frame")
}

// only reports whether options name these kinds of requests and no other.
func only(options []string, kinds ...string) bool {
	some := false
	for _, o := range options {
		switch {
		case contains(kinds, o):
			some = true
		case o == "third-party", o == "3p", o == "important", o == "match-case", strings.HasPrefix(o, "~"):
		default:
			return false
		}
	}
	return some
}

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

// aboutPages is the problem of a filter that is none of a host.
const aboutPages = "about pages"

// target parts the pattern of a filter into its host and the pattern of the path, "" for
// any. A problem says why it has none.
func target(body string) (host, path, problem string) {
	switch {
	case strings.HasPrefix(body, "||"):
		body = body[2:]
	case strings.HasPrefix(body, "|http://"), strings.HasPrefix(body, "|https://"):
		_, body, _ = strings.Cut(body, "://")
	default:
		return "", "", aboutPages
	}
	end := strings.IndexAny(body, "/^|?:")
	if end < 0 {
		end = len(body)
	}
	host, rest := body[:end], body[end:]
	switch {
	case host == "":
		return "", "", "expected a host name, found " + quoted(body)
	case strings.HasSuffix(host, "*") || strings.HasSuffix(host, "."):
		return "", "", aboutPages // "||ads.": of any domain
	case strings.Contains(rest, "?") || strings.HasPrefix(rest, ":"):
		return "", "", aboutPages // queries and ports are not compared
	}
	switch rest {
	case "", "^", "^*", "^|", "/", "/*", "/^", "|":
		return host, "", ""
	}
	if rest[0] == '^' { // what follows a host and parts it is the slash
		rest = "/" + strings.TrimPrefix(rest[1:], "/")
	}
	rest = strings.ToLower(rest)
	if whole, ok := strings.CutSuffix(rest, "|"); ok {
		return host, whole, ""
	}
	return host, rest + "*", ""
}

// matchHost reports whether a host, or what stands behind one of its dots, matches a
// pattern with stars.
func matchHost(glob, host string) bool {
	for rest := host; rest != ""; {
		if catalog.Glob(glob, rest) {
			return true
		}
		_, rest, _ = strings.Cut(rest, ".")
	}
	return false
}

// matchPath reports whether a path matches a pattern in lower case: * is any run of
// characters, ^ one that parts words, or the end. The time is linear in the product of
// the lengths at worst, never more.
func matchPath(pattern, path string) bool {
	star, mark := -1, 0 // last * in pattern, and where its run ends in path
	i, j := 0, 0
	for j < len(path) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == lower(path[j]) || pattern[i] == '^' && isSeparator(path[j])):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(pattern) && (pattern[i] == '*' || pattern[i] == '^') {
		i++
	}
	return i == len(pattern)
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// isSeparator reports whether a character is one that ^ stands for: any but letters,
// digits and "_-.%".
func isSeparator(c byte) bool {
	c = lower(c)
	return !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 0x80 || strings.IndexByte("_-.%", c) >= 0)
}
