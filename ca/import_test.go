package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sampleDay is when every authority of testdata/import is valid.
var sampleDay = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// says is a person who knows a passphrase.
func says(passphrase string) Option {
	return Unlock(func() ([]byte, error) { return []byte(passphrase), nil })
}

// samples returns paths of files in testdata/import.
func samples(names ...string) []string {
	var paths []string
	for _, name := range names {
		paths = append(paths, filepath.Join("testdata", "import", name))
	}
	return paths
}

// readSample returns an authority of testdata/import.
func readSample(t testing.TB, names ...string) *Foreign {
	t.Helper()
	f, err := ReadForeign(samples(names...), says("sesame"), at(sampleDay))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What every producer writes can be taken over, and a client that trusts the old
// root trusts the leaves.
func TestImportOfEveryProducer(t *testing.T) {
	for _, names := range [][]string{
		{"mitmproxy-ca.pem"},
		{"mitmproxy-ca.p12"},
		{"mitmproxy-ca-cert.pem", "mitmproxy-ca.pem"},
		{"openssl-rsa.pem", "openssl-rsa.key"},
		{"openssl-rsa.key", "openssl-rsa.pem"},
		{"openssl-rsa.pem", "openssl-pkcs1.key"},
		{"openssl-rsa.pem", "openssl-pbkdf2.key"},
		{"openssl-rsa.pem", "openssl-scrypt.key"},
		{"openssl-p384.pem", "openssl-p384.key"},
		{"openssl-p384.pem", "openssl-sec1.key"},
		{"openssl-modern.p12"},
		{"openssl-legacy-rc2.p12"},
		{"openssl-legacy-3des.p12"},
		{"java.p12"},
		{"java-legacy.p12"},
	} {
		t.Run(strings.Join(names, "+"), func(t *testing.T) {
			dir := t.TempDir()
			f := readSample(t, names...)
			a, err := Import(dir, f, at(sampleDay))
			if err != nil {
				t.Fatal(err)
			}
			again, err := Open(dir, at(sampleDay))
			if err != nil {
				t.Fatal(err)
			}
			if !again.Certificate().Equal(f.Certificate()) || again.Fingerprint() != a.Fingerprint() {
				t.Error("the folder holds another authority")
			}
			if got, want := again.Imported(), "2026-12-01 from "+names[0]; got != want {
				t.Errorf("Imported %q, want %q", got, want)
			}
			leaf := parsedLeaf(t, again, "retrieval.canada.ca")
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: rootPool(again), CurrentTime: sampleDay, DNSName: "retrieval.canada.ca"}); err != nil {
				t.Error(err)
			}
			if !bytes.Equal(leaf.AuthorityKeyId, again.Certificate().SubjectKeyId) {
				t.Errorf("authority key identifier %x, root has %x", leaf.AuthorityKeyId, again.Certificate().SubjectKeyId)
			}
		})
	}
}

// The same parts in DER, as Burp exports them, in PEM of another type, and with text
// around them.
func TestImportOfOtherForms(t *testing.T) {
	f := readSample(t, "openssl-rsa.pem", "openssl-rsa.key")
	key := f.key.(*rsa.PrivateKey)
	pkcs8DER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	sealedPEM, err := encodeKey(key, []byte("sesame"), "")
	if err != nil {
		t.Fatal(err)
	}
	sealedDER, _ := pem.Decode(sealedPEM)
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "X509 CERTIFICATE", Bytes: f.certificate.Raw})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: pkcs8DER})
	other := pair(t, sampleDay).certPEM
	for name, files := range map[string][][]byte{
		"DER, PKCS#8":            {f.certificate.Raw, pkcs8DER},
		"DER, PKCS#1":            {x509.MarshalPKCS1PrivateKey(key), f.certificate.Raw},
		"DER, encrypted":         {f.certificate.Raw, sealedDER.Bytes},
		"text around":            {slices.Concat([]byte("Bag Attributes\r\n  friendlyName: x\r\n"), keyPEM, []byte("subject=/CN=x\n"), certPEM, []byte("\n\n"))},
		"with parameters":        {slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{5, 0}}), keyPEM, certPEM)},
		"other certificates too": {slices.Concat(other, certPEM, keyPEM)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var paths []string
			for i, content := range files {
				file := string(rune('a' + i))
				write(t, dir, file, content)
				paths = append(paths, filepath.Join(dir, file))
			}
			got, err := ReadForeign(paths, says("sesame"), at(sampleDay))
			if err != nil {
				t.Fatal(err)
			}
			if !got.Certificate().Equal(f.certificate) || !key.Equal(got.key) {
				t.Error("another authority was read")
			}
		})
	}
}

