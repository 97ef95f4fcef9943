// Package plist reads Apple's property lists: the XML form (PropertyList-1.0.dtd), the binary form
// (CFBinaryPList.c of Apple's open CoreFoundation), and the old text form, in which .strings
// files are written ("Old-Style ASCII Property Lists" in Apple's documentation archive).
//
// A [Value] tells what stands in the file and where. Input is foreign: its size, its depth and
// what it unfolds to are bounded, so that no file costs more than a multiple of its size, and
// what cannot be understood is refused, with its place, rather than read by half. It writes
// nothing, and knows no key. To debug a file that is refused, look at the line of the
// error; in a binary one it is the offset of the object.
package plist

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"telltale/plist/elements"
)

// MaxSize bounds a file, in bytes. Real ones have a few thousand; of tables of texts,
// a few hundred thousand.
const MaxSize = 8 << 20

// Kind is the type of a value.
type Kind int8

// The kinds.
const (
	Dictionary Kind = iota + 1
	Array
	Text
	Boolean
	Number // whole or not
	Date
	Data
	Other // a null, or a reference of an archive
)

// String names a kind with its article, for messages: "a dictionary".
func (k Kind) String() string {
	switch k {
	case Dictionary:
		return "a dictionary"
	case Array:
		return "an array"
	case Text:
		return "a text"
	case Boolean:
		return "true or false"
	}
	return "a number, date or data"
}

// A Value is a node of a property list.
type Value struct {
	Kind  Kind
	Truth bool
	Line  int // from 1; 0 in the binary form
	// Start and End bound it in the file, in bytes: a text without its quotes or tags, a
	// collection with everything in it (in the binary form, its references).
	Start, End int
	// Text is a text, or a number, date or data as XML would have it.
	Text  string
	Keys  []Key // of a dictionary, one for each item
	Items []Value
}

// A Key is the name of a value in a dictionary.
type Key struct {
	Name             string
	Line, Start, End int // as a Value's
}

// Get returns the value of a key, nil where it lacks.
func (v *Value) Get(key string) *Value {
	for i := range v.Keys {
		if v.Keys[i].Name == key {
			return &v.Items[i]
		}
	}
	return nil
}

// An Error says what is wrong with a property list, and where.
type Error = elements.Error

// Read reads a property list, whose form it sees. The error is an [*Error].
func Read(data []byte) (*Value, error) {
	if len(data) > MaxSize {
		return nil, elements.Limitf(0, "the property list is larger than %d bytes", MaxSize)
	}
	if bytes.HasPrefix(data, []byte("bplist")) {
		return readBinary(data)
	}
	if text, ok := fromUTF16(data); ok {
		return readOld(text)
	}
	if !utf8.Valid(data) {
		return nil, elements.Errorf(0, "the property list is neither text in UTF-8 or UTF-16 nor binary")
	}
	rest := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), " \t\r\n")
	if bytes.HasPrefix(rest, []byte("<")) {
		return readXML(data)
	}
	return readOld(data)
}

// fromUTF16 returns text in UTF-8, where a mark says that it is UTF-16.
func fromUTF16(data []byte) ([]byte, bool) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		order = binary.BigEndian
	default:
		return nil, false
	}
	units := make([]uint16, len(data)/2-1)
	for i := range units {
		units[i] = order.Uint16(data[2+2*i:])
	}
	return []byte(string(utf16.Decode(units))), true
}

// xmlReader reads the XML form.
type xmlReader struct{ *elements.Reader }

func readXML(data []byte) (*Value, error) {
	x := xmlReader{elements.New(data)}
	root, err := x.Root()
	if err != nil {
		return nil, err
	}
	if root.Name != "plist" {
		return nil, elements.Errorf(root.Line, "the root is <%s>, expected <plist>", elements.Clip(root.Name))
	}
	e, ok, err := x.Child("plist")
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, elements.Errorf(0, "the property list is empty, expected <dict>")
	}
	v, err := x.value(e)
	if err != nil {
		return nil, err
	}
	if next, more, err := x.Child("plist"); err != nil {
		return nil, err
	} else if more {
		return nil, elements.Errorf(next.Line, "a second value <%s> in <plist>, expected one", elements.Clip(next.Name))
	}
	return &v, x.Finish()
}

// value reads what an element stands for.
func (x xmlReader) value(e elements.Element) (v Value, err error) {
	v.Line, v.Start = e.Line, e.Start
	switch e.Name {
	case "dict":
		v.Kind = Dictionary
		err = x.entries(&v)
		v.End = x.Offset()
		return v, err
	case "array":
		v.Kind = Array
		for {
			e, ok, err := x.Child("array")
			if err != nil || !ok {
				v.End = x.Offset()
				return v, err
			}
			item, err := x.value(e)
			if err != nil {
				return v, err
			}
			v.Items = append(v.Items, item)
		}
	case "string":
		v.Kind = Text
	case "true", "false":
		v.Kind, v.Truth = Boolean, e.Name == "true"
	case "integer", "real":
		v.Kind = Number
	case "date":
		v.Kind = Date
	case "data":
		v.Kind = Data
	default:
		return v, elements.Errorf(e.Line, "<%s> is no value of a property list, expected dict, array, string, true, false, integer, real, date or data", elements.Clip(e.Name))
	}
	text, start, end, err := x.Text(e.Name)
	v.Text = text
	if v.Start, v.End = start, end; v.Kind == Boolean {
		v.Start, v.End = e.Start, x.Offset()
	}
	return v, err
}

// entries reads the keys and values of a dictionary.
func (x xmlReader) entries(v *Value) error {
	seen := map[string]bool{}
	for {
		e, ok, err := x.Child("dict")
		if err != nil || !ok {
			return err
		}
		if e.Name != "key" {
			return elements.Errorf(e.Line, "<%s> in <dict>, expected <key>", elements.Clip(e.Name))
		}
		key := Key{Line: e.Line}
		if key.Name, key.Start, key.End, err = x.Text("key"); err != nil {
			return err
		}
		if seen[key.Name] {
			return twice(e.Line, key.Name)
		}
		seen[key.Name] = true
		e, ok, err = x.Child("dict")
		if err != nil {
			return err
		}
		if !ok || e.Name == "key" {
			return elements.Errorf(max(e.Line, v.Line), "the key %q has no value", elements.Clip(key.Name))
		}
		item, err := x.value(e)
		if err != nil {
			return err
		}
		v.Keys, v.Items = append(v.Keys, key), append(v.Items, item)
	}
}

func twice(line int, key string) error {
	return elements.Errorf(line, "the key %q stands here twice", elements.Clip(key)).WithHint("keep one of them")
}
