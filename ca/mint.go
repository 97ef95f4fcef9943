package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Validity. Both ends of a validity count (RFC 5280, 4.1.2.5), which is why a
// second is taken off.
const (
	day = 24 * time.Hour
	// backdate makes certificates good on a device whose clock is slow.
	backdate = 2 * day
	// expiresSoon is how long before its end a root is warned about, if it
	// lives long enough (see [Root.ExpiresSoon]).
	expiresSoon = 14 * day
	// leafLife is below Chromium's limit of 200 days (mitmproxy #8203) and
	// far below Apple's 825 for roots that a user added
	// (support.apple.com/103769; the 398 of /102028 are not for those).
	leafLife = 197*day - time.Second
	// renewBefore is how long before its end a leaf is minted again, so that
	// a connection that stays open never shows one that ends meanwhile.
	renewBefore = day
)

// How long a root may live; the package comment has the reasons.
const (
	DefaultLifetime = 90 * day
	MinLifetime     = day       // a shorter one ends while somebody still installs it
	MaxLifetime     = 825 * day // Apple trusts no certificate below it for longer
)

// CheckLifetime says why no root is made that lives for so long; nil when one is.
func CheckLifetime(d time.Duration) error {
	switch {
	case d < MinLifetime:
		return fmt.Errorf("an authority cannot live for %s: it would end while devices are being set up; the shortest time is 1 day", lifetimeText(d))
	case d > MaxLifetime:
		return fmt.Errorf("an authority cannot live for %s: a phone that is forgotten would trust it for as long, and Apple trusts nothing below it for more than 825 days, which is the longest time", lifetimeText(d))
	}
	return nil
}

func lifetimeText(d time.Duration) string {
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}

// Limits on names.
const (
	maxName  = 253 // octets of a name as text (RFC 1035, 2.3.4)
	maxLabel = 63  // likewise
	// maxCommonName is ub-common-name (RFC 5280, appendix A.1) less one:
	// mitmproxy found clients that stumble over 64.
	maxCommonName = 63
)

// ErrName is the error of a name that no certificate can carry.
var ErrName = errors.New("not a host name or IP address")

// newRootPair is a root that is not kept anywhere yet.
type newRootPair struct{ certPEM, keyPEM []byte }

// newPair returns a root and its key as they are kept.
func newPair(der []byte, key crypto.Signer, passphrase []byte, origin string) (*newRootPair, error) {
	keyPEM, err := encodeKey(key, passphrase, origin)
	if err != nil {
		return nil, err
	}
	return &newRootPair{pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der}), keyPEM}, nil
}

// newRoot makes a root as Apple (support.apple.com/103769), Android and RFC 5280
// want it: critical basic constraints, critical key usage for signing and
// nothing else, a subject key identifier (which crypto/x509 adds), and a subject
// without which iOS shows no name. Path length zero: it signs leaves, never
// another authority. It has no extended key usage, which the Baseline
// Requirements (7.1.2.1) forbid in a root.
func newRoot(s *settings) (*newRootPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := rootTemplate(s.now(), s.lifetime)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return newPair(der, key, s.protect, "")
}

// rootTemplate is what a root says of itself.
func rootTemplate(now time.Time, lifetime time.Duration) *x509.Certificate {
	suffix := make([]byte, 4)
	rand.Read(suffix) // never fails (crypto/rand)
	now = now.UTC().Truncate(time.Second)
	return &x509.Certificate{
		SerialNumber: newSerial(),
		Subject: pkix.Name{
			Organization: []string{"telltale"},
			CommonName:   fmt.Sprintf("telltale CA %X", suffix),
		},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(lifetime - time.Second),
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

// newSerial returns 128 random bits, positive. Two authorities, or one before
// and after a restart, must not give one number twice: Firefox then refuses
// both (SEC_ERROR_REUSED_ISSUER_AND_SERIAL).
func newSerial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b) // never fails (crypto/rand)
	b[0] |= 1    // not zero, whatever the source gives
	return new(big.Int).SetBytes(b)
}

