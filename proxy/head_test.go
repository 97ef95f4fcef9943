package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"

	"telltale/flow"
)

// ambiguous are the messages that must not get through, with the refusal of
// each. The tests over sockets go through the same list.
var ambiguous = []struct {
	name string
	head string
	want *malformed
}{
	{"two Content-Lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", errTwoLengths},
	{"the same Content-Length twice", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", errTwoLengths},
	{"a list of Content-Lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc", errLength},
	{"a signed Content-Length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc", errLength},
	{"a negative Content-Length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\n", errLength},
	{"a hexadecimal Content-Length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\nabc", errLength},
	{"an endless Content-Length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999999999999999\r\n\r\n", errLength},
	{"an empty Content-Length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", errLength},
	{"Transfer-Encoding and Content-Length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", errCodingLength},
	{"Content-Length after Transfer-Encoding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", errCodingLength},
	{"two Transfer-Encodings", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", errTwoCodings},
	{"another coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", errCoding},
	{"identity", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n", errCoding},
	{"a misspelt coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", errCoding},
	{"a coding behind a vertical tab", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", errControl},
	{"Transfer-Encoding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", errOldCoding},
	{"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", errTwoHosts},
	{"the same Host twice", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", errTwoHosts},
	{"no Host", "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n", errNoHost},
	{"an empty Host", "GET / HTTP/1.1\r\nHost: \r\n\r\n", errNoHost},
	{"a Host with user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", errHost},
	{"a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", errHost},
	{"a Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", errHost},
	{"a bare CR in a value", "GET / HTTP/1.1\r\nHost: h\r\nA: b\rC: d\r\n\r\n", errBareCR},
	{"a bare CR in the request line", "GET /\rx HTTP/1.1\r\nHost: h\r\n\r\n", errBareCR},
	{"a bare CR and nothing else", "GET / HTTP/1.1\rHost: h\r\r", errBareCR},
	{"bare LFs", "GET / HTTP/1.1\nHost: h\n\n", errBareLF},
	{"a bare LF at the end", "GET / HTTP/1.1\r\nHost: h\r\n\n", errBareLF},
	{"a bare LF in between", "GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n", errBareLF},
	{"a NUL in a value", "GET / HTTP/1.1\r\nHost: h\r\nA: b\x00c\r\n\r\n", errNUL},
	{"a NUL in a name", "GET / HTTP/1.1\r\nHost: h\r\nA\x00: b\r\n\r\n", errNUL},
	{"a NUL in the target", "GET /\x00 HTTP/1.1\r\nHost: h\r\n\r\n", errNUL},
	{"a folded line", "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", errFolded},
	{"a line folded with a tab", "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\tc\r\n\r\n", errFolded},
	{"white space before the first field", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", errFolded},
	{"a space before the colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", errSpaceColon},
	{"a tab before the colon", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length\t: 3\r\n\r\nabc", errSpaceColon},
	{"no colon", "GET / HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n", errNoColon},
	{"no name", "GET / HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n", errFieldName},
	{"a name with a bracket", "GET / HTTP/1.1\r\nHost: h\r\nA[b]: c\r\n\r\n", errFieldName},
	{"a name with a letter beyond ASCII", "GET / HTTP/1.1\r\nHost: h\r\nCafé: c\r\n\r\n", errFieldName},
	{"a method with a bracket", "GE[T / HTTP/1.1\r\nHost: h\r\n\r\n", errMethod},
	{"a space in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", errTarget},
	{"a fragment in the target", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", errTarget},
	{"a broken escape in the path", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", errTargetURL},
	{"a target without a slash", "GET index.html HTTP/1.1\r\nHost: h\r\n\r\n", errTargetForm},
	{"an asterisk", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", errTargetForm},
	{"a URL without a host", "GET http:/// HTTP/1.1\r\nHost: h\r\n\r\n", errTargetForm},
	{"a URL with a bad port", "GET http://h:x/ HTTP/1.1\r\nHost: h\r\n\r\n", errTargetURL},
	{"no version", "GET /\r\nHost: h\r\n\r\n", errRequestLine},
	{"a lower-case version", "GET / http/1.1\r\nHost: h\r\n\r\n", errVersion},
	{"a long version", "GET / HTTP/1.10\r\nHost: h\r\n\r\n", errVersion},
	{"HTTP/0.9", "GET / HTTP/0.9\r\nHost: h\r\n\r\n", errOtherVersion},
	{"HTTP/3.0", "GET / HTTP/3.0\r\nHost: h\r\n\r\n", errOtherVersion},
	{"an empty line first", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", errRequestLine},
	{"another expectation", "POST / HTTP/1.1\r\nHost: h\r\nExpect: cake\r\nContent-Length: 3\r\n\r\nabc", errExpect},
	{"a trailer that frames", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n\r\n", errTrailer},
	{"a long head", "GET / HTTP/1.1\r\nHost: h\r\nA: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", errLarge},
	{"a long target", "GET /" + strings.Repeat("x", maxHead) + " HTTP/1.1\r\nHost: h\r\n\r\n", errLarge},
	{"many fields", "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("A: b\r\n", maxFields+1) + "\r\n", errManyFields},
}

func TestScanRefuses(t *testing.T) {
	for _, tc := range ambiguous {
		t.Run(tc.name, func(t *testing.T) {
			var s headScan
			if n, bad := s.scan([]byte(tc.head)); n != 0 || bad != tc.want {
				t.Errorf("whole: %d, %v; want %v", n, bad, tc.want)
			}
			if len(tc.head) > 1<<12 {
				return
			}
			// Arriving byte by byte, it is refused at the same place or before.
			s = headScan{}
			for i := range len(tc.head) + 1 {
				n, bad := s.scan([]byte(tc.head[:i]))
				if bad != nil {
					if bad != tc.want {
						t.Errorf("by bytes, at %d: %v; want %v", i, bad, tc.want)
					}
					return
				}
				if n > 0 {
					t.Fatalf("by bytes: accepted at %d", i)
				}
			}
			t.Error("by bytes: never refused")
		})
	}
}

// good are messages that must pass, each with what follows its head.
var good = []string{
	"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
	"GET / HTTP/1.0\r\n\r\n",
	"get /lower HTTP/1.1\r\nhost:h\r\n\r\n",
	"GET /a?b=c&b=%zz+%20 HTTP/1.1\r\nHost: h:8080\r\nAccept-Encoding: gzip,  br\t\r\nX-Empty:\r\n\r\n",
	"GET /caf\xc3\xa9?q=\"<>|^`{}\\ HTTP/1.1\r\nHost: [2001:db8::1]:443\r\nX: caf\xe9\r\n\r\n",
	"GET //two//slashes HTTP/1.1\r\nHost: xn--e1afmkfd.test\r\n\r\n",
	"GET http://example.test/a HTTP/1.1\r\nHost: example.test\r\nProxy-Connection: keep-alive\r\n\r\n",
	"GET http://u:p@example.test:81/a?b HTTP/1.1\r\nHost: example.test\r\n\r\n",
	"GET http://[::1]:80/ HTTP/1.1\r\nHost: [::1]\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
	"M-SEARCH /x HTTP/1.1\r\nHost: h\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0005\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: h\r\ncontent-length:\t5 \r\nExpect: 100-Continue\r\n\r\nhello",
	"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n00a;n=\"v\"\r\nhellohello\r\nA\r\nhellohello\r\n0;x\r\nX-T: 1\r\nx-u:\r\n\r\n",
	"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: h\r\nUpgradf: x\r\nHosts: y\r\nContent-Lengti: 5\r\n\r\n",
	"CONNECT example.test:443 HTTP/1.1\r\nHost: example.test:443\r\n\r\n",
	"CONNECT example.test:443 HTTP/1.0\r\n\r\n",
	"CONNECT [2001:db8::1]:8443 HTTP/1.1\r\nHost:\r\n\r\n",
}

func TestScanAccepts(t *testing.T) {
	for _, msg := range good {
		var s headScan
		want := strings.Index(msg, "\r\n\r\n") + 4
		if n, bad := s.scan([]byte(msg)); n != want || bad != nil {
			t.Errorf("%q: %d, %v; want %d", msg, n, bad, want)
		}
	}
}

// The framing ends where net/http's does, however the bytes are cut.
func TestFramingAgrees(t *testing.T) {
	for _, msg := range good {
		checkFraming(t, []byte(msg+"GET /next HTTP/1.1\r\nHost: n\r\n\r\n"), 1<<20)
		for _, size := range []int{1, 2, 3, 7} {
			checkFraming(t, []byte(msg), size)
		}
	}
}

func TestFramingRefuses(t *testing.T) {
	for _, tc := range []struct{ name, body string }{
		{"no size", "\r\nhello\r\n0\r\n\r\n"},
		{"only an extension", ";x\r\n"},
		{"no digit", "x\r\n"},
		{"a sign", "+5\r\nhello\r\n0\r\n\r\n"},
		{"a prefix", "0x5\r\nhello\r\n0\r\n\r\n"},
		{"a space behind the size", "5 \r\nhello\r\n0\r\n\r\n"},
		{"a space before the size", " 5\r\nhello\r\n0\r\n\r\n"},
		{"too many digits", "0000000000000005\r\nhello\r\n0\r\n\r\n"},
		{"a size that wraps around", "10000000000000005\r\nhello\r\n0\r\n\r\n"},
		{"bare LF behind the size", "5\nhello\r\n0\r\n\r\n"},
		{"bare CR behind the size", "5\rhello\r\n0\r\n\r\n"},
		{"a NUL in the extension", "5;a\x00\r\nhello\r\n0\r\n\r\n"},
		{"bare LF in the extension", "5;a\nhello\r\n0\r\n\r\n"},
		{"a chunk that is too long", "5\r\nhello!\r\n0\r\n\r\n"},
		{"bare LF behind a chunk", "5\r\nhello\n0\r\n\r\n"},
		{"bare LF at the end", "0\r\n\n"},
		{"a folded trailer", "0\r\nA: b\r\n c\r\n\r\n"},
		{"a trailer without a name", "0\r\n: b\r\n\r\n"},
		{"a trailer without a colon", "0\r\nA\r\n\r\n"},
		{"a space before a trailer's colon", "0\r\nA : b\r\n\r\n"},
		{"a NUL in a trailer", "0\r\nA: \x00\r\n\r\n"},
		{"an endless extension", "5;" + strings.Repeat("x", maxChunkLine+1)},
		{"an endless trailer", "0\r\nA: " + strings.Repeat("x", maxHead+1)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := framing{state: chunkSize}
			if n, bad := f.skip([]byte(tc.body)); bad != errChunk {
				t.Errorf("%d, %v; want a refusal", n, bad)
			}
		})
	}
}

// frame runs scan and framing over b as a stream does, cut in pieces of size.
// It returns the heads and their contents.
func frame(b []byte, size int) (heads []string, contents [][2]int, bad *malformed) {
	var scan headScan
	var body framing
	start, at := 0, 0 // of the head being read; of what was not looked at
	for end := min(size, len(b)); ; end = min(end+size, len(b)) {
		for at < end || body.state == between && start < end {
			if body.state != between {
				n, bad := body.skip(b[at:end])
				if at += n; bad != nil {
					return heads, contents, bad
				}
				if body.state == between {
					contents[len(contents)-1][1] = at
					start = at
				}
				continue
			}
			n, bad := scan.scan(b[start:end])
			if bad != nil {
				return heads, contents, bad
			}
			if n == 0 {
				break
			}
			heads = append(heads, string(b[start:start+n]))
			start += n
			at = start
			contents = append(contents, [2]int{at, at})
			body = framing{left: scan.length}
			switch {
			case scan.codings > 0:
				body.state = chunkSize
			case scan.length > 0:
				body.state = content
			}
			scan = headScan{}
		}
		at = max(at, end)
		if end == len(b) {
			return heads, contents, nil
		}
	}
}

// checkFraming compares what the inspector takes with what net/http makes of it:
// each head that is accepted must be accepted there, too, as must each content,
// and end in the same place.
func checkFraming(t *testing.T, b []byte, size int) {
	t.Helper()
	heads, contents, _ := frame(b, size)
	r := bytes.NewReader(b)
	br := bufio.NewReaderSize(r, 16)
	offset := func() int { return len(b) - r.Len() - br.Buffered() }
	for i, h := range heads {
		req, err := http.ReadRequest(br)
		if err != nil {
			t.Fatalf("accepted head %d of %q: net/http says %v", i, b, err)
		}
		if err := serverChecks(req); err != nil {
			t.Fatalf("accepted head %d of %q: http.Server says %v", i, b, err)
		}
		if got := offset(); got != contents[i][0] {
			t.Fatalf("head %d %q of %q ends at %d, for net/http at %d", i, h, b, contents[i][0], got)
		}
		checkFields(t, head{raw: h}, req)
		_, err = io.Copy(io.Discard, req.Body)
		whole := contents[i][1] > contents[i][0] || req.ContentLength == 0
		if whole && err != nil && !strings.Contains(err.Error(), "too much non-data") && !strings.Contains(err.Error(), "suspiciously long") {
			t.Fatalf("accepted content %d of %q: net/http says %v", i, b, err)
		}
		if err != nil || !whole {
			return
		}
		if got := offset(); got != contents[i][1] {
			t.Fatalf("content %d of %q ends at %d, for net/http at %d", i, b, contents[i][1], got)
		}
	}
}

// serverChecks are what http.Server refuses although http.ReadRequest took it.
func serverChecks(r *http.Request) error {
	host := r.Header["Host"]
	switch {
	case r.ProtoMajor != 1:
		return errors.New("unsupported version")
	case r.ProtoAtLeast(1, 1) && r.Host == "" && len(host) == 0 && r.Method != "CONNECT":
		return errors.New("missing Host")
	case r.URL.Host == "" && !httpguts.ValidHostHeader(r.Host):
		return fmt.Errorf("malformed Host %q", r.Host)
	}
	if e := r.Header.Get("Expect"); e != "" && !httpguts.HeaderValuesContainsToken(r.Header["Expect"], "100-continue") {
		return fmt.Errorf("expectation %q", e)
	}
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("name %q", name)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return fmt.Errorf("value %q", v)
			}
		}
	}
	return nil
}

// checkFields compares the recorded header with net/http's.
func checkFields(t *testing.T, h head, r *http.Request) {
	t.Helper()
	got := http.Header{}
	for _, f := range h.fields() {
		got.Add(f.Name, f.Reveal())
	}
	for name, values := range r.Header {
		if !slices.Equal(got[name], values) && name != "Cache-Control" { // added for Pragma
			t.Fatalf("field %q of %q: %q, for net/http %q", name, h.raw, got[name], values)
		}
	}
}

func FuzzHead(f *testing.F) {
	for _, msg := range good {
		f.Add([]byte(msg), 3)
		f.Add([]byte(msg+good[0]), 100)
	}
	for _, tc := range ambiguous {
		if len(tc.head) < 1<<12 {
			f.Add([]byte(tc.head), 5)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		if size < 1 || len(b) > 1<<14 {
			return
		}
		// However it is cut, the same is accepted.
		heads, contents, _ := frame(b, size)
		whole, wholes, _ := frame(b, max(1, len(b)))
		if !slices.Equal(heads, whole) || !slices.Equal(contents, wholes) {
			t.Fatalf("cut by %d: %q %v; whole: %q %v", size, heads, contents, whole, wholes)
		}
		checkFraming(t, b, max(1, len(b)))
	})
}

func TestFieldsKeepSpellingAndOrder(t *testing.T) {
	h := head{raw: "GET /a HTTP/1.1\r\nhOST: h\r\nX-B: 1\r\nx-a:2\r\nX-B:  3 \t\r\nCookie: s=1\r\n\r\n"}
	want := []flow.Field{
		flow.NewField("hOST", "h"), flow.NewField("X-B", "1"), flow.NewField("x-a", "2"),
		flow.NewField("X-B", "3"), flow.NewField("Cookie", "s=1"),
	}
	if got := h.fields(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if m, target, proto := h.request(); m != "GET" || target != "/a" || proto != "HTTP/1.1" {
		t.Errorf("request line: %q %q %q", m, target, proto)
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	b := []byte(smallRequest)
	if n := testing.AllocsPerRun(100, func() {
		var s headScan
		if n, bad := s.scan(b); n == 0 || bad != nil {
			t.Fatal(n, bad)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

const smallRequest = "GET /v1/resource?id=42 HTTP/1.1\r\nHost: api.example.test\r\nUser-Agent: TestApp/1.0 CFNetwork/1120 Darwin/19.0.0\r\nAccept: application/json\r\nAccept-Language: en-ca\r\nAccept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\n\r\n"

func BenchmarkScan(b *testing.B) {
	msg := []byte(smallRequest)
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		var s headScan
		if n, bad := s.scan(msg); n == 0 || bad != nil {
			b.Fatal(n, bad)
		}
	}
}
