package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	socksclient "golang.org/x/net/proxy"

	"telltale/coverage"
	"telltale/flow"
)

// socks opens the port of SOCKS5 of a rig.
func (r *rig) socks() string {
	r.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(r.t, err)
	served := make(chan error, 1)
	go func() { served <- r.proxy.ServeSOCKS5(l) }()
	r.t.Cleanup(func() { l.Close(); <-served })
	return l.Addr().String()
}

// dialTo connects to any port of telltale.
func (r *rig) dialTo(addr string) *peer {
	r.t.Helper()
	before := r.addr
	r.addr = addr
	defer func() { r.addr = before }()
	return r.dial()
}

// Two clients that others wrote reach servers by name and by address, decrypted.
func TestSOCKS5Clients(t *testing.T) {
	r := newRig(t, func(c *Config) { c.User, c.Password = "user", "secret word" })
	at := r.socks()
	u := r.origin(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "seen") })
	dialer, err := socksclient.SOCKS5("tcp", at, &socksclient.Auth{User: "user", Password: "secret word"}, nil)
	must(t, err)
	c := r.client(func(tr *http.Transport) {
		tr.Proxy, tr.DialContext = nil, dialer.(socksclient.ContextDialer).DialContext
	})
	resp, err := c.Get(u.String())
	must(t, err)
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(body) != "seen" {
		t.Errorf("got %q", body)
	}
	c.CloseIdleConnections()
	f := r.one()
	if f.Mode != "socks5" || f.Outcome != flow.Completed || f.Server.Destination.String() != u.Host {
		t.Errorf("%s %s %s", f.Mode, f.Outcome, f.Server.Destination)
	}
}

func TestSOCKS5Curl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	r := newRig(t, func(c *Config) {
		c.Resolve = []Resolve{{Host: "named.test", Port: "*", Addr: netip.MustParseAddr("127.0.0.1")}}
	})
	at := r.socks()
	leaf, err := r.ca.Leaf("named.test")
	must(t, err)
	var names = make(chan string, 2)
	addr := r.listener(func(c net.Conn) {
		tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*leaf}})
		names <- "asked"
		http.ReadRequest(bufio.NewReader(tc)) //nolint:errcheck // curl's
		io.WriteString(tc, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nseen")
	})
	for i, flag := range []string{"--socks5-hostname", "--socks5"} {
		url := "https://named.test:" + portOf(addr) + "/"
		args := []string{"-sS", "--http1.1", "--cacert", r.ca.file(t), flag, at, url}
		if flag == "--socks5" {
			args = append(args, "--resolve", "named.test:"+portOf(addr)+":127.0.0.1")
		}
		out, err := exec.Command("curl", args...).CombinedOutput()
		if err != nil || string(out) != "seen" {
			t.Errorf("curl %s: %v %s", flag, err, out)
		}
		f := r.ending(i + 1)[i]
		if byName := !f.Server.Destination.IsValid(); byName != (i == 0) || f.Host() != "named.test" {
			t.Errorf("%s: asked %s, destination %s, host %s", flag, f.Server.Asked, f.Server.Destination, f.Host())
		}
	}
}

// talkSOCKS sends bytes and reads as many as are expected in answer.
func (c *peer) talkSOCKS(send string, want string) {
	c.t.Helper()
	c.say("%s", send)
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		c.t.Fatalf("sent %q: %q %v, want %q", send, got[:n], err, want)
	}
}

const (
	socksHello = "\x05\x01\x00"
	socksOpen  = "\x05\x00"
	socksNone  = "\x00\x01\x00\x00\x00\x00\x00\x00" // the address in an answer that has none
)

// connectTo is a CONNECT to an address.
func connectTo(hostport string) string {
	return "\x05\x01\x00" + string(appendEndpoint(nil, endpoint{to: netip.MustParseAddrPort(hostport)}))
}

