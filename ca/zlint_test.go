package ca

import (
	"strings"
	"testing"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
)

// Lints of the Baseline Requirements, which bind authorities that browsers ship,
// and why each does not apply to an authority that one person installs on a
// device of theirs. The lints of RFC 5280 all apply.
var inapplicable = map[string]string{
	"e_ca_country_name_missing":                "the country would be made up, or say where the user is",
	"e_sub_cert_aia_missing":                   "nothing is published: there is no address where a client could ask for status or issuer",
	"e_sub_cert_aia_does_not_contain_ocsp_url": "likewise: leaves are not revoked, their authority is removed from the device",
	"e_sub_cert_certificate_policies_missing":  "a policy identifier would claim that somebody validated the name",
	"e_sub_cert_cert_policy_empty":             "likewise",
	"e_ext_san_contains_reserved_ip":           "devices in an audit talk to private addresses too, and the leaf never leaves the proxy",
	"e_subject_contains_reserved_ip":           "likewise",
	"e_dnsname_not_valid_tld":                  "devices in an audit talk to .local, .test and single-label names too",
	"e_dnsname_underscore_in_sld":              "real servers have such names, and the certificate has to name what was asked for",
	"e_rfc_dnsname_underscore_in_sld":          "likewise; RFC 5280 asks for the preferred name syntax, which every client relaxes here",
	"e_dnsname_hyphen_in_sld":                  "likewise",
	"e_rfc_dnsname_hyphen_in_sld":              "likewise",
	"e_underscore_not_permissible_in_dnsname":  "likewise",
}

func TestCertificatesPassZlint(t *testing.T) {
	certificates := map[string][]byte{}
	take := func(from string, a *Authority, names ...string) {
		for _, name := range names {
			leaf, err := a.Leaf(name)
			if err != nil {
				t.Fatal(err)
			}
			certificates[from+": "+name] = leaf.Certificate[0]
		}
	}
	for _, life := range lifetimes {
		a, err := Rotate(t.TempDir(), Lifetime(life))
		if err != nil {
			t.Fatal(err)
		}
		certificates[life.String()] = a.DER()
		take(life.String(), a, "canada.ca", "192.0.2.1")
	}
	take("default", open(t, t.TempDir()),
		"canada.ca", "retrieval.covid-notification.alpha.canada.ca", "xn--mnchen-3ya.de", "localhost", "printer.local",
		"192.0.2.1", "8.8.8.8", "2001:db8::1", "10.0.0.1",
		strings.Repeat("b", 63)+".canada.ca", strings.Repeat(label63+".", 3)+"canada.ca",
		"_sip.canada.ca", "under_score.ca", "-edge-.ca",
	)
	for _, names := range [][]string{{"mitmproxy-ca.pem"}, {"openssl-rsa.pem", "openssl-rsa.key"}, {"openssl-p384.pem", "openssl-p384.key"}} {
		a, err := Import(t.TempDir(), readSample(t, names...), at(sampleDay))
		if err != nil {
			t.Fatal(err)
		}
		take(names[0], a, "canada.ca", "192.0.2.1") // the root is as its maker made it
	}
	met := map[string]bool{}
	for name, der := range certificates {
		certificate, err := zx509.ParseCertificate(der)
		if err != nil {
			t.Fatalf("%.60s: %v", name, err)
		}
		results := zlint.LintCertificate(certificate)
		if len(results.Results) < 300 {
			t.Fatalf("only %d lints ran", len(results.Results))
		}
		for id, result := range results.Results {
			if result.Status < lint.Error {
				continue
			}
			met[id] = true
			if inapplicable[id] == "" {
				known := lint.GlobalRegistry().ByName(id)
				t.Errorf("%.60s: %s: %s %s (%s)", name, id, known.Description, result.Details, known.Citation)
			}
		}
	}
	for id := range inapplicable {
		if !met[id] {
			t.Errorf("%s is excused and never occurs", id)
		}
	}
}

// The lints have to see what they are meant to see.
func TestZlintComplainsOfABadLeaf(t *testing.T) {
	a := open(t, t.TempDir())
	name := "canada.ca"
	leaf, renew, err := a.mint(host{name: strings.Repeat("c", 70) + "." + name}, a.now()) // past parseHost: a label of 70
	if err != nil || renew.IsZero() {
		t.Fatal(err)
	}
	certificate, err := zx509.ParseCertificate(leaf.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if got := zlint.LintCertificate(certificate).Results["e_rfc_dnsname_label_too_long"]; got.Status != lint.Error {
		t.Errorf("a label of 70 bytes is %v", got.Status)
	}
}