// foreign is a root made as a test needs it.
func foreign(t *testing.T, key crypto.Signer, change func(*x509.Certificate)) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "odd CA"},
		NotBefore: sampleDay.Add(-day), NotAfter: sampleDay.Add(30 * day),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign, SubjectKeyId: []byte{1, 2, 3},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: keyDER}))
}

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// What can never work on a device is refused, with the file, the reason and what to do.
func TestImportRefuses(t *testing.T) {
	p256 := ecKey(t, elliptic.P256())
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	sample := func(name string) []byte {
		content, err := os.ReadFile(samples(name)[0])
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	certPEM, keyPEM := sample("openssl-rsa.pem"), sample("openssl-rsa.key")
	p12 := sample("openssl-modern.p12")
	for name, test := range map[string]struct {
		content []byte
		words   string
		hint    string
	}{
		"nothing":            {nil, "empty", ""},
		"garbage":            {[]byte("hello, world"), "neither PEM, nor", "export the authority again"},
		"PDF":                {[]byte("%PDF-1.7\n\x00\x01"), "neither PEM, nor", "export"},
		"too long":           {bytes.Repeat([]byte("x"), maxImport+1), "too long", ""},
		"certificate alone":  {certPEM, "no private key", "telltale ca import CERTIFICATE KEY"},
		"key alone":          {keyPEM, "no certificate", "telltale ca import CERTIFICATE KEY"},
		"parameters alone":   {pem.EncodeToMemory(&pem.Block{Type: "DH PARAMETERS", Bytes: []byte{48, 0}}), "neither a certificate nor a private key", ""},
		"foreign key":        {slices.Concat(certPEM, pair(t, sampleDay).keyPEM), "not the key of the certificate", ""},
		"two keys":           {slices.Concat(certPEM, keyPEM, pair(t, sampleDay).keyPEM), "2 private keys", ""},
		"cut certificate":    {slices.Concat(keyPEM, certPEM[:300]), "cut short", ""},
		"broken certificate": {slices.Concat(keyPEM, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: []byte{48, 1, 2}})), "x509", ""},
		"broken key":         {slices.Concat(certPEM, pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: []byte{48, 1, 2}})), "key cannot be read", ""},
		"traditional key":    {slices.Concat(certPEM, sample("openssl-traditional.key")), "old form of OpenSSL", "openssl pkcs8 -topk8"},
		"cut PKCS#12":        {p12[:len(p12)/2], "neither PEM, nor", "export"},
		"PKCS#12 in BER":     {append([]byte{0x30, 0x80}, p12[4:]...), "BER", "openssl pkcs12"},
		"damaged PKCS#12":    {flipByte(p12, len(p12)/2), "", ""},
		"leaf":               {foreign(t, p256, func(c *x509.Certificate) { c.IsCA = false }), "not the certificate of an authority", ""},
		"may not sign":       {foreign(t, p256, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), "may not sign", ""},
		"expired":            {foreign(t, p256, func(c *x509.Certificate) { c.NotAfter = sampleDay.Add(-time.Hour) }), "expired on 2026-12-01", ""},
		"not valid yet":      {foreign(t, p256, func(c *x509.Certificate) { c.NotBefore = sampleDay.Add(day) }), "clock", ""},
		"Ed25519":            {foreign(t, edKey, nil), "RSA and ECDSA alone", ""},
		"P-521":              {foreign(t, ecKey(t, elliptic.P521()), nil), "P-256 and P-384", ""},
		"P-224":              {foreign(t, ecKey(t, elliptic.P224()), nil), "P-256 and P-384", ""},
		"RSA 1024":           {foreign(t, weak, nil), "1024 bits", ""},
		"for e-mail alone":   {foreign(t, p256, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }), "TLS servers", ""},
		"unknown and critical": {foreign(t, p256, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}}}
		}), "critical extension 1.3.6.1.4.1.99999.1", ""},
		"name that is a command": {foreign(t, p256, func(c *x509.Certificate) { c.Subject.CommonName = `x"; reboot; "` }), "do not belong into lists and commands", ""},
		"no name":                {foreign(t, p256, func(c *x509.Certificate) { c.Subject = pkix.Name{} }), "has no name at all", ""},
		"name that expands":      {foreign(t, p256, func(c *x509.Certificate) { c.Subject.CommonName = "$(reboot)" }), "do not belong", ""},
		"name that hides":        {foreign(t, p256, func(c *x509.Certificate) { c.Subject.CommonName = "a\u202eb" }), "do not belong", ""},
		"intermediate":           {intermediate(t), "phones trust roots alone", "import the root above it"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "ca.bin", test.content)
			path := filepath.Join(dir, "ca.bin")
			f, err := ReadForeign([]string{path}, says("sesame"), at(sampleDay))
			var caErr *Error
			if f != nil || !errors.As(err, &caErr) || caErr.File != path {
				t.Fatalf("%v, %v, want an *Error about %s", f, err, path)
			}
			if !strings.Contains(err.Error(), test.words) || !strings.Contains(caErr.Hint(), test.hint) {
				t.Errorf("error %q with hint %q, want %q with %q", err, caErr.Hint(), test.words, test.hint)
			}
		})
	}
	if _, err := ReadForeign([]string{filepath.Join(t.TempDir(), "none")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := ReadForeign([]string{t.TempDir()}); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("a folder: %v", err)
	}
}

