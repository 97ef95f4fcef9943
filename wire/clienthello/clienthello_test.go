package clienthello

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"telltale/flow"
)

// helloBuilder makes ClientHellos that no library would send.
type helloBuilder struct {
	version    uint16
	ciphers    []uint16
	extensions []extension
	noExt      bool
}

type extension struct {
	id   uint16
	body []byte
}

func u16s(vs ...uint16) (b []byte) {
	for _, v := range vs {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

func vec(size int, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	if size == 1 {
		return append([]byte{byte(len(body))}, body...)
	}
	return append(u16s(uint16(len(body))), body...)
}

func sniExt(name string) extension {
	return extension{extServerName, vec(2, append([]byte{0}, vec(2, []byte(name))...))}
}

func alpnExt(names ...string) extension {
	var list []byte
	for _, n := range names {
		list = append(list, vec(1, []byte(n))...)
	}
	return extension{extALPN, vec(2, list)}
}

func (h helloBuilder) message() []byte {
	b := u16s(h.version)
	b = append(b, make([]byte, 32)...)
	b = append(b, vec(1)...)
	b = append(b, vec(2, u16s(h.ciphers...))...)
	b = append(b, vec(1, []byte{0})...)
	if !h.noExt {
		var all []byte
		for _, e := range h.extensions {
			all = append(append(all, u16s(e.id)...), vec(2, e.body)...)
		}
		b = append(b, vec(2, all)...)
	}
	return append([]byte{clientHelloType, byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))}, b...)
}

// records cuts a message into records of at most size bytes.
func records(msg []byte, size int) (b []byte) {
	for part := range slices.Chunk(msg, size) {
		b = append(append(b, recordHandshake, 3, 1), vec(2, part)...)
	}
	return b
}

// foxio is the ClientHello of the example in FoxIO's description of JA4
// (github.com/FoxIO-LLC/ja4, technical_details/JA4.md), with GREASE.
func foxio() helloBuilder {
	return helloBuilder{
		version: 0x0303,
		ciphers: []uint16{0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035},
		extensions: []extension{
			{0x4a4a, nil}, {0x001b, []byte{2, 0, 2}}, sniExt("example.test"), {0x0033, []byte{0, 0}}, alpnExt("h2", "http/1.1"),
			{0x4469, []byte{0, 3, 2, 'h', '2'}}, {0x0017, nil}, {0x002d, []byte{1, 1}},
			{0x000d, vec(2, u16s(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601))},
			{0x0005, []byte{1, 0, 0, 0, 0}}, {0x0023, nil}, {0x0012, nil}, {0x002b, vec(1, u16s(0x8a8a, 0x0304, 0x0303))},
			{0xff01, []byte{0}}, {0x000b, []byte{1, 0}}, {0x000a, vec(2, u16s(0x1a1a, 29))}, {0x0015, make([]byte, 10)}, {0xdada, []byte{0}},
		},
	}
}

