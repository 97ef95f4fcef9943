package experiment

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"telltale/ca"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/proxy"
)

// Contacts of each stage, as package proxy asks about them.
var stages = map[string]func(host string) *flow.Flow{
	"http":    func(h string) *flow.Flow { return opened(flowtest.Get("http://" + h + "/x")) },
	"https":   func(h string) *flow.Flow { return opened(flowtest.Get("https://" + h + "/x")) },
	"connect": func(h string) *flow.Flow { return byCONNECT(opened(flowtest.Tunnel(h + ":443"))) },
	"arrival": func(h string) *flow.Flow {
		return opened(flowtest.Tunnel("192.0.2.9:443", flowtest.Resolved(h), flowtest.Mode("wireguard")))
	},
	"hello": func(h string) *flow.Flow { return byCONNECT(opened(flowtest.Refused(h))) },
	"dns":   func(h string) *flow.Flow { return opened(flowtest.DNS(h)) },
	"udp": func(h string) *flow.Flow {
		return opened(flowtest.Datagrams("192.0.2.9:123", flowtest.Resolved(h)))
	},
	"quic": func(h string) *flow.Flow { return opened(flowtest.QUIC("192.0.2.9", h)) },
}

var stageNames = []string{"http", "https", "connect", "arrival", "hello", "dns", "udp", "quic"}

// byCONNECT adds what opened a tunnel.
func byCONNECT(f *flow.Flow) *flow.Flow {
	f.Request = &flow.Request{Method: "CONNECT"}
	return f
}

// opened takes the end from a flow, which nobody knows when it is decided about.
func opened(f *flow.Flow) *flow.Flow {
	f.Outcome, f.Response = flow.Open, nil
	if f.Client.Hello != nil {
		f.Client.Hello.Alert = ""
	}
	return f
}

// shown writes a decision in a line: what is done, as what it ends, by whom.
func shown(d proxy.Decision, f *flow.Flow) string {
	var parts []string
	switch d.Admission {
	case proxy.Block:
		refusal := d.Refusal
		if refusal == "" {
			refusal = "refused"
		}
		parts = append(parts, string(refusal))
		if d.Outcome != "" {
			parts = append(parts, string(d.Outcome))
		}
	case proxy.PassThrough:
		parts = append(parts, "passed")
	}
	if d.Answer != nil {
		resp, _ := d.Answer(request(f))
		parts = append(parts, fmt.Sprint(resp.StatusCode))
	}
	if d.Leaf != nil {
		parts = append(parts, "leaf of "+strings.Join(d.LeafBy, " + "))
	}
	if len(d.By) > 0 {
		parts = append(parts, "by "+strings.Join(d.By, " + "))
	}
	return strings.Join(parts, " ")
}

// request is the one of a flow.
func request(f *flow.Flow) *http.Request {
	r, err := http.NewRequest(f.Request.Method, f.Request.URL, nil)
	if err != nil {
		panic(err)
	}
	return r
}

// play switches something on, written as flags.
func play(t *testing.T, flags string) *Set {
	t.Helper()
	s := New(config(t))
	for flag := range strings.SplitSeq(flags, " ") {
		name, value, _ := strings.Cut(flag, ":")
		switch name {
		case "enforce":
			s.Enforce(Form(value), true)
		case "refuse":
			p, form, err := ParseRefuse(value)
			if err != nil {
				t.Fatal(err)
			}
			s.Refuse(p, form, true)
		default:
			on(t, s, flag)
		}
	}
	return s
}

