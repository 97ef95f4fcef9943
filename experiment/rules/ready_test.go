package rules

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/martian/v3/parse"

	"telltale/guard/raced"
)

// ready is what the files of docs/experiments do to an exchange: a request, and the answer
// of the server, 200 with JSON.
var ready = []struct {
	file, method, url string
	asked, answered   string // what is said; "" for nothing
	status            int
	header            []string // that the answer has
	content           string   // of the answer; "" as before
}{
	{"no-reachability", "GET", "http://connectivitycheck.gstatic.com/generate_204", "removed If-None-Match", "200 → 503", 503, nil, "no way out\n"},
	{"no-reachability", "GET", "https://www.google.com/generate_204", "removed If-None-Match", "200 → 503", 503, nil, "no way out\n"},
	{"no-reachability", "GET", "http://captive.apple.com/", "removed If-None-Match", "200 → 503", 503, nil, "no way out\n"},
	{"no-reachability", "GET", "http://captive.apple.com/hotspot-detect.html", "removed If-None-Match", "200 → 503", 503, nil, "no way out\n"},
	{"no-reachability", "GET", "http://www.msftconnecttest.com/connecttest.txt", "removed If-None-Match", "200 → 503", 503, nil, "no way out\n"},
	{"no-reachability", "GET", "http://detectportal.firefox.com/success.txt?ipv4", "removed If-None-Match", "200 → 503", 503, nil, "no way out\n"},
	{"no-reachability", "GET", "https://www.google.com/", "", "", 200, nil, ""},
	{"no-reachability", "GET", "https://evil.example/?https://captive.apple.com/", "", "", 200, nil, ""},
	{"server-busy", "GET", "https://api.example.com/a", "removed If-None-Match", "200 → 503", 503, []string{"Retry-After", "120"}, `{"error":"busy"}` + "\n"},
	{"server-busy", "GET", "https://b.example.com/a", "", "", 200, nil, ""},
	{"too-many-requests", "POST", "https://api.example.com/a", "", "200 → 429", 429, []string{"Retry-After", "60"}, `{"error":"too many requests"}` + "\n"},
	{"too-many-requests", "GET", "https://api.example.com/a", "", "", 200, nil, ""},
	{"wrong-content", "GET", "https://api.example.com/a", "removed If-None-Match", "replaced the content", 200, []string{"Content-Type", "text/html; charset=utf-8"}, "<!doctype html>"},
	{"remote-config-empty", "POST", "https://firebaseremoteconfig.googleapis.com/v1/projects/1/namespaces/firebase:fetch", "removed If-None-Match", "replaced the content", 200, nil, `{"entries":{},"state":"EMPTY_CONFIG"}` + "\n"},
	{"empty-json", "GET", "https://api.example.com/a", "removed If-None-Match", "replaced the content", 200, []string{"Content-Type", "application/json"}, "{}\n"},
	{"session-expired", "GET", "https://api.example.com/v2/me", "removed If-None-Match", "200 → 401", 401, []string{"WWW-Authenticate", `Bearer error="invalid_token"`}, `{"error":"invalid_token"}` + "\n"},
	{"session-expired", "GET", "https://api.example.com/orders?page=2", "removed If-None-Match", "200 → 401", 401, nil, `{"error":"invalid_token"}` + "\n"},
	{"session-expired", "GET", "https://api.example.com/login", "", "", 200, nil, ""},
	{"session-expired", "GET", "https://api.example.com/menu", "", "", 200, nil, ""},
	{"strip-user-agent", "GET", "https://any.example/", "removed User-Agent", "", 200, nil, ""},
	{"no-cache", "GET", "https://any.example/", "set Cache-Control", "set Cache-Control", 200, []string{"Cache-Control", "no-store", "Etag", ""}, ""},
	{"debug-header", "GET", "https://api.example.com/", "set X-Debug", "", 200, nil, ""},
	{"debug-header", "GET", "https://tracker.example/", "", "", 200, nil, ""},
}

// exchange is the request and the answer that ready files are applied to.
func exchange(t *testing.T, method, url string) (*http.Request, *http.Response) {
	t.Helper()
	req := asking(t, method, url, "", "User-Agent", "App/1", "If-None-Match", `"v1"`, "Accept", "*/*")
	return req, answering(req, 200, `{"a":1}`, "Content-Type", "application/json", "Content-Length", "7", "Etag", `"v1"`, "X-Kept", "1")
}

// files are the names of the ready files.
func files(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("../../docs/experiments/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no ready files: %v", err)
	}
	return names
}

