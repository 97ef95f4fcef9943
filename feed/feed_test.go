package feed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"telltale/feed"
	"telltale/guard/raced"
)

func line(n int) []byte { return fmt.Appendf(nil, `{"event":"flow","n":%d}`+"\n", n) }

// dial opens the WebSocket.
func (r *rig) dial(t testing.TB) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), r.url+"/ws?token="+good, nil) //nolint:bodyclose // of a WebSocket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func message(t testing.TB, conn *websocket.Conn) string {
	t.Helper()
	_, data, err := conn.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestReadersGetWhatIsPublished(t *testing.T) {
	t.Parallel()
	r := start(t, feed.Limits{}, func(c *feed.Config) {
		c.Hello = func() [][]byte { return [][]byte{[]byte(`{"event":"listening"}` + "\n")} }
	})
	defer r.closing()
	r.Publish(line(0)) // to nobody
	source, conn := r.connect(t), r.dial(t)
	source.want(t, "listening", `{"event":"listening"}`)
	if got := message(t, conn); got != `{"event":"listening"}` {
		t.Fatalf("got %s", got)
	}
	reused := line(1)
	r.Publish(reused)
	copy(reused, line(9)) // whoever publishes may use its memory again
	r.Publish([]byte("{\n\t\"event\": \"Not Plain\",\r\n\"n\": 2}"))
	first := source.want(t, "flow", `{"event":"flow","n":1}`)
	second := source.want(t, "", `{ 	"event": "Not Plain",  "n": 2}`)
	if first.id == "" || first.id == second.id {
		t.Errorf("IDs %q and %q", first.id, second.id)
	}
	if got := message(t, conn); got != `{"event":"flow","n":1}` {
		t.Errorf("got %s", got)
	}
	if got := message(t, conn); !json.Valid([]byte(got)) || !strings.Contains(got, "Not Plain") {
		t.Errorf("got %s", got)
	}
}

// Whoever is connected when the audit ends gets the summary, and then the end.
func TestCloseGivesReadersTheRest(t *testing.T) {
	t.Parallel()
	r := start(t, feed.Limits{})
	source, conn := r.connect(t), r.dial(t)
	until(t, "both readers", func() bool { return r.Readers() == 2 })
	const many = 5000
	for n := range many {
		r.Publish(line(n))
	}
	done := make(chan struct{})
	go func() { r.closing(); close(done) }()
	for n := range many {
		source.want(t, "flow", string(line(n)[:len(line(n))-1]))
	}
	if e, ok := source.next(t); ok {
		t.Errorf("got %+v after the last", e)
	}
	for range many {
		message(t, conn)
	}
	_, _, err := conn.Read(t.Context())
	if websocket.CloseStatus(err) != websocket.StatusNormalClosure || !strings.Contains(err.Error(), "the audit is over") {
		t.Errorf("got %v", err)
	}
	<-done
	r.Publish(line(many)) // nobody gets it, nothing breaks
	answer := httptest.NewRecorder()
	r.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/events?token="+good, nil))
	if answer.Code != http.StatusNoContent {
		t.Errorf("after the end: %d; an EventSource would come again for ever", answer.Code)
	}
}

