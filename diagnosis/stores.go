package diagnosis

import (
	"strings"

	"telltale/useragent"
)

// store is where a program keeps whom it trusts, and how it says that it does not
// trust somebody.
type store struct {
	sign string // begins the User-Agent; that of a browser contains it
	name string
	step string // how our authority gets there
	says manner
}

// manner is how a client says that it does not like a certificate.
type manner int

const (
	anyhow manner = iota
	// exactly is to send bad_certificate (42) for one that is not valid yet, and
	// unknown_ca (48) for one of a stranger, as OpenSSL and NSS do.
	exactly
	// late is to look at it when the handshake is over, and to leave without a word, as
	// GnuTLS lets programs do.
	late
)

// stores are those of programs that do not ask their system, or may not. What they
// send was tried with the programs themselves; docs/diagnosis.md has the table. The
// options are from the documentation of each.
var stores = []store{
	{"Firefox/", "Firefox", "In Firefox: `Settings › Privacy & Security › View Certificates… › Authorities › Import…`.", exactly},
	{"Java/", "Java", keytool, anyhow},
	{"Apache-HttpClient/", "Java", keytool, anyhow},
	{"node", "Node.js", inEnvironment("NODE_EXTRA_CA_CERTS"), anyhow},
	{"undici", "Node.js", inEnvironment("NODE_EXTRA_CA_CERTS"), anyhow},
	{"axios/", "Node.js", inEnvironment("NODE_EXTRA_CA_CERTS"), anyhow},
	{"python-requests/", "Python's requests", inEnvironment("REQUESTS_CA_BUNDLE"), exactly},
	{"python-httpx/", "Python's httpx", inEnvironment("SSL_CERT_FILE"), exactly},
	{"Python", "Python", inEnvironment("SSL_CERT_FILE"), exactly},
	{"curl/", "curl", "Give it `--cacert telltale-ca.pem`, or `CURL_CA_BUNDLE=telltale-ca.pem` in its environment.", exactly},
	{"Wget/", "wget", "Give it `--ca-certificate=telltale-ca.pem`.", late},
	{"Go-http-client/", "Go", inEnvironment("SSL_CERT_FILE"), anyhow},
	{"Dart/", "Dart", "In a build of your own: `SecurityContext.setTrustedCertificates`.", anyhow},
}

const keytool = "`keytool -importcert -cacerts -alias telltale -file telltale-ca.pem`; where a program has a store of its own, name that."

func inEnvironment(name string) string {
	return "Start it with `" + name + "=telltale-ca.pem` in its environment."
}

// storeOf returns the trust store of a program that has one of its own.
func storeOf(p *program) *store {
	for i, s := range stores {
		if strings.HasPrefix(p.agent, s.sign) || s.name == "Firefox" && p.is.Browser && p.os != useragent.IOS && strings.Contains(p.agent, s.sign) {
			return &stores[i]
		}
	}
	return nil
}

// says is the manner of a program.
func (p *program) says() manner {
	if s := storeOf(p); s != nil {
		return s.says
	}
	return anyhow
}

// silences is how often a program leaves in silence before that means something.
func (p *program) silences() int {
	if p.says() == late {
		return 1
	}
	return silences
}

// outOfTime counts the refusals by which a program says that our certificate is past,
// or not valid yet, from a moment on.
func (p *program) outOfTime(r *refusals, since int64) int {
	n := r.of(alertCertificateExpired, since)
	if p.says() == exactly && !p.disowns(since) {
		n += r.of(alertBadCertificate, since)
	}
	return n
}

// mitmHost is what Firefox asks when it met an authority that it does not know
// (security.certerrors.mitm.priming.endpoint of its preferences). If that is refused too,
// it takes us for the interceptor that we are, and sends bad_certificate to everybody.
const mitmHost = "mitmdetection.services.mozilla.com"

// disowns reports whether the program said from a moment on that it does not know our
// authority. Then bad_certificate is not about the date.
func (p *program) disowns(since int64) bool {
	return p.refused.of(alertUnknownCA, since) > 0 || p.test.refused.of(alertUnknownCA, since) > 0 || p.servers[mitmHost] != nil
}

// steps say how our authority gets into the store.
func (s *store) steps() []string {
	if s.name == "Firefox" {
		return []string{s.step}
	}
	return []string{s.step, "Started by `telltale record -- COMMAND`, most programs get it by themselves."}
}
