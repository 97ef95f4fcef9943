package dex

import (
	"archive/zip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"telltale/guard/raced"
	"telltale/locate/reading"
)

// files reads the files of one of the APKs that `make artefacts` brings whose names end so.
func files(t testing.TB, apk, suffix string) map[string][]byte {
	t.Helper()
	path := filepath.Join("..", "..", "bin", "artefacts", "apk", apk)
	if _, err := os.Stat(path); err != nil {
		t.Skip("run `make artefacts` first: ", err)
	}
	archive, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	found := map[string][]byte{}
	for _, f := range archive.File {
		if !strings.HasSuffix(f.Name, suffix) {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if found[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// The counts are dexdump's, of Debian: `dexdump -d` lists the instructions and static values, and
// the tables of strings were read by a second program.
func TestRealApps(t *testing.T) {
	raced.SkipMeasure(t)
	for apk, want := range map[string]struct{ files, texts, loads, constants int }{
		"settings.apk":            {9, 49957, 18379, 848},
		"uiautomator2-server.apk": {16, 112355, 74647, 2038},
		"api-demos.apk":           {1, 53126, 18855, 665},
		"selendroid-test-app.apk": {1, 2578, 802, 30},
		"contact-manager.apk":     {1, 348, 49, 4},
	} {
		t.Run(apk, func(t *testing.T) {
			t.Parallel()
			got := want
			got.files, got.texts, got.loads, got.constants = 0, 0, 0, 0
			for name, data := range files(t, apk, ".dex") {
				d := open(t, data)
				if notes := d.Notes(); notes != nil {
					t.Errorf("%s: %q", name, notes)
				}
				got.files++
				d.Texts(func(reading.Text) bool { got.texts++; return true })
				p := d.parts[0]
				got.loads += len(p.code().loads)
				for _, u := range p.uses().all {
					if u.by == byField {
						got.constants++
					}
				}
			}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestRealUserOfAString(t *testing.T) {
	data := files(t, "settings.apk", "classes4.dex")["classes4.dex"]
	at := strings.Index(string(data), "Missing permission: '%s'")
	p := open(t, data).Place(at, at+7)
	if len(p.Users) == 0 {
		t.Fatalf("%+v", p)
	}
	u := p.Users[0]
	if u.Package != "io.appium.settings.location" || u.Obfuscated || u.Line == 0 || u.File == "" || p.LiteralStart != at {
		t.Errorf("%+v", u)
	}
}

func BenchmarkJoined(b *testing.B) {
	data := files(b, "uiautomator2-server.apk", "classes.dex")["classes.dex"]
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		d, _ := Open("", data)
		d.(reading.Joiner).Joined(func(reading.Joined) bool { return true })
	}
}

func BenchmarkTexts(b *testing.B) {
	data := files(b, "uiautomator2-server.apk", "classes.dex")["classes.dex"]
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		d, _ := Open("", data)
		d.Texts(func(reading.Text) bool { return true })
	}
}

// BenchmarkPlace includes the index, which is built on first use.
func BenchmarkPlace(b *testing.B) {
	data := files(b, "uiautomator2-server.apk", "classes.dex")["classes.dex"]
	at := strings.Index(string(data), "https://")
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		d, _ := Open("", data)
		d.Place(at, at+8)
	}
}
