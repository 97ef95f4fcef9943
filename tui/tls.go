package tui

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"telltale/flow"
)

// drawTLS shows under which names the server was addressed, what the client said
// when it opened TLS, and which certificate the server showed.
func drawTLS(p *paper, d *detail) {
	f := d.recorded.Flow
	p.experimented(f)
	p.names(f)
	p.hello(f.Client)
	p.server(f.Server)
}

func (p *paper) names(f *flow.Flow) {
	names := f.Names()
	p.heading("Names of the server")
	p.fact("asked", cmp.Or(f.Server.Asked, "–"))
	p.fact("SNI", cmp.Or(f.Server.SNI, "–"))
	p.fact("Host", cmp.Or(f.Server.Host, "–"))
	p.fact("URL", cmp.Or(names.URL, "–"))
	p.fact("resolved", f.Server.Resolved)
	p.fact("destination", f.Server.AddressedTo())
	if f.Server.Dialed.IsValid() {
		p.fact("address", f.Server.Dialed.String())
	}
	if distinct(names.Asked, names.SNI, names.Host, names.URL) > 1 {
		p.styled("", "They disagree: one of them may hide who is contacted.", p.theme.violation)
	}
}

// distinct counts the different names among those that are given.
func distinct(names ...string) int {
	seen := map[string]bool{}
	for _, name := range names {
		if name != "" {
			seen[name] = true
		}
	}
	return len(seen)
}

func (p *paper) hello(c flow.Client) {
	p.heading("The client's TLS")
	if c.Hello == nil {
		p.prose("The client did not speak TLS to telltale, or the capture does not say.", p.theme.dim)
		return
	}
	h := c.Hello
	p.fact("agreed", strings.Join(nonEmpty(versionName(c.TLS), c.ALPN), ", "))
	p.fact("server name", cmp.Or(h.ServerName, "none"))
	p.fact("versions", versionNames(h.Versions))
	p.fact("protocols", strings.Join(h.ALPN, ", "))
	p.fact("JA4", h.JA4)
	p.styled("alert", h.Alert, p.theme.violation)
}

func (p *paper) server(s flow.Server) {
	p.heading("The server's TLS")
	if s.TLS == nil {
		p.prose("The server was not spoken to over TLS.", p.theme.dim)
		return
	}
	t := s.TLS
	p.fact("version", versionName(t.Version))
	if t.CipherSuite != 0 {
		p.fact("cipher suite", tls.CipherSuiteName(t.CipherSuite))
	}
	p.fact("protocol", t.ALPN)
	p.styled("invalid", t.Invalid, p.theme.violation)
	if t.Unverified {
		p.styled("unverified", "any certificate was accepted (--insecure-upstream)", p.theme.warning)
	}
	if c := t.Certificate; c != nil {
		p.heading("The server's certificate")
		p.fact("subject", c.Subject)
		p.fact("issuer", c.Issuer)
		p.fact("names", strings.Join(c.DNSNames, ", "))
		p.fact("valid", validity(c, p.now))
		p.fact("SHA-256", c.SHA256)
	}
}

func validity(c *flow.Certificate, now time.Time) string {
	if c.NotAfter.IsZero() {
		return ""
	}
	text := fmt.Sprintf("%s to %s", c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly))
	if now.After(c.NotAfter) {
		return text + ", expired"
	}
	return text
}

func versionName(v uint16) string {
	if v == 0 {
		return ""
	}
	return tls.VersionName(v)
}

func versionNames(versions []uint16) string {
	names := make([]string, len(versions))
	for i, v := range versions {
		names[i] = versionName(v)
	}
	return strings.Join(names, ", ")
}

func nonEmpty(texts ...string) []string {
	var out []string
	for _, s := range texts {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
