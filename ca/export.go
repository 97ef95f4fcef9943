package ca

import (
	"crypto/x509"
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
