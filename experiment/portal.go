package experiment

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/netip"

	"telltale/flow/plain"
)

//go:embed portal.html
var portalText string

//go:embed portal.css
var portalStyle string

var portalTemplate = template.Must(template.New("portal").Parse(portalText))

// portalPolicy lets the page use its style and send its form to itself, no more.
var portalPolicy = func() string {
	sum := sha256.Sum256([]byte(portalStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}()

// portalView is what the page shows.
type portalView struct {
	Style       template.CSS
	Title, Lead string
	Token       string // of the form; "" where there is none
	Back        string // the address that the device came from; ""
	Host        string // of it, for people
	SignedIn    bool
}

// maxForm is how long a form may be, in bytes.
const maxForm = 8 << 10

// PortalHandler serves the sign-in page of captive-portal. A GET changes nothing: the form
// in it lets the client's address in, by a token that no other site can know.
func (s *Set) PortalHandler() http.Handler { return http.HandlerFunc(s.portal) }

func (s *Set) portal(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{
		"Content-Security-Policy":      portalPolicy,
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store",
		"X-Robots-Tag":                 "noindex, nofollow",
	} {
		w.Header().Set(name, value)
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		s.showPortal(w, r)
	case http.MethodPost:
		s.signIn(w, r)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		servePortal(w, http.StatusMethodNotAllowed, portalView{Title: "This is a page to look at", Lead: "It takes nothing but its own form."})
	}
}

// guestsNow returns who has signed in; nil while captive-portal is off.
func (s *Set) guestsNow() *guests {
	now := s.now.Load()
	if now == nil {
		return nil
	}
	if p := now.find(captivePortal); p != nil {
		return p.guests
	}
	return nil
}

func (s *Set) showPortal(w http.ResponseWriter, r *http.Request) {
	g, client := s.guestsNow(), clientOf(r)
	view := leadingBack(r.URL.Query().Get("url"))
	switch {
	case g == nil:
		view.Title, view.Lead = "There is nothing to sign in to", "The simulation of a sign-in page is off: the network is as it is."
	case g.has(client):
		view.signedIn()
	default:
		view.Title, view.Token = "Sign in to this network", g.token(client)
		view.Lead = "As in a café or on a train, this network lets nothing through until somebody has signed in here."
	}
	servePortal(w, http.StatusOK, view)
}

func (s *Set) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		servePortal(w, http.StatusBadRequest, portalView{Title: "That was no form", Lead: "Open the page again, and press the button in it."})
		return
	}
	g, client := s.guestsNow(), clientOf(r)
	if g == nil {
		s.showPortal(w, r)
		return
	}
	view := leadingBack(r.PostForm.Get("url"))
	if !g.knows(r.PostForm.Get("token"), client) {
		view.Title, view.Token = "Please try again", g.token(client)
		view.Lead = "The form came from another page, or from before the simulation was switched on again. Nothing has changed."
		servePortal(w, http.StatusForbidden, view)
		return
	}
	g.add(client)
	view.signedIn()
	servePortal(w, http.StatusOK, view)
}

func (v *portalView) signedIn() {
	v.Title, v.Lead, v.SignedIn = "Connected", "This device has signed in. What it asks for from now on reaches the network.", true
}

// leadingBack returns a view that knows where the device came from, if that is an address
// of the web.
func leadingBack(original string) portalView {
	u := wayBack(original)
	if u == nil {
		return portalView{}
	}
	return portalView{Back: u.String(), Host: plain.Text(u.Host)}
}

func clientOf(r *http.Request) netip.Addr {
	at, _ := netip.ParseAddrPort(r.RemoteAddr) // none is an address that no client has
	return plainAddr(at.Addr())
}

func servePortal(w http.ResponseWriter, status int, view portalView) {
	view.Style = template.CSS(portalStyle) //nolint:gosec // our own style sheet
	var page bytes.Buffer
	if err := portalTemplate.Execute(&page, view); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // a visitor who left is nobody's trouble
}
