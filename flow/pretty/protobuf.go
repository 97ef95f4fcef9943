package pretty

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"telltale/flow"
)

const (
	maxMessages  = 32 // messages within messages
	maxGuessed   = 20 // numbers of a field that may be packed
	maxShownHex  = 64 // bytes of a field
	maxFieldSeen = 1000

	maxConvincing = 4 // messages within messages in which a text is looked for
)

// protobuf shows a message without its schema (protobuf.dev, Encoding) and reports
// whether it reads as one.
func (p *page) protobuf(data []byte, cut bool) bool {
	whole := tiles(data)
	if !whole && !cut {
		return false
	}
	p.note("protobuf is shown without its schema: names are numbers, and types are guesses")
	p.fields(data, 0)
	return true
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

// convincing reports whether data that may be anything is a protobuf message: whole
// fields of low numbers, with a text of some length among them.
func convincing(data []byte) bool { return convincingAt(data, 0) }

func convincingAt(data []byte, level int) bool {
	if level > maxConvincing {
		return false
	}
	fields, texts := 0, 0
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeField(data)
		if n < 0 || number > maxFieldSeen || kind == protowire.StartGroupType {
			return false
		}
		if kind == protowire.BytesType {
			_, _, head := protowire.ConsumeTag(data)
			if value, _ := protowire.ConsumeBytes(data[head:]); len(value) >= 3 && (readable(value) || convincingAt(value, level+1)) {
				texts++
			}
		}
		data = data[n:]
		fields++
	}
	return fields > 0 && texts > 0
}

// fields shows the fields of a message that is level messages deep.
func (p *page) fields(data []byte, level int) {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			p.rest(data)
			return
		}
		length := protowire.ConsumeFieldValue(number, kind, data[n:])
		if length < 0 {
			p.rest(data)
			return
		}
		p.line(level)
		if p.open {
			p.add(Key, strconv.Itoa(int(number)))
		}
		p.field(number, kind, data[n:n+length], level)
		data = data[n+length:]
	}
}

// rest shows what is left of a message that is cut.
func (p *page) rest(data []byte) {
	p.note("the message is cut or damaged: its last %s do not read as a field", size(int64(len(data))))
	p.dump(data, maxDump)
}

func (p *page) field(number protowire.Number, kind protowire.Type, data []byte, level int) {
	switch kind {
	case protowire.VarintType:
		v, _ := protowire.ConsumeVarint(data)
		p.scalar(Number, strconv.FormatUint(v, 10), varintHint(v))
	case protowire.Fixed32Type:
		v, _ := protowire.ConsumeFixed32(data)
		p.fixed(uint64(v), float64(math.Float32frombits(v)), 32)
	case protowire.Fixed64Type:
		v, _ := protowire.ConsumeFixed64(data)
		p.fixed(v, math.Float64frombits(v), 64)
	case protowire.BytesType:
		v, _ := protowire.ConsumeBytes(data)
		p.delimited(v, level)
	case protowire.StartGroupType:
		v, _ := protowire.ConsumeGroup(number, data)
		p.within(v, "group", level)
	}
}

// scalar shows a value and what it may mean.
func (p *page) scalar(class Class, text, hint string) {
	if !p.open {
		return
	}
	p.add(Punctuation, ": ")
	p.add(class, p.mask(text))
	if hint != "" {
		p.add(Comment, "  "+p.mask(hint))
	}
}

// delimited shows a field of bytes: text, a message, or neither.
func (p *page) delimited(v []byte, level int) {
	message := level < maxMessages && tiles(v)
	switch {
	case len(v) == 0:
		p.scalar(String, `""`, "")
	case readable(v) && (!message || !bytes.ContainsAny(v, "\n\r\t")): // a tag may be a line break
		p.add(Punctuation, ": ")
		p.readableField(string(v), level)
	case message:
		p.within(v, "", level)
	default:
		if p.opts.Mask != nil && p.mask(string(v)) != string(v) {
			p.scalar(Plain, flow.Redacted, size(int64(len(v))))
			return
		}
		text := hex.EncodeToString(v[:min(len(v), maxShownHex)])
		if len(v) > maxShownHex {
			text += "…"
		}
		p.scalar(Hex, text, size(int64(len(v)))+packedHint(v))
	}
}

// readableField shows the text of a field, or the JSON that it is.
func (p *page) readableField(s string, level int) {
	if !p.open {
		return
	}
	s = p.mask(s)
	if len(s) > 2 && (s[0] == '{' || s[0] == '[') {
		p.indent += level
		p.value(s)
		p.indent -= level
		return
	}
	p.add(String, quote(s))
}

// within shows a message in a message.
func (p *page) within(v []byte, word string, level int) {
	if level >= maxMessages {
		p.scalar(Comment, "messages within messages, not shown", "")
		return
	}
	p.add(Punctuation, " {")
	if word != "" {
		p.add(Comment, "  "+word)
	}
	p.fields(v, level+1)
	p.line(level)
	p.add(Punctuation, "}")
}

// readable reports whether v is text: UTF-8 that shows, with line breaks and tabs.
func readable(v []byte) bool {
	if !utf8.Valid(v) {
		return false
	}
	for s := string(v); s != ""; {
		n := printable(s)
		if n == 0 && strings.IndexByte("\n\r\t", s[0]) >= 0 {
			n = 1
		}
		if n == 0 {
			return false
		}
		s = s[n:]
	}
	return true
}

// varintHint says what else a varint may be: negative, zigzag, a time.
func varintHint(v uint64) string {
	switch {
	case v > math.MaxInt64:
		return "or " + strconv.FormatInt(int64(v), 10) // two's complement is meant
	case v <= 1:
		return ""
	}
	for _, unit := range []struct {
		perSecond uint64
		read      func(int64) time.Time
	}{{1, func(n int64) time.Time { return time.Unix(n, 0) }}, {1000, time.UnixMilli}, {1_000_000, time.UnixMicro}, {1_000_000_000, func(n int64) time.Time { return time.Unix(0, n) }}} {
		// From 2001 to 2065: ten digits of seconds that are near to us.
		if s := v / unit.perSecond; s >= 1_000_000_000 && s < 3_000_000_000 {
			return "time " + unit.read(int64(v)).UTC().Format(time.RFC3339Nano)
		}
	}
	if v&1 == 1 {
		return "zigzag " + strconv.FormatInt(protowire.DecodeZigZag(v), 10)
	}
	return ""
}

// fixed shows a field of fixed width: with a point if it is likely to have one,
// since a float of a random integer is tiny or huge.
func (p *page) fixed(v uint64, f float64, bits int) {
	whole := strconv.FormatUint(v, 10)
	if a := math.Abs(f); a > 1e-9 && a < 1e15 {
		p.scalar(Number, strconv.FormatFloat(f, 'g', -1, bits), fmt.Sprintf("fixed%d, or %s", bits, whole))
		return
	}
	p.scalar(Number, whole, fmt.Sprintf("fixed%d", bits))
}

// packedHint says which numbers bytes hold if they are packed varints.
func packedHint(v []byte) string {
	var numbers []string
	for rest := v; len(rest) > 0; {
		number, n := protowire.ConsumeVarint(rest)
		if n < 0 {
			return ""
		}
		if len(numbers) == maxGuessed {
			numbers = append(numbers, "…")
			break
		}
		numbers = append(numbers, strconv.FormatUint(number, 10))
		rest = rest[n:]
	}
	return ", packed numbers? " + strings.Join(numbers, " ")
}
