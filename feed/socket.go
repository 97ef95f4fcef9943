package feed

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// serveSocket serves a WebSocket. What its reader sends is not for us: it ends the
// connection.
func (s *Server) serveSocket(ctx context.Context, w http.ResponseWriter, r *http.Request, reader *reader, expires time.Time) ending {
	// The library would compare Origin with Host, against pages that use what a browser
	// adds by itself. Here that is nothing, and the token was checked.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return left
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	defer func() { <-done }()
	defer cancel()
	defer func() { _ = conn.CloseNow() }() // closed already, mostly
	reading, stop := context.WithCancelCause(ctx)
	go func() {
		defer close(done)
		// Not CloseRead: when something comes it waits for itself to end, 15 s long.
		_, _, err := conn.Reader(ctx)
		if err == nil {
			err = errSpoke
		}
		stop(err)
	}()
	to := &socket{ctx, cancel, conn, s.limits}
	why := s.serve(reading, reader, to, expires)
	if why == left && errors.Is(context.Cause(reading), errSpoke) {
		to.close(websocket.StatusPolicyViolation, errSpoke.Error())
	}
	return why
}

var errSpoke = errors.New("the feed takes no messages")

// socket is a stream of WebSocket messages, one for each event.
type socket struct {
	ctx    context.Context //nolint:containedctx // of the one connection that it serves
	cancel context.CancelFunc
	conn   *websocket.Conn
	limits limits
}

func (s *socket) send(batch []message) error {
	for _, m := range batch {
		if err := s.write(m.line, s.limits.write); err != nil {
			return err
		}
	}
	return nil
}

func (s *socket) write(line []byte, within time.Duration) error {
	ctx, cancel := context.WithTimeout(s.ctx, within)
	defer cancel()
	return because(ctx, s.conn.Write(ctx, websocket.MessageText, line))
}

func (s *socket) beat() error {
	ctx, cancel := context.WithTimeout(s.ctx, s.limits.write)
	defer cancel()
	return because(ctx, s.conn.Ping(ctx))
}

// because returns why something failed: the library closes the connection when a context
// ends, and then speaks of that.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// codes are the status codes of the endings (RFC 6455, 7.4.1, and IANA's registry).
var codes = map[ending]websocket.StatusCode{
	closed:  websocket.StatusNormalClosure,
	dropped: websocket.StatusTryAgainLater,
	expired: websocket.StatusPolicyViolation,
}

func (s *socket) end(why ending, notice []byte) {
	if notice != nil && s.write(notice, s.limits.notice) != nil {
		return
	}
	s.close(codes[why], endingWords[why])
}

// close says the last words to somebody who may be gone, and waits a moment for an answer.
func (s *socket) close(code websocket.StatusCode, reason string) {
	defer time.AfterFunc(s.limits.notice, s.cancel).Stop()
	_ = s.conn.Close(code, reason)
}
