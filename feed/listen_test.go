package feed_test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"telltale/feed"
)

func TestListenAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		address string
		exposed bool
	}{
		"4317":             {"127.0.0.1:4317", false},
		":4317":            {"127.0.0.1:4317", false},
		"0":                {"127.0.0.1:0", false},
		"127.0.0.1:4317":   {"127.0.0.1:4317", false},
		"127.9.9.9:4317":   {"127.9.9.9:4317", false},
		"localhost:4317":   {"localhost:4317", false},
		"LocalHost:4317":   {"LocalHost:4317", false},
		"[::1]:4317":       {"[::1]:4317", false},
		"0.0.0.0:4317":     {"0.0.0.0:4317", true},
		"[::]:4317":        {"[::]:4317", true},
		"192.168.1.7:4317": {"192.168.1.7:4317", true},
		"lab.example:4317": {"lab.example:4317", true},
		"localhost.x:1":    {"localhost.x:1", true},
	} {
		address, exposed, err := feed.ListenAddress(text)
		if err != nil || address != want.address || exposed != want.exposed {
			t.Errorf("%q: %q, %v, %v; want %q, %v", text, address, exposed, err, want.address, want.exposed)
		}
	}
	for _, text := range []string{"", ":", "x", "lab.example", "65536", "-1", ":http", "1:2:3", "::1", "http://localhost:1", "a b:1", "user@host:1"} {
		address, _, err := feed.ListenAddress(text)
		var bad *feed.AddressError
		if !errors.As(err, &bad) || !strings.Contains(bad.Hint(), "4317") {
			t.Errorf("%q: %q, %v; want an error", text, address, err)
		}
	}
}

func FuzzListenAddress(f *testing.F) {
	for _, text := range []string{"4317", ":1", "[::1]:1", "h:1", "[fe80::1%eth0]:1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		address, _, err := feed.ListenAddress(text)
		if err != nil {
			return
		}
		again, _, err := feed.ListenAddress(address)
		if host, _, split := net.SplitHostPort(address); err != nil || split != nil || again != address || host == "" {
			t.Errorf("%q gives %q, and that %q: %v, %v", text, address, again, err, split)
		}
	})
}

// A listener with few places makes others wait until one is free, and ends when closed.
func TestFewConnections(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := feed.NewFewer(inner, 1)
	accepted := make(chan net.Conn)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- c
		}
	}()
	for range 2 {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first := <-accepted
	select {
	case <-accepted:
		t.Fatal("two at once")
	default:
	}
	_ = first.Close()
	_ = first.Close() // frees one place, not two
	second := <-accepted
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("ended with %v", err)
	}
	_ = second.Close()
}
