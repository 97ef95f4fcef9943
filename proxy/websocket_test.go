package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"telltale/flow"
)

// frameTape gathers the frames of all states of a flow.
type frameTape struct {
	Recorder
	t      *testing.T
	mu     sync.Mutex
	frames []flow.Frame
	states int
}

func (r *frameTape) Observe(f *flow.Flow) {
	r.mu.Lock()
	if len(f.Frames) > 0 {
		if f.FrameOffset != len(r.frames) {
			r.t.Errorf("frames at %d, %d are known", f.FrameOffset, len(r.frames))
		}
		r.frames = append(r.frames, f.Frames...)
		r.states++
	}
	r.mu.Unlock()
	r.Recorder.Observe(f)
}

func (r *frameTape) text() (s []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.frames {
		from := "s"
		if f.FromClient {
			from = "c"
		}
		s = append(s, fmt.Sprintf("%s%d:%s", from, f.Opcode, f.Data))
	}
	return s
}

func newFrameRig(t *testing.T, edit ...func(*Config)) (*rig, *frameTape) {
	tape := &frameTape{t: t}
	r := newRig(t, append(edit, func(c *Config) { tape.Recorder = c.Recorder; c.Recorder = tape })...)
	return r, tape
}

// socketOrigin serves WebSockets over TLS.
func socketOrigin(r *rig, serve func(context.Context, *websocket.Conn)) *url.URL {
	return r.origin(func(w http.ResponseWriter, req *http.Request) {
		c, err := websocket.Accept(w, req, &websocket.AcceptOptions{CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			return
		}
		defer c.CloseNow()
		serve(req.Context(), c)
	})
}

func dialSocket(t *testing.T, r *rig, u *url.URL, mode websocket.CompressionMode) (*websocket.Conn, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	c, _, err := websocket.Dial(ctx, u.String()+"/ws?x=1", &websocket.DialOptions{HTTPClient: r.client(onlyH1), CompressionMode: mode})
	must(t, err)
	t.Cleanup(func() { c.CloseNow() })
	return c, ctx
}

func TestWebSocketIsRecorded(t *testing.T) {
	r, tape := newFrameRig(t)
	u := socketOrigin(r, func(ctx context.Context, c *websocket.Conn) {
		c.Write(ctx, websocket.MessageText, []byte("welcome"))
		kind, b, err := c.Read(ctx)
		if err == nil {
			c.Write(ctx, kind, append([]byte("echo:"), b...))
		}
		c.Read(ctx) // answers pings, then the close
	})
	c, ctx := dialSocket(t, r, u, websocket.CompressionDisabled)
	for _, step := range []func() string{
		func() string { _, b, err := c.Read(ctx); must(t, err); return string(b) },
		func() string {
			must(t, c.Write(ctx, websocket.MessageBinary, []byte("hi")))
			_, b, err := c.Read(ctx)
			must(t, err)
			return string(b)
		},
	} {
		step()
	}
	reading := c.CloseRead(ctx) // takes the pong
	must(t, c.Ping(ctx))
	must(t, c.Close(websocket.StatusNormalClosure, "bye"))
	<-reading.Done()
	f := r.one()
	got := tape.text()
	for i, s := range got { // a ping's content is the library's business
		if strings.Contains(s, "9:") || strings.Contains(s, "10:") {
			got[i] = s[:strings.IndexByte(s, ':')]
		}
	}
	equal(t, "frames", got, []string{"s1:welcome", "c2:hi", "s2:echo:hi", "c9", "s10", "c8:\x03\xe8bye", "s8:\x03\xe8bye"})
	equal(t, "kind", fmt.Sprint(f.Kind, " ", f.Outcome, " ", f.Error), "websocket completed ")
	equal(t, "url", f.URL(), "wss://"+u.Host+"/ws?x=1")
	equal(t, "status", fmt.Sprint(f.Status(), f.Response.Reason), "101Switching Protocols")
	equal(t, "upgrade", values(f.Response.Header, "Upgrade"), []string{"websocket"})
	if f.Sent == 0 || f.Received == 0 {
		t.Errorf("sent %d, received %d", f.Sent, f.Received)
	}
	if f.Server.TLS == nil || f.Times.End.IsZero() {
		t.Error("facts are missing")
	}
}

// TestCompressedMessagesAreReadable, each of them, though all but the first refer to
// those before them. What passes stays compressed.
func TestCompressedMessagesAreReadable(t *testing.T) {
	const n = 5
	text := func(i int) string { return fmt.Sprint(i, strings.Repeat(" compress me", 100)) }
	for name, mode := range map[string]websocket.CompressionMode{"takeover": websocket.CompressionContextTakeover, "no takeover": websocket.CompressionNoContextTakeover} {
		t.Run(name, func(t *testing.T) {
			r, tape := newFrameRig(t)
			u := socketOrigin(r, func(ctx context.Context, c *websocket.Conn) {
				for {
					kind, b, err := c.Read(ctx)
					if err != nil || c.Write(ctx, kind, b) != nil {
						return
					}
				}
			})
			c, ctx := dialSocket(t, r, u, mode)
			for i := range n {
				must(t, c.Write(ctx, websocket.MessageText, []byte(text(i))))
				_, b, err := c.Read(ctx)
				must(t, err)
				equal(t, "the client read", string(b), text(i))
			}
			c.Close(websocket.StatusNormalClosure, "")
			f := r.one()
			for i := range n {
				for _, frame := range tape.frames[2*i : 2*i+2] {
					if frame.Compressed || string(frame.Data) != text(i) || frame.Size != int64(len(text(i))) || frame.Truncated {
						t.Errorf("message %d of the client %v: %+v", i, frame.FromClient, frame)
					}
				}
			}
			if whole := int64(n * len(text(0))); f.Sent == 0 || f.Sent >= whole || f.Received == 0 || f.Received >= whole {
				t.Errorf("%d and %d bytes passed: nothing was compressed", f.Sent, f.Received)
			}
		})
	}
}

// TestServerOfAWebSocketIsGone: its client must be told at once.
func TestServerOfAWebSocketIsGone(t *testing.T) {
	r, _ := newFrameRig(t)
	u := socketOrigin(r, func(ctx context.Context, c *websocket.Conn) { c.Write(ctx, websocket.MessageText, []byte("x")) })
	c, ctx := dialSocket(t, r, u, websocket.CompressionDisabled)
	_, _, err := c.Read(ctx)
	must(t, err)
	if _, _, err = c.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the client read %v", err)
	}
	c.CloseNow()
	r.one()
}

