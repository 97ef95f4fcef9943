// Package exposure finds identifiers of people, devices and installations in what a
// device sent, without being told their values, and follows them through an audit.
//
// [Look] searches one flow. It knows each kind of [Kinds] by the form of its values, by
// the check digits that they have, and by the names that the documents of SDKs give them:
// the form alone tells what an e-mail address or a push token of FCM is, but only a name
// tells an advertising identifier from the identifier of a request, for both are UUIDs.
// Where names are as general as "id", what stands around them counts.
//
// It promises not to accuse rather than to find everything. Values that identify nobody
// never count: zeros, placeholders, "02:00:00:00:00:00", the samples of manuals and the
// ranges that RFCs keep for documents. Neither do keys that identify an app and not a
// person (Google's "AIza…", the write keys of analytics), nor places coarser than 110 m.
// What it returns holds no value: [flow.Exposure.Masked] shows enough to recognise a value
// that one knows, and [flow.Exposure.Digest] compares values within one capture.
//
// A [Book] says where values went: which receivers one value links, and whether it lasts.
//
// It does not judge (package policy) and does not undo encodings (package flow/unwrap). To
// see why a value is found or is not, add a request with it to one of
// testdata/templates-*.txt, with what you expect, and run
// `go test ./exposure -run TestRequests -update`.
package exposure

import (
	"telltale/flow"
	"telltale/flow/unwrap"
)

// Version is that of the detectors, as [flow.Flow.Examined] keeps it; there 0 says that
// nobody looked. A newer version does not make captures that exist out of date: what was
// found in a flow when it was recorded stays what is known of it, for nobody looks again
// at a flow that any version examined. The number says which detectors an absence is
// worth; whoever wants what newer ones find imports the traffic anew.
const Version = 1

// Bounds of what is found in one flow. They are kind by kind, so that much of one kind, such
// as the track of a run, hides nothing of another.
const (
	MaxOfKind    = 16 // entries of a kind: the first ones
	MaxExposures = MaxOfKind * len(kinds)
)

// Look returns the identifiers in a flow whose content is loaded, one entry for each
// value at each place. It is pure. The fragment of the URL is not looked at: nobody gets it.
func Look(f *flow.Flow) []flow.Exposure {
	s := newSearch(f.WithoutFragment())
	s.run()
	found := s.innermost()
	s.release()
	return found
}

// run looks at everything.
func (s *search) run() {
	if s.measures { // what stands there without a name may be something, too
		unwrap.Values(s.flow, s.visitor)
	} else {
		unwrap.Wanted(s.flow, s.filter, s.visitor)
	}
	s.lookAtPath()
}

// visit looks at a value, and reports whether others are wanted.
func (s *search) visit(v *unwrap.Value) bool {
	if m := s.means(v.Name); !s.passes(m, v.Part(), v.Name, v.Text) {
		s.looked++
		s.look(m, leaf{name: v.Name, text: v.Text, layers: v.Layers, place: v})
	}
	return true
}

// idle remembers header fields and names of servers in which nothing was worth a look,
// whatever flow they are in.
var idle = unwrap.NewMemo()

// known reports whether a field is among the idle ones.
func (s *search) known(field []byte) bool {
	var known bool
	s.field, known = idle.Has(field)
	s.before = s.looked
	return known
}

// done adds the field that was visited to the idle ones if it is.
func (s *search) done() {
	if s.looked == s.before {
		idle.Add(s.field)
	}
}
