package proxy

import (
	"errors"
	"net/http"

	"github.com/elazarl/goproxy"
	"github.com/google/martian/v3"
	"github.com/google/martian/v3/fifo"

	"telltale/flow"
)

// refusal is the error of a modifier that keeps a request from being sent. Any
// other error of a modifier is trouble in the tool, and the request passes.
type refusal struct{ why string }

func (e *refusal) Error() string { return e.why }

// modifiers returns the chain that may alter requests, nil when nothing may: then
// requests pass without a look at it.
func modifiers(cfg *Config) martian.RequestModifier {
	if cfg.Admit == nil {
		return nil
	}
	chain := fifo.NewGroup()
	chain.AddRequestModifier(admission{cfg.Admit})
	return chain
}

// admission is the modifier that refuses what the policy forbids (--enforce).
type admission struct {
	admit func(*flow.Flow) (Admission, string)
}

// ModifyRequest returns a refusal when the policy blocks the request.
func (a admission) ModifyRequest(r *http.Request) error {
	t := tripOf(r.Context())
	if t == nil {
		return nil
	}
	if verdict, why := a.admit(t.opened); verdict == Block {
		if why == "" {
			why = "the policy forbids it"
		}
		return &refusal{why}
	}
	return nil
}

// enforce runs the chain over a request. A response means that the request is not
// sent.
func (x *exchange) enforce(t *trip, r *http.Request) *http.Response {
	if x.chain == nil {
		return nil
	}
	err := x.chain.ModifyRequest(r)
	var refused *refusal
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &refused):
		x.log.Error("a modifier failed, the request passes unaltered by it", "url", t.opened.Request.URL, "err", err)
		return nil
	}
	t.outcome, t.reason = flow.Blocked, refused.why
	t.altered = append(t.altered, "answered 403 in the place of the server: "+refused.why)
	return t.page(r, http.StatusForbidden, "the policy forbids "+t.opened.Server.Asked+": "+refused.why)
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