func flipByte(content []byte, i int) []byte {
	flipped := bytes.Clone(content)
	flipped[i] ^= 1
	return flipped
}

// intermediate returns an authority below another, with its key.
func intermediate(t *testing.T) []byte {
	t.Helper()
	above, below := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(8), Subject: pkix.Name{CommonName: "below"}, NotBefore: sampleDay.Add(-day), NotAfter: sampleDay.Add(day),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
	}
	parent := &x509.Certificate{Subject: pkix.Name{CommonName: "above"}}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, below.Public(), above)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(below)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}))
}

// A wrong passphrase and a missing one are told apart, for each form.
func TestImportPassphrase(t *testing.T) {
	for _, names := range [][]string{{"openssl-modern.p12"}, {"openssl-legacy-rc2.p12"}, {"java.p12"}, {"openssl-rsa.pem", "openssl-pbkdf2.key"}, {"openssl-rsa.pem", "openssl-scrypt.key"}} {
		for want, options := range map[error][]Option{ErrPassphrase: {says("wrong")}, ErrProtected: nil} {
			_, err := ReadForeign(samples(names...), append(options, at(sampleDay))...)
			var caErr *Error
			if !errors.Is(err, want) || !errors.As(err, &caErr) || !strings.Contains(caErr.Hint(), "--passphrase-file") {
				t.Errorf("%v: %v, want %v and a hint", names, err, want)
			}
		}
	}
	asked := 0
	if _, err := ReadForeign(samples("mitmproxy-ca.p12"), at(sampleDay), Unlock(func() ([]byte, error) { asked++; return nil, nil })); err != nil || asked > 0 {
		t.Errorf("a file without passphrase: %v, asked %d times", err, asked)
	}
}

