// Package content undoes the content codings of HTTP messages (RFC 9110, 8.4).
//
// It knows gzip, deflate, br, zstd and any stack of them. It promises that the
// output never exceeds the given limit, however small the input is, and that
// damaged input gives everything up to the damage together with an error: half a
// body is evidence too. It never changes what was forwarded; callers decode the
// recorded copy only.
//
// It does not undo transfer codings (the proxy does) and knows no dictionaries
// (dcb, dcz) and no LZW (compress). The error names the coding of the stack that
// failed; feed the bytes to "gzip -dc", "brotli -dc" or "zstd -dc" to compare.
package content

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// Errors that Decode wraps.
var (
	// ErrUnsupported means that a coding is not known or the stack is too deep.
	ErrUnsupported = errors.New("unsupported content coding")
	// ErrTooLarge means that the output was cut at the limit.
	ErrTooLarge = errors.New("decoded content exceeds the limit")
)

// maxStack bounds how many codings may be stacked. Real servers stack two.
const maxStack = 4

// zstdWindow is the largest window that a decoder has to accept (RFC 9659, 3).
const zstdWindow = 8 << 20

// Decode undoes the codings of a Content-Encoding value, which lists them in the
// order in which they were applied (RFC 9110, 8.4). It returns at most limit
// bytes. When it fails it returns what could be decoded along with the error,
// which wraps [ErrUnsupported] or [ErrTooLarge] where one applies. Empty data is
// empty whatever the coding says, as in answers to HEAD. When there is nothing to
// undo, the result is data itself, not a copy.
func Decode(encoding string, data []byte, limit int64) ([]byte, error) {
	codings := Codings(encoding)
	if len(codings) > maxStack {
		return nil, fmt.Errorf("%d codings in %.80q: %w", len(codings), encoding, ErrUnsupported)
	}
	if len(data) == 0 {
		return data, nil
	}
	if len(codings) == 0 {
		if int64(len(data)) > limit {
			return data[:max(limit, 0)], ErrTooLarge
		}
		return data, nil
	}
	var r io.Reader = bytes.NewReader(data)
	for i := len(codings) - 1; i >= 0; i-- {
		layer, err := open(codings[i], r)
		if err != nil {
			return nil, err
		}
		defer layer.close()
		// A stage between two may be a little larger than the content, never
		// a bomb of its own.
		bound := limit
		if i > 0 {
			bound += limit/8 + 64<<10
		}
		r = &stage{r: layer, coding: codings[i], left: max(bound, 0)}
	}
	var out bytes.Buffer
	_, err := out.ReadFrom(r)
	return out.Bytes(), err
}

// Codings splits a Content-Encoding value into its codings in lower case, in the
// order in which they were applied, without identity.
func Codings(encoding string) []string {
	var codings []string
	for c := range strings.SplitSeq(encoding, ",") {
		c = strings.ToLower(strings.TrimSpace(c))
		if c != "" && c != "identity" {
			codings = append(codings, c)
		}
	}
	return codings
}

// layer is one decoder and what releases it.
type layer struct {
	io.Reader
	close func()
}

func open(coding string, r io.Reader) (layer, error) {
	nothing := func() {}
	switch coding {
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return layer{}, failure(coding, err)
		}
		return layer{z, nothing}, nil
	case "deflate":
		z, err := openDeflate(r)
		if err != nil {
			return layer{}, failure(coding, err)
		}
		return layer{z, nothing}, nil
	case "br":
		return layer{brotli.NewReader(r), nothing}, nil
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return layer{}, failure(coding, err)
		}
		return layer{z, z.Close}, nil
	}
	return layer{}, fmt.Errorf("%.40q: %w", coding, ErrUnsupported)
}

// openDeflate tells zlib, which the standard means by deflate, from the raw
// DEFLATE that some servers send instead (RFC 9110, 8.4.1.2).
func openDeflate(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	head, _ := b.Peek(2) // shorter input fails in the decoder, with a better error
	if len(head) == 2 && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		return zlib.NewReader(b)
	}
	return flate.NewReader(b), nil
}

// stage bounds the output of one coding and names it in errors.
type stage struct {
	r      io.Reader
	coding string
	left   int64
}

func (s *stage) Read(p []byte) (int, error) {
	if s.left == 0 {
		// Only a further byte makes the content too large.
		var one [1]byte
		n, err := io.ReadFull(s.r, one[:])
		if n > 0 {
			return 0, ErrTooLarge
		}
		return 0, failure(s.coding, err)
	}
	if int64(len(p)) > s.left {
		p = p[:s.left]
	}
	n, err := s.r.Read(p)
	s.left -= int64(n)
	return n, failure(s.coding, err)
}

// failure names the coding in an error. The end is none, and what a stage below
// has named stays as it is.
func failure(coding string, err error) error {
	var named *codingError
	switch {
	case err == nil, err == io.EOF:
		return err
	case errors.Is(err, ErrTooLarge), errors.As(err, &named):
		return err
	}
	return &codingError{coding, err}
}

type codingError struct {
	coding string
	err    error
}

func (e *codingError) Error() string { return "decode " + e.coding + ": " + e.err.Error() }
func (e *codingError) Unwrap() error { return e.err }
