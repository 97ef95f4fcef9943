package setup

import (
	"slices"
	"strings"
)

// Platform is one kind of device and what a person does to connect it.
type Platform struct {
	ID     string // as in `telltale setup ID`
	Name   string
	Steps  []Step   // the first one sets the proxy
	Undo   []Step   // when the audit is over
	Notes  []string // what will not be seen, and easier ways; in the markup of Step.Text
	brief  []string // the steps in three lines, in the same markup; nil: none
	mobile bool     // the device is never the machine that the proxy runs on
}

// Step is one thing to do.
type Step struct {
	// Text says what to do. What stands on the device's screen or is typed is
	// between backticks, what leads to Link is in square brackets. {host},
	// {port}, {page} and {authority} are filled in.
	Text string
	Link string // path that the handler serves; "" for none
	Why  string // what goes wrong without it, in the same markup; ""
	Code string // lines to copy; ""
}

// Platforms is the one list of platforms: page, terminal and completion follow it.
//
// Sources: iOS: support.apple.com, "Trust manually installed certificate
// profiles" (HT204477) and 101555 (services that refuse interception). Android:
// developer.android.com, "Network security configuration"; since API level 24
// apps trust the system's authorities alone. Firefox: support.mozilla.org, "Set
// up Certificate Authorities in Firefox".
var Platforms = []Platform{
	{
		ID: "ios", Name: "iPhone and iPad", mobile: true,
		Steps: []Step{
			{Text: "`Settings › Wi-Fi`: tap the info button beside the network, then `Configure Proxy › Manual`. Server `{host}`, port `{port}`, no authentication. Tap `Save`."},
			{Text: "[Download the profile] in Safari and tap `Allow`.", Link: profilePath,
				Why: "Other browsers may save it as a file instead of handing it to Settings."},
			{Text: "`Settings › General › VPN & Device Management › {authority} › Install`. Under `More Details` the SHA-256 fingerprint has to be the one given here."},
			{Text: "`Settings › General › About › Certificate Trust Settings`: switch on `{authority}`.",
				Why: "This is a second switch. Until it is on, the profile is installed and every app still refuses the connection."},
			{Text: "Close the app that you audit and open it again. Its connections appear in telltale."},
		},
		brief: []string{
			"`Settings › Wi-Fi`: info button, `Configure Proxy › Manual`. Server `{host}`, port `{port}`.",
			"Scan the code, tap `Download the profile`, and install it: `Settings › General › VPN & Device Management`.",
			"Switch it on: `Settings › General › About › Certificate Trust Settings`. Then restart the app.",
		},
		Undo: []Step{
			{Text: "`Settings › Wi-Fi`, the info button: `Configure Proxy › Off`."},
			{Text: "`Settings › General › VPN & Device Management › {authority} › Remove Profile`."},
		},
		Notes: []string{
			"iCloud Private Relay and VPNs hide connections from the proxy. Switch them off for the audit.",
			"Apps that pin their certificates, and Apple's own services, refuse to be read. They are recorded by name.",
		},
	},
	{
		ID: "android", Name: "Android", mobile: true,
		Steps: []Step{
			{Text: "`Settings › Network & internet › Internet`: the gear beside the network, the pencil, then `Advanced options › Proxy › Manual`. Host name `{host}`, port `{port}`. Tap `Save`."},
			{Text: "[Download the certificate]", Link: derPath},
			{Text: "In `Settings`, search for `CA certificate`, or go to `Security & privacy › More security & privacy › Encryption & credentials › Install a certificate › CA certificate`. Tap `Install anyway` and choose `telltale-ca.cer`.",
				Why: "Since Android 11 the download alone installs nothing, and every maker names these pages differently."},
			{Text: "`Encryption & credentials › Trusted credentials › User`: tap `{authority}`. Its SHA-256 fingerprint has to be the one given here."},
			{Text: "In an app of your own, trust user certificates in debug builds: this file, named by `android:networkSecurityConfig` in the manifest.",
				Why:  "Since Android 7 an app trusts the system's certificates alone, unless it says otherwise. Chrome does; most apps do not.",
				Code: "<network-security-config>\n  <debug-overrides>\n    <trust-anchors>\n      <certificates src=\"system\"/>\n      <certificates src=\"user\"/>\n    </trust-anchors>\n  </debug-overrides>\n</network-security-config>"},
			{Text: "Close the app that you audit and open it again. Its connections appear in telltale."},
		},
		brief: []string{
			"`Settings › Network & internet › Internet`: gear, pencil, `Proxy › Manual`. Host `{host}`, port `{port}`.",
			"Scan the code, tap `Download the certificate`. In `Settings`, search for `CA certificate` and install it.",
			"Apps trust it only if built to, as Chrome is (see `telltale setup android`). Restart the app.",
		},
		Undo: []Step{
			{Text: "Proxy of the network: `None`."},
			{Text: "`Encryption & credentials › Trusted credentials › User › {authority} › Remove`."},
		},
		Notes: []string{
			"Apps that you cannot rebuild need the certificate in the system's store: an emulator or a rooted device, and `telltale ca export --format android`.",
			"Flutter apps, and code that opens its own sockets, ignore the proxy setting: nothing of them is seen.",
			"Apps that pin their certificates, and Google's own services, refuse to be read. They are recorded by name.",
		},
	},
	{
		ID: "macos", Name: "macOS",
		Steps: []Step{
			{Text: "`System Settings › Wi-Fi › Details… › Proxies`: switch on `Web proxy (HTTP)` and `Secure web proxy (HTTPS)`, each with server `{host}` and port `{port}`."},
			{Text: "[Download the certificate] and open it, so that it is added to the `login` keychain.", Link: derPath},
			{Text: "In Keychain Access open `{authority}`, compare the SHA-256 fingerprint, and choose `Trust › When using this certificate › Always Trust`."},
		},
		Undo: []Step{
			{Text: "Switch both proxies off, and delete `{authority}` in Keychain Access."},
		},
		Notes: []string{
			"Firefox and Java keep certificates of their own. Command-line programs are easier with `telltale record -- COMMAND`, which needs none of these steps.",
		},
	},
	{
		ID: "windows", Name: "Windows",
		Steps: []Step{
			{Text: "`Settings › Network & internet › Proxy › Manual proxy setup › Set up`: address `{host}`, port `{port}`."},
			{Text: "[Download the certificate] and compare its SHA-256 fingerprint in a terminal.", Link: derPath,
				Code: "certutil -hashfile telltale-ca.cer SHA256"},
			{Text: "Open it: `Install Certificate… › Current User › Place all certificates in the following store › Trusted Root Certification Authorities`. Or, in the terminal:",
				Code: "certutil -user -addstore Root telltale-ca.cer"},
		},
		Undo: []Step{
			{Text: "Switch the proxy off, and delete `{authority}` in `certmgr.msc` under `Trusted Root Certification Authorities`."},
		},
		Notes: []string{
			"Firefox and Java keep certificates of their own. Command-line programs are easier with `telltale record -- COMMAND`, which needs none of these steps.",
		},
	},
	{
		ID: "linux", Name: "Linux",
		Steps: []Step{
			{Text: "GNOME: `Settings › Network › Proxy › Manual`, HTTP and HTTPS proxy `{host}`, port `{port}`. Other programs read variables:",
				Code: "export http_proxy=http://{address} https_proxy=http://{address}"},
			{Text: "[Download the certificate] and compare its SHA-256 fingerprint.", Link: pemPath,
				Code: "openssl x509 -in telltale-ca.pem -noout -fingerprint -sha256"},
			{Text: "Add it to the system's store:",
				Code: "# Debian, Ubuntu\nsudo install -m 644 telltale-ca.pem /usr/local/share/ca-certificates/telltale-ca.crt && sudo update-ca-certificates\n# Fedora, Arch\nsudo trust anchor telltale-ca.pem"},
			{Text: "Chromium has a store of its own:",
				Code: "certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n \"{authority}\" -i telltale-ca.pem"},
		},
		Undo: []Step{
			{Text: "Take the proxy out again, and the certificate:",
				Code: "# Debian, Ubuntu\nsudo rm /usr/local/share/ca-certificates/telltale-ca.crt && sudo update-ca-certificates --fresh\n# Fedora, Arch\nsudo trust anchor --remove telltale-ca.pem\n# Chromium\ncertutil -d sql:$HOME/.pki/nssdb -D -n \"{authority}\""},
		},
		Notes: []string{
			"Command-line programs are easier with `telltale record -- COMMAND`, which needs none of these steps.",
		},
	},
	{
		ID: "firefox", Name: "Firefox on a computer",
		Steps: []Step{
			{Text: "`Settings › General › Network Settings › Settings…`: `Manual proxy configuration`, HTTP proxy `{host}`, port `{port}`, and tick `Also use this proxy for HTTPS`."},
			{Text: "[Download the certificate] and Firefox asks: tick `Trust this CA to identify websites`; `View` shows the SHA-256 fingerprint to compare.", Link: derPath,
				Why: "If Firefox only saves the file: `Settings › Privacy & Security › View Certificates… › Authorities › Import…`"},
		},
		Undo: []Step{
			{Text: "`No proxy` in the same settings, and `View Certificates… › Authorities › {authority} › Delete or Distrust…`"},
		},
	},
}

