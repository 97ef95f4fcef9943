package har_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/har"
)

// read returns the flows of a file with their contents.
func read(t testing.TB, data []byte) ([]*flow.Flow, har.Info, error) {
	t.Helper()
	var flows []*flow.Flow
	info, err := har.Read(bytes.NewReader(data), har.Options{Name: "a.har", Bodies: true}, func(f *flow.Flow) error {
		flows = append(flows, f)
		return nil
	})
	return flows, info, err
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// line says of a flow what a verdict hangs on.
func line(f *flow.Flow) string {
	s := fmt.Sprintf("%d:%d %s %s %s %s %d", f.Origin.Entry, f.Origin.Line, f.Kind, f.Outcome, f.Method(), f.URL(), f.Status())
	if p := f.Protocol(); p != "" && f.Kind == flow.HTTP {
		s += " " + p
	}
	if f.Failure != "" {
		s += " " + f.Failure
	}
	return s
}

func TestFactsOfChrome(t *testing.T) {
	flows, _, err := read(t, sample(t, "chrome.har"))
	if err != nil {
		t.Fatal(err)
	}
	f := flows[0]
	if f.Mode != "har" || f.Client.Addr.IsValid() || f.Server.Asked != "api.example:443" || f.Server.Host != "api.example" {
		t.Errorf("client %+v, server %+v", f.Client, f.Server)
	}
	if f.Server.Dialed != netip.MustParseAddrPort("[2001:db8::10]:443") {
		t.Errorf("dialed %v", f.Server.Dialed)
	}
	ms := func(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
	start := time.Date(2026, 3, 1, 10, 0, 0, 125e6, time.UTC)
	want := flow.Times{
		Start: start, End: start.Add(95201 * time.Microsecond), Blocked: ms(1.5), DNS: ms(4.25),
		Connect: ms(10), TLS: ms(20), Send: ms(0.2), Wait: ms(50), Receive: ms(9.25),
	}
	if f.Times != want {
		t.Errorf("times\n%+v, want\n%+v", f.Times, want)
	}
	if got := f.Request.Header; len(got) != 2 || got[0].Name != "user-agent" {
		t.Errorf("pseudo-header fields are among the fields: %v", got)
	}
	if string(f.Request.Body.Content) != `{"id":"é"}` || f.Request.Body.Size != 11 {
		t.Errorf("request body %+v", f.Request.Body)
	}
	if got := f.Response.Header; len(got) != 4 || got[2].Reveal() != "a=1; Path=/" || got[3].Reveal() != "b=2; HttpOnly" {
		t.Errorf("joined cookies are not apart: %v", got)
	}
	if b := f.Response.Body; string(b.Content) != "\x89PNG\r" || b.Size != 5 || b.Truncated || !b.Decoded {
		t.Errorf("response body %+v", b)
	}
	ws := flows[2]
	if len(ws.Frames) != 2 || ws.Sent != 5 || ws.Received != 4 {
		t.Fatalf("frames %+v, %d sent, %d received", ws.Frames, ws.Sent, ws.Received)
	}
	if a := ws.Frames[0]; !a.FromClient || string(a.Data) != "hello" || !a.Time.Equal(time.Date(2026, 3, 1, 10, 0, 2, 250e6, time.UTC)) {
		t.Errorf("text frame %+v", a)
	}
	if b := ws.Frames[1]; b.FromClient || b.Opcode != 2 || string(b.Data) != "\x00\x01\x02\xff" {
		t.Errorf("binary frame %+v", b)
	}
	if b := flows[3].Response.Body; b.Size != 70000 || !b.Truncated || b.Content != nil {
		t.Errorf("absent body %+v", b)
	}
}

func TestFactsOfOthers(t *testing.T) {
	flows := func(name string) []*flow.Flow {
		out, _, err := read(t, sample(t, name))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if f := flows("mitmproxy.har")[0]; string(f.Request.Body.Content) != "\x80\xffA\u00e9" || f.Request.Body.Size != 5 {
		t.Errorf("surrogates of mitmproxy: %q", f.Request.Body.Content)
	} else if b := f.Response.Body; !b.Decoded || b.Size != int64(len("decoded already")) {
		t.Errorf("decoded body of mitmproxy: %+v", b)
	}
	if f := flows("fiddler.har")[0]; string(f.Request.Body.Content) != "a=1&b=x%20y" || !f.Cleartext() {
		t.Errorf("parameters of Fiddler: %q", f.Request.Body.Content)
	}
	if f := flows("playwright.har")[0]; f.Server.TLS.Version != tls.VersionTLS10 || f.Server.TLS.Certificate.Issuer != "Old CA" || f.Times.Wait != flow.Unmeasured {
		t.Errorf("security of Playwright: %+v, %+v", f.Server.TLS, f.Times)
	}
	if f := flows("webpagetest.har")[0]; f.Server.TLS.Version != tls.VersionTLS12 {
		t.Errorf("TLS of WebPageTest: %+v", f.Server.TLS)
	}
	kit := flows("httptoolkit.har")
	if f := kit[0]; string(f.Request.Body.Content) != "\x00\x01\x02\xff" || len(f.Request.Trailer) != 1 {
		t.Errorf("request of HTTP Toolkit: %+v", f.Request)
	}
	if f := kit[1]; f.Client.Addr != netip.MustParseAddrPort("192.168.1.20:51000") || f.Server.SNI != "pinned.example" || f.Host() != "pinned.example" {
		t.Errorf("refusal of HTTP Toolkit: %+v", f)
	}
	if kit[3].IsContact() {
		t.Error("a handshake without a name is a contact")
	}
	if f := flows("charles.har")[1]; f.Host() != "pinned.example" || f.UserAgent() != "App/1" || f.Readable() {
		t.Errorf("tunnel of Charles: %+v", f)
	}
	if f := flows("slack.har")[0]; f.UserAgent() != "Slack/4" || flow.Get(f.Request.Header, "x-list") != "7" {
		t.Errorf("pairs of Slack: %v", f.Request.Header)
	}
	if f := flows("pcapdroid.har")[0]; string(f.Request.Body.Content) != "\x00\x01\x02\xff" || len(f.Response.Body.Content) != 5 {
		t.Errorf("bodies of PCAPdroid: %+v, %+v", f.Request.Body, f.Response.Body)
	}
	if f := flows("pcapdroid.har")[1]; len(f.Frames) != 1 || !f.Frames[0].FromClient {
		t.Errorf("messages of PCAPdroid: %+v", f.Frames)
	}
	if f := flows("cypress.har")[1]; len(f.Frames) != 2 || !f.Frames[0].FromClient || string(f.Frames[1].Data) != "you" {
		t.Errorf("messages of Cypress: %+v", f.Frames)
	}
	if f := flows("zap.har")[0]; string(f.Request.Body.Content) != "user=ann&pass-word=x y" || string(f.Response.Body.Content) != "{}\n\n" {
		t.Errorf("bodies of ZAP: %+v, %+v", f.Request.Body, f.Response.Body)
	}
	if f := flows("ie.har")[1]; string(f.Request.Body.Content) != "a=1%202" {
		t.Errorf("parameters of Internet Explorer: %q", f.Request.Body.Content)
	}
	if f := flows("safari.har")[0]; f.Server.Asked != "shop.example:443" || f.Protocol() != "HTTP/2" {
		t.Errorf("Safari: %+v", f.Server)
	}
}

// Without contents the sizes are the same, and nothing else changes.
func TestBodiesCanBeLeftOut(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.har")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		with, _, _ := read(t, data)
		i := 0
		_, err = har.Read(bytes.NewReader(data), har.Options{Name: "a.har"}, func(f *flow.Flow) error {
			if line(f) != line(with[i]) || f.BytesSent() != with[i].BytesSent() || f.BytesReceived() != with[i].BytesReceived() {
				t.Errorf("%s: %s, %d sent, %d received; with contents %s, %d, %d", file,
					line(f), f.BytesSent(), f.BytesReceived(), line(with[i]), with[i].BytesSent(), with[i].BytesReceived())
			}
			for _, b := range bodies(f) {
				if b.Content != nil || b.Truncated != (b.Size > 0) {
					t.Errorf("%s: body %+v", file, b)
				}
			}
			i++
			return nil
		})
		if err != nil || i != len(with) {
			t.Errorf("%s: %d flows of %d, error %v", file, i, len(with), err)
		}
	}
}

func bodies(f *flow.Flow) []flow.Body {
	var out []flow.Body
	if f.Request != nil {
		out = append(out, f.Request.Body)
	}
	if f.Response != nil {
		out = append(out, f.Response.Body)
	}
	return out
}

func TestBodyLimitCuts(t *testing.T) {
	long := strings.Repeat("é", 500_000)
	for _, encoded := range []bool{false, true} {
		text, extra := long, ""
		if encoded {
			text, extra = base64.StdEncoding.EncodeToString([]byte(long)), `,"encoding":"base64"`
		}
		data := fmt.Sprintf(`{"log":{"entries":[{"request":{"method":"GET","url":"https://a.example/"},"response":{"status":200,"content":{"text":"%s"%s}}}]}}`, text, extra)
		for _, limit := range []int64{1, 1000, 1 << 20} {
			var got flow.Body
			_, err := har.Read(strings.NewReader(data), har.Options{Bodies: true, BodyLimit: limit}, func(f *flow.Flow) error {
				got = f.Response.Body
				return nil
			})
			want := long[:min(int64(len(long)), limit)]
			if err != nil || got.Size != 1_000_000 || string(got.Content) != want || got.Truncated != (limit < 1_000_000) {
				t.Errorf("base64 %v, limit %d: %d bytes of %d, truncated %v, error %v", encoded, limit, len(got.Content), got.Size, got.Truncated, err)
			}
		}
	}
}

func TestObserverStopsTheReading(t *testing.T) {
	stop := errors.New("enough")
	calls := 0
	_, err := har.Read(bytes.NewReader(sample(t, "charles.har")), har.Options{}, func(*flow.Flow) error {
		calls++
		return stop
	})
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("error %v after %d calls", err, calls)
	}
}
