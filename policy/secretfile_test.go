package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secretFiles are what the tests' policies find beside them.
var secretFiles = map[string]string{
	"s/mail": "jane.doe@example.com\r\n", "s/two": "hunter2hunter2\nsecond", "s/blank": " \n", "s/binary": "hunter2\x00hunter2",
	"s/short": "abc\n", "s/long": strings.Repeat("a", maxSecret+1),
}

func TestSecretOfAFile(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"telltale.yaml":  "version: 1\nnever-send:\n  - name: e-mail\n    file: secrets/mail\n  - name: absolute\n    file: " + filepath.ToSlash(filepath.Join(folder, "other")) + "\n",
		"secrets/mail":   "\xef\xbb\xbfjane.doe@example.com\n",
		"other":          " two words ",
		"broken.yaml":    "version: 1\nnever-send: [{name: x, file: secrets}]\n",
		"oversized.yaml": "version: 1\nnever-send: [{name: x, file: large}]\n",
		"large":          strings.Repeat("hunter2", 10_000),
	} {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Load(filepath.Join(folder, "telltale.yaml"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := p.Secrets()
	if len(s) != 2 || s[0].Reveal() != "jane.doe@example.com" || s[1].Reveal() != " two words " {
		t.Errorf("values %q, %q", s[0].Reveal(), s[1].Reveal())
	}
	for name, want := range map[string]string{"broken.yaml": "cannot read the value", "oversized.yaml": "longer than"} {
		_, err := Load(filepath.Join(folder, name), Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name+":2:") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s shows the value: %v", name, err)
		}
	}
}

// A device may never end, and a folder has no content.
func TestFilesOfSecretsAreRegular(t *testing.T) {
	for _, path := range []string{t.TempDir(), os.DevNull} {
		_, err := Credential{file: path}.Resolve(Sources{})
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", path, err)
		}
	}
	long := filepath.Join(t.TempDir(), "long")
	if err := os.WriteFile(long, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (Credential{file: long}).Resolve(Sources{}); err == nil || !strings.Contains(err.Error(), "is longer than") {
		t.Errorf("a long file: %v", err)
	}
}
