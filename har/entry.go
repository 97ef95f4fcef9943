package har

import (
	"math"
	"strings"
	"time"

	"telltale/flow"
)

// draft is an entry as it stands in the file, before it is known what it means:
// members come in any order.
type draft struct {
	started     string
	total       float64 // "time" in milliseconds, NaN when not known
	timings     timings
	method, url string
	request     message
	status      int
	reason      string
	response    message
	address     string // serverIPAddress
	port        int64  // of the server, 0 when not known
	failure     string // what the producer says of the failure; "" for none
	aborted     bool
	resource    string // _resourceType
	tls         tlsDraft
	frames      []flow.Frame
	framed      bool   // there are _webSocketMessages
	frameBytes  int64  // memory that the frames take
	charles     string // _charlesStatus: COMPLETE, FAILED, …
	connect     bool   // a CONNECT row, which may belong to requests that are in the file
	telltale    []byte
	wrong       string // what of it has a type that hides something, and what was expected; "" for nothing
}

// timings of an entry in milliseconds, NaN when not known.
type timings struct{ blocked, dns, connect, ssl, send, wait, receive float64 }

// message is what request and response have in common.
type message struct {
	seen        bool
	version     string
	header      []flow.Field
	trailer     []flow.Field
	headerBytes int
	// The pseudo-header fields of HTTP/2 (RFC 9113, 8.3), which are no fields.
	authority, scheme, path string
	bodySize                int64 // -1 when not known
	cut                     bool  // the producer says that it kept no content
	body                    bodyDraft
}

type tlsDraft struct {
	protocol, cipher   string
	subject, issuer    string
	names              []string
	validFrom, validTo float64 // seconds since 1970
}

func (d *draft) reset() {
	unknown := math.NaN()
	*d = draft{
		total:    unknown,
		timings:  timings{unknown, unknown, unknown, unknown, unknown, unknown, unknown},
		request:  message{bodySize: -1, body: d.request.body.emptied()},
		response: message{bodySize: -1, body: d.response.body.emptied()},
		tls:      tlsDraft{validFrom: unknown, validTo: unknown},
	}
	d.request.body.sent = true
}

// readEntry fills the draft from one entry.
func (d *reader) readEntry() error {
	return d.s.object(func(name []byte) (err error) {
		e := &d.draft
		switch string(name) {
		case "startedDateTime":
			e.started, err = d.textValue()
		case "time":
			e.total, err = d.numberValue()
		case "request":
			err = d.request()
		case "response":
			err = d.response()
		case "timings":
			err = d.timings()
		case "serverIPAddress":
			e.address, err = d.textValue()
		case "_serverPort":
			e.port, err = d.wholeValue(0)
		case "_error", "_failureText":
			err = d.failure()
		case "_wasAborted":
			e.aborted, err = d.boolValue()
		case "_resourceType":
			e.resource, err = d.textValue()
		case "_webSocketMessages":
			err = d.frames()
		case "_securityDetails":
			err = d.securityDetails()
		case "_tls_version":
			e.tls.protocol, err = d.textValue()
		case "_tls_cipher_suite":
			e.tls.cipher, err = d.textValue()
		case "_telltale":
			err = d.telltale()
		default:
			err = d.s.skip()
		}
		return err
	})
}

// maxTelltale bounds our own member; its largest part is a certificate's names.
const maxTelltale = 4 << 20

func (d *reader) telltale() (err error) {
	d.draft.telltale, err = d.s.raw(maxTelltale)
	if err == nil && d.draft.telltale == nil {
		d.note(noteTelltale)
	}
	return err
}

func (d *reader) failure() error {
	text, err := d.textValue()
	if text != "" && text != "null" && text != "false" {
		d.draft.failure = text
	}
	return err
}

func (d *reader) request() error {
	d.expect("request", "an object", kindObject)
	d.draft.request.seen = d.s.kind() == kindObject
	return d.objectValue(func(name []byte) (err error) {
		e, m := &d.draft, &d.draft.request
		switch string(name) {
		case "method":
			d.expect("request.method", "a string", kindString)
			e.method, err = d.textValue()
		case "url":
			d.expect("request.url", "a string", kindString)
			e.url, err = d.textValue()
		case "postData":
			err = d.content(&m.body)
		case "_requestBodyStatus":
			err = d.bodyStatus(m)
		default:
			err = d.messageMember(m, name)
		}
		return err
	})
}

func (d *reader) response() error {
	d.expect("response", "an object", kindObject)
	d.draft.response.seen = d.s.kind() == kindObject
	return d.objectValue(func(name []byte) (err error) {
		e, m := &d.draft, &d.draft.response
		switch string(name) {
		case "status":
			d.expect("response.status", "a number", kindNumber, kindString)
			var n int64
			n, err = d.wholeValue(0)
			if n > 0 && n < 1000 {
				e.status = int(n)
			}
		case "statusText":
			e.reason, err = d.textValue()
		case "content":
			err = d.content(&m.body)
		case "_charlesStatus":
			e.charles, err = d.textValue()
		case "_responseBodyStatus":
			err = d.bodyStatus(m)
		case "_error", "_failureText": // Chrome and Playwright have it here
			err = d.failure()
		default:
			err = d.messageMember(m, name)
		}
		return err
	})
}

// messageMember reads a member that requests and responses share.
func (d *reader) messageMember(m *message, name []byte) (err error) {
	switch string(name) {
	case "httpVersion":
		m.version, err = d.textValue()
	case "headers":
		d.expect("headers", "an array", kindArray, kindObject)
		err = d.headers(m, &m.header)
	case "_trailers":
		err = d.headers(m, &m.trailer)
	case "bodySize":
		m.bodySize, err = d.wholeValue(-1)
	case "_content":
		err = d.rawContent(&m.body)
	default:
		err = d.s.skip()
	}
	return err
}

