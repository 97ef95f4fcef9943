package reports

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"telltale/flow/plain"
	"telltale/locate"
	container "telltale/locate/app"
)

func writeLocated(t testing.TB, l *Located, format string) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteLocated(&b, l, format); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return b.String()
}

// TestLocatedGoldens holds what was located in every format, to be read by a person.
func TestLocatedGoldens(t *testing.T) {
	t.Parallel()
	want := map[string]bool{}
	for name, build := range locatedCases {
		for _, format := range LocatedFormats {
			file := filepath.Join("testdata", "located", name+map[string]string{"text": ".txt", "json": ".json"}[format])
			want[file] = true
			sameAsGolden(t, file, writeLocated(t, build(), format))
		}
	}
	files, err := filepath.Glob("testdata/located/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !want[file] {
			t.Errorf("%s belongs to no case", file)
		}
	}
}

// TestLocatedIsHarmless checks that nothing of an app acts on a terminal, and that lines keep
// their width.
func TestLocatedIsHarmless(t *testing.T) {
	t.Parallel()
	for name, build := range locatedCases {
		for _, format := range LocatedFormats {
			for _, width := range []int{0, 40, 57, 100, 400} {
				l := build()
				l.Width = width
				got := writeLocated(t, l, format)
				if !utf8.ValidString(got) {
					t.Errorf("%s as %s is not UTF-8", name, format)
				}
				for _, r := range got {
					if r != '\n' && !plain.Shows(r) {
						t.Errorf("%s as %s holds %U", name, format, r)
					}
				}
				if format == "text" {
					noWiderThan(t, name, got, min(max(width, minWidth), maxWidth))
				}
			}
		}
	}
}

// noWiderThan complains about lines that are too wide. Lines of programs keep their shape.
func noWiderThan(t *testing.T, name, text string, width int) {
	t.Helper()
	if width == minWidth {
		width = max(width, minWidth)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if program := strings.HasPrefix(line, strings.Repeat(" ", leadsIndent+labelWidth+4)); cells(line) > width && !program && width != minWidth {
			t.Errorf("%s: %d columns of %d: %s", name, cells(line), width, line)
		}
	}
}

// TestLocatedMasks checks that never-send values and credentials of an app are hidden, and
// shown with Reveal.
func TestLocatedMasks(t *testing.T) {
	t.Parallel()
	for _, format := range LocatedFormats {
		l := hostileLocated(hostileText)
		got := strings.Join(strings.Fields(writeLocated(t, l, format)), "")
		for _, s := range []string{secret, "hunter2", token, apiKey} {
			if strings.Contains(got, s) {
				i := strings.Index(got, s)
				t.Errorf("%s shows %s: %s", format, s, got[max(0, i-80):i+len(s)])
			}
		}
		l.Reveal = true
		if got := strings.Join(strings.Fields(writeLocated(t, l, format)), ""); !strings.Contains(got, secret) || !strings.Contains(got, apiKey) {
			t.Errorf("%s does not reveal when asked", format)
		}
	}
}

// TestNoSecretBeginsInOnePartAndEndsInAnother has a never-send value across the parts of a
// snippet.
func TestNoSecretBeginsInOnePartAndEndsInAnother(t *testing.T) {
	t.Parallel()
	for at := range secret {
		l := hostileLocated("x")
		l.Result.Leads[0].Snippet = locate.Snippet{Before: "before " + secret[:at], Match: secret[at:] + " clients3.google.com", After: "after"}
		for _, format := range LocatedFormats {
			got := writeLocated(t, l, format)
			for _, part := range []string{secret[:at], secret[at:]} {
				if len(part) > 5 && strings.Contains(got, part) {
					t.Errorf("%s shows %q", format, part)
				}
			}
		}
	}
}

