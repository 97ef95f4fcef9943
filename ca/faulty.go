package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// The faults of [Authority.Faulty]. A leaf has exactly one of them.
const (
	UnknownAuthority = "unknown-authority" // signed by a root that no device has
	WrongName        = "wrong-name"        // for another host
	SelfSigned       = "self-signed"
	Expired          = "expired"       // since yesterday
	NotYetValid      = "not-yet-valid" // before tomorrow
)

// Faults lists the faults.
var Faults = []string{UnknownAuthority, WrongName, SelfSigned, Expired, NotYetValid}

const (
	// off is how far a certificate is outside of its time.
	off = day
	// faultyLife is how long the others live, and how long an expired one did.
	faultyLife = 90 * day
	// renewFaulty is how long a leaf is shown whose fault is its time.
	renewFaulty = off / 2
)

// Faulty returns a certificate for a server's name that has a fault, and is like one of
// [Authority.Leaf] otherwise. The certificate is shared: do not change it. Errors are those
// of Leaf, and one of a fault that is not known.
func (a *Authority) Faulty(name, fault string) (*tls.Certificate, error) {
	if !slices.Contains(Faults, fault) {
		return nil, fmt.Errorf("there is no fault %.40q of certificates; one of: %s", fault, strings.Join(Faults, ", "))
	}
	host, err := parseHost(name)
	if err != nil {
		return nil, err
	}
	key := fault + " " + host.name // a space is in no name
	if leaf := a.faulty.get(key, a.now().Unix()); leaf != nil {
		return leaf, nil
	}
	leaf, err, _ := a.mints.Do(key, func() (any, error) {
		now := a.now()
		if leaf := a.faulty.get(key, now.Unix()); leaf != nil {
			return leaf, nil
		}
		der, err := a.mintFaulty(host, fault, now)
		if err != nil {
			return nil, err
		}
		leaf := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.leafKey}
		a.faulty.put(key, leaf, now.Add(renewFaulty).Unix())
		return leaf, nil
	})
	if err != nil {
		return nil, err
	}
	return leaf.(*tls.Certificate), nil
}

// mintFaulty signs a leaf with a fault.
func (a *Authority) mintFaulty(host host, fault string, now time.Time) ([]byte, error) {
	// What the authority cannot sign for has another fault than the one asked for.
	if _, err := a.Leaf(host.name); err != nil {
		return nil, err
	}
	root, key := a.certificate, a.key
	notBefore, notAfter := leafValidity(root, now)
	tomorrow := now.Add(off).UTC().Truncate(time.Second)
	switch fault {
	case UnknownAuthority:
		var err error
		if root, key, err = a.stranger.root(now); err != nil {
			return nil, err
		}
		notBefore, notAfter = leafValidity(root, now)
	case WrongName:
		host = another(host)
	case Expired:
		notAfter = tomorrow.Add(-2 * off)
		notBefore = notAfter.Add(-faultyLife)
	case NotYetValid:
		notBefore, notAfter = tomorrow, tomorrow.Add(faultyLife)
	}
	template := leafTemplate(host, notBefore, notAfter)
	if fault == SelfSigned {
		if template.Subject.CommonName == "" { // an issuer has a name (RFC 5280, 4.1.2.4)
			template.Subject.Organization = []string{"self-signed"}
		}
		root, key = template, a.leafKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, root, a.leafKey.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("%s certificate for %.80q: %w", fault, host.name, err)
	}
	return der, nil
}

// another returns a host that is not the given one: a name below it, for which the same
// authorities may sign, or else one that nobody has (RFC 2606, 2).
func another(h host) host {
	const label = "wrong-name."
	if h.addr.IsValid() || len(label)+len(h.name) > maxName {
		return host{name: label + "invalid"}
	}
	return host{name: label + h.name}
}

// stranger is a root that no device trusts, made when it is first needed.
type stranger struct {
	mu          sync.Mutex
	certificate *x509.Certificate
	key         crypto.Signer
}

func (s *stranger) root(now time.Time) (*x509.Certificate, crypto.Signer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.certificate != nil && now.Before(s.certificate.NotAfter.Add(-renewBefore)) {
		return s.certificate, s.key, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := rootTemplate(now, MaxLifetime)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	s.certificate, s.key = certificate, key
	return certificate, key, nil
}
