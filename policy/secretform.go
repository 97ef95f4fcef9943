package policy

import (
	"crypto/md5"  // #nosec G501 -- apps send such hashes: they are looked for
	"crypto/sha1" // #nosec G505 -- as above
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"telltale/policy/needle"
)

// A secretForm is one thing that a value may look like in what is sent.
type secretForm struct {
	secret int    // index of the value
	how    string // in words: "as typed", "SHA-256 of it in lower case, in hexadecimal"
	hash   string // "SHA-256"; "" for the value itself
	whole  whole
	// alphabet is that of a value in base64, whatever is encoded with it; nil elsewhere.
	// The characters beside it then hold bits of the value's ends.
	alphabet *base64.Encoding
	offset   int  // of the value in a group of three bytes
	length   int  // of the value, in bytes
	wide     bool // UTF-16
	scheme   bool // the value is a scheme, which counts where it is none
}

// whole says what must not stand beside a form: a short value is part of others by
// chance.
type whole int

const (
	anywhere whole = iota
	number         // no digit
	word           // no letter and no digit
)

// Lengths below which a value counts only where it stands alone: a PIN of 1234 is part of
// a great many numbers, "jane" of janet and of what base64 makes of pictures.
const (
	minAnywhere = 6  // characters
	minNumber   = 10 // digits, where there is nothing else
	minReversed = 8  // characters
	minBase64   = 7  // characters of base64
)

// wholeOf returns what must not stand beside a spelling.
func wholeOf(s string) whole {
	switch {
	case utf8.RuneCountInString(s) < minAnywhere:
		return word
	case len(s) < minNumber && all(s, isDigit):
		return number
	}
	return anywhere
}

// holds reports whether a form that stands in a text from start to end counts there.
func (f *secretForm) holds(text []byte, start, end int) bool {
	switch {
	case f.scheme && end < len(text) && (text[end] == ':' || text[end] == '%'):
		return false
	case f.whole == anywhere:
		return true
	case f.wide:
		return (start < 2 || !isWideDigit(text[start-2:start])) && (end+2 > len(text) || !isWideDigit(text[end:end+2]))
	case f.alphabet != nil:
		return f.holdsDecoded(text, start)
	}
	return f.whole.holds(text, start, end)
}

// isWideDigit reports whether two bytes are a digit in UTF-16.
func isWideDigit(pair []byte) bool {
	return pair[0] == 0 && isDigit(pair[1]) || pair[1] == 0 && isDigit(pair[0])
}

// holdsDecoded is holds for base64: what stands beside the value is in the groups of four
// characters around it.
func (f *secretForm) holdsDecoded(text []byte, start int) bool {
	group := start - (8*f.offset+5)/6
	if group < 0 {
		return false
	}
	from, end := group, group
	for from > max(group-4, 0) && base64Byte[text[from-1]] {
		from--
	}
	if group-from != 4 {
		from = group
	}
	for end < min(len(text), group+(f.offset+f.length+2)/3*4+4) && base64Byte[text[end]] {
		end++
	}
	if (end-from)%4 == 1 {
		end--
	}
	decoded := make([]byte, f.alphabet.DecodedLen(end-from))
	n, err := f.alphabet.Decode(decoded, text[from:end])
	at := (group-from)/4*3 + f.offset
	return err == nil && at+f.length <= n && f.whole.holds(decoded[:n], at, at+f.length)
}

// holds reports whether what must not stand beside a part of a text does not.
func (w whole) holds(text []byte, start, end int) bool {
	part := isWord
	switch w {
	case anywhere:
		return true
	case number:
		part = isDigit
	}
	return (start == 0 || !part(text[start-1])) && (end == len(text) || !part(text[end]))
}

// secretForms are the forms of all values, ready to be searched for.
type secretForms struct {
	set   *needle.Set
	forms []secretForm // by the tag of the needle
	// numbers are found in whatever groups.
	numbers secretNumbers
}

// compileForms returns the forms of values; nil without a value.
func compileForms(secrets []Secret) *secretForms {
	if len(secrets) == 0 {
		return nil
	}
	b := formBuilder{seen: map[string]bool{}}
	numbers := secretNumbers{}
	for i := range secrets {
		b.secret, b.scheme = i, isScheme(secrets[i].value)
		b.addValue(secrets[i].value)
		b.addHashes(secrets[i].value)
		numbers.add(i, secrets[i].value)
		clear(b.seen)
	}
	return &secretForms{needle.Compile(b.needles), b.forms, numbers}
}

// find calls found for each form that stands in a text and counts there, until it returns
// false. A place may be found under several forms.
func (s *secretForms) find(text []byte, found func(form *secretForm, start, end int) bool) {
	more := true
	s.set.Find(text, func(n *needle.Form, start int) bool {
		form, end := &s.forms[n.Tag], start+len(n.Bytes)
		more = !form.holds(text, start, end) || found(form, start, end)
		return more
	})
	if more && len(s.numbers) > 0 {
		s.numbers.find(text, found)
	}
}

// formBuilder collects the forms of one value after the other.
type formBuilder struct {
	secret  int
	scheme  bool // the value is one
	seen    map[string]bool
	needles []needle.Form
	forms   []secretForm
}

// add takes a form, unless the value has the same already.
func (b *formBuilder) add(bytes []byte, fold bool, form secretForm) {
	if fold {
		bytes = lowerASCII(bytes)
	}
	key := string(bytes)
	if len(bytes) < needle.MinForm || b.seen[key] {
		return
	}
	b.seen[key] = true
	form.secret, form.scheme = b.secret, b.scheme
	b.needles = append(b.needles, needle.Form{Bytes: bytes, Fold: fold, Tag: len(b.forms)})
	b.forms = append(b.forms, form)
}

