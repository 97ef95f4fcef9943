package proxy

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"telltale/flow"
)

// Sizes of buffers. Most bodies are small, and ten thousand streams may be open:
// a copy starts with a small buffer and takes a large one when the first is full.
const (
	smallBuffer = 4 << 10
	largeBuffer = 32 << 10
	// maxEager is how much is set aside on the word of a Content-Length.
	maxEager = 64 << 10
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
	// growing holds buffers for kept content of unknown length.
	growing = sync.Pool{New: func() any { return new([]byte) }}
)

// body is a message's content as it is recorded: counted whole, kept up to a limit.
type body struct {
	limit  int64
	expect int64 // Content-Length; negative when unknown
	size   int64
	kept   []byte
	lent   *[]byte // the pooled buffer that kept began in
}

func (b *body) add(p []byte) {
	room := b.limit - int64(len(b.kept))
	b.size += int64(len(p))
	if room <= 0 || len(p) == 0 {
		return
	}
	if b.kept == nil {
		if b.expect > 0 {
			b.kept = make([]byte, 0, min(b.expect, b.limit, maxEager))
		} else {
			b.lent = growing.Get().(*[]byte)
			b.kept = (*b.lent)[:0]
		}
	}
	b.kept = append(b.kept, p[:min(int64(len(p)), room)]...)
}

// shorten forgets what is beyond so many bytes.
func (b *body) shorten(size int64) {
	b.size = min(b.size, size)
	b.kept = b.kept[:min(int64(len(b.kept)), b.size)]
}

// facts returns what is recorded. The body is not added to any more.
func (b *body) facts() flow.Body {
	content := b.kept
	if b.lent != nil {
		content = append(make([]byte, 0, len(b.kept)), b.kept...)
		if cap(b.kept) <= maxEager {
			*b.lent = b.kept[:0]
			growing.Put(b.lent)
		}
		b.lent = nil
	} else if cap(content)-len(content) > len(content)/4 {
		content = append(make([]byte, 0, len(content)), content...)
	}
	b.kept = nil
	if len(content) == 0 {
		content = nil
	}
	return flow.Body{Size: b.size, Content: content, Truncated: b.size > int64(len(content))}
}

// upload is the request's body on its way to the server. http.Transport reads it
// on goroutines of its own, also after it has returned an answer and after the
// flow was sealed, hence the lock.
type upload struct {
	src  io.ReadCloser
	slow *slowing

	mu     sync.Mutex
	body   body
	sealed bool
	read   bool      // Read was called
	eof    bool      // it was read to its end
	ended  time.Time // when
	err    error     // other than io.EOF
}

func (u *upload) Read(p []byte) (int, error) {
	u.mu.Lock()
	u.read = true
	u.mu.Unlock()
	n, err := u.src.Read(p)
	if n > 0 && u.slow != nil {
		u.slow.came()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sealed {
		return n, err
	}
	u.body.add(p[:n])
	switch {
	case err == io.EOF:
		u.eof, u.ended = true, time.Now()
	case err != nil:
		u.err = err
	}
	return n, err
}

// Close does nothing: http.Server closes the request's body when its handler
// has returned. Until then the body can be sent again if nothing was read of it.
func (u *upload) Close() error { return nil }

// errSent is met when a connection turned out to be dead and the content meant for
// it is gone, too.
var errSent = fmt.Errorf("the connection broke while the content was sent: %w", io.EOF)

// again is the request's GetBody: http.Transport asks for it when a pooled
// connection turned out to be dead before anything was written to it.
func (u *upload) again() (io.ReadCloser, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case !u.read:
		return u, nil
	case u.eof && !u.sealed && u.body.size == int64(len(u.body.kept)):
		return io.NopCloser(bytes.NewReader(bytes.Clone(u.body.kept))), nil
	}
	return nil, errSent
}

// seal ends the recording and returns what was recorded, and whether it is all.
func (u *upload) seal() (flow.Body, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sealed = true
	return u.body.facts(), u.eof
}

// sent returns when the body's end was read, and the client's error if it was not.
func (u *upload) sent() (time.Time, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.ended, u.err
}

// download is the response's body on its way to the client. goproxy copies it
// with io.Copy, which calls WriteTo, on the handler's goroutine.
type download struct {
	src      io.ReadCloser
	to       *shim
	body     body
	readErr  error // of the server; io.EOF is none
	writeErr error // of the client
}

// Read is for modifiers that replace the body; what they read is recorded.
func (d *download) Read(p []byte) (int, error) {
	n, err := d.src.Read(p)
	d.body.add(p[:n])
	if err != nil && err != io.EOF {
		d.readErr = err
	}
	return n, err
}

// Close closes the server's side.
func (d *download) Close() error { return d.src.Close() }

// WriteTo forwards the body as it arrives.
func (d *download) WriteTo(w io.Writer) (written int64, err error) {
	buf := smallBuffers.Get().(*[smallBuffer]byte)[:]
	if d.body.expect > smallBuffer {
		buf = larger(buf)
	}
	defer func() { giveBack(buf) }()
	stream := d.body.expect < 0
	for {
		if !stream || written == 0 {
			d.to.wait()
		}
		n, err := d.Read(buf)
		d.to.came()
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				d.writeErr = err
				return written, err
			}
			written += int64(n)
			if stream && err == nil {
				d.to.Flush()
			}
		}
		switch {
		case err == io.EOF:
			return written, nil
		case err != nil:
			return written, err
		}
		if n == len(buf) && n == smallBuffer {
			buf = larger(buf)
		}
	}
}

// larger exchanges a small buffer for a large one.
func larger(buf []byte) []byte {
	giveBack(buf)
	return largeBuffers.Get().(*[largeBuffer]byte)[:]
}

func giveBack(buf []byte) {
	if len(buf) == largeBuffer {
		largeBuffers.Put((*[largeBuffer]byte)(buf))
	} else {
		smallBuffers.Put((*[smallBuffer]byte)(buf))
	}
}
