package proxy

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/elazarl/goproxy"

	"telltale/flow"
)

// refuse asks what is to be done with a request. A response means that the request is
// not sent. Where the client gets none it does not return.
func (x *exchange) refuse(t *trip, r *http.Request) *http.Response {
	if t.c.shown { // the client asks behind a certificate with a fault
		t.note(t.c.decision.LeafBy, t.c.decision.LeafWhat)
		t.notes = append(t.notes, flow.NoteAcceptedFault)
	}
	if x.cfg.Admit == nil {
		return nil
	}
	return t.carryOut(r, x.cfg.Admit(t.opened), t.opened)
}

// carryOut does what was decided about a request that goes where f says, as refuse has it.
func (t *trip) carryOut(r *http.Request, d Decision, f *flow.Flow) *http.Response {
	if d.Admission != Block {
		t.inspect(d)
		return nil
	}
	t.outcome, t.reason = d.outcome(), d.Why
	switch d.Refusal {
	case Silent:
		t.hang(d)
	case Reset:
		t.note(d.By, "reset the connection in the place of the server"+orWhy(d.Why))
		t.resets = true
		panic(http.ErrAbortHandler)
	case Answered:
		if resp := t.answerFor(r, d); resp != nil {
			return resp
		}
	case Unresolved:
		if t.c.asked == "" {
			return t.refused(r, d, http.StatusBadGateway, noSuchName(f.Host())+orWhy(d.Why))
		}
	}
	text := d.refusal(f.Server.Asked)
	d.Why = d.reason()
	t.reason = d.Why
	return t.refused(r, d, http.StatusForbidden, text)
}

// inspect notes what is done to a request that is sent.
func (t *trip) inspect(d Decision) {
	if d.Cut > 0 {
		t.cutting = &Decision{Why: d.Why, By: d.CutBy, Outcome: cmp.Or(d.Outcome, flow.Simulated)}
		t.shim.limit(d.Cut)
		if d.CutBy == nil {
			t.cutting.By, t.cutting.What = d.By, d.What
			return
		}
	}
	t.note(d.By, d.What)
}

// note notes what was done, and which experiments did it.
func (t *trip) note(by []string, what ...string) {
	m := marks{t.experiments, t.altered}
	m.note(by, what...)
	t.experiments, t.altered = m.by, m.what
}

// refused answers a request by a page that says why it was not sent.
func (t *trip) refused(r *http.Request, d Decision, status int, text string) *http.Response {
	t.note(d.By, "answered "+strconv.Itoa(status)+" in the place of the server"+orWhy(d.Why))
	return t.page(r, status, text)
}

// page is an answer that comes from us, in plain text.
func (t *trip) page(r *http.Request, status int, text string) *http.Response {
	text = oneLine(text)
	resp := goproxy.NewResponse(r, "text/plain; charset=utf-8", status, "telltale: "+text+"\n")
	resp.Header.Set("X-Content-Type-Options", "nosniff")
	resp.Header.Set("X-Telltale-Error", text)
	resp.Proto, resp.ProtoMajor, resp.ProtoMinor = r.Proto, r.ProtoMajor, r.ProtoMinor
	t.own = true
	return resp
}

// hang takes the content of a request and never answers it. It does not return before the
// client is gone or the audit is about to end, and then gives the request up.
func (t *trip) hang(d Decision) {
	t.note(d.By, "never answered the request"+orWhy(d.Why))
	if s := t.c.stream; s != nil {
		s.mute.Store(true) // or http.Server says "100 Continue" to who waits for it
	}
	if t.in.ProtoMajor != 2 || t.in.Header.Get("Expect") == "" { // where nothing can keep it from that
		t.drain(0, nil)
	}
	f := *t.opened
	t.fill(&f)
	t.x.cfg.Recorder.Observe(&f)
	select {
	case <-t.parent.Done():
	case <-t.c.account.proxy.stopping:
	}
	panic(http.ErrAbortHandler)
}

// openContent is how long an answer waits for the end of content without a length: a
// stream of requests may have none before it is answered.
const openContent = time.Second