// TestDeadWebSocketsAreEnded, though their clients never say a word again. The rig
// looks for what they leave behind.
func TestDeadWebSocketsAreEnded(t *testing.T) {
	r, _ := newFrameRig(t, func(c *Config) { c.waits.upgraded = 200 * time.Millisecond })
	u := socketOrigin(r, func(ctx context.Context, c *websocket.Conn) {})
	const n = 20
	for range n {
		c := r.tunnel(u.Host)
		tc := tlsOver(t, r, c)
		fmt.Fprintf(tc, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(tc), nil)
		must(t, err)
		equal(t, "status", resp.StatusCode, 101)
	}
	for _, f := range r.ending(n) {
		equal(t, "outcome", f.Outcome, flow.Completed)
	}
}

// TestWebSocketIsObservedWhileItRuns, but not for every frame.
func TestWebSocketIsObservedWhileItRuns(t *testing.T) {
	r, tape := newFrameRig(t)
	const n = 2000
	done := make(chan bool)
	u := socketOrigin(r, func(ctx context.Context, c *websocket.Conn) {
		for i := range n {
			if c.Write(ctx, websocket.MessageText, []byte(fmt.Sprint(i))) != nil {
				return
			}
		}
		<-done
	})
	c, ctx := dialSocket(t, r, u, websocket.CompressionDisabled)
	for range n {
		_, _, err := c.Read(ctx)
		must(t, err)
	}
	r.wait("all frames while it is open", func(f []*flow.Flow) bool {
		return len(f) == 1 && !f[0].Ended() && len(tape.text()) == n
	})
	if tape.states > n/4 {
		t.Errorf("%d states for %d frames", tape.states, n)
	}
	close(done)
	c.Close(websocket.StatusNormalClosure, "")
	r.one()
}

