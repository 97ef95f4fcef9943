package proxy

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"telltale/coverage"
	"telltale/flow"
	"telltale/guard/raced"
)

// device is one address and port in a tunnel that sends datagrams.
type device struct {
	r       *rig
	addr    netip.AddrPort
	answers chan string
	refused atomic.Int32
}

func (r *rig) device(port uint16) *device {
	return &device{r: r, addr: netip.AddrPortFrom(tunnelPeer, port), answers: make(chan string, 100)}
}

// send sends a datagram through the tunnel.
func (d *device) send(to, payload string) {
	d.r.proxy.Receive(Datagram{
		Way: tunnelWay, Client: d.addr, Device: "phone", Destination: netip.MustParseAddrPort(to), Payload: []byte(payload),
		Answer: func(b []byte) { d.answers <- string(b) }, Refuse: func() { d.refused.Add(1) },
	})
}

func (d *device) answer() string {
	d.r.t.Helper()
	select {
	case a := <-d.answers:
		return a
	case <-time.After(patience):
		d.r.t.Fatal("no answer")
		return ""
	}
}

// balanced waits for the books of the tunnel to have so much.
func (r *rig) balanced(class coverage.Class, units, bytes int64) {
	r.t.Helper()
	want := coverage.Amount{Units: units, Bytes: bytes}
	until(r.t, fmt.Sprintf("%d of %s with %d bytes in the books", units, class, bytes), func() bool {
		recorded, underWay := r.proxy.Recorded(modeWireGuard)
		return recorded[class] == want && underWay[class] == coverage.Amount{}
	})
}

// ntp is a client's question in version 4.
var ntp = "\x23" + strings.Repeat("\x00", 47)

// What is said to one destination is one flow, with the amounts both ways, the protocol
// and the name that led there.
func TestConversation(t *testing.T) {
	echo := udpEcho(t)
	r := newRig(t, leads("192.0.2.1:123", echo.String()), func(c *Config) { c.waits.oneShot, c.waits.sweep = time.Second, time.Millisecond })
	r.proxy.names.learn(tunnelPeer, "time.test", []netip.Addr{netip.MustParseAddr("192.0.2.1")})
	d := r.device(5000)
	d.send("192.0.2.1:123", ntp)
	if d.answer() != ntp {
		t.Error("another answer")
	}
	f := r.one() // ends by its idle time
	if f.Kind != flow.UDP || f.Outcome != flow.Tunnelled || f.Speech != "NTP" || f.Server.Resolved != "time.test" || f.Host() != "time.test" ||
		f.Server.Asked != "192.0.2.1:123" || f.Server.Dialed != echo || f.Client.Device != "phone" ||
		f.Sent != 48 || f.Received != 48 || f.DatagramsSent != 1 || f.DatagramsReceived != 1 {
		t.Errorf("%+v", f)
	}
	r.balanced(coverage.UDP, 1, 48)
	if n := r.mappings(); n != 0 {
		t.Errorf("%d sockets left", n)
	}
}

func (r *rig) mappings() int {
	r.proxy.talks.mu.Lock()
	defer r.proxy.talks.mu.Unlock()
	return len(r.proxy.talks.mappings)
}

// All that one port of a device sends leaves from one port of ours, so that STUN tells it
// where it can be reached; and nobody that it did not write to gets through.
func TestMappingIsIndependentOfEndpoints(t *testing.T) {
	r := newRig(t)
	from := make(chan netip.AddrPort, 10)
	var servers []*net.UDPConn
	for range 3 {
		u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		must(t, err)
		defer u.Close()
		must(t, u.SetDeadline(time.Now().Add(patience)))
		servers = append(servers, u)
	}
	d := r.device(5000)
	buf := make([]byte, 10)
	for _, s := range servers[:2] {
		d.send(s.LocalAddr().String(), "hello")
		_, a, err := s.ReadFromUDPAddrPort(buf)
		must(t, err)
		from <- a
	}
	one, two := <-from, <-from
	if one != two {
		t.Errorf("left from %v and %v", one, two)
	}
	_, err := servers[2].WriteToUDPAddrPort([]byte("stranger"), one)
	must(t, err)
	_, err = servers[1].WriteToUDPAddrPort([]byte("friend"), one)
	must(t, err)
	if got := d.answer(); got != "friend" {
		t.Errorf("got %q", got)
	}
	r.shutdown()
	r.ending(2)
	r.balanced(coverage.UDP, 2, 10)
}

