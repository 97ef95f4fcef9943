package proxy

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"telltale/flow"
)

// rule is a modifier made of functions.
type rule struct {
	request  func(*http.Request) error
	response func(*http.Response) error
}

func (m rule) ModifyRequest(r *http.Request) ([]Alteration, error) {
	if m.request == nil {
		return nil, nil
	}
	return []Alteration{{"modify a.json", "a.json: the request"}}, m.request(r)
}

func (m rule) ModifyResponse(resp *http.Response) ([]Alteration, error) {
	if m.response == nil {
		return nil, nil
	}
	return []Alteration{{"modify b.json", "b.json: the answer"}}, m.response(resp)
}

func modify(m Modifier) func(*Config) {
	return func(c *Config) { c.Modify = func() Modifier { return m } }
}

// onRequests and onAnswers make rules that cannot fail.
func onRequests(f func(*http.Request)) func(*Config) {
	return modify(rule{request: func(r *http.Request) error { f(r); return nil }})
}

func onAnswers(f func(*http.Response)) func(*Config) {
	return modify(rule{response: func(r *http.Response) error { f(r); return nil }})
}

func inMemory(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }

// saw is what a server was asked.
type saw struct {
	line, host, body string
	header           http.Header
	length           int64
}

func (r *rig) telling(seen chan saw) *url.URL {
	return r.origin(func(w http.ResponseWriter, q *http.Request) {
		b, _ := io.ReadAll(q.Body)
		seen <- saw{q.Method + " " + q.RequestURI, q.Host, string(b), q.Header, q.ContentLength}
		io.WriteString(w, "from "+q.Host)
	})
}

