package capture

import (
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"errors"
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

// place reads an address and port; NULL is none.
func (c columns) place(i int) (netip.AddrPort, error) {
	if c.null(i) {
		return netip.AddrPort{}, nil
	}
	at, err := netip.ParseAddrPort(c.str(i))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", errRow, err)
	}
	return at, nil
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

// The columns of flowsColumns.
const (
	colID = iota
	colKind
	colConnection
	colURL
	colError
	colStarted
	colEnded
	colBlocked
	colDNS
	colConnect
	colTLS
	colSend
	colWait
	colReceive
	colRequestHeaders
	colRequestBody
	colRequestSize
	colResponseHeaders
	colResponseBody
	colResponseSize
	colSent
	colReceived
	colMore
	colRequestDigest
	colResponseDigest
	colDatagramsSent
	colDatagramsReceived
	colAnswers
	colExposures
)

// loadedRow is a flow whose header blocks are still to come.
type loadedRow struct {
	flow                            *flow.Flow
	requestHeaders, responseHeaders int64 // rows of headers; 0 when there was no message
}

// row makes a flow of a row of flowsColumns.
func (l *loader) row(r []driver.Value) (loadedRow, error) {
	row := columns(r)
	f, err := l.decode(row)
	if err != nil {
		return loadedRow{}, l.damagedFlow(flow.ID(row.int(colID)), err)
	}
	return loadedRow{f, row.int(colRequestHeaders), row.int(colResponseHeaders)}, nil
}

func (l *loader) damagedFlow(id flow.ID, err error) error {
	return damaged(l.path, fmt.Errorf("flow %d: %w", id, err))
}

func (l *loader) decode(row columns) (*flow.Flow, error) {
	k, err := l.kind(row.int(colKind))
	if err != nil {
		return nil, err
	}
	ends, err := l.connection(row.int(colConnection))
	if err != nil {
		return nil, err
	}
	var m more
	if err := row.array(colMore, &m); err != nil {
		return nil, err
	}
	f := &flow.Flow{
		ID: flow.ID(row.int(colID)), Kind: k.kind, Mode: k.mode, Phase: k.phase,
		Outcome: k.outcome, Failure: k.failure, Error: row.str(colError),
		Client: ends.client, Server: ends.server,
		Origin: flow.Origin{Capture: m.Capture, Entry: m.Entry, Line: m.Line}, Altered: m.Altered, Experiments: m.Experiments, Notes: m.Notes, Omitted: m.Omitted,
		Sent: row.int(colSent), Received: row.int(colReceived), Speech: k.speech,
		DatagramsSent: row.int(colDatagramsSent), DatagramsReceived: row.int(colDatagramsReceived),
		Times: flow.Times{
			Start: row.time(colStarted), End: row.time(colEnded), Blocked: row.stage(colBlocked), DNS: row.stage(colDNS),
			Connect: row.stage(colConnect), TLS: row.stage(colTLS), Send: row.stage(colSend), Wait: row.stage(colWait), Receive: row.stage(colReceive),
		},
	}
	for _, l := range m.Leaks {
		f.Leaks = append(f.Leaks, flow.Leak(l))
	}
	if k.asks {
		f.DNS = &flow.Question{Name: flow.CanonicalHost(f.Server.Asked), Type: k.question, Code: k.answer}
		if err := parseAnswers(row.str(colAnswers), f.DNS); err != nil {
			return nil, fmt.Errorf("%w: %w", errRow, err)
		}
	}
	f.Examined = k.examined
	if f.Exposures, err = l.exposures(row.int(colExposures)); err != nil {
		return nil, err
	}
	if !row.null(colRequestHeaders) {
		if f.Request, err = decodeRequest(row, &k, &m); err != nil {
			return nil, err
		}
	}
	if !row.null(colResponseHeaders) {
		if f.Response, err = decodeResponse(row, &k, &m); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func decodeRequest(row columns, k *kindKey, m *more) (*flow.Request, error) {
	r := &flow.Request{Method: k.method, URL: row.str(colURL), Proto: k.protocol}
	if m.NoMethod {
		r.Method = ""
	}
	if m.NoURL {
		r.URL = ""
	}
	var err error
	if r.Trailer, err = parseFields(m.RequestTrailer); err != nil {
		return nil, err
	}
	r.Body = flow.Body{Size: row.int(colRequestSize), Truncated: m.RequestCut, Decoded: m.RequestDecoded}
	r.Body.Digest, err = digest(row, colRequestBody, colRequestDigest)
	return r, err
}

func decodeResponse(row columns, k *kindKey, m *more) (*flow.Response, error) {
	r := &flow.Response{Status: max(k.status, 0), Reason: k.reason, Proto: k.protocolOfEnd, Interim: m.Interim}
	var err error
	if r.Trailer, err = parseFields(m.ResponseTrailer); err != nil {
		return nil, err
	}
	r.Body = flow.Body{Size: row.int(colResponseSize), Truncated: m.ResponseCut, Decoded: m.ResponseDecoded}
	r.Body.Digest, err = digest(row, colResponseBody, colResponseDigest)
	return r, err
}

// maxKnown bounds what a loader remembers of connections, and of kinds.
const maxKnown = 4096

// kind reads a row of kinds.
func (l *loader) kind(id int64) (kindKey, error) {
	if k, ok := l.kinds[id]; ok {
		return k, nil
	}
	found := false
	var k kindKey
	err := l.findKind.each(func(r []driver.Value) error {
		found = true
		row := columns(r)
		k = kindKey{
			kind: flow.Kind(row.str(0)), mode: row.str(1), phase: row.str(2), outcome: flow.Outcome(row.str(3)), failure: row.str(4),
			method: row.str(5), protocol: row.str(6), status: int(row.int(7)), reason: row.str(8), protocolOfEnd: row.str(9),
			speech: row.str(10), asks: !row.null(11), question: row.str(11), answer: row.str(12), examined: int(row.int(13)),
		}
		return nil
	}, id)
	if err == nil && !found {
		err = fmt.Errorf("%w: its kind is missing", errRow)
	}
	if err != nil {
		return k, err
	}
	if len(l.kinds) >= maxKnown {
		clear(l.kinds)
	}
	l.kinds[id] = k
	return k, nil
}

// recentBlocksRead is how many header blocks a loader remembers: most repeat.
const recentBlocksRead = 2048

// fieldBlock is a header block that was read.
type fieldBlock struct {
	fields []flow.Field
	err    error
}

// headers fills in the header blocks of some flows.
func (l *loader) headers(rows []loadedRow) error {
	blocks := map[int64]fieldBlock{0: {}}
	var missing []int64
	for i := range rows {
		for _, id := range [...]int64{rows[i].requestHeaders, rows[i].responseHeaders} {
			if _, ok := blocks[id]; ok {
				continue
			}
			b, ok := l.blocks.get(id)
			if !ok {
				b.err = fmt.Errorf("%w: its header block is missing", errRow)
				missing = append(missing, id)
			}
			blocks[id] = b
		}
	}
	if err := l.readBlocks(missing, blocks); err != nil {
		return err
	}
	for i := range rows {
		q, r := blocks[rows[i].requestHeaders], blocks[rows[i].responseHeaders]
		f := rows[i].flow
		if err := errors.Join(q.err, r.err); err != nil {
			return l.damagedFlow(f.ID, err)
		}
		if f.Request != nil {
			f.Request.Header = q.fields
		}
		if f.Response != nil {
			f.Response.Header = r.fields
		}
	}
	return nil
}

// readBlocks reads header blocks into a map.
func (l *loader) readBlocks(ids []int64, blocks map[int64]fieldBlock) error {
	if len(ids) == 0 {
		return nil
	}
	return l.findHeaders.each(func(r []driver.Value) error {
		row := columns(r)
		var b fieldBlock
		b.fields, b.err = parseFields(row.str(1))
		blocks[row.int(0)] = b
		l.blocks.put(row.int(0), b)
		return nil
	}, list(ids))
}

// digest returns the digest at column sum of the body that column id points to.
func digest(row columns, id, sum int) (string, error) {
	if !row.null(id) && row.null(sum) {
		return "", fmt.Errorf("%w: its body is missing", errRow)
	}
	return hex.EncodeToString(row.blob(sum)), nil
}

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
		k.client.Device = l.names.of(k.client.Addr.Addr(), k.client.Device)
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
	k.client.App, k.server.Resolved = flow.App{Name: row.str(21), ID: row.str(22)}, row.str(24)
	if k.server.Dialed, err = row.place(14); err != nil {
		return k, err
	}
	if k.server.Destination, err = row.place(23); err != nil {
		return k, err
	}
	if !row.null(15) {
		t := &flow.ServerTLS{
			Version: uint16(row.int(15)), CipherSuite: uint16(row.int(16)), ALPN: row.str(17),
			Invalid: row.str(19), Unverified: row.int(20) != 0,
		}
		if !row.null(18) {
			if t.Certificate, err = decodeCertificate(row[connectionWidth:]); err != nil {
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
