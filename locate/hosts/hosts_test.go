package hosts

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/publicsuffix"

	"telltale/flow"
	"telltale/guard/raced"
)

func TestVisitEndsTheSearch(t *testing.T) {
	for _, text := range []string{"https://a.segment.io https://b.segment.io", `"api.segment.io","api.ipify.org"`} {
		n := 0
		Find([]byte(text), false, func(Mention) bool { n++; return false })
		if n != 1 {
			t.Errorf("%s: %d visits", text, n)
		}
	}
}

func TestURLEndsWhereItDoes(t *testing.T) {
	for text, want := range map[string]string{
		`x("https://a.segment.io/p?q=1#f")`:              "https://a.segment.io/p?q=1#f",
		"see https://a.segment.io/p.":                    "https://a.segment.io/p",
		"(https://a.segment.io/p_(q))":                   "https://a.segment.io/p_(q)",
		"https://a.segment.io/p</a>":                     "https://a.segment.io/p",
		"https://a.segment.io/p&quot;":                   "https://a.segment.io/p",
		`{"u":"https:\/\/a.segment.io\/p\/q"}`:           `https:\/\/a.segment.io\/p\/q`,
		`"https://a.segment.io/p\"`:                      "https://a.segment.io/p",
		`"https://a.segment.io/p\n"`:                     "https://a.segment.io/p",
		"`https://a.segment.io/${x.y}/p`":                "https://a.segment.io/${x.y}/p",
		"https://a.segment.io/%1$s/p\x00next":            "https://a.segment.io/%1$s/p",
		"https://a.segment.io/{id}}":                     "https://a.segment.io/{id}",
		"https://a.segment.io:443,https://b":             "https://a.segment.io:443",
		"https://a.segment.io\xff\xfe":                   "https://a.segment.io",
		"https://a.segment.io/straße\u2028x":             "https://a.segment.io/straße",
		"https://a.segment.io." + strings.Repeat(".", 9): "https://a.segment.io",
	} {
		got := ""
		Find([]byte(text), false, func(m Mention) bool { got = m.URL; return false })
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// The bounds of a URL in a certificate are known, so that what follows it is not taken for
// a part of it.
func TestCertificateGivesTheLength(t *testing.T) {
	text := []byte("\x86\x18http://ocsp.digicert.comABC")
	Find(text, false, func(m Mention) bool {
		if m.URL != "http://ocsp.digicert.com" || m.Noise != NoiseCertificate || m.End != 26 {
			t.Errorf("got %+v", m)
		}
		return true
	})
}

func TestEndingsAreDomains(t *testing.T) {
	for name := range suffixes {
		if _, icann := publicsuffix.PublicSuffix(name); !icann {
			t.Errorf("%s is no domain", name)
		}
	}
}

func TestRowsOfNoiseAreCanonical(t *testing.T) {
	for _, rows := range [][]row{namespaces, licences, manuals, examples} {
		for i, r := range rows {
			name := strings.TrimPrefix(r.host, ".")
			if flow.CanonicalHost(name) != name || nameOf(name) != name {
				t.Errorf("%s is not canonical", r.host)
			}
			if slices.Contains(rows[:i], r) {
				t.Errorf("%v is there twice", r)
			}
		}
	}
}

// The bundle of an app that has NetInfo's default contacts Google, says the bundle alone.
func TestDefaultsOfNetInfoAreInTheBundle(t *testing.T) {
	text, err := os.ReadFile("../../bin/artefacts/rn/main.jsbundle")
	if err != nil {
		t.Skip("run `make artefacts` first: ", err)
	}
	var calm []string
	Find(text, false, func(m Mention) bool {
		if m.Noise == "" {
			calm = append(calm, m.URL)
		}
		return true
	})
	slices.Sort(calm)
	if want := []string{"https://api.canada.ca/en/detail", "https://clients3.google.com/generate_204"}; !slices.Equal(calm, want) {
		t.Errorf("got %q, want %q", calm, want)
	}
}

// Nothing makes the time grow faster than the length: no text takes long.
func TestTimeIsLinear(t *testing.T) {
	for name, piece := range map[string]string{
		"urls": "http://a.b", "slashes": "://", "quotes": `"a.b`, "at": "http://a@", "holes": "http://{a", "brackets": "http://[", "closing": "http://a.b/)))))",
		"escaped": `:\/\/`, "backslashes": `:\\\\\\\\`, "entities": "http:&#x2f;", "percent": "http%3A%2F%2F", "dots": ".......", "nul": "\x00", "nuls": "a\x00", "stars": "*.*.",
		"templates": "http://%s%s%s", "mail": `"a@b.`, "paths": `"a.com/`,
	} {
		text := bytes.Repeat([]byte(piece), raced.Size(1<<18, 1<<14)/len(piece))
		began := time.Now()
		Find(text, false, func(Mention) bool { return true })
		Find(text, true, func(Mention) bool { return true })
		// Quadratic would be hours; a busy machine may take its time.
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s: %v", name, took)
		} else {
			t.Logf("%s: %v", name, took)
		}
	}
}

func FuzzFind(f *testing.F) {
	for _, s := range corpus(f) {
		f.Add([]byte(s.text), s.whole)
	}
	f.Fuzz(func(t *testing.T, text []byte, whole bool) {
		at := 0
		Find(text, whole, func(m Mention) bool {
			if m.Start < at || m.End <= m.Start || m.End > len(text) {
				t.Fatalf("%q: from %d to %d after %d", text, m.Start, m.End, at)
			}
			at = m.Start
			if m.Host == "" || flow.CanonicalHost(m.Host) != m.Host && !strings.Contains(m.Host, ":") {
				t.Fatalf("%q: host %q is %q", text, m.Host, flow.CanonicalHost(m.Host))
			}
			if m.URL != "" && m.URL != string(text[m.Start:m.End]) {
				t.Fatalf("%q: URL %q", text, m.URL)
			}
			if m.Bare && m.URL != "" {
				t.Fatalf("%q: bare with URL %q", text, m.URL)
			}
			return true
		})
	})
}
