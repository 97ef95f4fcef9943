// Package intake reads captures that exist already, whatever wrote them, and
// hands out their flows: HAR files, mitmproxy's flow files, what phones say of
// their contacts and packet captures, plain, compressed with gzip or inside a ZIP
// archive, captures of telltale, folders of all these, and standard input.
//
// It knows where captures lie and how they are packed. What a file holds is told
// by its first bytes, never by its name, which only decides what of a folder is
// looked at ([Extensions]). The formats themselves are those of the packages har,
// mitmproxy, contacts and capture.
//
// It promises that flows come in the order of the inputs and of each file,
// however many are read at once; that each input has its [Info], with the error
// of one that could not be read to its end, and that the others are read all the
// same; that memory stays bounded, also for data that expands beyond reason; that
// a file which changed while it was read is an error; and that it never writes
// to an input.
//
// It judges nothing, and leaves nothing behind once [Set.Close] was called. To
// debug an import, compare Info.Entries with what the producer shows, then look
// at the Origin of the flows.
package intake

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"telltale/capture"
	"telltale/coverage"
	"telltale/exposure"
	"telltale/flow"
)

// StandardInput is how a user names standard input.
const StandardInput = "-"

// Extensions are the names by which captures are found in a folder or an archive. An
// archive counts only if it holds a capture; a table (.csv) or rows of JSON (.ndjson)
// only if they are a list of contacts.
var Extensions = []string{
	".har", ".har.gz", ".telltale", ".mitm", ".flow", ".flows", ".zip",
	".pcap", ".pcap.gz", ".pcapng", ".pcapng.gz", ".csv", ".csv.gz", ".ndjson", ".ndjson.gz",
}

// Info is what is known of one input after it was read.
type Info struct {
	File     string // as the user named it; a member of an archive with several: "run.zip/login.har"
	Entries  int    // entries of a HAR, rows, packets, flows of the others
	Flows    int    // that came of it
	Producer string // program that wrote it; "" when unknown
	SHA256   string // lower-case hex of the digest of the file; of one of several captures in an archive, of that
	// Skipped counts entries that are no contact with a server, by the scheme of
	// their URL ("data") or in words ("access to a sensor").
	Skipped map[string]int
	// LeftOut counts the bodies that lie outside of the capture and could not be read
	// there. Without Options.Bodies it is 0.
	LeftOut int
	Modes   []string // ways in by which its flows came, as in flow.Flow.Mode, in order of appearance
	// Ledgers are the books that a capture of telltale has of its ways in, one for each
	// mode: see [Ledgers].
	Ledgers []coverage.Ledger
	// Watched is for how long it was recorded: what a capture of telltale says of that
	// ([capture.Store.Watched]), else the time from its first contact to the last.
	Watched time.Duration
	// Annotations are what was said of violations in a capture of telltale.
	Annotations []capture.Annotation
	// Experiments are those that a capture of telltale has of its recording, or a HAR that was
	// made of one, also what altered nothing.
	Experiments []capture.Experiment
	Notes       []string // sentences on what the reader met
	Err         error    // why it could not be read to its end; nil when it could
}

// Options say what is read.
type Options struct {
	Bodies bool // load contents of bodies and WebSocket messages
	// Sent loads the contents of what devices sent, also where Bodies is not set. It may
	// load more.
	Sent bool
	// Examine looks for identifiers in the flows that nobody examined (package exposure),
	// and loads what is needed for that.
	Examine bool
}

// contents reports whether contents of any kind are loaded.
func (o Options) contents() bool { return o.Bodies || o.Sent || o.Examine }

// Set is the captures that a user named. They can be read any number of times.
type Set struct {
	inputs  []input
	total   int64        // bytes of all inputs
	done    atomic.Int64 // bytes that the current reading has passed
	mu      sync.Mutex
	digests map[string][]string         // of the captures of each input by its name, as the first reading met them; under mu
	through func(*flow.Flow) *flow.Flow // nil: flows are handed over as they are read
	current string                      // capture of the flow that is being observed
}

// Through has every flow changed before it is handed to anybody, its contents loaded: a copy
// that is safe to hand over, say. It is to be called before the first reading.
func (s *Set) Through(change func(*flow.Flow) *flow.Flow) { s.through = change }

// input is one file that the user named or that a folder holds.
type input struct {
	name string // as the user knows it
	path string // on the disk; for standard input and pipes, where they were kept
	kept bool   // path is a copy of ours
	size int64  // bytes
}

// Progress returns how many bytes of all inputs were read, and how many there are.
// It may be called while they are read.
func (s *Set) Progress() (done, total int64) { return min(s.done.Load(), s.total), s.total }

// Len returns the number of inputs.
func (s *Set) Len() int { return len(s.inputs) }

// Holds reports whether a file is one of the inputs, by whatever name.
func (s *Set) Holds(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	for _, in := range s.inputs {
		if other, err := os.Stat(in.path); err == nil && os.SameFile(info, other) {
			return true
		}
	}
	return false
}

// Close removes what reading standard input left behind.
func (s *Set) Close() error {
	var errs []error
	for _, in := range s.inputs {
		if in.kept {
			errs = append(errs, os.Remove(in.path))
		}
	}
	return errors.Join(errs...)
}

// Read hands every flow of every input to observe, in order, on the caller's
// goroutine, while it reads ahead on all cores. It returns what is known of each
// input, in order, and the error of observe or of ctx, which ends the reading: the
// inputs behind are then missing. Where input is damaged, the flows before the
// damage were delivered and its Info says so. A second reading that meets other
// content than the first says so too.
func (s *Set) Read(ctx context.Context, opts Options, observe func(*flow.Flow) error) ([]Info, error) {
	s.done.Store(0)
	if s.through != nil {
		opts.Bodies = true
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer cancel(nil)
	var infos []Info
	for _, st := range s.start(ctx, opts, &readers) {
		for batch := range st.batches {
			for _, f := range batch {
				if opts.Examine && f.Examined == 0 { // here, since whoever reads ahead has most to do
					f.Exposures, f.Examined = exposure.Known(f), exposure.Version
				}
				s.current = f.Origin.Capture
				if s.through != nil {
					f = s.through(f)
				}
				if err := observe(f); err != nil {
					return infos, err
				}
			}
		}
		if ctx.Err() != nil {
			return infos, context.Cause(ctx)
		}
		infos = append(infos, st.infos...)
	}
	return infos, nil
}
