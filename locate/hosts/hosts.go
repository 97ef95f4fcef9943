// Package hosts finds names of hosts in the texts of an app, and tells them from what only
// looks like one: names of classes and files, XML namespaces, templates, versions.
//
// It knows what a text says and how it is written, and neither files nor policies. It
// promises that a host of a URL that code could ask for is never left out, that what it
// calls noise has a reason, and that its time grows with the length of the text alone.
//
// A URL counts wherever it stands, also where its slashes are escaped as JSON, JavaScript,
// HTML and other URLs escape them; of the schemes, those count whose URLs name a host
// ("https", "wss", "mqtt"), and not those of an app ("myapp://open"). A bare name counts
// where it is a text of its own and ends in a domain of ICANN's part of the public suffix
// list. Since most words with a dot end in one, too ("event.name", "lib.rs"), a bare name
// needs the more evidence, the more its ending looks like a word of a program; suffix.go
// has the classes. So bare names may be missed. Run `go test ./locate/hosts -run Corpus -v`
// to see what the rules make of real texts.
package hosts

import "bytes"

// A Mention is a host in a text.
type Mention struct {
	// Host is canonical: flow.CanonicalHost. Where a part of it is filled in at run time, that
	// part and all that stands before it is one star, as in policies: "*.example.com" of
	// "https://%s.eu.%s.example.com/"; "api.example.*" where the part is the last.
	Host       string
	URL        string // as it is written, up to where it ends; "" for a bare host
	Start, End int    // of the URL or host in the text
	// Noise says why it is hardly ever contacted: "XML namespace", "link in a
	// licence", "example"; "" where it may well be.
	Noise string
	// Template says that part of the URL is filled in at run time: "https://%s.example.com/".
	Template bool
	// Bare says that nothing but the host is there, without a scheme.
	Bare bool
}

// The reasons that make a mention noise.
const (
	NoiseNamespace   = "XML namespace"
	NoiseLicence     = "link in a licence"
	NoiseDocs        = "link to documentation"
	NoiseExample     = "example"
	NoiseEMail       = "e-mail address"
	NoiseCertificate = "in a certificate"
	NoiseThisDevice  = "this device"
	NoisePrivate     = "private address"
	NoiseLocal       = "name of a local network"
	NoiseUnknown     = "no public domain"
)

// Find calls visit for each host in a text, in its order, until it returns false. The text
// is one literal when whole is true: then a bare host counts only if it is all of the text
// (but for a port or a path). Else it counts between quotes, tags, ends of lines or NULs.
func Find(text []byte, whole bool, visit func(Mention) bool) {
	f := finder{text: text, whole: whole, visit: visit}
	if whole {
		f.find(anywhere, func() bool { return f.bare(0, literal) })
		return
	}
	f.find(anywhereAndBounds, func() bool { return f.bare(0, '\n') })
}

// A sign is what announces a host: the slashes of a URL, or what bounds a bare name.
type sign struct {
	bytes []byte
	bound byte // 0 for slashes
}

// anywhere are the spellings of "://". What follows ":\" and ":&#" is looked at.
var anywhere = []sign{
	{bytes: []byte("//")},
	{bytes: []byte(`:\`)},
	{bytes: []byte(":&#")},
	{bytes: []byte("%3A%2F")},
	{bytes: []byte("%3a%2f")},
	{bytes: []byte("%253A%252F")},
}

const (
	// literal bounds a text that is a literal of its own.
	literal = 0xff
	// nul is how a NUL as a bound is written in a sign.
	nul = 0xfe
)

var anywhereAndBounds = append(anywhere[:len(anywhere):len(anywhere)],
	sign{[]byte(`"`), '"'}, sign{[]byte(`'`), '\''}, sign{[]byte("`"), '`'},
	sign{[]byte(">"), '<'}, sign{[]byte("\n"), '\n'}, sign{[]byte{0}, nul})

const maxSigns = 12

// A finder is one call of Find.
type finder struct {
	text  []byte
	whole bool
	visit func(Mention) bool
	// ended is where the last URL ended before it was trimmed: one that begins in it ends
	// there, too, and is not read again.
	ended int
}

// find goes from sign to sign, in the order in which they stand. Each is looked for on its
// own, since bytes.Index is much faster than any loop over bytes.
func (f *finder) find(signs []sign, first func() bool) {
	var next [maxSigns]int
	for i, s := range signs {
		next[i] = f.index(s.bytes, 0)
	}
	if !first() {
		return
	}
	for {
		which := 0
		for i := range signs {
			if next[i] < next[which] {
				which = i
			}
		}
		at, s := next[which], signs[which]
		if at == len(f.text) {
			return
		}
		after := at + len(s.bytes)
		if s.bound == 0 {
			if !f.slashes(at) {
				return
			}
		} else {
			for after < len(f.text) && f.text[after] == s.bytes[0] {
				after++
			}
			if !f.bare(after, s.bound) {
				return
			}
		}
		next[which] = f.index(s.bytes, after)
	}
}

// index returns where b stands next, the end of the text where it does not.
func (f *finder) index(b []byte, from int) int {
	var i int
	if len(b) == 1 {
		i = bytes.IndexByte(f.text[from:], b[0])
	} else {
		i = bytes.Index(f.text[from:], b)
	}
	if i < 0 {
		return len(f.text)
	}
	return from + i
}
