package evidence

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"telltale/capture"
)

// ResultSchema is the format of a [Result] in JSON.
const ResultSchema = "telltale.verification/1"

// A Verdict says in a word what a verification has found.
type Verdict string

// The verdicts.
const (
	Intact   Verdict = "intact"   // as it was recorded, and signed as far as it goes
	Unsigned Verdict = "unsigned" // the chain holds, but nothing signs it to its end: whoever has the file could have made it
	Broken   Verdict = "broken"   // not as it was recorded, or not signed by who was asked for
	Unproven Verdict = "unproven" // it has no chain: it was recorded by an earlier version
)

// Options of [Verify].
type Options struct {
	Own     *Fingerprint  // of this machine's key; nil: it has none
	Trusted []Fingerprint // who must have signed; empty: anybody may
	// Kept is a manifest of the capture that was kept elsewhere; nil: none was. The capture
	// must still have the session, with the same head.
	Kept     *Checked
	Progress func(done, total int) // may be nil
}

// A Result says whether a capture is as it was recorded, and who signed it.
type Result struct {
	Schema      string    `json:"schema"`
	File        string    `json:"file"`
	Verdict     Verdict   `json:"verdict"`
	Audit       string    `json:"audit,omitempty"`
	Links       int64     `json:"links"`
	SignedLinks int64     `json:"signed_links"`        // the chain is signed up to this link
	Annotated   int64     `json:"annotated,omitempty"` // links behind the last session, of annotations alone
	Flows       int64     `json:"flows"`               // covered by the chain
	Older       int64     `json:"older_flows"`         // from before the chain began: not covered
	Bodies      int64     `json:"bodies"`              // whose contents were compared with their digests
	Recording   bool      `json:"recording,omitempty"`
	Sessions    []Session `json:"sessions"`
	Faults      []Fault   `json:"faults"`
	MoreFaults  int64     `json:"more_faults,omitempty"`
}

// A Session is one recording into the capture, and who signed it.
type Session struct {
	ID       int64        `json:"id"`
	Started  time.Time    `json:"started"`
	Ended    *time.Time   `json:"ended,omitempty"` // nil: it did not come to its end
	First    int64        `json:"first_link"`
	Last     int64        `json:"last_link"`
	Head     string       `json:"head"`
	Flows    int64        `json:"flows"`
	Signer   *Fingerprint `json:"signer,omitempty"`   // nil: nothing signs the session itself
	Own      bool         `json:"own,omitempty"`      // by this machine's key
	Trusted  bool         `json:"trusted,omitempty"`  // by a key that was asked for
	Manifest *Manifest    `json:"manifest,omitempty"` // as it was signed

	document []byte
}

// A Fault is one place where the capture is not as it was recorded.
type Fault struct {
	Text    string     `json:"text"`
	Kind    string     `json:"kind"` // as in package capture, or "manifest"
	Session int64      `json:"session,omitempty"`
	Link    int64      `json:"link,omitempty"`
	Table   string     `json:"table,omitempty"`
	From    int64      `json:"from,omitempty"` // rows by ID
	To      int64      `json:"to,omitempty"`
	Count   int64      `json:"count,omitempty"`
	First   *time.Time `json:"first,omitempty"` // of the flows that the link has
	Last    *time.Time `json:"last,omitempty"`
}

// FaultManifest is the kind of a fault that has to do with a signature.
const FaultManifest = "manifest"

// OK reports whether the capture is proven to be as it was recorded: nothing else is to
// have a program exit with 0.
func (r *Result) OK() bool { return r.Verdict == Intact }

// Manifest returns the document of the newest session that is signed, as the capture has
// it; nil when there is none.
func (r *Result) Manifest() []byte {
	for i := len(r.Sessions) - 1; i >= 0; i-- {
		if r.Sessions[i].Signer != nil {
			return r.Sessions[i].document
		}
	}
	return nil
}

