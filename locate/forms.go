package locate

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	"telltale/policy/needle"
)

// A pattern is one way in which a wanted text may stand in a file.
type pattern struct {
	wanted int // index into the search's names
	form   Form
	view   viewer // what undoes the form around a match
}

// A pattern shorter than this would be met by chance in forms that look like noise.
const leastInDisguise = 8

// needles are all the patterns of a search, compiled.
type needles struct {
	patterns []pattern // by the Tag of a form
	bytes    *needle.Set
	// differences finds texts in which every byte was changed by the same XOR: the
	// difference of neighbours stays what it was.
	differences *needle.Set
	longest     int         // of the names, in bytes
	joined      *needle.Set // what is looked for in texts that code joins
}

// compile makes the needles for hosts and strings; names are the hosts, then the strings.
func compile(hosts, strings []string) *needles {
	var n needles
	var raw, differences, joined []needle.Form
	for i, name := range append(append([]string{}, hosts...), strings...) {
		n.longest = max(n.longest, len(name))
		isHost := i < len(hosts)
		add := func(form Form, view viewer, text string, fold bool) {
			if len(text) >= needle.MinForm {
				raw = append(raw, needle.Form{Bytes: []byte(text), Fold: fold, Tag: n.tag(pattern{i, form, view})})
			}
		}
		plain := Verbatim
		if isHost {
			plain = BareHost
		}
		add(plain, viewPlain, name, isHost)
		add(UTF16, viewUTF16, wide(name), isHost)
		if isHost {
			for _, parent := range parents(name) {
				add(Parent, viewPlain, parent, true)
			}
		}
		if len(name) >= leastInDisguise {
			add(Reversed, viewReversed, reversed(name), isHost)
			add(Hex, viewHex, hex.EncodeToString([]byte(name)), true)
			for _, text := range percentForms(name) {
				add(Percent, viewPercent, text, true)
			}
			for before := range 3 {
				for _, text := range base64Forms(name, before) {
					add(Base64, base64View(before, len(name)), text, false)
				}
			}
			differences = append(differences, needle.Form{Bytes: difference(nil, []byte(name)), Tag: n.tag(pattern{i, XOR, viewPlain})})
		}
		joined = append(joined, needle.Form{Bytes: []byte(name), Fold: isHost, Tag: n.tag(pattern{i, Split, viewPlain})})
	}
	n.bytes, n.differences, n.joined = needle.Compile(raw), needle.Compile(differences), needle.Compile(joined)
	return &n
}

// tag keeps a pattern and returns its place.
func (n *needles) tag(p pattern) int {
	n.patterns = append(n.patterns, p)
	return len(n.patterns) - 1
}

// parents returns the domains above a host of which it may be built, the closest first: for
// "o1.ingest.sentry.io" those are "ingest.sentry.io" and "sentry.io".
func parents(host string) (above []string) {
	for {
		_, rest, ok := strings.Cut(host, ".")
		if !ok || !strings.Contains(rest, ".") || strings.Trim(rest, "0123456789.") == "" {
			return above
		}
		above, host = append(above, rest), rest
	}
}

// wide returns a text of ASCII in UTF-16, from its first character to its last: the same in
// either order of bytes. What is not ASCII stays UTF-8, and is not found so.
func wide(text string) string {
	out := make([]byte, 0, 2*len(text))
	for i := range len(text) {
		out = append(out, text[i], 0)
	}
	return string(out[:max(0, len(out)-1)])
}

func reversed(text string) string {
	out := make([]byte, len(text))
	for i := range len(text) {
		out[len(text)-1-i] = text[i]
	}
	return string(out)
}

// percentForms returns a text with its dots encoded, and with every character encoded, in
// lower case (RFC 3986, section 2.1).
func percentForms(text string) []string {
	var all strings.Builder
	for i := range len(text) {
		all.WriteString("%" + hex.EncodeToString([]byte{text[i]}))
	}
	forms := []string{all.String()}
	if dots := strings.ReplaceAll(text, ".", "%2e"); dots != text {
		forms = append(forms, dots)
	}
	return forms
}

// base64Forms returns what a text looks like inside of base64 (RFC 4648), in both alphabets,
// where it begins at byte before of a group of three; without the characters that its
// neighbours change.
func base64Forms(text string, before int) (forms []string) {
	coded := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), text...))
	core := coded[base64Skip(before) : (before+len(text))*8/6]
	forms = append(forms, core)
	if safe := strings.NewReplacer("+", "-", "/", "_").Replace(core); safe != core {
		forms = append(forms, safe)
	}
	return forms
}

// difference appends to dst what each byte of text differs by from the one before.
func difference(dst, text []byte) []byte {
	for i := 1; i < len(text); i++ {
		dst = append(dst, text[i]^text[i-1])
	}
	return dst
}
