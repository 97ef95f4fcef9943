package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"telltale/flow"
)

const (
	// frameInterval is how often a WebSocket is observed while it runs, unless
	// so much has come together that it must not be held.
	frameInterval   = 100 * time.Millisecond
	maxFramesHeld   = 512
	maxContentsHeld = 1 << 20
)

// upgraded is an exchange that became another protocol: a WebSocket, of which the
// frames are recorded, or anything else, of which the bytes are counted. They
// are relayed here and not by goproxy, which returns while one direction still
// runs and leaves the client of a closed server waiting.
type upgraded struct {
	trip   *trip
	server io.ReadWriteCloser
	client net.Conn
	early  []byte // of the client, read together with its request
	head   []byte // the answer, for the client
	frames *frameLog
	up     *frameReader // of the client; nil when it is no WebSocket
	down   *frameReader // of the server

	sent, received atomic.Int64
	ending         atomic.Pointer[time.Timer] // of the second direction

	mu   sync.Mutex
	by   side  // who ended it
	err  error // how; nil in order
	over bool
}

// side is one end of a relay.
type side string

const (
	byClient side = "client"
	byServer side = "server"
)

// switchProtocols takes the connection out of the answer to an upgrade. goproxy
// sees an answer without a body; relay gives it to the client.
func (t *trip) switchProtocols(resp *http.Response) (*http.Response, error) {
	server, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || !t.upgrade {
		resp.Body.Close()
		return nil, errors.New("the server switched protocols without being asked")
	}
	u := &upgraded{trip: t, server: server}
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %s\r\n", resp.Status)
	resp.Header.Write(&head) //nolint:errcheck // a buffer takes all
	head.WriteString("\r\n")
	u.head = head.Bytes()
	if isWebSocket(resp.Header) {
		t.kind = flow.WebSocket
		u.frames = &frameLog{observe: t.observeFrames, last: time.Now()}
		client, server := negotiated(resp.Header)
		u.up = &frameReader{fromClient: true, limit: t.x.cfg.BodyLimit, emit: u.frames.add, inflater: client}
		u.down = &frameReader{limit: t.x.cfg.BodyLimit, emit: u.frames.add, inflater: server}
	}
	t.upgraded = u
	t.shim.silence()
	resp.Body = http.NoBody
	return resp, nil
}

// relay forwards in both directions until both have ended. Nothing runs and both
// connections are closed when it returns.
func (t *trip) relay() {
	u := t.upgraded
	defer u.server.Close()
	conn, rw, err := http.NewResponseController(t.shim.w).Hijack()
	if err != nil {
		u.ended(byClient, err)
		return
	}
	defer conn.Close()
	u.client = conn
	u.early = buffered(rw.Reader)
	stop := context.AfterFunc(t.parent, u.cut)
	defer stop()
	if _, err := conn.Write(u.head); err != nil {
		u.ended(byClient, err)
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		u.pipe(byServer, conn, u.server, &u.received, u.down)
	}()
	u.pipe(byClient, u.server, io.MultiReader(bytes.NewReader(u.early), conn), &u.sent, u.up)
	<-done
	if timer := u.ending.Load(); timer != nil {
		timer.Stop()
	}
}

// buffered returns what a reader has read ahead.
func buffered(r *bufio.Reader) []byte {
	p, _ := r.Peek(r.Buffered())
	return bytes.Clone(p)
}

