package flowtest_test

import (
	"reflect"
	"testing"
	"time"

	"telltale/flow"
	"telltale/flow/flowtest"
)

func TestBuildersMakeConsistentFlows(t *testing.T) {
	tests := []struct {
		name                    string
		f                       *flow.Flow
		host, port, method, url string
		clear                   bool
	}{
		{"get", flowtest.Get("https://a.example/x"), "a.example", "443", "GET", "https://a.example/x", false},
		{"http", flowtest.Get("http://a.example:8080/"), "a.example", "8080", "GET", "http://a.example:8080/", true},
		{"probe", flowtest.Head("https://clients3.google.com/generate_204"), "clients3.google.com", "443", "HEAD", "https://clients3.google.com/generate_204", false},
		{"post", flowtest.Post("https://a.example/", "{}"), "a.example", "443", "POST", "https://a.example/", false},
		{"websocket", flowtest.WebSocket("wss://a.example/s", nil), "a.example", "443", "GET", "wss://a.example/s", false},
		{"refused", flowtest.Refused("a.example"), "a.example", "443", "CONNECT", "https://a.example", false},
		{"tunnel", flowtest.Tunnel("a.example:5223"), "a.example", "5223", "CONNECT", "tcp://a.example:5223", false},
		{"passed", flowtest.PassedThrough("a.example"), "a.example", "443", "CONNECT", "https://a.example", false},
		{"failed", flowtest.Failed("https://a.example/", flow.FailureDNS), "a.example", "443", "GET", "https://a.example/", false},
		{"dns", flowtest.DNS("a.example"), "a.example", "53", "QUERY", "dns:a.example", false},
		{"udp", flowtest.Datagrams("192.0.2.9:123"), "192.0.2.9", "123", "UDP", "udp://192.0.2.9:123", false},
		{"udp to a name", flowtest.Datagrams("192.0.2.9:123", flowtest.Resolved("time.example")), "time.example", "123", "UDP", "udp://time.example:123", false},
		{"quic", flowtest.QUIC("192.0.2.9", "a.example"), "a.example", "443", "UDP", "udp://a.example:443", false},
		{"ping", flowtest.Ping("2001:db8::1"), "2001:db8::1", "", "PING", "icmp://[2001:db8::1]", false},
		{"other packets", flowtest.Packets("192.0.2.9", "GRE"), "192.0.2.9", "", "IP", "ip://192.0.2.9", false},
		{"ipv6", flowtest.Get("https://[2001:db8::1]/"), "2001:db8::1", "443", "GET", "https://[2001:db8::1]/", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.f
			if f.Host() != tt.host || f.Port() != tt.port || f.Method() != tt.method || f.URL() != tt.url {
				t.Errorf("got %s %s %s %s", f.Host(), f.Port(), f.Method(), f.URL())
			}
			if f.Cleartext() != tt.clear {
				t.Errorf("Cleartext() = %v", f.Cleartext())
			}
			if !f.Ended() || !f.IsContact() || f.Duration() != 100*time.Millisecond {
				t.Errorf("ended %v, contact %v, duration %v", f.Ended(), f.IsContact(), f.Duration())
			}
			n := f.Names()
			for _, name := range []string{n.Asked, n.SNI, n.Host, n.URL} {
				if name != "" && name != tt.host {
					t.Errorf("names disagree: %+v", n)
				}
			}
		})
	}
}

func TestSeenContacts(t *testing.T) {
	f := flowtest.Seen("a.example", "CovidShield", "ca.example.covid")
	if f.Host() != "a.example" || f.Method() != "CONTACT" || f.URL() != "contact:a.example" || !f.Ended() || !f.IsContact() || f.Unread() {
		t.Errorf("flow %s %s %s", f.Host(), f.Method(), f.URL())
	}
	if f.Client.App != (flow.App{Name: "CovidShield", ID: "ca.example.covid"}) {
		t.Errorf("app %+v", f.Client.App)
	}
}

func TestOptionsOfPackets(t *testing.T) {
	q := flowtest.DNS("a.example", flowtest.Question("AAAA", "NOERROR"), flowtest.Answers("2001:db8::1", "2001:db8::2"))
	want := flow.Question{Name: "a.example", Type: "AAAA", Code: "NOERROR", Answers: []flow.Answer{
		{Name: "a.example", Type: "AAAA", TTL: time.Minute, Data: "2001:db8::1"}, {Name: "a.example", Type: "AAAA", TTL: time.Minute, Data: "2001:db8::2"},
	}}
	if !reflect.DeepEqual(*q.DNS, want) {
		t.Errorf("question %+v", q.DNS)
	}
	f := flowtest.Tunnel("192.0.2.1:443", flowtest.Mode("wireguard"), flowtest.Destination("192.0.2.1:443"), flowtest.Speech("DNS over TLS"),
		flowtest.Noted("n"), flowtest.JA4("t13"), flowtest.AppOf("App", "id"))
	if f.Protocol() != "DNS over TLS" || f.Client.Hello.JA4 != "t13" || f.Client.App.ID != "id" || len(f.Notes) != 1 || !f.Server.Destination.IsValid() {
		t.Errorf("flow %+v", f)
	}
}

func TestOptions(t *testing.T) {
	f := flowtest.Get("https://a.example/", flowtest.ID(7), flowtest.At(time.Minute), flowtest.UserAgentOf("x/1"),
		flowtest.Header("Cookie", "a=b"), flowtest.Host("b.example"), flowtest.SNI("c.example"), flowtest.Asked("d.example:443"),
		flowtest.Proto("HTTP/2"), flowtest.Status(404), flowtest.ResponseBody("text/plain", "hello"),
		flowtest.Origin("a.har", 3, 9), flowtest.Phase("p"), flowtest.Altered("w"), flowtest.TLS(0x0301), flowtest.InvalidCertificate("expired"))
	want := flow.Names{Asked: "d.example", SNI: "c.example", Host: "b.example", URL: "a.example"}
	if f.Names() != want {
		t.Errorf("names %+v, want %+v", f.Names(), want)
	}
	if f.ID != 7 || !f.Times.Start.Equal(flowtest.Epoch.Add(time.Minute)) || f.Duration() != 100*time.Millisecond {
		t.Errorf("ID %d, times %+v", f.ID, f.Times)
	}
	if f.UserAgent() != "x/1" || f.Status() != 404 || f.BytesReceived() != 5 || f.Protocol() != "HTTP/2" {
		t.Errorf("flow %+v", f)
	}
	if f.Server.TLS.Version != 0x0301 || f.Server.TLS.Invalid != "expired" || f.Origin.Line != 9 || f.Phase != "p" || len(f.Altered) != 1 {
		t.Errorf("flow %+v", f)
	}
	if o := flowtest.Get("https://a.example/", flowtest.Outcome(flow.Open)); o.Ended() || o.Duration() != 0 {
		t.Errorf("an open flow has ended: %+v", o)
	}
}

func TestNumber(t *testing.T) {
	flows := flowtest.Number(flowtest.Get("https://a.example/"), flowtest.Refused("b.example"))
	if flows[0].ID != 1 || flows[1].ID != 2 {
		t.Errorf("IDs %d, %d", flows[0].ID, flows[1].ID)
	}
}