func TestOverTLS(t *testing.T) {
	b := records(foxio().message(), 1<<14)
	got, state := OverTLS(append(b, "more"...))
	if state != Whole {
		t.Fatalf("state %d", state)
	}
	want := flow.ClientHello{
		ServerName: "example.test", ALPN: []string{"h2", "http/1.1"},
		Versions: []uint16{0x0304, 0x0303}, JA4: "t13d1516h2_8daaf6152771_e5627efa2ab1",
	}
	if got.ServerName != want.ServerName || !slices.Equal(got.ALPN, want.ALPN) || !slices.Equal(got.Versions, want.Versions) || got.JA4 != want.JA4 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The vectors are FoxIO's: the description's examples and rules.
func TestJA4(t *testing.T) {
	without := func(drop ...uint16) helloBuilder {
		h := foxio()
		h.extensions = slices.DeleteFunc(h.extensions, func(e extension) bool { return slices.Contains(drop, e.id) })
		return h
	}
	with := func(edit func(*helloBuilder)) helloBuilder {
		h := foxio()
		edit(&h)
		return h
	}
	setALPN := func(name string) helloBuilder {
		h := without(extALPN)
		h.extensions = append(h.extensions, alpnExt(name))
		return h
	}
	for _, tc := range []struct {
		name  string
		hello helloBuilder
		want  string
	}{
		{"the example", foxio(), "t13d1516h2_8daaf6152771_e5627efa2ab1"},
		{"another order", with(func(h *helloBuilder) { slices.Reverse(h.ciphers); slices.Reverse(h.extensions) }), "t13d1516h2_8daaf6152771_e5627efa2ab1"},
		{"no SNI", without(extServerName), "t13i1515h2_8daaf6152771_e5627efa2ab1"},
		{"no ALPN", without(extALPN), "t13d151500_8daaf6152771_e5627efa2ab1"},
		{"http/1.1 first", setALPN("http/1.1"), "t13d1516h1_8daaf6152771_e5627efa2ab1"},
		{"one character", setALPN("x"), "t13d1516xx_8daaf6152771_e5627efa2ab1"},
		{"ALPN 0xAB", setALPN("\xab"), "t13d1516ab_8daaf6152771_e5627efa2ab1"},
		{"ALPN 0xAB 0xCD", setALPN("\xab\xcd"), "t13d1516ad_8daaf6152771_e5627efa2ab1"},
		{"ALPN 0x30 0xAB", setALPN("\x30\xab"), "t13d15163b_8daaf6152771_e5627efa2ab1"},
		{"ALPN 0x30 0x31 0xAB 0xCD", setALPN("\x30\x31\xab\xcd"), "t13d15163d_8daaf6152771_e5627efa2ab1"},
		{"ALPN 0x30 0xAB 0xCD 0x31", setALPN("\x30\xab\xcd\x31"), "t13d151601_8daaf6152771_e5627efa2ab1"},
		{"TLS 1.2 by the old field", without(extVersions), "t12d1515h2_8daaf6152771_" + digestOf("0005,000a,000b,000d,0012,0015,0017,001b,0023,002d,0033,4469,ff01_0403,0804,0401,0503,0805,0501,0806,0601")},
		{"no cipher suites", with(func(h *helloBuilder) { h.ciphers = nil }), "t13d0016h2_000000000000_e5627efa2ab1"},
		{"no extensions", with(func(h *helloBuilder) { h.extensions, h.noExt = nil, true }), "t12i150000_8daaf6152771_000000000000"},
		{"SNI and ALPN alone", with(func(h *helloBuilder) { h.extensions = []extension{sniExt("a"), alpnExt("h2")} }), "t12d1502h2_8daaf6152771_000000000000"},
		{"SSL 3.0", with(func(h *helloBuilder) { h.version = 0x0300; h.extensions, h.noExt = nil, true }), "ts3i150000_8daaf6152771_000000000000"},
		{"an unknown version", with(func(h *helloBuilder) { h.version = 0x0505; h.extensions, h.noExt = nil, true }), "t00i150000_8daaf6152771_000000000000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, state := OverTLS(records(tc.hello.message(), 1<<14))
			if state != Whole || got.JA4 != tc.want {
				t.Errorf("state %d, %+v; want %s", state, got, tc.want)
			}
		})
	}
}

// "If there are no signature algorithms in the hello packet, then the string
// ends without an underscore", and its digest is given as 6d807ffa2a79.
func TestJA4WithoutSignatures(t *testing.T) {
	h := foxio()
	for i := range h.extensions {
		if h.extensions[i].id == extSignatures {
			h.extensions[i].body = vec(2)
		}
	}
	got, _ := OverTLS(records(h.message(), 1<<14))
	if want := "t13d1516h2_8daaf6152771_6d807ffa2a79"; got == nil || got.JA4 != want {
		t.Errorf("%+v, want %s", got, want)
	}
}

// More than ninety-nine of anything is written as 99.
func TestJA4Counts(t *testing.T) {
	h := foxio()
	for i := range uint16(200) {
		h.ciphers = append(h.ciphers, 0x5000+i)
		h.extensions = append(h.extensions, extension{0x6000 + i, nil})
	}
	got, _ := OverTLS(records(h.message(), 1<<14))
	if got == nil || !strings.HasPrefix(got.JA4, "t13d9999h2_") {
		t.Errorf("%+v", got)
	}
}