// TestTheMatchIsMarked checks that the line below a snippet stands below the match, and that
// colour marks the match itself.
func TestTheMatchIsMarked(t *testing.T) {
	t.Parallel()
	for _, around := range []string{"", "x", strings.Repeat("before ", 30), "日本語" + strings.Repeat("字", 60)} {
		for _, match := range []string{"clients3.google.com", strings.Repeat("m", 200), "é.example"} {
			for _, color := range []bool{false, true} {
				s := &screen{width: 80, color: color}
				s.snippet(locate.Snippet{Before: around, Match: match, After: around})
				lines := strings.Split(s.String(), "\n")
				if color {
					if !strings.Contains(lines[0], "\x1b[") || len(lines) != 2 {
						t.Errorf("%q is not marked in colour: %q", match, lines)
					}
					continue
				}
				first := strings.Index(lines[1], "^")
				marked := strings.Count(lines[1], "^")
				if cells(lines[0]) > 80 || cells(lines[1]) > 80 {
					t.Errorf("%q is too wide: %q", match, lines)
				}
				if got := slice(lines[0], first, marked); got != match && !strings.HasPrefix(match, strings.TrimSuffix(got, "…")) {
					t.Errorf("the marks stand below %q, not %q", got, match)
				}
			}
		}
	}
}

// slice returns some columns of a line.
func slice(line string, from, n int) string {
	var b strings.Builder
	at := 0
	for _, r := range line {
		if at >= from && at < from+n {
			b.WriteRune(r)
		}
		at += cellsOf(r)
	}
	return b.String()
}

// TestLocatedSaysWhatMatters checks the sentences that a finding stands or falls with.
func TestLocatedSaysWhatMatters(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"netinfo": {
			"FOUND  clients3.google.com", bundle + ", line 1, column 48213, byte 1,234,567, module 413", "@react-native-community/netinfo (npm), likely", "reachabilityUrl is https://clients3.google.com/generate_204",
			"src/internal/defaultConfiguration.ts line 12", "override none was found in the app", "reachabilityUrl: '',", "A mention is no contact",
		},
		"override":   {"certain", "the app sets reachabilityUrl to '', which stops the contact", "5.9.10, by package-lock.json line 812", "ultConfiguration.ts line 12, by main.jsbundle.map", "The app sets reachabilityUrl to '', which turns it off. A capture of this version shows whether that works."},
		"obfuscated": {"string table, byte 881,204", "the build shortened its name, which names nobody", "and 2 more", locate.NothingTells},
		"encrypted":  {"NOT FOUND  graph.facebook.com", "Where it was looked", "412 files", "React Native bundle (plain)", "the code is encrypted (FairPlay)", "not a valid zip file"},
		"forms":      {"in base64", "XORed with 0x5a", "backwards", "percent-encoded", "in UTF-16", "is not certain", "which the code puts together", "filled in while the app runs", "its name may be built from example"},
		"tree":       {"source tree", "src/config.js, line 3, column 20", "1 file of the app could not be read, or not whole, and may hold it"},
		"folder":     {"folder (unpacked APK)", "assets/index.android.bundle, line 1, column 48213"},
		"partly":     {"PARTLY FOUND  1 of 2 hosts", "region1.app-measurement.com", "its name may be built from app-measurement.com", "and may hold it"},
		"many":       {"… and 19 more", "2 further places there say the same", "in 31 places"},
		"listed":     {"LISTED  30 hosts", "a contact to 7 of them would break the policy", "What would break the policy (7)", "What the policy allows (22)", "What the policy ignores (1)", "XML namespace: 4", "3,481"},
	} {
		got := strings.Join(strings.Fields(writeLocated(t, locatedCases[name](), "text")), " ")
		for _, s := range want {
			if !strings.Contains(got, strings.Join(strings.Fields(s), " ")) {
				t.Errorf("%s does not say %q:\n%s", name, s, got)
			}
		}
		if n := strings.Count(got, "A mention is no contact"); n != 1 {
			t.Errorf("%s says %d times what a mention is worth", name, n)
		}
	}
}

