package mitmproxy_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/mitmproxy"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Samples were recorded by mitmdump 8.1.1 of Debian 12 in front of servers for
// example names, and their goldens checked against `mitmdump -nr`.
func TestSamples(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"regular", "socks5"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := sample(t, name)
			flows, info, err := read(data)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(map[string]any{"Info": info, "Flows": flows}, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := "testdata/" + name + ".json"
			got = append(got, '\n')
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what was read (-update writes it anew):\n%s", golden, got)
			}
		})
	}
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".mitm")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The right column is what an addon of mitmdump, run over the same file, says.
func TestSampleAgainstMitmdump(t *testing.T) {
	t.Parallel()
	want := []string{
		"http GET www.example 80 200 0 13 completed",
		"http POST api.example 443 200 16 41 completed",
		"http GET api.example 443 204 0 0 completed",
		"http GET api.example 443 200 0 20000 completed", // streamed: mitmdump knows no size, the header does
		"http GET www.example 80 200 0 0 upstream-failed truncated",
		"http GET www.example 80 0 0 0 abandoned",
		"http GET nowhere.example 80 0 0 0 upstream-failed dns",
		"http GET closed.example 81 0 0 0 upstream-failed refused",
		"http GET selfsigned.example 443 0 0 0 upstream-failed certificate",
		"http GET cdn.example 443 200 0 13 completed",
		"websocket GET live.example 443 101 8 15 completed",
		"tunnel CONNECT raw.example 5222 0 10 22 tunnelled",
	}
	flows, _, err := read(sample(t, "regular"))
	if err != nil || len(flows) != len(want) {
		t.Fatalf("%d flows, error %v", len(flows), err)
	}
	for i, f := range flows {
		got := fmt.Sprintln(f.Kind, f.Method(), f.Host(), f.Port(), f.Status(), f.BytesSent(), f.BytesReceived(), f.Outcome, f.Failure)
		equal(t, fmt.Sprint("flow ", i+1), strings.TrimSpace(got), want[i])
	}
}

func TestExchange(t *testing.T) {
	t.Parallel()
	f := only(t, exchange)
	equal(t, "kind", fmt.Sprint(f.Kind, f.Mode, f.Outcome), "http"+"mitmproxy"+"completed")
	equal(t, "origin", f.Origin, flow.Origin{Capture: "a.mitm", Entry: 1})
	equal(t, "url", f.URL(), "https://api.example/v1?x=1")
	equal(t, "names", f.Names(), flow.Names{Asked: "api.example", SNI: "api.example", Host: "api.example", URL: "api.example"})
	equal(t, "dialled", f.Server.Dialed.String(), "198.51.100.3:443")
	equal(t, "client", fmt.Sprint(f.Client.Addr, f.Client.ALPN, f.Client.TLS, f.Client.Hello.ServerName, f.Client.Hello.ALPN),
		fmt.Sprint("192.0.2.7:50000", "h2", tls.VersionTLS13, "api.example", "[h2 http/1.1]"))
	equal(t, "tls", *f.Server.TLS, flow.ServerTLS{Version: tls.VersionTLS12, CipherSuite: tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, ALPN: "h2"})
	equal(t, "protocols", f.Request.Proto+" "+f.Response.Proto, "HTTP/2 HTTP/2")
	equal(t, "fields", fmt.Sprint(f.Request.Header, f.Response.Header, f.Response.Trailer), "[user-agent: app/1] [content-type: text/plain] [x-sum: 1]")
	equal(t, "content", string(f.Response.Body.Content), "hello")
	equal(t, "altered", len(f.Altered), 0)
	want := flow.NoTimes(time.UnixMilli(1763712000250).UTC())
	want.End = want.Start.Add(500 * time.Millisecond)
	want.Send, want.Wait, want.Receive = 100*time.Millisecond, 100*time.Millisecond, 300*time.Millisecond
	equal(t, "times", f.Times, want) // the connection was opened before
}