func TestModifiedRequest(t *testing.T) {
	const path = "/a%2fb/x?q=%7e"
	content := strings.Repeat("what the app says. ", 1000)
	size := int64(len(content))
	cases := map[string]struct {
		edit func(*http.Request)
		want saw // header is not compared
		more func(saw) bool
	}{
		"header": {func(r *http.Request) { r.Header.Set("X-Test", "1"); r.Header.Del("X-App") }, saw{"POST " + path, "", content, nil, size},
			func(s saw) bool { return s.header.Get("X-Test") == "1" && s.header["X-App"] == nil }},
		"header that cannot be sent": {func(r *http.Request) {
			r.Header.Set("X-Test", "1\r\nX-Bad: 2")
			r.Header["Transfer-Encoding"] = []string{"x"}
		}, saw{"POST " + path, "", content, nil, size},
			func(s saw) bool { return s.header["X-Test"] == nil && s.header["X-Bad"] == nil }},
		"method":                       {func(r *http.Request) { r.Method = "PUT" }, saw{"PUT " + path, "", content, nil, size}, nil},
		"no method":                    {func(r *http.Request) { r.Method = "A B" }, saw{"POST " + path, "", content, nil, size}, nil},
		"query":                        {func(r *http.Request) { r.URL.RawQuery = "q=2" }, saw{"POST /a%2fb/x?q=2", "", content, nil, size}, nil},
		"bad query":                    {func(r *http.Request) { r.URL.RawQuery = "q=2 HTTP/1.1\r\nX: y" }, saw{"POST " + path, "", content, nil, size}, nil},
		"path":                         {func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/new path", "" }, saw{"POST /new%20path?q=%7e", "", content, nil, size}, nil},
		"path of a name":               {func(r *http.Request) { r.URL.Path, r.URL.RawPath = "new", "" }, saw{"POST /new?q=%7e", "", content, nil, size}, nil},
		"Host":                         {func(r *http.Request) { r.Host = "other.test" }, saw{"POST " + path, "other.test", content, nil, size}, nil},
		"scheme":                       {func(r *http.Request) { r.URL.Scheme = "gopher" }, saw{"POST " + path, "", content, nil, size}, nil},
		"content":                      {func(r *http.Request) { r.Body.Close(); r.Body, r.ContentLength = inMemory("new"), 3 }, saw{"POST " + path, "", "new", nil, 3}, nil},
		"content, its length not said": {func(r *http.Request) { r.Body = inMemory("new") }, saw{"POST " + path, "", "new", nil, 3}, nil},
		"much content": {func(r *http.Request) {
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader(content), strings.NewReader(content)))
		}, saw{"POST " + path, "", content + content, nil, -1}, nil},
		"no content":                         {func(r *http.Request) { r.Body, r.ContentLength = nil, 0 }, saw{"POST " + path, "", "", nil, 0}, nil},
		"content that is made of the app's":  {func(r *http.Request) { r.Body = io.NopCloser(io.MultiReader(strings.NewReader("> "), r.Body)) }, saw{"POST " + path, "", "> " + content, nil, -1}, nil},
		"content that was read":              {func(r *http.Request) { io.ReadAll(r.Body); r.Body.Close() }, saw{"POST " + path, "", content, nil, size}, nil},
		"content that was read in part":      {func(r *http.Request) { io.ReadFull(r.Body, make([]byte, 100)) }, saw{"POST " + path, "", content, nil, size}, nil},
		"content that was read and put back": {func(r *http.Request) { b, _ := io.ReadAll(r.Body); r.Body = io.NopCloser(bytes.NewReader(b)) }, saw{"POST " + path, "", content, nil, -1}, nil},
		"a false length":                     {func(r *http.Request) { r.ContentLength = 5; r.Header.Set("Content-Length", "5") }, saw{"POST " + path, "", content, nil, size}, nil},
		"a panic": {func(r *http.Request) {
			r.Header.Set("X-Test", "1")
			r.Body.Read(make([]byte, 10))
			panic("broken rule")
		}, saw{"POST " + path, "", content, nil, size}, func(s saw) bool { return s.header.Get("X-Test") == "1" }},
	}
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				r := newRig(t, quiet, onRequests(c.edit))
				seen := make(chan saw, 1)
				u := r.telling(seen)
				q := request(t, "POST", u.String()+path, strings.NewReader(content))
				q.Header.Set("X-App", "yes")
				resp, _ := fetch(t, r.client(proto), q)
				equal(t, "status", resp.StatusCode, 200)
				got := <-seen
				want := c.want
				if want.host == "" {
					want.host = u.Host
				}
				want.header = got.header
				equal(t, "the server saw", got, want)
				if c.more != nil && !c.more(got) {
					t.Errorf("header %v", got.header)
				}
				f := r.one()
				equal(t, "recorded", f.Request.Method+" "+f.URL(), "POST "+u.String()+path)
				equal(t, "recorded content", fmt.Sprint(f.Request.Body.Size, string(f.Request.Body.Content) == content), fmt.Sprint(size, true))
				equal(t, "X-App", flow.Get(f.Request.Header, "x-app"), "yes")
				altered, by := "[a.json: the request]", "[modify a.json]"
				if name == "a panic" {
					altered, by = fmt.Sprint(f.Altered), "[modify]"
				}
				equal(t, "altered", fmt.Sprint(f.Altered, f.Experiments), altered+" "+by)
				equal(t, "outcome", f.Outcome, flow.Completed)
			})
		}
	})
}

// A request without content may be given some.
func TestModifierAddsContent(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		r := newRig(t, onRequests(func(r *http.Request) { r.Method, r.Body, r.ContentLength = "POST", inMemory("new"), 3 }))
		seen := make(chan saw, 1)
		u := r.telling(seen)
		fetch(t, r.client(proto), request(t, "GET", u.String()+"/x", nil))
		if got := <-seen; got.line != "POST /x" || got.body != "new" || got.length != 3 {
			t.Errorf("the server saw %+v", got)
		}
		if f := r.one(); f.Request.Method != "GET" || f.Request.Body.Size != 0 {
			t.Errorf("recorded %s with %d bytes", f.Request.Method, f.Request.Body.Size)
		}
	})
}

