package exposure

import "strings"

// A meaning is what the name of a member, parameter, field or header says of its value.
type meaning uint8

const (
	nothing meaning = iota
	anAdvertisingID
	anAdjustID // "adid": Adjust's own identifier, and others' advertising identifier
	aVendorID
	anAndroidID
	anAppSetID
	anInstallation
	aFID      // where only the form of Firebase's counts
	aDeviceID // of any sort: its form tells which
	anIMEI
	anIMEIOrMEID
	anMEID
	anIMSI
	anICCID
	aSerial
	aLooseSerial // "serial", which also counts things
	aMAC
	aBSSID
	anSSID
	anEmail
	aPhone
	aLatitude
	aLongitude
	aLatitudeE7
	aLongitudeE7
	aPlace // both, in one text
	aPushToken
	aSecret
	aSession // which is also how analytics number visits
	aToken   // which also is the public key of an app
	aPassword
	anAddress
	aVersion
	aPart    // "id", "value": what stands around it says what it is
	aSort    // "type", "key": says what the value beside it is
	ofServer // of the message and not of the device
)

// vocabulary is the names of each meaning, as words apart. The documents of these SDKs
// and services have them: Adjust (help.adjust.com, device identifiers), AppsFlyer (About
// device identifiers), Branch (Advertising identifiers for attribution), Singular (Types
// of device IDs), Kochava, Tenjin, Google (Ad Manager: rdid, idtype; GA4 Measurement
// Protocol; Firebase Installations REST), Meta (Graph API application/activities,
// Conversions API), Amplitude HTTP API, Mixpanel (Special properties), Segment Spec,
// OneSignal (players), Braze (/users/track), Snowplow (mobile_context), mParticle (IDSync),
// Adobe (identityMap), IAB OpenRTB 2.6 (3.2.18 Device: ifa, didsha1, macsha1, lat, lon).
var vocabulary = []struct {
	meaning meaning
	names   string
}{
	{anAdvertisingID, `idfa, apple idfa, ios idfa, gaid, android gaid, aaid, aifa, maid, madid, mad id, ifa, rdid, oaid, open idfa, android idfa, amid, amazon aid,
		fire aid, google aid, adv id, advid, advert id, advertid, advertising id, advertisingid, advertising identifier, advertisingidentifier,
		advertiser id, advertiserid, advertising tracking id, advertisingtrackingid, tracking id for ads, id for advertisers, idforadvertisers,
		identifier for advertising, google advertising id, googleadvertisingid, google ad id, googleadid, android advertising id, androidadvertisingid,
		android ad id, ios advertising id, gps adid, gpsadid, gps ad id, fire adid, fireadid, amazon ad id, amazon advertising id, amazonadid, amzn ad id, amznadid,
		amazon fire advertising id, open advertising id, huawei oaid, resettable device id, resettabledeviceid, device ifa, device advertising id,
		deviceadvertisingid, mobile ad id, mobileadid, mobile advertising id, mobile device id, mobiledeviceid, ga id, gms ad id, idfa raw, hms oaid, advertise id, advertiseid,
		doubleclick id, apple ad id, appleadid, play ad id, x appsflyer idfa, x appsflyer gaid, lowermd5 idfa`},
	{anAdjustID, `adid`},
	{aVendorID, `idfv, apple idfv, ios idfv, vendor id, vendorid, vendor identifier, vendoridentifier, ios vendor id, iosvendorid, identifier for vendor, identifierforvendor,
		identifier for vendors, id for vendor, idforvendor, vendor device id, device idfv, deviceidfv, ifv, apple vendor id`},
	{anAndroidID, `android id, androidid, ssaid, secure android id, secureandroidid, android device id, androiddeviceid, secure id, android secure id, andi, android uid, settings secure android id`},
	{anAppSetID, `app set id, appsetid, appset id, asid, app set`},
	{anInstallation, `fid, firebase instance id, firebaseinstanceid, firebase installation id, firebaseinstallationid, firebase id, firebase iid, app instance id, appinstanceid,
		installation id, installationid, installation uuid, installationuuid, install id, installid, install uuid, install guid, instance id, instanceid, app install id,
		anonymous id, anonymousid, anon id, anonid, fb anon id, distinct id, distinctid, device id unique, appsflyer id, appsflyerid, appsflyer uid, af id, af uid, kochava device id, branch id,
		device fingerprint id, randomized device token, randomizeddevicetoken, randomized bundle token, ios uuid, persistent ios uuid, adjust id, braze install id, onesignal id, player id, playerid,
		subscription id, mpid, mp device id, client instance id, installation identifier, instance identifier, singular device id, sdid, openudid, open udid, analytics user id, analyticsuserid, idfi, applovin random token,
		compass random token, x instance id, x installation id, x firebase installation id, players, installations, google analytics client id, segment anonymous id, mixpanel distinct id, braze device id, instabug uuid, bugsnag device id, crashlytics install id, crashlytics installation uuid, app uuid`},
	{aFID, `appid, app id, x appid, iid, instance, installation`},
	{aDeviceID, `device id, deviceid, android uuid, device uuid, deviceuuid, device identifier, deviceidentifier, device uid, unique device id, uniquedeviceid, unique device identifier,
		udid, did, duid, hardware id, hardwareid, hw id, hwid, device guid, device unique id, external device id, client device id, x device id, deviceids, devices, guid device, unique id, uniqueid, native device id, phone id`},
	{anIMEI, `imei, imei1, imei2, imeis, device imei, deviceimei, phone imei, imei sv, imeisv, imei number, didmd5, didsha1`},
	{anIMEIOrMEID, `imei meid, meid imei, imei or meid, imeiormeid`},
	{anMEID, `meid, device meid, esn, meid1, meid2`},
	{anIMSI, `imsi, imsi1, imsi2, subscriber id, subscriberid, sim imsi, subscriber identity`},
	{anICCID, `iccid, icc id, sim serial, simserial, sim serial number, simserialnumber, sim id, simid, sim card number, iccid1, iccid2, icc`},
	{aSerial, `serial number, serialnumber, device serial, deviceserial, device serial number, deviceserialnumber, hardware serial, hardwareserial, build serial, buildserial, serialno, serial no, ro serialno, ro boot serialno,
		phone serial, android serial, hw serial, serial num`},
	{aLooseSerial, `serial`},
	{aMAC, `mac, mac address, macaddress, mac addr, macaddr, wifi mac, wifimac, wlan mac, wlanmac, wifi mac address, wlan0, wlan0 mac, device mac, devicemac, bluetooth mac, bluetooth address, bluetoothaddress, bt mac, btmac, bt address, bt addr,
		bd addr, bdaddr, ble mac, hardware address, hardwareaddress, hw addr, hwaddr, ether, ethernet mac, eth mac, eth0, eth0 mac, en0, macmd5, macsha1, dpid mac, physical address, fire tv mac, mac id, macid, mac sha1, mac md5, mac lower`},
	{aBSSID, `bssid, wifi bssid, wifibssid, ap mac, apmac, router mac, routermac, gateway mac, gatewaymac, access point mac, access point id, bss id, current bssid, network bssid, wifi router mac`},
	{anSSID, `ssid, wifi ssid, wifissid, wifi name, wifiname, wi fi name, wlan ssid, wlanssid, current ssid, network ssid, ap name, access point name, wifi network name, wifi network, ap ssid`},
	{anEmail, `email, e mail, mail, email address, emailaddress, e mail address, user email, useremail, customer email, login email, contact email, mail address, em, email lower, google email, email addr, emails,
		emailid, email id, primary email`},
	{aPhone, `phone, phone number, phonenumber, phone no, phoneno, mobile, mobile number, mobilenumber, mobile no, mobile phone, mobilephone, cell phone, cellphone, telephone, telephone number, tel, msisdn, line1 number, line1number,
		line number, user phone, userphone, customer phone, contact phone, contact number, cell number, sms number, whatsapp number, phone e164, phones, phone num, phonenum, ph, tel number, mdn, home phone, work phone`},
	{aLatitude, `lat, latitude, geo lat, geolat, geo latitude, gps lat, gps latitude, location lat, location latitude, user lat, loc lat, device lat, y lat, current lat, last latitude, l lat, last known lat, nav lat`},
	{aLongitude, `lon, lng, long, longitude, geo lon, geo lng, geo long, geolon, geolng, geo longitude, gps lon, gps lng, gps longitude, location lon, location lng, location longitude, user lon, user lng, loc lon, loc lng, device lon, device lng, current lon, last longitude, last known lon`},
	{aLatitudeE7, `latitude e7, latitudee7, lat e7, late7, latitude e6, lat e6`},
	{aLongitudeE7, `longitude e7, longitudee7, lng e7, lnge7, lon e7, longitude e6, lon e6, lng e6`},
	{aPlace, `location, loc, ll, latlng, lat lng, lat lon, latlon, lat long, latlong, sll, lonlat, lng lat, coords, coordinates, coordinate, geo, geo location, geolocation, gps, gps location, geo point, geopoint, origin, near, u latlong accu, latlong accu,
		user location, current location, last location, last known location, my location, x location, x geo, geo uri, proximity`},
	{aPushToken, `push token, pushtoken, device token, devicetoken, fcm token, fcmtoken, fcm registration token, fcm id, gcm token, gcm id, gcm regid, gcm registration id, apns token, apnstoken, apns device token, apns id, apn token, push id, pushid,
		push device token, pushdevicetoken, push notification token, pushnotificationtoken, notification token, notificationtoken, registration id, registrationid, registration token, registrationtoken, reg id, regid,
		android token, ios token, ios push token, android push token, android devices, ios devices, identifier, push endpoint, expo push token, expopushtoken, hms token, uninstall token, af gcm token, fcm push token, voip token, remote notification token, subscription token, apns, fcm`},
	{aSecret, `access token, accesstoken, auth token, authtoken, id token, idtoken, refresh token, refreshtoken, jwt, bearer, bearer token, oauth token, oauthtoken, session token, sessiontoken, session key,
		jsessionid, phpsessid, asp net session id, x access token, x auth token, authorization, login token, user token, security token, api token, apitoken, secret, x amz security token, magic token, reset token, otp token, sso token, ticket, credential, auth key`},
	{aSession, `session, session id, sessionid, sid`},
	{aToken, `token, auth, key, api key, apikey`},
	{aPassword, `password, passwd, pwd, passphrase, pass, user password, login password, passcode, pin code, pincode`},
	{anAddress, `ip, ip address, ipaddress, ip addr, ipaddr, ipv4, ipv6, ipv4 address, ipv6 address, public ip, publicip, client ip, clientip, client ip address, external ip, externalip, wan ip, user ip, userip, device ip, deviceip, remote ip, remote addr, my ip, myip,
		real ip, x real ip, true client ip, x forwarded for, x client ip, internet ip, uip, local ip, localip, lan ip, lanip, internal ip, private ip, wifi ip, wifiip, wlan ip, gateway, gateway ip, router ip, local address, localaddress, local ip address, host ip,
		ip v4, ip v6, addr, address, ips, dns server, dns servers, wifi ip address, dhcp server, netmask ip, candidate, sdp, network address, ip local, public address, public ip address`},
	{aVersion, `version, ver, v, app version, appversion, os version, osversion, sdk version, sdkversion, build, build version, release, firmware, revision, client version, user agent, useragent, ua, sec ch ua, sec ch ua full version list, browser version, product version, kernel version, model`},
	{aPart, `id, value, val, uid, uuid, guid, identity, data, content, v1, v2, identifier value, raw, address value`},
	{aSort, `type, name, key, kind, id type, idtype, identity type, identitytype, identifier type, identifiertype, device id type, deviceidtype, hardware id type, hardwareidtype, ifa type, source, namespace, k, field, attribute, label, param, cd`},
	{ofServer, `request id, requestid, x request id, trace id, traceid, span id, spanid, correlation id, correlationid, x correlation id, transaction id, transactionid, etag, if none match, if match, nonce, event id, eventid, event uuid, message id, messageid, msg id,
		insert id, insertid, idempotency key, idempotencykey, traceparent, tracestate, x b3 traceid, x b3 spanid, digest, hash, checksum, signature, sig, checksum sha256, order id, orderid, product id, sku, card id, cache key, x amz date, x amz request id, boundary, content md5,
		host, origin, referer, referrer, accept, accept language, accept encoding, content type, content length, content disposition, if modified since, date, last modified, sec websocket key, sec websocket protocol, connection, via, server, api secret, app secret, client secret, clientsecret, consumer secret, support email, noreply email, reply to, from email`},
}

