package har

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/guard/raced"
)

// one reads a file with one entry and returns what came of it.
func one(t *testing.T, entries ...string) ([]*flow.Flow, Info) {
	t.Helper()
	var flows []*flow.Flow
	data := `{"log":{"entries":[` + strings.Join(entries, ",\n") + `]}}`
	info, err := Read(strings.NewReader(data), Options{Bodies: true}, func(f *flow.Flow) error {
		flows = append(flows, f)
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return flows, info
}

func TestDates(t *testing.T) {
	want := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for _, s := range []string{
		"2026-03-01T10:00:00Z", "2026-03-01T10:00:00.000Z", "2026-03-01T12:00:00+02:00", "2026-03-01T12:00:00.000+0200",
		"2026-03-01T12:00:00+02", "2026-03-01T12:00:00 +02:00", "2026-03-01 12:00:00+02:00", "2026-03-01 12:00:00 +0200", "2026-03-01T10:00Z",
		" 2026-03-01T10:00:00.0000000+00:00 ", "2026-03-01T10:00:00,000Z",
		"Sun, 01 Mar 2026 10:00:00 UTC", "Sun, 01 Mar 2026 12:00:00 +0200", "Sun Mar 01 2026 12:00:00 GMT+0200 (CEST)",
		"1772359200", "1772359200.000", "1772359200000", "1.7723592e9",
	} {
		if got, zoned := parseDate(s); !got.Equal(want) || !zoned {
			t.Errorf("%q: %v, zoned %v", s, got, zoned)
		}
	}
	for _, s := range []string{"2026-03-01T10:00:00", "2026-03-01T10:00:00.000", "2026-03-01 10:00:00", "2026-03-01T10:00"} {
		if got, zoned := parseDate(s); !got.Equal(want) || zoned {
			t.Errorf("%q: %v, zoned %v", s, got, zoned)
		}
	}
	for _, s := range []string{"", "yesterday", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "-5", "0", "1e300", "NaN", "2026-13-01T10:00:00Z", "01/03/2026"} {
		if got, _ := parseDate(s); !got.IsZero() {
			t.Errorf("%q: %v", s, got)
		}
	}
	if got, _ := parseDate("1772359202.123456789"); got.Nanosecond() != 123456789 {
		t.Errorf("nanoseconds are lost: %v", got)
	}
}

func TestProtocolNamesAreFolded(t *testing.T) {
	for want, names := range map[string][]string{
		"HTTP/1.1": {"HTTP/1.1", "http/1.1", " http/1.1 "},
		"HTTP/1.0": {"HTTP/1.0"},
		"HTTP/2":   {"h2", "http/2.0", "HTTP/2", "HTTP/2.0", "http2"},
		"HTTP/3":   {"h3", "h3-29", "HTTP/3", "http/3.0", "h3-Q050", "http/2+quic/46"},
		"":         {"", "unknown", "me:", "data", "HTTP/9", "-"},
	} {
		for _, name := range names {
			if got := foldProto(name); got != want {
				t.Errorf("%q: %q, want %q", name, got, want)
			}
		}
	}
}

func TestFailuresAreClassed(t *testing.T) {
	for failure, want := range map[string]string{
		"net::ERR_NAME_NOT_RESOLVED": flow.FailureDNS, "NS_ERROR_UNKNOWN_HOST": flow.FailureDNS, "[Errno -2] Name or service not known": flow.FailureDNS,
		"net::ERR_CERT_AUTHORITY_INVALID": flow.FailureCertificate, "SSL_ERROR_BAD_CERT_DOMAIN": flow.FailureCertificate,
		"Certificate verify failed: self-signed": flow.FailureCertificate,
		"net::ERR_CONNECTION_REFUSED":            flow.FailureRefused, "net::ERR_CONNECTION_RESET": flow.FailureReset,
		"net::ERR_CONNECTION_TIMED_OUT": flow.FailureTimeout, "net::ERR_SSL_PROTOCOL_ERROR": flow.FailureTLS,
		"net::ERR_EMPTY_RESPONSE": flow.FailureProtocol, "net::ERR_CONTENT_LENGTH_MISMATCH": flow.FailureTruncated,
		"net::ERR_INTERNET_DISCONNECTED": flow.FailureUnreachable, "something else": "",
	} {
		flows, _ := one(t, fmt.Sprintf(`{"request":{"url":"https://a.example/"},"_error":%q}`, failure))
		f := flows[0]
		if f.Outcome != flow.UpstreamFailed || f.Failure != want || f.Error != failure || f.Response != nil {
			t.Errorf("%s: %s, %q, %q", failure, f.Outcome, f.Failure, f.Error)
		}
		if invalid := f.Server.TLS != nil && f.Server.TLS.Invalid != ""; invalid != (want == flow.FailureCertificate) {
			t.Errorf("%s: TLS %+v", failure, f.Server.TLS)
		}
	}
	for _, failure := range []string{"net::ERR_ABORTED", "NS_BINDING_ABORTED", "Request was canceled"} {
		flows, _ := one(t, fmt.Sprintf(`{"request":{"url":"https://a.example/"},"response":{"status":0,"_error":%q}}`, failure))
		if flows[0].Outcome != flow.Abandoned {
			t.Errorf("%s: %s", failure, flows[0].Outcome)
		}
	}
}

func TestTargets(t *testing.T) {
	tests := []struct{ request, url, asked, host string }{
		{`"url":"https://a.example"`, "https://a.example", "a.example:443", ""},
		{`"url":" HTTP://A.Example:8080/x "`, "HTTP://A.Example:8080/x", "A.Example:8080", ""},
		{`"url":"wss://a.example/"`, "wss://a.example/", "a.example:443", ""},
		{`"url":"ftp://a.example/f"`, "ftp://a.example/f", "a.example:21", ""},
		{`"url":"https://[2001:db8::1]:444/"`, "https://[2001:db8::1]:444/", "[2001:db8::1]:444", ""},
		{`"url":"https://u:p@a.example/"`, "https://u:p@a.example/", "a.example:443", ""},
		{`"url":"https://a.example/","headers":[{"name":"host","value":"b.example"}]`, "https://a.example/", "a.example:443", "b.example"},
		{`"url":"https://a.example/","headers":[{"name":"Host","value":"b.example"},{"name":":authority","value":"c.example"}]`, "https://a.example/", "a.example:443", "c.example"},
		// Of several names the one that disagrees with the URL counts.
		{`"url":"https://a.example/","headers":[{"name":":authority","value":"A.example"},{"name":"Host","value":"b.example"}]`, "https://a.example/", "a.example:443", "b.example"},
		{`"url":"https://a.example/","headers":[{"name":"Host","value":"a.example"},{"name":"host","value":"b.example"},{"name":"Host","value":"a.example"}]`, "https://a.example/", "a.example:443", "b.example"},
		{`"url":"//a.example/x"`, "https://a.example/x", "a.example:443", ""},
		{`"url":"/x","headers":[{"name":"Host","value":"a.example:81"},{"name":":scheme","value":"http"}]`, "http://a.example:81/x", "a.example:81", "a.example:81"},
		{`"url":"?q","headers":{"Host":"a.example"}`, "https://a.example/?q", "a.example:443", "a.example"},
		{`"url":"*","method":"OPTIONS","headers":{"Host":"a.example"}`, "https://a.example/", "a.example:443", "a.example"},
		{`"url":"","headers":{"Host":"a.example"}`, "https://a.example/", "a.example:443", "a.example"},
		{`"url":"a.example/x"`, "https://a.example/x", "a.example:443", ""},
		{`"url":"a.example:8443/x"`, "https://a.example:8443/x", "a.example:8443", ""},
		{`"url":"a.example:443?x"`, "https://a.example:443?x", "a.example:443", ""},
		{`"url":"a.example:443#x","headers":{"Host":"b.example"}`, "https://a.example:443#x", "a.example:443", "b.example"},
		{`"url":"a.html?x","headers":{"Host":"a.example"}`, "https://a.example/a.html?x", "a.example:443", "a.example"},
		{`"url":"localhost:3000"`, "https://localhost:3000", "localhost:3000", ""},
		{`"url":"x/y","headers":{"Host":"a.example"}`, "https://a.example/x/y", "a.example:443", "a.example"},
	}
	for _, tt := range tests {
		flows, _ := one(t, `{"request":{`+tt.request+`}}`)
		f := flows[0]
		if f.Request.URL != tt.url || f.Server.Asked != tt.asked || f.Server.Host != tt.host {
			t.Errorf("%s: %s, asked %s, host %q", tt.request, f.Request.URL, f.Server.Asked, f.Server.Host)
		}
	}
}

// A relative URL is not taken for cleartext, nor for encrypted, against what the
// rest of the entry says.
func TestSchemeOfRelativeURLs(t *testing.T) {
	const request = `"request":{"method":"GET","url":"/x","httpVersion":"%s","headers":{"Host":"a.example"}}`
	tests := []struct {
		entry string
		clear bool
		notes int
	}{
		{fmt.Sprintf(request, "h2"), false, 1},
		{fmt.Sprintf(request, "HTTP/1.1"), false, 2},
		{fmt.Sprintf(request, "HTTP/1.1") + `,"_serverPort":80`, true, 1},
		{fmt.Sprintf(request, "HTTP/1.1") + `,"_serverPort":443`, false, 1},
		{fmt.Sprintf(request, "HTTP/1.1") + `,"timings":{"ssl":12}`, false, 1},
		{fmt.Sprintf(request, "HTTP/1.1") + `,"_securityDetails":{"protocol":"TLS 1.3"}`, false, 1},
	}
	for _, tt := range tests {
		flows, info := one(t, `{`+tt.entry+`}`)
		if flows[0].Cleartext() != tt.clear || len(info.Notes) != tt.notes { // one is on the date
			t.Errorf("%s: %s, %q", tt.entry, flows[0].Request.URL, info.Notes)
		}
	}
}

func TestEntriesThatAreNoContactsAreCounted(t *testing.T) {
	var entries []string
	for _, url := range []string{"data:text/plain,x", "DATA:,y", "blob:https://a.example/1", "about:blank", "file:///x", "chrome-extension://abc/x", "moz-extension://d/", "capacitor://localhost/", "javascript:void(0)",
		"edge://newtab", "safari-web-extension://x/y", "com.app.example:/callback", "com.app.example://callback", "http+unix://x/y", "mqtt:topic", "new-thing:///x", "stun:"} {
		entries = append(entries, fmt.Sprintf(`{"request":{"method":"GET","url":%q}}`, url))
	}
	flows, info := one(t, entries...)
	want := map[string]int{"data": 2, "blob": 1, "about": 1, "file": 1, "chrome-extension": 1, "moz-extension": 1, "capacitor": 1, "javascript": 1,
		"edge": 1, "safari-web-extension": 1, "com.app.example": 2, "http+unix": 1, "mqtt": 1, "new-thing": 1, "stun": 1}
	if len(flows) != 0 || info.Entries != len(entries) || fmt.Sprint(info.Skipped) != fmt.Sprint(want) {
		t.Errorf("%d flows, %+v", len(flows), info)
	}
	entries = nil
	for i := range 200 {
		entries = append(entries, fmt.Sprintf(`{"request":{"url":"x%dq:y"}}`, i))
	}
	if _, info := one(t, entries...); len(info.Skipped) > 65 || info.Skipped["other"] == 0 {
		t.Errorf("%d schemes are counted apart", len(info.Skipped))
	}
}

// A protocol other than HTTP is a contact with its host: a tunnel of which nobody
// saw the content, unless the file has some.
func TestOtherProtocols(t *testing.T) {
	tests := []struct{ entry, asked, url string }{
		{`"request":{"method":"CONNECT","url":"mqtt://broker.example/t"}`, "broker.example:1883", "mqtt://broker.example/t"},
		{`"request":{"url":"MQTTS://u:p@Broker.example:9883"}`, "Broker.example:9883", "MQTTS://u:p@Broker.example:9883"},
		{`"request":{"url":"amqp://192.0.2.1"}`, "192.0.2.1:5672", "amqp://192.0.2.1"},
		{`"request":{"url":"coap://[2001:db8::1]/x"}`, "[2001:db8::1]:5683", "coap://[2001:db8::1]/x"},
		{`"request":{"url":"stun:stun.example"}`, "stun.example:3478", "stun:stun.example"},
		{`"request":{"url":"turns:turn.example:443?transport=tcp"}`, "turn.example:443", "turns:turn.example:443?transport=tcp"},
		{`"request":{"url":"sftp://files.example/x"}`, "files.example:22", "sftp://files.example/x"},
		{`"request":{"url":"new-thing://a.example/x"}`, "a.example", "new-thing://a.example/x"},
		{`"request":{"url":"new-thing://[2001:db8::1]/x"}`, "[2001:db8::1]", "new-thing://[2001:db8::1]/x"},
		{`"_serverPort":77,"request":{"url":"new-thing://a.example/x"}`, "a.example:77", "new-thing://a.example/x"},
	}
	for _, tt := range tests {
		flows, info := one(t, `{`+tt.entry+`}`)
		f := flows[0]
		if f.Kind != flow.Tunnel || f.Outcome != flow.Tunnelled || f.Server.Asked != tt.asked || f.URL() != tt.url || f.Host() == "" || info.Skipped != nil {
			t.Errorf("%s: %s, %s, asked %s, host %s, %+v", tt.entry, f.Kind, f.Outcome, f.Server.Asked, f.Host(), info)
		}
		if !strings.Contains(strings.Join(info.Notes, " "), "protocols other than HTTP") {
			t.Errorf("%s: notes %q", tt.entry, info.Notes)
		}
	}
	flows, _ := one(t, `{"request":{"url":"ftp://a.example/f"},"response":{"status":226,"content":{"text":"hello"}}}`)
	if f := flows[0]; f.Kind != flow.HTTP || f.Outcome != flow.Completed || string(f.Response.Body.Content) != "hello" {
		t.Errorf("an exchange by FTP: %+v", f)
	}
	flows, _ = one(t, `{"request":{"url":"mqtt://a.example/"},"_error":"net::ERR_NAME_NOT_RESOLVED"}`)
	if f := flows[0]; f.Kind != flow.Tunnel || f.Outcome != flow.UpstreamFailed || f.Failure != flow.FailureDNS {
		t.Errorf("a failure: %+v", f)
	}
	// The row of the tunnel is the same contact.
	flows, _ = one(t, `{"request":{"method":"CONNECT","url":"a.example:8883"},"response":{"status":200}}`, `{"request":{"url":"mqtts://A.example/"}}`)
	if len(flows) != 1 || flows[0].URL() != "mqtts://A.example/" {
		t.Errorf("%d flows", len(flows))
	}
}

func TestBodySources(t *testing.T) {
	packed := string(pack("hello"))
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	tests := []struct {
		name, entry   string
		content       string
		size          int64
		cut, decoded  bool
		ofTheResponse bool
	}{
		{"text", `"request":{"postData":{"text":"hé"}}`, "hé", 3, false, false, false},
		{"_content wins over text", `"request":{"postData":{"text":"x"},"_content":"aGk="}`, "hi", 2, false, false, false},
		{"_content before text", `"request":{"_content":{"text":"aGk","encoding":"base64"},"postData":{"text":"x","encoding":"none"}}`, "hi", 2, false, false, false},
		{"text wins over params", `"request":{"postData":{"params":[{"name":"a","value":"b"}],"text":"x=y"}}`, "x=y", 3, false, false, false},
		{"params alone", `"request":{"postData":{"params":[{"name":"a","value":"b"},{"name":"c"}],"text":""}}`, "a=b&c=", 6, false, false, false},
		{"Reqable", `"request":{"postData":{"text":"aGk=","encoding":"BASE64"}}`, "hi", 2, false, false, false},
		{"base64", `"response":{"content":{"encoding":"base64","text":"` + b64("\x00\xff\x01") + `"}}`, "\x00\xff\x01", 3, false, false, true},
		{"base64 with line ends", `"response":{"content":{"encoding":"base64","text":"aG\r\nk="}}`, "hi", 2, false, false, true},
		{"base64 for URLs", `"response":{"content":{"encoding":"base64","text":"-_8"}}`, "\xfb\xff", 2, false, false, true},
		{"base64 that is none", `"response":{"content":{"encoding":"base64","text":"hello, world"}}`, "hello, world", 12, false, false, true},
		{"base64 that nobody announced", `"response":{"content":{"mimeType":"image/gif","text":"R0lGODlhAQABAA=="}}`, "GIF89a\x01\x00\x01\x00", 10, false, false, true},
		{"text that looks like base64", `"response":{"content":{"mimeType":"text/plain","text":"R0lGODlhAQABAA=="}}`, "R0lGODlhAQABAA==", 16, false, false, true},
		{"decoded by the producer", `"response":{"headers":{"Content-Encoding":"gzip"},"content":{"text":"hello"}}`, "hello", 5, false, true, true},
		{"left as it came", `"response":{"headers":{"Content-Encoding":"gzip"},"content":{"encoding":"base64","text":"` + b64(packed) + `"}}`, packed, int64(len(packed)), false, false, true},
		{"not kept", `"response":{"bodySize":77,"content":{"size":500}}`, "", 77, true, false, true},
		{"not kept, size on the wire unknown", `"response":{"bodySize":-1,"content":{"size":500}}`, "", 500, true, false, true},
		{"too large for HTTP Toolkit", `"request":{"bodySize":0,"_requestBodyStatus":"discarded:too-large"}`, "", 0, true, false, false},
		{"a wrong size is not believed", `"response":{"bodySize":1,"content":{"size":2e9,"text":"hello"}}`, "hello", 5, false, false, true},
		{"an absurd size", `"response":{"bodySize":1e300,"content":{"size":-5}}`, "", 0, false, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			flows, _ := one(t, strings.Replace(`{`+tt.entry+`,"request":{"url":"https://a.example/"}}`, `"request":{"`, `"request":{"url":"https://a.example/","`, 1))
			f := flows[0]
			b := f.Request.Body
			if tt.ofTheResponse {
				b = flow.Body{}
				if f.Response != nil {
					b = f.Response.Body
				}
			}
			if string(b.Content) != tt.content || b.Size != tt.size || b.Truncated != tt.cut || b.Decoded != tt.decoded {
				t.Errorf("content %q, %+v", b.Content, b)
			}
		})
	}
}

func pack(s string) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return out.Bytes()
}

