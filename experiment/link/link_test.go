package link

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a test waits for what must happen, where time is real.
const patience = time.Minute

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// piped returns a socket behind the link and its client, in memory: time is not real there.
func piped(t *testing.T, l *Link) (ours, client net.Conn) {
	t.Helper()
	a, b := net.Pipe()
	ours = l.Wrap(a)
	t.Cleanup(func() { ours.Close(); b.Close() })
	return ours, b
}

// sent returns how long it takes to move size bytes in pieces.
func sent(t *testing.T, dst io.Writer, src io.Reader, size, piece int) time.Duration {
	t.Helper()
	start := time.Now()
	go func() {
		b := make([]byte, piece)
		for left := size; left > 0; left -= len(b) {
			if len(b) > left {
				b = b[:left]
			}
			if _, err := dst.Write(b); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	n, err := io.CopyN(io.Discard, src, int64(size))
	if err != nil || n != int64(size) {
		t.Fatalf("moved %d of %d: %v", n, size, err)
	}
	return time.Since(start)
}

// pass lets time pass: within synctest one that is not real, and else that of a measurement.
func pass(d time.Duration) { <-time.After(d) }

// near reports a duration that is not within 10 % of the one that is wanted.
func near(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if got < want*9/10 || got > want*11/10 {
		t.Errorf("%s: took %v, want %v", what, got, want)
	}
}

// Each profile keeps its rates over ten seconds, in pieces of any size.
func TestRates(t *testing.T) {
	for _, p := range Profiles {
		for _, piece := range []int{100, 4 << 10, 256 << 10} {
			synctest.Test(t, func(t *testing.T) {
				l := New(1)
				p.Loss = 0
				l.Use(&p)
				defer l.Use(nil)
				ours, client := piped(t, l)
				near(t, p.Name+" down", sent(t, ours, client, int(10*p.Down), piece), 10*time.Second+p.Latency)
				near(t, p.Name+" up", sent(t, client, ours, int(10*p.Up), piece), 10*time.Second+3*p.Latency)
			})
		}
	}
}

// Losses cost less than what the rate may be off.
func TestRateWithLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(7)
		p := *Find("satellite")
		l.Use(&p)
		defer l.Use(nil)
		ours, client := piped(t, l)
		near(t, "down", sent(t, ours, client, int(100*p.Down), 64<<10), 100*time.Second)
	})
}

// Sockets share the link, and each gets its part.
func TestShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		p := Profile{Down: 80_000, Up: 40_000}
		l.Use(&p)
		defer l.Use(nil)
		const conns = 8
		var all sync.WaitGroup
		for range conns {
			ours, client := piped(t, l)
			all.Go(func() { near(t, "down", sent(t, ours, client, 100_000, 16<<10), 10*time.Second) })
			all.Go(func() { near(t, "up", sent(t, client, ours, 50_000, 16<<10), 10*time.Second) })
		}
		all.Wait()
	})
}

// A burst takes the latency, what follows it at once does not, and what is said after a
// pause does again. A connection that is opened takes a round trip.
func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		p := Profile{Latency: 100 * time.Millisecond}
		l.Use(&p)
		defer l.Use(nil)
		ours, client := piped(t, l)
		for _, want := range []time.Duration{300 * time.Millisecond, 0, 0} {
			if got := sent(t, client, ours, 1000, 1000); got != want {
				t.Errorf("up took %v, want %v", got, want)
			}
		}
		for _, want := range []time.Duration{100 * time.Millisecond, 0} {
			if got := sent(t, ours, client, 1000, 1000); got != want {
				t.Errorf("down took %v, want %v", got, want)
			}
		}
		pass(time.Second)
		for _, want := range []time.Duration{100 * time.Millisecond, 0} {
			if got := sent(t, client, ours, 1000, 1000); got != want {
				t.Errorf("up, after a pause, took %v, want %v", got, want)
			}
		}
	})
}

// The same seed stalls the same bursts; another one others.
func TestLossRepeats(t *testing.T) {
	stalls := func(seed uint64) (times []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			l := New(seed)
			p := Profile{Latency: 10 * time.Millisecond, Loss: 0.3}
			l.Use(&p)
			defer l.Use(nil)
			for range 2 {
				ours, client := piped(t, l)
				for range 40 {
					times = append(times, sent(t, ours, client, 100, 100))
					pass(time.Second)
				}
			}
		})
		return times
	}
	first := stalls(3)
	lost := 0
	for _, d := range first {
		switch d {
		case 10 * time.Millisecond:
		case 10*time.Millisecond + minTimeout:
			lost++
		default:
			t.Errorf("a burst took %v", d)
		}
	}
	if lost < 12 || lost > 36 {
		t.Errorf("%d of %d bursts were lost", lost, len(first))
	}
	if !equal(first, stalls(3)) {
		t.Error("the same seed lost others")
	}
	if equal(first, stalls(4)) || equal(first[:40], first[40:]) {
		t.Error("other seeds, or sockets, lost the same")
	}
}

func equal(a, b []time.Duration) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Another profile, or none, is in force at once for who waits.
func TestSwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		if l.Profile() != nil {
			t.Error("a profile is in use")
		}
		l.Use(&Profile{Name: "slow", Down: 100, Latency: time.Hour})
		defer l.Use(nil)
		if p := l.Profile(); p == nil || p.Name != "slow" {
			t.Errorf("profile %v", p)
		}
		ours, client := piped(t, l)
		go func() {
			pass(time.Second)
			l.Use(&Profile{Down: 1000})
			pass(time.Second)
			l.Use(nil)
		}()
		if got := sent(t, ours, client, 100_000, 10_000); got != 2*time.Second {
			t.Errorf("took %v", got)
		}
		if got := sent(t, client, ours, 100_000, 10_000); got != 0 {
			t.Errorf("took %v without a profile", got)
		}
	})
}

