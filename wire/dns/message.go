// Package dns reads and writes messages of DNS (RFC 1035) as bytes: what was asked and
// answered ([Parse]), questions that a resolver may answer ([ReadQuery]), answers to
// them ([Query]), and answers without what would hide names ([Bare]). It also knows
// which resolvers this machine asks ([System]).
//
// It promises that no input makes it panic or loop, that what it hands out of a message
// is printable text as in a zone file, and that a message in which nothing has to go is
// left byte for byte. It opens no socket, and it does not validate signatures.
//
// To see what is made of a message, write it in hex into testdata and run the tests with
// -update.
package dns

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	mdns "github.com/miekg/dns"

	"telltale/flow"
)

// HeaderSize is the length of the fixed beginning of every message (RFC 1035, 4.1.1).
const HeaderSize = 12

// MaxSize is the longest message, that of two length bytes (RFC 1035, 4.2.2).
const MaxSize = 65535

const (
	maxAnswers = 64   // of a question's facts
	maxData    = 1024 // bytes of one record's text
	// maxChase bounds the links of a chain of aliases that are followed; resolvers give
	// up between 8 and 16.
	maxChase = 16
)

// A Message is a message that was read.
type Message struct {
	ID        uint16
	Response  bool
	Truncated bool // the answer did not fit: TCP has all of it
	Questions int  // in its question section; other programs than [ReadQuery] may take more than one
	// Question holds the first question and, of a response, what was answered.
	Question flow.Question

	msg mdns.Msg
}

// Parse reads a message of any kind. The error says what is wrong with it; what precedes
// the fault is not handed out.
func Parse(b []byte) (*Message, error) {
	m := &Message{}
	if err := unpack(&m.msg, b); err != nil {
		return nil, err
	}
	m.ID, m.Response, m.Truncated, m.Questions = m.msg.Id, m.msg.Response, m.msg.Truncated, len(m.msg.Question)
	if len(m.msg.Question) > 0 {
		q := m.msg.Question[0]
		m.Question.Name, m.Question.Type = plainName(q.Name), typeName(q.Qtype)
	}
	if m.Response {
		m.Question.Code = codeName(m.msg.Rcode)
		m.Question.Answers = answers(m.msg.Answer)
	}
	return m, nil
}

// unpack reads a message and insists on as many records as its header announces.
func unpack(msg *mdns.Msg, b []byte) error {
	if len(b) < HeaderSize {
		return fmt.Errorf("a message of DNS has at least %d bytes, this one has %d", HeaderSize, len(b))
	}
	if err := msg.Unpack(b); err != nil {
		return fmt.Errorf("malformed message of DNS: %s", strings.TrimPrefix(err.Error(), "dns: "))
	}
	for i, n := range []int{len(msg.Question), len(msg.Answer), len(msg.Ns), len(msg.Extra)} {
		if n != int(b[4+2*i])<<8|int(b[5+2*i]) {
			return errors.New("malformed message of DNS: it ends before the records that its header announces")
		}
	}
	return nil
}

// plainName drops the dot of the root. The root itself is ".".
func plainName(name string) string {
	if name == "." {
		return name
	}
	return strings.TrimSuffix(name, ".")
}

// typeName spells a type as RFC 3597, 5 has it where it has no name.
func typeName(t uint16) string {
	if name, ok := mdns.TypeToString[t]; ok && t != mdns.TypeNone && t != mdns.TypeReserved {
		return name
	}
	return fmt.Sprintf("TYPE%d", t)
}

func codeName(code int) string {
	if name, ok := mdns.RcodeToString[code]; ok {
		return name
	}
	return fmt.Sprintf("RCODE%d", code)
}

func answers(records []mdns.RR) []flow.Answer {
	n := min(len(records), maxAnswers)
	if n == 0 {
		return nil
	}
	list := make([]flow.Answer, 0, n)
	for _, rr := range records[:n] {
		h := rr.Header()
		list = append(list, flow.Answer{
			Name: plainName(h.Name), Type: typeName(h.Rrtype),
			TTL: time.Duration(h.Ttl) * time.Second, Data: data(rr),
		})
	}
	return list
}

