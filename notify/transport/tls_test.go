package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"telltale/policy"
)

// certificate makes a certificate of its own authority for 127.0.0.1, or for another name,
// and writes it to a file.
func certificate(t *testing.T, name string, until time.Time) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: until.Add(-240 * time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func secureScript(t *testing.T, with tls.Certificate) *receiver {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{with}})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, listener, "https", say(200, "ok"))
}

// A message never goes to a server that cannot prove who it is.
func TestCertificates(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour)
	good, goodFile := certificate(t, "127.0.0.1", later)
	named, namedFile := certificate(t, "hooks.example", later)
	old, oldFile := certificate(t, "127.0.0.1", time.Now().Add(-time.Hour))
	plain := script(t, say(200, "ok"))
	for name, test := range map[string]struct {
		server *receiver
		url    string
		ca     string
		status Status
		reason string
	}{
		"trusted":           {secureScript(t, good), "", goodFile, Delivered, ""},
		"unknown authority": {secureScript(t, good), "", "", Again, "an authority that is not trusted here"},
		"another authority": {secureScript(t, good), "", namedFile, Again, "an authority that is not trusted here"},
		"another name":      {secureScript(t, named), "", namedFile, Again, "for another name"},
		"expired":           {secureScript(t, old), "", oldFile, Again, "expired"},
		"no TLS":            {plain, "https" + plain.url[len("http"):], "", Again, "closed the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := test.url
			if url == "" {
				url = test.server.url
			}
			target := resolved(t, policy.Destination{Name: "lab", Kind: policy.Slack, URL: policy.NewCredential(url + "/services/" + hookSecret), CA: test.ca})
			expect(t, send(t, newClient(t, patient), target, violation("m1")), test.status, test.reason)
			if requests, _ := test.server.count(); (requests > 0) != (test.status == Delivered) {
				t.Errorf("the server has read %d requests", requests)
			}
		})
	}
}

func TestHandshakeThatHangs(t *testing.T) {
	t.Parallel()
	target := hook(t, policy.Slack, "https://"+between(t, "", drop))
	expect(t, send(t, newClient(t, impatient), target, violation("m1")), Again, "did not answer in time")
}
