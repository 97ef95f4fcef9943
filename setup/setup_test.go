package setup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"telltale/ca"
)

var update = flag.Bool("update", false, "write the goldens in testdata anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// User-Agents as devices send them.
const (
	iPhone         = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
	iPad           = "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1 Mobile/15E148 Safari/604.1"
	androidChrome  = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"
	androidFirefox = "Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0"
	macSafari      = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15"
	macFirefox     = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:127.0) Gecko/20100101 Firefox/127.0"
	windowsEdge    = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0"
	linuxChrome    = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
	chromeBook     = "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)

// The authority of the program is one that the set-up takes.
var _ Authority = (*ca.Authority)(nil)

// fixed is an authority that stays the same, for goldens.
type fixed struct {
	root *x509.Certificate
	name string
}

func (f fixed) Certificate() *x509.Certificate { return f.root }
func (f fixed) Name() string                   { return f.name }
func (f fixed) AndroidName() string            { return "9a5ba575.0" }
func (f fixed) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.root.Raw})
}

func fixedAuthority(t testing.TB) fixed {
	t.Helper()
	content, err := os.ReadFile("testdata/root.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(content)
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return fixed{root, root.Subject.CommonName}
}

// An authority that was imported may have no common name: everything calls it alike.
func TestAuthorityWithoutCommonName(t *testing.T) {
	const name = "OU=Lab,O=Example"
	h := testHandler(t)
	h.Authority = fixed{fixedAuthority(t).root, name}
	for _, p := range Platforms {
		page := body(t, visit(h, "GET", "/?device="+p.ID, "192.168.1.5:8080", "", ""))
		if !strings.Contains(page, "<dt>Name</dt><dd>"+name+"</dd>") || strings.Contains(page, fixedAuthority(t).name) || strings.Contains(page, "<b></b>") {
			t.Errorf("%s: the page does not call it %s", p.ID, name)
		}
	}
	for _, target := range []string{"/ca.mobileconfig", "/ca.mobileconfig?ssid=lab"} {
		profile := body(t, visit(h, "GET", target, "192.168.1.5:8080", "", ""))
		if strings.Count(profile, "<string>"+name) != 2 {
			t.Errorf("%s does not call it %s:\n%s", target, name, profile)
		}
	}
}

// testHandler returns a handler on a machine with two known addresses.
func testHandler(t testing.TB) *handler {
	return &handler{
		Config:    Config{Authority: fixedAuthority(t), Proxy: func() string { return "192.168.1.5:8080" }},
		addresses: func() ([]string, error) { return []string{"192.168.1.5", "10.0.0.7"}, nil },
	}
}

// visit asks h for target as a device does that arrives at the local address.
func visit(h http.Handler, method, target, host, userAgent, local string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	r.Host = host
	r.Header.Set("User-Agent", userAgent)
	if local != "" {
		addr, err := net.ResolveTCPAddr("tcp", local)
		if err != nil {
			panic(err)
		}
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, addr))
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t testing.TB, response *http.Response) string {
	t.Helper()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// golden compares with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run go test ./setup -update and read the difference\ngot:\n%s", path, got)
	}
}

func TestPageGoldens(t *testing.T) {
	h := testHandler(t)
	for name, v := range map[string]struct{ host, userAgent, local string }{
		"page-ios.html":             {"192.168.1.5:8080", iPhone, "192.168.1.5:8080"},
		"page-android.html":         {"192.168.1.5:8080", androidChrome, "192.168.1.5:8080"},
		"page-firefox-android.html": {"192.168.1.5:8080", androidFirefox, "192.168.1.5:8080"},
		"page-macos.html":           {"192.168.1.5:8080", macSafari, "192.168.1.5:8080"},
		"page-windows.html":         {"192.168.1.5:8080", windowsEdge, "192.168.1.5:8080"},
		"page-linux.html":           {"192.168.1.5:8080", linuxChrome, "192.168.1.5:8080"},
		"page-chromeos.html":        {"192.168.1.5:8080", chromeBook, "192.168.1.5:8080"},
		"page-firefox.html":         {"192.168.1.5:8080", macFirefox, "192.168.1.5:8080"},
		"page-through.html":         {"setup.telltale", androidChrome, "192.168.1.5:8080"},
		"page-here.html":            {"localhost:8080", linuxChrome, "127.0.0.1:8080"},
	} {
		page := body(t, visit(h, "GET", "/", v.host, v.userAgent, v.local))
		page = strings.Replace(strings.Replace(page, style, "", 1), script, "", 1)
		golden(t, name, []byte(page))
	}
}

