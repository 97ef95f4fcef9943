package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"

	"telltale/flow"
)

// pageRig has a set-up page that asks /again again and again.
func pageRig(t *testing.T, status *atomic.Int32) *rig {
	status.Store(http.StatusOK)
	return newRig(t, func(c *Config) {
		c.Home = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(int(status.Load())) })
		c.Repeats = func(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Path == "/again" }
	})
}

// An open set-up page asks again and again: what it was answered the last time, too,
// has a row, and nothing else goes without one.
func TestOpenPageThatAsksAgainHasOneRow(t *testing.T) {
	var status atomic.Int32
	r := pageRig(t, &status)
	ask := func(method, path, agent string) {
		t.Helper()
		c := r.dial()
		defer c.Close()
		c.say("%s %s HTTP/1.0\r\nHost: setup.telltale\r\nUser-Agent: %s\r\n\r\n", method, path, agent)
		if _, err := io.ReadAll(c.br); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	row := func(method, path, agent string) {
		t.Helper()
		want = append(want, fmt.Sprint(method, " http://setup.telltale", path, " ", status.Load()))
		ask(method, path, agent)
		r.ending(len(want))
	}
	again := func() {
		t.Helper()
		for range 3 {
			ask("GET", "/again", "Phone")
		}
	}
	row("GET", "/again", "Phone")
	again()
	row("GET", "/", "Phone")
	row("GET", "/", "Phone") // whoever loads the page again has a reason
	row("HEAD", "/again", "Phone")
	row("HEAD", "/again", "Phone")
	row("GET", "/again", "Another program of the phone")
	status.Store(http.StatusForbidden)
	row("GET", "/again", "Phone")
	again()
	status.Store(http.StatusOK)
	row("GET", "/again", "Phone")
	again()
	must(t, r.proxy.Shutdown(context.Background())) // every connection has made its row, where it has one
	for i, f := range r.ending(len(want)) {
		if got := fmt.Sprint(f.Method(), " ", f.URL(), " ", f.Status()); f.Outcome != flow.Served || got != want[i] {
			t.Errorf("row %d: %s %s, want %s", i+1, f.Outcome, got, want[i])
		}
	}
}

// Over TLS each answer is evidence of trust. A device that refuses our certificate
// begins anew in clear text, too.
func TestAnswersAreEvidenceOfTrust(t *testing.T) {
	var status atomic.Int32
	r := pageRig(t, &status)
	secure := func() {
		t.Helper()
		c := r.handshake(r.tunnel("setup.telltale:443"), func(c *tls.Config) { c.ServerName = "setup.telltale" })
		defer c.Close()
		c.say("GET /again HTTP/1.1\r\nHost: setup.telltale\r\n\r\n")
		equal(t, "status", c.status(), 200)
	}
	clear := func() {
		t.Helper()
		c := r.dial()
		defer c.Close()
		c.say("GET /again HTTP/1.0\r\nHost: setup.telltale\r\n\r\n")
		equal(t, "status", c.status(), 200)
	}
	clear()
	r.ending(1)
	clear()
	secure()
	r.ending(2)
	secure()
	r.ending(3)
	r.refuses(&tls.Config{ServerName: "setup.telltale"})
	r.ending(4)
	secure()
	r.ending(5)
	clear()
	r.ending(6)
	clear()
	must(t, r.proxy.Shutdown(context.Background()))
	var got []flow.Outcome
	for _, f := range r.ending(6) {
		got = append(got, f.Outcome)
	}
	equal(t, "rows", fmt.Sprint(got), fmt.Sprint([]flow.Outcome{flow.Served, flow.Served, flow.Served, flow.ClientRefused, flow.Served, flow.Served}))
}

// What is remembered of pages is bounded, and what is beyond has its row.
func TestServingsAreBounded(t *testing.T) {
	var s servings
	at := func(i int) *connection {
		return &connection{client: flow.Client{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1)}}
	}
	req, err := http.NewRequest("GET", "/again", nil)
	must(t, err)
	for i := range maxServings + 10 {
		if s.again(at(i), req, 200) {
			t.Fatalf("client %d never asked before", i)
		}
	}
	equal(t, "remembered", fmt.Sprint(s.count, len(s.seen)), fmt.Sprint(maxServings, maxServings))
	equal(t, "one of them", s.again(at(0), req, 200), true)
	equal(t, "one beyond", s.again(at(maxServings), req, 200), false)
	s.forget(at(0).client.Addr.Addr())
	equal(t, "forgotten", s.again(at(0), req, 200), false)
	equal(t, "remembered then", s.count, maxServings)
}
