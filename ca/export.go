package ca

import (
	"crypto/x509"
	"fmt"

	"software.sslmate.com/src/go-pkcs12"
)

// Format is a form in which the root certificate, never its key, is handed to a
// device or a program.
type Format struct {
	Name      string // as in `telltale ca export --format NAME`
	Help      string // what it is for, one line
	MediaType string
	// FileName returns the name that the file should have.
	FileName func(*Authority) string
	Encode   func(*Authority) ([]byte, error)
}

// Formats is the list of the forms that need nothing but the root.
var Formats = []Format{
	{
		Name: "pem", MediaType: "application/x-pem-file",
		Help:     "PEM, for programs on a computer (SSL_CERT_FILE, curl --cacert)",
		FileName: named("telltale-ca.pem"),
		Encode:   func(a *Authority) ([]byte, error) { return a.PEM(), nil },
	}, {
		Name: "der", MediaType: "application/x-x509-ca-cert",
		Help:     "DER, for the settings of Android and Windows",
		FileName: named("telltale-ca.cer"),
		Encode:   func(a *Authority) ([]byte, error) { return a.DER(), nil },
	}, {
		Name: "pkcs12", MediaType: "application/x-pkcs12",
		Help:     "PKCS#12 trust store without a key, for Java; its password is " + PKCS12Password,
		FileName: named("telltale-ca.p12"),
		Encode:   (*Authority).PKCS12,
	}, {
		Name: "android", MediaType: "application/x-pem-file",
		Help:     "PEM under the name that the system store of a rooted Android wants",
		FileName: (*Authority).AndroidName,
		Encode:   func(a *Authority) ([]byte, error) { return a.PEM(), nil },
	},
}

func named(name string) func(*Authority) string { return func(*Authority) string { return name } }

// PKCS12Password opens what [Authority.PKCS12] returns. It protects nothing,
// since a certificate is public; Java expects this one.
const PKCS12Password = pkcs12.DefaultPassword

// PKCS12 returns the root as a trust store (RFC 7292) that Java, OpenSSL 1.1.1
// and Windows Server 2019 and later read.
func (a *Authority) PKCS12() ([]byte, error) {
	store, err := pkcs12.Modern2023.EncodeTrustStore([]*x509.Certificate{a.root}, PKCS12Password)
	if err != nil {
		return nil, fmt.Errorf("certificate authority as PKCS#12: %w", err)
	}
	return store, nil
}
