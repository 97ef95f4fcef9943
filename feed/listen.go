package feed

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
)

// An AddressError says why a text is no address to listen on.
type AddressError struct{ Text string }

func (e *AddressError) Error() string {
	return fmt.Sprintf("%q is no address for the feed", e.Text)
}

// Hint says what one looks like.
func (e *AddressError) Hint() string {
	return "Write a port, 4317, for programs on this machine, or HOST:PORT."
}

// ListenAddress returns HOST:PORT for an address as people write it: a port, with or
// without a colon before it, is one of this machine alone; any other host has to be named.
// exposed tells whether others can reach it: the feed does not encrypt, so whoever is in
// between can read it, and its token. An error is an [AddressError].
func ListenAddress(text string) (address string, exposed bool, err error) {
	host, port := "", strings.TrimPrefix(text, ":")
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		if host, port, err = net.SplitHostPort(text); err != nil {
			return "", false, &AddressError{text}
		}
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || strings.ContainsAny(host, " /\\@") {
		return "", false, &AddressError{text}
	}
	if host == "" {
		host = "127.0.0.1"
	}
	at, err := netip.ParseAddr(host)
	local := err == nil && at.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
	return net.JoinHostPort(host, port), !local, nil
}

// fewer is a listener that holds so many connections at once: more would take descriptors
// that the recording needs.
type fewer struct {
	net.Listener
	taken  chan struct{} // one in it for each connection
	closed chan struct{}
	close  func() error
}

func newFewer(l net.Listener, limit int) *fewer {
	f := &fewer{Listener: l, taken: make(chan struct{}, limit), closed: make(chan struct{})}
	f.close = sync.OnceValue(func() error {
		close(f.closed)
		return l.Close()
	})
	return f
}

func (l *fewer) Accept() (net.Conn, error) {
	select {
	case l.taken <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.taken
		return nil, err
	}
	return &counted{c, sync.OnceFunc(func() { <-l.taken })}, nil
}

func (l *fewer) Close() error { return l.close() }

type counted struct {
	net.Conn
	free func()
}

func (c *counted) Close() error {
	defer c.free()
	return c.Conn.Close()
}
