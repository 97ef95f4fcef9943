package pretty

import (
	"encoding/binary"
	"strings"

	"telltale/flow/content"
)

// Flags of a length-prefixed message.
const (
	flagCompressed = 0x01 // gRPC over HTTP/2, Length-Prefixed-Message
	flagEnd        = 0x02 // Connect: the end of the stream, as JSON
	flagTrailers   = 0x80 // gRPC-Web: the trailers
)

// prefixed is the length of a message's prefix: flags and four bytes of length.
const prefixed = 5

// isProtobuf reports whether the type says protobuf.
func (t mediaType) isProtobuf() bool {
	return t.is("application/protobuf", "application/x-protobuf", "application/x-google-protobuf",
		"application/vnd.google.protobuf", "application/proto", "application/x-protobuffer", "+proto", "+protobuf")
}

// messages shows the length-prefixed messages of gRPC, gRPC-Web and Connect.
func (p *page) messages(t mediaType, data []byte, cut bool) {
	for n := 1; len(data) > 0; n++ {
		if p.full() {
			p.note("the messages from number %d on are left out", n)
			return
		}
		if len(data) < prefixed {
			if !cut {
				p.note("%s of a message's prefix stand at the end", size(int64(len(data))))
			}
			p.dump(data, maxDump)
			return
		}
		flags, length := data[0], int64(binary.BigEndian.Uint32(data[1:prefixed]))
		rest := data[prefixed:]
		missing := length > int64(len(rest))
		message := rest[:min(length, int64(len(rest)))]
		p.line(0)
		p.add(Comment, "message "+thousands(int64(n))+", "+size(length)+flagWords(flags))
		if missing && !cut {
			p.note("message %d ends early: %s of %s", n, size(int64(len(message))), size(length))
		}
		p.nested(1, func() { p.message(t, flags, message, missing) })
		data = rest[len(message):]
	}
}

func flagWords(flags byte) string {
	switch {
	case flags&flagTrailers != 0:
		return ", trailers"
	case flags&flagEnd != 0:
		return ", end of the stream"
	case flags&flagCompressed != 0:
		return ", compressed"
	}
	return ""
}

// message shows the content of one message.
func (p *page) message(t mediaType, flags byte, data []byte, cut bool) {
	if flags&flagCompressed != 0 && len(data) > 0 {
		out, err := content.Decode("gzip", data, p.opts.limit())
		if len(out) == 0 {
			p.note("messages are compressed in a way that their bytes do not name: see the grpc-encoding header")
			p.dump(data, maxDump)
			return
		}
		p.doc.Layers = appendOnce(p.doc.Layers, "gzip")
		data, cut = out, p.ended(err, cut) || cut
	}
	switch {
	case flags&flagTrailers != 0:
		for line := range strings.SplitSeq(strings.TrimRight(string(data), "\r\n"), "\n") {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\r"), ":")
			p.header(name, strings.TrimSpace(value))
		}
	case len(data) == 0:
		p.line(0)
		p.add(Comment, Empty)
	case flags&flagEnd != 0, strings.HasSuffix(t.name, "+json"):
		p.show(mediaType{name: "application/json"}, data, cut)
	case !p.protobuf(data, cut):
		p.show(mediaType{}, data, cut)
	}
}

func appendOnce(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}
