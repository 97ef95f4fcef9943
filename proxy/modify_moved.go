package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"telltale/flow"
)

// refuseMoved asks what is to be done with a request that a modifier leads elsewhere than
// the client asked: what was decided about the client's host says nothing of the host that
// is dialled now. A response means that the request is not sent. Where the client gets none
// it does not return. before and from are the request and its URL as they came.
func (t *trip) refuseMoved(r, before *http.Request, from *url.URL) *http.Response {
	if len(t.experiments) == 0 {
		t.note([]string{byModifier}, "")
	}
	to, asked := r.URL.Scheme+"://"+t.mod.to, from.Scheme+"://"+t.opened.Server.Asked
	if t.x.cfg.Admit != nil {
		f := t.movedFlow(r.URL, from)
		d := t.x.cfg.Admit(f)
		if d.Admission == Block {
			t.note(nil, "not sent to "+to+", where a rule leads it")
			t.mod, r.Body, r.ContentLength = nil, before.Body, before.ContentLength
		}
		if resp := t.carryOut(r, d, f); resp != nil {
			return resp
		}
	}
	t.note(nil, "sent to "+to+" in the place of "+asked)
	return nil
}

// movedFlow is the flow of the request as it would be had the client asked for u.
func (t *trip) movedFlow(u, from *url.URL) *flow.Flow {
	f, q, shown := *t.opened, *t.opened.Request, *u
	if strings.HasPrefix(q.URL, "ws") {
		shown.Scheme = "ws" + strings.TrimPrefix(u.Scheme, "http")
	}
	q.URL = shown.String()
	f.Request = &q
	if u.Host == from.Host {
		f.Server.Asked = t.mod.to
		return &f
	}
	f.Server = flow.Server{Asked: t.mod.to, Host: u.Host}
	return &f
}
