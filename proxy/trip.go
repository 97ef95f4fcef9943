package proxy

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"telltale/flow"
)

// trip is one request on its way to the server and back. It is made once per
// request, holds everything that is known of it, and is its context, so that the
// hooks of goproxy and of http.Transport find it without further allocations.
type trip struct {
	context.Context // with the trace in it
	parent          context.Context
	x               *exchange
	in              *http.Request // as http.Server made it
	c               *connection
	target          string // path and query as they came
	url             url.URL
	upgrade         bool     // the client asks for another protocol
	connection      []string // its Connection header, when it does

	slow  slowing // what slowed its messages
	shim  shim
	up    upload
	down  download
	trace httptrace.ClientTrace

	mu      sync.Mutex
	interim []int

	// The states of the flow are allocated apart: a recorder may keep them.
	opened   *flow.Flow     // as it was observed first; not changed since
	response *flow.Response // as it was observed with the head; nil before
	kind     flow.Kind

	dials      atomic.Int32               // connections tried for it
	made       atomic.Pointer[serverConn] // the last that came about
	got        httptrace.GotConnInfo
	gotAt      time.Time
	answeredAt time.Time
	dialed     dialed
	serverTLS  *flow.ServerTLS

	mod         *modification // nil: nothing alters messages
	upgraded    *upgraded
	outcome     flow.Outcome
	failure     string
	reason      string
	altered     []string
	experiments []string // that did so
	notes       []string
	resp        *http.Response // of the server; its trailer is filled in when its body ends
	own         bool           // the answer is ours
	broken      bool           // the client was given less than the whole
	resets      bool           // the client's connection is reset, or the stream
	cutting     *Decision      // to cut the answer off; nil for none
}

type tripKey struct{}

// Value makes the trip findable in its own context and those made of it.
func (t *trip) Value(key any) any {
	if key == (tripKey{}) {
		return t
	}
	return t.Context.Value(key)
}

// tripOf returns the trip of a request's context, nil for none.
func tripOf(ctx context.Context) *trip {
	t, _ := ctx.Value(tripKey{}).(*trip)
	return t
}

// begin makes the trip of a request, with its flow in the state in which it opens.
func (x *exchange) begin(c *connection, w http.ResponseWriter, r *http.Request) *trip {
	t := &trip{x: x, c: c, kind: flow.HTTP, in: r, parent: r.Context(), target: rawTarget(r), upgrade: asksUpgrade(r)}
	t.trace.GotConn = t.gotConn
	t.trace.Got1xxResponse = t.got1xx
	t.Context = httptrace.WithClientTrace(r.Context(), &t.trace)
	t.shim.w, t.shim.soon = w, r.ProtoMajor == 3
	t.slow.begin(c)
	t.shim.slow, t.up.slow = &t.slow, &t.slow
	t.up.src = r.Body
	t.up.body = body{limit: x.cfg.BodyLimit, expect: r.ContentLength}
	t.down.to = &t.shim
	t.down.body = body{limit: x.cfg.BodyLimit, expect: -1}
	t.dialed = notDialed()

	t.open(c, r)
	return t
}

// opening is the first state of a flow with what it points to: one allocation.
type opening struct {
	flow    flow.Flow
	request flow.Request
}

// open makes the flow's first state.
func (t *trip) open(c *connection, r *http.Request) {
	o := new(opening)
	scheme, shown := r.URL.Scheme, r.URL.Scheme
	o.request = flow.Request{Method: r.Method, Proto: protoName(r.ProtoMajor, r.ProtoMinor), Header: c.head()}
	host := r.Host
	if o.request.Header == nil {
		o.request.Header = t.headOf(r)
	} else if h := flow.Get(o.request.Header, "Host"); h != "" {
		host = h
	}
	if t.upgrade && isWebSocket(r.Header) {
		shown = "ws" + strings.TrimPrefix(scheme, "http")
	}
	o.request.URL = shown + "://" + r.URL.Host + t.target
	asked := c.asked
	if asked == "" {
		asked = withPort(r.URL.Host, scheme)
	}
	o.flow = flow.Flow{
		ID: t.x.cfg.Recorder.NextID(), Kind: flow.HTTP, Mode: c.mode, Client: c.client,
		Server: flow.Server{Asked: asked, Host: host}, Request: &o.request,
		Outcome: flow.Open, Times: flow.NoTimes(time.Now()),
	}
	if c.client.Hello != nil {
		o.flow.Server.SNI = c.client.Hello.ServerName
	}
	o.flow.Server.Destination, o.flow.Server.Resolved = c.destination, resolvedBy(c.names, o.flow.Server.SNI, host)
	t.opened = &o.flow
}

