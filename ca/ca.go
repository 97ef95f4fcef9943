// Package ca is the certificate authority of one machine: it makes the root that
// a device is asked to trust, keeps it in a folder, and signs a certificate for
// each server that the device then talks to through the proxy.
//
// It knows two files, telltale-ca.pem and telltale-ca.key, and the rules that
// Apple, Android and Chromium have for the certificates in them; each constant
// names its source. It promises that a folder never holds half an authority,
// whenever the program or the machine stops, that processes which start at once
// on one folder end with the same authority, and that an authority which exists
// is never replaced unless [Rotate] is called. The private key never leaves the
// folder: no export holds it.
//
// A root lives for a year. That is short for a root, but the device that trusts
// it is somebody's phone, where it is easily forgotten; a year is long enough
// that nobody has to set up a phone twice in one audit. Its name has a random
// suffix, so that removing one authority from a device never removes another's.
// It has neither host nor user name in it, because every app on the device can
// read the issuer of the certificates that it is shown.
//
// It does not decide what is intercepted, speaks no TLS and logs nothing. To
// debug it: `openssl x509 -in telltale-ca.pem -text`, then
// [Authority.Warnings]; [Authority.Minted] says whether leaves are reused.
package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// Names of the files of an authority in its folder.
const (
	CertificateFile = "telltale-ca.pem" // the root certificate, PEM, readable by all
	KeyFile         = "telltale-ca.key" // its private key, PKCS#8 in PEM, mode 0600
)

// An Authority is a root certificate with its key, and the leaves that it has
// signed since it was opened. It is safe for use by several goroutines.
type Authority struct {
	dir      string
	root     *x509.Certificate
	key      crypto.Signer
	leafKey  *ecdsa.PrivateKey // of every leaf; it lives as long as the process
	warnings []string
	now      func() time.Time

	leaves leafCache
	mints  singleflight.Group // by canonical name
	minted atomic.Int64
}

// Open returns the authority kept in dir, and makes one when dir has none. The
// folder is made with mode 0700 when it is missing. An authority that is there
// but cannot be used is an [*Error] and is left as it is.
//
// A key file that others may read is made private again, which
// [Authority.Warnings] then mentions; where that fails, Open does too.
func Open(dir string) (*Authority, error) {
	a, err := read(dir)
	if err == nil {
		return a, nil
	}
	// Whatever was wrong may be another process half-way through its work, or
	// a crash in it: look again with the lock held.
	unlock, lockErr := lock(dir)
	if lockErr != nil {
		if errors.Is(err, errNone) {
			return nil, lockErr
		}
		return nil, err
	}
	defer unlock()
	if err := settle(dir); err != nil {
		return nil, err
	}
	a, err = read(dir)
	if !errors.Is(err, errNone) {
		return a, err
	}
	return establish(dir)
}

// Load is like [Open] but makes nothing: without an authority in dir its error
// matches [fs.ErrNotExist].
func Load(dir string) (*Authority, error) {
	a, err := read(dir)
	if err == nil || errors.Is(err, errNone) {
		return a, err
	}
	unlock, lockErr := lock(dir)
	if lockErr != nil {
		return nil, err
	}
	defer unlock()
	if err := settle(dir); err != nil {
		return nil, err
	}
	return read(dir)
}

// Rotate replaces the authority in dir, usable or not, by a new one. Devices
// have to trust the new one; processes that opened the old one keep using it.
func Rotate(dir string) (*Authority, error) {
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return establish(dir)
}

// Remove deletes the authority in dir, usable or not, and leaves the folder
// itself and whatever else is in it. Without an authority its error matches
// [fs.ErrNotExist].
func Remove(dir string) error {
	if !exists(dir) {
		return &Error{File: dir, Problem: "holds no authority", Err: errNone}
	}
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	return erase(dir)
}

// establish makes a root and puts it in dir, whose lock is held.
func establish(dir string) (*Authority, error) {
	root, err := newRoot(time.Now())
	if err != nil {
		return nil, &Error{File: dir, Problem: "no authority could be made", Err: err}
	}
	if err := replace(dir, root); err != nil {
		return nil, err
	}
	return read(dir)
}

