package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/flow"
)

// Ten thousand connections of one client fit into the usual limits, others still
// have room beside it, and the process keeps files for itself.
func TestLimitsLeaveRoom(t *testing.T) {
	for _, tc := range []struct {
		files, asked                           int
		clients, perClient, servers, perDevice int
	}{
		{20_000, 0, 14_616, 12_789, 4872, 4263},
		{1 << 20, 0, 786_048, 16_384, 262_016, 229_264},
		{1024, 0, 672, 588, 224, 196},
		{256, 0, 168, 147, 56, 49},
		{20_000, 100, 14_616, 100, 4872, 4263},
		{1024, 100_000, 672, 588, 224, 196},
	} {
		l := newLimits(tc.files, tc.asked)
		equal(t, fmt.Sprint(tc.files, " ", tc.asked), l, limits{tc.files, tc.clients, tc.perClient, tc.servers, tc.perDevice})
		if l.clients+l.servers >= tc.files || l.perClient >= l.clients || l.perDevice >= l.servers {
			t.Errorf("%+v leaves no room", l)
		}
	}
}

func TestConnectionLimit(t *testing.T) {
	g := newGuard(&Config{}, laptopNetwork(), limits{files: 400, clients: 150, perClient: 100})
	a, b := netip.MustParseAddr("192.168.1.5"), netip.MustParseAddr("192.168.1.6")
	for i := range 101 {
		if e := g.enter(a, false); e.full != (i >= 100) || e.full && !strings.Contains(e.why, "more than 100") {
			t.Fatalf("connection %d: %+v", i, e)
		}
	}
	for i := range 50 {
		if e := g.enter(b, false); e.full != (i >= 49) || e.full && !strings.Contains(e.why, "open files (400)") {
			t.Fatalf("connection %d of another: %+v", i, e)
		}
	}
	g.leave(a)
	g.leave(a)
	if e := g.enter(a, false); e.why != "" {
		t.Errorf("a place that was left is not free: %+v", e)
	}
}

// What is over a limit is closed at once, recorded, and noted; whoever is within it
// goes on.
func TestTooManyConnectionsAreRefused(t *testing.T) {
	var notes notebook
	r := newRig(t, func(c *Config) { c.PerClient, c.Note = 3, notes.add })
	u := r.plainOrigin(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "still here") })
	var held []*peer
	for range 3 {
		c := r.dial()
		c.say("GET %s/ HTTP/1.1\r\nHost: h\r\n\r\n", u)
		equal(t, "status", c.status(), 200)
		held = append(held, c)
	}
	over := r.dial()
	if b, err := io.ReadAll(over.br); len(b) > 0 {
		t.Errorf("told %q, %v", b, err)
	}
	f := r.ending(4)[3]
	if f.Outcome != flow.ClientDenied || !strings.Contains(f.Error, "more than 3 connections") {
		t.Errorf("recorded %s %q", f.Outcome, f.Error)
	}
	equal(t, "notes", notes.all(), []string{fullNote})
	held[0].say("GET %s/ HTTP/1.1\r\nHost: h\r\n\r\n", u)
	equal(t, "status", held[0].status(), 200)
}

type notebook struct {
	mu    sync.Mutex
	lines []string
}

func (n *notebook) add(s string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, s)
}

func (n *notebook) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lines
}

// When the places for servers are taken, idle connections make room; when none are
// idle, the request fails, in words, and the next one finds a place again.
func TestServersTakePlaces(t *testing.T) {
	var notes notebook
	r := newRig(t, func(c *Config) { c.Note = notes.add })
	r.proxy.dialer.places.limit, r.proxy.dialer.places.perClient = 2, 0
	var busy, release = make(chan struct{}), make(chan struct{})
	u := r.plainOrigin(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			busy <- struct{}{}
			<-release
		}
	})
	second := r.plainOrigin(func(http.ResponseWriter, *http.Request) {})
	third := r.plainOrigin(func(http.ResponseWriter, *http.Request) {})
	get := func(url string) *peer {
		c := r.dial()
		c.say("GET %s HTTP/1.1\r\nHost: h\r\n\r\n", url)
		return c
	}
	equal(t, "first", get(u.String()+"/").status(), 200)
	equal(t, "second", get(second.String()+"/").status(), 200)
	equal(t, "third, in the place of an idle one", get(third.String()+"/").status(), 200)
	waiting := []*peer{get(u.String() + "/wait"), get(u.String() + "/wait")}
	<-busy
	<-busy
	resp, body := get(third.String() + "/").answer()
	if resp.StatusCode != 502 || !strings.Contains(body, errNoPlace.Error()) {
		t.Errorf("answered %d %q", resp.StatusCode, body)
	}
	close(release)
	for _, c := range waiting {
		equal(t, "waited", c.status(), 200)
	}
	equal(t, "again", get(third.String()+"/").status(), 200)
	if got := notes.all(); len(got) == 0 || got[0] != serversNote {
		t.Errorf("notes %q", got)
	}
	r.ending(7)
}