// The files over a real connection, as a browser gets them.
func TestFilesOverTheWire(t *testing.T) {
	a := fixedAuthority(t)
	server := httptest.NewServer(NewHandler(Config{Authority: a, Proxy: func() string { return "192.168.1.5:8080" }}))
	defer server.Close()
	client := server.Client()
	defer client.CloseIdleConnections()
	profile, err := Profile(a)
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(server.URL, "http://")
	for path, want := range map[string]struct{ mediaType, disposition, content string }{
		"/ca.pem":          {"application/x-pem-file", `attachment; filename="telltale-ca.pem"`, string(a.PEM())},
		"/ca.cer":          {"application/x-x509-ca-cert", `inline; filename="telltale-ca.cer"`, string(a.root.Raw)},
		"/ca.mobileconfig": {"application/x-apple-aspen-config", `inline; filename="telltale-ca.mobileconfig"`, string(profile)},
		"/9a5ba575.0":      {"application/octet-stream", `attachment; filename="9a5ba575.0"`, string(a.PEM())},
		"/proxy.pac":       {"application/x-ns-proxy-autoconfig", "", "function FindProxyForURL(url, host) {\n  return \"PROXY " + address + "\";\n}\n"},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			request, err := http.NewRequest(method, server.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			got := body(t, response)
			response.Body.Close()
			content := want.content
			if method == "HEAD" {
				content = ""
			}
			if response.StatusCode != 200 || got != content || response.ContentLength != int64(len(want.content)) {
				t.Errorf("%s %s: %s, length %d, content %q", method, path, response.Status, response.ContentLength, got)
			}
			if response.Header.Get("Content-Type") != want.mediaType || response.Header.Get("Content-Disposition") != want.disposition {
				t.Errorf("%s %s: %v", method, path, response.Header)
			}
			checkSecure(t, response)
		}
	}
}

func checkSecure(t *testing.T, response *http.Response) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := response.Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'; style-src 'sha256-") {
		t.Errorf("Content-Security-Policy: %q", got)
	}
}

func TestNothingElseIsServed(t *testing.T) {
	h := testHandler(t)
	for _, path := range []string{"/index.html", "//", "/ca.key", "/ca.pem/", "/CA.PEM", "/../ca.pem", "/telltale-ca.key", "/%2e%2e/", "/favicon.ico", "//ca.pem", "/ca.pem%00"} {
		response := visit(h, "GET", "http://192.168.1.5:8080"+path, "192.168.1.5:8080", iPhone, "")
		if response.StatusCode != 404 {
			t.Errorf("%s: %s", path, response.Status)
		}
		if strings.Contains(body(t, response), "CERTIFICATE") {
			t.Errorf("%s: a certificate", path)
		}
		checkSecure(t, response)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get"} {
		response := visit(h, method, "http://192.168.1.5:8080/", "192.168.1.5:8080", iPhone, "")
		if response.StatusCode != 405 || response.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %s, Allow %q", method, response.Status, response.Header.Get("Allow"))
		}
		checkSecure(t, response)
	}
}

