package app

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// unpackGzip adds the one file that is in it, or the files of that where it is a tar archive.
// Only the latter must be read at any place, and so lie somewhere unpacked.
func (w *walker) unpackGzip(j *job, raw *io.SectionReader, open *shelf) bool {
	r, err := gzip.NewReader(again(raw))
	if err != nil {
		w.fail(j, fmt.Errorf("it begins as gzip and cannot be unpacked: %w; its bytes were searched as they are", err))
		return false
	}
	head := make([]byte, headLength)
	n, _ := readFull(w.ctx, r, head) // what fails here fails again
	if sniff(head[:n], "", false) == tarFormat {
		return w.unpackTarball(j, raw)
	}
	size, err := w.gzipLength(j, raw)
	if err != nil {
		w.fail(j, fmt.Errorf("it cannot be unpacked to its end: %w", reason(err)))
	}
	if errors.Is(err, errCharged) {
		return true
	}
	if j.root {
		j.app.setKind("file (gzip)")
	}
	if c := w.child(j, unpackedName(j, r.Name), size, gzipSource{raw, size}, open); c != nil {
		w.queue.add(c)
	}
	return true
}

func (w *walker) unpackTarball(j *job, raw *io.SectionReader) bool {
	r, err := gzip.NewReader(again(raw))
	if err != nil {
		return false // it was read a moment ago
	}
	content, open, err := w.spool(&charged{r: r, w: w, j: j}, lastLength(raw))
	if open != nil {
		defer open.release()
	}
	switch {
	case errors.Is(err, errSpooled):
		w.fail(j, err)
		return true
	case err != nil:
		w.fail(j, fmt.Errorf("it cannot be unpacked to its end: %w", reason(err)))
	}
	if content == nil || errors.Is(err, errCharged) {
		return true
	}
	return w.unpackTar(j, content, open)
}

// gzipLength unpacks the file in a gzip to see how long it is, which gzip itself only says
// in 32 bits and of its last part. An error says why it ends there.
func (w *walker) gzipLength(j *job, raw *io.SectionReader) (int64, error) {
	r, err := gzip.NewReader(again(raw))
	if err != nil {
		return 0, err
	}
	chunk := w.chunks.Get().(*[]byte)
	defer w.chunks.Put(chunk)
	counted := &charged{r: r, w: w, j: j}
	for size := int64(0); ; {
		n, err := readFull(w.ctx, counted, *chunk)
		size += int64(n)
		if err == io.EOF {
			return size, nil
		}
		if err != nil {
			return size, err
		}
	}
}

// A gzipSource is the file in a gzip, as far as it can be unpacked.
type gzipSource struct {
	raw  *io.SectionReader
	size int64
}

func (g gzipSource) open(*walker) (opened, error) {
	return opened{size: g.size, stream: func() (io.ReadCloser, error) {
		r, err := gzip.NewReader(again(g.raw))
		if err != nil {
			return nil, err
		}
		return io.NopCloser(&upTo{r, g.size}), nil
	}}, nil
}

// An upTo reads what is left, and ends there in order: what is wrong behind it was said when
// its length was found.
type upTo struct {
	r    io.Reader
	left int64
}

func (u *upTo) Read(b []byte) (int, error) {
	if u.left <= 0 {
		return 0, io.EOF
	}
	n, err := u.r.Read(b[:min(int64(len(b)), u.left)])
	u.left -= int64(n)
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// again reads bytes from their start, whoever else reads them.
func again(raw *io.SectionReader) io.Reader { return io.NewSectionReader(raw, 0, raw.Size()) }

// unpackedName is the name of what is in a gzip file: what it says, else its own without the ending.
func unpackedName(j *job, says string) string {
	if says != "" {
		return says
	}
	name := path.Base(j.path)
	return strings.TrimSuffix(name, path.Ext(name))
}

// lastLength is how long gzip says that its content is (RFC 1952, 2.3.1: ISIZE), and
// no more than deflate could make of it.
func lastLength(raw *io.SectionReader) int64 {
	var b [4]byte
	if n, _ := raw.ReadAt(b[:], raw.Size()-4); n < len(b) {
		return 0
	}
	return min(int64(b[0])|int64(b[1])<<8|int64(b[2])<<16|int64(b[3])<<24, raw.Size()*1032)
}

// A charged reader counts what is unpacked while it is.
type charged struct {
	r io.Reader
	w *walker
	j *job
}

func (c *charged) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	if over := c.w.chargeBytes(c.j, int64(n)); over != nil {
		return 0, over
	}
	return n, err
}
