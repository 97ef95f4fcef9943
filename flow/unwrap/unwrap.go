// Package unwrap takes apart what a device sent, so that a value can be found in it
// however it was wrapped.
//
// It knows the parts of a request (URL, header fields, cookies, body, trailers), the
// messages that a WebSocket's client sent, and the names that were asked of DNS or
// announced to TLS; the formats JSON, forms, multipart, protobuf without its schema,
// gRPC, gRPC-Web and Connect, XML, HTML and property lists; and the encodings gzip,
// deflate, br, zstd, percent-encoding, JSON and JavaScript escapes, HTML entities,
// quoted-printable, base64, base32, hex and UTF-16, each inside of any other. A content
// type is a claim: the bytes decide where they can.
//
// [Values] shows every value with its place, for detectors and for evidence. [Texts]
// shows the same bytes in large pieces and without places, for a search that has to be
// fast. Both are one walk, so that what one shows is in what the other shows.
//
// It promises bounds whatever comes: [MaxDepth] wrappings within each other, and for the
// head and for the content, each by itself so that neither hides the other, [MaxDecoded]
// bytes that decoding makes and [MaxPieces] values. Damaged input gives what
// stands before the damage, and what can be made of the rest. It changes nothing, keeps
// nothing and does not judge; what a value is, package exposure knows, and what must not
// be sent, package policy.
//
// It does not decrypt, knows no schemas, no archives and no pictures. To see why a value
// is not found, print what Values visits: Value.Where, Layers and Text of each.
package unwrap

import (
	"slices"
	"sync"

	"telltale/flow"
)

// Bounds of one walk.
const (
	// MaxDepth is how many wrappings within each other are undone: encodings, and formats
	// within a value of another.
	MaxDepth = 12
	// MaxDecoded is how many bytes decoding makes of the URL, the header and trailer fields
	// and the names of one flow altogether; how many it makes in undoing the compression
	// of the protocol: the content codings of the body (RFC 9110, 8.4) and what gRPC,
	// Connect and permessage-deflate do to messages; and how many it makes of what stands
	// in the body and the messages. Each is counted by itself.
	MaxDecoded = 8 << 20
	// MaxHeadPiece is how many bytes one compressed text outside of the content may become.
	MaxHeadPiece = 1 << 20
	// MaxPieces is how many values of the head are shown, and how many of the content.
	MaxPieces = 1 << 20
)

// A Value is one text that the device sent, at its place. It is valid during the visit.
type Value struct {
	// Name is the nearest name: of the member, parameter, field, part or header; "" for
	// none. In {"name": "x", "value": 1}, that of the value is "x".
	Name string
	// Text is the value without the encodings in Layers. It must not be kept or changed.
	Text []byte
	// Layers are the encodings that were undone, the outermost first: "gzip", "base64",
	// "percent-encoding", "JSON in a string". It may be kept, and must not be changed.
	Layers []string
	// IsName says that Text is itself a name, of a member, parameter or cookie. It has no
	// Name then.
	IsName bool

	place []step
}

// A Filter says what of the values of a flow a visitor does not want, so that it need not
// be visited. The zero value leaves nothing out.
type Filter struct {
	// Known reports whether a header or trailer field, as "name: value", or the name of a
	// server is known to hold nothing: the same ones come again and again. It must not keep
	// the text. When all values of one that it does not know were visited, Done is called;
	// it is not where a bound of the walk may have hidden some.
	Known func(text []byte) bool
	Done  func()
	// Names says that short names of letters, digits and "_" are not wanted where they name a
	// member of JSON.
	Names bool
}

// Values visits every value that the device sent in a flow whose content is loaded,
// until visit returns false. A value that is encoded is visited as it stands, and
// again for each encoding that was undone.
func Values(f *flow.Flow, visit func(*Value) bool) { Wanted(f, Filter{}, visit) }

// Wanted is [Values] without what a filter leaves out.
func Wanted(f *flow.Flow, filter Filter, visit func(*Value) bool) {
	w := newWalk()
	w.value, w.filter = visit, filter
	w.flow(f)
	w.release()
}

// Texts visits what there is to search in a flow: each part as it stands, and each text
// that appears when an encoding is undone, until visit returns false. What [Values]
// visits stands in one of them. A text must not be kept or changed.
func Texts(f *flow.Flow, visit func(text []byte) bool) {
	w := newWalk()
	w.text = visit
	w.flow(f)
	w.release()
}

