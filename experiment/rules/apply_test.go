package rules

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"telltale/proxy"
)

// parsed returns the rules of a text.
func parsed(t *testing.T, text string) *Rules {
	t.Helper()
	r, err := Parse("rules.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// asking returns a request as a proxy has it.
func asking(t *testing.T, method, target, body string, header ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return req
}

// answering returns an answer to a request.
func answering(req *http.Request, status int, body string, header ...string) *http.Response {
	res := &http.Response{StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req}
	for i := 0; i < len(header); i += 2 {
		res.Header.Add(header[i], header[i+1])
	}
	return res
}

// said joins what was done, and checks who is said to have done it.
func said(t *testing.T, done []proxy.Alteration, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var whats []string
	for _, a := range done {
		if a.By != "modify rules.json" {
			t.Errorf("by %q", a.By)
		}
		whats = append(whats, a.What)
	}
	return strings.Join(whats, "\n")
}

// lines writes a header in a fixed order.
func lines(h http.Header) string {
	var b strings.Builder
	if err := h.Write(&b); err != nil {
		panic(err)
	}
	return strings.ReplaceAll(b.String(), "\r", "")
}

const secret = "hunter2"

func TestRequests(t *testing.T) {
	tests := []struct {
		name, rules   string
		method, url   string
		header        []string
		body          string
		want          string // what is said
		wantURL       string // "" as before
		wantHeader    string
		wantBody      string
		unchangedBody bool
	}{
		{name: "set a header", rules: `{"header.Modifier": {"name": "user-agent", "value": "hunter2"}}`, header: []string{"User-Agent", "App/1"},
			want: "rules.json:1 header.Modifier: set User-Agent", wantHeader: "User-Agent: hunter2\n"},
		{name: "set what it is", rules: `{"header.Modifier": {"name": "A", "value": "1"}}`, header: []string{"A", "1"}, wantHeader: "A: 1\n"},
		{name: "add", rules: `{"header.Append": {"name": "a", "value": "hunter2"}}`, header: []string{"A", "1"},
			want: "rules.json:1 header.Append: added A", wantHeader: "A: 1\nA: hunter2\n"},
		{name: "remove", rules: "{\"fifo.Group\": {\"modifiers\": [\n\n{\"header.Blacklist\": {\"names\": [\"b\", \"user-agent\", \"C\"]}}]}}", header: []string{"User-Agent", "x", "B", "hunter2"},
			want: "rules.json:3 header.Blacklist: removed B, User-Agent"},
		{name: "remove nothing", rules: `{"header.Blacklist": {"names": ["B", "User-Agent"]}}`},
		{name: "copy", rules: `{"header.Copy": {"from": "authorization", "to": "X-Was"}}`, header: []string{"Authorization", "hunter2"},
			want: "rules.json:1 header.Copy: copied Authorization to X-Was", wantHeader: "Authorization: hunter2\nX-Was: hunter2\n"},
		{name: "copy nothing", rules: `{"header.Copy": {"from": "authorization", "to": "X-Was"}}`, header: []string{"X-Was", "1"}, wantHeader: "X-Was: 1\n"},
		{name: "a cookie", rules: `{"cookie.Modifier": {"name": "sid", "value": "hunter2", "path": "/"}}`, header: []string{"Cookie", "a=1", "Cookie", "b=2"},
			want: "rules.json:1 cookie.Modifier: added the cookie sid", wantHeader: "Cookie: a=1; b=2; sid=hunter2\n"},
		{name: "a parameter", rules: `{"querystring.Modifier": {"name": "b", "value": "hunter2 x"}}`, url: "https://a.example/p?z=1&b=1&bad%zz&b=2&a=%41;x",
			want: "rules.json:1 querystring.Modifier: set the parameter b", wantURL: "https://a.example/p?z=1&b=hunter2+x&bad%zz&a=%41;x"},
		{name: "a new parameter", rules: `{"querystring.Modifier": {"name": "b", "value": ""}}`, url: "https://a.example/p",
			want: "rules.json:1 querystring.Modifier: set the parameter b", wantURL: "https://a.example/p?b="},
		{name: "a parameter as it is", rules: `{"querystring.Modifier": {"name": "b", "value": "1"}}`, url: "https://a.example/p?z&b=1&a"},
		{name: "the URL", rules: `{"url.Modifier": {"path": "/new path", "query": "token=hunter2"}}`, url: "https://a.example/a%2Fb?x=1",
			want: "rules.json:1 url.Modifier: changed the path, replaced the query", wantURL: "https://a.example/new%20path?token=hunter2"},
		{name: "another server", rules: `{"url.Modifier": {"host": "staging.example:8443", "scheme": "http"}}`, url: "https://a.example/a%2Fb?x=1",
			want: "rules.json:1 url.Modifier: scheme → http, host → staging.example:8443", wantURL: "http://staging.example:8443/a%2Fb?x=1"},
		{name: "the URL as it is", rules: `{"url.Modifier": {"path": "/a/b"}}`, url: "https://a.example/a%2Fb?x=1"},
		{name: "the content", rules: `{"body.Modifier": {"contentType": "application/json", "body": "e30="}}`, method: "POST", body: "secret hunter2",
			header: []string{"Content-Type", "text/plain", "Content-Encoding", "br", "Content-Length", "14", "Content-Digest", "sha-256=x"},
			want:   "rules.json:1 body.Modifier: replaced the content (14 bytes → 2 bytes, application/json)", wantHeader: "Content-Length: 2\nContent-Type: application/json\n", wantBody: "{}"},
		{name: "the content of an upgrade", rules: `{"body.Modifier": {"contentType": "application/json", "body": "e30="}}`, header: []string{"Upgrade", "websocket"}, wantHeader: "Upgrade: websocket\n"},
		{name: "no content", rules: `{"body.Modifier": {"contentType": "a/b", "body": ""}}`, method: "POST", body: "x",
			want: "rules.json:1 body.Modifier: replaced the content (1 bytes → 0 bytes, a/b)", wantHeader: "Content-Length: 0\nContent-Type: a/b\n"},
		{name: "answers alone", rules: `{"header.Modifier": {"name": "A", "value": "1", "scope": ["response"]}}`},
		{name: "nothing", rules: `{"noop.Modifier": {}}`},
		{name: "priorities", rules: `{"priority.Group": {"modifiers": [{"priority": -1, "modifier": {"header.Modifier": {"name": "A", "value": "last"}}}, {"priority": 5, "modifier": {"header.Modifier": {"name": "A", "value": "first"}}}]}}`,
			want: "rules.json:1 header.Modifier: set A\nrules.json:1 header.Modifier: set A", wantHeader: "A: last\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target := tt.url
			if target == "" {
				target = "https://a.example/p?q=1"
			}
			if tt.method == "" {
				tt.method = "GET"
			}
			req := asking(t, tt.method, target, tt.body, tt.header...)
			before, ctx := req.URL, req.Context()
			done, err := parsed(t, tt.rules).ModifyRequest(req)
			if got := said(t, done, err); got != tt.want {
				t.Errorf("said\n%s\nwant\n%s", got, tt.want)
			}
			if tt.wantURL == "" {
				tt.wantURL = target
			}
			if got := req.URL.String(); got != tt.wantURL {
				t.Errorf("URL %s, want %s", got, tt.wantURL)
			}
			if before.String() != target {
				t.Error("the URL of others was altered")
			}
			if got := lines(req.Header); got != tt.wantHeader {
				t.Errorf("header\n%s\nwant\n%s", got, tt.wantHeader)
			}
			body, err := io.ReadAll(req.Body)
			if err != nil || string(body) != tt.wantBody || req.ContentLength != int64(len(body)) {
				t.Errorf("content %q of %d, want %q; %v", body, req.ContentLength, tt.wantBody, err)
			}
			if req.Context() != ctx {
				t.Error("another context")
			}
		})
	}
}

func TestRemovedUserAgent(t *testing.T) {
	req := asking(t, "GET", "http://a.example/", "", "User-Agent", "x")
	_, err := parsed(t, `{"header.Blacklist": {"names": ["User-Agent"]}}`).ModifyRequest(req)
	if v, there := req.Header["User-Agent"]; err != nil || !there || v != nil {
		t.Errorf("net/http would name itself: %v", req.Header)
	}
}

func TestFilters(t *testing.T) {
	mark := `"modifier": {"header.Modifier": {"name": "Hit", "value": "1"}}, "else": {"header.Modifier": {"name": "Miss", "value": "1"}}`
	only := `"modifier": {"header.Modifier": {"name": "Hit", "value": "1"}}`
	tests := []struct {
		rules, method, url string
		header             []string
		want               bool
		always             bool // there is no else
	}{
		{rules: `{"url.Filter": {"host": "API.example.com", ` + mark + `}}`, url: "https://api.EXAMPLE.com/", want: true},
		{rules: `{"url.Filter": {"host": "api.example.com", ` + mark + `}}`, url: "https://api.example.com:443/", want: true},
		{rules: `{"url.Filter": {"host": "api.example.com", ` + mark + `}}`, url: "http://api.example.com:80/", want: true},
		{rules: `{"url.Filter": {"host": "api.example.com", ` + mark + `}}`, url: "https://api.example.com:8443/"},
		{rules: `{"url.Filter": {"host": "api.example.com:8443", ` + mark + `}}`, url: "https://api.example.com:8443/", want: true},
		{rules: `{"url.Filter": {"host": "api.example.com:443", ` + mark + `}}`, url: "https://api.example.com/", want: true},
		{rules: `{"url.Filter": {"host": "[::1]", ` + mark + `}}`, url: "http://[::1]:80/", want: true},
		{rules: `{"url.Filter": {"host": "[::1]:81", ` + mark + `}}`, url: "http://[::1]:81/", want: true},
		{rules: `{"url.Filter": {"host": "*.example.com", ` + mark + `}}`, url: "https://api.example.com/", want: true},
		{rules: `{"url.Filter": {"host": "*.example.com", ` + mark + `}}`, url: "https://a.b.example.com/"},
		{rules: `{"url.Filter": {"host": "*.example.com", ` + mark + `}}`, url: "https://example.com/"},
		{rules: `{"url.Filter": {"scheme": "http", ` + mark + `}}`, url: "https://example.com/"},
		{rules: `{"url.Filter": {"path": "/a b", ` + mark + `}}`, url: "https://example.com/a%20b?x", want: true},
		{rules: `{"url.Filter": {"path": "/a", "query": "b=1", ` + mark + `}}`, url: "https://example.com/a?b=1", want: true},
		{rules: `{"url.Filter": {"path": "/a", "query": "b=1", ` + mark + `}}`, url: "https://example.com/a?b=2"},
		{rules: `{"url.RegexFilter": {"regex": "^https://a\\.example/x\\?y=1$", ` + mark + `}}`, url: "https://A.example:443/x?y=1", want: true},
		{rules: `{"url.RegexFilter": {"regex": "/x", ` + mark + `}}`, url: "https://a.example/y"},
		{rules: `{"method.Filter": {"method": "post", ` + mark + `}}`, method: "POST", want: true},
		{rules: `{"method.Filter": {"method": "POST", ` + mark + `}}`},
		{rules: `{"header.Filter": {"name": "accept", "value": "a/b", ` + mark + `}}`, header: []string{"Accept", "c/d", "Accept", "a/b"}, want: true},
		{rules: `{"header.Filter": {"name": "accept", "value": "a", ` + mark + `}}`, header: []string{"Accept", "a/b"}},
		{rules: `{"header.RegexFilter": {"header": "accept", "regex": "^a", ` + only + `}}`, header: []string{"Accept", "a/b"}, want: true, always: true},
		{rules: `{"header.RegexFilter": {"header": "accept", "regex": "^b", ` + only + `}}`, header: []string{"Accept", "a/b"}, always: true},
		{rules: `{"querystring.Filter": {"name": "q", ` + mark + `}}`, want: true},
		{rules: `{"querystring.Filter": {"name": "q", "value": "1", ` + mark + `}}`, want: true},
		{rules: `{"querystring.Filter": {"name": "q", "value": "2", ` + mark + `}}`},
		{rules: `{"cookie.Filter": {"name": "sid", ` + mark + `}}`, header: []string{"Cookie", "a=1; sid=2"}, want: true},
		{rules: `{"cookie.Filter": {"name": "sid", "value": "3", ` + mark + `}}`, header: []string{"Cookie", "a=1; sid=2"}},
		{rules: `{"port.Filter": {"port": 443, ` + only + `}}`, want: true, always: true},
		{rules: `{"port.Filter": {"port": 8443, ` + only + `}}`, always: true},
		{rules: `{"port.Filter": {"port": 8443, ` + only + `}}`, url: "http://[::1]:8443/", want: true, always: true},
		{rules: `{"port.Filter": {"port": 80, ` + only + `}}`, url: "http://[::1]/", want: true, always: true},
	}
	for _, tt := range tests {
		if tt.url == "" {
			tt.url = "https://a.example/p?q=1"
		}
		if tt.method == "" {
			tt.method = "GET"
		}
		r, req := parsed(t, tt.rules), asking(t, tt.method, tt.url, "", tt.header...)
		if _, err := r.ModifyRequest(req); err != nil {
			t.Fatal(err)
		}
		hit, miss := req.Header.Get("Hit") != "", req.Header.Get("Miss") != ""
		if hit != tt.want || miss != (!tt.want && !tt.always) {
			t.Errorf("%s: %s %s: hit %v, miss %v", tt.rules, tt.method, tt.url, hit, miss)
		}
		if strings.HasPrefix(tt.rules, `{"header.Filter`) || strings.HasPrefix(tt.rules, `{"cookie.Filter`) {
			continue // of an answer they look at its own header
		}
		res := answering(asking(t, tt.method, tt.url, "", tt.header...), 200, "")
		if _, err := r.ModifyResponse(res); err != nil {
			t.Fatal(err)
		}
		if hit := res.Header.Get("Hit") != ""; hit != tt.want {
			t.Errorf("%s: answer to %s %s: hit %v", tt.rules, tt.method, tt.url, hit)
		}
	}
}

// The URL of a request that was sent is written otherwise: with a port, and opaque.
func TestFilterOfASentURL(t *testing.T) {
	for _, rules := range []string{
		`{"url.Filter": {"scheme": "https", "host": "api.example.com", "path": "/a/b", "query": "c=1", "modifier": {"status.Modifier": {"statusCode": 503}}}}`,
		`{"url.RegexFilter": {"regex": "^https://api\\.example\\.com/a/b\\?c=1$", "modifier": {"status.Modifier": {"statusCode": 503}}}}`,
		`{"port.Filter": {"port": 443, "modifier": {"status.Modifier": {"statusCode": 503}}}}`,
	} {
		req := &http.Request{Method: "GET", Host: "api.example.com", Header: http.Header{},
			URL: &url.URL{Scheme: "https", Host: "api.example.com:443", Opaque: "/a/b", Path: "/a/b", RawQuery: "c=1"}}
		done, err := parsed(t, rules).ModifyResponse(answering(req, 200, "x"))
		if got := said(t, done, err); got != "rules.json:1 status.Modifier: 200 → 503" {
			t.Errorf("%s: %q", rules, got)
		}
	}
}

func TestCookieAndHeaderOfAnAnswer(t *testing.T) {
	r := parsed(t, `{"cookie.Filter": {"name": "sid", "modifier": {"header.Filter": {"name": "Content-Type", "value": "text/html",
		"modifier": {"cookie.Modifier": {"name": "new", "value": "hunter2", "path": "/", "expires": "2026-04-01T00:00:00Z", "httpOnly": true}}}}}}`)
	res := answering(asking(t, "GET", "http://a.example/", ""), 200, "", "Set-Cookie", "sid=1", "Content-Type", "text/html")
	done, err := r.ModifyResponse(res)
	if got := said(t, done, err); got != "rules.json:2 cookie.Modifier: added the cookie new" {
		t.Errorf("%q", got)
	}
	if got := res.Header["Set-Cookie"]; len(got) != 2 || got[1] != "new=hunter2; Path=/; Expires=Wed, 01 Apr 2026 00:00:00 GMT; HttpOnly" {
		t.Errorf("%q", got)
	}
}

func TestNoValueIsSaid(t *testing.T) {
	r := parsed(t, `{"fifo.Group": {"modifiers": [
		{"header.Modifier": {"name": "A", "value": "hunter2"}}, {"header.Append": {"name": "A", "value": "hunter2"}},
		{"cookie.Modifier": {"name": "c", "value": "hunter2"}}, {"querystring.Modifier": {"name": "q", "value": "hunter2"}},
		{"url.Modifier": {"query": "q=hunter2"}}, {"header.Copy": {"from": "A", "to": "B"}}, {"header.Blacklist": {"names": ["A"]}},
		{"body.Modifier": {"contentType": "text/plain", "body": "aHVudGVyMg=="}}]}}`)
	req := asking(t, "POST", "http://a.example/?x=hunter2", secret, "Z", secret)
	done, err := r.ModifyRequest(req)
	asked := said(t, done, err)
	done, err = r.ModifyResponse(answering(req, 200, secret))
	for _, got := range []string{asked, said(t, done, err)} {
		if strings.Contains(got, secret) || strings.Count(got, "\n") < 4 {
			t.Errorf("said: %s", got)
		}
	}
}
