package unwrap_test

import (
	"bytes"
	"compress/flate"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"howett.net/plist"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/flow/unwrap"
)

// seen lists what Values visits: place, layers and text.
func seen(f *flow.Flow) (lines []string) {
	unwrap.Values(f, func(v *unwrap.Value) bool {
		lines = append(lines, fmt.Sprintf("%s | %s | %v | %s", v.Where(), v.Name, v.Layers, v.Text))
		return true
	})
	return lines
}

func TestPlaces(t *testing.T) {
	f := &flow.Flow{Kind: flow.HTTP, Request: &flow.Request{
		URL: "https://u:p@h.example/a/b%40c?email=jane%40x.org&d=%7B%22m%22%3A%22q%22%7D#frag",
		Header: []flow.Field{
			flow.NewField("Cookie", "sid=1; b=a%40b"), flow.NewField("Authorization", "Basic amFuZTpw"),
			flow.NewField("X-Link", "https://x.example/p?q=a%2540b"),
		},
		Body: flow.Body{Content: []byte(`{"user":{"mail":"jane@x.org","n":[1,{"id":"x\u0040y"}]},"s":"{\"a\":\"b\"}","b":"` +
			base64.StdEncoding.EncodeToString([]byte(`{"email":"jane@example.org"}`)) + `"}`)},
	}}
	got := seen(f)
	for _, want := range []string{
		"URL user |  | [] | u:p",
		"URL path |  | [percent-encoding] | b@c",
		"query email | email | [] | jane%40x.org",
		"query email | email | [percent-encoding] | jane@x.org",
		"query d $.m | m | [percent-encoding] | q",
		"URL fragment |  | [] | frag",
		"cookie sid | sid | [] | 1",
		"cookie b | b | [percent-encoding] | a@b",
		"header Authorization | Authorization | [base64] | jane:p",
		"header X-Link query q | q | [percent-encoding percent-encoding] | a@b",
		"body.json $ (name) |  | [] | user",
		"body.json $.user.mail | mail | [] | jane@x.org",
		"body.json $.user.n[0] | n | [] | 1",
		"body.json $.user.n[1].id | id | [JSON escapes] | x@y",
		"body.json $.s $.a | a | [JSON in a string] | b",
		"body.json $.b $.email | email | [base64] | jane@example.org",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("nothing shows %s", want)
		}
	}
	if t.Failed() {
		t.Log(strings.Join(got, "\n"))
	}
}

// shows complains where Values does not show a line.
func shows(t *testing.T, f *flow.Flow, want ...string) {
	t.Helper()
	got := seen(f)
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("nothing shows %s in\n%s", line, strings.Join(got, "\n"))
		}
	}
	consistent(t, f)
}

func TestServerNames(t *testing.T) {
	shows(t, flowtest.DNS("jane.t.example.com"), "DNS name |  | [] | jane.t.example.com", "DNS name |  | [] | jane", "DNS name |  | [joined labels] | janet")
	shows(t, &flow.Flow{Kind: flow.Tunnel, Server: flow.Server{SNI: "jane.example.com", Asked: "192.0.2.1:443"}},
		"TLS server name |  | [] | jane", "server name |  | [] | 192.0.2.1")
	// What is longer than a label goes in several.
	for layer, text := range map[string]string{
		"base32": strings.ToLower(strings.TrimRight(base32.StdEncoding.EncodeToString([]byte(secret)), "=")),
		"hex":    hex.EncodeToString([]byte(secret)),
	} {
		name := strings.Join(slices.Collect(pieces(text, 15)), ".") + ".t.example"
		shows(t, flowtest.DNS(name), "DNS name |  | [joined labels "+layer+"] | "+secret)
	}
}

