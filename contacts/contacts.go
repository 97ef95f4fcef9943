// Package contacts reads what phones, and programs on them, say themselves of the
// contacts that apps made: the App Privacy Report of iOS, the lists of connections of
// PCAPdroid and TrackerControl, and packet captures.
//
// What comes of them are flows of kind "contact", which say that a host was contacted,
// when and, where the source has it, by which app. They have no content. Of a packet
// capture come questions of DNS too, each a flow of its own.
//
// [Recognise] tells the formats apart by their first bytes, [Read] reads them. It
// promises to hold a bounded part of a file whatever it claims, to point at the row or
// packet from which a flow came, and to deliver the flows outside of what is damaged. It
// is strict about rows, so that a damaged list is never taken for a whole one, and
// lenient about what it does not need: columns that are missing, new or in another
// order, times and numbers that a spreadsheet has changed.
//
// It judges nothing, opens no file and decrypts nothing but the Initial packets of QUIC,
// whose keys everybody has (RFC 9001, 5.2). What is no contact is counted by what it is:
// accesses to sensors, packets that stay on the link.
//
// To debug an import, look at the Origin of a flow: the line of a list, the number of a
// packet as Wireshark counts them.
package contacts

import (
	"bufio"
	"io"

	"telltale/flow"
)

// A Format is one kind of file.
type Format string

// The formats.
const (
	Unknown        Format = ""
	PrivacyReport  Format = "privacy-report" // NDJSON of iOS and iPadOS
	PCAPdroid      Format = "pcapdroid"      // CSV of PCAPdroid's connections
	TrackerControl Format = "trackercontrol" // CSV of TrackerControl
	PCAP           Format = "pcap"           // packets, of whatever program, in libpcap's format or pcapng
	// Table is a table whose columns are none of ours. Read says what it expected.
	Table Format = "table"
)

// HeadSize is how many bytes from the start of a file are enough for [Recognise].
const HeadSize = 512

// Options are what [Read] needs to know.
type Options struct {
	Name string // of the file, as the user gave it: for Origin and errors
}

// Info is what is known of a file after it was read.
type Info struct {
	Format   Format
	Producer string // program that wrote it, as far as the file tells
	Entries  int    // rows or packets, those included that are no contacts or are damaged
	// Skipped counts the entries that are no contact, by what they are in words ("access
	// to a sensor", "malformed packet").
	Skipped map[string]int
	// Notes are sentences on what had to be assumed or could not be read.
	Notes []string
}

// Read reads a file of any of the formats and hands its flows to observe: those of a
// list in the order of its rows, and behind them the resolvers that they name; those of packets in the order of their first packet, as
// long as no more than 32,768 are under way. Each flow is observe's own. An error of
// observe ends the reading and is returned as it is; damage to the file is an [*Error],
// and flows outside it are delivered.
//
// A flow's mode is the file's format, its outcome [flow.Seen]; a question of DNS that was
// answered is [flow.Completed].
func Read(r io.Reader, opts Options, observe func(*flow.Flow) error) (Info, error) {
	in := &input{opts: opts, observe: observe, interned: map[string]string{}}
	b := bufio.NewReaderSize(r, 64<<10)
	head, err := b.Peek(HeadSize)
	in.info.Format = Recognise(head)
	switch format := in.info.Format; {
	case format == Unknown && err != nil && err != io.EOF:
		err = &Error{Message: "cannot read the file", Err: err}
	case format == PrivacyReport:
		err = in.privacyReport(b)
	case format == PCAP:
		err = in.packets(b)
	case format != Unknown:
		err = in.table(b)
	default:
		err = &Error{Message: "expected a list of contacts or packets, found something else", hint: formats}
	}
	return in.info, in.verdict(err)
}

// input is the state of one call of Read.
type input struct {
	opts    Options
	observe func(*flow.Flow) error
	info    Info
	stopped error  // what observe returned
	damage  *Error // of the first row that is no use

	interned map[string]string
	claimed  int // contacts whose name nothing but the client's hello says
}

// deliver hands a flow over.
func (in *input) deliver(f *flow.Flow) error {
	if in.stopped = in.observe(f); in.stopped != nil {
		return errStopped
	}
	return nil
}

// flow begins a flow with what all have.
func (in *input) flow(line int) *flow.Flow {
	return &flow.Flow{
		Kind: flow.Contact, Mode: string(in.info.Format), Outcome: flow.Seen,
		Origin: flow.Origin{Capture: in.opts.Name, Entry: in.info.Entries, Line: line},
	}
}

// skip counts an entry that is no contact.
func (in *input) skip(what string) {
	if in.info.Skipped == nil {
		in.info.Skipped = map[string]int{}
	}
	if _, known := in.info.Skipped[what]; !known && len(in.info.Skipped) >= maxKinds {
		what = "row of a further type"
	}
	in.info.Skipped[what]++
}

// maxKinds bounds how many kinds of skipped entries are told apart, since some are named
// by the file; maxInterned how many names are remembered.
const (
	maxKinds    = 64
	maxInterned = 8192
)

// intern returns the text as a string. Apps and hosts come again and again.
func (in *input) intern(text []byte) string {
	if s, known := in.interned[string(text)]; known {
		return s
	}
	s := string(text)
	if len(in.interned) < maxInterned {
		in.interned[s] = s
	}
	return s
}

// note adds a sentence once.
func (in *input) note(sentence string) {
	for _, n := range in.info.Notes {
		if n == sentence {
			return
		}
	}
	in.info.Notes = append(in.info.Notes, sentence)
}
