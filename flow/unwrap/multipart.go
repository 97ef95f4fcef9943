package unwrap

import (
	"bytes"
	"io"
	"mime"
	"mime/quotedprintable"
	"strings"
)

const (
	maxBoundary = 200 // bytes; RFC 2046, 5.1.1 allows 70
	maxParts    = 10_000
)

// multipart takes a multipart body apart (RFC 2046, 5.1) and reports whether it had a
// part. Where no boundary is declared, or another than the one that is there, the first
// line tells it.
func (w *walk) multipart(boundary string, data []byte) bool {
	delimiter := []byte("--" + boundary)
	if boundary == "" || len(boundary) > maxBoundary || !bytes.Contains(data, delimiter) {
		line, _, ok := bytes.Cut(data, []byte("\n"))
		delimiter = bytes.TrimRight(line, "\r ")
		if !ok || len(delimiter) < 3 || len(delimiter) > maxBoundary || !bytes.HasPrefix(delimiter, []byte("--")) {
			return false
		}
	}
	at := bytes.Index(data, delimiter)
	if at > 0 && data[at-1] != '\n' || w.depth >= MaxDepth {
		return false
	}
	rest := data[at+len(delimiter):]
	between := append([]byte("\n"), delimiter...)
	n := len(w.steps)
	w.push(step{kind: atFormat, label: "multipart"})
	w.within("", func() {
		for parts := 0; len(rest) > 0 && parts < maxParts && !w.over; parts++ {
			if bytes.HasPrefix(rest, []byte("--")) {
				return
			}
			part := rest
			if end := bytes.Index(rest, between); end >= 0 {
				part, rest = bytes.TrimSuffix(rest[:end], []byte("\r")), rest[end+len(between):]
			} else {
				rest = nil
			}
			w.part(part)
		}
	})
	w.pop(n)
	return true
}

// part takes one part apart: its header fields, then its content.
func (w *walk) part(part []byte) {
	if _, rest, ok := bytes.Cut(part, []byte("\n")); ok { // the end of the delimiter's line
		part = rest
	}
	var name []byte
	var t mediaType
	var transfer string
	fields := part
	for {
		line, rest, ok := bytes.Cut(part, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		field, value, has := bytes.Cut(line, []byte(":"))
		if len(line) > 0 && !has {
			break // no header after all
		}
		part = rest
		if len(line) == 0 || !ok {
			break
		}
		value = bytes.TrimSpace(value)
		switch strings.ToLower(string(field)) {
		case "content-disposition":
			_, params, _ := mime.ParseMediaType(string(value))
			name = []byte(params["name"])
		case "content-type":
			t = parseType(string(value))
		case "content-transfer-encoding":
			transfer = strings.ToLower(string(value))
		}
	}
	n := len(w.steps)
	if len(name) > 0 {
		w.push(step{kind: atName, name: name})
	}
	w.partFields(fields[:len(fields)-len(part)])
	w.transferred(transfer, t, part)
	w.pop(n)
}

// partFields shows the header fields of a part, file names among them.
func (w *walk) partFields(head []byte) {
	for len(head) > 0 && !w.over {
		var line []byte
		line, head, _ = bytes.Cut(head, []byte("\n"))
		if name, value, ok := bytes.Cut(line, []byte(":")); ok {
			w.field("header", name, bytes.TrimSpace(value))
		}
	}
}

// transferred undoes the transfer encoding of a part (RFC 2045, 6).
func (w *walk) transferred(encoding string, t mediaType, data []byte) {
	if len(data) <= w.left && w.depth < MaxDepth {
		switch encoding {
		case "base64":
			out := w.keep(appendPadded(w.room(len(data)), data))
			w.decoded(layerBase64, out, func(b []byte) { w.content(t, b) })
			return
		case "quoted-printable":
			// What cannot be decoded ends the text.
			out, _ := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(data)))
			w.decoded(layerQuoted, out, func(b []byte) { w.content(t, b) })
			return
		}
	}
	w.content(t, data)
}
