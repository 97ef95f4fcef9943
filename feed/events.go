package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// serveEvents serves server-sent events (HTML Living Standard, 9.2.6). An EventSource that
// lost its connection comes again by itself and says the last ID that it has.
func (s *Server) serveEvents(ctx context.Context, w http.ResponseWriter, r *http.Request, reader *reader, expires time.Time) ending {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // proxies that know it pass each event on at once
	to := &events{ctx: ctx, w: w, control: http.NewResponseController(w), run: reader.joined.run, limits: s.limits}
	// A write that waits for its reader ends with the context.
	defer context.AfterFunc(ctx, func() { _ = to.control.SetWriteDeadline(time.Now()) })()
	to.buffer.WriteString("retry: 3000\n\n")
	if gap := reader.joined.gap(r.Header.Get("Last-Event-ID")); gap != nil {
		to.frame(message{line: gap})
	}
	if to.flush(s.limits.write) != nil {
		return left
	}
	return s.serve(ctx, reader, to, expires)
}

// gap returns the event that tells a reader who comes again that something was published
// in between, nil when nothing was. Nothing of it is stored.
func (p position) gap(had string) []byte {
	if had == "" || had == idOf(p.run, p.last) {
		return nil
	}
	gap := ownEvent{Event: "gap", Message: "events may be missing here: nothing is stored for the feed"}
	if number, ok := strings.CutPrefix(had, p.run+"-"); ok {
		if n, err := strconv.ParseUint(number, 10, 64); err == nil && n < p.last {
			missed := p.last - n
			gap.Missed = &missed
		}
	}
	return encode(gap)
}

// idOf returns the ID of a message.
func idOf(run string, number uint64) string { return run + "-" + strconv.FormatUint(number, 10) }

// events is a stream of server-sent events.
type events struct {
	ctx     context.Context //nolint:containedctx // of the one request that it serves
	w       http.ResponseWriter
	control *http.ResponseController
	run     string
	limits  limits
	buffer  bytes.Buffer
}

func (e *events) send(batch []message) error {
	for _, m := range batch {
		e.frame(m)
	}
	return e.flush(e.limits.write)
}

// frame adds one event to the buffer.
func (e *events) frame(m message) {
	if name := nameOf(m.line); name != "" {
		fmt.Fprintf(&e.buffer, "event: %s\n", name)
	}
	if m.number > 0 {
		fmt.Fprintf(&e.buffer, "id: %s\n", idOf(e.run, m.number))
	}
	fmt.Fprintf(&e.buffer, "data: %s\n\n", m.line)
}

func (e *events) flush(within time.Duration) error {
	// Without an error: a connection that cannot have a deadline waits as long as it likes.
	deadline := time.Now().Add(within)
	_ = e.control.SetWriteDeadline(deadline)
	if err := e.ctx.Err(); err != nil { // after the deadline was set: see serveEvents
		return err
	}
	_, err := e.buffer.WriteTo(e.w)
	if err == nil {
		err = e.control.Flush()
	}
	// The context ends with a write that failed, too.
	if err != nil && time.Now().Before(deadline) {
		return because(e.ctx, err)
	}
	return err
}

func (e *events) beat() error {
	e.buffer.WriteString(": still here\n\n")
	return e.flush(e.limits.write)
}

func (e *events) end(_ ending, notice []byte) {
	if notice != nil {
		e.frame(message{line: notice})
		_ = e.flush(e.limits.notice) // the last words to somebody who may be gone
	}
}

var plainName = regexp.MustCompile(`^[a-z][a-z_.-]*$`)

// nameOf returns what kind of event a line is, "" for one that has no plain name.
func nameOf(line []byte) string {
	var named struct {
		Event string `json:"event"`
	}
	if json.Unmarshal(line, &named) != nil || !plainName.MatchString(named.Event) {
		return ""
	}
	return named.Event
}
