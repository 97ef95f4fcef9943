package wireguard

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"telltale/coverage"
	"telltale/proxy"
)

func TestCloseTwice(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	r.onArrive(echo)
	c, err := r.phone(t, r.first(t)).DialTCPAddrPort(addr("203.0.113.1:443"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	roundTrip(t, c, "open")
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	until(t, "what was open ends", func() bool { _, underWay := r.Recorded(Mode); return underWay[coverage.TCP].Units == 0 })
}

// A tunnel that is closed lets go of the connections that are being opened.
func TestCloseWhileOpening(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	closed, results := make(chan struct{}), make(chan error, 2)
	r.onArrive(func(a proxy.Arrival) {
		if a.Client.Port() == 4001 {
			<-closed
		}
		_, err := a.Accept() // the device never answers
		results <- err
	})
	p := r.first(t)
	b := r.bare(t, r.clientSettings(p))
	b.out <- segment(netip.AddrPortFrom(p.IPv4, 4000), addr("203.0.113.1:80"), flagSYN)
	b.next(t)
	b.out <- segment(netip.AddrPortFrom(p.IPv4, 4001), addr("203.0.113.1:80"), flagSYN)
	until(t, "both arrive", func() bool { return len(r.arrived()) == 2 })
	r.Close()
	close(closed)
	for range 2 {
		select {
		case err := <-results:
			if err == nil {
				t.Error("accepted after the end")
			}
		case <-time.After(patience):
			t.Fatal("still waits for the device")
		}
	}
}

// A tunnel that is opened again finds its devices by itself: they need not notice first
// that their session has ended.
func TestResume(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	r.onReceive(func(d proxy.Datagram) { d.Answer(d.Payload) })
	p := r.first(t)
	b := r.bare(t, r.clientSettings(p))
	b.out <- datagramFrom(p.IPv4, "203.0.113.1:7", "ping")
	b.next(t)
	r.Close()
	again, err := Listen(Options{Book: r.Book(), Addr: r.Addr().String(), Proxy: r.recorder})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	until(t, "there is a session", func() bool {
		s, err := again.Peers()
		return err == nil && !s[0].LastHandshake.IsZero()
	})
	until(t, "the device uses it", func() bool { // it may have sent before it did
		b.out <- datagramFrom(p.IPv4, "203.0.113.1:7", "pong")
		return len(b.in) > 0
	})
	// Places that make no sense are not known.
	for _, content := range []string{"", "{", `{"phone":"nowhere"}`, `{"phone":7}`, `[]`} {
		if err := os.WriteFile(filepath.Join(r.Book().Folder(), endpointsFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if known := r.Book().endpoints(); len(known) != 0 {
			t.Errorf("%s: %v", content, known)
		}
	}
}
