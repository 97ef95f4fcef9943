package proxy

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"telltale/flow"
)

// deniedError refuses a destination. It is not trouble of the network: the proxy
// keeps devices from reaching, through it, what only this machine can reach.
type deniedError struct {
	addr netip.Addr
	what string
}

func (e *deniedError) Error() string {
	if e.what == apartNetwork {
		return fmt.Sprintf("%s is %s, which it may not reach through the proxy (--allow-network %s lets it)", e.addr, e.what, e.addr)
	}
	return fmt.Sprintf("%s is %s, which devices may not reach through the proxy", e.addr, e.what)
}

// Hint names the flag that lifts the refusal.
func (e *deniedError) Hint() string {
	switch {
	case isMetadata(e.addr):
		return "telltale record --resolve HOST:PORT:" + e.addr.String()
	case e.what == apartNetwork:
		return "telltale record --allow-network " + e.addr.String()
	}
	return "telltale record --allow-local"
}

// guard refuses the addresses that belong to this machine or its link, to the
// services of a cloud for its machines, and to networks that the client is not in: a
// device must not get through us to what trusts us. It sees addresses, after the
// name was resolved, so that no name can be made to get round it.
//
// Asking where the client of a tunnel is may wait for the tunnel's packets to be taken:
// whoever takes them guards no private destination (see guardWaits).
func (d *dialer) guard(client, a netip.Addr) error {
	all := forms(a)
	for _, form := range all {
		if isMetadata(form) {
			return &deniedError{a.Unmap(), "a cloud's metadata service"}
		}
	}
	if d.cfg.AllowLocal {
		return nil
	}
	private := false
	for _, form := range all {
		if what := local(form); what != "" {
			return &deniedError{a.Unmap(), what}
		}
		if d.network.owns(form) {
			return &deniedError{a.Unmap(), ownAddress}
		}
		if d.network.broadcasts(form) {
			return &deniedError{a.Unmap(), "a broadcast address"}
		}
		private = private || isNetworkOfItsOwn(form)
	}
	from, err := d.network.route(a.Unmap())
	switch {
	case err == nil && from == a.Unmap(): // since a moment, and not listed yet
		return &deniedError{a.Unmap(), ownAddress}
	case !private || d.allows(a.Unmap()):
		return nil
	}
	at, near := d.network.place(client)
	switch {
	case near && d.network.inside(at):
		return nil
	case err != nil:
		return err // as connecting would fail
	case !near || d.network.apart(at, from):
		return &deniedError{a.Unmap(), apartNetwork}
	}
	return nil
}

// guardWaits reports whether guarding a destination may wait for other packets.
func (d *dialer) guardWaits(client, a netip.Addr) bool {
	return d.network.tunnelled(client) && slices.ContainsFunc(forms(a), isNetworkOfItsOwn)
}

const (
	ownAddress   = "an address of this machine"
	apartNetwork = "in another network of this machine than the device"
)

// allows reports whether the operator named a network that a is in.
func (d *dialer) allows(a netip.Addr) bool {
	for _, p := range d.cfg.AllowNetworks {
		if p.Contains(a.WithZone("")) {
			return true
		}
	}
	return false
}

// isNetworkOfItsOwn reports whether an address means different machines in
// different networks.
func isNetworkOfItsOwn(a netip.Addr) bool {
	return a.IsPrivate() || sharedSpace.Contains(a) || siteLocal.Contains(a)
}

