package ca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// label63 is as long as a label may be.
var label63 = strings.Repeat("a", 63)

// goodNames are names that get a leaf, with the name in it.
var goodNames = map[string]string{
	"example.org":                     "example.org",
	"EXAMPLE.Org":                     "example.org",
	"example.org.":                    "example.org",
	"localhost":                       "localhost",
	"_dmarc.under_score.test":         "_dmarc.under_score.test",
	"r3---sn-4g5e6nz7.test":           "r3---sn-4g5e6nz7.test",
	"-edge-.test":                     "-edge-.test",
	"xn--mnchen-3ya.de":               "xn--mnchen-3ya.de",
	"xn---.test":                      "xn---.test",
	"1.2.3.4.nip.test":                "1.2.3.4.nip.test",
	"192.0.2.1":                       "192.0.2.1",
	"::ffff:192.0.2.1":                "192.0.2.1",
	"2001:DB8::1":                     "2001:db8::1",
	"fe80::1%eth0":                    "fe80::1",
	"::1":                             "::1",
	label63 + ".test":                 label63 + ".test",
	strings.Repeat("b", 58) + ".test": strings.Repeat("b", 58) + ".test", // 63: the longest common name
	strings.Repeat("b", 59) + ".test": strings.Repeat("b", 59) + ".test", // 64: none
	strings.Repeat(label63+".", 3) + strings.Repeat("c", 61): strings.Repeat(label63+".", 3) + strings.Repeat("c", 61), // 253
}

// badNames are names that no certificate can carry.
var badNames = []string{
	"", ".", "..", ".example.org", "example..org", "example.org..",
	"*", "*.example.org", "a*.test", "exa mple.org", "example.org:443", "[::1]",
	"münchen.de", "例え.jp", "a\x00.test", "a\n.test", "a/b.test", "a@b.test", "\xff\xfe.test",
	"127.0.0.256", "0177.0.0.1", "1.2.3", "1.2.3.4.5", "7", "300.1.1.1",
	strings.Repeat("a", 64) + ".test",
	strings.Repeat(label63+".", 3) + strings.Repeat("c", 62),
	strings.Repeat("a.", 150), strings.Repeat("a", 300), strings.Repeat("x.", 1<<20),
}

func parsedLeaf(t testing.TB, a *Authority, name string) *x509.Certificate {
	t.Helper()
	leaf, err := a.Leaf(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(leaf.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func rootPool(a *Authority) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate())
	return pool
}

func TestRootFollowsTheRules(t *testing.T) {
	before := time.Now()
	root := open(t, t.TempDir()).Certificate()
	public, ok := root.PublicKey.(*ecdsa.PublicKey)
	switch {
	case !ok || public.Curve != elliptic.P256():
		t.Errorf("key %T, want ECDSA P-256", root.PublicKey)
	case !root.IsCA || !root.BasicConstraintsValid || root.MaxPathLen != 0 || !root.MaxPathLenZero:
		t.Errorf("CA %v, path length %d", root.IsCA, root.MaxPathLen)
	case root.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign:
		t.Errorf("key usage %b", root.KeyUsage)
	case len(root.SubjectKeyId) == 0:
		t.Error("no subject key identifier")
	case len(root.ExtKeyUsage) != 0:
		t.Errorf("extended key usage %v", root.ExtKeyUsage)
	case !bytes.Equal(root.RawSubject, root.RawIssuer):
		t.Error("not self-issued")
	}
	for _, extension := range root.Extensions {
		name := extension.Id.String()
		if critical := name == "2.5.29.15" || name == "2.5.29.19"; extension.Critical != critical {
			t.Errorf("extension %s critical: %v", name, extension.Critical)
		}
	}
	if got := before.Sub(root.NotBefore); got < backdate-time.Second || got > backdate+time.Minute {
		t.Errorf("backdated by %v", got)
	}
	if got := root.NotAfter.Sub(root.NotBefore) + time.Second; got != backdate+DefaultLifetime {
		t.Errorf("valid for %v", got)
	}
}

func TestRootNamesAreUniqueAndSayNothing(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		root := open(t, t.TempDir()).Certificate()
		name := root.Subject.String()
		if len(name) != len("CN=telltale CA 01234567,O=telltale") || !strings.HasPrefix(name, "CN=telltale CA ") {
			t.Errorf("subject %q", name)
		}
		if root.SerialNumber.Sign() != 1 || root.SerialNumber.BitLen() > 128 || root.SerialNumber.BitLen() < 97 {
			t.Errorf("serial of %d bits", root.SerialNumber.BitLen())
		}
		for _, s := range []string{name, root.SerialNumber.String()} {
			if seen[s] {
				t.Errorf("%s twice", s)
			}
			seen[s] = true
		}
	}
}

