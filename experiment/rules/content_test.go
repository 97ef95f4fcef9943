package rules

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

func TestAnswers(t *testing.T) {
	const body = `{"body.Modifier": {"scope": ["response"], "contentType": "application/json", "body": "eyJhIjoxfQ=="}}`
	tests := []struct {
		name, rules, method string
		asked               []string // header of the request
		status              int
		header              []string
		content             string
		want                string
		wantStatus          int
		wantHeader          string
		wantContent         string
	}{
		{name: "status", rules: `{"status.Modifier": {"statusCode": 503}}`, status: 200, content: "x", header: []string{"Content-Length", "1"},
			want: "rules.json:1 status.Modifier: 200 → 503", wantStatus: 503, wantHeader: "Content-Length: 1\n", wantContent: "x"},
		{name: "the same status", rules: `{"status.Modifier": {"statusCode": 200}}`, status: 200, content: "x", wantStatus: 200, wantContent: "x"},
		{name: "a status without content", rules: `{"status.Modifier": {"statusCode": 204}}`, status: 200, content: "x", header: []string{"Content-Length", "1", "Content-Type", "a/b", "Content-Encoding", "br"},
			want: "rules.json:1 status.Modifier: 200 → 204", wantStatus: 204},
		{name: "a status with content", rules: `{"status.Modifier": {"statusCode": 200}}`, status: 304, header: []string{"Content-Length", "77"},
			want: "rules.json:1 status.Modifier: 304 → 200", wantStatus: 200, wantHeader: "Content-Length: 0\n"},
		{name: "content", rules: body, status: 200, content: "0123456789", header: []string{"Content-Length", "10", "Content-Encoding", "gzip", "Etag", `"v1"`, "Last-Modified", "x", "Repr-Digest", "x"},
			want: "rules.json:1 body.Modifier: replaced the content (10 bytes → 7 bytes, application/json)", wantStatus: 200,
			wantHeader: "Content-Length: 7\nContent-Type: application/json\n", wantContent: `{"a":1}`},
		{name: "content of a part", rules: body, asked: []string{"Range", "bytes=2-4"}, status: 206, content: "234", header: []string{"Content-Range", "bytes 2-4/10"},
			want: "rules.json:1 body.Modifier: replaced the content (3 bytes → 7 bytes, application/json)", wantStatus: 200,
			wantHeader: "Content-Length: 7\nContent-Type: application/json\n", wantContent: `{"a":1}`},
		{name: "no content", rules: body, status: 204, wantStatus: 204},
		{name: "not modified", rules: body, status: 304, header: []string{"Etag", "x"}, wantStatus: 304, wantHeader: "Etag: x\n"},
		{name: "HEAD", rules: body, method: "HEAD", status: 200, header: []string{"Content-Length", "10"},
			want: "rules.json:1 body.Modifier: replaced the content (0 bytes → 7 bytes, application/json)", wantStatus: 200,
			wantHeader: "Content-Length: 7\nContent-Type: application/json\n", wantContent: `{"a":1}`},
		{name: "content, then a status without", rules: `{"fifo.Group": {"modifiers": [` + body + `, {"status.Modifier": {"statusCode": 204}}]}}`, status: 200, content: "x",
			want: "rules.json:1 body.Modifier: replaced the content (1 bytes → 7 bytes, application/json)\nrules.json:1 status.Modifier: 200 → 204", wantStatus: 204},
		{name: "a status, then content", rules: `{"fifo.Group": {"modifiers": [{"status.Modifier": {"statusCode": 200}}, ` + body + `]}}`, status: 204,
			want:       "rules.json:1 status.Modifier: 204 → 200\nrules.json:1 body.Modifier: replaced the content (0 bytes → 7 bytes, application/json)",
			wantStatus: 200, wantHeader: "Content-Length: 7\nContent-Type: application/json\n", wantContent: `{"a":1}`},
		{name: "another protocol", rules: `{"fifo.Group": {"modifiers": [{"status.Modifier": {"statusCode": 200}}, {"header.Modifier": {"name": "A", "value": "1"}}]}}`, status: 101, wantStatus: 101},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.method == "" {
				tt.method = "GET"
			}
			req := asking(t, tt.method, "http://a.example/", "", tt.asked...)
			res := answering(req, tt.status, tt.content, tt.header...)
			done, err := parsed(t, tt.rules).ModifyResponse(res)
			if got := said(t, done, err); got != tt.want {
				t.Errorf("said\n%s\nwant\n%s", got, tt.want)
			}
			content, err := io.ReadAll(res.Body)
			if err != nil || string(content) != tt.wantContent || res.ContentLength != int64(len(content)) {
				t.Errorf("content %q of %d; %v", content, res.ContentLength, err)
			}
			if got := lines(res.Header); res.StatusCode != tt.wantStatus || got != tt.wantHeader {
				t.Errorf("%d\n%s\nwant %d\n%s", res.StatusCode, got, tt.wantStatus, tt.wantHeader)
			}
			if res.Request != req || len(tt.asked) > 0 && req.Header.Get("Range") == "" {
				t.Error("the request is another")
			}
		})
	}
}

