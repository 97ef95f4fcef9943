package cmd

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"telltale/proxy/wireguard"
	"telltale/proxy/wireguard/phone"
	"telltale/setup"
)

// recordForPage starts an audit with a tunnel and returns where its proxy is and its
// folder of keys.
func recordForPage(t *testing.T, flags ...string) (proxy, keys string) {
	t.Helper()
	folder := t.TempDir()
	keys = filepath.Join(folder, "keys")
	c := exec.CommandContext(t.Context(), "telltale", append([]string{"record", "--listen", "127.0.0.1:0", "--wireguard=127.0.0.1:0", "--wireguard-dir", keys,
		"--ca", filepath.Join(folder, "ca"), "--save", filepath.Join(folder, "audit.telltale"), "--allow", "*.canada.ca", "--events"}, flags...)...)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Wait() }) // after its context, which ends it
	lines := bufio.NewReader(out)
	first, err := lines.ReadBytes('\n')
	var listening struct{ Proxy string }
	if err == nil {
		err = json.Unmarshal(first, &listening)
	}
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, lines) //nolint:errcheck // it ends with the program
	return listening.Proxy, keys
}

func getPage(t *testing.T, client *http.Client, url string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36")
	resp, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(content)
}

// A device takes its key from the set-up page, switches the tunnel on and is on the page
// as connected.
func TestPageHandsOutTunnels(t *testing.T) {
	t.Parallel()
	proxy, keys := recordForPage(t)
	client := &http.Client{Timeout: 20 * time.Second}
	status, config := getPage(t, client, "http://"+proxy+"/wireguard.conf")
	if status != http.StatusOK || !strings.Contains(config, "Endpoint = 127.0.0.1:") {
		t.Fatalf("%d: %s", status, config)
	}
	if _, again := getPage(t, client, "http://"+proxy+"/wireguard.conf"); again != config {
		t.Error("a second visit gets another key")
	}
	book, err := wireguard.Open(keys)
	if err != nil {
		t.Fatal(err)
	}
	if peers := book.Peers(); len(peers) != 2 || peers[1].Name != "Pixel 8 Android 14 127.0.0.1" {
		t.Errorf("peers %v", peers)
	}
	device, err := phone.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	inside := &http.Client{Transport: &http.Transport{DialContext: device.Net.DialContext, DisableKeepAlives: true}, Timeout: 20 * time.Second}
	_, page := getPage(t, inside, "http://setup.telltale/")
	for _, want := range []string{"<h2>Switch WireGuard on</h2>", "WireGuard is on. Next: the certificate.", "The device reached telltale, by WireGuard"} {
		if !strings.Contains(page, want) {
			t.Errorf("in the tunnel, the page lacks %q", want)
		}
	}
	own := book.Own()
	for _, url := range []string{"http://setup.telltale/wireguard.conf", "http://" + own[0].String() + "/wireguard.conf", "http://[" + own[1].String() + "]/wireguard.conf"} {
		if _, again := getPage(t, inside, url); again != config {
			t.Errorf("in the tunnel, %s gives another configuration:\n%s", url, again)
		}
	}
	if _, err := book.Reload(); err != nil {
		t.Fatal(err)
	}
	if peers := book.Peers(); len(peers) != 2 {
		t.Errorf("peers after the device came again through the tunnel: %v", peers)
	}
	if _, pem := getPage(t, inside, "http://setup.telltale/ca.pem"); !strings.Contains(pem, "BEGIN CERTIFICATE") {
		t.Errorf("in the tunnel, the certificate is %q", pem)
	}
}

// A password, or the names of devices, keeps strangers out: then the page hands out no key.
func TestPageHandsOutNothingBesideAPassword(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{{"--auth", "tester:secret"}, {"--device", "127.0.0.1"}} {
		proxy, keys := recordForPage(t, flags...)
		client := &http.Client{Timeout: 20 * time.Second}
		if status, config := getPage(t, client, "http://"+proxy+"/wireguard.conf"); status == http.StatusOK || strings.Contains(config, "PrivateKey") {
			t.Errorf("%q: %d: %s", flags, status, config)
		}
		book, err := wireguard.Open(keys)
		if err != nil || len(book.Peers()) != 1 {
			t.Errorf("%q: peers %v, %v", flags, book.Peers(), err)
		}
	}
}

func visitFrom(addr, name string) setup.Visit {
	return setup.Visit{Client: netip.MustParseAddr(addr), Name: name}
}

