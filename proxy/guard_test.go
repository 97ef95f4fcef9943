package proxy

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"telltale/flow"
)

func TestHome(t *testing.T) {
	home := func(c *Config) {
		c.Home = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(203)
			io.WriteString(w, "home "+r.URL.Path)
		})
	}
	for _, tc := range []struct {
		name    string
		request func(*rig) string
		status  int
		body    string
		outcome flow.Outcome
	}{
		{"the proxy's own address", func(r *rig) string { return "GET /ca.pem HTTP/1.1\r\nHost: " + r.addr }, 203, "home /ca.pem", flow.Served},
		{"no Host at all", func(r *rig) string { return "GET / HTTP/1.0" }, 203, "home /", flow.Served},
		{"setup.telltale", func(r *rig) string { return "GET http://setup.telltale/x HTTP/1.1\r\nHost: setup.telltale" }, 203, "home /x", flow.Served},
		{"setup.telltale as a host", func(r *rig) string { return "GET /x HTTP/1.1\r\nHost: SETUP.telltale." }, 203, "home /x", flow.Served},
		{"its own address through it", func(r *rig) string { return "GET http://" + r.addr + "/x HTTP/1.1\r\nHost: " + r.addr }, 203, "home /x", flow.Served},
		{"localhost", func(r *rig) string {
			_, port, _ := net.SplitHostPort(r.addr)
			return "GET / HTTP/1.1\r\nHost: localhost:" + port
		}, 203, "home /", flow.Served},
		{"the address of an emulator's host", func(r *rig) string {
			_, port, _ := net.SplitHostPort(r.addr)
			return "GET / HTTP/1.1\r\nHost: 10.0.2.2:" + port
		}, 203, "home /", flow.Served},
		{"the name that a router has for it", func(r *rig) string {
			_, port, _ := net.SplitHostPort(r.addr)
			return "GET / HTTP/1.1\r\nHost: laptop.fritz.box:" + port
		}, 203, "home /", flow.Served},
		{"the same name through it", func(r *rig) string {
			_, port, _ := net.SplitHostPort(r.addr)
			return "GET http://laptop.test:" + port + "/ HTTP/1.1\r\nHost: laptop.test:" + port
		}, 502, "", flow.UpstreamFailed},
		{"another host", func(r *rig) string { return "GET / HTTP/1.1\r\nHost: other.test" }, 400, "this is a proxy", flow.Malformed},
		{"another port", func(r *rig) string { return "GET / HTTP/1.1\r\nHost: 127.0.0.1:1" }, 400, "this is a proxy", flow.Malformed},
		{"another scheme", func(r *rig) string { return "GET ftp://other.test/ HTTP/1.1\r\nHost: other.test" }, 400, "neither http nor https", flow.Malformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, home)
			c := r.dial()
			c.say("%s\r\n\r\n", tc.request(r))
			resp, body := c.answer()
			f := r.one()
			if resp.StatusCode != tc.status || !strings.Contains(body, tc.body) || f.Outcome != tc.outcome || f.Status() != tc.status {
				t.Errorf("answered %d %q, recorded %s %d", resp.StatusCode, body, f.Outcome, f.Status())
			}
			if tc.outcome == flow.Served && f.IsContact() {
				t.Error("the set-up page counts as a contact")
			}
		})
	}
	t.Run("a token of ours is not recorded", func(t *testing.T) {
		for _, target := range []string{"/acknowledge?token=s3cr3t", "/acknowledge?a=b&token=s3cr3t;x", "http://setup.telltale/acknowledge?token=s3cr3t"} {
			r := newRig(t, home)
			c := r.dial()
			c.say("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, r.addr)
			c.answer()
			if f := r.one(); f.Outcome != flow.Served || strings.Contains(fmt.Sprintf("%+v %+v", f, f.Request), "s3cr3t") || !strings.HasSuffix(f.URL(), "/acknowledge") {
				t.Errorf("%s: recorded %s %s", target, f.Outcome, f.URL())
			}
		}
	})
	t.Run("setup.telltale over TLS", func(t *testing.T) {
		r := newRig(t, home)
		resp, err := r.client().Get("https://setup.telltale/y")
		must(t, err)
		resp.Body.Close()
		if f := r.one(); resp.StatusCode != 203 || f.Outcome != flow.Served {
			t.Errorf("answered %d, recorded %s", resp.StatusCode, f.Outcome)
		}
	})
	t.Run("no page", func(t *testing.T) {
		r := newRig(t)
		c := r.dial()
		c.say("GET / HTTP/1.1\r\nHost: %s\r\n\r\n", r.addr)
		if status := c.status(); status != 404 {
			t.Errorf("answered %d", status)
		}
		r.one()
	})
}

