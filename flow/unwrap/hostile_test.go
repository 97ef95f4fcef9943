package unwrap_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/flow/unwrap"
)

// consistent walks a flow in both ways and complains where they disagree, or where a
// bound is broken.
func consistent(t *testing.T, f *flow.Flow) {
	t.Helper()
	before := fmt.Sprint(f.Request, f.Frames)
	var texts [][]byte
	decoded := 0
	unwrap.Texts(f, func(text []byte) bool {
		texts = append(texts, bytes.Clone(text))
		decoded += len(text)
		return true
	})
	if limit := 3*unwrap.MaxDecoded + 1<<20; decoded > limit {
		t.Errorf("%d bytes were decoded", decoded)
	}
	n := 0
	unwrap.Values(f, func(v *unwrap.Value) bool {
		if v.Where() == "" {
			t.Errorf("%q is nowhere", v.Text)
		}
		if len(v.Layers) > unwrap.MaxDepth+4 {
			t.Errorf("layers %q", v.Layers)
		}
		for _, text := range texts {
			if bytes.Contains(text, v.Text) {
				return !t.Failed()
			}
		}
		t.Errorf("no text has %q of %s %q", v.Text, v.Where(), v.Layers)
		return false
	})
	unwrap.Values(f, func(*unwrap.Value) bool { n++; return n%3 != 0 })
	m := 0
	unwrap.Texts(f, func([]byte) bool { m++; return m%2 != 0 })
	if n > 3 || m > 2 {
		t.Error("the visitor had enough and was called again")
	}
	if after := fmt.Sprint(f.Request, f.Frames); after != before {
		t.Error("the flow was changed")
	}
}

var samples = []struct{ contentType, body string }{
	{"application/json", `{"a":{"b":[1,"x\u0040y",{"c":"{\"d\":\"%41\"}"}]},"":null,"e":-1.5e3}`},
	{"application/json", "{\"a\":\"b\\"}, {"application/json", "[[[{{{]}]}"}, {"application/json", `{"a" : "b" , "c": }`},
	// JSON in which nothing but runs is encoded, and what comes near it.
	{"application/json", `{"u":"https://a.example/p/aWQ9Pz8-PmphbmUuZG9lPz8-PkBleGFtcGxlLm9yZw/6a616e652e646f6540676d61696c2e636f6d?q=1","a":["aWQ6-_amFuZS5kb2VAZXhhbXBsZS5vcmc","6a616e652e646f6540676d61696c2e636f6d"]}`},
	{"application/json", `{"u":"https://a.example/p?a+b","f":"a=b+c","t":"2026-11-20T12:00:00+01:00","l":"[1,2]","x":"<a b='aWQ6amFuZS5kb2VAZXhhbXBsZS5vcmc'>"}`},
	{"application/json", "[1," + strings.Repeat("YmJiYmJiYmJiYmJi", 8) + "\n++++YWFhYWFhYWFh++++,\"" + strings.Repeat("YWFhYWFhYWFhYWFh", 8) + "\r\nYWFhYWFhYWFhYWFh\"]"},
	{"application/x-www-form-urlencoded", "a=1&b=%7B%22c%22%3A%22d%22%7D&&=&x+y=z+1&%zz=%"},
	{"multipart/form-data; boundary=B0undary", parts("Content-Transfer-Encoding: quoted-printable\r\n", "a=40b=\r\n=zz")},
	{"multipart/mixed", "--x\n\n--x\n--x--"}, {"multipart/mixed; boundary=x", "--x"},
	{"application/x-protobuf", message("text")}, {"application/grpc", framed(1, message("text"))}, {"application/grpc", "\x00\xff\xff\xff\xffx"},
	{"application/grpc-web-text", "AAAAAAEx=AAAAAAEx=="}, {"application/connect+json", framed(2, "{}")},
	{"text/xml", `<a b="c" d=e f><!-- g --><![CDATA[h]]>&#64;<i/></a></b><`}, {"", "<!doctype html><br><p x='"},
	{"", "<plist><dict><key>idfa</key><string>6d92078a</string></dict></plist>"},
	{"", "\xff\xfea\x00@\x00b\x00"}, {"", "a\x00@\x00b\x00c"}, {"text/plain", "\xff\xfe"}, {"", compressed("{\"a\":\"b\"}")},
	{"", "\x1f\x8b\x08\x00damaged damaged"}, {"", "\x78\x9cdamaged damaged"}, {"", "\x28\xb5\x2f\xfddamaged damaged"},
	{"", base64.StdEncoding.EncodeToString([]byte(compressed("text in gzip in base64")))},
	{"", "4a616e65406578616d706c65"}, {"", "JBSWY3DPEBLW64TMMQQQ===="}, {"", `\u{1f600}\ud83d\ude00\ud83d\x4`}, {"", "&amp;&#64;&#x40;&#;&x;&"},
	{"", "data: {\"a\":\"b\"}\n\nevent: x\n"}, {"", "\"a\\u0040b\""}, {"", "https://u:p@h/p?q=1#f=2"}, {"", "bplist00\xd1\x01\x02SabcSdef"},
}

