package intake

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"time"

	"telltale/contacts"
	"telltale/flow"
	"telltale/har"
	"telltale/mitmproxy"
)

// The first bytes of what is not read as text.
var (
	// sqliteMagic starts every SQLite file, and so every capture of ours
	// (https://www.sqlite.org/fileformat.html, 1.3.1).
	sqliteMagic = []byte("SQLite format 3\x00")
	// zipMagic starts an archive with members, emptyZip one without
	// (APPNOTE 4.3.7 and 4.3.16).
	zipMagic  = []byte("PK\x03\x04")
	emptyZip  = []byte("PK\x05\x06")
	gzipMagic = []byte{0x1f, 0x8b} // RFC 1952, 2.3.1
)

// headSize is how much of a file is looked at to tell what it is.
const headSize = 512

// reading is the state of reading one input.
type reading struct {
	ctx     context.Context
	set     *Set
	opts    Options
	deliver func(*flow.Flow) error
	// settled says that the input must not change meanwhile. A capture of ours may,
	// and is read as it is at one moment.
	settled bool
	// expansion is that of all compressed data of the input.
	expansion expansion
	flows     int      // delivered so far of the capture that is being read
	modes     []string // of these
	span      span     // likewise
}

// span is the time from the first contact to the last.
type span struct{ first, last time.Time }

func (s *span) add(f *flow.Flow) {
	start, end := f.Times.Start, f.Times.End
	if !f.IsContact() || start.IsZero() {
		return
	}
	if s.first.IsZero() || start.Before(s.first) {
		s.first = start
	}
	for _, t := range []time.Time{start, end} {
		if t.After(s.last) {
			s.last = t
		}
	}
}

func (s *span) length() time.Duration { return s.last.Sub(s.first) }

// file reads one input of whatever kind.
func (r *reading) file(in input) []Info {
	if err := context.Cause(r.ctx); err != nil {
		return []Info{{File: in.name, Err: err}}
	}
	f, err := os.Open(in.path)
	if err != nil {
		return unreadable(in, err)
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return unreadable(in, err)
	}
	infos := r.open(in, f, before.Size())
	if r.settled && !in.kept && changed(in.path, before) {
		infos[0].Err = &ChangedError{File: in.name}
	}
	return infos
}

// open reads a file by what its first bytes are.
func (r *reading) open(in input, f *os.File, size int64) []Info {
	var head [headSize]byte
	n, err := f.ReadAt(head[:], 0)
	if err != nil && err != io.EOF {
		return unreadable(in, err)
	}
	start := head[:n]
	if bytes.HasPrefix(start, sqliteMagic) {
		return []Info{r.stored(in, size)}
	}
	r.settled = true
	if bytes.HasPrefix(start, zipMagic) || bytes.HasPrefix(start, emptyZip) {
		return r.archive(in, f, size)
	}
	counted := &countingReader{r: f, done: &r.set.done, packed: &r.expansion.packed}
	return []Info{r.stream(in.name, &interruptibleReader{r.ctx, counted}, beside(in))}
}

// unreadable says that the system does not let us read an input.
func unreadable(in input, err error) []Info {
	return []Info{{File: in.name, Err: fmt.Errorf("cannot read the capture: %w", named(err, in.name))}}
}

// changed reports whether the file at path is no longer what it was.
func changed(path string, before fs.FileInfo) bool {
	now, err := os.Stat(path)
	return err != nil || !os.SameFile(before, now) || now.Size() != before.Size() || !now.ModTime().Equal(before.ModTime())
}

// named puts the name that the user knows into an error of the system.
func named(err error, name string) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return &fs.PathError{Op: path.Op, Path: name, Err: path.Err}
	}
	return err
}

// attachments opens what a HAR keeps beside itself.
type attachments func(name string) (io.ReadCloser, error)

// stream reads a capture that is read from its start to its end, compressed with
// gzip or not.
func (r *reading) stream(name string, packed io.Reader, attached attachments) Info {
	belt := newConveyor(packed)
	defer belt.close()
	before := r.flows
	r.modes, r.span = nil, span{}
	info := r.unpack(name, belt, attached)
	info.Flows, info.Modes, info.Watched = r.flows-before, r.modes, r.span.length()
	if context.Cause(r.ctx) == nil {
		info.SHA256 = belt.finish()
	}
	return info
}

