package ca

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// open returns the authority of dir, which must be fine.
func open(t testing.TB, dir string) *Authority {
	t.Helper()
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// write puts a file into dir as a user might.
func write(t testing.TB, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// contents returns the names of the files in dir.
func contents(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// pair returns a root that was made at the given time.
func pair(t testing.TB, made time.Time) *newRootPair {
	t.Helper()
	p, err := newRoot(apply([]Option{at(made)}))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fingerprintOf returns the fingerprint of a certificate in PEM.
func fingerprintOf(t testing.TB, certPEM []byte) string {
	t.Helper()
	block, _ := pem.Decode(certPEM)
	if block == nil {
		t.Fatalf("not PEM: %q", certPEM)
		return "" // staticcheck does not know that Fatalf ends the test
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return Fingerprint(c)
}

// unusable asserts that dir cannot be opened, that the error names the file and
// holds the words, that there is advice, and that no file was changed.
func unusable(t *testing.T, dir, file string, words ...string) {
	t.Helper()
	before := snapshot(t, dir)
	for name, open := range map[string]func(string, ...Option) (*Authority, error){"Open": Open, "Load": Load} {
		a, err := open(dir)
		var caErr *Error
		if a != nil || !errors.As(err, &caErr) {
			t.Fatalf("%s = %v, %v, want an *Error", name, a, err)
		}
		if caErr.File != filepath.Join(dir, file) {
			t.Errorf("%s blames %s, want %s", name, caErr.File, file)
		}
		for _, word := range append(words, caErr.File) {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q lacks %q", name, err, word)
			}
		}
		if caErr.Hint() == "" {
			t.Errorf("%s: %q has no hint", name, err)
		}
		if errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q passes for an absent authority", name, err)
		}
	}
	if after := snapshot(t, dir); before != after {
		t.Errorf("files changed:\n%s\nto\n%s", before, after)
	}
}

// snapshot returns names and contents of the authority's files.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, name := range contents(t, dir) {
		if name == lockName {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		b.WriteString(name + ": " + string(content))
		if err != nil {
			b.WriteString(err.Error())
		}
	}
	return b.String()
}

func TestOpenMakesOnceAndLoadsAfterwards(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "ca")
	if _, err := Load(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Load of nothing: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Load made the folder: %v", err)
	}
	first := open(t, dir)
	second := open(t, dir)
	loaded, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []*Authority{second, loaded} {
		if a.Fingerprint() != first.Fingerprint() {
			t.Errorf("fingerprint %s, then %s", first.Fingerprint(), a.Fingerprint())
		}
	}
	if first.Dir() != dir || first.CertPath() != filepath.Join(dir, "telltale-ca.pem") {
		t.Errorf("Dir %q, CertPath %q", first.Dir(), first.CertPath())
	}
	if got := first.Warnings(); got != nil {
		t.Errorf("a new authority warns: %q", got)
	}
	onDisk, err := os.ReadFile(first.CertPath())
	if err != nil || !bytes.Equal(onDisk, first.PEM()) {
		t.Errorf("CertPath holds %q (%v), PEM is %q", onDisk, err, first.PEM())
	}
	if got, want := contents(t, dir), []string{KeyFile, lockName, CertificateFile}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}

func TestFilesArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no mode bits")
	}
	dir := filepath.Join(t.TempDir(), "ca")
	open(t, dir)
	for name, want := range map[string]os.FileMode{".": 0o700, KeyFile: 0o600, CertificateFile: 0o644, lockName: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), want)
		}
	}
}

func TestOpenKeyIsMadePrivateAndSaidSo(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no mode bits")
	}
	for _, mode := range []os.FileMode{0o644, 0o640, 0o602, 0o666} {
		dir := t.TempDir()
		open(t, dir)
		path := filepath.Join(dir, KeyFile)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		a := open(t, dir)
		if w := strings.Join(a.Warnings(), "\n"); !strings.Contains(w, path) || !strings.Contains(w, "telltale ca rotate") {
			t.Errorf("%o: warnings %q", mode, w)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%o: mode afterwards %v, %v", mode, info.Mode(), err)
		}
		if w := open(t, dir).Warnings(); w != nil {
			t.Errorf("%o: warns again: %q", mode, w)
		}
	}
}

func TestWritableFolderIsWarnedAbout(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no mode bits")
	}
	dir := t.TempDir()
	open(t, dir)
	for mode, want := range map[os.FileMode]bool{0o777: true, 0o720: true, 0o755: false, os.ModeSticky | 0o777: false} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if w := open(t, dir).Warnings(); (len(w) == 1 && strings.Contains(w[0], dir)) != want {
			t.Errorf("%v: warnings %q", mode, w)
		}
	}
}

