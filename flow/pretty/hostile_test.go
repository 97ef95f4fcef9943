package pretty

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/guard/raced"
)

// hostile are bodies made to cost time, memory or a terminal.
var hostile = map[string]struct{ contentType, content string }{
	"deep arrays":     {"application/json", strings.Repeat("[", 1<<20)},
	"deep objects":    {"application/json", strings.Repeat(`{"a":`, 200_000)},
	"one long string": {"application/json", `"` + strings.Repeat("x", 1<<20) + `"`},
	"wide characters": {"text/plain", strings.Repeat("日本", 200_000)},
	"one long line":   {"text/plain", strings.Repeat("y ", 1<<19)},
	"marks":           {"text/plain", "e" + strings.Repeat("\u0301", 1<<18)},
	"controls":        {"text/plain", strings.Repeat("\x1b[2J\u202e\r", 1<<16)},
	"line breaks":     {"text/plain", strings.Repeat("\n", 1<<20)},
	"strings in strings": {"application/json", func() string {
		s := `{"a":1}`
		for range 14 {
			b, _ := json.Marshal(map[string]string{"a": s})
			s = string(b)
		}
		return s
	}()},
	"many parts":     {"multipart/mixed; boundary=b", strings.Repeat("--b\r\n\r\n", 1<<17)},
	"parts in parts": {"multipart/mixed; boundary=b", strings.Repeat("--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n", 1<<14)},
	"long header":    {"multipart/mixed; boundary=b", "--b\r\nA: " + strings.Repeat("h", 1<<20)},
	"deep XML":       {"text/xml", strings.Repeat("<a>", 1<<18) + strings.Repeat("</a>", 1<<18)},
	"attributes":     {"text/xml", "<a " + strings.Repeat("b='c' ", 1<<17) + "/>"},
	"groups":         {"application/x-protobuf", strings.Repeat("\x0b", 1<<20)},
	"messages in messages": {"application/x-protobuf", func() string {
		b := []byte("\x0a\x00")
		for len(b) < 1<<17 {
			n := len(b)
			b = append([]byte{0x0a, byte(n) | 0x80, byte(n>>7) | 0x80, byte(n >> 14)}, b...)
		}
		return string(b)
	}()},
	"many messages": {"application/grpc", strings.Repeat("\x00\x00\x00\x00\x00", 200_000)},
	"form":          {"application/x-www-form-urlencoded", strings.Repeat("a=%41&", 170_000)},
	"events":        {"text/event-stream", strings.Repeat("data: {}\n", 100_000)},
	"image":         {"image/png", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xff\xff\xff\xff\xff\xff\xff"},
}

// TestHostileBodies holds the bounds. The time is far above what each takes, and
// far below what a square of its size would.
func TestHostileBodies(t *testing.T) {
	raced.SkipMeasure(t)
	const slowest = time.Minute
	for name, h := range hostile {
		for _, contentType := range []string{h.contentType, "", "application/octet-stream"} {
			start := time.Now()
			d := Body(contentType, "", body(h.content), Options{Mask: hide("never")})
			hold(t, d, Options{})
			if took := time.Since(start); took > slowest {
				t.Errorf("%s as %q took %v", name, contentType, took)
			}
		}
	}
}

func TestBombIsCut(t *testing.T) {
	raced.SkipMeasure(t)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for range 64 {
		if _, err := z.Write(bytes.Repeat([]byte("a"), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, encoding := range []string{"gzip", ""} {
		d := Body("text/plain", encoding, body(b.String()), Options{Limit: 1000})
		hold(t, d, Options{})
		if got := len(d.Lines[0].Text()); got != 1000 || !strings.Contains(strings.Join(d.Notes, "\n"), "shown up to 1000 bytes of the decoded content") {
			t.Errorf("%q: %d bytes, %q", encoding, got, d.Notes)
		}
	}
}

func TestLinesLeftOutAreCounted(t *testing.T) {
	opts := Options{MaxLines: 10}
	for contentType, content := range map[string]string{
		"text/plain":                        strings.Repeat("a\n", 25),
		"application/json":                  "[" + strings.Repeat("1,", 22) + "1]",
		"application/x-www-form-urlencoded": strings.Repeat("a=b&", 25),
		"":                                  strings.Repeat("\x00", 16*25),
	} {
		d := Body(contentType, "", body(content), opts)
		hold(t, d, opts)
		if len(d.Lines) != 10 || d.Notes[len(d.Notes)-1] != "15 more lines are left out" {
			t.Errorf("%q: %d lines, %q", contentType, len(d.Lines), d.Notes)
		}
	}
}

// TestMaskedNeverShows looks for a value in whatever it came in.
func TestMaskedNeverShows(t *testing.T) {
	const secret = "Ann & Söhne"
	opts := Options{Mask: hide(secret)}
	escaped := ""
	for _, r := range secret {
		escaped += fmt.Sprintf(`\u%04x`, r)
	}
	inString, _ := json.Marshal(map[string]string{"b": `{"c":"` + escaped + `"}`})
	utf16 := "\xfe\xff"
	for _, r := range secret {
		utf16 += string([]byte{byte(r >> 8), byte(r)})
	}
	part := "--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		base64.StdEncoding.EncodeToString([]byte(secret)) + "\r\n--b--\r\n"
	message := "\x0a" + string(rune(len(secret))) + secret
	for i, c := range []struct{ contentType, content string }{
		{"text/plain", secret},
		{"application/json", `{"a":"` + secret + `"}`},
		{"application/json", `{"a":"` + escaped + `","` + secret + `":1}`},
		{"application/json", `[` + secret + `]`},
		{"application/json", string(inString)},
		{"application/x-www-form-urlencoded", "a=Ann+%26+S%C3%B6hne"},
		{"application/xml", "<a b='Ann &amp; S&#246;hne'>Ann &#x26; S&ouml;hne</a>"},
		{"text/html", "<p>Ann &amp; S&ouml;hne<br>"},
		{"text/html", "<p><b title='Ann &amp; S&ouml;hne'>Ann &amp; S&ouml;hne</b></p>"},
		{"text/plain", utf16},
		{"multipart/mixed; boundary=b", part},
		{"application/x-protobuf", message},
		{"application/x-protobuf", "\x0a" + string(rune(len(secret)+1)) + "\x01" + secret},
		{"application/grpc", prefixedWith(0, message)},
		{"application/grpc-web", prefixedWith(0x80, "grpc-message: "+secret+"\r\n")},
		{"", "\x00\x01\x02" + secret},
		{"application/pdf", "%PDF-1.7 " + secret},
		{"text/event-stream", "data: {\"a\":\"" + escaped + "\"}\n\n"},
		{"text/plain", strings.Repeat("x", maxLine-3) + secret},
	} {
		open := Body(c.contentType, "", body(c.content), Options{})
		d := Body(c.contentType, "", body(c.content), opts)
		hold(t, d, opts)
		text := strings.ReplaceAll(shown(d), "\n", "")
		if strings.Contains(text, secret) || strings.Contains(text, "hne") || shown(open) == shown(d) ||
			!strings.Contains(text, flow.Redacted) && !strings.Contains(text, "[redac") {
			t.Errorf("%d %s:\n%s%q", i, c.contentType, shown(d), d.Notes)
		}
	}
	d := Frame(flow.Frame{Opcode: 8, Data: []byte("\x03\xe8" + secret)}, opts)
	if got := shown(d); strings.Contains(got, secret) || !strings.Contains(got, flow.Redacted) {
		t.Error(got)
	}
	if got := shown(Query("a=Ann+%26+S%C3%B6hne", opts)); got != "a = "+flow.Redacted+"\n" {
		t.Error(got)
	}
}

// named are bodies with the value "hunter2" under the name of a credential.
var named = []struct{ contentType, content string }{
	{"application/x-www-form-urlencoded", "user=ann&password=hunter2"},
	{"application/x-www-form-urlencoded", "user%5Bpass%77ord%5D=hunter2"},
	{"application/x-www-form-urlencoded", `data={"access_token":"hunter2"}`},
	{"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter2\r\n--b--\r\n"},
	{"multipart/mixed; boundary=b", "--b\r\nX-Api-Key: hunter2\r\n\r\nx\r\n--b--\r\n"},
	{"application/json", `{"user":"ann","password":"hunter2"}`},
	{"application/json", `{"accessToken" : "hunter2\n"}`},
	{"application/json", `{"pass\u0077ord":"hunter2"}`},
	{"application/json", `{"token":["x",{"a":1,"b":[]},"hunter2",["hunter2"]]}`},
	{"application/json", `{"auth":{"type":"x","password":"hunter2"}}`},
	{"application/json", `{"token":"{\"a\":\"hunter2\"}"}`},
	{"application/json", `{"a":"{\"token\":\"hunter2\"}"}`},
	{"application/json", `{"a":1,"password":"hunter2`},
	{"application/json", `{"a":1,"password":hunter2,"b":2}`},
	{"application/json", `{"a":oops,"password":"hun\"ter2 hunter2"}`},
	{"application/json", `{"a":oops,"password" : "hunter2`},
	{"application/json", `{"token":"x"}{"token":"hunter2"}`},
	{"text/plain", `{"password":"hunter2"}`},
	{"text/event-stream", `data: {"password":"hunter2"}` + "\n\n"},
}

func TestCredentialsByNameNeedReveal(t *testing.T) {
	for _, c := range named {
		for _, mask := range []func(string) string{nil, hide("never")} {
			d := Body(c.contentType, "", body(c.content), Options{Mask: mask})
			hold(t, d, Options{})
			text := shown(d) + strings.Join(d.Notes, "\n")
			if strings.Contains(text, "hunter2") || !strings.Contains(text, flow.Redacted) {
				t.Errorf("%s %s:\n%s", c.contentType, c.content, text)
			}
		}
		if text := shown(Body(c.contentType, "", body(c.content), Options{Reveal: true})); !strings.Contains(text, "hunter2") {
			t.Errorf("%s %s is not revealed:\n%s", c.contentType, c.content, text)
		}
	}
	if got := shown(Query("q=1&token=hunter2&key=", Options{})); got != "q = 1\ntoken = "+flow.Redacted+"\nkey = \n" {
		t.Error(got)
	}
	got := shown(Body("application/json", "", body(`{"pin":1,"password":1234,"key":5,"code":404,"clientSecret":"s3cr3t","sid":"","auth":true,"token":[],"x":["y"]}`), Options{}))
	for _, want := range []string{`"pin": 1,`, `"password": [redacted],`, `"key": 5`, `"code": 404`, `"clientSecret": "[redacted]"`, `"sid": ""`, `"auth": true`, `"token": []`, `"y"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in:\n%s", want, got)
		}
	}
}

func TestRevealShowsCredentialsOfParts(t *testing.T) {
	content := "--b\r\nCookie: id=7\r\n\r\nx\r\n--b--\r\n"
	if got := shown(Body("multipart/mixed; boundary=b", "", body(content), Options{})); strings.Contains(got, "id=7") {
		t.Error(got)
	}
	if got := shown(Body("multipart/mixed; boundary=b", "", body(content), Options{Reveal: true})); !strings.Contains(got, "id=7") {
		t.Error(got)
	}
}

func FuzzBody(f *testing.F) {
	for _, build := range []string{"python.json", "python.json.gz", "python.form", "curl.multipart", "struct.protobuf", "descriptor.protobuf", "python.xml", "chromium.png", "chromium.webp", "zlib.frame1"} {
		for _, contentType := range []string{"", "application/json", "multipart/form-data; boundary=b", "application/grpc", "text/html; charset=shift_jis"} {
			f.Add(contentType, "", []byte(sample(f, build)), false)
		}
	}
	f.Add("application/grpc-web-text", "gzip", []byte("AAAAAAQKAmhpgAAAAA8=Z3JwYy1zdGF0dXM6MA0K"), true)
	f.Add("application/json", "", []byte("[1,{\"a\":\"\\ud83d\\ude00\u202e\"},tru"), true)
	f.Fuzz(func(t *testing.T, contentType, encoding string, content []byte, cut bool) {
		opts := Options{Limit: 1 << 16, MaxLines: 200, Mask: hide("ann")}
		hold(t, Body(contentType, encoding, flow.Body{Size: int64(len(content)) + 1, Content: content, Truncated: cut}, opts), opts)
		hold(t, Query(contentType, opts), opts)
		// A credential in whatever text stays hidden where the form is whole.
		quoted, _ := json.Marshal(string(content))
		object := Body("application/json", "", body(`{"x":`+string(quoted)+`,"password":"`+string(rune(0x1f511))+`"}`), opts)
		if strings.Contains(shown(object), string(rune(0x1f511))) && !strings.Contains(string(content), string(rune(0x1f511))) {
			t.Errorf("the password shows in:\n%s", shown(object))
		}
	})
}

func FuzzFrame(f *testing.F) {
	f.Add(1, []byte(`{"a":1}`), false, false)
	f.Add(1, []byte(sample(f, "zlib.frame1")), true, false)
	f.Add(2, []byte(sample(f, "struct.protobuf")), false, true)
	f.Add(8, []byte("\x03\xe8bye\x1b"), false, false)
	f.Fuzz(func(t *testing.T, opcode int, data []byte, compressed, cut bool) {
		opts := Options{Limit: 1 << 16, MaxLines: 200}
		hold(t, Frame(flow.Frame{Opcode: opcode, Size: int64(len(data)), Data: data, Compressed: compressed, Truncated: cut}, opts), opts)
	})
}

// BenchmarkBody shows 1 MiB: at most 50 ms.
func BenchmarkBody(b *testing.B) {
	record := `{"id":9007199254740993,"name":"Zoë","text":"a \"quoted\" \u00e9 word","flags":[true,false,null],"at":{"lat":52.52,"lon":13.405}},`
	list := "[" + strings.Repeat(record, (1<<20)/len(record)) + "1]"
	page := "<a>" + strings.Repeat("<b c='d'>text &amp; more</b><e/>", 1<<15) + "</a>"
	for _, c := range []struct {
		name, contentType, content string
		opts                       Options
	}{
		{"json", "application/json", list, Options{}},
		{"json-all-lines", "application/json", list, Options{MaxLines: 1 << 20}},
		{"xml", "text/xml", page, Options{}},
		{"hex", "", strings.Repeat("\x00\xff", 1<<19), Options{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.content)))
			b.ReportAllocs()
			for b.Loop() {
				Body(c.contentType, "", body(c.content), c.opts)
			}
		})
	}
}
