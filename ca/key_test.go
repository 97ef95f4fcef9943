package ca

import (
	"bytes"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/youmark/pkcs8"
)

// A stolen folder is worthless: no file of it holds the key in clear, and openssl
// reads it with the passphrase alone.
func TestProtectedKey(t *testing.T) {
	dir := t.TempDir()
	made, err := Rotate(dir, Protect([]byte("sesame")))
	if err != nil {
		t.Fatal(err)
	}
	if !made.Protected() {
		t.Error("not protected")
	}
	for _, name := range contents(t, dir) {
		if content, err := os.ReadFile(filepath.Join(dir, name)); err != nil || bytes.Contains(content, []byte("BEGIN PRIVATE")) {
			t.Errorf("%s: %v, %s", name, err, content)
		}
	}
	if info, err := os.Stat(made.KeyPath()); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	for name, open := range map[string]func(string, ...Option) (*Authority, error){"Open": Open, "Load": Load} {
		if _, err := open(dir); !errors.Is(err, ErrProtected) || !strings.Contains(hint(err), "--ca-passphrase-file") {
			t.Errorf("%s without passphrase: %v", name, err)
		}
		if _, err := open(dir, says("wrong")); !errors.Is(err, ErrPassphrase) || !strings.Contains(hint(err), "telltale ca rotate") {
			t.Errorf("%s with a wrong one: %v", name, err)
		}
		if _, err := open(dir, says("")); !errors.Is(err, ErrPassphrase) {
			t.Errorf("%s with an empty one: %v", name, err)
		}
		broken := errors.New("no terminal")
		if _, err := open(dir, Unlock(func() ([]byte, error) { return nil, broken })); !errors.Is(err, broken) {
			t.Errorf("%s with nobody to ask: %v", name, err)
		}
		a, err := open(dir, says("sesame"))
		if err != nil {
			t.Fatal(err)
		}
		parsedLeaf(t, a, "example.org")
	}
	root, err := OpenRoot(dir)
	if err != nil || root.Fingerprint() != made.Fingerprint() || !root.Protected() {
		t.Errorf("the certificate alone: %v", err)
	}
	if _, err := exec.LookPath("openssl"); err == nil {
		opensslReads(t, "pem", made.KeyPath(), "sesame")
	}
}

func hint(err error) string {
	var caErr *Error
	if !errors.As(err, &caErr) {
		return ""
	}
	return caErr.Hint()
}

// What protects keys outside of tests costs a guesser some 0.2 s and 16 MiB each time,
// and openssl reads it.
func TestSealingOfTheProgram(t *testing.T) {
	want := pkcs8.ScryptOpts{SaltSize: 16, CostParameter: 1 << 14, BlockSize: 8, ParallelizationParameter: 5}
	if got := productionSealing.KDFOpts; got != want {
		t.Errorf("cost %+v", got)
	}
	key := ecKey(t, elliptic.P256())
	der, err := pkcs8.MarshalPrivateKey(key, []byte("sesame"), productionSealing)
	if err != nil {
		t.Fatal(err)
	}
	file := parseSealed(t, der)
	if !file.Algorithm.Params.KDF.Algorithm.Equal(oidScrypt) || file.Algorithm.Params.Cipher.ID.String() != "2.16.840.1.101.3.4.1.42" {
		t.Errorf("sealed by %v with %v", file.Algorithm.Params.KDF.Algorithm, file.Algorithm.Params.Cipher.ID)
	}
	dir := t.TempDir()
	write(t, dir, "key", pem.EncodeToMemory(&pem.Block{Type: pemEncryptedKey, Bytes: der}))
	opensslReads(t, "pem", filepath.Join(dir, "key"), "sesame")
}

func parseSealed(t *testing.T, der []byte) (key sealed) {
	t.Helper()
	if _, err := asn1.Unmarshal(der, &key); err != nil {
		t.Fatal(err)
	}
	return key
}

// What was asked for is asked once, and wiped.
func TestPassphraseIsAskedOnceAndWiped(t *testing.T) {
	dir := t.TempDir()
	asked, given := 0, []byte("sesame")
	ask := Unlock(func() ([]byte, error) { asked++; return given, nil })
	if _, err := Open(dir, ask); err != nil || asked > 0 {
		t.Errorf("a key without passphrase: asked %d times, %v", asked, err)
	}
	if err := SetPassphrase(dir, []byte("sesame")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, ask); err != nil || asked != 1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
	if !bytes.Equal(given, make([]byte, len(given))) {
		t.Errorf("left %q", given)
	}
	protect := []byte("mine")
	if _, err := Open(filepath.Join(dir, "new"), Protect(protect)); err != nil {
		t.Error(err)
	}
	if string(protect) != "mine" {
		t.Errorf("wiped what is the caller's")
	}
}