// data writes what a record says, as in a zone file, without its owner and TTL.
func data(rr mdns.RR) string {
	text := ""
	switch rr := rr.(type) {
	case *mdns.A:
		return addrOf(rr.A).String()
	case *mdns.AAAA:
		return addrOf(rr.AAAA).String()
	case *mdns.RFC3597:
		text = fmt.Sprintf(`\# %d %s`, len(rr.Rdata)/2, rr.Rdata)
	default:
		text = strings.TrimPrefix(rr.String(), rr.Header().String())
	}
	if text = printable(text); len(text) > maxData {
		text = text[:maxData] + "…"
	}
	return text
}

// printable escapes what the library let through, as a zone file does.
func printable(s string) string {
	clean := true
	for i := range len(s) {
		clean = clean && s[i] >= ' ' && s[i] <= '~'
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if s[i] >= ' ' && s[i] <= '~' {
			b.WriteByte(s[i])
			continue
		}
		fmt.Fprintf(&b, `\%03d`, s[i])
	}
	return b.String()
}

// addrOf returns the address of a record; IPv4 in sixteen bytes is IPv4. A record without
// one has the zero address.
func addrOf(ip []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// Addresses returns the addresses that a response gives for its question: those of A and
// AAAA records, of what it is an alias for, and the hints of HTTPS and SVCB records
// (RFC 9460, 7.3).
func (m *Message) Addresses() []netip.Addr {
	if !m.Response || len(m.msg.Question) == 0 {
		return nil
	}
	records := slices.Concat(m.msg.Answer, m.msg.Extra)
	names := map[string]bool{mdns.CanonicalName(m.msg.Question[0].Name): true}
	for range maxChase {
		known := len(names)
		for _, rr := range records {
			if names[mdns.CanonicalName(rr.Header().Name)] {
				if to := aliasOf(rr); to != "" {
					names[mdns.CanonicalName(to)] = true
				}
			}
		}
		if len(names) == known {
			break
		}
	}
	var found []netip.Addr
	for _, rr := range records {
		if names[mdns.CanonicalName(rr.Header().Name)] {
			found = append(found, addressesIn(rr)...)
		}
	}
	slices.SortStableFunc(found, netip.Addr.Compare)
	return slices.Compact(found)
}

// aliasOf returns where a record sends its reader on to, "" for none.
func aliasOf(rr mdns.RR) string {
	switch rr := rr.(type) {
	case *mdns.CNAME:
		return rr.Target
	case *mdns.HTTPS:
		return rr.Target
	case *mdns.SVCB:
		return rr.Target
	}
	return ""
}

func addressesIn(rr mdns.RR) []netip.Addr {
	var found []netip.Addr
	add := func(ip []byte) {
		if a := addrOf(ip); a.IsValid() {
			found = append(found, a)
		}
	}
	switch rr := rr.(type) {
	case *mdns.A:
		add(rr.A)
	case *mdns.AAAA:
		add(rr.AAAA)
	}
	service := serviceOf(rr)
	if service == nil {
		return found
	}
	for _, param := range service.Value {
		switch param := param.(type) {
		case *mdns.SVCBIPv4Hint:
			for _, ip := range param.Hint {
				add(ip)
			}
		case *mdns.SVCBIPv6Hint:
			for _, ip := range param.Hint {
				add(ip)
			}
		}
	}
	return found
}

// serviceOf returns the record behind both of its types, HTTPS and SVCB; nil for others.
func serviceOf(rr mdns.RR) *mdns.SVCB {
	switch rr := rr.(type) {
	case *mdns.HTTPS:
		return &rr.SVCB
	case *mdns.SVCB:
		return rr
	}
	return nil
}
