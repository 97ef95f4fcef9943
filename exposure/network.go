package exposure

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// networkID looks for the addresses of devices and the names of networks.
func (s *search) networkID(m meaning, l leaf) bool {
	switch m {
	case aMAC, aBSSID:
		kind := MACAddress
		if m == aBSSID {
			kind = BSSID
		}
		if isHash(l.text) && len(l.text) != 12 {
			return s.addID(kind, l)
		}
		return s.mac(kind, l)
	case anSSID:
		return s.ssid(l)
	}
	if bytes.Contains(l.text, []byte("candidate:")) {
		return false // its form tells
	}
	if isMAC(l.text) {
		if m != anAddress && !bytes.ContainsAny(l.text, "abcdefABCDEF") {
			return false // six numbers may be anything
		}
		return s.mac(MACAddress, l)
	}
	return s.address(m, l)
}

// macOf returns the six octets of a hardware address, written with colons, hyphens or
// dots between them (IEEE 802, 8.1; Cisco), or with nothing.
func macOf(t []byte) (mac [6]byte, ok bool) {
	bare := t
	switch {
	case len(t) == 17 && (t[2] == ':' || t[2] == '-'):
		bare = make([]byte, 0, 12)
		for i, c := range t {
			if i%3 != 2 {
				bare = append(bare, c)
			} else if c != t[2] {
				return mac, false
			}
		}
	case len(t) == 14 && t[4] == '.' && t[9] == '.':
		bare = append(append(append(make([]byte, 0, 12), t[:4]...), t[5:9]...), t[10:]...)
	case len(t) != 12:
		return mac, false
	}
	n, err := hex.Decode(mac[:], bare)
	return mac, err == nil && n == 6
}

// isMAC reports whether a text is a hardware address with separators.
func isMAC(t []byte) bool {
	if len(t) != 17 && len(t) != 14 {
		return false
	}
	_, ok := macOf(t)
	return ok
}

// mac adds a hardware address of one card: not those of groups (IEEE 802, 8.2.2), nor
// the one that phones show in its place, nor those of documents (RFC 9542, 2.1.2).
func (s *search) mac(kind string, l leaf) bool {
	mac, ok := macOf(l.text)
	if !ok {
		return false
	}
	bare := hex.EncodeToString(mac[:])
	if mac[0]&1 != 0 || bare == "020000000000" || distinct([]byte(bare)) < 3 || strings.HasPrefix(bare, "00005e0053") || samples[bare] {
		return true
	}
	return s.add(kind, l, bare, maskMAC(mac))
}

// ssid adds the name of a Wi-Fi network, which has up to 32 bytes (IEEE 802.11, 9.4.2.2).
func (s *search) ssid(l leaf) bool {
	t := l.text
	if len(t) > 64 || !utf8.Valid(t) || isMAC(t) || isUUID(t) {
		return false
	}
	if allDigits(t) && len(t) < 4 {
		return false
	}
	return s.add(SSID, l, string(t), maskText(string(t)))
}

// looksLikeAddress is a cheap look: only then an address is read.
func looksLikeAddress(t []byte) bool {
	if len(t) < 3 || len(t) > 60 {
		return false
	}
	dots, colons := 0, 0
	for _, c := range t {
		switch {
		case c == '.':
			dots++
		case c == ':' || c == '-':
			colons++
		case c == '%' || c == '/' || c == '[' || c == ']':
		case !isHex(c):
			if colons < 2 || !bytes.ContainsRune(t, '%') {
				return false
			}
		}
	}
	return dots >= 2 || colons >= 2
}

// addressOf reads an address with or without its port, its zone or its prefix.
func addressOf(t []byte) (netip.Addr, bool) {
	text := string(t)
	if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return ip.WithZone("").Unmap(), true
	}
	if p, err := netip.ParseAddrPort(text); err == nil {
		return p.Addr().WithZone("").Unmap(), true
	}
	if p, err := netip.ParsePrefix(text); err == nil && p.Addr() != p.Masked().Addr() {
		return p.Addr().Unmap(), true
	}
	return netip.Addr{}, false
}

