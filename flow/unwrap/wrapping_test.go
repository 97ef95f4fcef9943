package unwrap_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/flow/unwrap"
)

// secret is what the tests plant.
const secret = "Jane.Döe+test/42@example.org"

// A wrapping puts a text into another. binary says that it makes bytes that are no text,
// which need a wrapping around them or a place that takes bytes.
type wrapping struct {
	name   string
	wrap   func(string) string
	binary bool
}

var wrappings = []wrapping{
	{name: "percent-encoding", wrap: url.PathEscape},
	{name: "percent-encoding of all", wrap: func(s string) string { return each(s, func(c byte) string { return fmt.Sprintf("%%%02x", c) }) }},
	{name: "percent-encoding twice", wrap: func(s string) string { return url.PathEscape(url.PathEscape(s)) }},
	{name: "unicode escapes", wrap: func(s string) string {
		return strings.Join(runes(s, func(u uint16) string { return fmt.Sprintf(`\u%04x`, u) }), "")
	}},
	{name: "byte escapes", wrap: func(s string) string {
		return strings.Map(func(r rune) rune { return r }, strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\x5c`), "@", `\x40`))
	}},
	{name: "HTML entities", wrap: func(s string) string { return strings.ReplaceAll(html.EscapeString(s), "@", "&#x40;") }},
	{name: "base64", wrap: func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }},
	{name: "base64 of URLs", wrap: func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }},
	{name: "base64 in lines", wrap: func(s string) string {
		return strings.Join(slices.Collect(pieces(base64.StdEncoding.EncodeToString([]byte(s)), 76)), "\r\n")
	}},
	{name: "base32", wrap: func(s string) string { return base32.StdEncoding.EncodeToString([]byte(s)) }},
	{name: "hex", wrap: func(s string) string { return hex.EncodeToString([]byte(s)) }},
	{name: "HEX", wrap: func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }},
	{name: "JSON", wrap: func(s string) string { return `{"event":"x","user":{"ids":[1,` + quoted(s) + `]}}` }},
	{name: "JSON string", wrap: quoted},
	{name: "form", wrap: func(s string) string { return url.Values{"a": {"1"}, "mail": {s}}.Encode() }},
	{name: "XML", wrap: func(s string) string {
		return `<?xml version="1.0"?><a b="1"><mail x='2'>` + html.EscapeString(s) + `</mail></a>`
	}},
	{name: "attribute", wrap: func(s string) string { return `<a><b mail="` + html.EscapeString(s) + `"/></a>` }},
	{name: "URL", wrap: func(s string) string { return "https://t.example/p?x=1&mail=" + url.QueryEscape(s) + "#f" }},
	{name: "gzip", binary: true, wrap: compressed},
	{name: "zlib", binary: true, wrap: func(s string) string {
		var b bytes.Buffer
		z := zlib.NewWriter(&b)
		z.Write([]byte(s))
		z.Close()
		return b.String()
	}},
	{name: "zstd", binary: true, wrap: func(s string) string { return string(zstdOf.EncodeAll([]byte(s), nil)) }},
	{name: "UTF-16 LE", binary: true, wrap: func(s string) string { return utf16Of(s, binary.LittleEndian) }},
	{name: "UTF-16 BE", binary: true, wrap: func(s string) string { return "\xfe\xff" + utf16Of(s, binary.BigEndian) }},
	{name: "protobuf", binary: true, wrap: message},
}

var zstdOf, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))

func each(s string, wrap func(byte) string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteString(wrap(s[i]))
	}
	return b.String()
}

func runes(s string, wrap func(uint16) string) (out []string) {
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, wrap(u))
	}
	return out
}

func pieces(s string, n int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for len(s) > 0 {
			k := min(n, len(s))
			if !yield(s[:k]) {
				return
			}
			s = s[k:]
		}
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func compressed(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

func utf16Of(s string, order binary.AppendByteOrder) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

// message returns a protobuf message with the text at 2.1.
func message(s string) string {
	inner := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), s)
	b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 150)
	return string(protowire.AppendBytes(protowire.AppendTag(b, 2, protowire.BytesType), inner))
}

// A setting is a place of a flow where a device can put something.
type setting struct {
	name, where string // where is the start of the place
	put         func(string) *flow.Flow
	binary      bool // takes any bytes
	cookie      bool // takes no separators of cookies
}

func posted(contentType, body string, headers ...string) *flow.Flow {
	f := flowtest.Request("POST", "https://api.example.com/v1/collect", flowtest.Header("Content-Type", contentType), flowtest.RequestBody(body))
	for i := 0; i < len(headers); i += 2 {
		f.Request.Header = append(f.Request.Header, flow.NewField(headers[i], headers[i+1]))
	}
	return f
}

func framed(flags byte, s string) string {
	return string(binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(s)))) + s
}

func parts(header, content string) string {
	return "--B0undary\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n1\r\n" +
		"--B0undary\r\nContent-Disposition: form-data; name=\"mail\"\r\n" + header + "\r\n" + content + "\r\n--B0undary--\r\n"
}

var settings = []setting{
	{name: "query", where: "query mail", put: func(s string) *flow.Flow { return flowtest.Get("https://a.example/p?x=1&mail=" + url.QueryEscape(s)) }},
	{name: "name of a parameter", where: "query (name)", put: func(s string) *flow.Flow { return flowtest.Get("https://a.example/p?x=1&" + url.QueryEscape(s) + "=1") }},
	{name: "path", where: "URL path", put: func(s string) *flow.Flow { return flowtest.Get("https://a.example/users/" + url.PathEscape(s) + "/x") }},
	{name: "fragment", where: "URL fragment mail", put: func(s string) *flow.Flow { return flowtest.Get("https://a.example/#mail=" + url.QueryEscape(s)) }},
	{name: "user", where: "URL user", put: func(s string) *flow.Flow { return flowtest.Get("https://" + url.PathEscape(s) + "@a.example/") }},
	{name: "header", where: "header X-User", put: func(s string) *flow.Flow { return flowtest.Get("https://a.example/", flowtest.Header("X-User", s)) }},
	{name: "Basic", where: "header Authorization", put: func(s string) *flow.Flow {
		return flowtest.Get("https://a.example/", flowtest.Header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(s))))
	}, binary: true},
	{name: "Bearer", where: "header Authorization", put: func(s string) *flow.Flow {
		return flowtest.Get("https://a.example/", flowtest.Header("Authorization", "Bearer eyJhbGciOiJub25lIn0."+base64.RawURLEncoding.EncodeToString([]byte(`{"sub":`+quoted(s)+`}`))+".c2lnbmF0dXJl"))
	}},
	{name: "cookie", where: "cookie sid", put: func(s string) *flow.Flow {
		return flowtest.Get("https://a.example/", flowtest.Header("Cookie", "a=b; sid="+s+"; c=d"))
	}, cookie: true},
	{name: "trailer", where: "trailer X-Sum", put: func(s string) *flow.Flow {
		f := posted("text/plain", "x")
		f.Request.Trailer = []flow.Field{flow.NewField("X-Sum", s)}
		return f
	}},
	{name: "JSON", where: "body.json $.user.mail", put: func(s string) *flow.Flow {
		return posted("application/json", `{"a":[1,2],"user":{"mail":`+quoted(s)+`}}`)
	}},
	{name: "name of a member", where: "body.json $.user (name)", put: func(s string) *flow.Flow { return posted("application/json", `{"a":[1,2],"user":{`+quoted(s)+`:1}}`) }},
	{name: "JSON lines", where: "body.json $.mail", put: func(s string) *flow.Flow {
		return posted("application/x-ndjson", `{"a":1}`+"\n"+`{"mail":`+quoted(s)+"}\n")
	}},
	{name: "JSON of no type", where: "body.json $[1].mail", put: func(s string) *flow.Flow { return posted("", `[0, {"mail": `+quoted(s)+`}]`) }},
	{name: "JSON that is cut", where: "body.json $.mail", put: func(s string) *flow.Flow { return posted("application/json", `{"mail":`+quoted(s)+`,"other":["a`) }},
	{name: "form", where: "body.form mail", put: func(s string) *flow.Flow {
		return posted("application/x-www-form-urlencoded", "x=1&mail="+url.QueryEscape(s))
	}},
	{name: "text", where: "body", put: func(s string) *flow.Flow { return posted("text/plain", s) }},
	{name: "bytes", where: "body", put: func(s string) *flow.Flow { return posted("application/octet-stream", s) }, binary: true},
	{name: "XML", where: "body.xml a/mail", put: func(s string) *flow.Flow {
		return posted("application/xml", `<a><b/><mail>`+html.EscapeString(s)+`</mail></a>`)
	}},
	{name: "multipart", where: "body.multipart mail", put: func(s string) *flow.Flow {
		return posted("multipart/form-data; boundary=B0undary", parts("", s))
	}, binary: true},
	{name: "multipart in base64", where: "body.multipart mail", put: func(s string) *flow.Flow {
		return posted("multipart/form-data; boundary=B0undary", parts("Content-Transfer-Encoding: base64\r\n", base64.StdEncoding.EncodeToString([]byte(s))))
	}, binary: true},
	{name: "multipart of no type", where: "body.multipart mail", put: func(s string) *flow.Flow { return posted("", parts("Content-Type: image/png\r\n", s)) }, binary: true},
	{name: "protobuf", where: "body.protobuf 2.1", put: func(s string) *flow.Flow { return posted("application/x-protobuf", message(s)) }, binary: true},
	{name: "gRPC", where: "gRPC message 2 2.1", put: func(s string) *flow.Flow {
		return posted("application/grpc", framed(0, message("first"))+framed(0, message(s)))
	}, binary: true},
	{name: "gRPC in gzip", where: "gRPC message 1 2.1", put: func(s string) *flow.Flow {
		return posted("application/grpc+proto", framed(1, compressed(message(s))), "Grpc-Encoding", "gzip")
	}, binary: true},
	{name: "gRPC of JSON", where: "gRPC message 1 $.mail", put: func(s string) *flow.Flow { return posted("application/grpc+json", framed(0, `{"mail":`+quoted(s)+`}`)) }},
	{name: "gRPC-Web", where: "gRPC-Web message 1 2.1", put: func(s string) *flow.Flow { return posted("application/grpc-web+proto", framed(0, message(s))) }, binary: true},
	{name: "gRPC-Web in text", where: "gRPC-Web message 2 2.1", put: func(s string) *flow.Flow {
		return posted("application/grpc-web-text", base64.StdEncoding.EncodeToString([]byte(framed(0, message("1"))))+base64.StdEncoding.EncodeToString([]byte(framed(0, message(s)))))
	}, binary: true},
	{name: "Connect", where: "Connect message 1 $.mail", put: func(s string) *flow.Flow {
		return posted("application/connect+json", framed(1, compressed(`{"mail":`+quoted(s)+`}`)), "Connect-Content-Encoding", "gzip")
	}},
	{name: "WebSocket text", where: "WebSocket message 3 $.mail", put: func(s string) *flow.Flow {
		return flowtest.WebSocket("wss://a.example/ws", []flow.Frame{flowtest.Text(true, 0, "hi"), flowtest.Text(false, 0, "hi"), flowtest.Text(true, 0, `{"mail":`+quoted(s)+`}`)})
	}},
	{name: "WebSocket bytes", where: "WebSocket message 1", put: func(s string) *flow.Flow {
		return flowtest.WebSocket("wss://a.example/ws", []flow.Frame{{FromClient: true, Opcode: 2, Data: []byte(s)}})
	}, binary: true},
	{name: "gzip", where: "body.json $.mail", put: func(s string) *flow.Flow {
		return posted("application/json", compressed(`{"mail":`+quoted(s)+`}`), "Content-Encoding", "gzip")
	}},
	{name: "gzip that nobody declared", where: "body.json $.mail", put: func(s string) *flow.Flow { return posted("", compressed(`{"mail":`+quoted(s)+`}`)) }},
	{name: "deflate", where: "body.form mail", put: func(s string) *flow.Flow {
		var b bytes.Buffer
		z, _ := flate.NewWriter(&b, 9)
		z.Write([]byte("mail=" + url.QueryEscape(s)))
		z.Close()
		return posted("application/x-www-form-urlencoded", b.String(), "Content-Encoding", "deflate")
	}},
	{name: "br", where: "body", put: func(s string) *flow.Flow {
		var b bytes.Buffer
		z := brotli.NewWriter(&b)
		z.Write([]byte(s))
		z.Close()
		return posted("", b.String(), "Content-Encoding", "br")
	}, binary: true},
	{name: "zstd in gzip", where: "body", put: func(s string) *flow.Flow {
		return posted("", compressed(string(zstdOf.EncodeAll([]byte(s), nil))), "Content-Encoding", "zstd, gzip")
	}, binary: true},
}

// fits reports whether the place takes a text.
func (p setting) fits(s string, binary bool) bool {
	return !(binary && !p.binary) && !(p.cookie && strings.ContainsAny(s, "; ,\"\r\n")) && !(p.name == "header" && strings.ContainsAny(s, "\r\n"))
}

// finds reports where Values shows the secret, and whether Texts does.
func finds(f *flow.Flow) (places []string, layers [][]string, inTexts bool) {
	unwrap.Values(f, func(v *unwrap.Value) bool {
		if bytes.Contains(v.Text, []byte(secret)) {
			places = append(places, v.Where())
			layers = append(layers, v.Layers)
		}
		return true
	})
	unwrap.Texts(f, func(text []byte) bool {
		inTexts = inTexts || bytes.Contains(text, []byte(secret))
		return true
	})
	return places, layers, inTexts
}

// TestEachPlaceAndEachWrapping: the value is found, in its place, wherever it stands and
// however it is wrapped.
func TestEachPlaceAndEachWrapping(t *testing.T) {
	asIs := wrapping{name: "as it is", wrap: func(s string) string { return s }}
	for _, p := range settings {
		for _, x := range append(wrappings, asIs) {
			text := x.wrap(secret)
			if x.binary && !p.binary {
				x.name += " in base64"
				text = base64.RawURLEncoding.EncodeToString([]byte(text))
			}
			if !p.fits(text, false) {
				continue
			}
			places, _, inTexts := finds(p.put(text))
			if !inTexts {
				t.Errorf("%s, %s: no text has it: %q", p.name, x.name, text)
			}
			if !slices.ContainsFunc(places, func(s string) bool { return strings.HasPrefix(s, p.where) }) {
				t.Errorf("%s, %s: found at %q, not at %s", p.name, x.name, places, p.where)
			}
		}
	}
}

// nested wraps the secret several times, as far as the result fits into a place.
func nested(r *rand.Rand) (f *flow.Flow, how string) {
	p := settings[r.IntN(len(settings))]
	text, binary := secret, false
	var names []string
	for range 1 + r.IntN(4) {
		x := wrappings[r.IntN(len(wrappings))]
		if binary { // what is no text comes in base64
			text = base64.StdEncoding.EncodeToString([]byte(text))
			names = append(names, "base64")
		}
		text, binary = x.wrap(text), x.binary
		names = append(names, x.name)
	}
	if !p.fits(text, binary) {
		text = base64.RawURLEncoding.EncodeToString([]byte(text))
		names = append(names, "base64")
	}
	return p.put(text), p.name + " < " + strings.Join(names, " < ")
}

// FuzzNestedWrappings: whatever is wrapped in whatever, it is found, by Values and Texts.
func FuzzNestedWrappings(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		f, how := nested(rand.New(rand.NewPCG(seed, 7)))
		places, _, inTexts := finds(f)
		if len(places) == 0 || !inTexts {
			t.Errorf("%s: values %d, texts %v", how, len(places), inTexts)
		}
	})
}
