package proxy

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"telltale/flow"
)

// The places of tests: a laptop in a LAN with public IPv6 addresses, in a VPN, and
// with a bridge for containers. The phone is in the LAN.
var (
	phone  = netip.MustParseAddr("192.168.1.66")
	phone6 = netip.MustParseAddr("2001:db8:1:2:aaaa::66")
	laptop = []attachment{
		{link: 1, prefix: netip.MustParsePrefix("127.0.0.1/8")}, {link: 1, prefix: netip.MustParsePrefix("::1/128")},
		{link: 2, prefix: netip.MustParsePrefix("192.168.1.10/24")}, {link: 2, prefix: netip.MustParsePrefix("2001:db8:1:2::10/64")}, {link: 2, prefix: netip.MustParsePrefix("fd00:1::10/64")},
		{link: 3, prefix: netip.MustParsePrefix("192.168.1.20/24")}, // the same LAN, by cable
		{link: 4, prefix: netip.MustParsePrefix("10.8.0.6/32")},     // VPN
		{link: 5, prefix: netip.MustParsePrefix("172.17.0.1/16")},   // containers
		{link: 6, prefix: netip.MustParsePrefix("203.0.113.9/24")},  // a rented address: strangers all around
		{link: 6, prefix: netip.MustParsePrefix("2001:db8:8000::9/64")}, {link: 6, prefix: netip.MustParsePrefix("100.64.3.9/16")},
		{link: 7, prefix: netip.MustParsePrefix("192.168.7.1/24")}, {link: 7, prefix: netip.MustParsePrefix("2001:db8:9000::9/33")}, // far too wide for a LAN
		{2, netip.MustParsePrefix("fe80::1/64"), "wlan0"}, {4, netip.MustParsePrefix("fe80::1/64"), "tun0"}, {5, netip.MustParsePrefix("fe80::1/64"), "docker0"}, // each link has these
	}
	laptopRoutes = []struct{ to, from string }{
		{"127.0.0.0/8", "127.0.0.1"}, {"::1/128", "::1"}, {"192.168.1.50/32", "192.168.1.20"}, {"192.168.1.0/24", "192.168.1.10"},
		{"10.8.0.6/32", "10.8.0.6"}, {"10.9.9.0/24", ""}, {"10.0.0.0/8", "10.8.0.6"}, {"100.64.0.0/10", "10.8.0.6"}, {"172.17.0.0/16", "172.17.0.1"},
		{"fd00:1::/64", "fd00:1::10"}, {"fd00:9::/32", "fd00:1::10"}, {"192.0.2.77/32", "192.0.2.77"}, {"fec0::/10", "10.8.0.6"},
		{"0.0.0.0/0", "192.168.1.10"}, {"::/0", "2001:db8:1:2::10"},
	}
	errNoRoute = errors.New("no route")
)

func laptopNetwork() *network {
	return &network{
		list: func() ([]attachment, error) { return laptop, nil },
		route: func(a netip.Addr) (netip.Addr, error) {
			for _, r := range laptopRoutes {
				if netip.MustParsePrefix(r.to).Contains(a.WithZone("")) {
					if r.from == "" {
						break
					}
					return netip.MustParseAddr(r.from), nil
				}
			}
			return netip.Addr{}, errNoRoute
		},
	}
}

