package har

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"telltale/flow"
	"telltale/flow/content"
)

// isWebURL reports whether other tools can load an entry with this URL.
func isWebURL(s string) bool {
	switch schemeOf(s) {
	case "https", "http", "wss", "ws":
		return flow.CanonicalHost(flow.Authority(s)) != ""
	}
	return false
}

// entry describes a flow that was masked. A contact has no request or response where
// the flow has none; an entry needs both.
func (w *Writer) entry(f *flow.Flow, whole bool) (*entry, error) {
	phases, total := phasesOf(f)
	e := &entry{StartedDateTime: date(f.Times.Start), Time: total, Telltale: newRecord(f)}
	var err error
	if f.Request != nil {
		if e.Request, e.Telltale.Request, err = w.request(f.Request); err != nil {
			return nil, err
		}
	}
	if f.Response != nil {
		if e.Response, e.Telltale.Response, err = w.response(f.Response); err != nil {
			return nil, err
		}
	}
	e.Messages = w.frames(f)
	e.Telltale.Leaks = leakRecords(f.Leaks)
	e.Error, e.Comment = f.Error, alteration(f)
	if f.Kind == flow.WebSocket {
		e.ResourceType = "websocket"
	}
	if f.Server.Dialed.IsValid() {
		e.ServerIPAddress, e.ServerPort = f.Server.Dialed.Addr().String(), f.Server.Dialed.Port()
	}
	e.Security = securityOf(f.Server.TLS)
	if !whole {
		return e, nil
	}
	if e.Error == "" && f.Response == nil {
		e.Error = string(f.Outcome)
	}
	if e.Response == nil {
		e.Response = &response{
			Cookies: []cookie{}, Headers: []pair{}, Content: bodyContent{MimeType: unknownType},
			HeadersSize: -1, BodySize: -1, Error: e.Error,
		}
	}
	e.Cache, e.Timings = &struct{}{}, phases
	return e, nil
}

// alteration says to readers of other tools that an entry does not show what a client and its
// server say to each other, "" where it does.
func alteration(f *flow.Flow) string {
	if len(f.Experiments) == 0 {
		return ""
	}
	comment := "altered by telltale: " + strings.Join(f.Experiments, ", ")
	if len(f.Altered) > 0 {
		comment += " (" + strings.Join(f.Altered, "; ") + ")"
	}
	return comment
}

// unknownType is what Chrome writes for content without a type.
const unknownType = "x-unknown"

func (w *Writer) request(r *flow.Request) (*request, *messageRecord, error) {
	out := &request{
		Method: r.Method, URL: r.URL, HTTPVersion: r.Proto,
		Cookies: w.cookies(r.Header, "Cookie"), Headers: w.fields(r.Header), QueryString: w.query(r.URL),
		HeadersSize: -1, BodySize: r.Body.Size, Trailers: w.fields(r.Trailer),
	}
	data, rec, err := w.body(r.Body, r.Header)
	if err != nil {
		return nil, nil, err
	}
	rec.Proto = r.Proto
	if len(data) > 0 || r.Body.Size > 0 {
		out.PostData = &postData{MimeType: flow.Get(r.Header, "Content-Type")}
		link, err := w.outside(data, out.PostData.MimeType)
		if err != nil {
			return nil, nil, err
		}
		if link != nil {
			out.PostData.outside, out.PostData.Size = link, int64(len(data))
		} else if utf8.Valid(data) {
			out.PostData.Text = string(data)
		} else { // HAR has no base64 for requests
			out.Content = &rawContent{Size: int64(len(data)), Text: base64.StdEncoding.EncodeToString(data), Encoding: "base64"}
		}
	}
	return out, &rec, nil
}

