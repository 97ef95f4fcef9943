package resend

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// A world is a recording and the server that its requests go to.
type world struct {
	*testing.T
	server *httptest.Server
	cfg    Config

	mu      sync.Mutex
	seen    []string // requests as they came, dumped
	protos  []string
	results []Result
}

// newWorld starts a server that answers by a handler, and records the flows.
func newWorld(t *testing.T, answer http.HandlerFunc, flows ...*flow.Flow) *world {
	t.Helper()
	w := &world{T: t}
	w.server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		dump, err := httputil.DumpRequest(r, true)
		if err != nil {
			dump = []byte(err.Error())
		}
		w.mu.Lock()
		w.seen, w.protos = append(w.seen, string(dump)), append(w.protos, r.Proto)
		w.mu.Unlock()
		answer(rw, r)
	}))
	w.server.EnableHTTP2 = true
	w.server.StartTLS()
	t.Cleanup(w.server.Close)
	store, err := capture.Create(filepath.Join(t.TempDir(), "x.telltale"), capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	for _, f := range flows {
		f.ID = store.NextID()
		store.Observe(f)
	}
	if err := store.Sync(); err != nil {
		t.Fatal(err)
	}
	against, err := url.Parse(w.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.ParsePattern("api.example")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(w.server.Certificate())
	w.cfg = Config{Store: store, Against: against, Hosts: []policy.Pattern{p}, Methods: []string{"ALL"}, Roots: roots, Timeout: 20 * time.Second,
		Result: func(r Result) { w.results = append(w.results, r) }}
	return w
}

func (w *world) run() Summary {
	w.Helper()
	sum, err := Run(context.Background(), w.cfg)
	if err != nil {
		w.Fatal(err)
	}
	return sum
}

// sent returns everything that reached the server.
func (w *world) sent() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.seen, "\n----\n")
}

func says(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}
}

func jsonBody(s string) flowtest.Option { return flowtest.ResponseBody("application/json", s) }

func TestSameAndDifferentAnswers(t *testing.T) {
	answers := map[string]string{
		"/v2/equal": `{"a":1}`, "/v2/values": `{"a":2,"list":[{"id":9},{"id":10}]}`, "/v2/shape": `{"a":"1","c":true,"d":[{"x":null}]}`,
	}
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		body, ok := answers[r.URL.Path]
		if !ok {
			rw.Header().Set("Cache-Control", "no-store")
			rw.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(rw, body)
	},
		flowtest.Get("https://api.example/equal", jsonBody(`{"a":1}`)),
		flowtest.Get("https://api.example/values", jsonBody(`{"a":1,"list":[{"id":1}]}`)),
		flowtest.Get("https://api.example/shape", jsonBody(`{"a":1,"b":[],"d":[{"x":1}]}`)),
		flowtest.Get("https://api.example/missing", jsonBody(`{"a":1}`), flowtest.ResponseHeader("ETag", `"1"`)),
		flowtest.Get("https://other.example/equal", jsonBody(`{}`)),
	)
	w.cfg.Against.Path = "/v2/"
	if sum := w.run(); sum != (Summary{Same: 2, Differ: 2}) {
		t.Errorf("%+v", sum)
	}
	if len(w.results) != 4 {
		t.Fatalf("%d results", len(w.results))
	}
	if r := w.results[0]; r.Body != BodyEqual || r.Outcome != Same || r.URL != w.server.URL+"/v2/equal" {
		t.Errorf("equal: %+v", r)
	}
	if r := w.results[1]; r.Body != BodySameShape || r.Outcome != Same {
		t.Errorf("values: %+v", r)
	}
	want := []string{"$.a: string, was number", "$.b: gone", "$.c: new, boolean", "$.d[].x: null, was number"}
	if r := w.results[2]; r.Body != BodyDifferent || r.Outcome != Differs || !slices.Equal(r.Paths, want) {
		t.Errorf("shape: %+v", r)
	}
	if r := w.results[3]; !slices.Equal(r.Why[:3], []string{"status 404, was 200", "without etag", "with cache-control"}) {
		t.Errorf("missing: %q", r.Why)
	}
	if !slices.Equal(w.protos, []string{"HTTP/2.0", "HTTP/2.0", "HTTP/2.0", "HTTP/2.0"}) {
		t.Errorf("spoke %v", w.protos)
	}
}

