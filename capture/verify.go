package capture

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"
)

// A Verification is what a look at the chain of a capture has found.
type Verification struct {
	Audit      string // of the capture, as the file says; nothing covers it
	Links      int64
	Flows      int64          // covered, those included that never ended
	Older      int64          // flows from before the chain began, which nothing covers
	Bodies     int64          // whose contents were checked
	Sessions   []SessionChain // in order
	Annotated  int64          // links behind the last session that cover nothing but annotations
	Recording  bool           // a recorder is at it: what it writes from now on was not looked at
	Faults     []Fault        // in the order of the links; empty: the chain holds. MaxFaults at most
	MoreFaults int64          // beyond those
}

// MaxFaults is how many faults a verification lists.
const MaxFaults = 100

// Broken reports whether the capture is not as it was recorded.
func (v *Verification) Broken() bool { return len(v.Faults) > 0 }

// A SessionChain is a session as the chain has it.
type SessionChain struct {
	Chain
	Manifest []byte // what [Options.Seal] made; nil: nothing signs the session
}

// FaultKind says in what way a capture is not as it was recorded.
type FaultKind string

// The kinds of faults.
const (
	FaultChain   FaultKind = "chain"   // a link does not follow from the one before, or cannot be understood
	FaultChanged FaultKind = "changed" // rows, or a table or view, are not as they were written
	FaultMissing FaultKind = "missing" // rows, or a table or view, are gone
	FaultAdded   FaultKind = "added"   // rows that no link covers; views, triggers or bytes that the recorder did not make
	FaultContent FaultKind = "content" // a body is not what its digest says
)

// A Fault is one place where a capture is not as it was recorded.
type Fault struct {
	Kind   FaultKind
	Link   int64     // 0: found after all links were read
	Time   time.Time // of the link
	Table  string
	From   int64 // rows of the table, by ID; of flows, those that ended with the link
	To     int64
	Count  int64     // rows (or bytes of the file) that are missing or were added; 0: one or more
	First  time.Time // start of the first flow that ended with the link; zero: it has none
	Last   time.Time // end of the last one
	Detail string    // what is the matter, where that is not with rows
}

// String says it in words.
func (f Fault) String() string {
	where := f.Table
	switch {
	case f.From != 0 && f.From == f.To:
		where = fmt.Sprintf("%s %d", f.Table, f.From)
	case f.From != 0:
		where = fmt.Sprintf("%s %d to %d", f.Table, f.From, f.To)
	}
	text := where
	switch {
	case f.Detail != "":
		text = f.Detail
	case f.Kind == FaultChanged:
		text += ": something was changed after it was written"
	case f.Kind == FaultMissing:
		text += ": " + plural(max(f.Count, 1), "row") + " missing"
	case f.Kind == FaultAdded:
		text += ": " + plural(max(f.Count, 1), "row") + " that the recorder did not write"
	case f.Kind == FaultContent:
		text += ": the content is not that of the digest beside it"
	}
	if f.Link > 0 {
		text = fmt.Sprintf("link %d: %s", f.Link, text)
	}
	if !f.First.IsZero() {
		text += fmt.Sprintf(" (flows from %s to %s)", f.First.Format(time.RFC3339), f.Last.Format(time.RFC3339))
	}
	return text
}

// Verify computes the chain of a capture anew, in one reading that is not disturbed by a
// recorder. A chain that does not hold is a result; the error says that the file cannot be
// read, is no capture, or is damaged. Memory does not grow with flows, except for a bit
// each. progress, which may be nil, is told how many of the flows were looked at.
func Verify(ctx context.Context, path string, progress func(done, total int)) (Verification, error) {
	v, err := verify(ctx, path, progress)
	if err != nil {
		return Verification{}, fmt.Errorf("verify capture: %w", classify(path, err))
	}
	return v, nil
}

func verify(ctx context.Context, path string, progress func(done, total int)) (Verification, error) {
	if err := checkCapture(path); err != nil {
		return Verification{}, err
	}
	r, err := openReaders(path)
	if err != nil {
		return Verification{}, err
	}
	defer r.pool.Close()
	c, err := r.conn(ctx)
	if err != nil {
		return Verification{}, err
	}
	defer c.Close()
	recording := Recording(path)
	if err := c.run("BEGIN"); err != nil {
		return Verification{}, err
	}
	version, err := checkHeader(c, path)
	if err != nil {
		return Verification{}, err
	}
	w := newVerifier(ctx, path, c, progress)
	w.version = version
	w.found.Recording = recording
	if version < chainedVersion {
		w.found.Older, err = c.integer("SELECT count(*) FROM flows")
		return w.found, err
	}
	for _, look := range []func() error{func() error { return w.shape(version) }, w.length, w.run} {
		if err := look(); err != nil {
			return Verification{}, err
		}
	}
	return w.found, nil
}

// chainedVersion is the first version of the format that has a chain.
const chainedVersion = 5

// fault notes what is wrong.
func (w *verifier) fault(f Fault) {
	if len(w.found.Faults) >= MaxFaults {
		w.found.MoreFaults++
		return
	}
	w.found.Faults = append(w.found.Faults, f)
}

// digestOf reads a digest of the chain.
func digestOf(b []byte) (d [sha256.Size]byte, ok bool) {
	return d, copy(d[:], b) == len(d) && len(b) == len(d)
}
