package redact

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"telltale/flow/content"
)

// Wire types of protobuf (protobuf.dev, Encoding).
const (
	wireVarint = 0
	wireFixed8 = 1
	wireBytes  = 2
	wireFixed4 = 5
)

// protobufField is one field as it stands.
type protobufField struct {
	tag  []byte
	kind int
	raw  []byte // with the length of bytes in front
	data []byte // of bytes
}

// protobufFields splits a message into its fields, and reports false for what is none.
func protobufFields(data []byte) (fields []protobufField, ok bool) {
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29-1 {
			return nil, false
		}
		f := protobufField{tag: data[:n], kind: int(tag & 7)}
		data = data[n:]
		size := 0
		switch f.kind {
		case wireVarint:
			if _, size = binary.Uvarint(data); size <= 0 {
				return nil, false
			}
		case wireFixed8:
			size = 8
		case wireFixed4:
			size = 4
		case wireBytes:
			length, n := binary.Uvarint(data)
			if n <= 0 || length > uint64(len(data)-n) {
				return nil, false
			}
			size = n + int(length) // #nosec G115 -- not longer than data
			f.data = data[n:size]
		default: // groups are no longer in use
			return nil, false
		}
		if size > len(data) {
			return nil, false
		}
		f.raw, data = data[:size], data[size:]
		fields = append(fields, f)
	}
	return fields, true
}

// protobuf masks a message without its schema: its texts, and numbers that the search found.
// Bytes that are neither text nor a message are replaced. It reports false for what is no
// message.
func (m *masker) protobuf(data []byte, level int) ([]byte, bool) {
	fields, ok := protobufFields(data)
	if !ok || len(fields) == 0 || level > maxDepth {
		return nil, false
	}
	var out bytes.Buffer
	for _, f := range fields {
		switch {
		case f.kind != wireBytes:
			if !m.foundNumber(f) {
				out.Write(f.tag)
				out.Write(f.raw)
			}
			continue
		case len(f.data) == 0:
			out.Write(f.tag)
			out.Write(f.raw)
			continue
		}
		masked := m.protobufBytes(f.data, level)
		out.Write(f.tag)
		out.Write(binary.AppendUvarint(nil, uint64(len(masked))))
		out.Write(masked)
	}
	return out.Bytes(), true
}

func (m *masker) protobufBytes(data []byte, level int) []byte {
	text := isText(data)
	if !text || bytes.ContainsAny(data, "\n\r\t") { // a tag may be a line break
		if inner, ok := m.protobuf(data, level+1); ok {
			return inner
		}
	}
	if text {
		return []byte(m.value("", m.secrets(string(data))))
	}
	return []byte(m.opaque(string(data)))
}

// foundNumber reports whether a number is a value that the search found, or one under
// never-send: the field is then left out.
func (m *masker) foundNumber(f protobufField) bool {
	var texts []string
	switch f.kind {
	case wireVarint:
		v, _ := binary.Uvarint(f.raw)
		texts = []string{strconv.FormatUint(v, 10)}
	case wireFixed4:
		v := binary.LittleEndian.Uint32(f.raw)
		texts = []string{strconv.FormatUint(uint64(v), 10), strconv.FormatFloat(float64(math.Float32frombits(v)), 'f', -1, 32)}
	case wireFixed8:
		v := binary.LittleEndian.Uint64(f.raw)
		texts = []string{strconv.FormatUint(v, 10), strconv.FormatFloat(math.Float64frombits(v), 'f', -1, 64)}
	}
	for _, t := range texts {
		if len(t) < 4 {
			continue
		}
		if v, ok := m.lookup(t); ok {
			m.put(v)
			return true
		}
		if m.secrets(t) != t {
			return true
		}
	}
	return false
}

// Flags of a message of gRPC, gRPC-Web and Connect.
const (
	messageCompressed = 1
	messageTrailer    = 0x80
)

// grpc masks length-prefixed messages (gRPC over HTTP/2, Length-Prefixed-Message), and
// writes them without compression.
func (m *masker) grpc(encoding string, data []byte) ([]byte, bool) {
	var out bytes.Buffer
	for len(data) > 0 {
		if len(data) < 5 {
			return nil, false
		}
		flags, size := data[0], binary.BigEndian.Uint32(data[1:5])
		if uint64(size) > uint64(len(data)-5) {
			return nil, false
		}
		message := data[5 : 5+size]
		data = data[5+size:]
		if flags&messageCompressed != 0 {
			plain, err := content.Decode(encoding, message, maxContent)
			if err != nil || encoding == "" {
				return nil, false
			}
			message, flags = plain, flags&^messageCompressed
		}
		masked, ok := m.grpcMessage(flags, message)
		if !ok {
			return nil, false
		}
		var head [5]byte
		head[0] = flags
		binary.BigEndian.PutUint32(head[1:], uint32(len(masked))) // #nosec G115 -- bounded by maxContent and its masks
		out.Write(head[:])
		out.Write(masked)
		if out.Len() > maxContent {
			return nil, false
		}
	}
	return out.Bytes(), true
}

func (m *masker) grpcMessage(flags byte, message []byte) ([]byte, bool) {
	if len(message) == 0 {
		return nil, true
	}
	if flags&messageTrailer != 0 || message[0] == '{' && isText(message) {
		if !isText(message) {
			return nil, false
		}
		return []byte(m.content(string(message))), true
	}
	return m.protobuf(message, 0)
}
