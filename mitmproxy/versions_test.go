package mitmproxy_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/policy"
)

// Old flows, as the versions of their time wrote them.
var (
	oldRequest = dict{
		"host", []byte("www.example"), "port", 443, "scheme", []byte("https"), "method", []byte("GET"), "path", []byte("/"),
		"headers", list{list{[]byte("Host"), []byte("www.example")}}, "content", []byte{}, "timestamp_start", when, "timestamp_end", when + 1,
	}
	version010 = dict{
		"version", list{0, 10, 1}, "error", nil,
		"request", oldRequest.with("httpversion", list{1, 1}, "ip", []byte("198.51.100.3"), "client_conn", dict{"address", list{[]byte("192.0.2.7"), 50000}}),
		"response", dict{"httpversion", list{1, 1}, "code", 200, "msg", []byte("OK"), "headers", list{}, "content", []byte("hello")},
	}
	version011 = dict{
		"type", []byte("http"), "version", list{0, 11, 3}, "error", nil,
		"client_conn", dict{"address", dict{"address", list{[]byte("192.0.2.7"), 50000}, "use_ipv6", false}, "ssl_established", true},
		"server_conn", dict{"address", dict{"use_ipv6", false, "address", list{[]byte("www.example"), 443}}, "sni", []byte("www.example"),
			"timestamp_ssl_setup", when - 1, "ssl_established", true, "state", list{}},
		"request", oldRequest.with("httpversion", list{1, 1}, "form_in", []byte("relative")),
		"response", dict{"httpversion", list{1, 1}, "code", 200, "msg", []byte("OK"), "headers", list{}, "content", []byte("hello")},
	}
	version018 = dict{
		"type", "http", "version", list{0, 18, 2},
		"client_conn", dict{"address", dict{"address", list{"192.0.2.7", 50000}, "use_ipv6", false}},
		"server_conn", dict{"address", dict{"address", list{"www.example", 443}, "use_ipv6", false}, "sni", "www.example",
			"ip_address", dict{"address", list{"198.51.100.3", 443}, "use_ipv6", false}, "via", dict{"address", list{"www.example", 443}},
			"timestamp_ssl_setup", when - 1, "ssl_established", true},
		"request", oldRequest.with("http_version", []byte("HTTP/1.1"), "first_line_format", "relative"),
		"response", dict{"http_version", []byte("HTTP/1.1"), "status_code", 200, "reason", []byte("OK"), "headers", list{}, "content", []byte("hello")},
	}
	version7 = dict{
		"type", "http", "version", 7, "mode", "transparent", "metadata", dict{}, "id", "a",
		"client_conn", dict{"address", list{"::ffff:192.0.2.7", 50000, 0, 0}, "tls_established", true, "sni", "www.example", "alpn_proto_negotiated", []byte("h2")},
		"server_conn", dict{"address", list{"198.51.100.3", 443}, "ip_address", list{"198.51.100.3", 443}, "sni", "www.example",
			"tls_established", true, "tls_version", "TLSv1.2", "timestamp_tls_setup", when - 1},
		"request", oldRequest.with("http_version", []byte("HTTP/2.0"), "host", []byte("198.51.100.3"),
			"headers", list{list{[]byte(":authority"), []byte("www.example")}, list{[]byte("a"), []byte("b")}}),
		"response", dict{"http_version", []byte("HTTP/2.0"), "status_code", 200, "reason", []byte(""), "headers", list{}, "content", []byte("hello")},
	}
	version11 = version7.with("version", 11, "mode", "regular", "server_conn",
		dict{"address", list{"www.example", 443}, "ip_address", list{"198.51.100.3", 443}, "sni", true, "tls", true, "via2", nil, "tls_version", "TLSv1.2", "timestamp_tls_setup", when - 1},
		"request", oldRequest.with("host", "www.example", "authority", []byte{}, "trailers", nil, "http_version", []byte("HTTP/1.1")))
)

