// Package quic reads what a client says in the clear when it opens QUIC: the version,
// the connection IDs and, out of its Initial packets, the ClientHello.
//
// Initial packets are encrypted with keys that anybody on the path can compute (RFC
// 9001, 5.2), so this takes no secret. The package knows the header that all versions
// share (RFC 8999), the Initial packets of QUIC v1 (RFC 9000, RFC 9001), v2 (RFC 9369)
// and the drafts from 29 on, and it names gQUIC, which came before.
//
// It promises that no input makes it panic; that what an [Opening] holds is bounded,
// whatever a client sends; that a datagram is never changed nor kept. It does no I/O and
// takes no part in a connection: who wants that uses a library.
//
// To debug it, compare with Wireshark, which computes the same keys.
package quic

import (
	"encoding/binary"
	"fmt"
)

// A Version is the version field of a long header (IANA, QUIC Versions).
type Version uint32

// The versions whose Initial packets can be read, besides drafts.
const (
	V1 Version = 0x00000001 // RFC 9000
	V2 Version = 0x6b3343cf // RFC 9369
)

const (
	draft       Version = 0xff000000 // of the IETF; the last byte is its number
	firstDraft          = draft + 29
	draftNewest         = draft + 34
)

// String names the version for people: "QUIC v1", "QUIC draft-29", "gQUIC Q043",
// "QUIC version 0x1234abcd".
func (v Version) String() string {
	switch {
	case v == V1:
		return "QUIC v1"
	case v == V2:
		return "QUIC v2"
	case v > draft && v <= draftNewest:
		return fmt.Sprintf("QUIC draft-%d", uint32(v-draft))
	case v.isGoogle():
		return "gQUIC " + string(binary.BigEndian.AppendUint32(nil, uint32(v)))
	}
	return fmt.Sprintf("QUIC version 0x%08x", uint32(v))
}

// Readable reports whether the Initial packets of the version can be decrypted.
func (v Version) Readable() bool { return v.scheme() != nil }

// isGoogle reports whether the version is one of Google's own, of before the standard:
// "Q043" and the like, or "T051", which has TLS already.
func (v Version) isGoogle() bool {
	letter, tens, ones := byte(v>>24), byte(v>>8), byte(v)
	return (letter == 'Q' || letter == 'T') && byte(v>>16) == '0' &&
		tens >= '0' && tens <= '9' && ones >= '0' && ones <= '9'
}

// isReserved reports whether the version is one of those that nobody will ever speak
// (RFC 9000, 15).
func (v Version) isReserved() bool { return v&0x0f0f0f0f == 0x0a0a0a0a }

// A Header is what the long headers of all versions have in common (RFC 8999, 5.1). The
// IDs are parts of the datagram.
type Header struct {
	Version    Version
	DCID, SCID []byte // of at most 255 bytes; nil in gQUIC, which has another form
}

const (
	longHeader = 0x80
	fixedBit   = 0x40
	// maxID is the longest connection ID of the versions there are (RFC 9000, 17.2);
	// minID is the shortest that a client may choose for a server (RFC 9000, 7.2).
	maxID, minID = 20, 8
	// minDatagram is the least size of a datagram with which a client opens a
	// connection (RFC 9000, 14.1).
	minDatagram = 1200
)

// Recognise reads the header of a datagram with which a client opens, or goes on to
// open, a connection of QUIC. It is false for other protocols and for the packets of an
// open connection, whose short header is like noise.
//
// A version that is not known counts where the datagram has the size, and the header
// the form, that clients of every version so far begin with.
func Recognise(b []byte) (Header, bool) {
	if h, ok := recogniseGoogle(b); ok {
		return h, true
	}
	h, rest, ok := parseHeader(b)
	switch {
	case !ok, h.Version == 0: // that would be Version Negotiation, which is for servers
		return Header{}, false
	case len(h.DCID) > maxID, len(h.SCID) > maxID, len(rest) == 0:
		return Header{}, false
	case h.Version.Readable(), h.Version > draft && h.Version <= draftNewest:
		// A client may leave the fixed bit out (RFC 9287); media over RTP, which
		// never has it, comes in smaller pieces.
		return h, b[0]&fixedBit != 0 || len(b) >= minDatagram
	}
	return h, b[0]&fixedBit != 0 && len(b) >= minDatagram && len(h.DCID) >= minID
}

// parseHeader parts the common header from what follows.
func parseHeader(b []byte) (h Header, rest []byte, ok bool) {
	if len(b) < 7 || b[0]&longHeader == 0 {
		return h, nil, false
	}
	h.Version = Version(binary.BigEndian.Uint32(b[1:]))
	if h.DCID, b, ok = id(b[5:]); !ok {
		return h, nil, false
	}
	h.SCID, rest, ok = id(b)
	return h, rest, ok
}

// id parts a connection ID from what follows it.
func id(b []byte) (id, rest []byte, ok bool) {
	if len(b) == 0 || len(b)-1 < int(b[0]) {
		return nil, nil, false
	}
	n := int(b[0])
	return b[1 : 1+n : 1+n], b[1+n:], true
}

// recogniseGoogle finds gQUIC with a version in it: since Q046 in the place where the
// standard has it, before behind an ID of eight bytes.
func recogniseGoogle(b []byte) (Header, bool) {
	const hasVersion, hasID = 0x01, 0x08
	at := 1
	if len(b) > 0 && b[0]&longHeader == 0 {
		if b[0]&(hasVersion|hasID) != hasVersion|hasID {
			return Header{}, false
		}
		at += 8
	}
	if len(b) < at+4 {
		return Header{}, false
	}
	v := Version(binary.BigEndian.Uint32(b[at:]))
	if !v.isGoogle() {
		return Header{}, false
	}
	return Header{Version: v}, true
}

// Refusal returns the Version Negotiation packet that makes the sender of h give up at
// once (RFC 9000, 6.2): the only version that it offers is a reserved one, which nobody
// speaks (6.3). Nil where the version has no such answer.
func (h Header) Refusal() []byte {
	if h.DCID == nil && h.SCID == nil {
		return nil
	}
	offer := Version(0x0a0a0a0a)
	if offer == h.Version {
		offer = 0x1a1a1a1a
	}
	b := make([]byte, 0, 7+len(h.DCID)+len(h.SCID)+4)
	b = append(b, longHeader|fixedBit, 0, 0, 0, 0)
	b = append(append(b, byte(len(h.SCID))), h.SCID...)
	b = append(append(b, byte(len(h.DCID))), h.DCID...)
	return binary.BigEndian.AppendUint32(b, uint32(offer))
}
