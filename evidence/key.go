package evidence

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// KeyFile is the name of the private key in its folder: PKCS#8 in PEM, mode 0600.
const KeyFile = "telltale-evidence.key"

// PEM types (RFC 7468, sections 10 and 13).
const (
	pemKey    = "PRIVATE KEY"
	pemPublic = "PUBLIC KEY"
)

// A Key signs manifests.
type Key struct{ private ed25519.PrivateKey }

// Public returns the public key.
func (k *Key) Public() ed25519.PublicKey { return k.private.Public().(ed25519.PublicKey) }

// PublicPEM returns the public key in PEM, to hand out beforehand.
func (k *Key) PublicPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: encodePublic(k.Public())})
}

// Fingerprint returns what the key is known by.
func (k *Key) Fingerprint() Fingerprint { return fingerprintOf(k.Public()) }

// A Fingerprint is the SHA-256 of a public key in DER (SubjectPublicKeyInfo). The zero one
// is that of no key.
type Fingerprint [sha256.Size]byte

func fingerprintOf(public ed25519.PublicKey) Fingerprint { return sha256.Sum256(encodePublic(public)) }

// String returns it as certificates have theirs: "3F:2A:…".
func (f Fingerprint) String() string {
	return strings.ReplaceAll(fmt.Sprintf("% X", f[:]), " ", ":")
}

// MarshalText is String.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// ParseFingerprint reads a fingerprint, with colons or without, in any case.
func ParseFingerprint(s string) (f Fingerprint, err error) {
	b, err := hex.DecodeString(strings.NewReplacer(":", "", " ", "").Replace(strings.TrimSpace(s)))
	if err != nil || len(b) != len(f) {
		return f, fmt.Errorf("read fingerprint: expected %d bytes in hexadecimal, as %q", len(f), "3F:2A:…")
	}
	copy(f[:], b)
	return f, nil
}

// ReadFingerprint reads what somebody gives to name a key: its fingerprint, or a file with
// the public key in PEM, or a manifest that it signed.
func ReadFingerprint(s string) (Fingerprint, error) {
	if f, err := ParseFingerprint(s); err == nil {
		return f, nil
	}
	content, err := readFile(s, maxDocument)
	if err != nil {
		return Fingerprint{}, &KeyError{File: s, Problem: "is neither a fingerprint nor a file that can be read", Err: cause(err)}
	}
	if block, rest := pem.Decode(content); block != nil && block.Type == pemPublic && len(strings.TrimSpace(string(rest))) == 0 {
		public, err := parsePublic(block.Bytes)
		if err != nil {
			return Fingerprint{}, &KeyError{File: s, Problem: "cannot be used", Err: err}
		}
		return fingerprintOf(public), nil
	}
	checked, err := Check(content)
	if err != nil {
		return Fingerprint{}, &KeyError{File: s, Problem: "is neither a public key in PEM nor a signed manifest", Err: err}
	}
	return checked.Signer, nil
}

// A KeyError is trouble with the file of a key.
type KeyError struct {
	File    string
	Problem string // so that "FILE Problem" is a sentence
	Err     error  // cause; may be nil
	Advice  string
}

// Error returns what is wrong with which file.
func (e *KeyError) Error() string {
	text := "signing key: " + e.File + " " + e.Problem
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *KeyError) Unwrap() error { return e.Err }

// Hint says what to do; "" when there is nothing to say.
func (e *KeyError) Hint() string { return e.Advice }

// OpenKey opens the key in a folder, and makes folder and key when there is none. A key
// that others may read is made private again. The error is a [*KeyError].
func OpenKey(folder string) (*Key, error) {
	key, err := LoadKey(folder)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := makeKey(folder); err != nil {
		return nil, &KeyError{File: filepath.Join(folder, KeyFile), Problem: "cannot be made", Err: cause(err)}
	}
	return LoadKey(folder) // perhaps another process was faster
}

// maxKeyFile bounds what is read as a key.
const maxKeyFile = 64 << 10

// LoadKey is OpenKey that makes nothing: without a key its error matches [fs.ErrNotExist].
func LoadKey(folder string) (*Key, error) {
	path := filepath.Join(folder, KeyFile)
	const advice = "move it away: the next recording makes a new key, and captures that were signed before stay signed by the old one"
	content, err := readFile(path, maxKeyFile)
	if err != nil {
		return nil, &KeyError{File: path, Problem: "cannot be read", Err: cause(err)}
	}
	defer clear(content)
	if err := keepPrivate(path); err != nil {
		return nil, &KeyError{File: path, Problem: "can be read by other users, and that could not be changed", Err: cause(err), Advice: "as its owner type `chmod 600 " + path + "`"}
	}
	block, rest := pem.Decode(content)
	if block == nil || block.Type != pemKey || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, &KeyError{File: path, Problem: "is not one private key in PEM", Advice: advice}
	}
	defer clear(block.Bytes)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, &KeyError{File: path, Problem: "cannot be used", Err: err, Advice: advice}
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, &KeyError{File: path, Problem: fmt.Sprintf("holds a %T, not a key of Ed25519", parsed), Advice: advice}
	}
	return &Key{private}, nil
}

// makeKey puts a new key into a folder, unless one is there by then.
func makeKey(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	defer clear(der)
	f, err := os.CreateTemp(folder, ".telltale-evidence-*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = pem.Encode(f, &pem.Block{Type: pemKey, Bytes: der})
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return publish(f.Name(), filepath.Join(folder, KeyFile))
}

// publish gives a file its name, unless the name is taken: a link never replaces anything.
// A file system without links has to do with a look before.
func publish(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	if _, err := os.Lstat(to); err == nil {
		return nil
	}
	return os.Rename(from, to)
}

// keepPrivate takes a file away from other users. Windows has no such modes: there the
// folder of the user keeps others out.
func keepPrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return os.Chmod(path, 0o600)
}

// readFile reads a regular file of at most so many bytes.
func readFile(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // to open a pipe would wait for ever
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(content)) > most {
		err = fmt.Errorf("it has more than %d bytes", most)
	}
	return content, err
}

// cause drops the path from an error of package os: it is named already.
func cause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