// A reader that takes nothing holds up the end no longer than it is given.
func TestCloseWaitsForNoStuckReader(t *testing.T) {
	t.Parallel()
	r := start(t, feed.Limits{Behind: 1 << 30, Write: time.Hour})
	stuck(t, r, "/events")
	stuck(t, r, "/ws")
	until(t, "both readers", func() bool { return r.Readers() == 2 })
	big := fmt.Appendf(nil, `{"event":"flow","url":%q}`, strings.Repeat("x", 8<<20))
	r.Publish(big)
	r.Publish(big)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	before := time.Now()
	if err := r.Close(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(before); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
	r.closing()
}

// stuck opens a connection that asks and then reads nothing.
func stuck(t testing.TB, r *rig, path string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	upgrade := ""
	if path == "/ws" {
		upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	}
	fmt.Fprintf(conn, "GET %s?token=%s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, good, upgrade)
	return conn
}

// The proof of the promise: readers that stop reading are dropped, and those that read get
// everything, in order.
func TestSlowReaderIsDroppedAndNotWaitedFor(t *testing.T) {
	t.Parallel()
	r := start(t, feed.Limits{Behind: 1 << 20, Write: 5 * time.Second, Notice: 100 * time.Millisecond})
	defer r.closing()
	slow := []net.Conn{stuck(t, r, "/events"), stuck(t, r, "/ws")}
	source, conn := r.connect(t), r.dial(t)
	until(t, "all readers", func() bool { return r.Readers() == 4 })
	const burst = 100
	events := raced.Size(100_000, 6000)
	// So long that what the kernel holds for the slow ones is soon full.
	address := "https://www.example.com/" + strings.Repeat("x", raced.Size(150, 2000))
	line := func(n int) []byte {
		return fmt.Appendf(nil, `{"event":"flow","n":%d,"url":%q}`, n, address)
	}
	var longest time.Duration
	for n := 0; n < events; n += burst {
		for i := n; i < n+burst; i++ {
			before := time.Now()
			r.Publish(line(i))
			longest = max(longest, time.Since(before))
		}
		for i := n; i < n+burst; i++ {
			want := string(line(i))
			if e, ok := source.next(t); !ok || e.data != want {
				t.Fatalf("got %+v, %v; want %s", e, ok, want)
			}
			if got := message(t, conn); got != want {
				t.Fatalf("got %s; want %s", got, want)
			}
		}
	}
	t.Logf("publishing one of %d took at most %v", events, longest)
	told := r.names(t, &r.dropped, len(slow))
	for _, c := range slow {
		if !strings.Contains(strings.Join(told, " "), c.LocalAddr().String()) {
			t.Errorf("%v is not among the dropped: %v", c.LocalAddr(), told)
		}
	}
	until(t, "the slow ones to be gone", func() bool { return r.Readers() == 2 })
}

// One that falls behind but still reads hears why it is cut off.
func TestDroppedReaderIsTold(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	r := start(t, feed.Limits{Behind: 1000}, func(c *feed.Config) {
		c.Hello = func() [][]byte { <-hold; return nil }
	})
	defer r.closing()
	dialed := make(chan *websocket.Conn)
	go func() { dialed <- r.dial(t) }()
	source, conn := r.connect(t), <-dialed
	until(t, "both readers", func() bool { return r.Readers() == 2 })
	for n := range 100 {
		r.Publish(line(n))
	}
	close(hold)
	source.want(t, "dropped", "connect again")
	if e, ok := source.next(t); ok {
		t.Errorf("got %+v after the end", e)
	}
	if got := message(t, conn); !strings.Contains(got, `"dropped"`) {
		t.Errorf("got %s", got)
	}
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusTryAgainLater {
		t.Errorf("got %v", err)
	}
	r.names(t, &r.dropped, 2)
}

func TestConnectionEndsWithItsToken(t *testing.T) {
	t.Parallel()
	ends := time.Now().Add(300 * time.Millisecond)
	r := start(t, feed.Limits{}, func(c *feed.Config) {
		c.Check = func(string) (time.Time, error) { return ends, nil }
	})
	defer r.closing()
	source, conn := r.connect(t), r.dial(t)
	r.Publish(line(1))
	source.want(t, "flow", "1")
	source.want(t, "expired", "the token has expired")
	if _, ok := source.next(t); ok || time.Now().Before(ends) {
		t.Errorf("more came, or the end came early")
	}
	message(t, conn)
	if got := message(t, conn); !strings.Contains(got, `"expired"`) {
		t.Errorf("got %s", got)
	}
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("got %v", err)
	}
}

// Nothing is stored: who comes again is told that something is missing, and how much.
func TestGapIsSaid(t *testing.T) {
	t.Parallel()
	r := start(t, feed.Limits{})
	defer r.closing()
	stays := r.connect(t)
	source := r.connect(t)
	until(t, "both readers", func() bool { return r.Readers() == 2 })
	r.Publish(line(1))
	id := source.want(t, "flow", "1").id
	if err := source.close(); err != nil {
		t.Fatal(err)
	}
	until(t, "the reader to leave", func() bool { return r.Readers() == 1 })

	again := r.connect(t, "Last-Event-ID: "+id)
	until(t, "the reader", func() bool { return r.Readers() == 2 })
	r.Publish(line(2))
	again.want(t, "flow", "2") // nothing was missed
	r.Publish(line(3))
	r.connect(t, "Last-Event-ID: "+id).want(t, "gap", `"missed":2`)
	for _, foreign := range []string{"1", "0badf00d-1", id + "0", id + "x", strings.Repeat("9", 5000)} {
		if e := r.connect(t, "Last-Event-ID: "+foreign).want(t, "gap", `"event":"gap"`); strings.Contains(e.data, "missed") {
			t.Errorf("%s: %s; nobody knows how much", foreign, e.data)
		}
	}
	stays.want(t, "flow", "1")
}

// When nobody reads, nothing may be published at all: nobody knows what was missed.
func TestGapWhileNobodyReads(t *testing.T) {
	t.Parallel()
	r := start(t, feed.Limits{})
	defer r.closing()
	source := r.connect(t)
	until(t, "the reader", func() bool { return r.Readers() == 1 })
	r.Publish(line(1))
	id := source.want(t, "flow", "1").id
	_ = source.close()
	until(t, "the reader to leave", func() bool { return r.Readers() == 0 })
	if e := r.connect(t, "Last-Event-ID: "+id).want(t, "gap", `"event":"gap"`); strings.Contains(e.data, "missed") {
		t.Errorf("got %s", e.data)
	}
}

func TestSignsOfLife(t *testing.T) {
	t.Parallel()
	r := start(t, feed.Limits{Beat: 5 * time.Millisecond})
	defer r.closing()
	source := r.connect(t)
	pinged := make(chan struct{}, 1000)
	conn, _, err := websocket.Dial(t.Context(), r.url+"/ws?token="+good, &websocket.DialOptions{ //nolint:bodyclose // of a WebSocket
		OnPingReceived: func(context.Context, []byte) bool { pinged <- struct{}{}; return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	go func() {
		for {
			if _, _, err := conn.Read(t.Context()); err != nil {
				return
			}
		}
	}()
	<-pinged
	<-pinged // the first was answered
	until(t, "both readers", func() bool { return r.Readers() == 2 })
	r.Publish(line(1))
	source.want(t, "flow", "1")
	for n := 2; source.comments == 0; n++ {
		r.Publish(line(n))
		source.want(t, "flow", "")
	}
}

// A reader over WebSocket has nothing to say.
func TestWebSocketTakesNothing(t *testing.T) {
	t.Parallel()
	r := start(t, feed.Limits{})
	defer r.closing()
	conn := r.dial(t)
	if err := conn.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("got %v", err)
	}
	until(t, "the reader to leave", func() bool { return r.Readers() == 0 })
}

func TestRefused(t *testing.T) {
	t.Parallel()
	r := start(t, feed.Limits{})
	defer r.closing()
	for _, path := range []string{"/events", "/ws", "/events?token=other", "/ws?token=other", "/events?token=" + good + "x"} {
		answer := httptest.NewRecorder()
		request := httptest.NewRequest(http.MethodGet, path, nil)
		r.ServeHTTP(answer, request)
		if body := answer.Body.String(); answer.Code != http.StatusUnauthorized || body != "no valid token\n" {
			t.Errorf("%s: %d %q", path, answer.Code, body)
		}
		for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Access-Control-Allow-Origin": ""} {
			if got := answer.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q; want %q", path, name, got, want)
			}
		}
	}
	// A header that is there counts, whatever the query says.
	answer := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodGet, "/events?token="+good, nil)
	request.Header.Set("Authorization", "bearer other")
	r.ServeHTTP(answer, request)
	if answer.Code != http.StatusUnauthorized {
		t.Errorf("two tokens: %d", answer.Code)
	}
	if told := r.names(t, &r.refused, 6); len(told) != 6 || !strings.Contains(told[0], errBad.Error()) {
		t.Errorf("told of %v", told)
	}
}

