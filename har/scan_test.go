package har

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json/jsontext"
)

// scanAll reads one whole value and returns its strings and scalars in order.
func scanAll(s *scanner) ([]string, error) {
	var out []string
	var value func() error
	value = func() error {
		switch s.kind() {
		case kindObject:
			out = append(out, "{")
			return s.object(func(name []byte) error {
				out = append(out, string(name)+":")
				return value()
			})
		case kindArray:
			out = append(out, "[")
			return s.array(value)
		case kindString:
			text, size, err := s.str(1 << 20)
			if err == nil && int64(len(text)) != size {
				return errors.New("size and text differ")
			}
			out = append(out, string(text))
			return err
		}
		text, err := s.scalar()
		out = append(out, string(text))
		return err
	}
	if err := value(); err != nil {
		return nil, err
	}
	return out, s.end()
}

// oracle does the same with jsontext.
func oracle(data []byte) ([]string, error) {
	d := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	var out []string
	for {
		token, err := d.ReadToken()
		if err == io.EOF && len(out) > 0 {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		kind, length := d.StackIndex(d.StackDepth())
		switch token.Kind() {
		case '}', ']':
			continue
		case '{', '[':
			if d.StackDepth() == 1 && len(out) > 0 {
				return nil, errors.New("a second value")
			}
			out = append(out, token.Kind().String())
			continue
		}
		if d.StackDepth() == 0 && len(out) > 0 {
			return nil, errors.New("a second value")
		}
		text := token.String()
		if kind == '{' && length%2 == 1 {
			text = text[:min(len(text), maxName)] + ":"
		}
		out = append(out, text)
	}
}

// same compares, leaving out what the two are meant to read differently: bytes
// behind surrogates and invalid UTF-8.
func same(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && strings.ToValidUTF8(a[i], "") == a[i] && !strings.Contains(b[i], "\ufffd") {
			return false
		}
	}
	return true
}

// pieces reads n bytes at a time, so that the window moves within values.
type pieces struct {
	rest []byte
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:min(p.n, len(p.rest))])
	p.rest = p.rest[n:]
	return n, nil
}

func FuzzScanner(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `{"a":1,"a":[true,false,null]}`, ` [ 1 , -0.5e+10 , 0 ] `, `"\u00e9\ud83d\ude00\udc80\ud800"`, `"\u00E9\/\b\f\n\r\t\\\""`,
		`{"a":}`, `[1,]`, `[,1]`, `{,}`, `{"a" 1}`, `01`, `1.`, `.5`, `1e`, `-`, `+1`, `nul`, `truex`, `NaN`, `"\x"`, `"\u12"`, "\"\n\"", "\"\xff\"",
		`[[[[]]]]`, `1 2`, `{} x`, `{"a":1 "b":2}`, `"`, `{"`, ``, ` `, `[1 2]`, `"\ud83d\u0041"`, `"\ud83d\ud83d\ude00"`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Count(data, []byte("[")) > 1000 { // both have their own limit of depth
			return
		}
		want, wantErr := oracle(data)
		got, gotErr := scanAll(newScanner(bytes.NewReader(data), 0))
		if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("%q: jsontext says %v, the scanner %v", data, wantErr, gotErr)
		}
		if wantErr == nil && !same(got, want) {
			t.Fatalf("%q:\n got %q\nwant %q", data, got, want)
		}
		// The answer does not depend on how the input arrives.
		for _, r := range []io.Reader{iotest.OneByteReader(bytes.NewReader(data)), &pieces{data, 7}, &pieces{data, 13}} {
			again, err := scanAll(newScanner(r, 0))
			if (err == nil) != (gotErr == nil) || err == nil && !slices.Equal(again, got) {
				t.Fatalf("%q in pieces: %q, %v", data, again, err)
			}
			if gotErr != nil && err.Error() != gotErr.Error() {
				t.Fatalf("%q: two errors: %v; %v", data, gotErr, err)
			}
		}
		skipper := newScanner(bytes.NewReader(data), 0)
		if err := errors.Join(skipper.skip(), skipper.end()); (err == nil) != (gotErr == nil) {
			t.Fatalf("%q: skip says %v, reading %v", data, err, gotErr)
		}
	})
}

// TestPlainRunIsThatOfTheTable compares the search by words with one by bytes, with
// each byte at each place.
func TestPlainRunIsThatOfTheTable(t *testing.T) {
	for length := range 26 {
		for at := range length {
			for c := range 256 {
				for _, fill := range []byte{'a', 0x80, 0xff, ' ', '!', '#', '[', ']'} {
					b := bytes.Repeat([]byte{fill}, length)
					b[at] = byte(c)
					want := length
					if !plain[c] {
						want = at
					}
					if got := plainRun(b); got != want {
						t.Fatalf("%q: %d plain bytes, want %d", b, got, want)
					}
				}
			}
		}
	}
}
