package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"
)

// minSecret is the length below which a value would be found everywhere, in bytes.
const minSecret = 4

// maxSecret bounds a value, in bytes: long ones are found by their beginning as well.
const maxSecret = 4 << 10

// checkSecrets reads the values that stand in files of their own, and refuses those that
// cannot be searched for.
func (d *decoder) checkSecrets(entries []secretEntry) error {
	names := map[string]bool{}
	for i := range entries {
		e := &entries[i]
		if e.Value.present() == e.File.present() {
			return d.errorAt(e.Line, e.Column, "an entry of never-send has either a value or a file", "take the value from the environment (value: ${TEST_EMAIL}) or from a file (file: secrets/e-mail)")
		}
		if e.File.present() {
			if err := d.readSecret(e); err != nil {
				return err
			}
		}
		switch at := max(e.Value.Line, e.File.Line); {
		case len(e.Value.Value) < minSecret:
			return d.errorAt(at, max(e.Value.Column, e.File.Column), fmt.Sprintf("the value is too short to search for: it has fewer than %d characters", minSecret), "")
		case len(e.Value.Value) > maxSecret:
			return d.errorAt(at, max(e.Value.Column, e.File.Column), fmt.Sprintf("the value is longer than %d bytes", maxSecret), "list what is characteristic of it")
		}
		if err := d.checkPlain(e); err != nil {
			return err
		}
		if names[e.Name.Value] {
			return d.errorAt(e.Name.Line, e.Name.Column, fmt.Sprintf("two values are named %q", e.Name.Value), "findings tell values apart by their names")
		}
		names[e.Name.Value] = true
	}
	return nil
}

// readSecret takes a value from the file that an entry names, relative to the policy,
// without the line break at its end. No error quotes what the file holds.
func (d *decoder) readSecret(e *secretEntry) error {
	path := e.File.Value
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(d.file), path)
	}
	refuse := func(message, hint string) error {
		return d.errorAt(e.File.Line, e.File.Column, message, hint)
	}
	data, err := d.readFile(path)
	switch {
	case err != nil:
		return refuse("cannot read the value: "+err.Error(), "the path is relative to the policy file")
	case len(data) > maxSecret+len("\r\n"):
		return refuse(fmt.Sprintf("the file of the value is longer than %d bytes", maxSecret), "it holds one value and nothing else")
	}
	data = bytes.TrimSuffix(bytes.TrimSuffix(bytes.TrimPrefix(data, []byte(byteOrderMark)), []byte("\n")), []byte("\r"))
	switch {
	case !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0:
		return refuse("the file of the value holds no text", "save it as UTF-8")
	case bytes.ContainsAny(data, "\r\n"):
		return refuse("the file of the value has more than one line", "a file holds one value: give each its own entry and file")
	case len(bytes.TrimSpace(data)) == 0:
		return refuse("the file of the value is empty", "")
	}
	e.Value.Value = string(data)
	return nil
}

// errNoFile is what a pipe or a device is told, which may never end.
var errNoFile = errors.New("it is not a regular file")

// readSecretFile reads as much of a regular file as a value may have, and a little more.
func readSecretFile(path string) (data []byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // to open a pipe would wait for its writer
		return nil, errNoFile
	}
	file, err := os.Open(path) // #nosec G304 -- the policy's author names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	if info, err = file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(errNoFile, err) // it was replaced meanwhile
	}
	return io.ReadAll(io.LimitReader(file, maxSecret+64))
}