// walk is one pass over a flow. It either shows values or texts.
type walk struct {
	value func(*Value) bool // nil where texts are shown
	text  func([]byte) bool // nil where values are shown

	filter Filter
	shown  Value
	steps  []step   // to the place; empty where texts are shown
	layers []string // that were undone; each level has a slice of its own
	depth  int      // wrappings around what is looked at
	left   int      // bytes that may still be decoded
	piece  int      // bytes that one compressed text may become
	wire   int      // bytes that compression of the protocol may still become
	pieces int      // that were shown
	over   bool     // the visitor has enough

	arena  []byte            // where decoded bytes are put
	names  map[string]string // that were seen, so that they are made once
	recent [64]string        // of them, by their form: most stand there again and again
}

var walks = sync.Pool{New: func() any { return &walk{names: map[string]string{}} }}

const (
	maxArenaKept = 256 << 10 // bytes that a walk in the pool holds
	maxNamesKept = 4096
)

func newWalk() *walk {
	w := walks.Get().(*walk)
	w.left, w.piece, w.wire = MaxDecoded, MaxHeadPiece, MaxDecoded
	return w
}

// release makes the walk ready for the next flow.
func (w *walk) release() {
	if cap(w.arena) > maxArenaKept {
		w.arena = nil
	}
	if len(w.names) > maxNamesKept {
		clear(w.names)
	}
	clear(w.steps[:cap(w.steps)])
	w.value, w.text, w.filter = nil, nil, Filter{}
	w.shown, w.steps, w.layers, w.arena = Value{}, w.steps[:0], nil, w.arena[:0]
	w.depth, w.pieces, w.over = 0, 0, false
	walks.Put(w)
}

// show shows a value at the current place.
func (w *walk) show(text []byte) {
	if w.value == nil || w.over || len(text) == 0 {
		return
	}
	if top := len(w.steps) - 1; top >= 0 && w.steps[top].kind == atKey {
		w.visit("", text, true)
	} else {
		w.visit(w.nearest(), text, false)
	}
}

func (w *walk) visit(name string, text []byte, isName bool) {
	if w.pieces++; w.pieces > MaxPieces {
		w.over = true
		return
	}
	v := &w.shown
	v.Name, v.Text, v.Layers, v.IsName, v.place = name, text, w.layers, isName, w.steps
	if !w.value(v) {
		w.over = true
	}
}

// appeared shows a text that did not stand in one that was shown before.
func (w *walk) appeared(text []byte) {
	if w.text == nil || w.over || len(text) == 0 {
		return
	}
	if w.pieces++; w.pieces > MaxPieces || !w.text(text) {
		w.over = true
	}
}

// within looks at what was found below a layer; layer is "" for a format in a value.
// It does nothing when that would be too deep.
func (w *walk) within(layer string, look func()) {
	if w.depth >= MaxDepth || w.over {
		return
	}
	before := w.layers
	if layer != "" && w.value != nil {
		w.layers = slices.Concat(before, []string{layer})
	}
	w.depth++
	look()
	w.depth--
	w.layers = before
}

// decoded looks at bytes that an encoding made, which count against the bound.
func (w *walk) decoded(layer string, text []byte, look func([]byte)) {
	if len(text) == 0 {
		return
	}
	w.left -= len(text)
	w.within(layer, func() {
		w.appeared(text)
		look(text)
	})
}

// head is over: what it used up is not missing below.
func (w *walk) endHead() {
	w.left, w.piece = MaxDecoded, MaxDecoded
	if w.pieces > MaxPieces { // the bound ended the walk, not the visitor
		w.over = false
	}
	w.pieces = 0
}

// exhausted reports whether nothing more may be decoded.
func (w *walk) exhausted() bool { return w.left <= 0 || w.depth >= MaxDepth || w.over }

// room returns the end of the arena, for at most n bytes that are appended to it.
func (w *walk) room(n int) []byte {
	if cap(w.arena)-len(w.arena) < n {
		w.arena = make([]byte, 0, max(2*cap(w.arena), n, 4096))
	}
	return w.arena[len(w.arena):len(w.arena):cap(w.arena)]
}

// keep makes the bytes that were appended to room part of the arena.
func (w *walk) keep(b []byte) []byte {
	if cap(w.arena)-len(w.arena) >= len(b) {
		w.arena = w.arena[:len(w.arena)+len(b)]
	}
	return b[:len(b):len(b)]
}

// copied returns the bytes of a string, in the arena.
func (w *walk) copied(s string) []byte { return w.keep(append(w.room(len(s)), s...)) }