// drain reads the content of a request that is not sent, so that it is recorded, and gives
// it to a writer that is not nil. It ends with the audit, and after a time that is not 0.
func (t *trip) drain(most time.Duration, to io.Writer) {
	if t.in.ContentLength == 0 || t.in.Body == nil {
		return
	}
	control := http.NewResponseController(t.shim.w)
	stop := t.c.account.proxy.whenStopping(func() {
		control.SetReadDeadline(past) //nolint:errcheck // all that we serve have deadlines
	})
	defer stop()
	if most > 0 {
		control.SetReadDeadline(time.Now().Add(most)) //nolint:errcheck // as above
		defer control.SetReadDeadline(time.Time{})    //nolint:errcheck // as above
	}
	if to == nil {
		to = io.Discard
	}
	io.Copy(to, &t.up) //nolint:errcheck // the upload keeps it
}

// answerFor returns the answer that a decision has for a request, nil for none.
func (t *trip) answerFor(r *http.Request, d Decision) *http.Response {
	if d.Answer == nil {
		return nil
	}
	wait := time.Duration(0)
	if r.ContentLength < 0 {
		wait = openContent
	}
	t.drain(wait, d.Content)
	if s := t.c.stream; s != nil && s.broken.Load() != nil {
		_, cut := t.up.sent()
		t.outcome = ""
		return t.fail(r, cut)
	}
	resp, what := d.Answer(r)
	if resp == nil || resp.StatusCode < 200 || resp.StatusCode > 999 {
		t.x.log.Error("an experiment has no answer to a request", "url", t.opened.URL(), "by", d.By)
		return nil
	}
	t.note(d.By, cmp.Or(what, "answered "+strconv.Itoa(resp.StatusCode)+" in the place of the server")+orWhy(d.Why))
	t.own = true
	return asServer(r, resp)
}

// asServer completes an answer so that it looks like one of a server.
func asServer(r *http.Request, resp *http.Response) *http.Response {
	resp.Proto, resp.ProtoMajor, resp.ProtoMinor = r.Proto, r.ProtoMajor, r.ProtoMinor
	if resp.Status == "" {
		resp.Status = fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	if resp.Header["Date"] == nil {
		resp.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	setLength(resp)
	switch {
	case resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified:
		resp.Body.Close()
		resp.Body, resp.ContentLength = http.NoBody, 0
	case resp.ContentLength >= 0:
		resp.Header.Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	default:
		resp.Header.Del("Content-Length")
	}
	if r.Method == http.MethodHead {
		resp.Body.Close()
		resp.Body, resp.ContentLength = http.NoBody, 0
	}
	return resp
}

// measured is how much of an answer without a length is read for it.
const measured = 64 << 10

// setLength finds out the length of an answer whose maker did not say it.
func setLength(resp *http.Response) {
	if resp.ContentLength != 0 || resp.Body == http.NoBody {
		return
	}
	begin, err := io.ReadAll(io.LimitReader(resp.Body, measured))
	if err == nil && len(begin) < measured {
		resp.Body.Close()
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(begin)), int64(len(begin))
		return
	}
	rest := io.Reader(resp.Body)
	if err != nil {
		rest = failing{err}
	}
	resp.ContentLength = -1
	resp.Body = readCloser{io.MultiReader(bytes.NewReader(begin), rest), resp.Body}
}

// readCloser reads here and closes there.
type readCloser struct {
	io.Reader
	io.Closer
}

// failing is what is left of content that could not be read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// cutOff makes the outcome of an answer that was cut off on purpose, and reports whether
// it was.
func (t *trip) cutOff() bool {
	given, cut := t.shim.cutOff()
	if !cut {
		return false
	}
	t.outcome, t.reason = t.cutting.Outcome, t.cutting.Why
	t.note(t.cutting.By, t.cutting.What)
	t.note(nil, fmt.Sprintf("cut the answer off after %d bytes", given)+orWhy(t.cutting.Why))
	t.down.body.shorten(given)
	t.broken, t.resets = true, true
	return true
}

// resetIfAsked resets the connection of a request of HTTP/1. Later versions reset the
// stream when the handler gives up; that of HTTP/3 takes back what has not arrived by then.
func (t *trip) resetIfAsked() {
	switch {
	case !t.resets:
	case t.in.ProtoMajor == 1:
		t.c.account.reset()
	case t.in.ProtoMajor == 3 && t.cutting != nil:
		timer := time.NewTimer(lastWords3)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-t.parent.Done():
		case <-t.c.account.proxy.stopping:
		}
	}
}
