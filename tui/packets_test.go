package tui

import (
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/flow/flowtest"
)

// withPackets is a device in the tunnel, with one flow of each kind that has no request.
func withPackets() setting {
	at := flowtest.At
	const s = time.Second
	alias := flowtest.DNS("www.canada.ca", flowtest.Question("AAAA", "NOERROR"), at(2*s))
	alias.DNS.Answers = []flow.Answer{
		{Name: "www.canada.ca", Type: "CNAME", TTL: time.Hour, Data: "edge.example.net"},
		{Name: "edge.example.net", Type: "AAAA", TTL: time.Minute, Data: "2001:db8::7"},
		{Name: "edge.example.net", Type: "AAAA", TTL: time.Minute, Data: "2001:db8::8"},
	}
	https := flowtest.DNS("www.canada.ca", flowtest.Question("HTTPS", "NOERROR"), flowtest.Answers("1 . alpn=h2"), at(3*s))
	https.Altered = []string{"ech and h3 taken out of the HTTPS record"}
	page := flowtest.Get("https://www.canada.ca/", flowtest.Mode("wireguard"), flowtest.From("10.99.0.2:50123"), at(5*s),
		flowtest.Destination("203.0.113.9:443"), flowtest.Resolved("www.canada.ca"))
	page.Server.Asked = "203.0.113.9:443"
	hidden := flowtest.PassedThrough("203.0.113.53:853", flowtest.Mode("wireguard"), flowtest.From("10.99.0.2:50123"),
		flowtest.Destination("203.0.113.53:853"), flowtest.Resolved("dns.example"), flowtest.Speech("DNS over TLS"), at(9*s))
	asked := flowtest.DNS("ads.example", at(0))
	open := flowtest.DNS("slow.example", flowtest.Question("A", ""), flowtest.Outcome(flow.Open), at(11*s))
	return setting{
		flows: flowtest.Number(
			asked, flowtest.DNS("nowhere.example", flowtest.Question("A", "NXDOMAIN"), at(1*s)), alias, https,
			flowtest.QUIC("203.0.113.9", "www.canada.ca", at(4*s)), page,
			flowtest.Datagrams("203.0.113.7:123", flowtest.Resolved("time.example"), flowtest.Speech("NTP"), flowtest.Noted("time is asked of a server of its own"), at(6*s)),
			flowtest.Datagrams("[2001:db8::5]:3478", flowtest.Speech("STUN"), at(7*s)), flowtest.Ping("203.0.113.9", at(8*s)), hidden,
			flowtest.Seen("tracker.example:443", "Weather", "com.example.weather", at(10*s)),
			flowtest.Packets("203.0.113.9", "SCTP", at(10*s)), open),
		change: func(c *Config) { c.Modes = func() []string { return []string{"wireguard"} } },
	}
}

// hostileQuestion has hostile text wherever DNS has text.
func hostileQuestion() *flow.Flow {
	f := flowtest.DNS(hostile+secretMail, flowtest.Question(hostile, hostile), flowtest.Answers(hostile, secretMail))
	f.Speech, f.Notes, f.Altered = hostile, []string{hostile}, []string{hostile}
	f.Server.Resolved = hostile
	f.Client.App = flow.App{Name: hostile, ID: hostile}
	f.DNS.Answers[0].Name, f.DNS.Answers[0].Type = hostile, hostile
	return f
}

// TestHostilePackets opens every tab of what has hostile text: nothing of it acts on the
// terminal, and no value that must not be seen is on it.
func TestHostilePackets(t *testing.T) {
	t.Parallel()
	contact := flowtest.Seen(hostile, hostile, hostile)
	udp := flowtest.Datagrams("203.0.113.7:123", flowtest.Speech(hostile), flowtest.Resolved(hostile+secretMail), flowtest.Noted(hostile+secretMail))
	for _, f := range []*flow.Flow{hostileQuestion(), contact, udp} {
		r := newRig(t, setting{flows: flowtest.Number(f), w: 120, h: 40})
		all := ""
		for _, key := range []string{"1", "2", "3", "enter", "tab", "tab", "tab", "tab"} {
			r.press(key)
			for range 30 {
				all += r.m.View()
				r.press("down")
			}
		}
		for _, bad := range []string{"\x1b", "\u202e", "\u2066", "\u200b", "\x07", "\u009b", "\x00", secretMail} {
			if strings.Contains(all, bad) {
				i := strings.Index(all, bad)
				t.Errorf("%s: %q reached the screen: %q", f.Kind, bad, all[max(0, i-60):min(len(all), i+60)])
			}
		}
	}
}

func TestQuestionText(t *testing.T) {
	t.Parallel()
	answer := func(of ...flow.Answer) *flow.Flow {
		f := flowtest.DNS("a.example")
		f.DNS.Answers = of
		return f
	}
	a := func(data string) flow.Answer { return flow.Answer{Name: "a.example", Type: "A", Data: data} }
	failed := flowtest.DNS("a.example", flowtest.Question("A", ""), flowtest.Outcome(flow.UpstreamFailed))
	failed.Error = "no resolver answered"
	none := flowtest.DNS("a.example")
	none.DNS = nil
	for _, test := range []struct {
		of   *flow.Flow
		want string
	}{
		{answer(a("192.0.2.1")), "A → 192.0.2.1"},
		{answer(flow.Answer{Type: "CNAME", Data: "b.example"}, a("192.0.2.1")), "A → 192.0.2.1"},
		{answer(flow.Answer{Type: "CNAME", Data: "b.example"}, flow.Answer{Type: "CNAME", Data: "c.example"}), "A → CNAME b.example"},
		{answer(a("192.0.2.1"), a("192.0.2.2"), a("192.0.2.3"), a("192.0.2.4"), a("192.0.2.5")), "A → 192.0.2.1, 192.0.2.2, 192.0.2.3, 2 more"},
		{flowtest.DNS("a.example", flowtest.Question("AAAA", "NOERROR")), "AAAA → nothing of that type"},
		{flowtest.DNS("a.example", flowtest.Question("A", "NXDOMAIN")), "A → no such name"},
		{flowtest.DNS("a.example", flowtest.Question("A", "SERVFAIL")), "A → SERVFAIL"},
		{flowtest.DNS("a.example", flowtest.Question("A", ""), flowtest.Outcome(flow.Open)), "A → …"},
		{failed, "A → no resolver answered"},
		{none, ""},
	} {
		if got := wordless(test.of); got != test.want {
			t.Errorf("%v: %q, want %q", test.of.DNS, got, test.want)
		}
	}
}
