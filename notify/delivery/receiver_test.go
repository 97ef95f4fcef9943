package delivery_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"telltale/event"
	"telltale/guard/raced"
	"telltale/notify"
	"telltale/notify/delivery"
	"telltale/notify/outbox"
	"telltale/notify/transport"
	"telltale/policy"
)

// fail makes the outbox refuse some change, as it does when the disk is full.
func (r *rig) fail(when string) {
	r.edit("CREATE TRIGGER full " + when + " BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END")
}

func (r *rig) heal() { r.edit("DROP TRIGGER full") }

func (r *rig) edit(statement string) {
	r.Helper()
	db, err := sql.Open("sqlite", filepath.ToSlash(r.path))
	if err != nil {
		r.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		r.Fatal(err)
	}
}

// hasty is a clock that runs so many times faster.
type hasty struct {
	began time.Time
	times time.Duration
}

func (c hasty) Now() time.Time { return c.began.Add(time.Since(c.began) * c.times) }

func (c hasty) After(d time.Duration) (<-chan time.Time, func()) {
	timer := time.NewTimer(d / c.times)
	return timer.C, func() { timer.Stop() }
}

// receiver is an HTTP server that behaves by a script.
type receiver struct {
	*httptest.Server
	mutex sync.Mutex
	keys  map[string][]string // what was answered to each message, in order
	of    map[string][]string // the violations of each message
	dice  *rand.Rand
	rules []rule
	news  chan struct{}
}

// rule says how often, of a thousand, a request is answered so.
type rule struct {
	answer string
	of1000 int
}

