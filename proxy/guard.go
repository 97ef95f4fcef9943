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

// guard decides who may use the proxy.
type guard struct {
	devices map[netip.Addr]bool // nil: every address of the networks around
	creds   [sha256.Size]byte   // of user:password
	network *network
	limits  limits
	tries   tries

	mu    sync.Mutex
	count map[netip.Addr]int // open connections
	total int
}

func newGuard(cfg *Config, n *network, l limits) *guard {
	g := &guard{network: n, limits: l, count: map[netip.Addr]int{}, creds: sha256.Sum256([]byte(cfg.User + ":" + cfg.Password))}
	if len(cfg.Devices) > 0 {
		g.devices = map[netip.Addr]bool{}
		for _, d := range cfg.Devices {
			g.devices[d.Unmap().WithZone("")] = true
		}
	}
	return g
}

// entry is what a new connection meets.
type entry struct {
	why  string // it may not stay; "" if it may
	full bool   // there are too many: no time is to be spent on it
}

// enter counts a connection in and says whether it may stay. Each enter needs its
// leave. A client whose key was checked, that of a tunnel, is known wherever it is.
func (g *guard) enter(from netip.Addr, known bool) entry {
	n, total := g.admit(from)
	switch from := from.WithZone(""); {
	case n > g.limits.perClient:
		return entry{fmt.Sprintf("the client has more than %d connections open", g.limits.perClient), true}
	case total > g.limits.clients:
		return entry{fmt.Sprintf("the proxy has %d connections open, as many as its limit of open files (%d) lets it serve", g.limits.clients, g.limits.files), true}
	case known || g.allows(from):
		return entry{}
	case g.devices != nil:
		return entry{why: fmt.Sprintf("the client %s is not one of the devices that were named", from)}
	default:
		return entry{why: fmt.Sprintf("the client %s has a public address of another network: it must be named to be let in", from)}
	}
}

// allows reports whether a client is one of the devices that were named, or near where
// none was.
func (g *guard) allows(from netip.Addr) bool {
	if g.devices != nil {
		return g.devices[from.WithZone("")]
	}
	return g.near(from)
}

// admit counts a connection in, and returns how many there are of its client and of all.
func (g *guard) admit(from netip.Addr) (of, total int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count[from]++
	g.total++
	return g.count[from], g.total
}

func (g *guard) leave(from netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
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

// near reports whether a client is in a network around this machine: its address
// is private, or in a subnet of ours, as the public addresses are that IPv6 gives to
// phones.
func (g *guard) near(a netip.Addr) bool { return isPrivate(a) || g.network.neighbours(a) }

// turnAway ends a connection that may not use the proxy. A device in the house
// is told why; a scanner from outside gets nothing, not even a byte, and where there
// are too many connections none is kept for the sake of an answer.
func (p *Proxy) turnAway(c *connection, e entry) {
	f := c.tunnel()
	f.Outcome, f.Error = flow.ClientDenied, e.why
	switch {
	case e.full:
		p.note(fullNote)
	case c.mode == modeHTTP && p.guard.near(c.client.Addr.Addr()):
		c.SetReadDeadline(time.Now().Add(closeTimeout))
		c.fill() //nolint:errcheck // what it asks for does not matter
		c.early = nil
		f.Response = reply(c, http.StatusForbidden, e.why)
	}
	p.observe(c, f)
	c.Close()
}

// standing is what a request's credentials are worth.
type standing int

const (
	granted standing = iota
	missing
	wrong
	tooMany // they were not looked at
)

// authorize judges the credentials of a request, if any are asked for.
func (p *Proxy) authorize(c *connection, h head) standing {
	if p.cfg.User == "" {
		return granted
	}
	given := proxyAuthorization(h)
	if given == "" {
		return missing
	}
	return p.guard.tries.judge(c.client.Addr.Addr(), p.guard.knows(flow.NewField("", given)))
}

// knows compares the value of a Proxy-Authorization (RFC 7617) in constant time.
// Digests are compared, so that the time tells nothing about the length.
func (g *guard) knows(f flow.Field) bool {
	scheme, encoded, _ := strings.Cut(f.Reveal(), " ")
	creds, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	return g.knowsCreds(creds) && err == nil && strings.EqualFold(scheme, "Basic")
}

// knowsLogin compares a user, who has no colon in the name, and a password.
func (g *guard) knowsLogin(user, password string) bool {
	return g.knowsCreds([]byte(user+":"+password)) && !strings.Contains(user, ":")
}

func (g *guard) knowsCreds(creds []byte) bool {
	sum := sha256.Sum256(creds)
	return subtle.ConstantTimeCompare(sum[:], g.creds[:]) == 1
}

func proxyAuthorization(h head) string {
	for _, f := range h.fields() {
		if strings.EqualFold(f.Name, "Proxy-Authorization") {
			return f.Reveal()
		}
	}
	return ""
}

// refusals are the words and the status of each standing.
var refusals = map[standing]struct {
	status int
	why    string
}{
	missing: {http.StatusProxyAuthRequired, noCredentials},
	wrong:   {http.StatusProxyAuthRequired, wrongCredentials},
	tooMany: {http.StatusTooManyRequests, tooManyTries},
}

// challenge answers a CONNECT without the right credentials. The connection
// stays open for a second try, unless the first one was wrong.
func (p *Proxy) challenge(c *connection, h head, s standing) error {
	if s != missing {
		f := c.deniedFlow(h, s)
		f.Response = reply(c, refusals[s].status, refusals[s].why, s.header())
		p.observe(c, f)
		return errors.New(refusals[s].why)
	}
	_, target, _ := h.request()
	c.account.expect(c.toward(target, h, nil), flow.ClientDenied, noCredentials)
	_, err := fmt.Fprintf(c, "HTTP/1.1 407 %s\r\n%sContent-Length: 0\r\n\r\n", http.StatusText(http.StatusProxyAuthRequired), s.header())
	return err
}

// header is the line that tells a client how to go on.
func (s standing) header() string {
	if s == tooMany {
		return fmt.Sprintf("Retry-After: %d\r\n", int(tryEvery.Seconds()))
	}
	return "Proxy-Authenticate: " + realm + "\r\n"
}

// challengeRequest does the same for a request that http.Server read.
func (p *Proxy) challengeRequest(c *connection, w http.ResponseWriter, h head, s standing) {
	if s != missing {
		p.observe(c, c.deniedFlow(h, s))
	} else {
		wanted := *c
		wanted.asked = c.refusedHead(h).Server.Asked
		c.account.expect(&wanted, flow.ClientDenied, noCredentials)
	}
	name, value, _ := strings.Cut(strings.TrimSpace(s.header()), ": ")
	w.Header().Set(name, value)
	http.Error(w, "telltale: "+refusals[s].why, refusals[s].status)
}

// deniedFlow returns the flow of a request with wrong credentials.
func (c *connection) deniedFlow(h head, s standing) *flow.Flow {
	f := c.refusedHead(h)
	f.Outcome, f.Error = flow.ClientDenied, refusals[s].why
	f.Response = &flow.Response{Status: refusals[s].status, Proto: "HTTP/1.1"}
	return f
}

const (
	noCredentials    = "the client did not give the proxy's user and password"
	wrongCredentials = "the client gave another user or password than the proxy asks for"
	tooManyTries     = "the client gave so many wrong passwords that more are looked at one in a second"
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
