package proxy

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"telltale/flow"
)

// maxPerClient bounds the connections of one device. Ten thousand at once must
// pass; what is far beyond is a runaway that would starve the others.
const maxPerClient = 16 << 10

// guard decides who may use the proxy.
type guard struct {
	devices map[netip.Addr]bool // nil: every private address
	creds   [sha256.Size]byte   // of user:password

	mu    sync.Mutex
	count map[netip.Addr]int // open connections
}

func newGuard(cfg *Config) *guard {
	g := &guard{count: map[netip.Addr]int{}, creds: sha256.Sum256([]byte(cfg.User + ":" + cfg.Password))}
	if len(cfg.Devices) > 0 {
		g.devices = map[netip.Addr]bool{}
		for _, d := range cfg.Devices {
			g.devices[d.Unmap().WithZone("")] = true
		}
	}
	return g
}

// enter counts a connection in and reports whether it may stay; if not, why.
// Each enter needs its leave.
func (g *guard) enter(from netip.Addr) (bool, string) {
	g.mu.Lock()
	g.count[from]++
	n := g.count[from]
	g.mu.Unlock()
	switch from := from.WithZone(""); {
	case n > maxPerClient:
		return false, fmt.Sprintf("the client has more than %d connections open", maxPerClient)
	case g.devices != nil && !g.devices[from]:
		return false, fmt.Sprintf("the client %s is not one of the devices that were named", from)
	case g.devices == nil && !isPrivate(from):
		return false, fmt.Sprintf("the client %s has a public address: it must be named to be let in", from)
	}
	return true, ""
}

func (g *guard) leave(from netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.count[from]--; g.count[from] == 0 {
		delete(g.count, from)
	}
}

// sharedSpace is what carriers and overlay networks use for their clients (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// isPrivate reports whether an address cannot come from the open Internet.
func isPrivate(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || sharedSpace.Contains(a)
}

// turnAway ends a connection that may not use the proxy. A device in the house
// is told why; a scanner from outside gets nothing, not even a byte.
func (p *Proxy) turnAway(c *connection, why string) {
	f := c.tunnel()
	f.Outcome, f.Error = flow.ClientDenied, why
	if isPrivate(c.client.Addr.Addr()) {
		c.SetReadDeadline(time.Now().Add(closeTimeout))
		c.fill() //nolint:errcheck // what it asks for does not matter
		c.early = nil
		f.Response = reply(c, http.StatusForbidden, why)
	}
	p.observe(c, f)
	c.Close()
}

// authorized reports whether a request carries the credentials, if any are asked
// for. Digests are compared, so that the time tells nothing about the length.
func (p *Proxy) authorized(h head) bool {
	if p.cfg.User == "" {
		return true
	}
	return p.guard.knows(flow.NewField("", proxyAuthorization(h)))
}

// knows compares the value of a Proxy-Authorization (RFC 7617) in constant time.
func (g *guard) knows(f flow.Field) bool {
	scheme, encoded, _ := strings.Cut(f.Reveal(), " ")
	creds, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	sum := sha256.Sum256(creds)
	same := subtle.ConstantTimeCompare(sum[:], g.creds[:]) == 1
	return same && err == nil && strings.EqualFold(scheme, "Basic")
}

func proxyAuthorization(h head) string {
	for _, f := range h.fields() {
		if strings.EqualFold(f.Name, "Proxy-Authorization") {
			return f.Reveal()
		}
	}
	return ""
}

// challenge answers a CONNECT without the right credentials. The connection
// stays open for a second try, unless the first one was wrong.
func (p *Proxy) challenge(c *connection, h head) error {
	if proxyAuthorization(h) != "" {
		f := c.deniedFlow(h)
		f.Response = reply(c, http.StatusProxyAuthRequired, wrongCredentials, "Proxy-Authenticate: "+realm+"\r\n")
		p.observe(c, f)
		return errors.New(wrongCredentials)
	}
	_, target, _ := h.request()
	c.account.expect(c.toward(target, h, nil), flow.ClientDenied, noCredentials)
	_, err := fmt.Fprintf(c, "HTTP/1.1 407 %s\r\nProxy-Authenticate: %s\r\nContent-Length: 0\r\n\r\n",
		http.StatusText(http.StatusProxyAuthRequired), realm)
	return err
}

// challengeRequest does the same for a request that http.Server read.
func (p *Proxy) challengeRequest(c *connection, w http.ResponseWriter, h head) {
	text := noCredentials
	if proxyAuthorization(h) != "" {
		text = wrongCredentials
		p.observe(c, c.deniedFlow(h))
	} else {
		wanted := *c
		wanted.asked = c.refusedHead(h).Server.Asked
		c.account.expect(&wanted, flow.ClientDenied, noCredentials)
	}
	w.Header().Set("Proxy-Authenticate", realm)
	http.Error(w, "telltale: "+text, http.StatusProxyAuthRequired)
}

// deniedFlow returns the flow of a request with wrong credentials.
func (c *connection) deniedFlow(h head) *flow.Flow {
	f := c.refusedHead(h)
	f.Outcome, f.Error = flow.ClientDenied, wrongCredentials
	f.Response = &flow.Response{Status: http.StatusProxyAuthRequired, Proto: "HTTP/1.1"}
	return f
}

const (
	noCredentials    = "the client did not give the proxy's user and password"
	wrongCredentials = "the client gave another user or password than the proxy asks for"
)

// realm is the challenge of RFC 9110, 11.7.1.
const realm = `Basic realm="telltale", charset="UTF-8"`

// ownNames are the names under which this machine is likely to be called.
var ownNames = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	if h, err := os.Hostname(); err == nil {
		h = flow.CanonicalHost(h)
		first, _, _ := strings.Cut(h, ".")
		names[h], names[first], names[first+".local"] = true, true, true
	}
	return names
})

func isOwnName(name string) bool { return ownNames()[name] }
