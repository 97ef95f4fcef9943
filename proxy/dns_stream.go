package proxy

import (
	"errors"
	"io"
	"net/netip"
	"sync"
	"time"

	"telltale/flow"
)

// dnsIdle is how long a connection for questions stays open without one (RFC 7766,
// 6.2.3: of the order of seconds).
const dnsIdle = 30 * time.Second

// serveDNS answers questions over TCP on a connection to telltale's own resolver, which
// it takes over. A client may send the next question before it has the answer to the
// last, and answers leave as they come (RFC 7766, 6.2.1.1 and 7).
func (p *Proxy) serveDNS(c *connection) {
	defer c.Close()
	done := make(chan struct{})
	defer close(done)
	go func() { // an idle connection does not keep the audit from ending
		select {
		case <-p.stopping:
			c.SetReadDeadline(past)
		case <-done:
		}
	}()
	s := &dnsStream{p: p, c: c}
	for {
		c.SetReadDeadline(time.Now().Add(dnsIdle))
		if p.closing.Load() {
			break
		}
		message, err := readFramed(c)
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				c.account.expect(c, flow.Malformed, "what the client sent is no question of DNS: it ends before its length says")
			}
			break
		}
		s.answer(message)
	}
	s.open.Wait()
}

// dnsStream is a connection on which questions are answered.
type dnsStream struct {
	p    *Proxy
	c    *connection
	open sync.WaitGroup // questions under way

	mu sync.Mutex // of what is written
}

func (s *dnsStream) answer(message []byte) {
	c := s.c
	s.open.Add(1)
	in := &inquiry{
		p: s.p, own: []netip.Addr{c.destination.Addr()},
		flow:    c.questionFlow(),
		reply:   s.write,
		record:  func(f *flow.Flow) { s.p.observe(c, f) },
		settled: s.settled,
	}
	in.take(message)
}

// settled says what the connection was, should no question on it have a row.
func (s *dnsStream) settled(drop string) {
	defer s.open.Done()
	switch drop {
	case "":
	case dropQuestions, dropEnding:
		s.c.account.expect(s.c, flow.Abandoned, "a question was not answered: "+drop)
	default:
		s.c.account.expect(s.c, flow.Malformed, "what the client sent is no question of DNS: "+drop)
	}
}

// write sends a message. A client that does not read its answers loses the connection.
func (s *dnsStream) write(message []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c.SetWriteDeadline(time.Now().Add(closeTimeout))
	if _, err := s.c.Write(framed(message)); err != nil {
		s.c.Conn.Close()
	}
}
