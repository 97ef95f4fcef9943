package playback

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"telltale/flow"
	"telltale/flow/plain"
	"telltale/proxy"
)

// Decide answers what goes to a named host from the recording, and refuses everything else.
// It is a [proxy.Config.Admit].
func (r *Recording) Decide(f *flow.Flow) proxy.Decision {
	if f.Kind == flow.UDP && f.Speech == flow.SpeechDNS {
		return proxy.Decision{} // each of the questions in it is decided about
	}
	by := []string{"serve " + r.opts.Name}
	if !r.named(f) && !r.mayBecomeNamed(f) {
		return proxy.Decision{Admission: proxy.Block, By: by, Why: "serve answers named hosts alone, and --host does not name this one"}
	}
	d := proxy.Decision{
		Admission: proxy.Block, Refusal: proxy.Answered, Outcome: flow.Simulated, By: by,
		Why: "nothing is forwarded",
	}
	if f.Request != nil {
		d.Why = "" // the answer says all
		at, query := spot(f)
		content := new(digest)
		d.Content = content
		d.Answer = func(req *http.Request) (*http.Response, string) { return r.answer(at, query, content, req) }
	}
	return d
}

// mayBecomeNamed reports whether it is not known yet who is contacted: a device that has
// resolved the name itself says it in its hello, or in its request.
func (r *Recording) mayBecomeNamed(f *flow.Flow) bool {
	if f.Request != nil || f.Client.Hello != nil || f.Server.SNI != "" || f.Server.Resolved != "" {
		return false
	}
	switch f.Kind {
	case flow.DNS, flow.UDP, flow.ICMP, flow.IP:
		return false
	}
	switch f.Mode {
	case "wireguard", "transparent", "socks5":
		return f.Host() == "" || f.Server.Asked == "" || isAddress(f.Host())
	}
	return false
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// answer makes the answer to a request, and says where it is from.
func (r *Recording) answer(at place, query string, content *digest, req *http.Request) (*http.Response, string) {
	a := asked{at: at, query: query, header: req.Header, body: content.text()}
	f, ok := r.find(a)
	if !ok {
		r.miss(at)
		what := "answered 504, since the recording has no answer to it"
		return says(req, http.StatusGatewayTimeout, "telltale serve: "+r.opts.Name+" has no answer to "+at.method+" "+at.path), what
	}
	resp, coding, why := r.make(req.Context(), req, f)
	if why != "" {
		r.miss(at)
		return says(req, http.StatusBadGateway, fmt.Sprintf("telltale serve: flow %d of %s %s", f.id, r.opts.Name, why)),
			fmt.Sprintf("answered 502, since flow %d of %s %s", f.id, r.opts.Name, why)
	}
	r.mu.Lock()
	r.answered++
	r.mu.Unlock()
	what := fmt.Sprintf("answered from flow %d of %s", f.id, r.opts.Name)
	if words := joined(f.differs, coding); words != "" {
		what += ", " + words
	}
	return resp, plain.Text(what)
}

// A digest names what is written to it as a capture names contents. The zero value is that
// of nothing.
type digest struct{ sum hash.Hash }

func (d *digest) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if d.sum == nil {
		d.sum = sha256.New()
	}
	return d.sum.Write(p)
}

// text is "" where nothing was written.
func (d *digest) text() string {
	if d.sum == nil {
		return ""
	}
	return hex.EncodeToString(d.sum.Sum(nil))
}

// make makes the answer of an exchange, and says what became of its content coding, or why
// there is none.
func (r *Recording) make(ctx context.Context, req *http.Request, f found) (resp *http.Response, coding, why string) {
	recorded, err := r.store.Flow(context.WithoutCancel(ctx), f.id)
	if err != nil || recorded.Flow.Response == nil {
		return nil, "", "could not be read again"
	}
	from := recorded.Flow.Response
	resp = blank(req, from.Status)
	resp.Header = header(from)
	if etag := resp.Header.Get("Etag"); from.Status == http.StatusOK && etag != "" && isGet(req) && matches(req.Header.Get("If-None-Match"), etag) {
		resp = blank(req, http.StatusNotModified)
		resp.Header = unmodified(from)
		return resp, coding, ""
	}
	if req.Method == http.MethodHead || !hasBody(from.Status) {
		withoutBody(resp, from, f.head)
		if hasBody(from.Status) {
			_, coding = uncode(resp, req, nil)
		}
		return resp, coding, ""
	}
	content, err := r.store.Content(context.WithoutCancel(ctx), from.Body)
	switch {
	case err != nil:
		return nil, "", "could not be read again"
	case from.Body.Truncated || int64(len(content)) < from.Body.Size && !from.Body.Decoded || recorded.Flow.Omitted:
		return nil, "", "was not recorded whole"
	}
	content, coding = uncode(resp, req, content)
	fill(resp, req, content)
	return resp, coding, ""
}

func isGet(req *http.Request) bool {
	return req.Method == http.MethodGet || req.Method == http.MethodHead
}

