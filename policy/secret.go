package policy

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"sort"
	"strings"

	"telltale/flow"
)

// A Secret is a value under never-send. It masks itself when printed; [Secret.Reveal]
// is the one way to the value.
type Secret struct {
	Name   string
	value  string
	source Source

	plain  [][]byte // spellings of the value, ASCII letters in lower case
	hex    []byte   // lower case
	base64 [][]byte // what stands in base64 whatever stands around it
}

// Reveal returns the value.
func (s Secret) Reveal() string { return s.value }

// String returns the name; the value never prints.
func (s Secret) String() string { return s.Name + ": " + flow.Redacted }

// Format keeps every verb from showing the value: some would print the struct.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, s.String()) }

// MarshalText keeps encoders from showing the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Secrets returns the values that must not leave the device.
func (p *Policy) Secrets() []Secret { return append([]Secret(nil), p.secrets...) }

// minBase64 is the length below which a run of base64 is found by chance.
const minBase64 = 6

func newSecret(name, value string, source Source) Secret {
	s := Secret{Name: name, value: value, source: source, hex: []byte(hex.EncodeToString([]byte(value)))}
	seen := map[string]bool{}
	add := func(list *[][]byte, form string, least int) {
		if len(form) >= least && !seen[form] {
			seen[form] = true
			*list = append(*list, []byte(form))
		}
	}
	for _, spelling := range []string{value, strings.ToLower(value), strings.ToUpper(value)} {
		add(&s.plain, string(lowerASCII([]byte(spelling))), 1)
		add(&s.plain, string(lowerASCII([]byte(strings.ReplaceAll(spelling, " ", "+")))), 1)
		for offset := range 3 {
			stable := stableBase64(spelling, offset)
			add(&s.base64, stable, minBase64)
			add(&s.base64, strings.NewReplacer("+", "-", "/", "_").Replace(stable), minBase64)
		}
	}
	return s
}

// stableBase64 returns the characters that base64 makes of value alone when it
// starts at offset (0 to 2) in a group of three bytes: those that no neighbour
// shares.
func stableBase64(value string, offset int) string {
	text := base64.RawStdEncoding.EncodeToString(append(make([]byte, offset), value...))
	bits := 8 * (offset + len(value))
	return text[(8*offset+5)/6 : bits/6]
}

// lowerASCII returns b with A to Z in lower case, of the same length.
func lowerASCII(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		out[i] = c
	}
	return out
}

// A reading is a text with one layer or more of encoding removed. at maps each byte
// to where it came from in the text, and has one more entry for the end; nil is
// identity.
type reading struct {
	how  string
	text []byte
	at   []int32
	// lowered is the text with ASCII letters in lower case.
	lowered []byte
}

// readings returns the text as it stands and as a receiver would decode it: percent
// encoding up to twice, JSON escapes up to twice (JSON in a JSON string), and both
// in either order.
func readings(text []byte, locate bool) []reading {
	out := []reading{{how: "as it is", text: text}}
	seen := 0
	for depth := 0; depth < 2; depth++ {
		last := len(out)
		for _, r := range out[seen:last] {
			if bytes.IndexByte(r.text, '%') >= 0 {
				out = append(out, r.decode("percent-encoded", decodePercent, locate))
			}
			if bytes.IndexByte(r.text, '\\') >= 0 {
				out = append(out, r.decode("JSON-escaped", decodeJSON, locate))
			}
		}
		seen = last
	}
	return out
}

// decode removes one layer. step returns the bytes that the text at i stands for, and
// how many bytes it took; 0 means that the byte is itself.
func (r reading) decode(how string, step func(s []byte, i int, out []byte) ([]byte, int), locate bool) reading {
	d := reading{how: how, text: make([]byte, 0, len(r.text))}
	if locate {
		d.at = make([]int32, 0, len(r.text)+1)
	}
	for i := 0; i < len(r.text); {
		before := len(d.text)
		out, n := step(r.text, i, d.text)
		if n == 0 {
			out, n = append(out, r.text[i]), 1
		}
		d.text = out
		for range len(d.text) - before {
			if locate {
				d.at = append(d.at, int32(r.origin(i)))
			}
		}
		i += n
	}
	if locate {
		d.at = append(d.at, int32(r.origin(len(r.text))))
	}
	return d
}

