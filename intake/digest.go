package intake

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"os"
)

// A conveyor reads and hashes on a goroutine of its own, some chunks ahead of
// whoever reads from it: the parser then has a core for itself.
type conveyor struct {
	full  chan []byte // read and hashed, to be consumed; closed at the end
	free  chan []byte // consumed, to be used again
	stop  chan struct{}
	err   error // of the source; read it once full is closed
	hash  hash.Hash
	chunk []byte // what is being consumed
	rest  []byte // of chunk
}

// A conveyor holds this many chunks of this size, in bytes.
const (
	chunks    = 4
	chunkSize = 64 << 10
)

func newConveyor(r io.Reader) *conveyor {
	c := &conveyor{full: make(chan []byte, chunks), free: make(chan []byte, chunks), stop: make(chan struct{}), hash: sha256.New()}
	go c.run(r)
	return c
}

func (c *conveyor) run(r io.Reader) {
	defer close(c.full)
	for made := 0; c.err == nil; {
		var chunk []byte
		select {
		case chunk = <-c.free:
		default:
			if made < chunks {
				chunk = make([]byte, chunkSize)
				made++
				break
			}
			select {
			case chunk = <-c.free:
			case <-c.stop:
				return
			}
		}
		n := 0
		for n < len(chunk) && c.err == nil {
			var more int
			more, c.err = r.Read(chunk[n:])
			n += more
		}
		c.hash.Write(chunk[:n])
		c.full <- chunk[:n] // never blocks: there are no more chunks than places
	}
}

// Read hands out what was read ahead.
func (c *conveyor) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		if c.chunk != nil {
			c.free <- c.chunk[:cap(c.chunk)]
			c.chunk = nil
		}
		chunk, ok := <-c.full
		if !ok {
			return 0, c.err
		}
		c.chunk, c.rest = chunk, chunk
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// finish passes what nobody read, also of a file that broke off, and returns the
// digest of the whole in lower-case hexadecimal.
func (c *conveyor) finish() string {
	_, _ = io.Copy(io.Discard, c)
	return hex.EncodeToString(c.hash.Sum(nil))
}

// close ends the reading. The source is not used after it returns.
func (c *conveyor) close() {
	close(c.stop)
	for range c.full {
	}
}

func fileDigest(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, f); err != nil {
		return ""
	}
	return hex.EncodeToString(digest.Sum(nil))
}
