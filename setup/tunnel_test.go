package setup

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// tunnelled returns a handler whose tunnel notes who was given a configuration.
func tunnelled(t testing.TB) (_ *handler, given *[]string) {
	t.Helper()
	h := testHandler(t)
	given = new([]string)
	h.Tunnel = &Tunnel{
		Configuration: func(v Visit) (string, error) {
			*given = append(*given, fmt.Sprintf("%s at %s: %s", v.Client, v.Host, v.Name))
			if v.Within {
				return "[Interface]\nPrivateKey = its own\n", nil
			}
			return "[Interface]\nPrivateKey = of " + v.Client.String() + "\n", nil
		},
		First: func(host string) (string, error) {
			return "[Interface]\nPrivateKey = of the first at " + host + "\n", nil
		},
		Within: func(r *http.Request) bool { return strings.HasPrefix(r.RemoteAddr, "10.77.") },
	}
	return h, given
}

// from asks h for target as a browser at an address does.
func from(h http.Handler, method, target, client, host string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr, r.Host = client, host
	r.Header.Set("User-Agent", iPhone)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestEachVisitorGetsAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	h, given := tunnelled(t)
	response := from(h, "GET", "/wireguard.conf", "192.168.1.20:4000", "192.168.1.5:8080")
	if got := body(t, response); got != "[Interface]\nPrivateKey = of 192.168.1.20\n" || response.StatusCode != 200 {
		t.Errorf("%s: %q", response.Status, got)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/octet-stream", "Content-Disposition": `attachment; filename="telltale.conf"`, "Cache-Control": "no-store",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	checkSecure(t, response)
	if got := body(t, from(h, "GET", "/wireguard.conf", "10.77.0.2:4000", "setup.telltale")); got != "[Interface]\nPrivateKey = its own\n" {
		t.Errorf("through the tunnel: %q", got)
	}
	*given = (*given)[:1]
	from(h, "GET", "/wireguard.conf", "[::ffff:192.168.1.21]:4000", "setup.telltale")
	from(h, "GET", "/wireguard.conf", "127.0.0.1:4000", "127.0.0.1:8080")
	if want := []string{"192.168.1.20 at 192.168.1.5: iPhone, iOS 17.5", "192.168.1.21 at 192.168.1.5: iPhone, iOS 17.5", "127.0.0.1 at 192.168.1.5: iPhone, iOS 17.5"}; !slices.Equal(*given, want) {
		t.Errorf("given %q, want %q", *given, want)
	}
}

func TestNoKeyForOthers(t *testing.T) {
	t.Parallel()
	h, given := tunnelled(t)
	for _, test := range []struct {
		why, method, host string
		header            []string
		status            int
	}{
		{"DNS rebinding", "GET", "evil.example:8080", nil, 403},
		{"another site, as browsers say of it", "GET", "192.168.1.5:8080", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another port of this machine", "GET", "192.168.1.5:8080", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"a script of another site", "GET", "192.168.1.5:8080", []string{"Origin", "https://evil.example"}, 403},
		{"no origin at all", "GET", "192.168.1.5:8080", []string{"Origin", "null"}, 403},
		{"HEAD", "HEAD", "192.168.1.5:8080", nil, 200},
		{"POST", "POST", "192.168.1.5:8080", nil, 405},
	} {
		response := from(h, test.method, "/wireguard.conf", "192.168.1.20:4000", test.host, test.header...)
		if got := body(t, response); response.StatusCode != test.status || strings.Contains(got, "PrivateKey") {
			t.Errorf("%s: %s %q", test.why, response.Status, got)
		}
	}
	if len(*given) > 0 {
		t.Errorf("keys were made: %q", *given)
	}
	if got := from(testHandler(t), "GET", "/wireguard.conf", "192.168.1.20:4000", "192.168.1.5:8080"); got.StatusCode != 404 {
		t.Errorf("without a tunnel: %s", got.Status)
	}
	h.Tunnel.Configuration = func(Visit) (string, error) { return "", errors.New("there are 32 of them") }
	if got := from(h, "GET", "/wireguard.conf", "192.168.1.20:4000", "192.168.1.5:8080"); got.StatusCode != 500 || !strings.Contains(body(t, got), "there are 32") {
		t.Errorf("when no more are made: %s", got.Status)
	}
}

func TestPageOffersTheTunnel(t *testing.T) {
	t.Parallel()
	h, given := tunnelled(t)
	for _, p := range Platforms {
		page := body(t, from(h, "GET", "/?device="+p.ID, "192.168.1.20:4000", "192.168.1.5:8080"))
		if got, want := strings.Contains(page, `href="/wireguard.conf"`), TunnelSteps(p) != nil; got != want {
			t.Errorf("%s: offered %v, want %v", p.ID, got, want)
		}
		if strings.Contains(page, "QR code of a configuration") || !strings.Contains(page, "If you used WireGuard") {
			t.Errorf("%s:\n%s", p.ID, page)
		}
	}
	if len(*given) > 0 {
		t.Errorf("looking at the page made keys: %q", *given)
	}
	if page := body(t, from(testHandler(t), "GET", "/", "192.168.1.20:4000", "192.168.1.5:8080")); strings.Contains(page, "WireGuard") {
		t.Error("it is offered where it is off")
	}
	golden(t, "page-tunnel.html", []byte(strings.Replace(strings.Replace(body(t, from(h, "GET", "/", "192.168.1.20:4000", "192.168.1.5:8080")), style, "", 1), script, "", 1)))
}

// The first key is shown on this machine alone, whatever a request says of itself.
func TestFirstKeyIsShownHereAlone(t *testing.T) {
	t.Parallel()
	h, _ := tunnelled(t)
	for _, test := range []struct {
		client, host string
		want         bool
	}{
		{"127.0.0.1:4000", "localhost:8080", true},
		{"[::1]:4000", "[::1]:8080", true},
		{"192.168.1.20:4000", "localhost:8080", false},
		{"192.168.1.20:4000", "127.0.0.1:8080", false},
		{"127.0.0.1:4000", "evil.example:8080", false},
		{"127.0.0.1:4000", "setup.telltale", false},
	} {
		page := body(t, from(h, "GET", "/", test.client, test.host, "User-Agent", linuxChrome))
		if test.want && strings.Contains(page, "wg-quick") {
			t.Errorf("%s is to be connected to itself", test.client)
		}
		if got := strings.Contains(page, "QR code of a configuration"); got != test.want {
			t.Errorf("%s asks %s: shown %v, want %v", test.client, test.host, got, test.want)
		}
	}
}

// Who comes through the tunnel has set no proxy and needs none.
func TestPageWithinTheTunnel(t *testing.T) {
	t.Parallel()
	h, _ := tunnelled(t)
	page := body(t, from(h, "GET", "/", "10.77.0.2:4000", "setup.telltale"))
	for _, want := range []string{
		`<li id="stage-proxy" class="stage done">`, "<h2>Switch WireGuard on</h2>", ">WireGuard is on. Next: the certificate.</p>",
		`data-certificate="WireGuard is on. Next: the certificate."`, "Leave the proxy off.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	for _, not := range []string{"<dt>Server</dt>", "/wireguard.conf", "The proxy is set", "A VPN leads round the proxy", "Private Relay and VPNs", "Switch it off"} {
		if strings.Contains(page, not) {
			t.Errorf("it has %q", not)
		}
	}
	if sentences[TrustAuthority].text != "The proxy is set. Next: the certificate." {
		t.Error("the sentences of other visitors changed")
	}
}
