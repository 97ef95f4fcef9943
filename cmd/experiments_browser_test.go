package cmd

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"telltale/ca"
	"telltale/capture"
	"telltale/flow"
	"telltale/guard/raced"
)

// A tab is one page of a browser, driven by its own protocol.
type tab struct {
	t    *testing.T
	ctx  context.Context
	conn *websocket.Conn
	last int
}

// open starts the browser behind the proxy, on an address.
func (v *visitor) open(address string) *tab {
	v.t.Helper()
	browser := exec.CommandContext(v.ctx, v.browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--no-first-run", "--disable-quic", "--remote-debugging-port=0", "--user-data-dir="+v.t.TempDir(), "--proxy-server=http://"+v.proxy, "about:blank")
	browser.Env = v.environment()
	said, err := browser.StderrPipe()
	if err == nil {
		err = browser.Start()
	}
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = browser.Process.Kill(); _ = browser.Wait() })
	debugger := ""
	for lines := bufio.NewScanner(said); debugger == "" && lines.Scan(); {
		if match := regexp.MustCompile(`listening on ws://([^/]+)/`).FindStringSubmatch(lines.Text()); match != nil {
			debugger = match[1]
		}
	}
	r, err := http.NewRequestWithContext(v.ctx, http.MethodPut, "http://"+debugger+"/json/new?about:blank", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	var page struct{ WebSocketDebuggerURL string }
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		v.t.Fatal(err)
	}
	b := &tab{t: v.t, ctx: v.ctx}
	if b.conn, _, err = websocket.Dial(v.ctx, page.WebSocketDebuggerURL, nil); err != nil { //nolint:bodyclose // the library closes it
		v.t.Fatal(err)
	}
	b.conn.SetReadLimit(-1)
	v.t.Cleanup(func() { _ = b.conn.CloseNow() })
	b.call("Page.enable", map[string]any{})
	b.visit(address)
	return b
}

