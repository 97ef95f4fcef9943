package proxy

import (
	"context"
	"io"
	"net/http"
	"testing"

	"telltale/flow"
)

// An open set-up page asks again and again: what it was answered before has a row, and
// its connections are accounted for by it.
func TestRepeatedAnswersOfThePageHaveOneRow(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Home = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "home "+r.URL.Path) })
	})
	ask := func(path, agent string) {
		t.Helper()
		c := r.dial()
		c.say("GET %s HTTP/1.0\r\nHost: setup.telltale\r\nUser-Agent: %s\r\n\r\n", path, agent)
		if resp, body := c.answer(); resp.StatusCode != http.StatusOK || body != "home "+path {
			t.Fatalf("%s: answered %d %q", path, resp.StatusCode, body)
		}
	}
	for range 3 {
		ask("/progress.json", "Phone")
	}
	ask("/", "Phone")
	ask("/progress.json", "Another program of the phone")
	ask("/progress.json", "Phone")
	must(t, r.proxy.Shutdown(context.Background())) // every connection has made its row, where it has one
	flows := r.ending(3)
	for i, want := range []string{"http://setup.telltale/progress.json", "http://setup.telltale/", "http://setup.telltale/progress.json"} {
		if flows[i].Outcome != flow.Served || flows[i].URL() != want {
			t.Errorf("row %d: %s %s, want %s", i+1, flows[i].Outcome, flows[i].URL(), want)
		}
	}
}
