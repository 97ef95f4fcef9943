// Package hosts finds names of hosts in the texts of an app, and tells them from what only
// looks like one: names of classes and files, XML namespaces, templates, versions.
//
// It knows what a text says and how it is written, and neither files nor policies. It
// promises that a host of a URL that code could ask for is never left out, and that
// what it calls noise has a reason.
package hosts

// A Mention is a host in a text.
type Mention struct {
	Host       string // canonical: flow.CanonicalHost
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

// Find calls visit for each host in a text, in its order, until it returns false. The text
// is one literal when whole is true: then a bare host counts only if it is all of the text
// (but for a port or a path).
func Find(text []byte, whole bool, visit func(Mention) bool) {}
