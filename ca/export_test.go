package ca

import (
	"bytes"
	"encoding/pem"
	"errors"
	"os/exec"
	"path/filepath"
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

// Whole authorities go to another machine and come back, and openssl reads them.
func TestExportWithKeyComesBack(t *testing.T) {
	for _, names := range [][]string{nil, {"openssl-rsa.pem", "openssl-rsa.key"}} {
		var a *Authority
		var err error
		if names == nil {
			a, err = Open(t.TempDir(), at(sampleDay))
		} else {
			a, err = Import(t.TempDir(), readSample(t, names...), at(sampleDay))
		}
		if err != nil {
			t.Fatal(err)
		}
		for form, export := range map[string]func([]byte) ([]byte, error){"pem": a.PEMWithKey, "p12": a.PKCS12WithKey} {
			if _, err := export(nil); err == nil {
				t.Errorf("%s: exported without passphrase", form)
			}
			content, err := export([]byte("pass wörd"))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(content, []byte("BEGIN PRIVATE")) {
				t.Errorf("%s holds a key in clear", form)
			}
			dir := t.TempDir()
			path := filepath.Join(dir, "whole."+form)
			write(t, dir, "whole."+form, content)
			back, err := ReadForeign([]string{path}, says("pass wörd"), at(sampleDay))
			if err != nil {
				t.Fatal(err)
			}
			if !back.certificate.Equal(a.certificate) || !isKeyOf(back.key, a.certificate) {
				t.Errorf("%s: another authority came back", form)
			}
			if _, err := ReadForeign([]string{path}, says("wrong"), at(sampleDay)); !errors.Is(err, ErrPassphrase) {
				t.Errorf("%s: wrong passphrase: %v", form, err)
			}
			opensslReads(t, form, path, "pass wörd")
		}
	}
}

// The work that a thief of the file has with each guess is in the file.
func TestIterationsOfTheProgram(t *testing.T) {
	if productionIterations < 600_000 {
		t.Errorf("%d iterations", productionIterations)
	}
	a := open(t, t.TempDir())
	content, err := a.PKCS12WithKey([]byte("sesame"))
	if err != nil {
		t.Fatal(err)
	}
	if err := checkIterations(content, exportIterations, 0); err != nil {
		t.Error(err)
	}
	if err := checkIterations(content, exportIterations-1, 0); err == nil {
		t.Error("the file has fewer iterations than were asked for")
	}
}

// opensslReads asks openssl for the key in a file.
func opensslReads(t *testing.T, form, path, passphrase string) {
	t.Helper()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Log("the openssl tool is not installed")
		return
	}
	arguments := []string{"pkey", "-in", path, "-noout", "-text", "-passin", "pass:" + passphrase}
	if form == "p12" {
		arguments = []string{"pkcs12", "-in", path, "-info", "-noenc", "-passin", "pass:" + passphrase}
	}
	if out, err := exec.Command(openssl, arguments...).CombinedOutput(); err != nil || !bytes.Contains(bytes.ToLower(out), []byte("key")) {
		t.Errorf("openssl %s: %v\n%s", form, err, out)
	}
	arguments[len(arguments)-1] = "pass:wrong"
	if err := exec.Command(openssl, arguments...).Run(); err == nil {
		t.Errorf("openssl reads %s with a wrong passphrase", form)
	}
}