// Each way to fail has its code, and its row.
func TestSOCKS5Replies(t *testing.T) {
	dead := "127.0.0.1:1"
	for name, tc := range map[string]struct {
		request string
		code    byte
		outcome flow.Outcome
		asked   string
	}{
		"refused":      {connectTo(dead), 5, flow.UpstreamFailed, dead},
		"metadata":     {connectTo("169.254.169.254:80"), 2, flow.DestinationDenied, "169.254.169.254:80"},
		"blocked":      {"\x05\x01\x00\x03\x0cblocked.test\x01\xbb", 2, flow.Blocked, "blocked.test:443"},
		"no such name": {"\x05\x01\x00\x03\x0cnowhere.test\x01\xbb", 4, flow.UpstreamFailed, "nowhere.test:443"},
		"bind":         {"\x05\x02\x00\x01\xc0\x00\x02\x01\x00\x50", 7, flow.Malformed, "192.0.2.1:80"},
		"command":      {"\x05\x09\x00\x01\xc0\x00\x02\x01\x00\x50", 7, flow.Malformed, "192.0.2.1:80"},
		"address type": {"\x05\x01\x00\x02\x00\x00\x00\x00\x00\x50", 8, flow.Malformed, ""},
		"no name":      {"\x05\x01\x00\x03\x03a b\x00\x50", 1, flow.Malformed, ""},
		"empty name":   {"\x05\x01\x00\x03\x00\x00\x50", 1, flow.Malformed, ""},
		"port 0":       {"\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x00", 1, flow.Malformed, "192.0.2.1:0"},
		"version":      {"\x04\x01\x00\x01\xc0\x00\x02\x01\x00\x50", 1, flow.Malformed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, verdicts(map[string]Admission{"blocked.test": Block}, nil))
			r.proxy.dialer.lookup = knows(nil)
			c := r.dialTo(r.socks())
			c.talkSOCKS(socksHello, socksOpen)
			c.talkSOCKS(tc.request, "\x05"+string([]byte{tc.code})+socksNone)
			c.closed()
			c.Close()
			if f := r.one(); f.Outcome != tc.outcome || f.Server.Asked != tc.asked || f.Error == "" {
				t.Errorf("%s asked %q: %q", f.Outcome, f.Server.Asked, f.Error)
			}
		})
	}
}

// What is no SOCKS5 is told in its own words what to do.
func TestSOCKS5ForOthers(t *testing.T) {
	for name, tc := range map[string]struct {
		send, answer, words, asked string
	}{
		"SOCKS4":  {"\x04\x01\x01\xbb\xc0\x00\x02\x01user\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00", "set the client to version 5", "192.0.2.1:443"},
		"SOCKS4A": {"\x04\x01\x01\xbb\x00\x00\x00\x01\x00named.test\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00", "set the client to version 5", "named.test:443"},
		"HTTP":    {"GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "set this address as a SOCKS5 proxy", ""},
		"CONNECT": {"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "set this address as a SOCKS5 proxy", ""},
		"noise":   {"\xff\xfe", "", "not of SOCKS5", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c := r.dialTo(r.socks())
			c.talkSOCKS(tc.send, tc.answer)
			io.Copy(io.Discard, c)
			c.Close()
			if f := r.one(); f.Outcome != flow.Malformed || !strings.Contains(f.Error, tc.words) || f.Server.Asked != tc.asked {
				t.Errorf("%s asked %q: %q", f.Outcome, f.Server.Asked, f.Error)
			}
		})
	}
	t.Run("TLS", func(t *testing.T) {
		r := newRig(t)
		c := r.dialTo(r.socks())
		if err := tls.Client(c, &tls.Config{ServerName: "h.test"}).Handshake(); err == nil {
			t.Error("TLS with the port of SOCKS5")
		}
		if f := r.one(); f.Outcome != flow.Malformed || !strings.Contains(f.Error, "without TLS to the proxy") || f.Server.SNI != "h.test" {
			t.Errorf("%s %q: %q", f.Outcome, f.Server.SNI, f.Error)
		}
	})
}

// Credentials are asked for and judged as those of the HTTP mode are.
func TestSOCKS5Login(t *testing.T) {
	locked := func(c *Config) { c.User, c.Password = "user", "secret" }
	for name, tc := range map[string]struct {
		edit           func(*Config)
		greet, method  string
		login, granted string
		outcome        flow.Outcome
		words          string
	}{
		"right":           {locked, "\x05\x02\x00\x02", "\x05\x02", "\x01\x04user\x06secret", "\x01\x00", flow.Abandoned, "asked for nothing"},
		"wrong":           {locked, "\x05\x01\x02", "\x05\x02", "\x01\x04user\x05guess", "\x01\x01", flow.ClientDenied, wrongCredentials},
		"none offered":    {locked, "\x05\x01\x00", "\x05\xff", "", "", flow.ClientDenied, noCredentials},
		"none given":      {locked, "\x05\x01\x02", "\x05\x02", "", "", flow.ClientDenied, noCredentials},
		"cut":             {locked, "\x05\x01\x02", "\x05\x02", "\x01\x04us", "", flow.Abandoned, "into a message"},
		"version":         {locked, "\x05\x01\x02", "\x05\x02", "\x02", "", flow.ClientDenied, noCredentials},
		"none needed":     {func(*Config) {}, "\x05\x01\x02", "\x05\x02", "\x01\x01a\x01b", "\x01\x00", flow.Abandoned, "asked for nothing"},
		"nothing but GSS": {func(*Config) {}, "\x05\x01\x01", "\x05\xff", "", "", flow.ClientDenied, noCredentials},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tc.edit)
			c := r.dialTo(r.socks())
			c.talkSOCKS(tc.greet, tc.method)
			c.talkSOCKS(tc.login, tc.granted)
			c.Close()
			if f := r.one(); f.Outcome != tc.outcome || !strings.Contains(f.Error, tc.words) {
				t.Errorf("%s: %q", f.Outcome, f.Error)
			}
		})
	}
}