// A CONNECT row counts unless the requests of its tunnel are in the file, before
// or behind it, in whatever spelling.
func TestConnectRows(t *testing.T) {
	connect := func(url string) string {
		return fmt.Sprintf(`{"request":{"method":"CONNECT","url":%q},"response":{"status":200}}`, url)
	}
	get := func(url string) string {
		return fmt.Sprintf(`{"request":{"method":"GET","url":%q},"response":{"status":200}}`, url)
	}
	tests := []struct {
		name    string
		entries []string
		tunnels []string
	}{
		{"alone", []string{connect("a.example:443")}, []string{"a.example:443"}},
		{"before its request", []string{connect("A.example:443"), get("https://a.example/x")}, nil},
		{"behind its request", []string{get("https://a.example/x"), connect("https://a.example:443/")}, nil},
		{"another port", []string{connect("a.example:8443"), get("https://a.example/")}, []string{"a.example:8443"}},
		{"a request in the clear", []string{connect("a.example:80"), get("http://a.example/")}, []string{"a.example:80"}},
		{"twice", []string{connect("a.example:443"), connect("a.example:443")}, []string{"a.example:443", "a.example:443"}},
		{"a WebSocket inside", []string{connect("a.example:443"), get("wss://a.example/")}, nil},
		{"mitmproxy's spelling", []string{connect("https://a.example/")}, []string{"a.example:443"}},
		{"IPv6", []string{connect("[2001:db8::1]:443")}, []string{"[2001:db8::1]:443"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			flows, _ := one(t, tt.entries...)
			var tunnels []string
			for _, f := range flows {
				if f.Kind == flow.Tunnel {
					tunnels = append(tunnels, f.Server.Asked)
					if f.Outcome != flow.Tunnelled || f.Method() != "CONNECT" || f.Origin.Entry == 0 {
						t.Errorf("tunnel %+v", f)
					}
				}
			}
			if !slices.Equal(tunnels, tt.tunnels) {
				t.Errorf("tunnels %q, want %q", tunnels, tt.tunnels)
			}
		})
	}
	flows, _ := one(t, `{"request":{"method":"CONNECT","url":"a.example:443","headers":{"Host":"b.example:443"}}}`, get("https://a.example/"))
	if len(flows) != 2 || flows[0].Server.Host != "b.example:443" {
		t.Errorf("a CONNECT that names two hosts: %+v", flows)
	}
}

