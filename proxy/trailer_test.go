package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"telltale/flow"
)

func TestTrailersBothWays(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		r := newRig(t)
		u := r.origin(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Trailer", "X-T")
			w.Header().Set("X-Same", "head")
			io.WriteString(w, "ok")
			w.Header().Set("X-T", "v:"+r.Trailer.Get("X-Rt"))
			w.Header().Set(http.TrailerPrefix+"X-Late", "late")
		})
		pr, pw := io.Pipe()
		req := request(t, "POST", u.String(), pr)
		req.Trailer = http.Header{"X-Rt": nil}
		go func() { io.WriteString(pw, "abc"); req.Trailer.Set("X-Rt", "rt"); pw.Close() }()
		resp, _ := fetch(t, r.client(proto), req)
		equal(t, "trailer", resp.Trailer, http.Header{"X-T": {"v:rt"}, "X-Late": {"late"}})
		equal(t, "header", resp.Header["X-Same"], []string{"head"})
		f := r.one()
		equal(t, "recorded", values(f.Response.Trailer, "X-T"), []string{"v:rt"})
		equal(t, "recorded of the request", values(f.Request.Trailer, "X-Rt"), []string{"rt"})
		equal(t, "content", string(f.Request.Body.Content), "abc")
	})
}

// TestUnannouncedRequestTrailer: HTTP/1 allows it, though net/http needs help.
func TestUnannouncedRequestTrailer(t *testing.T) {
	r := newRig(t)
	u := r.plainOrigin(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, r.Trailer)
	})
	c := r.tunnel(u.Host)
	c.say("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Late: 1\r\n\r\n")
	_, body := c.answer()
	equal(t, "the server saw", body, "map[X-Late:[1]]")
	equal(t, "recorded", values(r.one().Request.Trailer, "X-Late"), []string{"1"})
}

func TestEarlyHintsPass(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		r := newRig(t)
		u := r.origin(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(103)
			w.WriteHeader(102)
			w.Header().Del("Link")
			io.WriteString(w, "ok")
		})
		var got []string
		req := request(t, "GET", u.String(), nil)
		req = req.WithContext(httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				got = append(got, fmt.Sprint(code, h["Link"]))
				return nil
			}}))
		resp, body := fetch(t, r.client(proto), req)
		equal(t, "interim", got, []string{"103 [</a.css>; rel=preload]", "102 [</a.css>; rel=preload]"})
		equal(t, "final", fmt.Sprint(resp.StatusCode, body, resp.Header["Link"]), "200ok[]")
		equal(t, "recorded", r.one().Response.Interim, []int{103, 102})
	})
}

// watched notes how much of a request's content was read.
type watched struct {
	io.Reader
	read int64
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.read += int64(n)
	return n, err
}

func TestContinueIsTheServersToSay(t *testing.T) {
	r := newRig(t)
	u := r.origin(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/deny" {
			http.Error(w, "no", http.StatusExpectationFailed)
			return
		}
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})
	for path, want := range map[string]int64{"/ok": 1 << 20, "/deny": 0} {
		body := &watched{Reader: bytes.NewReader(make([]byte, 1<<20))}
		req := request(t, "POST", u.String()+path, body)
		req.ContentLength = 1 << 20
		req.Header.Set("Expect", "100-continue")
		said := 0
		req = req.WithContext(httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got100Continue: func() { said++ }}))
		c := r.client(onlyH1, func(tr *http.Transport) { tr.ExpectContinueTimeout = patience })
		resp, answer := fetch(t, c, req)
		equal(t, path+" content read", body.read, want)
		if path == "/ok" {
			equal(t, "said", fmt.Sprint(said, resp.StatusCode, answer), "1 2001048576")
		} else {
			equal(t, "said", fmt.Sprint(said, resp.StatusCode), "0 417")
		}
	}
	for _, f := range r.ending(2) {
		if f.Status() == 200 {
			equal(t, "interim", f.Response.Interim, []int{100})
			equal(t, "size", f.Request.Body.Size, 1<<20)
		}
	}
}

// TestServerAnswersWhileItReads: http.Server would eat the content when an answer
// begins, unless told otherwise.
func TestServerAnswersWhileItReads(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		r := newRig(t)
		u := r.origin(func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			w.(http.Flusher).Flush()
			buf := make([]byte, 1)
			for {
				if _, err := io.ReadFull(r.Body, buf); err != nil {
					return
				}
				w.Write(buf)
				w.(http.Flusher).Flush()
			}
		})
		pr, pw := io.Pipe()
		resp, err := r.client(proto).Do(request(t, "POST", u.String(), pr))
		must(t, err)
		defer resp.Body.Close()
		for _, want := range "echo" {
			_, err := pw.Write([]byte{byte(want)})
			must(t, err)
			got := make([]byte, 1)
			_, err = io.ReadFull(resp.Body, got)
			must(t, err)
			equal(t, "echo", rune(got[0]), want)
		}
		pw.Close()
		if _, err := resp.Body.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
		f := r.one()
		equal(t, "both ways", string(f.Request.Body.Content)+string(f.Response.Body.Content), "echoecho")
	})
}

// The server's interim answers come on goroutines that outlive a failed exchange:
// they must not touch the head of the answer that we give then.
func TestInterimAnswersBesideFailure(t *testing.T) {
	r := newRig(t)
	hints := strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n", 100)
	addr := r.listener(func(c net.Conn) {
		defer c.Close()
		c.Read(make([]byte, 1<<10))
		for {
			if _, err := io.WriteString(c, hints); err != nil {
				return
			}
		}
	})
	for range 20 {
		c := r.dial()
		c.say("GET http://%s/ HTTP/1.1\r\nHost: x\r\n\r\n", addr)
		c.Read(make([]byte, 1))
		c.Close()
	}
	for _, f := range r.ending(20) {
		equal(t, "outcome", f.Outcome, flow.Abandoned)
	}
}
