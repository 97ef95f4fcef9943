// Package ca is the certificate authority of one machine: it makes the root that
// a device is asked to trust, or takes over one that another program made, keeps it
// in a folder, and signs a certificate for each server that the device then talks to
// through the proxy.
//
// It knows two files, telltale-ca.pem and telltale-ca.key, and the rules that
// Apple, Android and Chromium have for the certificates in them; each constant
// names its source. It promises that a folder never holds half an authority,
// whenever the program or the machine stops, that processes which start at once
// on one folder end with the same authority, and that an authority which exists
// is never replaced unless [Rotate] or [Import] is told to. The private key leaves
// the folder only by [Authority.PEMWithKey] and [Authority.PKCS12WithKey], which
// encrypt it; a passphrase of its own ([Protect], [SetPassphrase]) makes the folder
// worthless to a thief.
//
// A root lives for 90 days unless [Lifetime] says otherwise: the device that trusts
// it is somebody's phone, where it is easily forgotten, and a forgotten root does no
// harm once it has expired. That covers an audit and the release after it; a lab
// that is set up once may ask for up to 825 days, for longer than which Apple trusts
// no leaf below it either (support.apple.com/103769). An authority that has expired
// is not renewed by itself, since devices would not trust the new one, and one that
// was made for a year by an earlier version works until its end.
//
// The name of a root has a random suffix, so that removing one authority from a
// device never removes another's. It has neither host nor user name in it, because
// every app on the device can read the issuer of the certificates that it is shown.
//
// [Authority.Faulty] signs what no client should accept, for experiments; the second root
// that some of it needs lives in memory and is never written.
//
// It does not decide what is intercepted, speaks no TLS, reads no terminal and logs
// nothing. It does not overwrite files before it unlinks them: SSDs and file systems
// that copy on write keep the old blocks whatever is written to the name, so it would
// be a promise that it cannot keep. A key that was protected by a passphrase from its
// first byte on is the one that leaves nothing behind. To debug it:
// `openssl x509 -in telltale-ca.pem -text`, `openssl pkey -in telltale-ca.key -noout`,
// then [Root.Warnings]; [Authority.Minted] says whether leaves are reused.
package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
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
	*Root
	key     crypto.Signer
	leafKey *ecdsa.PrivateKey // of every leaf; it lives as long as the process

	leaves leafCache
	mints  singleflight.Group // by canonical name
	minted atomic.Int64

	faulty   leafCache // by fault and canonical name
	stranger stranger
}

// An Option says how an authority is opened or made.
type Option func(*settings)

type settings struct {
	ask      func() ([]byte, error)
	asked    []byte // what ask returned
	protect  []byte
	lifetime time.Duration
	replace  bool
	now      func() time.Time
}

// Unlock names who knows the passphrase of the key. It is asked once, and only if
// the key is protected; what it returns is wiped after use. Its errors come back
// wrapped.
func Unlock(ask func() ([]byte, error)) Option { return func(s *settings) { s.ask = ask } }

// Protect encrypts the key of an authority that is made or imported with a
// passphrase. An empty one does nothing. The caller wipes it.
func Protect(passphrase []byte) Option { return func(s *settings) { s.protect = passphrase } }

// Lifetime is how long an authority that is made lives, instead of [DefaultLifetime];
// [CheckLifetime] says what may be asked for.
func Lifetime(d time.Duration) Option { return func(s *settings) { s.lifetime = d } }

// Replace lets [Import] replace an authority that is there, usable or not.
func Replace() Option { return func(s *settings) { s.replace = true } }

// at is a clock, for tests.
func at(now time.Time) Option { return func(s *settings) { s.now = func() time.Time { return now } } }

func apply(options []Option) *settings {
	s := &settings{lifetime: DefaultLifetime, now: time.Now}
	for _, option := range options {
		option(s)
	}
	return s
}

// passphrase asks, the first time. What it returns is wiped by wipe.
func (s *settings) passphrase() ([]byte, error) {
	if s.asked != nil {
		return s.asked, nil
	}
	if s.ask == nil {
		return nil, ErrProtected
	}
	var err error
	s.asked, err = s.ask()
	return s.asked, err
}

func (s *settings) wipe() { clear(s.asked) }

// Open returns the authority kept in dir, and makes one when dir has none. The
// folder is made with mode 0700 when it is missing. An authority that is there
// but cannot be used is an [*Error] and is left as it is; one whose key is protected
// needs [Unlock], else the error matches [ErrProtected], or [ErrPassphrase].
//
// A key file that others may read is made private again, which
// [Root.Warnings] then mentions; where that fails, Open does too.
func Open(dir string, options ...Option) (*Authority, error) {
	s := apply(options)
	defer s.wipe()
	return obtain(dir, s, read, true)
}

// Load is like [Open] but makes nothing: without an authority in dir its error
// matches [fs.ErrNotExist].
func Load(dir string, options ...Option) (*Authority, error) {
	s := apply(options)
	defer s.wipe()
	return obtain(dir, s, read, false)
}

// Rotate replaces the authority in dir, usable or not, by a new one. Devices
// have to trust the new one; processes that opened the old one keep using it.
func Rotate(dir string, options ...Option) (*Authority, error) {
	s := apply(options)
	if err := CheckLifetime(s.lifetime); err != nil {
		return nil, err
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return establish(dir, s)
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

// obtain returns what read finds in dir. A change that was left half-way is finished
// first, and where there is nothing and create says so, an authority is made.
func obtain[T any](dir string, s *settings, read func(string, *settings) (T, error), create bool) (found T, err error) {
	var none T
	var closed sealedError
	found, err = read(dir, s)
	if err == nil || errors.As(err, &closed) || !create && errors.Is(err, errNone) {
		return found, err
	}
	// Whatever was wrong may be another process half-way through its work, or
	// a crash in it: look again with the lock held.
	unlock, lockErr := lock(dir)
	if lockErr != nil {
		if errors.Is(err, errNone) {
			return none, lockErr
		}
		return none, err
	}
	defer unlock()
	if err := settle(dir); err != nil {
		return none, err
	}
	found, err = read(dir, s)
	if !create || !errors.Is(err, errNone) {
		return found, err
	}
	if _, err := establish(dir, s); err != nil {
		return none, err
	}
	s.asked = bytes.Clone(s.protect)
	return read(dir, s)
}

// establish makes a root and puts it in dir, whose lock is held.
func establish(dir string, s *settings) (*Authority, error) {
	root, err := newRoot(s)
	if err != nil {
		return nil, &Error{File: dir, Problem: "no authority could be made", Err: err}
	}
	return put(dir, root, s)
}

// put makes root the authority of dir, whose lock is held, and opens it again.
func put(dir string, root *newRootPair, s *settings) (*Authority, error) {
	defer clear(root.keyPEM)
	if err := replace(dir, root); err != nil {
		return nil, err
	}
	again := *s
	again.asked = s.protect
	return read(dir, &again)
}

// newAuthority returns an authority that has signed nothing.
func newAuthority(root *Root, key crypto.Signer) (*Authority, error) {
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Authority{Root: root, key: key, leafKey: leafKey}, nil
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
