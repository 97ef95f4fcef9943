package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
)

// An interceptor reads what is inside TLS and forwards it, with net/http on both
// sides and nothing else: no record, no judgement, no care for the odd cases. What
// telltale costs more than this, telltale has to answer for.
type interceptor struct {
	authority *authority
	leafKey   *ecdsa.PrivateKey
	leaves    sync.Map // server name → func() (*tls.Certificate, error)
	transport *http.Transport
	accepted  chan net.Conn
	address   net.Addr
}

// serveInterceptor accepts CONNECT on the listener, trusting roots upstream.
func serveInterceptor(listener net.Listener, roots *x509.CertPool) error {
	authority, err := newAuthority()
	if err != nil {
		return err
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	i := &interceptor{
		authority: authority,
		leafKey:   key,
		accepted:  make(chan net.Conn),
		address:   listener.Addr(),
		transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, loopback(address))
			},
			TLSClientConfig:     &tls.Config{RootCAs: roots},
			MaxIdleConnsPerHost: 256,
			DisableCompression:  true,
			ForceAttemptHTTP2:   true,
		},
	}
	go (&http.Server{Handler: i}).Serve(i)
	for {
		client, err := listener.Accept()
		if err != nil {
			return err
		}
		go i.intercept(client)
	}
}

// intercept accepts TLS behind a CONNECT and hands the connection to the server.
func (i *interceptor) intercept(client net.Conn) {
	target, err := acceptConnect(client)
	if err != nil {
		client.Close()
		return
	}
	host, _, _ := net.SplitHostPort(target)
	secure := tls.Server(client, &tls.Config{
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if hello.ServerName != "" {
				return i.leaf(hello.ServerName)
			}
			return i.leaf(host)
		},
	})
	if err := secure.Handshake(); err != nil {
		client.Close()
		return
	}
	i.accepted <- secure
}

// leaf returns the certificate for a name, minted once.
func (i *interceptor) leaf(name string) (*tls.Certificate, error) {
	mint := func() (*tls.Certificate, error) { return i.authority.sign(i.leafKey, name) }
	once, found := i.leaves.Load(name)
	if !found {
		once, _ = i.leaves.LoadOrStore(name, sync.OnceValues(mint))
	}
	return once.(func() (*tls.Certificate, error))()
}

// ServeHTTP forwards one exchange.
func (i *interceptor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.URL.Scheme, r.URL.Host, r.RequestURI = "https", r.Host, ""
	response, err := i.transport.RoundTrip(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	maps.Copy(w.Header(), response.Header)
	w.WriteHeader(response.StatusCode)
	io.Copy(w, response.Body)
}

// Accept makes the interceptor the listener of its own HTTP server.
func (i *interceptor) Accept() (net.Conn, error) { return <-i.accepted, nil }

// Close is never called: the process ends.
func (i *interceptor) Close() error { return nil }

// Addr returns the address of the proxy.
func (i *interceptor) Addr() net.Addr { return i.address }