func (w *Writer) response(r *flow.Response) (*response, *responseRecord, error) {
	out := &response{
		Status: r.Status, StatusText: r.Reason, HTTPVersion: r.Proto,
		Cookies: w.cookies(r.Header, "Set-Cookie"), Headers: w.fields(r.Header), RedirectURL: flow.Get(r.Header, "Location"),
		HeadersSize: -1, BodySize: r.Body.Size, TransferSize: r.Body.Size, Trailers: w.fields(r.Trailer),
	}
	data, rec, err := w.body(r.Body, r.Header)
	if err != nil {
		return nil, nil, err
	}
	rec.Proto = r.Proto
	out.Content = bodyContent{Size: int64(len(data)), MimeType: flow.Get(r.Header, "Content-Type")}
	if out.Content.MimeType == "" {
		out.Content.MimeType = unknownType
	}
	if rec.Truncated && !rec.Decoded {
		out.Content.Size = r.Body.Size // the rest was not kept
	}
	if out.Content.outside, err = w.outside(data, out.Content.MimeType); err != nil {
		return nil, nil, err
	}
	if len(data) > 0 && out.Content.outside == nil {
		t := string(data)
		if !utf8.Valid(data) {
			t, out.Content.Encoding = base64.StdEncoding.EncodeToString(data), "base64"
		}
		out.Content.Text = &t
	}
	return out, &responseRecord{rec, r.Interim}, nil
}

// body returns the content as it is written, without its content coding where it
// can be decoded, and what the record says of it.
func (w *Writer) body(b flow.Body, header []flow.Field) ([]byte, messageRecord, error) {
	rec := messageRecord{Size: b.Size, Truncated: b.Truncated, Digest: w.masked(b.Digest), Decoded: b.Decoded}
	data := b.Content
	if data == nil && b.Digest != "" && w.opts.Content != nil {
		var err error
		if data, err = w.opts.Content(b); err != nil {
			return nil, rec, fmt.Errorf("load a body: %w", err)
		}
	}
	if coding := flow.Get(header, "Content-Encoding"); !b.Decoded && len(data) > 0 && len(content.Codings(coding)) > 0 {
		plain, err := content.Decode(coding, data, maxDecoded)
		// The start of a body that was cut is worth having; of a damaged
		// one, the bytes as they came are.
		if err == nil || b.Truncated && len(plain) > 0 {
			data, rec.Decoded = plain, true
		}
	}
	if masked := w.maskedBody(header, data, rec.Decoded); !bytes.Equal(masked, data) {
		data, rec.Digest = masked, "" // a digest would let a short secret be guessed
	}
	return data, rec, nil
}

// outside keeps a content beside the file if it is long, and returns where; nil for none.
func (w *Writer) outside(data []byte, mediaType string) (*outside, error) {
	if w.opts.Outside == nil || int64(len(data)) <= w.opts.OutsideLimit {
		return nil, nil
	}
	name, err := w.opts.Outside(data, mediaType)
	if err != nil {
		return nil, fmt.Errorf("keep a body beside the file: %w", err)
	}
	link := outside{File: name, SHA256: fmt.Sprintf("%x", sha256.Sum256(data))}
	if !w.opts.Expires.IsZero() {
		link.Expires = w.opts.Expires.UTC().Format(time.RFC3339)
	}
	return &link, nil
}

// maxDecoded bounds what one body may become when it is decoded.
const maxDecoded = 64 << 20

func (w *Writer) fields(fields []flow.Field) []pair {
	out := make([]pair, 0, len(fields))
	for _, f := range fields {
		value := f.Value()
		if w.opts.Reveal {
			value = f.Reveal()
		}
		out = append(out, pair{f.Name, value})
	}
	return out
}

// query lists the parameters of a URL, decoded where that is possible. They are
// masked again: decoding may bring out what the mask did not see in the URL.
func (w *Writer) query(address string) []pair {
	out := []pair{}
	_, raw, found := strings.Cut(address, "?")
	raw, _, _ = strings.Cut(raw, "#")
	if !found || raw == "" {
		return out
	}
	for p := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(p, "=")
		out = append(out, pair{w.masked(unescaped(name)), w.masked(unescaped(value))})
	}
	return out
}

func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// frames writes WebSocket messages as Chrome does.
func (w *Writer) frames(exchange *flow.Flow) []frame {
	var out []frame
	for _, f := range exchange.Frames {
		m := frame{Type: "receive", Time: seconds9(f.Time), Opcode: f.Opcode, Truncated: f.Truncated, Compressed: f.Compressed}
		if f.FromClient {
			m.Type = "send"
		}
		data := string(w.maskedBody(nil, f.Data, true))
		if f.Compressed && w.opts.Leaks != nil && len(exchange.Leaks) > 0 { // one may refer to another
			data = flow.Redacted
		}
		if f.Size != int64(len(data)) {
			m.Size = f.Size
		}
		if f.Opcode > 1 {
			data = base64.StdEncoding.EncodeToString([]byte(data))
		}
		m.Data = data
		out = append(out, m)
	}
	return out
}

