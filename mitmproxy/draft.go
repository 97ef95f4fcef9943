package mitmproxy

import (
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"telltale/flow"
)

// draft is a flow as it stands in the file, before it is known what it means: members
// come in any order.
type draft struct {
	kind        string // "http", "tcp", "udp", "dns", "websocket"; "" before 0.11
	version     string
	id          string
	mode        string // how the client came to mitmproxy: "regular", "transparent", …; "" when not known
	created     float64
	intercepted bool // still held when it was saved
	edited      bool
	replayed    string // "request" or "response": which of them mitmproxy made up

	client, server    connection
	request, response message

	failure  string
	failedAt float64

	messages messages
	isSocket bool // there is "websocket"
	closed   bool // the WebSocket was
	endedAt  float64

	isHandshake bool   // before 12: its messages are in another flow
	handshake   string // before 12: the ID of the flow that these messages belong to
}

// connection is one side of mitmproxy.
type connection struct {
	address    endpoint // what was asked for; of a client, where it called from
	peer       endpoint // what was reached
	chained    bool     // reached by way of another proxy
	tls        bool
	sni        string
	alpn       string
	offers     []string
	version    string
	cipher     string
	leaf       *flow.Certificate
	failure    string
	start, end float64
	tcp, setup float64 // when TCP and TLS stood
}

// endpoint is a host, which may be a name, and a port.
type endpoint struct {
	host string
	port int
}

// addrPort returns the address, zero when the host is a name.
func (e endpoint) addrPort() netip.AddrPort {
	addr, err := netip.ParseAddr(strings.Trim(e.host, "[]"))
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(e.port))
}

// String spells it as host:port; "" without a host.
func (e endpoint) String() string {
	if e.host == "" {
		return ""
	}
	return net.JoinHostPort(strings.Trim(e.host, "[]"), strconv.Itoa(e.port))
}

// message is what request and response have in common with those of DNS.
type message struct {
	seen        bool // there is one
	method      string
	scheme      string
	host        endpoint
	ip          string // 0.10
	authority   string
	path        string
	proto       string
	status      int
	reason      string
	header      []flow.Field
	trailer     []flow.Field
	headerBytes int
	content     []byte
	size        int64
	kept        bool // mitmproxy has the content, of whatever size
	start, end  float64

	questions, answers []record
	code               int
}

func (d *draft) reset() {
	unknown := math.NaN()
	nowhen := connection{start: unknown, end: unknown, tcp: unknown, setup: unknown}
	*d = draft{
		created: unknown, failedAt: unknown, endedAt: unknown,
		client: nowhen, server: nowhen, request: noMessage(), response: noMessage(),
		messages: messages{last: unknown},
	}
}

func noMessage() message { return message{start: math.NaN(), end: math.NaN()} }

// usable reports whether what was read is a flow at all.
func (d *draft) usable() bool { return d.kind != "" || d.request.seen }

// flowMember reads a member of a flow's state.
func (d *reader) flowMember(name string, end int64) (err error) {
	f := &d.draft
	switch name {
	case "type":
		f.kind, err = d.textValue(end)
	case "version":
		var v value
		v, err = d.s.value(end, maxNumber)
		f.version = v.versionText()
	case "id":
		f.id, err = d.textValue(end)
	case "mode":
		f.mode, err = d.textValue(end)
	case "timestamp_created":
		f.created, err = d.numberValue(end)
	case "intercepted":
		f.intercepted, err = d.boolValue(end)
	case "backup": // the state before a person changed it
		f.edited, err = d.presentValue(end)
	case "is_replay":
		f.replayed, err = d.textValue(end)
	case "metadata":
		_, err = d.s.dict(end, d.metadataMember)
	case "error":
		_, err = d.s.dict(end, d.errorMember)
	default:
		err = d.partMember(name, end)
	}
	return err
}

// partMember reads the larger members of a flow's state.
func (d *reader) partMember(name string, end int64) (err error) {
	f := &d.draft
	switch name {
	case "client_conn":
		err = d.connection(&f.client, end)
	case "server_conn":
		err = d.connection(&f.server, end)
	case "request":
		err = d.message(&f.request, end)
	case "response":
		err = d.message(&f.response, end)
	case "messages":
		err = d.messages(end)
	case "websocket":
		f.isSocket, err = d.s.dict(end, d.socketMember)
	case "close_sender": // this and the next: before 12
		f.closed = true
		err = d.s.skip(end)
	case "close_code":
		f.closed = true
		err = d.s.skip(end)
	default:
		err = d.s.skip(end)
	}
	return err
}

// metadataMember reads what versions before 12 say of WebSockets.
func (d *reader) metadataMember(name string, end int64) (err error) {
	switch name {
	case "websocket":
		d.draft.isHandshake, err = d.boolValue(end)
	case "websocket_handshake":
		d.draft.handshake, err = d.textValue(end)
	default:
		err = d.s.skip(end)
	}
	return err
}

func (d *reader) errorMember(name string, end int64) (err error) {
	switch name {
	case "msg":
		d.draft.failure, err = d.textValue(end)
	case "timestamp":
		d.draft.failedAt, err = d.numberValue(end)
	default:
		err = d.s.skip(end)
	}
	return err
}