// headOf returns the header lines of a request of which no head was kept.
func (t *trip) headOf(r *http.Request) []flow.Field {
	var host flow.Field
	if r.ProtoMajor == 1 {
		host = flow.NewField("Host", r.Host)
	}
	fields := fieldsOf(r.Header, r.ProtoMajor, host)
	for _, coding := range r.TransferEncoding {
		fields = append(fields, flow.NewField("Transfer-Encoding", coding))
	}
	return fields
}

// gotConn is told which connection the request goes out on.
func (t *trip) gotConn(info httptrace.GotConnInfo) {
	t.got, t.gotAt = info, time.Now()
	if info.Reused {
		t.c.account.dropReady()
	}
	if sc := serverConnOf(info.Conn); sc != nil {
		t.dialed, t.serverTLS = sc.dialed, sc.tls
	}
}

// got1xx forwards and records an interim answer. http.Server itself says 100 when
// the transport, told so by the server, begins to read the content; that of HTTP/3 does
// not.
func (t *trip) got1xx(status int, h textproto.MIMEHeader) error {
	t.mu.Lock()
	if len(t.interim) < maxInterim {
		t.interim = append(t.interim, status)
	}
	t.mu.Unlock()
	if (status != http.StatusContinue || t.in.ProtoMajor == 3) && t.in.ProtoAtLeast(1, 1) {
		t.shim.interim(status, http.Header(h))
	}
	return nil
}

// maxInterim bounds the interim answers that are recorded; all are forwarded.
const maxInterim = 100

// answer records the head of the answer.
func (t *trip) answer(resp *http.Response) {
	if t.outcome == flow.Abandoned {
		return // nobody is there to be answered
	}
	fields := fieldsOf(resp.Header, resp.ProtoMajor, flow.Field{})
	if !t.own {
		t.notes = append(t.notes, t.x.offerNotes(t.opened, resp.Header)...)
		for _, coding := range resp.TransferEncoding {
			fields = append(fields, flow.NewField("Transfer-Encoding", coding))
		}
	}
	t.mu.Lock()
	interim := t.interim
	t.mu.Unlock()
	t.response = &flow.Response{
		Status: resp.StatusCode, Proto: protoName(resp.ProtoMajor, resp.ProtoMinor), Header: fields, Interim: interim,
	}
	if resp.ProtoMajor == 1 {
		t.response.Reason = reason(resp)
	}
	if t.own {
		t.down.src, t.down.body.expect = resp.Body, resp.ContentLength
		resp.Body = &t.down
	}
	if t.own || quick(t.in.Method, resp) {
		return // its end is as good as there
	}
	f := *t.opened
	t.fill(&f)
	f.Response = t.response
	t.x.cfg.Recorder.Observe(&f)
}

// quickBody is the length up to which a body usually comes with its head.
const quickBody = 2 << 10

// quick reports whether the end of the answer will follow its head so closely that
// a state between the two is of no use to anybody.
func quick(method string, resp *http.Response) bool {
	return resp.StatusCode != http.StatusSwitchingProtocols &&
		(method == http.MethodHead || resp.ContentLength >= 0 && resp.ContentLength <= quickBody)
}

// reason returns the reason phrase as the server wrote it.
func reason(resp *http.Response) string {
	if i := strings.IndexByte(resp.Status, ' '); i == 3 {
		return resp.Status[4:]
	}
	return resp.Status
}

