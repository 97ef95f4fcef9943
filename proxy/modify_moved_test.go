package proxy

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"telltale/flow"
)

// refuses makes a decision about requests and connections to one host:port, which is known
// later, and lets rules lead all requests there.
func refuses(d Decision, to *atomic.Pointer[url.URL]) func(*Config) {
	return func(c *Config) {
		c.Admit = func(f *flow.Flow) Decision {
			if u := to.Load(); u != nil && f.Server.Asked == u.Host {
				return d
			}
			return Decision{}
		}
		onRequests(func(q *http.Request) {
			if u := to.Load(); u != nil {
				q.URL.Scheme, q.URL.Host = u.Scheme, u.Host
				q.Body = inMemory("of the rule")
			}
		})(c)
	}
}

// A request that a rule leads to a host that is refused is not sent, in whatever form that
// host is refused, and its flow says so.
func TestMovedToARefusedHost(t *testing.T) {
	for form, want := range map[Refusal]struct {
		status int // 0: none
		words  string
	}{
		Refused:    {http.StatusForbidden, "answered 403 in the place of the server: no network"},
		Unresolved: {http.StatusBadGateway, "answered 502 in the place of the server: no network"},
		Reset:      {0, "reset the connection in the place of the server: no network"},
		Answered:   {http.StatusFound, "redirected to the sign-in page: no network"},
	} {
		var to atomic.Pointer[url.URL]
		d := simulated(form)
		r := newRig(t, refuses(d, &to))
		refused := r.plainOrigin(func(http.ResponseWriter, *http.Request) { t.Errorf("%q: the host was asked", form) })
		other := r.plainOrigin(func(http.ResponseWriter, *http.Request) { t.Errorf("%q: the client's host was asked", form) })
		to.Store(refused)
		c := r.client()
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp, err := c.Post(other.String()+"/x?q=1", "text/plain", strings.NewReader("of the client"))
		switch {
		case want.status == 0 && err == nil:
			t.Errorf("%q: answered %d", form, resp.StatusCode)
		case want.status != 0 && (err != nil || resp.StatusCode != want.status):
			t.Errorf("%q: answered %v, %v", form, resp, err)
		}
		if err == nil {
			io.Copy(io.Discard, resp.Body) //nolint:errcheck // its end is in the flow
			resp.Body.Close()
		}
		f := r.one()
		if f.Outcome != flow.Simulated || f.Error != d.Why || f.Server.Dialed.IsValid() || f.Server.Asked != other.Host {
			t.Errorf("%q: %s %q, asked %s, dialled %v", form, f.Outcome, f.Error, f.Server.Asked, f.Server.Dialed)
		}
		if !slices.Equal(f.Experiments, []string{"modify a.json", "offline"}) {
			t.Errorf("%q: by %q", form, f.Experiments)
		}
		wanted := []string{"a.json: the request", "not sent to " + refused.String() + ", where a rule leads it", want.words}
		if !slices.Equal(f.Altered, wanted) {
			t.Errorf("%q: altered %q", form, f.Altered)
		}
		if size := f.Request.Body.Size; form == Answered && size != int64(len("of the client")) {
			t.Errorf("%q: %d bytes of the request", form, size)
		}
	}
}

// A request that is led to a silent host is left unanswered.
func TestMovedToASilentHost(t *testing.T) {
	var to atomic.Pointer[url.URL]
	r := newRig(t, refuses(simulated(Silent), &to))
	refused := r.plainOrigin(func(http.ResponseWriter, *http.Request) { t.Error("the host was asked") })
	to.Store(refused)
	p := r.dial()
	p.say("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n")
	r.wait("the request to hang", func(flows []*flow.Flow) bool {
		return len(flows) == 1 && slices.Contains(flows[0].Altered, "never answered the request: no network")
	})
	r.shutdown()
	if f := r.one(); f.Outcome != flow.Simulated {
		t.Errorf("%s %q", f.Outcome, f.Error)
	}
}

// What is decided about the host that is dialled is decided in a connection that was
// decrypted, too, and with what is known of that host alone.
func TestMovedWithinTLS(t *testing.T) {
	var moved atomic.Pointer[flow.Flow]
	var to atomic.Pointer[url.URL]
	r := newRig(t, func(c *Config) {
		refuses(Decision{}, &to)(c)
		c.Admit = func(f *flow.Flow) Decision {
			if u := to.Load(); f.Server.Asked != u.Host {
				return Decision{}
			}
			moved.Store(f)
			return Decision{By: []string{"slow"}}
		}
	})
	to.Store(r.plainOrigin(func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, q.Host) }))
	from := r.origin(func(http.ResponseWriter, *http.Request) { t.Error("the client's host was asked") })
	resp, err := r.client(onlyH1).Get(from.String() + "/x?q=1")
	must(t, err)
	resp.Body.Close()
	f := r.one()
	sent := "sent to " + to.Load().String() + " in the place of " + from.String()
	if f.Outcome != flow.Completed || !slices.Contains(f.Experiments, "slow") || !slices.Contains(f.Altered, sent) {
		t.Errorf("%s by %q: %q", f.Outcome, f.Experiments, f.Altered)
	}
	got := moved.Load()
	if got == nil || got.Request.URL != to.Load().String()+"/x?q=1" || got.Server.SNI != "" || got.Host() != "127.0.0.1" || got.Kind != flow.HTTP {
		t.Errorf("asked about %+v", got)
	}
}
