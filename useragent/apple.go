package useragent

import (
	"strconv"
	"strings"
)

// darwin leads from a major version of Darwin to those of the systems that have it.
// Source: the release history of Darwin (en.wikipedia.org/wiki/Darwin_(operating_system),
// after opensource.apple.com/releases).
var darwin = map[int]struct{ ios, macos string }{
	15: {"9", "10.11"},
	16: {"10", "10.12"},
	17: {"11", "10.13"},
	18: {"12", "10.14"},
	19: {"13", "10.15"},
	20: {"14", "11"},
	21: {"15", "12"},
	22: {"16", "13"},
	23: {"17", "14"},
	24: {"18", "15"},
	25: {"26", "26"},
}

// cfNetwork reads "App%20Name/1.0 CFNetwork/1494.0.7 Darwin/23.4.0", which Apple's URL
// loading system sends for apps that do not say anything else.
//
// Up to Darwin 19, macOS added its processor or model in brackets, and iOS nothing. Since
// then both send the same, until macOS 26, which writes CFNetwork/macOS/3860.
func (h *header) cfNetwork() Agent {
	a := h.app()
	kernel := h.product("Darwin")
	if kernel == nil || a.Version != "" {
		return a
	}
	major, _, _ := strings.Cut(kernel.version, ".")
	n, _ := strconv.Atoi(major)
	versions := darwin[n]
	last := len(h.comments) - 1
	switch {
	case last >= 0 && h.comments[last].after == len(h.products), strings.HasPrefix(h.product("CFNetwork").version, "macOS/"):
		a.OS, a.Version = MacOS, versions.macos
	case a.OS == IOS, n > 0 && n < 20:
		a.OS, a.Version = IOS, versions.ios
	default:
		a.OS, a.darwin = Apple, n
	}
	return a
}