// A CONNECT that failed is an attempt of its own, whatever was read of others.
func TestFailedConnectRows(t *testing.T) {
	get := `{"request":{"method":"GET","url":"https://a.example/"},"response":{"status":200}}`
	own := `{"request":{"method":"CONNECT","url":"https://a.example/"},"_telltale":{"kind":"tunnel","mode":"har","outcome":"tunnelled","server":{"asked":"a.example:443"},"times":{}}}`
	for _, c := range []struct{ name, rest, want string }{
		{"opened", `,"response":{"status":200}`, ""},
		{"refused", `,"response":{"status":502}`, "upstream-failed 502 the proxy did not open the tunnel: status 502"},
		{"denied", `,"response":{"status":403}`, "upstream-failed 403 the proxy did not open the tunnel: status 403"},
		{"challenged", `,"response":{"status":407}`, ""},
		{"failed", `,"_error":"net::ERR_TUNNEL_CONNECTION_FAILED"`, "upstream-failed 0 net::ERR_TUNNEL_CONNECTION_FAILED"},
		{"aborted", `,"response":{"status":200},"_wasAborted":true`, "abandoned 0 "},
		{"unanswered", ``, "upstream-failed 0 the file has no response to this request"},
		{"without a status", `,"response":{"status":0,"headers":[{"name":"a","value":"b"}]}`, "upstream-failed 0 the proxy did not open the tunnel: status 0"},
		{"Charles, read", `,"response":{"status":200,"_charlesStatus":"COMPLETE"}`, ""},
		{"Charles, not read", `,"response":{"status":200,"_charlesStatus":"FAILED"}`, "tunnelled 0 Charles says that this connection failed"},
	} {
		row := `{"request":{"method":"CONNECT","url":"a.example:443"}` + c.rest + `}`
		for _, entries := range [][]string{{row, get}, {get, row}} {
			flows, _ := one(t, entries...)
			got := ""
			for _, f := range flows {
				if f.Kind == flow.Tunnel {
					got = fmt.Sprint(f.Outcome, " ", f.Status(), " ", f.Error)
				}
			}
			if got != c.want || len(flows) != 1+min(len(c.want), 1) {
				t.Errorf("%s: %d flows, %q", c.name, len(flows), got)
			}
		}
	}
	challenged := `{"request":{"method":"CONNECT","url":"a.example:443"},"response":{"status":407}}`
	if flows, _ := one(t, challenged); len(flows) != 1 || flows[0].Status() != 407 || flows[0].Outcome != flow.UpstreamFailed {
		t.Errorf("challenged and gone: %d flows", len(flows))
	}
	if flows, _ := one(t, challenged, `{"request":{"method":"CONNECT","url":"a.example:443"},"response":{"status":200}}`); len(flows) != 1 || flows[0].Outcome != flow.Tunnelled {
		t.Errorf("challenged, then opened: %d flows", len(flows))
	}
	// What we wrote ourselves counted once when it was written.
	if flows, _ := one(t, own, get); len(flows) != 2 {
		t.Errorf("a tunnel of ours: %d flows", len(flows))
	}
}