// fill adds what is known by now to a state of the flow.
func (t *trip) fill(f *flow.Flow) {
	f.Server.Dialed, f.Server.TLS = t.dialed.Addr, t.serverTLS
	f.Kind, f.Altered, f.Experiments, f.Notes = t.kind, t.altered, t.experiments, t.notes
	t.slow.put(f, t.upgraded != nil)
	m := &f.Times
	if t.gotAt.IsZero() {
		m.DNS, m.Connect = t.dialed.DNS, t.dialed.Connect
		return
	}
	m.Blocked = t.gotAt.Sub(m.Start)
	if sc := serverConnOf(t.got.Conn); sc != nil && !t.got.Reused {
		m.DNS, m.Connect = sc.dialed.DNS, sc.dialed.Connect
		m.Blocked -= max(m.DNS, 0) + max(m.Connect, 0) + sc.tlsTime
		if sc.tls != nil {
			m.TLS = sc.tlsTime
		}
		m.Blocked = max(m.Blocked, 0) // it used a connection dialled for another
	}
	if t.answeredAt.IsZero() {
		return
	}
	sent, _ := t.up.sent()
	if sent.Before(t.gotAt) || sent.After(t.answeredAt) {
		sent = t.gotAt // nothing to send, or still sending
	}
	m.Send, m.Wait = sent.Sub(t.gotAt), t.answeredAt.Sub(sent)
}

// ending is the last state of a flow with what it points to.
type ending struct {
	flow     flow.Flow
	request  flow.Request
	response flow.Response
}

// end seals the flow.
func (t *trip) end() {
	t.awaitContent()
	e := &ending{flow: *t.opened, request: *t.opened.Request}
	f := &e.flow
	if t.upgraded != nil {
		t.upgraded.seal(f)
	}
	t.judge()
	if t.broken {
		t.shim.Flush() // the client gets what there was
	}
	t.shim.seal()
	t.fill(f)
	f.Outcome, f.Failure, f.Error = t.outcome, t.failure, t.reason
	f.Times.End = time.Now()
	if t.resp != nil {
		f.Times.Receive = f.Times.End.Sub(t.answeredAt)
	}
	whole := false
	if e.request.Body, whole = t.up.seal(); whole {
		e.request.Trailer = trailerFields(t.in.Trailer, t.in.ProtoMajor)
	}
	f.Request = &e.request
	if t.response != nil {
		e.response = *t.response
		e.response.Body = t.down.body.facts()
		if t.resp != nil && t.down.readErr == nil {
			e.response.Trailer = trailerFields(t.resp.Trailer, t.resp.ProtoMajor)
		}
		f.Response = &e.response
	}
	t.x.cfg.Recorder.Observe(f)
}

// judge names the outcome, if nothing did before.
func (t *trip) judge() {
	if t.outcome != "" {
		t.broken = t.broken || t.own && t.down.readErr != nil
		return
	}
	if t.cutOff() {
		return
	}
	switch d := &t.down; {
	case t.upgraded != nil:
		t.outcome, t.failure, t.reason = t.upgraded.outcome()
	case t.response == nil:
		t.outcome, t.reason = flow.Abandoned, "the exchange was given up"
	case d.body.expect >= 0 && d.body.size == d.body.expect:
		// Clients count, and are gone with the last byte.
		t.outcome = flow.Completed
	case d.writeErr != nil, d.readErr != nil && t.parent.Err() != nil:
		t.outcome, t.reason, t.broken = flow.Abandoned, "the client's connection ended before the response did", true
	case d.readErr != nil:
		t.outcome, t.failure = bodyFailure(d.readErr)
		t.reason, t.broken = "the response ended before its end: "+cause(d.readErr), true
	case d.body.expect < 0 && t.parent.Err() != nil:
		// The end of a stream is told to the client when the handler returns:
		// it cannot have seen it. The server ended because we hung up.
		t.outcome, t.reason = flow.Abandoned, "the client's connection ended before the response did"
	default:
		t.outcome = flow.Completed
	}
}

func trailerFields(h http.Header, major int) []flow.Field {
	if len(h) == 0 {
		return nil
	}
	return fieldsOf(h, major, flow.Field{})
}
