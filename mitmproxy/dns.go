package mitmproxy

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"strconv"

	"telltale/flow"
)

// record is a question or an answer of DNS (RFC 1035, 4.1).
type record struct {
	name string
	kind int // its type
	ttl  int
	data []byte
}

// maxRecords and maxRecordData bound the records of one section.
const (
	maxRecords    = 1000
	maxRecordData = 512
)

// records reads a section of a DNS message.
func (d *reader) records(to *[]record, end int64) error {
	*to = nil
	n := 0
	_, err := d.s.list(end, func(end int64) error {
		if n++; n > maxRecords {
			return d.s.skip(end)
		}
		r, err := d.record(end)
		*to = append(*to, r)
		return err
	})
	if n > maxRecords {
		d.note(noteManyAnswers)
	}
	return err
}

func (d *reader) record(end int64) (r record, err error) {
	_, err = d.s.dict(end, func(name string, end int64) (err error) {
		switch name {
		case "name":
			var v value
			v, err = d.s.value(end, maxRecordData)
			r.name = d.intern(v.data)
		case "type":
			r.kind, err = d.wholeValue(end, math.MaxUint16)
		case "ttl":
			r.ttl, err = d.wholeValue(end, math.MaxInt32)
		case "data":
			var v value
			v, err = d.s.value(end, maxRecordData)
			r.data = bytes.Clone(v.data)
		default:
			err = d.s.skip(end)
		}
		return err
	})
	return r, err
}

// question makes a flow of a DNS exchange that has a question. There is one to a
// message in practice, and mitmproxy knows no other either.
func (d *reader) question() *flow.Flow {
	e := &d.draft
	f := d.flow(flow.DNS)
	asked := e.request.questions[0]
	f.Server = flow.Server{Asked: asked.name, Dialed: d.dialed()}
	f.Request = &flow.Request{Method: "QUERY", URL: "dns:" + asked.name + "?type=" + recordType(asked.kind)}
	if e.response.seen {
		f.Response = &flow.Response{Reason: responseCode(e.response.code), Body: d.answers()}
	}
	d.outcome(f)
	return f
}

// answers writes the answers as lines of a zone file (RFC 1035, 5.1).
func (d *reader) answers() flow.Body {
	var b bytes.Buffer
	for _, r := range d.draft.response.answers {
		fmt.Fprintf(&b, "%s. %d IN %s %s\n", r.name, r.ttl, recordType(r.kind), r.text())
	}
	body := flow.Body{Size: int64(b.Len()), Decoded: true}
	if d.opts.Bodies && b.Len() > 0 {
		body.Content = b.Bytes()[:min(body.Size, d.opts.BodyLimit)]
	}
	body.Truncated = int64(len(body.Content)) < body.Size
	return body
}

// text writes the data of a record: addresses and names as such, the rest as RFC 3597
// has it.
func (r record) text() string {
	switch r.kind {
	case 1, 28:
		if addr, ok := netip.AddrFromSlice(r.data); ok {
			return addr.String()
		}
	case 2, 5, 12:
		if name, ok := domainName(r.data); ok {
			return name
		}
	}
	return fmt.Sprintf(`\# %d %X`, len(r.data), r.data)
}

// domainName reads a name on the wire (RFC 1035, 3.1), without compression, which
// mitmproxy has undone.
func domainName(b []byte) (string, bool) {
	var name []byte
	for len(b) > 0 {
		n := int(b[0])
		if n == 0 {
			return string(name) + ".", len(b) == 1
		}
		if n > 63 || n >= len(b) {
			return "", false
		}
		if len(name) > 0 {
			name = append(name, '.')
		}
		name = append(name, b[1:1+n]...)
		b = b[1+n:]
	}
	return "", false
}

// recordTypes are the types that occur, by IANA's registry of DNS parameters.
var recordTypes = map[int]string{
	1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 28: "AAAA",
	33: "SRV", 35: "NAPTR", 43: "DS", 46: "RRSIG", 48: "DNSKEY", 64: "SVCB", 65: "HTTPS", 255: "ANY",
}

// recordType names a type, TYPE123 where it has no name here (RFC 3597, 5).
func recordType(n int) string {
	if name, ok := recordTypes[n]; ok {
		return name
	}
	return "TYPE" + strconv.Itoa(n)
}

// responseCodes are the codes of RFC 1035, 4.1.1.
var responseCodes = []string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"}

func responseCode(n int) string {
	if n >= 0 && n < len(responseCodes) {
		return responseCodes[n]
	}
	return "RCODE" + strconv.Itoa(n)
}
