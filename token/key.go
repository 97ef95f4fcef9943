package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// KeyFile is the name of the key's file in its folder. It holds the 32 bytes of the key as
// they are.
const KeyFile = "token.key"

// keySize is the length of a key in bytes: as much as the hash (RFC 7518, 3.2).
const keySize = 32

// A Key makes and checks tokens. It is safe for several goroutines and prints nothing of
// itself.
type Key struct {
	secret []byte
	id     string // kid (RFC 7515, 4.1.4): of the key's hash
}

// String never shows the key.
func (k *Key) String() string { return "key " + k.id }

// Format keeps every verb from showing the key: some would print the struct.
func (k *Key) Format(state fmt.State, _ rune) { fmt.Fprint(state, k.String()) }

// A KeyError says what is wrong with a key's file.
type KeyError struct {
	File string
	Err  error
}

func (e *KeyError) Error() string { return fmt.Sprintf("token key %s: %v", e.File, e.Err) }

func (e *KeyError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *KeyError) Hint() string {
	if errors.Is(e.Err, errOpen) || errors.Is(e.Err, errNoKey) {
		return "Delete the file: a new key is made at the next start. Links and tokens made before are then refused."
	}
	return "Make the folder one that you can write to."
}

var (
	errOpen  = errors.New("other users of this machine may read or change it")
	errNoKey = errors.New("it is no key")
)

// OpenKey returns the key in a folder. At first use it makes the folder, for its owner
// alone, and the key. Several processes may do so at once and get the same key. An error
// is a [KeyError].
func OpenKey(folder string) (*Key, error) {
	path := filepath.Join(folder, KeyFile)
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeKey(folder, path); err == nil {
			key, err = readKey(path)
		}
	}
	if err != nil {
		return nil, &KeyError{path, err}
	}
	return key, nil
}

func readKey(path string) (*Key, error) {
	// Opening a pipe would wait for its writer, so what it is comes first.
	info, err := os.Lstat(path)
	if err != nil {
		return nil, cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errNoKey
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, cause(err)
	}
	// Windows keeps access in lists that a file inherits from the user's own folder, and its
	// mode bits say nothing about them.
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, errOpen
	}
	secret, err := io.ReadAll(io.LimitReader(f, keySize+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(secret) != keySize {
		return nil, errNoKey
	}
	sum := sha256.Sum256(secret)
	return &Key{secret, hex.EncodeToString(sum[:4])}, nil
}

// makeKey puts a new key in its place unless another process was quicker: the file gets
// its name only when it is whole, by a link, which unlike a rename replaces nothing.
func makeKey(folder, path string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return cause(err)
	}
	f, err := os.CreateTemp(folder, KeyFile+".new*") // mode 0600
	if err != nil {
		return cause(err)
	}
	defer os.Remove(f.Name())
	secret := make([]byte, keySize)
	rand.Read(secret) // never fails
	_, err = f.Write(secret)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return cause(err)
	}
	return cause(publish(os.Link, f.Name(), path))
}

// publish gives a file its name, unless the name is taken. A file system without links (exFAT,
// some network folders) has to do with a look before.
func publish(link func(from, to string) error, from, to string) error {
	err := link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	if _, err := os.Lstat(to); err == nil {
		return nil
	}
	return os.Rename(from, to)
}

// cause returns an error of the system without its path, which a KeyError has.
func cause(err error) error {
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
		return failed.Err
	}
	if failed := (*os.LinkError)(nil); errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
