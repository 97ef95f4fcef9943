package setup

import (
	"slices"
	"strings"

	"telltale/useragent"
)

// Platform is one kind of device and what a person does to connect it.
type Platform struct {
	ID     string // as in `telltale setup ID`
	Name   string
	Steps  []Step   // by stage; the first one sets the proxy
	Undo   []Step   // when the audit is over
	Notes  []string // what will not be seen, and easier ways; in the markup of Step.Text
	brief  []string // the steps in three lines, in the same markup; nil: none
	mobile bool     // the device is never the machine that the proxy runs on
}

// Step is one thing to do.
type Step struct {
	Stage Stage
	// Text says what to do. What stands on the device's screen or is typed is
	// between backticks, what leads to Link is in square brackets. {host},
	// {port}, {page}, {authority} and {android} are filled in.
	Text string
	Link string // path that the handler serves, {android} filled in; "" for none
	Why  string // what goes wrong without it, in the same markup; ""
	Code string // lines to copy; ""
}

// Stage is the part of connecting a device that a step belongs to. The page ticks
// each of them.
type Stage int

// The stages, in their order.
const (
	SetProxy Stage = iota
	TrustAuthority
	OpenApp
)

// What several platforms have in common.
const (
	restartApp = "Close the app that you audit and open it again. Its connections appear in telltale."
	restartOne = "Close the program that you audit and start it again. Its connections appear in telltale."
	ownStores  = "Java, and most command-line programs, keep certificates of their own. Command-line programs are easier with `telltale record -- COMMAND`, which needs none of these steps."
	noVPN      = "A VPN leads round the proxy. Switch it off for the audit."
)

// debugTrust lets debug builds of an Android app trust what the user installed.
const debugTrust = "<network-security-config>\n  <debug-overrides>\n    <trust-anchors>\n      <certificates src=\"system\"/>\n      <certificates src=\"user\"/>\n    </trust-anchors>\n  </debug-overrides>\n</network-security-config>"

// androidProxy is how Android 13 to 16 set the proxy, and Samsung's One UI 5 to 8.
var androidProxy = []Step{
	{Stage: SetProxy, Text: "`Settings › Network & internet › Internet`: the gear beside the network, the pencil, then `Advanced options › Proxy › Manual`. Host name `{host}`, port `{port}`. Tap `Save`.",
		Why: "Samsung: `Settings › Connections › Wi-Fi`, the gear, `View more › Proxy › Manual`. Leave `Bypass proxy for` empty: what it names is not seen."},
}

// androidTrust is how they install an authority.
var androidTrust = []Step{
	{Stage: TrustAuthority, Text: "[Download the certificate]", Link: derPath},
	{Stage: TrustAuthority, Text: "In `Settings`, search for `CA certificate`, or go to `Security & privacy › More security & privacy › Encryption & credentials › Install a certificate › CA certificate`. Tap `Install anyway` and choose `telltale-ca.cer`.",
		Why: "Samsung: `Security and privacy › More security settings › Install from phone storage › CA certificate`. Since Android 11 the download alone installs nothing. A screen lock is needed."},
	{Stage: TrustAuthority, Text: "`Encryption & credentials › Trusted credentials › User`: tap `{authority}`. Its SHA-256 fingerprint has to be the one given here."},
}

var androidUndo = []Step{
	{Text: "Proxy of the network: `None`."},
	{Text: "`Encryption & credentials › Trusted credentials › User › {authority} › Remove`. Samsung: `More security settings › View security certificates › User`."},
}

