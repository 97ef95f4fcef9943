package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/flow"
)

// inNamespace is set in the process that has a network of its own.
const inNamespace = "TELLTALE_TEST_NETWORK"

// The firewall of a network namespace leads connections to the transparent port, as that
// of a hotspot does.
func TestTransparent(t *testing.T) {
	if os.Getenv(inNamespace) != "" {
		transparent(t)
		return
	}
	for _, tool := range []string{"unshare", "ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	if out, err := exec.Command("unshare", "-rn", "nft", "add table inet probe").CombinedOutput(); err != nil {
		t.Skipf("no network namespace with nftables here: %v %s", err, out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	inside := exec.CommandContext(ctx, "unshare", "-rn", os.Args[0], "-test.run=^TestTransparent$", "-test.v")
	inside.Env = append(os.Environ(), inNamespace+"=1")
	out, err := inside.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestTransparent") {
		t.Errorf("within the namespace: %v\n%s", err, out)
	}
}

// transparent is the test within the namespace.
func transparent(t *testing.T) {
	run := func(script string) {
		t.Helper()
		if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", script, err, out)
		}
	}
	run("ip link set lo up; ip addr add 10.99.0.1/24 dev lo; ip addr add fd99::1/64 dev lo nodad; ip route add default dev lo src 10.99.0.1; ip -6 route add default dev lo src fd99::1")
	plain := (&rig{t: t}).plainOrigin(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "seen") })
	r := newRig(t, func(c *Config) {
		here := netip.MustParseAddr("127.0.0.1")
		c.Resolve = []Resolve{{Host: "192.0.2.9", Port: "*", Addr: here, ToPort: "1"}, {Host: "*", Port: "80", Addr: here, ToPort: plain.Port()}}
		c.Admit = func(f *flow.Flow) Decision {
			if form, ok := transparentForms[f.Server.Destination.String()]; ok {
				return simulated(form)
			}
			return Decision{}
		}
	})
	l, err := net.Listen("tcp", ":0")
	must(t, err)
	dns, err := net.ListenPacket("udp", l.Addr().String())
	must(t, err)
	port := portOf(l.Addr().String())
	run(`nft 'table inet t { chain o { type nat hook output priority -100;
		ip daddr 192.0.2.0/24 meta l4proto { tcp, udp } redirect to :` + port + `
		ip6 daddr 2001:db8::/32 meta l4proto tcp redirect to :` + port + `
	}
	}'`)
	served := make(chan error, 1)
	go func() { served <- r.proxy.ServeTransparent(l, dns) }()
	t.Cleanup(func() { l.Close(); <-served })

	for i, to := range []string{"192.0.2.1:80", "[2001:db8::1]:80"} {
		c := r.dialTo(to)
		c.say("GET / HTTP/1.1\r\nHost: claimed.test\r\nConnection: close\r\n\r\n")
		if _, body := c.answer(); body != "seen" {
			t.Errorf("%s: %q", to, body)
		}
		c.Close()
		f := r.ending(i + 1)[i]
		if f.Mode != "transparent" || f.Outcome != flow.Completed || f.Server.Destination.String() != to || f.Server.Asked != to {
			t.Errorf("%s: %s %s, destination %s", to, f.Mode, f.Outcome, f.Server.Destination)
		}
	}
	if err := resetBy("192.0.2.9:9"); err == nil || isTimeout(err) || err == io.EOF {
		t.Errorf("a dead server: %v, want a reset", err)
	}
	if f := r.ending(3)[2]; f.Outcome != flow.UpstreamFailed || f.Failure != flow.FailureRefused {
		t.Errorf("a dead server: %s %s", f.Outcome, f.Failure)
	}
	if err := resetBy("127.0.0.1:" + port); err == nil || isTimeout(err) {
		t.Errorf("the port itself: %v", err)
	}
	if f := r.ending(4)[3]; f.Outcome != flow.DestinationDenied || !strings.Contains(f.Error, "the transparent port itself") {
		t.Errorf("the port itself: %s %q", f.Outcome, f.Error)
	}
	transparentQuestion(t, r)
	transparentRefusals(t, r)
}

// transparentForms are the destinations that are refused in one form each.
var transparentForms = map[string]Refusal{
	"192.0.2.61:80": Refused, "192.0.2.62:80": Unresolved, "192.0.2.63:80": Reset, "192.0.2.64:80": Silent, "192.0.2.65:80": Answered,
}

// transparentRefusals meets each form of refusal.
func transparentRefusals(t *testing.T, r *rig) {
	t.Helper()
	for to, form := range transparentForms {
		if form == Refused || form == Unresolved {
			if err := resetBy(to); err == nil || isTimeout(err) || err == io.EOF {
				t.Errorf("%q: %v, want a reset", form, err)
			}
			continue
		}
		c := r.dialTo(to)
		c.say("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
		switch form {
		case Reset:
			c.wasReset()
		case Answered:
			equal(t, "status", c.status(), 302)
		case Silent:
			r.wait("a contact without an answer", func(flows []*flow.Flow) bool {
				return slices.ContainsFunc(flows, func(f *flow.Flow) bool { return f.Server.Destination.String() == to && len(f.Altered) > 0 })
			})
		}
		c.Close()
	}
	r.wait("the rows", func(flows []*flow.Flow) bool {
		n := 0
		for _, f := range flows {
			if _, ours := transparentForms[f.Server.Destination.String()]; ours && f.Outcome == flow.Simulated && len(f.Experiments) == 1 {
				n++
			}
		}
		return n == len(transparentForms)
	})
}

// transparentQuestion asks a resolver that is elsewhere, and is answered by telltale.
func transparentQuestion(t *testing.T, r *rig) {
	t.Helper()
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", "192.0.2.53:53")
	}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	addrs, err := resolver.LookupNetIP(ctx, "ip4", "setup.telltale.")
	if err != nil || len(addrs) != 1 || !addrs[0].IsLoopback() {
		t.Errorf("the set-up page's name: %v %v", addrs, err)
	}
	asked := r.wait("the question", func(flows []*flow.Flow) bool {
		for _, f := range flows {
			if f.Kind == flow.DNS && f.Ended() {
				return true
			}
		}
		return false
	})
	for _, f := range asked {
		if f.Kind == flow.DNS && (f.Mode != "transparent" || f.Server.Asked != "setup.telltale:53") {
			t.Errorf("%s: %s of %s", f.Mode, f.Server.Asked, fmt.Sprint(f.Client.Addr))
		}
	}
}

// resetBy returns how a connection ends on which nothing is said. The reset may come
// before the system has told of the connection.
func resetBy(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(patience))
	_, err = c.Read(make([]byte, 1))
	return err
}
