package native

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"telltale/locate/reading"
)

// artefact reads one of the files that `make artefacts` brings.
func artefact(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "bin", "artefacts", filepath.FromSlash(name)))
	if os.IsNotExist(err) {
		t.Skip("run `make artefacts` first: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The build ids are those of `readelf -n`.
func TestRealLibraries(t *testing.T) {
	for name, want := range map[string]struct{ kind, buildID string }{
		"elf/libhermes-arm64-v8a.so":   {"native code (ELF, arm64)", "f03e56469e4b87445d8a91e96feac67a83bcfe38"},
		"elf/libhermes-armeabi-v7a.so": {"native code (ELF, arm)", "43ddc23eaaa42a9b13dab3db85bd1bde20f9d039"},
		"elf/libhermes-x86.so":         {"native code (ELF, x86)", "b4ee1aaf500ab7e0e3a69d73958a3a5e3e8d8186"},
		"elf/libhermes-x86_64.so":      {"native code (ELF, x86-64)", "91b0b8e7853f15ffd86d48ce2d5172e2b52dbea1"},
	} {
		data := artefact(t, name)
		d := open(t, name, data)
		if id := d.(reading.Identifier).Identity(); d.Kind() != want.kind || id.ID != "libhermes.so" || id.Build != want.buildID {
			t.Errorf("%s: %s %+v", name, d.Kind(), id)
		}
		// What `strings` shows of it, too.
		if !containsText(d, "Maximum prototype chain length exceeded") {
			t.Errorf("%s: a message of the engine is missing", name)
		}
	}
}

func containsText(d reading.Document, text string) (found bool) {
	d.Texts(func(x reading.Text) bool { found = x.Whole && string(x.Value) == text; return !found })
	return found
}

func TestRealPrograms(t *testing.T) {
	data := artefact(t, "macho/hermesc-universal")
	d := open(t, "hermesc", data)
	at, p := place(d, data, "LLVM (http://llvm.org/)")
	if d.Kind() != "native code (Mach-O, x86-64 + arm64)" || p.Section != "__TEXT,__cstring" || p.LiteralStart != at {
		t.Errorf("%s %+v", d.Kind(), p)
	}
	data = artefact(t, "macho/encrypted-arm64")
	d = open(t, "X", data)
	if notes := d.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "encrypted by the App Store (FairPlay)") {
		t.Error(notes)
	}
	d.Texts(func(x reading.Text) bool {
		if p := d.Place(x.Start, x.End); strings.HasPrefix(p.Section, "__TEXT,") {
			t.Errorf("%q of %s is encrypted", x.Value, p.Section)
		}
		return true
	})
}

func BenchmarkTexts(b *testing.B) {
	data := artefact(b, "elf/libhermes-arm64-v8a.so")
	n := bytes.Count(data, []byte{0})
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		d, _ := Open("x.so", data)
		d.Texts(func(reading.Text) bool { n++; return true })
	}
}

// BenchmarkPlace includes the index of the code's references, built on first use.
func BenchmarkPlace(b *testing.B) {
	data := artefact(b, "macho/esbuild-arm64")
	at := bytes.Index(data, []byte("https://esbuild"))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		d, _ := Open("x", data)
		d.Place(at, at+8)
	}
}
