package mitmproxy

import (
	"cmp"
	"crypto/tls"
	"net/netip"
	"strings"

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
	s.Host = e.request.hostClaim(asked.host)
	if asked.host == "" {
		asked.host, _ = flow.SplitHostPort(s.Host)
	}
	if asked.port == 0 && e.request.seen {
		asked.port = 80
		if d.secure() {
			asked.port = 443
		}
	}
	asked.host = d.named(asked.host, s)
	s.Asked = asked.String()
	return s
}

// byAddress are the ways to mitmproxy on which clients ask for IP addresses, having
// resolved the name themselves.
var byAddress = []string{"transparent", "wireguard", "local", "socks5", "tun"}

// named returns the name behind an IP address that a client asked for because of the
// way in that it took. Version 17 does not say which that was; there the address gives
// way to SNI alone, since the server then proved its name.
func (d *reader) named(host string, s flow.Server) string {
	mode, _, _ := strings.Cut(d.draft.mode, ":")
	known := false
	for _, way := range byAddress {
		known = known || mode == way
	}
	if !known && mode != "" || !isAddress(host) {
		return host
	}
	if s.SNI != "" {
		return s.SNI
	}
	if name, _ := flow.SplitHostPort(s.Host); known && name != "" {
		return name
	}
	return host
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

// hostClaim returns :authority, else Host. Where there are several, the one that
// disagrees with the host that was asked for counts: it must not hide behind one that
// agrees.
func (m *message) hostClaim(host string) string {
	claim, asked := m.authority, flow.CanonicalHost(host)
	for _, field := range m.header {
		if !strings.EqualFold(field.Name, "Host") {
			continue
		}
		if claim == "" || flow.CanonicalHost(claim) == asked {
			claim = cmp.Or(field.Value(), claim)
		}
	}
	return claim
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
	for _, list := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
		for _, s := range list {
			if foldSuite(s.Name) == want {
				return s.ID
			}
		}
	}
	return 0
}

var suiteNoise = strings.NewReplacer("TLS_", "", "WITH_", "", "CBC3", "3DES", "DES-CBC3", "3DES", "3DES_EDE", "3DES", "CBC", "", "-", "", "_", "")

func foldSuite(name string) string {
	s := suiteNoise.Replace(name)
	if strings.Contains(s, "POLY1305") {
		s = strings.TrimSuffix(s, "SHA256") // which is the only one there is
	}
	return s
}