// TestNoCredentialLeaves looks for every secret of the recording in what reached the server.
func TestNoCredentialLeaves(t *testing.T) {
	secrets := []string{
		"bearer-SECRET-01", "cookie-SECRET-02-abcdef", "query-SECRET-03", "form-SECRET-04", "json-SECRET-05", "inner-SECRET-06", "apikey-SECRET-07",
		"user-SECRET-08", "referer-SECRET-09", "issued-SECRET-10-77", "nested-SECRET-11", "c2VjcmV0LVNFQ1JFVA", "proxy-SECRET-12", "custom-SECRET-13", "94117712345", "informjson-SECRET-14", "injsonurl-SECRET-15", "redirect-SECRET-16",
	}
	jwtText := "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + secrets[11]
	w := newWorld(t, says("application/json", `{"ok":true}`),
		flowtest.Post("https://login.example/token", `{}`, jsonBody(`{"access_token":"issued-SECRET-10-77"}`)),
		flowtest.Get("https://u:user-SECRET-08@api.example/a?page=2&access_token=query-SECRET-03&x=%71uery-SECRET-03#frag", jsonBody(`{"ok":true}`), flowtest.Asked("api.example:443"),
			flowtest.Header("Authorization", "Bearer bearer-SECRET-01"), flowtest.Header("Cookie", "sid=cookie-SECRET-02-abcdef; theme=dark"),
			flowtest.Header("X-Api-Key", "apikey-SECRET-07"), flowtest.Header("X-Device-Token", "custom-SECRET-13"), flowtest.Header("Proxy-Authorization", "Basic proxy-SECRET-12"),
			flowtest.Header("Referer", "https://api.example/start?token=referer-SECRET-09&tab=1"), flowtest.Header("X-Trace", jwtText), flowtest.Header("X-Copy", "v=issued-SECRET-10-77")),
		flowtest.Request("POST", "https://api.example/form", flowtest.Header("Content-Type", "application/x-www-form-urlencoded"),
			flowtest.RequestBody("name=Anna&password=form-SECRET-04&again=form-SECRET-04&data=%7B%22password%22%3A%22informjson-SECRET-14%22%2C%22m%22%3A1%7D&to=https%3A%2F%2Fx%2F%3Faccess_token%3Dredirect-SECRET-16%26k%3D1"), jsonBody(`{"ok":true}`)),
		flowtest.Post("https://api.example/json", `{ "name":"Anna", "password" : "json-SECRET-05", "pin": 94117712345, "tokens":{"a":["inner-SECRET-06"]}, "wrapped":"{\"secret\":\"nested-SECRET-11\"}", "copy":"issued-SECRET-10-77","n":1.50, "link":"https://x/?access_token=injsonurl-SECRET-15&k=1" }`, jsonBody(`{"ok":true}`)),
		flowtest.Get("https://api.example/users/issued-SECRET-10-77/x", jsonBody(`{}`)),
		flowtest.Request("POST", "https://api.example/binary", flowtest.RequestBody("\x00\xff issued-SECRET-10-77"), jsonBody(`{}`)),
	)
	w.cfg.Opaque = true
	if sum := w.run(); sum.Sent() != 3 || sum.NotSent != 2 {
		t.Errorf("%+v", sum)
	}
	sent := w.sent()
	for _, secret := range append(secrets, "frag", "SECRET") {
		if strings.Contains(sent, secret) {
			t.Errorf("%q has left:\n%s", secret, sent)
		}
	}
	for _, stays := range []string{"page=2", `{ "name":"Anna", "password" : "", "pin": null, "tokens":{"a":[""]}, "wrapped":"{\"secret\":\"\"}", "copy":"","n":1.50, "link":"https://x/?k=1" }`, "data=%7B%22password%22%3A%22%22%2C%22m%22%3A1%7D", "to=https%3A%2F%2Fx%2F%3Fk%3D1", "name=Anna", "tab=1", flowtest.UserAgent} {
		if !strings.Contains(sent, stays) {
			t.Errorf("%q is not there:\n%s", stays, sent)
		}
	}
	for _, result := range w.results {
		if text := fmt.Sprintf("%+v", result); strings.Contains(text, "SECRET") {
			t.Errorf("a result shows one: %s", text)
		}
	}
	want := []string{"Authorization", "Cookie", "Proxy-Authorization", "X-Api-Key", "X-Copy", "X-Device-Token", "X-Trace", "access_token", "form v", "query x", "token"}
	if got := w.results[0].Without; !slices.Equal(got, want) {
		t.Errorf("sent without %q, want %q", got, want)
	}
}