// seconds9 is a time as seconds since 1970, 0 for none.
func seconds9(t time.Time) jsontext.Value {
	if t.IsZero() || t.Unix() < 0 {
		return jsontext.Value("0")
	}
	return fmt.Appendf(nil, "%d.%09d", t.Unix(), t.Nanosecond())
}

// date is a time as HAR wants it. Entries without one are dated 1970.
func date(t time.Time) string {
	if t.IsZero() || t.Year() < 1970 || t.Year() > 9999 {
		t = time.Unix(0, 0)
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// phasesOf returns the timings and their sum, which HAR wants "time" to be. Of a
// flow whose stages were not measured, the whole time is waiting.
func phasesOf(f *flow.Flow) (*phases, float64) {
	t := f.Times
	connect := t.Connect
	if t.TLS > 0 { // HAR counts TLS in
		connect = max(connect, 0) + t.TLS
	}
	wait := max(t.Wait, 0)
	if max(t.Blocked, t.DNS, connect, t.Send, t.Wait, t.Receive) <= 0 {
		wait = max(f.Duration(), 0)
	}
	total := max(t.Blocked, 0) + max(t.DNS, 0) + max(connect, 0) + max(t.Send, 0) + wait + max(t.Receive, 0)
	return &phases{
		Blocked: ms(t.Blocked), DNS: ms(t.DNS), Connect: ms(connect), SSL: ms(t.TLS),
		Send: ms(max(t.Send, 0)), Wait: ms(wait), Receive: ms(max(t.Receive, 0)),
	}, ms(total)
}

// ms is a duration in milliseconds, -1 when it was not measured.
func ms(d time.Duration) float64 {
	if d < 0 {
		return -1
	}
	return float64(d) / float64(time.Millisecond)
}

func securityOf(t *flow.ServerTLS) *security {
	if t == nil || t.Version == 0 {
		return nil
	}
	s := &security{Protocol: tls.VersionName(t.Version)}
	if t.CipherSuite != 0 {
		s.Cipher = tls.CipherSuiteName(t.CipherSuite)
	}
	if c := t.Certificate; c != nil {
		s.SubjectName, s.Issuer, s.SANList = c.Subject, c.Issuer, c.DNSNames
		s.ValidFrom, s.ValidTo = max(c.NotBefore.Unix(), 0), max(c.NotAfter.Unix(), 0)
	}
	return s
}

// cookies lists the cookies of the named header fields (RFC 6265, 4). Their
// values are credentials.
func (w *Writer) cookies(fields []flow.Field, name string) []cookie {
	out := []cookie{}
	for _, f := range fields {
		if !strings.EqualFold(f.Name, name) {
			continue
		}
		parts := strings.Split(f.Reveal(), ";")
		if name == "Cookie" {
			for _, part := range parts {
				out = append(out, w.cookie(part))
			}
			continue
		}
		c := w.cookie(parts[0])
		for _, part := range parts[1:] {
			w.attribute(&c, part)
		}
		out = append(out, c)
	}
	return out
}

func (w *Writer) cookie(s string) cookie {
	name, value, found := strings.Cut(strings.TrimSpace(s), "=")
	if !found { // a nameless cookie (RFC 6265bis, 5.6)
		name, value = "", name
	}
	if !w.opts.Reveal {
		value = flow.Redacted
	}
	return cookie{Name: w.masked(name), Value: w.masked(value)}
}

func (w *Writer) attribute(c *cookie, s string) {
	name, value, _ := strings.Cut(strings.TrimSpace(s), "=")
	switch strings.ToLower(name) {
	case "path":
		c.Path = w.masked(value)
	case "domain":
		c.Domain = w.masked(value)
	case "expires":
		if t, err := http.ParseTime(value); err == nil {
			c.Expires = date(t)
		}
	case "httponly":
		c.HTTPOnly = true
	case "secure":
		c.Secure = true
	case "samesite":
		c.SameSite = w.masked(value)
	}
}
