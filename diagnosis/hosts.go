package diagnosis

import (
	"slices"
	"strings"
)

// Hosts that mean something by themselves.
var (
	// support.apple.com/101555: "Apple services will fail any connection that uses
	// HTTPS Interception"; the domains are those of its tables.
	appleDomains = []string{
		"apple.com", "icloud.com", "icloud-content.com", "cdn-apple.com", "mzstatic.com", "apple-cloudkit.com",
		"apple-livephotoskit.com", "icloud.com.cn", "aaplimg.com", "apple-dns.net",
	}
	// Google's help for administrators (support.google.com, answers 6334001 on Chrome and
	// 10513641 on Android) asks to leave these out of inspection.
	googleDomains = []string{
		"google.com", "googleapis.com", "gstatic.com", "gvt1.com", "gvt2.com", "gvt3.com", "ggpht.com",
		"googleusercontent.com", "android.com", "googlezip.net", "crl.pki.goog",
	}
	// Of these, apps use some as much as the system does: Firebase, sign-in, maps.
	appDomains = []string{"google.com", "googleapis.com", "googleusercontent.com"}
	// But of these, and of Apple's, some are asked by systems alone: push services, updates
	// and what a system says of itself, by the pages above.
	systemHosts = []string{
		"push.apple.com", "gateway.icloud.com", "gs.apple.com", "mesu.apple.com", "gdmf.apple.com", "captive.apple.com", "ocsp.apple.com",
		"mtalk.google.com", "android.clients.google.com", "play.googleapis.com", "android.googleapis.com",
	}
	// support.apple.com/102602 and developer.apple.com/icloud/prepare-your-network-for-icloud-private-relay.
	relayHosts = []string{"mask.icloud.com", "mask-h2.icloud.com", "mask.apple-dns.net", "mask-t.apple-dns.net"}
	// Resolvers that systems and browsers use by encrypted DNS (RFC 8484, 7858, 9250), as their
	// operators name them.
	resolverHosts = []string{
		"doh.dns.apple.com", "dns.google", "dns.google.com", "cloudflare-dns.com", "mozilla.cloudflare-dns.com",
		"chrome.cloudflare-dns.com", "one.one.one.one", "dns.quad9.net", "doh.opendns.com", "dns.nextdns.io",
		"firefox.dns.nextdns.io", "dns.adguard-dns.com", "doh.cleanbrowsing.org", "dns.controld.com",
	}
)

// under reports whether a host is one of the domains or below one, label by label.
func under(host string, domains []string) bool {
	return slices.ContainsFunc(domains, func(domain string) bool {
		rest, ok := strings.CutSuffix(host, domain)
		return ok && (rest == "" || strings.HasSuffix(rest, "."))
	})
}

// makerOf is the maker of a system whose own service a host is, "" when it is somebody
// else's.
func makerOf(host string) string {
	switch {
	case under(host, appleDomains):
		return "Apple"
	case under(host, googleDomains):
		return "Google"
	}
	return ""
}

// keeper is the maker whose service a program was at, where that refuses always: when it
// is a part of the system that was there. Apps ask the same hosts, and refuse them for the
// reasons for which they refuse others. What named no program may be either, of whatever
// system: several devices may share an address. The relay is always the system's, and so
// are hosts that nobody else asks.
func (j *judge) keeper(p *program, host string) string {
	nameless := p.agent == "" || p.taken[host]
	switch {
	case slices.Contains(relayHosts, host):
	case under(host, systemHosts) && (nameless || !j.isApp(p) && !p.is.Browser):
	case nameless && under(host, appDomains), !nameless && (j.isApp(p) || !ofSystem(p.agent)):
		return ""
	}
	return makerOf(host)
}

// isApp reports whether a program is the app under test.
func (j *judge) isApp(p *program) bool {
	return p.agent != "" && j.known.App != nil && j.known.App(p.agent)
}

// androidSystem begin the User-Agents of parts of Android and of Google Play services.
// That of Dalvik is not among them: apps send it too.
var androidSystem = []string{
	"com.google.android.gms", "GoogleAuth/", "AndroidDownloadManager/", "Android-Finsky/", "Android-GCM/", "Android-Checkin/", "com.android.vending",
}

// appleSystem begin those of parts of iOS and macOS that are not called like a daemon.
var appleSystem = []string{
	"com.apple.", "AppStore/", "App%20Store/", "MobileAsset/", "CloudKit/", "iCloud/", "GeoServices/", "CaptiveNetworkSupport",
	"StoreKitUIService/", "iTunesStore/", "Maps/", "GameCenter/", "AssistantServices/",
}

// ofSystem reports whether a User-Agent is that of a part of the system.
func ofSystem(agent string) bool {
	begins := func(name string) bool { return strings.HasPrefix(agent, name) }
	return slices.ContainsFunc(androidSystem, begins) || slices.ContainsFunc(appleSystem, begins) || isDaemon(agent)
}

// isDaemon reports whether a User-Agent that CFNetwork made, or one like it, bears the
// name of a daemon of Apple's: apsd, cloudd, itunesstored. Apps are not called so.
func isDaemon(agent string) bool {
	name, _, _ := strings.Cut(agent, "/")
	apple := strings.Contains(agent, "Darwin/") || strings.Contains(agent, "iOS/") || strings.Contains(agent, "macOS/")
	lower := !strings.ContainsFunc(name, func(r rune) bool { return r < 'a' || r > 'z' })
	return apple && lower && len(name) > 3 && strings.HasSuffix(name, "d")
}