// Who guesses is slowed down, over SOCKS5 and HTTP together.
func TestSOCKS5Guesses(t *testing.T) {
	r := newRig(t, func(c *Config) { c.User, c.Password = "user", "secret" })
	began := time.Now()
	r.proxy.guard.tries.now = func() time.Time { return began } // none is forgotten meanwhile
	at := r.socks()
	for range maxTries + 1 {
		c := r.dialTo(at)
		c.talkSOCKS("\x05\x01\x02", "\x05\x02")
		c.talkSOCKS("\x01\x04user\x05guess", "\x01\x01")
		c.Close()
	}
	if !slices.ContainsFunc(r.ending(maxTries+1), func(f *flow.Flow) bool { return f.Error == tooManyTries }) {
		t.Error("no guess was one too many")
	}
	c := r.dial()
	c.say("CONNECT h.test:443 HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Basic eDp5\r\n\r\n")
	if status := c.status(); status != http.StatusTooManyRequests {
		t.Errorf("over HTTP: %d", status)
	}
}

// A relay passes datagrams both ways, of its client alone, until its connection ends.
func TestSOCKS5Relay(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Resolve = []Resolve{{Host: "echo.test", Port: "*", Addr: netip.MustParseAddr("127.0.0.1")}}
	})
	echo := udpEcho(t)
	c := r.dialTo(r.socks())
	c.talkSOCKS(socksHello, socksOpen)
	c.say("\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00")
	answer := make([]byte, 10)
	c.mustRead(answer)
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte(answer[4:8])), binary.BigEndian.Uint16(answer[8:]))
	if answer[1] != 0 || at.Addr().String() != "127.0.0.1" {
		t.Fatalf("answered % x", answer)
	}
	u, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
	must(t, err)
	defer u.Close()
	must(t, u.SetDeadline(time.Now().Add(patience)))
	byAddress := "\x00\x00\x00" + string(appendEndpoint(nil, endpoint{to: echo}))
	byName := "\x00\x00\x00" + string(appendEndpoint(nil, endpoint{asked: net.JoinHostPort("echo.test", portOf(echo.String()))}))
	buf := make([]byte, 100)
	for _, header := range []string{byAddress, byName} {
		io.WriteString(u, "\x00\x00\x01"+header[3:]+"a fragment")
		io.WriteString(u, "\x00\x00")
		io.WriteString(u, header+"ping")
		n, err := u.Read(buf)
		if err != nil || string(buf[:n]) != header+"ping" {
			t.Fatalf("got %q, %v", buf[:n], err)
		}
	}
	c.Close()
	flows := r.ending(2)
	for i, asked := range []string{echo.String(), "echo.test:" + portOf(echo.String())} {
		f := flows[i]
		if f.Kind != flow.UDP || f.Mode != "socks5" || f.Outcome != flow.Tunnelled || f.Server.Asked != asked || f.Server.Dialed != echo ||
			f.Sent != 4 || f.Received != 4 || f.DatagramsSent != 1 || f.DatagramsReceived != 1 {
			t.Errorf("%+v", f)
		}
	}
	dropped := r.proxy.Dropped("socks5")
	if dropped[dropFragment].Units != 2 || dropped[dropUnread].Units != 2 {
		t.Errorf("dropped %v", dropped)
	}
	until(t, "the books to be balanced", func() bool {
		recorded, underWay := r.proxy.Recorded("socks5")
		return recorded[coverage.UDP] == coverage.Amount{Units: 2, Bytes: 8} && recorded[coverage.TCP].Units == 1 && underWay[coverage.UDP].Units == 0
	})
}

// A relay that nothing was sent through has a row of its own, and does not hold up the
// end of an audit.
func TestSOCKS5RelayUnused(t *testing.T) {
	r := newRig(t)
	c := r.dialTo(r.socks())
	c.talkSOCKS(socksHello, socksOpen)
	c.say("\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00")
	c.mustRead(make([]byte, 10))
	c.Close()
	if f := r.one(); f.Outcome != flow.Abandoned || !strings.Contains(f.Error, "sent none through it") {
		t.Errorf("%s %q", f.Outcome, f.Error)
	}
}

