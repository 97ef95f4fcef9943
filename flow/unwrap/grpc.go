package unwrap

import (
	"encoding/binary"
	"strings"

	"telltale/flow"
	"telltale/flow/content"
)

// Flags of a length-prefixed message.
const (
	flagCompressed = 0x01 // gRPC over HTTP/2, Length-Prefixed-Message
	flagTrailers   = 0x80 // gRPC-Web: the trailers
)

// prefixed is the length of a message's prefix: flags and four bytes of length.
const prefixed = 5

// rpcProtocol returns the name of the protocol whose type says that messages with their
// lengths in front are sent, "" for another type.
func rpcProtocol(t mediaType) string {
	switch {
	case strings.HasPrefix(t.name, "application/grpc-web"):
		return "gRPC-Web"
	case strings.HasPrefix(t.name, "application/grpc"):
		return "gRPC"
	case strings.HasPrefix(t.name, "application/connect+"):
		return "Connect"
	}
	return ""
}

// messages takes the messages of gRPC, gRPC-Web or Connect apart. Each is a place of its
// own, instead of the body.
func (w *walk) messages(r *flow.Request, t mediaType, protocol string, data []byte) {
	if strings.HasPrefix(t.name, "application/grpc-web-text") {
		if len(data) > w.wire {
			return
		}
		bin := w.keep(appendPadded(w.room(len(data)), data))
		w.unpacked(layerBase64, bin, func() { w.prefixed(r, protocol, bin) })
		return
	}
	w.prefixed(r, protocol, data)
}

func (w *walk) prefixed(r *flow.Request, protocol string, data []byte) {
	coding := flow.Get(r.Header, "Grpc-Encoding")
	if protocol == "Connect" {
		coding = flow.Get(r.Header, "Connect-Content-Encoding")
	}
	for i := 1; len(data) > prefixed && !w.over; i++ {
		flags, length := data[0], int(min(binary.BigEndian.Uint32(data[1:]), uint32(1)<<31-1))
		message := data[prefixed:][:min(length, len(data)-prefixed)]
		data = data[prefixed+len(message):]
		w.at(step{kind: atPart, label: protocol + " message", index: i}, func() { w.message(flags, coding, message) })
	}
}

// message takes one message apart.
func (w *walk) message(flags byte, coding string, data []byte) {
	if flags&flagCompressed != 0 && len(data) > 0 && w.wire > 0 {
		codings := content.Codings(coding)
		if len(codings) == 0 {
			codings = []string{"gzip"}
		}
		out, _ := content.Decode(strings.Join(codings, ","), data, int64(w.wire)) // as far as it goes
		if len(out) > 0 {
			w.decodings(codings, out, func() { w.messageContent(flags, out) })
			return
		}
	}
	w.messageContent(flags, data)
}

func (w *walk) messageContent(flags byte, data []byte) {
	switch {
	case flags&flagTrailers == 0 && !isJSON(data) && tiles(data):
		w.protobuf(data)
	default:
		w.content(mediaType{}, data)
	}
}

// appendPadded appends the bytes of base64 in which padding may stand between, as where
// gRPC-Web puts pieces behind each other.
func appendPadded(out, text []byte) []byte {
	for len(text) > 0 {
		end := 0
		for end < len(text) && text[end] != '=' {
			end++
		}
		out = appendDigits(out, text[:end], &base64Digits, 6)
		for end < len(text) && text[end] == '=' {
			end++
		}
		text = text[end:]
	}
	return out
}
