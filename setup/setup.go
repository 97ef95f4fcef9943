// Package setup connects a device: it serves the page that a phone opens to
// learn how, the certificate, the iOS profile and the proxy configuration file
// that the page links to, and it has the same steps for the terminal.
//
// It knows [Platforms], one table of steps from which page and terminal are both
// made, and the addresses of this machine that a phone can reach ([Addresses]).
// It promises that the page works on a phone that trusts nothing yet: plain
// HTTP, no script, nothing loaded from elsewhere. What it says of the proxy's
// address is where the visitor's own connection arrived, so that it holds behind
// a port forward and in an emulator too; nothing of a request is repeated before
// it was parsed as an address or a host name.
//
// For screens it draws the page's address as a QR code ([QR]), and tells from
// what was observed of a device how far it is and what is wrong ([Checklist]).
//
// It does not listen, does not touch any setting of this machine, and sees of
// the device nothing but what it is told. To debug it: open the page with
// the device's User-Agent, `curl -A iPhone http://127.0.0.1:8080/`, or read
// /proxy.pac, which holds nothing but the address that it decided on.
package setup

import (
	"crypto/x509"
	"net"
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
	PEM() []byte
}

// Paths that the handler serves.
const (
	pagePath    = "/"
	pemPath     = "/ca.pem"
	derPath     = "/ca.cer"
	profilePath = "/ca.mobileconfig"
	pacPath     = "/proxy.pac"
)

// file is one answer.
type file struct {
	mediaType   string
	disposition string // how a browser treats it; "" for a page
	content     []byte
}

type handler struct {
	authority Authority
	proxyAddr func() string
	addresses func() ([]string, error)
}

// NewHandler returns the handler of the set-up page and its files: `/`,
// `/ca.pem`, `/ca.cer`, `/ca.mobileconfig` and `/proxy.pac`, by GET and HEAD;
// everything else is 404 or 405. proxyAddr returns HOST:PORT of the proxy; it is
// asked only where neither the request nor its connection says where the device
// reaches the proxy.
func NewHandler(authority Authority, proxyAddr func() string) http.Handler {
	return &handler{authority, proxyAddr, Addresses}
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	answer, err := h.file(r)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	case answer == nil:
		http.Error(w, "telltale serves /, "+strings.Join([]string{pemPath, derPath, profilePath, pacPath}, ", "), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", answer.mediaType)
	if answer.disposition != "" {
		w.Header().Set("Content-Disposition", answer.disposition)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(answer.content)))
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
		return &file{"application/x-pem-file", `attachment; filename="telltale-ca.pem"`, h.authority.PEM()}, nil
	case derPath:
		// Inline: Firefox then offers to trust it, instead of saving a file.
		return &file{"application/x-x509-ca-cert", `inline; filename="telltale-ca.cer"`, h.authority.Certificate().Raw}, nil
	case profilePath:
		profile, err := Profile(h.authority)
		return &file{"application/x-apple-aspen-config", `inline; filename="telltale-ca.mobileconfig"`, profile}, err
	case pacPath:
		return &file{"application/x-ns-proxy-autoconfig", "", proxyConfig(h.place(r))}, nil
	}
	return nil, nil
}

// secure sets what keeps a browser from doing anything but show the page.
func secure(header http.Header) {
	for name, value := range map[string]string{
		"Content-Security-Policy":      policy,
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store", // the address and the authority change
		"Vary":                         "User-Agent, Host",
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

// Place is where devices reach the proxy and what they find there.
type Place struct {
	Host      string // IP address without brackets, or host name
	Port      string
	Authority string // name of the root certificate, as devices list it
}

// String returns HOST:PORT, with brackets where the host is an IPv6 address.
func (p Place) String() string { return net.JoinHostPort(p.Host, p.Port) }

// Page returns the URL of the set-up page.
func (p Place) Page() string {
	if p.Port == "80" {
		return "http://" + strings.TrimSuffix(p.String(), ":80") + "/"
	}
	return "http://" + p.String() + "/"
}

// loopback reports whether the place is reached from this machine alone.
func (p Place) loopback() bool {
	addr, err := netip.ParseAddr(p.Host)
	return p.Host == "localhost" || err == nil && addr.IsLoopback()
}

// throughProxy reports whether a request came by the name that only the proxy
// knows: then the visitor's proxy setting is in place.
func throughProxy(r *http.Request) bool {
	return flow.CanonicalHost(r.Host) == Host
}

// place returns where the visitor reaches the proxy: the address it asked for,
// else the one its connection arrived at, else the proxy's own.
func (h *handler) place(r *http.Request) Place {
	candidates := []string{r.Host}
	if throughProxy(r) {
		candidates = nil
	} else if _, port := flow.SplitHostPort(r.Host); port == "" {
		candidates[0] = net.JoinHostPort(strings.Trim(r.Host, "[]"), "80")
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		candidates = append(candidates, local.String())
	}
	name := h.authority.Certificate().Subject.CommonName
	for _, candidate := range append(candidates, h.proxyAddr()) {
		if host, port, ok := parsePlace(candidate); ok {
			return Place{host, port, name}
		}
	}
	return Place{"localhost", "8080", name} // proxyAddr broke its promise
}

// parsePlace parts HOST:PORT, where both are such that a device can connect to
// them. It is the one gate between what a request says and what it is answered.
func parsePlace(s string) (host, port string, ok bool) {
	host, port = flow.SplitHostPort(s)
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", false
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.Unmap().WithZone("")
		return addr.String(), port, !addr.IsUnspecified() && !addr.IsMulticast()
	}
	host = strings.ToLower(host)
	return host, port, isHostName(host)
}

// isHostName reports whether s, in lower case, is made of the bytes of a host
// name and nothing else, so that it is safe in a script and in a page.
func isHostName(s string) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '-' && c != '.' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// fingerprint returns the SHA-256 of the root as phones show it.
func fingerprint(authority Authority) string { return ca.Fingerprint(authority.Certificate()) }
