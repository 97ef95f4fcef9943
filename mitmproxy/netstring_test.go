package mitmproxy_test

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"

	"telltale/flow"
	"telltale/mitmproxy"
)

// dict is a dict whose members keep their order: names and values in turn.
type dict []any

// list is a list.
type list []any

// netstring encodes a value as mitmproxy does.
func netstring(v any) string {
	payload, kind := "", ""
	switch v := v.(type) {
	case nil:
		kind = "~"
	case bool:
		payload, kind = strconv.FormatBool(v), "!"
	case int:
		payload, kind = strconv.Itoa(v), "#"
	case float64:
		payload, kind = strconv.FormatFloat(v, 'f', -1, 64), "^"
	case []byte:
		payload, kind = string(v), ","
	case string:
		payload, kind = v, ";"
	case list:
		payload, kind = joined(v), "]"
	case dict:
		payload, kind = joined(v), "}"
	default:
		panic(fmt.Sprintf("a value of type %T", v))
	}
	return fmt.Sprintf("%d:%s%s", len(payload), payload, kind)
}

func joined[T ~[]any](values T) string {
	var b bytes.Buffer
	for _, v := range values {
		b.WriteString(netstring(v))
	}
	return b.String()
}

// with returns a copy in which members have other values, new ones behind the rest.
func (d dict) with(members ...any) dict {
	out := append(dict(nil), d...)
next:
	for i := 0; i < len(members); i += 2 {
		for j := 0; j < len(out); j += 2 {
			if out[j] == members[i] {
				out[j+1] = members[i+1]
				continue next
			}
		}
		out = append(out, members[i], members[i+1])
	}
	return out
}

// get returns the value of a member.
func (d dict) get(name string) any {
	for i := 0; i < len(d); i += 2 {
		if d[i] == name {
			return d[i+1]
		}
	}
	panic("no member " + name)
}

const when = 1763712000.25 // 2025-11-21 08:00:00.25 UTC

// The parts of a flow as mitmproxy 12 writes it, version 21.
var (
	clientConn = dict{
		"peername", list{"192.0.2.7", 50000}, "sockname", list{"192.0.2.1", 8080}, "proxy_mode", "regular",
		"timestamp_start", when - 1, "timestamp_tls_setup", when - 0.5, "tls", true, "tls_version", "TLSv1.3",
		"sni", "api.example", "alpn", []byte("h2"), "alpn_offers", list{[]byte("h2"), []byte("http/1.1")},
	}
	serverConn = dict{
		"address", list{"api.example", 443}, "peername", list{"198.51.100.3", 443}, "via", nil,
		"timestamp_start", when - 0.9, "timestamp_tcp_setup", when - 0.8, "timestamp_tls_setup", when - 0.7,
		"tls", true, "tls_version", "TLSv1.2", "cipher", "ECDHE-RSA-AES128-GCM-SHA256", "sni", "api.example",
		"alpn", []byte("h2"), "certificate_list", list{}, "transport_protocol", "tcp",
	}
	request = dict{
		"host", "api.example", "port", 443, "method", []byte("GET"), "scheme", []byte("https"),
		"authority", []byte("api.example"), "path", []byte("/v1?x=1"), "http_version", []byte("HTTP/2.0"),
		"headers", list{list{[]byte("user-agent"), []byte("app/1")}}, "content", []byte{}, "trailers", nil,
		"timestamp_start", when, "timestamp_end", when + 0.1,
	}
	response = dict{
		"http_version", []byte("HTTP/2.0"), "status_code", 200, "reason", []byte{},
		"headers", list{list{[]byte("content-type"), []byte("text/plain")}}, "content", []byte("hello"),
		"trailers", list{list{[]byte("x-sum"), []byte("1")}}, "timestamp_start", when + 0.2, "timestamp_end", when + 0.5,
	}
	exchange = dict{
		"id", "1", "type", "http", "version", 21, "error", nil, "intercepted", false, "marked", ":grapes:", "comment", "mine",
		"metadata", dict{}, "is_replay", nil, "timestamp_created", when, "backup", nil,
		"client_conn", clientConn, "server_conn", serverConn, "request", request, "response", response, "websocket", nil,
	}
)

// file encodes flows one behind the other.
func file(flows ...dict) []byte { return []byte(joined(anys(flows))) }

func anys(flows []dict) list {
	var out list
	for _, f := range flows {
		out = append(out, f)
	}
	return out
}

// read reads a file with bodies.
func read(data []byte) ([]*flow.Flow, mitmproxy.Info, error) {
	var flows []*flow.Flow
	info, err := mitmproxy.Read(bytes.NewReader(data), mitmproxy.Options{Name: "a.mitm", Bodies: true}, func(f *flow.Flow) error {
		flows = append(flows, f)
		return nil
	})
	return flows, info, err
}

// only reads a file that holds one flow.
func only(t *testing.T, f dict) *flow.Flow {
	t.Helper()
	flows, info, err := read(file(f))
	if err != nil || len(flows) != 1 || info.Entries != 1 {
		t.Fatalf("%d flows, info %+v, error %v", len(flows), info, err)
	}
	return flows[0]
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
