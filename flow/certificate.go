package flow

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"slices"
)

// NewCertificate returns the summary of a leaf. Its IP addresses stand among the DNS
// names: both are what the certificate is valid for (RFC 5280, 4.2.1.6).
func NewCertificate(leaf *x509.Certificate) *Certificate {
	sum := sha256.Sum256(leaf.Raw)
	names := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return &Certificate{
		Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(), DNSNames: names,
		NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, SHA256: hex.EncodeToString(sum[:]),
	}
}
