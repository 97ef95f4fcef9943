package flow_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"slices"
	"testing"
	"time"

	"telltale/flow"
)

func TestNewCertificate(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	leaf := &x509.Certificate{
		Raw: []byte("abc"), Subject: pkix.Name{CommonName: "a.example"}, Issuer: pkix.Name{Organization: []string{"An authority"}},
		DNSNames: append(make([]string, 0, 9), "a.example"), IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}, NotBefore: from, NotAfter: from.AddDate(1, 0, 0),
	}
	got := flow.NewCertificate(leaf)
	if got.Subject != "CN=a.example" || got.Issuer != "O=An authority" || !slices.Equal(got.DNSNames, []string{"a.example", "192.0.2.1"}) ||
		got.NotBefore != from || got.NotAfter != leaf.NotAfter || got.SHA256 != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("got %+v", got)
	}
	if shared := leaf.DNSNames[:2][1]; shared != "" {
		t.Errorf("the summary wrote %q into the certificate", shared)
	}
}
