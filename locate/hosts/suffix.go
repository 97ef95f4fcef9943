package hosts

import (
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/publicsuffix"

	"telltale/policy/catalog"
)

// A class is how likely a word with dots that ends in a domain is the name of a host.
type class int

const (
	// word is every domain that is in no table: most are words, "name", "map", "camera". It
	// takes evidence.
	word class = iota
	// sure is a domain that hardly any word of a program ends in.
	sure
	// country is a domain that many hosts have, and words of programs now and then.
	country
	// file is a domain that is the ending of files, or of properties, much more often than of hosts:
	// only what begins as hosts do is one.
	file
)

func classes(c class, into map[string]class, names ...string) {
	for _, name := range names {
		into[name] = c
	}
}

var suffixes = func() map[string]class {
	m := map[string]class{}
	classes(sure, m, "com", "net", "org", "gov", "edu", "mil",
		"de", "uk", "fr", "ca", "jp", "cn", "ru", "eu", "nl", "au", "ch", "se", "dk", "fi", "es", "cz",
		"hu", "gr", "pt", "kr", "tw", "hk", "sg", "nz", "mx", "za", "ua", "arpa")
	classes(country, m, "io", "co", "ai", "tv", "gg", "fm", "us", "biz", "xyz", "br", "pl", "ro", "ie", "il", "ar",
		"at", "be", "it", "no", "in", "tr", "th", "vn", "ph", "ir", "sa", "ae", "ee", "lv", "bg", "hr", "rs", "cl",
		"kz", "by", "lu", "ly", "cloud", "dev", "tech", "online", "info", "ms", "is")
	classes(file, m, "so", "py", "sh", "md", "zip", "mov", "ps", "cc", "ml", "map", "app", "page", "bz", "pm",
		"ac", "am", "as", "do", "la", "st", "tf", "vi", "id", "me", "my", "to", "name", "data", "new", "next", "open",
		"play", "call", "case", "show", "link", "live", "host", "zone", "style", "video", "watch", "work", "read", "run",
		"search", "select", "report", "media", "menu", "network", "properties", "phone", "photo", "place", "post",
		"date", "delivery", "design", "direct", "domains", "download", "email", "events", "exchange", "fit", "foo",
		"global", "group", "jobs", "box", "bar", "cab", "cam", "camera", "car", "cards", "care", "cat", "center",
		"channel", "chat", "city", "click", "codes", "community", "company", "contact", "cool", "country", "day",
		"in", "int", "pro", "pub", "rest", "select", "locker", "prof", "prime", "security", "services",
		"tools", "top", "support", "store", "tm", "td", "tr", "th", "hr", "br", "im", "lt", "gt", "ne", "be", "by")
	return m
}()

// packages begin the names of packages and bundles, which are domains backwards, and of
// what programs call themselves.
var packages = map[string]bool{
	"com": true, "org": true, "net": true, "io": true, "edu": true, "gov": true, "java": true, "javax": true, "jakarta": true,
	"android": true, "androidx": true, "kotlin": true, "kotlinx": true, "dalvik": true, "libcore": true, "sun": true, "jdk": true,
	"dagger": true, "okhttp3": true, "okio": true, "retrofit2": true, "rx": true, "reactor": true, "scala": true, "groovy": true,
	"junit": true, "this": true, "self": true, "window": true, "document": true, "module": true, "exports": true, "process": true,
	"console": true, "event": true, "args": true, "props": true, "state": true, "math": true, "object": true, "array": true,
	"navigator": true, "location": true, "user": true, "lib": true, "index": true, "main": true, "test": true,
	"readme": true, "license": true, "package": true, "setup": true,
}

// machines begin the names of hosts, and hardly any name in a program.
var machines = map[string]bool{
	"www": true, "api": true, "apis": true, "cdn": true, "static": true, "img": true, "auth": true, "login": true, "accounts": true,
	"sso": true, "analytics": true, "telemetry": true, "metrics": true, "stats": true, "logs": true, "collector": true, "collect": true,
	"ingest": true, "crash": true, "sdk": true, "gateway": true, "gw": true, "ws": true, "wss": true, "mqtt": true, "stun": true,
	"turn": true, "dns": true, "ntp": true, "smtp": true, "imap": true, "ftp": true, "dl": true, "staging": true, "consent": true,
	"ads": true, "tiles": true, "graphql": true, "payments": true, "checkout": true, "tracking": true,
}

