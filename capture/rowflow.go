package capture

import (
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"telltale/flow"
)

// columns is a row as the driver hands it out; NULL reads as the zero value.
type columns []driver.Value

func (c columns) int(i int) int64 {
	n, _ := c[i].(int64)
	return n
}

func (c columns) str(i int) string {
	switch v := c[i].(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

// blob returns a copy: the driver may reuse its memory.
func (c columns) blob(i int) []byte {
	switch v := c[i].(type) {
	case []byte:
		return append([]byte{}, v...)
	case string:
		return []byte(v)
	}
	return nil
}

func (c columns) null(i int) bool { return c[i] == nil }

func (c columns) time(i int) time.Time {
	if c.null(i) {
		return time.Time{}
	}
	return time.UnixMicro(c.int(i)).UTC()
}

func (c columns) stage(i int) time.Duration {
	if c.null(i) {
		return flow.Unmeasured
	}
	return time.Duration(c.int(i)) * time.Microsecond
}

// array reads a JSON array into p; NULL leaves it alone.
func (c columns) array(i int, p any) error {
	if c.null(i) {
		return nil
	}
	if err := json.Unmarshal([]byte(c.str(i)), p); err != nil {
		return fmt.Errorf("%w: %w", errRow, err)
	}
	return nil
}

// flow makes a flow of a row of selectFlows.
func (l *loader) flow(r []driver.Value) (*flow.Flow, error) {
	row := columns(r)
	f, err := l.decode(row)
	if err != nil {
		return nil, damaged(l.path, fmt.Errorf("flow %d: %w", row.int(0), err))
	}
	return f, nil
}

func (l *loader) decode(row columns) (*flow.Flow, error) {
	if row.null(2) {
		return nil, fmt.Errorf("%w: its kind is missing", errRow)
	}
	ends, err := l.connection(row.int(18))
	if err != nil {
		return nil, err
	}
	var m more
	if err := row.array(33, &m); err != nil {
		return nil, err
	}
	f := &flow.Flow{
		ID: flow.ID(row.int(0)), Kind: flow.Kind(row.str(2)), Mode: row.str(3), Phase: row.str(4),
		Outcome: flow.Outcome(row.str(5)), Failure: row.str(6), Error: row.str(7),
		Client: ends.client, Server: ends.server,
		Origin: flow.Origin{Capture: m.Capture, Entry: m.Entry, Line: m.Line}, Altered: m.Altered,
		Sent: row.int(31), Received: row.int(32),
		Times: flow.Times{
			Start: row.time(8), End: row.time(9), Blocked: row.stage(10), DNS: row.stage(11), Connect: row.stage(12),
			TLS: row.stage(13), Send: row.stage(14), Wait: row.stage(15), Receive: row.stage(16),
		},
	}
	if !row.null(22) {
		if f.Request, err = decodeRequest(row, &m); err != nil {
			return nil, err
		}
	}
	if !row.null(28) {
		if f.Response, err = decodeResponse(row, &m); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func decodeRequest(row columns, m *more) (*flow.Request, error) {
	r := &flow.Request{Method: row.str(19), URL: row.str(20), Proto: row.str(21)}
	if m.NoMethod {
		r.Method = ""
	}
	if m.NoURL {
		r.URL = ""
	}
	var err error
	if r.Header, err = parseHeader(row, 34); err != nil {
		return nil, err
	}
	if r.Trailer, err = parseFields(m.RequestTrailer); err != nil {
		return nil, err
	}
	r.Body = flow.Body{Size: row.int(24), Truncated: m.RequestCut, Decoded: m.RequestDecoded}
	r.Body.Digest, err = digest(row, 23, 36)
	return r, err
}

func decodeResponse(row columns, m *more) (*flow.Response, error) {
	r := &flow.Response{Status: int(row.int(25)), Reason: row.str(26), Proto: row.str(27), Interim: m.Interim}
	var err error
	if r.Header, err = parseHeader(row, 35); err != nil {
		return nil, err
	}
	if r.Trailer, err = parseFields(m.ResponseTrailer); err != nil {
		return nil, err
	}
	r.Body = flow.Body{Size: row.int(30), Truncated: m.ResponseCut, Decoded: m.ResponseDecoded}
	r.Body.Digest, err = digest(row, 29, 37)
	return r, err
}

func parseHeader(row columns, i int) ([]flow.Field, error) {
	if row.null(i) {
		return nil, fmt.Errorf("%w: its header block is missing", errRow)
	}
	return parseFields(row.str(i))
}

// digest returns the digest at column sum of the body that column id points to.
func digest(row columns, id, sum int) (string, error) {
	if !row.null(id) && row.null(sum) {
		return "", fmt.Errorf("%w: its body is missing", errRow)
	}
	return hex.EncodeToString(row.blob(sum)), nil
}

// maxKnown bounds what a loader remembers of connections.
const maxKnown = 4096

// connection reads a row of connections.
func (l *loader) connection(id int64) (connectionKey, error) {
	if k, ok := l.known[id]; ok {
		return k, nil
	}
	found := false
	var k connectionKey
	err := l.findConn.each(func(r []driver.Value) (err error) {
		found = true
		k, err = decodeConnection(columns(r))
		return err
	}, id)
	if err == nil && !found {
		err = fmt.Errorf("%w: connection %d is missing", errRow, id)
	}
	if err != nil {
		return k, err
	}
	if len(l.known) >= maxKnown {
		clear(l.known)
	}
	l.known[id] = k
	return k, nil
}

func decodeConnection(row columns) (k connectionKey, err error) {
	if !row.null(1) {
		addr, err := netip.ParseAddr(row.str(1))
		if err != nil {
			return k, fmt.Errorf("%w: %w", errRow, err)
		}
		k.client.Addr = netip.AddrPortFrom(addr, uint16(row.int(2)))
	}
	k.client.Device, k.client.TLS, k.client.ALPN = row.str(3), uint16(row.int(4)), row.str(5)
	if !row.null(6) {
		h := &flow.ClientHello{ServerName: row.str(6), JA4: row.str(9), Alert: row.str(10)}
		if err := row.array(7, &h.ALPN); err != nil {
			return k, err
		}
		if err := row.array(8, &h.Versions); err != nil {
			return k, err
		}
		k.client.Hello = h
	}
	k.server.Asked, k.server.SNI, k.server.Host = row.str(11), row.str(12), row.str(13)
	if !row.null(14) {
		if k.server.Dialed, err = netip.ParseAddrPort(row.str(14)); err != nil {
			return k, fmt.Errorf("%w: %w", errRow, err)
		}
	}
	if !row.null(15) {
		t := &flow.ServerTLS{
			Version: uint16(row.int(15)), CipherSuite: uint16(row.int(16)), ALPN: row.str(17),
			Invalid: row.str(19), Unverified: row.int(20) != 0,
		}
		if !row.null(18) {
			if t.Certificate, err = decodeCertificate(row[21:]); err != nil {
				return k, err
			}
		}
		k.server.TLS = t
	}
	return k, nil
}

func decodeCertificate(row columns) (*flow.Certificate, error) {
	c := &flow.Certificate{
		SHA256: row.str(0), Subject: row.str(1), Issuer: row.str(2),
		NotBefore: time.UnixMicro(row.int(4)).UTC(), NotAfter: time.UnixMicro(row.int(5)).UTC(),
	}
	return c, row.array(3, &c.DNSNames)
}