func TestReadOnlyFolderWorks(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("mode bits do not bind this user")
	}
	dir := t.TempDir()
	want := open(t, dir).Fingerprint()
	if err := os.Remove(filepath.Join(dir, lockName)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	if got := open(t, dir).Fingerprint(); got != want {
		t.Errorf("fingerprint %s, want %s", got, want)
	}
	var caErr *Error
	if _, err := Rotate(dir); !errors.As(err, &caErr) || caErr.Hint() == "" {
		t.Errorf("Rotate in a read-only folder: %v", err)
	}
}

func TestFolderThatCannotBe(t *testing.T) {
	parent := t.TempDir()
	write(t, parent, "file", []byte("x"))
	for _, dir := range []string{filepath.Join(parent, "file"), filepath.Join(parent, "file", "ca")} {
		for name, open := range map[string]func(string, ...Option) (*Authority, error){"Open": Open, "Rotate": Rotate} {
			var caErr *Error
			if _, err := open(dir); !errors.As(err, &caErr) || caErr.Hint() == "" || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s(%s): %v", name, dir, err)
			}
		}
	}
}

func TestBadContentIsNamedAndKept(t *testing.T) {
	now := time.Now()
	good, other := pair(t, now), pair(t, now)
	old, future := pair(t, now.AddDate(-2, 0, 0)), pair(t, now.AddDate(1, 0, 0))
	leaf := leafPEM(t)
	badSignature := flipLastByte(t, good.certPEM)
	for name, test := range map[string]struct {
		cert, key []byte
		blame     string
		words     string
	}{
		"empty certificate":      {[]byte{}, good.keyPEM, CertificateFile, "empty"},
		"cut certificate":        {good.certPEM[:200], good.keyPEM, CertificateFile, "cut short"},
		"certificate of garbage": {[]byte("\x00\xff\n"), good.keyPEM, CertificateFile, "not PEM"},
		"key as certificate":     {good.keyPEM, good.keyPEM, CertificateFile, `"PRIVATE KEY"`},
		"two certificates":       {slices.Concat(good.certPEM, other.certPEM), good.keyPEM, CertificateFile, "follows"},
		"broken DER":             {pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: []byte{0x30, 0x82}}), good.keyPEM, CertificateFile, "x509"},
		"broken signature":       {badSignature, good.keyPEM, CertificateFile, "not signed by itself"},
		"leaf as root":           {leaf, good.keyPEM, CertificateFile, "not the certificate of an authority"},
		"expired":                {old.certPEM, old.keyPEM, CertificateFile, "expired on"},
		"not valid yet":          {future.certPEM, future.keyPEM, CertificateFile, "clock"},
		"endless certificate":    {bytes.Repeat([]byte("x"), maxFile+1), good.keyPEM, CertificateFile, "too long"},
		"missing certificate":    {nil, good.keyPEM, CertificateFile, "missing"},
		"missing key":            {good.certPEM, nil, KeyFile, "missing"},
		"empty key":              {good.certPEM, []byte("\n"), KeyFile, "empty"},
		"cut key":                {good.certPEM, good.keyPEM[:60], KeyFile, "cut short"},
		"certificate as key":     {good.certPEM, good.certPEM, KeyFile, `"CERTIFICATE"`},
		"foreign key":            {good.certPEM, other.keyPEM, KeyFile, "not the key of " + CertificateFile},
		"broken key":             {good.certPEM, pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: []byte{0x30, 0x00}}), KeyFile, "cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if test.cert != nil {
				write(t, dir, CertificateFile, test.cert)
			}
			if test.key != nil {
				write(t, dir, KeyFile, test.key)
			}
			unusable(t, dir, test.blame, test.words)

			rotated, err := Rotate(dir)
			if err != nil {
				t.Fatal(err)
			}
			if got := open(t, dir).Fingerprint(); got != rotated.Fingerprint() {
				t.Errorf("after Rotate: %s, want %s", got, rotated.Fingerprint())
			}
		})
	}
}

func TestFolderInPlaceOfFile(t *testing.T) {
	for _, name := range []string{CertificateFile, KeyFile} {
		dir := t.TempDir()
		open(t, dir)
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		var caErr *Error
		_, err := Open(dir)
		if !errors.As(err, &caErr) || caErr.File != filepath.Join(dir, name) || !strings.Contains(err.Error(), "regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnreadableKey(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("mode bits do not bind this user")
	}
	dir := t.TempDir()
	open(t, dir)
	if err := os.Chmod(filepath.Join(dir, KeyFile), 0); err != nil {
		t.Fatal(err)
	}
	var caErr *Error
	_, err := Open(dir)
	if !errors.As(err, &caErr) || caErr.File != filepath.Join(dir, KeyFile) || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v", err)
	}
}

