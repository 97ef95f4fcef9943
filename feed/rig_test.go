package feed_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"telltale/feed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const good = "good-token"

var errBad = errors.New("no such token")

// rig is a feed on a real socket.
type rig struct {
	*feed.Server
	url     string
	address string
	closing func()

	mu      sync.Mutex
	refused []string
	dropped []string
}

// start serves a feed whose one token ends in an hour.
func start(t testing.TB, limits feed.Limits, change ...func(*feed.Config)) *rig {
	t.Helper()
	r := &rig{}
	c := feed.Config{
		Check: func(token string) (time.Time, error) {
			if token != good {
				return time.Time{}, errBad
			}
			return time.Now().Add(time.Hour), nil
		},
		Refused: func(address string, err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.refused = append(r.refused, fmt.Sprint(address, " ", err))
		},
		Dropped: func(address string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.dropped = append(r.dropped, address)
		},
	}
	for _, f := range change {
		f(&c)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if limits.Notice == 0 {
		limits.Notice = 100 * time.Millisecond
	}
	r.Server, r.address = feed.NewWithin(c, limits), l.Addr().String()
	r.url = "http://" + r.address
	served := make(chan error, 1)
	go func() { served <- r.Serve(l) }()
	r.closing = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return r
}

// names returns what was told of, once there are as many.
func (r *rig) names(t *testing.T, of *[]string, n int) []string {
	t.Helper()
	var got []string
	until(t, fmt.Sprintf("%d to be told of", n), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		got = *of
		return len(got) >= n
	})
	return got
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}

// an event is what an EventSource makes of the stream.
type event struct{ name, id, data string }

// source reads server-sent events.
type source struct {
	lines    *bufio.Reader
	close    func() error
	comments int
}

// connect opens the stream with further headers, "Name: value".
func (r *rig) connect(t testing.TB, headers ...string) *source {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+good)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("got %s", answer.Status)
	}
	s := &source{lines: bufio.NewReader(answer.Body), close: answer.Body.Close}
	t.Cleanup(func() { _ = s.close() })
	return s
}

// next returns the next event; ok is false at the end.
func (s *source) next(t testing.TB) (e event, ok bool) {
	t.Helper()
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return e, false
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data += value
		case "":
			if value != "" {
				s.comments++
			} else if e.data != "" {
				return e, true
			}
		case "retry":
		default:
			t.Fatalf("what is %q?", line)
		}
	}
}

func (s *source) want(t testing.TB, name, data string) event {
	t.Helper()
	e, ok := s.next(t)
	if !ok || e.name != name || !strings.Contains(e.data, data) {
		t.Fatalf("got %+v, %v; want %s with %s", e, ok, name, data)
	}
	return e
}
