package dns

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"time"

	mdns "github.com/miekg/dns"
)

// A Code is what a response says of the question as a whole (RFC 1035, 4.1.1).
type Code int

// The codes that are answered with.
const (
	NoError        Code = mdns.RcodeSuccess
	FormatError    Code = mdns.RcodeFormatError
	ServerFailure  Code = mdns.RcodeServerFailure
	NameError      Code = mdns.RcodeNameError // NXDOMAIN
	NotImplemented Code = mdns.RcodeNotImplemented
	Refused        Code = mdns.RcodeRefused
)

// String spells the code as it stands in flow.Question.
func (c Code) String() string { return codeName(int(c)) }

// ownSize is what we say we take over UDP, the size that crosses every network unbroken
// (RFC 9715, 3.1).
const ownSize = 1232

// A Query is a question that a resolver may answer.
type Query struct {
	ID   uint16
	Name string // as asked, without the trailing dot
	Type string // as in flow.Question
	// Size is the longest response that the client takes over UDP, in bytes: 512, or
	// what EDNS says (RFC 6891, 6.2.3).
	Size int

	question mdns.Question
	recurse  bool
	checking bool // disabled
	edns     bool
	secure   bool // DO
}

// Unanswerable is a message that is no question for a resolver.
type Unanswerable struct {
	// Reason is one of few texts, so that they can be counted.
	Reason string
	// Answer is what the client is to be told; nil: nothing, since it did not ask.
	Answer []byte
	// Name and Type are of the question, where one could be read.
	Name, Type string
	// Code is the one of Answer.
	Code Code
}

func (e *Unanswerable) Error() string { return e.Reason }

// ReadQuery reads a question for a resolver: one, of class IN, of operation QUERY, that
// is no transfer of a zone. Any other message is [*Unanswerable], with the response that
// the standards want for it (RFC 1035, 4.1.1; RFC 6891, 6.1; RFC 9619).
func ReadQuery(b []byte) (*Query, error) {
	if len(b) < HeaderSize {
		return nil, &Unanswerable{Reason: "too short for a message of DNS"}
	}
	if b[2]&0x80 != 0 {
		return nil, &Unanswerable{Reason: "a response of DNS where a question belongs"}
	}
	if opcode := int(b[2]>>3) & 0xf; opcode != mdns.OpcodeQuery {
		return nil, refuse(b, NotImplemented, "an operation of DNS that resolvers do not have")
	}
	if binary.BigEndian.Uint16(b[4:]) != 1 {
		return nil, refuse(b, FormatError, "not one question in a message of DNS")
	}
	var msg mdns.Msg
	if err := unpack(&msg, b); err != nil {
		return nil, refuse(b, FormatError, "malformed message of DNS")
	}
	q := &Query{
		ID: msg.Id, Name: plainName(msg.Question[0].Name), Type: typeName(msg.Question[0].Qtype),
		Size: mdns.MinMsgSize, question: msg.Question[0], recurse: msg.RecursionDesired, checking: msg.CheckingDisabled,
	}
	if err := q.readOptions(&msg); err != nil {
		return nil, err
	}
	switch {
	case q.question.Qtype == mdns.TypeOPT, q.question.Qtype == mdns.TypeNone, q.question.Qclass == mdns.ClassNONE:
		return nil, q.refuse(FormatError, "a question of DNS that nobody can ask")
	case q.question.Qtype == mdns.TypeAXFR, q.question.Qtype == mdns.TypeIXFR:
		return nil, q.refuse(Refused, "a transfer of a zone of DNS")
	case q.question.Qclass != mdns.ClassINET:
		return nil, q.refuse(Refused, "a question of DNS of another class than IN")
	}
	return q, nil
}

// readOptions reads EDNS (RFC 6891).
func (q *Query) readOptions(msg *mdns.Msg) error {
	var opt *mdns.OPT
	for _, rr := range msg.Extra {
		o, ok := rr.(*mdns.OPT)
		switch {
		case ok && opt != nil, ok && o.Hdr.Name != ".":
			return q.refuse(FormatError, "malformed message of DNS")
		case ok:
			opt = o
		}
	}
	if opt == nil {
		return nil
	}
	q.edns, q.secure, q.Size = true, opt.Do(), max(mdns.MinMsgSize, int(opt.UDPSize()))
	if opt.Version() != 0 {
		return q.refuse(mdns.RcodeBadVers, "a version of EDNS that nobody speaks")
	}
	return nil
}

// refuse returns the refusal of a message of which only the header was looked at. The
// question is not echoed: it may be what is wrong.
func refuse(b []byte, code Code, reason string) *Unanswerable {
	answer := make([]byte, HeaderSize)
	copy(answer, b[:4])
	answer[2] = answer[2]&0x79 | 0x80 // the ID, the operation and RD stay
	answer[3] = byte(code)
	return &Unanswerable{Reason: reason, Answer: answer, Code: code}
}

func (q *Query) refuse(code Code, reason string) *Unanswerable {
	return &Unanswerable{Reason: reason, Answer: q.Reply(code), Name: q.Name, Type: q.Type, Code: code}
}