func TestSecretsOfTheEnvironmentReplace(t *testing.T) {
	w := newWorld(t, says("application/json", `{}`),
		flowtest.Post("https://api.example/x?api_key=recorded1&b=1", `{"password":"recorded2","n":1}`, jsonBody(`{}`),
			flowtest.Header("Authorization", "Bearer recorded3"), flowtest.Header("X-Env", "one")))
	w.cfg.Secrets = map[string]string{"authorization": "new-token", "apiKey": "a&b", "password": `q"uote`}
	w.cfg.Header = []flow.Field{flow.NewField("X-Env", "staging")}
	w.cfg.Strict = true
	if sum := w.run(); sum.Same != 1 {
		t.Errorf("%+v %+v", sum, w.results)
	}
	sent := w.sent()
	for _, want := range []string{"Authorization: Bearer new-token", "api_key=a%26b&b=1", `{"password":"q\"uote","n":1}`, "X-Env: staging"} {
		if !strings.Contains(sent, want) {
			t.Errorf("%s is not there:\n%s", want, sent)
		}
	}
	if shown := fmt.Sprintf("%+v", w.results); strings.Contains(shown, "a%26b") || strings.Contains(shown, "new-token") || !strings.Contains(shown, "api_key=[redacted]&b=1") {
		t.Errorf("a result shows what was given: %s", shown)
	}
	if strings.Contains(sent, "recorded") || strings.Contains(sent, "X-Env: one") || len(w.results[0].Without) > 0 {
		t.Errorf("recorded values left, or without %v:\n%s", w.results[0].Without, sent)
	}
}

func TestWhatIsNotSent(t *testing.T) {
	cut := flowtest.Post("https://api.example/cut", `{"a":`, jsonBody(`{}`))
	cut.Request.Body.Truncated, cut.Request.Body.Size = true, 1000
	masked := flowtest.Get("https://api.example/a?x=[redacted:abcd]&[redacted:ab]")
	w := newWorld(t, says("text/plain", ""),
		flowtest.Request("DELETE", "https://api.example/one"), cut, masked,
		flowtest.WebSocket("wss://api.example/ws", nil), flowtest.Failed("https://api.example/f", flow.FailureDNS),
		flowtest.Get("https://api.example/auth", flowtest.Header("Authorization", "Bearer x")),
		flowtest.Request("POST", "https://api.example/xml", flowtest.RequestBody("<password>a</password>")),
	)
	w.cfg.Methods, w.cfg.Strict = []string{"GET", "POST"}, true
	if sum := w.run(); sum != (Summary{NotSent: 7}) || w.sent() != "" {
		t.Errorf("%+v\n%s", sum, w.sent())
	}
	for i, want := range []string{"DELETE may change", "not recorded whole", "was taken out", "WebSocket", "no whole answer", "not given: Authorization", "cannot be looked into"} {
		if !strings.Contains(w.results[i].Reason, want) {
			t.Errorf("%s: %q", want, w.results[i].Reason)
		}
	}
	w.results, w.cfg.Methods = nil, nil // as it is when nobody says anything
	if w.run(); !strings.Contains(w.results[1].Reason, "POST may change") {
		t.Errorf("POST is sent without being asked for: %+v", w.results[1])
	}
}