// guardName guards a destination that the upstream proxy will resolve: all that
// can be told from here is what the name itself says.
func (d *dialer) guardName(client netip.Addr, host string) error {
	name := flow.CanonicalHost(host)
	for _, s := range []string{host, name} {
		if addr, err := netip.ParseAddr(s); err == nil {
			return d.guard(client, addr)
		}
	}
	if addr, ok := numbersAddr(name); ok {
		return d.guard(client, addr)
	}
	if metadataNames[name] {
		return &deniedError{metadataService, "a cloud's metadata service"}
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

// isMetadata reports whether an address is that of a service that a cloud offers to
// its machines alone, credentials included. They are refused with --allow-local too:
// who tests against a server on this machine does not mean these.
func isMetadata(a netip.Addr) bool {
	for _, p := range metadataServices {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// metadataService is the address that most clouds use.
var metadataService = netip.MustParseAddr("169.254.169.254")

// metadataServices are the addresses of such services, from the documentation of
// their vendors.
var metadataServices = prefixes(
	"169.254.169.254/32",     // AWS, Azure, Google, Oracle, DigitalOcean, OpenStack
	"169.254.170.2/32",       // AWS: credentials of ECS tasks
	"169.254.170.23/32",      // AWS: EKS Pod Identity Agent
	"fd00:ec2::/32",          // AWS: IMDS at ::254, Pod Identity at ::23
	"fd20:ce::254/128",       // Google, on machines with IPv6 alone
	"168.63.129.16/32",       // Azure: WireServer
	"100.100.100.200/32",     // Alibaba
	"192.0.0.192/32",         // Oracle Cloud Classic
	"fd00:c1::a9fe:a9fe/128", // Oracle
	"169.254.42.42/32",       // Scaleway
	"fd00:42::42/128",        // Scaleway
	"fd00:a9fe:a9fe::1/128",  // Linode
	"fe80::a9fe:a9fe/128",    // OpenStack
)

// metadataNames are names of such services, for where an upstream proxy resolves.
var metadataNames = map[string]bool{
	"metadata.google.internal": true, "metadata.goog": true, "instance-data.ec2.internal": true,
}

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8") // RFC 1122, 3.2.1.3
	broadcast   = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	siteLocal   = netip.MustParsePrefix("fec0::/10") // RFC 3879: deprecated, and still routed

	// Prefixes of IPv6 whose addresses stand for an IPv4 address.
	nat64      = netip.MustParsePrefix("64:ff9b::/96")    // RFC 6052, 2.1
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48")  // RFC 8215
	sixToFour  = netip.MustParsePrefix("2002::/16")       // RFC 3056, 2
	teredo     = netip.MustParsePrefix("2001::/32")       // RFC 4380, 4
	compatible = netip.MustParsePrefix("::/96")           // RFC 4291, 2.5.5.1
	translated = netip.MustParsePrefix("::ffff:0:0:0/96") // RFC 2765, 2.1
)

// forms returns the address and the IPv4 addresses that it may stand for.
func forms(a netip.Addr) []netip.Addr {
	a = a.Unmap().WithZone("")
	all := []netip.Addr{a}
	if a.Is4() {
		return all
	}
	b := a.As16()
	switch {
	case nat64.Contains(a), translated.Contains(a), compatible.Contains(a) && !a.IsLoopback() && !a.IsUnspecified():
		all = append(all, netip.AddrFrom4([4]byte(b[12:])))
	case nat64Local.Contains(a):
		all = append(all, embedded(b)...)
	case sixToFour.Contains(a):
		all = append(all, netip.AddrFrom4([4]byte(b[2:6])))
	case teredo.Contains(a): // its server, and its own address with all bits turned
		all = append(all, netip.AddrFrom4([4]byte(b[4:8])), netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}))
	}
	return all
}

// embedded reads an IPv4 address behind prefixes of all lengths that leave room for
// one below 64:ff9b:1::/48 (RFC 6052, 2.2; byte 8 is always zero). Which length a
// network uses is not known; a reading within 0.0.0.0/8 is a wrong one.
func embedded(b [16]byte) []netip.Addr {
	var all []netip.Addr
	for _, v4 := range [][4]byte{[4]byte(b[12:]), {b[6], b[7], b[9], b[10]}, {b[7], b[9], b[10], b[11]}, {b[9], b[10], b[11], b[12]}} {
		if v4[0] != 0 {
			all = append(all, netip.AddrFrom4(v4))
		}
	}
	return all
}
