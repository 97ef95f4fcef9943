package proxy

import (
	"net/http"

	"github.com/elazarl/goproxy"

	"telltale/flow"
)

// refuse asks what is to be done with a request. A response means that the request is
// not sent.
func (x *exchange) refuse(t *trip, r *http.Request) *http.Response {
	if x.cfg.Admit == nil {
		return nil
	}
	d := x.cfg.Admit(t.opened)
	if d.Admission != Block {
		return nil
	}
	if d.Why == "" {
		d.Why = "the policy forbids it"
	}
	t.outcome, t.reason = flow.Blocked, d.Why
	t.altered, t.experiments = append(t.altered, "answered 403 in the place of the server: "+d.Why), d.By
	return t.page(r, http.StatusForbidden, "the policy forbids "+t.opened.Server.Asked+": "+d.Why)
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
