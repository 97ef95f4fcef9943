package har

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Values inside an entry are read for what they mean: null and a missing member are
// "not known", a number in quotes is a number. Where a value of a wrong type would hide
// what a verdict goes by, the entry is damaged ([reader.expect]); elsewhere it is "not
// known" as well.

// kindNames are the kinds of values, as people call them.
var kindNames = map[byte]string{
	kindObject: "an object", kindArray: "an array", kindString: "a string", kindNumber: "a number", kindTrue: "true", kindFalse: "false",
}

// expect remembers that the next value of the entry, of the named member, is of none of
// the kinds that it may have. Null may always be.
func (d *reader) expect(member, expected string, kinds ...byte) {
	kind := d.s.kind()
	if kind == kindNull || kind == 0 || slices.Contains(kinds, kind) || d.draft.wrong != "" {
		return
	}
	d.draft.wrong = fmt.Sprintf("expected %s to be %s, found %s", member, expected, kindNames[kind])
}

// maxText bounds every string that is not content: URLs, header values, names.
const maxText = 1 << 20

// textValue passes a value and returns it as text: strings as they are, numbers
// and booleans as they are spelled, the rest as "".
func (d *reader) textValue() (string, error) {
	switch d.s.kind() {
	case kindString:
		text, size, err := d.s.str(maxText)
		if err == nil && size > int64(len(text)) {
			d.note(noteLongText)
		}
		return d.intern(text), err
	case kindNumber, kindTrue, kindFalse:
		text, err := d.s.scalar()
		return string(text), err
	}
	return "", d.s.skip()
}

// maxInterned bounds how many texts are remembered, and maxInternedText each.
const (
	maxInterned     = 4096
	maxInternedText = 64
)

// intern returns one string for equal short texts: methods, header names and
// many of their values are the same in every entry.
func (d *reader) intern(text []byte) string {
	if len(text) > maxInternedText {
		return string(text)
	}
	if s, ok := d.interned[string(text)]; ok {
		return s
	}
	s := string(text)
	if len(d.interned) < maxInterned {
		d.interned[s] = s
	}
	return s
}

// numberValue passes a value and returns it as a number, NaN when it is none.
func (d *reader) numberValue() (float64, error) {
	var text []byte
	var err error
	switch d.s.kind() {
	case kindNumber:
		text, err = d.s.number()
	case kindString:
		text, _, err = d.s.str(maxNumber)
	default:
		return math.NaN(), d.s.skip()
	}
	if err != nil {
		return math.NaN(), err
	}
	return parseNumber(string(text)), nil
}

// parseNumber returns NaN for what is no finite number.
func parseNumber(s string) float64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsInf(n, 0) {
		return math.NaN()
	}
	return n
}

// wholeValue passes a value and returns it as a whole number, missing when it is
// none or out of range.
func (d *reader) wholeValue(missing int64) (int64, error) {
	n, err := d.numberValue()
	if !(math.Abs(n) < 1<<53) { // NaN too
		return missing, err
	}
	return int64(n), err
}

// boolValue passes a value and reports whether it is true.
func (d *reader) boolValue() (bool, error) {
	text, err := d.textValue()
	return strings.EqualFold(text, "true"), err
}

// objectValue passes a value and calls member for each member if it is an object.
func (d *reader) objectValue(member func(name []byte) error) error {
	if d.s.kind() != kindObject {
		return d.s.skip()
	}
	return d.s.object(member)
}

// arrayValue passes a value and calls element for each element if it is an array.
func (d *reader) arrayValue(element func() error) error {
	if d.s.kind() != kindArray {
		return d.s.skip()
	}
	return d.s.array(element)
}

// milliseconds turns a number of HAR into a duration; what is not known, and
// negative, is [flow.Unmeasured].
func milliseconds(n float64) time.Duration {
	const most = float64(math.MaxInt64) / float64(time.Millisecond) / 2
	if !(n >= 0 && n < most) {
		return -1
	}
	return time.Duration(math.Round(n * float64(time.Millisecond)))
}

// layouts are the forms in which dates occur, the most frequent first. Go reads a
// fraction behind the seconds whether or not the layout has one.
var layouts = []string{
	time.RFC3339,
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05Z07",
	"2006-01-02T15:04:05 Z07:00",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 Z07:00",
	"2006-01-02 15:04:05 Z0700",
	"2006-01-02T15:04Z07:00",
	time.RFC1123,
	time.RFC1123Z,
	"Mon Jan 02 2006 15:04:05 GMT-0700",
}

// zoneless are the forms that do not say where the clock stood.
var zoneless = []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04"}

// parseDate reads a date of any producer, numbers as seconds or milliseconds
// since 1970. Its second result is whether the date had a time zone, without
// which it is read as UTC; the zero time means that it is no date.
func parseDate(s string) (t time.Time, zoned bool) {
	s = strings.TrimSpace(s)
	if i := strings.IndexByte(s, '('); i > 0 { // "… GMT+0200 (CEST)"
		s = strings.TrimSpace(s[:i])
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return plausible(t), true
		}
	}
	for _, layout := range zoneless {
		if t, err := time.Parse(layout, s); err == nil {
			return plausible(t), false
		}
	}
	return epoch(s), true
}

// plausible drops dates that no capture can have and that cannot be written
// again; Python and .NET write the year 1 and 9999 for none.
func plausible(t time.Time) time.Time {
	if year := t.Year(); year < 1970 || year > 9000 {
		return time.Time{}
	}
	return t
}

// epoch reads seconds, or from 1e11 on milliseconds, since 1970, exactly: frames
// have their time as seconds with a fraction.
func epoch(s string) time.Time {
	n := parseNumber(s)
	if !(n > 0 && n < 1e14) {
		return time.Time{}
	}
	if n >= 1e11 {
		return time.UnixMicro(int64(math.Round(n * 1000))).UTC()
	}
	if whole, fraction, ok := strings.Cut(s, "."); ok && len(fraction) <= 9 {
		seconds, err1 := strconv.ParseInt(whole, 10, 64)
		nanos, err2 := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
		if err1 == nil && err2 == nil {
			return time.Unix(seconds, nanos).UTC()
		}
	}
	return time.UnixMicro(int64(math.Round(n * 1e6))).UTC()
}
