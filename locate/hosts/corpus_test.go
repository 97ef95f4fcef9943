package hosts

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// reasons are the short names of noise in the corpus.
var reasons = map[string]string{
	"ns": NoiseNamespace, "lic": NoiseLicence, "doc": NoiseDocs, "ex": NoiseExample, "mail": NoiseEMail, "cert": NoiseCertificate,
	"dev": NoiseThisDevice, "priv": NoisePrivate, "local": NoiseLocal, "unk": NoiseUnknown,
}

// A sample is a row of the corpus.
type sample struct {
	line  int
	whole bool
	text  string
	want  []string
}

func corpus(t testing.TB) []sample {
	t.Helper()
	b, err := os.ReadFile("testdata/corpus.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var samples []sample
	for i, line := range strings.Split(string(b), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(line, "\t")
		if len(columns) != 3 {
			t.Fatalf("corpus.tsv:%d: %d columns", i+1, len(columns))
		}
		text, err := strconv.Unquote(`"` + strings.ReplaceAll(columns[1], `"`, `\"`) + `"`)
		if err != nil {
			t.Fatalf("corpus.tsv:%d: %v", i+1, err)
		}
		s := sample{line: i + 1, whole: columns[0] == "w", text: text}
		if columns[2] != "-" {
			s.want = strings.Fields(columns[2])
		}
		samples = append(samples, s)
	}
	return samples
}

// described is a mention as the corpus has it.
func described(m Mention) string {
	d := m.Host
	for short, reason := range reasons {
		if m.Noise == reason {
			d += "=" + short
		}
	}
	if m.Template {
		d += "~"
	}
	return d
}

func TestCorpus(t *testing.T) {
	samples := corpus(t)
	var found, missed, wrong int
	for _, s := range samples {
		var got []string
		Find([]byte(s.text), s.whole, func(m Mention) bool {
			got = append(got, described(m))
			if shown := s.text[m.Start:m.End]; m.URL != "" && m.URL != shown {
				t.Errorf("corpus.tsv:%d: URL %q, at its place stands %q", s.line, m.URL, shown)
			}
			if m.Bare != (m.URL == "" && m.Noise != NoiseEMail) {
				t.Errorf("corpus.tsv:%d: bare %v with URL %q", s.line, m.Bare, m.URL)
			}
			return true
		})
		left := map[string]int{}
		for _, w := range s.want {
			left[w]++
		}
		for _, g := range got {
			if left[g] > 0 {
				left[g]--
				found++
			} else {
				wrong++
			}
		}
		for _, n := range left {
			missed += n
		}
		if fmt.Sprint(got) != fmt.Sprint(s.want) {
			t.Errorf("corpus.tsv:%d: %q: want %v, got %v", s.line, s.text, s.want, got)
		}
	}
	t.Logf("%d texts, %d hosts found, %d missed, %d that are none: precision %.3f, recall %.3f", len(samples), found, missed, wrong,
		float64(found)/float64(max(found+wrong, 1)), float64(found)/float64(max(found+missed, 1)))
	if len(samples) < 300 {
		t.Errorf("only %d texts", len(samples))
	}
}
