package intake

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// Data that expands more than this is refused once it passes the floor, in bytes: HAR
// files shrink to a tenth or a fiftieth, and what goes beyond is made to harm.
const (
	maxExpansion   = 200
	expansionFloor = 16 << 20
)

// expansion bounds how far the compressed data of one input expands, through all layers
// together: what lies unpacked is compared with the bytes that were really read of
// the file, not with what an archive says of itself.
type expansion struct {
	packed   atomic.Int64 // bytes read of the file
	unpacked atomic.Int64 // bytes that came out of every layer
}

// limit returns what r unpacks, as far as it may go.
func (e *expansion) limit(r io.Reader) io.Reader { return &expansionLimit{r, e} }

type expansionLimit struct {
	r   io.Reader
	sum *expansion
}

func (l *expansionLimit) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	all := l.sum.unpacked.Add(int64(n))
	if all > expansionFloor && all/maxExpansion > l.sum.packed.Load() {
		return 0, fmt.Errorf("the compressed data expands more than %d times, as only an archive bomb does", maxExpansion)
	}
	return n, err
}

// packedFile counts what is read of an archive.
type packedFile struct {
	*os.File
	sum *expansion
}

// ReadAt reads as the file does.
func (p *packedFile) ReadAt(b []byte, offset int64) (int, error) {
	n, err := p.File.ReadAt(b, offset)
	p.sum.packed.Add(int64(n))
	return n, err
}
