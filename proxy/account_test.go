package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"telltale/coverage"
	"telltale/flow"
)

// Running out of descriptors does not end the audit.
func TestAcceptRetries(t *testing.T) {
	r := newRig(t, quiet)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	failing := &failingListener{Listener: l}
	failing.left.Store(3)
	done := make(chan error, 1)
	go func() { done <- r.proxy.Serve(failing) }()
	c, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	c.Close()
	r.one()
	l.Close()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "accept on") {
		t.Errorf("a listener that was closed by somebody else: %v", err)
	}
}

type failingListener struct {
	net.Listener
	left atomic.Int32
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// Connections of all sorts, at once: as many outcomes as connections, none of
// them open.
func TestEveryConnectionIsAccountedFor(t *testing.T) {
	r := newRig(t, verdicts(nil, map[string]Admission{"blocked.test": Block}))
	plain := r.plainOrigin(func(w http.ResponseWriter, r *http.Request) {})
	secure := r.origin(func(w http.ResponseWriter, r *http.Request) {})
	echo := r.listener(func(c net.Conn) { io.Copy(c, c) })
	sorts := map[flow.Outcome]func() *peer{
		flow.Abandoned: func() *peer { return r.dial() },
		flow.Malformed: func() *peer { c := r.dial(); c.say("x\r\n\r\n"); c.status(); return c },
		flow.Served:    func() *peer { c := r.dial(); c.say("GET / HTTP/1.0\r\n\r\n"); c.status(); return c },
		flow.Tunnelled: func() *peer { c := r.tunnel(echo); c.say("\x00"); c.br.ReadByte(); return c },
		flow.ClientRefused: func() *peer {
			c := r.atOnce("example.test:443")
			tls.Client(c, &tls.Config{ServerName: "a.test"}).Handshake()
			return c.peer
		},
		flow.ClientSilent: func() *peer { return r.handshake(r.atOnce("example.test:443")) },
		flow.HandshakeFailed: func() *peer {
			c := r.atOnce("example.test:443")
			c.Write([]byte("\x16\x03\x01\x00\x00"))
			io.ReadFull(c, make([]byte, 1))
			return c.peer
		},
		flow.Blocked: func() *peer {
			c := r.atOnce("example.test:443")
			tls.Client(c, &tls.Config{ServerName: "blocked.test"}).Handshake()
			return c.peer
		},
		flow.Completed: func() *peer {
			c := r.dial()
			c.say("GET %s/ HTTP/1.1\r\nHost: h\r\n\r\n", plain)
			c.status()
			return c
		},
		flow.UpstreamFailed: func() *peer {
			c := r.dial()
			c.say("GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: h\r\n\r\n")
			c.status()
			return c
		},
	}
	const each = 5
	var wg sync.WaitGroup
	for range each {
		for _, open := range sorts {
			wg.Go(func() { open().Close() })
		}
		wg.Go(func() {
			c := r.handshake(r.atOnce(secure.Host), func(c *tls.Config) { c.ServerName = "127.0.0.1" })
			c.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			c.status()
			c.Close()
		})
	}
	wg.Wait()
	got := map[flow.Outcome]int{}
	for _, f := range r.ending(each * (len(sorts) + 1)) {
		got[f.Outcome]++
	}
	for outcome := range sorts {
		want := each
		if outcome == flow.Completed {
			want = 2 * each
		}
		if got[outcome] != want {
			t.Errorf("%s: %d, want %d (all: %v)", outcome, got[outcome], want, got)
		}
	}
}

// Ten thousand connections at once are held, and counted when they end.
func TestManyConnections(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 500
	}
	n = min(n, openFiles()/2-200) // both ends are ours
	r := newRig(t)
	conns := make([]net.Conn, n)
	for i := range conns {
		c, err := net.Dial("tcp", r.addr)
		must(t, err)
		conns[i] = c
		if i%2 == 0 {
			_, err = io.WriteString(c, "CONNECT h.test:443 HTTP/1.1\r\n")
			must(t, err)
		}
	}
	r.tunnel("example.test:443").Close() // there is still room
	for _, c := range conns {
		c.Close()
	}
	r.wait("all to be recorded", func(flows []*flow.Flow) bool { return len(flows) == n+1 })
}