func TestDecisions(t *testing.T) {
	const nothing = ""
	all := func(decision string) map[string]string {
		m := map[string]string{}
		for _, stage := range stageNames {
			m[stage] = decision
		}
		return m
	}
	with := func(m map[string]string, changes ...string) map[string]string {
		for i := 0; i < len(changes); i += 2 {
			m[changes[i]] = changes[i+1]
		}
		return m
	}
	for _, tt := range []struct {
		flags, host string
		want        map[string]string
	}{
		{"enforce:refused", "bad.example", all("refused by enforce")},
		{"enforce:refused", "a.example", with(all(nothing), "http", "refused by enforce")}, // cleartext
		{"enforce:dns", "bad.example", all("dns by enforce dns")},
		{"enforce:hang", "bad.example", with(all("hang by enforce hang"), "dns", "answer by enforce hang")}, // whose address hangs
		{"enforce:reset", "bad.example", all("reset by enforce reset")},
		{"enforce:403", "bad.example", with(all("answer by enforce 403"), "http", "answer 403 by enforce 403", "https", "answer 403 by enforce 403")},
		{"refuse:*.example=204", "a.example", with(all("answer by refuse *.example 204"), "http", "answer 204 by refuse *.example 204", "https", "answer 204 by refuse *.example 204")},
		{"refuse:b.example=204", "a.example", all(nothing)},
		{"refuse:bad.example enforce:reset", "bad.example", all("refused by refuse bad.example")},
		{"offline", "a.example", map[string]string{
			"http": "dns simulated by offline", "https": "reset simulated by offline", "connect": "dns simulated by offline",
			"arrival": "refused simulated by offline", "hello": "reset simulated by offline", "dns": "dns simulated by offline",
			"udp": "refused simulated by offline", "quic": "refused simulated by offline",
		}},
		{"offline@b.example", "a.example", all(nothing)},
		{"offline enforce:refused", "bad.example", all("refused by enforce")},
		{"consent-refused", "ads.example", with(all("hang simulated by consent-refused"), "dns", "answer simulated by consent-refused")},
		{"consent-refused", "a.example", all(nothing)},
		{"consent-refused@a.example", "ads.example", all(nothing)},
		{"captive-portal", "a.example", with(all("answer simulated by captive-portal"), "http", "answer simulated 302 by captive-portal",
			"https", "answer simulated 302 by captive-portal", "hello", "answer simulated leaf of captive-portal by captive-portal",
			"udp", "hang simulated by captive-portal", "quic", "hang simulated by captive-portal")},
		{"captive-portal offline", "a.example", with(all("refused simulated by offline"), "http", "dns simulated by offline", "dns", "dns simulated by offline",
			"https", "reset simulated by offline", "connect", "dns simulated by offline", "hello", "reset simulated by offline")},
		{"server-error=500", "a.example", with(all("answer simulated by server-error 500"), "http", "answer simulated 500 by server-error 500",
			"https", "answer simulated 500 by server-error 500", "dns", nothing, "udp", nothing)},
		{"bad-certificate=self-signed", "a.example", with(all(nothing), "hello", "leaf of bad-certificate self-signed", "quic", "leaf of bad-certificate self-signed")},
		{"clock-skew server-error", "a.example", with(all("answer simulated by server-error 503"), "http", "answer simulated 503 by server-error 503",
			"https", "answer simulated 503 by server-error 503", "dns", nothing, "udp", nothing,
			"hello", "answer simulated leaf of clock-skew expired by server-error 503", "quic", "answer simulated leaf of clock-skew expired by server-error 503")},
		{"no-quic", "a.example", with(all(nothing), "quic", "refused quic-refused by no-quic")},
		{"no-quic@b.example", "a.example", all(nothing)},
		{"no-quic server-error", "a.example", with(all("answer simulated by server-error 503"), "http", "answer simulated 503 by server-error 503",
			"https", "answer simulated 503 by server-error 503", "dns", nothing, "udp", nothing, "quic", "refused quic-refused by no-quic")},
		{"slow=edge", "a.example", all(nothing)},
		{"slow offline", "a.example", with(all("refused simulated by offline"), "http", "dns simulated by offline", "dns", "dns simulated by offline",
			"https", "reset simulated by offline", "connect", "dns simulated by offline", "hello", "reset simulated by offline")},
		{"slow server-error@a.example", "a.example", with(all("answer simulated by server-error 503 @a.example"), "http", "answer simulated 503 by server-error 503 @a.example",
			"https", "answer simulated 503 by server-error 503 @a.example", "dns", nothing, "udp", nothing, "quic", "answer simulated by server-error 503 @a.example")},
	} {
		s := play(t, tt.flags)
		for _, stage := range stageNames {
			f := stages[stage](tt.host)
			if got := shown(s.Decide(f), f); got != tt.want[stage] {
				t.Errorf("%s, %s to %s: %q, want %q", tt.flags, stage, tt.host, got, tt.want[stage])
			}
		}
	}
}

// Nothing ever stands between a device and telltale itself.
func TestOwnPagesAreNeverTouched(t *testing.T) {
	s := play(t, "refuse:*=hang enforce:refused offline captive-portal server-error bad-certificate no-quic slow flaky=3")
	for _, f := range []*flow.Flow{
		flowtest.Get("http://setup.telltale/portal"), flowtest.Get("https://setup.telltale/"), flowtest.DNS("setup.telltale"),
		flowtest.Tunnel("setup.telltale:443"), flowtest.Refused("setup.telltale"), flowtest.Get("http://192.0.2.1/", flowtest.Outcome(flow.Served)),
		flowtest.Datagrams("224.0.0.251:5353", flowtest.Destination("224.0.0.251:5353"), flowtest.Outcome(flow.DestinationDenied)),
	} {
		if got := shown(s.Decide(f), f); got != "" {
			t.Errorf("%s: %s", f.URL(), got)
		}
	}
	// A claim is no request to telltale.
	f := flowtest.Get("https://evil.example/", flowtest.Host("setup.telltale"), flowtest.SNI("setup.telltale"))
	if got := shown(s.Decide(f), f); got == "" {
		t.Error("a Host header hides a contact from experiments")
	}
}

