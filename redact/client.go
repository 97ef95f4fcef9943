package redact

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"telltale/flow"
)

// documentation are the addresses kept for documents (RFC 5737) that stand for those of
// clients: they belong to nobody, and the searches take none for an identifier.
var documentation = [][3]byte{{192, 0, 2}, {198, 51, 100}, {203, 0, 113}}

// Address returns the address that stands for that of a client, always the same: one of
// those for documents (RFC 5737; RFC 3849). One that the policy names stays, since the
// policy judges by it.
func (r *Redactor) Address(addr netip.Addr) netip.Addr {
	plain := addr.Unmap().WithZone("")
	if !plain.IsValid() || r.policy.DeviceName(plain) != "" {
		return addr
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if to, ok := r.addresses[plain]; ok {
		return to
	}
	to := r.newAddress(plain)
	r.addresses[plain], r.taken[to] = to, true
	r.masked[Client]++
	return to
}

// newAddress picks an address that stands for none yet. Of more clients than there are
// addresses of IPv4 for documents, the last ones have IPv6.
func (r *Redactor) newAddress(addr netip.Addr) netip.Addr {
	mac := hmac.New(sha256.New, r.key)
	mac.Write(append([]byte("address "), addr.AsSlice()...))
	sum := mac.Sum(nil)
	if addr.Is4() {
		const hosts = 254
		first := int(binary.BigEndian.Uint32(sum)) & (1<<30 - 1)
		for i := range hosts * len(documentation) {
			n := (first + i) % (hosts * len(documentation))
			net := documentation[n/hosts]
			if to := netip.AddrFrom4([4]byte{net[0], net[1], net[2], byte(n%hosts + 1)}); !r.taken[to] {
				return to
			}
		}
	}
	to := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	copy(to[8:], sum[8:])
	to[11] = 0 // never the form that a hardware address makes (RFC 4291, appendix A)
	return netip.AddrFrom16(to)
}

// arpa returns the name under which DNS keeps that of an address (RFC 1035, 3.5; RFC 3596, 2.5).
func arpa(addr netip.Addr) string {
	bytes := addr.AsSlice()
	slices.Reverse(bytes)
	var b strings.Builder
	for _, c := range bytes {
		if addr.Is4() {
			fmt.Fprintf(&b, "%d.", c)
		} else {
			fmt.Fprintf(&b, "%x.%x.", c&15, c>>4)
		}
	}
	if addr.Is4() {
		return b.String() + "in-addr.arpa"
	}
	return b.String() + "ip6.arpa"
}

// DeviceName returns the name that stands for that of a device, always the same; one that
// the policy gives stays.
func (r *Redactor) DeviceName(name string, addr netip.Addr) string {
	if name == "" || isMask(name) || r.policy.DeviceName(addr.Unmap().WithZone("")) == name {
		return name
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if to, ok := r.devices[name]; ok {
		return to
	}
	to := "redacted device " + r.letters("device "+name)
	r.devices[name] = to
	r.masked[Device]++
	return to
}

// client masks who made the contact: the User-Agents of apps, what TLS said and the names of
// apps stay.
func (m *masker) client(c flow.Client) flow.Client {
	c.Device = m.r.DeviceName(c.Device, c.Addr.Addr())
	if c.Addr.IsValid() {
		c.Addr = netip.AddrPortFrom(m.r.Address(c.Addr.Addr()), c.Addr.Port())
	}
	c.App.Name, c.App.ID = m.words(c.App.Name), m.words(c.App.ID)
	if h := c.Hello; h != nil {
		hello := *h
		hello.ServerName = m.host(h.ServerName)
		c.Hello = &hello
	}
	return c
}