func TestRotateGivesAnotherAuthority(t *testing.T) {
	dir := t.TempDir()
	before := open(t, dir)
	rotated, err := Rotate(dir)
	if err != nil {
		t.Fatal(err)
	}
	after := open(t, dir)
	if after.Fingerprint() != rotated.Fingerprint() || after.Fingerprint() == before.Fingerprint() {
		t.Errorf("before %s, rotated %s, after %s", before.Fingerprint(), rotated.Fingerprint(), after.Fingerprint())
	}
	if after.Name() == before.Name() || after.AndroidName() == before.AndroidName() {
		t.Errorf("the new authority is called %s (%s) as the old one", after.Name(), after.AndroidName())
	}
	if _, err := before.Leaf("example.org"); err != nil {
		t.Errorf("the old authority, still open: %v", err)
	}
	if fresh, err := Rotate(filepath.Join(t.TempDir(), "new")); err != nil || fresh == nil {
		t.Errorf("Rotate of nothing: %v", err)
	}
}

func TestRemoveLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := Remove(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Remove of nothing: %v", err)
	}
	open(t, dir)
	write(t, dir, "mine.txt", []byte("mine"))
	write(t, dir, ".telltale-ca-123.tmp", []byte("half a key"))
	if err := Remove(dir); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, dir); !slices.Equal(got, []string{"mine.txt"}) {
		t.Errorf("left %q", got)
	}
	if _, err := Load(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load after Remove: %v", err)
	}
	write(t, dir, KeyFile, []byte("broken"))
	if err := Remove(dir); err != nil {
		t.Errorf("Remove of a broken authority: %v", err)
	}
}

// A crash can leave each of these states; the authority in the journal must
// come out of all of them, whole.
func TestJournalIsFinished(t *testing.T) {
	old, next := pair(t, time.Now()), pair(t, time.Now())
	journal := slices.Concat(next.keyPEM, next.certPEM)
	for name, files := range map[string]map[string][]byte{
		"first, nothing else": {},
		"first, key written":  {KeyFile: next.keyPEM},
		"both written":        {KeyFile: next.keyPEM, CertificateFile: next.certPEM},
		"rotate, begun":       {KeyFile: old.keyPEM, CertificateFile: old.certPEM},
		"rotate, mixed":       {KeyFile: next.keyPEM, CertificateFile: old.certPEM},
		"temporary file left": {".telltale-ca-77.tmp": next.keyPEM[:40]},
	} {
		for opener, open := range map[string]func(string, ...Option) (*Authority, error){"Open": Open, "Load": Load} {
			t.Run(name+"/"+opener, func(t *testing.T) {
				dir := t.TempDir()
				write(t, dir, journalFile, journal)
				for file, content := range files {
					write(t, dir, file, content)
				}
				a, err := open(dir)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := a.Fingerprint(), fingerprintOf(t, next.certPEM); got != want {
					t.Errorf("fingerprint %s, want %s", got, want)
				}
				if _, err := os.Stat(filepath.Join(dir, journalFile)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("journal afterwards: %v", err)
				}
			})
		}
	}
}

func TestCrashBeforeTheJournalLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, ".telltale-ca-123.tmp", pair(t, time.Now()).keyPEM)
	open(t, dir)
	if got, want := contents(t, dir), []string{KeyFile, lockName, CertificateFile}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}

func TestBadJournalIsNamedAndKept(t *testing.T) {
	p := pair(t, time.Now())
	for name, journal := range map[string][]byte{
		"empty":      {},
		"garbage":    []byte("\x00\x01"),
		"key only":   p.keyPEM,
		"cut":        slices.Concat(p.keyPEM, p.certPEM[:100]),
		"wrong turn": slices.Concat(p.certPEM, p.keyPEM),
		"too much":   slices.Concat(p.keyPEM, p.certPEM, p.certPEM),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, journalFile, journal)
			unusable(t, dir, journalFile, "not what a change of the authority leaves behind")
			if _, err := Rotate(dir); err != nil {
				t.Errorf("Rotate: %v", err)
			}
		})
	}
}

func flipLastByte(t *testing.T, certPEM []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(certPEM)
	der := bytes.Clone(block.Bytes)
	der[len(der)-1] ^= 1
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der})
}

func leafPEM(t *testing.T) []byte {
	t.Helper()
	leaf, err := open(t, t.TempDir()).Leaf("example.org")
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: leaf.Certificate[0]})
}

// FuzzOpen gives files that anything may have written.
func FuzzOpen(f *testing.F) {
	p := pair(f, time.Now())
	f.Add(p.certPEM, p.keyPEM, []byte{})
	f.Add(p.certPEM[:300], p.keyPEM, slices.Concat(p.keyPEM, p.certPEM))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, cert, key, journal []byte) {
		dir := t.TempDir()
		write(t, dir, CertificateFile, cert)
		write(t, dir, KeyFile, key)
		if len(journal) > 0 {
			write(t, dir, journalFile, journal)
		}
		a, err := Open(dir)
		var caErr *Error
		switch {
		case err != nil && !errors.As(err, &caErr):
			t.Errorf("error of type %T: %v", err, err)
		case err == nil:
			if _, err := a.Leaf("example.org"); err != nil {
				t.Errorf("an authority that opens cannot sign: %v", err)
			}
		}
	})
}
