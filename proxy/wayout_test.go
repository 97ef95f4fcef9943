package proxy

import (
	"context"
	"net/netip"
	"net/url"
	"sync/atomic"
	"testing"

	"telltale/flow"
)

// TestEveryWayOutIsGuarded: whatever a client speaks, it does not reach a metadata
// service, another network of this machine or the machine itself, also if the name was
// harmless when it was asked for before, and --allow-local or not for the first.
func TestEveryWayOutIsGuarded(t *testing.T) {
	ways := map[string]func(c *peer, host string){
		"GET": func(c *peer, host string) { c.say("GET http://%s:80/ HTTP/1.1\r\nHost: x\r\n\r\n", host) },
		"WebSocket": func(c *peer, host string) {
			c.say("GET http://%s:80/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", host)
		},
		"tunnel": func(c *peer, host string) {
			c.say("CONNECT %s:80 HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", host)
		},
		"bytes":         func(c *peer, host string) { c.say("CONNECT %s:22 HTTP/1.1\r\nHost: x\r\n\r\n\x00\x01", host) },
		"server first":  func(c *peer, host string) { c.say("CONNECT %s:22 HTTP/1.1\r\nHost: x\r\n\r\n", host) },
		"not decrypted": func(c *peer, host string) { c.say("CONNECT passed-%s:443 HTTP/1.1\r\nHost: x\r\n\r\n", host) },
		"HTTP/2 in clear": func(c *peer, host string) {
			c.say("CONNECT %s:80 HTTP/1.1\r\nHost: x\r\n\r\n"+http2Preface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"+
				"\x00\x00\x06\x01\x05\x00\x00\x00\x01\x82\x86\x84\x41\x01h", host) // GET / of the authority h
		},
	}
	for _, allow := range []bool{false, true} {
		for _, via := range []*url.URL{nil, {Scheme: "http", Host: "127.0.0.1:1"}} {
			r := newRig(t, func(c *Config) {
				c.AllowLocal, c.UpstreamProxy = allow, via
				c.Admit = func(f *flow.Flow) Decision {
					if len(f.Server.Asked) > 7 && f.Server.Asked[:7] == "passed-" {
						return Decision{Admission: PassThrough}
					}
					return Decision{}
				}
			})
			var asked atomic.Int32
			r.proxy.dialer.lookup = func(context.Context, string) ([]netip.Addr, error) {
				if asked.Add(1)%2 == 0 {
					return []netip.Addr{netip.MustParseAddr("fd00:ec2::254")}, nil
				}
				return []netip.Addr{netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("64:ff9b::a9fe:a9fe")}, nil
			}
			var open []*peer
			for way, say := range ways {
				hosts := []string{"turns.test", "169.254.169.254"}
				if via != nil { // the name is for the proxy to resolve
					hosts = []string{"metadata.google.internal", "0xa9fea9fe"}
				}
				for _, host := range hosts {
					if way == "not decrypted" && (via != nil || host != "turns.test") {
						continue // its host has a name of its own
					}
					c := r.dial()
					say(c, host)
					open = append(open, c)
				}
			}
			for _, f := range r.ending(len(open)) {
				if f.Outcome != flow.DestinationDenied || f.Server.Dialed.IsValid() {
					t.Errorf("%s %s to %s, local %v, via %v: %s %q, dialled %v", f.Kind, f.URL(), f.Server.Asked, allow, via, f.Outcome, f.Error, f.Server.Dialed)
				}
			}
			for _, c := range open {
				c.Close()
			}
		}
	}
}
