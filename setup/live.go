package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"telltale/flow"
	"telltale/useragent"
)

// This file is what the page's script talks to, and who else may.

// reach is how far a device is, as the page ticks it.
type reach struct {
	Proxied bool `json:"proxied"` // its requests come through the proxy
	Trusted bool `json:"trusted"` // TLS of it could be read
	App     bool `json:"app"`     // the last step of the checklist
}

// progressAnswer is the content of /progress.json.
type progressAnswer struct {
	reach
	Steps []progressStep `json:"steps"` // of the checklist; none without a record
}

type progressStep struct {
	Text   string `json:"text"`
	State  string `json:"state"` // as State.String
	Advice string `json:"advice"`
}

// observed returns what a request and the record show of the visitor. Only a
// page of ours is told of the record.
func (h *handler) observed(r *http.Request) progressAnswer {
	var a progressAnswer
	a.Proxied = throughProxy(r)
	a.Trusted = a.Proxied && overTLS(r)
	client, ok := clientOf(r)
	if h.Progress == nil || !ok || !trusted(r.Host) {
		return a
	}
	p := h.Progress(client)
	p.Tunnel = p.Tunnel || h.Tunnel != nil && h.Tunnel.Within(r)
	if p.At.Host == "" {
		p.At = h.place(r)
	}
	if p.OS == "" {
		p.OS = useragent.Parse(r.UserAgent()).OS
	}
	// The page is open: what the record does not show yet, the request does.
	if p.Page.IsZero() {
		p.Page = time.Now()
	}
	if p.Reached.IsZero() {
		p.Reached = p.Page
	}
	items := Checklist(p)
	a.Trusted = a.Trusted || !p.Decrypted.IsZero()
	a.Proxied = a.Proxied || a.Trusted || p.Contacts > 0
	a.App = len(items) > 0 && items[len(items)-1].State == Done
	for _, item := range items {
		a.Steps = append(a.Steps, progressStep{item.Text, item.State.String(), strings.Join(strings.Fields(strings.Join(item.Advice, " ")), " ")})
	}
	return a
}

// errForeign is the error of a request for the record that no page of ours makes.
var errForeign = errors.New("the progress of a device is told to telltale's own page alone: open it by the IP address of this machine, or as " + Host)

// progress returns /progress.json. It has no CORS headers, so that no other site
// can read it, and a site that makes its own name resolve to this machine (DNS
// rebinding) gives itself away by that name.
func (h *handler) progress(r *http.Request) ([]byte, error) {
	if site := r.Header.Get("Sec-Fetch-Site"); !trusted(r.Host) || site == "cross-site" || site == "same-site" {
		return nil, errForeign
	}
	encoded, err := json.Marshal(h.observed(r))
	if err != nil {
		return nil, fmt.Errorf("progress of a device: %w", err)
	}
	return append(encoded, '\n'), nil
}

// here returns /here: which telltale answers, by its authority, so that the page
// of one takes no other for itself. Every app on the device can see as much by
// asking the proxy for a certificate.
func (h *handler) here() []byte {
	return []byte(`{"authority":"` + fingerprint(h.Authority) + "\"}\n")
}

// allowOrigin lets the set-up page, and it alone, read /here from another origin
// than its own (Fetch Standard, 3.3). The page comes from http://ADDRESS:PORT/ and
// fetches from Host. No credentials are involved.
//
// A browser may ask before it lets a page reach into a local network: Chromium's
// Private Network Access did so by a preflight, which is answered here; what
// replaced it, Local Network Access, asks the person, but not on behalf of a page
// that is itself of the local network (developer.chrome.com,
// "New permission prompt for Local Network Access").
func (h *handler) allowOrigin(header http.Header, r *http.Request) {
	origin := r.Header.Get("Origin")
	if !h.ownOrigin(origin, r) {
		return
	}
	header.Set("Access-Control-Allow-Origin", origin)
	if r.Method != http.MethodOptions {
		return
	}
	header.Set("Access-Control-Allow-Methods", "GET")
	header.Set("Access-Control-Max-Age", "600")
	if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		header.Set("Access-Control-Allow-Private-Network", "true")
	}
}

// ownOrigin reports whether an origin can be that of the set-up page: a local
// address, or one at which this machine is reached. The port may be anyone's,
// since it may be forwarded.
func (h *handler) ownOrigin(origin string, r *http.Request) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || origin != u.Scheme+"://"+u.Host || !trusted(u.Host) {
		return false
	}
	at, err := netip.ParseAddr(u.Hostname())
	if err != nil { // one of the names that trusted knows
		return true
	}
	at = at.Unmap()
	if at.IsPrivate() || at.IsLoopback() || at.IsLinkLocalUnicast() || shared.Contains(at) {
		return true
	}
	for _, own := range []string{localAddr(r), h.Proxy()} {
		if host, _, ok := parsePlace(own); ok && host == at.String() {
			return true
		}
	}
	// Through the proxy a page asks over a connection that may arrive elsewhere than the
	// one it was loaded by: any address of this machine can be the page's.
	addresses, err := h.addresses()
	return err == nil && slices.Contains(addresses, at.String())
}

// trusted reports whether a Host, or the host of an origin, is one that no
// foreign site can have: an IP address, localhost, or the page's own name.
func trusted(hostport string) bool {
	host, _ := flow.SplitHostPort(hostport)
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return addr.Zone() == ""
	}
	switch flow.CanonicalHost(host) {
	case "localhost", Host:
		return true
	}
	return false
}

// throughProxy reports whether a request came by the name that only the proxy
// knows: then the visitor's proxy setting is in place.
func throughProxy(r *http.Request) bool {
	return flow.CanonicalHost(r.Host) == Host
}

// overTLS reports whether a request came encrypted: through the proxy, that is
// with a certificate of ours which the visitor trusts.
func overTLS(r *http.Request) bool { return r.TLS != nil || r.URL.Scheme == "https" }

// clientOf returns the visitor's address; ok tells whether there is one.
func clientOf(r *http.Request) (_ netip.Addr, ok bool) {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return at.Addr().Unmap().WithZone(""), err == nil
}

// localAddr returns where the visitor's connection arrived, "" when unknown.
func localAddr(r *http.Request) string {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return local.String()
	}
	return ""
}