// A phone reaches the Internet and its own network through us, and nothing else that
// only this machine reaches.
func TestGuardRefusesLocalAddresses(t *testing.T) {
	const (
		cloud   = "a cloud's metadata service"
		apart   = apartNetwork
		own     = ownAddress
		nowhere = "no route"
	)
	d := newDialer(&Config{}, laptopNetwork())
	for addr, what := range map[string]string{
		"127.0.0.1": "loopback", "127.8.9.1": "loopback", "::1": "loopback", "::ffff:127.0.0.1": "loopback",
		"169.254.1.254": "link-local", "fe80::1": "link-local", "fe80::1%eth0": "link-local", "::ffff:169.254.0.1": "link-local",
		"0.0.0.0": "an unspecified address", "::": "an unspecified address", "0.1.2.3": "an unspecified address",
		"224.0.0.251": "a multicast address", "ff02::1": "a multicast address", "255.255.255.255": "a multicast address",
		"64:ff9b::7f00:1": "loopback", "64:ff9b::169.254.1.254": "link-local", "64:ff9b:1::127.0.0.1": "loopback",
		"64:ff9b:1:7f00:0:100::": "loopback", "64:ff9b:1:7f:0:1::": "loopback", "64:ff9b:1:0:7f:0:100:0": "loopback",
		"2002:7f00:1::": "loopback", "2002:a9fe:a9fe::1": cloud, "::127.0.0.1": "loopback", "::ffff:0:127.0.0.1": "loopback",
		"2001:0:7f00:1::": "loopback", "2001:0:808:808:0:0:80ff:fffe": "loopback", "2001:0:808:808:0:0:5601:5601": cloud,
		"192.168.1.10": own, "::ffff:192.168.1.10": own, "2001:db8:1:2::10": own, "64:ff9b::192.168.1.10": own, "172.17.0.1": own, "10.8.0.6": own,
		"192.0.2.77": own, // the kernel has it, the list of a moment ago has not

		"169.254.169.254": cloud, "::ffff:169.254.169.254": cloud, "64:ff9b::169.254.169.254": cloud, "169.254.170.2": cloud,
		"fd00:ec2::254": cloud, "fd00:ec2::23": cloud, "fd20:ce::254": cloud, "100.100.100.200": cloud, "168.63.129.16": cloud,
		"192.0.0.192": cloud, "169.254.42.42": cloud, "fd00:42::42": cloud, "fd00:c1::a9fe:a9fe": cloud, "64:ff9b::168.63.129.16": cloud,

		"172.17.0.2": apart, "10.1.2.3": apart, "100.99.1.1": apart, "::ffff:172.17.0.2": apart, "fec0::1": apart,
		"10.9.9.9": nowhere,

		"192.0.2.8": "", "192.168.1.1": "", "192.168.1.50": "", "172.20.0.1": "", "8.8.8.8": "", "2001:db8::8": "", "fd00:1::1": "", "fd00:9::1": "",
		"64:ff9b::8.8.8.8": "", "64:ff9b::10.1.2.3": "", "64:ff9b:1::8.8.8.8": "", "168.63.129.17": "", "198.18.0.5": "", "fd00:ec1::254": "",
	} {
		for _, client := range []netip.Addr{phone, phone6} {
			err := d.guard(client, netip.MustParseAddr(addr))
			var denied *deniedError
			got := ""
			if errors.As(err, &denied) {
				got = denied.what
			} else if err != nil {
				got = err.Error()
			}
			if got != what {
				t.Errorf("%s to %s: %v, want %q", client, addr, err, what)
			}
		}
	}
}

// Programs of this machine, and clients in the network in question, go where they
// could go anyway; --allow-local opens the rest, but for the metadata services.
func TestGuardAllowsWhatTheClientReachesAnyway(t *testing.T) {
	allowed := &Config{AllowLocal: true}
	for _, tc := range []struct {
		cfg        *Config
		client, to string
		ok         bool
	}{
		{&Config{}, "127.0.0.1", "172.17.0.2", true},
		{&Config{}, "::1", "10.1.2.3", true},
		{&Config{}, "192.168.1.10", "10.1.2.3", true},
		{&Config{}, "127.0.0.1", "127.0.0.1", false},
		{&Config{}, "127.0.0.1", "100.100.100.200", false},
		{&Config{}, "172.17.0.2", "172.17.0.3", true},
		{&Config{}, "172.17.0.2", "10.1.2.3", false},
		{&Config{}, "10.8.0.99", "10.1.2.3", true},
		{&Config{}, "10.9.9.9", "10.1.2.3", false}, // nobody knows where it is
		{allowed, "192.168.1.66", "10.1.2.3", true},
		{allowed, "192.168.1.66", "127.0.0.1", true},
		{allowed, "192.168.1.66", "169.254.169.254", false},
		{allowed, "127.0.0.1", "fd00:ec2::254", false},
	} {
		err := newDialer(tc.cfg, laptopNetwork()).guard(netip.MustParseAddr(tc.client), netip.MustParseAddr(tc.to))
		if (err == nil) != tc.ok {
			t.Errorf("%s to %s, local %v: %v, want %v", tc.client, tc.to, tc.cfg.AllowLocal, err, tc.ok)
		}
	}
}

// What is sent to everybody in a network comes to our own services: it stays here.
func TestGuardRefusesBroadcasts(t *testing.T) {
	n := laptopNetwork()
	for to, want := range map[string]bool{
		"192.168.1.255": true, "172.17.255.255": true, "127.255.255.255": true, "203.0.113.255": true, "::ffff:192.168.1.255": true,
		"192.168.1.254": false, "10.8.0.6": false, "192.168.2.255": false, "2001:db8:1:2:ffff:ffff:ffff:ffff": false,
	} {
		equal(t, to, n.broadcasts(netip.MustParseAddr(to)), want)
	}
	for _, client := range []string{"192.168.1.66", "127.0.0.1"} {
		if err := newDialer(&Config{}, n).guard(netip.MustParseAddr(client), netip.MustParseAddr("192.168.1.255")); err == nil || !strings.Contains(err.Error(), "broadcast") {
			t.Errorf("%s: %v", client, err)
		}
	}
}

