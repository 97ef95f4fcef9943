package diagnosis

import (
	"slices"
	"strings"

	"telltale/useragent"
)

// Hosts that mean something by themselves.
var (
	// support.apple.com/101555: "Apple services will fail any connection that uses
	// HTTPS Interception"; the domains are those of its tables.
	appleDomains = []string{
		"apple.com", "icloud.com", "icloud-content.com", "cdn-apple.com", "mzstatic.com", "apple-cloudkit.com",
		"apple-livephotoskit.com", "icloud.com.cn", "aaplimg.com", "apple-dns.net",
	}
	// support.google.com/chrome/a/answer/6334001 and support.google.com/work/android/answer/10513641
	// ask to leave these out of inspection. Apps use them too, with the user's
	// certificates or without.
	googleDomains = []string{
		"google.com", "googleapis.com", "gstatic.com", "gvt1.com", "gvt2.com", "gvt3.com", "ggpht.com",
		"googleusercontent.com", "android.com", "googlezip.net", "crl.pki.goog",
	}
	// support.apple.com/102602 and developer.apple.com/icloud/prepare-your-network-for-icloud-private-relay.
	relayHosts = []string{"mask.icloud.com", "mask-h2.icloud.com", "mask.apple-dns.net", "mask-t.apple-dns.net"}
	// Resolvers that systems and browsers use by DNS over HTTPS (RFC 8484), as their
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

// keeper is the maker of the system whose own service a host is, "" when it is
// somebody else's. Each maker's services refuse on its own systems; elsewhere they are
// servers like others.
func keeper(host string, os useragent.OS) string {
	switch {
	case os != useragent.Android && under(host, appleDomains):
		return "Apple"
	case os == useragent.Android && under(host, googleDomains):
		return "Google"
	}
	return ""
}
