package reports

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"telltale/flow/plain"
)

var update = flag.Bool("update", false, "write the golden files anew")

// render writes the report in one format.
func render(t testing.TB, f Format, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b, r); err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	return b.String()
}

// TestGoldens holds every document of every format, to be read by a person
// whenever it changes.
func TestGoldens(t *testing.T) {
	want := map[string]bool{}
	for _, f := range Formats {
		for name, build := range cases {
			file := filepath.Join("testdata", name+f.Ext)
			want[file] = true
			t.Run(f.Name+"/"+name, func(t *testing.T) {
				got := render(t, f, build())
				if f.Ext == ".html" {
					keepPage(t, name, got)
					got = withoutAssets(got)
				}
				sameAsGolden(t, file, got)
			})
		}
	}
	files, err := filepath.Glob("testdata/*.*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !want[file] && !strings.HasPrefix(filepath.Base(file), "extra-") {
			t.Errorf("%s belongs to no case", file)
		}
	}
}

// pages is where the HTML reports of the tests go, for browsers and validators.
var pages = flag.String("pages", "", "folder to write the HTML reports of the tests into")

func keepPage(t *testing.T, name, page string) {
	t.Helper()
	if *pages == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(*pages, name+".html"), []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

// assets are the parts of a page that are the same in each, and are read where they
// are written: in the folder page. Their digests are checked by
// TestPageHoldsNothingActive.
var assets = regexp.MustCompile(`(?s)(<style>).*?(</style>)|(<script>).*?(</script>)|(sha256-)[A-Za-z0-9+/]+=`)

func withoutAssets(page string) string { return assets.ReplaceAllString(page, "$1$3$5…$2$4") }

func sameAsGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has changed (run with -update and read the difference):\n%s", file, firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "got:  " + g[i] + "\nwant: " + w[i]
		}
	}
	return "one is the beginning of the other"
}

// TestEveryFormatIsDeterministic writes each report nine times: what goes
// by the order of a map differs sooner or later.
func TestEveryFormatIsDeterministic(t *testing.T) {
	for _, f := range Formats {
		for name, build := range cases {
			first := render(t, f, build())
			for range 8 {
				if render(t, f, build()) != first {
					t.Fatalf("%s of %s differs from run to run", f.Name, name)
				}
			}
		}
	}
}

// TestEveryFormatIsHarmless checks that no byte of a document can act on a
// terminal, whatever the capture holds.
func TestEveryFormatIsHarmless(t *testing.T) {
	for _, f := range Formats {
		for name, build := range cases {
			got := render(t, f, build())
			if !utf8.ValidString(got) {
				t.Errorf("%s of %s is not UTF-8", f.Name, name)
			}
			for _, r := range got {
				if r != '\n' && (r != '\r' || f.Name != "csv") && !plain.Shows(r) {
					t.Errorf("%s of %s holds %U", f.Name, name, r)
				}
			}
		}
	}
}

// TestEveryFormatMasks checks that a never-send value, a password in a URL and the
// value of a parameter that is called like a credential appear in no document, and do
// with Reveal.
func TestEveryFormatMasks(t *testing.T) {
	for _, f := range Formats {
		got := render(t, f, hostile())
		for _, s := range []string{secret, "hunter2", token} {
			if strings.Contains(got, s) {
				t.Errorf("%s shows %s", f.Name, s)
			}
		}
		if !strings.Contains(got, "redacted") {
			t.Errorf("%s does not say that something was redacted", f.Name)
		}
		r := hostile()
		r.Reveal = true
		got = render(t, f, r)
		if f.Name != "csv" && !strings.Contains(got, "hunter2") {
			t.Errorf("%s does not reveal a URL when asked", f.Name)
		}
		for _, name := range []string{"text", "markdown", "html"} {
			if f.Name == name && !strings.Contains(strings.Join(strings.Fields(got), " "), "some have parameters that are named like credentials") {
				t.Errorf("%s does not warn of what it reveals", f.Name)
			}
		}
	}
}

