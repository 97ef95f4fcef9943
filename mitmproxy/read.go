package mitmproxy

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"telltale/flow"
)

// Options are what [Read] needs to know.
type Options struct {
	Name   string // of the file, as the user gave it: for Origin and errors
	Bodies bool   // keep contents; without them only their size is known
	// BodyLimit is how many bytes of each body and each WebSocket message are
	// kept; 0 is 1 MiB.
	BodyLimit int64
}

const defaultBodyLimit = 1 << 20

// Read reads a flow file and hands its flows to observe in the order of the file,
// except that a CONNECT whose tunnel was opened waits for the end, since it is a flow
// only if no other shows what went through the tunnel, and that the handshake of an old WebSocket waits for
// its messages. Each flow is observe's own. An error of observe ends the reading and
// is returned as it is; damage to the file is an [*Error], and flows outside it are
// delivered. A file without flows is damage.
//
// A flow's mode is "mitmproxy". Its server is the one that mitmproxy was asked for or
// sent the request to; where clients reached mitmproxy without knowing it, so that
// all they asked for is an IP address, it is the one that SNI names, for which
// mitmproxy asks the server's certificate; a Host header remains a claim. TCP and
// UDP streams are Tunnels of which the bytes are counted; a DNS question has its type
// in the request's URL (RFC 4501) and its answers as lines of the response's content.
// Whether mitmproxy verified the certificate of a server is not in the file.
func Read(r io.Reader, opts Options, observe func(*flow.Flow) error) (Info, error) {
	if opts.BodyLimit <= 0 {
		opts.BodyLimit = defaultBodyLimit
	}
	d := &reader{
		s: newScanner(r), opts: opts, observe: observe,
		interned: map[string]string{}, certificates: map[string]*flow.Certificate{},
		handshakes: map[string]int{},
	}
	d.info.Producer = "mitmproxy"
	err := d.flows()
	if d.stopped == nil {
		_ = d.release() // also of a file that broke off
	}
	d.info.Notes = d.notes.sentences()
	return d.info, d.verdict(err)
}

// reader is the state of one call of Read.
type reader struct {
	s       *scanner
	opts    Options
	observe func(*flow.Flow) error
	stopped error // what observe returned
	info    Info
	notes   notes

	interned     map[string]string
	certificates map[string]*flow.Certificate // by their PEM; nil for what is no certificate

	draft      draft  // the flow that is being read
	damage     *Error // of the first flow that is no use
	tunnels    flow.Tunnels
	held       []*flow.Flow   // handshakes that wait; nil where one need no longer
	heldBytes  int            // memory that they take
	handshakes map[string]int // where in held the handshake of this ID waits
}

// errStopped ends the reading; reader.stopped has the reason.
var errStopped = errors.New("stopped by the observer")

// deliver hands a flow over.
func (d *reader) deliver(f *flow.Flow) error {
	if d.stopped = d.observe(f); d.stopped != nil {
		return errStopped
	}
	return nil
}

// verdict makes of what stopped the reading, and of damaged flows, what Read returns.
func (d *reader) verdict(err error) error {
	if d.stopped != nil {
		return d.stopped
	}
	var last *Error
	errors.As(err, &last)
	switch {
	case last == nil && d.damage == nil:
		return err
	case last == nil:
		last = d.damage
	case d.damage != nil: // the first is told, the last ended the reading
		last.More += d.damage.More + 1
	}
	last.File = d.opts.Name
	return last
}

// flows reads the file.
func (d *reader) flows() error {
	for {
		_, err := d.s.r.Peek(1)
		if err == io.EOF && d.info.Entries > 0 {
			return nil
		}
		if err == io.EOF {
			return &Error{Message: "the file is empty, expected a flow of mitmproxy"}
		}
		if err != nil {
			return d.s.broken(err)
		}
		d.info.Entries++
		start := d.s.off
		if err := d.entry(); err != nil {
			var damage *Error
			if errors.As(err, &damage) {
				damage.Entry = d.info.Entries
				if damage.fatal && start == 0 {
					d.foreign(damage)
				}
			}
			return err
		}
	}
}

// foreign makes an error of the first bytes one of a file that is something else.
func (d *reader) foreign(e *Error) {
	if e.Offset > maxLengthDigits || e.Err != nil || e.Message == endsEarly {
		return
	}
	d.info.Entries, e.Entry = 0, 0
	e.Message += ": this is no file of mitmproxy's flows"
	if e.Offset == 0 {
		e.hint = "mitmdump -w FILE writes one; exports of other tools are read as HAR"
	}
}

