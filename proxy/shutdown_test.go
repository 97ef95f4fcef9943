package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"telltale/flow"
)

// A client whose handshake the end of the audit cuts short did nothing wrong, and
// must not be taken for one that pins its certificates.
func TestShutdownCutsHandshakes(t *testing.T) {
	hello := clientHello(t)
	for name, sent := range map[string][]byte{"in the ClientHello": hello[:len(hello)/2], "before the client's Finished": hello} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c := r.tunnel("example.test:443")
			c.say("%s", sent)
			if len(sent) == len(hello) {
				if _, err := c.br.Peek(600); err != nil { // the certificate is on its way
					t.Fatal(err)
				}
			}
			must(t, r.proxy.Shutdown(context.Background()))
			f := r.one()
			if f.Outcome != flow.Abandoned || !strings.Contains(f.Error, "the audit ended") {
				t.Errorf("recorded %s %q", f.Outcome, f.Error)
			}
		})
	}
}

// clientHello returns what a client says first.
func clientHello(t *testing.T) []byte {
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		tls.Client(theirs, &tls.Config{ServerName: "example.test"}).Handshake() //nolint:errcheck // nobody answers
		theirs.Close()
	}()
	buf := make([]byte, 8<<10)
	n, err := ours.Read(buf)
	must(t, err)
	if !looksTLS(buf[:n]) {
		t.Fatalf("no ClientHello: %x", buf[:n])
	}
	return buf[:n]
}

// A device that went away while it was answered keeps nothing waiting: not the end of the
// audit, and not those who need the proxy's lock.
func TestShutdownWhileAccepting(t *testing.T) {
	echo := (&rig{t: t}).listener(func(c net.Conn) { io.Copy(c, c) })
	r := newRig(t, leads("192.0.2.2:7", echo))
	near, far := tcpPair(t)
	accepting, gone, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		r.proxy.Arrive(Arrival{
			Way: tunnelWay, Client: netip.AddrPortFrom(tunnelPeer, 9), Destination: netip.MustParseAddrPort("192.0.2.2:7"),
			Accept: func() (net.Conn, error) { close(accepting); <-gone; return near, nil },
			Refuse: func(error) { t.Error("it was refused, too") },
		})
	}()
	<-accepting
	r.shutdown()
	<-done
	if f := r.one(); f.Outcome != flow.Abandoned || !strings.Contains(f.Error, "the audit ended") {
		t.Errorf("%s %q", f.Outcome, f.Error)
	}
	close(gone)
	must(t, far.SetDeadline(time.Now().Add(patience)))
	if _, err := far.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a connection that was accepted too late: %v, want its end", err)
	}
}
