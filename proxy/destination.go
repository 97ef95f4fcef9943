package proxy

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"telltale/flow"
)

// deniedError refuses a destination. It is not trouble of the network: the proxy
// keeps devices from reaching, through it, what only this machine can reach.
type deniedError struct {
	addr netip.Addr
	what string
}

func (e *deniedError) Error() string {
	return fmt.Sprintf("%s is %s, which devices may not reach through the proxy", e.addr, e.what)
}

// Hint names the flag that lifts the refusal.
func (e *deniedError) Hint() string { return "telltale record --allow-local" }

// guard refuses the addresses that belong to this machine or its link: a device
// must not get through us to what trusts us. It sees addresses, after the name
// was resolved, so that no name can be made to get round it.
func (d *dialer) guard(a netip.Addr) error {
	if d.cfg.AllowLocal {
		return nil
	}
	for _, form := range forms(a) {
		if what := local(form); what != "" {
			return &deniedError{a.Unmap(), what}
		}
		if d.own.contains(form) {
			return &deniedError{a.Unmap(), "an address of this machine"}
		}
	}
	return nil
}

// guardName guards a destination that the upstream proxy will resolve: all that
// can be told from here is what the name itself says.
func (d *dialer) guardName(host string) error {
	name := flow.CanonicalHost(host)
	for _, s := range []string{host, name} {
		if addr, err := netip.ParseAddr(s); err == nil {
			return d.guard(addr)
		}
	}
	if addr, ok := numbersAddr(name); ok {
		return d.guard(addr)
	}
	if !d.cfg.AllowLocal && (name == "localhost" || strings.HasSuffix(name, ".localhost")) { // RFC 6761, 6.3
		return &deniedError{netip.AddrFrom4([4]byte{127, 0, 0, 1}), "loopback"}
	}
	return nil
}

// numbersAddr returns the IPv4 address that inet_aton, and browsers, read in a name
// of up to four numbers, decimal, octal or hexadecimal, of which the last fills
// the bytes that are left: 127.1, 0x7f000001 (URL Standard, IPv4 parser).
func numbersAddr(name string) (netip.Addr, bool) {
	parts := strings.Split(name, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	sum := uint64(0)
	for i, part := range parts {
		width := 1 // bytes of the address
		if i == len(parts)-1 {
			width = 4 - i
		}
		n, ok := legacyNumber(part)
		if !ok || n >= 1<<(8*width) {
			return netip.Addr{}, false
		}
		sum = sum<<(8*width) | n
	}
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(sum)))), true
}

// legacyNumber reads a number as C does: 0x for hexadecimal, 0 for octal.
func legacyNumber(s string) (uint64, bool) {
	base := 10
	switch hex, ok := strings.CutPrefix(strings.ToLower(s), "0x"); {
	case ok && hex == "":
		return 0, true
	case ok:
		s, base = hex, 16
	case len(s) > 1 && s[0] == '0':
		base = 8
	}
	n, err := strconv.ParseUint(s, base, 33)
	return n, err == nil
}

// local says what makes an address local, "" when nothing does.
func local(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "loopback"
	case a.IsLinkLocalUnicast(): // and with it the metadata services at 169.254.169.254
		return "link-local"
	case a.IsUnspecified() || thisNetwork.Contains(a):
		return "an unspecified address"
	case a.IsMulticast() || a == broadcast:
		return "a multicast address"
	}
	return ""
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8") // RFC 1122, 3.2.1.3
	broadcast   = netip.AddrFrom4([4]byte{255, 255, 255, 255})

	// Prefixes of IPv6 whose addresses stand for an IPv4 address.
	nat64      = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052, 2.1
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215; read as /96, the usual length
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056, 2
	compatible = netip.MustParsePrefix("::/96")          // RFC 4291, 2.5.5.1
)

// forms returns the address and the IPv4 address that it stands for, if any.
func forms(a netip.Addr) []netip.Addr {
	a = a.Unmap().WithZone("")
	all := []netip.Addr{a}
	if a.Is4() {
		return all
	}
	b := a.As16()
	switch {
	case nat64.Contains(a), nat64Local.Contains(a), compatible.Contains(a) && !a.IsLoopback() && !a.IsUnspecified():
		all = append(all, netip.AddrFrom4([4]byte(b[12:])))
	case sixToFour.Contains(a):
		all = append(all, netip.AddrFrom4([4]byte(b[2:6])))
	}
	return all
}

// ownFresh is how long this machine's addresses are remembered: asking costs a
// few system calls, and they change when a network is joined.
const ownFresh = 5 * time.Second

// ownAddresses knows this machine's addresses.
type ownAddresses struct {
	list func() ([]net.Addr, error)
	mu   sync.Mutex
	read time.Time
	set  map[netip.Addr]bool
}

func (o *ownAddresses) contains(a netip.Addr) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := time.Now(); o.set == nil || now.Sub(o.read) > ownFresh {
		o.refresh(now)
	}
	return o.set[a]
}

// refresh keeps what was known when the system does not say.
func (o *ownAddresses) refresh(now time.Time) {
	addrs, err := o.list()
	if err != nil && o.set != nil {
		return
	}
	o.read, o.set = now, make(map[netip.Addr]bool, len(addrs))
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(n.IP); ok {
				o.set[addr.Unmap()] = true
			}
		}
	}
}
