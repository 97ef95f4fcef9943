package ca

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// The certificate and its key are two files, and no file system replaces two
// files at once. So a new authority is first written as one file, the journal;
// the rename that gives the journal its name is the moment from which the
// authority exists. Its parts are then copied to where they belong and the
// journal goes. Whoever finds a journal finishes that work (settle).
const (
	journalFile = "telltale-ca.new"
	lockName    = "telltale-ca.lock"
	tempPattern = ".telltale-ca-*.tmp" // a file that was never given its name
)

// PEM types (RFC 7468, sections 5, 10 and 11).
const (
	pemCertificate  = "CERTIFICATE"
	pemKey          = "PRIVATE KEY"
	pemEncryptedKey = "ENCRYPTED PRIVATE KEY"
)

// maxFile bounds what is read of a file that may be anything.
const maxFile = 64 << 10

// errHalf says that the folder may be in the middle of a change.
var errHalf = errors.New("a change of the authority was not finished")

// read returns the authority in dir. It takes no lock, so that a folder that
// may not be written to works: during a change its error may be wrong, but what
// it returns is never mixed, since key and certificate have to match.
func read(dir string, s *settings) (*Authority, error) {
	root, file, err := readFiles(dir, s)
	if err == nil {
		err = root.valid()
	}
	if err != nil {
		return nil, err
	}
	key, err := root.openKey(file, s)
	if err != nil {
		return nil, err
	}
	a, err := newAuthority(root, key)
	if err != nil {
		return nil, &Error{File: dir, Problem: "cannot be used", Err: err}
	}
	return a, nil
}

// readRoot returns the certificate of the authority in dir, whatever the time.
func readRoot(dir string, s *settings) (*Root, error) {
	root, file, err := readFiles(dir, s)
	clear(file.bytes())
	return root, err
}

// readValidRoot returns the certificate of the authority in dir if it is valid now. A key
// that nobody protects has to be its own.
func readValidRoot(dir string, s *settings) (*Root, error) {
	root, file, err := readFiles(dir, s)
	if err == nil {
		err = root.valid()
	}
	if err == nil && !file.protected() {
		_, err = root.openKey(file, s)
	}
	if err != nil {
		return nil, err
	}
	return root, nil
}

// openKey returns the key of the root.
func (r *Root) openKey(file keyFile, s *settings) (crypto.Signer, error) {
	key, err := file.open(r.certificate, s)
	if err == nil {
		return key, nil
	}
	advice := rotateAdvice
	if closed := (sealedError{}); errors.As(err, &closed) {
		advice = closed.advice(passphraseAdvice)
	}
	return nil, &Error{File: r.KeyPath(), Problem: "cannot be used", Err: err, Advice: advice}
}

// readFiles reads both files of an authority and leaves the key closed.
func readFiles(dir string, s *settings) (*Root, keyFile, error) {
	none := keyFile{}
	if _, err := os.Lstat(filepath.Join(dir, journalFile)); err == nil {
		return nil, none, &Error{File: filepath.Join(dir, journalFile), Problem: "is left over", Err: errHalf, Advice: rotateAdvice}
	}
	certPath, keyPath := filepath.Join(dir, CertificateFile), filepath.Join(dir, KeyFile)
	certPEM, _, certErr := readFile(certPath, false)
	keyPEM, tightened, keyErr := readFile(keyPath, true)
	defer clear(keyPEM)
	switch noCert, noKey := errors.Is(certErr, fs.ErrNotExist), errors.Is(keyErr, fs.ErrNotExist); {
	case noCert && noKey:
		return nil, none, &Error{File: dir, Problem: "holds no authority", Err: errNone}
	case noCert:
		return nil, none, &Error{File: certPath, Problem: "is missing, though its key is there", Advice: rotateAdvice}
	case noKey:
		return nil, none, &Error{File: keyPath, Problem: "is missing, though its certificate is there", Advice: rotateAdvice}
	}
	if certErr != nil {
		return nil, none, certErr
	}
	if keyErr != nil {
		return nil, none, keyErr
	}
	certificate, err := parseRoot(certPEM)
	if err != nil {
		return nil, none, &Error{File: certPath, Problem: "cannot be used", Err: err, Advice: rotateAdvice}
	}
	file, err := parseKeyFile(keyPEM)
	if err != nil {
		return nil, none, &Error{File: keyPath, Problem: "cannot be used", Err: err, Advice: rotateAdvice}
	}
	root := &Root{dir: dir, certificate: certificate, protected: file.protected(), origin: file.origin, now: s.now}
	root.warnings = warnings(root, tightened)
	return root, file, nil
}