// addValue adds what a value itself looks like. What stands for single characters of it,
// as percent-encoding does, is no form: it is undone before the search.
func (b *formBuilder) addValue(value string) {
	spellings := spellingsOf(value)
	for _, s := range spellings {
		w := wholeOf(s.text)
		b.add([]byte(s.text), true, secretForm{how: s.how, whole: w})
		b.add([]byte(strings.ReplaceAll(s.text, " ", "+")), true, secretForm{how: "with + for spaces", whole: w})
	}
	for _, s := range spellings {
		for _, text := range []string{s.text, strings.ToLower(s.text), strings.ToUpper(s.text)} {
			b.addEncoded(text, wholeOf(s.text), also(s.how))
		}
		if utf8.RuneCountInString(s.text) >= minReversed {
			b.add([]byte(reversed(s.text)), true, secretForm{how: "reversed" + also(s.how), whole: wholeOf(s.text)})
		}
	}
}

// also says the spelling behind an encoding.
func also(how string) string {
	if how == asTyped || how == "in lower case" || how == "in upper case" {
		return ""
	}
	return ", " + how
}

// addEncoded adds a spelling in the encodings of whole texts. One that counts only where
// it stands alone is found here where it was encoded alone; within a longer text the
// encoding must be undone to tell.
func (b *formBuilder) addEncoded(text string, w whole, also string) {
	if w == word {
		b.add([]byte(hex.EncodeToString([]byte(text))), true, secretForm{how: "in hexadecimal" + also, whole: word})
		for _, alphabet := range alphabets {
			b.add([]byte(alphabet.EncodeToString([]byte(text))), false, secretForm{how: "in base64" + also, whole: word})
		}
		return
	}
	if w == anywhere {
		b.add([]byte(hex.EncodeToString([]byte(text))), true, secretForm{how: "in hexadecimal" + also})
	} else { // what stands beside it in hexadecimal is two digits, which are no digit of its own
		b.add([]byte(hex.EncodeToString([]byte(text))), true, secretForm{how: "in hexadecimal" + also, whole: word})
	}
	for _, alphabet := range alphabets {
		for offset := range 3 {
			if stable := stableBase64(alphabet, text, offset); len(stable) >= minBase64 {
				b.add([]byte(stable), false, secretForm{how: "in base64" + also, whole: w, alphabet: alphabet, offset: offset, length: len(text)})
			}
		}
	}
	little, big := utf16Bytes(text)
	b.add(little, true, secretForm{how: "in UTF-16" + also, whole: w, wide: true})
	b.add(big, true, secretForm{how: "in UTF-16" + also, whole: w, wide: true})
}

// alphabets are those of base64 (RFC 4648, 4 and 5).
var alphabets = []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding}

// stableBase64 returns the characters that base64 makes of text alone when it starts at
// offset (0 to 2) in a group of three bytes: those that no neighbour shares.
func stableBase64(alphabet *base64.Encoding, text string, offset int) string {
	encoded := alphabet.EncodeToString(append(make([]byte, offset), text...))
	bits := 8 * (offset + len(text))
	return encoded[(8*offset+5)/6 : bits/6]
}

// utf16Bytes returns a text in both byte orders of UTF-16 (RFC 2781).
func utf16Bytes(text string) (little, big []byte) {
	for _, unit := range utf16.Encode([]rune(text)) {
		little = append(little, byte(unit), byte(unit>>8))
		big = append(big, byte(unit>>8), byte(unit))
	}
	return little, big
}

// hashes are the functions whose results are looked for.
var hashes = []struct {
	name string
	sum  func(string) []byte
}{
	{"MD5", func(s string) []byte { sum := md5.Sum([]byte(s)); return sum[:] }},    // #nosec G401
	{"SHA-1", func(s string) []byte { sum := sha1.Sum([]byte(s)); return sum[:] }}, // #nosec G401
	{"SHA-256", func(s string) []byte { sum := sha256.Sum256([]byte(s)); return sum[:] }},
	{"SHA-384", func(s string) []byte { sum := sha512.Sum384([]byte(s)); return sum[:] }},
	{"SHA-512", func(s string) []byte { sum := sha512.Sum512([]byte(s)); return sum[:] }},
}

// addHashes adds the hashes of a value, as it is and as it is made the same for everybody
// before it is hashed.
func (b *formBuilder) addHashes(value string) {
	trimmed := strings.TrimSpace(value)
	bare := withoutSeparators(value)
	inputs := []spelling{
		{value, ""}, {trimmed, " without the spaces around it"},
		{strings.ToLower(trimmed), " in lower case"}, {strings.ToUpper(trimmed), " in upper case"},
		{bare, " without separators"}, {strings.ToLower(bare), " in lower case without separators"}, {strings.ToUpper(bare), " in upper case without separators"},
		{gmail(value), " without dots and what follows a plus"},
	}
	if strings.HasPrefix(trimmed, "+") { // a phone number in E.164
		inputs = append(inputs, spelling{"+" + bare, " without separators"})
	}
	for _, g := range grouped(bare) {
		inputs = append(inputs, spelling{strings.ToLower(g), " with separators"}, spelling{strings.ToUpper(g), " with separators"})
	}
	done := map[string]bool{"": true}
	for _, input := range inputs {
		if done[input.text] {
			continue
		}
		done[input.text] = true
		for _, h := range hashes {
			sum, name := h.sum(input.text), h.name+" of it"+input.how
			b.add([]byte(hex.EncodeToString(sum)), true, secretForm{how: name + ", in hexadecimal", hash: h.name})
			for _, alphabet := range alphabets {
				b.add([]byte(alphabet.EncodeToString(sum)), false, secretForm{how: name + ", in base64", hash: h.name})
			}
			b.add(sum, false, secretForm{how: name, hash: h.name})
		}
	}
}
