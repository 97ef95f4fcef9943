package useragent

import (
	"strconv"
	"strings"
)

// browsers are the products by which browsers are told, the more special before those
// that all of them send.
var browsers = []struct{ product, name string }{
	{"Edg", "Edge"},
	{"EdgA", "Edge"},
	{"EdgiOS", "Edge"},
	{"Edge", "Edge"},
	{"OPR", "Opera"},
	{"OPT", "Opera"},
	{"OPiOS", "Opera"},
	{"OPX", "Opera"},
	{"SamsungBrowser", "Samsung Internet"},
	{"DuckDuckGo", "DuckDuckGo"},
	{"Ddg", "DuckDuckGo"},
	{"Brave", "Brave"},
	{"Vivaldi", "Vivaldi"},
	{"YaBrowser", "Yandex Browser"},
	{"UCBrowser", "UC Browser"},
	{"MiuiBrowser", "Mi Browser"},
	{"HuaweiBrowser", "Huawei Browser"},
	{"Silk", "Silk"},
	{"Focus", "Firefox Focus"},
	{"Klar", "Firefox Klar"},
	{"FxiOS", "Firefox"},
	{"CriOS", "Chrome"},
	{"Firefox", "Firefox"},
}

// engines are products that say nothing of the program: every browser sends some.
var engines = map[string]bool{
	"Mozilla": true, "AppleWebKit": true, "Gecko": true, "Version": true, "Mobile": true, "Safari": true,
	"Chrome": true, "Chromium": true, "Electron": true, "Tablet": true, "Ubuntu": true, "Qt": true, "QtWebEngine": true,
}

// browser reads "Mozilla/5.0 (what; it; runs; on) and many products", which browsers
// send, web views, and programs that pass for one.
func (h *header) browser() Agent {
	if name := h.robot(); name != "" {
		return Agent{App: name} // on a system of its choice
	}
	a := h.system()
	if a.OS == IOS || h.desktopClass() {
		a = h.appleBrowser(a)
	}
	for _, b := range browsers {
		if h.product(b.product) != nil {
			a.App, a.Browser = b.name, true
			return a
		}
	}
	if a.App = h.embedder(); a.App != "" {
		return a
	}
	_, webView := h.field("wv")
	_, trident := h.field("Trident/")
	_, msie := h.field("MSIE ")
	switch version := h.product("Version"); {
	case trident || msie:
		a.App, a.Browser = "Internet Explorer", true
	case webView || h.product("Electron") != nil:
	case h.product("Chrome") != nil:
		if version == nil { // Android's web views before version 5 have one
			a.App, a.Browser = "Chrome", true
		}
	case h.product("Safari") != nil && version != nil && a.OS != Android:
		a.App, a.Browser = "Safari", true
	}
	return a
}

// robot returns the name of a program that says it is only compatible with browsers:
// "(compatible; Googlebot/2.1; +http://…)". Old versions of Internet Explorer did, too.
func (h *header) robot() string {
	for _, c := range h.comments {
		if len(c.fields) > 1 && c.fields[0] == "compatible" && !strings.HasPrefix(c.fields[1], "MSIE ") {
			name, _, _ := strings.Cut(c.fields[1], "/")
			return name
		}
	}
	return ""
}

// embedder returns the program that a web view belongs to, where it adds its name.
func (h *header) embedder() string {
	for i := len(h.products) - 1; i >= 0; i-- {
		if p := h.products[i]; p.version != "" && !engines[p.name] {
			return decoded(p.name)
		}
	}
	if f, ok := h.field("FBAN/"); ok { // "[FBAN/FBIOS;FBAV/450.0;FBDV/iPhone15,2;…]"
		return strings.TrimPrefix(f, "FBAN/")
	}
	return ""
}

// desktopClass reports whether it may be an iPad, which asks for a desktop's pages as
// Safari on a Mac does since iPadOS 13. Other engines exist on the Mac alone.
func (h *header) desktopClass() bool {
	if _, mac := h.field("Macintosh"); !mac {
		return false
	}
	return h.product("Chrome") == nil && h.product("Firefox") == nil
}

// appleBrowser corrects what browsers of iOS and desktop-class ones say of their system.
//
// Since version 26, Safari's header keeps saying that iOS is 18.6 or 18.7, and only
// Version tells (webkit.org, "WebKit Features in Safari 26.0"). Without it such a number
// may be either.
func (h *header) appleBrowser(a Agent) Agent {
	if a.OS != IOS {
		a.OS, a.Version = Apple, ""
		if h.product("CriOS") != nil || h.product("FxiOS") != nil || h.product("EdgiOS") != nil {
			a.OS = IOS
		}
		return a
	}
	if a.Version != "18.6" && !strings.HasPrefix(a.Version, "18.7") {
		return a
	}
	version := h.product("Version")
	if version == nil {
		a.Version = ""
		return a
	}
	major, _, _ := strings.Cut(version.version, ".")
	if n, _ := strconv.Atoi(major); n >= 26 {
		a.Version = versionOf(version.version)
	}
	return a
}
