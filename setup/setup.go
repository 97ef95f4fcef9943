// Package setup connects a device: it serves the page that a phone opens to
// learn how, the certificate, the iOS profile and the proxy configuration file
// that the page links to, and it has the same steps for the terminal.
//
// It knows [Platforms], one table of steps from which page and terminal are both
// made, and the addresses of this machine that a phone can reach ([Addresses]).
// It promises that the page works on a phone that trusts nothing yet: plain
// HTTP, nothing loaded from elsewhere, and no script needed. What it says of the
// proxy's address is where the visitor's own connection arrived, so that it holds
// behind a port forward and in an emulator too; nothing of a request is repeated
// before it was parsed as an address or a host name.
//
// The page ticks what is done. The state at load comes from the request and from
// what was recorded of the device; the page's one script then asks again every
// three seconds, and tries for itself whether the proxy is set and the certificate
// trusted, by fetching /here from [Host] over http and https. What is recorded of
// a device is told to nobody but pages of ours (see trusted).
//
// With a [Tunnel] the page offers WireGuard beside the proxy, and each visiting device
// gets a key of its own; the key of the first is drawn as a QR code for the camera of
// a phone, on this machine alone.
//
// For screens it draws the page's address as a QR code ([QR]), and tells from
// what was observed of a device how far it is and what is wrong ([Checklist]).
//
// It does not listen, does not touch any setting of this machine, and sees of
// the device nothing but what it is told. To debug it: open the page with
// the device's User-Agent, `curl -A iPhone http://127.0.0.1:8080/`, choose another
// device's page with `/?device=android`, or read /proxy.pac, which holds nothing
// but the address that it decided on, and /progress.json, from which the ticks are
// made.
package setup

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"telltale/ca"
	"telltale/flow"
)

// Host is the name under which the page is reached through the proxy, whatever
// the proxy's address is.
const Host = flow.SetupHost

// Authority is what the set-up needs of the certificate authority.
type Authority interface {
	Certificate() *x509.Certificate
	Name() string // as devices list it; never ""
	PEM() []byte
	AndroidName() string // file name in Android's system store, "9a5ba575.0"
}

// Paths that the handler serves, beside the one of Android's system store.
const (
	pagePath     = "/"
	pemPath      = "/ca.pem"
	derPath      = "/ca.cer"
	profilePath  = "/ca.mobileconfig"
	pacPath      = "/proxy.pac"
	herePath     = "/here"
	progressPath = "/progress.json"
	tunnelPath   = "/wireguard.conf"
)

// Repeats reports whether a request is one that the open page makes every few seconds,
// to learn how far its device is.
func Repeats(r *http.Request) bool {
	return r.Method == http.MethodGet && (r.URL.Path == herePath || r.URL.Path == progressPath)
}

// file is one answer.
type file struct {
	mediaType   string
	disposition string // how a browser treats it; "" for a page
	content     []byte // nil where only a GET makes it
}

// Config is what the set-up page is made from.
type Config struct {
	Authority Authority
	// Proxy returns HOST:PORT of the proxy. It is asked only where neither the request
	// nor its connection says where the device reaches the proxy.
	Proxy func() string
	// Progress returns what was recorded of the device at an address (IPv4 as such,
	// without zone), zero where there is nothing; At, Now and UserAgent may be left
	// empty. Nil: the page knows what the visitor's own requests show, no more.
	// It is called by several goroutines at once.
	Progress func(client netip.Addr) Progress
	// Tunnel is the WireGuard way in. Nil: the page does not offer it.
	Tunnel *Tunnel
}

type handler struct {
	Config
	addresses func() ([]string, error)
}

