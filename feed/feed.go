// Package feed serves the live events of an audit to other programs while it runs, as
// server-sent events (HTML Living Standard, 9.2) and over WebSocket (RFC 6455).
//
// It knows lines, one JSON object each, as [Server.Publish] gets them, and readers, who
// come with a token. It promises that nobody who publishes waits for a reader: each reader
// has a buffer with an end, and one that does not keep up is told so and dropped. It stores
// nothing: a reader gets what is published while it is connected, after what
// [Config.Hello] says of the present; one that comes again and may have missed something
// is told of the gap.
//
// It does not encrypt, so it belongs on this machine or behind something that does
// ([ListenAddress]), and it does not decide who may read: the token does, alone. There is
// no cookie nor anything else that a browser would add by itself, so a page of any origin
// may read if it has a token.
//
// To debug it: `curl -N 'http://127.0.0.1:4317/events?token=…'`; `curl http://127.0.0.1:4317/`
// says what is there.
package feed

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"sync"
	"time"
)

// The limits, as docs/feed.md has them.
const (
	maxReaders     = 64
	maxConnections = 256
	// maxBehind is how many bytes may wait for one reader. All readers share the lines that
	// wait, so it is about what the feed needs in memory, however many they are.
	maxBehind = 4 << 20
	// lineCost is what a line costs beside its bytes.
	lineCost = 64
	// writeTime is how long a reader may take for one write, of at most chunk bytes and a
	// line.
	writeTime = 10 * time.Second
	chunk     = 64 << 10
	// beatEvery is how long nothing is said before a sign of life.
	beatEvery = 15 * time.Second
	// noticeTime is how long a reader that is dropped may take to hear of it.
	noticeTime = 2 * time.Second
)

// Config is what a feed is made from.
type Config struct {
	// Check returns when a token ends, or why it is none. It is called by several
	// goroutines at once.
	Check func(token string) (expires time.Time, err error)
	// Hello returns the lines that each reader gets first: how the audit stands. It is
	// called once for each reader, when events already gather for it: what is published
	// meanwhile comes after these lines, and may be in them already. Nil: none.
	Hello func() [][]byte
	// Refused is told of each request without a good token: its address, and what Check
	// said. Dropped is told of each reader that did not keep up. They are called on the
	// goroutine of the connection. Nil: nobody is told.
	Refused func(address string, err error)
	Dropped func(address string)
}

// A Server is a feed. Its methods are safe for several goroutines.
type Server struct {
	config Config
	http   *http.Server
	limits limits

	mu      sync.Mutex
	run     string // see newRun
	last    uint64 // number of the line that was published last
	readers map[*reader]struct{}
	closing bool
	ended   sync.WaitGroup // the readers' goroutines
}

// limits are the constants above, smaller in tests.
type limits struct {
	readers, behind        int
	write, beat, notice    time.Duration
	readHeader, keepsAlive time.Duration
}

// New returns a feed that nobody reads yet.
func New(c Config) *Server {
	s := &Server{config: c, run: newRun(), readers: map[*reader]struct{}{}, limits: limits{
		readers: maxReaders, behind: maxBehind, write: writeTime, beat: beatEvery, notice: noticeTime,
		readHeader: 5 * time.Second, keepsAlive: 30 * time.Second,
	}}
	s.http = s.newHTTPServer()
	return s
}

// newRun returns what makes IDs unlike those of another run. A run ends when nobody reads:
// whoever publishes may take a rest then, so that nobody knows what a reader missed.
func newRun() string {
	run := make([]byte, 4)
	rand.Read(run) // never fails
	return hex.EncodeToString(run)
}

// Publish gives a line, one JSON object with a member event, to every reader. It copies
// the line and waits for nobody. After Close it does nothing.
func (s *Server) Publish(line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	s.last++
	if len(s.readers) == 0 {
		return
	}
	m := message{s.last, oneLine(line)}
	for r := range s.readers {
		r.add(m, s.limits.behind)
	}
}

// oneLine returns a copy of a JSON text in one line. JSON has line breaks between its
// parts only, so that a space says the same.
func oneLine(line []byte) []byte {
	line = bytes.Clone(bytes.TrimSpace(line))
	for i, b := range line {
		if b == '\n' || b == '\r' {
			line[i] = ' '
		}
	}
	return line
}

// Readers returns how many are connected.
func (s *Server) Readers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.readers)
}

// Close gives each reader what was published for it and ends all connections. When ctx
// ends first, so does what is left. Nobody can read afterwards.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	for r := range s.readers {
		r.stop(closed)
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.ended.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.mu.Lock()
		for r := range s.readers {
			r.cancel()
		}
		s.mu.Unlock()
	}
	err := s.http.Close()
	<-done
	return err
}
