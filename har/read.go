package har

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"telltale/flow"
)

// Options are what [Read] needs to know.
type Options struct {
	Name   string // of the file, as the user gave it: for Origin and errors
	Bodies bool   // keep contents; without them only their size is known
	// Sent keeps the contents of what clients sent, requests and their messages, also
	// where Bodies is not set, and more of them: up to 16 MiB each, so that a value behind
	// a picture is found.
	Sent bool
	// BodyLimit is how many bytes of each body and each WebSocket message are
	// kept; 0 is 1 MiB.
	BodyLimit int64
	// Attached opens the file in which a body is kept that the HAR names instead
	// of holding it: Playwright's _file, and _sha1 of its older versions. It is
	// asked only for what is kept, by the name as written, slashes in it
	// included, and only for names that stay below the folder of the HAR
	// ([path/filepath.IsLocal], no backslash, colon or control character). Who
	// implements it still has to see to symbolic links ([os.Root]). What cannot be
	// opened or read is a note and no damage. Nil leaves such bodies out.
	Attached func(name string) (io.ReadCloser, error)
}

const (
	defaultBodyLimit = 1 << 20
	sentLimit        = 16 << 20
)

// Read reads a HAR file and hands its flows to observe in the order of the file,
// except that a CONNECT row whose tunnel was opened waits for the end: it is a flow
// only if no other entry shows what went through the tunnel. Each flow is observe's own. An error of
// observe ends the reading and is returned as it is; damage to the file is an
// [*Error], and flows outside it are delivered.
//
// Beyond HAR 1.2 it understands these members: _error, _failureText, _wasAborted,
// _webSocketMessages, _resourceType, _serverPort, _securityDetails, _tls_version,
// _tls_cipher_suite, _trailers, _content, _requestBodyStatus, _responseBodyStatus,
// _charlesStatus of a CONNECT row, log._tlsErrors, log._contacts, _telltale, log._telltale, and _file, _sha1, _sha256
// and _expires of a body, see
// Options.Attached.
//
// A URL with a scheme of another protocol (mqtt, ftp, stun, or one that is not
// known) and a host is a contact with that host: an exchange where the file has an
// answer or a body, otherwise a tunnel, whose content nobody saw. Schemes that
// lead to no server are counted in Info.Skipped.
//
// A flow's mode is "har" and its client is unknown. A flow that [Writer]
// wrote has all its facts, its ID included.
func Read(r io.Reader, opts Options, observe func(*flow.Flow) error) (Info, error) {
	if opts.BodyLimit <= 0 {
		opts.BodyLimit = defaultBodyLimit
	}
	d := &reader{opts: opts, observe: observe, interned: map[string]string{}, attachable: maxAttached}
	src, err := openSource(r)
	if err == nil {
		d.s = newScanner(src.Reader, src.start)
		err = d.file()
	}
	if d.stopped == nil {
		_ = d.releaseTunnels() // also of a file that broke off
	}
	if src.note != "" {
		d.info.Notes = append(d.info.Notes, src.note)
	}
	d.info.Notes = append(d.info.Notes, d.notes.sentences()...)
	d.info.Producer = d.producer()
	d.info.LeftOut = d.notes[noteAttachedUnread] + d.notes[noteAttachedName] + d.notes[noteAttachedFailed] +
		d.notes[noteAttachedExpired] + d.notes[noteAttachedChanged]
	return d.info, d.verdict(err)
}

// reader is the state of one call of Read.
type reader struct {
	s        *scanner
	opts     Options
	observe  func(*flow.Flow) error
	stopped  error // what observe returned
	info     Info
	notes    notes
	creator  product
	browser  product
	interned map[string]string

	entry      int    // number of the entry that is being read; 0 outside
	draft      draft  // the entry that is being read; its memory is used again
	damage     *Error // of the first entry that is no use
	tunnels    flow.Tunnels
	attachable int64 // bytes that may still be read from files beside the HAR
}

