package rules

import (
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"telltale/flow/plain"
)

// A Kind is what a field of a modifier may hold.
type Kind struct {
	Name  string // in a table: "header name"
	holds string // as errors say it: "the name of a header as text"
	form  form
	// wrong says what is wrong with a value of the right form, "" for nothing. Nil: every
	// value is right.
	wrong func(n *node) string
}

// The kinds.
var (
	kindScope     = &Kind{Name: "list", holds: `a list of "request" and "response"`, form: list}
	kindModifier  = &Kind{Name: "modifier", holds: `one modifier: {"name": {…}}`, form: object}
	kindModifiers = &Kind{Name: "list of modifiers", holds: `a list of modifiers: [{"name": {…}}, …]`, form: list}
	kindOrdered   = &Kind{Name: "list", holds: `a list of {"priority": 1, "modifier": {…}}`, form: list}

	kindTruth    = &Kind{Name: "true or false", holds: "true or false", form: truth}
	kindRemark   = &Kind{Name: "text", holds: "text", form: text}
	kindValue    = &Kind{Name: "text", holds: "the value of a header as text", form: text, wrong: wrongValue}
	kindGiven    = &Kind{Name: "text", holds: "text that is not empty", form: text, wrong: wrongGiven}
	kindHeader   = &Kind{Name: "header name", holds: "the name of a header as text", form: text, wrong: wrongToken}
	kindSettable = &Kind{Name: "header name", holds: "the name of a header as text", form: text, wrong: wrongSettable}
	kindHeaders  = &Kind{Name: "list of header names", holds: "a list of names of headers", form: list, wrong: wrongSettables}
	kindMethod   = &Kind{Name: "method", holds: "a method of HTTP as text", form: text, wrong: wrongToken}
	kindStatus   = &Kind{Name: "number", holds: "a number from 200 to 599", form: number, wrong: between(200, 599)}
	kindPort     = &Kind{Name: "number", holds: "a number from 1 to 65535", form: number, wrong: between(1, 65535)}
	kindInteger  = &Kind{Name: "number", holds: "a whole number", form: number, wrong: between(-1<<31, 1<<31-1)}
	kindRegexp   = &Kind{Name: "expression", holds: "a regular expression as text", form: text, wrong: wrongRegexp}
	kindBase64   = &Kind{Name: "base64", holds: "base64 as text", form: text, wrong: wrongBase64}
	kindMedia    = &Kind{Name: "media type", holds: `a media type as text, such as "application/json"`, form: text, wrong: wrongMedia}
	kindTime     = &Kind{Name: "time", holds: `a time as text, such as "2026-04-01T00:00:00Z"`, form: text, wrong: wrongTime}
	kindScheme   = &Kind{Name: "scheme", holds: `"http" or "https"`, form: text, wrong: wrongScheme}
	kindHost     = &Kind{Name: "host", holds: `a host as text, such as "api.example.com" or "api.example.com:8443"`, form: text, wrong: wrongHost}
	kindPattern  = &Kind{Name: "host", holds: `a host as text, where a star is one whole label: "*.example.com"`, form: text, wrong: wrongPattern}
	kindPath     = &Kind{Name: "path", holds: `a path as text that begins with "/"`, form: text, wrong: wrongPath}
	kindQuery    = &Kind{Name: "query", holds: `a query as text without "?", such as "a=1&b=2"`, form: text, wrong: wrongQuery}
)

func wrongGiven(n *node) string {
	if n.text == "" {
		return "is empty"
	}
	return wrongValue(n)
}

// wrongValue refuses what would end a header's line.
func wrongValue(n *node) string {
	for _, c := range []byte(n.text) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return "has a control character"
		}
	}
	if n.text != strings.Trim(n.text, " \t") {
		return "begins or ends with a blank"
	}
	return ""
}

// isToken says whether text is a token of HTTP (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

func wrongToken(n *node) string {
	if !isToken(n.text) {
		return quoted(n.text)
	}
	return ""
}