func TestWebSocketThatIsRefused(t *testing.T) {
	r, _ := newFrameRig(t)
	u := r.origin(func(w http.ResponseWriter, req *http.Request) { http.Error(w, "no", 403) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, resp, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{HTTPClient: r.client(onlyH1)})
	if err == nil || resp == nil || resp.StatusCode != 403 {
		t.Fatalf("%v %v", resp, err)
	}
	f := r.one()
	equal(t, "flow", fmt.Sprint(f.Kind, f.Status(), f.Outcome, f.URL()), fmt.Sprint("http403completed", "wss://", u.Host, "/"))
}

// TestOtherUpgradesAreCounted, early bytes of the client and half-close included.
func TestOtherUpgradesAreCounted(t *testing.T) {
	r, tape := newFrameRig(t)
	asked := make(chan http.Header, 1)
	target := r.listener(func(c net.Conn) {
		br := bufio.NewReader(c)
		req, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		asked <- req.Header
		io.WriteString(c, "HTTP/1.1 101 As You Wish\r\nConnection: Upgrade\r\nUpgrade: rot13\r\n\r\nuryyb")
		b, _ := io.ReadAll(br) // until the client ends its direction
		c.Write(b)
	})
	c := r.tunnel(target)
	c.say("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA\r\nUpgrade: rot13\r\nProxy-Authorization: Basic eDp5\r\n\r\nearly")
	resp, err := http.ReadResponse(c.br, nil)
	must(t, err)
	equal(t, "answer", resp.Status+fmt.Sprint(resp.Header), "101 As You Wishmap[Connection:[Upgrade] Upgrade:[rot13]]")
	equal(t, "asked", <-asked, http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Http2-Settings": {"AAA"}, "Upgrade": {"rot13"}})
	c.say(" and late")
	must(t, c.Conn.(*net.TCPConn).CloseWrite())
	b, err := io.ReadAll(c.br)
	must(t, err)
	equal(t, "relayed", string(b), "uryybearly and late")
	f := r.one()
	equal(t, "flow", fmt.Sprint(f.Kind, f.Outcome, f.Sent, f.Received), fmt.Sprint("httpcompleted", 14, " ", 19))
	equal(t, "frames", len(tape.frames), 0)
}

func TestRelayThatBreaks(t *testing.T) {
	upgrade := "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n"
	agree := func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n")
	}
	t.Run("server", func(t *testing.T) {
		r := newRig(t)
		told := make(chan bool)
		c := r.tunnel(r.listener(func(c net.Conn) { agree(c); <-told; c.(*net.TCPConn).SetLinger(0) }))
		c.say("%s", upgrade)
		c.status101()
		close(told)
		c.closed()
		f := r.one()
		equal(t, "outcome", fmt.Sprint(f.Outcome, " ", f.Failure), "upstream-failed reset")
	})
	t.Run("client", func(t *testing.T) {
		r := newRig(t)
		c := r.tunnel(r.listener(func(c net.Conn) { agree(c); io.Copy(io.Discard, c) }))
		c.say("%s", upgrade)
		c.status101()
		c.Conn.(*net.TCPConn).SetLinger(0)
		c.Close()
		equal(t, "outcome", r.one().Outcome, flow.Abandoned)
	})
}

func (c *peer) status101() {
	c.t.Helper()
	resp, err := http.ReadResponse(c.br, nil)
	must(c.t, err)
	equal(c.t, "status", resp.StatusCode, 101)
}

// TestFrameLog on a clock of its own: at most one state an interval, unless much
// comes together.
func TestFrameLogGathers(t *testing.T) {
	var got []string
	l := &frameLog{last: time.Now(), observe: func(f []flow.Frame, at int) { got = append(got, fmt.Sprint(at, "+", len(f))) }}
	for range maxFramesHeld + 3 {
		l.add(flow.Frame{Time: l.last})
	}
	equal(t, "many", got, []string{fmt.Sprint("0+", maxFramesHeld)})
	l.add(flow.Frame{Time: l.last.Add(frameInterval)})
	equal(t, "late", got[1:], []string{fmt.Sprint(maxFramesHeld, "+", 4)})
	l.add(flow.Frame{Time: l.last, Opcode: opClose, Data: make([]byte, maxContentsHeld)})
	equal(t, "large", len(got), 3)
	l.add(flow.Frame{Time: l.last})
	rest, at := l.take()
	equal(t, "rest", fmt.Sprint(at, len(rest), l.closed()), fmt.Sprint(maxFramesHeld+5, 1, true))
	l.due()
	equal(t, "nothing after the end", len(got), 3)
}
