package har_test

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"telltale/flow"
	"telltale/har"
)

// posting is a HAR of one request with a body in base64.
func posting(coding string, body []byte) []byte {
	return fmt.Appendf(nil, `{"log":{"version":"1.2","creator":{"name":"t","version":"1"},"entries":[{"startedDateTime":"2026-11-20T12:00:00Z","time":1,`+
		`"request":{"method":"POST","url":"https://a.example/","httpVersion":"HTTP/1.1","headers":[{"name":"Content-Encoding","value":%q}],"queryString":[],"cookies":[],"headersSize":-1,"bodySize":%d,`+
		`"postData":{"mimeType":"application/octet-stream","text":""},"_content":{"text":%q,"encoding":"base64"}},`+
		`"response":{"status":204,"statusText":"","httpVersion":"HTTP/1.1","headers":[],"cookies":[],"content":{"size":0,"mimeType":""},"redirectURL":"","headersSize":-1,"bodySize":0},"cache":{},"timings":{"send":0,"wait":1,"receive":0}}]}}`,
		coding, len(body), base64.StdEncoding.EncodeToString(body))
}

// sentBody reads the one request of a HAR, with what was sent alone.
func sentBody(t *testing.T, data []byte) flow.Body {
	t.Helper()
	var body flow.Body
	if _, err := har.Read(bytes.NewReader(data), har.Options{Name: "t.har", Sent: true}, func(f *flow.Flow) error {
		body = f.Request.Body
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return body
}

// Codings without a signature are told from contents that were written without them.
func TestCodingsWithoutSignature(t *testing.T) {
	text := strings.Repeat(`{"mail":"jane@example.org","n":1},`, 300)
	var raw, br bytes.Buffer
	z, err := flate.NewWriter(&raw, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	b := brotli.NewWriter(&br)
	for _, w := range []interface {
		Write([]byte) (int, error)
		Close() error
	}{z, b} {
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		coding  string
		body    []byte
		decoded bool
	}{
		{"deflate", raw.Bytes(), false}, {"br", br.Bytes(), false},
		{"deflate", []byte(text), true}, {"br", []byte(text), true},
		{"br", []byte("\xff\xd8\xff\xe0 a picture\x00\x01\x02"), true},
	} {
		if body := sentBody(t, posting(c.coding, c.body)); body.Decoded != c.decoded || !bytes.Equal(body.Content, c.body) {
			t.Errorf("%s of %d bytes: decoded %v, want %v; %d bytes kept", c.coding, len(c.body), body.Decoded, c.decoded, len(body.Content))
		}
	}
}

// What was sent is kept beyond the limit of other bodies, and said to be cut behind its own.
func TestLongRequestsAreKept(t *testing.T) {
	for size, cut := range map[int]bool{3 << 20: false, 17 << 20: true} {
		body := sentBody(t, posting("", bytes.Repeat([]byte{0xa5}, size)))
		if body.Size != int64(size) || body.Truncated != cut || !cut && len(body.Content) != size {
			t.Errorf("%d bytes: size %d, %d kept, cut %v", size, body.Size, len(body.Content), body.Truncated)
		}
	}
}