func (r *reading) unpack(name string, belt *conveyor, attached attachments) Info {
	b := bufio.NewReaderSize(belt, headSize)
	if head, _ := b.Peek(len(gzipMagic)); !bytes.Equal(head, gzipMagic) {
		return r.text(name, b, attached)
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return Info{File: name, Err: &har.Error{File: name, Message: "expected a gzip file, as its first bytes promise", Err: err}}
	}
	return r.text(name, bufio.NewReaderSize(r.expansion.limit(z), 64<<10), attached)
}

// text reads a HAR, a flow file of mitmproxy, a list of contacts or packets. An error of
// the reader reaches the Info as the format's own, with the place.
func (r *reading) text(name string, b *bufio.Reader, attached attachments) Info {
	head, _ := b.Peek(headSize)
	if bytes.HasPrefix(head, sqliteMagic) {
		return Info{File: name, Producer: "telltale", Err: &packedError{file: name, what: "a capture of telltale that is packed"}}
	}
	if mitmproxy.Recognise(head) {
		info, err := mitmproxy.Read(b, mitmproxy.Options{Name: name, Bodies: r.opts.contents()}, r.deliver)
		return Info{File: name, Entries: info.Entries, Producer: info.Producer, Skipped: info.Skipped, Notes: info.Notes, Err: err}
	}
	if contacts.Recognise(head) != contacts.Unknown {
		info, err := contacts.Read(b, contacts.Options{Name: name}, r.deliver)
		return Info{File: name, Entries: info.Entries, Producer: info.Producer, Skipped: info.Skipped, Notes: info.Notes, Err: err}
	}
	info, err := har.Read(b, har.Options{Name: name, Bodies: r.opts.Bodies, Sent: r.opts.contents(), Attached: attached}, r.deliver)
	return Info{
		File: name, Entries: info.Entries, Producer: info.Producer, Skipped: info.Skipped, Notes: info.Notes, LeftOut: info.LeftOut, Err: err,
		Experiments: experimentsOf(info),
	}
}

// A packedError says that a capture cannot be read as it is packed: SQLite needs a
// file, and archives are opened one level deep.
type packedError struct{ file, what string }

// Error names the file.
func (e *packedError) Error() string {
	return e.file + ": " + e.what + "; expected it as a file of its own"
}

// Hint says what to do.
func (e *packedError) Hint() string { return "unpack it first, with gunzip or unzip" }

// beside opens bodies that lie beside a HAR file, as Playwright writes them. The
// names come from the file: they reach nothing outside of its folder.
func beside(in input) attachments {
	if in.kept {
		return nil
	}
	return func(name string) (io.ReadCloser, error) {
		own := isOwnBody(name)
		if !own && !isAttachmentName(name) {
			return nil, fs.ErrNotExist
		}
		folder, err := os.OpenRoot(filepath.Dir(in.path))
		if err != nil {
			return nil, err
		}
		defer folder.Close()
		if !own {
			return folder.Open(filepath.FromSlash(name))
		}
		bodies, err := folder.OpenRoot(path.Dir(name)) // a link in it leads nowhere else
		if err != nil {
			return nil, err
		}
		defer bodies.Close()
		if info, err := bodies.Stat(path.Base(name)); err != nil || !info.Mode().IsRegular() { // what may never end
			return nil, errors.Join(fs.ErrInvalid, err)
		}
		return bodies.Open(path.Base(name))
	}
}

// attachmentName is what Playwright calls a body: its SHA-1 and an extension; and the
// messages of a WebSocket: an ID of theirs.
var attachmentName = regexp.MustCompile(`^([0-9a-f]{40}(\.[0-9a-z]+)?|[0-9a-f]{32}\.jsonl)$`)

// ownBody is what a report of ours calls a body that it keeps in a folder beside a HAR.
var ownBody = regexp.MustCompile(`^[^/]+(?i:\.har)\.bodies/[0-9a-f]{64}\.[a-z0-9]+$`)

func isOwnBody(name string) bool { return ownBody.MatchString(name) }

// isAttachmentName reports whether a name, perhaps in a folder, is one of these. In an
// open folder, a HAR is not to name whatever else lies there.
func isAttachmentName(name string) bool { return attachmentName.MatchString(path.Base(name)) }

// interruptibleReader ends the reading when ctx is done.
type interruptibleReader struct {
	ctx context.Context
	r   io.Reader
}

func (i *interruptibleReader) Read(p []byte) (int, error) {
	if err := context.Cause(i.ctx); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}

// countingReader counts what is read of a file.
type countingReader struct {
	r      io.Reader
	done   *atomic.Int64 // bytes, for who waits
	packed *atomic.Int64 // likewise, for the bound of expansion
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.done.Add(int64(n))
	c.packed.Add(int64(n))
	return n, err
}