func TestImportReplacesOnlyWhenTold(t *testing.T) {
	dir := t.TempDir()
	before := open(t, dir)
	f := readSample(t, "mitmproxy-ca.pem")
	var caErr *Error
	if _, err := Import(dir, f, at(sampleDay)); !errors.As(err, &caErr) || !strings.Contains(caErr.Hint(), "--force") {
		t.Errorf("over an authority: %v", err)
	}
	if got := open(t, dir).Fingerprint(); got != before.Fingerprint() {
		t.Error("the authority was replaced all the same")
	}
	if _, err := Import(dir, f, at(sampleDay), Replace(), Protect([]byte("open"))); err != nil {
		t.Fatal(err)
	}
	a, err := Open(dir, at(sampleDay), says("open"))
	if err != nil {
		t.Fatal(err)
	}
	if !a.Protected() || a.Name() != "mitmproxy" || a.Imported() == "" || a.KeyKind() != "RSA 2048" {
		t.Errorf("protected %v, name %q, imported %q, key %s", a.Protected(), a.Name(), a.Imported(), a.KeyKind())
	}
	rotated, err := Rotate(dir)
	if err != nil || rotated.Imported() != "" || rotated.Protected() {
		t.Errorf("rotated: %v, imported %q", err, rotated.Imported())
	}
}

