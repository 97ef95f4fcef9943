package experiment

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestNoQUICTakesOffersOut(t *testing.T) {
	for _, tt := range []struct {
		lines, want []string
	}{
		{[]string{`h3=":443"; ma=86400`}, nil},
		{[]string{`h3=":443"; ma=86400,h3-29=":443"; ma=86400`}, nil},
		{[]string{`h3=":443", h2="alt.example:443"; ma=60`}, []string{`h2="alt.example:443"; ma=60`}},
		{[]string{`h2="a,b:443", h3=":443"`}, []string{`h2="a,b:443"`}},
		{[]string{`quic=":443"; v="46,43"`, `h2=":8443"`}, []string{`h2=":8443"`}},
		{[]string{`H3=":443"`}, nil},
		{[]string{`h2=":8443"`}, []string{`h2=":8443"`}},
		{[]string{"clear"}, []string{"clear"}},
		{[]string{`h2="h3=\",:443"`}, []string{`h2="h3=\",:443"`}},
		{nil, nil},
	} {
		s := New(config(t))
		on(t, s, "no-quic")
		resp := &http.Response{Header: http.Header{}, Request: httptest.NewRequest("GET", "https://a.example/", nil)}
		if tt.lines != nil {
			resp.Header["Alt-Svc"] = slices.Clone(tt.lines)
		}
		did, err := s.Modifier().ModifyResponse(resp)
		if got := resp.Header["Alt-Svc"]; err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%q became %q, want %q (%v)", tt.lines, got, tt.want, err)
		}
		changed := !slices.Equal(tt.lines, tt.want)
		if (len(did) == 1) != changed || changed && (did[0].By != "no-quic" || !strings.Contains(did[0].What, "HTTP/3")) {
			t.Errorf("%q: recorded %+v", tt.lines, did)
		}
	}
}

func TestNoQUICOfSomeHosts(t *testing.T) {
	s := New(config(t))
	on(t, s, "no-quic@a.example:443")
	for target, want := range map[string]bool{"https://a.example/": false, "https://A.example./": false, "https://a.example:8443/": true, "https://b.example/": true} {
		resp := &http.Response{Header: http.Header{"Alt-Svc": {`h3=":443"`}}, Request: httptest.NewRequest("GET", target, nil)}
		if _, err := s.Modifier().ModifyResponse(resp); err != nil || (resp.Header.Get("Alt-Svc") != "") != want {
			t.Errorf("%s: %q (%v)", target, resp.Header, err)
		}
	}
}

// Rules apply in the order of the flags, whichever was switched on first, and trouble in
// one keeps none of the others from it.
func TestRulesApplyInOrder(t *testing.T) {
	s := New(config(t))
	on(t, s, "no-quic")
	for _, name := range []string{"modify a.json", "modify b.json"} {
		if err := s.SwitchRules(name, true); err != nil {
			t.Fatal(err)
		}
	}
	m := s.Modifier()
	resp := &http.Response{Header: http.Header{"Alt-Svc": {`h3=":443"`}}}
	did, err := m.ModifyResponse(resp)
	var by []string
	for _, alteration := range did {
		by = append(by, alteration.By)
	}
	if strings.Join(by, ", ") != "modify b.json, modify a.json, no-quic" || err == nil || !strings.Contains(err.Error(), "trouble of modify a.json") {
		t.Errorf("altered by %q: %v", by, err)
	}
	if did, err := m.ModifyRequest(nil); len(did) != 2 || err != nil {
		t.Errorf("a request: %+v, %v", did, err)
	}
	if err := s.Switch(Spec{Name: "no-quic"}, false); err != nil {
		t.Fatal(err)
	}
	if err := s.SwitchRules("modify b.json", false); err != nil {
		t.Fatal(err)
	}
	if did, _ := s.Modifier().ModifyRequest(nil); len(did) != 1 || did[0].By != "modify a.json" {
		t.Errorf("altered by %+v", did)
	}
	if d := s.Decide(stages["https"]("a.example")); d.By != nil {
		t.Errorf("rules decide: %+v", d)
	}
}

func FuzzWithoutHTTP3(f *testing.F) {
	f.Add(`h3=":443"; ma=86400, h2="x:1"`)
	f.Add(`"`)
	f.Add(`h2="\`)
	f.Fuzz(func(t *testing.T, line string) {
		kept, dropped := withoutHTTP3([]string{line})
		if again, more := withoutHTTP3(kept); more || !slices.Equal(again, kept) {
			t.Errorf("%q leaves %q, which leaves %q", line, kept, again)
		}
		if !dropped && !slices.Equal(kept, []string{line}) {
			t.Errorf("%q is left alone, and is %q", line, kept)
		}
	})
}
