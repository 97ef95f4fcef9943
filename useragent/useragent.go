// Package useragent reads what a User-Agent header says of its sender: the app, the
// operating system and its version, the model of the device, and whether it is a
// browser. A [Namer] makes a name for a device of all that it sent.
//
// It knows the forms that phones and their network libraries send (RFC 9110, 10.1.5, and
// what vendors do with it), not every browser that ever was. It never guesses: what a
// header does not say is empty, and what browsers have frozen in theirs counts as not
// said. Anybody can send any header, so that nothing may rest on it but words and names.
//
// It reads at most [MaxLength] bytes of a header. What it returns is on one line, shows
// as itself on a terminal and is at most [MaxColumns] wide.
//
// To see why a device has its name, give its User-Agents to [Parse], one by one.
package useragent

import "telltale/flow/plain"

// OS is an operating system.
type OS string

// The operating systems that are told apart.
const (
	IOS      OS = "iOS" // and iPadOS
	Android  OS = "Android"
	MacOS    OS = "macOS"
	Windows  OS = "Windows"
	Linux    OS = "Linux"
	ChromeOS OS = "ChromeOS"
	// Apple is iOS or macOS: an app's CFNetwork since Darwin 20, and Safari that asks
	// for a desktop's pages, as it does on an iPad, send the same on both.
	Apple OS = "iOS or macOS"
)

// Agent is what a User-Agent says.
type Agent struct {
	App     string // name of the program: "CovidShield", "Chrome", "okhttp"
	OS      OS     // "" when it does not say
	Version string // of the system: "17.5.1", "14"; ""
	Model   string // "Pixel 8", "iPhone15,2", "iPad"; ""
	Browser bool   // a person's browser, web views not among them

	darwin int // major version of the kernel, where only it was told
}

// MaxLength bounds how much of a header is read, in bytes. Real ones have some hundred.
const MaxLength = 1024

// MaxColumns bounds the texts of an [Agent] and the name of a device.
const MaxColumns = 60

// maxVersion bounds versions: real ones have up to ten characters.
const maxVersion = 16

// Parse returns what a User-Agent says.
func Parse(userAgent string) Agent {
	h := split(userAgent[:min(len(userAgent), MaxLength)])
	var a Agent
	switch {
	case h.product("Mozilla") != nil:
		a = h.browser()
	case h.product("CFNetwork") != nil:
		a = h.cfNetwork()
	default:
		a = h.app()
	}
	a.App, a.Version, a.Model = plain.Name(a.App, MaxColumns), plain.Name(a.Version, maxVersion), plain.Name(a.Model, MaxColumns)
	return a
}