// A place is given back however a dial or a connection ends, once, through an
// upstream proxy too.
func TestPlacesAreGivenBack(t *testing.T) {
	lone := newRig(t)
	good := lone.listener(func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, established)
		io.Copy(io.Discard, c)
	})
	ahead := lone.listener(func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, established+"220 the server spoke first\r\n")
		io.Copy(io.Discard, c)
	})
	refusing := lone.listener(func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
	})
	closing := lone.listener(func(c net.Conn) { c.Read(make([]byte, 1)) })
	for _, tc := range []struct {
		name, via string
		reaches   bool
	}{
		{"directly", "", true}, {"nobody there", "", false},
		{"through a proxy", "http://" + good, true}, {"through one that has read on", "http://" + ahead, true},
		{"a proxy that refuses", "http://" + refusing, false}, {"a proxy that is not there", "http://127.0.0.1:1", false},
		{"a proxy that ends SOCKS", "socks5://" + closing, false}, {"a proxy that ends TLS", "https://" + closing, false},
	} {
		cfg := &Config{AllowLocal: true}
		target := "127.0.0.1:1"
		if tc.reaches {
			target = good
		}
		if tc.via != "" {
			u, err := url.Parse(tc.via)
			must(t, err)
			cfg.UpstreamProxy = u
		}
		d := newDialer(cfg, newNetwork())
		d.places.limit = 1
		for range 3 {
			c, _, err := d.dial(context.Background(), phone, target)
			if (err == nil) != tc.reaches || errors.Is(err, errNoPlace) {
				t.Fatalf("%s: %v", tc.name, err)
			}
			if err == nil {
				if _, _, err := d.dial(context.Background(), phone, target); !errors.Is(err, errNoPlace) {
					t.Fatalf("%s: a second one: %v", tc.name, err)
				}
				c.Close()
				c.Close()
			}
			equal(t, tc.name, fmt.Sprint(d.places.total, d.places.taken), "0 map[]")
		}
	}
}

// One device cannot take all places for servers: its own idle connections make room
// for it, and others have theirs.
func TestServersAreShared(t *testing.T) {
	var made []netip.Addr
	p := &places{limit: 8, perClient: 7, full: func(a netip.Addr) { made = append(made, a) }}
	other := netip.MustParseAddr("192.168.1.67")
	var leave func()
	for range 7 {
		var err error
		leave, err = p.take(phone)
		must(t, err)
	}
	if _, err := p.take(netip.MustParseAddr("::ffff:192.168.1.66")); !errors.Is(err, errNoShare) {
		t.Errorf("an eighth place: %v", err)
	}
	equal(t, "room was made among", fmt.Sprint(made), fmt.Sprint([]netip.Addr{phone}))
	_, err := p.take(other)
	must(t, err)
	if _, err := p.take(other); !errors.Is(err, errNoPlace) || made[1].IsValid() {
		t.Errorf("a ninth place: %v, room was made among %v", err, made)
	}
	leave()
	leave()
	_, err = p.take(phone)
	must(t, err)
	if _, err = p.take(other); !errors.Is(err, errNoPlace) {
		t.Errorf("a place was given back twice: %v", err)
	}
}

// Accepting goes on when the machine is out of files for a while, and it is noted.
func TestAcceptTroubleIsNoted(t *testing.T) {
	var notes notebook
	r := newRig(t, func(c *Config) { c.Note, c.Log = notes.add, nil })
	l := &poorListener{conns: make(chan net.Conn, 1), done: make(chan struct{}), poor: 3}
	served := make(chan error, 1)
	go func() { served <- r.proxy.Serve(l) }()
	ours, theirs := net.Pipe()
	l.conns <- &from{ours, "127.0.0.1"}
	c := &peer{Conn: theirs, t: t}
	must(t, c.SetDeadline(time.Now().Add(patience)))
	c.say("CONNECT h.test:443 HTTP/1.1\r\nHost: h\r\n\r\n")
	buf := make([]byte, len(established))
	_, err := io.ReadFull(theirs, buf)
	must(t, err)
	equal(t, "answered", string(buf), established)
	equal(t, "notes", notes.all(), []string{acceptNote, acceptNote, acceptNote})
	theirs.Close()
	r.one()
	l.Close()
	if err := <-served; err == nil {
		t.Error("a listener that ended by itself is an error")
	}
}

