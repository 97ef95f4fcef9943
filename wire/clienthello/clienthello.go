// Package clienthello reads the first message of TLS: what a client says of itself
// before anything is encrypted (RFC 8446, 4.1.2).
//
// It knows two carriers, the records of TLS over TCP ([OverTLS]) and the CRYPTO
// stream of QUIC ([OverQUIC]), and the fingerprint JA4. It promises that no input
// makes it panic or allocate more than a small multiple of its length, that a prefix
// of a ClientHello is never taken for a broken one, and that it keeps nothing of what
// it was given. It looks and does not judge: it takes what a server may refuse.
//
// To debug it, compare with the trace of "openssl s_client -msg -trace".
package clienthello

import (
	"encoding/binary"

	"telltale/flow"
)

// TLS numbers that crypto/tls does not export (RFC 8446, 4 and 5.1).
const (
	recordHandshake = 22
	clientHelloType = 1

	// maxRecord is the longest ciphertext that any version allows; a longer
	// record is garbage.
	maxRecord = 16384 + 2048

	extServerName = 0
	extSignatures = 13
	extALPN       = 16
	extVersions   = 43
)

// MaxLength is the longest handshake message, in bytes, that crypto/tls takes. A
// longer one is [Broken].
const MaxLength = 64 << 10

// State says how far the first bytes of a client could be read.
type State int

// The states.
const (
	Partial State = iota // more bytes are needed
	Whole
	Broken // not a ClientHello
)

// OverTLS reads the ClientHello with which a connection over TCP begins, be it in one
// record or in several (RFC 8446, 5.1). The hello is nil unless the state is [Whole].
// What follows the message is not looked at.
func OverTLS(b []byte) (*flow.ClientHello, State) {
	msg, state := helloMessage(b)
	if state != Whole {
		return nil, state
	}
	return read(msg, 't')
}

// OverQUIC reads the ClientHello with which the CRYPTO stream of a connection of QUIC
// begins: the message without records (RFC 9001, 4.1.3). Else it is like [OverTLS].
func OverQUIC(b []byte) (*flow.ClientHello, State) {
	msg, state := message(b)
	if state != Whole {
		return nil, state
	}
	return read(msg, 'q')
}

// read makes the facts of a message's body. The transport is the letter that JA4
// gives it.
func read(msg []byte, transport byte) (*flow.ClientHello, State) {
	var w hello
	if !w.parse(msg) {
		return nil, Broken
	}
	f := &flow.ClientHello{ServerName: string(w.serverName), JA4: w.ja4(transport)}
	for list := w.alpn; len(list) > 0; {
		n := int(list[0])
		f.ALPN = append(f.ALPN, protocolName(list[1:1+n]))
		list = list[1+n:]
	}
	for i := 0; i+1 < len(w.versions); i += 2 {
		if v := binary.BigEndian.Uint16(w.versions[i:]); !isGREASE(v) {
			f.Versions = append(f.Versions, v)
		}
	}
	if len(f.Versions) == 0 {
		f.Versions = []uint16{w.version}
	}
	return f, Whole
}

// helloMessage returns the body of the first handshake message. Where one record
// holds all of it, as usual, it is a part of b.
func helloMessage(b []byte) ([]byte, State) {
	var joined []byte
	for {
		payload, rest, state := record(b)
		if state == Broken {
			return nil, Broken
		}
		if joined != nil {
			payload = append(joined, payload...)
		}
		if msg, s := message(payload); s != Partial {
			return msg, s
		}
		if state == Partial {
			return nil, Partial
		}
		joined = append(make([]byte, 0, 2*len(payload)), payload...)
		b = rest
	}
}

// record parts the first record of b from the rest. Of a partial one it returns
// what is there.
func record(b []byte) (payload, rest []byte, state State) {
	if len(b) > 0 && b[0] != recordHandshake || len(b) > 1 && b[1] != 3 {
		return nil, nil, Broken
	}
	if len(b) < 5 {
		return nil, nil, Partial
	}
	n := int(binary.BigEndian.Uint16(b[3:]))
	switch b = b[5:]; {
	case n == 0 || n > maxRecord:
		return nil, nil, Broken
	case len(b) < n:
		return b, nil, Partial
	}
	return b[:n], b[n:], Whole
}

