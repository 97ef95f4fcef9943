package exposure

import (
	"encoding/binary"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/flow/unwrap"
)

// placesOf returns where what a flow holds stands, in words.
func placesOf(f *flow.Flow) map[string]bool {
	told := map[string]bool{}
	unwrap.Values(f, func(v *unwrap.Value) bool { told[Place(v.Where(), v.Layers)] = true; return true })
	return told
}

// The words are those for the places that package unwrap names.
func TestPlacesOfUnwrap(t *testing.T) {
	typed := func(contentType, body string) *flow.Flow {
		return flowtest.Request("POST", "https://a.example/", flowtest.Header("Content-Type", contentType), flowtest.RequestBody(body))
	}
	message := "\x0a\x05hello"
	framed := string(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))) + message
	for _, c := range []struct {
		flow *flow.Flow
		want string
	}{
		{flowtest.Get("https://u@a.example/"), "in the user of the URL"},
		{flowtest.Get("https://a.example/"), "in the host of the URL"},
		{flowtest.Get("https://a.example/x"), "in the path of the URL"},
		{flowtest.Get("https://a.example/?x=1"), "in the URL, parameter x"},
		{flowtest.Get("https://a.example/?x=1"), "in the URL, in a name there"},
		{flowtest.Get("https://a.example/#x=1"), "in the fragment of the URL, parameter x"},
		{flowtest.Get("https://a.example/#x"), "in the fragment of the URL"},
		{flowtest.Get("https://a.example/", flowtest.Header("X-User", "1")), "in a header field, named X-User"},
		{flowtest.Get("https://a.example/", flowtest.Header("Cookie", "sid=1")), "in a cookie, named sid"},
		{flowtest.Get("https://a.example/", flowtest.Header("Cookie", "sid=1")), "in a cookie, in a name there"},
		{flowtest.Post("https://a.example/", `{"users":{"x@y.de":1}}`), "in the JSON of the request body, at $.users, in a name there"},
		{flowtest.Post("https://a.example/", `{"users":{"{\"a\":\"b\"}":1}}`), "in the JSON of the request body, at $.users, in a name there, at $.a, inside JSON in a string"},
		{typed("application/x-www-form-urlencoded", "mail=1"), "in the form of the request body, field mail"},
		{typed("application/x-www-form-urlencoded", "mail=1"), "in the form of the request body, in a name there"},
		{typed("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"mail\"\r\n\r\n1\r\n--x--"), "in the request body, part mail"},
		{typed("text/xml", "<a><b>c</b></a>"), "in the XML of the request body, at a/b"},
		{typed("text/html", "<!doctype html><p>c</p>"), "in the HTML of the request body, at p"},
		{typed("application/x-protobuf", message), "in the protobuf message of the request body, field 1"},
		{typed("", "<plist><dict><key>idfa</key><string>x</string></dict></plist>"), "in the XML of the request body, at plist/dict/idfa"},
		{typed("application/grpc", framed), "in gRPC message 1, at 1"},
		{typed("application/grpc-web", framed), "in gRPC-Web message 1, at 1"},
		{typed("application/connect+proto", framed), "in Connect message 1, at 1"},
		{typed("text/plain", "hello"), "in the request body"},
		{flowtest.WebSocket("wss://a.example/", []flow.Frame{flowtest.Text(true, 0, `{"mail":"x"}`)}), "in WebSocket message 1, at $.mail"},
		{flowtest.WebSocket("wss://a.example/", []flow.Frame{flowtest.Text(true, 0, `{"mail":"x"}`)}), "in WebSocket message 1, at $, in a name there"},
		{&flow.Flow{DNS: &flow.Question{Name: "a.example"}}, "in a name that DNS was asked for"},
		{&flow.Flow{Server: flow.Server{SNI: "a.example"}}, "in the server name of TLS"},
		{&flow.Flow{Server: flow.Server{Asked: "a.example:443"}}, "in the name of the server"},
		{typed("application/octet-stream", "bplist00\xd1\x01\x02SabcSdef\x08\x0b\x0f\x00\x00\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x13"), "in the property list of the request body"},
	} {
		told := placesOf(c.flow)
		found := false
		for place := range told {
			found = found || place == c.want || strings.HasPrefix(place, c.want+", at ") && strings.Contains(c.want, "property list")
			if strings.Contains(place, "(name)") || strings.Contains(place, "body.") || strings.HasPrefix(place, "in query") {
				t.Errorf("it says %q", place)
			}
		}
		if !found {
			t.Errorf("%q is not among %v", c.want, told)
		}
	}
}
