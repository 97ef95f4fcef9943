package experiment

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"net/netip"
	"net/url"
	"sync"

	"telltale/flow"
	"telltale/proxy"
)

// captive plays the network of a café for who has not signed in: names resolve, whatever
// is asked over HTTP is redirected to the sign-in page, and HTTPS meets the certificate
// of the page. Of anything else nothing is heard.
func (p *played) captive(c *contact) proxy.Decision {
	if p.guests.has(c.Client.Addr.Addr()) {
		return proxy.Decision{}
	}
	const why = "the device has not signed in"
	if c.asksDNS() {
		return proxy.Decision{} // names resolve, whoever is asked
	}
	if !c.isHTTP() && c.stage != atQuestion {
		d := p.block(proxy.Silent, why)
		d.Holds = func() bool { return !p.guests.has(c.Client.Addr.Addr()) }
		return d
	}
	d := p.block(proxy.Answered, why)
	switch c.stage {
	case atHandshake:
		d.LeafBy, d.LeafWhat = d.By, "showed the client the certificate of the sign-in page: "+p.name
		d.Leaf = p.portalLeaf()
	case atRequest:
		d.Answer = redirect(portalFor(p.set.cfg.Portal, c.Request.URL)) //nolint:bodyclose // package proxy closes it
	}
	return d
}

// portalLeaf signs for the name of the page, whatever name was asked for, by an authority
// that nobody knows.
func (p *played) portalLeaf() func(string) (*tls.Certificate, error) {
	leaf := p.leaf("unknown-authority")
	if leaf == nil {
		return nil
	}
	host := flow.CanonicalHost(flow.Authority(p.set.cfg.Portal))
	return func(string) (*tls.Certificate, error) { return leaf(host) }
}

// maxOriginal bounds the address that is handed on to the page, in bytes.
const maxOriginal = 2048

// portalFor returns the address of the page, with what was asked for as a parameter where
// it is an address that the page leads back to.
func portalFor(portal, original string) string {
	u, err := url.Parse(portal)
	if err != nil {
		return portal
	}
	if back := wayBack(original); back != nil {
		query := u.Query()
		query.Set("url", back.String())
		u.RawQuery = query.Encode()
	}
	return u.String()
}

// wayBack returns the address that a device came from, without user and password; nil
// where it is none of the web, or too long. Of an address of HTTPS it is the host alone: a
// network could not know more, and the page is asked for in clear.
func wayBack(original string) *url.URL {
	if len(original) > maxOriginal {
		return nil
	}
	u, err := url.Parse(original)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil
	}
	if u.Scheme == "https" {
		return &url.URL{Scheme: u.Scheme, Host: u.Host}
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	return u
}

// maxGuests bounds the addresses that have signed in; beyond, all have to do so again.
const maxGuests = 4096

// guests are the addresses that have signed in since the simulation was switched on.
type guests struct {
	secret [32]byte // of the forms
	mu     sync.RWMutex
	in     map[netip.Addr]bool
}

func newGuests() *guests {
	g := &guests{in: make(map[netip.Addr]bool)}
	rand.Read(g.secret[:]) // never fails (crypto/rand)
	return g
}

func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func (g *guests) has(a netip.Addr) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.in[plainAddr(a)]
}

func (g *guests) add(a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.in) >= maxGuests {
		clear(g.in)
	}
	g.in[plainAddr(a)] = true
}

// token is what the form for an address carries: no other site can know it.
func (g *guests) token(a netip.Addr) string {
	mac := hmac.New(sha256.New, g.secret[:])
	mac.Write([]byte(plainAddr(a).String()))
	return hex.EncodeToString(mac.Sum(nil))
}

func (g *guests) knows(token string, a netip.Addr) bool {
	return hmac.Equal([]byte(token), []byte(g.token(a)))
}