// The page must work with nothing but itself, and its style must be the one that
// the policy names.
func TestPageIsSelfContained(t *testing.T) {
	response := visit(testHandler(t), "GET", "/", "192.168.1.5:8080", iPhone, "")
	page := body(t, response)
	styles := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(page, -1)
	if len(styles) != 1 {
		t.Fatalf("%d styles", len(styles))
	}
	sum := sha256.Sum256([]byte(styles[0][1]))
	if hash := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(response.Header.Get("Content-Security-Policy"), hash) {
		t.Errorf("the style's hash is %s, the policy %q", hash, response.Header.Get("Content-Security-Policy"))
	}
	scripts := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllStringSubmatch(page, -1)
	if len(scripts) != 1 || strings.Count(page, "<script") != 1 || scripts[0][1] != script {
		t.Errorf("%d scripts, the first of them not ours", len(scripts))
	}
	if hash := hashSource(script); !strings.Contains(response.Header.Get("Content-Security-Policy"), "script-src "+hash+";") {
		t.Errorf("the script's hash is %s, the policy %q", hash, response.Header.Get("Content-Security-Policy"))
	}
	for _, forbidden := range []string{"<link", "<img", "<iframe", " style=", " onclick", ` src="`, "url(", "@import", "ZgotmplZ"} {
		if strings.Contains(page, forbidden) {
			t.Errorf("the page has %q", forbidden)
		}
	}
	for _, link := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if id, ok := strings.CutPrefix(link[1], "#"); ok {
			if strings.Count(page, ` id="`+id+`"`) != 1 {
				t.Errorf("the page links to #%s, which it has not once", id)
			}
			continue
		}
		if got := visit(testHandler(t), "GET", link[1], "192.168.1.5:8080", iPhone, ""); got.StatusCode != 200 {
			t.Errorf("the page links to %q, which is %s", link[1], got.Status)
		}
	}
}

func TestPageShowsTheFingerprint(t *testing.T) {
	a := fixedAuthority(t)
	page := body(t, visit(testHandler(t), "GET", "/", "192.168.1.5:8080", iPhone, ""))
	var got []string
	for _, line := range regexp.MustCompile(`<code>((?:[0-9A-F]{2}:){7}[0-9A-F]{2})</code>`).FindAllStringSubmatch(page, -1) {
		got = append(got, line[1])
	}
	if fingerprint := strings.Join(got, ":"); fingerprint != ca.Fingerprint(a.root) {
		t.Errorf("the page shows %s, the fingerprint is %s", fingerprint, ca.Fingerprint(a.root))
	}
}

func TestVisitorsPlatformIsShown(t *testing.T) {
	for userAgent, want := range map[string]string{
		iPhone: "ios", iPad: "ios", androidChrome: "android", androidFirefox: "firefox-android", macSafari: "macos", macFirefox: "firefox",
		windowsEdge: "windows", linuxChrome: "linux", chromeBook: "chromeos", "curl/8.0": "ios", "": "ios", "Microsoft thing": "ios",
	} {
		if got := PlatformOf(userAgent).ID; got != want {
			t.Errorf("PlatformOf(%q) = %s, want %s", userAgent, got, want)
		}
		for query, want := range map[string]string{"": want, "?device=" + want: want, "?device=linux": "linux", "?device=": want, "?device=<b>": want} {
			page := body(t, visit(testHandler(t), "GET", "/"+query, "192.168.1.5:8080", userAgent, ""))
			if !strings.Contains(page, `<main data-platform="`+want+`"`) || strings.Count(page, `aria-current="page"`) != 1 {
				t.Errorf("%q at %q is not shown %s", userAgent, query, want)
			}
			for _, p := range Platforms {
				if !strings.Contains(page, `<a href="/?device=`+p.ID+`"`) {
					t.Errorf("%q at %q: no way to %s", userAgent, query, p.ID)
				}
			}
		}
	}
}

