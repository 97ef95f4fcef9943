package app

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"

	"telltale/flow/plain"
)

// A zipSource is a file in a zip archive.
type zipSource struct {
	archive *io.SectionReader
	member  member
}

// open finds the data behind the local header. What the central directory says counts, as
// it does for Android; where the local header says otherwise, it is noted.
func (z zipSource) open(w *walker) (opened, error) {
	m := z.member
	data, notes, err := z.data()
	if err != nil {
		return opened{}, err
	}
	o := opened{size: m.size, packed: max(m.packed, 1), notes: notes}
	if m.flags&encryptedFlag == 0 && (m.method == stored || m.method == deflated) {
		z.as(&o, m.method, data)
		return o, nil
	}
	// Android looks neither at the flag nor at the method of what it installs, and those
	// who hide something know it. The checksum tells whether it is true.
	if o.size/w.limits.Ratio > o.packed && o.size > bombFrom {
		return o, nil // it will be refused
	}
	methods := []uint16{m.method}
	if m.method != stored && m.method != deflated {
		methods = []uint16{stored, deflated}
	}
	for _, method := range methods {
		try := o
		z.as(&try, method, data)
		if m.unchecked || !w.reads(try) {
			continue
		}
		if m.flags&encryptedFlag != 0 {
			try.notes = append(try.notes, "it is marked as encrypted and is not")
		}
		if m.method != method {
			try.notes = append(try.notes, fmt.Sprintf("its compression method %d does not exist; it is %s", m.method, map[uint16]string{stored: "stored", deflated: "deflated"}[method]))
		}
		return try, nil
	}
	if m.flags&encryptedFlag != 0 {
		return opened{}, errors.New("it is encrypted")
	}
	return opened{}, fmt.Errorf("its compression method %d is not known", m.method)
}

// as sets how the data is read by one method.
func (z zipSource) as(o *opened, method uint16, data *io.SectionReader) {
	m := z.member
	if method == stored {
		o.raw, o.size = data, data.Size()
		o.stream = func() (io.ReadCloser, error) {
			return newChecked(io.NopCloser(io.NewSectionReader(data, 0, data.Size())), m), nil
		}
		return
	}
	o.stream = func() (io.ReadCloser, error) { return newChecked(inflate(data), m), nil }
}

// data returns the bytes of the file in the archive.
func (z zipSource) data() (*io.SectionReader, []string, error) {
	m := z.member
	var header [localLength]byte
	if n, err := z.archive.ReadAt(header[:], m.header); n < localLength {
		return nil, nil, fmt.Errorf("its place in the archive (offset %d) cannot be read: %w", m.header, reason(err))
	}
	if string(header[:4]) != localSignature {
		return nil, nil, fmt.Errorf("the central directory says that it is at offset %d, where no file begins", m.header)
	}
	length := int64(binary.LittleEndian.Uint16(header[26:]))
	start := m.header + localLength + length + int64(binary.LittleEndian.Uint16(header[28:]))
	var notes []string
	name := make([]byte, length)
	if n, _ := z.archive.ReadAt(name, m.header+localLength); n == len(name) && string(name) != m.name {
		notes = append(notes, "its own header calls it "+display(string(name)))
	}
	if method := binary.LittleEndian.Uint16(header[8:]); method != m.method {
		notes = append(notes, fmt.Sprintf("its own header has compression method %d, the central directory %d", method, m.method))
	}
	if start+m.packed > z.archive.Size() || start < 0 {
		if start >= z.archive.Size() {
			return nil, nil, fmt.Errorf("its data would begin at offset %d, beyond the end of the archive (%d)", start, z.archive.Size())
		}
		// The checksum will fail and say so; what is there is visited.
		return io.NewSectionReader(z.archive, start, z.archive.Size()-start), notes, nil
	}
	return io.NewSectionReader(z.archive, start, m.packed), notes, nil
}

// reads reports whether all of a file can be read.
func (w *walker) reads(o opened) bool {
	r, err := o.stream()
	if err != nil {
		return false
	}
	defer r.Close()
	chunk := w.chunks.Get().(*[]byte)
	defer w.chunks.Put(chunk)
	for {
		if _, err := readFull(w.ctx, r, *chunk); err != nil {
			return err == io.EOF
		}
	}
}

// A checked reader reads a member, as far as it is to be long, and fails at its end where
// its length or its checksum is another.
type checked struct {
	io.ReadCloser
	m    member
	left int64
	crc  uint32
	err  error
}

func newChecked(r io.ReadCloser, m member) *checked {
	return &checked{ReadCloser: r, m: m, left: m.size}
}

func (c *checked) Read(b []byte) (int, error) {
	if c.err != nil || len(b) == 0 {
		return 0, c.err
	}
	if c.left == 0 {
		c.err = c.end()
		return 0, c.err
	}
	n, err := c.ReadCloser.Read(b[:min(int64(len(b)), c.left)])
	c.crc = crc32.Update(c.crc, crc32.IEEETable, b[:n])
	c.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		if c.left > 0 {
			c.err = fmt.Errorf("it is broken off: %d of its %d bytes are there", c.m.size-c.left, c.m.size)
		}
	case err != nil:
		c.err = fmt.Errorf("it cannot be unpacked beyond its byte %d: %w", c.m.size-c.left, err)
	}
	if n > 0 {
		return n, nil
	}
	return 0, c.err
}

// end says what is wrong with a file that was read as far as it is to be long.
func (c *checked) end() error {
	var more [1]byte
	if n, _ := io.ReadFull(c.ReadCloser, more[:]); n > 0 {
		return fmt.Errorf("it goes on beyond the %d bytes that the archive says it has", c.m.size)
	}
	if !c.m.unchecked && c.crc != c.m.crc {
		return fmt.Errorf("its checksum is %08x, and the archive says %08x", c.crc, c.m.crc)
	}
	return io.EOF
}

// inflaters are used again and again: each has a window and tables.
var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

// An inflating reader gives back to the pools what it took from them when it is closed.
type inflating struct {
	io.ReadCloser
	packed *bufio.Reader
}

func inflate(data *io.SectionReader) io.ReadCloser {
	packed := buffered.Get().(*bufio.Reader)
	packed.Reset(io.NewSectionReader(data, 0, data.Size()))
	r := inflaters.Get().(io.ReadCloser)
	_ = r.(flate.Resetter).Reset(packed, nil) // it has no error to return
	return &inflating{r, packed}
}

func (i *inflating) Close() error {
	if i.packed != nil {
		i.packed.Reset(nil)
		buffered.Put(i.packed)
		inflaters.Put(i.ReadCloser)
		i.packed, i.ReadCloser = nil, io.NopCloser(bytesAt(nil).reader())
	}
	return nil
}

// display is a name from an archive as errors may have it.
func display(name string) string {
	const longest = 200
	if len(name) > longest {
		name = name[:longest] + "…"
	}
	return plain.Text(name)
}
