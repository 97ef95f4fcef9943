package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"telltale/flow"
)

// An Alteration is one thing that a [Modifier] did to a message.
type Alteration struct {
	By   string // the experiment, as in flow.Flow.Experiments
	What string // for people
}

// A Modifier alters requests before they are sent, and answers before they are passed on,
// in place. It says what it did. An error, or a panic, is trouble in the tool: the message
// passes as far as it was altered.
//
// The URL of a request is whole; its host is the one that the client names. Another scheme
// or host leads the request there, and Host follows the URL unless it was changed too. An
// answer's Request is what ModifyRequest left. Of an answer that switches protocols the
// header alone is altered.
//
// Content is as it is on the wire: Content-Encoding says how it is compressed. Content that
// was read and left is sent all the same. Content that is replaced has the length that the
// message then has; where that was left as it was, what is sent has none. It loses the
// Content-Encoding of what it replaces, unless it was made by reading that.
type Modifier interface {
	ModifyRequest(*http.Request) ([]Alteration, error)
	ModifyResponse(*http.Response) ([]Alteration, error)
}

// byModifier names what altered a message where the modifier itself cannot say.
const byModifier = "modify"

// modification is what a Modifier does to one exchange.
type modification struct {
	by   Modifier
	seen *http.Request // as the modifier left it: the Request of the answer
	sent http.Request  // as it leaves
	// path is set where the path is another than the client's.
	path    bool
	to      string // host:port that the request is sent to; "" for what the client asked for
	sni     string // of that server, where it is not its host
	secure  bool   // the client asked by https
	content *replacement
	drain   func()        // reads the client's content that is not sent; nil: it is sent
	drained chan struct{} // closed when that was done
}

// moved reports whether the request goes elsewhere than the client asked.
func (t *trip) moved() bool { return t.mod != nil && t.mod.to != "" }

// server returns the host:port that the request is sent to.
func (t *trip) server() string {
	if t.moved() {
		return t.mod.to
	}
	return t.opened.Server.Asked
}

// run lets the modifier at a message, whose changes it notes.
func (m *modification) run(t *trip, message string, modify func() ([]Alteration, error)) {
	did, err := contained(modify)
	for _, a := range did {
		var by []string
		if a.By != "" {
			by = []string{a.By}
		}
		t.note(by, a.What)
	}
	if err == nil {
		return
	}
	t.x.log.Warn("a "+message+" passed as far as it was altered", "url", t.opened.Request.URL, "err", err)
	if len(did) == 0 {
		t.note([]string{byModifier}, "a rule failed on the "+message+", which may be altered: "+oneLine(err.Error()))
	}
}

// contained makes an error of a panic.
func contained(modify func() ([]Alteration, error)) (did []Alteration, err error) {
	defer func() {
		if e := recover(); e != nil {
			did, err = nil, fmt.Errorf("the modifier panicked: %v\n%s", e, debug.Stack())
		}
	}()
	return modify()
}

// undone tells of a change that cannot be made.
func (t *trip) undone(message, what string) {
	t.x.log.Warn("a change of a "+message+" was left out", "url", t.opened.Request.URL, "err", what)
}

// modifyRequest lets the modifier of the moment, if any, at the request. A response means
// that the request is not sent, since it would go where nothing may be sent.
func (t *trip) modifyRequest(r *http.Request) *http.Response {
	if t.x.cfg.Modify == nil {
		return nil
	}
	m := t.x.cfg.Modify()
	if m == nil {
		return nil
	}
	t.mod = &modification{by: m}
	before := *r
	from := *r.URL
	u := from
	r.URL = &u
	length := slices.Clone(r.Header["Content-Length"])
	c := &original{src: &t.up}
	if before.ContentLength != 0 {
		r.Body = c
	}
	t.mod.run(t, "request", func() ([]Alteration, error) { return m.ModifyRequest(r) })
	r.Header = t.settleHeader("request", r.Header)
	delete(r.Header, "Transfer-Encoding")
	cleanRequest(r.Header, t.upgrade)
	if len(r.Method) == 0 || !all([]byte(r.Method), tokenByte) || r.Method == http.MethodConnect && before.Method != r.Method {
		t.undone("request", fmt.Sprintf("%q is no method", r.Method))
		r.Method = before.Method
	}
	if err := t.mod.readdress(t, r, &from, before.Host); err != nil {
		t.undone("request", err.Error())
		u = from
		r.URL, r.Host, t.mod.path, t.mod.to, t.mod.sni = &u, before.Host, false, "", ""
	}
	if t.moved() {
		if resp := t.refuseMoved(r, &before, &from); resp != nil {
			return resp
		}
	}
	switch body := r.Body; {
	case before.ContentLength == 0 && (body == nil || body == before.Body):
		r.Body = before.Body
		if r.ContentLength = 0; len(length) > 0 {
			r.Header["Content-Length"] = length
		}
	case body == io.ReadCloser(c):
		r.ContentLength = before.ContentLength
		restore(r.Header, "Content-Length", length)
		if c.touched() {
			t.mod.content = &replacement{ReadCloser: c, same: true}
			c.rewind()
		}
	default:
		t.mod.replace(t, r, c, before.ContentLength, length)
	}
	t.mod.seen = r
	return nil
}

