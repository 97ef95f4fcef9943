package wireguard

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A PeerStatus is what the tunnel knows of a device.
type PeerStatus struct {
	Peer
	LastHandshake time.Time      // zero: never
	Endpoint      netip.AddrPort // where its last packet came from; zero: none came
	Received      int64          // bytes from it, with the overhead of WireGuard
	Sent          int64          // bytes to it
}

// Add makes a new device, as [Book.Add], and lets it in at once.
func (t *Tunnel) Add(name string) (Peer, error) {
	p, err := t.book.Add(name)
	if err != nil {
		return Peer{}, err
	}
	return p, t.applyPeers()
}

// Remove forgets a device, as [Book.Remove], and shuts it out at once.
func (t *Tunnel) Remove(name string) error {
	if err := t.book.Remove(name); err != nil {
		return err
	}
	return t.applyPeers()
}

// Sync takes over what another process changed in the book. The tunnel does so by
// itself every second.
func (t *Tunnel) Sync() error {
	changed, err := t.book.Reload()
	if err != nil {
		return err
	}
	if changed || t.stale() {
		return t.applyPeers()
	}
	return nil
}

// stale reports whether somebody changed the book without the tunnel.
func (t *Tunnel) stale() bool {
	have, want := *t.peers.Load(), t.admitted()
	if len(have) != 2*len(want) {
		return true
	}
	for _, p := range want {
		if h := have[p.IPv4]; h == nil || h.Peer != p {
			return true
		}
	}
	return false
}

// applyPeers makes the peers of the device those of the book. Peers that stay keep
// their sessions.
func (t *Tunnel) applyPeers() error {
	t.changing.Lock()
	defer t.changing.Unlock()
	have := *t.peers.Load()
	next := map[netip.Addr]*peer{}
	var set strings.Builder
	for _, p := range t.admitted() {
		entry := have[p.IPv4]
		if entry == nil || entry.Peer != p {
			entry = &peer{Peer: p}
			entry.fragments.lose = func(size int) { t.counts.drop(incomplete, size) }
			describePeer(&set, p)
		}
		next[p.IPv4], next[p.IPv6] = entry, entry
	}
	for addr, p := range have {
		if addr == p.IPv4 && !holdsKey(next, p) {
			fmt.Fprintf(&set, "public_key=%s\nremove=true\n", p.PublicKey.hex())
		}
	}
	if err := t.device.IpcSet(set.String()); err != nil {
		return fmt.Errorf("wireguard: set the peers: %w", err)
	}
	t.peers.Store(&next)
	for addr, p := range have {
		if addr == p.IPv4 && next[addr] != p {
			p.fragments.expire(time.Now().Add(time.Hour)) // all of them
			t.tcp.cut(p)
		}
	}
	return nil
}

func holdsKey(peers map[netip.Addr]*peer, p *peer) bool {
	for _, other := range peers {
		if other.PublicKey == p.PublicKey {
			return true
		}
	}
	return false
}

// describePeer writes a peer for WireGuard's cross-platform interface.
func describePeer(set *strings.Builder, p Peer) {
	fmt.Fprintf(set, "public_key=%s\nreplace_allowed_ips=true\nallowed_ip=%s/32\nallowed_ip=%s/128\n",
		p.PublicKey.hex(), p.IPv4, p.IPv6)
}

// Peers lists the devices that are let in with what is known of each, the oldest first.
func (t *Tunnel) Peers() ([]PeerStatus, error) {
	text, err := t.device.IpcGet()
	if err != nil {
		return nil, fmt.Errorf("wireguard: read the peers: %w", err)
	}
	known := parseStatus(text)
	var list []PeerStatus
	for _, p := range t.admitted() {
		s := known[p.PublicKey]
		s.Peer = p
		list = append(list, s)
	}
	return list, nil
}

// parseStatus reads the answer of WireGuard's cross-platform interface to get=1.
func parseStatus(text string) map[Key]PeerStatus {
	known := map[Key]PeerStatus{}
	var key Key
	var s PeerStatus
	var seconds, nanos int64
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "=")
		number, _ := strconv.ParseInt(value, 10, 64)
		switch name {
		case "public_key":
			key, s, seconds, nanos = Key{}, PeerStatus{}, 0, 0
			hex.Decode(key[:], []byte(value)) //nolint:errcheck // what is no key is nobody's
		case "endpoint":
			s.Endpoint, _ = netip.ParseAddrPort(value)
		case "last_handshake_time_sec":
			seconds = number
		case "last_handshake_time_nsec":
			nanos = number
		case "rx_bytes":
			s.Received = number
		case "tx_bytes":
			s.Sent = number
		}
		if seconds != 0 || nanos != 0 {
			s.LastHandshake = time.Unix(seconds, nanos)
		}
		known[key] = s
	}
	return known
}
