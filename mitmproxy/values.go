package mitmproxy

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Values inside a flow are read for what they mean: null, a wrong type and a missing
// member are all "not known".

// maxText bounds every string that is no content: paths, header values, names.
const maxText = 1 << 20

// textValue passes a value and returns strings as they are, numbers and booleans as
// they are spelled, and the rest as "".
func (d *reader) textValue(end int64) (string, error) {
	v, err := d.s.value(end, maxText)
	if err != nil {
		return "", err
	}
	switch v.kind {
	case kindNull, kindList, kindDict:
		return "", nil
	}
	if !v.whole() {
		d.note(noteLongText)
	}
	return d.intern(v.data), nil
}

// maxInterned bounds how many texts are remembered, and maxInternedText each.
const (
	maxInterned     = 4096
	maxInternedText = 64
)

// intern returns one string for equal short texts: methods, header names and many of
// their values are the same in every flow.
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

// maxNumber is how long the text of a number may be.
const maxNumber = 64

// numberValue passes a value and returns it as a number, NaN when it is none.
func (d *reader) numberValue(end int64) (float64, error) {
	v, err := d.s.value(end, maxNumber)
	if err != nil {
		return math.NaN(), err
	}
	return v.number(), nil
}

// number returns NaN for what is no finite number.
func (v value) number() float64 {
	if v.kind != kindInt && v.kind != kindFloat || !v.whole() {
		return math.NaN()
	}
	n, err := strconv.ParseFloat(string(v.data), 64)
	if err != nil || math.IsInf(n, 0) {
		return math.NaN()
	}
	return n
}

// wholeValue passes a value and returns it as a whole number within the limits, 0
// when it is none.
func (d *reader) wholeValue(end int64, most int) (int, error) {
	n, err := d.numberValue(end)
	if !(n >= 0 && n <= float64(most)) { // NaN too
		return 0, err
	}
	return int(n), err
}

// boolValue passes a value and reports whether it is true.
func (d *reader) boolValue(end int64) (bool, error) {
	v, err := d.s.value(end, maxNumber)
	return v.isTrue(), err
}

func (v value) isTrue() bool { return v.kind == kindBool && string(v.data) == "true" }

// presentValue passes a value and reports whether it says anything: neither null nor
// false nor empty.
func (d *reader) presentValue(end int64) (bool, error) {
	v, err := d.s.value(end, maxNumber)
	return v.size > 0 && (v.kind != kindBool || v.isTrue()), err
}

// inside reads the elements of a list or dict that was kept whole.
func (v value) inside(element func(value)) {
	for rest := v.data; ; {
		n, behind, ok := netstringLength(rest)
		if !ok || n >= int64(len(behind)) {
			return
		}
		element(value{kind: behind[n], data: behind[:n], size: n})
		rest = behind[n+1:]
	}
}

// moment turns seconds since 1970 into a time; what is not known, or no time that a
// capture can have, is zero.
func moment(seconds float64) time.Time {
	if !(seconds > 0 && seconds < 1e11) { // NaN too
		return time.Time{}
	}
	return time.UnixMicro(int64(math.Round(seconds * 1e6))).UTC()
}

// versionText spells the version of a flow: 21, or 0.18 for [0, 18, 2].
func (v value) versionText() string {
	if v.kind == kindInt && v.whole() && len(v.data) <= 4 {
		return string(v.data)
	}
	if v.kind != kindList || !v.whole() {
		return ""
	}
	var parts []string
	v.inside(func(e value) {
		if len(parts) < 2 && e.kind == kindInt && len(e.data) <= 4 {
			parts = append(parts, string(e.data))
		}
	})
	return strings.Join(parts, ".")
}