// One exchange, whatever the year in which it was written.
func TestVersions(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]dict{"0.10": version010, "0.11": version011, "0.18": version018, "7": version7, "11": version11} {
		flows, info, err := read(file(f))
		if err != nil || len(flows) != 1 {
			t.Fatalf("%s: %d flows, error %v", want, len(flows), err)
		}
		got := flows[0]
		equal(t, "version", info.Version, want)
		producer := "mitmproxy"
		if strings.HasPrefix(want, "0.") {
			producer += " " + want
		}
		equal(t, "producer", info.Producer, producer)
		equal(t, want, fmt.Sprint(got.Kind, " ", got.URL(), " ", got.Host(), " ", got.Status(), " ", got.Outcome, " ", got.BytesReceived(), " ", got.Client.Addr),
			"http https://www.example/ www.example 200 completed 5 192.0.2.7:50000")
		equal(t, want+" host", flow.CanonicalHost(got.Server.Host), "www.example")
		if want != "0.11" { // which does not tell
			equal(t, want+" dialled", got.Server.Dialed.String(), "198.51.100.3:443")
		}
		for _, field := range got.Request.Header {
			if field.Name[0] == ':' {
				t.Errorf("%s: a pseudo-header field among the fields", want)
			}
		}
	}
}

func TestNewerVersion(t *testing.T) {
	t.Parallel()
	flows, info, err := read(file(exchange, exchange.with("version", 99, "novelty", dict{"deep", list{list{1}}})))
	if err != nil || len(flows) != 2 || flows[1].Host() != "api.example" {
		t.Fatalf("%d flows, error %v", len(flows), err)
	}
	equal(t, "version", info.Version, "99")
	equal(t, "notes", fmt.Sprint(info.Notes), "[Flows in a version of the format newer than 21, read for what is known of it: 1.]")
}

// Before version 12 a WebSocket was two flows.
func TestOldWebSocket(t *testing.T) {
	t.Parallel()
	handshake := version7.with("id", "h", "metadata", dict{"websocket", true}, "response",
		dict{"status_code", 101, "reason", []byte("Switching"), "headers", list{}, "content", []byte{}, "http_version", []byte("HTTP/1.1")})
	frames := dict{
		"type", "websocket", "version", 7, "id", "w", "metadata", dict{"websocket_handshake", "h"}, "error", nil,
		"client_conn", version11.get("client_conn"), "server_conn", version11.get("server_conn"), "close_sender", "client", "close_code", 1000,
		"messages", list{list{1, true, "hi", when + 2, false}, list{2, false, []byte{0, 1, 2}, when + 3, false}},
	}
	flows, info, err := read(file(handshake, exchange, frames))
	if err != nil || len(flows) != 2 || len(info.Notes) != 0 {
		t.Fatalf("%d flows, %+v, error %v", len(flows), info, err)
	}
	f := flows[1]
	equal(t, "flow", fmt.Sprint(f.Kind, " ", f.URL(), " ", f.Status(), " ", f.Outcome, " ", f.Sent, " ", f.Received, " ", f.Origin.Entry),
		"websocket wss://www.example/ 101 completed 2 3 3")
	if len(f.Frames) != 2 || !f.Frames[0].FromClient || f.Frames[1].FromClient || f.Frames[1].Opcode != 2 || string(f.Frames[0].Data) != "hi" {
		t.Errorf("frames %+v", f.Frames)
	}
	flows, info, err = read(file(frames, handshake))
	if err != nil || len(flows) != 2 || len(info.Notes) != 1 {
		t.Fatalf("%d flows, %+v, error %v", len(flows), info, err)
	}
	equal(t, "without a handshake", fmt.Sprint(flows[0].Kind, " ", flows[0].URL(), " ", flows[0].Outcome), "websocket wss://www.example/ completed")
	equal(t, "without messages", fmt.Sprint(flows[1].Kind, " ", flows[1].URL(), " ", flows[1].Outcome), "websocket wss://www.example/ open")
}

