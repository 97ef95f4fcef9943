package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// The benchmarks of the accept side answer requests at once, without a server
// behind: ours by the set-up page under https://setup.telltale/, the smallest
// interceptor by a handler of the same size. What matters is the ratio of
// cpu-µs/op, since client and proxy share this process.

func benchHome(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }

// smallest is the smallest interceptor: it hijacks a CONNECT and serves TLS on it.
func smallest(b *testing.B, ca *testAuthority) string {
	inner := newHandoff()
	server := &http.Server{Handler: http.HandlerFunc(benchHome)}
	cfg := &tls.Config{NextProtos: []string{"h2", "http/1.1"}, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return ca.Leaf(h.ServerName)
	}}
	front := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		io.WriteString(c, established)
		tc := tls.Server(c, cfg)
		if tc.Handshake() == nil {
			inner.conns <- tc
		}
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	var wg sync.WaitGroup
	wg.Go(func() { front.Serve(l) })
	wg.Go(func() { server.Serve(inner) })
	b.Cleanup(func() { front.Close(); server.Close(); wg.Wait() })
	return l.Addr().String()
}

// benchTunnel opens a tunnel with TLS in it.
func benchTunnel(b *testing.B, addr string, cfg *tls.Config) (*tls.Conn, *bufio.Reader) {
	c, err := net.Dial("tcp", addr)
	must(b, err)
	io.WriteString(c, "CONNECT setup.telltale:443 HTTP/1.1\r\nHost: setup.telltale:443\r\nUser-Agent: bench\r\n\r\n")
	br := bufio.NewReader(c)
	for line := ""; line != "\r\n"; {
		line, err = br.ReadString('\n')
		must(b, err)
	}
	tc := tls.Client(c, cfg)
	must(b, tc.Handshake())
	return tc, bufio.NewReader(tc)
}

func benchRequest(b *testing.B, tc io.Writer, br *bufio.Reader) {
	io.WriteString(tc, "GET / HTTP/1.1\r\nHost: setup.telltale\r\nUser-Agent: CovidShield/1.0.2 CFNetwork/1120 Darwin/19.0.0\r\nAccept: */*\r\nAccept-Language: en-ca\r\nAccept-Encoding: gzip, deflate, br\r\n\r\n")
	resp, err := http.ReadResponse(br, nil)
	must(b, err)
	io.Copy(io.Discard, resp.Body)
}

func benchBoth(b *testing.B, run func(b *testing.B, addr string, ca *testAuthority)) {
	b.Run("minimal", func(b *testing.B) {
		ca := newTestAuthority(b)
		run(b, smallest(b, ca), ca)
	})
	b.Run("ours", func(b *testing.B) {
		r := newRig(b, func(c *Config) { c.Home = http.HandlerFunc(benchHome); c.Recorder = new(counter) })
		run(b, r.addr, r.ca)
	})
}

func measure(b *testing.B, op func()) {
	op()
	b.ReportAllocs()
	before := cpuTime()
	for b.Loop() {
		op()
	}
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
}

// BenchmarkNewTLS is a whole connection with one request, without resumption.
func BenchmarkNewTLS(b *testing.B) {
	benchBoth(b, func(b *testing.B, addr string, ca *testAuthority) {
		cfg := &tls.Config{RootCAs: ca.pool(), ServerName: "setup.telltale"}
		measure(b, func() {
			tc, br := benchTunnel(b, addr, cfg)
			benchRequest(b, tc, br)
			tc.Close()
		})
	})
}

// BenchmarkKeepAlive is one request of many on a connection.
func BenchmarkKeepAlive(b *testing.B) {
	benchBoth(b, func(b *testing.B, addr string, ca *testAuthority) {
		tc, br := benchTunnel(b, addr, &tls.Config{RootCAs: ca.pool(), ServerName: "setup.telltale"})
		defer tc.Close()
		measure(b, func() { benchRequest(b, tc, br) })
	})
}
