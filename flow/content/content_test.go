package content_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"telltale/flow/content"
)

const noLimit = 1 << 30

// encoders write each coding; raw is DEFLATE without the zlib wrapper.
var encoders = map[string]func(io.Writer) io.WriteCloser{
	"gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"zlib": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"raw":  func(w io.Writer) io.WriteCloser { z, _ := flate.NewWriter(w, 5); return z },
	"br":   func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
	"zstd": func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
}

func encode(t testing.TB, how string, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := encoders[how](&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// prose is text of n bytes that compresses about as web pages do.
func prose(n int) []byte {
	words := strings.Fields("the app asks a server whether a phone was near another one and a third party hears of it")
	random := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString(words[random.IntN(len(words))])
		b.WriteByte(' ')
	}
	return b.Bytes()[:n]
}

func TestDecodeEachCoding(t *testing.T) {
	want := prose(100_000)
	tests := []struct {
		encoding string
		data     []byte
	}{
		{"", want},
		{"identity", want},
		{" Identity , ", want},
		{"gzip", encode(t, "gzip", want)},
		{"X-GZIP", encode(t, "gzip", want)},
		{"gzip", append(encode(t, "gzip", want[:5000]), encode(t, "gzip", want[5000:])...)}, // two members
		{"deflate", encode(t, "zlib", want)},
		{"deflate", encode(t, "raw", want)},
		{"br", encode(t, "br", want)},
		{"zstd", encode(t, "zstd", want)},
		{"zstd", append(encode(t, "zstd", want[:5000]), encode(t, "zstd", want[5000:])...)}, // two frames
		{"gzip, br", encode(t, "br", encode(t, "gzip", want))},
		{"br,identity,gzip", encode(t, "gzip", encode(t, "br", want))},
		{"gzip, gzip, deflate, zstd", encode(t, "zstd", encode(t, "zlib", encode(t, "gzip", encode(t, "gzip", want))))},
	}
	for _, tt := range tests {
		t.Run(tt.encoding, func(t *testing.T) {
			got, err := content.Decode(tt.encoding, tt.data, noLimit)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %d bytes, error %v", len(got), err)
			}
			// A limit that the content just meets is no reason to complain.
			if got, err := content.Decode(tt.encoding, tt.data, int64(len(want))); err != nil || len(got) != len(want) {
				t.Errorf("limit of the exact size: %d bytes, error %v", len(got), err)
			}
		})
	}
}

func TestEmptyContentIsEmptyInEveryCoding(t *testing.T) {
	for _, encoding := range []string{"", "gzip", "deflate", "br", "zstd", "nonsense"} {
		if got, err := content.Decode(encoding, nil, noLimit); err != nil || len(got) != 0 {
			t.Errorf("%q: %d bytes, error %v", encoding, len(got), err)
		}
	}
}

func TestTruncatedInputGivesItsStart(t *testing.T) {
	want := prose(400_000)
	for how, encoding := range map[string]string{"gzip": "gzip", "zlib": "deflate", "raw": "deflate", "br": "br", "zstd": "zstd"} {
		t.Run(how, func(t *testing.T) {
			data := encode(t, how, want)
			got, err := content.Decode(encoding, data[:len(data)*3/4], noLimit)
			if err == nil || !strings.Contains(err.Error(), "decode "+encoding) {
				t.Errorf("error %v does not name the coding", err)
			}
			if len(got) < len(want)/4 || !bytes.HasPrefix(want, got) {
				t.Errorf("got %d of %d bytes", len(got), len(want))
			}
		})
	}
}

