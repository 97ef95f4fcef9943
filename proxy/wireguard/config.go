package wireguard

import (
	"fmt"
	"strings"
)

// MTU is that of the tunnel on both ends, in bytes: what fits into 1500 with the
// overhead of WireGuard over IPv6 (wg-quick(8) uses the same).
const MTU = 1420

// keepalive is how often, in seconds, a device sends an empty packet, so that a NAT
// between it and telltale keeps its place (wg(8), PersistentKeepalive).
const keepalive = 25

// Config returns the configuration of a device in the format of wg-quick(8): for a
// file, and for the QR code that the apps of WireGuard scan. The endpoint is the
// host:port under which the device reaches the tunnel's UDP port. It sends everything
// through the tunnel, over IPv4 and IPv6, and asks telltale for names. It is kept short,
// so that the code is coarse enough for a terminal: without a preshared key, which only
// adds to what already keeps strangers out, and with one address for DNS.
func (b *Book) Config(p Peer, endpoint string) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	var c strings.Builder
	fmt.Fprintf(&c, "[Interface]\nPrivateKey = %s\nAddress = %s/32, %s/128\nDNS = %s\nMTU = %d\n",
		p.private, p.IPv4, p.IPv6, host(b.state.IPv4, ownHost), MTU)
	fmt.Fprintf(&c, "\n[Peer]\nPublicKey = %s\n", b.public)
	fmt.Fprintf(&c, "AllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = %s\nPersistentKeepalive = %d\n", endpoint, keepalive)
	return []byte(c.String())
}
