package experiment

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

var aGuest = netip.MustParseAddrPort("192.168.1.20:50000")

// from is a contact of a device.
func from(f *flow.Flow, client netip.AddrPort) *flow.Flow {
	f.Client.Addr = client
	return f
}

// visit asks for the page as a device.
func visit(s *Set, client netip.AddrPort, method, target string, form url.Values) *httptest.ResponseRecorder {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, target, body)
	r.RemoteAddr = client.String()
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	s.PortalHandler().ServeHTTP(w, r)
	return w
}

var tokenField = regexp.MustCompile(`name="token" value="([0-9a-f]{64})"`)

func tokenIn(page string) string {
	if m := tokenField.FindStringSubmatch(page); m != nil {
		return m[1]
	}
	return ""
}

// location is where a request of a device is redirected to, "" when it passes.
func location(s *Set, client netip.AddrPort, target string) string {
	f := from(opened(flowtest.Get(target)), client)
	d := s.Decide(f)
	if d.Answer == nil {
		return ""
	}
	resp, _ := d.Answer(request(f))
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Cache-Control") != "no-store" {
		return fmt.Sprint("answered ", resp.StatusCode, resp.Header)
	}
	return resp.Header.Get("Location")
}

func TestSigningIn(t *testing.T) {
	s := New(config(t))
	on(t, s, "captive-portal")
	const original = "http://a.example/news?id=1&x=%20y"
	page := location(s, aGuest, original)
	if page != "http://setup.telltale/portal?url=http%3A%2F%2Fa.example%2Fnews%3Fid%3D1%26x%3D%2520y" {
		t.Fatalf("redirected to %q", page)
	}
	w := visit(s, aGuest, "GET", page, nil)
	token, text := tokenIn(w.Body.String()), w.Body.String()
	if w.Code != 200 || token == "" || !strings.Contains(text, "simulation") || !strings.Contains(text, ">Connect</button>") || !strings.Contains(text, `<html lang="en">`) {
		t.Fatalf("%d %s", w.Code, text)
	}
	for _, header := range []string{"Content-Security-Policy", "X-Frame-Options", "Cache-Control", "Referrer-Policy"} {
		if w.Header().Get(header) == "" {
			t.Errorf("the page has no %s", header)
		}
	}
	if location(s, aGuest, original) == "" {
		t.Error("to look at the page signs in")
	}
	other := netip.MustParseAddrPort("192.168.1.21:50000")
	for name, form := range map[string]url.Values{"no token": {}, "a wrong one": {"token": {strings.Repeat("0", 64)}}, "another device's": {"token": {tokenIn(visit(s, other, "GET", page, nil).Body.String())}}} {
		if w := visit(s, aGuest, "POST", page, form); w.Code != http.StatusForbidden || location(s, aGuest, original) == "" {
			t.Errorf("%s: %d, and the device is in", name, w.Code)
		}
	}
	w = visit(s, aGuest, "POST", page, url.Values{"token": {token}, "url": {original}})
	if text := w.Body.String(); w.Code != 200 || !strings.Contains(text, "Connected") || !strings.Contains(text, `href="`+html.EscapeString(original)+`"`) || !strings.Contains(text, "Go on to a.example") {
		t.Errorf("%d %s", w.Code, text)
	}
	if got := location(s, netip.MustParseAddrPort("[::ffff:192.168.1.20]:50001"), original); got != "" {
		t.Errorf("signed in, and redirected to %q", got)
	}
	if d := s.Decide(from(flowtest.DNS("a.example"), aGuest)); d.By != nil {
		t.Errorf("signed in, and %+v", d)
	}
	if location(s, other, original) == "" {
		t.Error("one device lets another in")
	}
	if w := visit(s, aGuest, "GET", page, nil); !strings.Contains(w.Body.String(), "Connected") || tokenIn(w.Body.String()) != "" {
		t.Errorf("signed in: %s", w.Body)
	}
}

func TestSwitchingOffForgetsWhoSignedIn(t *testing.T) {
	s := New(config(t))
	on(t, s, "captive-portal")
	token := tokenIn(visit(s, aGuest, "GET", "/portal", nil).Body.String())
	visit(s, aGuest, "POST", "/portal", url.Values{"token": {token}})
	on(t, s, "captive-portal", "slow") // which changes nothing about the portal
	if location(s, aGuest, "http://a.example/") != "" {
		t.Error("something else was switched, and the device has to sign in again")
	}
	if err := s.Switch(Spec{Name: "captive-portal"}, false); err != nil {
		t.Fatal(err)
	}
	if w := visit(s, aGuest, "POST", "/portal", url.Values{"token": {token}}); !strings.Contains(w.Body.String(), "nothing to sign in to") {
		t.Errorf("off: %s", w.Body)
	}
	on(t, s, "captive-portal")
	if location(s, aGuest, "http://a.example/") == "" {
		t.Error("the device is still signed in")
	}
	if w := visit(s, aGuest, "POST", "/portal", url.Values{"token": {token}}); w.Code != http.StatusForbidden {
		t.Errorf("an old token: %d", w.Code)
	}
}

