package cmd

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"telltale/proxy/wireguard/phone"
)

// A tunnelled audit is telltale with a WireGuard tunnel, the servers of its world on
// loopback, and the rows that it told of.
type tunnelled struct {
	t      *testing.T
	world  *world
	folder string
	cmd    *exec.Cmd
	events chan map[string]any
	config string         // of the phone, in wg-quick's format
	roots  *x509.CertPool // with telltale's authority
	report string
}

// openTunnel starts telltale with a tunnel in the world.
func openTunnel(t *testing.T, policy string, flags ...string) *tunnelled {
	t.Helper()
	return openTunnelIn(t, t.TempDir(), policy, nil, flags...)
}

// openTunnelIn does so with its files in a folder, and with variables for the policy.
func openTunnelIn(t *testing.T, folder, policy string, env []string, flags ...string) *tunnelled {
	t.Helper()
	a := &tunnelled{t: t, world: newWorld(t), folder: folder, events: make(chan map[string]any, 4096)}
	a.report = filepath.Join(a.folder, "audit.json")
	rules := filepath.Join(a.folder, "telltale.yaml")
	if err := os.WriteFile(rules, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"record", "--listen", "127.0.0.1:0", "--wireguard=127.0.0.1:0", "--events", "--policy", rules,
		"--ca", filepath.Join(a.folder, "ca"), "--save", filepath.Join(a.folder, "audit.telltale"), "--report", a.report,
		"--upstream-ca", a.world.ca, "--dns", a.world.dns}
	for _, rule := range a.world.rules() {
		args = append(args, "--resolve", rule)
	}
	a.cmd = exec.CommandContext(t.Context(), "telltale", append(args, flags...)...)
	a.cmd.Env = append(append(a.cmd.Environ(), env...), "XDG_DATA_HOME="+filepath.Join(a.folder, "data"))
	a.cmd.Stderr = os.Stderr
	out, err := a.cmd.StdoutPipe()
	if err == nil {
		err = a.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go a.read(out)
	listening := a.await("listening", func(map[string]any) bool { return true })
	text, err := os.ReadFile(listening["wireguard_config"].(string))
	if err != nil {
		t.Fatal(err)
	}
	a.config = string(text)
	a.roots = x509.NewCertPool()
	if root, err := os.ReadFile(listening["ca"].(string)); err != nil || !a.roots.AppendCertsFromPEM(root) {
		t.Fatalf("the authority: %v", err)
	}
	return a
}

// read hands the events on, and closes their channel at the end of the program.
func (a *tunnelled) read(out io.Reader) {
	defer close(a.events)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event map[string]any
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			a.t.Errorf("an event: %v in %s", err, lines.Bytes())
			continue
		}
		a.events <- event
	}
}

// await returns the next event of a kind that fits.
func (a *tunnelled) await(kind string, fits func(map[string]any) bool) map[string]any {
	a.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		select {
		case event, ok := <-a.events:
			if !ok {
				a.t.Fatalf("telltale ended without the event %s that was waited for", kind)
			}
			if event["event"] == kind && fits(event) {
				return event
			}
		case <-deadline.C:
			a.t.Fatalf("there was no event %s that fits", kind)
		}
	}
}

// end ends the audit, and returns all rows that were not awaited, the report and the
// exit code.
func (a *tunnelled) end() (rows []map[string]any, report map[string]any, code int) {
	a.t.Helper()
	if err := a.cmd.Process.Signal(syscall.SIGINT); err != nil {
		a.t.Fatal(err)
	}
	for event := range a.events {
		if event["event"] == "flow" {
			rows = append(rows, event)
		}
	}
	var exit *exec.ExitError
	if err := a.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		a.t.Fatal(err)
	}
	text, err := os.ReadFile(a.report)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &report); err != nil {
		a.t.Fatal(err)
	}
	return rows, report, a.cmd.ProcessState.ExitCode()
}

// A handset is a device in the tunnel, with its programs.
type handset struct {
	*phone.Phone
	t     *testing.T
	roots *x509.CertPool
}

// phone connects one with the configuration that telltale wrote.
func (a *tunnelled) phone() *handset {
	a.t.Helper()
	p, err := phone.Open(a.config)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(p.Close)
	return &handset{p, a.t, a.roots}
}

// browser returns a client that trusts telltale.
func (p *handset) browser(h2 bool) *http.Client {
	transport := &http.Transport{DialContext: p.Net.DialContext, ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{RootCAs: p.roots}}
	if !h2 {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	p.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// fetch returns the answer to a request, and how it came.
func (p *handset) fetch(client *http.Client, method, url string) (proto, body string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, url, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("User-Agent", "CovidShield/1.0.2")
	resp, err := client.Do(r)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, url, err)
	}
	return resp.Proto, string(text)
}