func newReceiver(t *testing.T, seed uint64, rules ...rule) *receiver {
	r := &receiver{keys: map[string][]string{}, of: map[string][]string{}, dice: rand.New(rand.NewPCG(seed, seed)), rules: rules, news: make(chan struct{}, 1)}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, request *http.Request) {
	var m struct{ Items []struct{ ID string } }
	body, err := io.ReadAll(request.Body)
	if err != nil || json.Unmarshal(body, &m) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	key := request.Header.Get("Idempotency-Key")
	r.mutex.Lock()
	answer := "ok"
	roll := r.dice.IntN(1000)
	for _, rule := range r.rules {
		if roll -= rule.of1000; roll < 0 {
			answer = rule.answer
			break
		}
	}
	r.keys[key] = append(r.keys[key], answer)
	if r.of[key] == nil {
		for _, item := range m.Items {
			r.of[key] = append(r.of[key], item.ID)
		}
	}
	r.mutex.Unlock()
	defer func() {
		select {
		case r.news <- struct{}{}:
		default:
		}
	}()
	switch answer {
	case "hang": // takes it, and says nothing
		<-request.Context().Done()
	case "drop": // closes the connection
		panic(http.ErrAbortHandler)
	case "408":
		w.WriteHeader(http.StatusRequestTimeout)
	case "429":
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case "503":
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// until waits for a condition of what has arrived.
func (r *receiver) until(t *testing.T, enough func() bool) {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		r.mutex.Lock()
		ok := enough()
		r.mutex.Unlock()
		if ok {
			return
		}
		select {
		case <-r.news:
		case <-timeout:
			t.Fatal("what was waited for did not come")
		}
	}
}

// accepted returns the violations of messages that were taken, once for each message.
func (r *receiver) accepted() (violations []string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for key, answers := range r.keys {
		if answers[len(answers)-1] == "ok" {
			violations = append(violations, r.of[key]...)
		}
	}
	return violations
}

// repeated returns how many messages were sent again although they had been taken.
func (r *receiver) repeated() (n int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, answers := range r.keys {
		for _, a := range answers[:len(answers)-1] {
			if a == "ok" {
				n++
			}
		}
	}
	return n
}

// pace is how fast the clock runs, and how long an attempt may really take.
type pace struct {
	times   time.Duration
	timeout time.Duration
}

var (
	hurried = pace{1000, time.Second}     // where receivers hang
	steady  = pace{100, 10 * time.Second} // where none does, so that a busy machine is no reason for a second attempt
)

// webhook is a destination that package transport speaks to.
func webhook(client *transport.Client, p pace, name, url string) (delivery.Destination, error) {
	target, err := transport.Resolve(policy.Destination{Name: name, Kind: policy.Webhook, URL: policy.NewCredential(url)}, policy.Sources{})
	return delivery.Destination{
		Destination: outbox.Destination{Name: name, Kind: string(target.Kind()), Identity: target.Identity()},
		Send:        func(ctx context.Context, m notify.Message) transport.Outcome { return client.Send(ctx, target, m) },
		Longest:     client.Longest(target) * p.times, Each: true,
	}, err
}

// connect makes a rig with a destination at a real address. What was delivered must not be
// sent again.
func connect(t *testing.T, p pace, url string) (*rig, func(*delivery.Config)) {
	t.Helper()
	client := transport.New(transport.Options{Timeout: p.timeout})
	t.Cleanup(client.Close)
	r := newRig(t)
	to, err := webhook(client, p, "hook", url)
	if err != nil {
		t.Fatal(err)
	}
	var done sync.Map
	send := to.Send
	to.Send = func(ctx context.Context, m notify.Message) transport.Outcome {
		if _, ok := done.Load(m.ID); ok {
			t.Errorf("message %s is sent again", m.ID)
		}
		o := send(ctx, m)
		if o.Status == transport.Delivered {
			done.Store(m.ID, true)
		}
		return o
	}
	return r, func(c *delivery.Config) {
		c.Destinations, c.Clock = []delivery.Destination{to}, hasty{time.Now(), p.times}
		c.Recipients = func(event.Event) []notify.Recipient { return []notify.Recipient{{Destination: "hook"}} }
	}
}

func TestEachMessageArrivesOnceAtABadReceiver(t *testing.T) {
	t.Parallel()
	hook := newReceiver(t, 1, rule{"hang", 3}, rule{"drop", 100}, rule{"408", 200}, rule{"429", 20}, rule{"503", 50})
	r, config := connect(t, hurried, hook.URL)
	r.start(config)
	all := names(raced.Size(500, 50))
	for some := range slices.Chunk(all, 50) {
		r.observe(some...)
	}
	r.stop(time.Hour)
	equal(t, "at a bad receiver", hook.accepted(), all)
	// A receiver that takes a message and answers too late gets it again, with its key.
	late := strings.Count(r.log.String(), "did not answer in time")
	if n := hook.repeated(); n > late || len(hook.keys) != len(all) {
		t.Errorf("%d messages, %d sent again after they were taken, %d answers were late", len(hook.keys), n, late)
	}
	if done := r.messages(outbox.Delivered); len(done) != len(all) {
		t.Errorf("%d are noted", len(done))
	}
	if strings.Contains(r.log.String(), "http://") || !strings.Contains(r.log.String(), "408") {
		t.Error("an address is in the log, or no attempt")
	}
}

func TestTwoProcessesShareAnOutbox(t *testing.T) {
	t.Parallel()
	hook := newReceiver(t, 7, rule{"408", 200}, rule{"drop", 100})
	r, config := connect(t, steady, hook.URL)
	second := *r
	second.audit = &audit{id: "another audit"}
	r.start(config)
	second.start(config)
	for some := range slices.Chunk(names(raced.Size(200, 20)), 20) {
		r.observe(some...)
		for _, v := range some {
			second.observe("second " + v)
		}
	}
	r.stop(time.Hour)
	second.stop(time.Hour)
	r.start(config, func(c *delivery.Config) { c.Source = nil })
	r.stop(time.Hour)
	if got, want := hook.accepted(), 2*raced.Size(200, 20); len(got) != want || hook.repeated() != 0 || len(hook.keys) != want {
		t.Errorf("%d of %d arrived in %d messages, %d were sent again", len(got), want, len(hook.keys), hook.repeated())
	}
}

// swallower is a TCP proxy that loses the first bytes of each of its first connections:
// the rest comes through, and makes no sense to anybody.
func swallower(t *testing.T, to string, connections int) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for n := 0; ; n++ {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer client.Close()
				server, err := net.Dial("tcp", to)
				if err != nil {
					t.Error(err)
					return
				}
				defer server.Close()
				if n < connections {
					lost := make([]byte, 64<<10) // a packet
					if _, err := client.Read(lost); err != nil {
						return
					}
				}
				all.Go(func() {
					io.Copy(server, client)
					server.(*net.TCPConn).CloseWrite()
				})
				io.Copy(client, server)
			})
		}
	})
	t.Cleanup(func() { listener.Close(); all.Wait() })
	return "http://" + listener.Addr().String()
}

func TestAWayThatLosesTheFirstBytesOfAConnection(t *testing.T) {
	t.Parallel()
	hook := newReceiver(t, 1)
	way := swallower(t, strings.TrimPrefix(hook.URL, "http://"), 2)
	r, config := connect(t, hurried, way)
	r.start(config)
	r.observe(names(20)...)
	r.stop(time.Hour)
	equal(t, "behind it", hook.accepted(), names(20))
	if dead := r.messages(outbox.Dead); len(dead) != 0 || len(hook.keys) != 20 {
		t.Errorf("%d messages, dead: %+v", len(hook.keys), dead)
	}
}