func TestPlaceIsWhereTheVisitorArrived(t *testing.T) {
	h := testHandler(t)
	for _, test := range []struct{ host, local, want, why string }{
		{"192.168.1.5:8080", "192.168.1.5:8080", "192.168.1.5:8080", "what it asked for"},
		{"10.0.2.2:8080", "127.0.0.1:8080", "10.0.2.2:8080", "an emulator knows this machine by another address"},
		{"172.20.0.1:9090", "172.17.0.2:8080", "172.20.0.1:9090", "a port is forwarded"},
		{"laptop.local:8080", "192.168.1.5:8080", "laptop.local:8080", "a name"},
		{"LAPTOP.local:8080", "192.168.1.5:8080", "laptop.local:8080", "a name in capitals"},
		{"192.168.1.5", "192.168.1.5:80", "192.168.1.5:80", "port 80 goes without saying"},
		{"[2001:db8::1]:8080", "[2001:db8::1]:8080", "[2001:db8::1]:8080", "IPv6"},
		{"[2001:db8::1]", "[2001:db8::1]:80", "[2001:db8::1]:80", "IPv6 without a port"},
		{"[::ffff:192.168.1.5]:8080", "192.168.1.5:8080", "192.168.1.5:8080", "IPv4 in IPv6"},
		{"setup.telltale", "192.168.1.9:8080", "192.168.1.9:8080", "through the proxy: where the connection arrived"},
		{"SETUP.telltale.:80", "192.168.1.9:8080", "192.168.1.9:8080", "likewise"},
		{"setup.telltale", "[::ffff:192.168.1.9]:8080", "192.168.1.9:8080", "likewise, on a socket of both families"},
		{"setup.telltale", "", "192.168.1.5:8080", "through the proxy, connection unknown"},
		{"", "192.168.1.9:8080", "192.168.1.9:8080", "no host"},
		{"0.0.0.0:8080", "127.0.0.1:8080", "127.0.0.1:8080", "nobody can connect there"},
		{"224.0.0.1:8080", "192.168.1.9:8080", "192.168.1.9:8080", "nor there"},
		{`a";alert(1);":8080`, "192.168.1.9:8080", "192.168.1.9:8080", "script"},
		{"<b>:8080", "192.168.1.9:8080", "192.168.1.9:8080", "markup"},
		{"a b:8080", "192.168.1.9:8080", "192.168.1.9:8080", "a space, which would part the directive"},
		{"evil; DIRECT:8080", "192.168.1.9:8080", "192.168.1.9:8080", "another directive"},
		{"host:0", "192.168.1.9:8080", "192.168.1.9:8080", "port 0"},
		{"host:99999", "192.168.1.9:8080", "192.168.1.9:8080", "no port"},
		{"host:http", "192.168.1.9:8080", "192.168.1.9:8080", "a port by name"},
		{"host:", "192.168.1.9:8080", "192.168.1.9:8080", "half a port"},
		{strings.Repeat("a", 300) + ":8080", "192.168.1.9:8080", "192.168.1.9:8080", "a name of 300 bytes"},
	} {
		script := body(t, visit(h, "GET", "/proxy.pac", test.host, iPhone, test.local))
		if want := "function FindProxyForURL(url, host) {\n  return \"PROXY " + test.want + "\";\n}\n"; script != want {
			t.Errorf("%s (%.40s): %q, want %q", test.why, test.host, script, want)
		}
		page := body(t, visit(h, "GET", "/", test.host, iPhone, test.local))
		place := Place{}
		place.Host, place.Port, _ = parsePlace(test.want)
		if want := "<div><dt>Server</dt><dd><code>" + place.Host + "</code></dd></div>\n<div><dt>Port</dt><dd><code>" + place.Port + "</code></dd></div>"; !strings.Contains(page, want) {
			t.Errorf("%s (%.40s): the page lacks %q", test.why, test.host, want)
		}
	}
}

func TestPlaceWithoutAnyAddress(t *testing.T) {
	h := testHandler(t)
	h.Proxy = func() string { return "[::]:8080" }
	if got := body(t, visit(h, "GET", "/proxy.pac", "setup.telltale", iPhone, "")); !strings.Contains(got, "PROXY localhost:8080") {
		t.Errorf("%q", got)
	}
}

