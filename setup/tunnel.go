package setup

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"

	"telltale/useragent"
)

// This file offers the way in that sees everything, beside the proxy.

// TunnelFile is the file name of a configuration, and so the name that the WireGuard
// app gives to the tunnel.
const TunnelFile = "telltale.conf"

// Tunnel is the WireGuard way in, as the page offers it. Its functions are called by
// several goroutines at once.
type Tunnel struct {
	// Configuration returns the configuration of the device that visits, in the
	// format of wg-quick(8): the same at each call, with a key that no other device is
	// given. An error is told to the visitor.
	Configuration func(Visit) (string, error)
	// First returns the configuration that this machine shows to the camera of a phone
	// which reaches it at host.
	First func(host string) (string, error)
	// Within reports whether a request came through the tunnel: it is on.
	Within func(*http.Request) bool
}

// A Visit is a request for a configuration.
type Visit struct {
	Client netip.Addr // IPv4 as such, without zone
	Within bool       // it came through the tunnel
	Host   string     // where the device reaches this machine
	Name   string     // what it calls itself, "" for nothing
}

// errNoTunnel is the error of a request that no page of ours leads to.
var errNoTunnel = errors.New("the configuration is for visitors of telltale's own page: open it by the IP address of this machine, or as " + Host)

// configuration returns /wireguard.conf for the device that visits, nil where there is
// no tunnel. It holds a key, so that no foreign site may fetch it, by whatever name
// it made resolve to this machine. A HEAD makes no key.
func (h *handler) configuration(r *http.Request) (*file, error) {
	if h.Tunnel == nil {
		return nil, nil
	}
	client, ok := clientOf(r)
	site := r.Header.Get("Sec-Fetch-Site")
	origin := r.Header.Get("Origin")
	if !ok || !trusted(r.Host) || site == "cross-site" || site == "same-site" || origin != "" && !h.ownOrigin(origin, r) {
		return nil, errNoTunnel
	}
	answer := &file{mediaType: "application/octet-stream", disposition: `attachment; filename="` + TunnelFile + `"`}
	if r.Method == http.MethodHead {
		return answer, nil
	}
	place, _, err := h.forPhones(h.place(r))
	if err != nil {
		return nil, err
	}
	text, err := h.Tunnel.Configuration(Visit{
		Client: client, Within: h.Tunnel.Within(r), Host: place.Host, Name: useragent.DeviceName([]string{r.UserAgent()}),
	})
	answer.content = []byte(text)
	return answer, err
}

// offerTunnel puts the tunnel into a page. Who comes through it needs no proxy any more.
func (h *handler) offerTunnel(v *view, r *http.Request, own Platform, place Place) error {
	client, ok := clientOf(r)
	if h.Tunnel == nil || !ok {
		return nil
	}
	v.Undo = append(v.Undo, stepViews([]Step{tunnelUndo}, place)...)
	if first := &v.Stages[SetProxy]; h.Tunnel.Within(r) {
		v.Sentences = slices.Clone(v.Sentences)
		v.Sentences[TrustAuthority].text = "WireGuard is on. Next: the certificate."
		if v.Status == sentences[TrustAuthority].text {
			v.Status = v.Sentences[TrustAuthority].text
		}
		first.Title, first.Short, first.Values, first.Profile = "Switch WireGuard on", "WireGuard", false, false
		first.Steps = stepViews([]Step{inTunnel}, place)
		v.Notes = nil // they are about the proxy, and have VPNs switched off
		for _, note := range tunnelNotes {
			v.Notes = append(v.Notes, parse(note, place))
		}
		return nil
	}
	if len(v.Elsewhere) == 0 || own.mobile { // this machine cannot be at both ends
		v.Tunnel = stepViews(TunnelSteps(own), place)
	}
	var err error
	v.TunnelCode, err = h.tunnelCode(r, client, v.Elsewhere)
	return err
}