// product is the creator or the browser of a file.
type product struct{ name, version string }

// errStopped ends the reading; reader.stopped has the reason.
var errStopped = errors.New("stopped by the observer")

// deliver hands a flow over.
func (d *reader) deliver(f *flow.Flow) error {
	if d.stopped = d.observe(f); d.stopped != nil {
		return errStopped
	}
	return nil
}

// verdict makes of what stopped the reading, and of damaged entries, what Read
// returns.
func (d *reader) verdict(err error) error {
	if d.stopped != nil {
		return d.stopped
	}
	var damage *Error
	if errors.As(err, &damage) {
		damage.File = d.opts.Name
		if d.damage != nil {
			damage.More += d.damage.More + 1
		}
		return damage
	}
	if d.damage != nil {
		return d.damage
	}
	return err
}

// file reads the outermost object.
func (d *reader) file() error {
	if d.s.kind() == 0 && d.s.readErr == io.EOF && len(d.s.buf) == d.s.pos {
		return d.s.fail(`the file is empty, expected a JSON object with "log"`)
	}
	if d.s.kind() != kindObject {
		err := d.s.unexpected(`a JSON object with "log"`)
		d.s.more(maxName)
		d.s.err.hint = foreignHint(d.s.buf[d.s.pos:])
		return err
	}
	found := false
	err := d.s.object(func(name []byte) error {
		if string(name) != "log" {
			return d.s.skip()
		}
		found = true
		return d.log()
	})
	if err != nil {
		return err
	}
	if !found {
		return d.s.fail(`expected the object to have "log", found none: this is JSON, but no HAR`)
	}
	return d.s.end()
}

// foreignHint says what to do about a file that is no JSON, "" when its first
// bytes do not tell.
func foreignHint(head []byte) string {
	if bytes.HasPrefix(head, []byte("<")) {
		return "this looks like HTML or XML; export the capture as HAR"
	}
	name, _, called := bytes.Cut(head[:min(len(head), maxName)], []byte("("))
	if called && len(name) > 0 && bytes.IndexFunc(name, notOfName) < 0 {
		return "this looks like HARP, a HAR in a call of " + string(name) + "(…); take the call away around it"
	}
	return ""
}

// notOfName reports whether a character cannot stand in the name of a function.
func notOfName(r rune) bool {
	return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '.' && r != '$'
}

func (d *reader) log() error {
	found := false
	err := d.s.object(func(name []byte) (err error) {
		switch string(name) {
		case "version":
			d.info.Version, err = d.textValue()
		case "creator":
			d.creator, err = d.product()
		case "browser":
			d.browser, err = d.product()
		case "entries":
			found = true
			err = d.entries()
		case "_contacts":
			err = d.arrayValue(d.contact)
		case "_tlsErrors":
			err = d.arrayValue(d.tlsError)
		case "_telltale":
			err = d.logRecord()
		default:
			err = d.s.skip()
		}
		return err
	})
	if err == nil && !found {
		return d.s.fail(`expected "log" to have the array "entries", found none`)
	}
	return err
}

func (d *reader) product() (p product, err error) {
	err = d.objectValue(func(name []byte) (err error) {
		switch string(name) {
		case "name":
			p.name, err = d.textValue()
		case "version":
			p.version, err = d.textValue()
		default:
			err = d.s.skip()
		}
		return err
	})
	return p, err
}

// producer names the program that wrote the file.
func (d *reader) producer() string {
	p := d.creator
	if strings.TrimSpace(p.name) == "" {
		p = d.browser
	}
	return strings.TrimSpace(p.name + " " + p.version)
}

func (d *reader) entries() error {
	if d.s.kind() != kindArray {
		return d.s.unexpected(`"entries" to be an array`)
	}
	return d.s.array(func() error {
		d.info.Entries++
		d.entry = d.info.Entries
		err := d.oneEntry()
		if err != nil && d.s.err != nil {
			d.s.err.Entry = d.entry
		}
		d.entry = 0
		return err
	})
}

