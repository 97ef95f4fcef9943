package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// A Credential is a secret, or where it is to be had. It masks itself when printed.
type Credential struct {
	text     string // the secret itself
	env      string // name of a variable
	file     string // path
	keychain string // SERVICE/ACCOUNT
}

// Sources are where credentials are looked up.
type Sources struct {
	Env      func(string) (string, bool)                   // nil: the process's environment
	ReadFile func(path string) ([]byte, error)             // nil: the disk
	Keychain func(service, account string) (string, error) // nil: there is none
}

// NewCredential returns a credential that is the secret itself.
func NewCredential(secret string) Credential { return Credential{text: secret} }

// IsZero reports whether there is none.
func (c Credential) IsZero() bool { return c == Credential{} }

// String never shows the secret, but where it comes from.
func (c Credential) String() string {
	switch {
	case c.env != "":
		return "environment variable " + c.env
	case c.file != "":
		return "file " + c.file
	case c.keychain != "":
		return "keychain entry " + c.keychain
	case c.text != "":
		return "[redacted]"
	}
	return ""
}

// Format keeps every verb from showing the secret: some would print the struct.
func (c Credential) Format(state fmt.State, _ rune) { _, _ = fmt.Fprint(state, c.String()) }

// MarshalText keeps encoders from showing the secret.
func (c Credential) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// CredentialError says why a secret cannot be had. It names the place and never the content.
type CredentialError struct {
	Place   string // as [Credential.String] has it
	Problem string
	hint    string
}

func (e *CredentialError) Error() string { return e.Place + " " + e.Problem }

// Hint says what to do.
func (e *CredentialError) Hint() string { return e.hint }

// Resolve returns the secret, without one line break at its end; "" of a credential that is
// zero. Places are looked up anew each time, so that a secret may change while an audit runs.
// The error is a [*CredentialError].
func (c Credential) Resolve(from Sources) (string, error) {
	refuse := func(problem, hint string) (string, error) {
		return "", &CredentialError{c.String(), problem, hint}
	}
	secret := c.text
	switch {
	case c.env != "":
		lookup := from.Env
		if lookup == nil {
			lookup = os.LookupEnv
		}
		var set bool
		if secret, set = lookup(c.env); !set {
			return refuse("is not set", "export "+c.env+"=…")
		}
	case c.file != "":
		read := from.ReadFile
		if read == nil {
			read = readSecretFile
		}
		data, err := read(c.file)
		if err != nil {
			return refuse("cannot be read: "+cause(err), "the path is relative to the policy file; the file holds the secret and nothing else")
		}
		secret = strings.TrimPrefix(string(data), byteOrderMark)
	case c.keychain != "":
		service, account, _ := strings.Cut(c.keychain, "/")
		if from.Keychain == nil {
			return refuse("cannot be read: this system has no keychain", "write {env: NAME} or {file: PATH} in its place")
		}
		var err error
		if secret, err = from.Keychain(service, account); err != nil {
			return refuse("cannot be read: "+cause(err), "add it to the keychain: service "+service+", account "+account)
		}
	}
	secret = strings.TrimSuffix(strings.TrimSuffix(secret, "\n"), "\r")
	switch {
	case secret == "" && !c.IsZero():
		return refuse("is empty", "")
	case len(secret) > maxSecret:
		return refuse(fmt.Sprintf("is longer than %d bytes", maxSecret), "it holds the secret and nothing else")
	case strings.ContainsAny(secret, "\r\n\x00"):
		return refuse("has more than one line", "it holds the secret and nothing else")
	}
	return secret, nil
}

// cause returns what went wrong with a file, without its path, which is named already.
func cause(err error) string {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	return err.Error()
}
