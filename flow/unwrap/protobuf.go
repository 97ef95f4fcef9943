package unwrap

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	maxMessages   = 16 // messages within messages
	maxConvincing = 4  // messages within messages in which a text is looked for
	maxFieldSeen  = 1000
	minNumber     = 1000 // numbers below identify nobody
)

// isProtobuf reports whether the type says protobuf.
func (t mediaType) isProtobuf() bool {
	return t.is("application/protobuf", "application/x-protobuf", "application/x-google-protobuf",
		"application/vnd.google.protobuf", "application/proto", "application/x-protobuffer", "+proto", "+protobuf")
}

// protobuf takes a message apart without its schema (protobuf.dev, Encoding), up to what
// does not read as a field.
func (w *walk) protobuf(data []byte) {
	w.at(step{kind: atFormat, label: "protobuf"}, func() { w.fields(data, 0) })
}

func (w *walk) fields(data []byte, level int) {
	for len(data) > 0 && !w.over {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			w.passages(data)
			return
		}
		data = data[n:]
		s := len(w.steps)
		w.push(step{kind: atField, index: int(number)})
		size := protowire.ConsumeFieldValue(number, kind, data)
		if size < 0 {
			w.cutField(kind, data, level)
			w.pop(s)
			return
		}
		w.protobufField(number, kind, data[:size], level)
		w.pop(s)
		data = data[size:]
	}
}

// cutField shows what there is of a field whose end is missing.
func (w *walk) cutField(kind protowire.Type, data []byte, level int) {
	_, n := protowire.ConsumeVarint(data)
	switch {
	case kind != protowire.BytesType || n < 0:
		w.passages(data)
	case looksLikeText(data[n:]):
		w.leaf(data[n:])
	case level < maxMessages && startsAsField(data[n:]):
		w.fields(data[n:], level+1)
	default:
		w.passages(data[n:])
	}
}

func (w *walk) protobufField(number protowire.Number, kind protowire.Type, data []byte, level int) {
	switch kind {
	case protowire.VarintType:
		v, _ := protowire.ConsumeVarint(data)
		w.number(v, 0, 64)
	case protowire.Fixed32Type:
		v := binary.LittleEndian.Uint32(data)
		w.number(uint64(v), float64(math.Float32frombits(v)), 32)
	case protowire.Fixed64Type:
		v := binary.LittleEndian.Uint64(data)
		w.number(v, math.Float64frombits(v), 64)
	case protowire.BytesType:
		v, _ := protowire.ConsumeBytes(data)
		w.delimited(v, level)
	case protowire.StartGroupType:
		if v, _ := protowire.ConsumeGroup(number, data); level < maxMessages {
			w.fields(v, level+1)
		}
	}
}

// number shows a number as people write it; with a point too if it is likely to have one,
// since a float of a random integer is tiny or huge.
func (w *walk) number(v uint64, f float64, bits int) {
	if w.exhausted() {
		return
	}
	if a := math.Abs(f); a > 1e-9 && a < 1e15 {
		w.numeral(strconv.AppendFloat(w.room(32), f, 'f', -1, bits))
	}
	if v >= minNumber {
		w.numeral(strconv.AppendUint(w.room(32), v, 10))
	}
}

func (w *walk) numeral(out []byte) {
	out = w.keep(out)
	w.left -= len(out)
	w.appeared(out)
	w.show(out)
}

// delimited shows a field of bytes: a text, a message, or something else.
func (w *walk) delimited(v []byte, level int) {
	if len(v) == 0 {
		return
	}
	text := looksLikeText(v)
	if text {
		w.leaf(v)
	}
	// A tag may be a line break, so that a message can look like a text.
	if (!text || bytes.ContainsAny(v, "\n\r\t")) && level < maxMessages && tiles(v) {
		w.fields(v, level+1)
		return
	}
	if !text {
		w.within("", func() { w.content(mediaType{}, v) })
	}
}

// startsAsField reports whether data starts with the tag of a field of a low number.
func startsAsField(data []byte) bool {
	number, kind, n := protowire.ConsumeTag(data)
	return n > 0 && number <= maxFieldSeen && kind != protowire.StartGroupType && kind != protowire.EndGroupType
}

// tiles reports whether data is a sequence of whole fields.
func tiles(data []byte) bool {
	for len(data) > 0 {
		_, _, n := protowire.ConsumeField(data)
		if n < 0 {
			return false
		}
		data = data[n:]
	}
	return true
}

// maybeProtobuf reports whether a message of at most size bytes may start as head does.
func maybeProtobuf(head []byte, size int) bool {
	for len(head) > 0 {
		if !startsAsField(head) {
			return false
		}
		number, kind, n := protowire.ConsumeTag(head)
		length := protowire.ConsumeFieldValue(number, kind, head[n:])
		if length < 0 { // it is longer than the head
			text, m := protowire.ConsumeVarint(head[n:])
			return kind != protowire.BytesType && len(head) < 10 || m > 0 && text < uint64(size)
		}
		head = head[n+length:]
	}
	return true
}

// convincing reports whether data that may be anything is a protobuf message: whole
// fields of low numbers, with a text of some length among them.
func convincing(data []byte) bool { return convincingAt(data, 0) }

func convincingAt(data []byte, level int) bool {
	if level > maxConvincing {
		return false
	}
	texts := 0
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeField(data)
		if n < 0 || number > maxFieldSeen || kind == protowire.StartGroupType {
			return false
		}
		if kind == protowire.BytesType {
			_, _, head := protowire.ConsumeTag(data)
			if value, _ := protowire.ConsumeBytes(data[head:]); len(value) >= 3 && (looksLikeText(value) || convincingAt(value, level+1)) {
				texts++
			}
		}
		data = data[n:]
	}
	return texts > 0
}
