package locate

import (
	"strings"
	"testing"
	"unicode/utf8"

	"telltale/locate/app"
	"telltale/locate/library"
	"telltale/locate/reading"
)

// asIs shows text as it is.
var asIs = Style{Data: func(s string) string { return "<" + s + ">" }, Prose: func(s string) string { return "{" + s + "}" }}

func TestWhere(t *testing.T) {
	t.Parallel()
	for want, l := range map[string]Lead{
		"<main.jsbundle>, line 1, column 48213, byte 1,234,567, module <413>": {File: "main.jsbundle", Offset: 1_234_567, Place: reading.Place{Line: 1, Column: 48213, Module: &reading.Module{ID: "413"}}},
		"<a.dex>, <string table>, byte 0":                                     {File: "a.dex", Place: reading.Place{Section: "string table"}},
		"<b.js>, line 3, byte 12, module <7> <x/index.js>":                    {File: "b.js", Offset: 12, Place: reading.Place{Line: 3, Module: &reading.Module{ID: "7", Name: "x/index.js"}}},
	} {
		if got := l.Where(asIs); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

func TestBriefly(t *testing.T) {
	t.Parallel()
	l := Lead{File: "b.js", Offset: 4096, Place: reading.Place{Line: 3, Column: 4}, Origin: &library.Origin{Name: "x", Confidence: library.Likely}}
	if got := l.Briefly(asIs); got != "<x> (likely), <b.js> line 3 column 4" {
		t.Error(got)
	}
	l.Place.Column = 0
	if got := l.Briefly(asIs); got != "<x> (likely), <b.js> line 3" {
		t.Error(got)
	}
	l.Place.Line, l.Origin = 0, nil
	if got := l.Briefly(asIs); got != "<b.js> byte 4,096" {
		t.Error(got)
	}
}

// TestWithoutKeys checks what is hidden, and that what is no key stays.
func TestWithoutKeys(t *testing.T) {
	t.Parallel()
	for in, hidden := range map[string]string{
		`"https://maps.example/js?key=Zq81xK&v=3"`:                    "Zq81xK",
		`{apiKey:"AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q"}`:          "SyA1b2C3d4",
		`stripe("sk_live_4eC39HqLyjWDarjtT1zdp7dc")`:                  "4eC39Hq",
		`"token": "3f9a77c0deadbeef"`:                                 "3f9a77c0",
		`https://user:pa55word@host.example/x`:                        "pa55word",
		`\"client_secret\":\"GOCSPX-1a2b3c4d5e\"`:                     "1a2b3c4d5e",
		`"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlMTIzNDU2"`: "c2lnbmF0dXJl",
		`<meta-data key="9d8f7a6b5c4e">`:                              "9d8f7a6b5c4e",
		`https://a.example/?next=1&access_token=abcd1234#x`:           "abcd1234",
		`redirect=https://a.example/?session=abcd1234`:                "abcd1234",
	} {
		got := WithoutKeys(in)
		if strings.Contains(got, hidden) || !strings.Contains(got, "redacted") {
			t.Errorf("%s became %s", in, got)
		}
		if again := WithoutKeys(got); again != got {
			t.Errorf("%s became %s when masked again", got, again)
		}
	}
	for _, in := range []string{
		"", "https://clients3.google.com/generate_204", `{key:"reachability",code:"timeout"}`, `reachabilityTest:function(t){return 204===t.status}`,
		`e.default={reachabilityUrl:"https://clients3.google.com/generate_204",reachabilityLongTimeout:6e4}`, `for(var key in map)`, `key:e,value:t`,
	} {
		if got := WithoutKeys(in); got != in {
			t.Errorf("%s became %s", in, got)
		}
	}
}

// TestMaskedSeesTheWholeSnippet checks that a secret across two parts is hidden, and that the
// match stays marked where it can.
func TestMaskedSeesTheWholeSnippet(t *testing.T) {
	t.Parallel()
	mask := func(s string) string { return strings.ReplaceAll(s, "secret", "[redacted]") }
	for in, want := range map[Snippet]Snippet{
		{"a", "b", "c"}:                   {"a", "b", "c"},
		{"secret x=", "m", " secret"}:     {"[redacted] x=", "m", " [redacted]"},
		{"x sec", "ret m", "y"}:           {"x [redacted] m", "", "y"},
		{"secret", " secret", "secret é"}: {"[redacted]", " [redacted]", "[redacted] é"},
		{"m secret m ", "m", " m"}:        {"m [redacted] m ", "m", " m"},
		{"", "secret", ""}:                {"", "[redacted]", ""},
		{"secret", "", ""}:                {"[redacted]", "", ""},
		{"m", "m", " m secret m m m m m"}: {"m", "m", " m [redacted] m m m m m"},
	} {
		got := in.Masked(mask)
		if got.Before+got.Match+got.After != want.Before+want.Match+want.After {
			t.Errorf("%q became %q", in, got)
		}
		if want.Match != "" && got.Match != want.Match {
			t.Errorf("the match of %q became %q", in, got.Match)
		}
	}
}

func TestFit(t *testing.T) {
	t.Parallel()
	cells := func(r rune) int {
		if r >= 0x3000 {
			return 2
		}
		return 1
	}
	long := strings.Repeat("before ", 20)
	for _, s := range []Snippet{{long, "match", long}, {"", "match", long}, {long, "match", ""}, {"字字字", "match", "字字字"}, {"", strings.Repeat("m", 90), ""}, {}} {
		for n := range 100 {
			got := s.Fit(n, cells)
			if all := got.Before + got.Match + got.After; columnsOf(all, cells) > n || !utf8.ValidString(all) {
				t.Fatalf("%q needs more than %d columns", got, n)
			}
			if n >= len("match") && s.Match == "match" && got.Match != "match" {
				t.Fatalf("%d columns cut the match: %q", n, got)
			}
			if n > 20 && columnsOf(s.Before+s.Match+s.After, cells) > n && columnsOf(got.Before+got.Match+got.After, cells) < n-2 {
				t.Fatalf("%q leaves room of %d columns", got, n)
			}
		}
	}
}

// TestUsersWithoutANameAreLeftOut checks that one letter is told of nobody, and that what is left
// out of a list is counted.
func TestUsersWithoutANameAreLeftOut(t *testing.T) {
	t.Parallel()
	short := reading.User{Name: "u", Obfuscated: true}
	for want, users := range map[string][]reading.User{
		"":                                     {short},
		"<fetchIt>":                            {short, {Name: "fetchIt"}, short},
		"<b1>, <b2>, <b3> and 1 more":          {{Name: "b1"}, short, {Name: "b2"}, {Name: "b3"}, {Name: "b4"}},
		"<u> (<a.js> line 3; " + nobodys + ")": {{Name: "u", Obfuscated: true, File: "a.js", Line: 3}},
		"<a> (" + nobodys + ")":                {{Name: "a", Package: "a", Obfuscated: true}},
	} {
		l := Lead{Place: reading.Place{Users: users}}
		if got := l.users(asIs); got != want {
			t.Errorf("%v are told as %q, want %q", users, got, want)
		}
	}
}

const nobodys = "the build shortened its name, which names nobody"

// TestAdviceSpeaksOfWhatFailed checks that nobody is told to get an app anew for a file in it.
func TestAdviceSpeaksOfWhatFailed(t *testing.T) {
	t.Parallel()
	app1 := App{Info: app.Info{Path: "a.apk"}}
	part, whole := app.Failure{Path: "a.apk!/x.plist"}, app.Failure{Path: "a.apk"}
	for want, failures := range map[string][]app.Failure{
		"2 files of the app could not be read": {part, part}, "1 app could not be opened": {whole}, "": nil,
	} {
		r := Result{Apps: []App{app1}, Wanted: Wanted{Hosts: []string{"h.example"}}, Failures: failures}
		got := strings.Join(r.Advice(), "\n")
		if !strings.HasPrefix(got, want) || strings.Contains(got, "could not be") != (want != "") {
			t.Errorf("%v: %s", failures, got)
		}
	}
}

func TestSizesAndNumbers(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1.0 kB", 99_949: "99.9 kB", 99_950: "100 kB", 999_499: "999 kB", 999_500: "1.0 MB", 78_310_442: "78.3 MB", 2_500_000_000_000: "2500 GB"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := Thousands(n); got != want {
			t.Errorf("Thousands(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestRemedyOfWhatIsTurnedOff(t *testing.T) {
	t.Parallel()
	l := Lead{Origin: &library.Origin{Name: "x", Remedy: "do it"}}
	if l.Remedy() != "do it" || l.Stopped() {
		t.Error(l.Remedy())
	}
	l.Overrides = []library.Override{{Says: "the app sets b to 'y'"}, {Stops: true, Says: "the app sets a to ''"}}
	if !l.Stopped() || l.Remedy() != "The app sets a to '', which turns it off. A capture of this version shows whether that works." {
		t.Error(l.Remedy())
	}
	if l.Origin = nil; l.Remedy() != "" {
		t.Error(l.Remedy())
	}
}

// FuzzWithoutKeys checks that hiding ends, and finds nothing more in what it has hidden.
func FuzzWithoutKeys(f *testing.F) {
	f.Add(`key="a1b2c3d4e5",token:'x' https://u:p@h/?key=abcd`)
	f.Fuzz(func(t *testing.T, s string) {
		if got := WithoutKeys(s); utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("%q became %q", s, got)
		}
	})
}

func BenchmarkWithoutKeys(b *testing.B) {
	text := strings.Repeat(`e.default={reachabilityUrl:"https://clients3.google.com/generate_204?a=1",key:"name",x:function(){return 204===t.status}};`, 20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if WithoutKeys(text) != text {
			b.Fatal("something was hidden")
		}
	}
}