func TestVisitors(t *testing.T) {
	t.Parallel()
	book, err := wireguard.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	way := &tunnelWay{book: book}
	first, err := way.visitor(visitFrom("192.168.1.20", "iPhone, iOS 17.5"))
	if err != nil || first.Name != "iPhone iOS 17.5 192.168.1.20" {
		t.Fatalf("%v, %v", first, err)
	}
	if again, err := way.visitor(visitFrom("192.168.1.20", "something else")); err != nil || again != first {
		t.Errorf("the same address: %v, %v", again, err)
	}
	if p, err := way.visitor(visitFrom("::1", "")); err != nil || p.Name != "0--1" {
		t.Errorf("by IPv6: %v, %v", p, err)
	}
	for n := range 2 * wireguard.MaxVisitors {
		if _, err := way.visitor(visitFrom(fmt.Sprint("10.0.0.", n), "")); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(book.Peers()); n != 1+wireguard.MaxVisitors || len(way.made) > n || book.Peers()[0].Name != wireguard.FirstPeer {
		t.Errorf("%d peers, %d made", n, len(way.made))
	}
	if again, err := way.visitor(visitFrom("192.168.1.20", "")); err != nil || again.PublicKey == first.PublicKey {
		t.Errorf("one that made room: %v, %v", again, err)
	}
}

// The address of a device may be another's in the next audit: it gets no key of the last
// one, which goes on working.
func TestKeysOfAnEarlierAuditAreNotShown(t *testing.T) {
	t.Parallel()
	book, err := wireguard.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[wireguard.Key]string{}
	for range 3 {
		audit := &tunnelWay{book: book}
		for range 2 {
			p, err := audit.visitor(visitFrom("192.168.1.20", "iPhone"))
			if err != nil {
				t.Fatal(err)
			}
			seen[p.PublicKey] = p.Name
		}
	}
	names := slices.Sorted(maps.Values(seen))
	if want := []string{"iPhone 192.168.1.20", "iPhone 192.168.1.20 2", "iPhone 192.168.1.20 3"}; !slices.Equal(names, want) || len(book.Peers()) != 4 {
		t.Errorf("%q, want %q; %v", names, want, book.Peers())
	}
	if p, err := peerNamed(book, ""); err != nil || p.Name != wireguard.FirstPeer {
		t.Errorf("the first is %v, %v", p, err)
	}
	if err := book.Remove(wireguard.FirstPeer); err != nil {
		t.Fatal(err)
	}
	if p, err := peerNamed(book, ""); err != nil || p.Name != wireguard.FirstPeer || p.Visitor.IsValid() {
		t.Errorf("the first is a visitor's: %v, %v", p, err)
	}
}

// Who comes through the tunnel has a key already, whatever its peer is called; who has
// such an address elsewhere gets nothing.
func TestVisitorInTheTunnelIsItsPeer(t *testing.T) {
	t.Parallel()
	book, err := wireguard.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	way := &tunnelWay{book: book}
	phone := book.Peers()[0]
	for _, at := range []netip.Addr{phone.IPv4, phone.IPv6} {
		if p, err := way.visitor(setup.Visit{Client: at, Within: true, Name: "iPhone"}); err != nil || p != phone {
			t.Errorf("from %s: %v, %v", at, p, err)
		}
		if p, err := way.visitor(setup.Visit{Client: at}); err == nil || !strings.Contains(err.Error(), "did not come through it") {
			t.Errorf("from %s in another network: %v, %v", at, p, err)
		}
	}
	if p, err := way.visitor(setup.Visit{Client: phone.IPv4.Next(), Within: true}); err == nil || !strings.Contains(err.Error(), "removed meanwhile") {
		t.Errorf("a device whose keys are gone: %v, %v", p, err)
	}
	if peers := book.Peers(); len(peers) != 1 {
		t.Errorf("peers %v", peers)
	}
	for _, own := range book.Own() {
		if at := way.reachedAt(own.String()); strings.Contains(at, own.String()) {
			t.Errorf("its endpoint is %s, inside the tunnel", at)
		}
	}
}

func TestVisitorNamesAreThoseOfPeers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, at, want string }{
		{"iPhone, iOS 17.5", "192.168.1.20", "iPhone iOS 17.5 192.168.1.20"},
		{"", "192.168.1.20", "192.168.1.20"},
		{"../../etc", "192.168.1.20", "etc 192.168.1.20"},
		{"Gerät \u202e\x1b[2J", "10.0.0.1", "Gert 2J 10.0.0.1"},
		{strings.Repeat("x", 99), "10.0.0.1", strings.Repeat("x", 31) + " 10.0.0.1"},
		{"Pixel", "fd00:1111:2222:3333:4444:5555:6666:7777", "fd00-1111-2222-3333-4444-5555-6666-7777"},
	} {
		got := visitorName(test.name, netip.MustParseAddr(test.at))
		if got != test.want || len(got) > 40 {
			t.Errorf("%q at %s: %q, want %q", test.name, test.at, got, test.want)
		}
	}
}

func TestAgo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for since, want := range map[time.Duration]string{-time.Second: "0 s ago", 12 * time.Second: "12 s ago", 5 * time.Minute: "5 min ago", 26 * time.Hour: "26 h ago"} {
		if got := ago(now.Add(-since), now); got != want {
			t.Errorf("%s: %q, want %q", since, got, want)
		}
	}
	if got := ago(time.Time{}, now); got != "" {
		t.Errorf("never: %q", got)
	}
}
