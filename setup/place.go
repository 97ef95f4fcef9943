package setup

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"telltale/flow"
)

// Place is where devices reach the proxy and what they find there.
type Place struct {
	Host      string // IP address without brackets, or host name
	Port      string
	Authority string // name of the root certificate, as devices list it
	Android   string // file name of the root in Android's system store; "" where nobody asked
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

// place returns where the visitor reaches the proxy: the address it asked for,
// else the one its connection arrived at, else the proxy's own.
func (h *handler) place(r *http.Request) Place {
	candidates := []string{r.Host}
	if throughProxy(r) {
		candidates = nil
	} else if _, port := flow.SplitHostPort(r.Host); port == "" {
		candidates[0] = net.JoinHostPort(strings.Trim(r.Host, "[]"), "80")
	}
	candidates = append(candidates, localAddr(r))
	at := Place{Host: "localhost", Port: "8080"} // where Proxy breaks its promise
	for _, candidate := range append(candidates, h.Proxy()) {
		if host, port, ok := parsePlace(candidate); ok {
			at.Host, at.Port = host, port
			break
		}
	}
	at.Authority, at.Android = h.Authority.Name(), h.Authority.AndroidName()
	return at
}

// forPhones returns the place for another device than the visitor. Who looks at
// the page on this very machine wants to connect a phone, which needs another
// address than loopback; all of them are returned too, the likeliest first.
func (h *handler) forPhones(at Place) (Place, []Place, error) {
	if !at.loopback() {
		return at, nil, nil
	}
	addresses, err := h.addresses()
	if err != nil {
		return at, nil, err
	}
	var all []Place
	for _, address := range addresses {
		elsewhere := at
		elsewhere.Host = address
		all = append(all, elsewhere)
	}
	if len(all) > 0 {
		at = all[0]
	}
	return at, all, nil
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