func TestPassphraseChangesAndTheRootStays(t *testing.T) {
	dir := t.TempDir()
	before := open(t, dir)
	steps := []struct{ old, new string }{{"", "first"}, {"first", "second"}, {"second", ""}, {"", ""}}
	for _, step := range steps {
		if step.old != "" {
			if err := SetPassphrase(dir, []byte(step.new), says("wrong")); !errors.Is(err, ErrPassphrase) {
				t.Errorf("with a wrong passphrase: %v", err)
			}
			if err := SetPassphrase(dir, []byte(step.new)); !errors.Is(err, ErrProtected) {
				t.Errorf("without passphrase: %v", err)
			}
		}
		if err := SetPassphrase(dir, []byte(step.new), says(step.old)); err != nil {
			t.Fatal(err)
		}
		a, err := Open(dir, says(step.new))
		if err != nil {
			t.Fatal(err)
		}
		if a.Fingerprint() != before.Fingerprint() || a.Protected() != (step.new != "") || !isKeyOf(a.key, before.certificate) {
			t.Errorf("%q to %q: fingerprint %s, protected %v", step.old, step.new, a.Fingerprint(), a.Protected())
		}
	}
	if got, want := contents(t, dir), []string{KeyFile, lockName, CertificateFile}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	if err := SetPassphrase(filepath.Join(dir, "none"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without authority: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made a folder: %v", err)
	}
}

// A change of the passphrase keeps where the authority came from, and sweeps what a
// crash left behind, which may be a key in clear.
func TestPassphraseKeepsTheOrigin(t *testing.T) {
	dir := t.TempDir()
	if _, err := Import(dir, readSample(t, "openssl-p384.pem", "openssl-p384.key"), at(sampleDay)); err != nil {
		t.Fatal(err)
	}
	write(t, dir, ".telltale-ca-123.tmp", []byte("half a key"))
	if err := SetPassphrase(dir, []byte("sesame"), at(sampleDay)); err != nil {
		t.Fatal(err)
	}
	root, err := LoadRoot(dir, at(sampleDay))
	if err != nil || root.Imported() != "2026-12-01 from openssl-p384.pem" {
		t.Errorf("imported %q, %v", root.Imported(), err)
	}
	if got, want := contents(t, dir), []string{KeyFile, lockName, CertificateFile}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}

// Journals of protected and of imported authorities are finished like others, with
// what stands before the key.
func TestJournalOfAProtectedKey(t *testing.T) {
	dir := t.TempDir()
	f := readSample(t, "openssl-p384.pem", "openssl-p384.key")
	next, err := newPair(f.certificate.Raw, f.key, []byte("sesame"), "2026-12-01 from x.pem")
	if err != nil {
		t.Fatal(err)
	}
	old := pair(t, sampleDay)
	write(t, dir, journalFile, slices.Concat(next.keyPEM, next.certPEM))
	write(t, dir, KeyFile, old.keyPEM)
	write(t, dir, CertificateFile, old.certPEM)
	a, err := Open(dir, says("sesame"), at(sampleDay))
	if err != nil {
		t.Fatal(err)
	}
	if !a.certificate.Equal(f.certificate) || a.Imported() != "2026-12-01 from x.pem" || !a.Protected() {
		t.Errorf("%s, imported %q, protected %v", a.Name(), a.Imported(), a.Protected())
	}
}

func TestLoadRootNeedsNoKey(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadRoot(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
	if got := contents(t, dir); len(got) > 0 {
		t.Errorf("made %q", got)
	}
	made, err := OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := open(t, dir).Fingerprint(); got != made.Fingerprint() {
		t.Error("OpenRoot made another authority than Open finds")
	}
	// It looks no closer than it has to: a key that cannot be opened is found by Open.
	foreign := pair(t, time.Now())
	write(t, dir, KeyFile, foreign.keyPEM)
	if _, err := LoadRoot(dir); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{"Open": second(Open(dir)), "OpenRoot": second(OpenRoot(dir))} {
		if err == nil || !strings.Contains(err.Error(), "not the key of "+CertificateFile) {
			t.Errorf("%s of a foreign key: %v", name, err)
		}
	}
	if err := os.Remove(made.KeyPath()); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadRoot(dir); err == nil || hint(err) == "" {
		t.Errorf("without key: %v", err)
	}
}

// FuzzKeyFile gives files in place of a key.
func FuzzKeyFile(f *testing.F) {
	key := ecKey(f, elliptic.P256())
	for _, passphrase := range []string{"", "sesame"} {
		file, err := encodeKey(key, []byte(passphrase), "2026-12-01 from x")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
		block, _ := pem.Decode(file)
		f.Add(pem.EncodeToMemory(&pem.Block{Type: pemEncryptedKey, Bytes: block.Bytes}))
	}
	root := open(f, f.TempDir()).Certificate()
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := parseKeyFile(content)
		if err != nil {
			return
		}
		if strings.ContainsFunc(file.origin, func(r rune) bool { return r < ' ' || r > '~' }) || len(file.origin) > maxOrigin {
			t.Errorf("origin %q", file.origin)
		}
		if file.protected() && checkSealed(file.block.Bytes) == nil {
			return // in time, but too slow to fuzz
		}
		if key, err := file.open(root, apply([]Option{says("sesame")})); err == nil {
			t.Errorf("%v opens as the key of another root", key)
		}
	})
}
