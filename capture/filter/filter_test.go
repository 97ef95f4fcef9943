package filter

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

func probe() (*flow.Flow, policy.Judgement) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	f := &flow.Flow{
		ID: 7, Kind: flow.HTTP, Mode: "http", Outcome: flow.Completed, Times: flow.NoTimes(start), Phase: "before consent",
		Client: flow.Client{Addr: netip.MustParseAddrPort("192.0.2.7:5000"), Device: "Pixel", Hello: &flow.ClientHello{JA4: "t13d1516h2_8daaf6152771_b186095e22b6"}},
		Server: flow.Server{
			Asked: "clients3.google.com:443", SNI: "clients3.google.com", Dialed: netip.MustParseAddrPort("198.51.100.3:443"),
			TLS: &flow.ServerTLS{Version: tls.VersionTLS13, ALPN: "h2"},
		},
		Altered: []string{"removed Expect"}, Experiments: []string{"modify rules.json", "slow edge"},
		Request: &flow.Request{
			Method: "HEAD", URL: "https://clients3.google.com/generate_204?q=caf%C3%A9#top", Proto: "HTTP/1.1",
			Header: []flow.Field{flow.NewField("User-Agent", "CovidShield/1.0"), flow.NewField("Cookie", "sid=topsecret")},
		},
		Response: &flow.Response{Status: 204, Body: flow.Body{Size: 12}},
	}
	f.Times.End = start.Add(300 * time.Millisecond)
	return f, policy.Judgement{
		Verdict: policy.Violation, Host: f.Host(), Category: "captive-portal",
		Findings: []policy.Finding{{Rule: policy.CaptivePortalProbe}},
	}
}

func match(t *testing.T, text string, f *flow.Flow, j policy.Judgement) bool {
	t.Helper()
	m, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	got, err := m.Match(f, j)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return got
}

