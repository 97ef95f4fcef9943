package setup

import (
	"strings"
	"unicode/utf8"

	"telltale/flow"
	"telltale/flow/plain"
)

// device is what the words about a device depend on.
type device int

const (
	unknownDevice device = iota
	appleDevice
	androidDevice
	otherDevice // a computer, whose menus are in Platforms
)

// device tells the platform from the User-Agent. Apps of iOS that use its own
// network library send "App/1 CFNetwork/1490 Darwin/23", those of Android
// "Dalvik/2.1.0 (Linux; U; Android 14; …)" or "okhttp/4.12.0".
func (p Progress) device() device {
	ua := strings.ToLower(p.UserAgent)
	switch {
	case strings.Contains(ua, "cfnetwork/"), strings.HasPrefix(ua, "captivenetworksupport"):
		return appleDevice
	case strings.HasPrefix(ua, "okhttp/"):
		return androidDevice
	}
	platform, ok := platformNamed(p.UserAgent)
	switch {
	case !ok:
		return unknownDevice
	case platform.ID == "ios":
		return appleDevice
	case platform.ID == "android":
		return androidDevice
	}
	return otherDevice
}

// TellingAgent returns, of the User-Agents of one device, the one that says most
// about its platform: a phone's before a computer's before none.
func TellingAgent(userAgents []string) string {
	best, rank := "", -1
	for _, ua := range userAgents {
		of := map[device]int{unknownDevice: 0, otherDevice: 1, appleDevice: 2, androidDevice: 2}[Progress{UserAgent: ua}.device()]
		if of > rank {
			best, rank = ua, of
		}
	}
	return best
}

// menus are the places of the settings, worded as in Platforms.
const (
	installOnApple = "Settings › General › VPN & Device Management"
	trustOnApple   = "Settings › General › About › Certificate Trust Settings"
	trustOnAndroid = "Encryption & credentials › Trusted credentials › User"
)

func adviseReach(p Progress) []string {
	return []string{
		"In its Wi-Fi settings, set the proxy: " + p.proxy() + ".",
		"It has to be in this machine's network; guest networks keep devices apart.",
		"To test the way, open this in its browser: " + p.page(),
		"If nothing comes, a firewall on this machine may keep the port shut.",
	}
}

func advisePage(p Progress) []string {
	if p.Contacts == 0 {
		return []string{"Scan the code with its camera, or open " + p.page()}
	}
	return []string{"Open http://" + Host + "/ in its browser, or scan the code."}
}

func adviseFetch(p Progress) []string {
	switch p.device() {
	case appleDevice:
		return []string{"On the page, in Safari: tap Download the profile, then Allow."}
	case androidDevice:
		return []string{"On the page: tap Download the certificate."}
	}
	return []string{"On the page: download the profile (iOS) or the certificate (others)."}
}

// adviseTrust is for a device that has the certificate and made no TLS
// connection with it yet.
func adviseTrust(p Progress) []string {
	if p.Contacts == 0 {
		advice := []string{"Nothing but telltale's own page came from it: is its proxy set?", "In its Wi-Fi settings: " + p.proxy() + "."}
		if p.overdue(p.Authority) {
			advice = append(advice, "A VPN or iCloud Private Relay leads round the proxy: switch it off.")
		}
		return advice
	}
	advice := install(p)
	if p.Contacts > p.Unread && p.Unread == 0 {
		advice = append(advice, "So far it sent plain HTTP alone.")
	}
	if p.overdue(p.Authority) {
		advice = append(advice, "Then open any https page in its browser, and restart the app.")
	}
	return advice
}

// install says how the certificate is installed and trusted.
func install(p Progress) []string {
	switch p.device() {
	case appleDevice:
		return []string{
			"Install it: " + installOnApple + ".",
			"Then switch it on: " + trustOnApple + ".",
		}
	case androidDevice:
		return []string{
			"Install it: in Settings, search for CA certificate.",
			"Then it is listed: " + trustOnAndroid + ".",
		}
	case otherDevice:
		return []string{"Trust it as the set-up page says for " + PlatformOf(p.UserAgent).Name + "."}
	}
	return []string{
		"iOS: install it, then switch it on; both are needed:",
		"  " + installOnApple,
		"  " + trustOnApple,
		"Android: in Settings, search for CA certificate and install it.",
	}
}

// adviseRefused is for a device that refused our certificate, of which nothing
// was read yet.
func adviseRefused(p Progress, tls *Item) {
	if owner := p.keeper(); owner != "" {
		// Its maker's own services refuse whatever is installed.
		tls.Advice = []string{
			"It refused telltale's certificate for " + p.refusedHost() + ".",
			"That is a service of " + owner + ", which always refuses: it tells nothing.",
			"To tell: open another https page in its browser. It has to appear here.",
		}
		return
	}
	tls.State = Trouble
	tls.Advice = append([]string{"It refused telltale's certificate for " + p.refusedHost() + "."}, p.meaning()...)
	switch {
	case strings.HasPrefix(p.Alert, "certificate_expired "):
		return // it knows the authority
	case p.Authority.IsZero():
		tls.Advice = append(tls.Advice, "It did not fetch the certificate here: in its browser, open", "http://"+Host+"/")
	default:
		tls.Advice = append(tls.Advice, secondSwitch(p)...)
	}
	tls.Advice = append(tls.Advice,
		"To tell: open any https page in its browser. If that can be read, the",
		"certificate is fine, and the app pins its own or ignores yours.")
}

