package evidence_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"telltale/evidence"
)

func TestKeyIsMadeOnceAndPrivate(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "folder")
	if _, err := evidence.LoadKey(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("load: %v", err)
	}
	var keys [8]*evidence.Key
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			key, err := evidence.OpenKey(folder)
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	all.Wait()
	path := filepath.Join(folder, evidence.KeyFile)
	for _, key := range keys {
		if key == nil || key.Fingerprint() != keys[0].Fingerprint() {
			t.Fatal("two keys were made")
		}
	}
	if names, err := os.ReadDir(folder); err != nil || len(names) != 1 {
		t.Errorf("%v, error %v", names, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.OpenKey(folder); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, error %v", info.Mode(), err)
	}
}

func TestKeysThatAreNone(t *testing.T) {
	good, err := os.ReadFile(filepath.Join(fixedFolder(t), evidence.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	const rsa = "-----BEGIN PRIVATE KEY-----\nMEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCBpYm8L9KWUJyO8Ulb3\nxxE1r5cMkeXxB7bLKo9Wc5y1EQ==\n-----END PRIVATE KEY-----\n"
	for name, c := range map[string]struct{ content, says string }{
		"empty":       {"", "is not one private key"},
		"text":        {"hello", "is not one private key"},
		"twice":       {string(good) + string(good), "is not one private key"},
		"broken":      {strings.Replace(string(good), "MC4C", "MC4D", 1), "cannot be used"},
		"other kind":  {rsa, "key"},
		"very long":   {strings.Repeat("x", 100<<10), "more than"},
		"certificate": {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "is not one private key"},
	} {
		folder := t.TempDir()
		path := filepath.Join(folder, evidence.KeyFile)
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := evidence.OpenKey(folder)
		var e *evidence.KeyError
		if !errors.As(err, &e) || e.File != path || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != c.content {
			t.Errorf("%s: the file was changed, error %v", name, err)
		}
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, evidence.KeyFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.OpenKey(folder); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
}

func TestNamesOfKeys(t *testing.T) {
	key, folder := fixedKey(t), t.TempDir()
	public, manifest, text := filepath.Join(folder, "key.pem"), filepath.Join(folder, "manifest"), filepath.Join(folder, "text")
	for path, content := range map[string][]byte{public: key.PublicPEM(), manifest: key.Sign(exampleManifest()), text: []byte("hello")} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	of := key.Fingerprint().String()
	for _, name := range []string{of, strings.ToLower(of), strings.ReplaceAll(of, ":", ""), " " + of + "\n", public, manifest} {
		if f, err := evidence.ReadFingerprint(name); err != nil || f != key.Fingerprint() {
			t.Errorf("%q: %s, error %v", name, f, err)
		}
	}
	for _, name := range []string{"", of[:20], text, folder, filepath.Join(folder, "none"), filepath.Join(fixedFolder(t), evidence.KeyFile)} {
		if f, err := evidence.ReadFingerprint(name); err == nil {
			t.Errorf("%q is taken for %s", name, f)
		}
	}
}