// A request goes where its URL leads; the flow says both where it was meant to go and
// where it went.
func TestModifierLeadsElsewhere(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		var to url.URL
		r := newRig(t, onRequests(func(r *http.Request) { r.URL.Scheme, r.URL.Host = to.Scheme, to.Host }))
		var reached atomic.Int32
		asked := r.origin(func(http.ResponseWriter, *http.Request) { reached.Add(1) })
		secure := make(chan saw, 1)
		plain := r.plainOrigin(func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, q.Proto+" plain "+q.Host+q.URL.Path) })
		for i, at := range []*url.URL{r.telling(secure), plain} {
			to = *at
			_, body := fetch(t, r.client(proto), request(t, "GET", asked.String()+"/x", nil))
			want := "from " + to.Host
			if to.Scheme == "http" {
				want = "HTTP/1.1 plain " + to.Host + "/x"
			}
			equal(t, "answer", body, want)
			f := r.ending(i + 1)[i]
			equal(t, "asked", f.Server.Asked+" "+f.URL(), asked.Host+" "+asked.String()+"/x")
			equal(t, "dialled", f.Server.Dialed, to.Host)
			equal(t, "altered", f.Altered, "[a.json: the request sent to "+to.String()+" in the place of "+asked.String()+"]")
		}
		equal(t, "reached", reached.Load(), 0)
	})
}

// A server that was dialled before the device was answered is not used for a request that
// is led elsewhere.
func TestModifierLeadsAnArrivalElsewhere(t *testing.T) {
	var to string
	r := newRig(t, onRequests(func(r *http.Request) { r.URL.Host = to }))
	asked := r.plainOrigin(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "asked") })
	to = r.plainOrigin(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "elsewhere") }).Host
	theirs, ours := net.Pipe()
	var arriving sync.WaitGroup
	arriving.Go(func() {
		r.proxy.Arrive(Arrival{
			Way: &Way{Mode: modeWireGuard}, Client: netip.MustParseAddrPort("10.70.0.2:5000"), Destination: netip.MustParseAddrPort(asked.Host),
			Accept: func() (net.Conn, error) { return ours, nil },
		})
	})
	fmt.Fprintf(theirs, "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(theirs), nil)
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	equal(t, "answer", string(body), "elsewhere")
	theirs.Close()
	arriving.Wait()
	f := r.one()
	equal(t, "server", []any{f.Server.Asked, f.Server.Destination, f.Server.Dialed}, []any{asked.Host, asked.Host, to})
}

// The guard of the dialer looks at where a request is led.
func TestModifierIsGuarded(t *testing.T) {
	r := newRig(t, onRequests(func(r *http.Request) { r.URL.Host = "169.254.169.254" }))
	u := r.plainOrigin(func(http.ResponseWriter, *http.Request) {})
	resp, _ := fetch(t, r.client(), request(t, "GET", u.String(), nil))
	equal(t, "status", resp.StatusCode, 403)
	f := r.one()
	equal(t, "flow", fmt.Sprint(f.Outcome, " ", f.Experiments), "destination-denied [modify a.json]")
}

func zipped(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, s)
	w.Close()
	return b.Bytes()
}

// passed is what a client gets of an answer.
type passed struct {
	status   int
	body     string
	length   string // Content-Length
	encoding string
}

