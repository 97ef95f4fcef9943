package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"telltale/experiment/link"
	"telltale/flow"
)

// quickLink is slow in name alone: all that passes under it is noted, and nobody waits.
var quickLink = link.Profile{Name: "quick", Help: "a quick link", Down: 1 << 30, Up: 1 << 30}

// slowable is a rig whose sockets are behind a link.
func slowable(t *testing.T, edit ...func(*Config)) (*rig, *link.Link) {
	l := link.New(1)
	r := newRig(t, append(edit, func(c *Config) { c.Shape = l.Wrap })...)
	t.Cleanup(func() { l.Use(nil) })
	return r, l
}

// equalMarks compares which flows say that they were slowed, by their paths or else hosts.
func equalMarks(t *testing.T, flows []*flow.Flow, slowed ...string) {
	t.Helper()
	want := map[string]bool{}
	for _, name := range slowed {
		want[name] = true
	}
	for _, f := range flows {
		name := strings.TrimPrefix(f.Path(), "/")
		if name == "" {
			name = f.Server.Asked
		}
		got, unmarked := fmt.Sprintf("%q %q", f.Experiments, f.Altered), `[] []`
		if want[name] {
			unmarked = `["slow quick"] ["slowed to a quick link: slow quick"]`
		}
		if got != unmarked {
			t.Errorf("%s %s %s: %s, want %s", f.Kind, name, f.Outcome, got, unmarked)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("no flow of %v", want)
	}
}

// steps is a server that sends a piece of an answer each time that it is told to, and the
// client that reads it.
type steps struct {
	t   *testing.T
	c   *http.Client
	u   *url.URL
	mu  sync.Mutex
	now map[string]chan string // what to send next, by path; closed for the end
}

func (s *steps) of(path string) chan string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now[path] == nil {
		s.now[path] = make(chan string)
	}
	return s.now[path]
}

func (s *steps) serve(w http.ResponseWriter, q *http.Request) {
	http.NewResponseController(w).EnableFullDuplex()
	next := s.of(q.URL.Path)
	switch {
	case q.URL.Path == "/thought": // it has the content before it thinks
		io.Copy(io.Discard, q.Body)
		next <- "thinking"
	case q.Method == http.MethodPost:
		io.CopyN(io.Discard, q.Body, 3)
		next <- "half"
		io.Copy(io.Discard, q.Body)
		next <- "whole"
	}
	for piece := range next {
		io.WriteString(w, piece)
		w.(http.Flusher).Flush()
	}
}

// get asks, and returns what reads a piece that the server sends, "" for the end.
func (s *steps) get(path string) (piece func(string)) {
	asked := make(chan *http.Response, 1)
	go func() {
		resp, err := s.c.Get(s.u.String() + path)
		if err != nil {
			s.t.Error(err)
		}
		asked <- resp
	}()
	var resp *http.Response
	return func(text string) {
		s.t.Helper()
		if text == "" {
			close(s.of(path))
		} else {
			s.of(path) <- text
		}
		if resp == nil {
			if resp = <-asked; resp == nil {
				s.t.FailNow()
			}
		}
		if text == "" {
			_, err := io.Copy(io.Discard, resp.Body)
			must(s.t, err)
			resp.Body.Close()
			return
		}
		b := make([]byte, len(text))
		_, err := io.ReadFull(resp.Body, b)
		must(s.t, err)
		equal(s.t, path, string(b), text)
	}
}

// A request says that it was slowed if something of it was, whenever the link became slow,
// and no other request on its connection says so.
func TestSlowedRequests(t *testing.T) {
	for name, edit := range map[string]func(*http.Transport){"h1": onlyH1, "h2": exact} {
		t.Run(name, func(t *testing.T) {
			r, l := slowable(t)
			s := &steps{t: t, now: map[string]chan string{}}
			s.u, s.c = r.origin(s.serve), r.client(edit)
			before := s.get("/before")
			before("all")
			before("")
			r.ending(1)
			idle, middle := s.get("/idle"), s.get("/middle")
			idle("opened")
			middle("fast")
			l.Use(&quickLink)
			middle(strings.Repeat("slow ", 2000))
			within := s.get("/within")
			within("slow")
			within("")
			after := s.get("/last")
			after("slow")
			l.Use(nil)
			after("fast")
			after("")
			middle("")
			idle("as it was")
			idle("")
			fast := s.get("/fast")
			fast("all")
			fast("")
			equalMarks(t, r.ending(6), "middle", "within", "last")
		})
	}
}