// oneEntry reads an entry and delivers what it is. An entry that is no use is
// remembered; those behind it still count.
func (d *reader) oneEntry() error {
	at := d.place()
	if d.s.kind() != kindObject {
		if d.s.kind() == 0 {
			return d.s.unexpected("an entry")
		}
		at.Message = "expected an object with a request"
		d.damaged(at)
		return d.s.skip()
	}
	d.draft.reset()
	if err := d.readEntry(); err != nil {
		return err
	}
	f, message := d.build()
	if message == "" {
		message = d.draft.wrong // the flow counts all the same
	}
	if message != "" {
		at.Message = message
		d.damaged(at)
	}
	if f == nil {
		return nil
	}
	f.Origin = flow.Origin{Capture: d.opts.Name, Entry: at.Entry, Line: at.Line}
	if d.draft.connect && d.tunnels.Hold(f) {
		return nil
	}
	return d.deliver(f)
}

// place returns an error that names the place of the next value.
func (d *reader) place() Error {
	d.s.space()
	return Error{
		File: d.opts.Name, Entry: d.entry, Line: d.s.line,
		Column: int(d.s.offset()-d.s.lineStart) + 1, Offset: d.s.offset(),
	}
}

// damaged remembers the first entry that is no use, and counts the others.
func (d *reader) damaged(at Error) {
	if d.damage == nil {
		d.damage = &at
	} else {
		d.damage.More++
	}
}

// skipped counts an entry that is no contact.
func (d *reader) skipped(scheme string) {
	if d.info.Skipped == nil {
		d.info.Skipped = map[string]int{}
	}
	const most = 64
	if _, known := d.info.Skipped[scheme]; !known && (len(d.info.Skipped) >= most || len(scheme) > 40) {
		scheme = "other"
	}
	d.info.Skipped[scheme]++
}

// notes counts what had to be assumed.
type notes [noteCount]int

// The notes, in the order in which they are told.
const (
	noteNoDate = iota
	noteNoZone
	noteNoMethod
	noteNoScheme
	noteLongText
	noteManyHeaders
	noteManyFrames
	noteTelltale
	noteLogTelltale
	noteTunnels
	noteForeign
	noteAttachedUnread
	noteAttachedName
	noteAttachedFailed
	noteAttachedExpired
	noteAttachedChanged
	noteCount
)

var noteTexts = [noteCount]string{
	noteNoDate:      "Entries without a date that can be read",
	noteNoZone:      "Dates without a time zone, read as UTC",
	noteNoMethod:    "Requests without a method, read as GET",
	noteNoScheme:    "URLs that do not say whether they were encrypted, read as https",
	noteLongText:    "Texts longer than 1 MiB, cut",
	noteManyHeaders: "Messages with more than 16 MiB of header fields, the rest dropped",
	noteManyFrames:  "Entries with more WebSocket messages than fit in 64 MiB, the rest dropped",
	noteTelltale:    "Entries with a _telltale member that cannot be read, left out",
	noteLogTelltale: "What the file says of its own experiments cannot be read whole; parts left out",
	noteTunnels:     "CONNECT rows of requests that are in the file too, not counted again",
	noteForeign:     "Contacts by protocols other than HTTP, of which little more than the host is judged",

	noteAttachedUnread: "Bodies that are kept in files beside the capture, left out",
	noteAttachedName:   "Bodies whose file has a name that leads out of the capture's folder, left out",
	noteAttachedFailed: "Bodies whose file beside the capture cannot be opened or read whole",

	noteAttachedExpired: "Bodies in files beside the capture that were kept for a time only, and are no longer there",
	noteAttachedChanged: "Bodies whose file beside the capture is not what it was when the capture was written, left out",
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