func TestOtherRequests(t *testing.T) {
	t.Parallel()
	r := start(t, feed.Limits{})
	defer r.closing()
	for request, want := range map[string]int{
		"GET /": http.StatusOK, "GET /other": http.StatusNotFound, "GET /events/": http.StatusNotFound, "GET //events": http.StatusNotFound,
		"POST /events?token=" + good: http.StatusMethodNotAllowed, "DELETE /": http.StatusMethodNotAllowed, "HEAD /events?token=" + good: http.StatusMethodNotAllowed,
		"OPTIONS /events": http.StatusNoContent, "OPTIONS /ws": http.StatusMethodNotAllowed,
		"GET /ws?token=" + good: http.StatusUpgradeRequired,
	} {
		method, path, _ := strings.Cut(request, " ")
		answer := httptest.NewRecorder()
		r.ServeHTTP(answer, httptest.NewRequest(method, path, nil))
		if answer.Code != want {
			t.Errorf("%s: %d; want %d", request, answer.Code, want)
		}
	}
}

func TestTooManyReaders(t *testing.T) {
	t.Parallel()
	r := start(t, feed.Limits{Readers: 2})
	defer r.closing()
	first := r.connect(t)
	r.dial(t)
	until(t, "both readers", func() bool { return r.Readers() == 2 })
	answer, err := http.Get(r.url + "/events?token=" + good)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Errorf("got %s", answer.Status)
	}
	_ = first.close()
	until(t, "one to leave", func() bool { return r.Readers() == 1 })
	r.connect(t)
}

