package flow_test

import (
	"fmt"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

// connect returns a CONNECT with an answer of the proxy.
func connect(target string, status int) *flow.Flow {
	f := flowtest.Tunnel(target)
	f.Request = &flow.Request{Method: "CONNECT"}
	if status/100 != 2 {
		f.Response = &flow.Response{Status: status}
		f.Outcome = flow.UpstreamFailed
	}
	return f
}

// TestTunnels is a list of what stands in a file, a CONNECT with its answer or what was
// read inside, and of the contacts that count, those first that need not wait.
func TestTunnels(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, file, contacts string }{
		{"nothing read inside", "a:443=200", "a:443=200"},
		{"a request inside", "a:443=200 a:443", ""},
		{"the request first", "a:443 a:443=200 A.:443=200", ""},
		{"another port", "a:443=200 a:8443", "a:443=200"},
		{"refused beside a request", "a:443=502 a:443", "a:443=502"},
		{"denied, then opened", "a:443=403 a:443=200 a:443", "a:443=403"},
		{"challenged, then a request", "a:443=407 a:443=200 a:443", ""},
		{"challenged, then opened", "a:443=407 A:443=200", "A:443=200"},
		{"challenged, then refused", "a:443=407 a:443=502", "a:443=502"},
		{"challenged and gone", "a:443=407 b:443=200", "a:443=407 b:443=200"},
		{"challenged twice and gone", "a:443=407 a:443=407", "a:443=407 a:443=407"},
	} {
		var tunnels flow.Tunnels
		var got []string
		connects := 0
		for what := range strings.FieldsSeq(c.file) {
			target, answer, isConnect := strings.Cut(what, "=")
			if !isConnect {
				tunnels.Saw(target)
				continue
			}
			connects++
			status := 0
			fmt.Sscan(answer, &status)
			f := connect(target, status)
			f.Error = what
			if !tunnels.Hold(f) {
				got = append(got, f.Error)
			}
		}
		rest, explained := tunnels.Rest()
		for _, f := range rest {
			got = append(got, f.Error)
		}
		if strings.Join(got, " ") != c.contacts || explained != connects-len(got) {
			t.Errorf("%s: contacts %q, %d explained, want %q", c.name, got, explained, c.contacts)
		}
		if again, n := tunnels.Rest(); len(again)+n != 0 {
			t.Errorf("%s: told twice", c.name)
		}
	}
}

// A CONNECT that names two hosts is a finding of its own, whatever went through it.
func TestTunnelsOfTwoNames(t *testing.T) {
	t.Parallel()
	var tunnels flow.Tunnels
	f := connect("a.example:443", 200)
	f.Server.Host = "b.example:443"
	if tunnels.Hold(f) {
		t.Error("it waits")
	}
}

// What waits takes bounded memory; the rest is a contact at once.
func TestTunnelsAreBounded(t *testing.T) {
	t.Parallel()
	var tunnels flow.Tunnels
	header := []flow.Field{flow.NewField("X", strings.Repeat("x", 1<<20))}
	held := 0
	for range 100 {
		f := connect("a.example:443", 200)
		f.Request.Header = header
		if tunnels.Hold(f) {
			held++
		}
	}
	if held != 63 {
		t.Errorf("%d wait", held)
	}
	long := strings.Repeat("a", 1<<10) + ":443"
	tunnels.Saw(long)
	rest, _ := tunnels.Rest()
	if len(rest) != held {
		t.Errorf("%d of %d are contacts", len(rest), held)
	}
	for i := range 150_000 {
		tunnels.Saw(fmt.Sprint("h", i, ".example:443"))
	}
	tunnels.Hold(connect("h149999.example:443", 200))
	tunnels.Hold(connect(long, 200))
	tunnels.Hold(connect("h0.example:443", 200))
	if rest, explained := tunnels.Rest(); len(rest) != 2 || explained != 1 {
		t.Errorf("%d contacts, %d explained", len(rest), explained)
	}
}
