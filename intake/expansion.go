package intake

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// Data that expands more than this is refused once it passes the floor, in bytes: HAR
// files shrink to a tenth or a fiftieth, those of a polling app to a two-hundredth, and
// what comes near the 1,032 that deflate can reach is made to harm.
const (
	maxExpansion   = 500
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
		return 0, expansionError{}
	}
	return n, err
}

// expansionError says that data expands beyond reason.
type expansionError struct{}

func (expansionError) Error() string {
	return fmt.Sprintf("the compressed data expands more than %d times, as only an archive bomb does", maxExpansion)
}

// Hint says what to do with a capture that is none.
func (expansionError) Hint() string {
	return "if you know where it comes from, unpack it yourself: gunzip -c FILE | telltale check -"
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
