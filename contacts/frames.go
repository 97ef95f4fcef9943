package contacts

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"telltale/flow"
)

// frame is one packet as a file has it.
type frame struct {
	data []byte   // the captured part, valid until the next one is read
	link uint32   // link type (draft-ietf-opsawg-pcaplinktype)
	time int64    // nanoseconds since 1970
	app  flow.App // of whom, where PCAPdroid says so
}

// frames reads packets one after the other. An error is io.EOF or an *Error behind
// which nothing can be read.
type frames interface {
	next(f *frame) error
	producer() string
}

// maxFrame is the longest packet, in bytes, that libpcap writes (MAXIMUM_SNAPLEN), and
// maxBlock the longest block of pcapng with one.
const (
	maxFrame = 256 << 10
	maxBlock = maxFrame + 64<<10
)

// window is a part of a file that can be looked at in one piece.
type window struct {
	r      *bufio.Reader
	passed int // bytes at the front that were handed out
}

func newWindow(r io.Reader) *window { return &window{r: bufio.NewReaderSize(r, 2*maxBlock)} }

// take returns the next n bytes, valid until the next call. At the end of the file the
// error is io.EOF where nothing is left, else io.ErrUnexpectedEOF.
func (w *window) take(n int) ([]byte, error) {
	if _, err := w.r.Discard(w.passed); err != nil {
		return nil, err
	}
	w.passed = 0
	b, err := w.r.Peek(n)
	switch {
	case err == nil:
		w.passed = n
		return b, nil
	case err == io.EOF && len(b) > 0:
		return nil, io.ErrUnexpectedEOF
	}
	return nil, err
}

// skip passes n bytes of any number.
func (w *window) skip(n int) error {
	if _, err := w.r.Discard(w.passed); err != nil {
		return err
	}
	w.passed = 0
	if _, err := w.r.Discard(n); err != nil {
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	return nil
}

// cut says that a file ends early, or that it cannot be read.
func cut(what string, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		return &Error{Message: "the file ends in the middle of " + what, hint: "stop the capture before you copy its file"}
	}
	return &Error{Message: "cannot read on", Err: err}
}

// classic reads libpcap's format (draft-ietf-opsawg-pcap).
type classic struct {
	w          *window
	order      binary.ByteOrder
	resolution int64 // nanoseconds of the time's fraction
	link       uint32
	apps       appNames
	extended   bool // PCAPdroid's trailers were seen
}

// classicMagic reads the magic number: in which order bytes are, and whether times have
// nanoseconds.
func classicMagic(head []byte) (order binary.ByteOrder, resolution int64, ok bool) {
	for _, order := range [...]binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch order.Uint32(head) {
		case 0xa1b2c3d4:
			return order, 1e3, true
		case 0xa1b23c4d:
			return order, 1, true
		}
	}
	return nil, 0, false
}

// newClassic reads the file's header.
func newClassic(w *window) (*classic, error) {
	head, err := w.take(24)
	if err != nil {
		return nil, cut("its header", err)
	}
	c := &classic{w: w}
	c.order, c.resolution, _ = classicMagic(head)
	if major := c.order.Uint16(head[4:]); major != 2 {
		return nil, &Error{Message: fmt.Sprintf("expected version 2 of libpcap's format, found version %d", major)}
	}
	c.link = c.order.Uint32(head[20:]) & 0xffff // above it stands the length of the checksum
	if !isKnownLink(c.link) {
		return nil, &Error{Message: "expected packets of " + knownLinks + fmt.Sprintf(", found link type %d", c.link), hint: linkHint}
	}
	return c, nil
}

func (c *classic) producer() string {
	if c.extended {
		return "PCAPdroid"
	}
	return ""
}

func (c *classic) next(f *frame) error {
	head, err := c.w.take(16)
	if err == io.EOF {
		return err
	}
	if err != nil {
		return cut("this packet", err)
	}
	seconds, part := c.order.Uint32(head), c.order.Uint32(head[4:])
	size := c.order.Uint32(head[8:])
	if size > maxFrame {
		return &Error{Message: fmt.Sprintf("expected a packet of at most %d bytes, found one of %d: the file is damaged", maxFrame, size)}
	}
	data, err := c.w.take(int(size))
	if err != nil {
		return cut("this packet", err)
	}
	*f = frame{data: data, link: c.link, time: int64(seconds)*1e9 + int64(part)*c.resolution}
	if c.link == linkEthernet {
		if app, ok := c.apps.trailer(data); ok {
			f.app, c.extended = app, true
		}
	}
	return nil
}

// trailerSize is the length of what PCAPdroid's "dump extensions" add behind each packet
// of libpcap's format: a magic number, the app's UID, 20 bytes with its name and a
// checksum, in network order; the packet itself gets an Ethernet header.
const (
	trailerSize  = 32
	trailerMagic = 0x01072021
)

// appNames remembers the names of apps.
type appNames struct {
	byName map[string]flow.App
	byUID  map[uint32]flow.App
}

// trailer reads PCAPdroid's trailer; false where a packet has none.
func (a *appNames) trailer(data []byte) (flow.App, bool) {
	if len(data) < 14+trailerSize {
		return flow.App{}, false
	}
	t := data[len(data)-trailerSize:]
	if binary.BigEndian.Uint32(t) != trailerMagic {
		return flow.App{}, false
	}
	if int32(binary.BigEndian.Uint32(t[4:])) < 0 {
		return flow.App{}, true // not known to PCAPdroid
	}
	name := t[8:28]
	if app, known := a.byName[string(name)]; known {
		return app, true
	}
	app := flow.App{Name: untilZero(name)}
	if a.byName == nil {
		a.byName = map[string]flow.App{}
	}
	if len(a.byName) < maxInterned {
		a.byName[string(name)] = app
	}
	return app, true
}
