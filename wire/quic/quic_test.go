package quic

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"

	"telltale/wire/clienthello"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	must(tb, err)
	return b
}

func fromFile(tb testing.TB, name string) []byte {
	tb.Helper()
	text, err := os.ReadFile("testdata/" + name)
	must(tb, err)
	return unhex(tb, string(text))
}

// The keys are those of RFC 9001, A.1, and RFC 9369, A.1.
func TestClientKeys(t *testing.T) {
	dcid := unhex(t, "8394c8f03e515708")
	for _, tc := range []struct {
		version     Version
		key, iv, hp string
	}{
		{V1, "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2"},
		{V2, "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9"},
	} {
		s := tc.version.scheme()
		k := s.clientKeys(dcid)
		if got := hex.EncodeToString(k.iv[:]); got != tc.iv {
			t.Errorf("%s: iv %s", tc.version, got)
		}
		for _, c := range []struct{ label, want string }{{"key", tc.key}, {"hp", tc.hp}} {
			if got := hex.EncodeToString(expand(clientSecret(t, s, dcid), s.prefix+" "+c.label, 16)); got != c.want {
				t.Errorf("%s: %s %s, want %s", tc.version, c.label, got, c.want)
			}
		}
	}
}

// The packets are the clients' Initials of RFC 9001, A.2, and RFC 9369, A.2.
func TestSampleInitials(t *testing.T) {
	for _, tc := range []struct {
		file, name string
		version    Version
	}{{"rfc9001-a2.hex", "QUIC v1", V1}, {"rfc9369-a2.hex", "QUIC v2", V2}} {
		datagram := fromFile(t, tc.file)
		before := bytes.Clone(datagram)
		var o Opening
		if state := o.Add(datagram); state != clienthello.Whole {
			t.Fatalf("%s: state %d", tc.file, state)
		}
		if o.Version != tc.version || o.Version.String() != tc.name || hex.EncodeToString(o.DCID) != "8394c8f03e515708" || len(o.SCID) != 0 {
			t.Errorf("%s: %s, %x to %x", tc.file, o.Version, o.SCID, o.DCID)
		}
		if o.Hello.ServerName != "example.com" || !slices.Equal(o.Hello.Versions, []uint16{0x0304}) || !strings.HasPrefix(o.Hello.JA4, "q13d02") {
			t.Errorf("%s: %+v", tc.file, o.Hello)
		}
		if !bytes.Equal(datagram, before) {
			t.Errorf("%s: the datagram was changed", tc.file)
		}
	}
}

func TestVersionNames(t *testing.T) {
	for v, want := range map[Version]string{
		1: "QUIC v1", 0x6b3343cf: "QUIC v2", 0xff00001d: "QUIC draft-29", 0xff000022: "QUIC draft-34",
		0x51303433: "gQUIC Q043", 0x54303531: "gQUIC T051", 0x1a2a3a4a: "QUIC version 0x1a2a3a4a", 0xff0000ff: "QUIC version 0xff0000ff",
	} {
		if got := v.String(); got != want {
			t.Errorf("%08x: %q, want %q", uint32(v), got, want)
		}
	}
}

// header is a long header with an ID of n bytes.
func header(first byte, v Version, n int, more ...byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{first}, uint32(v))
	b = append(b, byte(n))
	b = append(b, bytes.Repeat([]byte{0xcd}, n)...)
	return append(b, more...)
}

func TestRecognise(t *testing.T) {
	pad := make([]byte, minDatagram)
	for _, tc := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"v1", header(0xc0, V1, 8, 0, 0), true},
		{"v1 without the fixed bit", append(header(0x80, V1, 8, 0), pad...), true},
		{"a short one without the fixed bit", header(0x80, V1, 8, 0, 0), false},
		{"an unknown version", append(header(0xc0, 0x12345678, 8, 0), pad...), true},
		{"a reserved version", append(header(0xc0, 0x1a2a3a4a, 8, 0), pad...), true},
		{"a short unknown version", header(0xc0, 0x12345678, 8, 0, 0), false},
		{"an unknown version with a short ID", append(header(0xc0, 0x12345678, 4, 0), pad...), false},
		{"an ID of 21 bytes", header(0xc0, V1, 21, 0, 0), false},
		{"version negotiation", append(header(0xc0, 0, 8, 0), pad...), false},
		{"a cut ID", header(0xc0, V1, 8)[:10], false},
		{"a header and no more", header(0xc0, V1, 8, 0), false},
		{"Q043", append([]byte{0x0d, 1, 2, 3, 4, 5, 6, 7, 8}, "Q043\x01"...), true},
		{"Q046", append([]byte{0xc3}, "Q046\x50........"...), true},
		{"STUN", append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, pad...), false},
		{"DTLS", append([]byte{22, 254, 253}, pad...), false},
		{"NTP", append([]byte{0xe3, 0, 6, 0xec}, make([]byte, 44)...), false},
		{"media over RTP", append([]byte{0x80, 0x60, 1, 2, 3, 8}, pad...), false},
		{"a short header", append([]byte{0x40}, pad...), false},
		{"nothing", nil, false},
	} {
		if _, got := Recognise(tc.b); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

// A refusal has the IDs the other way round, no version that the client speaks, and is
// no longer than what it answers.
func TestRefusal(t *testing.T) {
	h := Header{Version: V1, DCID: []byte{1, 2, 3}, SCID: []byte{4, 5}}
	want := []byte{0xc0, 0, 0, 0, 0, 2, 4, 5, 3, 1, 2, 3, 0x0a, 0x0a, 0x0a, 0x0a}
	if got := h.Refusal(); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	h.Version = 0x0a0a0a0a
	if got := h.Refusal(); !Version(binary.BigEndian.Uint32(got[12:])).isReserved() || bytes.HasSuffix(got, want[12:]) {
		t.Errorf("to a reserved version: %x", got)
	}
	google, _ := Recognise(append([]byte{0xc3}, "Q046\x50........"...))
	if got := google.Refusal(); got != nil {
		t.Errorf("to gQUIC: %x", got)
	}
}