func (r reading) origin(i int) int {
	if r.at == nil {
		return i
	}
	return int(r.at[i])
}

func decodePercent(s []byte, i int, out []byte) ([]byte, int) {
	if c, ok := flow.PercentByte(s, i); ok {
		return append(out, c), 3
	}
	return out, 0
}

// decodeJSON removes one escape of a JSON string (RFC 8259, 7).
func decodeJSON(s []byte, i int, out []byte) ([]byte, int) {
	if s[i] != '\\' || i+1 >= len(s) {
		return out, 0
	}
	if j := strings.IndexByte(`"\/bfnrt`, s[i+1]); j >= 0 {
		return append(out, "\"\\/\b\f\n\r\t"[j]), 2
	}
	r, n := jsonRune(s, i)
	if n == 0 {
		return out, 0
	}
	if r >= 0xd800 && r < 0xdc00 { // the first half of a surrogate pair
		if low, m := jsonRune(s, i+n); m > 0 && low >= 0xdc00 && low < 0xe000 {
			r, n = 0x10000+(r-0xd800)<<10+(low-0xdc00), n+m
		}
	}
	return append(out, string(r)...), n
}

func jsonRune(s []byte, i int) (rune, int) {
	if i+6 > len(s) || s[i] != '\\' || s[i+1] != 'u' {
		return 0, 0
	}
	var unit [2]byte
	if _, err := hex.Decode(unit[:], s[i+2:i+6]); err != nil {
		return 0, 0
	}
	return rune(unit[0])<<8 | rune(unit[1]), 6
}

// find returns how the secret stands in a text, "" when it does not.
func (s *Secret) find(rs []reading) string {
	for i := range rs {
		r := &rs[i]
		for _, form := range s.plain {
			if bytes.Contains(r.lowered, form) {
				return r.how
			}
		}
		if bytes.Contains(r.lowered, s.hex) {
			return "in hexadecimal"
		}
		for _, form := range s.base64 {
			if bytes.Contains(r.text, form) {
				return "in base64"
			}
		}
	}
	return ""
}

// Mask returns the text with every value under never-send replaced by
// [flow.Redacted], whether it stands there as it is, percent-encoded, JSON-escaped, in
// base64 or in hexadecimal.
func (p *Policy) Mask(text string) string {
	if len(p.secrets) == 0 || len(text) < minSecret {
		return text
	}
	var spans []span
	for _, r := range readings([]byte(text), true) {
		lowered := lowerASCII(r.text)
		for i := range p.secrets {
			spans = p.secrets[i].locate(spans, r, lowered)
		}
	}
	if len(spans) == 0 {
		return text
	}
	return redact(text, spans)
}

// span is a part of a text, in bytes.
type span struct{ start, end int }

// locate adds where the secret stands in a reading, as places in the original text.
func (s *Secret) locate(spans []span, r reading, lowered []byte) []span {
	for _, form := range s.plain {
		spans = occurrences(spans, r, lowered, form, 0)
	}
	spans = occurrences(spans, r, lowered, s.hex, 0)
	for _, form := range s.base64 {
		// The neighbouring characters hold bits of the value's ends.
		spans = occurrences(spans, r, r.text, form, 1)
	}
	return spans
}

func occurrences(spans []span, r reading, in, form []byte, margin int) []span {
	for from := 0; ; {
		i := bytes.Index(in[from:], form)
		if i < 0 {
			return spans
		}
		start, end := from+i, from+i+len(form)
		from = start + 1
		for range margin {
			if start > 0 && isBase64(in[start-1]) {
				start--
			}
			if end < len(in) && isBase64(in[end]) {
				end++
			}
		}
		spans = append(spans, span{r.origin(start), r.origin(end)})
	}
}

func isBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("+/-_", c) >= 0
}

func redact(text string, spans []span) string {
	sort.Slice(spans, func(i, j int) bool { return spans[i].start < spans[j].start })
	var b strings.Builder
	done := 0
	for _, sp := range spans {
		if sp.end <= done {
			continue
		}
		if sp.start > done || done == 0 {
			b.WriteString(text[done:max(sp.start, done)] + flow.Redacted)
		}
		done = sp.end
	}
	return b.String() + text[done:]
}