// PlatformOf returns the platform that a User-Agent names, the first of the list
// when it names none. An iPad that asks for desktop sites calls itself a Mac.
func PlatformOf(userAgent string) Platform {
	if p, ok := platformNamed(userAgent); ok {
		return p
	}
	return Platforms[0]
}

// platformNamed returns the platform that a User-Agent names; ok tells whether
// it names one.
func platformNamed(userAgent string) (_ Platform, ok bool) {
	ua := strings.ToLower(userAgent)
	for _, sign := range []struct{ text, id string }{ // the first that fits
		{"iphone", "ios"}, {"ipad", "ios"}, {"ipod", "ios"}, {"android", "android"},
		{"firefox/", "firefox"},
		{"macintosh", "macos"}, {"windows", "windows"}, {"linux", "linux"}, {"x11; cros", "linux"},
	} {
		if strings.Contains(ua, sign.text) {
			return Platforms[slices.IndexFunc(Platforms, func(p Platform) bool { return p.ID == sign.id })], true
		}
	}
	return Platform{}, false
}

// Steps returns the steps for a platform as plain text for a terminal, one
// string each; further lines of a step are to be indented like the first.
func Steps(platform Platform, at Place) []string {
	return plainSteps(platform.Steps, at)
}

// UndoSteps returns what takes the proxy and the certificate off a device again,
// in the form of [Steps].
func UndoSteps(platform Platform, at Place) []string {
	return plainSteps(platform.Undo, at)
}

