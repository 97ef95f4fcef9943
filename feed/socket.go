package feed

import (
	"context"
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
	defer func() { _ = conn.CloseNow() }() // closed already, mostly
	ctx = conn.CloseRead(ctx)
	return s.serve(ctx, reader, &socket{ctx, conn, s.limits}, expires)
}

// socket is a stream of WebSocket messages, one for each event.
type socket struct {
	ctx    context.Context //nolint:containedctx // of the one connection that it serves
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
	return s.conn.Write(ctx, websocket.MessageText, line)
}

func (s *socket) beat() error {
	ctx, cancel := context.WithTimeout(s.ctx, s.limits.write)
	defer cancel()
	return s.conn.Ping(ctx)
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
	_ = s.conn.Close(codes[why], endingWords[why]) // the last words to somebody who may be gone
}
