package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"

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