func TestLeafFollowsTheRules(t *testing.T) {
	a := open(t, t.TempDir())
	for name, want := range goodNames {
		leaf := parsedLeaf(t, a, name)
		if err := leaf.VerifyHostname(bracket(want)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: rootPool(a), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if err := leafRule(leaf, a.Certificate(), want); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// bracket spells an IP address as VerifyHostname wants it.
func bracket(name string) string {
	if net.ParseIP(name) != nil {
		return "[" + name + "]"
	}
	return name
}

// leafRule says which rule of the facts a leaf breaks.
func leafRule(leaf, root *x509.Certificate, name string) error {
	names := len(leaf.DNSNames) + len(leaf.IPAddresses) + len(leaf.URIs) + len(leaf.EmailAddresses)
	san := append(leaf.DNSNames, "")[0]
	if net.ParseIP(name) != nil && len(leaf.IPAddresses) == 1 {
		san = leaf.IPAddresses[0].String()
	}
	wantCommonName := name
	if len(name) >= 64 {
		wantCommonName = ""
	}
	switch life := leaf.NotAfter.Sub(leaf.NotBefore) + time.Second; {
	case names != 1 || san != name:
		return fmt.Errorf("alternative names %q %v", leaf.DNSNames, leaf.IPAddresses)
	case leaf.Subject.CommonName != wantCommonName:
		return fmt.Errorf("common name %q", leaf.Subject.CommonName)
	case !bytes.Equal(leaf.AuthorityKeyId, root.SubjectKeyId) || len(leaf.AuthorityKeyId) == 0:
		return fmt.Errorf("authority key identifier %x, root has %x", leaf.AuthorityKeyId, root.SubjectKeyId)
	case len(leaf.SubjectKeyId) != 0:
		return errors.New("has a subject key identifier")
	case leaf.IsCA:
		return errors.New("is an authority")
	case len(leaf.ExtKeyUsage) != 1 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth:
		return fmt.Errorf("extended key usage %v", leaf.ExtKeyUsage)
	case leaf.KeyUsage != x509.KeyUsageDigitalSignature:
		return fmt.Errorf("key usage %b", leaf.KeyUsage)
	case life > 197*day:
		return fmt.Errorf("valid for %v", life)
	case leaf.NotBefore.Before(root.NotBefore) || leaf.NotAfter.After(root.NotAfter):
		return fmt.Errorf("valid from %v to %v, the root from %v to %v", leaf.NotBefore, leaf.NotAfter, root.NotBefore, root.NotAfter)
	case leaf.SerialNumber.Sign() != 1 || leaf.SerialNumber.BitLen() > 128:
		return fmt.Errorf("serial number %v", leaf.SerialNumber)
	case leaf.SignatureAlgorithm != x509.ECDSAWithSHA256:
		return fmt.Errorf("signed with %v", leaf.SignatureAlgorithm)
	}
	for _, extension := range leaf.Extensions {
		if extension.Id.String() == "2.5.29.17" && extension.Critical != (wantCommonName == "") {
			return fmt.Errorf("alternative name critical: %v", extension.Critical)
		}
	}
	return nil
}

func TestLeafRefusesImpossibleNames(t *testing.T) {
	a := open(t, t.TempDir())
	for _, name := range badNames {
		leaf, err := a.Leaf(name)
		if leaf != nil || !errors.Is(err, ErrName) {
			t.Errorf("Leaf(%.60q) = %v, %v", name, leaf, err)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("Leaf(%.60q): an error of %d bytes", name, len(err.Error()))
		}
	}
	if got := a.Minted(); got != 0 {
		t.Errorf("%d leaves minted", got)
	}
}

func TestSpellingsShareALeaf(t *testing.T) {
	a := open(t, t.TempDir())
	for _, names := range [][]string{
		{"example.org", "EXAMPLE.ORG", "example.org."},
		{"192.0.2.1", "::ffff:192.0.2.1"},
		{"2001:db8::1", "2001:0DB8:0:0::1", "2001:db8::1%1"},
	} {
		first, err := a.Leaf(names[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names[1:] {
			if other, err := a.Leaf(name); err != nil || other != first {
				t.Errorf("%s has another leaf than %s (%v)", name, names[0], err)
			}
		}
	}
	if got := a.Minted(); got != 3 {
		t.Errorf("%d leaves minted, want 3", got)
	}
}

func TestLeafIsMintedAgainBeforeItEnds(t *testing.T) {
	a, err := Rotate(t.TempDir(), Lifetime(MaxLifetime)) // else the root ends first
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	a.now = func() time.Time { return start }
	first := parsedLeaf(t, a, "example.org")

	a.now = func() time.Time { return first.NotAfter.Add(-renewBefore - 2*time.Second) }
	if again := parsedLeaf(t, a, "example.org"); !again.Equal(first) {
		t.Error("minted again too early")
	}
	a.now = func() time.Time { return first.NotAfter.Add(-renewBefore + time.Second) }
	second := parsedLeaf(t, a, "example.org")
	if second.Equal(first) || !second.NotAfter.After(first.NotAfter) {
		t.Errorf("not minted again a day before its end: ends %v, then %v", first.NotAfter, second.NotAfter)
	}
	if second.SerialNumber.Cmp(first.SerialNumber) == 0 {
		t.Error("one serial number for two certificates")
	}
}

func TestLeafNearTheEndOfTheRoot(t *testing.T) {
	a := open(t, t.TempDir())
	end := a.Certificate().NotAfter
	a.now = func() time.Time { return end.Add(-time.Hour) }
	leaf := parsedLeaf(t, a, "example.org")
	if !leaf.NotAfter.Equal(end) {
		t.Errorf("ends %v, the root %v", leaf.NotAfter, end)
	}
	parsedLeaf(t, a, "example.org")
	if got := a.Minted(); got != 1 {
		t.Errorf("minted %d times: a new leaf would end no later", got)
	}
	for what, at := range map[string]time.Time{"expired": end.Add(time.Second), "clock set back": a.Certificate().NotBefore.Add(-time.Hour)} {
		a.now = func() time.Time { return at }
		var caErr *Error
		if _, err := a.Leaf("other.test"); !errors.As(err, &caErr) || !strings.Contains(caErr.Hint(), "telltale ca rotate") {
			t.Errorf("%s: %v", what, err)
		}
	}
	a.now = func() time.Time { return end.Add(time.Second) }
	if _, err := a.Leaf("example.org"); err == nil {
		t.Error("a leaf that expired was given out")
	}
}

// Handshakes over a real socket, by both of the versions that are in use, below our
// root and below imported ones.
func TestHandshake(t *testing.T) {
	ours, err := Open(t.TempDir(), at(sampleDay))
	if err != nil {
		t.Fatal(err)
	}
	authorities := []*Authority{ours}
	for _, names := range [][]string{{"mitmproxy-ca.pem"}, {"openssl-p384.pem", "openssl-p384.key"}} {
		a, err := Import(t.TempDir(), readSample(t, names...), at(sampleDay))
		if err != nil {
			t.Fatal(err)
		}
		authorities = append(authorities, a)
	}
	for _, a := range authorities {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, name := range []string{"example.org", "192.0.2.1", label63 + ".test"} {
				shakeHands(t, a, version, name)
			}
		}
	}
}

// shakeHands connects a client that trusts the root to a server with a leaf.
func shakeHands(t *testing.T, a *Authority, version uint16, name string) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		MaxVersion:     version,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return a.Leaf(name) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, err = io.WriteString(conn, "hello")
			conn.Close()
		}
		done <- err
	}()
	conn, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{RootCAs: rootPool(a), ServerName: name, Time: a.now})
	if err != nil {
		t.Fatalf("%s, %s: %v", a.Name(), name, err)
	}
	defer conn.Close()
	greeting, err := io.ReadAll(conn)
	if string(greeting) != "hello" || err != nil {
		t.Errorf("%s, %s: read %q, %v", a.Name(), name, greeting, err)
	}
	if err := <-done; err != nil {
		t.Errorf("%s, %s: server: %v", a.Name(), name, err)
	}
}