func digestOf(s string) string { return string(appendDigest(nil, []byte(s))) }

// A hello is read in however many records and segments it comes, and what has
// not come yet is waited for.
func TestOverTLSInPieces(t *testing.T) {
	msg := foxio().message()
	for _, size := range []int{1, 3, 4, 5, 100, len(msg) - 1, len(msg)} {
		b := records(msg, size)
		for i := range len(b) {
			if got, state := OverTLS(b[:i]); state != Partial {
				t.Fatalf("records of %d, %d of %d bytes: state %d, %+v", size, i, len(b), state, got)
			}
		}
		if got, state := OverTLS(b); state != Whole || got.ServerName != "example.test" {
			t.Errorf("records of %d: state %d, %+v", size, state, got)
		}
	}
}

func TestOverTLSRefuses(t *testing.T) {
	msg := foxio().message()
	good := records(msg, 1<<14)
	edit := func(at int, v ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], v)
		return b
	}
	for _, tc := range []struct {
		name string
		b    []byte
	}{
		{"another record", edit(0, 23)},
		{"another version", edit(1, 9)},
		{"an empty record", edit(3, 0, 0)},
		{"a record of 64 KiB", edit(3, 0xff, 0xff)},
		{"another message", edit(5, 2)},
		{"a message of 16 MiB", edit(6, 0xff, 0xff, 0xff)},
		{"a session of 255 bytes", edit(5+4+34, 255)},
		{"an odd list of ciphers", edit(5+4+34+1, 0, 3)},
		{"a second record of another type", append(records(msg[:50], 1<<14), 23, 3, 1, 0, 1, 0)},
		{"a short message", records([]byte{1, 0, 0, 3, 3, 3, 0}, 1<<14)},
	} {
		if got, state := OverTLS(tc.b); state != Broken {
			t.Errorf("%s: state %d, %+v", tc.name, state, got)
		}
	}
	for name, e := range map[string]extension{
		"a cut SNI":            {extServerName, []byte{0, 9, 0}},
		"an SNI list too long": {extServerName, []byte{0, 1, 0, 0, 0, 0}},
		"an empty ALPN name":   {extALPN, vec(2, []byte{0})},
		"a cut ALPN":           {extALPN, vec(2, []byte{9, 'h'})},
		"cut versions":         {extVersions, []byte{9}},
		"cut signatures":       {extSignatures, []byte{9, 9, 9}},
	} {
		h := helloBuilder{version: 0x0303, ciphers: []uint16{1}, extensions: []extension{e}}
		if got, state := OverTLS(records(h.message(), 1<<14)); state != Broken {
			t.Errorf("%s: state %d, %+v", name, state, got)
		}
	}
}

// helloOf returns what crypto/tls sends first.
func helloOf(tb testing.TB, cfg *tls.Config) []byte {
	tb.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		tls.Client(client, cfg).Handshake() //nolint:errcheck // it is cut off
		client.Close()
	}()
	header := make([]byte, 5)
	_, err := io.ReadFull(server, header)
	must(tb, err)
	body := make([]byte, binary.BigEndian.Uint16(header[3:]))
	_, err = io.ReadFull(server, body)
	must(tb, err)
	return append(header, body...)
}

// What is read is what crypto/tls sent, and what its server reads.
func TestOverTLSAgreesWithTLS(t *testing.T) {
	cfg := &tls.Config{ServerName: "agree.test", NextProtos: []string{"h2", "x"}, MinVersion: tls.VersionTLS12}
	b := helloOf(t, cfg)
	got, state := OverTLS(b)
	if state != Whole {
		t.Fatalf("state %d", state)
	}
	var info *tls.ClientHelloInfo
	tls.Server(&replayConn{r: bytes.NewReader(b)}, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		info = h
		return nil, io.EOF
	}}).Handshake() //nolint:errcheck // it is cut off
	if info == nil || got.ServerName != info.ServerName || !slices.Equal(got.ALPN, info.SupportedProtos) || !slices.Equal(got.Versions, info.SupportedVersions) {
		t.Errorf("got %+v, crypto/tls %+v", got, info)
	}
	var w hello
	msg, _ := helloMessage(b)
	if !w.parse(msg) || w.count != len(info.Extensions) || !slices.Equal(w.extensions[:w.count], info.Extensions) {
		t.Errorf("extensions %x, crypto/tls %x", w.extensions[:w.count], info.Extensions)
	}
}