func TestModifiedAnswer(t *testing.T) {
	long := strings.Repeat("0123456789", 2000)
	cases := map[string]struct {
		method, path string
		edit         func(*http.Response)
		want         passed
	}{
		"header":               {"GET", "/", func(r *http.Response) { r.Header.Set("X-Test", "1") }, passed{200, "hello", "5", ""}},
		"status":               {"GET", "/", func(r *http.Response) { r.StatusCode = 503 }, passed{503, "hello", "5", ""}},
		"no status":            {"GET", "/", func(r *http.Response) { r.StatusCode = 101 }, passed{200, "hello", "5", ""}},
		"to 204":               {"GET", "/", func(r *http.Response) { r.StatusCode = 204 }, passed{204, "", "", ""}},
		"to 304":               {"GET", "/", func(r *http.Response) { r.StatusCode = 304 }, passed{304, "", "", ""}},
		"to 204, replaced":     {"GET", "/", func(r *http.Response) { r.StatusCode, r.Body = 204, inMemory("x") }, passed{204, "", "", ""}},
		"of 204":               {"GET", "/none", func(r *http.Response) { r.StatusCode, r.Body, r.ContentLength = 200, inMemory("new"), 3 }, passed{200, "new", "3", ""}},
		"of 204, none":         {"GET", "/none", func(r *http.Response) { r.StatusCode = 200 }, passed{200, "", "0", ""}},
		"of 304":               {"GET", "/same", func(r *http.Response) { r.StatusCode = 200 }, passed{200, "", "0", ""}},
		"still 304":            {"GET", "/same", func(r *http.Response) { r.Header.Set("X-Test", "1") }, passed{304, "", "?", ""}},
		"content":              {"GET", "/", func(r *http.Response) { r.Body.Close(); r.Body, r.ContentLength = inMemory("new"), 3 }, passed{200, "new", "3", ""}},
		"its length not said":  {"GET", "/", func(r *http.Response) { r.Body = inMemory("longer") }, passed{200, "longer", "6", ""}},
		"long":                 {"GET", "/", func(r *http.Response) { r.Body = inMemory(long) }, passed{200, long, "", ""}},
		"none":                 {"GET", "/", func(r *http.Response) { r.Body = http.NoBody }, passed{200, "", "0", ""}},
		"of a stream":          {"GET", "/stream", func(r *http.Response) { r.Body, r.ContentLength = inMemory("new"), 3 }, passed{200, "new", "3", ""}},
		"made of it":           {"GET", "/", func(r *http.Response) { r.Body = io.NopCloser(io.MultiReader(strings.NewReader("> "), r.Body)) }, passed{200, "> hello", "?", ""}},
		"compressed, replaced": {"GET", "/zip", func(r *http.Response) { r.Body, r.ContentLength = inMemory("new"), 3 }, passed{200, "new", "3", ""}},
		"compressed, made of it": {"GET", "/zip", func(r *http.Response) {
			z, _ := gzip.NewReader(r.Body)
			b, _ := io.ReadAll(z)
			b = zipped(strings.ToUpper(string(b)))
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		}, passed{200, string(zipped("HELLO")), fmt.Sprint(len(zipped("HELLO"))), "gzip"}},
		"read":            {"GET", "/", func(r *http.Response) { io.ReadAll(r.Body); r.Body.Close() }, passed{200, "hello", "5", ""}},
		"read in part":    {"GET", "/stream", func(r *http.Response) { r.Body.Read(make([]byte, 2)) }, passed{200, "hello", "", ""}},
		"a false length":  {"GET", "/", func(r *http.Response) { r.ContentLength = 2; r.Header.Set("Content-Length", "2") }, passed{200, "hello", "5", ""}},
		"HEAD":            {"HEAD", "/", func(r *http.Response) { r.Header.Set("X-Test", "1") }, passed{200, "", "5", ""}},
		"HEAD, replaced":  {"HEAD", "/", func(r *http.Response) { r.Body, r.ContentLength = inMemory("new"), 3 }, passed{200, "", "3", ""}},
		"HEAD, no status": {"HEAD", "/", func(r *http.Response) { r.StatusCode = 404 }, passed{404, "", "5", ""}},
		"no header":       {"GET", "/", func(r *http.Response) { r.Header = nil }, passed{200, "hello", "5", ""}},
		"a panic":         {"GET", "/", func(r *http.Response) { r.Header.Set("X-Test", "1"); panic("broken rule") }, passed{200, "hello", "5", ""}},
	}
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				r := newRig(t, quiet, onAnswers(c.edit))
				u := r.origin(answers)
				resp, body := fetch(t, r.client(proto), request(t, c.method, u.String()+c.path, nil))
				length := resp.Header.Get("Content-Length")
				switch c.want.length {
				case "0":
					length = map[int]string{1: length, 2: "0"}[resp.ProtoMajor] // HTTP/2 has no need to say so
				case "?":
					c.want.length = length // it depends on how the content comes
				}
				equal(t, "the client got", passed{resp.StatusCode, body, length, resp.Header.Get("Content-Encoding")}, c.want)
				f := r.one()
				equal(t, "recorded", fmt.Sprint(f.Status(), " ", f.Response.Body.Size, " ", string(f.Response.Body.Content) == body, " ", f.Outcome),
					fmt.Sprint(c.want.status, " ", len(body), " true completed"))
				equal(t, "recorded encoding", flow.Get(f.Response.Header, "Content-Encoding"), c.want.encoding)
				if recorded := flow.Get(f.Response.Header, "Content-Length"); c.want.length != "0" && recorded != c.want.length {
					t.Errorf("recorded length %q, the client got %q", recorded, c.want.length)
				}
				if want := "[modify b.json]"; name != "a panic" && fmt.Sprint(f.Experiments) != want || len(f.Altered) != 1 {
					t.Errorf("altered %q by %q", f.Altered, f.Experiments)
				}
			})
		}
	})
}

