package setup

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"

	"howett.net/plist"
)

// profile is a configuration profile (developer.apple.com, "Configuration
// Profile Reference", top level).
type profile struct {
	Content           []any  `plist:"PayloadContent"`
	Description       string `plist:"PayloadDescription"`
	DisplayName       string `plist:"PayloadDisplayName"`
	Identifier        string `plist:"PayloadIdentifier"`
	Organization      string `plist:"PayloadOrganization"`
	RemovalDisallowed bool   `plist:"PayloadRemovalDisallowed"`
	Type              string `plist:"PayloadType"`
	UUID              string `plist:"PayloadUUID"`
	Version           int    `plist:"PayloadVersion"`
}

// rootPayload is a payload of the type com.apple.security.root (same source).
type rootPayload struct {
	FileName    string `plist:"PayloadCertificateFileName"`
	Certificate []byte `plist:"PayloadContent"` // DER
	Description string `plist:"PayloadDescription"`
	DisplayName string `plist:"PayloadDisplayName"`
	Identifier  string `plist:"PayloadIdentifier"`
	Type        string `plist:"PayloadType"`
	UUID        string `plist:"PayloadUUID"`
	Version     int    `plist:"PayloadVersion"`
}

// networkPayload is a payload of the type com.apple.wifi.managed, which may be
// installed by hand, without supervision (github.com/apple/device-management,
// mdm/profiles/com.apple.wifi.managed.yaml). EncryptionType is left out: its
// default, Any, joins WEP to WPA3.
type networkPayload struct {
	SSID        string `plist:"SSID_STR"`
	AutoJoin    bool   `plist:"AutoJoin"`
	ProxyType   string `plist:"ProxyType"`
	ProxyServer string `plist:"ProxyServer"`
	ProxyPort   int    `plist:"ProxyServerPort"`
	Description string `plist:"PayloadDescription"`
	DisplayName string `plist:"PayloadDisplayName"`
	Identifier  string `plist:"PayloadIdentifier"`
	Type        string `plist:"PayloadType"`
	UUID        string `plist:"PayloadUUID"`
	Version     int    `plist:"PayloadVersion"`
}

// Profile returns an iOS and macOS configuration profile that holds the root and
// nothing else: a payload with the proxy needs the network's name, and cuts the
// device off when the proxy stops. Its identifiers follow from the certificate,
// so that a profile that is installed twice replaces itself, and one of another
// authority stays beside it.
func Profile(authority Authority) ([]byte, error) {
	return newProfile(authority, "", "").encode()
}

// ProfileWithProxy returns a profile that holds the root and sets the proxy of
// one Wi-Fi network. Its identifiers are others than those of [Profile], so that
// neither replaces the other; they do not depend on the network, so that a name
// that was mistyped is replaced by the right one. An *SSIDError says that no
// network can have that name.
//
// It has no password, on purpose: a profile travels in clear, as does the request
// for it, which is recorded; and the profile keeps it on the device. Apple's
// reference leaves open what a device then does about a protected network. It has
// the password of one that it joined before, or can ask for it.
func ProfileWithProxy(authority Authority, ssid string, at Place) ([]byte, error) {
	if err := checkSSID(ssid); err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(at.Port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("configuration profile: port of the proxy: %w", err)
	}
	variant := ssid + "\x00" + at.String()
	p := newProfile(authority, "wifi", variant)
	p.DisplayName += " with Wi-Fi proxy"
	p.Description += " It also sends what this device does in one Wi-Fi network through telltale at " + at.String() +
		"; while telltale does not run, that network leads nowhere."
	p.Content = append(p.Content, networkPayload{
		SSID: ssid, AutoJoin: true,
		ProxyType: "Manual", ProxyServer: at.Host, ProxyPort: int(port),
		Description: "Sets the proxy of a Wi-Fi network to telltale at " + at.String(),
		DisplayName: "Wi-Fi " + ssid,
		Identifier:  p.Identifier + ".network",
		Type:        "com.apple.wifi.managed",
		UUID:        payloadUUID("network\x00"+variant, authority.Certificate().Raw),
		Version:     1,
	})
	return p.encode()
}

// newProfile returns a profile with the root. Those of one kind replace each
// other; variant is what may differ among them.
func newProfile(authority Authority, kind, variant string) profile {
	root := authority.Certificate()
	name := authority.Name()
	sum := sha256.Sum256(root.Raw)
	identifier := fmt.Sprintf("telltale.ca.%x", sum[:8])
	role := func(of string) string { return of }
	if kind != "" {
		identifier += "." + kind
		role = func(of string) string { return of + "\x00" + kind + "\x00" + variant }
	}
	return profile{
		Content: []any{rootPayload{
			FileName:    "telltale-ca.cer",
			Certificate: root.Raw,
			Description: "Lets telltale read the encrypted connections of this device",
			DisplayName: name,
			Identifier:  identifier + ".root",
			Type:        "com.apple.security.root",
			UUID:        payloadUUID(role("root"), root.Raw),
			Version:     1,
		}},
		Description: "Whoever has the private key of this authority can read the encrypted connections of this device. " +
			"Remove the profile when the audit is over. The certificate is valid until " + root.NotAfter.UTC().Format("2 January 2006") + ".",
		DisplayName:  name,
		Identifier:   identifier,
		Organization: "telltale",
		Type:         "Configuration",
		UUID:         payloadUUID(role("profile"), root.Raw),
		Version:      1,
	}
}

func (p profile) encode() ([]byte, error) {
	encoded, err := plist.MarshalIndent(p, plist.XMLFormat, "\t")
	if err != nil {
		return nil, fmt.Errorf("configuration profile: %w", err)
	}
	return encoded, nil
}

// payloadUUID returns a UUID that follows from a payload's role and the root
// (RFC 9562, 5.8: version 8, whose content is the maker's matter).
func payloadUUID(role string, root []byte) string {
	sum := sha256.Sum256(append([]byte("telltale "+role+"\x00"), root...))
	u := sum[:16]
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// maxSSID is the longest name of a network, in bytes (IEEE 802.11-2020, 9.4.2.2).
const maxSSID = 32

// SSIDError is the error of a name that a profile cannot give to a network.
type SSIDError struct{ Problem string }

// Error returns what is wrong with the name.
func (e *SSIDError) Error() string { return "name of the Wi-Fi network: " + e.Problem }

// Hint says what to do.
func (e *SSIDError) Hint() string {
	return "type it as Settings › Wi-Fi shows it, or set the proxy by hand"
}

// checkSSID reports whether a name can be that of a network in a profile: a
// device shows it, and XML holds it. Names that are no text exist, but a profile
// has no form for them.
func checkSSID(ssid string) error {
	switch {
	case ssid == "":
		return &SSIDError{"it is empty"}
	case len(ssid) > maxSSID:
		return &SSIDError{fmt.Sprintf("it has %d bytes, the longest has %d", len(ssid), maxSSID)}
	case !utf8.ValidString(ssid):
		return &SSIDError{"it is not UTF-8"}
	}
	const joiner = '\u200d' // of which emoji are made
	for _, r := range ssid {
		if !unicode.IsGraphic(r) && r != joiner {
			return &SSIDError{fmt.Sprintf("it has the character %U, which cannot be shown", r)}
		}
	}
	return nil
}