// replayConn reads from r and swallows writes.
type replayConn struct {
	net.Conn
	r io.Reader
}

func (c *replayConn) Read(b []byte) (int, error)  { return c.r.Read(b) }
func (c *replayConn) Write(b []byte) (int, error) { return len(b), nil }
func (c *replayConn) Close() error                { return nil }

// OpenSSL's own trace of its ClientHello names the facts that we must find.
func TestHelloOfOpenSSL(t *testing.T) {
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl on this machine")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	cmd := exec.Command(path, "s_client", "-connect", l.Addr().String(), "-servername", "openssl.test", "-alpn", "http/1.1,h2")
	must(t, cmd.Start())
	defer cmd.Wait() //nolint:errcheck // it is cut off
	c, err := l.Accept()
	must(t, err)
	defer c.Close()
	var b []byte
	for buf := make([]byte, 4096); ; {
		n, err := c.Read(buf)
		must(t, err)
		b = append(b, buf[:n]...)
		hello, state := OverTLS(b)
		if state == Partial {
			continue
		}
		if state != Whole || hello.ServerName != "openssl.test" || !slices.Equal(hello.ALPN, []string{"http/1.1", "h2"}) || !strings.HasPrefix(hello.JA4, "t13d") || hello.JA4[8:10] != "h1" {
			t.Errorf("state %d, %+v", state, hello)
		}
		return
	}
}

func FuzzHello(f *testing.F) {
	msg := foxio().message()
	f.Add(records(msg, 1<<14))
	f.Add(records(msg, 50))
	f.Add(helloOf(f, &tls.Config{ServerName: "fuzz.test"}))
	old, err := hex.DecodeString("16030100050100000100")
	must(f, err)
	f.Add(old)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, state := OverTLS(b)
		if (got != nil) != (state == Whole) {
			t.Fatalf("state %d with %+v", state, got)
		}
		if state == Partial && len(b) > 4*MaxLength+5*MaxLength {
			t.Fatalf("still waiting after %d bytes", len(b))
		}
		if got == nil {
			return
		}
		if len(got.JA4) != 36 || got.JA4[10] != '_' || got.JA4[23] != '_' {
			t.Fatalf("fingerprint %q", got.JA4)
		}
		// What was whole stays so, whatever follows.
		again, state := OverTLS(append(bytes.Clone(b), 0, 1, 2))
		if state != Whole || again.JA4 != got.JA4 || again.ServerName != got.ServerName {
			t.Fatalf("with more bytes: state %d, %+v; was %+v", state, again, got)
		}
	})
}

func BenchmarkOverTLS(b *testing.B) {
	data := helloOf(b, &tls.Config{ServerName: "bench.test", NextProtos: []string{"h2", "http/1.1"}})
	b.ReportAllocs()
	for b.Loop() {
		if _, state := OverTLS(data); state != Whole {
			b.Fatal(state)
		}
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// QUIC carries the same message without records; the fingerprint says so.
func TestOverQUIC(t *testing.T) {
	msg := foxio().message()
	for i := range len(msg) {
		if got, state := OverQUIC(msg[:i]); state != Partial {
			t.Fatalf("%d of %d bytes: state %d, %+v", i, len(msg), state, got)
		}
	}
	got, state := OverQUIC(append(msg, "more"...))
	if state != Whole || got.JA4 != "q13d1516h2_8daaf6152771_e5627efa2ab1" || got.ServerName != "example.test" {
		t.Errorf("state %d, %+v", state, got)
	}
	for name, b := range map[string][]byte{
		"a record":            records(foxio().message(), 1<<14),
		"another message":     {2, 0, 0, 0},
		"a message of 16 MiB": {1, 0xff, 0xff, 0xff},
		"a short message":     {1, 0, 0, 3, 3, 3, 0},
	} {
		if got, state := OverQUIC(b); state != Broken {
			t.Errorf("%s: state %d, %+v", name, state, got)
		}
	}
}
