package capture

import (
	"database/sql/driver"

	"telltale/flow"
)

// connectionKey is what makes a row of connections. Facts behind pointers are
// never changed, so the pointer stands for them; holding it keeps it unique.
type connectionKey struct {
	client flow.Client
	server flow.Server
}

// serverTLSKey is a [flow.ServerTLS] by what it says. A proxy that keeps many
// connections to a server has one for each, and any client may meet any of them.
type serverTLSKey struct {
	tls    flow.ServerTLS // without its certificate when sha256 stands for it
	sha256 string
}

// sameTLS returns the first of those that say the same.
func (w *writer) sameTLS(t *flow.ServerTLS) *flow.ServerTLS {
	if t == nil {
		return nil
	}
	if first, ok := w.sameAs.get(t); ok {
		return first
	}
	key := serverTLSKey{tls: *t}
	if c := t.Certificate; c != nil && c.SHA256 != "" {
		key.tls.Certificate, key.sha256 = nil, c.SHA256
	}
	first, ok := w.serverTLS.get(key)
	if !ok {
		first = t
		w.serverTLS.put(key, t)
	}
	w.sameAs.put(t, first)
	return first
}

// connectionWidth is the number of columns of connections.
const connectionWidth = 25

// connection returns the row of the client and the server.
func (w *writer) connection(c flow.Client, s flow.Server) (driver.Value, error) {
	s.TLS = w.sameTLS(s.TLS)
	key := connectionKey{c, s}
	if id, ok := w.connections.get(key); ok {
		return id, nil
	}
	var row [connectionWidth]driver.Value
	id := w.nextConnection
	row[0] = id
	clientColumns(row[1:11], c)
	row[11], row[12], row[13] = text(s.Asked), text(s.SNI), text(s.Host)
	if s.Dialed.IsValid() {
		row[14] = s.Dialed.String()
	}
	if t := s.TLS; t != nil {
		certificate, err := w.certificate(t.Certificate)
		if err != nil {
			return nil, err
		}
		row[15], row[16], row[17] = int64(t.Version), int64(t.CipherSuite), text(t.ALPN)
		row[18], row[19], row[20] = certificate, text(t.Invalid), truth(t.Unverified)
	}
	row[21], row[22] = text(c.App.Name), text(c.App.ID)
	if s.Destination.IsValid() {
		row[23] = s.Destination.String()
	}
	row[24] = text(s.Resolved)
	if err := w.insertConnection.add(w.conn, row[:]...); err != nil {
		return nil, err
	}
	w.nextConnection++
	w.connections.put(key, id)
	return id, nil
}

func clientColumns(row []driver.Value, c flow.Client) {
	if c.Addr.IsValid() {
		row[0], row[1] = c.Addr.Addr().String(), int64(c.Addr.Port())
	}
	row[2], row[3], row[4] = text(c.Device), number(int64(c.TLS)), text(c.ALPN)
	if h := c.Hello; h != nil {
		row[5], row[6], row[7] = h.ServerName, list(h.ALPN), list(h.Versions)
		row[8], row[9] = text(h.JA4), text(h.Alert)
	}
}

func (w *writer) certificate(c *flow.Certificate) (driver.Value, error) {
	if c == nil {
		return nil, nil
	}
	if c.SHA256 != "" {
		if id, ok := w.certificates.get(c.SHA256); ok {
			return id, nil
		}
	}
	id := w.nextCertificate
	if err := w.insertCertificate.exec(id, c.SHA256, c.Subject, c.Issuer, list(c.DNSNames), micros(c.NotBefore), micros(c.NotAfter)); err != nil {
		return nil, err
	}
	w.nextCertificate++
	w.certificates.put(c.SHA256, id)
	return id, nil
}
