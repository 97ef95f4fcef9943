package setup

import (
	"crypto/sha256"
	"fmt"

	"howett.net/plist"
)

// profile is a configuration profile (developer.apple.com, "Configuration
// Profile Reference", top level).
type profile struct {
	Content           []rootPayload `plist:"PayloadContent"`
	Description       string        `plist:"PayloadDescription"`
	DisplayName       string        `plist:"PayloadDisplayName"`
	Identifier        string        `plist:"PayloadIdentifier"`
	Organization      string        `plist:"PayloadOrganization"`
	RemovalDisallowed bool          `plist:"PayloadRemovalDisallowed"`
	Type              string        `plist:"PayloadType"`
	UUID              string        `plist:"PayloadUUID"`
	Version           int           `plist:"PayloadVersion"`
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

// Profile returns an iOS and macOS configuration profile that holds the root and
// nothing else: a payload with the proxy would need the network's name, and
// would cut the device off when the proxy stops. Its identifiers follow from the
// certificate, so that a profile that is installed twice replaces itself, and
// one of another authority stays beside it.
func Profile(authority Authority) ([]byte, error) {
	root := authority.Certificate()
	name := root.Subject.CommonName
	sum := sha256.Sum256(root.Raw)
	identifier := fmt.Sprintf("telltale.ca.%x", sum[:8])
	encoded, err := plist.MarshalIndent(profile{
		Content: []rootPayload{{
			FileName:    "telltale-ca.cer",
			Certificate: root.Raw,
			Description: "Lets telltale read the encrypted connections of this device",
			DisplayName: name,
			Identifier:  identifier + ".root",
			Type:        "com.apple.security.root",
			UUID:        payloadUUID("root", root.Raw),
			Version:     1,
		}},
		Description: "Whoever has the private key of this authority can read the encrypted connections of this device. " +
			"Remove the profile when the audit is over. The certificate is valid until " + root.NotAfter.UTC().Format("2 January 2006") + ".",
		DisplayName:  name,
		Identifier:   identifier,
		Organization: "telltale",
		Type:         "Configuration",
		UUID:         payloadUUID("profile", root.Raw),
		Version:      1,
	}, plist.XMLFormat, "\t")
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
