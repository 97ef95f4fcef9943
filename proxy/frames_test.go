package proxy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"telltale/flow"
)

// wire writes a frame as RFC 6455, 5.2 has it. b0 is the first byte.
func wire(b0 byte, fromClient bool, payload string) []byte {
	b := []byte{b0}
	m := byte(0)
	if fromClient {
		m = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, m|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, m|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, m|127), uint64(n))
	}
	if !fromClient {
		return append(b, payload...)
	}
	key := []byte{1, 2, 3, 250}
	b = append(b, key...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return b
}

// readFrames feeds a stream in pieces and returns what it says.
func readFrames(fromClient bool, limit int64, pieces ...[]byte) (frames []string, r *frameReader) {
	r = &frameReader{fromClient: fromClient, limit: limit, emit: func(f flow.Frame) {
		s := fmt.Sprintf("%d:%d:%s", f.Opcode, f.Size, f.Data)
		if f.Truncated {
			s += "…"
		}
		if f.Compressed {
			s += "z"
		}
		if f.FromClient != fromClient || f.Time.IsZero() {
			s += "?"
		}
		frames = append(frames, s)
	}}
	for _, p := range pieces {
		r.feed(p)
	}
	r.close()
	return frames, r
}

func TestFramesAreRead(t *testing.T) {
	long, huge := strings.Repeat("l", 300), strings.Repeat("h", 70_000)
	for _, x := range []struct {
		name  string
		b0    []byte
		text  []string
		limit int64
		want  []string
	}{
		{name: "text", b0: []byte{0x81}, text: []string{"hello"}, want: []string{"1:5:hello"}},
		{name: "empty", b0: []byte{0x82}, text: []string{""}, want: []string{"2:0:"}},
		{name: "fragments with a ping between", b0: []byte{0x01, 0x89, 0x00, 0x80}, text: []string{"a", "p", "b", "c"}, want: []string{"9:1:p", "1:3:abc"}},
		{name: "pong and close", b0: []byte{0x8a, 0x88}, text: []string{"", "\x03\xe8bye"}, want: []string{"10:0:", "8:5:\x03\xe8bye"}},
		{name: "16-bit length", b0: []byte{0x81}, text: []string{long}, want: []string{"1:300:" + long}},
		{name: "64-bit length", b0: []byte{0x82}, text: []string{huge}, want: []string{"2:70000:" + huge}},
		{name: "limit", b0: []byte{0x01, 0x80}, text: []string{"abc", "defg"}, limit: 5, want: []string{"1:7:abcde…"}},
		{name: "compressed", b0: []byte{0xc1}, text: []string{"\xf2\x48"}, want: []string{"1:2:\xf2\x48z"}},
	} {
		for _, fromClient := range []bool{true, false} {
			var stream []byte
			for i, b0 := range x.b0 {
				stream = append(stream, wire(b0, fromClient, x.text[i])...)
			}
			limit := x.limit
			if limit == 0 {
				limit = 1 << 20
			}
			for _, size := range []int{1, 3, len(stream)} {
				got, r := readFrames(fromClient, limit, slices.Collect(slices.Chunk(stream, size))...)
				equal(t, fmt.Sprint(x.name, fromClient, size), got, x.want)
				if r.err != nil {
					t.Errorf("%s: %v", x.name, r.err)
				}
			}
		}
	}
}

func TestFramesThatAreNone(t *testing.T) {
	good := wire(0x81, true, "good")
	for name, bad := range map[string][]byte{
		"reserved bit":           wire(0x91, true, "x"),
		"reserved opcode":        wire(0x83, true, "x"),
		"reserved control":       wire(0x8b, true, "x"),
		"not masked":             wire(0x81, false, "x"),
		"continuation of none":   wire(0x80, true, "x"),
		"message in a message":   append(wire(0x01, true, "x"), wire(0x81, true, "y")...),
		"long control":           wire(0x89, true, strings.Repeat("x", 126)),
		"fragmented control":     wire(0x09, true, "x"),
		"negative length":        {0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4},
		"the stream ends inside": wire(0x81, true, "xyz")[:7],
		"the head ends inside":   {0x81},
	} {
		got, r := readFrames(true, 100, good, bad, good)
		if name == "the stream ends inside" || name == "the head ends inside" {
			got, r = readFrames(true, 100, good, bad)
		}
		if len(got) == 0 || got[0] != "1:4:good" {
			t.Errorf("%s: the good frame is lost: %q", name, got)
		}
		if r.trouble() == "" {
			t.Errorf("%s: taken for frames: %q", name, got)
		}
	}
	got, _ := readFrames(true, 100, wire(0x81, true, "xyz")[:7])
	equal(t, "what came of a message", got, []string{"1:1:x…"})
}

// FuzzFrames: however a stream is cut, the same frames come of it, and no more
// bytes than went in.
func FuzzFrames(f *testing.F) {
	f.Add(slices.Concat(wire(0x01, true, "a"), wire(0x89, true, "p"), wire(0x80, true, "b"), wire(0x88, true, "")), true, uint8(3))
	f.Add(slices.Concat(wire(0x82, false, strings.Repeat("x", 300)), wire(0xc1, false, "z")), false, uint8(1))
	f.Add([]byte{0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, true, uint8(2))
	f.Fuzz(func(t *testing.T, stream []byte, fromClient bool, size uint8) {
		before := bytes.Clone(stream)
		whole, r := readFrames(fromClient, 64, stream)
		cut, s := readFrames(fromClient, 64, slices.Collect(slices.Chunk(stream, int(size)+1))...)
		if fmt.Sprint(whole) != fmt.Sprint(cut) || r.trouble() != s.trouble() {
			t.Errorf("whole %q %q, cut %q %q", whole, r.trouble(), cut, s.trouble())
		}
		if !bytes.Equal(before, stream) {
			t.Error("what is forwarded was changed")
		}
		total := 0
		for _, line := range whole {
			var op, n int
			fmt.Sscanf(line, "%d:%d:", &op, &n)
			total += n
		}
		if total > len(stream) {
			t.Errorf("%d bytes of content in a stream of %d", total, len(stream))
		}
	})
}