func TestOpenSSLAgrees(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("the openssl tool is not installed")
	}
	dir := t.TempDir()
	a := open(t, dir)
	run := func(arguments ...string) string {
		t.Helper()
		out, err := exec.Command(openssl, arguments...).CombinedOutput()
		if err != nil {
			t.Fatalf("openssl %q: %v\n%s", arguments, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if got := run("x509", "-in", a.CertPath(), "-noout", "-subject_hash_old") + ".0"; got != a.AndroidName() {
		t.Errorf("AndroidName %s, openssl says %s", a.AndroidName(), got)
	}
	if got := run("x509", "-in", a.CertPath(), "-noout", "-fingerprint", "-sha256"); !strings.EqualFold(got, "sha256 Fingerprint="+a.Fingerprint()) {
		t.Errorf("Fingerprint %s, openssl says %s", a.Fingerprint(), got)
	}
	for name, flag := range map[string]string{"example.org": "-verify_hostname", "192.0.2.1": "-verify_ip", "2001:db8::1": "-verify_ip"} {
		leaf, err := a.Leaf(name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "leaf.pem")
		write(t, dir, "leaf.pem", pemOf(leaf))
		run("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", a.CertPath(), flag, name, path)
	}
	p12, err := a.PKCS12()
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "store.p12", p12)
	if got := run("pkcs12", "-in", filepath.Join(dir, "store.p12"), "-nokeys", "-passin", "pass:"+PKCS12Password); !strings.Contains(got, strings.TrimSpace(string(a.PEM()))) {
		t.Errorf("the trust store lacks the root:\n%s", got)
	}
}

// openssl verifies leaves of every lifetime and of imported roots, strictly.
func TestOpenSSLVerifiesEveryRoot(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("the openssl tool is not installed")
	}
	roots := map[string]*Authority{}
	for _, life := range lifetimes {
		if roots[life.String()], err = Rotate(t.TempDir(), Lifetime(life)); err != nil {
			t.Fatal(err)
		}
	}
	for _, names := range [][]string{{"mitmproxy-ca.pem"}, {"openssl-rsa.pem", "openssl-rsa.key"}, {"openssl-p384.pem", "openssl-p384.key"}} {
		if roots[names[0]], err = Import(t.TempDir(), readSample(t, names...), at(sampleDay)); err != nil {
			t.Fatal(err)
		}
	}
	for name, a := range roots {
		leaf, err := a.Leaf("canada.ca")
		if err != nil {
			t.Fatal(err)
		}
		write(t, a.Dir(), "leaf.pem", pemOf(leaf))
		arguments := []string{"verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "canada.ca", "-attime", fmt.Sprint(a.now().Unix()),
			"-CAfile", a.CertPath(), filepath.Join(a.Dir(), "leaf.pem")}
		if out, err := exec.Command(openssl, arguments...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// FuzzLeaf asks for names as they come from a ClientHello: a leaf that clients
// accept for that name, or ErrName.
func FuzzLeaf(f *testing.F) {
	for name := range goodNames {
		f.Add(name)
	}
	for _, name := range badNames {
		if len(name) < 1000 {
			f.Add(name)
		}
	}
	a := open(f, f.TempDir())
	pool := rootPool(a)
	f.Fuzz(func(t *testing.T, name string) {
		leaf, err := a.Leaf(name)
		if err != nil {
			if !errors.Is(err, ErrName) {
				t.Fatalf("Leaf(%q): %v", name, err)
			}
			return
		}
		c, err := x509.ParseCertificate(leaf.Certificate[0])
		if err != nil {
			t.Fatalf("Leaf(%q): %v", name, err)
		}
		want := strings.ToLower(strings.TrimSuffix(name, "."))
		if len(c.IPAddresses) == 1 {
			want = c.IPAddresses[0].String()
		}
		if err := leafRule(c, a.Certificate(), want); err != nil {
			t.Fatalf("Leaf(%q): %v", name, err)
		}
		if _, err := c.Verify(x509.VerifyOptions{Roots: pool}); err != nil {
			t.Fatalf("Leaf(%q): %v", name, err)
		}
	})
}
