package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"telltale/flow"
)

// A client that says all it has to say, and then ends its direction, is still
// there to be answered.
func TestHalfClosedClientIsAnswered(t *testing.T) {
	for name, x := range map[string]struct{ request, body string }{
		"a request":    {"GET %s HTTP/1.1\r\nHost: x\r\n\r\n", "late"},
		"with content": {"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "late abc"},
	} {
		for _, tunnelled := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				r := newRig(t)
				release := make(chan struct{})
				u := r.plainOrigin(func(w http.ResponseWriter, r *http.Request) {
					b, _ := io.ReadAll(r.Body)
					<-release
					io.WriteString(w, "late")
					if len(b) > 0 {
						io.WriteString(w, " "+string(b))
					}
				})
				c, target := r.dial(), u.String()
				if tunnelled {
					c, target = r.tunnel(u.Host), "/"
				}
				c.say(x.request, target)
				c.CloseWrite()
				r.wait("the request to be under way", func(f []*flow.Flow) bool { return len(f) == 1 })
				close(release)
				_, body := c.answer()
				equal(t, "body", body, x.body)
				c.closed()
				equal(t, "outcome", r.one().Outcome, flow.Completed)
			})
		}
	}
}

// A client that is gone looks the same at first: it is not waited for without end.
func TestHalfClosedClientIsGivenUp(t *testing.T) {
	ours, theirs := tcpPair(t)
	s := newStream(&connection{Conn: ours, account: &account{raw: ours}}, ours)
	s.patience = time.Millisecond
	io.WriteString(theirs, "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n")
	theirs.Close()
	if _, err := http.ReadRequest(bufio.NewReader(s)); err != nil {
		t.Fatal(err)
	}
	s.begin()
	if n, err := s.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("read %d, %v; want the end", n, err)
	}
	s.patience = time.Hour
	must(t, s.SetReadDeadline(past)) // as http.Server does behind an answer
	if _, err := s.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("read: %v, want a timeout", err)
	}
	must(t, s.SetReadDeadline(time.Time{}))
	s.end()
	if _, err := s.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read: %v behind the answer, want the end", err)
	}
}

// tcpPair returns both ends of a connection.
func tcpPair(t testing.TB) (ours, theirs net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	theirs, err = net.Dial("tcp", l.Addr().String())
	must(t, err)
	ours, err = l.Accept()
	must(t, err)
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}
