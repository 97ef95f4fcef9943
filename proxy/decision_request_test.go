package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"telltale/flow"
)

// atRequest makes a decision about requests alone.
func atRequest(d Decision) func(*Config) {
	return func(c *Config) {
		c.Admit = func(f *flow.Flow) Decision {
			if f.Kind == flow.HTTP {
				return d
			}
			return Decision{}
		}
	}
}

// allProtos runs a test with clients of three versions of HTTP, each of which asks for
// https://h3.example.test/.
func allProtos(t *testing.T, h http.HandlerFunc, edit func(*Config), test func(t *testing.T, r *rig, c *http.Client)) {
	for _, name := range []string{"h1", "h2", "h3"} {
		t.Run(name, func(t *testing.T) {
			r := h3Rig(t, h, edit)
			if name == "h3" {
				c := r.quicClient(5000)
				test(t, r, c.Client)
				c.stop()
				return
			}
			r.proxy.cfg.Resolve = append(r.proxy.cfg.Resolve, Resolve{Host: "h3.example.test", Port: "443",
				Addr: r.proxy.cfg.Resolve[0].Addr, ToPort: r.proxy.cfg.Resolve[0].ToPort})
			c := r.client(map[string]func(*http.Transport){"h1": onlyH1, "h2": exact}[name])
			test(t, r, c)
			c.CloseIdleConnections()
		})
	}
}

const h3URL = "https://h3.example.test/path"

func untouchedHandler(t *testing.T) http.HandlerFunc {
	return func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") }
}

// An answer in the place of the server looks like one of a server, in all versions of HTTP,
// and what was asked is recorded whole.
func TestRequestAnswered(t *testing.T) {
	d := simulated(Answered)
	allProtos(t, untouchedHandler(t), decides(d), func(t *testing.T, r *rig, c *http.Client) {
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for _, method := range []string{"GET", "HEAD", "POST"} {
			var body io.Reader
			if method == "POST" {
				body = strings.NewReader("secret")
			}
			resp, got := fetch(t, c, request(t, method, h3URL, body))
			want := "sign in"
			if method == "HEAD" {
				want = ""
			}
			if resp.StatusCode != 302 || got != want || resp.ContentLength != 7 || resp.Header.Get("Location") != "http://portal.test/" || resp.Header.Get("Date") == "" {
				t.Errorf("%s: %d %q of %d bytes, %v", method, resp.StatusCode, got, resp.ContentLength, resp.Header)
			}
			for name := range resp.Header {
				if strings.Contains(strings.ToLower(name), "telltale") {
					t.Errorf("the app sees %s", name)
				}
			}
		}
		flows := r.ending(3)
		for i, f := range flows {
			decided(t, f, d, "redirected to the sign-in page")
			wantSize := map[int]int64{0: 7, 1: 0, 2: 7}[i]
			if f.Status() != 302 || f.Response.Body.Size != wantSize || f.Response.Proto != f.Request.Proto {
				t.Errorf("%s: %+v", f.Request.Method, f.Response)
			}
		}
		equal(t, "sent", string(flows[2].Request.Body.Content), "secret")
	})
}

// What answers gets the content of the request, also what is beyond the part that is kept.
func TestAnswerByContent(t *testing.T) {
	d := simulated(Answered)
	byContent := func(c *Config) {
		c.BodyLimit = 8
		c.Admit = func(*flow.Flow) Decision {
			content, d := new(bytes.Buffer), d
			d.Content = content
			d.Answer = func(*http.Request) (*http.Response, string) {
				return &http.Response{StatusCode: 200, Body: io.NopCloser(content)}, ""
			}
			return d
		}
	}
	allProtos(t, untouchedHandler(t), byContent, func(t *testing.T, r *rig, c *http.Client) {
		for _, want := range []string{"two", "one", strings.Repeat("long", 20<<10), ""} {
			resp, got := fetch(t, c, request(t, "POST", h3URL, strings.NewReader(want)))
			if resp.StatusCode != 200 || got != want {
				t.Errorf("%d, %d bytes of %d", resp.StatusCode, len(got), len(want))
			}
		}
		r.ending(4)
	})
}

// A request that is hung is taken whole, and its client goes away or the audit ends.
func TestRequestHung(t *testing.T) {
	d := simulated(Silent)
	allProtos(t, untouchedHandler(t), atRequest(d), func(t *testing.T, r *rig, c *http.Client) {
		for i, end := range []string{"client", "audit"} {
			req := request(t, "POST", h3URL, strings.NewReader("secret"))
			var wg sync.WaitGroup
			gone := make(chan struct{})
			if end == "client" {
				ctx, cancel := context.WithCancel(t.Context())
				req = req.WithContext(ctx)
				go func() { <-gone; cancel() }()
			}
			wg.Go(func() {
				if resp, err := c.Do(req); err == nil {
					t.Errorf("answered %d", resp.StatusCode)
					resp.Body.Close()
				}
			})
			r.wait("the request to hang", func(flows []*flow.Flow) bool {
				return len(flows) == i+1 && !flows[i].Ended() && len(flows[i].Altered) > 0
			})
			if close(gone); end == "audit" {
				r.shutdown()
			}
			wg.Wait()
		}
		for _, f := range r.ending(2) {
			decided(t, f, d, "never answered the request")
			if string(f.Request.Body.Content) != "secret" || f.Response != nil {
				t.Errorf("%q, %+v", f.Request.Body.Content, f.Response)
			}
		}
	})
}