// What may not go out has a row that says why, and the device is told; what goes to many
// is not answered by an error.
func TestDatagramsThatStayHere(t *testing.T) {
	for name, tc := range map[string]struct {
		edit    func(*Config)
		to      string
		outcome flow.Outcome
		words   string
		refused int32
	}{
		"guard":     {func(c *Config) { c.AllowLocal = false }, "127.0.0.1:9", flow.DestinationDenied, "loopback", 2},
		"metadata":  {func(*Config) {}, "169.254.169.254:80", flow.DestinationDenied, "metadata", 2},
		"own":       {func(*Config) {}, "10.70.0.1:80", flow.DestinationDenied, "nothing but DNS", 2},
		"policy":    {verdicts(map[string]Admission{"192.0.2.1": Block}, nil), "192.0.2.1:9", flow.Blocked, "by host", 2},
		"upstream":  {func(c *Config) { c.UpstreamProxy = &url.URL{Scheme: "http", Host: "127.0.0.1:1"} }, "192.0.2.1:9", flow.UpstreamFailed, "upstream proxy", 2},
		"mDNS":      {func(*Config) {}, "224.0.0.251:5353", flow.DestinationDenied, "not forwarded", 0},
		"broadcast": {func(*Config) {}, "255.255.255.255:67", flow.DestinationDenied, "not forwarded", 0},
		"subnet":    {func(*Config) {}, "127.255.255.255:67", flow.DestinationDenied, "not forwarded", 0},
		"port 0":    {func(*Config) {}, "192.0.2.1:0", flow.UpstreamFailed, "is no port", 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tc.edit)
			d := r.device(5000)
			d.send(tc.to, strings.Repeat("x", 12))
			d.send(tc.to, strings.Repeat("x", 12))
			if n := d.refused.Load(); n != tc.refused {
				t.Errorf("refused %d times", n)
			}
			r.shutdown()
			f := r.one()
			if f.Outcome != tc.outcome || !strings.Contains(f.Error, tc.words) || f.DatagramsSent != 2 || f.Server.Dialed.IsValid() {
				t.Errorf("%s %q, %d sent, dialed %v", f.Outcome, f.Error, f.DatagramsSent, f.Server.Dialed)
			}
			r.balanced(coverage.UDP, 2, 24)
		})
	}
}

// What the operator lets through is forwarded, and said to be, over UDP as over TCP.
func TestDatagramsThatArePassedThrough(t *testing.T) {
	echo := udpEcho(t)
	r := newRig(t, leads("192.0.2.1:3478", echo.String()), verdicts(map[string]Admission{"192.0.2.1": PassThrough}, nil))
	d := r.device(5000)
	d.send("192.0.2.1:3478", "hello")
	if got := d.answer(); got != "hello" {
		t.Errorf("got %q", got)
	}
	r.shutdown()
	if f := r.one(); f.Outcome != flow.PassedThrough || f.Error != "by host" || f.Received != 5 {
		t.Errorf("%s %q, received %d", f.Outcome, f.Error, f.Received)
	}
}

// Where a name is all that was given, it is resolved beside the datagrams, which wait.
func TestConversationByName(t *testing.T) {
	echo := udpEcho(t)
	r := newRig(t)
	release := make(chan struct{})
	r.proxy.dialer.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
		if host != "named.test" {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		<-release
		return []netip.Addr{echo.Addr()}, nil
	}
	d := r.device(5000)
	ask := func(host string, payload string) {
		r.proxy.Receive(Datagram{
			Way: &Way{Mode: modeWireGuard}, Client: d.addr, Asked: host, Payload: []byte(payload),
			Answer: func(b []byte) { d.answers <- string(b) }, Refuse: func() { d.refused.Add(1) },
		})
	}
	ask(net.JoinHostPort("named.test", portOf(echo.String())), "one")
	close(release)
	if got := d.answer(); got != "one" {
		t.Errorf("got %q", got)
	}
	ask("nowhere.test:9", "lost")
	r.shutdown()
	flows := r.ending(2)
	if flows[0].Received != 3 || flows[1].Failure != flow.FailureDNS && flows[1].Outcome != flow.Abandoned {
		t.Errorf("%+v\n%+v", flows[0], flows[1])
	}
}

