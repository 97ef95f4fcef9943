package needle

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"telltale/guard/raced"
)

// place is one hit, for comparing.
type place struct{ tag, start int }

func places(s *Set, text []byte) (out []place) {
	s.Find(text, func(form *Form, start int) bool {
		out = append(out, place{form.Tag, start})
		return true
	})
	sortPlaces(out)
	return out
}

func sortPlaces(places []place) {
	slices.SortFunc(places, func(a, b place) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return a.tag - b.tag
	})
}

// naive is the search as anybody would write it.
func naive(forms []Form, text []byte) (out []place) {
	folded := slices.Clone(text)
	for i, c := range folded {
		if c >= 'A' && c <= 'Z' {
			folded[i] = c + 'a' - 'A'
		}
	}
	for _, form := range forms {
		in := text
		if form.Fold {
			in = folded
		}
		for i := range in {
			if len(form.Bytes) >= MinForm && bytes.HasPrefix(in[i:], form.Bytes) {
				out = append(out, place{form.Tag, i})
			}
		}
	}
	sortPlaces(out)
	return out
}

func TestFind(t *testing.T) {
	forms := []Form{
		{Bytes: []byte("jane"), Fold: true, Tag: 1},
		{Bytes: []byte("Jane"), Tag: 2},
		{Bytes: []byte("jane.doe@example.org"), Fold: true, Tag: 3},
		{Bytes: []byte("doe"), Fold: true, Tag: 4},
		{Bytes: []byte("Jane.Doe@example"), Tag: 5},
		{Bytes: []byte("\x00j\x00a\x00n\x00e"), Fold: true, Tag: 6},
	}
	s := Compile(forms)
	for text, want := range map[string][]place{
		"":                        nil,
		"jan":                     nil,
		"jane":                    {{1, 0}},
		"JANE":                    {{1, 0}},
		"xJane":                   {{1, 1}, {2, 1}},
		"xxxxxxxxJanJane":         {{1, 11}, {2, 11}},
		"Jane.Doe@Example.org":    {{1, 0}, {2, 0}, {3, 0}},
		"12Jane.Doe@example.org3": {{1, 2}, {2, 2}, {3, 2}, {5, 2}},
		"\x00j\x00a\x00N\x00e":    {{6, 0}},
		"\x00j\x00a\x00n\x00":     nil,
		"jaNe\x00":                {{1, 0}},
	} {
		if got := places(s, []byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if n := s.Len(); n != len(forms) {
		t.Errorf("Len() = %d", n)
	}
}

func TestFindStops(t *testing.T) {
	for name, forms := range map[string][]Form{
		"short": {{Bytes: []byte("aaaa")}},
		"long":  {{Bytes: []byte("aaaaaaaaaaaa")}},
		"both":  {{Bytes: []byte("aaaa")}, {Bytes: []byte("aaaaaaaaaaaa")}},
	} {
		n := 0
		Compile(forms).Find(bytes.Repeat([]byte("a"), 100), func(*Form, int) bool { n++; return n < 3 })
		if n != 3 {
			t.Errorf("%s: %d calls after false", name, n)
		}
	}
	n := 0
	Compile([]Form{{Bytes: []byte("aaaa")}}).Find([]byte("xaaaa"), func(*Form, int) bool { n++; return false })
	if n != 1 {
		t.Errorf("at the end: %d calls", n)
	}
}

func TestEmptySet(t *testing.T) {
	for _, forms := range [][]Form{nil, {{}}, {{Bytes: []byte("abc")}}} {
		if got := places(Compile(forms), []byte("abc abc abc abc")); got != nil {
			t.Errorf("%v finds %v", forms, got)
		}
	}
}

// Every alphabet from nearly-always-matching to hardly-ever is compared with the naive
// search, at every length around the borders of the method.
func TestFindAgreesWithTheNaiveSearch(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range raced.Size(600, 60) {
		letters := "aAbB@`[{\x00 é"[:1+random.IntN(11)]
		some := func(n int) []byte {
			b := make([]byte, n)
			for i := range b {
				b[i] = letters[random.IntN(len(letters))]
			}
			return b
		}
		var forms []Form
		for tag := range 1 + random.IntN(20) {
			form := Form{Bytes: some(1 + random.IntN(16)), Fold: random.IntN(2) == 0, Tag: tag}
			if form.Fold {
				form.Bytes = bytes.ToLower(form.Bytes)
			}
			forms = append(forms, form)
		}
		text := some(random.IntN(80))
		for range random.IntN(3) { // what is there by design, and not by chance
			text = append(append(text, forms[random.IntN(len(forms))].Bytes...), some(random.IntN(9))...)
		}
		if got, want := places(Compile(forms), text), naive(forms, text); !slices.Equal(got, want) {
			t.Fatalf("round %d: %v in %q: %v, want %v", round, forms, text, got, want)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("jane\ndoe@example.org", "Jane Doe@example.org", true)
	f.Add("aaaa\naaaaaaaaaaa\naaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaa", false)
	f.Fuzz(func(t *testing.T, list, text string, fold bool) {
		var forms []Form
		for i, b := range bytes.Split([]byte(list), []byte("\n")) {
			if fold {
				for j, c := range b {
					b[j] = lower[c]
				}
			}
			forms = append(forms, Form{Bytes: b, Fold: fold, Tag: i})
		}
		if got, want := places(Compile(forms), []byte(text)), naive(forms, []byte(text)); !slices.Equal(got, want) {
			t.Errorf("%v in %q: %v, want %v", forms, text, got, want)
		}
	})
}

// many returns as many forms as fifty values have: in lower case, hexadecimal and base64,
// some of them short.
func many(n int, short bool) []Form {
	random := rand.New(rand.NewPCG(3, 4))
	var forms []Form
	for i := range n {
		value := make([]byte, 12+random.IntN(20))
		for j := range value {
			value[j] = byte(random.Uint32())
		}
		form := Form{Tag: i}
		switch {
		case short && i%20 == 0:
			form.Bytes, form.Fold = []byte(hex.EncodeToString(value)[:4+random.IntN(6)]), true
		case i%2 == 0:
			form.Bytes, form.Fold = []byte(hex.EncodeToString(value)), true
		default:
			form.Bytes = []byte(base64.StdEncoding.EncodeToString(value))
		}
		forms = append(forms, form)
	}
	return forms
}

func BenchmarkFind(b *testing.B) {
	var text strings.Builder
	for i := 0; text.Len() < 1<<20; i++ {
		fmt.Fprintf(&text, `{"id":%d,"name":"customer %x","tags":["alpha","beta"],"url":"https://api.example/v1/%d?q=words+of+a+text"},`, i, i*7919, i)
	}
	for _, n := range []int{1, 100, 6000} {
		for _, short := range []bool{false, true} {
			b.Run(fmt.Sprintf("forms=%d/short=%v", n, short), func(b *testing.B) {
				set := Compile(many(n, short))
				data := []byte(text.String())
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				hits := 0
				for b.Loop() {
					set.Find(data, func(*Form, int) bool { hits++; return true })
				}
			})
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	forms := many(6000, true)
	b.ReportAllocs()
	for b.Loop() {
		Compile(forms)
	}
}
