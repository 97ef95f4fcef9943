package proxy

import (
	"net/http"
	"net/url"
	"testing"

	"telltale/flow"
)

func TestCleanRequest(t *testing.T) {
	for _, x := range []struct {
		name    string
		in      http.Header
		upgrade bool
		want    http.Header
	}{
		{"named by Connection", http.Header{"Connection": {"x-a, close", "X-B"}, "X-A": {"1"}, "X-B": {"2"}, "X-C": {"3"}}, false,
			http.Header{"X-C": {"3"}, "User-Agent": nil}},
		{"TE", http.Header{"Te": {"gzip, trailers"}, "Connection": {"TE"}}, false, http.Header{"Te": {"trailers"}, "User-Agent": nil}},
		{"TE without trailers", http.Header{"Te": {"gzip"}}, false, http.Header{"User-Agent": nil}},
		{"no upgrade", http.Header{"Upgrade": {"h2c"}, "User-Agent": {""}}, false, http.Header{"User-Agent": {""}}},
		{"upgrade", http.Header{"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"websocket"}}, true,
			http.Header{"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"websocket"}, "User-Agent": nil}},
		{"for the proxy", http.Header{"Proxy-Authorization": {"x"}, "Proxy-Connection": {"y"}, "Proxy-Authenticate": {"z"}}, true, http.Header{"User-Agent": nil}},
	} {
		cleanRequest(x.in, x.upgrade)
		equal(t, x.name, x.in, x.want)
	}
}

func TestPassHeader(t *testing.T) {
	for _, x := range []struct {
		name    string
		in      http.Header
		status  int
		major   int
		unknown bool
		want    http.Header
	}{
		{"upgrade required", http.Header{"Upgrade": {"h2"}, "Date": {"d"}, "Content-Type": {"t"}}, 426, 1, false,
			http.Header{"Upgrade": {"h2"}, "Connection": {"Upgrade"}, "Date": {"d"}, "Content-Type": {"t"}}},
		{"to HTTP/2", http.Header{"Upgrade": {"h2"}, "Connection": {"upgrade"}, "Transfer-Encoding": {"x"}}, 426, 2, false,
			http.Header{"Date": nil, "Content-Type": nil, "Content-Length": nil}},
		{"chunked", http.Header{"Content-Type": {"t"}}, 200, 1, true, http.Header{"Date": nil, "Content-Type": {"t"}, "Content-Length": nil}},
		{"not modified", http.Header{"Content-Length": {"1"}, "Content-Type": {"t"}}, 304, 1, false,
			http.Header{"Date": nil, "content-length": {"1"}, "content-type": {"t"}}},
	} {
		dst := http.Header{}
		passHeader(dst, x.in, x.status, x.major, x.unknown)
		for _, name := range []string{"Content-Type"} { // moved by "not modified"
			if x.status == 304 {
				delete(dst, name)
			}
		}
		equal(t, x.name, dst, x.want)
	}
}

func TestFieldsAreSortedAndSpelledAsSent(t *testing.T) {
	h := http.Header{"B": {"2", "1"}, "A": {"x"}, "X-Never-Heard-Of": {"y"}}
	text := func(fields []flow.Field) (s []string) {
		for _, f := range fields {
			s = append(s, f.Name+"="+f.Reveal())
		}
		return s
	}
	equal(t, "HTTP/1", text(fieldsOf(h, 1, flow.NewField("Host", "h"))), []string{"Host=h", "A=x", "B=2", "B=1", "X-Never-Heard-Of=y"})
	equal(t, "HTTP/2", text(fieldsOf(h, 2, flow.Field{})), []string{"a=x", "b=2", "b=1", "x-never-heard-of=y"})
	if lower("Www-Authenticate") != "www-authenticate" || lower("Etag") != "etag" {
		t.Error("lower")
	}
}

func TestRawTarget(t *testing.T) {
	for in, want := range map[string]string{
		"/a%2Fb?x=%20": "/a%2Fb?x=%20", "//a": "//a", "*": "", "http://h": "", "http://h?q": "?q", "http://u@h:1//p?q": "//p?q", "/?": "/?",
	} {
		u, err := url.ParseRequestURI(in)
		must(t, err)
		equal(t, in, rawTarget(&http.Request{RequestURI: in, URL: u}), want)
	}
	equal(t, "without", rawTarget(&http.Request{URL: &url.URL{Path: "/p", RawQuery: "q"}}), "/p?q")
}

func TestWithPort(t *testing.T) {
	for in, want := range map[string]string{"h": "h:443", "h:1": "h:1", "[::1]": "[::1]:443", "[::1]:2": "[::1]:2"} {
		equal(t, in, withPort(in, "https"), want)
	}
	equal(t, "http", withPort("h", "http"), "h:80")
}
