package proxy

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"telltale/flow"
)

// fieldsOf returns header lines sorted by name, since a map has lost their order.
// Lines of one name keep theirs. Names are in lower case since HTTP/2 (RFC 9113, 8.2)
// and HTTP/3 (RFC 9114, 4.2).
// first is put before them, unless it has no name.
func fieldsOf(h http.Header, major int, first flow.Field) []flow.Field {
	var array [32]string
	keys, lines := array[:0], 1
	for k, vs := range h {
		keys, lines = append(keys, k), lines+len(vs)
	}
	slices.Sort(keys)
	fields := make([]flow.Field, 0, lines)
	if first.Name != "" {
		fields = append(fields, first)
	}
	for _, k := range keys {
		name := k
		if major >= 2 {
			name = lower(k)
		}
		for _, v := range h[k] {
			fields = append(fields, flow.NewField(name, v))
		}
	}
	return fields
}

// lower returns a name in lower case; for the usual ones that costs no allocation.
func lower(name string) string {
	if l, ok := lowered[name]; ok {
		return l
	}
	return strings.ToLower(name)
}

var lowered = func() map[string]string {
	m := map[string]string{}
	for name := range strings.FieldsSeq(`accept accept-encoding accept-language accept-ranges
		access-control-allow-origin age alt-svc authorization cache-control connection content-disposition
		content-encoding content-language content-length content-range content-security-policy content-type
		cookie date dnt etag expires grpc-accept-encoding grpc-encoding grpc-message grpc-status
		grpc-timeout host if-modified-since if-none-match last-modified link location origin pragma
		priority range referer sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode
		sec-fetch-site server set-cookie strict-transport-security te trailer traceparent user-agent vary
		via x-content-type-options x-frame-options x-requested-with x-xss-protection`) {
		m[http.CanonicalHeaderKey(name)] = name
	}
	return m
}()

// dropNamed removes the fields that Connection names (RFC 9110, 7.6.1).
func dropNamed(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); name != "Te" {
				delete(h, name)
			}
		}
	}
	delete(h, "Connection")
}

// cleanRequest removes what is meant for us and not for the server. An upgrade
// keeps the fields that ask for it.
func cleanRequest(h http.Header, upgrade bool) {
	if !upgrade {
		dropNamed(h)
		delete(h, "Keep-Alive")
		delete(h, "Upgrade")
	}
	if te, ok := h["Te"]; ok && !(len(te) == 1 && te[0] == "trailers") {
		delete(h, "Te")
		if httpguts.HeaderValuesContainsToken(te, "trailers") {
			h["Te"] = []string{"trailers"} // gRPC depends on it
		}
	}
	delete(h, "Proxy-Authorization")
	delete(h, "Proxy-Authenticate")
	delete(h, "Proxy-Connection")
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = nil // keeps net/http from naming itself
	}
}

// passHeader hands a response's header to http.Server, without what is meant for us
// and without letting it invent any. unknown is set for a body without a length.
// Slices are shared, not copied as goproxy would do.
func passHeader(dst, src http.Header, status, clientMajor int, unknown bool) {
	upgrade := src["Upgrade"]
	dropNamed(src)
	delete(src, "Keep-Alive")
	delete(src, "Proxy-Connection")
	delete(src, "Transfer-Encoding")
	delete(src, "Upgrade")
	for k, vs := range src {
		dst[k] = vs
	}
	if status == http.StatusUpgradeRequired && clientMajor == 1 && upgrade != nil {
		dst["Upgrade"], dst["Connection"] = upgrade, []string{"Upgrade"} // RFC 9110, 15.5.22
	}
	keepAbsent(dst, "Date")
	keepAbsent(dst, "Content-Type")
	switch {
	case status == http.StatusNoContent: // RFC 9110, 8.6; HTTP/2 clients take it for a broken stream
		dst["Content-Length"] = nil
	case clientMajor != 1, unknown: // chunked stays chunked, however short it is
		keepAbsent(dst, "Content-Length")
	case status == http.StatusNotModified:
		// http.Server drops these from a 304, though RFC 9110, 15.4.5 allows
		// them; it does not know them in lower case.
		respell(dst, "Content-Length", "content-length")
		respell(dst, "Content-Type", "content-type")
	}
}

// keepAbsent keeps http.Server from adding a field that the server did not send.
func keepAbsent(h http.Header, name string) {
	if _, ok := h[name]; !ok {
		h[name] = nil
	}
}

func respell(h http.Header, from, to string) {
	if vs := h[from]; vs != nil {
		delete(h, from)
		h[to] = vs
	}
}

// asksUpgrade reports whether a request asks for another protocol (RFC 9110, 7.8).
func asksUpgrade(r *http.Request) bool {
	return r.ProtoMajor == 1 && len(r.Header["Upgrade"]) > 0 &&
		httpguts.HeaderValuesContainsToken(r.Header["Connection"], "upgrade")
}

// isWebSocket reports whether the upgrade asked for, or agreed to, is RFC 6455's.
func isWebSocket(h http.Header) bool {
	return httpguts.HeaderValuesContainsToken(h["Upgrade"], "websocket")
}

// protoName writes a version of HTTP as flows have it.
func protoName(major, minor int) string {
	switch {
	case major == 3:
		return "HTTP/3"
	case major == 2:
		return "HTTP/2"
	case major == 1 && minor == 0:
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}

// rawTarget returns the path and query of a request as they came, before net/http
// cleaned them.
func rawTarget(r *http.Request) string {
	target := r.RequestURI
	if target == "" {
		return r.URL.RequestURI()
	}
	if target[0] == '/' {
		return target
	}
	if target == "*" { // RFC 9112, 3.2.4: the URL is the authority alone
		return ""
	}
	_, rest, ok := strings.Cut(target, "://")
	if !ok {
		return r.URL.RequestURI()
	}
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		return rest[i:]
	}
	return ""
}

// withPort adds the scheme's port to an authority that has none.
func withPort(authority, scheme string) string {
	host, port := flow.SplitHostPort(authority)
	if port != "" {
		return authority
	}
	if scheme == "https" {
		return net.JoinHostPort(host, "443")
	}
	return net.JoinHostPort(host, "80")
}