// TestNoCutShowsPartOfASecret puts a never-send value across every place where a document
// may cut a text: no part of it may be seen.
func TestNoCutShowsPartOfASecret(t *testing.T) {
	parts := []string{secret[:6], secret[len(secret)-6:]}
	check := func(name, got string) {
		got = strings.Join(strings.Fields(got), "") // lines may break inside it
		for _, part := range parts {
			if strings.Contains(got, part) {
				i := strings.Index(got, part)
				t.Errorf("%s shows %q: %s", name, part, got[max(0, i-60):min(len(got), i+60)])
			}
		}
	}
	for _, limit := range []int{maxMethod, 64, maxPhase, maxHost, 200, 256, maxText, maxCommand, sarifDescription, maxProse} {
		for _, before := range []int{0, 3, 9, 15} { // characters of the value before the cut
			bad := strings.Repeat("x", max(limit-before, 0)) + secret
			for _, f := range Formats {
				check(fmt.Sprintf("%s at %d", f.Name, limit), render(t, f, hostileWith(bad)))
			}
			for _, format := range DoctorFormats {
				check(fmt.Sprintf("doctor, %s at %d", format, limit), examine(t, sickWith(bad), format))
			}
			if limit > maxText && limit < maxProse { // no text of a comparison is cut there
				continue
			}
			d := hostileDiffWith(t, bad)
			for _, f := range DiffFormats {
				check(fmt.Sprintf("diff, %s at %d", f.Name, limit), renderDiff(t, f, d))
			}
		}
	}
}

// TestEveryFormatSaysEveryHost checks that the story's hosts are told by all.
func TestEveryFormatSaysEveryHost(t *testing.T) {
	for _, f := range Formats {
		if f.Name == "gitlab" { // it lists what is wrong, and has no place for the rest
			continue
		}
		got := render(t, f, covidAlert())
		for _, host := range []string{retrieval, submission, probe} {
			if !strings.Contains(got, host) {
				t.Errorf("%s does not name %s", f.Name, host)
			}
		}
	}
}

// TestEveryFormatLeavesTheReportAlone checks that writing changes nothing: one
// report is written to several files.
func TestEveryFormatLeavesTheReportAlone(t *testing.T) {
	r := unreadAndWaived()
	slices.Reverse(r.Summary.Hosts)
	first := make(map[string]string)
	for _, f := range Formats {
		first[f.Name] = render(t, f, r)
	}
	for _, f := range Formats {
		if render(t, f, r) != first[f.Name] {
			t.Errorf("%s changed after the other formats were written", f.Name)
		}
	}
}

// TestFormatsAreOneList checks that names and extensions are unique and usable.
func TestFormatsAreOneList(t *testing.T) {
	names, exts := map[string]bool{}, map[string]bool{}
	for _, f := range Formats {
		if names[f.Name] || exts[f.Ext] {
			t.Errorf("%s (%s) is there twice", f.Name, f.Ext)
		}
		names[f.Name], exts[f.Ext] = true, true
		if f.Help == "" || f.Write == nil || !strings.HasPrefix(f.Ext, ".") || f.Ext != strings.ToLower(f.Ext) || strings.ContainsFunc(f.Name, unicode.IsUpper) {
			t.Errorf("%+v is not complete", f)
		}
		if got, ok := ByName(f.Name); !ok || got.Ext != f.Ext {
			t.Errorf("ByName(%q) = %+v, %v", f.Name, got, ok)
		}
		files := []string{"audit" + f.Ext, "a.b/c" + strings.ToUpper(f.Ext)}
		for _, ending := range f.Also {
			if exts[ending] || ending != strings.ToLower(ending) {
				t.Errorf("%s: the ending %s is there twice", f.Name, ending)
			}
			exts[ending] = true
			files = append(files, ending, "a.b/gl-"+strings.ToUpper(ending))
		}
		for _, file := range files {
			if got, err := ByFile(file); err != nil || got.Name != f.Name {
				t.Errorf("ByFile(%q) = %+v, %v", file, got, err)
			}
		}
	}
	for file, want := range map[string]string{
		"audit.json": "json", "audit.sarif.json": "sarif", "gl-code-quality-report.json": "gitlab", "out/gl-codequality.json": "gitlab",
		"codequality.json/audit.json": "json", "audit.gitlab.json": "gitlab", "gitlab.json": "json", "audit.txt": "text", "audit.github.txt": "github", "github.txt": "text", "TEST-telltale.xml": "junit",
	} {
		if got, err := ByFile(file); err != nil || got.Name != want {
			t.Errorf("ByFile(%q) = %s, %v, want %s", file, got.Name, err, want)
		}
	}
	if _, ok := ByName("pdf"); ok {
		t.Error("there is a format that is not there")
	}
	for _, file := range []string{"audit.pdf", "audit", "", ".", "audit.", "a.md/audit"} {
		_, err := ByFile(file)
		if err == nil {
			t.Errorf("ByFile(%q) gives a format", file)
			continue
		}
		for _, f := range Formats {
			if !strings.Contains(err.Error(), f.Ext) {
				t.Errorf("ByFile(%q): %q does not name %s", file, err, f.Ext)
			}
		}
	}
}
