package policy

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"mime/multipart"
	"net/url"
	"strings"
	"unicode/utf16"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"telltale/flow"
	"telltale/flow/flowtest"
)

// This file generates requests that hold a value: each way to write it at each place of a
// request. What is labelled is the place, as evidence has to name it.

// canaries are the values of a test account and its device.
var canaries = []Secret{
	{Name: "e-mail", value: "Jane.Doe+test@example.com"},
	{Name: "full name", value: "Zoë van der Müller"},
	{Name: "phone", value: "+1 (555) 010-4477"},
	{Name: "device", value: "6D92078A-8246-4BA4-AE5B-76104861E7DC"},
	{Name: "hardware", value: "a4:83:e7:5b:91:0f"},
	{Name: "member", value: "7319402"},
}

func canaryPolicy() *Policy {
	p, _ := New([]string{"a.example", "*.a.example"})
	p.setSecrets(canaries)
	return p
}

// A wrapping writes a value in another way.
type wrapping struct {
	name   string
	write  func(string) []byte
	binary bool // not text
}

// wrappings returns every way to write a value that is looked for.
func wrappings() []wrapping {
	text := func(name string, write func(string) string) wrapping {
		return wrapping{name: name, write: func(s string) []byte { return []byte(write(s)) }}
	}
	each := func(format string) func(string) string {
		return func(s string) string {
			var b strings.Builder
			for _, r := range s {
				fmt.Fprintf(&b, format, r)
			}
			return b.String()
		}
	}
	all := []wrapping{
		text("as typed", func(s string) string { return s }),
		text("lower case", strings.ToLower),
		text("upper case", strings.ToUpper),
		text("without separators", bareOf),
		text("percent", url.PathEscape),
		text("percent, every byte", everyByte),
		text("percent twice", func(s string) string { return everyByte(everyByte(s)) }),
		text("query", url.QueryEscape),
		text("hex", func(s string) string { return hex.EncodeToString([]byte(s)) }),
		text("HEX", func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }),
		text("HTML named", func(s string) string {
			return strings.NewReplacer("@", "&commat;", ".", "&period;", "+", "&plus;", ":", "&colon;").Replace(html.EscapeString(s))
		}),
		text("HTML decimal", each("&#%d;")),
		text("HTML hexadecimal", each("&#x%x;")),
		text("\\u", func(s string) string {
			var b strings.Builder
			for _, u := range utf16.Encode([]rune(s)) {
				fmt.Fprintf(&b, `\u%04X`, u)
			}
			return b.String()
		}),
		text("reversed", reversed),
		{"UTF-16LE", func(s string) []byte { b, _ := utf16Bytes(s); return b }, true},
		{"UTF-16BE", func(s string) []byte { _, b := utf16Bytes(s); return b }, true},
	}
	for offset := range 3 {
		for name, encoding := range map[string]*base64.Encoding{"base64": base64.StdEncoding, "base64url": base64.URLEncoding, "raw base64": base64.RawStdEncoding, "raw base64url": base64.RawURLEncoding} {
			all = append(all, text(fmt.Sprintf("%s at %d", name, offset), func(s string) string {
				return encoding.EncodeToString([]byte("id\x00"[:offset] + s))
			}))
		}
	}
	return append(all, hashings()...)
}

// hashings returns every way to write a hash of a value.
func hashings() (all []wrapping) {
	sums := map[string]func([]byte) []byte{
		"MD5": func(b []byte) []byte { s := md5.Sum(b); return s[:] }, "SHA-1": func(b []byte) []byte { s := sha1.Sum(b); return s[:] },
		"SHA-256": func(b []byte) []byte { s := sha256.Sum256(b); return s[:] },
		"SHA-384": func(b []byte) []byte { s := sha512.Sum384(b); return s[:] }, "SHA-512": func(b []byte) []byte { s := sha512.Sum512(b); return s[:] },
	}
	inputs := map[string]func(string) string{
		"raw": func(s string) string { return s }, "lower": strings.ToLower, "trimmed": strings.TrimSpace, "bare": bareOf,
	}
	for name, sum := range sums {
		for input, of := range inputs {
			add := func(how string, encode func([]byte) string) {
				all = append(all, wrapping{name: name + " " + input + " " + how, write: func(s string) []byte { return []byte(encode(sum([]byte(of(s))))) }})
			}
			add("hex", hex.EncodeToString)
			add("HEX", func(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) })
			add("base64", base64.StdEncoding.EncodeToString)
			add("base64url", base64.RawURLEncoding.EncodeToString)
		}
	}
	return all
}

// bareOf writes a value without what separates its parts, where that leaves enough of it.
func bareOf(s string) string {
	return strings.NewReplacer(" ", "", "-", "", ":", "", ".", "", "(", "", ")", "", "+", "").Replace(s)
}

