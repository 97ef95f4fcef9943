package token

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A file system without links gets the key as well, and keeps the one that it has.
func TestKeyWhereThereAreNoLinks(t *testing.T) {
	noLinks := func(string, string) error { return errors.ErrUnsupported }
	folder := t.TempDir()
	to := filepath.Join(folder, "to")
	for _, text := range []string{"first", "second"} {
		from := filepath.Join(folder, text)
		if err := os.WriteFile(from, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := publish(noLinks, from, to); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(to); err != nil || string(got) != "first" {
			t.Errorf("%q, error %v", got, err)
		}
	}
}