// secondSwitch names what people forget after the download.
func secondSwitch(p Progress) []string {
	apple := []string{
		"Installed? " + installOnApple + ".",
		"Switched on? " + trustOnApple + ".",
	}
	android := []string{
		"Installed? " + trustOnAndroid + ".",
		"Since Android 7, apps ignore it unless they are built to trust it.",
		"In an app of your own: see telltale setup android.",
	}
	switch p.device() {
	case appleDevice:
		return apple
	case androidDevice:
		return android
	case otherDevice:
		return install(p)
	}
	return append([]string{"iOS: the profile and a second switch, both are needed:", "  " + installOnApple, "  " + trustOnApple},
		"Android 7 and later: apps ignore it unless they are built to trust it.")
}

// meaning says what the alert tells about the cause (RFC 8446, 6.2). What each
// platform sends differs, so only the plain ones are taken at their word.
func (p Progress) meaning() []string {
	name, _, _ := strings.Cut(p.Alert, " ")
	switch name {
	case "unknown_ca":
		return []string{"It says unknown_ca (48): it lacks the authority, or does not trust it."}
	case "certificate_expired":
		return []string{"It says certificate_expired (45): look at the date and time of the device."}
	case "bad_certificate", "certificate_unknown":
		return []string{"It says " + name + ": it does not trust the authority, or pins."}
	}
	return nil
}

// advisePinning is for a device of which TLS was read. Where it refused other
// connections, the certificate is fine and the app does not want it.
func advisePinning(p Progress, app *Item) []string {
	restart := "Close the app and open it again."
	if !p.refusedSince(p.Decrypted) {
		if app.State == Waiting {
			app.Advice = []string{restart}
			if p.AppKnown && p.overdue(p.Decrypted) {
				app.Advice = append(app.Advice, "If it was used already: app.user-agent in the policy may not fit it.")
			}
		}
		return nil
	}
	advice := []string{"It refused other connections, the newest to " + p.refusedHost() + "."}
	if owner := p.keeper(); owner != "" {
		if app.State == Waiting {
			app.Advice = []string{restart}
		}
		return append(advice, "That is a service of "+owner+", which always refuses: expected.")
	}
	advice = append(advice, "Other TLS from this address was read, so something there trusts the CA.")
	if d := p.device(); d == androidDevice || d == unknownDevice {
		advice = append(advice,
			"This may be an app that pins its own certificates, or (Android 7 and",
			"later) trusts none that a user installed; or a program without the CA.")
	} else {
		advice = append(advice, "This may be an app that pins its own, or a program without the CA.")
	}
	advice = append(advice,
		"To tell: open that host in the device's browser. If that can be read, it",
		"is the app. What shares an address is not told apart.",
		"It cannot be read there; it is recorded and judged by name.")
	if app.State == Done {
		return advice
	}
	app.State, app.Advice = Trouble, advice
	return nil
}

// keeper returns the maker of the device whose own service refused, "" when it
// was somebody else's. support.apple.com/101555: Apple's services fail any
// connection that is intercepted; Google's on Android do likewise.
func (p Progress) keeper() string {
	under := func(domains ...string) bool {
		host := flow.CanonicalHost(p.RefusedHost)
		for _, domain := range domains {
			if host == domain || strings.HasSuffix(host, "."+domain) {
				return true
			}
		}
		return false
	}
	switch d := p.device(); {
	case d != androidDevice && under("apple.com", "icloud.com", "mzstatic.com", "apple-cloudkit.com", "cdn-apple.com"):
		return "Apple"
	case d == androidDevice && under("googleapis.com", "google.com", "gvt1.com"):
		return "Google"
	}
	return ""
}

// proxy returns what is typed into the settings.
func (p Progress) proxy() string {
	if p.At.Host == "" || p.At.Port == "" {
		return "this machine's address and port"
	}
	return "server " + plain.Text(p.At.Host) + ", port " + plain.Text(p.At.Port)
}

func (p Progress) page() string {
	if p.At.Host == "" || p.At.Port == "" {
		return "http://" + Host + "/"
	}
	return plain.Text(p.At.Page())
}

// refusedHost returns the host for a sentence: harmless, and the end of it where
// it is long, since the end tells whose it is.
func (p Progress) refusedHost() string {
	const most = 32
	if p.RefusedHost == "" {
		return "a server"
	}
	host := plain.Text(p.RefusedHost)
	if n := utf8.RuneCountInString(host); n > most {
		return "…" + string([]rune(host)[n-most+1:])
	}
	return host
}