type poorListener struct {
	conns chan net.Conn
	done  chan struct{}
	poor  int // times that it is out of files
}

func (l *poorListener) Accept() (net.Conn, error) {
	if l.poor > 0 {
		l.poor--
		return nil, outOfFiles{}
	}
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *poorListener) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}

func (l *poorListener) Addr() net.Addr { return &net.TCPAddr{} }

type outOfFiles struct{}

func (outOfFiles) Error() string   { return "too many open files" }
func (outOfFiles) Temporary() bool { return true }

// A client has so many tries and no more; another, and one that was right once, are
// not held up; waiting for a moment is enough for the right password.
func TestGuessingIsSlow(t *testing.T) {
	now := time.Unix(1e9, 0)
	g := &tries{now: func() time.Time { return now }}
	for i := range maxTries + 5 {
		want := wrong
		if i >= maxTries {
			want = tooMany
		}
		equal(t, fmt.Sprint("try ", i), g.judge(phone, false), want)
	}
	equal(t, "the right one is not looked at", g.judge(phone, true), tooMany)
	equal(t, "another client", g.judge(netip.MustParseAddr("192.168.1.67"), true), granted)
	seen := 0
	for range 600 { // ten a second for a minute
		now = now.Add(100 * time.Millisecond)
		if g.judge(phone, false) == wrong {
			seen++
		}
	}
	if seen < 59 || seen > 61 {
		t.Errorf("%d tries in a minute", seen)
	}
	now = now.Add(tryEvery)
	equal(t, "the right one, a moment later", g.judge(phone, true), granted)
	for range maxTries * 2 {
		equal(t, "wrong again", g.judge(phone, false), wrong)
	}
	equal(t, "right again", g.judge(phone, true), granted)
}

// A host can take any address of its subnet of IPv6, or of its link, and gets no tries
// by the thousand for it.
func TestGuessingFromASubnet(t *testing.T) {
	for _, first := range []netip.Addr{phone6, netip.MustParseAddr("fe80::66%wlan0")} {
		now := time.Unix(1e9, 0)
		g := &tries{now: func() time.Time { return now }}
		a, seen := first, 0
		for range 2000 { // each from another address
			if a = a.Next(); g.judge(a, false) == wrong {
				seen++
			}
		}
		equal(t, "at once", seen, maxTries*subnetTries)
		for range 600 { // for a minute
			now = now.Add(100 * time.Millisecond)
			for range 5 {
				if a = a.Next(); g.judge(a, false) == wrong {
					seen++
				}
			}
		}
		if most := maxTries*subnetTries + 60*subnetTries; seen > most {
			t.Errorf("%d tries in a minute, want %d at most", seen, most)
		}
		equal(t, "in the flood", g.judge(a.Next(), true), tooMany)
		equal(t, "another subnet", g.judge(netip.MustParseAddr("2001:db8:9::1"), false), wrong)
		equal(t, "another link", g.judge(netip.MustParseAddr("fe80::66%eth0"), false), wrong)
	}
}

// What a neighbour does is not held against a phone of the same subnet, and what the
// phone knows opens nothing to the neighbour.
func TestNeighboursGuessForThemselves(t *testing.T) {
	for _, pair := range [][2]string{
		{"2001:db8:1:2::66", "2001:db8:1:2::67"}, {"fe80::66%wlan0", "fe80::67%wlan0"}, {"fe80::66%wlan0", "fe80::66%eth0"}, {"192.168.1.66", "192.168.1.67"},
	} {
		now := time.Unix(1e9, 0)
		g := &tries{now: func() time.Time { return now }}
		mine, other := netip.MustParseAddr(pair[0]), netip.MustParseAddr(pair[1])
		for range maxTries {
			equal(t, "neighbour", g.judge(other, false), wrong)
		}
		equal(t, "neighbour, at its end", g.judge(other, false), tooMany)
		equal(t, "the phone, new", g.judge(mine, true), granted)
		for range maxTries * subnetTries {
			equal(t, "neighbour of a phone that was right", g.judge(other, false), tooMany)
		}
		equal(t, "the phone, known", g.judge(mine, true), granted)
		equal(t, "an app on it", g.judge(mine, false), wrong)
		equal(t, "neighbour, with the right one", g.judge(other, true), tooMany)
	}
}