// hasBody reports whether answers of a status have content (RFC 9110, 6.4.1).
func hasBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified && status >= 200
}

// withoutBody says how long the content would be, where that is known.
func withoutBody(resp *http.Response, from *flow.Response, ofGet bool) {
	if !hasBody(from.Status) {
		return
	}
	if ofGet {
		if !from.Body.Truncated || from.Body.Size > 0 {
			resp.ContentLength = from.Body.Size
		}
		return
	}
	if n, err := strconv.ParseInt(flow.Get(from.Header, "Content-Length"), 10, 64); err == nil && n >= 0 {
		resp.ContentLength = n
	}
}

// fill gives an answer its content: all of it, or the part that was asked for.
func fill(resp *http.Response, req *http.Request, content []byte) {
	size := int64(len(content))
	if text := req.Header.Get("Range"); text != "" && resp.StatusCode == http.StatusOK && req.Method == http.MethodGet && fresh(req, resp) {
		if from, to, ok := oneRange(text, size); ok {
			resp.StatusCode, resp.Status = http.StatusPartialContent, status(http.StatusPartialContent)
			resp.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, size))
			content = content[from : to+1]
		}
	}
	resp.ContentLength = int64(len(content))
	resp.Body = io.NopCloser(bytes.NewReader(content))
}

// fresh reports whether the copy of which a client has a part is this one (RFC 9110, 13.1.5).
func fresh(req *http.Request, resp *http.Response) bool {
	condition := req.Header.Get("If-Range")
	return condition == "" || condition == resp.Header.Get("Etag") && !strings.HasPrefix(condition, "W/") || condition == resp.Header.Get("Last-Modified")
}

// oneRange reads a Range of one part that lies within a content (RFC 9110, 14.1.2). What is
// anything else is answered whole, as any server may.
func oneRange(text string, size int64) (from, to int64, ok bool) {
	first, last, ok := strings.Cut(strings.TrimSpace(strings.TrimPrefix(text, "bytes=")), "-")
	if !ok || !strings.HasPrefix(text, "bytes=") || strings.IndexByte(text, ',') >= 0 || size == 0 {
		return 0, 0, false
	}
	if first == "" {
		n, err := strconv.ParseUint(last, 10, 62)
		return max(size-int64(n), 0), size - 1, err == nil && n > 0
	}
	start, err := strconv.ParseUint(first, 10, 62)
	if err != nil || int64(start) >= size {
		return 0, 0, false
	}
	end := uint64(size - 1)
	if last != "" {
		if end, err = strconv.ParseUint(last, 10, 62); err != nil || end < start {
			return 0, 0, false
		}
	}
	return int64(start), min(int64(end), size-1), true
}

// matches compares If-None-Match with an entity tag, weakly (RFC 9110, 8.8.3.2).
func matches(list, etag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || one != "" && strings.TrimPrefix(one, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

// connectionFields are about a connection that is long gone (RFC 9110, 7.6.1), or lead to
// another one (Alt-Svc, RFC 7838).
var connectionFields = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Alt-Svc": true, "Content-Length": true, "Date": true,
}

// header returns the fields of a recorded answer that are true today. Set-Cookie is among
// them: the file is its user's.
func header(from *flow.Response) http.Header {
	h := http.Header{}
	gone := map[string]bool{}
	for _, field := range from.Header {
		if strings.EqualFold(field.Name, "Connection") {
			for name := range strings.SplitSeq(field.Value(), ",") {
				gone[textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))] = true
			}
		}
	}
	for _, field := range from.Header {
		name := textproto.CanonicalMIMEHeaderKey(field.Name)
		if connectionFields[name] || gone[name] || strings.HasPrefix(name, ":") || name == "" {
			continue
		}
		if from.Body.Decoded && (name == "Content-Encoding" || name == "Content-Md5" || name == "Digest" || name == "Content-Digest") {
			continue // they are about a coding that the content no longer has
		}
		h.Add(name, field.Reveal())
	}
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	return h
}

// unmodified returns the fields of "not modified" (RFC 9110, 15.4.5).
func unmodified(from *flow.Response) http.Header {
	all, h := header(from), http.Header{}
	for _, name := range []string{"Cache-Control", "Content-Location", "Date", "Etag", "Expires", "Vary", "Set-Cookie"} {
		if values := all.Values(name); len(values) > 0 {
			h[name] = values
		}
	}
	return h
}

func status(code int) string { return strings.TrimSpace(fmt.Sprint(code, " ", http.StatusText(code))) }

// blank returns an answer without a header and content.
func blank(req *http.Request, code int) *http.Response {
	return &http.Response{
		StatusCode: code, Status: status(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Request: req,
	}
}

// says returns an answer of our own.
func says(req *http.Request, code int, text string) *http.Response {
	resp := blank(req, code)
	text = plain.Text(text) + "\n"
	resp.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp.Header.Set("Cache-Control", "no-store")
	resp.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	resp.ContentLength = int64(len(text))
	if req.Method != http.MethodHead {
		resp.Body = io.NopCloser(strings.NewReader(text))
	}
	return resp
}