// leafTemplate is what a leaf for host says of itself.
//
// The name stands in the subject alternative name, the only place where clients
// look (RFC 9525, section 2; support.apple.com/103769); crypto/x509 makes that
// extension critical where the subject is empty (RFC 5280, 4.2.1.6) and copies
// the root's subject key identifier as authority key identifier. There is no
// subject key identifier, over which Windows stumbles (mitmproxy #6494).
func leafTemplate(host host, notBefore, notAfter time.Time) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber: newSerial(),
		NotBefore:    notBefore,
		NotAfter:     notAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if len(host.name) <= maxCommonName {
		template.Subject.CommonName = host.name
	}
	if host.addr.IsValid() {
		template.IPAddresses = []net.IP{host.addr.AsSlice()}
	} else {
		template.DNSNames = []string{host.name}
	}
	return template
}

// mint signs a leaf for host, and says from when on it has to be minted again.
func (a *Authority) mint(host host, now time.Time) (*tls.Certificate, time.Time, error) {
	notBefore, notAfter := leafValidity(a.certificate, now)
	if now.After(notAfter) || now.Before(notBefore) {
		return nil, time.Time{}, &Error{File: a.CertPath(), Problem: "is valid only from " +
			a.certificate.NotBefore.Format(time.DateOnly) + " to " + a.certificate.NotAfter.Format(time.DateOnly), Advice: rotateAdvice}
	}
	template := leafTemplate(host, notBefore, notAfter)
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, a.leafKey.Public(), a.key)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("certificate for %.80q: %w", host.name, err)
	}
	if a.constrained() {
		if err := a.checkConstraints(der, now); err != nil {
			return nil, time.Time{}, fmt.Errorf("certificate for %.80q: %s may not sign for this name: %w", host.name, a.Name(), err)
		}
	}
	renew := notAfter
	if notAfter.Before(a.certificate.NotAfter) { // else another one would end no later
		renew = notAfter.Add(-renewBefore)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.leafKey}, renew, nil
}

// constrained reports whether the root limits the names that it signs for, as an
// imported one may (RFC 5280, 4.2.1.10).
func (r *Root) constrained() bool {
	return slices.ContainsFunc(r.certificate.Extensions, func(e pkix.Extension) bool {
		return e.Id.Equal(oidNameConstraints)
	})
}

var oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}

// checkConstraints says why devices would refuse a leaf that the root signed.
func (a *Authority) checkConstraints(der []byte, now time.Time) error {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now})
	return err
}

// leafValidity returns the validity of a leaf signed now, inside the root's.
func leafValidity(root *x509.Certificate, now time.Time) (notBefore, notAfter time.Time) {
	notBefore = now.Add(-backdate).UTC().Truncate(time.Second)
	notAfter = notBefore.Add(leafLife)
	if notBefore.Before(root.NotBefore) {
		notBefore = root.NotBefore
	}
	if notAfter.After(root.NotAfter) {
		notAfter = root.NotAfter
	}
	return notBefore, notAfter
}

// host is a server's name in the one spelling under which it gets a leaf.
type host struct {
	name string
	addr netip.Addr // zero when the name is a DNS name
}

// parseHost reads a DNS name in ASCII or an IP address. Case and one trailing
// dot do not matter, nor does the zone of an address. It is lenient where real
// servers are, with underscores and with hyphens at the ends of labels, and
// strict where a certificate would be wrong: a name that clients read as an
// address or a pattern, or that RFC 1035 has no room for.
func parseHost(s string) (host, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		addr = addr.Unmap().WithZone("")
		return host{addr.String(), addr}, nil
	}
	name := strings.TrimSuffix(s, ".")
	if len(name) == 0 || len(name) > maxName {
		return host{}, fmt.Errorf("%.80q of %d bytes: %w", s, len(s), ErrName)
	}
	numeric := true // the last label is a number: clients take it for IPv4 (url.spec.whatwg.org, "ends in a number")
	for label := range strings.SplitSeq(name, ".") {
		if len(label) == 0 || len(label) > maxLabel {
			return host{}, fmt.Errorf("%.80q has a label of %d bytes: %w", s, len(label), ErrName)
		}
		numeric = true
		for i := range len(label) {
			c := label[i]
			if !isNameByte(c) {
				return host{}, fmt.Errorf("%.80q has the byte %#02x: %w", s, c, ErrName)
			}
			numeric = numeric && '0' <= c && c <= '9'
		}
	}
	if numeric {
		return host{}, fmt.Errorf("%.80q ends in a number: %w", s, ErrName)
	}
	return host{name: strings.ToLower(name)}, nil
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