// http3 returns a client of HTTP/3 that trusts telltale.
func (p *handset) http3() *http.Client {
	p.t.Helper()
	socket, err := p.Net.ListenUDP(&net.UDPAddr{IP: p.Addresses[0].AsSlice()})
	if err != nil {
		p.t.Fatal(err)
	}
	quicLayer := &quic.Transport{Conn: socket}
	transport := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: p.roots},
		Dial: func(ctx context.Context, addr string, cfg *tls.Config, qcfg *quic.Config) (*quic.Conn, error) {
			host, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			found, err := p.Net.LookupContextHost(ctx, host)
			if err != nil {
				return nil, err
			}
			to, err := net.ResolveUDPAddr("udp", net.JoinHostPort(found[0], port))
			if err != nil {
				return nil, err
			}
			return quicLayer.Dial(ctx, to, cfg, qcfg)
		},
	}
	p.t.Cleanup(func() { transport.Close(); quicLayer.Close(); socket.Close() })
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// ask puts a question of any type to telltale's resolver.
func (p *handset) ask(name string, kind uint16) *dns.Msg {
	p.t.Helper()
	c, err := p.Net.DialContext(p.t.Context(), "udp", net.JoinHostPort(p.Resolvers[0].String(), "53"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	query := new(dns.Msg).SetQuestion(name, kind)
	wire := &dns.Conn{Conn: c}
	if err := wire.WriteMsg(query); err != nil {
		p.t.Fatal(err)
	}
	answer, err := wire.ReadMsg()
	if err != nil {
		p.t.Fatalf("asking for %s: %v", name, err)
	}
	return answer
}

const onlyCanada = `version: 1
name: only canada.ca
allow:
  - "*.canada.ca"
`

// TestTunnelStory is the afternoon of a device that is seen whole: everything that it
// sends has its row, and the books balance.
func TestTunnelStory(t *testing.T) {
	t.Parallel()
	a := openTunnel(t, onlyCanada)
	p := a.phone()
	h1, h2 := p.browser(false), p.browser(true)

	if answer := p.ask("api.canada.ca.", dns.TypeHTTPS); len(answer.Answer) != 1 || strings.Contains(answer.Answer[0].String(), "h3") || strings.Contains(answer.Answer[0].String(), "ech") {
		t.Errorf("the answer leads away: %v", answer.Answer)
	}
	if proto, body := p.fetch(h2, "GET", "https://api.canada.ca/v1?x=1"); proto != "HTTP/2.0" || body != "GET api.canada.ca /v1?x=1" {
		t.Errorf("over HTTP/2: %s %q", proto, body)
	}
	if proto, body := p.fetch(h1, "GET", "https://api.canada.ca/v2"); proto != "HTTP/1.1" || body != "GET api.canada.ca /v2" {
		t.Errorf("over HTTP/1.1: %s %q", proto, body)
	}
	p.fetch(h2, "GET", "https://six.canada.ca/")
	p.fetch(h1, "GET", "http://www.canada.ca/plain")
	p.fetch(h2, "HEAD", "https://clients3.google.com/generate_204")
	p.socket("wss://api.canada.ca/ws")
	p.raw("push.canada.ca:5223")
	p.time("time.canada.ca:123")
	if _, err := p.Net.DialContext(t.Context(), "tcp", "gone.canada.ca:443"); err == nil {
		t.Error("a server that is down looks open")
	}
	if _, err := p.http3().Get("https://api.canada.ca/over-quic"); err == nil {
		t.Error("QUIC was not refused")
	}
	p.ping("203.0.113.7")

	rows, report, code := a.end()
	if code != ExitViolations {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []map[string]any{
		{"kind": "dns", "host": "api.canada.ca", "protocol": "DNS", "verdict": "allowed"},
		{"kind": "http", "host": "api.canada.ca", "protocol": "HTTP/2", "destination": "203.0.113.7:443", "resolved": "api.canada.ca", "verdict": "allowed", "status": 200.0},
		{"kind": "http", "host": "api.canada.ca", "protocol": "HTTP/1.1", "url": "https://api.canada.ca/v2", "status": 200.0},
		{"kind": "http", "host": "six.canada.ca", "destination": "[2001:db8::7]:443", "verdict": "allowed"},
		{"kind": "http", "host": "www.canada.ca", "rule": "cleartext", "destination": "203.0.113.8:80"},
		{"kind": "http", "host": "clients3.google.com", "method": "HEAD", "rule": "captive-portal-probe", "destination": "203.0.113.33:443"},
		{"kind": "websocket", "host": "api.canada.ca", "outcome": "completed"},
		{"kind": "tunnel", "host": "push.canada.ca", "outcome": "tunnelled", "destination": "203.0.113.9:5223", "resolved": "push.canada.ca"},
		{"kind": "udp", "host": "time.canada.ca", "destination": "203.0.113.123:123", "speech": "NTP", "bytes_sent": 48.0, "bytes_received": 48.0},
		{"kind": "tunnel", "host": "gone.canada.ca", "outcome": "upstream-failed", "failure": "refused", "destination": "203.0.113.200:443"},
		{"kind": "udp", "host": "api.canada.ca", "outcome": "quic-refused", "sni": "api.canada.ca", "verdict": "allowed"},
		{"kind": "icmp", "destination": "203.0.113.7"},
	} {
		want["mode"] = "wireguard"
		if !hasRow(rows, want) {
			t.Errorf("no row has %v", want)
		}
	}
	if t.Failed() {
		for _, row := range rows {
			text, _ := json.Marshal(row)
			t.Log(string(text))
		}
	}
	a.balances(report)
}

// hasRow reports whether a row has all of these values.
func hasRow(rows []map[string]any, want map[string]any) bool {
next:
	for _, row := range rows {
		for key, value := range want {
			if row[key] != value {
				continue next
			}
		}
		return true
	}
	return false
}

// balances demands that the report claims to have seen everything.
func (a *tunnelled) balances(report map[string]any) {
	a.t.Helper()
	all, _ := report["coverage"].([]any)
	for _, one := range all {
		way := one.(map[string]any)
		if way["mode"] != "wireguard" {
			continue
		}
		if claim, _ := way["claim"].(string); !strings.HasPrefix(claim, "Everything that devices sent") || way["balanced"] != true {
			text, _ := json.MarshalIndent(way, "", "  ")
			a.t.Errorf("the books do not balance: %s", text)
		}
		return
	}
	a.t.Errorf("the report does not say what the tunnel saw: %v", report["coverage"])
}

// TestTunnelReadsHTTP3 lets telltale decrypt QUIC.
func TestTunnelReadsHTTP3(t *testing.T) {
	t.Parallel()
	a := openTunnel(t, onlyCanada, "--quic", "intercept")
	p := a.phone()
	if proto, body := p.fetch(p.http3(), "GET", "https://api.canada.ca/over-quic"); proto != "HTTP/3.0" || body != "GET api.canada.ca /over-quic" {
		t.Errorf("over HTTP/3: %s %q", proto, body)
	}
	rows, report, _ := a.end()
	want := map[string]any{"kind": "http", "protocol": "HTTP/3", "host": "api.canada.ca", "url": "https://api.canada.ca/over-quic", "status": 200.0, "destination": "203.0.113.7:443"}
	if !hasRow(rows, want) {
		t.Errorf("no row has %v: %v", want, rows)
	}
	a.balances(report)
}

// socket says something over a WebSocket.
func (p *handset) socket(url string) {
	p.t.Helper()
	c, _, err := websocket.Dial(p.t.Context(), url, &websocket.DialOptions{HTTPClient: p.browser(false)})
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.CloseNow() //nolint:errcheck // closed below
	if err := c.Write(p.t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		p.t.Fatal(err)
	}
	if _, text, err := c.Read(p.t.Context()); err != nil || string(text) != "hello" {
		p.t.Fatalf("the WebSocket said %q, %v", text, err)
	}
	c.Close(websocket.StatusNormalClosure, "") //nolint:errcheck // the row says how it ended
}

// raw listens to a server that speaks first, and is repeated by it.
func (p *handset) raw(addr string) {
	p.t.Helper()
	c, err := p.Net.DialContext(p.t.Context(), "tcp", addr)
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	greeting := make([]byte, len("220 ready\r\n"))
	if _, err := io.ReadFull(c, greeting); err != nil || string(greeting) != "220 ready\r\n" {
		p.t.Fatalf("the server said %q, %v", greeting, err)
	}
	fmt.Fprint(c, "\x00binary")
	if _, err := io.ReadFull(c, make([]byte, len("\x00binary"))); err != nil {
		p.t.Fatal(err)
	}
}

// time asks for it, as NTP does (RFC 5905, 7.3).
func (p *handset) time(addr string) {
	p.t.Helper()
	c, err := p.Net.DialContext(p.t.Context(), "udp", addr)
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	question := append([]byte{0x23}, bytes.Repeat([]byte{0}, 47)...)
	c.Write(question)
	if n, err := c.Read(make([]byte, 100)); err != nil || n != 48 {
		p.t.Fatalf("the time: %d bytes, %v", n, err)
	}
}

// ping asks an address whether it is there.
func (p *handset) ping(addr string) {
	p.t.Helper()
	c, err := p.Net.DialPingAddr(netip.Addr{}, netip.MustParseAddr(addr))
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	for range 10 { // a packet may get lost, as anywhere
		echo := []byte{8, 0, 0, 0, 0, 1, 0, 1, 'h', 'i'}
		if _, err = c.Write(echo); err != nil {
			p.t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(2 * time.Second))
		if _, err = c.Read(make([]byte, 100)); err == nil {
			return
		}
	}
	p.t.Fatalf("no answer to a ping: %v", err)
}
