package setup

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"telltale/diagnosis"
	"telltale/useragent"
)

// ask sends a request with headers from a device at 192.168.1.20.
func ask(h http.Handler, method, target, host string, header map[string]string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	r.Host, r.RemoteAddr = host, "[::ffff:192.168.1.20]:50000"
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// recorded returns a handler that knows something of the device at 192.168.1.20.
func recorded(t testing.TB, p Progress) *handler {
	h := testHandler(t)
	h.Progress = func(client netip.Addr) Progress {
		if client != netip.MustParseAddr("192.168.1.20") {
			return Progress{}
		}
		return p
	}
	return h
}

func progressAt(t *testing.T, h http.Handler, host string) progressAnswer {
	t.Helper()
	response := ask(h, "GET", "/progress.json", host, nil)
	var a progressAnswer
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil || response.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %v, %s", response.Status, err, response.Header.Get("Content-Type"))
	}
	return a
}

// untrusting says that the device does not trust the certificate; its texts have a
// name from the wire.
var untrusting = []diagnosis.Diagnosis{{
	Cause: diagnosis.NotInstalled, Certainty: diagnosis.Likely, Title: "the device refuses <b>evil</b>.example",
	Hosts: []string{"<b>evil</b>.example"}, Connections: 3, Next: []string{"Install it on <b>evil</b>.example"},
}}

func TestProgressOfTheVisitor(t *testing.T) {
	const direct, through = "192.168.1.5:8080", "setup.telltale"
	for _, test := range []struct {
		name   string
		p      Progress
		host   string
		want   reach
		states string
	}{
		{"nothing", Progress{}, direct, reach{}, "done done waiting waiting waiting"},
		{"the page came through the proxy", Progress{}, through, reach{Proxied: true}, "done done waiting waiting waiting"},
		{"contacts went through it", Progress{Contacts: 2}, direct, reach{Proxied: true}, "done done waiting waiting waiting"},
		{"fetched", Progress{Authority: second(1)}, direct, reach{}, "done done done waiting waiting"},
		{"refused", Progress{Contacts: 2, Unread: 2, Diagnoses: diagnosed(second(10), refuses(iPhone, "a.example", 9)), Authority: second(1)}, direct,
			reach{Proxied: true}, "done done done trouble waiting"},
		{"refused by our own test alone", Progress{Diagnoses: diagnosed(second(10), refuses(iPhone, Host, 9)), Authority: second(1)}, through,
			reach{Proxied: true}, "done done done waiting waiting"},
		{"read", Progress{Contacts: 2, Decrypted: second(3), Authority: second(1)}, direct, reach{Proxied: true, Trusted: true}, "done done done done waiting"},
		{"all", Progress{Contacts: 2, Decrypted: second(3), App: second(4)}, direct, reach{true, true, true}, "done done skipped done done"},
	} {
		a := progressAt(t, recorded(t, test.p), test.host)
		var states []string
		for _, step := range a.Steps {
			states = append(states, step.State)
		}
		if got := strings.Join(states, " "); a.reach != test.want || got != test.states {
			t.Errorf("%s: %+v %s, want %+v %s", test.name, a.reach, got, test.want, test.states)
		}
	}
}

func TestProgressOfAnotherDeviceIsNotShown(t *testing.T) {
	h := recorded(t, Progress{Contacts: 2, Decrypted: second(3), App: second(4)})
	for _, client := range []string{"192.168.1.21:1", "[fe80::1%eth0]:1", "nonsense", ""} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host, r.RemoteAddr = "192.168.1.5:8080", client
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if page := w.Body.String(); w.Code != 200 || strings.Contains(page, `class="stage done"`) {
			t.Errorf("%q: %d, and something is ticked", client, w.Code)
		}
	}
}

func TestProgressWithoutARecord(t *testing.T) {
	h := testHandler(t)
	if a := progressAt(t, h, "setup.telltale"); a.reach != (reach{Proxied: true}) || a.Steps != nil {
		t.Errorf("%+v", a)
	}
	page := body(t, ask(h, "GET", "/", "setup.telltale", nil))
	if !strings.Contains(page, `data-recorded="no"`) || strings.Contains(page, `id="seen"`) {
		t.Error("the page shows a record that nobody keeps")
	}
}

