package exposure

import (
	"bytes"
	"strings"
)

// isUUID reports whether a text has the form of a UUID (RFC 9562, 4), in either case.
func isUUID(t []byte) bool {
	if len(t) != 36 || t[8] != '-' || t[13] != '-' || t[18] != '-' || t[23] != '-' {
		return false
	}
	for i, c := range t {
		if i != 8 && i != 13 && i != 18 && i != 23 && !isHex(c) {
			return false
		}
	}
	return true
}

// isRandomUUID reports whether a UUID has the version and the variant of RFC 9562, 5.
func isRandomUUID(t []byte) bool {
	return isUUID(t) && t[14] >= '1' && t[14] <= '8' && bytes.IndexByte([]byte("89abAB"), t[19]) >= 0
}

func isHex(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

// isHex64 reports whether a text is a number of 64 bits in hexadecimal, of which up to two
// leading zeros may be left out.
func isHex64(t []byte) bool { return len(t) >= 14 && len(t) <= 16 && all(t, isHex) }

// isHash reports whether a text has the form of a digest in hexadecimal: MD5, SHA-1,
// SHA-256, SHA-384 or SHA-512.
func isHash(t []byte) bool {
	switch len(t) {
	case 32, 40, 64, 96, 128:
		return all(t, isHex)
	}
	return false
}

func allDigits(t []byte) bool { return len(t) > 0 && all(t, isDigit) }

func all(t []byte, is func(byte) bool) bool {
	for _, c := range t {
		if !is(c) {
			return false
		}
	}
	return true
}

// isFID reports whether a text has the form of a Firebase installation ID: 22 characters
// of base64 for URLs, of which the first four bits are 0111 (Firebase SDKs, generateFid).
func isFID(t []byte) bool {
	return len(t) == 22 && t[0] >= 'c' && t[0] <= 'f' && all(t, isBase64URL)
}

func isBase64URL(c byte) bool { return alphanumeric(c) || c == '-' || c == '_' }

// isAppsFlyer reports whether a text has the form of AppsFlyer's own identifier: a time
// in milliseconds, and a random number.
func isAppsFlyer(t []byte) bool {
	at := bytes.IndexByte(t, '-')
	return at == 13 && len(t) >= 20 && len(t) <= 34 && allDigits(t[:at]) && allDigits(t[at+1:])
}

// isOpaque reports whether a text can be an identifier that a machine made.
func isOpaque(t []byte) bool {
	if len(t) < 16 || len(t) > 80 {
		return false
	}
	digits := 0
	for _, c := range t {
		switch {
		case isDigit(c):
			digits++
		case !alphanumeric(c) && c != '-' && c != '_' && c != '.' && c != ':':
			return false
		}
	}
	return digits >= 4 && distinct(t) >= 8
}

// identifies reports whether a text has a form that identifiers have.
func identifies(t []byte) bool {
	return isUUID(t) || isHash(t) || isHex64(t) || isFID(t) || isAppsFlyer(t) || isMAC(t) || bytes.IndexByte(t, '@') > 0 || t[0] == '+' || isToken(t)
}

// distinct counts the different characters of a text, in either case one.
func distinct(t []byte) int {
	var seen [256]bool
	n := 0
	for _, c := range t {
		if isUpper(c) {
			c += 'a' - 'A'
		}
		if !seen[c] && c != '-' && c != ':' {
			seen[c] = true
			n++
		}
	}
	return n
}

// luhn reports whether the last digit checks the others (ISO/IEC 7812-1, annex B).
func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// samples are values of manuals and of emulators, which identify nobody, without what
// parts their digits.
var samples = set(`
	9774d56d682e549c dead00beef000000 1234567890abcdef 0123456789abcdef
	490154203237518 356938035643809 352099001761481 004999010640000 123456789012347 358240051111110 0049015420323751
	89014103211118510720 8991101200003204510
	38400000-8cf0-11bd-b23e-10b96e40000d cdda802e-fb9c-47ad-9866-0794d394c912 12345678-1234-1234-1234-123456789012 12345678-1234-5678-1234-567812345678
	123e4567-e89b-12d3-a456-426614174000 123e4567-e89b-12d3-a456-426655440000 550e8400-e29b-41d4-a716-446655440000 f81d4fae-7dec-11d0-a765-00a0c91e6bf6 6ba7b810-9dad-11d1-80b4-00c04fd430c8
	aebe52e7-03ee-455a-b3c4-e57283966239 a1b2c3d4-e5f6-7890-abcd-ef1234567890
	001122334455 123456789abc 0123456789ab aabbccddeeff 001a2b3c4d5e
	test@test.com user@email.com name@email.com email@email.com foo@bar.com a@b.com
	310150123456789 001010123456789 310260000000000 001010000000001`)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[strings.ReplaceAll(w, "-", "")] = true
	}
	return m
}

// placeholders are what is sent where there is no value.
var placeholders = set(`null nil none unknown undefined unavailable na n/a n.a. nan true false empty default test sample example redacted [redacted] hidden denied
	notavailable not_available notset not_set (notset) (null) <null> <unknown> <unknownssid> unknownssid <redacted> anonymous optout opt_out limited restricted unspecified
	disabled unsupported notallowed not_allowed your_device_id device_id idfa gaid string uuid xxx id value android ios phone email user guest anon`)

// useless reports whether a value identifies nobody.
func useless(t []byte) bool {
	if len(t) < minValue || allSame(t) || isTemplate(t) {
		return true
	}
	if len(t) > 40 {
		return false
	}
	var room [40]byte
	bare := room[:0]
	for _, c := range t {
		switch {
		case isUpper(c):
			bare = append(bare, c+'a'-'A')
		case c != '-' && c != ':' && c != ' ':
			bare = append(bare, c)
		}
	}
	return placeholders[string(bare)] || samples[string(bare)]
}

// allSame reports whether a text repeats one letter or digit: zeros, "ffffffff-…".
func allSame(t []byte) bool {
	var first byte
	for _, c := range t {
		if c == '-' || c == ':' || c == '.' || c == ' ' {
			continue
		}
		if first == 0 {
			first = c
		}
		if c != first {
			return false
		}
	}
	return true
}

// isTemplate reports whether a text stands for a value that nobody filled in: "{idfa}",
// "[IDFA]", "${GAID}", "%%ADVERTISING_IDENTIFIER_PLAIN%%", "__IDFA__".
func isTemplate(t []byte) bool {
	if len(t) > 64 {
		return false
	}
	first, last := t[0], t[len(t)-1]
	return first == '{' && last == '}' || first == '[' && last == ']' || first == '<' && last == '>' || first == '$' && last == '}' ||
		len(t) > 4 && (bytes.HasPrefix(t, []byte("__")) && bytes.HasSuffix(t, []byte("__")) || bytes.HasPrefix(t, []byte("%%")) && bytes.HasSuffix(t, []byte("%%")))
}
