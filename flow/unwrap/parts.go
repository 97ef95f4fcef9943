package unwrap

import (
	"bytes"
	"encoding/base64"
	"strings"

	"telltale/flow"
)

// flow takes a whole flow apart.
func (w *walk) flow(f *flow.Flow) {
	if f.Request == nil {
		w.serverNames(f)
	} else {
		w.head(f.Request)
	}
	w.endHead()
	if f.Request != nil {
		w.requestBody(f.Request)
	}
	w.frames(f)
}

// head takes the head of a request apart, and its trailer. They are copied into one
// text, which is faster to search than its pieces.
func (w *walk) head(r *flow.Request) {
	size := len(r.URL) + 1
	for _, fields := range [2][]flow.Field{r.Header, r.Trailer} {
		for i := range fields {
			size += len(fields[i].Name) + len(fields[i].Reveal()) + 3
		}
	}
	head := append(append(w.room(size), r.URL...), '\n')
	for _, fields := range [2][]flow.Field{r.Header, r.Trailer} {
		for i := range fields {
			head = append(append(head, fields[i].Name...), ": "...)
			head = append(append(head, fields[i].Reveal()...), '\n')
		}
	}
	head = w.keep(head)
	w.appeared(head)
	w.url(head[:len(r.URL)])
	rest := w.headFields("header", head[len(r.URL)+1:], r.Header)
	w.headFields("trailer", rest, r.Trailer)
}

// headFields takes the fields apart with which head begins, and returns the rest of it.
func (w *walk) headFields(label string, head []byte, fields []flow.Field) []byte {
	for i := range fields {
		n := len(fields[i].Name)
		end := n + len(": ") + len(fields[i].Reveal())
		if !w.over {
			w.headField(label, head[:end], n)
		}
		head = head[end+1:]
	}
	return head
}

// encoded remembers fields in which no encoding is undone.
var encoded = NewMemo()

// headField takes a field apart whose name has n bytes, unless there is nothing in it.
func (w *walk) headField(label string, field []byte, n int) {
	name, value := field[:n], field[n+len(": "):]
	if w.text == nil {
		w.unlessKnown(field, func() { w.field(label, name, value) })
		return
	}
	hash, plain := encoded.Has(field)
	if plain {
		return
	}
	pieces := w.pieces
	if w.field(label, name, value); w.pieces == pieces && w.ample(field) {
		encoded.Add(hash)
	}
}

// unlessKnown looks at a text, except at one that the filter knows to hold nothing.
func (w *walk) unlessKnown(text []byte, look func()) {
	if w.filter.Known == nil {
		look()
		return
	}
	if w.filter.Known(text) {
		return
	}
	if look(); w.ample(text) {
		w.filter.Done()
	}
}

// ample reports whether no bound has kept anything in a text from being seen.
func (w *walk) ample(text []byte) bool {
	return !w.over && w.left > MaxDecoded/2 && len(text) < MaxDecoded/2
}

// url takes a URL apart (RFC 3986, 3) without judging it.
func (w *walk) url(s []byte) {
	if scheme := bytes.Index(s, []byte("://")); scheme >= 0 {
		s = s[scheme+3:]
		end := bytes.IndexAny(s, "/?#")
		if end < 0 {
			end = len(s)
		}
		authority := s[:end]
		s = s[end:]
		if user := bytes.LastIndexByte(authority, '@'); user >= 0 {
			w.at(step{kind: atPart, label: "URL user"}, func() { w.leaf(authority[:user]) })
			authority = authority[user+1:]
		}
		w.at(step{kind: atPart, label: "URL host"}, func() { w.leaf(authority) })
	}
	s, fragment, _ := bytes.Cut(s, []byte("#"))
	path, query, _ := bytes.Cut(s, []byte("?"))
	w.at(step{kind: atPart, label: "URL path"}, func() {
		for len(path) > 0 && !w.over {
			var segment []byte
			segment, path, _ = bytes.Cut(path, []byte("/"))
			w.leaf(segment)
		}
	})
	w.pairs(query, step{kind: atPart, label: "query"})
	if at := (step{kind: atPart, label: "URL fragment"}); bytes.IndexByte(fragment, '=') > 0 {
		w.pairs(fragment, at)
	} else {
		w.at(at, func() { w.leaf(fragment) })
	}
}

