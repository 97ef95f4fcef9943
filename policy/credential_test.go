package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// places are where the credentials of tests stand.
func places() Sources {
	return Sources{
		Env: func(name string) (string, bool) {
			value, ok := map[string]string{"A": "x9SECRETx9", "EMPTY": "", "LINES": "x9SECRETx9\nb", "HOOK": hook, "SELF": "env:HOOK"}[name]
			return value, ok
		},
		ReadFile: func(path string) ([]byte, error) {
			text, ok := map[string]string{
				"unix": "x9SECRETx9\n", "windows": "x9SECRETx9\r\n", "mark": "\xef\xbb\xbfx9SECRETx9", "two": "x9SECRETx9\n\n", "long": strings.Repeat("x", 5000), "hook": hook + "\n",
			}[path]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
			}
			return []byte(text), nil
		},
		Keychain: func(service, account string) (string, error) {
			switch service + "|" + account {
			case "telltale|lab/mail":
				return "x9SECRETx9", nil
			case "telltale|hook":
				return hook, nil
			}
			return "", errors.New("secret not found in keyring")
		},
	}
}

func TestResolve(t *testing.T) {
	for _, test := range []struct {
		c           Credential
		want        string
		err, hinted string
	}{
		{Credential{}, "", "", ""},
		{NewCredential("x9SECRETx9"), "x9SECRETx9", "", ""},
		{Credential{env: "A"}, "x9SECRETx9", "", ""},
		{Credential{env: "NOPE"}, "", "environment variable NOPE is not set", "export NOPE=…"},
		{Credential{env: "EMPTY"}, "", "environment variable EMPTY is empty", ""},
		{Credential{env: "LINES"}, "", "environment variable LINES has more than one line", "nothing else"},
		{Credential{file: "unix"}, "x9SECRETx9", "", ""},
		{Credential{file: "windows"}, "x9SECRETx9", "", ""},
		{Credential{file: "mark"}, "x9SECRETx9", "", ""},
		{Credential{file: "two"}, "", "file two has more than one line", "nothing else"},
		{Credential{file: "long"}, "", "file long is longer than 4096 bytes", "nothing else"},
		{Credential{file: "gone"}, "", "file gone cannot be read: file does not exist", "relative to the policy file"},
		{Credential{keychain: "telltale/lab/mail"}, "x9SECRETx9", "", ""},
		{Credential{keychain: "telltale/other"}, "", "keychain entry telltale/other cannot be read: secret not found in keyring", "account other"},
	} {
		got, err := test.c.Resolve(places())
		if test.err == "" {
			if got != test.want || err != nil {
				t.Errorf("%v: %q, %v", test.c, got, err)
			}
			continue
		}
		var e *CredentialError
		if !errors.As(err, &e) || got != "" {
			t.Fatalf("%v: %q, %v", test.c, got, err)
		}
		if e.Error() != test.err || !strings.Contains(e.Hint(), test.hinted) || strings.Contains(e.Error()+e.Hint(), "x9SECRETx9") {
			t.Errorf("%v: %q, hint %q", test.c, e.Error(), e.Hint())
		}
	}
	if _, err := (Credential{keychain: "a/b"}).Resolve(Sources{}); err == nil || !strings.Contains(err.Error(), "no keychain") {
		t.Errorf("without a keychain: %v", err)
	}
}

// Without sources the process's own are asked.
func TestResolveFromTheProcess(t *testing.T) {
	t.Setenv("TELLTALE_TEST_SECRET", "abc")
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("def\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]Credential{"abc": {env: "TELLTALE_TEST_SECRET"}, "def": {file: file}} {
		if got, err := c.Resolve(Sources{}); got != want || err != nil {
			t.Errorf("%v: %q, %v", c, got, err)
		}
	}
}

func TestCredentialMasksItself(t *testing.T) {
	d := Destination{URL: NewCredential("x9SECRETx9"), Token: Credential{env: "TOKEN"}}
	encoded, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		fmt.Sprint(d), fmt.Sprintf("%v %+v %#v %s %q %x", d.URL, d, d, d.URL, d.URL, d.URL), fmt.Sprint([]any{d.URL, &d.URL}), string(encoded),
	} {
		if strings.Contains(shown, "SECRET") || strings.Contains(shown, "7839534543") {
			t.Errorf("shows the secret: %s", shown)
		}
	}
	if got := d.Token.String(); got != "environment variable TOKEN" {
		t.Error(got)
	}
}