// Over https a page of ours was loaded with a certificate of ours.
func TestTrustIsProvenByTLS(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"the scheme": func(r *http.Request) { r.URL.Scheme = "https" },
		"TLS":        func(r *http.Request) { r.TLS = &tls.ConnectionState{} },
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = "setup.telltale"
		change(r)
		if a := testHandler(t).observed(r); !a.Trusted || !a.Proxied {
			t.Errorf("%s: %+v", name, a.reach)
		}
		r.Host = "192.168.1.5:8080"
		if a := testHandler(t).observed(r); a.Trusted {
			t.Errorf("%s, not by our name: %+v", name, a.reach)
		}
	}
}

// The page without its script: the state at load, and no time in it.
func TestPageShowsProgress(t *testing.T) {
	h := recorded(t, Progress{
		Now: second(30), Reached: second(0), Page: second(1), Authority: second(2), Contacts: 3, Unread: 3,
		Diagnoses: untrusting, OS: useragent.IOS,
	})
	page := body(t, ask(h, "GET", "/?device=ios", "192.168.1.5:8080", map[string]string{"User-Agent": iPhone}))
	golden(t, "page-progress.html", []byte(strings.Replace(strings.Replace(page, style, "", 1), script, "", 1)))
	if strings.Contains(page, "<b>evil") {
		t.Error("a name from the wire is markup")
	}
}

var foreignHosts = []string{
	"evil.example", "evil.example:8080", "setup.telltale.evil.example", "xsetup.telltale", "192.168.1.5.nip.example:8080",
	"localhost.evil.example", "laptop.local:8080", "", "192.168.1.5@evil.example", "[fe80::1%25eth0]:80", "0x7f000001", "127.1",
}

func TestRecordIsKeptFromOtherSites(t *testing.T) {
	h := recorded(t, Progress{Contacts: 2, Decrypted: second(3), App: second(4)})
	refused := func(what string, response *http.Response) {
		t.Helper()
		if got := body(t, response); response.StatusCode != http.StatusForbidden || strings.Contains(got, "steps") {
			t.Errorf("%s: %s %s", what, response.Status, got)
		}
		checkSecure(t, response)
	}
	for _, host := range foreignHosts { // DNS rebinding
		refused(host, ask(h, "GET", "/progress.json", host, nil))
		page := body(t, ask(h, "GET", "/", host, nil))
		if strings.Contains(page, "<script") || strings.Contains(page, `class="stage done"`) || strings.Contains(page, `id="seen"`) {
			t.Errorf("%s: the page tells of the device", host)
		}
	}
	for _, site := range []string{"cross-site", "same-site"} {
		refused(site, ask(h, "GET", "/progress.json", "192.168.1.5:8080", map[string]string{"Sec-Fetch-Site": site}))
	}
	for _, host := range []string{"192.168.1.5:8080", "[2001:db8::1]:8080", "127.0.0.1", "localhost:8080", "LOCALHOST", "setup.telltale", "Setup.Telltale.:80"} {
		for _, site := range []string{"", "same-origin", "none"} {
			response := ask(h, "GET", "/progress.json", host, map[string]string{"Sec-Fetch-Site": site, "Origin": "http://" + host})
			if response.StatusCode != 200 || response.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s: %s, %v", host, site, response.Status, response.Header)
			}
		}
	}
}