// TestLocatedJSON reads what programs read.
func TestLocatedJSON(t *testing.T) {
	t.Parallel()
	var doc struct {
		Schema  string
		Wanted  []map[string]any
		Leads   []map[string]any
		Hosts   []map[string]any
		Missing []string
	}
	read := func(name string) {
		t.Helper()
		doc.Wanted, doc.Leads, doc.Hosts, doc.Missing = nil, nil, nil, nil
		if err := json.Unmarshal([]byte(writeLocated(t, locatedCases[name](), "json")), &doc); err != nil {
			t.Fatal(err)
		}
	}
	read("partly")
	if doc.Schema != LocatedSchema || len(doc.Wanted) != 2 || doc.Wanted[0]["found"] != true || doc.Wanted[1]["found"] != false || fmt.Sprint(doc.Missing) != "[region1.app-measurement.com]" {
		t.Errorf("%+v", doc)
	}
	if doc.Leads[0]["offset"] != 1234567.0 || doc.Leads[0]["origin"].(map[string]any)["confidence"] != "likely" {
		t.Errorf("the lead is %v", doc.Leads[0])
	}
	read("listed")
	if len(doc.Hosts) != 35 || doc.Hosts[0]["verdict"] != "violation" || doc.Hosts[0]["company"] != "Meta" && doc.Hosts[0]["company"] == "" || doc.Hosts[34]["noise"] != "link in a licence" || len(doc.Wanted) != 0 {
		t.Errorf("%v", doc.Hosts)
	}
	for name, build := range locatedCases { // lists are never null but where a part is missing
		for line := range strings.Lines(writeLocated(t, build(), "json")) {
			if strings.Contains(line, ": null") && !strings.Contains(line, `"module"`) && !strings.Contains(line, `"source"`) && !strings.Contains(line, `"origin"`) && !strings.Contains(line, `"default"`) {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}

func TestLocatedFormatsAreKnown(t *testing.T) {
	t.Parallel()
	err := WriteLocated(&bytes.Buffer{}, located(inBundle()), "html")
	if err == nil || !strings.Contains(err.Error(), "text, json") {
		t.Errorf("an unknown format gives %v", err)
	}
}

// TestSARIFNamesFilesOfContainers checks how a file is named beside the repository: in a folder,
// whatever it holds, by a path that exists.
func TestSARIFNamesFilesOfContainers(t *testing.T) {
	t.Parallel()
	for want, app := range map[string]container.Info{
		"shop/" + bundle:         {Path: "shop", Kind: "source tree", Folder: true},
		"shop-1.0/" + bundle:     {Path: "shop-1.0/", Kind: "folder (unpacked APK)", Folder: true},
		"Shop.app/" + bundle:     {Path: "Shop.app", Kind: "iOS app folder (.app)", Folder: true},
		"any/" + bundle:          {Path: "any", Kind: "folder", Folder: true},
		"shop.ipa%21/" + bundle:  {Path: "shop.ipa", Kind: "IPA"},
		"shop.xapk%21/" + bundle: {Path: "shop.xapk", Kind: "split APKs (.xapk)"},
		"build/main.jsbundle":    {Path: "build/main.jsbundle", Kind: "file"},
	} {
		r := besideApp()
		r.Origins.Apps[0].Info = app
		log, _ := sarifOf(t, r)
		related := log.Runs[0].Results[0].Related
		if !slices.ContainsFunc(related, func(l sarifLocation) bool { return l.Physical.File.URI == want }) {
			t.Errorf("%s %s: %+v", app.Kind, want, related)
		}
	}
}

// TestSARIFNamesFilesThatExist follows a location of a real search to its file.
func TestSARIFNamesFilesThatExist(t *testing.T) {
	t.Parallel()
	tree := t.TempDir()
	for name, text := range map[string]string{"package.json": "{}", "src.js": "fetch('https://" + probe + "/')"} {
		if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	res, err := locate.Search(context.Background(), []string{tree}, locate.Wanted{Hosts: []string{probe}}, locate.Options{})
	if err != nil || len(res.Leads) != 1 || res.Apps[0].Kind != "source tree" {
		t.Fatalf("%+v, %v", res, err)
	}
	if _, err := os.Stat((&Report{Origins: res}).inContainer(&res.Leads[0])); err != nil {
		t.Error(err)
	}
}
