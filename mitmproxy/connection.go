package mitmproxy

import (
	"crypto/x509"
	"encoding/pem"
	"math"

	"telltale/flow"
)

// connection reads a connection. The comments say which versions of the format have
// a name that has passed.
func (d *reader) connection(c *connection, end int64) error {
	_, err := d.s.dict(end, func(name string, end int64) (err error) {
		switch name {
		case "address":
			c.address, err = d.endpoint(end)
		case "peername", "ip_address", "peer_address": // 19; 0.18 to 18; 0.17
			c.peer, err = d.endpoint(end)
		case "via2", "via": // 10 to 18; 19. Before 10, via was a copy of the connection.
			var v value
			v, err = d.s.value(end, 0)
			c.chained = c.chained || v.kind == kindList && v.size > 0
		case "error":
			c.failure, err = d.textValue(end)
		case "timestamp_start":
			c.start, err = d.numberValue(end)
		case "timestamp_end":
			c.end, err = d.numberValue(end)
		case "timestamp_tcp_setup":
			c.tcp, err = d.numberValue(end)
		case "proxy_mode": // 18
			d.draft.mode, err = d.textValue(end)
		default:
			err = d.tlsMember(c, name, end)
		}
		return err
	})
	return err
}

// tlsMember reads what a connection says of TLS.
func (d *reader) tlsMember(c *connection, name string, end int64) (err error) {
	switch name {
	case "tls", "tls_established", "ssl_established": // 10; 6 to 18; before 6
		var on bool
		on, err = d.boolValue(end)
		c.tls = c.tls || on
	case "timestamp_tls_setup", "timestamp_ssl_setup":
		c.setup, err = d.numberValue(end)
	case "sni":
		var v value
		if v, err = d.s.value(end, maxText); err == nil && (v.kind == kindText || v.kind == kindBytes) {
			c.sni = d.intern(v.data) // and not true, which 10 and 11 have for "like the address"
		}
	case "alpn", "alpn_proto_negotiated": // 11; before
		c.alpn, err = d.textValue(end)
	case "alpn_offers":
		_, err = d.s.list(end, func(end int64) error {
			offer, err := d.s.value(end, maxOffer)
			if err == nil && len(c.offers) < maxOffers {
				c.offers = append(c.offers, d.intern(offer.data))
			}
			return err
		})
	case "tls_version":
		c.version, err = d.textValue(end)
	case "cipher", "cipher_name": // 19; before
		c.cipher, err = d.textValue(end)
	case "cert": // before 10
		c.leaf, err = d.certificateValue(end)
	case "certificate_list":
		first := true
		_, err = d.s.list(end, func(end int64) (err error) {
			if !first {
				return d.s.skip(end)
			}
			first = false
			c.leaf, err = d.certificateValue(end)
			return err
		})
	default:
		err = d.s.skip(end)
	}
	return err
}

// maxOffer is how long a name in ALPN may be (RFC 7301, 3.1), and maxOffers how many
// are kept.
const (
	maxOffer  = 255
	maxOffers = 64
)

// maxEndpoint is how long a host and a port may be in the file.
const maxEndpoint = 2 << 10

// endpoint reads [host, port], which IPv6 follows with two more numbers, or
// {address: [host, port]} as it was before 2.
func (d *reader) endpoint(end int64) (endpoint, error) {
	v, err := d.s.value(end, maxEndpoint)
	if err != nil || !v.whole() {
		return endpoint{}, err
	}
	return d.endpointOf(v, true), nil
}

func (d *reader) endpointOf(v value, nested bool) (e endpoint) {
	if v.kind != kindList && v.kind != kindDict {
		return e
	}
	v.inside(func(part value) {
		switch {
		case v.kind == kindDict && part.kind == kindList && nested:
			e = d.endpointOf(part, false)
		case v.kind == kindList && (part.kind == kindText || part.kind == kindBytes) && e.host == "":
			e.host = d.intern(part.data)
		case v.kind == kindList && part.kind == kindInt && e.port == 0:
			e.port = portOf(part.number())
		}
	})
	return e
}

// portOf returns 0 for what is no port.
func portOf(n float64) int {
	if n >= 0 && n <= math.MaxUint16 {
		return int(n)
	}
	return 0
}

// maxCertificate bounds a certificate in PEM; those that are real are a few kB.
// maxCertificates bounds how many are remembered: a server shows the same one in each
// of its flows.
const (
	maxCertificate  = 64 << 10
	maxCertificates = 256
)

// certificateValue passes a certificate in PEM; nil when it is none.
func (d *reader) certificateValue(end int64) (*flow.Certificate, error) {
	v, err := d.s.value(end, maxCertificate)
	if err != nil || !v.whole() || v.kind != kindBytes && v.kind != kindText {
		return nil, err
	}
	if c, known := d.certificates[string(v.data)]; known {
		return c, nil
	}
	c := summary(v.data)
	if len(d.certificates) < maxCertificates {
		d.certificates[string(v.data)] = c
	}
	return c, nil
}

// summary says what is known of a server from its certificate.
func summary(text []byte) *flow.Certificate {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return flow.NewCertificate(leaf)
}