func TestMatch(t *testing.T) {
	f, j := probe()
	for text, want := range map[string]bool{
		``:                              true,
		`host == "clients3.google.com"`: true,
		`experiment contains "slow"`:    true,
		`experiment == "offline"`:       false,
		`experiment != ""`:              true,
		`outcome == "simulated"`:        false,
		`"slow edge" rules.json`:        true,
		`host endsWith ".google.com" and status == 204`:            true,
		`method in ["GET", "POST"]`:                                false,
		`method not in ["GET", "POST"]`:                            true,
		`duration > 250`:                                           true,
		`duration > 350`:                                           false,
		`verdict == "violation" && rule == "captive-portal-probe"`: true,
		`app matches "^Covid"`:                                     true,
		`size > 11 and received == 12 and sent == 0`:               true,
		`headers contains "CovidShield"`:                           true,
		`headers contains "topsecret"`:                             false,
		`path == "/generate_204" and id == 7 and port == "443"`:    true,
		`query == "q=caf%C3%A9"`:                                   true,
		`url endsWith "#top"`:                                      true,
		`time == "2026-01-02T03:04:05.006Z"`:                       true,
		`time >= "2026-01-02T03" and time < "2026-01-02T03:05"`:    true,
		`category == "captive-portal" and protocol == "HTTP/1.1"`:  true,
		`kind == "http" and mode == "http"`:                        true,
		`client == "192.0.2.7" and device == "Pixel"`:              true,
		`outcome == "completed" and failure == "" and error == ""`: true,
		`altered contains "Expect" and phase == "before consent"`:  true,
		`address == "198.51.100.3" and sni == host`:                true,
		`tls == "1.3" and alpn == "h2" and ja4 startsWith "t13d"`:  true,
		`tls < "1.2"`:                       false,
		`body == ""`:                        true,
		`app == "covidshield/1.0"`:          false,
		`lower(app) == "covidshield/1.0"`:   true,
		`status in 200..299`:                true,
		`status in [200, 404]`:              false,
		`string(status) startsWith "2"`:     true,
		`len(method) == 4`:                  true,
		`host[0:7] == "clients"`:            true,
		`host == "x" or not (status < 200)`: true,
	} {
		if got := match(t, text, f, j); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

func TestFieldsOfWhatIsSent(t *testing.T) {
	f := flowtest.Get("https://a.example/")
	f.Exposures = []flow.Exposure{{Kind: "e-mail", Where: "query a"}, {Kind: "advertising-id"}, {Kind: "e-mail", Where: "query b"}}
	idle := policy.Judgement{Verdict: policy.Ignored, Subtracted: true, Source: policy.Source{Text: "idle baseline: GET a.example/, every minute"}}
	for text, want := range map[string]bool{
		`exposure contains "e-mail"`:           true,
		`exposure == "e-mail\nadvertising-id"`: true,
		`exposure contains "imei"`:             false,
		`exposure != "" and subtracted != ""`:  true,
		`subtracted contains "every minute"`:   true,
	} {
		if got := match(t, text, f, idle); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
	ignored := idle
	ignored.Subtracted = false
	if match(t, `subtracted != ""`, f, ignored) || match(t, `exposure != ""`, flowtest.Get("https://a.example/"), idle) {
		t.Error("a field has what the flow has not")
	}
}

func TestFieldsOfPackets(t *testing.T) {
	dns := flowtest.DNS("a.example", flowtest.Answers("192.0.2.11"))
	ntp := flowtest.Datagrams("192.0.2.7:123", flowtest.Speech("NTP"), flowtest.Resolved("time.example"), flowtest.Noted("clock of 1970"))
	seen := flowtest.Seen("a.example", "CovidShield", "ca.example.covid")
	for _, tt := range []struct {
		text string
		f    *flow.Flow
		want bool
	}{
		{`kind == "dns" and question == "A" and code == "NOERROR"`, dns, true},
		{`answers == "a.example A 192.0.2.10\na.example A 192.0.2.11"`, dns, true},
		{`destination == "10.99.0.1:53" and host == "a.example"`, dns, true},
		{`noerror 192.0.2.11`, dns, true},
		{`192.0.2.99`, dns, false},
		{`kind == "udp" and speech == "NTP" and resolved == "time.example" and datagrams == 2`, ntp, true},
		{`destination startsWith "192.0.2.7:" and notes contains "1970" and question == "" and answers == ""`, ntp, true},
		{`ntp time.example clock`, ntp, true},
		{`app == "CovidShield" and app_id == "ca.example.covid" and outcome == "seen"`, seen, true},
		{`covidshield ca.example`, seen, true},
		{`app == "ca.example.covid"`, flowtest.Seen("a.example", "", "ca.example.covid"), true},
		{`outcome == "quic-refused" and sni == "b.example" and protocol == "QUIC v1"`, flowtest.QUIC("192.0.2.7", "b.example"), true},
		{`destination == "" and app_id == "" and resolved == ""`, flowtest.Get("https://a.example/"), true},
	} {
		if got := match(t, tt.text, tt.f, policy.Judgement{}); got != tt.want {
			t.Errorf("%s: got %v", tt.text, got)
		}
	}
}

func TestAttributedApps(t *testing.T) {
	m, err := Parse(`attributed == "Chess"`)
	if err != nil {
		t.Fatal(err)
	}
	f := flowtest.Refused("a.example")
	if ok, err := m.Match(f, policy.Judgement{}); ok || err != nil {
		t.Errorf("nobody was asked, and it is %v, %v", ok, err)
	}
	m.NameApps(func(f *flow.Flow) string { return map[string]string{"a.example": "Chess"}[f.Host()] })
	for _, m := range []*Filter{m, m.Clone()} {
		if ok, err := m.Match(f, policy.Judgement{}); !ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
	}
	if ok, _ := m.Match(flowtest.Refused("b.example"), policy.Judgement{}); ok {
		t.Error("another host is of the app too")
	}
}

// Every field of every kind of flow can be asked, also where there is nothing.
func TestEveryFieldOfEveryKind(t *testing.T) {
	full, judgement := probe()
	flows := []*flow.Flow{
		{}, {Kind: flow.HTTP, Request: &flow.Request{}, Response: &flow.Response{}}, full,
		flowtest.Refused("a.example:443"), flowtest.Tunnel("a.example:22"), flowtest.DNS("a.example"), flowtest.Failed("https://a.example/", flow.FailureDNS),
		flowtest.Datagrams("192.0.2.7:123"), flowtest.QUIC("192.0.2.7", "a.example"), flowtest.Ping("192.0.2.7"), flowtest.Packets("192.0.2.7", "GRE"),
		flowtest.Seen("a.example", "CovidShield", "ca.example.covid"),
	}
	for _, field := range Fields {
		text := field.Name + ` != ""`
		if field.Type == "number" {
			text = field.Name + ` >= 0`
		}
		m, err := Parse(text)
		if err != nil || !m.Names(field.Name) {
			t.Fatalf("%s: %v", text, err)
		}
		for _, f := range flows {
			if _, err := m.Match(f, judgement); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
		if field.Help == "" || field.Type != "text" && field.Type != "number" {
			t.Errorf("%s is not documented: %+v", field.Name, field)
		}
		for _, value := range field.Values {
			if _, err := Parse(field.Name + ` == "` + value + `"`); err != nil {
				t.Errorf("%s: known value: %v", field.Name, err)
			}
		}
	}
}

func gzipped(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.Bytes()
}

func withBodies(request, response flow.Body, coding string) *flow.Flow {
	f, _ := probe()
	f.Request.Body, f.Response.Body = request, response
	f.Response.Header = []flow.Field{flow.NewField("Content-Encoding", coding)}
	return f
}

func TestBody(t *testing.T) {
	long := strings.Repeat("x", contentLimit)
	frames := flowtest.WebSocket("wss://a.example/", []flow.Frame{
		{Opcode: 1, Data: []byte("first")}, {Opcode: 2, Data: []byte("binary")}, {Opcode: 1, Data: []byte("packed"), Compressed: true}, {Opcode: 1, Data: []byte("last")},
	})
	for _, tt := range []struct {
		name, text string
		flow       *flow.Flow
		want       bool
	}{
		{"both, a newline between", `body == "asked\nanswered"`, withBodies(flow.Body{Content: []byte("asked")}, flow.Body{Content: []byte("answered")}, ""), true},
		{"gzip", `body == "Captive"`, withBodies(flow.Body{}, flow.Body{Content: gzipped("Captive")}, "gzip"), true},
		{"decoded before", `body == "Captive"`, withBodies(flow.Body{}, flow.Body{Content: []byte("Captive"), Decoded: true}, "gzip"), true},
		{"damaged", `body contains "Captive"`, withBodies(flow.Body{}, flow.Body{Content: gzipped(long + "Captive")[:300]}, "gzip"), false},
		{"damaged, before that", `body startsWith "xxxx"`, withBodies(flow.Body{}, flow.Body{Content: gzipped(long)[:200]}, "gzip"), true},
		{"no such coding", `body contains "Captive"`, withBodies(flow.Body{}, flow.Body{Content: []byte("Captive")}, "rot13"), true},
		{"limit", `len(body) == 262144`, withBodies(flow.Body{}, flow.Body{Content: []byte(long + long)}, ""), true},
		{"limit of a bomb", `len(body) == 262144`, withBodies(flow.Body{}, flow.Body{Content: gzipped(long + long)}, "gzip"), true},
		{"not loaded", `body == ""`, withBodies(flow.Body{Size: 9, Digest: "ab"}, flow.Body{}, ""), true},
		{"frames", `body endsWith "first\nlast"`, frames, true},
		{"words", `CAPTIVE`, withBodies(flow.Body{}, flow.Body{Content: gzipped("Captive")}, "gzip"), true},
		{"words do not span messages", `askedanswered`, withBodies(flow.Body{Content: []byte("asked")}, flow.Body{Content: []byte("answered")}, ""), false},
	} {
		if got := match(t, tt.text, tt.flow, policy.Judgement{}); got != tt.want {
			t.Errorf("%s: %s: got %v", tt.name, tt.text, got)
		}
	}
}

// A filter that went from flow to flow says the same of each as a new one.
func TestBodyIsOfTheFlowAtHand(t *testing.T) {
	m, err := Parse(`body contains "a" and body contains "b"`)
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"ab", "a", "ab", "b"} {
		got, err := m.Match(withBodies(flow.Body{Content: []byte(content)}, flow.Body{}, ""), policy.Judgement{})
		if want := content == "ab"; got != want || err != nil {
			t.Errorf("%q: %v, %v", content, got, err)
		}
	}
}

// A field behind an `and` that is decided is not read: bodies cost much.
func TestFieldsAreReadWhenTheyAreNeeded(t *testing.T) {
	m, err := Parse(`status == 1 and body contains "x"`)
	if err != nil {
		t.Fatal(err)
	}
	f := withBodies(flow.Body{}, flow.Body{Content: gzipped(strings.Repeat("x", contentLimit))}, "gzip")
	if n := testing.AllocsPerRun(10, func() { _, _ = m.Match(f, policy.Judgement{}) }); n > 3 {
		t.Errorf("%v allocations: the body was decoded", n)
	}
}

func TestWords(t *testing.T) {
	f, j := probe()
	for text, want := range map[string]bool{
		`GENERATE_204`:               true,
		`clients3.google.com head`:   true,
		`204 violation`:              true,
		`captive-portal-probe`:       true,
		`covidshield`:                true,
		`"user-agent: covidshield"`:  true,
		`"agent  covid"`:             false,
		`café`:                       false, // in the query, percent-encoded
		`caf%c3%a9`:                  true,
		`pixel 192.0.2.7`:            true,
		`198.51.100.3`:               true,
		`before "before consent" h2`: true,
		`expect`:                     true,
		`completed`:                  true,
		`topsecret`:                  false,
		`[redacted]`:                 true,
		`google nowhere`:             false,
		`http/1.1`:                   true,
		`tracker`:                    false,
		`"head 204"`:                 false, // of two values
	} {
		if got := match(t, text, f, j); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
	f.Request.URL = "https://a.example/caf%C3%89"
	if !match(t, `Café`, f, j) {
		t.Error("the path is not found as it reads")
	}
	f.Error = "could not reach ÅNGSTRÖM"
	if !match(t, `"reach ångström"`, f, j) {
		t.Error("case matters outside of ASCII")
	}
}

func TestMatchWords(t *testing.T) {
	m, err := Parse(`clients3 inbody nowhere`)
	if err != nil {
		t.Fatal(err)
	}
	f, j := probe()
	var asked []int
	if m.MatchWords(f, j, func(i int) bool { asked = append(asked, i); return i == 1 }) {
		t.Error("a word that is nowhere was found")
	}
	if len(asked) != 2 || asked[0] != 1 || asked[1] != 2 {
		t.Errorf("asked for the words %v, want those that the flow does not show", asked)
	}
	if !m.MatchWords(f, j, func(i int) bool { return i > 0 }) {
		t.Error("words that were found elsewhere do not count")
	}
	if ok, _ := m.Match(f, j); ok {
		t.Error("Match found a word that is not there")
	}
}

func TestNames(t *testing.T) {
	m, err := Parse(`lower(host) == "x" and "body" in [path]`)
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]bool{"host": true, "path": true, "body": false, "status": false, "lower": false} {
		if m.Names(field) != want {
			t.Errorf("Names(%q) is %v", field, !want)
		}
	}
	if m, _ := Parse(`body`); m.Names("body") {
		t.Error("words name a field")
	}
}

func TestHost(t *testing.T) {
	for text, want := range map[string]string{
		`host == "a.example"`:                                 "a.example",
		`"a.example" == host`:                                 "a.example",
		`(host == "a.example") and status > 3`:                "a.example",
		`status > 3 and (size > 1 && host == "a.example")`:    "a.example",
		`host == "a.example" or status > 3`:                   "",
		`not (host == "a.example")`:                           "",
		`host != "a.example"`:                                 "",
		`lower(host) == "a.example"`:                          "",
		`sni == "a.example"`:                                  "",
		`host == sni`:                                         "",
		`status > 3 and (host == "a.example" or path == "/")`: "",
		`status > 3 ? host == "a.example" : path == "/"`:      "",
		`a.example`: "",
		``:          "",
		`(host == "a.example" and id > 3) == (status == 1000)`: "",
	} {
		m, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got, ok := m.Host(); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v; want %q", text, got, ok, want)
		}
	}
}

func TestFailureWhileRunning(t *testing.T) {
	m, err := Parse(`id % (id - 7) == 0`)
	if err != nil {
		t.Fatal(err)
	}
	f, j := probe()
	_, err = m.Match(f, j)
	var e *Error
	if !errors.As(err, &e) || e.Column != 4 {
		t.Errorf("a division by zero gave %v", err)
	}
	f.ID = 8
	if ok, err := m.Match(f, j); err != nil || !ok {
		t.Errorf("after a failure: %v, %v", ok, err)
	}
}

func TestCloneBesideTheOriginal(t *testing.T) {
	for _, text := range []string{`host endsWith ".google.com" and body == ""`, `google head`} {
		m, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		for range 4 {
			c := m.Clone()
			wait.Go(func() {
				for range 100 {
					f, j := probe()
					if ok, err := c.Match(f, j); !ok || err != nil {
						t.Errorf("%s: %v, %v", text, ok, err)
					}
				}
			})
		}
		wait.Wait()
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, text := range []string{
		`status >= 400`,
		`host endsWith ".google.com"`,
		`host == "clients3.google.com" and status in 200..299`,
		`lower(app) contains "covid"`,
		`headers contains "covid"`,
		`path matches "^/gen.*[0-9]$"`,
		`generate_204`,
		`google head violation nowhere`,
	} {
		b.Run(text, func(b *testing.B) {
			m, err := Parse(text)
			if err != nil {
				b.Fatal(err)
			}
			f, j := probe()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Match(f, j); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, text := range []string{`generate_204`, `host endsWith ".google.com" and status >= 400`} {
		b.Run(text, func(b *testing.B) {
			for b.Loop() {
				if _, err := Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestDevicesByName(t *testing.T) {
	f := flowtest.Get("https://a.example/", flowtest.From("[::ffff:192.168.1.20]:7"), flowtest.Device("carried"))
	for _, tt := range []struct {
		text           string
		carried, named bool
	}{
		{`device == "Pixel of the lab"`, false, true},
		{`device == "carried"`, true, false},
		{`lower(device) startsWith "pixel"`, false, true},
		{`"pixel of the lab"`, false, true},
		{`pixel a.example`, false, true},
		{`carried`, true, false},
		{`client == "192.168.1.20"`, true, true},
		{`192.168.1.20`, true, true},
	} {
		m, err := Parse(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		check := func(m *Filter, want bool) {
			t.Helper()
			if got, err := m.Match(f, policy.Judgement{}); got != want || err != nil {
				t.Errorf("%s: %v, want %v, error %v", tt.text, got, want, err)
			}
		}
		check(m, tt.carried)
		before := m.Clone()
		m.NameDevices(func(*flow.Flow) string { return "Pixel of the lab" })
		check(m, tt.named)
		check(m.Clone(), tt.named)
		check(before, tt.carried)
	}
}