// A client that sends its packets to another of our addresses than that of its
// link is still where its packets come from.
func TestClientIsWhereItsRouteLeads(t *testing.T) {
	n := laptopNetwork()
	for to, want := range map[string]bool{"10.8.0.6": true, "172.17.0.1": true, "192.168.1.10": false, "192.168.1.20": false, "2001:db8:1:2::10": false} {
		equal(t, to, n.apart(phone, netip.MustParseAddr(to)), want)
	}
}

func TestHintsNameWhatLifts(t *testing.T) {
	for _, tc := range []struct{ addr, what, want string }{
		{"127.0.0.1", "loopback", "telltale record --allow-local"},
		{"10.1.2.3", apartNetwork, "telltale record --allow-network 10.1.2.3"},
		{"169.254.169.254", "a cloud's metadata service", "telltale record --resolve HOST:PORT:169.254.169.254"},
	} {
		e := &deniedError{netip.MustParseAddr(tc.addr), tc.what}
		equal(t, tc.addr, e.Hint(), tc.want)
		if !strings.Contains(e.Error(), tc.addr+" is "+tc.what) || strings.Contains(e.Error(), "--allow-network 10.1.2.3") != (tc.what == apartNetwork) {
			t.Errorf("%s: %q", tc.addr, e.Error())
		}
	}
}

// A network that the operator names is open, and nothing else with it: no other
// network, not this machine, and no metadata service, wide as the prefix may be.
func TestNamedNetworksAreAllowed(t *testing.T) {
	named := &Config{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("172.17.0.2/32")}}
	wide := &Config{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}
	for _, tc := range []struct {
		cfg *Config
		to  string
		ok  bool
	}{
		{named, "10.1.2.3", true}, {named, "::ffff:10.1.2.3", true}, {named, "172.17.0.2", true},
		{named, "10.2.2.3", false}, {named, "172.17.0.3", false}, {named, "172.17.0.1", false}, {named, "127.0.0.1", false},
		{wide, "10.1.2.3", true}, {wide, "172.17.0.3", true}, {wide, "100.99.1.1", true},
		{wide, "127.0.0.1", false}, {wide, "::1", false}, {wide, "169.254.1.1", false}, {wide, "10.8.0.6", false}, {wide, "192.168.1.10", false},
		{wide, "192.0.2.77", false}, {wide, "169.254.169.254", false}, {wide, "100.100.100.200", false}, {wide, "fd00:ec2::254", false}, {wide, "fe80::1%wlan0", false},
	} {
		if err := newDialer(tc.cfg, laptopNetwork()).guard(phone, netip.MustParseAddr(tc.to)); (err == nil) != tc.ok {
			t.Errorf("%s with %v: %v, want %v", tc.to, tc.cfg.AllowNetworks, err, tc.ok)
		}
	}
}

func TestAddressesSurviveAnError(t *testing.T) {
	asked, fails := 0, false
	n := &network{list: func() ([]attachment, error) {
		if asked++; fails {
			return nil, errors.New("no")
		}
		return laptop, nil
	}}
	a := netip.MustParseAddr("172.17.0.1")
	equal(t, "known", n.owns(a), true)
	equal(t, "known again", n.owns(a), true)
	equal(t, "asked once", asked, 1)
	n.read, fails = time.Time{}, true
	equal(t, "still known", n.owns(a), true)
	equal(t, "asked again", asked, 2)
}

// The system is asked as it is meant to be.
func TestSystemIsAsked(t *testing.T) {
	n := newNetwork()
	loop := netip.MustParseAddr("127.0.0.1")
	from, err := n.route(netip.MustParseAddr("127.0.0.9"))
	must(t, err)
	equal(t, "loopback from", from, loop)
	equal(t, "owned", n.owns(loop), true)
	equal(t, "inside", n.inside(netip.MustParseAddr("::ffff:127.0.0.9")), true)
	equal(t, "strangers", n.owns(netip.MustParseAddr("192.0.2.99")), false)
	links, err := net.Interfaces()
	must(t, err)
	up := map[int]bool{}
	for _, l := range links {
		up[l.Index] = l.Flags&net.FlagUp != 0
	}
	all, err := attachments()
	must(t, err)
	own := 0
	for _, a := range all { // each of our addresses is reached from itself, which is how new ones are found
		addr := a.addr()
		if !addr.Is4() && !addr.IsLoopback() || !up[a.link] {
			continue // IPv6 has addresses that are not usable yet, or no longer
		}
		own++
		if from, err := n.route(addr); err != nil || from != addr {
			t.Errorf("%v is reached from %v, %v", a.prefix, from, err)
		}
	}
	if own == 0 {
		t.Errorf("none of %d addresses was looked at", len(all))
	}
}

