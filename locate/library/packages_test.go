package library

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"telltale/locate/inventory"
)

// packages is where `make artefacts` unpacks what the npm registry hands out: NAME@VERSION.
const packages = "../../bin/artefacts/packages"

// A pack is a package of npm, unpacked.
type pack struct {
	name, version, dir string
	code               []byte // all of its source files
	library            *Library
}

// unpacked reads the packages, once for all tests.
func unpacked(t *testing.T) []*pack {
	t.Helper()
	if _, err := os.Stat(packages); err != nil {
		t.Skip("run `make artefacts` first: it fetches the packages that are read here")
	}
	packs, err := readPackages()
	if err != nil || len(packs) == 0 {
		t.Fatalf("%d packages in %s: %v", len(packs), packages, err)
	}
	return packs
}

var readPackages = sync.OnceValues(func() ([]*pack, error) {
	var packs []*pack
	for _, pattern := range []string{packages + "/[^@]*@*", packages + "/@*/*@*"} {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, dir := range dirs {
			rel, err := filepath.Rel(packages, dir)
			if err != nil {
				return nil, err
			}
			rel = filepath.ToSlash(rel)
			at := strings.LastIndexByte(rel, '@')
			p := &pack{name: rel[:at], version: rel[at+1:], dir: dir}
			p.library = load().named(inventory.NPM, p.name)
			if p.code, err = sources(dir); err != nil {
				return nil, err
			}
			packs = append(packs, p)
		}
	}
	return packs, nil
})

// maxSource is the size of a file, in bytes, beyond which a tool has put it together.
const maxSource = 200 << 10

// sources reads the source files of a package, without its tests.
func sources(dir string) ([]byte, error) {
	var all bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"__tests__", "node_modules", "test", "tests", "sourcemaps", "windows"}, d.Name()):
			return fs.SkipDir
		case d.IsDir() || !slices.Contains([]string{".js", ".mjs", ".ts", ".tsx", ".java", ".kt", ".swift", ".m", ".xml", ".gradle"}, filepath.Ext(path)):
			return nil
		}
		info, err := d.Info()
		if err != nil || info.Size() > maxSource {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	return all.Bytes(), err
}

func (p *pack) has(name string) bool { return code{around: p.code}.has(name) }

// TestDefaultsStandInTheirPackages reads each default in the file and line that its row names, and
// what is called read in a package's source has such a line.
func TestDefaultsStandInTheirPackages(t *testing.T) {
	t.Parallel()
	packs := unpacked(t)
	for i := range All() {
		l := &All()[i]
		for _, d := range l.Defaults {
			if d.File == "" {
				continue
			}
			name, read := d.Package, 0
			if name == "" {
				name = l.Name
			}
			for _, p := range packs {
				if p.name != name || p.version != d.Read && (d.Read != "" || !(span{d.First, d.Last}).has(p.version)) {
					continue
				}
				read++
				checkLine(t, p, d)
			}
			if read == 0 {
				t.Errorf("%s: no package %s of versions %s was fetched to read line %d of %s: add one to locate/artefacts/downloads.txt", l.ID, name, d.Versions, d.Line, d.File)
			}
		}
	}
}

func checkLine(t *testing.T, p *pack, d Default) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, filepath.FromSlash(d.File)))
	if err != nil {
		t.Errorf("%s %s: %v", p.name, p.version, err)
		return
	}
	lines := strings.Split(string(text), "\n")
	if d.Line > len(lines) || !strings.Contains(lines[d.Line-1], d.URL) {
		t.Errorf("%s %s: line %d of %s lacks %s", p.name, p.version, d.Line, d.File, d.URL)
	}
}

// TestDefaultsOfEveryVersion: each version of a package whose row names versions has just one of
// the defaults, and the row says which.
func TestDefaultsOfEveryVersion(t *testing.T) {
	t.Parallel()
	for _, p := range unpacked(t) {
		if p.library == nil || p.name != p.library.Name || len(p.library.Tells) == 0 {
			continue
		}
		n := 0
		for _, d := range p.library.Defaults {
			if (span{d.First, d.Last}).has(p.version) {
				n++
			}
		}
		if mentions := mentionsDefault(p, p.library); n > 1 || mentions != (n == 1) {
			t.Errorf("%s %s: %d defaults, and the package mentions one: %v", p.name, p.version, n, mentions)
		}
	}
}

// TestSignaturesNameOnePackage: the names of a signature stand in the library's package, and not
// all of them in any other, nor enough of them beside the default.
func TestSignaturesNameOnePackage(t *testing.T) {
	t.Parallel()
	packs := unpacked(t)
	for i := range All() {
		l := &All()[i]
		if len(l.Signature) == 0 {
			continue
		}
		in := 0
		for _, p := range packs {
			n := 0
			for _, name := range l.Signature {
				if p.has(name) {
					n++
				}
			}
			switch {
			case p.library == l:
				if n == len(l.Signature) {
					in++
				}
			case n == len(l.Signature), n >= enough && mentionsDefault(p, l):
				t.Errorf("%s: %d names of its signature stand in %s %s", l.ID, n, p.name, p.version)
			}
		}
		if in == 0 {
			t.Errorf("%s: no package of it has all of its signature", l.ID)
		}
	}
}

func mentionsDefault(p *pack, l *Library) bool {
	return slices.ContainsFunc(l.Defaults, func(d Default) bool { return bytes.Contains(p.code, []byte(d.URL)) })
}

// TestTellsAreTrue: a name by which a version is known stands in just the versions that the row says.
func TestTellsAreTrue(t *testing.T) {
	t.Parallel()
	for _, p := range unpacked(t) {
		if p.library == nil || p.name != p.library.Name {
			continue
		}
		for _, tell := range p.library.Tells {
			if want := compareVersions(p.version, tell.Since) >= 0; p.has(tell.Name) != want {
				t.Errorf("%s %s has %s: %v", p.name, p.version, tell.Name, !want)
			}
		}
	}
}

// TestSettingsStandInTheirPackages: what a row that was read in the source says of settings in
// code is in the code.
func TestSettingsStandInTheirPackages(t *testing.T) {
	t.Parallel()
	packs := unpacked(t)
	for i := range All() {
		l := &All()[i]
		if l.Confidence != "S" {
			continue
		}
		for _, s := range l.Settings {
			found := slices.ContainsFunc(packs, func(p *pack) bool { return p.library == l && p.has(s.Name) })
			if s.Where == InCode && !found {
				t.Errorf("%s: no package of it has the setting %s", l.ID, s.Name)
			}
		}
	}
}