func plainSteps(steps []Step, at Place) []string {
	var lines []string
	for _, step := range steps {
		lines = append(lines, step.plain(at))
	}
	return lines
}

// Brief returns the steps for a platform in three, for a screen that shows the
// QR code of the set-up page beside them; each fits two lines of 60 columns.
// There are none for computers, which nobody connects by scanning a code.
func Brief(platform Platform, at Place) []string {
	var steps []string
	for _, step := range platform.brief {
		var b strings.Builder
		for _, part := range parse(step, at) {
			b.WriteString(part.Text)
		}
		steps = append(steps, b.String())
	}
	return steps
}

// String returns the step as plain text, with words where the place of the proxy
// would stand.
func (s Step) String() string {
	return s.plain(Place{Host: "this machine's address", Port: "the proxy's port", Authority: "the telltale CA"})
}

func (s Step) plain(at Place) string {
	var b strings.Builder
	for _, part := range parse(s.Text, at) {
		b.WriteString(part.Text)
		if part.Kind == linkPart {
			b.WriteString(" (http://" + Host + s.Link + ")")
		}
	}
	if s.Why != "" {
		b.WriteString("\n")
		for _, part := range parse(s.Why, at) {
			b.WriteString(part.Text)
		}
	}
	if s.Code != "" {
		b.WriteString("\n\n  " + strings.ReplaceAll(fill(s.Code, at), "\n", "\n  ") + "\n")
	}
	return b.String()
}

// part is a run of text of one kind.
type part struct {
	Kind string
	Text string
}

// Kinds of parts.
const (
	plainPart   = "plain"
	literalPart = "literal" // stands on the screen, or is typed
	linkPart    = "link"
)

// fill puts the place into a text.
func fill(text string, at Place) string {
	return strings.NewReplacer("{host}", at.Host, "{port}", at.Port, "{address}", at.String(),
		"{page}", at.Page(), "{authority}", at.Authority).Replace(text)
}

// parse parts a text in the markup of [Step]. The place is filled in afterwards,
// so that nothing in it can be taken for markup.
func parse(text string, at Place) []part {
	var parts []part
	for text != "" {
		kind, end := plainPart, strings.IndexAny(text, "`[")
		switch {
		case end < 0:
			end = len(text)
		case end == 0 && text[0] == '`':
			kind, text = literalPart, text[1:]
			end = strings.IndexByte(text, '`')
		case end == 0:
			kind, text = linkPart, text[1:]
			end = strings.IndexByte(text, ']')
		}
		if end < 0 { // never closed; a test keeps that out of the table
			end = len(text)
		}
		parts = append(parts, part{kind, fill(text[:end], at)})
		text = text[end:]
		if kind != plainPart && text != "" {
			text = text[1:]
		}
	}
	return parts
}