// Two links may have the same link-local address: it is told by its zone where that
// is known, and is ours in any case.
func TestLinkLocalAddressesHaveZones(t *testing.T) {
	n := laptopNetwork()
	for addr, want := range map[string]bool{
		"fe80::1": true, "fe80::1%wlan0": true, "fe80::1%docker0": true, "fe80::1%eth9": false, "fe80::2": false, "fe80::2%wlan0": false, "2001:db8:1:2::10%x": true,
	} {
		equal(t, addr, n.owns(netip.MustParseAddr(addr)), want)
	}
	n.route = func(a netip.Addr) (netip.Addr, error) { // the kernel reaches what is on a link from its own address there
		return netip.MustParseAddr("fe80::1").WithZone(a.Zone()), nil
	}
	for client, want := range map[string]bool{"fe80::66%wlan0": false, "fe80::66%docker0": true, "fe80::66%eth9": true} {
		equal(t, client, n.apart(netip.MustParseAddr(client), netip.MustParseAddr("192.168.1.10")), want)
	}
}

// Who may use the proxy without being named: private addresses, and those of the
// subnets around, which for a phone with IPv6 are public.
func TestNeighboursMayUseTheProxy(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1": true, "::1": true, "10.1.2.3": true, "172.16.0.1": true, "192.168.1.5": true, "169.254.1.1": true,
		"fe80::1%eth0": true, "fd00::1": true, "100.64.0.1": true, "100.128.0.1": false,
		"2001:db8:1:2:aaaa::66": true, "2001:db8:1:2::1": true, "2001:db8:1:3::1": false, "2001:db8:1:2::1%x": true,
		"203.0.113.10": false, "2001:db8:8000::1": false, "2001:db8:8000:1::1": false, "2001:db8:9000:1::1": false,
		"8.8.8.8": false, "172.32.0.1": false, "2001:4860::1": false, "192.0.2.1": false, "0.0.0.0": false,
	} {
		g := newGuard(&Config{}, laptopNetwork(), newLimits(20000, 0))
		if e := g.enter(netip.MustParseAddr(addr), false); (e.why == "") != want || e.full {
			t.Errorf("%s: %+v, want %v", addr, e, want)
		}
	}
	named := newGuard(&Config{Devices: []netip.Addr{phone6}}, laptopNetwork(), newLimits(20000, 0))
	for addr, want := range map[string]bool{phone6.String(): true, "2001:db8:1:2:aaaa::67": false, "192.168.1.66": false} {
		if e := named.enter(netip.MustParseAddr(addr), false); (e.why == "") != want {
			t.Errorf("named, %s: %+v, want %v", addr, e, want)
		}
	}
}

// A client in the Internet gets nothing, not even a byte; its attempt is recorded.
func TestStrangersGetNothing(t *testing.T) {
	for _, tc := range []struct {
		from  string
		words bool
	}{{"198.51.100.7", false}, {"2001:db8:1:3::1", false}, {"2001:db8:1:2::7", true}} {
		r := newRig(t, func(c *Config) { c.Devices = []netip.Addr{phone} })
		r.proxy.guard.network = laptopNetwork()
		ours, theirs := net.Pipe()
		c := &peer{Conn: theirs, t: t}
		must(t, c.SetDeadline(time.Now().Add(patience))) // before the pipe may be closed
		go r.proxy.open(&from{ours, tc.from}, httpMode)
		if tc.words {
			go c.say("CONNECT example.test:443 HTTP/1.1\r\n\r\n")
		}
		buf := make([]byte, 512)
		n, _ := theirs.Read(buf)
		if (n > 0) != tc.words {
			t.Errorf("%s was told %q", tc.from, buf[:n])
		}
		theirs.Close()
		if f := r.one(); f.Outcome != flow.ClientDenied {
			t.Errorf("%s: recorded %s", tc.from, f.Outcome)
		}
	}
}

// from is a connection from an address of choice.
type from struct {
	net.Conn
	addr string
}

func (c *from) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(c.addr), 4711))
}