// stages begin the names of hosts, and names in programs as well.
var stages = map[string]bool{
	"app": true, "assets": true, "images": true, "m": true, "mobile": true, "id": true, "data": true, "events": true, "track": true,
	"log": true, "reports": true, "config": true, "settings": true, "push": true, "notify": true, "notifications": true, "edge": true,
	"media": true, "video": true, "stream": true, "live": true, "socket": true, "time": true, "mail": true, "download": true,
	"downloads": true, "update": true, "updates": true, "upload": true, "files": true, "docs": true, "help": true, "support": true,
	"blog": true, "dev": true, "stage": true, "test": true, "beta": true, "prod": true, "eu": true, "us": true, "de": true, "uk": true,
	"go": true, "link": true, "links": true, "dashboard": true, "portal": true, "ad": true, "pixel": true, "sync": true, "search": true,
	"maps": true, "geo": true, "ip": true, "in": true, "rest": true, "graph": true, "rpc": true, "grpc": true, "service": true,
	"services": true, "secure": true, "pay": true, "shop": true, "store": true, "my": true, "status": true, "cloud": true, "web": true,
}

// A shape is what the letters of a name say.
type shape struct {
	first, last []byte // labels
	labels      int
	unlikeWord  bool // digits or hyphens
	underscore  bool
	part        bool // something is to be put before it
}

// isHost decides on a name by its shape. Evidence says that something beside the name speaks
// for it: a path, a scheme.
func isHost(name []byte, s shape, evidence bool) bool {
	c := suffixes[string(s.last)]
	if packages[string(s.first)] && (c != sure || s.labels > 2 || len(s.first) == 3 || len(s.last) == 2) || len(s.last) < 2 {
		return false
	}
	if s.labels == 2 && s.underscore {
		return false
	}
	begins := !s.part && s.labels > 2 && machines[string(s.first)]
	likely := false
	switch c {
	case sure:
		// "e.ca", "t.de" are what minifiers make of properties.
		likely = s.labels > 2 || len(s.first) > 2 || len(s.last) > 2
	case country:
		stage := !s.part && s.labels > 2 && stages[string(s.first)]
		likely = begins || stage || evidence || s.labels > 3 || s.unlikeWord && s.labels > 2
	case word, file:
		likely = begins || evidence && s.labels > 2
	}
	return (likely || isKnown(name, s.last)) && isPublic(string(name), string(s.last))
}

// isPublic reports whether a name is under a domain of ICANN's part of the public suffix list,
// and is not that domain itself.
func isPublic(name, last string) bool {
	if suffix, icann := publicsuffix.PublicSuffix(name); icann {
		return suffix != name
	}
	_, icann := publicsuffix.PublicSuffix(last)
	return icann
}

// isKnown reports whether the catalogue has a host.
func isKnown(name, last []byte) bool {
	if !knownEndings()[string(last)] {
		return false
	}
	_, known := catalog.FindCompany(string(name))
	return known
}

// knownEndings are the last labels of all hosts in the catalogue: it is asked about few words.
var knownEndings = sync.OnceValue(func() map[string]bool {
	endings := map[string]bool{}
	for _, c := range catalog.Companies() {
		for _, d := range c.Domains {
			endings[d[strings.LastIndexByte(d, '.')+1:]] = true
		}
	}
	for _, p := range catalog.Products() {
		for _, h := range p.Hosts {
			endings[h[strings.LastIndexByte(h, '.')+1:]] = true
		}
	}
	return endings
})

// isVersion reports whether four numbers are rather a version, an object identifier, a
// network or a mask than an address. Addresses of public resolvers are known; else numbers are as a rule small in
// a version.
func isVersion(host string) bool {
	addr, err := netip.ParseAddr(host)
	if err != nil || !addr.Is4() {
		return true
	}
	if _, known := catalog.FindResolver(host); known {
		return false
	}
	b := addr.As4()
	switch {
	case b[0] < 3, b[3] == 0, b[0] >= 240 && b[1] != 255: // object identifiers, networks, masks
		return true
	case b[0] == 255:
		return b != [4]byte{255, 255, 255, 255}
	}
	return b[0] < 24 && b[0] != 10 && max(b[1], b[2], b[3]) < 64
}
