package proxy

import (
	"fmt"
	"strings"
)

// smuggle is one message, or several, of which some reader of HTTP/1 could make other
// messages than another. {T} stands for the target of the request, {H} for its host.
type smuggle struct {
	name string
	raw  string
	// meant is how many requests the client meant; 0 for a message that must be
	// refused since nobody can tell.
	meant int
}

const (
	get      = "GET {T} HTTP/1.1\r\nHost: {H}\r\n"
	post     = "POST {T} HTTP/1.1\r\nHost: {H}\r\n"
	hidden   = "GET /hidden HTTP/1.1\r\nHost: {H}\r\n\r\n"
	chunked  = "Transfer-Encoding: chunked\r\n"
	empty    = "0\r\n\r\n"
	oneChunk = "1\r\nZ\r\n0\r\n\r\n"
)

// smuggles is the corpus: what the literature on request smuggling tries (CL.TE, TE.CL,
// TE.TE, CL.0, TE.0, chunk extensions, line ends), and what else a head can have.
func smuggles() []smuggle {
	var all []smuggle
	add := func(meant int, family string, raws ...string) {
		for i, raw := range raws {
			all = append(all, smuggle{fmt.Sprintf("%s %d", family, i+1), raw, meant})
		}
	}
	lines := func(meant int, family, start, rest string, lines ...string) {
		for _, line := range lines {
			all = append(all, smuggle{fmt.Sprintf("%s %.60q", family, line), start + line + "\r\n" + rest, meant})
		}
	}

	add(0, "CL.TE and TE.CL",
		post+"Content-Length: 6\r\n"+chunked+"\r\n"+empty+"G",
		post+chunked+"Content-Length: 6\r\n\r\n"+empty+"G",
		post+"Content-Length: 0\r\n"+chunked+"\r\n"+empty,
		post+"Content-Length: 5\r\n"+chunked+"\r\n"+empty,
		post+chunked+"Content-Length: 3\r\n\r\n8\r\nSMUGGLED\r\n0\r\n\r\n",
		post+"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n",
		get+"Content-Length: 6\r\n"+chunked+"\r\n"+empty+"G")
	lines(0, "TE.TE", post+chunked, "\r\n"+oneChunk,
		"Transfer-Encoding: identity", "Transfer-Encoding: chunked", "Transfer-Encoding: x", "Transfer-encoding: cow", "TRANSFER-ENCODING: gzip")
	lines(0, "TE", post, "\r\n"+oneChunk,
		"Transfer-Encoding: xchunked", "Transfer-Encoding: chunkedx", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity, chunked",
		"Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: chunked;q=1", "Transfer-Encoding: \"chunked\"",
		"Transfer-Encoding: 'chunked'", "Transfer-Encoding: chunked,", "Transfer-Encoding: ,chunked", "Transfer-Encoding: identity", "Transfer-Encoding:", "Transfer-Encoding: ",
		"Transfer-Encoding: chu\tnked", "Transfer-Encoding: \vchunked", "Transfer-Encoding: \fchunked", "Transfer-Encoding: chunked\v", "Transfer-Encoding: chunked\x00",
		"Transfer-Encoding: \x00chunked", "Transfer-Encoding: ch\u00fcnked", "Transfer-Encoding: chunKed\u212a", "Transfer-Encoding: \xffchunked", "Transfer-Encoding: chunked\xa0",
		"Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked", " Transfer-Encoding: chunked", "\tTransfer-Encoding: chunked", "Transfer-Encoding\x00: chunked",
		"Transfer-Encoding\v: chunked", "Transfer Encoding: chunked", "X: x\nTransfer-Encoding: chunked", "X: x\rTransfer-Encoding: chunked", "Transfer-Encoding\r\n: chunked",
		"Transfer-Encoding:\r\n chunked", "Transfer-Encoding: chunked\r\n folded", "\x0bTransfer-Encoding: chunked", ":Transfer-Encoding: chunked", "\"Transfer-Encoding\": chunked",
		"Transfer-Encoding:\nchunked", "Transfer-Encoding: chunked\r", "Transfer-Encoding;: chunked", "Transfer-Encoding=chunked", "Transfer-Encoding\u00a0: chunked")
	lines(1, "TE that is plain", post, "\r\n"+oneChunk,
		"Transfer-Encoding: chunked", "transfer-encoding:chunked", "TRANSFER-ENCODING: CHUNKED", "Transfer-Encoding: \t chunked \t", "X-Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
		"X: \u00e9\r\nTransfer-Encoding: chunked")
	add(0, "HTTP/1.0 with TE",
		"POST {T} HTTP/1.0\r\nHost: {H}\r\n"+chunked+"\r\n"+oneChunk,
		"POST {T} HTTP/1.0\r\nHost: {H}\r\nConnection: keep-alive\r\n"+chunked+"\r\n"+empty+hidden)

	lines(0, "CL", post, "\r\nabcde",
		"Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 0\r\nContent-Length: 5", "Content-Length: 5\r\ncontent-length: 0",
		"Content-Length: 5, 5", "Content-Length: 5,6", "Content-Length: 5,", "Content-Length: +5", "Content-Length: -5", "Content-Length: 0x5", "Content-Length: 5.0", "Content-Length: 5e0",
		"Content-Length: 5 5", "Content-Length: 5;", "Content-Length: \"5\"", "Content-Length:", "Content-Length: ", "Content-Length: five", "Content-Length: 5\x00", "Content-Length: \x005",
		"Content-Length: 5\v", "Content-Length: \u0665", "Content-Length: 5_0", "Content-Length: 18446744073709551621", "Content-Length: 9223372036854775808", "Content-Length: 99999999999999999999999",
		"Content-Length: 00000000000000000000005", "Content-Length: -0", "Content-Length : 5", "Content-Length\t: 5", " Content-Length: 5", "Content-Length: 5\r\n 5", "Content-Length:\r\n 5",
		"Content-Length\x00: 5", "Content Length: 5", "Content-Length: 0b101", "Content-Length: 0o5", "Content-Length: infinity", "Content-Length: NaN", "Content-Length: 5\rX: y", "Content-Length: 5\nX: y")
	lines(1, "CL that is plain", post, "\r\nabcde", "Content-Length: 5", "content-length:5", "CONTENT-LENGTH: \t5 ", "Content-Length: 05", "Content_Length: 9\r\nContent-Length: 5")
	add(2, "content that looks like a request",
		post+fmt.Sprintf("Content-Length: %d\r\n\r\n", len("0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"))+"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"+get+"\r\n",
		post+"Content-Length: 0\r\n\r\n"+get+"\r\n",
		post+chunked+"\r\n"+empty+get+"\r\n",
		get+"Content-Length: 3\r\n\r\nGET"+get+"\r\n",
		get+chunked+"\r\n"+oneChunk+get+"\r\n",
		"DELETE {T} HTTP/1.1\r\nHost: {H}\r\nContent-Length: 1\r\n\r\nx"+get+"\r\n",
		get+"\r\n"+get+"\r\n")

	add(0, "chunks",
		post+chunked+"\r\n1\nZ\r\n0\r\n\r\n", post+chunked+"\r\n1\r\nZ\n0\r\n\r\n", post+chunked+"\r\n1\r\nZ0\r\n\r\n", post+chunked+"\r\n1\r\nZZ\r\n0\r\n\r\n",
		post+chunked+"\r\n0x1\r\nZ\r\n0\r\n\r\n", post+chunked+"\r\n+1\r\nZ\r\n0\r\n\r\n", post+chunked+"\r\n-1\r\nZ\r\n0\r\n\r\n", post+chunked+"\r\n 1\r\nZ\r\n0\r\n\r\n",
		post+chunked+"\r\n1 \r\nZ\r\n0\r\n\r\n", post+chunked+"\r\n1\t\r\nZ\r\n0\r\n\r\n", post+chunked+"\r\n1,\r\nZ\r\n0\r\n\r\n", post+chunked+"\r\n1.\r\nZ\r\n0\r\n\r\n",
		post+chunked+"\r\n1\r\r\nZ\r\n0\r\n\r\n", post+chunked+"\r\n\r\n1\r\nZ\r\n0\r\n\r\n", post+chunked+"\r\n;x\r\nZ\r\n0\r\n\r\n", post+chunked+"\r\nG\r\nZ\r\n0\r\n\r\n",
		post+chunked+"\r\n10000000000000001\r\nZ\r\n0\r\n\r\n", post+chunked+"\r\nffffffffffffffff1\r\nZ\r\n0\r\n\r\n", post+chunked+"\r\n0000000000000000000001\r\nZ\r\n0\r\n\r\n",
		post+chunked+"\r\n1;a\nb\r\nZ\r\n0\r\n\r\n", post+chunked+"\r\n1;a\rb\r\nZ\r\n0\r\n\r\n", post+chunked+"\r\n1;\x00\r\nZ\r\n0\r\n\r\n", post+chunked+"\r\n1;"+strings.Repeat("x", 5000)+"\r\nZ\r\n0\r\n\r\n",
		post+chunked+"\r\n1_0\r\nZ\r\n0\r\n\r\n", post+chunked+"\r\n1\u00a0\r\nZ\r\n0\r\n\r\n",
		post+chunked+"\r\n0\r\nX\r\n\r\n", post+chunked+"\r\n0\r\nX : y\r\n\r\n", post+chunked+"\r\n0\r\n X: y\r\n\r\n", post+chunked+"\r\n0\r\nX: y\n\r\n", post+chunked+"\r\n0\r\nX: \x00\r\n\r\n",
		post+chunked+"\r\n0\r\n: y\r\n\r\n", post+chunked+"\r\n0\r\nX: a\r\n b\r\n\r\n", post+chunked+"\r\n0\n\n", post+chunked+"\r\n0\r\n\n",
		post+chunked+"Trailer: Content-Length\r\n\r\n0\r\nContent-Length: 5\r\n\r\n", post+chunked+"Trailer: x, Transfer-Encoding\r\n\r\n"+empty)
	add(1, "chunks that are plain",
		post+chunked+"\r\n"+oneChunk, post+chunked+"\r\n01\r\nZ\r\n00\r\n\r\n", post+chunked+"\r\na\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", post+chunked+"\r\n1;x=y\r\nZ\r\n0;last\r\n\r\n",
		post+chunked+"\r\n1;x=\"0\"\r\nZ\r\n0\r\n\r\n", post+chunked+"\r\n1\r\nZ\r\n0\r\nX-Trailer: y\r\n\r\n")

	add(0, "line ends",
		"GET {T} HTTP/1.1\nHost: {H}\n\n", "GET {T} HTTP/1.1\nHost: {H}\r\n\r\n", "GET {T} HTTP/1.1\r\nHost: {H}\nX: y\r\n\r\n", "GET {T} HTTP/1.1\r\nHost: {H}\r\n\n", "GET {T} HTTP/1.1\r\nHost: {H}\n\r\n\r\n",
		"GET {T} HTTP/1.1\rHost: {H}\r\r", "GET {T} HTTP/1.1\r\nHost: {H}\rX: y\r\n\r\n", "GET {T} HTTP/1.1\r\r\nHost: {H}\r\n\r\n", get+"X: a\r\r\n\r\n", get+"X: a\x00b\r\n\r\n", get+"X: a\x0bb\r\n\r\n", get+"X: a\x7fb\r\n\r\n",
		get+"X: a\x1b[31m\r\n\r\n", "\r\nGET {T} HTTP/1.1\r\nHost: {H}\r\n\r\n", "\nGET {T} HTTP/1.1\r\nHost: {H}\r\n\r\n", " GET {T} HTTP/1.1\r\nHost: {H}\r\n\r\n", get+"X: a\r\n b\r\n\r\n", get+"X: a\r\n\tb\r\n\r\n",
		"GET {T} HTTP/1.1\r\n X: y\r\nHost: {H}\r\n\r\n", get+"X\r\n\r\n", get+": y\r\n\r\n", get+"X y: z\r\n\r\n", get+"X(: z\r\n\r\n", get+"\u00e9: z\r\n\r\n", get+"X\x00: y\r\n\r\n", get+"X: y\r\n\r"+hidden)
	add(0, "request line",
		"GET  {T} HTTP/1.1\r\nHost: {H}\r\n\r\n", "GET {T}  HTTP/1.1\r\nHost: {H}\r\n\r\n", "GET\t{T} HTTP/1.1\r\nHost: {H}\r\n\r\n", "GET {T}\tHTTP/1.1\r\nHost: {H}\r\n\r\n", "GET {T} HTTP/1.1 \r\nHost: {H}\r\n\r\n",
		"GET {T} x HTTP/1.1\r\nHost: {H}\r\n\r\n", "GET {T}\r\n\r\n", "GET {T}\r\nHost: {H}\r\n\r\n", "GET {T} HTTP/2.0\r\nHost: {H}\r\n\r\n", "GET {T} HTTP/1.2\r\nHost: {H}\r\n\r\n", "GET {T} HTTP/0.9\r\nHost: {H}\r\n\r\n",
		"GET {T} HTTP/3\r\nHost: {H}\r\n\r\n", "GET {T} HTTP/11\r\nHost: {H}\r\n\r\n", "GET {T} http/1.1\r\nHost: {H}\r\n\r\n", "GET {T} HTTP/1.1x\r\nHost: {H}\r\n\r\n", "GET {T} HTTP/01.1\r\nHost: {H}\r\n\r\n", "GET {T} HTTP /1.1\r\nHost: {H}\r\n\r\n",
		"GET {T} HTTP/1.\u0661\r\nHost: {H}\r\n\r\n", "GET {T} HTTP/1,1\r\nHost: {H}\r\n\r\n", "GET {T}\x00 HTTP/1.1\r\nHost: {H}\r\n\r\n", "GET {T}\x01 HTTP/1.1\r\nHost: {H}\r\n\r\n", "GET {T}#f HTTP/1.1\r\nHost: {H}\r\n\r\n",
		"GET {T}%zz HTTP/1.1\r\nHost: {H}\r\n\r\n", "G\u00cbT {T} HTTP/1.1\r\nHost: {H}\r\n\r\n", "GET/ {T} HTTP/1.1\r\nHost: {H}\r\n\r\n", "G(T {T} HTTP/1.1\r\nHost: {H}\r\n\r\n", "{T} HTTP/1.1\r\nHost: {H}\r\n\r\n",
		"GET * HTTP/1.1\r\nHost: {H}\r\n\r\n", "GET nowhere HTTP/1.1\r\nHost: {H}\r\n\r\n", "GET {H} HTTP/1.1\r\nHost: {H}\r\n\r\n", "GET http:// HTTP/1.1\r\nHost: {H}\r\n\r\n", "GET http:///x HTTP/1.1\r\nHost: {H}\r\n\r\n",
		"GET http://?x HTTP/1.1\r\nHost: {H}\r\n\r\n", "GET ://{H}/ HTTP/1.1\r\nHost: {H}\r\n\r\n", "GET \\\\{H}\\x HTTP/1.1\r\nHost: {H}\r\n\r\n", "get\x00 {T} HTTP/1.1\r\nHost: {H}\r\n\r\n",
		"GET {T} HTTP/1.1 HTTP/1.1\r\nHost: {H}\r\n\r\n", "GET http://[::1/ HTTP/1.1\r\nHost: {H}\r\n\r\n", "GET http://a b/ HTTP/1.1\r\nHost: {H}\r\n\r\n")
	add(0, "Host",
		"GET {T} HTTP/1.1\r\n\r\n", "GET {T} HTTP/1.1\r\nHost:\r\n\r\n", "GET {T} HTTP/1.1\r\nHost: {H}\r\nHost: {H}\r\n\r\n", "GET {T} HTTP/1.1\r\nHost: {H}\r\nhost: other.test\r\n\r\n", "GET {T} HTTP/1.1\r\nHost: {H}/x\r\n\r\n",
		"GET {T} HTTP/1.1\r\nHost: a b\r\n\r\n", "GET {T} HTTP/1.1\r\nHost: u@{H}/\r\n\r\n", "GET {T} HTTP/1.1\r\nHost: a?b\r\n\r\n", "GET {T} HTTP/1.1\r\nHost: a#b\r\n\r\n", "GET {T} HTTP/1.1\r\nHost: a\\b\r\n\r\n",
		"GET {T} HTTP/1.1\r\nHost: a\x00b\r\n\r\n", "GET {T} HTTP/1.1\r\nHost: \u00e9\r\n\r\n", "GET {T} HTTP/1.1\r\nHost : {H}\r\n\r\n", "GET {T} HTTP/1.1\r\nHost: <b>\r\n\r\n", "GET {T} HTTP/1.1\r\nHost: {H}, {H}/\r\n\r\n",
		"GET {T} HTTP/1.1\r\n Host: {H}\r\n\r\n", "GET {T} HTTP/1.1\r\nX: y\nHost: {H}\r\n\r\n")
	lines(0, "Expect", post+"Content-Length: 1\r\n", "\r\nx", "Expect: 100-continue, x", "Expect: x", "Expect:", "Expect: 100", "Expect: 100-continue=y")
	lines(1, "Expect that is plain", post+"Content-Length: 1\r\n", "\r\nx", "Expect: 100-continue", "expect: 100-Continue", "X-Expect: x")
	add(0, "size", get+"X: "+strings.Repeat("x", maxHead)+"\r\n\r\n", get+strings.Repeat("X: y\r\n", maxFields+1)+"\r\n", "GET {T}"+strings.Repeat("x", maxHead)+" HTTP/1.1\r\nHost: {H}\r\n\r\n", strings.Repeat("G", maxHead+1))
	add(0, "CONNECT with content", "CONNECT {H} HTTP/1.1\r\nHost: {H}\r\nContent-Length: 5\r\n\r\nabcde", "CONNECT {H} HTTP/1.1\r\nHost: {H}\r\n"+chunked+"\r\n"+empty, "CONNECT {H}/ HTTP/1.1\r\nHost: {H}\r\n\r\n", "CONNECT {T} HTTP/1.1\r\nHost: {H}\r\n\r\n")
	lines(1, "hop by hop", get, "\r\n",
		"Connection: Host", "Connection: close, Content-Length", "Connection: Transfer-Encoding", "Connection: keep-alive, X-Secret\r\nX-Secret: y", "Proxy-Connection: keep-alive", "Keep-Alive: 5", "TE: trailers, chunked", "TE: gzip",
		"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings", "Upgrade: websocket", "Proxy-Authorization: Basic eA==", "Max-Forwards: 0", "X: a, b\r\nX: c", "X-HTTP-Method-Override: DELETE", "X-Original-URL: /admin")
	return all
}