// TestSamples: what the seeds of the fuzz test hold, Values and Texts agree on.
func TestSamples(t *testing.T) {
	for _, s := range samples {
		consistent(t, posted(s.contentType, s.body))
	}
}

// FuzzBody: no body breaks a bound, and Values shows nothing that Texts lacks.
func FuzzBody(f *testing.F) {
	for _, s := range samples {
		f.Add(s.contentType, "gzip", []byte(s.body))
	}
	f.Fuzz(func(t *testing.T, contentType, coding string, body []byte) {
		r := &flow.Request{URL: "https://a.example/", Header: []flow.Field{flow.NewField("Content-Type", contentType), flow.NewField("Content-Encoding", coding)}, Body: flow.Body{Content: body}}
		consistent(t, &flow.Flow{Request: r})
		r.Body.Decoded = true
		consistent(t, &flow.Flow{Request: r})
	})
}

// FuzzHead does the same for the other places.
func FuzzHead(f *testing.F) {
	f.Add("https://u%40:p@h.example:1/a%2fb?x=%7B%7D&y#f=1", "Authorization", "Basic amFuZTpw", "a.b.c", []byte("x"))
	f.Add("//[::1]?#", "cookie", "a=\"b\"; c; =; %41=%42", "", []byte("\xf2\x48\xcd\xc9\xc9\x07\x00"))
	f.Add("", "", "Basic ====", "...", []byte{})
	f.Fuzz(func(t *testing.T, url, name, value, host string, frame []byte) {
		consistent(t, &flow.Flow{
			Request: &flow.Request{URL: url, Header: []flow.Field{flow.NewField(name, value)}, Trailer: []flow.Field{flow.NewField(name, value)}},
			Frames:  []flow.Frame{{FromClient: true, Compressed: true, Data: frame}, {FromClient: true, Data: frame}, {Data: frame}},
		})
		consistent(t, &flow.Flow{DNS: &flow.Question{Name: host}, Server: flow.Server{SNI: value, Asked: url}})
	})
}

// TestBombs: what grows without end, or nests without end, ends soon.
func TestBombs(t *testing.T) {
	zeros := strings.Repeat("\x00", 9<<20)
	gzipped := compressed(zeros) // more than MaxDecoded
	in := func(times int, wrap func(string) string, s string) string {
		for range times {
			s = wrap(s)
		}
		return s
	}
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for name, body := range map[string]string{
		"gzip in gzip":               compressed(compressed(gzipped + gzipped)),
		"many bombs":                 `["` + strings.Join([]string{b64(gzipped), b64(gzipped)}, `","`) + `"]`,
		"base64 in base64":           in(20, b64, "x and some more text"),
		"JSON in JSON":               in(12, quoted, secret),
		"deep JSON":                  strings.Repeat(`{"a":[`, 40_000),
		"deep arrays":                strings.Repeat("[", 128<<10) + strings.Repeat("]", 128<<10),
		"deep XML":                   strings.Repeat("<a>", 40_000),
		"deep protobuf":              in(200, message, "x"),
		"percent in percent":         in(12, func(s string) string { return strings.ReplaceAll(s+"%40", "%", "%25") }, "%40"),
		"many runs":                  strings.Repeat("aGVsbG8gd29ybGQsIGhlbGxv ", 20_000),
		"one long run":               strings.Repeat("abcd", 64<<10),
		"many separators":            strings.Repeat("abcdefghijklmnopq-", 10_000),
		"many parts":                 strings.Repeat("--x\r\n\r\na\r\n", 10_000),
		"many pairs":                 strings.Repeat("a=b&", 40_000),
		"many entities":              strings.Repeat("&amp;", 40_000),
		"ampersands":                 strings.Repeat("&", 128<<10),
		"escapes":                    strings.Repeat(`\`, 128<<10),
		"quotes":                     strings.Repeat(`"`, 128<<10),
		"tags":                       strings.Repeat("<a b=c>", 20_000),
		"open tags":                  "<a " + strings.Repeat("<", 128<<10),
		"attributes":                 "<a " + strings.Repeat("b=c ", 40_000) + ">",
		"fields of protobuf":         strings.Repeat("\x0a\x03abc", 20_000),
		"equals":                     strings.Repeat("=", 128<<10),
		"braces in text":             "x" + strings.Repeat(`{"`, 40_000),
		"braces in text, each apart": strings.Repeat(`x {"a": "y {\"b\": `, 2_000),
		"bytes":                      strings.Repeat("\x00\x80abcdefg", 20_000),
	} {
		t.Run(name, func(t *testing.T) {
			f := flowtest.Post("https://a.example/", body)
			start := time.Now()
			n, size := 0, 0
			unwrap.Values(f, func(v *unwrap.Value) bool { n++; return true })
			unwrap.Texts(f, func(text []byte) bool { size += len(text); return true })
			took := time.Since(start)
			t.Logf("%d bytes: %d values, %d bytes of texts, %v", len(body), n, size, took)
			if took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			if limit := 3*unwrap.MaxDecoded + 2*len(body) + 1<<20; size > limit {
				t.Errorf("%d bytes of texts", size)
			}
		})
	}
}
