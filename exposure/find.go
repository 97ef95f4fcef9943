package exposure

import (
	"strings"

	"telltale/flow"
)

// A Find is an identifier with its value, for who takes values out of a copy.
type Find struct {
	Kind   string
	Digest string // as in [flow.Exposure]; "" for half of a place
	Text   string // as it stood, encodings undone
}

// Finds returns the identifiers in a flow with the texts that they were found as, the first
// few hundred of them: who replaces them all looks again. Unlike [Look], it keeps what
// stands in the user and the host of the URL.
func Finds(f *flow.Flow) []Find {
	s := newSearch(f.WithoutFragment())
	s.keepRaw = true
	s.run()
	var finds []Find
	for _, r := range s.raw {
		finds = append(finds, Find{Kind: r.kind, Digest: r.digest, Text: r.text})
	}
	s.release()
	return finds
}

// Promises reports whether a value under this name is usually an identifier, a place or a
// secret: what it is called decides, and that it is no placeholder. Where nothing may be
// missed, such as in a copy for others, that is enough, and the samples of manuals count;
// [Look] accuses nobody on it.
func Promises(name, value string) bool {
	switch meaningOf(name) {
	case nothing, ofServer, aVersion, aPart, aSort:
		return false
	}
	t := []byte(value)
	return len(t) >= minValue && !allSame(t) && !isTemplate(t) && !placeholders[strings.ToLower(joints.Replace(value))]
}