// tunnelCode returns the QR code of the first device's configuration, for a page that
// is open on this very machine. It is a key: the visitor must be here, whatever the
// request says. nil: there is none to show.
func (h *handler) tunnelCode(r *http.Request, client netip.Addr, elsewhere []Place) (*drawing, error) {
	if len(elsewhere) == 0 || !client.IsLoopback() || !trusted(r.Host) || throughProxy(r) {
		return nil, nil
	}
	text, err := h.Tunnel.First(elsewhere[0].Host)
	if err != nil {
		return nil, err
	}
	code, err := QR(text)
	if err != nil {
		return nil, err
	}
	return code.drawing(), nil
}

const keyWarning = "It is a key for this device alone: give it to nobody."

// tunnelSteps are how a device is connected by WireGuard, by its platform. The words
// are those of the apps in 2026: github.com/WireGuard, wireguard-apple
// (Localizable.strings, "addTunnelMenuImportFile") and wireguard-android (strings.xml,
// "create_from_file"); their versions were not compared.
var tunnelSteps = map[string][]Step{
	"ios": {
		{Text: "Install `WireGuard` from the App Store."},
		{Text: "[Download the configuration] in Safari.", Link: tunnelPath, Why: keyWarning},
		{Text: "In `WireGuard`: the plus sign, `Create from file or archive`, choose `" + TunnelFile + "` and allow the VPN. Switch it on."},
	},
	"android": {
		{Text: "Install `WireGuard` from Google Play or F-Droid."},
		{Text: "[Download the configuration]", Link: tunnelPath, Why: keyWarning},
		{Text: "In `WireGuard`: the plus sign, `Import from file or archive`, choose `" + TunnelFile + "`. Switch it on and allow the VPN."},
	},
	"macos": {
		{Text: "Install `WireGuard` from the Mac App Store."},
		{Text: "[Download the configuration]", Link: tunnelPath, Why: keyWarning},
		{Text: "In `WireGuard`: `Import tunnel(s) from file`, choose `" + TunnelFile + "`. Click `Activate`."},
	},
	"windows": {
		{Text: "Install `WireGuard` from `wireguard.com/install`."},
		{Text: "[Download the configuration]", Link: tunnelPath, Why: keyWarning},
		{Text: "In `WireGuard`: `Import tunnel(s) from file`, choose `" + TunnelFile + "`. Click `Activate`."},
	},
	"linux": {
		{Text: "Install the package `wireguard-tools`."},
		{Text: "[Download the configuration]", Link: tunnelPath, Why: keyWarning},
		{Text: "Switch it on, in a terminal:", Code: "sudo wg-quick up ~/Downloads/" + TunnelFile},
	},
}

// afterTunnel is what is the same for every platform.
var afterTunnel = Step{
	Text: "Leave the proxy off: take it out again if it is set. Then go on with the certificate.",
	Why:  "Another VPN cannot be on at the same time, and iCloud Private Relay hides what it carries.",
}

// inTunnel is what is left to do of it on a page that came through the tunnel.
var inTunnel = Step{Text: "Every packet of this device comes through the tunnel. Leave the proxy off."}

// tunnelNotes are what will not be seen in it.
var tunnelNotes = []string{
	"Keep `WireGuard` on for the whole audit: what the device sends while it is off is not seen. Another VPN takes its place.",
	"Apps that pin their certificates, and the system's own services, refuse to be read. They are recorded by name.",
}

// tunnelUndo takes the tunnel off again.
var tunnelUndo = Step{Text: "If you used WireGuard: switch the tunnel `telltale` off in the app, and delete it."}

// TunnelSteps returns the steps of connecting a device by WireGuard; nil for a platform
// that has no app for it.
func TunnelSteps(p Platform) []Step {
	steps := tunnelSteps[tunnelPlatform(p.ID)]
	if steps == nil {
		return nil
	}
	return append(slices.Clone(steps), afterTunnel)
}

// tunnelPlatform returns the platform whose app a browser's device has.
func tunnelPlatform(id string) string {
	if id == "firefox-android" {
		return "android"
	}
	return id
}
