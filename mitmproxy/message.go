package mitmproxy

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"telltale/flow"
)

// message reads a request or a response, of HTTP or DNS. The comments say which
// versions of the format have a name that has passed.
func (d *reader) message(m *message, end int64) (err error) {
	*m = noMessage()
	m.seen, err = d.s.dict(end, func(name string, end int64) (err error) {
		switch name {
		case "method":
			m.method, err = d.textValue(end)
		case "scheme":
			m.scheme, err = d.textValue(end)
		case "host":
			m.host.host, err = d.textValue(end)
		case "port":
			m.host.port, err = d.wholeValue(end, math.MaxUint16)
		case "authority":
			m.authority, err = d.textValue(end)
		case "path":
			m.path, err = d.textValue(end)
		case "status_code", "code": // 0.14; before
			m.status, err = d.wholeValue(end, 999)
		case "reason", "msg": // 0.16; before
			m.reason, err = d.textValue(end)
		case "client_conn": // 0.10
			err = d.connection(&d.draft.client, end)
		case "ip": // 0.10
			m.ip, err = d.textValue(end)
		default:
			err = d.messageMember(m, name, end)
		}
		return err
	})
	return err
}

// messageMember reads a member that requests and responses share.
func (d *reader) messageMember(m *message, name string, end int64) (err error) {
	switch name {
	case "http_version":
		m.proto, err = d.textValue(end)
	case "httpversion": // before 0.14
		m.proto, err = d.protoNumbers(end)
	case "headers":
		err = d.headers(m, &m.header, end)
	case "trailers":
		err = d.headers(m, &m.trailer, end)
	case "content", "body": // 0.14 and 0.15 have body
		err = d.content(m, end)
	case "timestamp_start", "timestamp": // DNS has the one moment
		m.start, err = d.numberValue(end)
	case "timestamp_end":
		m.end, err = d.numberValue(end)
	case "questions":
		err = d.records(&m.questions, end)
	case "answers":
		err = d.records(&m.answers, end)
	case "response_code":
		m.code, err = d.wholeValue(end, math.MaxUint16)
	default:
		err = d.s.skip(end)
	}
	return err
}

// protoNumbers reads [1, 1].
func (d *reader) protoNumbers(end int64) (string, error) {
	v, err := d.s.value(end, maxNumber)
	if err != nil || v.kind != kindList || !v.whole() {
		return "", err
	}
	var parts []string
	v.inside(func(part value) { parts = append(parts, string(part.data)) })
	return "HTTP/" + strings.Join(parts, "."), nil
}

// maxHeaders bounds the header fields of one message, in bytes of memory.
const maxHeaders = 16 << 20

// headers reads a list of [name, value].
func (d *reader) headers(m *message, to *[]flow.Field, end int64) error {
	_, err := d.s.list(end, func(end int64) error {
		var pair [2]string
		i := 0
		_, err := d.s.list(end, func(end int64) (err error) {
			if i >= len(pair) {
				return d.s.skip(end)
			}
			pair[i], err = d.textValue(end)
			i++
			return err
		})
		d.addHeader(m, to, pair[0], pair[1])
		return err
	})
	return err
}

// addHeader keeps a field. Old versions have the pseudo-header fields of HTTP/2 among
// them (RFC 9113, 8.3), which are no fields.
func (d *reader) addHeader(m *message, to *[]flow.Field, name, value string) {
	switch {
	case name == ":authority" && m.authority == "":
		m.authority = value
	case name == "" || name[0] == ':':
	default:
		before := m.headerBytes
		m.headerBytes += len(name) + len(value) + 64
		if m.headerBytes <= maxHeaders {
			*to = append(*to, flow.NewField(name, value))
		} else if before <= maxHeaders {
			d.note(noteManyHeaders)
		}
	}
}

// content reads a body, of which it keeps what the limit allows.
func (d *reader) content(m *message, end int64) error {
	limit := int64(0)
	if d.opts.Bodies {
		limit = d.opts.BodyLimit
	}
	v, err := d.s.value(end, limit)
	if err != nil || v.kind != kindBytes && v.kind != kindText {
		return err
	}
	m.size, m.kept, m.content = v.size, true, nil
	if len(v.data) > 0 {
		m.content = bytes.Clone(v.data)
	}
	return nil
}

// body makes the body of a message. One that mitmproxy did not keep, since it passed
// it on as it came, is known by its declared length at most.
func (d *reader) body(m *message) flow.Body {
	if m.kept {
		return flow.Body{Size: m.size, Content: m.content, Truncated: int64(len(m.content)) < m.size}
	}
	switch {
	case bodiless(d.draft.request.method, m.status):
		return flow.Body{}
	case d.draft.failure != "" && m.status > 0:
		return flow.Body{Truncated: true} // what came of it was not kept
	}
	size, err := strconv.ParseInt(flow.Get(m.header, "Content-Length"), 10, 64)
	if err != nil && flow.Get(m.header, "Transfer-Encoding") == "" && m.status == 0 {
		return flow.Body{} // a request that says of no content has none (RFC 9112, 6.3)
	}
	d.note(noteStreamed)
	return flow.Body{Size: max(size, 0), Truncated: true}
}

// bodiless reports whether a response never has content (RFC 9110, 6.4.1).
func bodiless(method string, status int) bool {
	return status > 0 && (status < 200 || status == 204 || status == 304 || method == "HEAD")
}

// proto gives one name to what a version of HTTP was called; "" is not known.
func proto(s string) string {
	switch s {
	case "HTTP/0.9", "HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3":
		return s
	case "HTTP/2.0":
		return "HTTP/2"
	case "HTTP/3.0":
		return "HTTP/3"
	}
	return ""
}
