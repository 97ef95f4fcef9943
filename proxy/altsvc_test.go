package proxy

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"telltale/flow"
)

func TestOfferNotes(t *testing.T) {
	const refused = "; telltale refuses QUIC, so that the client stays on TCP."
	for _, tc := range []struct {
		name   string
		mode   string
		quic   QUICMode
		header []string
		want   []string
	}{
		{"HTTP/3, refused", modeWireGuard, QUICBlock, []string{`h3=":443"; ma=2592000`}, []string{"The answer offers HTTP/3 at :443 (Alt-Svc)" + refused}},
		{"passed", modeWireGuard, QUICPass, []string{`h3=":443"`}, []string{"The answer offers HTTP/3 at :443 (Alt-Svc); telltale forwards QUIC unread, so that a client that follows it is seen by its name alone."}},
		{"decrypted", modeWireGuard, QUICIntercept, []string{`h3=":443"`}, []string{"The answer offers HTTP/3 at :443 (Alt-Svc); telltale decrypts QUIC, so that a client that follows it is still read."}},
		{"through a proxy", modeHTTP, QUICBlock, []string{`h3=":443"`}, []string{"The answer offers HTTP/3 at :443 (Alt-Svc); a client that follows it leaves the proxy."}},
		{"drafts are the same", modeWireGuard, QUICBlock, []string{`h3-29=":443"; ma=1,h3-Q050=":443"`, `quic=":443"`}, []string{"The answer offers HTTP/3 at :443 (Alt-Svc)" + refused}},
		{"another host", modeHTTP, QUICBlock, []string{`h2="alt.example.test:8443"; persist=1`}, []string{"The answer offers HTTP/2 at alt.example.test:8443 (Alt-Svc); a client that follows it leaves the proxy."}},
		{"another port", modeWireGuard, QUICBlock, []string{`http%2F1.1=":8443"`}, []string{"The answer offers HTTP/1.1 at :8443 (Alt-Svc); a client that follows it stays in the tunnel."}},
		{"an address", modeHTTP, QUICBlock, []string{`h2="[2001:db8::1]:443"`}, []string{"The answer offers HTTP/2 at [2001:db8::1]:443 (Alt-Svc); a client that follows it leaves the proxy."}},
		{"the same place", modeHTTP, QUICBlock, []string{`h2=":443"`, `h2="API.example.test:443"`}, nil},
		{"nothing", modeHTTP, QUICBlock, []string{"clear", "", ";;;,,", `h3`, `h3=`, `h3=":"`, `h3=":99999"`, "h3=\"\x1b[31m:443\"", `h3="a b:443"`}, nil},
		{"too many", modeHTTP, QUICBlock, []string{strings.Repeat("x,", maxOffers) + `h3=":443"`}, nil},
	} {
		x := &exchange{cfg: &Config{QUIC: tc.quic}}
		f := &flow.Flow{Mode: tc.mode, Server: flow.Server{Asked: "api.example.test:443"}}
		if got := x.offerNotes(f, http.Header{"Alt-Svc": tc.header}); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// The header reaches the client as it is, and the flow has the note.
func TestAltSvcIsPassedOn(t *testing.T) {
	const offer = `h3=":443"; ma=86400, h2="other.test:443"`
	r := newRig(t)
	u := r.origin(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Alt-Svc", offer)
		io.WriteString(w, "ok")
	})
	resp, err := r.client().Get(u.String())
	must(t, err)
	resp.Body.Close()
	if got := resp.Header.Get("Alt-Svc"); got != offer {
		t.Errorf("the client got %q", got)
	}
	if f := r.one(); len(f.Notes) != 2 || !strings.Contains(f.Notes[1], "other.test:443") || len(f.Altered) != 0 {
		t.Errorf("notes %q", f.Notes)
	}
}

func FuzzParseOffer(f *testing.F) {
	f.Add(`h3=":443"; ma=2592000`)
	f.Add(`http%2F1.1="[2001:db8::1]:8443"`)
	f.Fuzz(func(t *testing.T, s string) {
		_, host, port, ok := parseOffer(s)
		if ok && (port == "" || len(port) > 20 || strings.ContainsAny(host, "\x00\x1b \n")) {
			t.Fatalf("%q became %q and %q", s, host, port)
		}
	})
}
