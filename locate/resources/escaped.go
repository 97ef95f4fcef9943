package resources

import (
	"bytes"

	"telltale/locate/reading"
)

// jsonFile is a file of JSON.
type jsonFile struct{ *textFile }

// Joined calls visit for the texts that are written with escapes (RFC 8259, section 7), as what
// they mean: "clients3\u002egoogle.com" names a host that its bytes do not.
func (f *jsonFile) Joined(visit func(reading.Joined) bool) {
	s := jsonScan{text: f.text}
	var value []byte
	var part [1]reading.Part
	for s.at < len(s.text) {
		if !s.next() || !s.quoted {
			continue
		}
		raw := s.text[s.start:s.end]
		if bytes.IndexByte(raw, '\\') < 0 {
			continue
		}
		value = appendUnescaped(value[:0], raw)
		part[0] = reading.Part{Start: f.inFile(s.start), End: f.inFile(s.end)}
		if !visit(reading.Joined{Value: value, Parts: part[:], How: "escapes undone", Sure: true}) {
			return
		}
	}
}
