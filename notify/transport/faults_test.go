package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"telltale/policy"
)

// A fault is what a network does to one connection. It gets the connection from the client
// and a way to connect to the server.
type fault func(t *faulty, client net.Conn)

// faulty is a TCP proxy over loopback between a client and a server, which treats each new
// connection by the next of its faults, around and around.
type faulty struct {
	server string
	faults []fault

	mutex sync.Mutex
	open  map[net.Conn]bool
	ended atomic.Bool
}

// between starts the proxy and returns its address.
func between(t *testing.T, server string, faults ...fault) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{server: server, faults: faults, open: map[net.Conn]bool{}}
	var running sync.WaitGroup
	running.Go(func() {
		for n := 0; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			f.keep(conn)
			running.Go(func() {
				defer conn.Close()
				f.faults[n%len(f.faults)](f, conn)
			})
		}
	})
	t.Cleanup(func() {
		f.ended.Store(true)
		listener.Close()
		f.mutex.Lock()
		for conn := range f.open {
			conn.Close()
		}
		f.mutex.Unlock()
		running.Wait()
	})
	return listener.Addr().String()
}

func (f *faulty) keep(conn net.Conn) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.open[conn] = true
	if f.ended.Load() {
		conn.Close()
	}
}

// pass copies both ways: at most so many bytes to the server and to the client; negative is
// all.
func pass(toServer, toClient int64) fault {
	return func(f *faulty, client net.Conn) {
		server, err := net.Dial("tcp", f.server)
		if err != nil {
			return
		}
		defer server.Close()
		f.keep(server)
		done := make(chan error, 2)
		one := func(to, from net.Conn, n int64) {
			var err error
			if n < 0 {
				_, err = io.Copy(to, from)
			} else {
				_, err = io.CopyN(to, from, n)
			}
			done <- err
		}
		go one(server, client, toServer)
		go one(client, server, toClient)
		<-done
		client.Close()
		server.Close()
		<-done
	}
}

// refuse closes a new connection at once.
func refuse(*faulty, net.Conn) {}

// drop loses the first bytes of a new connection, as a firewall does that forgets who it let
// in: the rest waits for an answer that does not come.
func drop(_ *faulty, client net.Conn) { io.Copy(io.Discard, client) }

// jolt resets a new connection once the first bytes came.
func jolt(_ *faulty, client net.Conn) {
	io.CopyN(io.Discard, client, 10)
	client.(*net.TCPConn).SetLinger(0)
}

// late brings a request to the server once the client has given up: it counts there.
func late(f *faulty, client net.Conn) {
	request, _ := io.ReadAll(client)
	server, err := net.Dial("tcp", f.server)
	if err != nil {
		return
	}
	defer server.Close()
	f.keep(server)
	server.Write(request)
	io.Copy(io.Discard, server)
}

// A network that drops the first packet of new connections, closes them, cuts requests and
// answers in the middle: every message arrives, and its key tells repetitions.
func TestFaultyNetworkLosesNoMessage(t *testing.T) {
	t.Parallel()
	r := script(t, say(200, "ok", "Connection: close"))
	server, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	address := between(t, server.Host, drop, refuse, jolt, late, pass(100, -1), pass(-1, 0), pass(-1, 10), pass(-1, -1), pass(-1, 17))
	c, target := newClient(t, impatient/4), hook(t, policy.Webhook, "http://"+address)
	attempts := 0
	for i := range 12 {
		o, n := eventually(t, c, target, violation(fmt.Sprintf("m%d", i)))
		expect(t, o, Delivered, "")
		attempts += n
	}
	requests, messages := r.count()
	if messages != 12 {
		t.Errorf("%d messages arrived of 12", messages)
	}
	if attempts <= 12 || requests > attempts {
		t.Errorf("%d requests of %d attempts", requests, attempts)
	}
}

func TestUnsentIsTold(t *testing.T) {
	t.Parallel()
	dial := &url.Error{Op: "Post", URL: "https://h/" + hookSecret, Err: &net.OpError{Op: "dial", Err: errors.New("refused")}}
	if !unsent(dial) || unsent(io.EOF) || unsent(&net.OpError{Op: "read", Err: io.EOF}) {
		t.Error("a request that was not sent is not told from one that was")
	}
	noSecret(t, failed(dial))
}