// entry reads a flow and delivers what it is. A flow that is no use is remembered;
// those behind it still count.
func (d *reader) entry() error {
	end, err := d.s.open(math.MaxInt64)
	if err != nil {
		return fatal(err)
	}
	start := d.s.off
	d.draft.reset()
	var inside error
	for d.s.off < end && inside == nil {
		inside = d.s.member(end, d.flowMember)
	}
	if beyondRepair(inside) {
		return inside
	}
	kind, err := d.s.close(end)
	if err != nil {
		return fatal(err)
	}
	switch {
	case kind != kindDict:
		inside = &Error{Offset: start, Message: fmt.Sprintf("expected a dict, found a value of type %q", kind)}
	case inside == nil && !d.draft.usable():
		inside = &Error{Offset: start, Message: "expected a flow with a type or a request, found neither"}
	}
	if inside != nil {
		d.damaged(inside)
		return nil
	}
	return d.finish(start)
}

// fatal marks damage behind which nothing says where the next flow begins.
func fatal(err error) error {
	var damage *Error
	if errors.As(err, &damage) {
		damage.fatal = true
	}
	return err
}

// finish delivers the draft, or keeps it back. Its inside begins at start.
func (d *reader) finish(start int64) error {
	d.version()
	f := d.build()
	if f == nil {
		return nil
	}
	if what := d.nameless(f); what != "" {
		d.damaged(&Error{Offset: start, Message: "expected a " + what + " that names its host, found none"})
		return nil
	}
	f.Origin = flow.Origin{Capture: d.opts.Name, Entry: d.info.Entries}
	if d.hold(f) {
		return nil
	}
	return d.deliver(f)
}

// nameless says what the flow is if it is a request without a host, of which nobody
// could say whether it was allowed; "" for the others. A question of DNS may be for the
// root, whose name is empty.
func (d *reader) nameless(f *flow.Flow) string {
	switch {
	case f.Host() != "" || f.Kind == flow.DNS:
		return ""
	case d.draft.kind == "websocket":
		return "WebSocket"
	}
	return "request"
}

// damaged remembers the first flow that is no use, and counts the others.
func (d *reader) damaged(err error) {
	if d.damage != nil {
		d.damage.More++
		return
	}
	if errors.As(err, &d.damage) {
		d.damage.Entry = d.info.Entries
	}
}

// skipped counts a flow that is no contact.
func (d *reader) skipped(kind string) {
	if d.info.Skipped == nil {
		d.info.Skipped = map[string]int{}
	}
	const most = 16
	if _, known := d.info.Skipped[kind]; !known && (len(d.info.Skipped) >= most || len(kind) > 40) {
		kind = "other"
	}
	d.info.Skipped[kind]++
}

// notes counts what had to be assumed.
type notes [noteCount]int

// The notes, in the order in which they are told.
const (
	noteNewer = iota
	noteUnknownType
	noteNoDate
	noteLongText
	noteManyHeaders
	noteManyFrames
	noteManyAnswers
	noteStreamed
	noteReplayed
	noteHandshake
	noteTunnels
	noteCount
)

var noteTexts = [noteCount]string{
	noteNewer:       "Flows in a version of the format newer than 21, read for what is known of it",
	noteUnknownType: "Flows of a type that is not known, read as connections",
	noteNoDate:      "Flows without a date",
	noteLongText:    "Texts longer than 1 MiB, cut",
	noteManyHeaders: "Messages with more than 16 MiB of header fields, the rest dropped",
	noteManyFrames:  "Flows with more WebSocket messages than fit in 64 MiB, the rest dropped",
	noteManyAnswers: "DNS messages with more than 1000 records, the rest dropped",
	noteStreamed:    "Bodies that mitmproxy passed on without keeping them, known by their declared size alone",
	noteReplayed:    "Flows that mitmproxy sent again or answered itself on a person's behalf, counted like the rest",
	noteHandshake:   "WebSockets whose handshake is not in the file",
	noteTunnels:     "CONNECT requests of requests that are in the file too, not counted again",
}

func (d *reader) note(kind int) { d.notes[kind]++ }

func (n *notes) sentences() []string {
	var out []string
	for kind, count := range n {
		if count > 0 {
			out = append(out, fmt.Sprintf("%s: %d.", noteTexts[kind], count))
		}
	}
	return slices.Clip(out)
}