// newAuthority returns an authority that has signed nothing.
func newAuthority(dir string, root *x509.Certificate, key crypto.Signer) (*Authority, error) {
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Authority{dir: dir, root: root, key: key, leafKey: leafKey, now: time.Now}, nil
}

// Leaf returns a certificate for a server's name, a DNS name in ASCII or an IP
// address, signed by the authority. The certificate is shared: do not change it.
// Its Leaf field is nil, since a server never looks at it and thousands are kept.
//
// A name that no certificate can carry is an error that matches [ErrName]. An
// authority that expired since it was opened is an [*Error].
func (a *Authority) Leaf(name string) (*tls.Certificate, error) {
	if leaf := a.leaves.get(name, a.now().Unix()); leaf != nil {
		return leaf, nil
	}
	host, err := parseHost(name)
	if err != nil {
		return nil, err
	}
	leaf, err, _ := a.mints.Do(host.name, func() (any, error) {
		// A mint of the same name may have ended since the look above.
		now := a.now()
		if leaf := a.leaves.get(host.name, now.Unix()); leaf != nil {
			return leaf, nil
		}
		leaf, renew, err := a.mint(host, now)
		if err != nil {
			return nil, err
		}
		a.minted.Add(1)
		a.leaves.put(host.name, leaf, renew.Unix())
		return leaf, nil
	})
	if err != nil {
		return nil, err
	}
	return leaf.(*tls.Certificate), nil
}

// Minted returns how many leaves were signed since the authority was opened.
func (a *Authority) Minted() int64 { return a.minted.Load() }

// Certificate returns the root. It is shared: do not change it.
func (a *Authority) Certificate() *x509.Certificate { return a.root }

// Name returns the common name of the root, under which devices list it.
func (a *Authority) Name() string { return a.root.Subject.CommonName }

// DER returns the root in DER.
func (a *Authority) DER() []byte { return bytes.Clone(a.root.Raw) }

// PEM returns the root in PEM.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: a.root.Raw})
}

// Fingerprint returns the SHA-256 of the root in DER, as phones show it:
// "3F:2A:…", 32 bytes.
func (a *Authority) Fingerprint() string { return Fingerprint(a.root) }

// Fingerprint returns the SHA-256 of a certificate, as phones show it.
func Fingerprint(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}

// AndroidName returns the file name that the root must have in the system store
// of Android: what `openssl x509 -subject_hash_old` prints, which is the first
// four bytes of the MD5 of the subject in DER, little-endian, and ".0"
// (source.android.com, "Root certificates"). Where another certificate has that
// name already, the suffix has to be counted up by hand.
func (a *Authority) AndroidName() string {
	sum := md5.Sum(a.root.RawSubject)
	return fmt.Sprintf("%08x.0", binary.LittleEndian.Uint32(sum[:4]))
}

// Dir returns the folder of the authority, as it was given to [Open].
func (a *Authority) Dir() string { return a.dir }

// CertPath returns the path of the root's PEM file.
func (a *Authority) CertPath() string { return filepath.Join(a.dir, CertificateFile) }

// Warnings returns sentences about what a person should know of the authority
// and that did not keep it from opening: a key that others could read, a root
// that expires soon.
func (a *Authority) Warnings() []string { return a.warnings }

// errNone says that a folder holds no authority at all, not even a half.
var errNone = fmt.Errorf("no certificate authority: %w", fs.ErrNotExist)

// Error is trouble with the files of an authority.
type Error struct {
	File    string // the file or folder
	Problem string // what is wrong with it, so that "FILE Problem" is a sentence
	Err     error  // the cause; nil when Problem says it all
	Advice  string // what to do about it; "" when there is nothing to say
}

// Error returns what is wrong with which file.
func (e *Error) Error() string {
	text := "certificate authority: " + e.File + " " + e.Problem
	if e.Err != nil && !errors.Is(e.Err, errNone) {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do, with the command to type; "" when there is nothing to say.
func (e *Error) Hint() string { return e.Advice }

// rotateAdvice goes with every authority that can only be replaced.
const rotateAdvice = "make a new authority with `telltale ca rotate`, then install it on the devices again"
