package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"

	socks "golang.org/x/net/proxy"

	"telltale/flow"
)

// viaError is what an upstream proxy answered in the place of a tunnel.
type viaError struct {
	proxy  string
	status int
}

func (e *viaError) Error() string {
	return fmt.Sprintf("the upstream proxy %s answered %d %s", e.proxy, e.status, http.StatusText(e.status))
}

func (e *viaError) class() string {
	switch e.status {
	case http.StatusGatewayTimeout:
		return flow.FailureTimeout
	case http.StatusProxyAuthRequired, http.StatusUnauthorized, http.StatusForbidden:
		return flow.FailureRefused
	}
	return flow.FailureUnreachable
}

// dialVia reaches hostport through the upstream proxy, which is asked for target:
// the same, unless the operator named another. The address dialled is the proxy's,
// which may be local; names of servers are resolved by it.
func (d *dialer) dialVia(ctx context.Context, client netip.Addr, hostport, target string, named bool) (net.Conn, dialed, error) {
	if host, _ := flow.SplitHostPort(hostport); !named {
		if err := d.guardName(client, host); err != nil {
			return nil, notDialed(), &dialError{hostport, "reach", err}
		}
	}
	u := d.cfg.UpstreamProxy
	conn, out, err := d.dialName(ctx, u.Hostname(), proxyPort(u), nil)
	if err != nil {
		return nil, out, fmt.Errorf("could not reach %s: the upstream proxy failed: %w", hostport, err)
	}
	tunnel, err := d.tunnelVia(ctx, conn, target)
	if err != nil {
		conn.Close()
		return nil, out, &dialError{hostport, "reach", err}
	}
	return tunnel, out, nil
}

// tunnelVia asks the proxy on conn for hostport. Until it has answered, conn ends
// with ctx.
func (d *dialer) tunnelVia(ctx context.Context, conn net.Conn, hostport string) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(past) })
	tunnel, err := d.handshakeVia(ctx, conn, hostport)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if ctx.Err() != nil {
		err = ctx.Err() // the deadline on conn is a consequence
	}
	return tunnel, err
}

func (d *dialer) handshakeVia(ctx context.Context, conn net.Conn, hostport string) (net.Conn, error) {
	u := d.cfg.UpstreamProxy
	switch u.Scheme {
	case "socks5", "socks5h":
		var auth *socks.Auth
		if u.User != nil {
			password, _ := u.User.Password()
			auth = &socks.Auth{User: u.User.Username(), Password: password}
		}
		s, err := socks.SOCKS5("tcp", u.Host, auth, ready{conn})
		if err != nil {
			return nil, err
		}
		if _, err = s.(socks.ContextDialer).DialContext(ctx, "tcp", hostport); err != nil {
			return nil, err
		}
		return conn, nil
	case "https":
		conn = tls.Client(conn, &tls.Config{ServerName: u.Hostname(), RootCAs: d.cfg.UpstreamRoots, MinVersion: tls.VersionTLS12})
		fallthrough
	case "http":
		return connectVia(conn, hostport, u)
	}
	return nil, fmt.Errorf("an upstream proxy of scheme %q is not known", u.Scheme)
}

// ready gives the SOCKS client the connection that is already there.
type ready struct{ conn net.Conn }

func (d ready) Dial(string, string) (net.Conn, error) { return d.conn, nil }

func (d ready) DialContext(context.Context, string, string) (net.Conn, error) { return d.conn, nil }

// connectVia asks with CONNECT (RFC 9110, 9.3.6), for servers in clear too.
func connectVia(conn net.Conn, hostport string, u *url.URL) (net.Conn, error) {
	ask := "CONNECT " + hostport + " HTTP/1.1\r\nHost: " + hostport + "\r\n"
	if u.User != nil {
		password, _ := u.User.Password()
		ask += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)) + "\r\n"
	}
	if _, err := io.WriteString(conn, ask+"\r\n"); err != nil {
		return nil, err
	}
	br := bufio.NewReader(&io.LimitedReader{R: conn, N: 64 << 10})
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect}) //nolint:bodyclose // what follows is the tunnel
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("the upstream proxy %s closed the connection", u.Host)
	case err != nil:
		return nil, err
	case resp.StatusCode/100 != 2:
		return nil, &viaError{u.Host, resp.StatusCode}
	}
	if n := br.Buffered(); n > 0 { // the server spoke first
		ahead, _ := br.Peek(n)
		return &prefixed{Conn: conn, ahead: ahead}, nil
	}
	return conn, nil
}

// prefixed is a connection of which the first bytes have been read already.
type prefixed struct {
	net.Conn
	ahead []byte
}

func (c *prefixed) Read(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
			c.ahead = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite ends our direction and leaves the other open.
func (c *prefixed) CloseWrite() error { return closeWrite(c.Conn) }

// proxyPort returns the proxy's port, which has a usual value for each scheme.
func proxyPort(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	switch u.Scheme {
	case "https":
		return "443"
	case "socks5", "socks5h":
		return "1080"
	}
	return "80"
}