// Shutdown waits for what is under way, and closes what only waits.
func TestShutdownFinishes(t *testing.T) {
	r := newRig(t)
	entered, release := make(chan struct{}), make(chan struct{})
	u := r.origin(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		io.WriteString(w, "late")
	})
	idle := r.dial()
	silent := r.handshake(r.tunnel("example.test:443"), func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })
	body := make(chan string, 1)
	c := r.client()
	go func() {
		resp, err := c.Get(u.String())
		if err != nil {
			body <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		body <- string(b)
	}()
	<-entered
	done := make(chan error, 1)
	go func() { done <- r.proxy.Shutdown(context.Background()) }()
	idle.closed()
	if _, err := io.ReadAll(silent.br); isTimeout(err) {
		t.Errorf("a silent connection outlived the shutdown: %v", err)
	}
	select {
	case err := <-done:
		t.Errorf("shut down with a request under way: %v", err)
	default:
	}
	close(release)
	if got := <-body; got != "late" {
		t.Errorf("got %q", got)
	}
	if err := <-done; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	for _, f := range r.ending(3) {
		if f.Outcome != flow.Completed && (f.Outcome != flow.Abandoned || !strings.Contains(f.Error, "the audit ended")) {
			t.Errorf("recorded %s %q", f.Outcome, f.Error)
		}
	}
	if _, err := net.Dial("tcp", r.addr); err == nil {
		t.Error("still accepting")
	}
}

// When its time is up, Shutdown cuts, and every flow still gets its end.
func TestShutdownCuts(t *testing.T) {
	r := newRig(t, quiet)
	hang := make(chan struct{})
	entered := make(chan struct{}, 1)
	u := r.origin(func(w http.ResponseWriter, r *http.Request) { entered <- struct{}{}; <-hang })
	defer close(hang)
	addr := r.listener(func(c net.Conn) { io.Copy(io.Discard, c) })
	opaque := r.tunnel(addr)
	opaque.say("\x00\x01")
	c := r.client()
	var wg sync.WaitGroup
	wg.Go(func() {
		if resp, err := c.Get(u.String()); err == nil {
			resp.Body.Close()
		}
	})
	<-entered
	r.wait("both to be open", func(flows []*flow.Flow) bool { return len(flows) == 2 })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := r.proxy.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v", err)
	}
	for _, f := range r.ending(2) {
		if f.Kind == flow.Tunnel && (f.Outcome != flow.Tunnelled || f.Sent != 2) {
			t.Errorf("tunnel: %s, %d bytes", f.Outcome, f.Sent)
		}
		if f.Kind == flow.HTTP && f.Outcome == flow.Completed {
			t.Errorf("exchange: %s", f.Outcome)
		}
	}
	wg.Wait()
}

func TestNewRefuses(t *testing.T) {
	for name, edit := range map[string]func(*Config){
		"no authority":           func(c *Config) { c.Leafer = nil },
		"no recorder":            func(c *Config) { c.Recorder = nil },
		"a password, but no one": func(c *Config) { c.Password = "x" },
	} {
		cfg := Config{Leafer: &testAuthority{}, Recorder: newTape(t)}
		edit(&cfg)
		if p, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
			p.Shutdown(context.Background())
		}
	}
}

// Every mode says what it is, and coverage says what it sees.
func TestModes(t *testing.T) {
	for _, m := range Modes {
		if m.Help == "" || m.Port == "" || (m.accept == nil) != (m.Name == modeWireGuard) {
			t.Errorf("mode %+v", m)
		}
		if _, ok := coverage.Of(m.Name); !ok {
			t.Errorf("nothing says what mode %q sees", m.Name)
		}
	}
}

// A panic in one connection is told of, and does not touch the others.
func TestPanicIsContained(t *testing.T) {
	var log bytes.Buffer
	r := newRig(t, func(c *Config) {
		c.Home = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })
		c.Admit = func(f *flow.Flow) Decision {
			if f.Host() == "panic.test" {
				panic("bang")
			}
			return Decision{}
		}
		c.Log = syncLogger(&log)
	})
	c := r.dial()
	c.say("GET / HTTP/1.0\r\n\r\n")
	c.closed()
	c = r.dial()
	c.say("CONNECT panic.test:443 HTTP/1.1\r\nHost: h\r\n\r\n")
	c.closed()
	r.ending(2)
	if s := log.String(); !strings.Contains(s, "boom") || !strings.Contains(s, "bang") {
		t.Errorf("log: %s", s)
	}
}

// A connection opened in advance and kept is no sign of pinning.
func TestUnusedConnection(t *testing.T) {
	for held, want := range map[time.Duration]flow.Outcome{0: flow.ClientSilent, eager - 1: flow.ClientSilent, eager: flow.Abandoned, defaultWaits.head: flow.Abandoned} {
		a := &account{}
		a.expect(&connection{}, flow.ClientSilent, silentReason)
		if got, why := a.verdict(a.since.Add(held)); got != want || why == "" {
			t.Errorf("after %v: %s %q, want %s", held, got, why, want)
		}
	}
}