func everyByte(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

// A spot is a place of a request.
type spot struct {
	name   string
	where  string // as evidence names it; its beginning
	binary bool   // takes what is no text
	packed bool   // compressed: what stands there is not in the bytes of the flow
	put    func(value []byte) *flow.Flow
}

const canaryURL = "https://api.a.example/v1/items"

func spots() []spot {
	type bs = []byte
	post := func(kind string, body []byte, opts ...flowtest.Option) *flow.Flow {
		return flowtest.Request("POST", canaryURL, append([]flowtest.Option{flowtest.Header("Content-Type", kind), flowtest.RequestBody(string(body))}, opts...)...)
	}
	all := []spot{
		{"path", "URL path", false, false, func(v bs) *flow.Flow { return flowtest.Get(canaryURL + "/" + url.PathEscape(string(v)) + "/x") }},
		{"query", "query q", false, false, func(v bs) *flow.Flow {
			return flowtest.Get(canaryURL + "?a=1&q=" + url.QueryEscape(string(v)) + "&z=2")
		}},
		{"header", "header X-User", false, false, func(v bs) *flow.Flow { return flowtest.Get(canaryURL, flowtest.Header("X-User", string(v))) }},
		{"cookie", "cookie u", false, false, func(v bs) *flow.Flow {
			return flowtest.Get(canaryURL, flowtest.Header("Cookie", "a=b; u="+url.PathEscape(string(v))+"; c=d"))
		}},
		{"JSON", "body.json $.user.id", false, false, func(v bs) *flow.Flow { return post("application/json", jsonOf(v)) }},
		{"JSON in a string", "body.json $.payload", false, false, func(v bs) *flow.Flow {
			inner, _ := json.Marshal(map[string]any{"n": 1, "payload": string(jsonOf(v))})
			return post("application/json", inner)
		}},
		{"form", "body.form u", false, false, func(v bs) *flow.Flow {
			return post("application/x-www-form-urlencoded", bs("a=1&u="+url.QueryEscape(string(v))+"&z=2"))
		}},
		{"multipart", "body.multipart u", true, false, func(v bs) *flow.Flow {
			kind, body := multipartOf(v)
			return post(kind, body)
		}},
		{"protobuf", "body.protobuf 2.1", true, false, func(v bs) *flow.Flow { return post("application/x-protobuf", protobufOf(v)) }},
		{"gRPC", "gRPC message 1 2.1", true, false, func(v bs) *flow.Flow { return post("application/grpc", messageOf(0, protobufOf(v))) }},
		{"gRPC, compressed", "gRPC message 1 2.1", true, true, func(v bs) *flow.Flow {
			return post("application/grpc", messageOf(1, bs(gzipped(string(protobufOf(v))))), flowtest.Header("Grpc-Encoding", "gzip"))
		}},
		{"text", "body", false, false, func(v bs) *flow.Flow { return post("text/plain", bs("line one\nid "+string(v)+" end\n")) }},
		{"XML", "body.xml", false, false, func(v bs) *flow.Flow {
			return post("application/xml", bs("<a><id>"+html.EscapeString(string(v))+"</id></a>"))
		}},
		{"WebSocket text", "WebSocket message 2 $.user.id", false, false, func(v bs) *flow.Flow {
			return flowtest.WebSocket("wss://ws.a.example/", []flow.Frame{flowtest.Text(false, 0, "hello"), flowtest.Text(true, 0, string(jsonOf(v)))})
		}},
		{"WebSocket binary", "WebSocket message 1", true, false, func(v bs) *flow.Flow {
			frame := flowtest.Text(true, 0, string(protobufOf(v)))
			frame.Opcode = 2
			return flowtest.WebSocket("wss://ws.a.example/", []flow.Frame{frame})
		}},
		{"WebSocket compressed", "WebSocket message 1 $.user.id", false, true, func(v bs) *flow.Flow {
			var b bytes.Buffer
			w, _ := flate.NewWriter(&b, 9)
			_, _ = w.Write(jsonOf(v))
			_ = w.Flush()
			frame := flowtest.Text(true, 0, strings.TrimSuffix(b.String(), "\x00\x00\xff\xff"))
			frame.Compressed = true
			return flowtest.WebSocket("wss://ws.a.example/", []flow.Frame{frame})
		}},
	}
	for name, pack := range packings {
		all = append(all, spot{name, "body.json $.user.id", false, true, func(v bs) *flow.Flow {
			return post("application/json", pack(jsonOf(v)), flowtest.Header("Content-Encoding", name))
		}})
	}
	return all
}

var packings = map[string]func([]byte) []byte{
	"gzip": func(b []byte) []byte { return []byte(gzipped(string(b))) },
	"deflate": func(b []byte) []byte {
		var out bytes.Buffer
		w := zlib.NewWriter(&out)
		_, _ = w.Write(b)
		_ = w.Close()
		return out.Bytes()
	},
	"br": func(b []byte) []byte {
		var out bytes.Buffer
		w := brotli.NewWriter(&out)
		_, _ = w.Write(b)
		_ = w.Close()
		return out.Bytes()
	},
	"zstd": func(b []byte) []byte {
		w, _ := zstd.NewWriter(nil)
		return w.EncodeAll(b, nil)
	},
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

func jsonOf(value []byte) []byte {
	b, _ := json.Marshal(map[string]any{"app": "demo", "user": map[string]any{"id": string(value), "n": 17}})
	return b
}

func multipartOf(value []byte) (kind string, body []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.SetBoundary("b0undary")
	_ = w.WriteField("a", "1")
	_ = w.WriteField("u", string(value))
	_ = w.Close()
	return w.FormDataContentType(), b.Bytes()
}

// protobufOf writes {1: 150, 2: {1: value}} (protobuf.dev/programming-guides/encoding).
func protobufOf(value []byte) []byte {
	inner := append(binary.AppendUvarint([]byte{0x0a}, uint64(len(value))), value...)
	return append(binary.AppendUvarint([]byte{0x08, 0x96, 0x01, 0x12}, uint64(len(inner))), inner...)
}

// messageOf frames a message as gRPC does (PROTOCOL-HTTP2, Length-Prefixed-Message).
func messageOf(compressed byte, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{compressed}, uint32(len(message))), message...)
}