// What is remembered of guessers is bounded. None is forgotten before its time.
func TestGuessersAreBounded(t *testing.T) {
	now := time.Unix(1e9, 0)
	g := &tries{now: func() time.Time { return now }}
	g.judge(phone, true)
	a, looked := netip.MustParseAddr("10.0.0.1"), 0
	for range maxTriers + 10 {
		if a = a.Next(); g.judge(a, false) == wrong {
			looked++
		}
	}
	equal(t, "looked at, of too many at once", looked, maxTriers-1)
	equal(t, "the phone", g.judge(phone, true), granted)
	now = now.Add(2 * tryEvery)
	equal(t, "later", g.judge(a, false), wrong)
	for range maxTriers + 10 {
		a = a.Next()
		g.judge(a, true)
	}
	if len(g.paid) > maxTriers || len(g.known) > maxTriers {
		t.Errorf("%d and %d are remembered", len(g.paid), len(g.known))
	}
}

// Over the wire: guesses end in 429, both for tunnels and requests, and each is
// recorded.
func TestTooManyTries(t *testing.T) {
	for _, line := range []string{"CONNECT h.test:443", "GET http://h.test/"} {
		r := newRig(t, func(c *Config) { c.User, c.Password = "phone", "right" })
		now := time.Unix(1e9, 0)
		r.proxy.guard.tries.now = func() time.Time { return now }
		ask := func(password string) *http.Response {
			c := r.dial()
			defer c.Close()
			c.say("%s HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Basic %s\r\n\r\n", line, base64.StdEncoding.EncodeToString([]byte("phone:"+password)))
			resp, _ := c.answer()
			return resp
		}
		for range maxTries {
			equal(t, line, ask("guess").StatusCode, 407)
		}
		for _, password := range []string{"guess", "right"} {
			resp := ask(password)
			if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" {
				t.Errorf("%s: %d %v", line, resp.StatusCode, resp.Header)
			}
		}
		over := 0
		for _, f := range r.ending(maxTries + 2) {
			if f.Outcome != flow.ClientDenied || f.Host() != "h.test" || (f.Error == tooManyTries) != (f.Status() == 429) {
				t.Errorf("recorded %s %q %d %s", f.Outcome, f.Error, f.Status(), f.Host())
			}
			if f.Error == tooManyTries {
				over++
			}
		}
		equal(t, "over", over, 2)
	}
}

// A client that never finishes its first head, or its handshake, is let go in time;
// one that waits for its answer is not, whatever the limits are.
func TestSlowClients(t *testing.T) {
	const short = 250 * time.Millisecond
	r := newRig(t, func(c *Config) { c.waits = waits{head: short, handshake: short, idle: short} })
	release := make(chan struct{})
	u := r.origin(func(w http.ResponseWriter, req *http.Request) {
		io.WriteString(w, "begun ")
		w.(http.Flusher).Flush()
		io.Copy(io.Discard, req.Body)
		<-release
		io.WriteString(w, "and ended")
	})
	poll := func(line, rest string) *peer {
		c := r.handshake(r.tunnel(u.Host), func(c *tls.Config) { c.ServerName = "127.0.0.1" })
		c.say("%s / HTTP/1.1\r\nHost: h\r\n%s", line, rest)
		return c
	}
	long := poll("GET", "\r\n")
	upload := poll("POST", "Content-Length: 2\r\n\r\na")
	for what, c := range map[string]*peer{"head": r.dial(), "handshake": r.tunnel("h.test:443"), "silence": r.dial()} {
		switch what {
		case "head":
			c.say("GET http://h.test/ HTTP/1.1\r\nX-Slow: ")
		case "handshake":
			c.say("\x16\x03\x01\x02\x00\x01")
		}
		if _, err := io.ReadAll(c.br); isTimeout(err) {
			t.Errorf("%s: held on to", what)
		}
	}
	upload.say("b") // long after all of the limits
	close(release)
	for _, c := range []*peer{long, upload} {
		if resp, body := c.answer(); resp.StatusCode != 200 || body != "begun and ended" {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
	}
	r.wait("three that were let go", func(flows []*flow.Flow) bool {
		n := 0
		for _, f := range flows {
			if f.Outcome == flow.Abandoned || f.Outcome == flow.HandshakeFailed {
				n++
			}
		}
		return n == 3
	})
}