// pipe forwards one direction. When it ends in order, the other is told and goes
// on for as long as it moves bytes; when it breaks, both are closed.
func (u *upgraded) pipe(from side, dst io.Writer, src io.Reader, n *atomic.Int64, frames *frameReader) {
	at, err := from, error(nil)
	buf := make([]byte, smallBuffer)
	for err == nil {
		var m int
		m, err = src.Read(buf)
		n.Add(int64(m))
		if m > 0 {
			if timer := u.ending.Load(); timer != nil {
				timer.Reset(u.trip.x.waits.upgraded)
			}
			if frames != nil {
				frames.feed(buf[:m])
			}
			if _, werr := dst.Write(buf[:m]); werr != nil {
				at, err = other(from), werr
			}
		}
		if m == len(buf) && m < largeBuffer {
			buf = make([]byte, largeBuffer)
		}
	}
	if err != io.EOF {
		u.ended(at, err)
		u.cut()
		return
	}
	u.ended(at, nil)
	timer := time.AfterFunc(u.trip.x.waits.upgraded, u.cut)
	if !u.ending.CompareAndSwap(nil, timer) {
		timer.Stop() // the other direction has ended before
		return
	}
	if h, ok := dst.(interface{ CloseWrite() error }); !ok || h.CloseWrite() != nil {
		u.cut()
	}
}

func other(s side) side {
	if s == byClient {
		return byServer
	}
	return byClient
}

// ended notes who ended the relay first; what follows is the consequence.
func (u *upgraded) ended(by side, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.over {
		u.over, u.by, u.err = true, by, err
	}
}

// cut ends both directions.
func (u *upgraded) cut() {
	u.ended(byClient, context.Canceled)
	u.client.Close()
	u.server.Close()
}

// outcome names how the relay ended.
func (u *upgraded) outcome() (flow.Outcome, string, string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.err == nil, u.frames.closed():
		return flow.Completed, "", u.trouble()
	case u.by == byClient:
		return flow.Abandoned, "", "the client broke the connection off"
	}
	outcome, class := bodyFailure(u.err)
	return outcome, class, "the server broke the connection off: " + cause(u.err)
}

// trouble says what could not be read of a WebSocket that ended in order.
func (u *upgraded) trouble() string {
	if u.frames == nil {
		return ""
	}
	if s := u.up.trouble(); s != "" {
		return s
	}
	return u.down.trouble()
}

// seal adds what passed to the last state of the flow. outcome comes after it.
func (u *upgraded) seal(f *flow.Flow) {
	if u.frames != nil {
		u.up.close()
		u.down.close()
		f.Frames, f.FrameOffset = u.frames.take()
	}
	f.Sent, f.Received = u.sent.Load(), u.received.Load()
}

// observeFrames records frames while the WebSocket runs.
func (t *trip) observeFrames(frames []flow.Frame, offset int) {
	f := *t.opened
	t.fill(&f)
	f.Response = t.response
	f.Frames, f.FrameOffset = frames, offset
	f.Sent, f.Received = t.upgraded.sent.Load(), t.upgraded.received.Load()
	t.x.cfg.Recorder.Observe(&f)
}

// frameLog gathers frames of both directions in the order in which they ended,
// and passes them on from time to time.
type frameLog struct {
	observe func(frames []flow.Frame, offset int)

	mu     sync.Mutex // held while observing: a slow recorder slows the relay
	held   []flow.Frame
	bytes  int
	offset int // index of the first held frame
	last   time.Time
	timer  *time.Timer // runs when something is held
	bye    bool        // a close frame was seen
	sealed bool
}

func (l *frameLog) add(f flow.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = append(l.held, f)
	l.bytes += len(f.Data)
	l.bye = l.bye || f.Opcode == opClose
	switch wait := frameInterval - f.Time.Sub(l.last); {
	case wait <= 0, len(l.held) >= maxFramesHeld, l.bytes >= maxContentsHeld:
		l.flush()
	case l.timer == nil:
		l.timer = time.AfterFunc(wait, l.due)
	}
}

// due runs when the interval is over.
func (l *frameLog) due() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
}

func (l *frameLog) flush() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if len(l.held) == 0 || l.sealed {
		return
	}
	frames, offset := l.held, l.offset
	l.held, l.bytes, l.offset, l.last = nil, 0, offset+len(frames), time.Now()
	l.observe(frames, offset)
}

// take ends the log and returns what was not observed yet.
func (l *frameLog) take() ([]flow.Frame, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	l.sealed = true
	return l.held, l.offset
}

// closed reports whether one side said goodbye; a nil log never does.
func (l *frameLog) closed() bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bye
}