// Without bodies, messages of a WebSocket are sizes too.
func TestFramesWithoutBodies(t *testing.T) {
	data := `{"log":{"entries":[{"request":{"url":"wss://a.example/"},"_webSocketMessages":[{"type":"send","opcode":1,"data":"hello"},{"type":"receive","opcode":2,"data":"AAEC"},{"opcode":2,"data":"aGVsbG8="}]}]}}`
	_, err := Read(strings.NewReader(data), Options{}, func(f *flow.Flow) error {
		for i, size := range []int64{5, 3, 5} {
			if frame := f.Frames[i]; frame.Data != nil || frame.Size != size || !frame.Truncated {
				t.Errorf("frame %d: %+v", i, frame)
			}
		}
		if f.Sent != 5 || f.Received != 8 {
			t.Errorf("sent %d, received %d", f.Sent, f.Received)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What one entry can make of memory is bounded, and said.
func TestBoundsOfOneEntry(t *testing.T) {
	raced.SkipMeasure(t)
	header := fmt.Sprintf(`{"name":"x","value":%q}`, strings.Repeat("y", 1000))
	flows, info := one(t, `{"startedDateTime":"2026-03-01T10:00:00Z","request":{"method":"GET","url":"https://a.example/","headers":[`+strings.Repeat(header+",", 20_000)+header+`]}}`)
	if n := len(flows[0].Request.Header); n > 17_000 || len(info.Notes) != 1 || !strings.Contains(info.Notes[0], "header fields") {
		t.Errorf("%d fields, notes %q", n, info.Notes)
	}
	long := strings.Repeat("z", maxText+5)
	flows, info = one(t, `{"startedDateTime":"2026-03-01T10:00:00Z","request":{"method":"GET","url":"https://a.example/`+long+`"}}`)
	if n := len(flows[0].Request.URL); n != maxText || len(info.Notes) != 1 || !strings.Contains(info.Notes[0], "longer than 1 MiB") {
		t.Errorf("URL of %d bytes, notes %q", n, info.Notes)
	}
	frames := strings.Repeat(`{},`, maxFrames/frameCost) + `{}`
	flows, info = one(t, `{"startedDateTime":"2026-03-01T10:00:00Z","request":{"method":"GET","url":"wss://a.example/"},"_webSocketMessages":[`+frames+`]}`)
	if n := len(flows[0].Frames); n != maxFrames/frameCost || len(info.Notes) != 1 || !strings.Contains(info.Notes[0], "WebSocket messages") {
		t.Errorf("%d frames, notes %q", n, info.Notes)
	}
}

// A record that cannot be read is left out; the entry still counts.
func TestForeignTelltaleMembers(t *testing.T) {
	for _, record := range []string{`{}`, `{"kind":"nonsense"}`, `{"kind":1}`, `{"kind":"http","times":7}`, `{"kind":"http","client":{"addr":"x"}}`, `[]`, `"x"`} {
		flows, info := one(t, `{"startedDateTime":"2026-03-01T10:00:00Z","request":{"method":"GET","url":"https://a.example/"},"_telltale":`+record+`}`)
		if len(flows) != 1 || flows[0].Mode != "har" || len(info.Notes) != 1 || !strings.Contains(info.Notes[0], "_telltale") {
			t.Errorf("%s: %+v, notes %q", record, flows, info.Notes)
		}
	}
}

func TestTLSVersions(t *testing.T) {
	for name, want := range map[string]uint16{
		"TLS 1.3": 0x0304, "TLSv1.3": 0x0304, "QUIC": 0x0304, "tls1.2": 0x0303, "TLS 1.1": 0x0302, "TLSv1_1": 0x0302, "TLS_1_0": 0x0301, "TLS 1": 0x0301, "TLSv1": 0x0301, "SSL 3.0": 0x0300, "SSLv3": 0x0300, "": 0, "x": 0,
	} {
		if got := tlsVersion(name); got != want {
			t.Errorf("%q: %#x, want %#x", name, got, want)
		}
	}
}