// field takes a header or trailer field apart.
func (w *walk) field(label string, name, value []byte) {
	if len(name) == len("Cookie") && strings.EqualFold(string(name), "Cookie") {
		w.cookies(value)
		return
	}
	w.at(step{kind: atPart, label: label, name: name}, func() {
		scheme, token, ok := bytes.Cut(value, []byte(" "))
		if ok && len(scheme) == len("Basic") && strings.EqualFold(string(scheme), "Basic") {
			w.basic(bytes.TrimSpace(token), value)
			return
		}
		w.leaf(value)
	})
}

// basic shows user and password (RFC 7617, 2), which can be too short to be taken for
// base64 otherwise.
func (w *walk) basic(token, value []byte) {
	text := w.room(base64.StdEncoding.DecodedLen(len(token)))
	text, err := base64.RawStdEncoding.AppendDecode(text, bytes.TrimRight(token, "="))
	if err != nil || len(text) == 0 || w.exhausted() {
		w.leaf(value)
		return
	}
	w.show(value)
	w.decoded(layerBase64, w.keep(text), w.leaf)
}

// cookies shows each cookie of a Cookie field (RFC 6265, 4.2.1).
func (w *walk) cookies(value []byte) {
	for len(value) > 0 && !w.over {
		var pair []byte
		pair, value, _ = bytes.Cut(value, []byte(";"))
		name, text, ok := bytes.Cut(bytes.TrimSpace(pair), []byte("="))
		if !ok {
			name, text = nil, name
		}
		w.at(step{kind: atPart, label: "cookie"}, func() { w.name(name) })
		w.at(step{kind: atPart, label: "cookie", name: name}, func() { w.leaf(bytes.Trim(text, `"`)) })
	}
}

// serverNames shows the names that the device gave away where no request was read.
func (w *walk) serverNames(f *flow.Flow) {
	asked := ""
	if f.DNS != nil {
		asked = f.DNS.Name
	}
	w.serverName("DNS name", asked)
	w.serverName("TLS server name", f.Server.SNI)
	if host, _ := flow.SplitHostPort(f.Server.Asked); host != asked && host != f.Server.SNI {
		w.serverName("server name", host)
	}
}

// maxDomain is how many labels at the end of a name may be the domain of whoever reads
// what stands in front of them.
const maxDomain = 3

func (w *walk) serverName(label, name string) {
	if name == "" {
		return
	}
	text := w.copied(name)
	w.appeared(text)
	w.unlessKnown(text, func() { w.labels(label, text) })
}

// labels shows a name, each label, and the labels in front of the domain joined: what is
// longer than a label (63 bytes; RFC 1035, 2.3.4) is sent in several.
func (w *walk) labels(label string, text []byte) {
	w.at(step{kind: atPart, label: label}, func() {
		w.leaf(text)
		labels := bytes.Split(text, []byte("."))
		for _, l := range labels {
			if len(labels) > 1 {
				w.leaf(l)
			}
		}
		for domain := 0; domain <= maxDomain && len(labels)-domain > 1; domain++ {
			joined := w.room(len(text))
			for _, l := range labels[:len(labels)-domain] {
				joined = append(joined, l...)
			}
			w.decoded(layerLabels, w.keep(joined), w.leaf)
		}
	})
}

// frames takes the messages apart that the client of a WebSocket sent.
func (w *walk) frames(f *flow.Flow) {
	var z inflater
	for i := range f.Frames {
		frame := &f.Frames[i]
		if !frame.FromClient || len(frame.Data) == 0 || w.over {
			continue
		}
		w.at(step{kind: atPart, label: "WebSocket message", index: f.FrameOffset + i + 1}, func() {
			if !frame.Compressed {
				w.appeared(frame.Data)
				w.content(mediaType{}, frame.Data)
				return
			}
			out := z.message(frame.Data, frame.Truncated, max(w.wire, 0))
			w.unpacked("permessage-deflate", out, func() { w.content(mediaType{}, out) })
		})
	}
}