func TestWebSocket(t *testing.T) {
	t.Parallel()
	socket := dict{"messages", list{
		list{1, true, []byte("hello"), when + 1, false, false}, list{2, false, []byte{0, 255}, when + 2, true, false}, list{"?", true, nil},
	}, "closed_by_client", false, "close_code", 1000, "close_reason", "", "timestamp_end", when + 9}
	f := only(t, exchange.with("websocket", socket, "response", response.with("status_code", 101)))
	equal(t, "flow", fmt.Sprint(f.Kind, " ", f.URL(), " ", f.Outcome, " ", f.Sent, " ", f.Received, " ", len(f.Frames), " ", f.Duration()),
		"websocket wss://api.example/v1?x=1 completed 5 2 3 9s")
	equal(t, "time", f.Frames[0].Time.UnixMilli(), int64(1763712001250))
	f = only(t, exchange.with("websocket", socket.with("closed_by_client", nil), "response", response.with("status_code", 101)))
	equal(t, "still open", f.Outcome, flow.Open)
}

func TestStreams(t *testing.T) {
	t.Parallel()
	stream := dict{"type", "tcp", "version", 21, "client_conn", clientConn.with("timestamp_end", when+5), "server_conn", serverConn,
		"messages", list{list{true, []byte("to the server"), when}, list{false, []byte("back"), when + 1}, list{true, []byte("!"), when + 2}}}
	f := only(t, stream)
	equal(t, "tcp", fmt.Sprint(f.Kind, " ", f.URL(), " ", f.Outcome, " ", f.Sent, " ", f.Received, " ", f.Server.SNI, " ", len(f.Frames), " ", f.Duration()),
		"tunnel https://api.example tunnelled 14 4 api.example 0 6s")
	plain := dict{"peername", list{"192.0.2.7", 50000}, "timestamp_start", when}
	f = only(t, stream.with("type", "udp", "client_conn", plain, "server_conn", dict{"address", list{"198.51.100.9", 123}}))
	equal(t, "udp", fmt.Sprint(f.Kind, " ", f.URL(), " ", f.Outcome, " ", f.BytesSent()), "tunnel tcp://198.51.100.9:123 tunnelled 14")
	f = only(t, stream.with("error", dict{"msg", "[Errno 111] Connect call failed", "timestamp", when}))
	equal(t, "failed", fmt.Sprint(f.Outcome, " ", f.Failure), "upstream-failed refused")
	flows, info, err := read(file(stream.with("type", "quic-datagrams"), stream.with("client_conn", plain, "server_conn", dict{})))
	if err != nil || len(flows) != 1 || flows[0].Host() != "api.example" {
		t.Fatalf("%d flows, error %v", len(flows), err)
	}
	equal(t, "info", fmt.Sprint(info.Skipped, info.Notes), "map[tcp:1] [Flows of a type that is not known, read as connections: 1.]")
}