// valid says why the authority may not sign now; nil when it may.
func (r *Root) valid() error {
	if err := checkTime(r.certificate, r.now()); err != nil {
		return &Error{File: r.CertPath(), Problem: "cannot be used", Err: err, Advice: rotateAdvice}
	}
	return nil
}

// warnings says what a person should know about an authority that works.
func warnings(root *Root, tightened bool) []string {
	var w []string
	if tightened {
		w = append(w, fmt.Sprintf("%s could be read by other users of this machine and is private again; if one of them may have copied it, make a new authority with `telltale ca rotate`", root.KeyPath()))
	}
	if info, err := os.Stat(root.dir); err == nil && othersWrite(info.Mode()) {
		w = append(w, fmt.Sprintf("other users of this machine may replace the authority, since they may write to %s; make the folder private with chmod 700", root.dir))
	}
	if expiry := root.expiryWarning(); expiry != "" {
		w = append(w, expiry)
	}
	return w
}

// readFile returns the content of one of the authority's files. A private one
// that others may read is made private, and reported as tightened: refusing it
// would break the set-up of every device without making the key any safer.
func readFile(path string, private bool) (content []byte, tightened bool, err error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() { // opening a pipe would wait for ever
		return nil, false, &Error{File: path, Problem: "is not a regular file", Advice: "move it away, then make a new authority with `telltale ca rotate`"}
	}
	if err != nil {
		return nil, false, unreadable(path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, false, unreadable(path, err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, false, unreadable(path, err)
	}
	if private && tooOpen(info.Mode()) {
		if err := f.Chmod(0o600); err != nil {
			return nil, false, &Error{File: path, Problem: "can be read by other users, and that could not be changed", Err: cause(err),
				Advice: "as its owner type `chmod 600 " + path + "`, or name another folder with --ca"}
		}
		tightened = true
	}
	content, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, false, unreadable(path, err)
	}
	if len(content) > maxFile {
		return nil, false, &Error{File: path, Problem: "is too long to be what its name says", Advice: rotateAdvice}
	}
	return content, tightened, nil
}

func unreadable(path string, err error) error {
	return &Error{File: path, Problem: "cannot be read", Err: cause(err),
		Advice: "make it readable for yourself, or name another folder with --ca"}
}

// cause drops the path from an error of package os, since [Error] names it.
func cause(err error) error {
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		return pathErr.Err
	case errors.As(err, &linkErr):
		return linkErr.Err
	}
	return err
}

