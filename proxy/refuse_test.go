package proxy

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"telltale/flow"
)

func TestPolicyBlocksARequest(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		var reached atomic.Int32
		r := newRig(t, func(c *Config) {
			c.Admit = func(f *flow.Flow) Decision {
				if f.Request != nil && f.Path() == "/tracker" {
					return Decision{Admission: Block, Why: "host-not-allowed: nothing allows it"}
				}
				return Decision{}
			}
		})
		u := r.origin(func(w http.ResponseWriter, r *http.Request) { reached.Add(1) })
		c := r.client(proto)
		resp, body := fetch(t, c, request(t, "POST", u.String()+"/tracker", strings.NewReader("secret")))
		equal(t, "status", resp.StatusCode, 403)
		if !strings.Contains(body, "host-not-allowed: nothing allows it") {
			t.Errorf("the page does not name the rule: %q", body)
		}
		resp, _ = fetch(t, c, request(t, "GET", u.String()+"/fine", nil))
		equal(t, "status", resp.StatusCode, 200)
		equal(t, "reached", reached.Load(), 1)
		flows := r.ending(2)
		f := flows[0]
		equal(t, "blocked", fmt.Sprint(f.Outcome, f.Status(), f.Failure), "blocked403")
		if !strings.Contains(f.Error, "host-not-allowed") || len(f.Altered) != 1 || !strings.Contains(f.Altered[0], "403") {
			t.Errorf("error %q, altered %q", f.Error, f.Altered)
		}
		equal(t, "dialled", f.Server.Dialed.IsValid(), false)
		equal(t, "the other", fmt.Sprint(flows[1].Outcome, flows[1].Altered), "completed[]")
	})
}

// capturedLog keeps what is logged.
type capturedLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *capturedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(b))
	return len(b), nil
}

func (l *capturedLog) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *capturedLog) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// The policy is named where it is the policy that refuses, and nowhere else.
func TestWordsOfRefusals(t *testing.T) {
	for want, d := range map[string]Decision{
		"the policy forbids a.test:80: host-not-allowed":   {Forbidden: true, Why: "host-not-allowed"},
		"the policy forbids a.test:80":                     {Forbidden: true},
		"a.test:80 is refused: a person refuses *.test":    {Why: "a person refuses *.test"},
		"an experiment refuses a.test:80: offline: no net": {Why: "offline: no net", Outcome: flow.Simulated},
	} {
		equal(t, "words", d.refusal("a.test:80"), want)
	}
	for want, d := range map[string]Decision{"the policy forbids it": {Forbidden: true}, "refused": {}, "x": {Why: "x"}} {
		equal(t, "reason", d.reason(), want)
	}
	d := Decision{Admission: Block, Why: "a person refuses ads.test", By: []string{"refuse ads.test"}}
	r := nameless(t, decides(d))
	resp, body := fetch(t, r.client(), request(t, "GET", "http://ads.test/", nil))
	if resp.StatusCode != 403 || body != "telltale: ads.test:80 is refused: a person refuses ads.test\n" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	decided(t, r.one(), d, "answered 403")
}
