// Package useragent reads what a User-Agent header says of its sender: the app, the
// operating system and its version, the model of the device, and whether it is a
// browser.
//
// It knows the forms that phones and their network libraries send (RFC 9110, 10.1.5, and
// what vendors do with it), not every browser that ever was. It never guesses: what a
// header does not say is empty. Anybody can send any header, so that nothing may rest
// on it but words and names.
package useragent

// OS is an operating system.
type OS string

// The operating systems that are told apart.
const (
	IOS     OS = "iOS" // and iPadOS
	Android OS = "Android"
	MacOS   OS = "macOS"
	Windows OS = "Windows"
	Linux   OS = "Linux"
)

// Agent is what a User-Agent says.
type Agent struct {
	App     string // name of the program: "CovidShield", "Chrome", "okhttp"
	OS      OS     // "" when it does not say
	Version string // of the system: "17.5.1", "14"; ""
	Model   string // "Pixel 8", "iPhone15,2", "iPad"; ""
	Browser bool   // a person's browser, web views not among them
}

// Parse returns what a User-Agent says.
func Parse(userAgent string) Agent { return Agent{} }

// DeviceName returns a name for the device that sent these User-Agents, for a person to
// tell it from others: "iPhone, iOS 17.5", "Pixel 8, Android 14"; "" when they do not say.
func DeviceName(userAgents []string) string { return "" }
