package ca

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"regexp"
	"testing"

	"software.sslmate.com/src/go-pkcs12"
)

func TestFormatsHoldTheRootAndNoKey(t *testing.T) {
	a := open(t, t.TempDir())
	decode := map[string]func([]byte) ([]byte, error){
		"pem":     fromPEM,
		"android": fromPEM,
		"der":     func(b []byte) ([]byte, error) { return b, nil },
		"pkcs12":  fromPKCS12,
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range Formats {
		encoded, err := format.Encode(a)
		if err != nil {
			t.Fatalf("%s: %v", format.Name, err)
		}
		der, err := decode[format.Name](encoded)
		if err != nil || !bytes.Equal(der, a.DER()) {
			t.Errorf("%s does not hold the root (%v)", format.Name, err)
		}
		if bytes.Contains(encoded, keyDER) || bytes.Contains(encoded, []byte(pemKey)) {
			t.Errorf("%s holds the private key", format.Name)
		}
		if format.Help == "" || format.MediaType == "" || format.FileName(a) == "" {
			t.Errorf("%s is not described: %+v", format.Name, format)
		}
		delete(decode, format.Name)
	}
	if len(decode) != 0 {
		t.Errorf("formats that are gone: %v", decode)
	}
}

func fromPEM(b []byte) ([]byte, error) {
	block, _ := pem.Decode(b)
	return block.Bytes, nil
}

func fromPKCS12(b []byte) ([]byte, error) {
	certs, err := pkcs12.DecodeTrustStore(b, PKCS12Password)
	if err != nil {
		return nil, err
	}
	return certs[0].Raw, nil
}

func TestNamesForPeople(t *testing.T) {
	a := open(t, t.TempDir())
	if got := a.Fingerprint(); !regexp.MustCompile(`^([0-9A-F]{2}:){31}[0-9A-F]{2}$`).MatchString(got) {
		t.Errorf("Fingerprint %q", got)
	}
	if got := a.AndroidName(); !regexp.MustCompile(`^[0-9a-f]{8}\.0$`).MatchString(got) {
		t.Errorf("AndroidName %q", got)
	}
	if got := a.Name(); !regexp.MustCompile(`^telltale CA [0-9A-F]{8}$`).MatchString(got) {
		t.Errorf("Name %q", got)
	}
}

// What callers are given is theirs: changing it must not change the authority.
func TestExportsAreCopies(t *testing.T) {
	a := open(t, t.TempDir())
	before := a.Fingerprint()
	for _, b := range [][]byte{a.DER(), a.PEM()} {
		for i := range b {
			b[i] = 0
		}
	}
	if after := a.Fingerprint(); after != before {
		t.Errorf("fingerprint %s, then %s", before, after)
	}
}
