package wireguard

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"telltale/coverage"
	"telltale/flow"
	"telltale/proxy"
)

// tape records the flows of a proxy.
type tape struct {
	mu    sync.Mutex
	next  flow.ID
	flows map[flow.ID]*flow.Flow
}

func (t *tape) NextID() flow.ID {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next++
	return t.next
}

func (t *tape) Observe(f *flow.Flow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flows[f.ID] = f
}

// one returns the flow there is, nil for none.
func (t *tape) one() *flow.Flow {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.flows[1]
}

// noLeaves signs nothing.
type noLeaves struct{}

func (noLeaves) Leaf(string) (*tls.Certificate, error) {
	return nil, errors.New("nothing is signed here")
}

// behind puts a proxy of its own behind the tunnel that decides so about everything.
func (r *rig) behind(t *testing.T, d proxy.Decision) (*proxy.Proxy, *tape) {
	t.Helper()
	seen := &tape{flows: map[flow.ID]*flow.Flow{}}
	p, err := proxy.New(proxy.Config{Leafer: noLeaves{}, Recorder: seen, Admit: func(*flow.Flow) proxy.Decision { return d }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	r.onArrive(p.Arrive)
	r.onReceive(p.Receive)
	return p, seen
}

// A phone meets each refusal as it would in a network that behaves so.
func TestRefusalsInTheTunnel(t *testing.T) {
	const to = "203.0.113.7:80"
	simulated := func(form proxy.Refusal) proxy.Decision {
		return proxy.Decision{Admission: proxy.Block, Refusal: form, Outcome: flow.Simulated, Why: "no network", By: []string{"offline"},
			Answer: func(*http.Request) (*http.Response, string) {
				return &http.Response{StatusCode: 503, Body: io.NopCloser(strings.NewReader("busy"))}, "answered 503"
			}}
	}
	t.Run("refused", func(t *testing.T) {
		r := open(t, "127.0.0.1:0")
		r.behind(t, simulated(proxy.Refused))
		if _, err := r.phone(t, r.first(t)).DialTCPAddrPort(addr(to)); !isRefused(err) {
			t.Errorf("%v, want a refusal", err)
		}
	})
	t.Run("unanswered", func(t *testing.T) {
		r := open(t, "127.0.0.1:0")
		p, seen := r.behind(t, simulated(proxy.Silent))
		phone := r.phone(t, r.first(t))
		ctx, cancel := context.WithCancel(t.Context())
		dialled := make(chan error, 1)
		go func() {
			_, err := phone.DialContextTCPAddrPort(ctx, addr(to))
			dialled <- err
		}()
		until(t, "the connection hangs", func() bool { return seen.one() != nil })
		if err := p.Shutdown(context.Background()); err != nil { // which gives it up without a word
			t.Error(err)
		}
		r.balanced(t)
		select {
		case err := <-dialled:
			t.Errorf("the phone was told: %v", err)
		default:
		}
		cancel()
		<-dialled
		if f := seen.one(); f.Outcome != flow.Simulated || !strings.Contains(f.Altered[0], "never answered") {
			t.Errorf("%s %q", f.Outcome, f.Altered)
		}
	})
	t.Run("reset", func(t *testing.T) {
		r := open(t, "127.0.0.1:0")
		_, seen := r.behind(t, simulated(proxy.Reset))
		c, err := r.phone(t, r.first(t)).DialTCPAddrPort(addr(to))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.1\r\n")
		if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "reset") {
			t.Errorf("%v, want a reset", err)
		}
		until(t, "the row", func() bool { f := seen.one(); return f != nil && f.Outcome == flow.Simulated })
		if l := r.balanced(t); l.Recorded[coverage.TCP].Units != 1 {
			t.Errorf("%v", l.Recorded)
		}
	})
	t.Run("answered", func(t *testing.T) {
		r := open(t, "127.0.0.1:0")
		_, seen := r.behind(t, simulated(proxy.Answered))
		c, err := r.phone(t, r.first(t)).DialTCPAddrPort(addr(to))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 503 || string(body) != "busy" {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
		until(t, "the row", func() bool { f := seen.one(); return f != nil && f.Outcome == flow.Simulated })
		if f := seen.one(); f.Server.Dialed.IsValid() || f.Altered[0] != "answered 503: no network" {
			t.Errorf("%+v %q", f.Server, f.Altered)
		}
	})
}