// message returns the body of the handshake message that b begins with.
func message(b []byte) ([]byte, State) {
	if len(b) > 0 && b[0] != clientHelloType {
		return nil, Broken
	}
	if len(b) < 4 {
		return nil, Partial
	}
	size := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	switch b = b[4:]; {
	case size > MaxLength:
		return nil, Broken
	case len(b) < size:
		return nil, Partial
	}
	return b[:size], Whole
}

// hello is a ClientHello, as parts of the message.
type hello struct {
	version    uint16
	ciphers    []byte // of two bytes each
	extensions [maxExtensions]uint16
	count      int // of extensions, all of them
	hasName    bool
	serverName []byte
	alpn       []byte // of a length byte and a name each
	versions   []byte // of two bytes each
	signatures []byte // of two bytes each
}

// maxExtensions is as many as a fingerprint counts.
const maxExtensions = 100

// parse reads the message. It takes what a later reader may refuse: this one
// only looks.
func (w *hello) parse(b []byte) bool {
	if len(b) < 2+32 {
		return false
	}
	w.version = binary.BigEndian.Uint16(b)
	b = b[2+32:]
	session, b, ok := vector(b, 1)
	if !ok || len(session) > 32 {
		return false
	}
	if w.ciphers, b, ok = vector(b, 2); !ok || len(w.ciphers)%2 != 0 {
		return false
	}
	if _, b, ok = vector(b, 1); !ok { // compression methods
		return false
	}
	if len(b) == 0 {
		return true // before TLS 1.3 a hello may have no extensions
	}
	all, rest, ok := vector(b, 2)
	if !ok || len(rest) > 0 {
		return false
	}
	for len(all) > 0 {
		if len(all) < 4 {
			return false
		}
		id := binary.BigEndian.Uint16(all)
		var body []byte
		if body, all, ok = vector(all[2:], 2); !ok || !w.extension(id, body) {
			return false
		}
	}
	return true
}

func (w *hello) extension(id uint16, b []byte) (ok bool) {
	if w.count < maxExtensions && !isGREASE(id) {
		w.extensions[w.count] = id
		w.count++
	}
	switch id {
	case extServerName:
		w.hasName = true
		return w.names(b)
	case extALPN:
		w.alpn, b, ok = vector(b, 2)
		return ok && len(b) == 0 && isALPN(w.alpn)
	case extVersions:
		w.versions, b, ok = vector(b, 1)
		return ok && len(b) == 0
	case extSignatures:
		w.signatures, b, ok = vector(b, 2)
		return ok && len(b) == 0
	}
	return true
}

// names reads a server_name extension (RFC 6066, 3).
func (w *hello) names(b []byte) bool {
	list, b, ok := vector(b, 2)
	if !ok || len(b) > 0 {
		return false
	}
	for len(list) > 0 {
		kind := list[0]
		var name []byte
		if name, list, ok = vector(list[1:], 2); !ok {
			return false
		}
		if kind == 0 && w.serverName == nil {
			w.serverName = name
		}
	}
	return true
}

// isALPN reports whether list is one of names that are not empty (RFC 7301, 3.1).
func isALPN(list []byte) bool {
	for len(list) > 0 {
		name, rest, ok := vector(list, 1)
		if !ok || len(name) == 0 {
			return false
		}
		list = rest
	}
	return true
}

// vector parts a vector of TLS (RFC 8446, 3.4), whose length takes size bytes,
// from what follows it.
func vector(b []byte, size int) (body, rest []byte, ok bool) {
	if len(b) < size {
		return nil, nil, false
	}
	n := int(b[0])
	if size == 2 {
		n = n<<8 | int(b[1])
	}
	b = b[size:]
	if len(b) < n {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// isGREASE reports whether a value is one of those that mean nothing and keep
// servers tolerant (RFC 8701, 2).
func isGREASE(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// protocolName returns an ALPN name. The usual ones cost no memory.
func protocolName(b []byte) string {
	switch string(b) {
	case "h2":
		return "h2"
	case "http/1.1":
		return "http/1.1"
	case "h3":
		return "h3"
	}
	return string(b)
}