// NewHandler returns the handler of the set-up page and its files: `/`,
// `/ca.pem`, `/ca.cer`, `/ca.mobileconfig`, Android's `/HASH.0`, `/proxy.pac`,
// with a tunnel `/wireguard.conf`, and what the page's script asks for, `/here` and
// `/progress.json`. It answers
// GET and HEAD, and OPTIONS for /here; everything else is 404 or 405.
func NewHandler(c Config) http.Handler {
	return &handler{c, Addresses}
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if r.URL.Path == herePath {
		h.allowOrigin(w.Header(), r)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	answer, err := h.file(r)
	var ssid *SSIDError
	switch {
	case errors.As(err, &ssid):
		http.Error(w, ssid.Error()+"\n"+ssid.Hint(), http.StatusBadRequest)
		return
	case errors.Is(err, errForeign), errors.Is(err, errNoTunnel):
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	case answer == nil:
		http.Error(w, "telltale serves /, "+strings.Join([]string{pemPath, derPath, profilePath, h.systemStorePath(), pacPath}, ", "), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", answer.mediaType)
	if answer.disposition != "" {
		w.Header().Set("Content-Disposition", answer.disposition)
	}
	if answer.content != nil {
		w.Header().Set("Content-Length", strconv.Itoa(len(answer.content)))
	}
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		w.Write(answer.content) // a visitor who left is nobody's trouble
	}
}

// file returns the answer to a request, nil when there is no such path.
func (h *handler) file(r *http.Request) (*file, error) {
	switch r.URL.Path {
	case pagePath:
		page, err := h.page(r)
		return &file{"text/html; charset=utf-8", "", page}, err
	case pemPath:
		return &file{"application/x-pem-file", `attachment; filename="telltale-ca.pem"`, h.Authority.PEM()}, nil
	case derPath:
		// Inline: Firefox then offers to trust it, instead of saving a file.
		return &file{"application/x-x509-ca-cert", `inline; filename="telltale-ca.cer"`, h.Authority.Certificate().Raw}, nil
	case profilePath:
		return h.profile(r)
	case h.systemStorePath():
		return &file{"application/octet-stream", `attachment; filename="` + h.Authority.AndroidName() + `"`, h.Authority.PEM()}, nil
	case pacPath:
		return &file{"application/x-ns-proxy-autoconfig", "", proxyConfig(h.place(r))}, nil
	case tunnelPath:
		return h.configuration(r)
	case herePath:
		return &file{"application/json", "", h.here()}, nil
	case progressPath:
		progress, err := h.progress(r)
		return &file{"application/json", "", progress}, err
	}
	return nil, nil
}

// profile returns the profile with the root alone, or, where the query has a
// network, the one that sets the proxy of that network too.
func (h *handler) profile(r *http.Request) (*file, error) {
	const mediaType = "application/x-apple-aspen-config"
	query := r.URL.Query()
	if !query.Has("ssid") {
		profile, err := Profile(h.Authority)
		return &file{mediaType, `inline; filename="telltale-ca.mobileconfig"`, profile}, err
	}
	at, _, err := h.forPhones(h.place(r))
	if err != nil {
		return nil, err
	}
	profile, err := ProfileWithProxy(h.Authority, query.Get("ssid"), at)
	return &file{mediaType, `inline; filename="telltale-wifi.mobileconfig"`, profile}, err
}

// systemStorePath is where the root is served as the file that Android's system
// store takes.
func (h *handler) systemStorePath() string { return "/" + h.Authority.AndroidName() }

// secure sets what keeps a browser from doing anything but show the page.
func secure(header http.Header) {
	for name, value := range map[string]string{
		"Content-Security-Policy":      policy,
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store", // the address, the authority and the progress change
		"Vary":                         "User-Agent, Host, Origin",
	} {
		header.Set(name, value)
	}
}

// proxyConfig returns a proxy configuration file: JavaScript by the convention
// that every browser follows. It has no DIRECT to fall back on, since traffic
// that went round the proxy would be missing from the audit unnoticed.
func proxyConfig(at Place) []byte {
	return []byte("function FindProxyForURL(url, host) {\n  return \"PROXY " + at.String() + "\";\n}\n")
}

// fingerprint returns the SHA-256 of the root as phones show it.
func fingerprint(authority Authority) string { return ca.Fingerprint(authority.Certificate()) }