// Platforms is the one list of platforms: page, terminal and completion follow it.
//
// It is written for iOS 26, Android 16, One UI 8, macOS 26 and Windows 11. The words
// on their screens were not compared with each version, and those of Samsung, Lockdown
// Mode and Private Relay have no source that was read. These have:
//   - iOS, the second switch: Apple Support, "Trust manually installed certificate
//     profiles in iOS and iPadOS" (102390); services that refuse to be read: "Use
//     Apple products on enterprise networks" (101555).
//   - Android, which apps trust a user's certificate: developer.android.com, "Network
//     security configuration"; the warning with Install anyway: AOSP's Settings,
//     certificate_warning_install_anyway.
//   - Firefox follows the system's store since version 120: support.mozilla.org,
//     "Automatically trust third-party root certificates". The release notes of 120
//     count Android among the systems on which it does; guides of later years, as
//     AdGuard's "Firefox certificates", have the hidden switch, and so do the steps here.
//   - Chromium on Linux, the folder of its store and the command: a browser does these
//     steps in a test (cmd, TestPageTicksInABrowser).
var Platforms = []Platform{
	{
		ID: "ios", Name: "iPhone and iPad", mobile: true,
		Steps: []Step{
			{Stage: SetProxy, Text: "`Settings › Wi-Fi`: tap the info button beside the network, then `Configure Proxy › Manual`. Server `{host}`, port `{port}`, no authentication. Tap `Save`."},
			{Stage: TrustAuthority, Text: "[Download the profile] in Safari and tap `Allow`.", Link: profilePath,
				Why: "Other browsers may save it as a file instead of handing it to Settings."},
			{Stage: TrustAuthority, Text: "`Settings › General › VPN & Device Management › {authority} › Install`. Under `More Details` the SHA-256 fingerprint has to be the one given here."},
			{Stage: TrustAuthority, Text: "`Settings › General › About › Certificate Trust Settings`: switch on `{authority}`.",
				Why: "This is a second switch. Until it is on, the profile is installed and every app still refuses the connection."},
			{Stage: OpenApp, Text: restartApp},
		},
		brief: []string{
			"`Settings › Wi-Fi`: info button, `Configure Proxy › Manual`. Server `{host}`, port `{port}`.",
			"Scan the code, tap `Download the profile`, and install it: `Settings › General › VPN & Device Management`.",
			"Switch it on: `Settings › General › About › Certificate Trust Settings`. Then restart the app.",
		},
		Undo: []Step{
			{Text: "`Settings › Wi-Fi`, the info button: `Configure Proxy › Off`."},
			{Text: "`Settings › General › VPN & Device Management › {authority} › Remove Profile`.",
				Why: "If you let a profile set the proxy, it is listed there too, as `{authority} with Wi-Fi proxy`."},
			{Text: "`Settings › General › About › Certificate Trust Settings`: `{authority}` must be gone."},
		},
		Notes: []string{
			"iCloud Private Relay and VPNs lead round the proxy. Switch them off for the audit: `Settings › (your name) › iCloud › Private Relay`.",
			"The proxy belongs to this one Wi-Fi network. What goes by mobile data is not seen: switch `Mobile Data` off, called `Cellular Data` in some regions.",
			"Lockdown Mode keeps profiles from being installed.",
			"Apps that pin their certificates, and Apple's own services, refuse to be read. They are recorded by name.",
		},
	},
	{
		ID: "android", Name: "Android", mobile: true,
		Steps: slices.Concat(androidProxy, androidTrust, []Step{
			{Stage: OpenApp, Text: restartApp},
			{Stage: OpenApp, Text: "In an app of your own, trust user certificates in debug builds: this file, named by `android:networkSecurityConfig` in the manifest.",
				Why:  "Since Android 7 an app trusts the system's certificates alone, unless it says otherwise. Chrome does; most apps do not.",
				Code: debugTrust},
			{Stage: OpenApp, Text: "[The system store's file] is for apps that you cannot rebuild: it goes to an emulator or a rooted device. See `telltale setup android`.", Link: "/{android}"},
		}),
		brief: []string{
			"`Settings › Network & internet › Internet`: gear, pencil, `Proxy › Manual`. Host `{host}`, port `{port}`.",
			"Scan the code, tap `Download the certificate`. In `Settings`, search for `CA certificate` and install it.",
			"Apps trust it only if built to, as Chrome is (see `telltale setup android`). Restart the app.",
		},
		Undo: androidUndo,
		Notes: []string{
			"The proxy belongs to this one Wi-Fi network. What goes by mobile data is not seen: switch it off. " + noVPN,
			"Flutter apps, and code that opens its own sockets, ignore the proxy setting: nothing of them is seen.",
			"Apps that pin their certificates, and Google's own services, refuse to be read. They are recorded by name.",
		},
	},
	{
		ID: "firefox-android", Name: "Firefox for Android", mobile: true,
		Steps: slices.Concat(androidProxy, androidTrust, []Step{
			{Stage: TrustAuthority, Text: "In Firefox, `Settings › About Firefox`: tap the logo until it says that the debug menu is enabled. Then `Settings › Secret Settings › Use third party CA certificates`, and restart Firefox.",
				Why: "Without this switch Firefox trusts its own list alone, whatever the device trusts."},
			{Stage: OpenApp, Text: "Open the page that you audit. Its connections appear in telltale."},
		}),
		Undo: slices.Concat([]Step{{Text: "`Settings › Secret Settings › Use third party CA certificates`: off."}}, androidUndo),
		Notes: []string{
			"Other apps of this device need other steps: see `Android`.",
			noVPN,
		},
	},
	{
		ID: "macos", Name: "macOS",
		Steps: []Step{
			{Stage: SetProxy, Text: "`System Settings › Wi-Fi › Details… › Proxies`: switch on `Web proxy (HTTP)` and `Secure web proxy (HTTPS)`, each with server `{host}` and port `{port}`.",
				Why: "On a cable: `System Settings › Network › Ethernet › Details… › Proxies`."},
			{Stage: TrustAuthority, Text: "[Download the certificate] and open it, so that it is added to the `login` keychain.", Link: derPath},
			{Stage: TrustAuthority, Text: "In Keychain Access, which Spotlight finds, open `{authority}`, compare the SHA-256 fingerprint, and choose `Trust › When using this certificate › Always Trust`. Or, in a terminal:",
				Code: "shasum -a 256 ~/Downloads/telltale-ca.cer\nsecurity add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db ~/Downloads/telltale-ca.cer"},
			{Stage: OpenApp, Text: restartOne},
		},
		Undo: []Step{
			{Text: "Switch both proxies off, and delete `{authority}` in Keychain Access. Or, in a terminal:",
				Code: "security delete-certificate -t -c \"{authority}\" ~/Library/Keychains/login.keychain-db"},
		},
		Notes: []string{
			"The certificate is trusted by this account alone. Safari, Chrome, Edge and Firefox follow it.",
			"iCloud Private Relay and VPNs lead round the proxy. Switch them off for the audit.",
			ownStores,
		},
	},
	{
		ID: "windows", Name: "Windows",
		Steps: []Step{
			{Stage: SetProxy, Text: "`Settings › Network & internet › Proxy › Manual proxy setup › Set up`: switch on `Use a proxy server`, address `{host}`, port `{port}`. Click `Save`."},
			{Stage: TrustAuthority, Text: "[Download the certificate] and compare its SHA-256 fingerprint in a terminal.", Link: derPath,
				Code: "certutil -hashfile telltale-ca.cer SHA256"},
			{Stage: TrustAuthority, Text: "Open it: `Install Certificate… › Current User › Place all certificates in the following store › Trusted Root Certification Authorities`. Or, in the terminal:",
				Code: "certutil -user -addstore Root telltale-ca.cer"},
			{Stage: OpenApp, Text: restartOne},
		},
		Undo: []Step{
			{Text: "Switch the proxy off, and delete `{authority}` in `certmgr.msc` under `Trusted Root Certification Authorities`. Or, in a terminal:",
				Code: "certutil -user -delstore Root \"{authority}\""},
		},
		Notes: []string{
			"Proxy and certificate are those of this account alone. Chrome, Edge and Firefox follow them; services of the system do not.",
			noVPN,
			ownStores,
		},
	},
	{
		ID: "linux", Name: "Linux",
		Steps: []Step{
			{Stage: SetProxy, Text: "GNOME: `Settings › Network › Proxy › Network Proxy`, configuration `Manual`, HTTP and HTTPS proxy `{host}`, port `{port}`. KDE: `System Settings › Proxy › Use manually specified proxy configuration`. Other programs read variables:",
				Code: "export http_proxy=http://{address} https_proxy=http://{address}"},
			{Stage: TrustAuthority, Text: "[Download the certificate] and compare its SHA-256 fingerprint.", Link: pemPath,
				Code: "openssl x509 -in telltale-ca.pem -noout -fingerprint -sha256"},
			{Stage: TrustAuthority, Text: "Add it to the system's store:",
				Code: "# Debian, Ubuntu\nsudo install -m 644 telltale-ca.pem /usr/local/share/ca-certificates/telltale-ca.crt && sudo update-ca-certificates\n# Fedora, Arch\nsudo trust anchor telltale-ca.pem"},
			{Stage: TrustAuthority, Text: "Chrome and Chromium have a store of their own, in `~/.pki/nssdb` or, since version 146, in `~/.local/share/pki/nssdb`. Or by hand: `chrome://certificate-manager › Installed by you › Trusted Certificates › Import`.",
				Code: "db=$HOME/.pki/nssdb; test -d $db || db=$HOME/.local/share/pki/nssdb\ncertutil -d sql:$db -A -t C,, -n \"{authority}\" -i telltale-ca.pem"},
			{Stage: OpenApp, Text: restartOne},
		},
		Undo: []Step{
			{Text: "Take the proxy out again, and the certificate:",
				Code: "# Debian, Ubuntu\nsudo rm /usr/local/share/ca-certificates/telltale-ca.crt && sudo update-ca-certificates --fresh\n# Fedora, Arch\nsudo trust anchor --remove telltale-ca.pem\n# Chromium\ndb=$HOME/.pki/nssdb; test -d $db || db=$HOME/.local/share/pki/nssdb\ncertutil -d sql:$db -D -n \"{authority}\""},
		},
		Notes: []string{
			"Chromium reads its store when it starts. Firefox keeps a store of its own: see `Firefox on a computer`.",
			"Command-line programs are easier with `telltale record -- COMMAND`, which needs none of these steps.",
		},
	},
	{
		ID: "chromeos", Name: "ChromeOS",
		Steps: []Step{
			{Stage: SetProxy, Text: "`Settings › Network › Wi-Fi`: choose the network, then `Proxy › Connection type › Manual proxy configuration`. HTTP and secure HTTP proxy `{host}`, port `{port}`. Click `Save`.",
				Why: "For a network that is shared by all accounts, switch on `Allow proxies for shared networks` first."},
			{Stage: TrustAuthority, Text: "[Download the certificate]", Link: pemPath},
			{Stage: TrustAuthority, Text: "Open `chrome://certificate-manager › Installed by you › Trusted Certificates › Import` and choose `telltale-ca.pem`. Its SHA-256 fingerprint has to be the one given here."},
			{Stage: OpenApp, Text: restartApp},
		},
		Undo: []Step{
			{Text: "`Connection type › Direct internet connection` in the settings of the network, and delete `{authority}` in `chrome://certificate-manager`."},
		},
		Notes: []string{
			"A managed device may forbid both. Android apps of the device trust what they trust on a phone: see `Android`.",
		},
	},
	{
		ID: "firefox", Name: "Firefox on a computer",
		Steps: []Step{
			{Stage: SetProxy, Text: "`Settings › General › Network Settings › Settings…`: `Manual proxy configuration`, HTTP proxy `{host}`, port `{port}`, and tick `Also use this proxy for HTTPS`.",
				Why: "`Use system proxy settings` is as good where the system's proxy is set."},
			{Stage: TrustAuthority, Text: "[Download the certificate] and Firefox asks: tick `Trust this CA to identify websites`; `View` shows the SHA-256 fingerprint to compare.", Link: derPath,
				Why: "If Firefox only saves the file: `Settings › Privacy & Security › View Certificates… › Authorities › Import…`"},
			{Stage: OpenApp, Text: "Open the page that you audit. Its connections appear in telltale."},
		},
		Undo: []Step{
			{Text: "`No proxy` in the same settings, and `View Certificates… › Authorities › {authority} › Delete or Distrust…`"},
		},
		Notes: []string{
			"On Windows and macOS, Firefox 120 and later trusts what the system trusts: its own list is not needed there.",
		},
	},
}