func TestDamagedInputIsAnError(t *testing.T) {
	tests := []struct{ name, encoding, data, want string }{
		{"plain text labelled gzip", "gzip", "<!doctype html>", "decode gzip"},
		{"plain text labelled deflate", "deflate", "<!doctype html>", "decode deflate"},
		{"plain text labelled br", "br", "<!doctype html>", "decode br"},
		{"plain text labelled zstd", "zstd", "<!doctype html>", "decode zstd"},
		{"one byte of deflate", "deflate", "\x78", "decode deflate"},
		{"inner layer", "br, gzip", string(encode(t, "gzip", []byte("<!doctype html>"))), "decode br"},
		{"outer layer", "gzip, br", "<!doctype html>", "decode br"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := content.Decode(tt.encoding, []byte(tt.data), noLimit); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestChecksumIsVerified(t *testing.T) {
	want := prose(1000)
	data := encode(t, "gzip", want)
	data[len(data)-6] ^= 1 // in the CRC
	got, err := content.Decode("gzip", data, noLimit)
	if err == nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, error %v", len(got), err)
	}
}

func TestUnsupported(t *testing.T) {
	for _, encoding := range []string{"compress", "dcz", "gzip, aws-chunked", "gzip;q=1", "gzip,gzip,gzip,gzip,gzip"} {
		if got, err := content.Decode(encoding, []byte("x"), noLimit); !errors.Is(err, content.ErrUnsupported) || got != nil {
			t.Errorf("%q: %q, error %v", encoding, got, err)
		}
	}
}

func TestBombsStopAtTheLimit(t *testing.T) {
	zeros := make([]byte, 8<<20)
	const limit = 1 << 18
	tests := []struct {
		encoding string
		data     []byte
	}{
		{"gzip", encode(t, "gzip", zeros)},
		{"deflate", encode(t, "zlib", zeros)},
		{"br", encode(t, "br", zeros)},
		{"zstd", encode(t, "zstd", zeros)},
		{"gzip, gzip", encode(t, "gzip", encode(t, "gzip", zeros))},
	}
	for _, tt := range tests {
		t.Run(tt.encoding, func(t *testing.T) {
			got, err := content.Decode(tt.encoding, tt.data, limit)
			if !errors.Is(err, content.ErrTooLarge) || len(got) != limit {
				t.Errorf("got %d bytes, error %v", len(got), err)
			}
			if cap(got) > 4*limit {
				t.Errorf("%d bytes were set aside for %d", cap(got), limit)
			}
		})
	}
}

// A stage between two is bounded too: it could grow without the content growing.
func TestBombBetweenTwoCodings(t *testing.T) {
	empty := encode(t, "gzip", nil)
	data := encode(t, "gzip", bytes.Repeat(empty, 10<<20/len(empty)))
	got, err := content.Decode("gzip, gzip", data, 1<<20)
	if !errors.Is(err, content.ErrTooLarge) || len(got) != 0 {
		t.Errorf("got %d bytes, error %v", len(got), err)
	}
}

func TestIdentityIsBoundedToo(t *testing.T) {
	for _, limit := range []int64{-1, 0, 3} {
		got, err := content.Decode("", []byte("hello"), limit)
		if !errors.Is(err, content.ErrTooLarge) || string(got) != "hello"[:max(limit, 0)] {
			t.Errorf("limit %d: %q, error %v", limit, got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	text := prose(300)
	for _, encoding := range []string{"gzip", "deflate", "br", "zstd", "gzip, br", "identity"} {
		for how := range encoders {
			f.Add(encoding, encode(f, how, text))
		}
	}
	f.Fuzz(func(t *testing.T, encoding string, data []byte) {
		const limit = 4096
		got, err := content.Decode(encoding, data, limit)
		if len(got) > limit {
			t.Fatalf("%d bytes of %d", len(got), limit)
		}
		again, err2 := content.Decode(encoding, data, limit)
		if !bytes.Equal(got, again) || (err == nil) != (err2 == nil) {
			t.Errorf("two answers: %d bytes, %v; %d bytes, %v", len(got), err, len(again), err2)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	text := prose(1 << 20)
	for how, encoding := range map[string]string{"gzip": "gzip", "br": "br", "zstd": "zstd"} {
		data := encode(b, how, text)
		b.Run(encoding, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := content.Decode(encoding, data, noLimit); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