// unsettable are headers that frame a message, or belong to one connection. A rule that sets
// one could hide a second message within the first.
var unsettable = map[string]string{
	"Host":                "it says whom the request is for, and the recording would name another",
	"Content-Length":      "it frames the message; telltale writes it",
	"Transfer-Encoding":   "it frames the message; telltale writes it",
	"Trailer":             "it frames the message; telltale writes it",
	"Connection":          "it belongs to one connection; telltale writes it",
	"Keep-Alive":          "it belongs to one connection; telltale writes it",
	"Proxy-Connection":    "it belongs to one connection; telltale writes it",
	"Proxy-Authenticate":  "it is between client and proxy",
	"Proxy-Authorization": "it is between client and proxy",
	"Te":                  "it belongs to one connection; telltale writes it",
	"Upgrade":             "it belongs to one connection; telltale writes it",
}

func wrongSettable(n *node) string {
	if bad := wrongToken(n); bad != "" {
		return bad
	}
	name := http.CanonicalHeaderKey(n.text)
	if why, no := unsettable[name]; no {
		return "a rule does not alter " + name + ": " + why
	}
	return ""
}

func wrongSettables(n *node) string {
	if len(n.items) == 0 {
		return "is empty"
	}
	seen := map[string]bool{}
	for _, item := range n.items {
		if item.form != text {
			return "has " + item.form.String() + " in it"
		}
		if bad := wrongSettable(item); bad != "" {
			return bad
		}
		name := http.CanonicalHeaderKey(item.text)
		if seen[name] {
			return "has " + name + " twice"
		}
		seen[name] = true
	}
	return ""
}

// between accepts whole numbers that encoding/json accepts for an int.
func between(least, most int64) func(*node) string {
	return func(n *node) string {
		v, err := strconv.ParseInt(n.text, 10, 64)
		if err != nil || v < least || v > most {
			return clip(n.text)
		}
		return ""
	}
}

func wrongRegexp(n *node) string {
	if n.text == "" {
		return "is empty"
	}
	if _, err := regexp.Compile(n.text); err != nil {
		return plain.Text(clip(strings.TrimPrefix(err.Error(), "error parsing regexp: ")))
	}
	return ""
}

func wrongBase64(n *node) string {
	if _, err := base64.StdEncoding.DecodeString(n.text); err != nil {
		return "no base64 (base64 -w0 FILE makes it)"
	}
	return ""
}

func wrongMedia(n *node) string {
	kind, _, err := mime.ParseMediaType(n.text)
	if err != nil || !strings.Contains(kind, "/") {
		return quoted(n.text)
	}
	return wrongValue(n)
}

func wrongTime(n *node) string {
	var t time.Time
	if err := t.UnmarshalText([]byte(n.text)); err != nil || t.Year() < 1601 {
		return quoted(n.text)
	}
	return ""
}

func wrongScheme(n *node) string {
	if n.text != "http" && n.text != "https" {
		return quoted(n.text)
	}
	return ""
}

func wrongHost(n *node) string {
	if strings.Contains(n.text, "*") {
		return "has a star in it"
	}
	return wrongPattern(n)
}

// wrongPattern refuses stars that are part of a label: martian takes such a star for the
// rest of the label to its left, and then matches other hosts than one would think.
func wrongPattern(n *node) string {
	u, err := url.Parse("http://" + n.text + "/")
	if err != nil || n.text == "" || u.Host != n.text || u.Hostname() == "" || u.User != nil || strings.HasSuffix(n.text, ":") {
		return quoted(n.text)
	}
	for _, c := range n.text {
		if c > '~' {
			return quoted(n.text) + " is not as it stands on the wire; write it as xn--…"
		}
	}
	for label := range strings.SplitSeq(u.Hostname(), ".") {
		if strings.Contains(label, "*") && label != "*" {
			return quoted(n.text) + " has a star within a label"
		}
	}
	if port := u.Port(); port != "" {
		if v, err := strconv.ParseUint(port, 10, 16); err != nil || v == 0 {
			return quoted(n.text) + " has a port that is none"
		}
	}
	return ""
}

func wrongPath(n *node) string {
	switch {
	case !strings.HasPrefix(n.text, "/"):
		return quoted(n.text)
	case strings.ContainsAny(n.text, "?#"):
		return quoted(n.text) + ` has "?" or "#" in it; a query has a field of its own`
	case wrongValue(n) != "":
		return wrongValue(n)
	}
	return ""
}

func wrongQuery(n *node) string {
	if _, err := url.ParseQuery(n.text); err != nil || n.text == "" || strings.HasPrefix(n.text, "?") {
		return "is none"
	}
	for _, c := range n.text {
		if c <= ' ' || c > '~' || c == '#' {
			return "has a character that must be written as %…"
		}
	}
	return ""
}
