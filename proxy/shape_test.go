package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"telltale/flow"
)

// shaped stands in front of a socket, as Config.Shape wants it.
type shaped struct {
	net.Conn
	read, wrote, closed *atomic.Int64
}

func (c *shaped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read.Add(int64(n))
	return n, err
}

func (c *shaped) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.wrote.Add(int64(n))
	return n, err
}

func (c *shaped) Close() error {
	c.closed.Add(1)
	return c.Conn.Close()
}

func (c *shaped) CloseWrite() error { return closeWrite(c.Conn) }

func (c *shaped) SetLinger(sec int) error {
	if l, ok := c.Conn.(interface{ SetLinger(int) error }); ok {
		return l.SetLinger(sec)
	}
	return errors.ErrUnsupported
}

func (c *shaped) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// shapes counts what passes through the sockets that it shapes.
type shapes struct{ made, read, wrote, closed atomic.Int64 }

func (s *shapes) use(c *Config) {
	c.Shape = func(conn net.Conn) net.Conn {
		s.made.Add(1)
		return &shaped{conn, &s.read, &s.wrote, &s.closed}
	}
}

// Everything that a client says and hears passes through what stands in front of its
// socket, which is put there once.
func TestShapedSocket(t *testing.T) {
	var s shapes
	r := newRig(t, s.use)
	u := r.origin(answers)
	c := r.client()
	_, body := fetch(t, c, request(t, "GET", u.String(), nil))
	equal(t, "answer", body, "hello")
	c.CloseIdleConnections()
	echo := r.tunnel(r.listener(func(c net.Conn) { io.Copy(c, c); closeWrite(c) }))
	echo.say("not HTTP\n")
	echo.CloseWrite()
	b, err := io.ReadAll(echo)
	must(t, err)
	equal(t, "echo", string(b), "not HTTP\n")
	flows := r.ending(2)
	equal(t, "outcomes", fmt.Sprint(flows[0].Outcome, flows[1].Outcome), "completedtunnelled")
	r.shutdown()
	if s.made.Load() != 2 || s.closed.Load() < 2 || s.read.Load() < 100 || s.wrote.Load() < 100 {
		t.Errorf("made %d, closed %d, read %d, wrote %d", s.made.Load(), s.closed.Load(), s.read.Load(), s.wrote.Load())
	}
}

// A reset reaches the client through what stands in front of the socket.
func TestShapedSocketIsReset(t *testing.T) {
	var s shapes
	r := newRig(t, s.use, func(c *Config) {
		c.Admit = func(*flow.Flow) Decision { return Decision{Admission: Block, Refusal: Reset} }
	})
	c := r.tunnel("example.test:80")
	c.say("GET / HTTP/1.1\r\nHost: example.test\r\n\r\n")
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v, want a reset", err)
	}
	equal(t, "outcome", r.one().Outcome, flow.Blocked)
}

// What the end of an audit cuts is cut through it, too.
func TestShapedSocketIsCut(t *testing.T) {
	var s shapes
	r := newRig(t, s.use)
	c := r.dial()
	until(t, "the connection", func() bool { return s.made.Load() == 1 })
	r.shutdown()
	c.closed()
	equal(t, "outcome", r.one().Outcome, flow.Abandoned)
}

// A connection of a tunnel is shaped when the device was answered.
func TestShapedArrival(t *testing.T) {
	var s shapes
	r := newRig(t, s.use)
	at := r.plainOrigin(answers)
	theirs, ours := net.Pipe()
	var arriving sync.WaitGroup
	arriving.Go(func() {
		r.proxy.Arrive(Arrival{
			Way: &Way{Mode: modeWireGuard}, Client: netip.MustParseAddrPort("10.70.0.2:5000"), Destination: netip.MustParseAddrPort(at.Host),
			Accept: func() (net.Conn, error) { return ours, nil },
		})
	})
	fmt.Fprintf(theirs, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	b, err := io.ReadAll(theirs)
	must(t, err)
	if s.made.Load() != 1 || s.wrote.Load() != int64(len(b)) || s.read.Load() == 0 {
		t.Errorf("made %d, read %d, wrote %d of %d", s.made.Load(), s.read.Load(), s.wrote.Load(), len(b))
	}
	arriving.Wait()
	must(t, r.proxy.Shutdown(context.Background()))
	equal(t, "outcome", r.one().Outcome, flow.Completed)
}
