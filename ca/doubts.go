package ca

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Doubts returns sentences about what some devices hold against a root that others
// take, or what a person should know before trusting it. There are none for a root
// that this program made.
//
// Sources: support.apple.com/103769 for signatures; RFC 5280, section 4.2.1, for what
// Python 3.13 (VERIFY_X509_STRICT) and `openssl verify -x509_strict` ask for.
func Doubts(root *x509.Certificate) []string {
	var doubts []string
	add := func(format string, args ...any) { doubts = append(doubts, fmt.Sprintf(format, args...)) }
	switch root.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1:
		add("it is signed with SHA-1, which Apple's rules for authorities forbid")
	}
	if len(root.SubjectKeyId) == 0 {
		add("it has no subject key identifier: clients that are strict, as Python since 3.13, refuse it")
	}
	switch {
	case root.KeyUsage == 0:
		add("it has no key usage: clients that are strict, as Python since 3.13, refuse it")
	case !isCritical(root, oidKeyUsage):
		add("its key usage is not critical, which some clients ask for")
	}
	if !isCritical(root, oidBasicConstraints) {
		add("its basic constraints are not critical: clients that are strict, as Python since 3.13, refuse it")
	}
	if root.SerialNumber.Sign() <= 0 {
		add("its serial number is not positive, which some clients refuse")
	}
	if root.Subject.CommonName == "" {
		add("it has no common name, and iOS shows none in its list")
	}
	if limits := constraints(root); limits != "" {
		add("it may sign %s; for other names no certificate is made, and their connections are not read", limits)
	}
	if life := root.NotAfter.Sub(root.NotBefore); life > MaxLifetime+backdate {
		add("it lives until %s: a device that is forgotten trusts it for as long", root.NotAfter.Format(time.DateOnly))
	}
	return doubts
}

var (
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
)

func isCritical(certificate *x509.Certificate, id asn1.ObjectIdentifier) bool {
	for _, extension := range certificate.Extensions {
		if extension.Id.Equal(id) {
			return extension.Critical
		}
	}
	return false
}

// constraints describes the names for which a root may sign, "" when all are.
func constraints(root *x509.Certificate) string {
	permitted, excluded := slices.Clone(root.PermittedDNSDomains), slices.Clone(root.ExcludedDNSDomains)
	for _, network := range root.PermittedIPRanges {
		permitted = append(permitted, network.String())
	}
	for _, network := range root.ExcludedIPRanges {
		excluded = append(excluded, network.String())
	}
	switch {
	case len(permitted) > 0 && len(excluded) > 0:
		return fmt.Sprintf("only for %s, and not for %s", strings.Join(permitted, ", "), strings.Join(excluded, ", "))
	case len(permitted) > 0:
		return "only for " + strings.Join(permitted, ", ")
	case len(excluded) > 0:
		return "for all names but " + strings.Join(excluded, ", ")
	}
	return ""
}