// Who waits for leave to send hears nothing, and is recorded where it sends for all that.
func TestHungSaysNothing(t *testing.T) {
	d := simulated(Silent)
	r := newRig(t, atRequest(d))
	c := r.dial()
	c.say("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	heard := make(chan string)
	go func() {
		b, _ := io.ReadAll(c)
		heard <- string(b)
	}()
	c.say("hello")
	r.hung("never answered")
	r.shutdown()
	equal(t, "heard", <-heard, "")
	f := r.one()
	decided(t, f, d, "never answered the request")
	equal(t, "sent", string(f.Request.Body.Content), "hello")
}

// A request that is reset has no answer, and its client a broken connection or stream.
func TestRequestReset(t *testing.T) {
	d := simulated(Reset)
	allProtos(t, untouchedHandler(t), atRequest(d), func(t *testing.T, r *rig, c *http.Client) {
		resp, err := c.Do(request(t, "POST", h3URL, strings.NewReader("secret")))
		if err == nil {
			resp.Body.Close()
			t.Fatalf("answered %d", resp.StatusCode)
		}
		if strings.HasSuffix(t.Name(), "h1") && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v, want a reset", err)
		}
		for _, f := range r.all() { // a client of HTTP/2 may have tried again
			r.wait("its end", func([]*flow.Flow) bool { return f.Ended() })
			decided(t, f, d, "reset the connection")
		}
	})
}

// Over HTTP/2 only the stream of the request is reset.
func TestResetLeavesTheOtherStreams(t *testing.T) {
	release := make(chan struct{})
	d := simulated(Reset)
	r := newRig(t, func(c *Config) {
		c.Admit = func(f *flow.Flow) Decision {
			if f.Kind == flow.HTTP && f.Path() == "/reset" {
				return d
			}
			return Decision{}
		}
	})
	u := r.origin(func(w http.ResponseWriter, _ *http.Request) { <-release; io.WriteString(w, "fine") })
	c := r.client(exact)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, body := fetch(t, c, request(t, "GET", u.String()+"/other", nil)); body != "fine" {
			t.Errorf("the other stream: %q", body)
		}
	})
	r.wait("the other request", func(flows []*flow.Flow) bool { return len(flows) == 1 })
	if resp, err := c.Do(request(t, "POST", u.String()+"/reset", strings.NewReader("x"))); err == nil {
		resp.Body.Close()
		t.Errorf("answered %d", resp.StatusCode)
	}
	close(release)
	wg.Wait()
	flows := r.ending(2)
	decided(t, flows[1], d, "reset the connection")
	equal(t, "the other", fmt.Sprint(flows[0].Outcome, flows[0].Experiments), "completed[]")
}

// A request to the proxy itself, with a whole URL, meets each form.
func TestWholeURLRefused(t *testing.T) {
	for form, status := range map[Refusal]int{Refused: 403, Unresolved: 502, Answered: 302} {
		d := simulated(form)
		r := nameless(t, decides(d))
		c := r.dial()
		c.say("GET http://ads.test/x HTTP/1.1\r\nHost: ads.test\r\nConnection: close\r\n\r\n")
		resp, body := c.answer()
		if resp.StatusCode != status || form == Unresolved && !strings.Contains(body, "the name ads.test could not be found") {
			t.Errorf("%q: %d %q", form, resp.StatusCode, body)
		}
		f := r.one()
		decided(t, f, d, map[Refusal]string{Refused: "answered 403", Unresolved: "answered 502", Answered: "redirected"}[form])
	}
	r := nameless(t, decides(simulated(Reset)))
	c := r.dial()
	c.say("GET http://ads.test/x HTTP/1.1\r\nHost: ads.test\r\n\r\n")
	c.wasReset()
	decided(t, r.one(), simulated(Reset), "reset the connection")
}

// A name that is not to exist can be shown where the client has not found it yet, and not
// on an open connection.
func TestUnresolvedOnAnOpenConnection(t *testing.T) {
	d := simulated(Unresolved)
	r := nameless(t, atRequest(d))
	c := r.tunnel("ads.test:80")
	c.say("GET / HTTP/1.1\r\nHost: ads.test\r\nConnection: close\r\n\r\n")
	equal(t, "status", c.status(), 403)
	decided(t, r.one(), d, "answered 403")
}