// PlatformOf returns the platform that a User-Agent names, the first of the list
// when it names none. An iPad that asks for desktop sites calls itself a Mac; the
// page's script finds out.
func PlatformOf(userAgent string) Platform {
	p, ok := platformNamed(userAgent)
	switch {
	case !ok:
		return Platforms[0]
	case p.ID == "android" && useragent.Parse(userAgent).App == firefox:
		p, _ = platformByID("firefox-android")
	}
	return p
}

// firefox is how package useragent calls the browser with settings of its own.
const firefox = "Firefox"

// platformNamed returns the platform that a User-Agent names, for Firefox on
// Android that of the device; ok tells whether it names one.
func platformNamed(userAgent string) (_ Platform, ok bool) {
	switch agent := useragent.Parse(userAgent); {
	case agent.OS == useragent.IOS:
		return platformByID("ios")
	case agent.OS == useragent.Android:
		return platformByID("android")
	case agent.OS == "":
		return Platform{}, false
	case agent.App == firefox:
		return platformByID("firefox")
	case agent.OS == useragent.Apple && !agent.Browser: // an app, and phones have more of them
		return platformByID("ios")
	case agent.OS == useragent.Apple, agent.OS == useragent.MacOS:
		return platformByID("macos")
	default:
		return platformByID(strings.ToLower(string(agent.OS)))
	}
}

// platformByID returns the platform of an ID; ok tells whether there is one.
func platformByID(id string) (_ Platform, ok bool) {
	i := slices.IndexFunc(Platforms, func(p Platform) bool { return p.ID == id })
	if i < 0 {
		return Platform{}, false
	}
	return Platforms[i], true
}