func TestDNS(t *testing.T) {
	t.Parallel()
	asked := dict{"id", 7, "query", true, "questions", list{dict{"name", "Tracker.example", "type", 28, "class_", 1}}, "answers", list{}, "response_code", 0, "timestamp", when}
	answered := asked.with("query", false, "timestamp", when+0.5, "answers", list{
		dict{"name", "tracker.example", "type", 5, "class_", 1, "ttl", 60, "data", []byte("\x03cdn\x07example\x00")},
		dict{"name", "cdn.example", "type", 28, "class_", 1, "ttl", 30, "data", append([]byte{0x20, 1, 0xd, 0xb8}, make([]byte, 12)...)},
		dict{"name", "cdn.example", "type", 1234, "class_", 1, "ttl", 30, "data", []byte{1, 2}},
		dict{"name", "cdn.example", "type", 5, "class_", 1, "ttl", 30, "data", []byte{9, 2}},
	})
	query := dict{"type", "dns", "version", 21, "client_conn", clientConn, "server_conn", dict{"address", list{"192.0.2.53", 53}, "peername", list{"192.0.2.53", 53}},
		"request", asked, "response", answered}
	f := only(t, query)
	equal(t, "flow", fmt.Sprint(f.Kind, " ", f.Method(), " ", f.URL(), " ", f.Host(), " ", f.Outcome, " ", f.Response.Reason, " ", f.Server.Dialed, " ", f.Duration()),
		"dns QUERY dns:Tracker.example?type=AAAA tracker.example completed NOERROR 192.0.2.53:53 500ms")
	equal(t, "answers", string(f.Response.Body.Content), "tracker.example. 60 IN CNAME cdn.example.\ncdn.example. 30 IN AAAA 2001:db8::\ncdn.example. 30 IN TYPE1234 \\# 2 0102\ncdn.example. 30 IN CNAME \\# 2 0902\n")
	f = only(t, query.with("response", answered.with("response_code", 3, "answers", list{})))
	equal(t, "no such name", fmt.Sprint(f.Outcome, " ", f.Response.Reason, " ", f.Host()), "completed NXDOMAIN tracker.example")
	f = only(t, query.with("response", nil, "error", dict{"msg", "timed out", "timestamp", when + 5}))
	equal(t, "no answer", fmt.Sprint(f.Outcome, " ", f.Failure), "upstream-failed timeout")
	f = only(t, query.with("request", asked.with("questions", list{}), "response", nil))
	equal(t, "no question", fmt.Sprint(f.Kind, " ", f.Host()), "tunnel 192.0.2.53")
}

// The host is what was asked for; an address that a client got from DNS gives way to
// the name, where the way in is one on which clients do that.
func TestWhoWasContacted(t *testing.T) {
	t.Parallel()
	byAddress := request.with("host", "198.51.100.3")
	fronted := request.with("authority", []byte{}, "headers", list{list{[]byte("Host"), []byte("api.example")}, list{[]byte("host"), []byte("hidden.example")}})
	plain := byAddress.with("scheme", []byte("http"), "port", 80, "authority", []byte("www.example"))
	in := func(mode any, with ...any) dict {
		return exchange.with(append([]any{"client_conn", clientConn.with(append([]any{"proxy_mode", mode}, with...)...)}, "request", byAddress)...)
	}
	for name, c := range map[string]struct {
		f    dict
		want string
	}{
		"regular":             {in("regular"), "198.51.100.3 api.example api.example https://198.51.100.3/v1?x=1"},
		"upstream":            {in("upstream:http://proxy.example:3128"), "198.51.100.3 api.example api.example https://198.51.100.3/v1?x=1"},
		"wireguard":           {in("wireguard"), "api.example api.example api.example https://api.example/v1?x=1"},
		"local":               {in("local:app"), "api.example api.example api.example https://api.example/v1?x=1"},
		"unknown":             {in(nil), "api.example api.example api.example https://api.example/v1?x=1"},
		"transparent, plain":  {in("transparent", "sni", nil, "tls", false).with("request", plain), "198.51.100.3  www.example http://198.51.100.3/v1?x=1"},
		"unknown, plain":      {in(nil, "sni", nil, "tls", false).with("request", plain), "198.51.100.3  www.example http://198.51.100.3/v1?x=1"},
		"transparent, silent": {in("transparent", "sni", nil).with("request", byAddress.with("authority", nil)), "198.51.100.3   https://198.51.100.3/v1?x=1"},
		"reverse":             {in("reverse:https://api.example", "sni", "localhost").with("request", request), "api.example api.example api.example https://api.example/v1?x=1"},
		"fronted":             {exchange.with("request", fronted), "api.example api.example hidden.example https://api.example/v1?x=1"},
		"no host":             {exchange.with("request", request.with("host", nil)), "api.example api.example api.example https://api.example/v1?x=1"},
		"IPv6":                {in("regular", "sni", nil).with("request", request.with("host", "2001:db8::1", "port", 8443)), "2001:db8::1  api.example https://[2001:db8::1]:8443/v1?x=1"},
		"any path":            {exchange.with("request", request.with("path", []byte("*"), "method", []byte("OPTIONS"))), "api.example api.example api.example https://api.example/"},
	} {
		f := only(t, c.f)
		n := f.Names()
		equal(t, name, fmt.Sprint(f.Host(), " ", n.SNI, " ", n.Host, " ", f.URL()), c.want)
	}
	f := only(t, exchange.with("server_conn", serverConn.with("via", list{"http", list{"proxy.example", 3128}})))
	equal(t, "the address of a further proxy", f.Server.Dialed.IsValid(), false)
	f = only(t, exchange.with("request", request.with("host", nil, "authority", nil), "server_conn", dict{}))
	equal(t, "nobody", fmt.Sprint(f.Host(), f.IsContact()), "api.example"+"true") // SNI
}