func TestConnectionOpenedForTheFlow(t *testing.T) {
	t.Parallel()
	f := only(t, exchange.with("server_conn", serverConn.with("timestamp_start", when+0.01, "timestamp_tcp_setup", when+0.03, "timestamp_tls_setup", when+0.06)))
	equal(t, "connect", f.Times.Connect, 20*time.Millisecond)
	equal(t, "tls", f.Times.TLS, 30*time.Millisecond)
}

func TestBodies(t *testing.T) {
	t.Parallel()
	data := file(exchange)
	for _, c := range []struct {
		opts    mitmproxy.Options
		content string
		cut     bool
	}{
		{mitmproxy.Options{Bodies: true}, "hello", false},
		{mitmproxy.Options{Bodies: true, BodyLimit: 3}, "hel", true},
		{mitmproxy.Options{}, "", true},
	} {
		_, err := mitmproxy.Read(bytes.NewReader(data), c.opts, func(f *flow.Flow) error {
			b := f.Response.Body
			equal(t, "body", fmt.Sprintf("%d %s %v", b.Size, b.Content, b.Truncated), fmt.Sprintf("5 %s %v", c.content, c.cut))
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// Without bodies, messages of a WebSocket are sizes too.
func TestFramesWithoutBodies(t *testing.T) {
	t.Parallel()
	data := file(exchange.with("websocket", dict{"messages", list{list{1, true, []byte("hello"), when}, list{2, false, []byte{}, when}}}))
	_, err := mitmproxy.Read(bytes.NewReader(data), mitmproxy.Options{}, func(f *flow.Flow) error {
		if len(f.Frames) != 2 || f.Frames[0].Data != nil || f.Frames[0].Size != 5 || !f.Frames[0].Truncated || f.Frames[1].Truncated || f.Sent != 5 {
			t.Errorf("frames %+v", f.Frames)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A body that went by unread has the size that its sender declared, or none.
func TestStreamedBodies(t *testing.T) {
	t.Parallel()
	length := func(n string) list { return list{list{[]byte("Content-Length"), []byte(n)}} }
	for name, c := range map[string]struct {
		f    dict
		size int64
		cut  bool
		note bool
	}{
		"declared":   {exchange.with("response", response.with("content", nil, "headers", length("77"))), 77, true, true},
		"undeclared": {exchange.with("response", response.with("content", nil, "headers", list{})), 0, true, true},
		"nonsense":   {exchange.with("response", response.with("content", nil, "headers", length("-3"))), 0, true, true},
		"empty":      {exchange.with("response", response.with("content", nil, "status_code", 304, "headers", length("77"))), 0, false, false},
		"head":       {exchange.with("request", request.with("method", []byte("HEAD")), "response", response.with("content", nil, "headers", length("77"))), 0, false, false},
	} {
		flows, info, err := read(file(c.f))
		if err != nil {
			t.Fatal(err)
		}
		b := flows[0].Response.Body
		equal(t, name, fmt.Sprint(b.Size, b.Truncated, len(info.Notes) > 0), fmt.Sprint(c.size, c.cut, c.note))
	}
	f := only(t, exchange.with("request", request.with("content", nil, "method", []byte("POST"), "headers", length("9"))))
	equal(t, "request", fmt.Sprint(f.Request.Body.Size, f.Request.Body.Truncated), "9 true")
	f = only(t, exchange.with("request", request.with("content", nil)))
	equal(t, "GET without content", fmt.Sprint(f.Request.Body.Size, f.Request.Body.Truncated), "0 false")
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	failed := func(msg string) dict {
		return exchange.with("response", nil, "error", dict{"msg", msg, "timestamp", when + 3})
	}
	for _, c := range []struct {
		f    dict
		want string
	}{
		{failed("[Errno 61] Connect call failed ('198.51.100.3', 443)"), "upstream-failed refused"},
		{failed("[Errno 11001] getaddrinfo failed"), "upstream-failed dns"},
		{failed("[Errno 113] No route to host"), "upstream-failed unreachable"},
		{failed("Multiple exceptions: [Errno 60] Connect call failed ('198.51.100.3', 80)"), "upstream-failed timeout"},
		{failed("Certificate verify failed: hostname mismatch"), "upstream-failed certificate"},
		{failed("Server TLS handshake failed: connection closed early"), "upstream-failed tls"},
		{failed("server closed connection"), "upstream-failed reset"},
		{failed("HTTP/2 protocol error: Invalid ConnectionInputs"), "upstream-failed protocol"},
		{failed("what nobody said before"), "upstream-failed "},
		{failed("Client disconnected."), "abandoned "},
		{failed("Connection killed."), "abandoned "},
		{failed("stream reset by client (CANCEL)"), "abandoned "},
		{failed("Client TLS handshake failed. The client does not trust the proxy's certificate for api.example (tlsv1 alert unknown ca)"), "client-refused "},
		{failed("Client TLS handshake failed. The client disconnected during the handshake. If this happens consistently for api.example, this may indicate that the client does not trust the proxy's certificate."), "handshake-failed "},
		{failed("Client TLS handshake failed: no shared cipher"), "handshake-failed "},
		{exchange.with("response", nil), "open "},
		{exchange.with("response", nil, "intercepted", true), "open "},
		{exchange.with("response", nil, "server_conn", serverConn.with("error", "Certificate verify failed: expired")), "upstream-failed certificate"},
		{exchange.with("error", dict{"msg", "server closed connection", "timestamp", when + 3}), "upstream-failed truncated"},
		{exchange, "completed "},
	} {
		f := only(t, c.f)
		equal(t, f.Error, string(f.Outcome)+" "+f.Failure, c.want)
		if f.Failure == flow.FailureCertificate && f.Server.TLS.Invalid != f.Error {
			t.Errorf("%s: the certificate counts as valid", f.Error)
		}
		if f.Outcome != flow.Completed && f.Error == "" {
			t.Errorf("%s says nothing", f.Outcome)
		}
		if !f.IsContact() {
			t.Errorf("%s: an attempt is a contact", f.Error)
		}
	}
}

// mitmproxy's own page is not a server that somebody contacted.
func TestServedByMitmproxy(t *testing.T) {
	t.Parallel()
	own := exchange.with("request", request.with("host", "mitm.it", "port", 80, "scheme", []byte("http"), "authority", []byte{}))
	nowhere := dict{"address", nil, "timestamp_start", nil}
	equal(t, "own page", only(t, own.with("server_conn", nowhere)).Outcome, flow.Served)
	equal(t, "a real server of that name", only(t, own).Outcome, flow.Completed)
	equal(t, "another host", only(t, exchange.with("server_conn", nowhere)).Outcome, flow.Completed)
}

func TestObserverEndsTheReading(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	n := 0
	_, err := mitmproxy.Read(bytes.NewReader(file(exchange, exchange)), mitmproxy.Options{}, func(*flow.Flow) error { n++; return enough })
	if !errors.Is(err, enough) || n != 1 {
		t.Fatalf("%d flows, error %v", n, err)
	}
}

func TestRecognise(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"regular", "socks5"} {
		if !mitmproxy.Recognise(sample(t, name)[:64]) {
			t.Errorf("%s is not recognised", name)
		}
	}
	for _, yes := range []string{"3016:9:websocket;0:~", "1234:5:error,0:~8:", "987654321012:7:version;2:21#"} {
		if !mitmproxy.Recognise([]byte(yes)) {
			t.Errorf("%q is not recognised", yes)
		}
	}
	for _, no := range []string{"", "{", `{"log":{`, "12", "12:", "12:5", "12:5:", "12:5:erro", "12:5:error", "12:5:error]", "12:5:ERROR;", "3:5:error;",
		"12:0:;", "0:~", "10:20:30 lunch;", "1234567890123:5:error;", "SQLite format 3\x00", "\x1f\x8b", "PK\x03\x04", ":5:error;"} {
		if mitmproxy.Recognise([]byte(no)) {
			t.Errorf("%q is recognised", no)
		}
	}
}
