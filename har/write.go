package har

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json"

	"telltale/flow"
)

// WriterOptions are what a [Writer] needs to know.
type WriterOptions struct {
	Name    string // of the program that writes: log.creator
	Version string
	Comment string // on the file as a whole; "" for none
	// Reveal writes credentials as they were. Without it they are
	// [flow.Redacted], in headers and in cookies.
	Reveal bool
	// Mask is applied to every text of a flow, since each may hold a value that
	// must not be shown: URLs, header fields, contents, messages, names of
	// servers, sentences on what went wrong. It puts [flow.Redacted] in its
	// place. Nil changes nothing.
	Mask func(string) string
	// MaskBody is applied in place of Mask to contents and messages, which may hold a
	// value in what only taking them apart brings out. Nil is Mask.
	MaskBody func(header []flow.Field, body flow.Body) []byte
	// Leaks returns the values that Mask takes out of a flow, which its copy in the
	// file then names. Nil names none.
	Leaks func(*flow.Flow) []flow.Leak
	// Outside keeps a content of more than OutsideLimit bytes beside the file, as it would be
	// written, and returns the name by which the file calls it: a path below the folder of
	// the HAR, with slashes. Expires says until when it is kept, zero for good. Nil keeps all
	// contents in the file.
	Outside      func(content []byte, mediaType string) (name string, err error)
	OutsideLimit int64
	Expires      time.Time
	// Content loads the content of a body that has a Digest and no Content.
	// Nil leaves it out.
	Content func(flow.Body) ([]byte, error)
}

// Writer writes flows as a HAR 1.2 file, one at a time. Requests that name a
// server become entries; all other flows, connections without content among
// them, become elements of log._contacts, which is ours and which [Read] gives
// back. The output depends on the flows and options alone.
//
// A body is written without its content coding, as HAR wants it, when it can be
// decoded; it is text where it is UTF-8 and base64 elsewhere.
type Writer struct {
	w    *bufio.Writer
	opts WriterOptions
	// contacts are encoded and wait for the end of the entries: JSON has no
	// place for two lists at once.
	contacts    bytes.Buffer
	experiments []Experiment
	entries     int
	buf         bytes.Buffer
	err         error
	closed      bool
}

// NewWriter returns a writer that has written nothing yet.
func NewWriter(w io.Writer, opts WriterOptions) *Writer {
	return &Writer{w: bufio.NewWriterSize(w, windowSize), opts: opts}
}

// errClosed is what Write returns after Close.
var errClosed = errors.New("write HAR: the file is closed")

// Write adds a flow. After an error of the underlying writer it returns that
// error; an error that belongs to one flow leaves the file whole and without
// that flow.
func (w *Writer) Write(f *flow.Flow) error {
	switch {
	case w.err != nil:
		return w.err
	case w.closed:
		return errClosed
	}
	w.buf.Reset()
	if w.opts.Leaks != nil {
		copied := *f
		copied.Leaks = w.opts.Leaks(f)
		f = &copied
	}
	f = w.maskedFlow(f)
	isEntry := f.Request != nil && f.Kind != flow.Tunnel && isWebURL(f.Request.URL)
	e, err := w.entry(f, isEntry)
	if err == nil {
		err = json.MarshalWrite(&w.buf, e, marshalOptions)
	}
	if err != nil {
		return fmt.Errorf("write HAR: flow %d: %w", f.ID, err)
	}
	if !isEntry {
		w.separate(&w.contacts, w.contacts.Len() == 0)
		w.contacts.Write(w.buf.Bytes())
		return nil
	}
	if w.entries == 0 {
		w.begin()
	}
	w.separate(w.w, w.entries == 0)
	w.entries++
	_, w.err = w.w.Write(w.buf.Bytes())
	return w.err
}

// separate puts each element on a line of its own, which is the line that
// reports name.
func (w *Writer) separate(to io.Writer, first bool) {
	s := ",\n"
	if first {
		s = "\n"
	}
	_, _ = io.WriteString(to, s) // both writers keep their errors
}

// begin writes everything before the first entry.
func (w *Writer) begin() {
	head := struct {
		Version string         `json:"version"`
		Creator creatorProduct `json:"creator"`
		Pages   []struct{}     `json:"pages"`
		Comment string         `json:"comment,omitzero"`
	}{"1.2", creatorProduct{w.opts.Name, w.opts.Version}, []struct{}{}, w.opts.Comment}
	b, err := json.Marshal(head, marshalOptions)
	if err != nil {
		w.err = fmt.Errorf("write HAR: %w", err)
		return
	}
	_, w.err = fmt.Fprintf(w.w, `{"log":%s,"entries":[`, bytes.TrimSuffix(b, []byte("}")))
}

type creatorProduct struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Close ends the file. It does not close the underlying writer. Without flows the
// file is valid and empty.
func (w *Writer) Close() error {
	if w.closed || w.err != nil {
		return w.err
	}
	w.closed = true
	if w.entries == 0 {
		w.begin()
	}
	_, _ = w.w.WriteString("\n]")
	if w.contacts.Len() > 0 {
		_, _ = w.w.WriteString(`,"_contacts":[`)
		_, _ = w.w.Write(w.contacts.Bytes())
		_, _ = w.w.WriteString("\n]")
	}
	about, err := w.logRecord()
	if err != nil {
		w.err = fmt.Errorf("write HAR: %w", err)
		return w.err
	}
	if about != nil {
		_, _ = w.w.WriteString(",\n\"_telltale\":")
		_, _ = w.w.Write(about)
	}
	_, _ = w.w.WriteString("}}\n")
	if err = w.w.Flush(); w.err == nil { // bufio keeps the first error
		w.err = err
	}
	return w.err
}
