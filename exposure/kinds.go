package exposure

// The names of the kinds.
const (
	AdvertisingID  = "advertising-id"
	IDFV           = "idfv"
	AndroidID      = "android-id"
	AppSetID       = "app-set-id"
	InstallationID = "installation-id"
	IMEI           = "imei"
	MEID           = "meid"
	IMSI           = "imsi"
	ICCID          = "iccid"
	Serial         = "serial"
	MACAddress     = "mac-address"
	EUI64Address   = "eui64-address"
	SSID           = "ssid"
	BSSID          = "bssid"
	Email          = "e-mail"
	PhoneNumber    = "phone-number"
	Location       = "location"
	PushToken      = "push-token"
	AccessToken    = "access-token"
	LocalAddress   = "local-address"
	PublicAddress  = "public-address"
)

// A Kind is a class of identifiers.
type Kind struct {
	Name  string // "advertising-id"
	Title string // "advertising identifier"
	Why   string // what whoever gets it can do, for people who have never thought about it
	// Grave says that no server needs it, also one that the policy allows, unless the
	// policy says otherwise: identifiers that follow the device for good, and secrets in URLs.
	Grave bool

	// family is shared by the kinds of which one value can have several: the address of a
	// network card is in an IPv6 address, too. Lower ones are kept first where a book is full.
	family family
}

// Kinds lists every kind: those of the device first, then those of the installation, of
// the person, of the place and of the network.
var Kinds = kinds[:]

var kinds = [...]Kind{
	{AdvertisingID, "advertising identifier", "All apps on the device have the same one. Advertising companies use it to join what the person does in different apps.", true, software},
	{IMEI, "IMEI", "It is the number of the phone itself. It stays the same for the phone's whole life, also after a reset, and mobile networks know whose it is.", true, hardware},
	{MEID, "MEID", "It is the number of the phone itself. It stays the same for the phone's whole life, also after a reset, and mobile networks know whose it is.", true, hardware},
	{IMSI, "IMSI", "It is the number of the mobile subscription. The operator knows whose it is, and it moves with the SIM to the next phone.", true, hardware},
	{ICCID, "ICCID", "It is the number of the SIM card. The operator knows whose it is, and it moves with the SIM to the next phone.", true, hardware},
	{Serial, "serial number of the device", "It stays the same for the device's whole life, also after a reset, and the maker and the shop may know whose it is.", true, hardware},
	{MACAddress, "hardware address (MAC)", "It is built into the network card. It recognises the device in all apps and in every network that it joins.", true, hardware},
	{EUI64Address, "IPv6 address with the hardware address in it", "The hardware address of the network card can be read from it. It recognises the device in all apps and in every network that it joins.", true, hardware},
	{BSSID, "hardware address of the Wi-Fi access point (BSSID)", "Public maps list where access points stand: it tells where the person is, mostly to the house, without asking for the location.", true, network},
	{SSID, "name of the Wi-Fi network (SSID)", "Names of home and work networks are often unique: it tells where the person is, and who shares the place.", true, network},
	{AccessToken, "secret in a web address", "Web addresses are written to logs, histories and statistics. Whoever reads one of these can act as the person.", true, secret},

	{AndroidID, "Android ID", "It recognises the device in all apps of one developer, until the device is reset.", false, software},
	{IDFV, "vendor identifier (IDFV)", "It recognises the device in all apps of one developer, for as long as one of them is installed.", false, software},
	{AppSetID, "app set ID", "It recognises the device in all apps of one developer.", false, software},
	{InstallationID, "installation identifier", "It recognises the installation of the app, so that all that is done with it can be joined.", false, software},
	{PushToken, "push token", "It recognises the installation of the app, and is the address at which the device can be reached.", false, software},

	{Email, "e-mail address", "It names the person, and is the same nearly everywhere: lists of different companies are joined by it.", false, person},
	{PhoneNumber, "phone number", "It names the person, and is the same nearly everywhere: lists of different companies are joined by it.", false, person},
	{Location, "precise location", "It tells where the person is. A few of them tell where they live and work, and thereby who they are.", false, whereabouts},

	{LocalAddress, "address of the device in the local network", "It helps to recognise the device among those that share a connection, and tells how the network is built.", false, network},
	{PublicAddress, "public address of the connection", "It tells the provider and roughly the place, and joins what the devices of one household do.", false, network},
}

// family is a set of kinds of which one value can have several.
type family int8

// The families, those that identify for longest first.
const (
	hardware family = iota
	software
	person
	secret
	network
	whereabouts
	strange // of a newer version
)

func familyOf(kind string) family {
	if i := order(kind); i < len(Kinds) {
		return Kinds[i].family
	}
	return strange
}
