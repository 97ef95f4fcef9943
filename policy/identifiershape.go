package policy

import (
	"net"
	"net/netip"
	"regexp"
	"strings"

	"telltale/exposure"
)

var (
	likeUUID     = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}$`)
	likeMail     = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s.]+$`)
	likePhone    = regexp.MustCompile(`^(\+|00)[1-9][0-9 ()./-]{6,20}[0-9]$`)
	likeNumber   = regexp.MustCompile(`^[0-9][0-9 -]{12,22}[0-9]$`)
	likeHex      = regexp.MustCompile(`^[0-9A-Fa-f]{14,16}$`)
	likePosition = regexp.MustCompile(`^-?[0-9]{1,3}\.[0-9]{2,}\s*[,;/ ]\s*-?[0-9]{1,3}\.[0-9]{2,}$`)
)

// kindsLike returns the kinds of identifiers that a value of never-send may be, by its
// form. Their names are those of package exposure.
func kindsLike(value string) []string {
	value = strings.TrimSpace(value)
	switch {
	case likeMail.MatchString(value):
		return []string{exposure.Email}
	case likeUUID.MatchString(value):
		return []string{exposure.AdvertisingID, exposure.IDFV, exposure.AppSetID, exposure.InstallationID}
	case isMAC(value):
		return []string{exposure.MACAddress, exposure.BSSID}
	case likePosition.MatchString(value):
		return []string{exposure.Location}
	case likePhone.MatchString(value):
		return []string{exposure.PhoneNumber}
	case likeNumber.MatchString(value):
		return []string{exposure.IMEI, exposure.IMSI, exposure.ICCID, exposure.MEID, exposure.PhoneNumber}
	case likeHex.MatchString(value):
		return []string{exposure.AndroidID, exposure.MEID}
	}
	if _, err := netip.ParseAddr(value); err == nil {
		return []string{exposure.LocalAddress, exposure.PublicAddress, exposure.EUI64Address}
	}
	return []string{exposure.SSID, exposure.Serial, exposure.PushToken, exposure.AccessToken, exposure.InstallationID, exposure.AdvertisingID}
}

// isMAC reports whether a text is a hardware address written with separators.
func isMAC(s string) bool {
	_, err := net.ParseMAC(s)
	return err == nil && strings.ContainsAny(s, ":-.")
}