// An answer is cut off after so many bytes, in all versions of HTTP, whether its length was
// said or not; a shorter one is left alone.
func TestAnswerCutOff(t *testing.T) {
	const most = 1000
	d := Decision{Cut: most, CutBy: []string{"flaky"}, Why: "the network breaks"}
	server := func(w http.ResponseWriter, r *http.Request) {
		content := bytes.Repeat([]byte("x"), 100<<10)
		switch r.URL.Path {
		case "/short":
			content = content[:most]
		case "/stream":
			w.(http.Flusher).Flush()
		}
		w.Write(content)
	}
	allProtos(t, server, atRequest(d), func(t *testing.T, r *rig, c *http.Client) {
		for _, path := range []string{"/known", "/stream", "/short"} {
			resp, err := c.Get("https://h3.example.test" + path)
			must(t, err)
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			short := path == "/short"
			// Over HTTP/1 all that was sent arrives; the reset of a stream may overtake some of it.
			whole := short || strings.HasSuffix(t.Name(), "/h1")
			if (err == nil) != short || len(got) > most || whole && len(got) != most {
				t.Errorf("%s: %d bytes, %v", path, len(got), err)
			}
		}
		for _, f := range r.ending(3) {
			if f.Path() == "/short" {
				equal(t, "short", fmt.Sprint(f.Outcome, f.Experiments, f.Altered, f.Response.Body.Size), "completed[] [] 1000")
				continue
			}
			equal(t, f.Path(), fmt.Sprint(f.Outcome, f.Error, f.Experiments, f.Altered, f.Response.Body.Size, len(f.Response.Body.Content)),
				"simulatedthe network breaks[flaky] [cut the answer off after 1000 bytes: the network breaks] 1000 1000")
		}
	})
}

// Who cuts an answer off need not be who does something else to it.
func TestCutOffAddsUp(t *testing.T) {
	for cut, want := range map[int64]string{
		10: "[flaky slow edge] [passed over a slow link cut the answer off after 10 bytes]", 1000: "[slow edge] [passed over a slow link]",
	} {
		r := newRig(t, atRequest(Decision{By: []string{"slow edge"}, What: "passed over a slow link", Cut: cut, CutBy: []string{"flaky"}}))
		u := r.plainOrigin(func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 100)) })
		resp, err := r.client().Get(u.String())
		must(t, err)
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		f := r.one()
		equal(t, "marks", fmt.Sprint(f.Experiments, f.Altered), want)
	}
}

// Answers that their makers left half made are completed, and those that are none are not
// given.
func TestAnswersCompleted(t *testing.T) {
	long := strings.Repeat("x", measured)
	for name, tc := range map[string]struct {
		resp   *http.Response
		status int
		body   string
		length int64
	}{
		"nothing but a status": {&http.Response{StatusCode: 503}, 503, "", 0},
		"no content":           {&http.Response{StatusCode: 204, Body: io.NopCloser(strings.NewReader("more"))}, 204, "", 0},
		"of a known length":    {&http.Response{StatusCode: 200, ContentLength: 2, Body: io.NopCloser(strings.NewReader("ab"))}, 200, "ab", 2},
		"long":                 {&http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(long))}, 200, long, -1},
		"broken":               {&http.Response{StatusCode: 200, Body: io.NopCloser(io.MultiReader(strings.NewReader("ab"), failing{errors.New("broken")}))}, 200, "ab", -1},
		"none":                 {nil, 403, "telltale: an experiment refuses ads.test:80: no network\n", 56},
		"not one":              {&http.Response{StatusCode: 99}, 403, "telltale: an experiment refuses ads.test:80: no network\n", 56},
	} {
		t.Run(name, func(t *testing.T) {
			d := simulated(Answered)
			d.Answer = func(*http.Request) (*http.Response, string) { return tc.resp, "" }
			r := nameless(t, decides(d), quiet)
			c := r.tunnel("ads.test:80")
			c.say("GET / HTTP/1.1\r\nHost: ads.test\r\n\r\n")
			resp, err := http.ReadResponse(c.br, request(t, "GET", "http://ads.test/", nil))
			must(t, err)
			body, err := io.ReadAll(resp.Body)
			if resp.StatusCode != tc.status || string(body) != tc.body || resp.ContentLength != tc.length || (err != nil) != (name == "broken") {
				t.Errorf("%d %q of %d, %v", resp.StatusCode, body, resp.ContentLength, err)
			}
			c.Close()
			if f := r.one(); f.Outcome != flow.Simulated || f.Status() != tc.status || !slices.Equal(f.Experiments, d.By) {
				t.Errorf("%s %d by %q", f.Outcome, f.Status(), f.Experiments)
			}
		})
	}
}

// Content that breaks the rules is refused as ever, and nothing else.
func TestAnsweredBrokenContent(t *testing.T) {
	r := nameless(t, decides(simulated(Answered)))
	c := r.tunnel("ads.test:80")
	c.say("POST / HTTP/1.1\r\nHost: ads.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n")
	equal(t, "status", c.status(), 400)
	equal(t, "outcome", r.one().Outcome, flow.Malformed)
}

// An answer does not wait for the end of a request that is a stream.
func TestAnsweredStream(t *testing.T) {
	d := simulated(Answered)
	r := nameless(t, decides(d))
	c := r.tunnel("ads.test:80")
	c.say("POST / HTTP/1.1\r\nHost: ads.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
	equal(t, "status", c.status(), 302)
	c.Close()
	f := r.one()
	decided(t, f, d, "redirected")
	equal(t, "sent", string(f.Request.Body.Content), "abc")
}