func TestHereIsReadByOurPageAlone(t *testing.T) {
	h := testHandler(t)
	h.Proxy = func() string { return "203.0.113.9:8080" } // a proxy at a public address
	h.addresses = func() ([]string, error) { return []string{"192.168.1.5", "2001:db8::5", "198.51.100.7"}, nil }
	allowed := []string{
		"http://192.168.1.5:8080", "http://10.0.2.2:9090", "http://172.16.0.1", "http://100.64.0.7:8080", "http://169.254.3.4:8080", "http://127.0.0.1:8080",
		"http://[fd00::2]:8080", "http://[::1]:8080", "http://localhost:8080", "http://setup.telltale", "https://setup.telltale", "http://203.0.113.9:8080",
		"http://[2001:db8::5]:8080", "http://[2001:DB8:0::5]:8080", "http://198.51.100.7:8080",
	}
	denied := []string{
		"", "null", "http://203.0.113.10:8080", "http://[2001:db8::6]:8080", "http://evil.example", "http://setup.telltale.evil.example", "file://", "chrome-extension://abcdef", "ftp://127.0.0.1",
		"http://127.0.0.1:8080/path", "http://user@127.0.0.1", "http://127.0.0.1:8080, http://evil.example", "http://[fe80::1%25x]:1", "HTTP://127.0.0.1", "//127.0.0.1", "http://",
	}
	for i, origin := range append(allowed, denied...) {
		want := ""
		if i < len(allowed) {
			want = origin
		}
		get := ask(h, "GET", "http://setup.telltale/here", "setup.telltale", map[string]string{"Origin": origin})
		if got := get.Header.Get("Access-Control-Allow-Origin"); got != want || get.StatusCode != 200 || get.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("Origin %q: %s, allowed is %q", origin, get.Status, got)
		}
		if vary := get.Header.Get("Vary"); !strings.Contains(vary, "Origin") {
			t.Errorf("Vary: %s", vary)
		}
		preflight := ask(h, "OPTIONS", "http://setup.telltale/here", "setup.telltale", map[string]string{"Origin": origin,
			"Access-Control-Request-Method": "GET", "Access-Control-Request-Private-Network": "true"})
		local := preflight.Header.Get("Access-Control-Allow-Private-Network")
		if got := preflight.Header.Get("Access-Control-Allow-Origin"); preflight.StatusCode != http.StatusNoContent || got != want || (local == "true") != (want != "") {
			t.Errorf("preflight of %q: %s, %v", origin, preflight.Status, preflight.Header)
		}
		checkSecure(t, preflight)
	}
	var answer struct{ Authority string }
	if err := json.NewDecoder(ask(h, "GET", "/here", "setup.telltale", nil).Body).Decode(&answer); err != nil || answer.Authority != fingerprint(h.Authority) {
		t.Errorf("%v %v", answer, err)
	}
}

func FuzzOrigin(f *testing.F) {
	for _, origin := range []string{"http://127.0.0.1:8080", "https://setup.telltale", "null", "http://a b", "http://[::1", "http://evil.example\r\nX: y", "http://ｓetup.telltale"} {
		f.Add(origin)
	}
	h := testHandler(f)
	f.Fuzz(func(t *testing.T, origin string) {
		r := httptest.NewRequest("GET", "/here", nil)
		r.Header["Origin"] = []string{origin}
		if h.ownOrigin(origin, r) && !regexp.MustCompile(`^https?://(\[[0-9a-fA-F:.]+\]|[^\x00-\x20/?#@\\]+)(:[0-9]*)?$`).MatchString(origin) {
			t.Fatalf("%q is taken for ours", origin)
		}
	})
}

// The script's addresses are those that the policy lets it reach, and it has no
// others.
func TestScriptReachesWhatThePolicyAllows(t *testing.T) {
	directive := regexp.MustCompile(`connect-src ([^;]+);`).FindStringSubmatch(policy)
	if directive == nil || directive[1] != "'self' http://setup.telltale https://setup.telltale" {
		t.Errorf("connect-src %q", directive)
	}
	if !strings.Contains(script, "name = '"+Host+"'") || !strings.Contains(script, "'"+progressPath+"'") || !strings.Contains(script, herePath+"'") {
		t.Error("the script asks elsewhere than the handler answers")
	}
	for _, forbidden := range []string{"eval(", "innerHTML", "</script", "document.cookie", "localStorage", "setInterval"} {
		if strings.Contains(script, forbidden) {
			t.Errorf("the script has %q", forbidden)
		}
	}
	for _, id := range regexp.MustCompile(`getElementById\('([\w-]+)'( \+)?`).FindAllStringSubmatch(script, -1) {
		page := body(t, ask(recorded(t, Progress{Now: time.Time{}}), "GET", "/", "192.168.1.5:8080", nil))
		if !strings.Contains(page, ` id="`+id[1]) {
			t.Errorf("the script looks for %q, which the page lacks", id[1])
		}
	}
}