// never are addresses that belong to nobody: loopback and its like are told by netip;
// these are ranges for documents and for tests (RFC 5737, 3849, 9637, 2544, 6890).
var never = prefixes("192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20 198.18.0.0/15 192.0.0.0/24 240.0.0.0/4 0.0.0.0/8 100::/64")

// nearby are the ranges of local networks (RFC 1918, 3927, 6598, 4193, 4291).
var nearby = prefixes("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 100.64.0.0/10 fc00::/7 fe80::/10")

func prefixes(text string) []netip.Prefix {
	var all []netip.Prefix
	for f := range strings.FieldsSeq(text) {
		all = append(all, netip.MustParsePrefix(f))
	}
	return all
}

func within(ip netip.Addr, ranges []netip.Prefix) bool {
	for _, p := range ranges {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// address looks for addresses of the device. A list of them, as X-Forwarded-For has it,
// gives its first.
func (s *search) address(m meaning, l leaf) bool {
	if i := bytes.IndexAny(l.text, ", "); i > 0 {
		l.text = l.text[:i]
	}
	ip, ok := addressOf(l.text)
	if !ok || ip.IsLoopback() || ip.IsMulticast() || ip.IsUnspecified() || within(ip, never) || s.isServer(ip) {
		return false
	}
	if mac, ok := cardOf(ip); ok {
		return s.add(EUI64Address, l, hex.EncodeToString(mac[:]), maskAddress(ip)+" ("+maskMAC(mac)+")")
	}
	own := ip == s.flow.Client.Addr.Addr().Unmap().WithZone("")
	switch {
	case within(ip, nearby):
		// Versions look like addresses of 10.0.0.0/8: without a name these do not count.
		if m != anAddress && !own && ip.Is4() && ip.As4()[0] == 10 {
			return false
		}
		return s.add(LocalAddress, l, ip.String(), maskAddress(ip))
	case (m == anAddress || own) && ip.IsGlobalUnicast():
		return s.add(PublicAddress, l, ip.String(), maskAddress(ip))
	}
	return false
}

// maxCandidates is how many are taken from one text.
const maxCandidates = 32

// candidates adds the addresses at which a device can be called, as WebRTC tells them:
// "candidate:1 1 udp 2122260223 192.168.178.31 50123 typ host" (RFC 8839, 5.1).
func (s *search) candidates(l leaf) {
	n := 0
	for line := range bytes.SplitSeq(l.text, []byte("candidate:")) {
		if n++; n > maxCandidates {
			return
		}
		fields := bytes.Fields(line[:min(len(line), maxValue)])
		if len(fields) < 6 {
			continue
		}
		one := l
		one.text = fields[4]
		s.address(anAddress, one)
	}
}

// isServer reports whether an address is that of the server, or is called like it.
func (s *search) isServer(ip netip.Addr) bool {
	for _, a := range []netip.Addr{s.flow.Server.Dialed.Addr(), s.flow.Server.Destination.Addr()} {
		if a.IsValid() && a.Unmap().WithZone("") == ip {
			return true
		}
	}
	host, err := netip.ParseAddr(strings.Trim(s.host, "[]"))
	return err == nil && host.Unmap() == ip
}

// cardOf returns the hardware address in an IPv6 address that was made of one: ff:fe
// stands in its middle, and one bit is turned (RFC 4291, appendix A).
func cardOf(ip netip.Addr) (mac [6]byte, ok bool) {
	if !ip.Is6() {
		return mac, false
	}
	b := ip.As16()
	if b[11] != 0xff || b[12] != 0xfe || b[8]&3 != 2 { // of the maker, and of one card
		return mac, false
	}
	return [6]byte{b[8] ^ 2, b[9], b[10], b[13], b[14], b[15]}, true
}