// An answer without content may say how much it would have, and end later than its head.
func TestNotModifiedThatEndsLate(t *testing.T) {
	r := newRig(t)
	u := r.origin(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["content-length"] = []string{"77"}
		w.WriteHeader(http.StatusNotModified)
	})
	resp, err := r.client().Get(u.String())
	must(t, err)
	resp.Body.Close() // net/http's client of HTTP/2 takes it for content that is missing
	f := r.one()
	equal(t, "flow", fmt.Sprint(f.Status(), " ", f.Outcome, " ", flow.Get(f.Response.Header, "content-length")), "304 completed 77")
}

// answers is a server with answers of each kind.
func answers(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/none":
		w.WriteHeader(http.StatusNoContent)
	case "/same":
		if r.ProtoMajor == 1 { // see TestNotModifiedThatEndsLate
			w.Header()["content-length"] = []string{"77"}
		}
		w.WriteHeader(http.StatusNotModified)
	case "/stream":
		io.WriteString(w, "hel")
		w.(http.Flusher).Flush()
		io.WriteString(w, "lo")
	case "/zip":
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(zipped("hello"))
	default:
		io.WriteString(w, "hello")
	}
}

// A method that is altered decides what content there is on each side.
func TestModifiedMethodHEAD(t *testing.T) {
	for _, c := range []struct{ asked, sent, body string }{{"GET", "HEAD", ""}, {"HEAD", "GET", ""}} {
		r := newRig(t, onRequests(func(r *http.Request) { r.Method = c.sent }))
		u := r.origin(answers)
		resp, body := fetch(t, r.client(), request(t, c.asked, u.String(), nil))
		equal(t, c.asked, fmt.Sprint(resp.StatusCode, body), "200"+c.body)
		equal(t, "outcome", r.one().Outcome, flow.Completed)
	}
}

// What cannot be applied is told in the log, and named in the flow.
func TestModifierThatFails(t *testing.T) {
	logged := new(capturedLog)
	r := newRig(t, modify(rule{
		request:  func(r *http.Request) error { r.Header.Set("X-Test", "1"); return errors.New("the first trouble") },
		response: func(r *http.Response) error { panic("the second trouble") },
	}), func(c *Config) { c.Log = logged.logger() })
	u := r.origin(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("X-Test")) })
	resp, body := fetch(t, r.client(), request(t, "GET", u.String(), nil))
	equal(t, "answer", fmt.Sprint(resp.StatusCode, body), "2001")
	lines := strings.Join(logged.all(), "")
	if !strings.Contains(lines, "the first trouble") || !strings.Contains(lines, "the second trouble") {
		t.Errorf("logged %s", lines)
	}
	f := r.one()
	if fmt.Sprint(f.Experiments) != "[modify modify a.json]" || len(f.Altered) != 2 || !strings.Contains(f.Altered[1], "the second trouble") {
		t.Errorf("altered %q by %q", f.Altered, f.Experiments)
	}
}

