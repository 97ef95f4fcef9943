package reports

import (
	"fmt"
	"net/http"
	neturl "net/url"
	"regexp"
	"slices"
	"strings"

	"telltale/flow"
	"telltale/flow/plain"
	"telltale/policy"
)

// maxCurlBody is how much of a body stands in a command line.
const maxCurlBody = 4 << 10

// Curl returns a curl command for a POSIX shell that sends the request of a flow
// again, "" for a flow without one. Credentials and, by mask, never-send values are
// redacted unless mask is nil. A body that is long or not text is left out, and
// the command says so behind a #.
func Curl(f *flow.Flow, mask func(string) string) string {
	r := f.Request
	if r == nil {
		return ""
	}
	reveal := mask == nil
	if reveal {
		mask = func(s string) string { return s }
	}
	words := []string{"curl"}
	add := func(option, value string) { words = append(words, option, shellWord(value)) }
	switch r.Method {
	case "", http.MethodGet:
	case http.MethodHead:
		words = append(words, "--head")
	default:
		add("-X", r.Method)
	}
	for _, h := range r.Header {
		value := h.Value()
		if reveal {
			value = h.Reveal()
		}
		switch name := strings.ToLower(h.Name); {
		case name == "host" || name == "content-length" || strings.HasPrefix(name, ":"):
		case name == "accept-encoding":
			words = append(words, "--compressed")
		default:
			add("-H", mask(h.Name+": "+value))
		}
	}
	note := ""
	if body := mask(formBody(r, reveal)); !reveal && namesCredential(body) {
		note = " # without its body, which has a credential"
	} else if body != "" && len(body) <= maxCurlBody && !r.Body.Truncated && isText(body) {
		add("--data-binary", body)
	} else if r.Body.Size > 0 {
		note = fmt.Sprintf(" # without its body of %s", plural(int(r.Body.Size), "byte", "bytes"))
	}
	url := f.URL()
	if !reveal {
		url = mask(flow.MaskURL(url))
	}
	return strings.Join(append(words, shellWord(url)), " ") + note
}

// formBody returns the body of a request. Values of a form that are called like
// credentials are redacted unless reveal is set.
func formBody(r *flow.Request, reveal bool) string {
	body := string(r.Body.Content)
	kind, _, _ := strings.Cut(flow.Get(r.Header, "Content-Type"), ";")
	if reveal || !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		return body
	}
	return strings.TrimPrefix(flow.MaskURL("?"+body), "?")
}

// member is how JSON names a value (RFC 8259, 4).
var member = regexp.MustCompile(`"([^"\\]{1,64})"\s*:`)

// namesCredential reports whether a text has a member, as JSON has them, that is
// called like a credential.
func namesCredential(body string) bool {
	for _, m := range member.FindAllStringSubmatch(body, -1) {
		if m[1] != "code" && m[1] != "key" && flow.CredentialName(m[1]) {
			return true
		}
	}
	return false
}

// isText reports whether a body can stand on a command line and on a screen.
func isText(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && !plain.Shows(r) }) < 0
}

// MarkdownLine returns a list item of GitHub's Markdown on one flow: what was
// sent, how it ended, and what the policy says of it.
func MarkdownLine(f *flow.Flow, j policy.Judgement, mask func(string) string) string {
	url := f.URL()
	if mask != nil {
		url = mask(flow.MaskURL(url))
	}
	line := "- " + code(f.Method()+" "+url)
	if status := f.Status(); status > 0 {
		line += fmt.Sprintf(" → %d", status)
	} else {
		line += " → " + string(f.Outcome)
	}
	switch {
	case len(j.Findings) > 0:
		line += fmt.Sprintf(": **%s**, %s", j.Rule(), prose(j.Findings[0].Title))
	case j.Verdict != policy.Unjudged:
		line += ": " + string(j.Verdict)
	}
	if app := f.UserAgent(); app != "" {
		if mask != nil {
			app = mask(app)
		}
		line += ", sent by " + code(app)
	}
	return line
}

// credentialWarning names the query parameters in the shown URLs that look like
// credentials, where their values are shown. "" when there are none.
func credentialWarning(r *Report, st style) string {
	if !r.Reveal {
		return ""
	}
	seen := map[string]bool{}
	for _, v := range slices.Concat(r.Summary.Violations, r.Summary.Waivers) {
		if name := credentialIn(v.URL); name != "" {
			seen[name] = true
		}
	}
	if len(seen) == 0 {
		return ""
	}
	names := make([]string, 0, len(seen))
	for _, name := range sortedKeys(seen) {
		names = append(names, st.data(r.clipped(name, maxHost)))
	}
	if len(names) > maxListed {
		names = append(names[:maxListed], "…")
	}
	return fmt.Sprintf("URLs are shown in full, and some have parameters that are named like credentials (%s). Read them before you share this.", strings.Join(names, ", "))
}

// credentialIn returns the name of the first query parameter that is called like
// a credential, "" when there is none.
func credentialIn(rawURL string) string {
	_, query, _ := strings.Cut(rawURL, "?")
	query, _, _ = strings.Cut(query, "#")
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		if decoded, err := neturl.QueryUnescape(name); err == nil {
			name = decoded
		}
		if value != "" && flow.CredentialName(name) {
			return name
		}
	}
	return ""
}
