package har

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"unicode"
)

// maxAttached bounds what one call of Read reads from the files beside a HAR: a
// small archive can unpack to any size, and any number of entries can name it.
const maxAttached = 4 << 30

// maxAttachedName is more than a file system allows for a name.
const maxAttachedName = 1024

// isAttachedName reports whether a name stays in the folder of the HAR. Playwright
// writes the SHA-1 of the content with an extension, with a folder before it where
// it was told to keep the files in one of their own.
func isAttachedName(name string) bool {
	return len(name) <= maxAttachedName && name != "." && fs.ValidPath(name) && filepath.IsLocal(name) &&
		!strings.ContainsAny(name, `\:`) && strings.IndexFunc(name, unicode.IsControl) < 0
}

// openAttached opens a file beside the HAR, nil when that is not possible or nobody wants it.
// failed is the note on one that cannot be opened.
func (d *reader) openAttached(name string, wanted bool, failed int) io.ReadCloser {
	switch {
	case !wanted || name == "":
		return nil
	case d.opts.Attached == nil:
		d.note(noteAttachedUnread)
		return nil
	case !isAttachedName(name):
		d.note(noteAttachedName)
		return nil
	}
	f, err := d.opts.Attached(name)
	if err != nil || f == nil {
		d.note(failed)
		return nil
	}
	return f
}

// attach reads the content of a body from the file beside the HAR. It reports
// false when there is none, and the entry's own text counts.
func (d *reader) attach(b *bodyDraft) bool {
	if b.present && b.size > 0 {
		return false
	}
	failed := noteAttachedFailed
	if b.expires {
		failed = noteAttachedExpired
	}
	f := d.openAttached(b.attached, d.kept(b), failed)
	if f == nil {
		return false
	}
	defer func() { _ = f.Close() }()
	all := &io.LimitedReader{R: f, N: d.attachable}
	kept := bytes.NewBuffer(b.text[:0])
	sum := sha256.New()
	whole := io.TeeReader(all, sum)
	_, err := kept.ReadFrom(io.LimitReader(whole, d.limit(b)))
	if err == nil {
		_, err = io.Copy(io.Discard, whole) // to know its size and its digest
	}
	b.text, b.size = kept.Bytes(), d.attachable-all.N
	d.attachable = all.N
	switch {
	case err != nil || all.N == 0:
		d.note(noteAttachedFailed)
		b.size = max(b.size, b.declared)
	case b.digest != "" && !strings.EqualFold(b.digest, hex.EncodeToString(sum.Sum(nil))):
		d.note(noteAttachedChanged) // what it holds now was not sent
		b.text, b.size = b.text[:0], max(b.declared, 0)
	}
	return true
}

// attachFrames reads the messages of a WebSocket that Playwright keeps in a file
// beside the HAR, one JSON object after the other, named where the response's
// content would be.
func (d *reader) attachFrames() {
	b := &d.draft.response.body
	f := d.openAttached(b.attached, d.opts.Bodies || d.opts.Sent, noteAttachedFailed)
	b.attached = ""
	if f == nil {
		return
	}
	defer func() { _ = f.Close() }()
	all := &io.LimitedReader{R: f, N: d.attachable}
	outer := d.s
	d.s = newScanner(all, 0)
	var err error
	for err == nil && d.s.kind() == kindObject {
		err = d.oneFrame()
	}
	if d.s.end() != nil {
		d.note(noteAttachedFailed)
	}
	d.s, d.attachable = outer, all.N
}
