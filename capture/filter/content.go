package filter

import (
	"strings"

	"telltale/flow"
	"telltale/flow/content"
)

// Limits of the field body, in bytes: of each message's content, and of the
// WebSocket texts of one flow together.
const (
	contentLimit = 256 << 10
	framesLimit  = 1 << 20
)

// opText is a WebSocket text (RFC 6455, 5.2).
const opText = 1

// content returns the text of the bodies and WebSocket messages that are loaded.
// It decodes them once for each flow, and only when it is asked.
func (s *sighting) content() string {
	if s.decoded {
		return s.body
	}
	s.decoded = true
	var b strings.Builder
	eachContent(s.flow, func(part []byte) {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.Write(part)
	})
	s.body = b.String()
	return s.body
}

// eachContent hands the decoded content of request, response and WebSocket texts
// to visit, where it is loaded.
func eachContent(f *flow.Flow, visit func(part []byte)) {
	if f.Request != nil && len(f.Request.Body.Content) > 0 {
		visit(decoded(f.Request.Body, f.Request.Header))
	}
	if f.Response != nil && len(f.Response.Body.Content) > 0 {
		visit(decoded(f.Response.Body, f.Response.Header))
	}
	left := framesLimit
	for _, frame := range f.Frames {
		if frame.Opcode != opText || frame.Compressed || len(frame.Data) == 0 {
			continue
		}
		part := frame.Data[:min(len(frame.Data), left)]
		if left -= len(part); len(part) == 0 {
			return
		}
		visit(part)
	}
}

// decoded undoes the content coding. What is damaged, or coded in an unknown way,
// is searched as far as it can be read.
func decoded(b flow.Body, header []flow.Field) []byte {
	data := b.Content
	if !b.Decoded {
		if out, err := content.Decode(flow.Get(header, "Content-Encoding"), data, contentLimit); err == nil || len(out) > 0 {
			data = out
		}
	}
	return data[:min(len(data), contentLimit)]
}
