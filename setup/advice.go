package setup

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"telltale/diagnosis"
	"telltale/flow/plain"
	"telltale/useragent"
)

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
	switch p.OS {
	case useragent.IOS, useragent.Apple:
		return []string{"On the page, in Safari: tap Download the profile, then Allow."}
	case useragent.Android:
		return []string{"On the page: tap Download the certificate."}
	}
	return []string{"On the page: download the profile (iOS) or the certificate (others)."}
}

// adviseTrust is for a device that has the certificate and made no TLS
// connection with it yet.
func adviseTrust(p Progress) []string {
	if p.Contacts == 0 && p.Tunnel {
		return []string{"Nothing but telltale's own page came from it: use the app, with WireGuard on."}
	}
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
	switch p.OS {
	case useragent.IOS, useragent.Apple:
		return []string{
			"Install it: " + installOnApple + ".",
			"Then switch it on: " + trustOnApple + ".",
		}
	case useragent.Android:
		return []string{
			"Install it: in Settings, search for CA certificate.",
			"Then it is listed: " + trustOnAndroid + ".",
		}
	case "":
		return []string{
			"iOS: install it, then switch it on; both are needed:",
			"  " + installOnApple,
			"  " + trustOnApple,
			"Android: in Settings, search for CA certificate and install it.",
		}
	}
	return []string{"Trust it as the set-up page says for " + string(p.OS) + "."}
}

// adviseApp is for a device of which TLS was read: what else is in the way of the app.
func adviseApp(p Progress, tls, app *Item) {
	for _, d := range p.Diagnoses {
		switch {
		case d.Cause == diagnosis.NotTrusted: // no longer
			tls.State, tls.Advice, tls.Diagnosed = Trouble, tell(d), true
			return
		case d.Cause == diagnosis.SystemPinning:
			tls.Advice = append(tls.Advice, capitalized(d.Title)+": expected.")
		case app.State == Waiting && d.Cause == diagnosis.ProxyIgnored:
			app.Advice = append(app.Advice, d.Next...)
		case app.State == Waiting && d.Certainty != diagnosis.Possible && len(app.Advice) == 0:
			app.State, app.Advice = Trouble, tell(d)
		default:
			tls.Advice = append(tls.Advice, tell(d)...)
		}
	}
	tls.Diagnosed, app.Diagnosed = len(tls.Advice) > 0, len(app.Advice) > 0
	if app.State == Waiting && len(app.Advice) == 0 {
		app.Advice = []string{"Close the app and open it again."}
	}
	unmark(app.Advice)
}

// tell puts a diagnosis into sentences: what it is, the strongest of its evidence, and
// what to do.
func tell(d diagnosis.Diagnosis) []string {
	var lines []string
	switch d.Certainty {
	case diagnosis.Likely:
		lines = append(lines, "Most likely "+d.Title+".")
	case diagnosis.Possible:
		lines = append(lines, "Possibly "+d.Title+".")
	default:
		lines = append(lines, capitalized(d.Title)+".")
	}
	lines = append(lines, d.Evidence[:min(1, len(d.Evidence))]...)
	return unmark(append(lines, d.Next...))
}

// capitalized starts a title with a capital.
func capitalized(title string) string {
	first, n := utf8.DecodeRuneInString(title)
	return string(unicode.ToUpper(first)) + title[n:]
}

// unmark takes the marks of menus and commands away, in place.
func unmark(lines []string) []string {
	for i, line := range lines {
		lines[i] = strings.ReplaceAll(line, "`", "")
	}
	return lines
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
