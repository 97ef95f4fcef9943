package resend

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"telltale/flow"
)

// prepare makes the request of a flow for the other server, or says in the result why it
// is not sent.
func (s *sending) prepare(ctx context.Context, f *flow.Flow) (Result, *http.Request) {
	result := Result{Flow: f.ID, Method: strings.ToUpper(f.Request.Method), URL: s.cfg.Against.JoinPath("/").Redacted()}
	t := &taking{credentials: s.credentials, opaque: s.cfg.Opaque}
	target, why := s.target(f, t)
	if target != nil {
		result.URL = s.shown(f, *target)
	}
	if why == "" {
		why = s.unfit(f)
	}
	var body []byte
	var coded bool
	if why == "" {
		body, coded, why = s.body(ctx, f, t)
	}
	var header http.Header
	if why == "" {
		header, why = s.header(f, t, coded)
	}
	result.Without = t.names()
	if why == "" && len(t.left) > 0 && !s.cfg.Opaque {
		why = "a text in it has " + strings.Join(t.left, ", ") + ", where it cannot be replaced; --opaque-bodies sends it all the same"
	}
	if why == "" && s.cfg.Strict && len(result.Without) > 0 {
		why = "it needs credentials that were not given: " + strings.Join(result.Without, ", ")
	}
	if why != "" {
		result.Outcome, result.Reason = NotSent, why
		return result, nil
	}
	req, err := http.NewRequestWithContext(ctx, f.Request.Method, target.String(), bytes.NewReader(body))
	exact := exactly(target, f)
	if err != nil || exact == nil {
		result.Outcome, result.Reason = NotSent, "it is no valid request"
		return result, nil
	}
	req.URL, req.Header = exact, header
	if len(body) == 0 {
		req.Body, req.GetBody, req.ContentLength = http.NoBody, nil, 0
	}
	if s.cfg.KeepHost {
		req.Host = f.Host()
	}
	return result, req
}

// unfit says why a request cannot be sent again, or its answer not be compared.
func (s *sending) unfit(f *flow.Flow) string {
	methods := s.cfg.Methods
	if methods == nil {
		methods = SafeMethods
	}
	method := strings.ToUpper(f.Request.Method)
	switch {
	case f.Kind != flow.HTTP:
		return "a WebSocket is not sent again"
	case len(f.Experiments) > 0:
		return "an experiment altered it, so that its answer is not the server's"
	case f.Response == nil || f.Outcome != flow.Completed || f.Response.Status < 200:
		return "it has no whole answer to compare with"
	case method == http.MethodConnect:
		return "CONNECT is for a proxy"
	case !slices.Contains(methods, method) && !slices.Contains(methods, "ALL"):
		return method + " may change something at the server"
	}
	return ""
}

// target returns where a request goes at the other server.
func (s *sending) target(f *flow.Flow, t *taking) (*url.URL, string) {
	recorded := f.WithoutFragment().Request.URL
	path := "/"
	if _, rest, ok := strings.Cut(recorded, "://"); ok {
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			path = rest[i:]
		}
	}
	path, query, asks := strings.Cut(path, "?")
	if path == "" {
		path = "/"
	}
	path = t.path(path)
	t.leave(path)
	if s.credentials.stand(t.withoutGiven(path)) || inPath(flow.Unpercent(path)) || isMasked(recorded) {
		return nil, "a credential stands in its path, or was taken out of its URL before"
	}
	u := *s.cfg.Against
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	u.RawQuery, u.ForceQuery = t.form(query, "query"), asks && query == ""
	full := strings.TrimSuffix(u.EscapedPath(), "/") + path
	plain, err := url.PathUnescape(full)
	if err != nil {
		return nil, "its path is not valid"
	}
	u.Path, u.RawPath = plain, full
	return &u, ""
}

// exactly returns a target that goes out as it was recorded, where a URL would be escaped
// otherwise; nil where it cannot.
func exactly(target *url.URL, f *flow.Flow) *url.URL {
	u := *target
	_, rest, _ := strings.Cut(f.WithoutFragment().Request.URL, "://")
	switch asterisk := !strings.ContainsAny(rest, "/?"); { // RFC 9112, 3.2.4: the URL is the authority alone
	case asterisk && strings.EqualFold(f.Request.Method, http.MethodOptions):
		u.Opaque = "*"
	case u.EscapedPath() == u.RawPath:
	case strings.HasPrefix(u.RawPath, "//"):
		return nil
	default:
		u.Opaque = u.RawPath
	}
	return &u
}

// shown returns the URL of a request as results have it: without what was put in the place of
// a credential.
func (s *sending) shown(f *flow.Flow, u url.URL) string {
	_, query, _ := strings.Cut(f.WithoutFragment().Request.URL, "?")
	u.RawQuery = (&taking{credentials: s.credentials, shown: true}).form(query, "query")
	return u.String()
}

// isMasked reports whether a value was replaced in a copy that was made to be handed over.
func isMasked(s string) bool { return strings.Contains(s, "[redacted") }

// notSent are the fields that are about the connection, or that the request gets anew.
var notSent = map[string]bool{
	"host": true, "content-length": true, "connection": true, "keep-alive": true, "proxy-connection": true, "te": true,
	"trailer": true, "transfer-encoding": true, "upgrade": true, "expect": true, "http2-settings": true, "alt-used": true,
	"proxy-authorization": true, "forwarded": true, "via": true,
}

// NotSet reports whether a field of this name cannot be set by [Config.Header].
func NotSet(name string) bool {
	name = strings.ToLower(strings.TrimSpace(name))
	return notSent[name] && name != "via" && name != "forwarded" && name != "proxy-authorization"
}

// header returns the fields of a request, without its credentials.
func (s *sending) header(f *flow.Flow, t *taking, coded bool) (http.Header, string) {
	h := http.Header{"User-Agent": {""}} // else the library adds its own
	gone := map[string]bool{}
	for _, field := range f.Request.Header {
		if strings.EqualFold(field.Name, "Connection") {
			for name := range strings.SplitSeq(field.Value(), ",") {
				gone[strings.ToLower(strings.TrimSpace(name))] = true
			}
		}
	}
	for _, field := range f.Request.Header {
		name := strings.ToLower(strings.TrimSpace(field.Name))
		if notSent[name] || gone[name] || strings.HasPrefix(name, ":") || name == "" || !coded && name == "content-encoding" {
			if name == "proxy-authorization" {
				t.took(field.Name)
			}
			continue
		}
		if slices.ContainsFunc(s.cfg.Header, func(set flow.Field) bool { return strings.EqualFold(set.Name, name) }) {
			continue // the user's stands in its place
		}
		value, ok := t.field(field)
		switch {
		case !ok:
			continue
		case name == "user-agent":
			h.Set("User-Agent", value)
		default:
			h.Add(field.Name, value)
		}
	}
	for _, field := range s.cfg.Header {
		h.Set(field.Name, field.Reveal())
	}
	if _, asked := h["Accept-Encoding"]; !asked {
		h["Accept-Encoding"] = []string{"identity"}
	}
	for name, values := range h {
		if strings.ContainsAny(name, " \r\n\t:") || slices.ContainsFunc(values, func(v string) bool { return strings.ContainsAny(v, "\r\n\x00") }) {
			return nil, fmt.Sprintf("its field %q cannot be sent", name)
		}
	}
	return h, ""
}
