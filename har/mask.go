package har

import (
	"strings"

	"telltale/flow"
)

func (w *Writer) masked(s string) string {
	if w.opts.Mask == nil || s == "" {
		return s
	}
	return w.opts.Mask(s)
}

// maskedBody masks the content of a message, or a message itself. decoded says that its
// content coding is undone.
func (w *Writer) maskedBody(header []flow.Field, data []byte, decoded bool) []byte {
	switch {
	case len(data) == 0:
	case w.opts.MaskBody != nil:
		return w.opts.MaskBody(header, flow.Body{Size: int64(len(data)), Content: data, Decoded: decoded})
	case w.opts.Mask != nil:
		return []byte(w.opts.Mask(string(data)))
	}
	return data
}

func (w *Writer) maskedAll(texts []string) []string {
	var out []string
	for _, s := range texts {
		out = append(out, w.masked(s))
	}
	return out
}

// maskedHost masks the name of a server so that it stays one, without the brackets
// of [flow.Redacted]: they would make an IP address of it, and a rule for
// *.a.example would no longer hold for what is left of secret.a.example.
func (w *Writer) maskedHost(s string) string {
	masked := w.masked(s)
	if masked == s {
		return s
	}
	return withoutBrackets(masked)
}

func withoutBrackets(masked string) string {
	return strings.ReplaceAll(masked, flow.Redacted, strings.Trim(flow.Redacted, "[]"))
}

// maskedURL masks a URL, in whose host the brackets are left out too.
func (w *Writer) maskedURL(s string) string {
	masked := w.masked(s)
	start := strings.Index(masked, "://")
	if masked == s || start < 0 {
		return masked
	}
	start += len("://")
	end := len(masked)
	if i := strings.IndexAny(masked[start:], `/?#\`); i >= 0 {
		end = start + i
	}
	start += strings.LastIndexByte(masked[start:end], '@') + 1
	return masked[:start] + withoutBrackets(masked[start:end]) + masked[end:]
}

// maskedFields masks header fields, their names included. A credential whose field's
// name is masked keeps its value back here, since the name no longer tells.
func (w *Writer) maskedFields(fields []flow.Field) []flow.Field {
	var out []flow.Field
	for _, f := range fields {
		name, value := w.masked(f.Name), w.masked(f.Reveal())
		if !w.opts.Reveal && flow.Sensitive(f.Name) && !flow.Sensitive(name) {
			value = flow.Redacted
		}
		out = append(out, flow.NewField(name, value))
	}
	return out
}

// maskedFlow returns the flow as it may be shown: a copy in which every text is
// masked, whoever wrote it, since a flow may come from a file. What stays is its kind,
// which is one of eight, and contents and messages, which are masked as they are
// written: without their content coding.
func (w *Writer) maskedFlow(f *flow.Flow) *flow.Flow {
	if w.opts.Mask == nil {
		return f
	}
	out := *f
	out.Mode, out.Failure, out.Error, out.Phase = w.masked(f.Mode), w.masked(f.Failure), w.masked(f.Error), w.masked(f.Phase)
	out.Outcome = flow.Outcome(w.masked(string(f.Outcome)))
	out.Altered, out.Experiments, out.Notes = w.maskedAll(f.Altered), w.maskedAll(f.Experiments), w.maskedAll(f.Notes)
	out.Speech, out.DNS = w.masked(f.Speech), w.maskedQuestion(f.DNS)
	out.Leaks, out.Exposures = w.maskedLeaks(f.Leaks), w.maskedExposures(f.Exposures)
	out.Client.Device, out.Client.ALPN = w.masked(f.Client.Device), w.masked(f.Client.ALPN)
	out.Client.App = flow.App{Name: w.masked(f.Client.App.Name), ID: w.masked(f.Client.App.ID)}
	if h := f.Client.Hello; h != nil {
		hello := *h
		hello.ServerName, hello.ALPN = w.maskedHost(h.ServerName), w.maskedAll(h.ALPN)
		hello.JA4, hello.Alert = w.masked(h.JA4), w.masked(h.Alert)
		out.Client.Hello = &hello
	}
	s := &out.Server
	s.Asked, s.SNI, s.Host = w.maskedHost(s.Asked), w.maskedHost(s.SNI), w.maskedHost(s.Host)
	s.Resolved, s.TLS = w.maskedHost(s.Resolved), w.maskedTLS(s.TLS)
	if r := f.Request; r != nil {
		request := *r
		request.Method, request.URL, request.Proto = w.masked(r.Method), w.maskedURL(r.URL), w.masked(r.Proto)
		request.Header, request.Trailer = w.maskedFields(r.Header), w.maskedFields(r.Trailer)
		out.Request = &request
	}
	if r := f.Response; r != nil {
		response := *r
		response.Reason, response.Proto = w.masked(r.Reason), w.masked(r.Proto)
		response.Header, response.Trailer = w.maskedFields(r.Header), w.maskedFields(r.Trailer)
		out.Response = &response
	}
	return &out
}

// maskedQuestion masks a question of DNS as the host is, with all that it was answered.
func (w *Writer) maskedQuestion(q *flow.Question) *flow.Question {
	if q == nil {
		return nil
	}
	out := flow.Question{Name: w.maskedHost(q.Name), Type: w.masked(q.Type), Code: w.masked(q.Code)}
	for _, a := range q.Answers {
		out.Answers = append(out.Answers, flow.Answer{Name: w.maskedHost(a.Name), Type: w.masked(a.Type), TTL: a.TTL, Data: w.masked(a.Data)})
	}
	return &out
}

func (w *Writer) maskedTLS(t *flow.ServerTLS) *flow.ServerTLS {
	if t == nil {
		return nil
	}
	out := *t
	out.ALPN, out.Invalid = w.masked(t.ALPN), w.masked(t.Invalid)
	if c := t.Certificate; c != nil {
		certificate := *c
		certificate.Subject, certificate.Issuer = w.masked(c.Subject), w.masked(c.Issuer)
		certificate.DNSNames, certificate.SHA256 = w.maskedAll(c.DNSNames), w.masked(c.SHA256)
		out.Certificate = &certificate
	}
	return &out
}

func (w *Writer) maskedLeaks(leaks []flow.Leak) (out []flow.Leak) {
	for _, leak := range leaks {
		out = append(out, flow.Leak{Name: w.masked(leak.Name), Where: w.maskedAll(leak.Where)})
	}
	return out
}

func (w *Writer) maskedExposures(found []flow.Exposure) (out []flow.Exposure) {
	for _, x := range found {
		x.Kind, x.Name, x.Where, x.Masked = w.masked(x.Kind), w.masked(x.Name), w.masked(x.Where), w.masked(x.Masked)
		x.Layers = w.maskedAll(x.Layers)
		out = append(out, x)
	}
	return out
}