// Verify computes the chain of a capture anew and compares it with what was signed. The
// error says that the file cannot be read, is no capture, or is damaged.
func Verify(ctx context.Context, path string, opts Options) (Result, error) {
	v, err := capture.Verify(ctx, path, opts.Progress)
	if err != nil {
		return Result{}, err
	}
	r := Result{
		Schema: ResultSchema, File: path, Audit: v.Audit, Links: v.Links, Annotated: v.Annotated,
		Flows: v.Flows, Older: v.Older, Bodies: v.Bodies, Recording: v.Recording, MoreFaults: v.MoreFaults,
		Sessions: []Session{}, Faults: []Fault{},
	}
	for _, f := range v.Faults {
		r.Faults = append(r.Faults, fault(f))
	}
	for _, s := range v.Sessions {
		r.session(s, &opts)
	}
	if opts.Kept != nil {
		r.kept(&opts.Kept.Manifest)
	}
	r.Verdict = r.verdict()
	return r, nil
}

func fault(f capture.Fault) Fault {
	out := Fault{Text: f.String(), Kind: string(f.Kind), Link: f.Link, Table: f.Table, From: f.From, To: f.To, Count: f.Count}
	if !f.First.IsZero() {
		out.First, out.Last = &f.First, &f.Last
	}
	return out
}

// session looks at what signs a session.
func (r *Result) session(c capture.SessionChain, opts *Options) {
	s := Session{
		ID: c.Session, Started: c.Started, First: c.First, Last: c.Last, Head: hex.EncodeToString(c.Head[:]), Flows: c.Flows,
		document: c.Manifest,
	}
	if !c.Ended.IsZero() {
		s.Ended = &c.Ended
	}
	if c.Manifest != nil {
		r.manifest(&s, c, opts)
	}
	r.Sessions = append(r.Sessions, s)
}

func (r *Result) manifest(s *Session, c capture.SessionChain, opts *Options) {
	checked, err := Check(s.document, opts.Trusted...)
	if err != nil {
		r.fault(s.ID, "the manifest cannot be believed: %v", err)
		return
	}
	m := &checked.Manifest
	switch {
	case m.Session != s.ID || m.Chain.First != s.First:
		r.fault(s.ID, "its manifest is that of session %d of another capture, or of another session", m.Session)
		return
	case m.Chain.Last != s.Last || m.Chain.Head != s.Head:
		r.fault(s.ID, "its manifest was signed for another chain: the head at link %d is not the one that was signed", s.Last)
		return
	case m.Flows != s.Flows || !m.Started.UTC.Equal(s.Started) || s.Ended == nil || !m.Ended.UTC.Equal(*s.Ended):
		r.fault(s.ID, "its manifest says other times or another number of flows")
		return
	case m.Audit != c.Audit:
		r.fault(s.ID, "its manifest is of the audit %q, the capture is of %q", m.Audit, c.Audit)
		return
	}
	s.Manifest, s.Signer, s.Trusted = m, &checked.Signer, checked.Trusted
	s.Own = opts.Own != nil && *opts.Own == checked.Signer
	if len(opts.Trusted) > 0 && !s.Trusted {
		r.fault(s.ID, "it is signed by another key than was asked for: %s", checked.Signer)
		return
	}
	r.SignedLinks = s.Last
}

// kept compares the capture with a manifest that somebody kept elsewhere.
func (r *Result) kept(m *Manifest) {
	if m.Audit != r.Audit {
		r.fault(0, "the manifest that was kept is of another capture: of the audit %q, and this is %q", m.Audit, r.Audit)
		return
	}
	for _, s := range r.Sessions {
		if s.ID != m.Session {
			continue
		}
		if s.Head != m.Chain.Head || s.Last != m.Chain.Last {
			r.fault(s.ID, "the manifest that was kept is of another chain")
		}
		return
	}
	r.fault(m.Session, "the manifest that was kept is of a session that the capture does not have")
}

func (r *Result) fault(session int64, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if session > 0 {
		text = fmt.Sprintf("session %d: %s", session, text)
	}
	r.Faults = append(r.Faults, Fault{Text: text, Kind: FaultManifest, Session: session})
}

func (r *Result) verdict() Verdict {
	switch {
	case len(r.Faults) > 0:
		return Broken
	case r.Links == 0:
		return Unproven
	case r.SignedLinks == 0 || r.SignedLinks+r.Annotated < r.Links:
		return Unsigned
	}
	return Intact
}