// call asks the browser for something, and returns the result.
func (b *tab) call(method string, params any) json.RawMessage {
	b.t.Helper()
	b.last++
	if err := wsjson.Write(b.ctx, b.conn, map[string]any{"id": b.last, "method": method, "params": params}); err != nil {
		b.t.Fatal(err)
	}
	for {
		var m struct {
			ID     int
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := wsjson.Read(b.ctx, b.conn, &m); err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
		switch {
		case m.ID != b.last:
		case m.Error != nil:
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		default:
			return m.Result
		}
	}
}

// visit opens an address, and returns when it was loaded, or why it was not.
func (b *tab) visit(address string) (trouble string) {
	b.t.Helper()
	var r struct{ ErrorText string }
	_ = json.Unmarshal(b.call("Page.navigate", map[string]any{"url": address}), &r)
	if r.ErrorText == "" {
		b.run(`new Promise(done => document.readyState == "complete" ? done("") : addEventListener("load", () => done("")))`)
	}
	return r.ErrorText
}

// run evaluates JavaScript in the page, and returns its result as text.
func (b *tab) run(script string) string {
	b.t.Helper()
	var r struct{ Result struct{ Value any } }
	_ = json.Unmarshal(b.call("Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}), &r)
	return fmt.Sprint(r.Result.Value)
}

// until waits for a script to say something.
func (b *tab) until(script, want string) {
	b.t.Helper()
	for got := ""; !strings.Contains(got, want); got = b.run(script) {
		if b.ctx.Err() != nil {
			b.t.Fatalf("%s is %q, and never %q", script, got, want)
		}
	}
}

// behind returns a visitor whose browser trusts the authority, behind telltale with
// experiments, in front of a server of app.test in clear and over TLS.
func behind(t *testing.T, flags ...string) (v *visitor, capture string) {
	t.Helper()
	v = newVisitor(t)
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<title>the app at %s</title>", r.URL.Path)
	})
	secure, clear := httptest.NewTLSServer(answer), httptest.NewServer(answer)
	t.Cleanup(secure.Close)
	t.Cleanup(clear.Close)
	authority, err := ca.Open(v.ca)
	if err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(v.home, ".pki", "nssdb") // which the browser makes at its first start
	if err := os.MkdirAll(store, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(v.ctx, "certutil", "-d", "sql:"+store, "-N", "--empty-password").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	v.trust(authority.Name())
	capture = filepath.Join(t.TempDir(), "x.telltale")
	v.record(strings.TrimPrefix(secure.URL, "https://"), append(flags, "--save", capture, "--resolve", "app.test:80:"+strings.TrimPrefix(clear.URL, "http://"))...)
	return v, capture
}

// altered reads the flows that an experiment altered, once there is one.
func altered(t *testing.T, v *visitor, path, name string) []*flow.Flow {
	t.Helper()
	for {
		store, err := capture.Open(path, capture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var found []*flow.Flow
		err = store.All(v.ctx, func(f *flow.Flow) error {
			if f.Host() == "app.test" && strings.Join(f.Experiments, ",") == name && f.Ended() {
				found = append(found, f)
			}
			return nil
		})
		store.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 {
			return found
		}
	}
}

// What a browser makes of each experiment, and what the record says of it.
func TestExperimentsInABrowser(t *testing.T) {
	tests := []struct {
		flag, name string
		trouble    string // of the navigation
		title      string // of the page, where there is one
		outcome    flow.Outcome
	}{
		{"--enforce=403", "enforce 403", "", "403 Forbidden", flow.Blocked},
		{"--enforce", "enforce", "net::ERR_TUNNEL_CONNECTION_FAILED", "", flow.Blocked},
		{"--refuse=app.test=reset", "refuse app.test reset", "net::ERR_CONNECTION_RESET", "", flow.Blocked},
		{"--simulate=offline", "offline", "net::ERR_TUNNEL_CONNECTION_FAILED", "", flow.Simulated},
		{"--simulate=server-error=502", "server-error 502", "", "502 Bad Gateway", flow.Simulated},
		{"--simulate=bad-certificate", "bad-certificate unknown-authority", "net::ERR_CERT_AUTHORITY_INVALID", "", flow.Simulated},
		{"--simulate=bad-certificate=wrong-name", "bad-certificate wrong-name", "net::ERR_CERT_COMMON_NAME_INVALID", "", flow.Simulated},
		{"--simulate=clock-skew", "clock-skew expired", "net::ERR_CERT_DATE_INVALID", "", flow.Simulated},
		{"--simulate=slow", "slow 3g", "", "the app at /", flow.Completed},
	}
	for _, tc := range tests[:raced.Size(len(tests), 1)] {
		t.Run(tc.name, func(t *testing.T) {
			allow := "--allow=app.test"
			if strings.HasPrefix(tc.name, "enforce") {
				allow = "--allow=other.test"
			}
			v, path := behind(t, tc.flag, allow)
			b := v.open("about:blank")
			if got := b.visit("https://app.test/"); got != tc.trouble {
				t.Errorf("the browser says %q, want %q", got, tc.trouble)
			}
			if title := b.run("document.title"); tc.trouble == "" && title != tc.title {
				t.Errorf("the page is %q, want %q", title, tc.title)
			}
			if f := altered(t, v, path, tc.name)[0]; f.Outcome != tc.outcome || len(f.Altered) == 0 {
				t.Errorf("recorded as %s, altered %q", f.Outcome, f.Altered)
			}
		})
	}
}

// A person at a café's sign-in page, in a browser: HTTPS fails, HTTP leads to the page, its
// button lets the device through, and the way back leads to where it came from.
func TestCaptivePortalInABrowser(t *testing.T) {
	v, path := behind(t, "--simulate=captive-portal", "--allow=app.test")
	b := v.open("about:blank")
	if got := b.visit("https://app.test/"); got != "net::ERR_CERT_AUTHORITY_INVALID" && got != "net::ERR_CERT_COMMON_NAME_INVALID" {
		t.Errorf("behind the sign-in page, HTTPS is %q", got)
	}
	if got := b.visit("http://app.test/welcome"); got != "" {
		t.Fatalf("HTTP is %q", got)
	}
	if at := b.run("location.href"); !strings.HasPrefix(at, "http://setup.telltale/portal") {
		t.Fatalf("HTTP leads to %s", at)
	}
	b.run(`document.querySelector("form button").click()`)
	b.until("document.title + document.body?.innerText", "has signed in")
	b.run(`document.querySelector('a[href="http://app.test/welcome"]').click()`)
	b.until("document.title", "the app at /welcome")
	if got := b.visit("https://app.test/shop"); got != "" || b.run("document.title") != "the app at /shop" {
		t.Errorf("signed in, HTTPS is %q", got)
	}
	for _, f := range altered(t, v, path, "captive-portal") {
		if f.Outcome != flow.Simulated {
			t.Errorf("recorded as %s: %q", f.Outcome, f.Altered)
		}
	}
}