// bodyStatus notes that a body was too large for HTTP Toolkit to export.
func (d *reader) bodyStatus(m *message) error {
	text, err := d.textValue()
	m.cut = strings.HasPrefix(text, "discarded")
	return err
}

// maxHeaders bounds the header fields of one message, in bytes of memory.
const maxHeaders = 16 << 20

// headers reads header fields: objects with a name and a value, pairs, or one
// object with a member for each.
func (d *reader) headers(m *message, to *[]flow.Field) error {
	switch d.s.kind() {
	case kindArray:
		return d.s.array(func() error {
			name, value, err := d.header()
			if err == nil {
				d.addHeader(m, to, name, value)
			}
			return err
		})
	case kindObject:
		return d.s.object(func(name []byte) error {
			key := d.intern(name)
			value, err := d.textValue()
			if err == nil {
				d.addHeader(m, to, key, value)
			}
			return err
		})
	}
	return d.s.skip()
}

// nameValue reads the members of an object that has a name and a value.
func (d *reader) nameValue(name, value *string) func(member []byte) error {
	return func(member []byte) (err error) {
		switch string(member) {
		case "name":
			*name, err = d.textValue()
		case "value":
			*value, err = d.textValue()
		default:
			err = d.s.skip()
		}
		return err
	}
}

// header reads one element of a list of header fields.
func (d *reader) header() (name, value string, err error) {
	switch d.s.kind() {
	case kindObject:
		err = d.s.object(d.nameValue(&name, &value))
	case kindArray:
		i := 0
		err = d.s.array(func() (err error) {
			switch i++; i {
			case 1:
				name, err = d.textValue()
			case 2:
				value, err = d.textValue()
			default:
				err = d.s.skip()
			}
			return err
		})
	default:
		err = d.s.skip()
	}
	return name, value, err
}

// addHeader keeps a field. A value of several lines is several fields: browsers
// join Set-Cookie like that.
func (d *reader) addHeader(m *message, to *[]flow.Field, name, value string) {
	if strings.HasPrefix(name, ":") {
		m.pseudo(name, value)
		return
	}
	if name == "" {
		return
	}
	before := m.headerBytes
	for line := range strings.SplitSeq(value, "\n") {
		m.headerBytes += len(name) + len(line) + 64
		if m.headerBytes > maxHeaders {
			if before <= maxHeaders {
				d.note(noteManyHeaders)
			}
			return
		}
		*to = append(*to, flow.NewField(name, strings.TrimSuffix(line, "\r")))
	}
}

func (m *message) pseudo(name, value string) {
	switch name {
	case ":authority":
		m.authority = value
	case ":scheme":
		m.scheme = value
	case ":path":
		m.path = value
	}
}

func (d *reader) timings() error {
	return d.objectValue(func(name []byte) (err error) {
		t := &d.draft.timings
		switch string(name) {
		case "blocked":
			t.blocked, err = d.numberValue()
		case "dns":
			t.dns, err = d.numberValue()
		case "connect":
			t.connect, err = d.numberValue()
		case "ssl":
			t.ssl, err = d.numberValue()
		case "send":
			t.send, err = d.numberValue()
		case "wait":
			t.wait, err = d.numberValue()
		case "receive":
			t.receive, err = d.numberValue()
		default:
			err = d.s.skip()
		}
		return err
	})
}

// times makes the stages of a flow. In HAR, connect includes ssl.
func (d *reader) times() flow.Times {
	e, t := &d.draft, &d.draft.timings
	start, zoned := parseDate(e.started)
	switch {
	case start.IsZero():
		d.note(noteNoDate)
	case !zoned:
		d.note(noteNoZone)
	}
	out := flow.Times{
		Start: start, Blocked: milliseconds(t.blocked), DNS: milliseconds(t.dns), Connect: milliseconds(t.connect),
		TLS: milliseconds(t.ssl), Send: milliseconds(t.send), Wait: milliseconds(t.wait), Receive: milliseconds(t.receive),
	}
	total := milliseconds(e.total)
	if total < 0 {
		total = 0
		for _, stage := range []time.Duration{out.Blocked, out.DNS, out.Connect, out.Send, out.Wait, out.Receive} {
			total = min(total+max(stage, 0), math.MaxInt64/8)
		}
	}
	if out.TLS > 0 && out.Connect >= out.TLS {
		out.Connect -= out.TLS
	}
	if !start.IsZero() {
		out.End = start.Add(total)
	}
	return out
}

// securityDetails reads what Chrome and Playwright know of the TLS connection.
func (d *reader) securityDetails() error {
	return d.objectValue(func(name []byte) (err error) {
		t := &d.draft.tls
		switch string(name) {
		case "protocol":
			t.protocol, err = d.textValue()
		case "cipher":
			t.cipher, err = d.textValue()
		case "subjectName":
			t.subject, err = d.textValue()
		case "issuer":
			t.issuer, err = d.textValue()
		case "sanList":
			err = d.arrayValue(func() error {
				san, err := d.textValue()
				if len(t.names) < 1000 {
					t.names = append(t.names, san)
				}
				return err
			})
		case "validFrom":
			t.validFrom, err = d.numberValue()
		case "validTo":
			t.validTo, err = d.numberValue()
		default:
			err = d.s.skip()
		}
		return err
	})
}