// TestNobodyElseIsContacted has a server that sends everybody elsewhere.
func TestNobodyElseIsContacted(t *testing.T) {
	var met []string
	canary := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { met = append(met, r.Host+r.URL.String()) }))
	defer canary.Close()
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Alt-Svc", `h2="`+strings.TrimPrefix(canary.URL, "http://")+`"`)
		rw.Header().Set("Refresh", "0; url="+canary.URL)
		rw.Header().Set("Set-Cookie", "planted=1")
		http.Redirect(rw, r, canary.URL+"/redirected", http.StatusFound)
	},
		flowtest.Get("https://api.example/1", flowtest.Status(200)), flowtest.Get("https://api.example/2", flowtest.Status(200)))
	if sum := w.run(); sum.Differ != 2 {
		t.Errorf("%+v", sum)
	}
	if len(met) > 0 {
		t.Errorf("the canary was contacted: %v", met)
	}
	if strings.Contains(w.sent(), "planted") {
		t.Error("a cookie was kept")
	}
	if host := w.cfg.Against.Host; strings.Count(w.sent(), "Host: "+host) != 2 {
		t.Errorf("not the host of the URL:\n%s", w.sent())
	}
	s := &sending{cfg: w.cfg}       // also where something within asked for it
	if s.transport().Proxy != nil { // that of the environment does not count for loopback, so that no canary could tell
		t.Error("a proxy may be asked")
	}
	if _, err := s.transport().DialContext(context.Background(), "tcp", strings.TrimPrefix(canary.URL, "http://")); err == nil || !strings.Contains(err.Error(), "was not named") {
		t.Errorf("dialled the canary: %v", err)
	}
	if _, err := s.transport().DialContext(context.Background(), "tcp", "canary.invalid:443"); err == nil || !strings.Contains(err.Error(), "was not named") {
		t.Errorf("looked a name up: %v", err)
	}
	w.cfg.KeepHost, w.seen = true, nil
	if w.run(); strings.Count(w.sent(), "Host: api.example") != 2 {
		t.Errorf("not the recorded host:\n%s", w.sent())
	}
}

func packed(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, s)
	z.Close()
	return b.String()
}

func TestContentCodings(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(rw, packed(`{"a":1}`))
	},
		flowtest.Post("https://api.example/z", packed(`{"password":"SECRET-abc","a":1}`), jsonBody(`{"a":1}`), flowtest.Header("Content-Encoding", "gzip")),
		flowtest.Post("https://api.example/z", packed(`{"a":1}`), jsonBody(`{"a":1}`), flowtest.Header("Content-Encoding", "gzip")))
	if sum := w.run(); sum.Same != 2 || w.results[0].Body != BodyEqual {
		t.Errorf("%+v %+v", sum, w.results)
	}
	if first := w.seen[0]; !strings.Contains(first, `{"password":"","a":1}`) || strings.Contains(first, "Content-Encoding") {
		t.Errorf("sent %q", first)
	}
	if second := w.seen[1]; !strings.HasSuffix(second, packed(`{"a":1}`)) || !strings.Contains(second, "Content-Encoding: gzip") {
		t.Errorf("sent %q", second)
	}
}