// An answer that fits no packet gets through, if not the first one.
func TestLargeAnswers(t *testing.T) {
	echo := udpEcho(t)
	r := newRig(t)
	d := r.device(5000)
	big := strings.Repeat("x", 9000)
	d.send(echo.String(), big)
	d.send(echo.String(), "small")
	if got := d.answer(); got != "small" {
		t.Errorf("got %d bytes", len(got))
	}
	d.send(echo.String(), big)
	if got := d.answer(); got != big {
		t.Errorf("got %d bytes", len(got))
	}
}

// A device that writes to a million ports gets rows up to the limit and no more, takes no
// memory for the rest, and leaves room for another device.
func TestDatagramFlood(t *testing.T) {
	flood := int64(raced.Size(1_000_000, 50_000))
	var notes sync.Map
	r := newRig(t, func(c *Config) {
		c.Admit = func(f *flow.Flow) Decision {
			if f.Client.Addr.Addr() == tunnelPeer {
				return Decision{Admission: Block, Why: "a flood"}
			}
			return Decision{}
		}
		c.Note = func(s string) { notes.Store(s, true) }
		c.waits.makeRoom, c.waits.talk = time.Hour, time.Hour // however long the flood takes
	})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	payload := []byte("flood of datagrams")
	d := Datagram{Way: tunnelWay, Client: netip.AddrPortFrom(tunnelPeer, 9), Payload: payload}
	for i := range flood {
		a := netip.AddrFrom4([4]byte{203, 0, 113, byte(i >> 16)})
		d.Destination = netip.AddrPortFrom(a, uint16(i)|1<<10)
		r.proxy.Receive(d)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("%d MB grown", grown>>20)
	}
	echo := udpEcho(t)
	other := r.device(1)
	other.addr = netip.MustParseAddrPort("10.70.0.3:1")
	other.send(echo.String(), "still here")
	if got := other.answer(); got != "still here" {
		t.Errorf("another device got %q", got)
	}
	r.shutdown()
	recorded, _ := r.proxy.Recorded(modeWireGuard)
	dropped := r.proxy.Dropped(modeWireGuard)[dropTooMany]
	if rows := len(r.all()); rows != maxTalksPerClient+1 {
		t.Errorf("%d rows", rows)
	}
	if dropped.Units+recorded[coverage.UDP].Units != flood+1 || dropped.Units == 0 {
		t.Errorf("%d dropped, %d recorded", dropped.Units, recorded[coverage.UDP].Units)
	}
	if _, noted := notes.Load(floodNote); !noted {
		t.Error("not noted")
	}
}

// At the limit, what has been idle for long makes room.
func TestOldestConversationMakesRoom(t *testing.T) {
	r := newRig(t, verdicts(map[string]Admission{"192.0.2.1": Block}, nil), func(c *Config) { c.waits.makeRoom = time.Nanosecond })
	d := r.device(5000)
	for i := range maxTalksPerClient + 1 {
		d.send(fmt.Sprintf("192.0.2.1:%d", 1024+i), "x")
	}
	r.wait("the oldest to end", func(flows []*flow.Flow) bool {
		return len(flows) == maxTalksPerClient+1 && flows[0].Ended() && !flows[1].Ended()
	})
}