// The name of a file cannot forge what the key's file says.
func TestImportNameIsHarmless(t *testing.T) {
	for name, want := range map[string]string{
		"ca.pem":                      "ca.pem",
		"mine (2).p12":                "mine (2).p12",
		"-----BEGIN PRIVATE KEY-----": "-----BEGIN PRIVATE KEY-----",
		"a\nimported b":               `"a\nimported b"`,
		"\u202egnp.pem":               `"\u202egnp.pem"`,
	} {
		if got := quoted(name); got != want {
			t.Errorf("%q is spelled %q, want %q", name, got, want)
		}
		dir := t.TempDir()
		f := readSample(t, "mitmproxy-ca.pem")
		f.source = name
		if _, err := Import(dir, f, at(sampleDay)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if a, err := Open(dir, at(sampleDay)); err != nil || !strings.HasPrefix(a.Imported(), "2026-12-01 from ") {
			t.Errorf("%q: %v", name, err)
		}
	}
	if got := quoted(strings.Repeat("x", 500)); len(got) > maxOrigin {
		t.Errorf("%d bytes", len(got))
	}
}

func TestDoubts(t *testing.T) {
	if got := Doubts(open(t, t.TempDir()).Certificate()); got != nil {
		t.Errorf("doubts about our own root: %q", got)
	}
	if got := strings.Join(Doubts(readSample(t, "mitmproxy-ca.pem").Certificate()), "\n"); !strings.Contains(got, "2036-11-18") || strings.Count(got, "\n") != 0 {
		t.Errorf("mitmproxy: %q", got)
	}
	bare := &x509.Certificate{SignatureAlgorithm: x509.SHA1WithRSA, SerialNumber: big.NewInt(0), PermittedDNSDomains: []string{"canada.ca"}, ExcludedDNSDomains: []string{"x.canada.ca"}}
	all := strings.Join(Doubts(bare), "\n")
	for _, word := range []string{"SHA-1", "subject key identifier", "key usage", "basic constraints", "serial number", "common name", "only for canada.ca, and not for x.canada.ca"} {
		if !strings.Contains(all, word) {
			t.Errorf("%q lacks %q", all, word)
		}
	}
}

// A root that limits names signs for no others: devices would refuse the leaf.
func TestNameConstraintsAreRespected(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "ca.pem", foreign(t, ecKey(t, elliptic.P256()), func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"canada.ca"}
	}))
	f, err := ReadForeign([]string{filepath.Join(dir, "ca.pem")}, at(sampleDay))
	if err != nil {
		t.Fatal(err)
	}
	a, err := Import(filepath.Join(dir, "ca"), f, at(sampleDay))
	if err != nil {
		t.Fatal(err)
	}
	parsedLeaf(t, a, "retrieval.canada.ca")
	for _, name := range []string{"example.org", "evilcanada.ca"} {
		if leaf, err := a.Leaf(name); err == nil || leaf != nil || !strings.Contains(err.Error(), "may not sign for this name") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A file that makes whoever opens it work for hours is refused at once.
func TestCostlyFilesAreRefused(t *testing.T) {
	kdf := func(id asn1.ObjectIdentifier, params any) []byte {
		raw, err := asn1.Marshal(params)
		if err != nil {
			t.Fatal(err)
		}
		var key sealed
		key.Algorithm.ID = oidPBES2
		key.Algorithm.Params.KDF = pkix.AlgorithmIdentifier{Algorithm: id, Parameters: asn1.RawValue{FullBytes: raw}}
		key.Algorithm.Params.Cipher.ID = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
		key.Algorithm.Params.Cipher.IV = make([]byte, 16)
		key.Data = make([]byte, 32)
		der, err := asn1.Marshal(key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	type pbkdf2 struct {
		Salt       []byte
		Iterations int
	}
	type scrypt struct {
		Salt    []byte
		N, R, P int
	}
	for name, der := range map[string][]byte{
		"PBKDF2":          kdf(oidPBKDF2, pbkdf2{[]byte("salt"), 1 << 40}),
		"PBKDF2 backward": kdf(oidPBKDF2, pbkdf2{[]byte("salt"), -1}),
		"scrypt N":        kdf(oidScrypt, scrypt{[]byte("salt"), 1 << 40, 8, 1}),
		"scrypt r":        kdf(oidScrypt, scrypt{[]byte("salt"), 1 << 14, 1 << 30, 1}),
		"scrypt p":        kdf(oidScrypt, scrypt{[]byte("salt"), 1 << 14, 8, 1 << 30}),
		"scrypt all":      kdf(oidScrypt, scrypt{[]byte("salt"), 1 << 20, 32, 32}),
	} {
		if err := checkSealed(der); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	if err := checkSealed(kdf(oidPBKDF2, pbkdf2{[]byte("salt"), 600_000})); err != nil {
		t.Errorf("an ordinary key: %v", err)
	}
	p12, err := os.ReadFile(samples("openssl-legacy-3des.p12")[0])
	if err != nil {
		t.Fatal(err)
	}
	iterations := []byte{0x02, 0x02, 0x08, 0x00} // INTEGER 2048
	if bytes.Count(p12, iterations) == 0 {
		t.Fatal("the sample has other iterations")
	}
	bad := bytes.ReplaceAll(p12, iterations, []byte{0x02, 0x02, 0xff, 0xff})
	if err := checkPKCS12(bad); err == nil || !strings.Contains(err.Error(), "iterations") {
		t.Errorf("PKCS#12: %v", err)
	}
}

// FuzzImport reads files that anything may have written: no panic, and what comes out
// is a root with its key.
func FuzzImport(f *testing.F) {
	entries, err := os.ReadDir(filepath.Join("testdata", "import"))
	if err != nil {
		f.Fatal(err)
	}
	for _, entry := range entries {
		content, err := os.ReadFile(samples(entry.Name())[0])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if costly(content) {
			return
		}
		var found parts
		if found.add(content, apply([]Option{says("sesame")})) != nil {
			return
		}
		f, err := found.pair()
		if err != nil || fit(f, sampleDay) != nil {
			return
		}
		if !isKeyOf(f.key, f.certificate) || checkRoot(f.certificate) != nil {
			t.Errorf("%s is no authority, or the key is not its", nameOf(f.certificate))
		}
	})
}

// costly reports whether opening a file takes long on purpose: within bounds, and too
// slow for a fuzzer.
func costly(content []byte) bool {
	const quick = 3000 // iterations
	return bytes.Contains(content, []byte("ENCRYPTED")) || checkSealed(content) == nil || checkIterations(content, quick, 0) != nil
}