func TestServersThatMisbehave(t *testing.T) {
	stop := make(chan struct{})
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hang":
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		case "/reset":
			panic(http.ErrAbortHandler)
		case "/large":
			block := bytes.Repeat([]byte("x"), 1<<20)
			for { // without end
				if _, err := rw.Write(block); err != nil {
					return
				}
			}
		}
	},
		flowtest.Get("https://api.example/ok"), flowtest.Get("https://api.example/reset"), flowtest.Get("https://api.example/large"), flowtest.Get("https://api.example/hang"))
	defer close(stop)
	w.cfg.Timeout = 3 * time.Second
	if sum := w.run(); sum.Same != 1 || sum.Failed != 2 || sum.Differ != 1 {
		t.Errorf("%+v %+v", sum, w.results)
	}
	if r := w.results[2]; r.Body != BodyNotCompared || !strings.Contains(r.Note, "16 MiB") {
		t.Errorf("large: %+v", r)
	}
	if r := w.results[3]; r.Reason != "no whole answer within the time" {
		t.Errorf("hang: %+v", r)
	}
}

// TestFirstRequestWithoutAnAnswer has been sent, whatever came of it, and the run goes on.
func TestFirstRequestWithoutAnAnswer(t *testing.T) {
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/reset" {
			panic(http.ErrAbortHandler)
		}
		if r.URL.Path == "/hang" {
			<-r.Context().Done()
		}
	}, flowtest.Post("https://api.example/reset", `{}`), flowtest.Get("https://api.example/ok"))
	if sum := w.run(); sum.Failed != 1 || sum.Same != 1 || sum.Sent() != 2 {
		t.Errorf("%+v %+v", sum, w.results)
	}
	w = newWorld(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, flowtest.Get("https://api.example/hang"))
	w.cfg.Timeout = time.Second
	if sum := w.run(); sum.Failed != 1 || w.results[0].Reason != "no whole answer within the time" {
		t.Errorf("%+v %+v", sum, w.results)
	}
}

func TestUnusualTargets(t *testing.T) {
	var targets []string
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) { targets = append(targets, r.RequestURI) },
		flowtest.Get("https://api.example/empty?"), flowtest.Request("OPTIONS", "https://api.example"), flowtest.Get(`https://api.example/\\evil?a=\\`),
		flowtest.Get("https://api.example//dbl//x"), flowtest.Get("https://api.example/%2F/a%2Fb%20c"), flowtest.Get(`https://api.example//\\x`))
	w.server.Config.DisableGeneralOptionsHandler = true
	w.run()
	want := []string{"/empty?", "*", `/\\evil?a=\\`, "//dbl//x", "/%2F/a%2Fb%20c"}
	if !slices.Equal(targets, want) {
		t.Errorf("asked %q, want %q", targets, want)
	}
	if r := w.results[2]; !strings.HasPrefix(r.URL, w.server.URL+"/") {
		t.Errorf("shown as %s", r.URL)
	}
	if r := w.results[5]; r.Outcome != NotSent || r.Reason != "it is no valid request" {
		t.Errorf("%+v", r)
	}
}

func TestGivenHeadersAndUnusedSecrets(t *testing.T) {
	w := newWorld(t, says("application/json", `{}`), flowtest.Get("https://api.example/x", jsonBody(`{}`), flowtest.Header("Authorization", "Bearer recorded3")))
	w.cfg.Header, w.cfg.Strict = []flow.Field{flow.NewField("authorization", "Bearer mine")}, true
	w.cfg.Secrets = map[string]string{"nosuch": "x", "token": "y"}
	if sum := w.run(); sum.Same != 1 || len(w.results[0].Without) > 0 || !strings.Contains(w.sent(), "Authorization: Bearer mine") || strings.Contains(w.sent(), "recorded3") {
		t.Errorf("%+v %+v\n%s", sum, w.results, w.sent())
	} else if sum.Unused != `"nosuch", "token"` {
		t.Errorf("unused %s", sum.Unused)
	}
}

// TestBomb has an answer that unpacks to more than is read.
func TestBomb(t *testing.T) {
	bomb := packed(strings.Repeat("0", maxAnswer+1))
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(rw, bomb)
	}, flowtest.Get("https://api.example/x"))
	if w.run(); w.results[0].Note != tooLarge || w.results[0].Body != BodyNotCompared {
		t.Errorf("%+v", w.results)
	}
}