func TestReadyFiles(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files(t) {
		r, err := Read(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(r.Warnings()) > 0 {
			t.Errorf("%s: %q", file, r.Warnings())
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if !strings.Contains(string(text), "`"+name+".json`") {
			t.Errorf("the README does not name %s", file)
		}
		tested := false
		for _, tt := range ready {
			if tt.file != name {
				continue
			}
			tested = true
			req, res := exchange(t, tt.method, tt.url)
			asked, err := r.ModifyRequest(req)
			if err != nil {
				t.Error(err)
			}
			answered, err := r.ModifyResponse(res)
			if err != nil {
				t.Error(err)
			}
			var first, second []string
			for _, a := range asked {
				first = append(first, a.What)
			}
			for _, a := range answered {
				second = append(second, a.What)
			}
			if got := strings.Join(first, "\n"); !strings.Contains(got, tt.asked) || (got == "") != (tt.asked == "") {
				t.Errorf("%s, %s: of the request it says %q", name, tt.url, got)
			}
			if got := strings.Join(second, "\n"); !strings.Contains(got, tt.answered) || (got == "") != (tt.answered == "") {
				t.Errorf("%s, %s: of the answer it says %q", name, tt.url, got)
			}
			if tt.content == "" {
				tt.content = `{"a":1}`
			}
			content, _ := io.ReadAll(res.Body)
			if res.StatusCode != tt.status || !strings.HasPrefix(string(content), tt.content) || res.Header.Get("X-Kept") != "1" {
				t.Errorf("%s, %s: %d %s", name, tt.url, res.StatusCode, content)
			}
			for i := 0; i < len(tt.header); i += 2 {
				if got := res.Header.Get(tt.header[i]); got != tt.header[i+1] {
					t.Errorf("%s, %s: %s: %s", name, tt.url, tt.header[i], got)
				}
			}
		}
		if !tested {
			t.Errorf("nothing tests what %s does", file)
		}
	}
}

// What martian makes of a ready file does the same to a message, but for what content.go
// mends: headers that speak of a content that is gone.
func TestReadyFilesAsMartianHasThem(t *testing.T) {
	for _, file := range files(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := parse.FromJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := Parse(file, text)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range ready {
			req, res := exchange(t, tt.method, tt.url)
			req2, res2 := exchange(t, tt.method, tt.url)
			if _, err := ours.ModifyRequest(req); err != nil {
				t.Error(err)
			}
			if _, err := ours.ModifyResponse(res); err != nil {
				t.Error(err)
			}
			if m := theirs.RequestModifier(); m != nil {
				if err := m.ModifyRequest(req2); err != nil {
					t.Error(err)
				}
			}
			if m := theirs.ResponseModifier(); m != nil {
				if err := m.ModifyResponse(res2); err != nil {
					t.Error(err)
				}
			}
			if req.URL.String() != req2.URL.String() || lines(req.Header) != lines(req2.Header) {
				t.Errorf("%s, %s: %s\n%s\nof martian %s\n%s", file, tt.url, req.URL, lines(req.Header), req2.URL, lines(req2.Header))
			}
			if res.ContentLength != 7 || res.Header.Get("Content-Type") != "application/json" {
				for _, h := range []http.Header{res.Header, res2.Header} {
					for _, name := range append(aboutContent, "Content-Length") {
						h.Del(name)
					}
				}
			}
			mine, _ := io.ReadAll(res.Body)
			its, _ := io.ReadAll(res2.Body)
			if string(mine) != string(its) || res.StatusCode != res2.StatusCode || res.ContentLength != res2.ContentLength || lines(res.Header) != lines(res2.Header) {
				t.Errorf("%s, %s: %d %s\n%s\nof martian %d %s\n%s", file, tt.url, res.StatusCode, mine, lines(res.Header), res2.StatusCode, its, lines(res2.Header))
			}
		}
	}
}

// One set of rules serves many requests at a time, and mixes up nothing.
func TestConcurrency(t *testing.T) {
	r := parsed(t, `{"fifo.Group": {"modifiers": [
		{"url.RegexFilter": {"regex": "/[0-9]*[02468](\\?|$)", "modifier": {"fifo.Group": {"modifiers": [
			{"header.Modifier": {"name": "Even", "value": "1"}},
			{"querystring.Modifier": {"name": "even", "value": "1"}},
			{"body.Modifier": {"contentType": "a/b", "body": "ZXZlbg=="}}]}}}},
		{"header.Filter": {"name": "X-Odd", "value": "1", "modifier": {"status.Modifier": {"statusCode": 418}}}}]}}`)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range raced.Size(500, 30) {
				target, odd := "http://a.example/2", "0"
				if i%2 == 1 {
					target, odd = "http://a.example/3", "1"
				}
				req, err := http.NewRequest("POST", target, strings.NewReader("x"))
				if err != nil {
					t.Error(err)
					return
				}
				asked, err := r.ModifyRequest(req)
				if err != nil {
					t.Error(err)
				}
				res := answering(req, 200, "x", "X-Odd", odd)
				answered, err := r.ModifyResponse(res)
				if err != nil {
					t.Error(err)
				}
				content, _ := io.ReadAll(res.Body)
				switch {
				case i%2 == 0 && (len(asked) != 3 || len(answered) != 2 || string(content) != "even" || res.StatusCode != 200):
					t.Errorf("even: %v %v %q", asked, answered, content)
				case i%2 == 1 && (len(asked) != 0 || len(answered) != 1 || string(content) != "x" || res.StatusCode != 418):
					t.Errorf("odd: %v %v %q", asked, answered, content)
				}
			}
		})
	}
	wg.Wait()
}
