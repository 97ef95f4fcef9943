package proxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"telltale/flow"
	"telltale/wire/clienthello"
)

// httpProtocols are those that are offered to clients by ALPN.
var httpProtocols = []string{"h2", "http/1.1", "http/1.0"}

// clientTLS returns the configuration of all connections from clients. One for
// all of them shares the keys of session tickets, so that clients can resume.
func (p *Proxy) clientTLS() *tls.Config {
	return &tls.Config{ //nolint:gosec // see MinVersion
		GetCertificate: p.leaf,
		NextProtos:     httpProtocols,
		// An old device is to be seen, not turned away.
		MinVersion: tls.VersionTLS10,
		// ML-KEM is left out: on the last metres to the tool that records the
		// content it protects nothing, and it is a fifth of a handshake.
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
	}
}

// leaf returns the certificate for a handshake: for the SNI, or else for the
// host that the connection is to.
func (p *Proxy) leaf(info *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := info.ServerName
	if name == "" {
		name = info.Conn.(*connection).asked
	}
	return p.cfg.Leafer.Leaf(flow.CanonicalHost(name))
}

// serveTLS accepts TLS, unless the policy or the protocol inside speaks against
// it. The ClientHello is read ahead for that, and can still be forwarded as it is.
func (p *Proxy) serveTLS(c *connection) {
	c.SetDeadline(time.Now().Add(p.waits.handshake))
	err := readHello(c)
	if err != nil {
		p.noHello(c, err)
		return
	}
	if hello := c.client.Hello; hello != nil {
		f, d := p.admitted(c)
		switch {
		case d.Admission == Block && d.Refusal != Answered:
			p.block(c, f, d, refuser{refuse: func(*flow.Flow) string {
				c.Conn.Write(alertRecord(alertAccessDenied)) //nolint:errcheck // a courtesy to whom is refused
				linger(c)
				return "ended the TLS handshake in the place of the server"
			}})
			return
		case d.Admission == PassThrough:
			c.SetDeadline(time.Time{})
			p.tunnel(c, flow.PassedThrough, d.Why)
			return
		case len(hello.ALPN) > 0 && !slices.ContainsFunc(hello.ALPN, isHTTP):
			c.SetDeadline(time.Time{})
			p.tunnel(c, flow.Tunnelled, fmt.Sprintf("TLS for %q, which is not HTTP: forwarded unread", hello.ALPN))
			return
		}
	}
	p.acceptTLS(c)
}

func isHTTP(alpn string) bool { return slices.Contains(httpProtocols, alpn) }

// readHello reads ahead until the ClientHello is whole, or is found to be none:
// crypto/tls then answers it with the right alert.
func readHello(c *connection) error {
	for {
		hello, state := clienthello.OverTLS(c.early)
		if state != clienthello.Partial || len(c.early) > 2*clienthello.MaxLength {
			c.client.Hello = hello
			return nil
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// noHello records a client that stopped within its ClientHello.
func (p *Proxy) noHello(c *connection, err error) {
	if c.account.cut.Load() {
		c.Close() // it was us who stopped, which the account says
		return
	}
	f := c.tunnel()
	f.Outcome = flow.HandshakeFailed
	f.Error = fmt.Sprintf("the client %s %d bytes into its ClientHello", wentSilent(err), len(c.early))
	p.observe(c, f)
	c.Close()
}

func wentSilent(err error) string {
	if isTimeout(err) {
		return "went silent"
	}
	return "went away"
}

// acceptTLS does the handshake and hands the decrypted connection on.
func (p *Proxy) acceptTLS(c *connection) {
	t := tls.Server(c, c.tlsFor(p.tls))
	sniffer := recordSniffer{alert: noAlert}
	c.records = &sniffer
	err := t.Handshake()
	c.records = nil
	if err != nil {
		p.refused(c, &sniffer, err)
		t.Close()
		return
	}
	c.SetDeadline(time.Time{})
	state := t.ConnectionState()
	c.client.TLS, c.client.ALPN, c.secure = state.Version, state.NegotiatedProtocol, true
	c.show()
	c.account.expect(c, flow.ClientSilent, silentReason)
	switch c.client.ALPN {
	case "h2":
		c.h2 = t
		p.hand(t)
	case "":
		p.enterTLS(c, t)
	default:
		p.hand(newStream(c, t))
	}
}

// enterTLS serves TLS in which the client did not say by ALPN what it will speak.
func (p *Proxy) enterTLS(c *connection, t *tls.Conn) {
	inside := *c
	inside.Conn, inside.early = t, nil
	p.enter(&inside)
}

// refused records a handshake that failed, unless it was us who cut it: that is for
// the account to say.
func (p *Proxy) refused(c *connection, s *recordSniffer, err error) {
	if c.account.cut.Load() {
		return
	}
	if s.shown() {
		c = c.showing()
	}
	alert := alertOf(err)
	if s.alert != noAlert {
		alert = s.alert // in plain text, where crypto/tls sees a record that does not decrypt
	}
	f := c.alerted(alert).tunnel()
	switch {
	case alert != noAlert:
		f.Outcome, f.Error = c.judgeAlert(alert, s.shown())
	case s.shown() && (errors.Is(err, io.EOF) || isReset(err)):
		f.Outcome, f.Error = flow.ClientRefused, "the client closed the connection when it saw our certificate, without saying why. "+pinningHint
	case isTimeout(err):
		f.Outcome, f.Error = flow.HandshakeFailed, "the client went silent in the middle of the TLS handshake"
	default:
		f.Outcome, f.Error = flow.HandshakeFailed, "the TLS handshake failed: "+err.Error()
	}
	p.observe(c, f)
}

// refuseTLS records a client that spoke TLS to the proxy itself.
func (p *Proxy) refuseTLS(c *connection, why string) {
	c.SetDeadline(time.Now().Add(p.waits.handshake))
	readHello(c) //nolint:errcheck // the name in it is welcome, and not needed
	f := c.tunnel()
	f.Outcome = flow.Malformed
	f.Error = why
	c.Conn.Write(alertRecord(alertUnexpectedMessage)) //nolint:errcheck // a courtesy to whom is refused
	linger(c)
	p.observe(c, f)
	c.Close()
}
