package policy

import (
	"crypto/tls"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

func by(names ...string) flowtest.Option {
	return func(f *flow.Flow) { f.Experiments = names }
}

// What only an experiment caused is no violation; what the app tried to do is one.
func TestExperimentsCauseNoViolations(t *testing.T) {
	p := parse(t, "version: 1\nallow: [a.example]\ndeny: [bad.example]\n")
	simulated := flowtest.Outcome(flow.Simulated)
	for _, tt := range []struct {
		name string
		f    *flow.Flow
		want string // verdict and rule
	}{
		{"a refused certificate", flowtest.Refused("a.example"), "violation undecryptable"},
		{"a refused bad certificate", flowtest.Refused("a.example", by("bad-certificate self-signed")), "allowed "},
		{"a refused bad certificate of some hosts", flowtest.Refused("a.example", by("bad-certificate wrong-name @a.example", "slow 3g")), "allowed "},
		{"a refused expired certificate", flowtest.Refused("a.example", by("clock-skew expired"), flowtest.Outcome(flow.ClientSilent)), "allowed "},
		{"a handshake that failed before any certificate", flowtest.Refused("a.example", flowtest.Outcome(flow.HandshakeFailed)), "violation undecryptable"},
		{"a failed handshake", flowtest.Refused("a.example", by("clock-skew not-yet-valid"), flowtest.Outcome(flow.HandshakeFailed)), "allowed "},
		{"a portal's certificate", flowtest.Refused("a.example", by("captive-portal")), "allowed "},
		{"a refused good certificate over a slow link", flowtest.Refused("a.example", by("slow edge")), "violation undecryptable"},
		{"a bad certificate of a host that is not allowed", flowtest.Refused("b.example", by("bad-certificate self-signed")), "violation host-not-allowed"},
		{"unread in spite of the experiment", flowtest.Tunnel("a.example", by("bad-certificate self-signed")), "violation undecryptable"},
		{"a simulated answer", flowtest.Get("https://a.example/", by("server-error 503"), simulated), "allowed "},
		{"a simulated failure of a tunnel", flowtest.Tunnel("a.example", by("offline"), simulated), "allowed "},
		{"a simulated answer with old TLS", flowtest.Get("https://a.example/", by("server-error 503"), simulated, flowtest.TLS(tls.VersionTLS10)), "allowed "},
		{"a simulated answer of a bad server", flowtest.Get("https://a.example/", by("server-error 503"), simulated, flowtest.InvalidCertificate("expired")), "allowed "},
		{"a simulated question", flowtest.DNS("a.example", by("offline"), simulated), "allowed "},
		{"simulated datagrams", flowtest.Datagrams("192.0.2.9:443", flowtest.Resolved("a.example"), by("offline"), simulated), "allowed "},
		{"a simulated answer to cleartext", flowtest.Get("http://a.example/", by("captive-portal"), simulated), "violation cleartext"},
		{"a simulated host that is not allowed", flowtest.Get("https://b.example/", by("offline"), simulated), "violation host-not-allowed"},
		{"a simulated host that is denied", flowtest.DNS("bad.example", by("offline"), simulated), "violation host-denied"},
		{"a bad server behind a slow link", flowtest.Get("https://a.example/", by("slow edge"), flowtest.InvalidCertificate("expired")), "violation invalid-certificate"},
	} {
		j := p.Judge(tt.f)
		if got := string(j.Verdict) + " " + string(j.Rule()); got != tt.want {
			t.Errorf("%s: %s, want %s: %v", tt.name, got, tt.want, j.Findings)
		}
	}
}
