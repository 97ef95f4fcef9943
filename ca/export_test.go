package ca

import (
	"bytes"
	"encoding/pem"
	"regexp"
	"testing"

	"software.sslmate.com/src/go-pkcs12"
)

func TestExportsHoldTheRootAndNoKey(t *testing.T) {
	a := open(t, t.TempDir())
	p12, err := a.PKCS12()
	if err != nil {
		t.Fatal(err)
	}
	fromPKCS12, err := pkcs12.DecodeTrustStore(p12, PKCS12Password)
	if err != nil || len(fromPKCS12) != 1 {
		t.Fatalf("%d certificates, %v", len(fromPKCS12), err)
	}
	fromPEM, rest := pem.Decode(a.PEM())
	if len(rest) != 0 {
		t.Errorf("PEM goes on: %q", rest)
	}
	for name, der := range map[string][]byte{"PKCS#12": fromPKCS12[0].Raw, "PEM": fromPEM.Bytes, "DER": a.DER()} {
		if !bytes.Equal(der, a.Certificate().Raw) {
			t.Errorf("%s does not hold the root", name)
		}
	}
	if _, _, err := pkcs12.Decode(p12, PKCS12Password); err == nil {
		t.Error("the trust store holds a key")
	}
	if _, err := pkcs12.DecodeTrustStore(p12, "wrong"); err == nil {
		t.Error("the trust store has no password, though Java needs one")
	}
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