// A connection that never says what it wants is closed.
func TestSlowRequestIsCut(t *testing.T) {
	t.Parallel()
	r := start(t, feed.Limits{ReadHeader: 50 * time.Millisecond})
	defer r.closing()
	for _, said := range []string{"", "GET /events HTTP/1.1\r\nHost: x\r\nX-Slow: "} {
		conn, err := net.Dial("tcp", r.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, said)
		if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%q: %v", said, err)
		}
	}
}

func TestHugeHeadersAreRefused(t *testing.T) {
	t.Parallel()
	r := start(t, feed.Limits{})
	defer r.closing()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/events?token="+strings.Repeat("x", 64<<10), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err == nil {
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("got %s", answer.Status)
		}
	}
}

// BenchmarkPublish measures what publishing costs with readers that read nothing and
// are never dropped.
func BenchmarkPublish(b *testing.B) {
	for _, readers := range []int{0, 1, 8} {
		b.Run(fmt.Sprint(readers), func(b *testing.B) {
			r := start(b, feed.Limits{Behind: 1 << 40})
			for range readers {
				stuck(b, r, "/events")
			}
			until(b, "the readers", func() bool { return r.Readers() == readers })
			one := fmt.Appendf(nil, `{"event":"flow","url":%q}`, "https://www.example.com/"+strings.Repeat("x", 400))
			// More than the kernel takes, so that the readers' goroutines wait.
			r.Publish(fmt.Appendf(nil, `{"event":"flow","url":%q}`, strings.Repeat("x", 16<<20)))
			r.Publish(one)
			b.ReportAllocs()
			for b.Loop() {
				r.Publish(one)
			}
			b.StopTimer()
			ctx, cancel := context.WithCancel(b.Context())
			cancel()
			if err := r.Close(ctx); err != nil {
				b.Error(err)
			}
			r.closing()
		})
	}
}