// Is reports whether the question is one of the types, spelled as in flow.Question.
func (q *Query) Is(types ...string) bool {
	for _, t := range types {
		if q.Type == t {
			return true
		}
	}
	return false
}

// Host returns the name asked for without the labels that say which service of it is
// meant (RFC 9460, 2.3): "example.org" for "_8443._https.example.org".
func Host(name string) string {
	for {
		label, rest, found := strings.Cut(name, ".")
		if !found || !strings.HasPrefix(label, "_") {
			return name
		}
		name = rest
	}
}

// Reply returns a response that says nothing but its code.
func (q *Query) Reply(code Code) []byte { return q.reply(code, nil) }

// ReplyAddresses returns a response with the addresses of the family that was asked for,
// which may be none. Questions of other types get no record.
func (q *Query) ReplyAddresses(ttl time.Duration, addrs ...netip.Addr) []byte {
	var records []mdns.RR
	h := mdns.RR_Header{Name: q.question.Name, Rrtype: q.question.Qtype, Class: mdns.ClassINET, Ttl: uint32(ttl / time.Second)}
	for _, a := range addrs {
		a = a.Unmap().WithZone("")
		switch {
		case q.question.Qtype == mdns.TypeA && a.Is4():
			records = append(records, &mdns.A{Hdr: h, A: net.IP(a.AsSlice())})
		case q.question.Qtype == mdns.TypeAAAA && a.Is6():
			records = append(records, &mdns.AAAA{Hdr: h, AAAA: net.IP(a.AsSlice())})
		}
	}
	return q.reply(NoError, records)
}

func (q *Query) reply(code Code, records []mdns.RR) []byte {
	msg := mdns.Msg{
		MsgHdr: mdns.MsgHdr{
			Id: q.ID, Response: true, RecursionDesired: q.recurse, RecursionAvailable: true,
			CheckingDisabled: q.checking, Rcode: int(code),
		},
		Question: []mdns.Question{q.question},
		Answer:   records,
		Compress: true,
	}
	if q.edns {
		opt := &mdns.OPT{Hdr: mdns.RR_Header{Name: ".", Rrtype: mdns.TypeOPT}}
		opt.SetUDPSize(ownSize)
		if q.secure {
			opt.SetDo()
		}
		msg.Extra = []mdns.RR{opt}
	}
	b, err := msg.Pack()
	if err != nil { // a name that was read and cannot be written: say no more than the code
		header := [HeaderSize]byte{byte(q.ID >> 8), byte(q.ID), 0, 0}
		return refuse(header[:], ServerFailure, "").Answer
	}
	return b
}

// Fit returns a response as the client takes it over UDP: what does not fit is left out,
// and the client told to come again over TCP (RFC 2181, 9). Whatever the client takes, it
// is given no more than crosses every network unbroken (see ownSize): over UDP its address
// may be another's, to whom answers that are much longer than questions are led.
func (q *Query) Fit(response []byte) []byte {
	limit := min(q.Size, ownSize)
	if len(response) <= limit {
		return response
	}
	var msg mdns.Msg
	if unpack(&msg, response) == nil {
		msg.Truncate(limit)
		msg.Truncated = true
		if b, err := msg.Pack(); err == nil && len(b) <= limit {
			return b
		}
	}
	cut := q.Reply(NoError)
	cut[2] |= 0x02 // TC
	return cut
}

// Matches reports whether a response is one to this question, sent with the given ID. A
// server that could not read the question may leave it out (RFC 1035, 4.1.1).
func (q *Query) Matches(m *Message, id uint16) bool {
	if !m.Response || m.ID != id {
		return false
	}
	if m.Questions == 0 {
		return m.msg.Rcode != mdns.RcodeSuccess && m.msg.Rcode != mdns.RcodeNameError
	}
	asked := m.msg.Question[0]
	return m.Questions == 1 && asked.Qtype == q.question.Qtype && asked.Qclass == q.question.Qclass &&
		strings.EqualFold(asked.Name, q.question.Name)
}

// Failed reports whether a response says that the server could not, or would not, find
// the answer, so that another one may.
func (m *Message) Failed() bool {
	switch m.msg.Rcode {
	case mdns.RcodeServerFailure, mdns.RcodeRefused, mdns.RcodeNotImplemented, mdns.RcodeFormatError:
		return true
	}
	return false
}

// SetID puts an ID into a message, which has at least a header.
func SetID(b []byte, id uint16) { binary.BigEndian.PutUint16(b, id) }

// NewQuery returns the bytes of a question, for one who asks by itself.
func NewQuery(id uint16, name, typ string) ([]byte, error) {
	msg := mdns.Msg{MsgHdr: mdns.MsgHdr{Id: id, RecursionDesired: true}}
	msg.Question = []mdns.Question{{Name: mdns.Fqdn(name), Qtype: mdns.StringToType[typ], Qclass: mdns.ClassINET}}
	msg.SetEdns0(ownSize, false)
	return msg.Pack()
}