// Sockets are places among the open files; without one, the row says so.
func TestConversationWithoutSocket(t *testing.T) {
	r := newRig(t)
	places := &r.proxy.dialer.places
	places.perClient = 2
	first, second, third := r.device(5000), r.device(5001), r.device(5002)
	third.addr = netip.MustParseAddrPort("10.70.0.3:5002")
	first.send("127.0.0.1:9", "x")
	second.send("127.0.0.1:9", "x") // half of the places are for connections
	places.mu.Lock()
	places.limit = 1
	places.mu.Unlock()
	third.send("127.0.0.1:9", "x")
	if first.refused.Load() != 0 || second.refused.Load() != 1 || third.refused.Load() != 1 {
		t.Errorf("refused: %d, %d, %d", first.refused.Load(), second.refused.Load(), third.refused.Load())
	}
	r.shutdown()
	flows := r.ending(3)
	for i, words := range []string{"", "too many ports", "too many connections"} {
		if f := flows[i]; i > 0 && f.Outcome != flow.UpstreamFailed || !strings.Contains(f.Error, words) {
			t.Errorf("flow %d: %s %q", i, f.Outcome, f.Error)
		}
	}
	if total := r.proxy.dialer.places.total; total != 0 {
		t.Errorf("%d places taken", total)
	}
}

// Packets that are neither TCP nor UDP are one row for each address and protocol.
func TestStrays(t *testing.T) {
	r := newRig(t, func(c *Config) { c.waits.talk, c.waits.sweep = time.Hour, time.Millisecond })
	to := netip.MustParseAddr("192.0.2.1")
	r.proxy.names.learn(tunnelPeer, "ping.test", []netip.Addr{to})
	for range 3 {
		r.proxy.Stray(Stray{Way: tunnelWay, Client: tunnelPeer, Destination: to, Protocol: 1, Bytes: 64, Answered: true})
		r.proxy.Stray(Stray{Way: tunnelWay, Client: tunnelPeer, Destination: to, Protocol: 47, Bytes: 100})
	}
	for _, speech := range []string{flow.SpeechICMPError, flow.SpeechICMPControl} {
		r.proxy.Stray(Stray{Way: tunnelWay, Client: tunnelPeer, Destination: to, Protocol: 1, Speech: speech, Bytes: 8})
	}
	for i := range maxStraysPerClient {
		r.proxy.Stray(Stray{Way: tunnelWay, Client: tunnelPeer, Destination: netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), Protocol: 200, Bytes: 1})
	}
	r.shutdown()
	r.proxy.Stray(Stray{Way: tunnelWay, Client: tunnelPeer, Destination: to, Protocol: 1, Bytes: 1})
	flows := r.ending(maxStraysPerClient)
	ping, gre := flows[0], flows[1]
	if ping.Kind != flow.ICMP || ping.Outcome != flow.Completed || ping.Sent != 192 || ping.DatagramsSent != 3 || ping.DatagramsReceived != 3 || ping.Host() != "ping.test" {
		t.Errorf("%+v", ping)
	}
	if gre.Kind != flow.IP || gre.Outcome != flow.DestinationDenied || gre.Speech != "GRE" || gre.DatagramsSent != 3 || gre.DatagramsReceived != 0 {
		t.Errorf("%+v", gre)
	}
	for _, f := range flows[2:4] {
		if f.Kind != flow.ICMP || f.Outcome != flow.DestinationDenied || f.IsContact() || f.DatagramsSent != 1 {
			t.Errorf("%+v", f)
		}
	}
	if flows[4].Speech != "protocol 200" {
		t.Errorf("%q", flows[4].Speech)
	}
	if n := r.proxy.Dropped(modeWireGuard)[dropStrays].Units; n != 5 {
		t.Errorf("%d dropped", n)
	}
	r.balanced(coverage.ICMP, 5, 208)
	r.balanced(coverage.Other, 3+maxStraysPerClient-4, 300+maxStraysPerClient-4)
}

// After silence a row of strays ends, and the next packet opens another.
func TestStraysEnd(t *testing.T) {
	r := newRig(t, func(c *Config) { c.waits.talk, c.waits.sweep = time.Millisecond, time.Millisecond })
	s := Stray{Way: tunnelWay, Client: tunnelPeer, Destination: netip.MustParseAddr("192.0.2.1"), Protocol: 1}
	r.proxy.Stray(s)
	r.ending(1)
	r.proxy.Stray(s)
	r.ending(2)
}

