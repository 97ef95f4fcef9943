package cmd

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"telltale/proxy"
	"telltale/proxy/wireguard"
	"telltale/setup"
)

// namedOnly reports whether the audit takes nobody whom a person did not name: by a
// password, which the set-up page does not ask for, or by the devices' addresses.
func (l *liveFlags) namedOnly() bool { return l.auth != "" || len(l.devices) > 0 }

// forPage is the tunnel as the set-up page offers it, to everybody in the network; nil
// where it is off, or lets in none of them.
func (a *audit) forPage() *setup.Tunnel {
	t := a.ways.tunnel
	if t == nil || a.flags.namedOnly() {
		return nil
	}
	return &setup.Tunnel{
		Configuration: func(v setup.Visit) (string, error) {
			peer, err := t.visitor(v)
			if err != nil {
				return "", err
			}
			return string(t.book.Config(peer, t.reachedAt(v.Host))), nil
		},
		First: func(host string) (string, error) {
			peer, err := peerNamed(t.book, "")
			if err != nil {
				return "", err
			}
			return string(t.book.Config(peer, t.reachedAt(host))), nil
		},
		Within: func(r *http.Request) bool { return proxy.ModeOf(r) == wireguard.Mode },
	}
}

// visitor returns the peer of the device that visits the page. One inside the tunnel is
// who its key says; from elsewhere its address is no proof, so that each address gets keys
// that were made for it in this audit: in the last one, it may have been another device's.
func (t *tunnelWay) visitor(v setup.Visit) (wireguard.Peer, error) {
	t.making.Lock()
	defer t.making.Unlock()
	peers := t.book.Peers()
	i := slices.IndexFunc(peers, sends(v.Client))
	switch {
	case v.Within && i >= 0:
		return peers[i], nil
	case v.Within:
		return wireguard.Peer{}, fmt.Errorf("the keys of %s were removed meanwhile: open this page outside of the tunnel", v.Client)
	case i >= 0:
		return wireguard.Peer{}, fmt.Errorf("%s is the address of a device in the tunnel, and this request did not come through it: switch the tunnel on, or leave the other network of that address", v.Client)
	}
	made := map[wireguard.Key]bool{}
	for _, p := range peers {
		if !t.made[p.PublicKey] {
			continue
		}
		if made[p.PublicKey] = true; p.Visitor == v.Client {
			return p, nil
		}
	}
	peer, err := t.add(v)
	if err != nil {
		return wireguard.Peer{}, err
	}
	made[peer.PublicKey] = true
	t.made = made // without those that are gone
	return peer, nil
}

// add makes keys for a visitor.
func (t *tunnelWay) add(v setup.Visit) (wireguard.Peer, error) {
	name := visitorName(v.Name, v.Client)
	select {
	case <-t.opened:
		return t.tunnel.AddVisitor(name, v.Client)
	default:
		return t.book.AddVisitor(name, v.Client, nil)
	}
}

// visitorName joins what a device calls itself, as far as a peer may be called so, and its
// address.
func visitorName(name string, addr netip.Addr) string {
	const longest = 40 // of a peer's name
	at := strings.ReplaceAll(addr.String(), ":", "-")
	if strings.HasPrefix(at, "-") {
		at = "0" + at // no name begins with a hyphen
	}
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == ' ' || r == '-' || r == '.' {
			return r
		}
		return -1
	}, name)
	plain = plain[:min(len(plain), max(0, longest-len(at)-1))]
	if plain = strings.Trim(plain, " -."); plain == "" {
		return at
	}
	return plain + " " + at
}
