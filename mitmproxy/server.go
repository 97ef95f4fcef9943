package mitmproxy

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"telltale/flow"
)

// server collects what is known of the server. The names are kept apart.
func (d *reader) server() flow.Server {
	e := &d.draft
	s := flow.Server{Dialed: d.dialed(), TLS: d.serverTLS(), SNI: e.client.sni}
	if strings.HasPrefix(e.mode, "reverse") {
		s.SNI = e.server.sni // the client's is the name of mitmproxy
	}
	asked := e.request.host
	if asked.host == "" {
		asked = e.server.address
	}
	if asked.host == "" {
		asked = e.server.peer
	}
	s.Host = flow.HostClaim(asked.host, e.request.authority, e.request.header)
	if asked.host == "" {
		asked.host, _ = flow.SplitHostPort(s.Host)
	}
	if asked.port == 0 && e.request.seen {
		asked.port = 80
		if d.secure() {
			asked.port = 443
		}
	}
	asked.host = d.named(asked.host, s.SNI)
	s.Asked = asked.String()
	return s
}

// byAddress are the ways to mitmproxy on which clients ask for IP addresses, having
// resolved the name themselves. Version 17 does not say which way a client took.
var byAddress = []string{"", "transparent", "wireguard", "local", "socks5", "tun"}

// named returns the name behind an IP address that a client asked for because of the
// way in that it took. That is the name in SNI alone, for which mitmproxy asks the
// server's certificate. Nothing vouches for Host: 6.6.6.6 is not good.example because a
// client says so. There the address stays, and that the two disagree is a finding.
func (d *reader) named(host, sni string) string {
	way, _, _ := strings.Cut(d.draft.mode, ":")
	if sni != "" && isAddress(host) && slices.Contains(byAddress, way) {
		return sni
	}
	return host
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

// cipherSuite finds a suite by the name that OpenSSL has for it, which is the one of
// IANA without TLS, WITH, CBC and most separators (openssl-ciphers(1)).
func cipherSuite(name string, version uint16) uint16 {
	if name == "" {
		return 0
	}
	want := foldSuite(name)
	if version < tls.VersionTLS13 && (strings.HasPrefix(want, "AES") || strings.HasPrefix(want, "3DES")) {
		want = "RSA" + want // OpenSSL leaves out that keys are exchanged by RSA
	}
	return suitesByName()[want]
}

// suitesByName are the suites that Go knows, by their folded names.
var suitesByName = sync.OnceValue(func() map[string]uint16 {
	ids := map[string]uint16{}
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if name := foldSuite(s.Name); ids[name] == 0 {
			ids[name] = s.ID
		}
	}
	return ids
})

var suiteNoise = strings.NewReplacer("TLS_", "", "WITH_", "", "CBC3", "3DES", "DES-CBC3", "3DES", "3DES_EDE", "3DES", "CBC", "", "-", "", "_", "")

func foldSuite(name string) string {
	s := suiteNoise.Replace(name)
	if strings.Contains(s, "POLY1305") {
		s = strings.TrimSuffix(s, "SHA256") // which is the only one there is
	}
	return s
}
