package ca

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Each leaf has the fault that was asked for and no other: Go's verifier and that of
// openssl name it, and are content when they are told to overlook it.
func TestFaultyLeavesHaveExactlyTheirFault(t *testing.T) {
	a := open(t, t.TempDir())
	now := time.Now()
	for _, tt := range []struct {
		fault, openssl string   // what openssl says
		overlook       []string // options with which it is content
		remedy         func(*x509.VerifyOptions, *x509.Certificate)
	}{
		{UnknownAuthority, "unable to get local issuer certificate", nil, func(o *x509.VerifyOptions, _ *x509.Certificate) { o.Roots = poolOf(a.stranger.certificate) }},
		{WrongName, "hostname mismatch", []string{"-verify_hostname", "wrong-name.a.example"}, func(o *x509.VerifyOptions, _ *x509.Certificate) { o.DNSName = "wrong-name.a.example" }},
		{SelfSigned, "self-signed certificate", nil, func(o *x509.VerifyOptions, leaf *x509.Certificate) { o.Roots = poolOf(leaf) }},
		{Expired, "certificate has expired", []string{"-no_check_time"}, func(o *x509.VerifyOptions, _ *x509.Certificate) { o.CurrentTime = now.Add(-30 * time.Hour) }},
		{NotYetValid, "certificate is not yet valid", []string{"-no_check_time"}, func(o *x509.VerifyOptions, _ *x509.Certificate) { o.CurrentTime = now.Add(30 * time.Hour) }},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			shown, err := a.Faulty("a.example", tt.fault)
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := x509.ParseCertificate(shown.Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			const nearly = off - time.Minute
			if tt.fault == Expired && now.Sub(leaf.NotAfter) < nearly || tt.fault == NotYetValid && leaf.NotBefore.Sub(now) < nearly {
				t.Errorf("valid from %s to %s, which is too near", leaf.NotBefore, leaf.NotAfter)
			}
			o := x509.VerifyOptions{Roots: poolOf(a.Certificate()), DNSName: "a.example", CurrentTime: now}
			if _, err := leaf.Verify(o); err == nil {
				t.Error("Go finds nothing wrong with it")
			}
			tt.remedy(&o, leaf)
			if _, err := leaf.Verify(o); err != nil {
				t.Errorf("it has another fault: %v", err)
			}
			out, content := opensslVerify(t, a, shown.Certificate[0], "-verify_hostname", "a.example")
			if content || !strings.Contains(out, tt.openssl) || strings.Count(out, "lookup: ") != 1 {
				t.Errorf("openssl says %q, want %q alone", out, tt.openssl)
			}
			if tt.overlook != nil {
				if out, content := opensslVerify(t, a, shown.Certificate[0], tt.overlook...); !content {
					t.Errorf("it has another fault: %s", out)
				}
			}
		})
	}
	good, err := a.Leaf("a.example")
	if err != nil {
		t.Fatal(err)
	}
	if out, content := opensslVerify(t, a, good.Certificate[0], "-verify_hostname", "a.example"); !content {
		t.Errorf("a good leaf: %s", out)
	}
}

func poolOf(certificate *x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return pool
}

// opensslVerify asks openssl about a leaf; without the tool the test ends there.
func opensslVerify(t *testing.T, a *Authority, der []byte, options ...string) (out string, content bool) {
	t.Helper()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("the openssl tool is not installed")
	}
	dir := t.TempDir()
	root, leaf := filepath.Join(dir, "root.pem"), filepath.Join(dir, "leaf.pem")
	for path, content := range map[string][]byte{root: a.PEM(), leaf: pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der})} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	arguments := append([]string{"verify", "-no-CAfile", "-no-CApath", "-no-CAstore", "-CAfile", root, "-purpose", "sslserver"}, options...)
	both, err := exec.Command(openssl, append(arguments, leaf)...).CombinedOutput()
	return string(both), err == nil
}

func TestFaultyIsCachedAndBounded(t *testing.T) {
	a := open(t, t.TempDir())
	before := contents(t, a.Dir())
	var first [2][]byte
	var done sync.WaitGroup
	for i := range first {
		done.Go(func() {
			leaf, err := a.Faulty("A.example.", WrongName)
			if err != nil {
				t.Error(err)
				return
			}
			first[i] = leaf.Certificate[0]
		})
	}
	done.Wait()
	again, err := a.Faulty("a.example", WrongName)
	if err != nil || !bytes.Equal(first[0], first[1]) || !bytes.Equal(first[0], again.Certificate[0]) {
		t.Errorf("one name and one fault have several leaves (%v)", err)
	}
	other, err := a.Faulty("a.example", Expired)
	if err != nil || bytes.Equal(other.Certificate[0], again.Certificate[0]) {
		t.Errorf("two faults have one leaf (%v)", err)
	}
	if good, err := a.Leaf("a.example"); err != nil || bytes.Equal(good.Certificate[0], again.Certificate[0]) {
		t.Errorf("the good leaf has a fault (%v)", err)
	}
	if _, err := a.Faulty("a.example", UnknownAuthority); err != nil {
		t.Error(err)
	}
	if after := contents(t, a.Dir()); len(after) != len(before) {
		t.Errorf("files %q, then %q", before, after)
	}
}

// What is not valid yet must not become valid while it is shown.
func TestFaultyIsMintedAgain(t *testing.T) {
	now := time.Now()
	a, err := Open(t.TempDir(), func(s *settings) { s.now = func() time.Time { return now } })
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		shown, err := a.Faulty("a.example", NotYetValid)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(shown.Certificate[0])
		if err != nil || !now.Before(leaf.NotBefore) {
			t.Fatalf("at %s it is valid from %s on (%v)", now, leaf.NotBefore, err)
		}
		now = now.Add(13 * time.Hour)
	}
}

func TestFaultyNames(t *testing.T) {
	a := open(t, t.TempDir())
	long := strings.Repeat("a.", 120) + "example"
	for _, name := range []string{"192.0.2.7", "2001:db8::1", "_x.example", long, strings.Repeat("a", 63) + ".example"} {
		for _, fault := range Faults {
			shown, err := a.Faulty(name, fault)
			if err != nil {
				t.Errorf("%s for %.40s: %v", fault, name, err)
				continue
			}
			leaf, err := x509.ParseCertificate(shown.Certificate[0])
			if err != nil {
				t.Errorf("%s for %.40s: %v", fault, name, err)
				continue
			}
			if mismatch := leaf.VerifyHostname(name) != nil; mismatch != (fault == WrongName) {
				t.Errorf("%s for %.40s: mismatch %v", fault, name, mismatch)
			}
		}
	}
	for _, name := range []string{"", "a..b", "256.1"} {
		if _, err := a.Faulty(name, Expired); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := a.Faulty("a.example", "none"); err == nil || !strings.Contains(err.Error(), WrongName) {
		t.Errorf("a fault that is not known: %v", err)
	}
}
