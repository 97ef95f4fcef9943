package ca

import (
	"crypto/x509"
	"errors"
	"fmt"

	"software.sslmate.com/src/go-pkcs12"
)

// PKCS12Password opens what [Root.PKCS12] returns. It protects nothing,
// since a certificate is public; Java expects this one.
const PKCS12Password = pkcs12.DefaultPassword

// PKCS12 returns the root, without its key, as a trust store (RFC 7292) that
// Java 12, OpenSSL 1.1.1, Windows Server 2019 and whatever is newer read.
func (r *Root) PKCS12() ([]byte, error) {
	store, err := pkcs12.Modern2023.EncodeTrustStore([]*x509.Certificate{r.certificate}, PKCS12Password)
	if err != nil {
		return nil, fmt.Errorf("certificate authority as PKCS#12: %w", err)
	}
	return store, nil
}

// exportIterations is what PKCS#12 has against guessing, with HMAC-SHA-256; the number
// is that of OWASP's Password Storage Cheat Sheet for PBKDF2. Tests take fewer.
var exportIterations = 600_000

// errNoPassphrase is why an authority does not leave the folder.
var errNoPassphrase = errors.New("the key of an authority is exported with a passphrase alone")

// PEMWithKey returns the whole authority, certificate and key, for another machine.
// The key is encrypted with the passphrase, which must not be empty, as PKCS#8
// (RFC 5958). Whoever has it can read the traffic of every device that trusts the root.
func (a *Authority) PEMWithKey(passphrase []byte) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, errNoPassphrase
	}
	key, err := encodeKey(a.key, passphrase, "")
	if err != nil {
		return nil, fmt.Errorf("certificate authority with its key: %w", err)
	}
	return append(key, a.PEM()...), nil
}

// PKCS12WithKey is like [Authority.PEMWithKey], as PKCS#12 (RFC 7292), which OpenSSL
// 1.1.1, Java 12, Windows Server 2019 and whatever is newer read.
func (a *Authority) PKCS12WithKey(passphrase []byte) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, errNoPassphrase
	}
	file, err := pkcs12.Modern2023.WithIterations(exportIterations).Encode(a.key, a.certificate, nil, string(passphrase))
	if err != nil {
		return nil, fmt.Errorf("certificate authority with its key as PKCS#12: %w", err)
	}
	return file, nil
}
