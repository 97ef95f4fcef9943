package redact

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"telltale/capture"
	"telltale/flow"
	"telltale/guard/raced"
	"telltale/policy"
)

// secrets are values of every kind, each under the name by which apps send it.
var secrets = []struct{ name, value string }{
	{"email", "jane.roe+lab@gmail.com"},
	{"idfa", "6D92078A-8246-4BA4-AE5B-76104861E7DC"},
	{"android_id", "9774d56d682e549c"},
	{"imei", "356938035643809"},
	{"phone", "+14165550198237"[:12]},
	{"mac", "a4:83:e7:2b:90:1c"},
	{"ssid", "Jane's House 5G"},
	{"latitude", "43.653226"},
	{"longitude", "-79.383184"},
	{"push_token", "740f4707bebcf74f9b7c25d48e3358945f6aa01da5ddb387462c7eaf61bb78ad"},
	{"access_token", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"},
	{"password", "correct horse battery"},
	{"api_key", "k9Zq81LmPw33xTt0"},
	{"sessionid", "c2Vzc2lvbjk4NzY1NDMyMQ"},
	{"code", "4/P7q7W91a-oMsCeLvIaQm6bTrgtp7"},
	{"client_secret", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"},
	{"note", "purple-elephant-canary-77"}, // under never-send alone
}

func canaryPolicy(t testing.TB) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("telltale.yaml", []byte("version: 1\nallow: [\"*.example.ca\"]\nnever-send:\n  - name: canary\n    value: purple-elephant-canary-77\n"), policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func coded(t testing.TB, coding, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	switch coding {
	case "gzip":
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(s))
		_ = w.Close()
	case "br":
		w := brotli.NewWriter(&b)
		_, _ = w.Write([]byte(s))
		_ = w.Close()
	case "zstd":
		w, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(s))
		_ = w.Close()
	}
	return b.Bytes()
}

func protoField(number int, v []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(number)<<3|2)
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// A builder puts a value under a name somewhere in a flow.
type builder struct {
	label string
	put   func(t testing.TB, f *flow.Flow, name, value string)
}

func requestBody(contentType string, text func(name, value string) string) func(testing.TB, *flow.Flow, string, string) {
	return func(_ testing.TB, f *flow.Flow, name, value string) {
		setBody(f, true, contentType, "", []byte(text(name, value)))
	}
}

func responseBody(contentType string, text func(name, value string) string) func(testing.TB, *flow.Flow, string, string) {
	return func(_ testing.TB, f *flow.Flow, name, value string) {
		setBody(f, false, contentType, "", []byte(text(name, value)))
	}
}

func setBody(f *flow.Flow, request bool, contentType, coding string, data []byte) {
	header := []flow.Field{flow.NewField("Content-Type", contentType)}
	if coding != "" {
		header = append(header, flow.NewField("Content-Encoding", coding))
	}
	body := flow.Body{Size: int64(len(data)), Content: data}
	if request {
		f.Request.Header, f.Request.Body = append(f.Request.Header, header...), body
	} else {
		f.Response.Header, f.Response.Body = append(f.Response.Header, header...), body
	}
}

func header(name string) func(testing.TB, *flow.Flow, string, string) {
	return func(_ testing.TB, f *flow.Flow, member, value string) {
		field := flow.NewField(name, strings.NewReplacer("{name}", member, "{value}", url.QueryEscape(value)).Replace(headerTexts[name]))
		switch name {
		case "Set-Cookie", "Location", "Link":
			f.Response.Header = append(f.Response.Header, field)
		default:
			f.Request.Header = append(f.Request.Header, field)
		}
	}
}

var headerTexts = map[string]string{
	"Cookie": "theme=dark; {name}={value}", "Set-Cookie": "{name}={value}; Path=/; Secure", "Authorization": "Bearer {value}",
	"Proxy-Authorization": "Basic {value}", "X-Api-Key": "{value}", "Referer": "https://www.example.ca/a?{name}={value}&x=1",
	"Location": "/next?{name}={value}", "Link": "<https://www.example.ca/p?{name}={value}>; rel=next",
}

func jsonOf(name, value string) string {
	return `{"a":1,` + quote(name) + `:` + quote(value) + `,"z":[true,null]}`
}

// builders are the places and codings.
var builders = []builder{
	{"query", func(_ testing.TB, f *flow.Flow, n, v string) { f.Request.URL += "?x=1&" + n + "=" + url.QueryEscape(v) }},
	{"query, percent-encoded twice", func(_ testing.TB, f *flow.Flow, n, v string) {
		f.Request.URL += "?u=" + url.QueryEscape(url.QueryEscape("https://t.example/?"+n+"="+url.QueryEscape(v)))
	}},
	{"fragment", func(_ testing.TB, f *flow.Flow, n, v string) { f.Request.URL += "#" + n + "=" + url.QueryEscape(v) }},
	{"user of the URL", func(_ testing.TB, f *flow.Flow, _, v string) {
		f.Request.URL = "https://me:" + url.QueryEscape(v) + "@api.example.ca/x"
	}},
	{"base64 of JSON in the query", func(_ testing.TB, f *flow.Flow, n, v string) {
		f.Request.URL += "?data=" + base64.RawURLEncoding.EncodeToString([]byte(jsonOf(n, v)))
	}},
	{"Cookie", header("Cookie")}, {"Set-Cookie", header("Set-Cookie")}, {"Authorization", header("Authorization")},
	{"Proxy-Authorization", header("Proxy-Authorization")}, {"X-Api-Key", header("X-Api-Key")}, {"Referer", header("Referer")},
	{"Location", header("Location")}, {"Link", header("Link")},
	{"field of its name", func(_ testing.TB, f *flow.Flow, n, v string) {
		f.Request.Header = append(f.Request.Header, flow.NewField("X-"+strings.ReplaceAll(n, "_", "-"), v))
	}},
	{"trailer", func(_ testing.TB, f *flow.Flow, n, v string) { f.Request.Trailer = []flow.Field{flow.NewField(n, v)} }},
	{"JSON", requestBody("application/json", jsonOf)},
	{"answer in JSON", responseBody("application/json", jsonOf)},
	{"JSON in a string of JSON", requestBody("text/plain", func(n, v string) string { return `{"e":` + quote(jsonOf(n, v)) + `}` })},
	{"name and value apart", requestBody("application/json", func(n, v string) string {
		return `[{"name":` + quote(n) + `,"value":` + quote(v) + `}]`
	})},
	{"GraphQL", requestBody("application/json", func(n, v string) string {
		return `{"query":"mutation($i:In!){set(i:$i){id}}","variables":{"i":{` + quote(n) + `:` + quote(v) + `}}}`
	})},
	{"form", requestBody("application/x-www-form-urlencoded", func(n, v string) string { return "a=b&" + url.QueryEscape(n) + "=" + url.QueryEscape(v) })},
	{"form with brackets", requestBody("application/x-www-form-urlencoded", func(n, v string) string {
		return "user%5B" + n + "%5D=" + url.QueryEscape(v) + "&a=b"
	})},
	{"XML", requestBody("application/xml", func(n, v string) string {
		return "<?xml version=\"1.0\"?><r><" + n + ">" + html.EscapeString(v) + "</" + n + "></r>"
	})},
	{"XML attribute", requestBody("application/xml", func(n, v string) string { return `<r ` + n + `="` + html.EscapeString(v) + `"/>` })},
	{"property list", requestBody("application/x-plist", func(n, v string) string {
		return `<?xml version="1.0"?><plist><dict><key>` + n + `</key><string>` + html.EscapeString(v) + `</string></dict></plist>`
	})},
	{"HTML input", responseBody("text/html", func(n, v string) string {
		return `<!doctype html><html><form><input type=hidden name="` + n + `" value="` + html.EscapeString(v) + `"></form></html>`
	})},
	{"script in HTML", responseBody("text/html", func(n, v string) string {
		return `<html><script>window.cfg = {` + n + `: ` + quote(v) + `, b: 'c'};</script></html>`
	})},
	{"script", responseBody("application/javascript", func(n, v string) string { return "var a = 1;\nvar " + n + " = " + quote(v) + ";\n" })},
	{"event stream", responseBody("text/event-stream", func(n, v string) string { return "event: x\ndata: " + jsonOf(n, v) + "\n\n" })},
	{"rows of JSON", requestBody("application/x-ndjson", func(n, v string) string { return jsonOf("a", "b") + "\n" + jsonOf(n, v) + "\n" })},
	{"multipart", requestBody("multipart/form-data; boundary=XX", func(n, v string) string {
		return "--XX\r\nContent-Disposition: form-data; name=\"" + n + "\"\r\n\r\n" + v + "\r\n--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\x89PNG\x00" + v + "\r\n--XX--\r\n"
	})},
	{"gzip", func(t testing.TB, f *flow.Flow, n, v string) {
		setBody(f, true, "application/json", "gzip", coded(t, "gzip", jsonOf(n, v)))
	}},
	{"br", func(t testing.TB, f *flow.Flow, n, v string) {
		setBody(f, false, "application/json", "br", coded(t, "br", jsonOf(n, v)))
	}},
	{"zstd", func(t testing.TB, f *flow.Flow, n, v string) {
		setBody(f, true, "application/json", "zstd", coded(t, "zstd", jsonOf(n, v)))
	}},
	{"base64 of gzip in JSON", func(t testing.TB, f *flow.Flow, n, v string) {
		setBody(f, true, "application/json", "", []byte(`{"p":"`+base64.StdEncoding.EncodeToString(coded(t, "gzip", jsonOf(n, v)))+`"}`))
	}},
	{"hexadecimal in JSON", requestBody("application/json", func(n, v string) string { return `{"h":"` + hex.EncodeToString([]byte(jsonOf(n, v))) + `"}` })},
	{"cut gzip", func(t testing.TB, f *flow.Flow, n, v string) {
		data := coded(t, "gzip", jsonOf(n, v)+strings.Repeat("x", 100))
		setBody(f, true, "application/json", "gzip", data[:len(data)-4])
		f.Request.Body.Truncated, f.Request.Body.Size = true, 9999
	}},
	{"cut JSON", func(_ testing.TB, f *flow.Flow, n, v string) {
		setBody(f, true, "application/json", "", []byte(`{"a":1,`+quote(n)+`:"`+v))
		f.Request.Body.Truncated, f.Request.Body.Size = true, 9999
	}},
	{"protobuf", func(_ testing.TB, f *flow.Flow, n, v string) {
		setBody(f, true, "application/x-protobuf", "", append(protoField(1, []byte("ok")), protoField(2, append(protoField(1, []byte(n)), protoField(2, []byte(jsonOf(n, v)))...))...))
	}},
	{"gRPC", func(_ testing.TB, f *flow.Flow, n, v string) {
		m := protoField(1, []byte(jsonOf(n, v)))
		setBody(f, true, "application/grpc", "", append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(m))), m...))
	}},
	{"picture", func(_ testing.TB, f *flow.Flow, n, v string) {
		setBody(f, false, "image/jpeg", "", append([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00"+n+"="), v...))
	}},
	{"message of a WebSocket", func(_ testing.TB, f *flow.Flow, n, v string) {
		f.Kind = flow.WebSocket
		f.Frames = []flow.Frame{
			{FromClient: true, Opcode: 1, Size: 1, Data: []byte(jsonOf(n, v))}, {Opcode: 1, Size: 1, Data: []byte(jsonOf(n, v))},
			{Opcode: 2, Size: 9, Data: append([]byte{0, 1, 2, 0xff}, v...)}, {Opcode: 8, Size: 9, Data: append([]byte{3, 0xe8}, jsonOf(n, v)...)},
		}
	}},
	{"error and note", func(_ testing.TB, f *flow.Flow, n, v string) {
		f.Error = "get https://api.example.ca/?" + n + "=" + url.QueryEscape(v) + ": refused"
		f.Notes = []string{"it said " + quote(n) + ": " + quote(v)}
	}},
}

// spellings are the forms in which a value must not stand in a file.
func spellings(value string) [][]byte {
	var out [][]byte
	add := func(s string) {
		if len(s) >= 6 {
			out = append(out, []byte(s))
		}
	}
	quoted := quote(value)
	for _, v := range []string{value, strings.ToLower(value), strings.ToUpper(value), url.QueryEscape(value), url.QueryEscape(url.QueryEscape(value)), quoted[1 : len(quoted)-1], html.EscapeString(value), hex.EncodeToString([]byte(value))} {
		add(v)
	}
	if len(value) >= 10 {
		for lead := range 3 {
			e := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", lead) + value))
			add(e[min(len(e), 4):max(4, len(e)-2)])
		}
	}
	return out
}

func baseFlow(id flow.ID) *flow.Flow {
	return &flow.Flow{
		ID: id, Kind: flow.HTTP, Mode: "http", Outcome: flow.Completed,
		Client:   flow.Client{Addr: netip.MustParseAddrPort("192.168.7.31:50123"), Device: "Jane's iPhone"},
		Server:   flow.Server{Asked: "api.example.ca:443", SNI: "api.example.ca", Host: "api.example.ca"},
		Request:  &flow.Request{Method: "POST", URL: "https://api.example.ca/v1/x", Proto: "HTTP/2", Header: []flow.Field{flow.NewField("User-Agent", "App/1.0")}},
		Response: &flow.Response{Status: 200, Proto: "HTTP/2"},
	}
}

// everything returns a flow for each secret at each place.
func everything(t testing.TB) (flows []*flow.Flow, labels []string) {
	for _, b := range builders {
		for _, s := range secrets {
			f := baseFlow(flow.ID(len(flows) + 1))
			b.put(t, f, s.name, s.value)
			flows, labels = append(flows, f), append(labels, s.name+" in "+b.label)
		}
	}
	return flows, labels
}

// dump returns all text of a flow.
func dump(f *flow.Flow) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%+v %+v %q %q %+v %+v %+v\n", f.Client, f.Server, f.Error, f.Notes, f.Exposures, f.Leaks, f.DNS)
	message := func(fields, trailer []flow.Field, body flow.Body) {
		for _, x := range append(append([]flow.Field{}, fields...), trailer...) {
			fmt.Fprintf(&b, "%s: %s\n", x.Name, x.Reveal())
		}
		b.Write(body.Content)
		b.WriteByte('\n')
	}
	if r := f.Request; r != nil {
		fmt.Fprintln(&b, r.Method, r.URL)
		message(r.Header, r.Trailer, r.Body)
	}
	if r := f.Response; r != nil {
		message(r.Header, r.Trailer, r.Body)
	}
	for _, fr := range f.Frames {
		b.Write(fr.Data)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func stands(t *testing.T, label string, data []byte, value string) {
	t.Helper()
	for _, s := range spellings(value) {
		if i := bytes.Index(data, s); i >= 0 {
			t.Errorf("%s: %q stands in %q", label, s, data[max(0, i-200):min(len(data), i+200)])
			return
		}
	}
}

// TestNoSecretIsLeft holds that each value is gone from each place of a flow that is
// redacted alone, so that nothing but its own name and form tells what it is.
func TestNoSecretIsLeft(t *testing.T) {
	flows, labels := everything(t)
	pol := canaryPolicy(t)
	for i, f := range flows {
		if raced.Detector && i%5 != 0 {
			continue
		}
		r, err := New(pol)
		if err != nil {
			t.Fatal(err)
		}
		before := dump(f)
		out := dump(r.Flow(f))
		if !bytes.Equal(before, dump(f)) {
			t.Errorf("%s: the flow was changed", labels[i])
		}
		stands(t, labels[i], out, secrets[i%len(secrets)].value)
		for _, owner := range []string{"Jane's iPhone", "192.168.7.31"} {
			stands(t, labels[i], out, owner)
		}
	}
}

// TestNoSecretIsLeftInTheFile holds the same of a whole copy, of which every byte is
// searched, and everything that is compressed in it.
func TestNoSecretIsLeftInTheFile(t *testing.T) {
	flows, _ := everything(t)
	pol := canaryPolicy(t)
	path := filepath.Join(t.TempDir(), "a"+capture.Ext)
	record(t, path, flows)
	copied := redacted(t, path, pol)
	data, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	store, err := capture.Open(copied, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	n := 0
	if err := store.All(context.Background(), func(f *flow.Flow) error {
		n++
		data = append(data, dump(f)...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n != len(flows) {
		t.Errorf("%d flows, want %d", n, len(flows))
	}
	for _, s := range secrets {
		stands(t, s.name, data, s.value)
	}
	stands(t, "device", data, "Jane's iPhone")
	stands(t, "client", data, "192.168.7.31")
}

func record(t testing.TB, path string, flows []*flow.Flow) {
	t.Helper()
	store, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range flows {
		store.Observe(f)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// redacted makes a copy and returns its path.
func redacted(t testing.TB, path string, pol *policy.Policy) string {
	t.Helper()
	from, err := capture.Open(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	r, err := New(pol)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "copy"+capture.Ext)
	if _, err := Capture(context.Background(), from, to, r, nil); err != nil {
		t.Fatal(err)
	}
	return to
}
