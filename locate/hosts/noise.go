package hosts

import (
	"bytes"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// A row of noise: hosts as they are, with all names below them where a dot comes first, and
// how their paths begin; "" for any.
type row struct{ host, path string }

// namespaces are names of vocabularies and settings of parsers, which nobody fetches.
var namespaces = []row{
	{"schemas.android.com", ""}, {"schemas.google.com", ""}, {"schemas.microsoft.com", ""}, {"schemas.xmlsoap.org", ""},
	{"schemas.openxmlformats.org", ""}, {"schema.org", ""}, {"json-schema.org", ""}, {"purl.org", ""}, {"xmlns.com", ""},
	{"xmlns.jcp.org", ""}, {"xmlns.oracle.com", ""}, {"ns.adobe.com", ""}, {"ns.apple.com", ""}, {"ns.useplus.org", ""},
	{"xmlpull.org", ""}, {"www.xmlpull.org", ""}, {"xml.org", "/sax/"}, {"www.xml.org", "/sax/"}, {"xml.apache.org", ""},
	{"apache.org", "/xml/"}, {"java.sun.com", ""}, {"relaxng.org", "/ns/"},
	{"www.apple.com", "/DTDs/"}, {"ogp.me", "/ns"}, {"docs.oasis-open.org", ""}, {"www.topografix.com", "/GPX/"},
	{"earth.google.com", "/kml/"}, {"www.google.com", "/kml/ext/"}, {"www.opengis.net", ""}, {"iptc.org", "/std/"}, {"cipa.jp", "/exif/"},
	{"www.aiim.org", "/pdfa/"}, {"www.npes.org", "/pdfx/"}, {"www.inkscape.org", "/namespaces/"}, {"sodipodi.sourceforge.net", "/DTD/"},
	{"www.bohemiancoding.com", "/sketch/"}, {"www.sketchapp.com", ""}, {"specs.openid.net", ""}, {"www.hp.com", "/schemas/"},
	{"www.w3.org", "/1999/"}, {"www.w3.org", "/2000/"}, {"www.w3.org", "/2001/"}, {"www.w3.org", "/2002/"}, {"www.w3.org", "/2003/"},
	{"www.w3.org", "/2005/"}, {"www.w3.org", "/2006/"}, {"www.w3.org", "/XML/"}, {"www.w3.org", "/ns/"}, {"www.w3.org", "/Graphics/SVG/"},
	{"www.w3.org", "/TR/xhtml"}, {"www.w3.org", "/TR/html4/"}, {"www.w3.org", "/TR/SVG"}, {"www.w3.org", "/TR/REC-"}, {"www.w3.org", "/MarkUp/DTD/"},
	{"www.opensymphony.com", "/xwork/"}, {"www.springframework.org", "/schema/"}, {"maven.apache.org", "/POM/"}, {"maven.apache.org", "/xsd/"},
	{"xspf.org", "/ns/"}, {"rdfs.org", ""}, {"www.wapforum.org", "/DTD/"}, {"search.yahoo.com", "/mrss"}, {"www.itunes.com", "/dtds/"},
	{"tempuri.org", ""}, {"jabber.org", "/protocol/"}, {"etherx.jabber.org", ""}, {"exslt.org", ""}, {"saxon.sf.net", ""},
	{"checkstyle.sourceforge.net", "/dtds/"}, {"www.isotc211.org", ""}, {"dublincore.org", "/documents/"},
}

var licences = []row{
	{"www.apache.org", "/licenses"}, {"apache.org", "/licenses"}, {".opensource.org", ""}, {".creativecommons.org", ""}, {".mozilla.org", "/MPL"},
	{"www.gnu.org", "/"}, {"gnu.org", "/"}, {"unlicense.org", ""}, {"scripts.sil.org", ""}, {".openfontlicense.org", ""}, {"spdx.org", ""}, {"choosealicense.com", ""},
	{"www.eclipse.org", "/legal"}, {"www.eclipse.org", "/org/documents"}, {"www.fsf.org", ""}, {"fsf.org", ""}, {"jquery.org", "/license"},
	{"www.boost.org", "/LICENSE"}, {"boost.org", "/LICENSE"}, {"www.openssl.org", "/source/license"}, {"www.unicode.org", "/copyright"}, {"www.unicode.org", "/license"},
	{"source.android.com", "/license"}, {"lodash.com", "/license"}, {"underscorejs.org", "/LICENSE"}, {"openjsf.org", ""}, {"www.zlib.net", ""},
	{"angular.io", "/license"}, {"www.bouncycastle.org", "/licence"}, {"json.org", "/license"}, {"www.json.org", "/license"}, {"glm.g-truc.net", "/copying"},
	{"polymer.github.io", "/"},
}

// manuals are what messages and comments send developers to.
var manuals = []row{
	{"developer.android.com", ""}, {"d.android.com", ""}, {"source.android.com", ""}, {"tools.android.com", ""}, {"developer.apple.com", ""}, {"help.apple.com", ""}, {"developers.google.com", ""},
	{"firebase.google.com", "/"}, {"cloud.google.com", "/"}, {"support.google.com", ""}, {"g.co", ""}, {"goo.gl", ""}, {"issuetracker.google.com", ""}, {"code.google.com", ""}, {"console.developers.google.com", ""},
	{"google.github.io", ""}, {"material.io", ""}, {".reactjs.org", ""}, {"react.dev", ""}, {".reactnative.dev", ""}, {"reactnavigation.org", ""}, {"facebook.github.io", ""}, {"fb.me", ""}, {"redux.js.org", ""}, {"mobx.js.org", ""},
	{"docs.expo.dev", ""}, {"stackoverflow.com", ""}, {"medium.com", ""}, {".wikipedia.org", ""}, {"tools.ietf.org", ""}, {"datatracker.ietf.org", ""}, {"www.ietf.org", ""}, {"www.rfc-editor.org", ""}, {"rfc-editor.org", ""},
	{"www.iana.org", ""}, {"developer.mozilla.org", ""}, {"mdn.io", ""}, {"bugzilla.mozilla.org", ""}, {"msdn.microsoft.com", ""}, {"docs.microsoft.com", ""}, {"learn.microsoft.com", ""}, {"support.microsoft.com", ""},
	{"docs.oracle.com", ""}, {"bugs.openjdk.org", ""}, {"bugs.java.com", ""}, {"bugs.sun.com", ""}, {"kotlinlang.org", ""}, {".spec.whatwg.org", ""}, {"whatwg.org", ""}, {"www.ecma-international.org", ""}, {"tc39.es", ""}, {"tc39.github.io", ""}, {"v8.dev", ""},
	{"semver.org", ""}, {"www.npmjs.com", ""}, {"npmjs.com", ""}, {"npmjs.org", ""}, {"momentjs.com", ""}, {"lodash.com", ""}, {"underscorejs.org", ""}, {"jquery.com", ""}, {"sizzlejs.com", ""}, {"nodejs.org", "/api"}, {"nodejs.org", "/en/docs"}, {"babeljs.io", ""}, {"eslint.org", ""},
	{".chromium.org", ""}, {"crbug.com", ""}, {"bugs.webkit.org", ""}, {"webkit.org", "/b/"}, {"html5.org", ""}, {"www.html5rocks.com", ""}, {"web.dev", ""}, {"caniuse.com", ""}, {"jsperf.com", ""}, {"www.w3.org", "/TR/"}, {"www.w3.org", "/Bugs/"}, {"dev.w3.org", ""}, {"drafts.csswg.org", ""}, {"w3c.github.io", ""},
	{"golang.org", ""}, {"go.dev", ""}, {".golang.org", ""}, {"flutter.dev", ""}, {"dart.dev", ""}, {"pub.dev", ""}, {"gist.github.com", ""}, {"jsfiddle.net", ""}, {"codepen.io", ""}, {"junit.org", ""}, {"hamcrest.org", ""}, {"code.visualstudio.com", ""},
	{"aka.ms", ""}, {"www.unicode.org", ""}, {"unicode.org", ""}, {"swift.org", ""}, {"gradle.org", ""}, {"docs.gradle.org", ""}, {"www.slf4j.org", ""}, {"slf4j.org", ""}, {"reactivex.io", ""}, {"square.github.io", ""}, {"kangax.github.io", ""}, {"feross.org", ""}, {"mths.be", ""}, {"immutable-js.github.io", ""}, {"hermesengine.dev", ""},
	{"www.apache.org", ""}, {"commons.apache.org", ""}, {"www.eclipse.org", ""}, {"docs.swmansion.com", ""}, {"git.io", ""}, {"youtrack.jetbrains.com", ""}, {"llvm.org", ""}, {"bugs.llvm.org", ""}, {"clang.llvm.org", ""}, {"www.openssl.org", ""}, {"sqlite.org", ""}, {"www.sqlite.org", ""}, {"blog.mozilla.org", ""}, {"www.khronos.org", ""}, {"www.unix.org", ""},
}

// examples are domains that authors make up. RFC 2606 and RFC 6761 have the reserved ones.
var examples = []row{
	{".example.com", ""}, {".example.org", ""}, {".example.net", ""}, {".example.edu", ""}, {".your-domain.com", ""}, {".yourdomain.com", ""}, {".yourcompany.com", ""}, {".mydomain.com", ""},
	{".mycompany.com", ""}, {".yoursite.com", ""}, {".mysite.com", ""}, {".myserver.com", ""}, {".yourserver.com", ""}, {".domain.com", ""}, {".host.com", ""}, {".foo.com", ""}, {".bar.com", ""}, {".foo.bar", ""}, {".foobar.com", ""}, {".somewhere.com", ""},
	{".somehost.com", ""}, {".website.com", ""}, {".myapp.com", ""}, {".yourapp.com", ""}, {".contoso.com", ""}, {".url.com", ""}, {".test.com", ""},
}

// A table has the rules of each host, and of each domain.
type table struct{ hosts, domains map[string][]rule }

type rule struct{ path, noise string }

var known = func() table {
	t := table{map[string][]rule{}, map[string][]rule{}}
	for noise, rows := range map[string][]row{NoiseNamespace: namespaces, NoiseLicence: licences, NoiseDocs: manuals, NoiseExample: examples} {
		for _, r := range rows {
			into := t.hosts
			domain, below := strings.CutPrefix(r.host, ".")
			if below {
				into = t.domains
			}
			into[domain] = append(into[domain], rule{r.path, noise})
		}
	}
	return t
}()

// noiseOf says why a host is hardly ever contacted, "" where it may be. Rest is what
// follows the authority of its URL.
func noiseOf(host string, rest []byte) string {
	name := strings.TrimPrefix(host, "*.")
	if last := name[len(name)-1]; last >= '0' && last <= '9' || strings.IndexByte(name, ':') >= 0 {
		if addr, err := netip.ParseAddr(name); err == nil {
			return noiseOfAddress(addr)
		}
	}
	if reason := noiseOfName(name); reason != "" {
		return reason
	}
	path := rest
	if bytes.IndexByte(path, '\\') >= 0 {
		path = bytes.ReplaceAll(path, []byte(`\`), nil)
	}
	if reason := noiseOfPath(known.hosts[name], path); reason != "" {
		return reason
	}
	for above := name; above != ""; _, above, _ = strings.Cut(above, ".") {
		if reason := noiseOfPath(known.domains[above], path); reason != "" {
			return reason
		}
	}
	switch {
	case name == "github.com" || name == "www.github.com":
		if !bytes.Contains(path, []byte("/releases/download/")) && !bytes.Contains(path, []byte("/raw/")) {
			return NoiseDocs
		}
	case strings.HasPrefix(name, "docs.") && name != "docs.google.com":
		return NoiseDocs
	}
	return ""
}

// noiseOfPath returns the noise of the rule whose path is the longest that fits.
func noiseOfPath(rules []rule, path []byte) string {
	reason, longest := "", -1
	for _, r := range rules {
		if len(r.path) > longest && len(path) >= len(r.path) && string(path[:len(r.path)]) == r.path {
			reason, longest = r.noise, len(r.path)
		}
	}
	return reason
}

// noiseOfName judges names by their last labels.
func noiseOfName(name string) string {
	if name == "localhost" || strings.HasSuffix(name, ".localhost") || name == "localhost.localdomain" || name == "ip6-localhost" {
		return NoiseThisDevice
	}
	if strings.HasPrefix(name, "javax.") {
		return NoiseNamespace // what Java calls settings of its parsers
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch last {
	case "test", "example", "invalid":
		return NoiseExample
	case "local", "lan", "internal", "home", "localdomain", "intranet", "corp":
		return NoiseLocal
	case "*":
		return ""
	}
	if last == name {
		return NoiseUnknown
	}
	if _, listed := suffixes[last]; listed {
		return ""
	}
	if _, icann := publicsuffix.PublicSuffix(last); !icann {
		return NoiseUnknown
	}
	return ""
}

// These networks are for documents alone: RFC 5737, RFC 3849, RFC 9637.
var documentation = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("3fff::/20"),
}

// shared is between carriers and their customers (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

func noiseOfAddress(addr netip.Addr) string {
	for _, p := range documentation {
		if p.Contains(addr) {
			return NoiseExample
		}
	}
	switch {
	case addr.IsLoopback() || addr.IsUnspecified():
		return NoiseThisDevice
	case addr.IsPrivate() || addr.IsLinkLocalUnicast() || shared.Contains(addr):
		return NoisePrivate
	case addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return NoiseLocal
	}
	return ""
}