// The modifier is asked once for each request; nothing of ours is shown to it, and none
// leaves no mark.
func TestModifierIsAskedOnce(t *testing.T) {
	var asked, requests, answered atomic.Int32
	var m atomic.Pointer[rule]
	r := newRig(t, func(c *Config) {
		c.Modify = func() Modifier {
			asked.Add(1)
			if m := m.Load(); m != nil {
				return *m
			}
			return nil
		}
		c.Admit = func(f *flow.Flow) Decision {
			if f.Request != nil && f.Path() == "/refused" {
				return Decision{Admission: Block}
			}
			return Decision{}
		}
	})
	u := r.origin(answers)
	c := r.client()
	fetch(t, c, request(t, "GET", u.String(), nil))
	equal(t, "asked", asked.Load(), 1)
	m.Store(&rule{func(*http.Request) error { requests.Add(1); return nil }, func(resp *http.Response) error {
		answered.Add(1)
		if resp.Request == nil || resp.Request.URL.Host != u.Host || resp.Request.URL.Path != "/%a" {
			t.Errorf("the answer's request: %+v", resp.Request)
		}
		return nil
	}})
	fetch(t, c, request(t, "GET", u.String()+"/%25a", nil))
	fetch(t, c, request(t, "GET", u.String()+"/refused", nil))
	equal(t, "asked, seen, answered", fmt.Sprint(asked.Load(), requests.Load(), answered.Load()), "2 1 1")
	for i, want := range []string{"[] []", "[a.json: the request b.json: the answer] [modify a.json modify b.json]"} {
		f := r.ending(3)[i]
		equal(t, "altered", fmt.Sprint(f.Altered, f.Experiments), want)
	}
}

// Where a server cannot be reached, the page is ours.
func TestModifierOfAnUnreachedServer(t *testing.T) {
	r := newRig(t, onAnswers(func(*http.Response) { t.Error("a page of ours was shown") }))
	resp, _ := fetch(t, r.client(), request(t, "GET", "http://127.0.0.1:1/", nil))
	equal(t, "status", resp.StatusCode, 502)
	if f := r.one(); len(f.Altered)+len(f.Experiments) > 0 {
		t.Errorf("altered %q", f.Altered)
	}
}

// An upgrade is altered in its request and in the header of its answer.
func TestModifiedUpgrade(t *testing.T) {
	r := newRig(t, quiet, modify(rule{
		func(r *http.Request) error { r.Header.Set("X-Asked", "1"); return nil },
		func(r *http.Response) error {
			r.Header.Set("X-Answered", "2")
			r.StatusCode, r.Body = 200, inMemory("x")
			return nil
		},
	}))
	target := r.listener(echoUpgrade)
	c := r.tunnel(target)
	c.say("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n")
	resp, err := http.ReadResponse(c.br, nil)
	must(t, err)
	equal(t, "answer", fmt.Sprint(resp.StatusCode, resp.Header.Get("X-Answered"), resp.Header.Get("X-Saw")), "10121")
	c.say("hello")
	b := make([]byte, 5)
	_, err = io.ReadFull(c.br, b)
	must(t, err)
	equal(t, "relayed", string(b), "hello")
	c.Close()
	if f := r.one(); fmt.Sprint(f.Experiments) != "[modify a.json modify b.json]" || flow.Get(f.Response.Header, "X-Answered") != "2" {
		t.Errorf("%+v", f)
	}
}

// HTTP/3 is no exception.
func TestModifierOverHTTP3(t *testing.T) {
	r := h3Rig(t, func(w http.ResponseWriter, q *http.Request) {
		b, _ := io.ReadAll(q.Body)
		io.WriteString(w, q.URL.Path+" "+string(b))
	}, modify(rule{
		func(r *http.Request) error { r.URL.Path, r.Body = "/new", inMemory("instead"); return nil },
		func(r *http.Response) error {
			b, err := io.ReadAll(r.Body)
			r.Body, r.StatusCode = inMemory(strings.ToUpper(string(b))), 418
			return err
		},
	}))
	c := r.quicClient(5000)
	resp, body := fetch(t, c.Client, request(t, "POST", "https://h3.example.test/old", strings.NewReader("app")))
	equal(t, "answer", fmt.Sprint(resp.StatusCode, body), "418/NEW INSTEAD")
	c.stop()
	r.shutdown()
	f := r.one()
	equal(t, "recorded", fmt.Sprint(f.Path(), " ", string(f.Request.Body.Content), " ", f.Status(), " ", string(f.Response.Body.Content)), "/old app 418 /NEW INSTEAD")
}

// echoUpgrade agrees to any upgrade, and sends back what it is sent.
func echoUpgrade(c net.Conn) {
	br := bufio.NewReader(c)
	q, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\nX-Saw: %s\r\n\r\n", q.Header.Get("X-Asked"))
	io.Copy(c, br)
}
