package useragent

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"telltale/flow/plain"
)

// Namer gathers what the User-Agents of one device say of it. The zero value is ready;
// a copy goes on by itself. What it finds does not depend on their order.
type Namer struct{ best Agent }

// DeviceName returns a name for the device that sent these User-Agents, for a person to
// tell it from others: "iPhone, iOS 17.5", "Pixel 8, Android 14"; "" when they do not say.
func DeviceName(userAgents []string) string {
	var n Namer
	for _, ua := range userAgents {
		n.Add(ua)
	}
	return n.Name()
}

// certainty orders systems by how much it takes to be mistaken for one: programs of
// phones say where they run, a desktop's header is sent by many.
var certainty = []OS{"", Apple, Linux, MacOS, Windows, ChromeOS, Android, IOS}

// Add takes another User-Agent of the device.
func (n *Namer) Add(userAgent string) {
	a := Parse(userAgent)
	a.App, a.Browser = "", false
	switch before, now := slices.Index(certainty, n.best.OS), slices.Index(certainty, a.OS); {
	case now > before:
		n.best = a
	case now == before:
		n.best.Version = newer(n.best.Version, a.Version)
		n.best.Model = closer(n.best.Model, a.Model)
		n.best.darwin = max(n.best.darwin, a.darwin)
	}
}

// newer returns the higher version, or of two that agree the one that says more: an
// update takes a device forward.
func newer(a, b string) string {
	if compareVersions(a, b) < 0 {
		return b
	}
	return a
}

func compareVersions(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		m, _ := strconv.Atoi(x[i])
		n, _ := strconv.Atoi(y[i])
		if c := cmp.Or(cmp.Compare(m, n), strings.Compare(x[i], y[i])); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(x), len(y))
}

// closer returns the model that says more: "iPhone15,2" rather than "iPhone".
func closer(a, b string) string {
	switch {
	case a == "" || isModel(b) && !isModel(a):
		return b
	case b == "" || isModel(a) && !isModel(b):
		return a
	}
	return min(a, b)
}

// Name returns the name so far, as [DeviceName] does.
func (n Namer) Name() string {
	a := n.best
	system := string(a.OS)
	switch {
	case a.OS == Apple:
		return eitherSystem(a.darwin)
	case a.OS == IOS && strings.HasPrefix(a.Model, "iPad") && compareVersions(a.Version, "13") >= 0:
		system = "iPadOS"
	}
	if a.Version != "" {
		system += " " + a.Version
	}
	if a.Model == "" {
		return system
	}
	return plain.Name(a.Model, MaxColumns-len(", ")-len(system)) + ", " + system
}

// eitherSystem names a device by its kernel, as far as that is known.
func eitherSystem(kernel int) string {
	versions, known := darwin[kernel]
	switch {
	case !known:
		return "iOS or macOS"
	case versions.ios == versions.macos:
		return "iOS or macOS " + versions.ios
	}
	return "iOS " + versions.ios + " or macOS " + versions.macos
}
