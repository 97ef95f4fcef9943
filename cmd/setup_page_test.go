package cmd

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/ca"
	"telltale/setup"
)

// A visitor opens the set-up page in a real browser behind the real proxy.
type visitor struct {
	t           *testing.T
	ctx         context.Context
	browser     string
	home, proxy string // folder; HOST:PORT
	ca          string // folder of the authority
}

func newVisitor(t *testing.T) *visitor {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the browser's store of certificates is the one of Linux")
	}
	v := &visitor{t: t, home: t.TempDir()}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil && v.browser == "" {
			v.browser = path
		}
	}
	if _, err := exec.LookPath("certutil"); v.browser == "" || err != nil {
		t.Skip("chromium or certutil, in whose store it looks, is not installed")
	}
	var cancel context.CancelFunc
	v.ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	v.ca = filepath.Join(v.home, "ca")
	return v
}

// record starts telltale, to which app.test is at an address, with further flags.
func (v *visitor) record(app string, flags ...string) {
	v.t.Helper()
	telltale := exec.CommandContext(v.ctx, "telltale", append([]string{"record", "--listen", "127.0.0.1:0", "--ca", v.ca,
		"--resolve", "app.test:443:" + app, "--insecure-upstream"}, flags...)...)
	telltale.Env = v.environment()
	telltale.Cancel = func() error { return telltale.Process.Signal(os.Interrupt) }
	said, err := telltale.StderrPipe()
	if err == nil {
		err = telltale.Start()
	}
	if err != nil {
		v.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(v.ctx)
	v.t.Cleanup(func() { stop(); _ = telltale.Wait() })
	context.AfterFunc(ctx, func() { _ = telltale.Cancel() })
	lines := bufio.NewScanner(said)
	for v.proxy == "" && lines.Scan() {
		if match := regexp.MustCompile(`^listening on (127\.0\.0\.1:\d+)`).FindStringSubmatch(lines.Text()); match != nil {
			v.proxy = match[1]
		}
	}
	if v.proxy == "" {
		v.t.Fatal("telltale does not listen")
	}
}

func (v *visitor) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + v.home, "LC_ALL=C.UTF-8"}
}

var stageState = regexp.MustCompile(`id="stage-([a-z]+)" class="stage (\w+)"`)

// stages opens the page, lets its script go on for some seconds of the browser's own
// clock, and returns the state of each stage. Nothing may be said on the console:
// requests that fail are not, what the page's policy or another origin's forbids is.
func (v *visitor) stages() string {
	v.t.Helper()
	browser := exec.CommandContext(v.ctx, v.browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
		"--enable-logging=stderr", "--virtual-time-budget=4000", "--proxy-server=http://"+v.proxy, "--dump-dom", "http://"+v.proxy+"/")
	browser.Env = v.environment()
	var said bytes.Buffer
	browser.Stderr = &said
	page, err := browser.Output()
	if err != nil {
		v.t.Fatalf("%v\n%s", err, &said)
	}
	for line := range strings.Lines(said.String()) {
		if strings.Contains(line, "CONSOLE") {
			v.t.Errorf("the browser's console: %s", line)
		}
	}
	var states []string
	for _, match := range stageState.FindAllSubmatch(page, -1) {
		states = append(states, string(match[1])+" "+string(match[2]))
	}
	return strings.Join(states, ", ")
}

// trust has the browser trust the authority as the page's steps for Linux say.
func (v *visitor) trust(name string) {
	v.t.Helper()
	i := slices.IndexFunc(setup.Platforms, func(p setup.Platform) bool { return p.ID == "linux" })
	for _, step := range setup.Steps(setup.Platforms[i], setup.Place{Authority: name}) {
		_, code, found := strings.Cut(step, "  db=")
		if !found {
			continue
		}
		c := exec.CommandContext(v.ctx, "sh", "-c", "db="+code)
		c.Env, c.Dir = v.environment(), v.ca
		if out, err := c.CombinedOutput(); err != nil {
			v.t.Fatalf("%v: %s", err, out)
		}
		return
	}
	v.t.Fatal("no step adds the certificate to Chromium's store")
}

// useApp has an app of the same device, which trusts the authority, make a request.
func (v *visitor) useApp(root *ca.Root) {
	v.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(root.Certificate())
	app := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: v.proxy}), TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer app.CloseIdleConnections()
	response, err := (&http.Client{Transport: app}).Get("https://app.test/")
	if err != nil {
		v.t.Fatal(err)
	}
	response.Body.Close()
}

// The page ticks, in a browser that trusts nothing yet and then in one that does.
func TestPageTicksInABrowser(t *testing.T) {
	t.Parallel()
	v := newVisitor(t)
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	v.record(strings.TrimPrefix(server.URL, "https://"), "--keep", "none", "--allow", "app.test")
	if got, want := v.stages(), "proxy done, certificate now, app later"; got != want {
		t.Errorf("untrusted: %s, want %s", got, want)
	}
	root, err := ca.LoadRoot(v.ca)
	if err != nil {
		t.Fatal(err)
	}
	v.trust(root.Name())
	v.useApp(root)
	if got, want := v.stages(), "proxy done, certificate done, app done"; got != want {
		t.Errorf("trusted: %s, want %s", got, want)
	}
}
