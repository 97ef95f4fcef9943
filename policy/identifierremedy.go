package policy

import "telltale/exposure"

// identifierRemedies says, for each kind of identifiers, what a developer can do instead
// of sending it. Names of settings are those of the vendors' documentation: Apple's
// AppTrackingTransparency and UIDevice, Android's "Best practices for unique identifiers".
var identifierRemedies = map[string]string{
	exposure.AdvertisingID: "Remove the kit that reads it, or switch its collection off before its first use: on Android take the permission com.google.android.gms.permission.AD_ID out of the merged manifest " +
		"(tools:node=\"remove\"), on iOS do not link AdSupport. To recognise an installation, make a random identifier of your own at first start.",
	exposure.IDFV:           "Make a random identifier of your own at first start in place of identifierForVendor: it can be deleted, and does not join the apps of one maker.",
	exposure.AndroidID:      "Make a random identifier of your own at first start in place of Settings.Secure.ANDROID_ID, which outlives a new installation of the app.",
	exposure.AppSetID:       "Make a random identifier of your own at first start in place of the App Set ID, which joins the apps of one maker.",
	exposure.InstallationID: "Switch the collection of the kit that makes it off until the user agreed (Firebase: delete() of Installations, and its components' *_COLLECTION_ENABLED settings), or remove the kit.",
	exposure.IMEI:           "Do not read it: Android gives it to no ordinary app since version 10. Make a random identifier of your own at first start.",
	exposure.MEID:           "Do not read it: Android gives it to no ordinary app since version 10. Make a random identifier of your own at first start.",
	exposure.IMSI:           "Do not read it: it names the SIM card, and with it the person who pays for it. The operator's code (MCC and MNC) is enough to know the network.",
	exposure.ICCID:          "Do not read it: it names the SIM card, and with it the person who pays for it. The operator's code (MCC and MNC) is enough to know the network.",
	exposure.Serial:         "Do not read Build.getSerial or the like. Make a random identifier of your own at first start.",
	exposure.MACAddress:     "Do not read the addresses of network interfaces, and do not scan for them. Make a random identifier of your own at first start.",
	exposure.EUI64Address:   "Do not send the device's addresses. The hardware address stands in this one: let the network or the device use privacy addresses (RFC 8981).",
	exposure.SSID:           "Do not read the network's name. Whether there is Wi-Fi can be asked without it.",
	exposure.BSSID:          "Do not read the address of the access point: public maps turn it into a place. Whether there is Wi-Fi can be asked without it.",
	exposure.Email:          "Send a random identifier of the account in its place. A hash of the address is no protection: whoever has a list of addresses recognises it.",
	exposure.PhoneNumber:    "Send a random identifier of the account in its place. A hash of the number is no protection: all numbers can be tried in minutes.",
	exposure.Location:       "Round it to what the purpose needs before it leaves the device (two decimals are about a kilometre), ask for approximate location only, or keep it on the device.",
	exposure.PushToken:      "Give it to your own server alone, and let that one talk to the push service.",
	exposure.AccessToken:    "Send it in the header Authorization, never in the URL: URLs end up in logs of servers and proxies, and in the Referer of other sites. Withdraw the one that was sent.",
	exposure.LocalAddress:   "Leave it out: it means nothing outside the local network, except for telling devices apart behind one router.",
	exposure.PublicAddress:  "Leave it out: the server sees the address anyway. Sent as a value it gets into the records of whoever analyses the content.",
}

// identifierRemedy returns what to do about a kind.
func identifierRemedy(kind string) string {
	if remedy, ok := identifierRemedies[kind]; ok {
		return remedy
	}
	return "Find what puts it into the request, by a search for its name in the unpacked app and its dependencies, and remove it."
}