// A client has so many relays and no more, and gets the place of one that ended.
func TestSOCKS5RelayLimit(t *testing.T) {
	ts := &talks{}
	var leaves []func()
	for range maxRelays {
		leave, ok := ts.enterRelay(phone)
		if !ok {
			t.Fatal("no place")
		}
		leaves = append(leaves, leave)
	}
	if _, ok := ts.enterRelay(phone); ok {
		t.Error("one more")
	}
	if _, ok := ts.enterRelay(phone6); !ok {
		t.Error("none for another client")
	}
	leaves[0]()
	if _, ok := ts.enterRelay(phone); !ok {
		t.Error("the place was not given back")
	}
}

// A relay begins with little memory, and makes room for what is longer.
func TestSOCKS5RelayLongDatagrams(t *testing.T) {
	echo := udpEcho(t)
	r := newRig(t)
	c := r.dialTo(r.socks())
	c.talkSOCKS(socksHello, socksOpen)
	c.say("\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00")
	b := make([]byte, 10)
	c.mustRead(b)
	u, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IP(b[4:8]), Port: int(b[8])<<8 | int(b[9])})
	must(t, err)
	defer u.Close()
	must(t, u.SetDeadline(time.Now().Add(patience)))
	long := append(appendEndpoint([]byte{0, 0, 0}, endpoint{to: echo}), strings.Repeat("x", 8000)...)
	for range 3 { // the first makes room here, the second's answer towards the server
		_, err = u.Write(long)
		must(t, err)
	}
	answer := make([]byte, 10_000)
	if n, err := u.Read(answer); err != nil || n != len(long) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if n := r.proxy.Dropped("socks5")[dropLong].Units; n != 1 {
		t.Errorf("%d dropped", n)
	}
}

// Only the client's own address gets into its relay.
func TestSOCKS5RelayStrangers(t *testing.T) {
	r := newRig(t)
	rl := &relay{p: r.proxy, way: &Way{Mode: modeSOCKS5}, client: netip.MustParseAddr("127.0.0.1")}
	rl.take(netip.MustParseAddrPort("127.0.0.2:9"), []byte("\x00\x00\x00\x01\x7f\x00\x00\x01\x00\x09x"))
	if n := r.proxy.Dropped("socks5")[dropStranger].Units; n != 1 {
		t.Errorf("%d dropped", n)
	}
}

// udpEcho starts a server that answers every datagram with itself.
func udpEcho(t testing.TB) netip.AddrPort {
	t.Helper()
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64<<10)
		for {
			n, from, err := u.ReadFromUDPAddrPort(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			u.WriteToUDPAddrPort(buf[:n], from)
		}
	}()
	t.Cleanup(func() { u.Close(); <-done })
	return u.LocalAddr().(*net.UDPAddr).AddrPort()
}

// Whatever comes, the parsers neither panic nor read beyond, and what they write they read.
func FuzzSOCKS(f *testing.F) {
	for _, seed := range []string{
		socksHello, connectTo("192.0.2.1:443"), connectTo("[2001:db8::1]:443"), "\x05\x01\x00\x03\x0cblocked.test\x01\xbb",
		"\x01\x04user\x06secret", "\x04\x01\x01\xbb\x00\x00\x00\x01\x00named.test\x00", "\x00\x00\x00\x03\x01a\x00\x50payload",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, n, err := parseGreeting(b); err == nil && n > len(b) {
			t.Errorf("a greeting of %d bytes in %d", n, len(b))
		}
		if l, n, err := parseLogin(b); err == nil && (n > len(b) || len(l.user)+len(l.password)+3 != n) {
			t.Errorf("a login of %d bytes: %q", n, l)
		}
		parseSOCKS4(b)
		parseSOCKSDatagram(b)
		r, n, err := parseSOCKSRequest(b)
		if err != nil {
			return
		}
		written := append([]byte{b[0], b[1], b[2]}, appendEndpoint(nil, r.endpoint)...)
		again, m, err := parseSOCKSRequest(written)
		if err != nil || again.endpoint != r.endpoint || m != len(written) {
			t.Errorf("read %+v from % x, wrote % x, read %+v, %v", r, b[:n], written, again, err)
		}
		if _, _, err := parseSOCKSRequest(b[:n-1]); !errors.Is(err, errShort) {
			t.Errorf("% x without its last byte: %v", b[:n], err)
		}
		if bytes.IndexByte([]byte(r.asked), 0) >= 0 {
			t.Errorf("asked %q", r.asked)
		}
	})
}