// replace takes over the content that a modifier put in the place of the client's.
func (m *modification) replace(t *trip, r *http.Request, c *original, old int64, lines []string) {
	rep, n := replaced(r.Body, c, r.ContentLength, old, lengthOf(r.Header, lines))
	m.content, r.ContentLength = rep, n
	sayLength(r.Header, n)
	if r.Trailer, r.TransferEncoding = nil, nil; n == 0 {
		delete(r.Header, "Content-Length") // load knows what to do with none
		if len(lines) > 0 {
			r.Header["Content-Length"] = []string{"0"}
		}
	}
	if !c.touched() && len(r.Header["Content-Encoding"]) > 0 && slices.Equal(r.Header["Content-Encoding"], t.in.Header["Content-Encoding"]) {
		delete(r.Header, "Content-Encoding")
	}
	m.drained = make(chan struct{})
	m.drain = sync.OnceFunc(func() {
		go func() {
			defer close(m.drained)
			io.Copy(io.Discard, &t.up) //nolint:errcheck // what came is recorded in any case
		}()
	})
	if rep.over = m.drain; rep.whole != nil {
		m.drain()
	}
}

// readdress finds out where a request goes whose URL was from.
func (m *modification) readdress(t *trip, r *http.Request, from *url.URL, host string) error {
	u := r.URL
	if u == nil {
		return errors.New("a request without a URL")
	}
	u.Scheme = strings.ToLower(u.Scheme)
	name, port := flow.SplitHostPort(u.Host)
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) || name == "" || !all([]byte(u.Host), hostByte) {
		return fmt.Errorf("%q is no host", u.Host)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is no scheme but http and https", u.Scheme)
	}
	if m.path = u.Path != from.Path || u.RawPath != from.RawPath || u.Opaque != from.Opaque; m.path && u.Path != "*" && !strings.HasPrefix(u.Path, "/") {
		u.Path = "/" + u.Path
	}
	if target := u.RequestURI(); (m.path || u.RawQuery != from.RawQuery) && !all([]byte(target), targetByte) {
		return fmt.Errorf("%q is no target of a request", target)
	}
	asked := t.opened.Server.Asked
	m.secure = from.Scheme == "https"
	switch {
	case u.Host != from.Host:
		m.to = withPort(u.Host, u.Scheme)
		if r.Host == host {
			r.Host = u.Host
		}
	case u.Scheme != from.Scheme:
		at, port := flow.SplitHostPort(asked)
		if withPort(at, from.Scheme) == net.JoinHostPort(at, port) {
			asked = withPort(at, u.Scheme)
		}
		if m.to = asked; name != at {
			m.sni = name
		}
	default:
		return nil
	}
	if m.to == t.opened.Server.Asked && u.Scheme == from.Scheme {
		m.to = ""
		return nil
	}
	return nil
}

// load puts the content of an altered request in place. It returns false where it is the
// client's, and nobody has read of it.
func (m *modification) load(r *http.Request) bool {
	if m.content == nil {
		return false
	}
	if r.ContentLength == 0 {
		return false
	}
	r.Body, r.GetBody = m.content, nil
	if whole := m.content.whole; whole != nil {
		r.GetBody = func() (io.ReadCloser, error) { return again(whole), nil }
	}
	return true
}

// awaitContent waits, before the flow is sealed, for the rest of content that is not sent.
// A client that goes on sending when it was answered long ago is not waited for.
func (t *trip) awaitContent() {
	if t.mod == nil || t.mod.drain == nil {
		return
	}
	if t.mod.content.derived {
		return // the client's content was sent, in another form, as far as somebody wanted it
	}
	t.mod.drain()
	late := time.NewTimer(drainTime)
	defer late.Stop()
	select {
	case <-t.mod.drained:
	case <-t.parent.Done():
	case <-late.C:
	}
}

// settleHeader leaves out of an altered header what cannot be sent.
func (t *trip) settleHeader(message string, h http.Header) http.Header {
	if h == nil {
		return http.Header{}
	}
	for name, values := range h {
		if !httpguts.ValidHeaderFieldName(name) || slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) }) {
			t.undone(message, fmt.Sprintf("the field %q cannot be sent", name))
			delete(h, name)
		}
	}
	return h
}

// restore puts lines back as they were.
func restore(h http.Header, name string, lines []string) {
	if len(lines) == 0 {
		delete(h, name)
		return
	}
	h[name] = lines
}

// sayLength makes Content-Length say n; it is left out where n is negative.
func sayLength(h http.Header, n int64) {
	if n < 0 {
		delete(h, "Content-Length")
		return
	}
	h["Content-Length"] = []string{strconv.FormatInt(n, 10)}
}

// lengthOf returns what Content-Length says, where that is not what it said before; -1
// otherwise.
func lengthOf(h http.Header, before []string) int64 {
	lines := h["Content-Length"]
	if len(lines) != 1 || slices.Equal(lines, before) {
		return -1
	}
	n, err := strconv.ParseInt(lines[0], 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}
