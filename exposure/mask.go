package exposure

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"unicode/utf8"

	"telltale/flow/plain"
)

// maskID shows the first four characters of an identifier.
func maskID(t []byte) string { return shown(string(t[:min(4, len(t)/2)])) + "…" }

// maskText shows the first character of a text that somebody typed.
func maskText(t string) string {
	_, n := utf8.DecodeRuneInString(t)
	return shown(t[:n]) + "…"
}

// maskMAC shows the maker, and says where the system has made the address up.
func maskMAC(mac [6]byte) string {
	h := hex.EncodeToString(mac[:3])
	masked := h[:2] + ":" + h[2:4] + ":" + h[4:] + ":…"
	if mac[0]&2 != 0 {
		masked += " (random)"
	}
	return masked
}

// maskAddress shows the first half of an address of IPv4, and the first two groups of
// one of IPv6.
func maskAddress(ip netip.Addr) string {
	if ip.Is4() {
		parts := strings.SplitN(ip.String(), ".", 3)
		return parts[0] + "." + parts[1] + ".…"
	}
	parts := strings.SplitN(ip.StringExpanded(), ":", 3)
	return strings.TrimLeft(parts[0], "0") + ":…"
}

// maskEmail shows the first character and the domain.
func maskEmail(local, domain string) string { return maskText(local) + "@" + shown(domain) }

// maskPhone shows the country code and the last two digits.
func maskPhone(digits, country string) string {
	if country != "" {
		country = "+" + country
	}
	return country + "…" + digits[len(digits)-2:]
}

// shown makes a part of a value harmless.
func shown(t string) string {
	if plain.Is(t) {
		return t
	}
	return plain.Name(t, 60)
}
