package proxy

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"telltale/flow"
)

// A browser opens connections in advance and closes one before it makes its first
// request on another: nothing was refused.
func TestSpareConnectionIsNoRefusal(t *testing.T) {
	r := newRig(t, func(c *Config) { c.waits.spare = time.Second })
	u := r.origin(func(http.ResponseWriter, *http.Request) {})
	spare := r.handshake(r.tunnel(u.Host), func(c *tls.Config) { c.ServerName = "127.0.0.1" })
	spare.Close()
	c := r.handshake(r.tunnel(u.Host), func(c *tls.Config) { c.ServerName = "127.0.0.1" })
	c.say("GET / HTTP/1.1\r\nHost: %s\r\n\r\n", u.Host)
	if status := c.status(); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	c.Close()
	outcomes := map[flow.Outcome]string{}
	for _, f := range r.ending(2) {
		outcomes[f.Outcome] = f.Error
	}
	if outcomes[flow.Abandoned] != spareReason || len(outcomes) != 2 {
		t.Errorf("recorded %v", outcomes)
	}
}

// The memory of uses is bounded, and knows a host by any spelling.
func TestUses(t *testing.T) {
	var u uses
	at := func(host string) *connection {
		return &connection{client: flow.Client{Addr: netip.MustParseAddrPort("192.0.2.1:1")}, asked: host}
	}
	u.add(at("A.example.:443"))
	if !u.has(at("a.example:443")) || u.has(at("b.example:443")) {
		t.Error("does not know what was used")
	}
	for i := range 2 * maxUses {
		u.add(at(fmt.Sprintf("h%d.example:443", i)))
	}
	if len(u.seen) > maxUses {
		t.Errorf("remembers %d", len(u.seen))
	}
}
