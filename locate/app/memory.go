package app

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
)

const (
	// nestedShare is the part of Limits.Held that is for archives in archives: one in four.
	nestedShare = 4
	// nestedInMemory is how long a packed archive may be that is unpacked in memory.
	nestedInMemory = 8 * mib
	// grain is what lengths of buffers are rounded up to.
	grain = 64 << 10
)

// A memory hands out buffers, and never has more bytes of them than its limit, those that
// wait to be used again included.
type memory struct {
	mu    sync.Mutex
	freed sync.Cond
	limit int64
	total int64    // of all buffers
	idle  [][]byte // by capacity, the smallest first
}

func newMemory(limit int64) *memory {
	m := &memory{limit: limit}
	m.freed.L = &m.mu
	return m
}

// get returns a buffer of n bytes, which are whatever they were, and waits for it. It
// returns nil when ctx is done; n must not be over the limit. Who waits must hold no
// buffer of the same memory.
func (m *memory) get(ctx context.Context, n int64) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		if ctx.Err() != nil {
			return nil
		}
		if b := m.find(n); b != nil {
			return b
		}
		m.freed.Wait()
	}
}

// try is get for those who can do without: it does not wait.
func (m *memory) try(n int64) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.find(n)
}

func (m *memory) find(n int64) []byte {
	for i, b := range m.idle {
		if int64(cap(b)) >= n {
			m.idle = slices.Delete(m.idle, i, i+1)
			return b[:n]
		}
	}
	size := min((n+grain)/grain*grain, max(m.limit, n))
	for len(m.idle) > 0 && m.total+size > m.limit {
		m.total -= int64(cap(m.idle[0]))
		m.idle = slices.Delete(m.idle, 0, 1)
	}
	if m.total+size > m.limit {
		return nil
	}
	m.total += size
	return make([]byte, n, size)
}

func (m *memory) put(b []byte) {
	m.mu.Lock()
	at, _ := slices.BinarySearchFunc(m.idle, cap(b), func(idle []byte, c int) int { return cap(idle) - c })
	m.idle = slices.Insert(m.idle, at, b)
	m.mu.Unlock()
	m.freed.Broadcast()
}

// A shelf keeps open what files are read from, until the last of them is done.
type shelf struct {
	mu    sync.Mutex
	refs  int
	close func()
}

// newShelf returns a shelf that its maker holds.
func newShelf(closes func()) *shelf { return &shelf{refs: 1, close: closes} }

func (s *shelf) hold() *shelf {
	if s != nil {
		s.mu.Lock()
		s.refs++
		s.mu.Unlock()
	}
	return s
}

func (s *shelf) release() {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.refs--
	last := s.refs == 0
	s.mu.Unlock()
	if last {
		s.close()
	}
}

// spool unpacks an archive that is packed itself, so that it can be read at any place: in
// memory where it is small and there is room, else in a temporary file. Hint is how long it
// probably is. Where r fails, what came until then is returned along with the error.
func (w *walker) spool(r io.Reader, hint int64) (*io.SectionReader, *shelf, error) {
	var start []byte
	if 0 < hint && hint <= min(nestedInMemory, w.nested.limit) {
		// One byte more shows that the hint was too low.
		start = w.nested.try(hint + 1)
	}
	n, err := readFull(w.ctx, r, start)
	if start != nil && n < len(start) {
		if err == io.EOF {
			err = nil
		}
		b := start
		return section(bytesAt(b[:n]), int64(n)), newShelf(func() { w.nested.put(b) }), err
	}
	if start != nil {
		defer w.nested.put(start)
	}
	return w.spoolToFile(start, r)
}

// errSpooled says that an archive was given up, since it would take too much of the disk.
var errSpooled = errors.New("not searched: it is packed so that it must be unpacked to be read, and no more may be written to temporary files; unpack the app yourself, and name the folder")

// mayWrite counts what goes to temporary files. What is refused is not written.
func (w *walker) mayWrite(n int) bool {
	if w.wrote.Add(int64(n)) <= w.limits.Spooled {
		return true
	}
	w.wrote.Add(-int64(n))
	return false
}

func (w *walker) spoolToFile(start []byte, r io.Reader) (*io.SectionReader, *shelf, error) {
	f, err := os.CreateTemp("", "telltale-*") // mode 0600
	if err != nil {
		return nil, nil, err
	}
	// Without a name it is gone even if the program is killed. Windows keeps the name
	// until the file is closed.
	unnamed := os.Remove(f.Name()) == nil
	done := newShelf(func() {
		_ = f.Close() // it was only read since
		if !unnamed {
			_ = os.Remove(f.Name()) // the system's own cleaning is the last resort
		}
	})
	if !w.mayWrite(len(start)) {
		return nil, done, errSpooled
	}
	n, err := f.Write(start)
	size := int64(n)
	if err == nil {
		chunk := w.chunks.Get().(*[]byte)
		defer w.chunks.Put(chunk)
		for err == nil {
			n, err = readFull(w.ctx, r, *chunk)
			if !w.mayWrite(n) {
				return nil, done, errSpooled
			}
			m, writing := f.Write((*chunk)[:n])
			size += int64(m)
			if writing != nil {
				err = writing
			}
		}
	}
	if err == io.EOF {
		err = nil
	}
	return section(f, size), done, err
}

// bytesAt is memory that can be read as a file.
type bytesAt []byte

// ReadAt follows io.ReaderAt.
func (b bytesAt) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 || at >= int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (b bytesAt) reader() io.Reader { return section(b, int64(len(b))) }

func section(r io.ReaderAt, size int64) *io.SectionReader { return io.NewSectionReader(r, 0, size) }

// readFull reads until b is full, which is no error, or r ends, which is io.EOF, and looks
// at ctx now and then.
func readFull(ctx context.Context, r io.Reader, b []byte) (n int, err error) {
	for n < len(b) {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		m, err := r.Read(b[n:min(len(b), n+mib)])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