// Whatever somebody writes into the address, the page holds no more than a link to the web.
func TestOriginalAddressIsHarmless(t *testing.T) {
	s := New(config(t))
	on(t, s, "captive-portal")
	token := tokenIn(visit(s, aGuest, "GET", "/portal", nil).Body.String())
	for _, original := range []string{
		"javascript:alert(1)", "JavaScript://x/%0aalert(1)", "data:text/html,<script>alert(1)</script>", "//evil.example/", "/portal",
		"file:///etc/passwd", "http://", "https:///x", "ftp://a.example/", "http://[::1", "\x00http://a.example/", strings.Repeat("x", 3000), "http://a.example/" + strings.Repeat("x", 3000),
	} {
		w := visit(s, aGuest, "POST", "/portal", url.Values{"token": {token}, "url": {original}})
		if strings.Contains(w.Body.String(), "<a ") {
			t.Errorf("%.60q is led back to: %s", original, w.Body)
		}
	}
	for _, original := range []string{
		`http://a.example/"><script>alert(1)</script>`, `http://a.example/?q="onmouseover="alert(1)`, "https://a.example/#'><img src=x onerror=alert(1)>",
		`https://<script>alert(1)<.example/`, "http://user:secret@a.example/",
	} {
		for _, w := range []*httptest.ResponseRecorder{
			visit(s, aGuest, "POST", "/portal", url.Values{"token": {token}, "url": {original}}),
			visit(s, netip.MustParseAddrPort("192.0.2.1:1"), "GET", "/portal?"+url.Values{"url": {original}}.Encode(), nil),
		} {
			text := w.Body.String()
			if strings.Contains(text, "<script") || strings.Contains(text, "<img") || strings.Contains(text, `"onmouseover`) || strings.Contains(text, "secret") {
				t.Errorf("%q: %s", original, text)
			}
		}
	}
}

func TestPortalMethods(t *testing.T) {
	s := New(config(t))
	on(t, s, "captive-portal")
	if w := visit(s, aGuest, "PUT", "/portal", nil); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
		t.Errorf("PUT: %d", w.Code)
	}
	if w := visit(s, aGuest, "POST", "/portal", url.Values{"token": {strings.Repeat("x", 2*maxForm)}}); w.Code != http.StatusBadRequest {
		t.Errorf("a long form: %d", w.Code)
	}
}

func TestGuestsAreBounded(t *testing.T) {
	g := newGuests()
	addr := netip.MustParseAddr("10.0.0.0")
	for range maxGuests + 10 {
		addr = addr.Next()
		g.add(addr)
	}
	if len(g.in) > maxGuests || !g.has(addr) {
		t.Errorf("%d guests", len(g.in))
	}
}

// The address of the page is made of what was asked for, and never leads elsewhere.
func FuzzPortalFor(f *testing.F) {
	for _, seed := range []string{"http://a.example/", "http://a.example/?a=b&c=d#e", "javascript:alert(1)", "http://u:p@a.example/", "http://a.example/\r\nSet-Cookie: x", "%"} {
		f.Add(seed)
	}
	const portal = "http://setup.telltale/portal"
	f.Fuzz(func(t *testing.T, original string) {
		to := portalFor(portal, original)
		u, err := url.Parse(to)
		if err != nil || u.Scheme+"://"+u.Host+u.Path != portal || strings.ContainsAny(to, "\r\n\x00 ") {
			t.Fatalf("%q leads to %q (%v)", original, to, err)
		}
		back := u.Query().Get("url")
		if len(u.Query()) > 1 || back != "" && !strings.HasPrefix(back, "http://") && !strings.HasPrefix(back, "https://") {
			t.Errorf("%q leads to %q", original, to)
		}
		if view := leadingBack(back); view.Back != back {
			t.Errorf("%q is handed on as %q, and led back to as %q", original, back, view.Back)
		}
	})
}

// What was inside TLS does not go on in clear: of an address of HTTPS the page is given
// the host alone.
func TestPortalIsToldTheHostOfHTTPSAlone(t *testing.T) {
	for original, want := range map[string]string{
		"https://a.example:8443/cb/secret?access_token=secret#secret": "https://a.example:8443",
		"https://user:secret@a.example/secret":                        "https://a.example",
		"http://a.example/news?id=1":                                  "http://a.example/news?id=1",
	} {
		page, err := url.Parse(portalFor("http://setup.telltale/portal", original))
		if err != nil {
			t.Fatal(err)
		}
		if got := page.Query().Get("url"); got != want {
			t.Errorf("%s: %s, want %s", original, got, want)
		}
	}
}
