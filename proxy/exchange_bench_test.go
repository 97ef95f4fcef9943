package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"telltale/flow"
)

// The benchmarks compare the exchange with the smallest interceptor that Go
// allows: net/http on the accepted TLS connection, and http.Transport. Client,
// server and certificates are the same, and all run in this process, so the
// figure that matters is the difference of cpu-µs/op between the two.

// counter is a recorder that keeps nothing.
type counter struct{ id, observed atomic.Int64 }

func (c *counter) NextID() flow.ID      { return flow.ID(c.id.Add(1)) }
func (c *counter) Observe(_ *flow.Flow) { c.observed.Add(1) }

// benchOrigin answers with size bytes over TLS.
func benchOrigin(b *testing.B, ca *testAuthority, size int) string {
	leaf, err := ca.Leaf("127.0.0.1")
	must(b, err)
	content := make([]byte, size)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", fmt.Sprint(size))
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Etag", `"abc"`)
		w.Write(content)
	}), TLSConfig: &tls.Config{Certificates: []tls.Certificate{*leaf}}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	go s.ServeTLS(l, "", "")
	b.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// interceptor serves handler to TLS clients of a plain listener, as the accept
// side does once a tunnel is open. It returns its address.
func interceptor(b *testing.B, ca *testAuthority, h http.Handler) string {
	leaf, err := ca.Leaf("127.0.0.1")
	must(b, err)
	s := &http.Server{Handler: h, TLSConfig: &tls.Config{Certificates: []tls.Certificate{*leaf}},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	go s.ServeTLS(l, "", "")
	b.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// minimal is the smallest interceptor's handler.
func minimal(origin string, roots *x509.CertPool) http.Handler {
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, DisableCompression: true,
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 256,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Scheme, r.URL.Host, r.RequestURI = "https", origin, ""
		if r.ContentLength == 0 {
			r.Body = http.NoBody
		}
		resp, err := tr.RoundTrip(r)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		header := w.Header()
		for k, vs := range resp.Header {
			header[k] = vs
		}
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	})
}

// ours is the exchange's handler.
func ours(b *testing.B, origin string, roots *x509.CertPool, modify func() Modifier) http.Handler {
	cfg := &Config{Recorder: new(counter), AllowLocal: true, UpstreamRoots: roots, BodyLimit: 1 << 20, Modify: modify}
	x := newExchange(cfg, newDialer(cfg, newNetwork()))
	b.Cleanup(x.close)
	c := &connection{mode: "http", asked: origin, secure: true, account: &account{}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Scheme, r.URL.Host = "https", r.Host
		x.serve(c, w, r)
	})
}

func BenchmarkExchange(b *testing.B) {
	for _, proto := range []string{"h1", "h2"} {
		for _, size := range []int{200, 16 << 10} {
			for _, kind := range []string{"minimal", "ours", "asked", "altered"} {
				b.Run(fmt.Sprintf("%s/%dB/%s", proto, size, kind), func(b *testing.B) {
					benchExchange(b, kind, proto == "h2", size)
				})
			}
		}
	}
}

func benchExchange(b *testing.B, kind string, h2 bool, size int) {
	ca := newTestAuthority(b)
	origin := benchOrigin(b, ca, size)
	h := minimal(origin, ca.pool())
	switch kind {
	case "ours":
		h = ours(b, origin, ca.pool(), nil)
	case "asked": // whether messages are to be altered, which they are not
		h = ours(b, origin, ca.pool(), func() Modifier { return nil })
	case "altered": // by one that changes nothing
		h = ours(b, origin, ca.pool(), func() Modifier { return rule{} })
	}
	url := "https://" + interceptor(b, ca, h) + "/v1/config?app=1"
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: ca.pool()}, ForceAttemptHTTP2: h2,
		DisableCompression: true, MaxIdleConnsPerHost: 64,
	}
	defer tr.CloseIdleConnections()
	get := func() {
		req, _ := http.NewRequest(http.MethodGet, url, nil)
		req.Header.Set("User-Agent", "CovidShield/1.0.2 CFNetwork/1120 Darwin/19.0.0")
		req.Header.Set("Accept", "*/*")
		req.Header.Set("Accept-Language", "en-ca")
		resp, err := tr.RoundTrip(req)
		if err != nil {
			b.Error(err)
			return
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	get()
	b.ReportAllocs()
	before := cpuTime()
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				get()
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}
