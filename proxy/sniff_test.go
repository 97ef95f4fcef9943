package proxy

import (
	"strings"
	"testing"
)

func TestSniff(t *testing.T) {
	for _, tc := range []struct {
		b    string
		want protocol
	}{
		{"", undecided},
		{"\x16", undecided},
		{"\x16\x03", tlsProto},
		{"\x16\x03\x01\x02\x00\x01", tlsProto},
		{"\x16\x02\x01", otherProto},
		{"\x15\x03\x01", otherProto},
		{"\x80\x2e\x01\x03\x01", otherProto}, // SSL 2.0's hello
		{"\x00\x00\x00", otherProto},
		{"\x10\x0c\x00\x04MQTT", otherProto},
		{"\x05\x01\x00", otherProto}, // SOCKS5
		{"GET ", http1Proto},
		{"GET", undecided},
		{"G", undecided},
		{"POST /", http1Proto},
		{"GET / HTTP/1.1\r\n", http1Proto},
		{"GET /\r\n", http1Proto}, // HTTP/0.9: to be refused as such
		{"GET / HTTP/1.1\rx\n", http1Proto},
		{"FOO / HTTP/1.1\r\nHost: h\r\n\r\n", http1Proto},
		{"FOO /", undecided},
		{"FOO /\r\n", otherProto},
		{"OPTIONS rtsp://h/ RTSP/1.0\r\n", otherProto},
		{"REGISTER sip:h SIP/2.0\r\n", otherProto},
		{"SSH-2.0-OpenSSH_9.6\r\n", otherProto},
		{"EHLO example.test\r\n", otherProto},
		{"NICK me\r\nUSER me\r\n", otherProto},
		{"<stream:stream>", otherProto},
		{"PR", undecided},
		{"PRI * HTTP/2.0\r\n\r\nSM", undecided},
		{http2Preface, http2Proto},
		{http2Preface + "\x00\x00\x00\x04", http2Proto},
		{"PRI * HTTP/2.0\r\n\r\nXX", http1Proto}, // to be refused for its version
		{"PROPFIND /", http1Proto},
		{strings.Repeat("A", 100), undecided},
		{strings.Repeat("A", maxHead+1), otherProto},
		{" GET / HTTP/1.1\r\n", otherProto},
	} {
		if got := sniff([]byte(tc.b)); got != tc.want {
			t.Errorf("%.40q: %d, want %d", tc.b, got, tc.want)
		}
	}
}

// A decision once taken is not changed by more bytes, or else what is sniffed
// would depend on how the bytes were cut.
func FuzzSniff(f *testing.F) {
	for _, msg := range good {
		f.Add([]byte(msg))
	}
	f.Add([]byte(http2Preface))
	f.Add([]byte("OPTIONS rtsp://h/ RTSP/1.0\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		decided := undecided
		for i := range min(len(b), 200) {
			got := sniff(b[:i])
			if decided != undecided && got == undecided {
				t.Fatalf("%q: %d, and undecided again at %d", b, decided, i)
			}
			decided = got
		}
	})
}

func TestParseTarget(t *testing.T) {
	long := strings.Repeat("a", 60) + "."
	for _, tc := range []struct {
		in, host, port string
		bad            *malformed
	}{
		{"example.test:443", "example.test", "443", nil},
		{"EXAMPLE.test.:1", "EXAMPLE.test.", "1", nil},
		{"a_b-c.test:65535", "a_b-c.test", "65535", nil},
		{"192.0.2.1:80", "192.0.2.1", "80", nil},
		{"[2001:db8::1]:443", "2001:db8::1", "443", nil},
		{"[::ffff:192.0.2.1]:443", "::ffff:192.0.2.1", "443", nil},
		{"bücher.test:443", "bücher.test", "443", nil},
		{strings.Repeat(long, 4) + "aaaaaaaaa:443", strings.Repeat(long, 4) + "aaaaaaaaa", "443", nil},
		{"", "", "", errTargetEmpty},
		{":443", "", "", errTargetEmpty},
		{"example.test", "", "", errTargetPort},
		{"example.test:", "", "", errTargetPort},
		{"example.test:0", "", "", errTargetPort},
		{"example.test:65536", "", "", errTargetPort},
		{"example.test:+443", "", "", errTargetPort},
		{"example.test:000443", "", "", errTargetPort},
		{"example.test:4x3", "", "", errTargetPort},
		{"[::1]", "", "", errTargetPort},
		{"2001:db8::1:443", "", "", errTargetHost},
		{"[::1:443", "", "", errTargetHost},
		{"[fe80::1%eth0]:443", "", "", errTargetHost},
		{"[192.0.2.1]:443", "", "", errTargetHost},
		{"[example.test]:443", "", "", errTargetHost},
		{"/path:443", "", "", errTargetHost},
		{"user@example.test:443", "", "", errTargetHost},
		{"http://example.test:443", "", "", errTargetHost},
		{"a..b:443", "", "", errTargetHost},
		{".:443", "", "", errTargetHost},
		{"a*:443", "", "", errTargetHost},
		{strings.Repeat("a", 300) + ":443", "", "", errTargetLong},
	} {
		host, port, bad := parseTarget(tc.in)
		if bad != tc.bad || bad == nil && (host != tc.host || port != tc.port) {
			t.Errorf("%.60q: %q %q %v; want %q %q %v", tc.in, host, port, bad, tc.host, tc.port, tc.bad)
		}
	}
}
