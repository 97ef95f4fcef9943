package proxy

import (
	"bytes"
	"io"
	"net/http"
)

// original is the content of a message while a [Modifier] has it. What is read of it is
// kept until the modifier is done, since the content may be sent all the same; closing it
// waits until then, too.
type original struct {
	src  io.ReadCloser
	done bool // the modifier has returned, and its reads are not kept any more
	kept []byte
	used bool // something was read
	over bool // to the end, or to an error
	err  error
}

func (c *original) Read(p []byte) (int, error) {
	c.used = true
	if c.done {
		return c.rest(p)
	}
	if c.over {
		return 0, c.err
	}
	n, err := c.src.Read(p)
	c.kept = append(c.kept, p[:n]...)
	if err != nil {
		c.over, c.err = true, err
	}
	return n, err
}

// rest gives out what was kept, and what follows it.
func (c *original) rest(p []byte) (int, error) {
	if len(c.kept) > 0 {
		n := copy(p, c.kept)
		if c.kept = c.kept[n:]; len(c.kept) == 0 {
			c.kept = nil
		}
		return n, nil
	}
	if c.over {
		return 0, c.err
	}
	return c.src.Read(p)
}

// Close closes the content, once the modifier is done.
func (c *original) Close() error {
	if !c.done {
		return nil
	}
	return c.src.Close()
}

// touched reports whether somebody has read of it.
func (c *original) touched() bool { return c.used }

// rewind makes it give out from now on what it gave to the modifier, and what follows.
func (c *original) rewind() { c.done = true }

// begin makes it give out from now on what the modifier has not read.
func (c *original) begin() { c.done, c.kept = true, nil }

// replacement is the content that is sent in the place of the one that came.
type replacement struct {
	io.ReadCloser
	first   []byte // read of it already
	err     error  // that came behind first
	whole   []byte // all of it, where that is known; nil otherwise
	same    bool   // it is what came
	derived bool   // it is made of what came, which is read in its course
	over    func() // called at its end; may be nil
}

func (r *replacement) Read(p []byte) (int, error) {
	if len(r.first) > 0 {
		n := copy(p, r.first)
		r.first = r.first[n:]
		return n, nil
	}
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.ReadCloser.Read(p)
	if err != nil && r.over != nil {
		r.over()
	}
	return n, err
}

// again returns content that is known.
func again(whole []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(whole)) }

// peeked is how much of new content is looked at.
const peeked = 4 << 10

// replaced looks at content that a modifier put in the place of c, and returns it with its
// length, -1 where that is not known. The message said old before, and says declared now;
// line is what its header says if that was changed, too, or else -1.
func replaced(body io.ReadCloser, c *original, declared, old, line int64) (*replacement, int64) {
	if body == nil || body == http.NoBody {
		return &replacement{ReadCloser: http.NoBody, whole: []byte{}}, 0
	}
	r := &replacement{ReadCloser: body}
	before := c.used
	c.begin() // what wraps it reads on
	c.used = false
	buf := make([]byte, peeked)
	n := 0
	for n == 0 && r.err == nil {
		n, r.err = body.Read(buf)
	}
	r.first = buf[:n:n]
	if n < len(buf) && r.err == nil && !c.used { // what is in memory tells its end at once
		var m int
		m, r.err = body.Read(buf[n:])
		n += m
		r.first = buf[:n:n]
	}
	r.derived = c.used
	c.used = c.used || before
	switch length := int64(n); {
	case r.err == io.EOF:
		r.whole = r.first
		return r, length
	case declared != old && declared >= length && declared > 0:
		return r, declared
	case line >= length:
		return r, line
	}
	return r, -1
}
