package flowtest_test

import (
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
		{"dns", flowtest.DNS("a.example"), "a.example", "", "QUERY", "dns:a.example", false},
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
