package rules

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/flow"
	"telltale/proxy"
)

// flows is a recorder that keeps what became of each flow.
type flows struct {
	mu   sync.Mutex
	last flow.ID
	end  map[flow.ID]*flow.Flow
}

func (f *flows) NextID() flow.ID {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	return f.last
}

func (f *flows) Observe(x *flow.Flow) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end[x.ID] = x
}

// noLeaf signs nothing: the test is about messages in the clear.
type noLeaf struct{}

func (noLeaf) Leaf(string) (*tls.Certificate, error) {
	return nil, errors.New("nothing is signed here")
}

// What telltale's proxy passes on under rules is whole for a client, on one connection for
// one request after the other; and the flows say what was done.
func TestThroughTelltale(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Got", r.Method+" "+r.RequestURI+"|"+r.Header.Get("User-Agent")+"|"+string(body))
		w.Header().Set("Etag", `"v1"`)
		switch {
		case r.URL.Path == "/old" || r.Header.Get("If-None-Match") != "":
			w.WriteHeader(http.StatusNotModified)
		case r.URL.Path == "/chunks":
			for range 3 {
				io.WriteString(w, strings.Repeat("chunk", 2000))
				w.(http.Flusher).Flush()
			}
		case r.URL.Path == "/part":
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader("0123456789"))
		default:
			io.WriteString(w, "original")
		}
	}))
	defer server.Close()
	at, _ := url.Parse(server.URL)
	r := parsed(t, strings.ReplaceAll(`{"url.Filter": {"host": "HOST", "modifier": {"fifo.Group": {"modifiers": [
		{"header.Blacklist": {"scope": ["request"], "names": ["User-Agent", "If-None-Match"]}},
		{"querystring.Modifier": {"name": "debug", "value": "1"}},
		{"url.Filter": {"path": "/moved", "modifier": {"url.Modifier": {"path": "/new place"}}}},
		{"method.Filter": {"method": "POST", "modifier": {"body.Modifier": {"scope": ["request"], "contentType": "a/b", "body": "bmV3"}}}},
		{"status.Modifier": {"statusCode": 503}},
		{"body.Modifier": {"scope": ["response"], "contentType": "application/json", "body": "e30="}},
		{"url.Filter": {"path": "/empty", "modifier": {"status.Modifier": {"statusCode": 204}}}}]}}}}`, "HOST", at.Host))

	recorded := &flows{end: map[flow.ID]*flow.Flow{}}
	p, err := proxy.New(proxy.Config{Leafer: noLeaf{}, Recorder: recorded, AllowLocal: true, BodyLimit: 1 << 20, Modify: func() proxy.Modifier { return r }})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(l) }()
	tr := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: l.Addr().String()}), DisableCompression: true, MaxConnsPerHost: 1}
	client := &http.Client{Transport: tr}

	const did = "rules.json:6 status.Modifier: 200 → 503\nrules.json:7 body.Modifier: replaced the content"
	tests := []struct {
		method, target, body string
		header               []string
		status               int
		content, got, said   string
	}{
		{"GET", "/plain?a=%zz&b", "", nil, 503, "{}", "GET /plain?a=%zz&b&debug=1||", did},
		{"GET", "/chunks", "", nil, 503, "{}", "GET /chunks?debug=1||", did},
		{"GET", "/part", "", []string{"Range", "bytes=2-3"}, 503, "{}", "GET /part?debug=1||", "206 → 503"},
		{"GET", "/part", "", []string{"Range", "bytes=99-"}, 503, "{}", "GET /part?debug=1||", "416 → 503"},
		{"GET", "/old", "", nil, 503, "{}", "GET /old?debug=1||", "304 → 503"},
		{"GET", "/x", "", []string{"If-None-Match", `"v1"`}, 503, "{}", "GET /x?debug=1||", "removed User-Agent, If-None-Match"},
		{"HEAD", "/x", "", nil, 503, "", "HEAD /x?debug=1||", did},
		{"POST", "/x", "old content", nil, 503, "{}", "POST /x?debug=1||new", "replaced the content (11 bytes → 3 bytes, a/b)"},
		{"GET", "/moved", "", nil, 503, "{}", "GET /new%20place?debug=1||", "changed the path"},
		{"GET", "/empty", "", nil, 204, "", "GET /empty?debug=1||", "503 → 204"},
		{"GET", "/again", "", nil, 503, "{}", "GET /again?debug=1||", did},
	}
	for _, tt := range tests {
		req := asking(t, tt.method, server.URL+tt.target, tt.body, tt.header...)
		res, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s %s: %v", tt.method, tt.target, err)
		}
		content, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != tt.status || string(content) != tt.content || res.Header.Get("Got") != tt.got {
			t.Errorf("%s %s: %d %q, the server got %q; %v", tt.method, tt.target, res.StatusCode, content, res.Header.Get("Got"), err)
		}
		if tt.status != 204 && (res.ContentLength != 2 || res.Header.Get("Etag") != "") {
			t.Errorf("%s %s: length %d, %v", tt.method, tt.target, res.ContentLength, res.Header)
		}
	}
	tr.CloseIdleConnections()
	if err := p.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	<-served
	n := 0
	for id := flow.ID(1); id <= recorded.last; id++ {
		f := recorded.end[id]
		if f == nil || f.Request == nil {
			continue
		}
		if n < len(tests) {
			if got := strings.Join(f.Altered, "\n"); len(f.Experiments) != 1 || f.Experiments[0] != "modify rules.json" || !strings.Contains(got, tests[n].said) {
				t.Errorf("%s: %q: %s", f.Request.URL, f.Experiments, got)
			}
			if f.Outcome != flow.Completed {
				t.Errorf("%s: %s %s", f.Request.URL, f.Outcome, f.Error)
			}
		}
		n++
	}
	if n != len(tests) {
		t.Errorf("%d flows", n)
	}
}