func TestCompressedFrames(t *testing.T) {
	var b bytes.Buffer
	z, _ := flate.NewWriter(&b, 9)
	var frames []flow.Frame
	for i := range 3 {
		b.Reset()
		fmt.Fprintf(z, `{"mail":"jane@example.org","n":%d}`, i)
		z.Flush()
		frames = append(frames, flow.Frame{FromClient: true, Opcode: 1, Compressed: true, Data: bytes.Clone(bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff")))})
	}
	f := flowtest.WebSocket("wss://a.example/", frames)
	f.FrameOffset = 4
	shows(t, f, "WebSocket message 5 $.mail | mail | [permessage-deflate] | jane@example.org", "WebSocket message 7 $.n | n | [permessage-deflate] | 2")
}

func TestPlaceOfEachFormat(t *testing.T) {
	list, err := plist.Marshal(map[string]any{"user": map[string]any{"mail": "jane@example.org", "name": "Jäne", "imei": uint64(490154203237518), "lat": 52.520008, "ids": []string{"a", "b"}, "blob": []byte(`{"x":"y"}`)}}, plist.BinaryFormat)
	if err != nil {
		t.Fatal(err)
	}
	numbers := protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 490154203237518)
	numbers = protowire.AppendFixed64(protowire.AppendTag(numbers, 4, protowire.Fixed64Type), math.Float64bits(52.520008))
	numbers = protowire.AppendFixed32(protowire.AppendTag(numbers, 5, protowire.Fixed32Type), math.Float32bits(13.4049))
	numbers = protowire.AppendString(protowire.AppendTag(numbers, 6, protowire.BytesType), "text")
	for _, x := range []struct {
		contentType, body string
		want              []string
	}{
		{"", string(list), []string{
			"body.plist $.user.mail | mail | [] | jane@example.org", "body.plist $.user.name | name | [] | Jäne", "body.plist $.user.imei | imei | [] | 490154203237518",
			"body.plist $.user.lat | lat | [] | 52.520008", "body.plist $.user.ids[1] | ids | [] | b", "body.plist $.user.blob $.x | x | [] | y", "body.plist $.user (name) |  | [] | mail",
		}},
		{"", `<?xml version="1.0"?><!DOCTYPE plist><plist><dict><key>idfa</key><string>6d92</string><key>on</key><true/></dict></plist>`, []string{"body.xml plist/dict/idfa | idfa | [] | 6d92"}},
		{"text/xml", `<a:Envelope><a:Body><mail kind="home">jane&#64;example.org</mail><![CDATA[raw]]></a:Body></a:Envelope>`, []string{
			"body.xml a:Envelope/a:Body/mail/kind | kind | [] | home", "body.xml a:Envelope/a:Body/mail | mail | [HTML entities] | jane@example.org", "body.xml a:Envelope/a:Body | a:Body | [] | raw",
		}},
		{"text/html", `<html><br><p title=x>hello</p></html>`, []string{"body.html html/p/title | title | [] | x", "body.html html/p | p | [] | hello"}},
		{"application/x-protobuf", string(numbers), []string{
			"body.protobuf 3 |  | [] | 490154203237518", "body.protobuf 4 |  | [] | 52.520008", "body.protobuf 5 |  | [] | 13.4049", "body.protobuf 6 |  | [] | text",
		}},
		{"multipart/form-data; boundary=B0undary", parts("Content-Type: application/json\r\nContent-Disposition: form-data; name=\"data\"; filename=\"jane.json\"\r\n", `{"a":"b"}`), []string{
			"body.multipart data $.a | a | [] | b", `body.multipart data header Content-Disposition | Content-Disposition | [] | form-data; name="data"; filename="jane.json"`, "body.multipart other | other | [] | 1",
		}},
		{"multipart/form-data; boundary=wrong", parts("Content-Transfer-Encoding: quoted-printable\r\n", "jane=40example.org"), []string{"body.multipart mail | mail | [quoted-printable] | jane@example.org"}},
		{"multipart/mixed; boundary=outer", "--outer\r\nContent-Type: multipart/form-data; boundary=B0undary\r\n\r\n" + parts("", "in") + "\r\n--outer--", []string{"body.multipart mail | mail | [] | in"}},
		{"application/json", utf16Of(`{"mail":"Jäne"}`, binary.LittleEndian), []string{"body.json $.mail | mail | [UTF-16] | Jäne"}},
		{"application/json", "\xef\xbb\xbf" + `{"mail":"x"}`, []string{"body.json $.mail | mail | [] | x"}},
		{"text/plain", `callback({"mail":"x"})`, []string{"body |  | [] | callback({\"mail\":\"x\"})", "body.json $.mail | mail | [] | x"}},
		{"application/json", `{"query":"mutation($m:String){set(mail:$m)}","variables":{"m":"jane@example.org"}}`, []string{"body.json $.variables.m | m | [] | jane@example.org"}},
		{"application/json", `[{"key":"idfa","value":"6d92"},{"value":"x","name":"y"},{"name":"n","value":{"z":"q"}}]`, []string{
			"body.json $[0].value | idfa | [] | 6d92", "body.json $[1].value | value | [] | x", "body.json $[2].value.z | z | [] | q",
		}},
		{"application/json", `{"users":{"jane@example.org":{"age":7},"490154203237518":{"age":8},"a b":1,"ok":{"x":2}}}`, []string{
			"body.json $.users.*.age | age | [] | 7", "body.json $.users.*.age | age | [] | 8", "body.json $.users['a b'] | a b | [] | 1", "body.json $.users.ok.x | x | [] | 2", "body.json $.users (name) |  | [] | jane@example.org",
		}},
		{"application/x-www-form-urlencoded", "user%5Bmail%5D=a+b%2Bc", []string{"body.form user[mail] | user[mail] | [] | a+b%2Bc", "body.form user[mail] | user[mail] | [plus signs for spaces percent-encoding] | a b+c"}},
		{"application/octet-stream", "\x00\x01\x02jane@example.org\x00\x03", []string{"body |  | [] | jane@example.org"}},
	} {
		shows(t, posted(x.contentType, x.body), x.want...)
	}
}

// TestDamage: what stands before the damage is found, and what can be read behind it.
func TestDamage(t *testing.T) {
	whole := compressed(`{"mail":"jane@example.org","rest":"` + strings.Repeat("0123456789 some text that is compressed ", 50) + `"}`)
	shows(t, posted("application/json", whole[:len(whole)-12], "Content-Encoding", "gzip"), "body.json $.mail | mail | [gzip] | jane@example.org")
	shows(t, posted("application/json", `{"mail":"jane@exam`), "body.json $.mail | mail | [] | jane@exam")
	shows(t, posted("application/json", `{"a":"x",,]}"mail":"y"`), "body.json $.a | a | [] | x", "body.json $ |  | [] | y")
	shows(t, posted("application/x-protobuf", message("hello world")[:11]), "body.protobuf 2.1 |  | [] | hell")
	shows(t, posted("application/grpc", framed(0, message("hello"))+"\x00\x00\x00\x00\xffhello"), "gRPC message 1 2.1 |  | [] | hello", "gRPC message 2 |  | [] | hello")
	shows(t, posted("application/grpc", framed(1, message("hello")), "Grpc-Encoding", "snappy"), "gRPC message 1 2.1 |  | [] | hello")
	shows(t, posted("application/json", `{"a":"b"}`, "Content-Encoding", "br"), "body.json $.a | a | [] | b")
	shows(t, posted("multipart/form-data; boundary=B0undary", parts("", "jane")[:110]), "body.multipart other | other | [] | 1")
	shows(t, posted("application/json", "{\"a\":\"b\xff\xfec\"}"), "body.json $.a | a | [] | b\xff\xfec")
}

// A body that was recorded without its coding came in it all the same: a HAR says of a
// request what the wire did.
func TestDecodedBodiesKeepTheirLayers(t *testing.T) {
	const text = `{"mail":"jane@example.org"}`
	coded := posted("application/json", compressed(text), "Content-Encoding", "gzip")
	decoded := posted("application/json", text, "Content-Encoding", "gzip")
	decoded.Request.Body.Decoded = true
	const want = "body.json $.mail | mail | [gzip] | jane@example.org"
	shows(t, coded, want)
	shows(t, decoded, want)
	decoded.Request.Header = append(decoded.Request.Header[:1:1], flow.NewField("Content-Encoding", "br, gzip"))
	shows(t, decoded, "body.json $.mail | mail | [gzip br] | jane@example.org")
}
