package proxy

import (
	"bytes"
	"compress/flate"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"telltale/flow"
)

// deflater compresses messages as the sender of a WebSocket does (RFC 7692, 7.2.1).
type deflater struct {
	takeover bool
	out      bytes.Buffer
	z        *flate.Writer
}

func (d *deflater) message(text string) string {
	d.out.Reset()
	if d.z == nil || !d.takeover {
		d.z, _ = flate.NewWriter(&d.out, flate.BestCompression)
	}
	d.z.Write([]byte(text))
	d.z.Flush()
	return strings.TrimSuffix(d.out.String(), "\x00\x00\xff\xff")
}

// inflated returns the frames that come of a stream of messages.
func inflated(in *inflater, limit int64, stream []byte) (frames []string) {
	r := &frameReader{fromClient: true, limit: limit, inflater: in, emit: func(f flow.Frame) {
		s := fmt.Sprintf("%d:%s", f.Size, f.Data)
		if f.Truncated {
			s += "…"
		}
		if f.Compressed {
			s = "raw"
		}
		frames = append(frames, s)
	}}
	r.feed(stream)
	r.close()
	return frames
}

func TestMessagesAreInflated(t *testing.T) {
	random := make([]byte, 100)
	for i := range random {
		random[i] = byte(i * i * 31)
	}
	for _, x := range []struct {
		name     string
		takeover bool
		limit    int64
		messages []string
		damage   int // message that is damaged; 0 for none
		want     []string
	}{
		{name: "alone", messages: []string{"hello"}, want: []string{"5:hello"}},
		{name: "empty", takeover: true, messages: []string{"a", "", "a"}, want: []string{"1:a", "0:", "1:a"}},
		{name: "window is kept", takeover: true, messages: []string{"a long text", "a long text", "a long text!"}, want: []string{"11:a long text", "11:a long text", "12:a long text!"}},
		{name: "window is not kept", messages: []string{"a long text", "a long text"}, want: []string{"11:a long text", "11:a long text"}},
		{name: "limit", takeover: true, limit: 4, messages: []string{"a long text", "a long text"}, want: []string{"11:a lo…", "11:a lo…"}},
		{name: "incompressible beyond the limit", takeover: true, limit: 4, messages: []string{string(random), "after"}, want: []string{"100:" + string(random[:4]) + "…", "5:afte…"}},
		{name: "damage", damage: 2, messages: []string{"one", "two", "three"}, want: []string{"3:one", "raw", "5:three"}},
		{name: "damage with a window", takeover: true, damage: 2, messages: []string{"one", "two", "three"}, want: []string{"3:one", "raw", "raw"}},
		{name: "too large", takeover: true, messages: []string{"one", strings.Repeat("x", 2000), "three"}, want: []string{"3:one", "raw", "raw"}},
		{name: "too large alone", messages: []string{strings.Repeat("x", 2000), "three"}, want: []string{"raw", "5:three"}},
	} {
		limit := x.limit
		if limit == 0 {
			limit = 1 << 20
		}
		d := deflater{takeover: x.takeover}
		var stream []byte
		for i, text := range x.messages {
			payload := d.message(text)
			if i+1 == x.damage {
				payload = "\xff" + payload
			}
			stream = append(stream, wire(0xc1, true, payload)...)
		}
		got := inflated(&inflater{takeover: x.takeover, most: 1000}, limit, stream)
		equal(t, x.name, got, x.want)
	}
}

func TestLongSessionIsInflated(t *testing.T) {
	d, in := deflater{takeover: true}, &inflater{takeover: true, most: maxInflated}
	for i := range 300 {
		// Of all sizes, some larger than the window, all alike in part.
		text := fmt.Sprint(strings.Repeat(fmt.Sprint("line ", i%7, " of many\n"), i*i%5000), i)
		data, size, ok := in.message([]byte(d.message(text)), 1<<20)
		if !ok || string(data) != text || size != int64(len(text)) {
			t.Fatalf("message %d: %v, %d bytes of %d", i, ok, len(data), len(text))
		}
		if cap(in.window) > 3*deflateWindow {
			t.Fatalf("message %d: a window of %d bytes", i, cap(in.window))
		}
	}
}

// TestHugeCompressedMessageIsKeptRaw: what was not held to its end cannot be undone, nor
// what refers to it.
func TestHugeCompressedMessageIsKeptRaw(t *testing.T) {
	random := make([]byte, maxDeflated+1)
	for i := range random {
		random[i] = byte(i * i >> 3)
	}
	d := deflater{takeover: true}
	stream := slices.Concat(wire(0xc1, true, string(random)), wire(0xc1, true, d.message("x")))
	equal(t, "frames", inflated(&inflater{takeover: true, most: maxInflated}, 10, stream), []string{"raw", "raw"})
	equal(t, "without a window", inflated(&inflater{most: maxInflated}, 10, stream), []string{"raw", "1:x"})
}

func TestNegotiatedCompression(t *testing.T) {
	for line, want := range map[string]string{
		"":                       "none",
		"x-webkit-deflate-frame": "none",
		"permessage-deflate":     "true true",
		"PERMESSAGE-DEFLATE; client_no_context_takeover":                                        "false true",
		"other; a=b, permessage-deflate; server_no_context_takeover; server_max_window_bits=10": "true false",
		"permessage-deflate; client_no_context_takeover; Server_No_Context_Takeover":            "false false",
	} {
		client, server := negotiated(http.Header{"Sec-Websocket-Extensions": {line}})
		got := "none"
		if client != nil {
			got = fmt.Sprint(client.takeover, " ", server.takeover)
		}
		equal(t, line, got, want)
	}
}

// FuzzInflate: whatever a message is, what is kept of it is within the limit, and what
// was compressed is read.
func FuzzInflate(f *testing.F) {
	f.Add([]byte("\xf2\x48"), "text", true)
	f.Add([]byte{}, strings.Repeat("again and ", 100), false)
	f.Fuzz(func(t *testing.T, bytes []byte, text string, takeover bool) {
		d, in := deflater{takeover: takeover}, &inflater{takeover: takeover, most: 1 << 20}
		for range 2 {
			if data, size, ok := in.message([]byte(d.message(text)), 1<<20); !ok || string(data) != text || size != int64(len(text)) {
				t.Errorf("%v: %q became %q", ok, text, data)
			}
		}
		if data, size, ok := in.message(bytes, 10); len(data) > 10 || ok && size < int64(len(data)) {
			t.Errorf("%d of %d bytes", len(data), size)
		}
	})
}
