package playback

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
	"telltale/proxy"
)

// recorded returns a capture that holds the flows.
func recorded(t testing.TB, flows ...*flow.Flow) *capture.Store {
	t.Helper()
	store, err := capture.Create(filepath.Join(t.TempDir(), "x.telltale"), capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	for _, f := range flows {
		f.ID = store.NextID()
		store.Observe(f)
	}
	if err := store.Sync(); err != nil {
		t.Fatal(err)
	}
	return store
}

func patterns(t testing.TB, texts ...string) (out []policy.Pattern) {
	t.Helper()
	for _, text := range texts {
		p, err := policy.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// playing returns a recording of the flows in which api.example is named.
func playing(t testing.TB, flows ...*flow.Flow) *Recording {
	t.Helper()
	r, err := Index(context.Background(), recorded(t, flows...), Options{Name: "x.telltale", Hosts: patterns(t, "api.example")})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// an answer as a device sees it.
type answer struct {
	status int
	header http.Header
	body   string
	what   string
	length int64
}

// ask puts a request to the recording, as the proxy does.
func ask(t testing.TB, r *Recording, method, url, body string, header ...string) answer {
	t.Helper()
	d := r.Decide(flowtest.Request(method, url))
	if d.Admission != proxy.Block || d.Refusal != proxy.Answered || d.Outcome != flow.Simulated || d.Answer == nil {
		t.Fatalf("%s %s is not answered: %+v", method, url, d)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(d.Content, body); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, what := d.Answer(req)
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return answer{resp.StatusCode, resp.Header, string(content), what, resp.ContentLength}
}

func text(s string) flowtest.Option { return flowtest.ResponseBody("text/plain", s) }

func TestNearestExchangeAnswers(t *testing.T) {
	r := playing(t,
		flowtest.Get("https://api.example/a?x=1&y=2", text("exact")),
		flowtest.Get("https://api.example/b?t=100&q=cats", text("cats")),
		flowtest.Get("https://api.example/b?t=200&q=cats", text("cats again")),
		flowtest.Get("https://api.example/c?id=7", text("seven")),
		flowtest.Get("http://api.example/plain", text("clear")),
		flowtest.Get("https://other.example/a", text("not named")),
	)
	for _, c := range []struct{ url, body, what string }{
		{"https://api.example/a?x=1&y=2", "exact", "answered from flow 1 of x.telltale"},
		{"https://api.example/a?y=2&x=1", "exact", "answered from flow 1 of x.telltale, whose query has another order"},
		{"https://api.example/a?y=%32&x=1", "exact", "answered from flow 1 of x.telltale, whose query has another order"},
		{"https://api.example/b?t=300&q=cats", "cats", "answered from flow 2 of x.telltale, whose query differs in t"},
		{"https://api.example/c?id=9", "seven", "answered from flow 4 of x.telltale, whose query differs"},
		{"https://api.example/plain", "clear", "answered from flow 5 of x.telltale"},
		{"http://api.example/c?id=7", "seven", "answered from flow 4 of x.telltale"},
	} {
		if got := ask(t, r, "GET", c.url, ""); got.status != 200 || got.body != c.body || got.what != c.what || got.length != int64(len(c.body)) {
			t.Errorf("%s: %d %q %q (%d)", c.url, got.status, got.body, got.what, got.length)
		}
	}
	if r.Len() != 5 || r.Answered() != 7 {
		t.Errorf("played %d, answered %d", r.Len(), r.Answered())
	}
}

func TestRepeatedRequestsComeInOrder(t *testing.T) {
	r := playing(t,
		flowtest.Get("https://api.example/n", text("one")),
		flowtest.Get("https://api.example/n", text("two")),
		flowtest.Get("https://api.example/n", text("three")),
	)
	for _, want := range []string{"one", "two", "three", "three", "three"} {
		if got := ask(t, r, "HEAD", "https://api.example/n", ""); got.length != int64(len(want)) { // which is about the next
			t.Errorf("HEAD has %d bytes, want those of %q", got.length, want)
		}
		if got := ask(t, r, "GET", "https://api.example/n", ""); got.body != want {
			t.Errorf("answered %q, want %q", got.body, want)
		}
	}
}

func TestBodyTellsRequestsApart(t *testing.T) {
	post := func(body, answer string) *flow.Flow {
		f := flowtest.Post("https://api.example/graphql", body, text(answer))
		return f
	}
	r := playing(t, post(`{"q":"a"}`, "A"), post(`{"q":"b"}`, "B"), post(`{"q":"a"}`, "A2"))
	for _, c := range []struct{ body, answer, differs string }{
		{`{"q":"b"}`, "B", ""}, {`{"q":"a"}`, "A", ""}, {`{"q":"a"}`, "A2", ""}, {`{"q":"a"}`, "A2", ""}, {`{"q":"new"}`, "A", "whose body differs"},
	} {
		got := ask(t, r, "POST", "https://api.example/graphql", c.body)
		if got.body != c.answer || !strings.HasSuffix(got.what, c.differs) || c.differs == "" && strings.Contains(got.what, "differs") {
			t.Errorf("%s: answered %q: %s", c.body, got.body, got.what)
		}
	}
	sum := sha256.Sum256([]byte(`{"q":"b"}`)) // what an index by bodies rests on
	var d digest
	if _, err := io.WriteString(&d, `{"q":"b"}`); err != nil || d.text() != hex.EncodeToString(sum[:]) {
		t.Errorf("digest %s, %v", d.text(), err)
	}
}

func TestHeadersThatAreTrueToday(t *testing.T) {
	r := playing(t, flowtest.Get("https://api.example/h", text("hello"),
		flowtest.ResponseHeader("Date", "Mon, 02 Nov 2026 00:00:00 GMT"), flowtest.ResponseHeader("Connection", "X-Hop, close"),
		flowtest.ResponseHeader("X-Hop", "1"), flowtest.ResponseHeader("Transfer-Encoding", "chunked"), flowtest.ResponseHeader("Alt-Svc", `h3=":443"`),
		flowtest.ResponseHeader("Set-Cookie", "sid=secret1"), flowtest.ResponseHeader("Set-Cookie", "b=2"), flowtest.ResponseHeader("X-Stay", "yes"),
		flowtest.ResponseHeader("Content-Length", "99")))
	h := ask(t, r, "GET", "https://api.example/h", "").header
	for _, gone := range []string{"Connection", "X-Hop", "Transfer-Encoding", "Alt-Svc", "Content-Length"} {
		if h.Get(gone) != "" {
			t.Errorf("%s is still there: %q", gone, h.Get(gone))
		}
	}
	if got := h.Values("Set-Cookie"); len(got) != 2 || got[0] != "sid=secret1" || h.Get("X-Stay") != "yes" {
		t.Errorf("kept %v", h)
	}
	if d := h.Get("Date"); d == "" || strings.Contains(d, "02 Nov 2026 00:00:00") {
		t.Errorf("Date is %q", d)
	}
}

func TestCodingStaysWithRawContent(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("hello"))
	z.Close()
	raw := flowtest.Get("https://api.example/raw", text(packed.String()), flowtest.ResponseHeader("Content-Encoding", "gzip"))
	decoded := flowtest.Get("https://api.example/decoded", text("hello"), flowtest.ResponseHeader("Content-Encoding", "gzip"))
	decoded.Response.Body.Decoded = true
	r := playing(t, raw, decoded)
	if got := ask(t, r, "GET", "https://api.example/raw", "", "Accept-Encoding", "br;q=0.5, gzip"); got.body != packed.String() || got.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("raw: %q, coding %q", got.body, got.header.Get("Content-Encoding"))
	}
	if got := ask(t, r, "GET", "https://api.example/decoded", ""); got.body != "hello" || got.header.Get("Content-Encoding") != "" || got.length != 5 {
		t.Errorf("decoded: %q, coding %q, %d bytes", got.body, got.header.Get("Content-Encoding"), got.length)
	}
}

// TestCodingThatWasNotAskedFor is undone, as the recording may be another client's.
func TestCodingThatWasNotAskedFor(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("hello"))
	z.Close()
	coded := flowtest.ResponseHeader("Content-Encoding", "gzip")
	r := playing(t,
		flowtest.Get("https://api.example/a", text(packed.String()), coded, flowtest.ResponseHeader("ETag", `"1"`), flowtest.ResponseHeader("Digest", "sha-256=x")),
		flowtest.Get("https://api.example/broken", text("no gzip"), coded))
	for _, accept := range []string{"", "identity", "br", "gzip;q=0, *"} {
		got := ask(t, r, "GET", "https://api.example/a", "", "Accept-Encoding", accept)
		if got.body != "hello" || got.length != 5 || got.header.Get("Content-Encoding")+got.header.Get("Digest") != "" || got.header.Get("Etag") != `W/"1"` || !strings.Contains(got.what, "coding was undone") {
			t.Errorf("%q: %+v", accept, got)
		}
	}
	for _, accept := range []string{"gzip", "x-gzip", "br, GZIP;q=0.1", "*"} {
		if got := ask(t, r, "GET", "https://api.example/a", "", "Accept-Encoding", accept); got.body != packed.String() || got.header.Get("Content-Encoding") != "gzip" || strings.Contains(got.what, "coding") {
			t.Errorf("%q: %+v", accept, got)
		}
	}
	if got := ask(t, r, "HEAD", "https://api.example/a", ""); got.header.Get("Content-Encoding") != "" || got.length != -1 {
		t.Errorf("HEAD: %+v", got)
	}
	if got := ask(t, r, "GET", "https://api.example/a", "", "Range", "bytes=1-2"); got.status != 206 || got.body != "el" {
		t.Errorf("a part: %+v", got)
	}
	if got := ask(t, r, "GET", "https://api.example/broken", ""); got.body != "no gzip" || got.header.Get("Content-Encoding") != "gzip" || !strings.Contains(got.what, "cannot be undone") {
		t.Errorf("broken: %+v", got)
	}
}

func TestHeadAndConditionsAndParts(t *testing.T) {
	r := playing(t,
		flowtest.Get("https://api.example/f", text("0123456789"), flowtest.ResponseHeader("ETag", `"v1"`)),
		flowtest.Get("https://api.example/only304", flowtest.Status(304)),
		flowtest.Get("https://api.example/part", text("456"), flowtest.Status(206), flowtest.Header("Range", "bytes=4-6")),
	)
	if got := ask(t, r, "HEAD", "https://api.example/f", ""); got.status != 200 || got.body != "" || got.length != 10 {
		t.Errorf("HEAD: %+v", got)
	}
	for _, c := range []struct {
		name, url, field, value string
		status                  int
		body                    string
	}{
		{"copy is current", "/f", "If-None-Match", `"v0", W/"v1"`, 304, ""},
		{"copy is old", "/f", "If-None-Match", `"v0"`, 200, "0123456789"},
		{"middle", "/f", "Range", "bytes=2-4", 206, "234"},
		{"end", "/f", "Range", "bytes=-3", 206, "789"},
		{"from", "/f", "Range", "bytes=8-", 206, "89"},
		{"beyond", "/f", "Range", "bytes=8-99", 206, "89"},
		{"nothing there", "/f", "Range", "bytes=10-", 200, "0123456789"},
		{"several", "/f", "Range", "bytes=0-1,3-4", 200, "0123456789"},
		{"nonsense", "/f", "Range", "bytes=9-1", 200, "0123456789"},
		{"only for who has a copy", "/only304", "If-None-Match", `"x"`, 304, ""},
		{"the recorded part", "/part", "Range", "bytes=4-6", 206, "456"},
	} {
		if got := ask(t, r, "GET", "https://api.example"+c.url, "", c.field, c.value); got.status != c.status || got.body != c.body {
			t.Errorf("%s: %d %q", c.name, got.status, got.body)
		}
	}
	for _, url := range []string{"https://api.example/only304", "https://api.example/part"} {
		if got := ask(t, r, "GET", url, ""); got.status != 504 {
			t.Errorf("%s without a condition: %d", url, got.status)
		}
	}
}

func TestWhatIsNotTheServersIsNotPlayed(t *testing.T) {
	simulated := flowtest.Get("https://api.example/simulated", text("x"))
	simulated.Experiments = []string{"server-error"}
	cut := flowtest.Get("https://api.example/cut", text("begin"))
	cut.Response.Body.Truncated, cut.Response.Body.Size = true, 1000
	omitted := flowtest.Get("https://api.example/omitted", text("x"))
	omitted.Omitted = true
	r := playing(t, simulated, cut, omitted,
		flowtest.Failed("https://api.example/failed", flow.FailureDNS),
		flowtest.Get("https://api.example/blocked", flowtest.Outcome(flow.Blocked)),
		flowtest.WebSocket("wss://api.example/ws", nil))
	for url, status := range map[string]int{"simulated": 504, "failed": 504, "blocked": 504, "ws": 504, "cut": 502, "omitted": 502, "never": 504} {
		got := ask(t, r, "GET", "https://api.example/"+url, "")
		if got.status != status || !strings.HasPrefix(got.body, "telltale serve: ") {
			t.Errorf("%s: %d %q", url, got.status, got.body)
		}
	}
	list, total := r.Unanswered()
	if total != 7 || len(list) != 7 || list[0].Request != "GET api.example/blocked" {
		t.Errorf("%d without an answer: %v", total, list)
	}
	notes := strings.Join(r.Notes(), "\n")
	for _, want := range []string{"altered by an experiment", "WebSockets", "2 recorded exchanges are left out: without an answer"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note says %q:\n%s", want, notes)
		}
	}
}

func TestOnlyNamedHostsAreAnswered(t *testing.T) {
	r := playing(t, flowtest.Get("https://api.example/"), flowtest.Get("https://other.example/"))
	inTunnel := func(mode, asked, sni string) *flow.Flow {
		f := flowtest.Tunnel(asked, flowtest.Mode(mode))
		f.Outcome = flow.Open
		if sni != "" {
			f.Server.SNI, f.Client.Hello = sni, &flow.ClientHello{ServerName: sni}
		}
		return f
	}
	for _, c := range []struct {
		name     string
		f        *flow.Flow
		answered bool
	}{
		{"named", flowtest.Get("https://api.example/x"), true},
		{"recorded but not named", flowtest.Get("https://other.example/"), false},
		{"below the name", flowtest.Get("https://x.api.example/"), false},
		{"tunnel to the name", inTunnel("http", "api.example:443", ""), true},
		{"tunnel to another", inTunnel("http", "other.example:443", ""), false},
		{"tunnel of a proxy's client to an address", inTunnel("http", "192.0.2.10:443", ""), false},
		{"packets, before the hello", inTunnel("transparent", "192.0.2.10:443", ""), true},
		{"packets, the name in the hello", inTunnel("transparent", "192.0.2.10:443", "api.example"), true},
		{"packets, another name", inTunnel("transparent", "192.0.2.10:443", "other.example"), false},
		{"datagrams to an address", flowtest.Datagrams("192.0.2.10:53", flowtest.Mode("wireguard")), false},
		{"question for another name", flowtest.DNS("other.example"), false},
		{"question for the name", flowtest.DNS("api.example"), true},
	} {
		d := r.Decide(c.f)
		if d.Admission != proxy.Block {
			t.Fatalf("%s: is let through", c.name)
		}
		if got := d.Refusal == proxy.Answered; got != c.answered {
			t.Errorf("%s: answered %v", c.name, got)
		}
		if !c.answered && d.Outcome != "" {
			t.Errorf("%s: a refusal is recorded as %s", c.name, d.Outcome)
		}
		if len(d.By) != 1 || d.By[0] != "serve x.telltale" {
			t.Errorf("%s: by %v", c.name, d.By)
		}
	}
}

// A device with a resolver of its own choice finds the named hosts: its questions are decided
// about, and not the conversation in which they are asked.
func TestQuestionsToForeignResolvers(t *testing.T) {
	r := playing(t, flowtest.Get("https://api.example/"))
	f := flowtest.Datagrams("192.0.2.53:53", flowtest.Mode("wireguard"), flowtest.Speech(flow.SpeechDNS))
	if d := r.Decide(f); d.Admission == proxy.Block {
		t.Errorf("the conversation is refused: %s", d.Why)
	}
}

func TestManyAskAtOnce(t *testing.T) {
	var flows []*flow.Flow
	for i := range 20 {
		flows = append(flows, flowtest.Get(fmt.Sprintf("https://api.example/p?i=%d", i), text(fmt.Sprint(i))))
	}
	r := playing(t, flows...)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 20 {
				d := r.Decide(flowtest.Get(fmt.Sprintf("https://api.example/p?i=%d", (i+g)%25)))
				req, _ := http.NewRequestWithContext(context.Background(), "GET", "https://api.example/p", nil)
				resp, _ := d.Answer(req)
				_, _ = io.Copy(io.Discard, resp.Body)
			}
		})
	}
	wg.Wait()
	if r.Answered() != 80 {
		t.Errorf("answered %d of 80", r.Answered())
	}
}

func FuzzSpot(f *testing.F) {
	for _, s := range []string{"https://a/b?c=d&e", "http://a", "://", "https://a?x", "https://a/%zz?%", "x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		path, query := pathQuery(s)
		if path == "" {
			t.Errorf("%q has no path", s)
		}
		once := inOrder(query, volatile([]string{query, query}))
		if inOrder(query, nil) != once {
			t.Errorf("%q: equal queries differ", query)
		}
	})
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-1", "bytes=-5", "bytes=5-", "bytes=0-18446744073709551615", "bytes=--1", "x"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, s string, size int64) {
		if from, to, ok := oneRange(s, max(size, 0)); ok && (from < 0 || to < from || to >= size) {
			t.Errorf("%q of %d: %d to %d", s, size, from, to)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	var flows []*flow.Flow
	for i := range 10000 {
		flows = append(flows, flowtest.Get(fmt.Sprintf("https://api.example/items/%d?t=%d&page=%d", i%500, i, i%7)))
	}
	r := playing(b, flows...)
	at, query := spot(flowtest.Get("https://api.example/items/123?t=77777&page=3"))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := r.find(asked{at: at, query: query}); !ok {
			b.Fatal("not found")
		}
	}
}