// marks are words behind a name that say how its value is written.
var marks = []string{"", "md5", "sha1", "sha256", "sha512", "hash", "hashed", "lower", "upper", "lowermd5", "uppermd5", "lowersha1", "uppersha1", "lowersha256", "1", "2", "0", "raw", "str", "string", "hex", "encrypted", "value"}

// words are the meanings by names without what joins their words. Many texts are looked up,
// and few are there: known has a bit for the hash of each.
var (
	words = map[string]meaning{}
	known [1 << 11]uint64
)

func init() {
	for _, mark := range marks { // the bare names first: they win
		for _, v := range vocabulary {
			for name := range strings.SplitSeq(v.names, ",") {
				learn(strings.Join(strings.Fields(name), "")+mark, v.meaning)
			}
		}
	}
}

func learn(word string, m meaning) {
	if _, taken := words[word]; taken {
		return
	}
	words[word] = m
	h := nameSeed
	for i := len(word); i > 0; i-- {
		h = nameHash(h, word[i-1])
	}
	known[h>>6&(1<<11-1)] |= 1 << (h & 63)
}

const nameSeed = uint32(2166136261)

// nameHash is FNV-1, from the last letter to the first.
func nameHash(h uint32, c byte) uint32 { return (h ^ uint32(c)) * 16777619 }

// maxName is how much of a name is looked at, from its end.
const maxName = 64

// meaningOf returns what a name means, by its longest end that is known: "user_email" and
// "customer.homeEmail" are "email". Words are apart by what is no letter or digit, or by
// capitals.
func meaningOf(name string) meaning {
	name = name[max(0, len(name)-maxName):]
	var room [maxName]byte
	at, h, found := len(room), nameSeed, nothing
	for i := len(name) - 1; i >= 0; i-- {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
		default:
			continue
		}
		at--
		room[at] = c
		h = nameHash(h, c)
		if known[h>>6&(1<<11-1)]&(1<<(h&63)) == 0 || !beginsWord(name, i) {
			continue
		}
		if m, ok := words[string(room[at:])]; ok {
			found = m
		}
	}
	return found
}

// beginsWord reports whether a word begins at name[i].
func beginsWord(name string, i int) bool {
	if i == 0 || !alphanumeric(name[i-1]) {
		return true
	}
	before, c := name[i-1], name[i]
	if isUpper(c) {
		return !isUpper(before) || i+1 < len(name) && isLower(name[i+1])
	}
	return false
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func alphanumeric(c byte) bool { return isUpper(c) || isLower(c) || isDigit(c) }
