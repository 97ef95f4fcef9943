package filter

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// This file explains numbers with units, which people write and the language does
// not have.

// measured is what a number field counts, and what its units are worth.
type measured struct {
	words string
	units map[string]float64
}

var (
	milliseconds = measured{"a duration is a number of milliseconds", map[string]float64{
		"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "ms": 1, "s": 1e3, "sec": 1e3, "m": 60e3, "min": 60e3, "h": 3600e3,
	}}
	octets = measured{"a size is a number of bytes", map[string]float64{
		"b": 1, "k": 1 << 10, "kb": 1e3, "kib": 1 << 10, "m": 1 << 20, "mb": 1e6, "mib": 1 << 20, "g": 1 << 30, "gb": 1e9, "gib": 1 << 30,
	}}
	measuredFields = map[string]measured{"duration": milliseconds, "size": octets, "sent": octets, "received": octets}
)

// withUnit is a number and the letters behind it.
var withUnit = regexp.MustCompile(`([0-9][0-9_]*(?:\.[0-9]+)?|\.[0-9]+)\s*(\pL+)`)

// numberWithUnit explains a unit at the mistake.
func (e *Error) numberWithUnit() bool {
	runes := []rune(e.Expression)
	at := len(string(runes[:min(len(runes), e.Column-1)]))
	for _, m := range withUnit.FindAllStringSubmatchIndex(e.Expression, -1) {
		if at < m[0] || at > m[1] {
			continue
		}
		field, operator := measuredBefore(e.Expression[:m[0]])
		what := measuredFields[field]
		factor, known := what.units[strings.ToLower(e.Expression[m[4]:m[5]])]
		number, err := strconv.ParseFloat(strings.ReplaceAll(e.Expression[m[2]:m[3]], "_", ""), 64)
		if !known || err != nil {
			continue
		}
		e.Column = utf8.RuneCountInString(e.Expression[:m[0]]) + 1
		e.Message = fmt.Sprintf("%s, without a unit: write %s%s", what.words, operator, strconv.FormatFloat(number*factor, 'f', -1, 64))
		return true
	}
	return false
}

// measuredBefore returns the last field with a unit in a piece of an expression,
// and how its comparison starts when that is where the piece ends: "size > ".
func measuredBefore(piece string) (field, comparison string) {
	tokens := scan(piece)
	for i, t := range slices.Backward(tokens) {
		if _, ok := measuredFields[t.text]; !ok || t.kind != name {
			continue
		}
		if i == len(tokens)-2 && slices.Contains(comparisons, tokens[i+1].text) {
			comparison = t.text + " " + tokens[i+1].text + " "
		}
		return t.text, comparison
	}
	return "", ""
}