// A question that looks for no server is not enforcement's, and all the others'.
func TestLookups(t *testing.T) {
	for flags, want := range map[string]string{
		"enforce:refused": "", "offline": "dns simulated by offline", "refuse:*=dns": "dns by refuse * dns", "server-error": "",
		"captive-portal": "answer simulated by captive-portal",
	} {
		f := opened(flowtest.DNS("4.3.2.1.in-addr.arpa", flowtest.Question("PTR", "")))
		s := play(t, flags)
		s.cfg.Forbids = func(*flow.Flow) (bool, string) { return true, "" }
		if got := shown(s.Decide(f), f); got != want || !f.IsLookup() {
			t.Errorf("%s: %q, want %q", flags, got, want)
		}
	}
}

func TestWordsOfDecisions(t *testing.T) {
	s := New(config(t))
	on(t, s, "slow=edge", "bad-certificate=wrong-name")
	if d := s.Decide(stages["hello"]("a.example")); d.LeafWhat != "showed the client a certificate for another name: bad-certificate wrong-name" {
		t.Errorf("what: %q", d.LeafWhat)
	}
	s.Enforce(FormRefused, true)
	if d := s.Decide(stages["https"]("bad.example")); !d.Forbidden || d.Why != "host-denied: contacts a host that the policy forbids" {
		t.Errorf("why: %q", d.Why)
	}
	s.Refuse(pattern(t, "*.example"), FormRefused, true)
	if d := s.Decide(stages["https"]("bad.example")); d.Forbidden || d.Why != "a person refuses *.example" {
		t.Errorf("why: %q", d.Why)
	}
}

func TestLeavesHaveTheFaultThatWasAskedFor(t *testing.T) {
	for flag, want := range map[string]faulty{
		"bad-certificate=self-signed": {"a.example", "self-signed"},
		"clock-skew":                  {"a.example", "expired"},
		"captive-portal":              {"setup.telltale", "unknown-authority"},
	} {
		cfg := config(t)
		authority := &faulty{}
		cfg.Authority = authority
		s := New(cfg)
		on(t, s, flag)
		if _, err := s.Decide(stages["hello"]("a.example")).Leaf("a.example"); err != nil || *authority != want {
			t.Errorf("%s: %+v, %v", flag, *authority, err)
		}
	}
}

// Every simulation that shows a wrong certificate is one that policy.Judge knows of, so
// that a client is not blamed for refusing it.
func TestRefusingAFaultIsNoViolation(t *testing.T) {
	for _, sim := range Simulations {
		s := New(config(t))
		on(t, s, sim.Name)
		d := s.Decide(stages["hello"]("a.example"))
		f := flowtest.Refused("a.example")
		f.Experiments = d.LeafBy
		forbidden, why := s.cfg.Forbids(f)
		if forbidden != (d.Leaf == nil) {
			t.Errorf("%s: forbidden %v: %s", sim.Name, forbidden, why)
		}
	}
}

// Every fault that certificates can have is played by one simulation, and has its words.
func TestFaultsAreOneList(t *testing.T) {
	var played []string
	for _, sim := range Simulations {
		if sim.Name == badCertificate || sim.Name == clockSkew {
			played = append(played, sim.Variants...)
		}
	}
	words := slices.Sorted(maps.Keys(faults))
	slices.Sort(played)
	if known := slices.Sorted(slices.Values(ca.Faults)); !slices.Equal(played, known) || !slices.Equal(words, known) {
		t.Errorf("played %q, in words %q, of %q", played, words, known)
	}
}

func TestAnswersLookLikeAServers(t *testing.T) {
	for _, flags := range []string{"enforce:403", "refuse:*=204", "server-error", "server-error=504"} {
		s := play(t, flags)
		for _, method := range []string{"GET", "HEAD", "POST"} {
			f := flowtest.Request(method, "https://bad.example/")
			resp, what := s.Decide(f).Answer(request(f))
			body, err := io.ReadAll(resp.Body)
			if err != nil || !strings.HasPrefix(what, fmt.Sprintf("answered %d in the place of the server", resp.StatusCode)) {
				t.Errorf("%s: %v, %q", flags, err, what)
			}
			if resp.ContentLength != int64(len(body)) || (len(body) > 0) != (method != "HEAD" && resp.StatusCode != 204) {
				t.Errorf("%s %s: %d bytes of %d", method, flags, len(body), resp.ContentLength)
			}
			if all := strings.ToLower(fmt.Sprint(resp.Header, string(body))); strings.Contains(all, "telltale") || strings.Contains(all, "simulat") {
				t.Errorf("%s: the answer says who made it: %s", flags, all)
			}
		}
	}
}

func BenchmarkDecideNothing(b *testing.B) {
	s := New(config(b))
	f := flowtest.Get("https://a.example/")
	for b.Loop() {
		s.Decide(f)
	}
}
