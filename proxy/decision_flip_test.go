package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"telltale/flow"
	"telltale/guard/raced"
)

// switchable makes a decision that a test changes.
type switchable struct{ now atomic.Pointer[Decision] }

func (s *switchable) set(d Decision) { s.now.Store(&d) }

func (s *switchable) admit(c *Config) {
	c.Admit = func(*flow.Flow) Decision { return *s.now.Load() }
}

// flips are the decisions between which experiments are switched, by their names.
func flips() map[string]Decision {
	named := func(name string, d Decision) Decision {
		d.By = []string{name}
		return d
	}
	return map[string]Decision{
		"":           {},
		"slow":       {By: []string{"slow"}, What: "passed over a slow link"},
		"cut":        {Cut: 10, CutBy: []string{"cut"}},
		"refused":    named("refused", Decision{Admission: Block, Why: "forbidden"}),
		"unresolved": named("unresolved", simulated(Unresolved)),
		"answered":   named("answered", simulated(Answered)),
		"reset":      named("reset", simulated(Reset)),
	}
}

// Decisions change from one request to the next, on connections of both versions: each
// flow is true to the one that was made for it.
func TestDecisionsFlip(t *testing.T) {
	var on switchable
	on.set(Decision{})
	var reached atomic.Int64
	r := newRig(t, on.admit)
	u := r.origin(func(w http.ResponseWriter, q *http.Request) {
		io.Copy(io.Discard, q.Body)
		reached.Add(1)
		io.WriteString(w, "what the server says")
	})
	done := make(chan struct{})
	var flipping sync.WaitGroup
	flipping.Go(func() {
		for {
			for _, d := range flips() { // in an order that changes
				select {
				case <-done:
					return
				default:
					on.set(d)
				}
				for range 50 {
					runtime.Gosched()
				}
			}
		}
	})
	var clients sync.WaitGroup
	for i := range raced.Size(12, 6) {
		c := r.client([]func(*http.Transport){onlyH1, exact}[i%2])
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for range 3 { // at a time, on one connection or several
			clients.Go(func() {
				for range raced.Size(30, 10) {
					resp, err := c.Do(request(t, "POST", u.String()+"/p", strings.NewReader("secret")))
					if err == nil {
						io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
					}
				}
			})
		}
	}
	clients.Wait()
	close(done)
	flipping.Wait()
	r.shutdown()
	forwarded, seen := int64(0), map[string]int{}
	for _, f := range r.all() {
		name := strings.Join(f.Experiments, " ")
		seen[name]++
		if f.Kind != flow.HTTP {
			let := name == "" || name == "slow"
			if let != (f.Outcome != flow.Simulated && f.Outcome != flow.Blocked) {
				t.Errorf("tunnel: %s by %q: %q", f.Outcome, name, f.Altered)
			}
			continue
		}
		if got, want := shape(f), flipped[name]; !slices.Contains(want, got) {
			t.Errorf("by %q: %s, want one of %q", name, got, want)
		}
		if f.Server.Dialed.IsValid() {
			forwarded++
		}
	}
	if forwarded != reached.Load() {
		t.Errorf("%d flows say that they were forwarded, the server saw %d", forwarded, reached.Load())
	}
	t.Logf("flows by experiment: %v", seen)
}

// shape is what is to be true of a flow by its experiment.
func shape(f *flow.Flow) string {
	size := int64(0)
	if f.Response != nil && f.Status() != 403 { // that page has the server's port in it
		size = f.Response.Body.Size
	}
	return fmt.Sprint(f.Outcome, f.Status(), f.Server.Dialed.IsValid(), size, f.Altered)
}

var flipped = map[string][]string{
	"":           {"completed200 true 20 []"},
	"slow":       {"completed200 true 20 [passed over a slow link]"},
	"cut":        {"simulated200 true 10 [cut the answer off after 10 bytes]"},
	"refused":    {"blocked403 false 0 [answered 403 in the place of the server: forbidden]"},
	"unresolved": {"simulated403 false 0 [answered 403 in the place of the server: no network]"},
	"answered":   {"simulated302 false 7 [redirected to the sign-in page: no network]"},
	"reset":      {"simulated0 false 0 [reset the connection in the place of the server: no network]"},
}

// What hangs is nothing that the end of the audit waits for, however far it has come.
func TestHungContactsDoNotHoldTheEnd(t *testing.T) {
	d := simulated(Silent)
	r := nameless(t, decides(d), func(c *Config) { c.PerClient = 10 })
	connect := "CONNECT ads.test:443 HTTP/1.1\r\nHost: ads.test:443\r\n\r\n"
	for _, first := range []string{
		connect, connect + "more",
		"GET http://ads.test/ HTTP/1.1\r\nHost: ads.test\r\n\r\n",
		"POST http://ads.test/ HTTP/1.1\r\nHost: ads.test\r\nContent-Length: 100\r\n\r\nhalf of it",
		"POST http://ads.test/ HTTP/1.1\r\nHost: ads.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	} {
		r.dial().say("%s", first)
	}
	c := r.dialTo(r.socks())
	c.talkSOCKS(socksHello, socksOpen)
	c.say("\x05\x01\x00\x03\x08ads.test\x01\xbb")
	near, far := tcpPair(t)
	t.Cleanup(func() { far.Close() })
	for _, conn := range []net.Conn{nil, near} {
		a := Arrival{Way: tunnelWay, Client: netip.AddrPortFrom(tunnelPeer, 9), Destination: netip.MustParseAddrPort("192.0.2.1:443"), Conn: conn}
		if conn == nil {
			a.Accept = func() (net.Conn, error) { t.Error("accepted"); return nil, io.EOF }
		}
		go r.proxy.Arrive(a)
	}
	const all = 8
	r.wait("all to hang", func(flows []*flow.Flow) bool { return len(flows) == all })
	r.shutdown()
	for _, f := range r.ending(all) {
		decided(t, f, d, "never answered the")
	}
}

// A hung client takes its place among those that one client may have, as any other does.
func TestHungContactsAreBounded(t *testing.T) {
	r := nameless(t, decides(simulated(Silent)), func(c *Config) { c.PerClient = 3 })
	for range 5 {
		r.dial().say("CONNECT ads.test:443 HTTP/1.1\r\nHost: ads.test:443\r\n\r\n")
	}
	r.wait("some to be turned away", func(flows []*flow.Flow) bool {
		denied := 0
		for _, f := range flows {
			if f.Outcome == flow.ClientDenied {
				denied++
			}
		}
		return len(flows) == 5 && denied == 2
	})
}