func TestAuthentication(t *testing.T) {
	auth := func(c *Config) { c.User, c.Password = "phone", "s3cret:x" }
	line := func(creds string) string {
		return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(creds)) + "\r\n"
	}
	for _, tc := range []struct {
		name, line string
		granted    bool
		outcome    flow.Outcome
		words      string
	}{
		{"right", line("phone:s3cret:x"), true, flow.Completed, ""},
		{"scheme in other letters", strings.Replace(line("phone:s3cret:x"), "Basic", "bASIC", 1), true, flow.Completed, ""},
		{"none", "", false, flow.ClientDenied, "did not give"},
		{"wrong", line("phone:s3cret"), false, flow.ClientDenied, "another user or password"},
		{"other scheme", "Proxy-Authorization: Bearer x\r\n", false, flow.ClientDenied, "another user or password"},
		{"no base64", "Proxy-Authorization: Basic ???\r\n", false, flow.ClientDenied, "another user or password"},
	} {
		for _, tunnel := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/tunnel=%v", tc.name, tunnel), func(t *testing.T) {
				r := newRig(t, auth)
				u := r.plainOrigin(func(w http.ResponseWriter, req *http.Request) {
					if req.Header.Get("Proxy-Authorization") != "" {
						t.Error("the proxy's credentials left it")
					}
				})
				c := r.dial()
				if tunnel {
					c.say("CONNECT %s HTTP/1.1\r\nHost: h\r\n%s\r\n", u.Host, tc.line)
				} else {
					c.say("GET %s/ HTTP/1.1\r\nHost: h\r\n%s\r\n", u, tc.line)
				}
				resp, _ := c.answer()
				if (resp.StatusCode == 200) != tc.granted || !tc.granted && (resp.StatusCode != 407 || resp.Header.Get("Proxy-Authenticate") == "") {
					t.Errorf("answered %d %v", resp.StatusCode, resp.Header)
				}
				if tc.granted && tunnel {
					c.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
					c.status()
				}
				c.Close()
				f := r.one()
				if f.Outcome != tc.outcome || !strings.Contains(f.Error, tc.words) {
					t.Errorf("recorded %s %q", f.Outcome, f.Error)
				}
				equal(t, "host", f.Host(), "127.0.0.1")
			})
		}
	}
	t.Run("asked for a password until the end", func(t *testing.T) {
		r := newRig(t, auth)
		for _, ask := range []string{"CONNECT app.test:443 HTTP/1.1\r\nHost: h\r\n\r\n", "GET http://app.test/ HTTP/1.1\r\nHost: h\r\n\r\n"} {
			c := r.dial()
			c.say("%s", ask)
			if status := c.status(); status != 407 {
				t.Fatalf("answered %d", status)
			}
		}
		r.shutdown()
		for _, f := range r.ending(2) {
			if f.Outcome != flow.ClientDenied {
				t.Errorf("recorded %s %q", f.Outcome, f.Error)
			}
		}
	})
	t.Run("second try on one connection", func(t *testing.T) {
		r := newRig(t, auth)
		u := r.plainOrigin(func(http.ResponseWriter, *http.Request) {})
		c := r.dial()
		c.say("CONNECT %s HTTP/1.1\r\nHost: h\r\n\r\n", u.Host)
		if status := c.status(); status != 407 {
			t.Fatalf("answered %d", status)
		}
		c.say("CONNECT %s HTTP/1.1\r\nHost: h\r\n%s\r\n", u.Host, line("phone:s3cret:x"))
		if status := c.status(); status != 200 {
			t.Fatalf("answered %d", status)
		}
		c.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		c.status()
		if f := r.one(); f.Outcome != flow.Completed {
			t.Errorf("recorded %s", f.Outcome)
		}
	})
	t.Run("the set-up page needs none", func(t *testing.T) {
		r := newRig(t, auth)
		c := r.dial()
		c.say("GET / HTTP/1.1\r\nHost: %s\r\n\r\n", r.addr)
		if status := c.status(); status != 404 {
			t.Errorf("answered %d", status)
		}
		r.one()
	})
}

func TestDevices(t *testing.T) {
	t.Run("another device", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Devices = []netip.Addr{netip.MustParseAddr("192.0.2.7")} })
		c := r.dial()
		c.say("CONNECT example.test:443 HTTP/1.1\r\nHost: h\r\n\r\n")
		if resp, body := c.answer(); resp.StatusCode != 403 || !strings.Contains(body, "not one of the devices") {
			t.Errorf("answered %d %q", resp.StatusCode, body)
		}
		c.closed()
		c.Close()
		if f := r.one(); f.Outcome != flow.ClientDenied || f.IsContact() {
			t.Errorf("recorded %s", f.Outcome)
		}
	})
	t.Run("this device", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Devices = []netip.Addr{netip.MustParseAddr("::ffff:127.0.0.1")} })
		r.tunnel("example.test:443").Close()
		if f := r.one(); f.Outcome != flow.Abandoned {
			t.Errorf("recorded %s", f.Outcome)
		}
	})
}