// What is recognised, and what looks like it and is not.
func TestSpeech(t *testing.T) {
	stun := func(method uint16) string {
		b := binary.BigEndian.AppendUint16(nil, method)
		return string(append(b, 0, 0, 0x21, 0x12, 0xa4, 0x42)) + strings.Repeat("t", 12)
	}
	unhex := func(s string) string {
		b, err := hex.DecodeString(s)
		must(t, err)
		return string(b)
	}
	ike := "initiatr" + strings.Repeat("\x00", 8) + "\x21\x20\x22\x08" + "\x00\x00\x00\x00" + "\x00\x00\x00\x1c"
	zeros := strings.Repeat("\x00", 300)
	for _, tc := range []struct {
		payload string
		port    uint16
		want    string
	}{
		{stun(0x0001), 3478, "STUN"}, {stun(0x0101), 9, "STUN"}, {stun(0x0003), 3478, "TURN"}, {stun(0x0016), 3478, "TURN"},
		{stun(0x4001), 9, ""}, {stun(0x0001)[:19], 3478, ""},
		{"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n", 1900, "SSDP"},
		{"NOTIFY * HTTP/1.1\r\n\r\n", 1900, "SSDP"},
		{"REGISTER sip:h.test SIP/2.0\r\n\r\n", 5060, "SIP"}, {"SIP/2.0 200 OK\r\n\r\n", 5060, "SIP"}, {"REGISTER sip:h.test", 5060, ""},
		{unhex("16fefd0000000000000000000401000000"), 4433, "DTLS"}, {unhex("16fefd00000000000000000009010000"), 4433, ""},
		{ike, 500, "IKE"}, {"\x00\x00\x00\x00" + ike, 4500, "IKE"}, {"\xff", 4500, "IPsec"}, {ike + "x", 500, ""},
		{"\x01\x00\x00\x00" + zeros[:144], 51820, "WireGuard"}, {"\x01\x00\x00\x00" + zeros[:143], 51820, ""},
		{"\x38sessions\x00\x00\x00\x00\x00", 9, "OpenVPN"}, {"\x38sessions" + zeros[:33], 1194, "OpenVPN"}, {"\x38sessions" + zeros[:33], 9, ""},
		{zeros[:236] + "\x63\x82\x53\x63", 67, "DHCP"}, {zeros[:240], 67, ""},
		{ntp, 123, "NTP"}, {ntp, 124, ""}, {zeros[:48], 123, ""},
		{zeros[:12], 5353, "mDNS"}, {zeros[:12], 5355, "LLMNR"}, {zeros[:50], 137, "NetBIOS"}, {zeros[:14], 138, "NetBIOS"},
		{"", 9, ""}, {"hello", 9, ""}, {"", 123, ""},
	} {
		if got := speechOf([]byte(tc.payload), tc.port); got != tc.want {
			t.Errorf("%q to %d: %q, want %q", tc.payload, tc.port, got, tc.want)
		}
	}
}

func FuzzSpeech(f *testing.F) {
	f.Add([]byte(ntp), uint16(123))
	f.Add([]byte("\x00\x00\x00\x00"), uint16(4500))
	f.Fuzz(func(t *testing.T, b []byte, port uint16) { speechOf(b, port) })
}

// A conversation that ends while it is written to goes on as another one: no datagram is
// lost to the books.
func TestConversationsEndAndBegin(t *testing.T) {
	r := newRig(t, verdicts(map[string]Admission{"192.0.2.1": Block}, nil), func(c *Config) { c.waits.talk, c.waits.sweep = time.Nanosecond, time.Microsecond })
	const each, devices = 500, 4
	var wg sync.WaitGroup
	for i := range devices {
		d := r.device(uint16(i + 1))
		wg.Go(func() {
			for range each {
				d.send("192.0.2.1:9", "x")
			}
		})
	}
	wg.Wait()
	r.shutdown()
	var sent int64
	for _, f := range r.all() {
		sent += f.DatagramsSent
	}
	if sent != each*devices {
		t.Errorf("%d datagrams in rows", sent)
	}
	r.balanced(coverage.UDP, each*devices, each*devices)
}
