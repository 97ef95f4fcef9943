package proxy

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"telltale/flow"
)

// A server that ends each HTTP/2 connection instead of answering, as nginx does for
// "return 444", is not asked again and again: what the device said once must not
// become thousands of requests.
func TestServerThatEndsEachConnection(t *testing.T) {
	const (
		settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
		goAway   = "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" // no stream was processed
	)
	for name, words := range map[string]string{"with a word": goAway, "without": ""} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			leaf, err := r.ca.Leaf("127.0.0.1")
			must(t, err)
			var asked atomic.Int32
			addr := r.listener(func(c net.Conn) {
				asked.Add(1)
				s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*leaf}, NextProtos: []string{"h2"}})
				defer s.Close()
				buf := make([]byte, 4<<10)
				s.Read(buf)
				io.WriteString(s, settings)
				s.Read(buf)
				io.WriteString(s, words)
			})
			methods := []string{"GET", "POST"}
			for _, method := range methods {
				req, err := http.NewRequest(method, "https://"+addr+"/", nil)
				must(t, err)
				resp, err := r.client().Do(req)
				must(t, err)
				resp.Body.Close()
				equal(t, "status", resp.StatusCode, 502)
			}
			// Of all together: the server may hear of a connection when its request has failed.
			if n := int(asked.Load()); n > maxDials*len(methods) {
				t.Errorf("%d connections were made", n)
			}
			for _, f := range r.ending(2) {
				equal(t, "outcome", f.Outcome, flow.UpstreamFailed)
				if words == goAway {
					equal(t, "failure of "+f.Error, f.Failure, flow.FailureReset)
				}
				equal(t, "dialled", f.Server.Dialed.String(), addr)
			}
		})
	}
}
