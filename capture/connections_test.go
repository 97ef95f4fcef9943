package capture_test

import (
	"testing"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// A proxy meets a server on many connections that are alike: their facts are kept
// once. What differs in anything is kept apart.
func TestConnectionsThatAreAlikeAreKeptOnce(t *testing.T) {
	s, path := create(t, capture.Options{})
	id := flow.ID(0)
	client := flowtest.Get("https://x.example/", flowtest.ID(1)).Client
	see := func(change func(*flow.ServerTLS)) {
		f := flowtest.Get("https://x.example/", flowtest.ID(id+1))
		server := flow.ServerTLS{Version: 0x304, CipherSuite: 0x1301, Certificate: &flow.Certificate{Subject: "CN=x.example", SHA256: "aa"}}
		change(&server)
		f.Client, f.Server.TLS = client, &server
		observe(t, s, f)
		id++
	}
	for range 3 {
		see(func(*flow.ServerTLS) {})
		see(func(t *flow.ServerTLS) { t.Version = 0x303 })
		see(func(t *flow.ServerTLS) { t.CipherSuite = 0x1302 })
		see(func(t *flow.ServerTLS) { t.ALPN = "h2" })
		see(func(t *flow.ServerTLS) { t.Invalid = "expired" })
		see(func(t *flow.ServerTLS) { t.Unverified = true })
		see(func(t *flow.ServerTLS) { t.Certificate.SHA256 = "bb" })
		see(func(t *flow.ServerTLS) { t.Certificate = nil })
	}
	s.Close()
	if got := query(t, path, "SELECT count(*) || ' ' || (SELECT count(*) FROM certificates) FROM connections"); got != "8 2" {
		t.Errorf("%s rows of connections and certificates", got)
	}
	again := reopen(t, path, capture.Options{})
	for i, want := range []flow.ServerTLS{{Version: 0x304}, {Version: 0x303}} {
		if got := recordedFlow(t, again, flow.ID(17+i)).Server.TLS; got.Version != want.Version || got.Certificate.SHA256 != "aa" {
			t.Errorf("flow %d: %+v", 17+i, got)
		}
	}
}

func recordedFlow(t *testing.T, s *capture.Store, id flow.ID) *flow.Flow {
	t.Helper()
	r, err := s.Flow(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r.Flow
}