func TestThroughTheProxyIsSaid(t *testing.T) {
	for host, want := range map[string]bool{"setup.telltale": true, "Setup.Telltale:80": true, "192.168.1.5:8080": false, "setup.telltale.example": false, "xsetup.telltale": false} {
		page := body(t, visit(testHandler(t), "GET", "/", host, iPhone, "192.168.1.5:8080"))
		if got := strings.Contains(page, `>The proxy is set. Next: the certificate.</p>`); got != want {
			t.Errorf("%s: it is said: %v, want %v", host, got, want)
		}
		if got := strings.Contains(page, `<li id="stage-proxy" class="stage done">`); got != want || strings.Count(page, `class="stage done"`) > 1 {
			t.Errorf("%s: it is ticked: %v, want %v", host, got, want)
		}
	}
}

// On the machine itself, loopback is right for its own programs and wrong for
// phones.
func TestPhonesGetAnotherAddressThanThisMachine(t *testing.T) {
	h := testHandler(t)
	for _, host := range []string{"127.0.0.1:8080", "localhost:8080", "[::1]:8080"} {
		page := body(t, visit(h, "GET", "/", host, linuxChrome, host))
		if !strings.Contains(page, "http://192.168.1.5:8080/</b> or <b>http://10.0.0.7:8080/") || !strings.Contains(page, "<svg ") {
			t.Errorf("%s: the page does not say what to open on a phone", host)
		}
		if values := `<dt>Server</dt><dd><code>192.168.1.5<`; strings.Contains(page, values) {
			t.Errorf("%s: the steps for this machine have the address for phones", host)
		} else if ios := body(t, visit(h, "GET", "/?device=ios", host, linuxChrome, host)); !strings.Contains(ios, values) {
			t.Errorf("%s: steps for a phone:\n%s", host, ios)
		}
	}
	// A phone on a cable (`adb reverse`) reaches the proxy by loopback.
	page := body(t, visit(h, "GET", "/", "127.0.0.1:8080", androidChrome, "127.0.0.1:8080"))
	if !strings.Contains(page, "<dd><code>127.0.0.1</code>") || strings.Contains(page, "192.168.1.5") || strings.Contains(page, "<svg") {
		t.Errorf("a phone on a cable is told:\n%s", page)
	}
	h.addresses = func() ([]string, error) { return nil, nil }
	if got := visit(h, "GET", "/", "127.0.0.1:8080", linuxChrome, ""); got.StatusCode != 200 {
		t.Errorf("without a network: %s", got.Status)
	}
	h.addresses = func() ([]string, error) { return nil, errors.New("no interfaces today") }
	if got := visit(h, "GET", "/", "127.0.0.1:8080", linuxChrome, ""); got.StatusCode != 500 || !strings.Contains(body(t, got), "no interfaces today") {
		t.Errorf("when the system fails: %s", got.Status)
	}
}

// FuzzHost sends what it likes as Host: the script must be one directive, and
// the page must not repeat anything that is not a host.
func FuzzHost(f *testing.F) {
	for _, host := range []string{"192.168.1.5:8080", "[::1]:80", `";alert(1)//:80`, "a:b:c", "[", "]:1", "setup.telltale", "\x00:1", "ü:8", "a.:80", "[fe80::1%<b>]:8080"} {
		f.Add(host)
	}
	h := testHandler(f)
	directive := regexp.MustCompile(`^function FindProxyForURL\(url, host\) \{\n  return "PROXY ([a-z0-9._-]+|\[[0-9a-f:.]+\]):[0-9]{1,5}";\n\}\n$`)
	f.Fuzz(func(t *testing.T, host string) {
		if got := body(t, visit(h, "GET", "/proxy.pac", host, iPhone, "192.168.1.5:8080")); !directive.MatchString(got) {
			t.Fatalf("Host %q: %q", host, got)
		}
		response := visit(h, "GET", "/", host, iPhone, "192.168.1.5:8080")
		page := strings.Replace(body(t, response), "<script>"+script+"</script>", "", 1)
		if response.StatusCode != 200 || strings.Contains(page, "<script") || strings.Contains(page, "alert(1)") {
			t.Fatalf("Host %q: %s %s", host, response.Status, page)
		}
	})
}
