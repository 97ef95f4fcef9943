package proxy

import (
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
		settled: func(string) { s.open.Done() },
	}
	in.take(message)
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