// A capture behind a router has the names of its hosts in SNI; a name in a header
// neither renames an address nor makes it allowed.
func TestAddressesAgainstPolicy(t *testing.T) {
	t.Parallel()
	p, err := policy.Parse("p.yaml", []byte("version: 1\nallow: [good.example]\nrequire: {https: false}\n"), policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	conn := func(sni any) dict { return clientConn.with("proxy_mode", "transparent", "sni", sni, "tls", sni != nil) }
	at := func(scheme string, port int, claim string) dict {
		return request.with("host", "6.6.6.6", "port", port, "scheme", []byte(scheme), "authority", []byte{}, "headers", list{list{[]byte("Host"), []byte(claim)}})
	}
	address := serverConn.with("address", list{"6.6.6.6", 443}, "peername", list{"6.6.6.6", 443}, "sni", nil)
	for name, c := range map[string]struct {
		client, request dict
		host, rules     string
	}{
		"cleartext that claims an allowed name": {conn(nil), at("http", 80, "good.example"), "6.6.6.6", "host-not-allowed host-mismatch"},
		"TLS without SNI":                       {conn(nil), at("https", 443, "good.example"), "6.6.6.6", "host-not-allowed host-mismatch"},
		"TLS with SNI":                          {conn("good.example"), at("https", 443, "good.example"), "good.example", ""},
		"fronting":                              {conn("good.example"), at("https", 443, "evil.example"), "good.example", "host-mismatch"},
	} {
		f := only(t, exchange.with("client_conn", c.client, "server_conn", address, "request", c.request))
		var rules []string
		for _, finding := range p.Judge(f).Findings {
			rules = append(rules, string(finding.Rule))
		}
		equal(t, name, f.Host()+": "+strings.Join(rules, " "), c.host+": "+c.rules)
	}
}

// A request that names no host is no flow that can be judged.
func TestNoHostIsDamage(t *testing.T) {
	t.Parallel()
	nowhere := exchange.with("request", request.with("host", nil, "authority", nil), "server_conn", dict{}, "client_conn", dict{})
	for name, c := range map[string]struct {
		f    dict
		want string
	}{
		"request":    {nowhere, "expected a request that names its host, found none"},
		"CONNECT":    {nowhere.with("request", request.with("host", nil, "authority", nil, "method", []byte("CONNECT"))), "expected a request that names its host, found none"},
		"old socket": {dict{"type", "websocket", "version", 7, "messages", list{}}, "expected a WebSocket that names its host, found none"},
		"no request": {dict{"type", "http", "version", 21}, "expected a request that names its host, found none"},
	} {
		first := file(exchange)
		flows, info, err := read(append(first, file(c.f, exchange)...))
		damage := damageOf(t, err)
		equal(t, name, damage.Message, c.want)
		equal(t, name+" place", fmt.Sprint(damage.Entry, damage.Offset > int64(len(first)), len(flows), info.Entries), "2 true 2 3")
	}
}

// CONNECT and what went through the tunnel are one contact. One that failed is an
// attempt of its own.
func TestConnect(t *testing.T) {
	t.Parallel()
	connect := exchange.with("request", request.with("method", []byte("CONNECT"), "path", []byte{}, "scheme", []byte{}), "client_conn", dict{"peername", list{"192.0.2.7", 1}})
	other := connect.with("request", request.with("method", []byte("CONNECT"), "host", "other.example", "authority", []byte("other.example:443")))
	fronted := connect.with("request", request.with("method", []byte("CONNECT"), "authority", []byte("evil.example:443")))
	flows, info, err := read(file(connect, exchange, other, fronted))
	if err != nil || len(flows) != 3 {
		t.Fatalf("%d flows, error %v", len(flows), err)
	}
	equal(t, "request", flows[0].Kind, flow.HTTP)
	equal(t, "disagreeing names", flows[1].Names().Host, "evil.example")
	equal(t, "unexplained", fmt.Sprint(flows[2].Kind, " ", flows[2].Host(), " ", flows[2].Outcome, " ", flows[2].Status()), "tunnel other.example tunnelled 0")
	equal(t, "notes", fmt.Sprint(info.Notes), "[CONNECT requests of requests that are in the file too, not counted again: 1.]")

	answered := func(status int) dict { return connect.with("response", response.with("status_code", status)) }
	for _, c := range []struct {
		name  string
		first dict
		want  string // outcome and status of what counts beside the request
	}{
		{"opened", answered(200), ""},
		{"refused", answered(502), "upstream-failed 502"},
		{"denied", answered(403), "upstream-failed 403"},
		{"challenged", answered(407), ""},
		{"unreachable", connect.with("response", nil, "error", dict{"msg", "[Errno 111] Connect call failed", "timestamp", when}), "upstream-failed 0"},
		{"pinned", connect.with("error", dict{"msg", "Client TLS handshake failed. The client does not trust the proxy's certificate for api.example (tlsv1 alert unknown ca)", "timestamp", when}), "client-refused 0"},
		{"unanswered", connect.with("response", nil), "open 0"},
	} {
		flows, _, err := read(file(c.first, exchange))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, f := range flows {
			if f.Kind == flow.Tunnel {
				got = fmt.Sprint(f.Outcome, " ", f.Status())
			}
		}
		equal(t, c.name, got, c.want)
		equal(t, c.name+" flows", len(flows), 1+min(len(c.want), 1))
	}
	flows, _, err = read(file(answered(407)))
	if err != nil || len(flows) != 1 || flows[0].Outcome != flow.UpstreamFailed || flows[0].Error == "" {
		t.Errorf("challenged and gone: %d flows, error %v", len(flows), err)
	}
}

func TestAltered(t *testing.T) {
	t.Parallel()
	equal(t, "edited", fmt.Sprint(only(t, exchange.with("backup", exchange)).Altered), "[edited in mitmproxy]")
	equal(t, "replayed", fmt.Sprint(only(t, exchange.with("is_replay", "request")).Altered), "[sent again by mitmproxy]")
	equal(t, "answered", fmt.Sprint(only(t, exchange.with("is_replay", "response")).Altered), "[answered by mitmproxy from a recording]")
}

func TestTLSNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version, cipher string
		v, suite        uint16
	}{
		{"TLSv1.3", "TLS_AES_128_GCM_SHA256", tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256},
		{"QUICv1", "AES_256_GCM_SHA384", tls.VersionTLS13, tls.TLS_AES_256_GCM_SHA384},
		{"TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256", tls.VersionTLS13, tls.TLS_CHACHA20_POLY1305_SHA256},
		{"TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256},
		{"TLSv1.2", "AES128-GCM-SHA256", tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_GCM_SHA256},
		{"TLSv1", "ECDHE-RSA-AES256-SHA", tls.VersionTLS10, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA},
		{"TLSv1.1", "DES-CBC3-SHA", tls.VersionTLS11, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA},
		{"SSLv3", "UNHEARD-OF", 0x0300, 0},
		{"DTLSv1.2", "", 0, 0},
	} {
		f := only(t, exchange.with("server_conn", serverConn.with("tls_version", c.version, "cipher", c.cipher)))
		equal(t, c.version+" "+c.cipher, fmt.Sprint(f.Server.TLS.Version, f.Server.TLS.CipherSuite), fmt.Sprint(c.v, c.suite))
	}
}