// A deadline ends a wait for the link, and no byte is lost by it.
func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		l.Use(&Profile{Down: 1000, Up: 1000, Latency: 3 * time.Second})
		defer l.Use(nil)
		ours, client := piped(t, l)
		data := bytes.Repeat([]byte("0123456789"), 300)
		go client.Write(data)
		start := time.Now()
		ours.SetDeadline(start.Add(time.Second))
		buf := make([]byte, 5000)
		for what, do := range map[string]func() (int, error){
			"read":  func() (int, error) { return ours.Read(buf) },
			"write": func() (int, error) { return ours.Write(data) },
		} {
			if n, err := do(); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %d, %v", what, n, err)
			}
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("the deadline came after %v", took)
		}
		ours.SetReadDeadline(time.Time{})
		got := make([]byte, len(data))
		if _, err := io.ReadFull(ours, got); err != nil || !bytes.Equal(got, data) {
			t.Errorf("read %d bytes, other than were sent: %v", len(got), err)
		}
		ours.SetWriteDeadline(time.Now().Add(time.Hour))
		go func() {
			pass(time.Second)
			ours.SetWriteDeadline(time.Now()) // while it waits
		}()
		go io.Copy(io.Discard, client)
		start = time.Now()
		if n, err := ours.Write(make([]byte, 1<<20)); n > 2000 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) > 2*time.Second {
			t.Errorf("write: %d, %v after %v", n, err, time.Since(start))
		}
	})
}

// Close ends who waits for the link, in a turn or for one.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		l.Use(&Profile{Down: 1, Up: 1, Latency: time.Second})
		defer l.Use(nil)
		var ended sync.WaitGroup
		var conns []net.Conn
		for range 3 {
			ours, client := piped(t, l)
			conns = append(conns, ours)
			go client.Write(make([]byte, 1000))
			go io.Copy(io.Discard, client)
			ended.Go(func() {
				if _, err := io.ReadFull(ours, make([]byte, 1000)); !isClosed(err) {
					t.Errorf("read: %v", err)
				}
			})
			ended.Go(func() {
				if _, err := ours.Write(make([]byte, 1000)); !isClosed(err) {
					t.Errorf("write: %v", err)
				}
			})
		}
		pass(10 * time.Second)
		for _, c := range conns {
			c.Close()
		}
		ended.Wait()
	})
}

// isClosed reports whether an error is that of a closed socket, or of a closed pipe.
func isClosed(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe)
}

// tcp returns a real socket behind the link and its client.
func tcp(tb testing.TB, l *Link) (ours net.Conn, client *net.TCPConn) {
	tb.Helper()
	at, err := net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	defer at.Close()
	c, err := net.Dial("tcp", at.Addr().String())
	must(tb, err)
	raw, err := at.Accept()
	must(tb, err)
	ours = l.Wrap(raw)
	tb.Cleanup(func() { ours.Close(); c.Close() })
	must(tb, c.SetDeadline(time.Now().Add(patience)))
	return ours, c.(*net.TCPConn)
}

// Profiles change while real sockets move data both ways, by Read and Write and by
// io.Copy. Every byte arrives, in order, and nothing runs on.
func TestSwitchUnderLoad(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	l := New(1)
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i * 31 >> 3)
	}
	var moving sync.WaitGroup
	for range 4 {
		ours, client := tcp(t, l)
		there, server := tcp(t, New(1)) // the far side of a proxy
		moving.Go(func() {
			io.Copy(there, ours)
			there.(*conn).CloseWrite()
		})
		moving.Go(func() {
			io.Copy(ours, there)
			ours.(*conn).CloseWrite()
		})
		for _, end := range []*net.TCPConn{client, server} {
			moving.Go(func() { end.Write(data); end.CloseWrite() })
			moving.Go(func() {
				if b, err := io.ReadAll(end); err != nil || !bytes.Equal(b, data) {
					t.Errorf("%d bytes arrived, not those that were sent: %v", len(b), err)
				}
			})
		}
	}
	done := make(chan struct{})
	var switching sync.WaitGroup
	switching.Go(func() {
		fast := Profile{Down: 50 << 20, Up: 50 << 20, Latency: time.Millisecond, Loss: 0}
		for i := 0; ; i++ {
			select {
			case <-done:
				l.Use(nil)
				return
			default:
			}
			if l.Use(nil); i%2 == 0 {
				l.Use(&fast)
			}
		}
	})
	moving.Wait()
	close(done)
	switching.Wait()
}

// What only sockets have goes through to the socket.
func TestSocket(t *testing.T) {
	ours, client := tcp(t, New(1))
	c := ours.(*conn)
	if _, err := c.SyscallConn(); err != nil {
		t.Error(err)
	}
	must(t, c.CloseWrite())
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read behind the end: %v", err)
	}
	must(t, c.SetLinger(0))
	c.Close()
	if _, err := client.Write(make([]byte, 1)); err == nil {
		_, err = client.Read(make([]byte, 1))
		if err == nil {
			t.Error("the socket is open")
		}
	}
	a, b := net.Pipe()
	defer b.Close()
	p := New(1).Wrap(a).(*conn)
	defer p.Close()
	for _, err := range []error{p.CloseWrite(), p.SetLinger(0)} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("of a pipe: %v", err)
		}
	}
}

func TestFind(t *testing.T) {
	for _, p := range Profiles {
		if got := Find(p.Name); got == nil || got.Name != p.Name || p.Help == "" || p.Down <= 0 || p.Up <= 0 || p.Latency <= 0 {
			t.Errorf("%q: %+v", p.Name, got)
		}
	}
	if Find("5g") != nil {
		t.Error("found what is not there")
	}
}