// So does one of which the content was slowed.
func TestSlowedContent(t *testing.T) {
	for name, edit := range map[string]func(*http.Transport){"h1": onlyH1, "h2": exact} {
		t.Run(name, func(t *testing.T) {
			r, l := slowable(t)
			s := &steps{t: t, now: map[string]chan string{}}
			s.u, s.c = r.origin(s.serve), r.client(edit)
			post := func(path string, steps func(content io.Writer)) {
				content, pipe := io.Pipe()
				var posting sync.WaitGroup
				posting.Go(func() {
					resp, err := s.c.Post(s.u.String()+path, "text/plain", content)
					if err != nil {
						t.Error(err)
						return
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				})
				steps(pipe)
				posting.Wait()
			}
			post("/half", func(content io.Writer) {
				io.WriteString(content, "abc")
				equal(t, "half", <-s.of("/half"), "half")
				l.Use(&quickLink)
				io.WriteString(content, "def")
				content.(io.Closer).Close()
				equal(t, "whole", <-s.of("/half"), "whole")
				l.Use(nil)
				close(s.of("/half"))
			})
			post("/thought", func(content io.Writer) {
				io.WriteString(content, "abc")
				content.(io.Closer).Close()
				equal(t, "content", <-s.of("/thought"), "thinking")
				l.Use(&quickLink) // nothing passes meanwhile
				l.Use(nil)
				close(s.of("/thought"))
			})
			equalMarks(t, r.ending(2), "half")
		})
	}
}

// A tunnel and what is passed through say it, too, if it was open then, and moved bytes.
func TestSlowedTunnels(t *testing.T) {
	r, l := slowable(t)
	echo := func() string { return r.listener(func(c net.Conn) { io.Copy(c, c); closeWrite(c) }) }
	open := func(at string) *peer {
		c := r.tunnel(at)
		turn(t, c, "no HTTP\n")
		return c
	}
	end := func(c *peer) {
		c.CloseWrite()
		io.Copy(io.Discard, c)
	}
	over, idle, busy, closing := echo(), echo(), echo(), echo()
	end(open(over))
	r.ending(1)
	kept, used, left := open(idle), open(busy), open(closing)
	l.Use(&quickLink)
	much := strings.Repeat("slow ", 40000) // more than the kernel moves by itself before it is asked
	turn(t, used, much)
	turn(t, left, much)
	end(left)
	l.Use(nil)
	turn(t, used, "fast")
	turn(t, kept, "fast")
	end(used)
	end(kept)
	equalMarks(t, r.ending(4), busy, closing)
}

// turn has a server echo.
func turn(t *testing.T, c *peer, text string) {
	t.Helper()
	var saying sync.WaitGroup
	saying.Go(func() { io.WriteString(c.Conn, text) })
	b := make([]byte, len(text))
	_, err := io.ReadFull(c, b)
	must(t, err)
	saying.Wait()
	equal(t, "echo", string(b), text)
}

// A WebSocket says it as well, by its messages in either direction.
func TestSlowedWebSockets(t *testing.T) {
	r, l := slowable(t)
	u := socketOrigin(r, func(ctx context.Context, c *websocket.Conn) {
		for {
			kind, b, err := c.Read(ctx)
			if err != nil || c.Write(ctx, kind, b) != nil {
				return
			}
		}
	})
	dial := func(path string) func(string) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		t.Cleanup(cancel)
		c, _, err := websocket.Dial(ctx, u.String()+path, &websocket.DialOptions{HTTPClient: r.client(onlyH1)})
		must(t, err)
		t.Cleanup(func() { c.CloseNow() })
		return func(text string) {
			t.Helper()
			if text == "" {
				must(t, c.Close(websocket.StatusNormalClosure, ""))
				return
			}
			must(t, c.Write(ctx, websocket.MessageText, []byte(text)))
			_, b, err := c.Read(ctx)
			must(t, err)
			equal(t, "echo", string(b), text)
		}
	}
	early := dial("/early")
	early("fast")
	early("")
	r.ending(1)
	idle, busy := dial("/idle"), dial("/busy")
	idle("fast")
	busy("fast")
	l.Use(&quickLink)
	busy("slow")
	l.Use(nil)
	busy("fast")
	busy("")
	idle("fast")
	idle("")
	equalMarks(t, r.ending(3), "busy")
}