// parseRoot returns a root that may sign, if its time has come.
func parseRoot(data []byte) (*x509.Certificate, error) {
	block, err := onlyBlock(data, pemCertificate)
	if err != nil {
		return nil, err
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	return root, checkRoot(root)
}

// checkRoot says why a certificate is not the root of an authority; nil when it is.
func checkRoot(root *x509.Certificate) error {
	switch {
	case !root.BasicConstraintsValid || !root.IsCA:
		return errors.New("it is not the certificate of an authority")
	case root.KeyUsage != 0 && root.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("it may not sign certificates")
	}
	if err := root.CheckSignature(root.SignatureAlgorithm, root.RawTBSCertificate, root.Signature); err != nil {
		return fmt.Errorf("it is not signed by itself: %w", err)
	}
	return nil
}

// replace makes root the authority of dir, whose lock is held.
func replace(dir string, root *newRootPair) error {
	sweep(dir)
	journal := append(bytes.Clone(root.keyPEM), root.certPEM...)
	defer clear(journal)
	if err := writeFile(filepath.Join(dir, journalFile), journal, 0o600); err != nil {
		return err
	}
	return settle(dir)
}

// settle finishes a change that left its journal in dir, whose lock is held.
func settle(dir string) error {
	path := filepath.Join(dir, journalFile)
	journal, _, err := readFile(path, true)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer clear(journal)
	key, rest := pem.Decode(journal)
	keyPart := journal[:len(journal)-len(rest)] // with what stands before the block
	cert, rest := pem.Decode(rest)
	if key == nil || key.Type != pemKey && key.Type != pemEncryptedKey || cert == nil || cert.Type != pemCertificate || len(rest) != 0 {
		return &Error{File: path, Problem: "is not what a change of the authority leaves behind", Advice: rotateAdvice}
	}
	clear(key.Bytes)
	if err := writeFile(filepath.Join(dir, KeyFile), keyPart, 0o600); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, CertificateFile), pem.EncodeToMemory(cert), 0o644); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return &Error{File: path, Problem: "cannot be removed", Err: cause(err)}
	}
	return syncError(dir)
}

// writeFile gives path the content in one step: a reader, and a machine that
// comes back from a power cut, sees the old file or the new one.
func writeFile(path string, content []byte, mode os.FileMode) (err error) {
	defer func() {
		if err != nil {
			err = &Error{File: path, Problem: "cannot be written", Err: cause(err), Advice: "make its folder writable, or name another one with --ca"}
		}
	}()
	temp, err := os.CreateTemp(filepath.Dir(path), tempPattern) // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncError(dir string) error {
	if err := syncDir(dir); err != nil {
		return &Error{File: dir, Problem: "cannot be synced to disk", Err: cause(err)}
	}
	return nil
}

// exists reports whether dir holds an authority, whole, half or broken.
func exists(dir string) bool {
	for _, name := range []string{journalFile, KeyFile, CertificateFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// erase deletes the files of an authority in dir, whose lock is held. The
// journal goes first, so that nothing brings the rest back; the lock goes last.
func erase(dir string) error {
	sweep(dir)
	for _, name := range []string{journalFile, KeyFile, CertificateFile} {
		path := filepath.Join(dir, name)
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &Error{File: path, Problem: "cannot be removed", Err: cause(err)}
		}
	}
	os.Remove(filepath.Join(dir, lockName)) // empty; Windows keeps it while it is open
	return syncError(dir)
}

// sweep deletes files that a crash kept from getting their name: they may hold
// a key. The lock is held, so that nobody is writing them.
func sweep(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if left, _ := filepath.Match(tempPattern, entry.Name()); left {
			os.Remove(filepath.Join(dir, entry.Name()))
		}
	}
}

// lock makes dir where it is missing, and waits until no other process is
// changing the authority in it.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &Error{File: dir, Problem: "cannot be made", Err: cause(err), Advice: "name another folder with --ca"}
	}
	path := filepath.Join(dir, lockName)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, &Error{File: path, Problem: "cannot be opened", Err: cause(err), Advice: "make its folder writable, or name another one with --ca"}
		}
		if err := lockFile(f); err != nil {
			f.Close()
			return nil, &Error{File: path, Problem: "cannot be locked", Err: err}
		}
		if isFile(f, path) {
			return func() { f.Close() }, nil
		}
		f.Close() // its holder removed it together with the authority
	}
}

// isFile reports whether path still names the open file f.
func isFile(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	theirs, err := os.Stat(path)
	return err == nil && os.SameFile(mine, theirs)
}