func TestUnreachable(t *testing.T) {
	w := newWorld(t, says("text/plain", ""), flowtest.Get("https://api.example/"))
	w.server.Close()
	var unreachable *UnreachableError
	if _, err := Run(context.Background(), w.cfg); !errors.As(err, &unreachable) {
		t.Errorf("error %v", err)
	}
	w = newWorld(t, says("text/plain", ""), flowtest.Get("https://api.example/"))
	w.cfg.Roots = x509.NewCertPool()
	if _, err := Run(context.Background(), w.cfg); !errors.As(err, &unreachable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
	if w.sent() != "" {
		t.Error("it was sent something")
	}
}

func TestEndsWhenAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	w := newWorld(t, says("text/plain", ""), flowtest.Get("https://api.example/1"), flowtest.Get("https://api.example/2"), flowtest.Get("https://api.example/3"))
	w.cfg.Result = func(Result) { cancel() }
	if sum, err := Run(ctx, w.cfg); !errors.Is(err, context.Canceled) || sum.Sent() != 1 {
		t.Errorf("%+v, %v", sum, err)
	}
	w.cfg.Result, w.cfg.Limit = nil, 2
	if sum := w.run(); sum.Sent() != 2 || !sum.Limited {
		t.Errorf("limit: %+v", sum)
	}
	w.cfg.Limit, w.cfg.Where = 0, func(f *flow.Flow) (bool, error) { return f.Path() == "/3", nil }
	if sum := w.run(); sum.Sent() != 1 {
		t.Errorf("where: %+v", sum)
	}
}

func TestPace(t *testing.T) {
	s := &sending{cfg: Config{Pace: Pace{AsRecorded: true}}}
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.wait(ctx, flowtest.Get("https://a/")); err != nil {
		t.Fatal(err)
	}
	if err := s.wait(ctx, flowtest.Get("https://a/")); err != nil { // at the same moment
		t.Fatal(err)
	}
	cancel()
	if err := s.wait(ctx, flowtest.Get("https://a/", flowtest.At(time.Hour))); !errors.Is(err, context.Canceled) {
		t.Errorf("did not wait an hour: %v", err)
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"password":"aSECRETb"}`, `[{"a":{"token":["x",1,null,{"b":"c"}]}}] {}`, `"x"`, `{"a":"{\"pwd\":\"q\"}"}`, `{"pin": 123456}`, "{", `]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := &credentials{given: map[string]string{}, used: map[string]bool{}, values: map[string]bool{}}
		tk := &taking{credentials: c}
		clean, ok := tk.json([]byte(s))
		if !ok {
			return
		}
		if again, ok := tk.json(clean); !ok || string(again) != string(clean) {
			t.Errorf("%q became %q, then %q (%v)", s, clean, again, ok)
		}
		was, isJSON := parseJSON([]byte(s))
		is, still := parseJSON(clean)
		if isJSON != still {
			t.Errorf("%q became %q, no longer JSON", s, clean)
		} else if isJSON && len(shapeDiff(was, was))+len(shapeDiff(is, is)) > 0 {
			t.Errorf("%q differs from itself", s)
		}
	})
}

func FuzzForm(f *testing.F) {
	f.Add("a=1&password=x&b")
	f.Add("%=&token=%zz&;")
	f.Add("a=++++++++++&u=https%3A%2F%2Fx%2F%3Ftoken%3Da%26b%3D%7B%22pwd%22%3A1%7D&j={%22token%22:%22abc%22}")
	f.Fuzz(func(t *testing.T, s string) {
		tk := &taking{credentials: &credentials{given: map[string]string{}, used: map[string]bool{}, values: map[string]bool{}}}
		once := tk.form(s, "form")
		if twice := tk.form(once, "form"); twice != once {
			t.Errorf("%q became %q, then %q", s, once, twice)
		}
	})
}
