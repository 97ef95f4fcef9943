package redact

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"telltale/exposure"
)

// This file tells numbers that say where somebody is, or whose they are, where no search
// accuses anybody of them: in a text, under a name that says nothing, or under one of a card
// or a document.

// pairOfDegrees is two coordinates, as texts, maps and WKT (OGC 06-103r4, 7) write them.
var pairOfDegrees = regexp.MustCompile(`[-+]?\d{1,3}\.\d{4,15}[°]?[ \t]*[,;/ ][ \t]*[-+]?\d{1,3}\.\d{4,15}`)

// degreeDecimals is from how many decimals on a number may be a coordinate: 0.0001° are 11 m.
const degreeDecimals = 4

// places masks the pairs of coordinates in a text.
func (m *masker) places(s string) string {
	if !hasDecimals(s) {
		return s
	}
	var b strings.Builder
	done := 0
	for _, at := range pairOfDegrees.FindAllStringIndex(s, -1) {
		start, end := at[0], at[1]
		if start > 0 && (isAlphanumeric(s[start-1]) || s[start-1] == '.') || end < len(s) && (s[end] == '.' && end+1 < len(s) && isAlphanumeric(s[end+1]) || isAlphanumeric(s[end])) {
			continue
		}
		normal, ok := place(s[start:end])
		if !ok {
			continue
		}
		mask := m.put(value{exposure.Location, digestOf(normal)})
		if start > 0 && s[start-1] == '[' { // of JSON, which it stays
			mask = `"` + mask + `"`
		}
		b.WriteString(s[done:start] + mask)
		done = end
	}
	return b.String() + s[done:]
}

// hasDecimals reports whether a text has a number with as many decimals as a coordinate.
func hasDecimals(s string) bool {
	for i := 1; i+degreeDecimals < len(s); i++ {
		if s[i] != '.' || s[i-1] < '0' || s[i-1] > '9' {
			continue
		}
		if strings.Trim(s[i+1:i+1+degreeDecimals], "0123456789") == "" {
			return true
		}
	}
	return false
}

// place returns the normal form of a pair of coordinates, as package exposure has it.
func place(pair string) (normal string, ok bool) {
	parts := strings.FieldsFunc(pair, func(c rune) bool { return strings.ContainsRune(" \t,;/°", c) })
	if len(parts) != 2 {
		return "", false
	}
	lat, err1 := strconv.ParseFloat(parts[0], 64)
	lon, err2 := strconv.ParseFloat(parts[1], 64)
	if math.Abs(lat) > 90 {
		lat, lon = lon, lat
	}
	if err1 != nil || err2 != nil || math.Abs(lat) > 90 || math.Abs(lon) > 180 || math.Abs(lat) < 1 && math.Abs(lon) < 1 {
		return "", false
	}
	return fmt.Sprintf("%.4f,%.4f", lat, lon), true
}

// isDegrees reports whether a text is a number that may be a coordinate.
func isDegrees(text string) bool {
	whole, decimals, ok := strings.Cut(strings.TrimLeft(text, "-+"), ".")
	if !ok || len(whole) > 3 || len(decimals) < degreeDecimals || len(decimals) > 15 {
		return false
	}
	n, err := strconv.ParseFloat(whole+"."+decimals, 64)
	return err == nil && n >= 1 && n <= 180
}

// placeByName reports whether a number is a coordinate by names that say nothing else: "x",
// "a", or none.
func placeByName(name, text string) bool { return len(bare(name)) <= 1 && isDegrees(text) }

// numberNames are names of what stands on cards and documents, and of what belongs to a person
// by law; in lower case, without what joins words.
var numberNames = set(`card cardnumber cardno ccnumber ccnum creditcard creditcardnumber debitcard pan cvv cvv2 cvc cvc2 csc cardcode expiry cardexpiry
	ssn sin socialinsurancenumber socialsecuritynumber socialinsurance socialsecurity nationalid nationalidnumber taxid taxnumber passport passportnumber passportno
	driverslicense driverlicense driverslicence driverlicence licencenumber licensenumber healthcard healthcardnumber healthnumber ohip nhsnumber medicare
	iban accountnumber accountno routingnumber bankaccount dob dateofbirth birthdate birthday`)

// deviceNames are names under which apps send what people call their device.
var deviceNames = set(`devicename phonename computername machinename tabletname bluetoothname devicelabel devicefriendlyname userdevicename`)

// isNumber reports whether a text has a digit, and is no longer than a number is.
func isNumber(text string) bool { return len(text) <= 64 && strings.ContainsAny(text, "0123456789") }

// isCard reports whether a word is the number of a payment card (ISO/IEC 7812-1), by its
// length, its first digit and its check digit.
func isCard(w string) bool {
	digits := strings.NewReplacer("-", "").Replace(w)
	if len(digits) != 15 && len(digits) != 16 && len(digits) != 19 || digits[0] < '3' || digits[0] > '6' {
		return false
	}
	sum := 0
	for i := range len(digits) {
		c := digits[len(digits)-1-i]
		if c < '0' || c > '9' {
			return false
		}
		d := int(c - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