// martian slices its content by what the client asks for, and panics.
func TestRanges(t *testing.T) {
	r := parsed(t, `{"body.Modifier": {"scope": ["response"], "contentType": "text/plain", "body": "MDEyMzQ1Njc4OQ=="}}`)
	for _, asked := range []string{"bytes=0-999999", "bytes=-5", "bytes=5-2", "bytes=99-", "bytes=0-1,3-4,90-91", "bytes=a-b", "lines=1-2", "bytes=--", "b=-1-3"} {
		res := answering(asking(t, "GET", "http://a.example/", "", "Range", asked), 416, "no", "Content-Range", "bytes */2")
		if _, err := r.ModifyResponse(res); err != nil {
			t.Errorf("%s: %v", asked, err)
		}
		if b, _ := io.ReadAll(res.Body); string(b) != "0123456789" || res.ContentLength != 10 || res.Header.Get("Content-Range") != "" {
			t.Errorf("%s: %q", asked, b)
		}
	}
}

type faulty struct{}

func (faulty) ModifyRequest(*http.Request) error   { panic("no") }
func (faulty) ModifyResponse(*http.Response) error { return errors.New("no") }

func TestFaultsAreTrouble(t *testing.T) {
	r := &Rules{name: "modify x", request: faulty{}, response: faulty{}}
	req := asking(t, "GET", "http://a.example/", "")
	if _, err := r.ModifyRequest(req); err == nil || err.Error() != "modify x: a modifier failed: no" {
		t.Error(err)
	}
	if _, err := r.ModifyResponse(answering(req, 200, "")); err == nil || err.Error() != "modify x: no" {
		t.Error(err)
	}
	if _, err := r.ModifyResponse(&http.Response{StatusCode: 200}); err == nil {
		t.Error("an answer without its request")
	}
}

// What leaves a proxy is one message that a client reads to its end, however it was framed.
func TestThroughAProxy(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Got", string(b))
		w.Header().Set("Got-Length", r.Header.Get("Content-Length"))
		w.Header().Set("Trailer", "Sum")
		w.Header().Set("Content-Encoding", "x-none")
		for range 3 {
			io.WriteString(w, "chunk")
			w.(http.Flusher).Flush()
		}
		w.Header().Set("Sum", "1")
	}))
	defer server.Close()
	r := parsed(t, `{"fifo.Group": {"modifiers": [
		{"body.Modifier": {"contentType": "text/plain", "body": "bmV3"}},
		{"header.Modifier": {"name": "Retry-After", "value": "1", "scope": ["response"]}},
		{"status.Modifier": {"statusCode": 503}}]}}`)
	to, _ := url.Parse(server.URL)
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(to)
			if _, err := r.ModifyRequest(p.Out); err != nil {
				t.Error(err)
			}
		},
		ModifyResponse: func(res *http.Response) error {
			_, err := r.ModifyResponse(res)
			return err
		},
	})
	defer front.Close()
	req := asking(t, "POST", front.URL, "")
	req.Body, req.ContentLength = io.NopCloser(bytes.NewBufferString(strings.Repeat("old", 9))), -1
	res, err := front.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var raw bytes.Buffer
	if err := res.Write(&raw); err != nil {
		t.Fatal(err)
	}
	again, err := http.ReadResponse(bufio.NewReader(&raw), req)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Body.Close()
	content, _ := io.ReadAll(again.Body)
	if again.StatusCode != 503 || string(content) != "new" || again.ContentLength != 3 || len(again.TransferEncoding) > 0 ||
		len(res.Trailer) > 0 || again.Header.Get("Content-Encoding") != "" || again.Header.Get("Retry-After") != "1" {
		t.Errorf("%d %q %v %v", again.StatusCode, content, again.Header, res.Trailer)
	}
	if again.Header.Get("Got") != "new" || again.Header.Get("Got-Length") != "3" {
		t.Errorf("the server got %v", again.Header)
	}
}
