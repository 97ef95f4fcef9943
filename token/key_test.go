package token_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/token"
)

// TestMain lets the test be the other process too.
func TestMain(m *testing.M) {
	if folder := os.Getenv("TELLTALE_TEST_KEY"); folder != "" {
		key, err := token.OpenKey(folder)
		fmt.Println(key, err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestKeyIsKept(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "data", "telltale")
	first, err := token.OpenKey(folder)
	if err != nil {
		t.Fatal(err)
	}
	again, err := token.OpenKey(folder)
	if err != nil {
		t.Fatal(err)
	}
	c := token.Claim{Scope: token.Feed, Subject: "audit", Expires: time.Now().Add(time.Hour)}
	if _, err := again.Check(sign(t, first, c), token.Feed, time.Now()); err != nil {
		t.Errorf("a token of before: %v", err)
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 1 {
		t.Errorf("left %v, %v; want the key alone", files, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for path, want := range map[string]os.FileMode{folder: 0o700, filepath.Join(folder, token.KeyFile): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
}

func TestKeyOfSeveralProcesses(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	var group sync.WaitGroup
	said := make([]string, 8)
	for i := range said {
		group.Go(func() {
			other := exec.Command(os.Args[0], "-test.run=^$")
			other.Env = append(os.Environ(), "TELLTALE_TEST_KEY="+folder)
			out, err := other.CombinedOutput()
			said[i] = fmt.Sprint(string(out), err)
		})
	}
	group.Wait()
	for _, s := range said {
		if s != said[0] || !strings.HasPrefix(s, "key ") || !strings.Contains(s, "<nil>") {
			t.Errorf("opened %q and %q; want one key", s, said[0])
		}
	}
}

func TestKeysThatAreNone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes and links are of Unix")
	}
	for name, damage := range map[string]func(path string) error{
		"short":   func(path string) error { return os.Truncate(path, 31) },
		"long":    func(path string) error { return os.Truncate(path, 33) },
		"empty":   func(path string) error { return os.Truncate(path, 0) },
		"open":    func(path string) error { return os.Chmod(path, 0o640) },
		"folder":  func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"symlink": func(path string) error { return errors.Join(os.Rename(path, path+"2"), os.Symlink(path+"2", path)) },
	} {
		folder := t.TempDir()
		if _, err := token.OpenKey(folder); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, token.KeyFile)
		if err := damage(path); err != nil {
			t.Fatal(err)
		}
		_, err := token.OpenKey(folder)
		var is *token.KeyError
		if !errors.As(err, &is) || is.File != path || !strings.Contains(is.Hint(), "Delete the file") {
			t.Errorf("%s: %v; want to hear of %s", name, err, path)
		}
	}
}

func TestKeyWhereNoneCanBeMade(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := token.OpenKey(filepath.Join(file, "folder"))
	if is := (*token.KeyError)(nil); !errors.As(err, &is) || strings.Count(err.Error(), file) != 1 {
		t.Errorf("%v; want to hear of %s, once", err, file)
	}
}

func TestKeyIsNeverPrinted(t *testing.T) {
	t.Parallel()
	key, secret := open(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		printed := fmt.Sprintf(verb, key)
		for _, form := range []string{string(secret), fmt.Sprintf("%x", secret), fmt.Sprintf("%d", secret)} {
			if strings.Contains(printed, form) || !strings.HasPrefix(printed, "key ") {
				t.Errorf("%s prints %q", verb, printed)
			}
		}
	}
}
