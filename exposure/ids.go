package exposure

import (
	"bytes"
	"strconv"
	"strings"

	"telltale/useragent"
)

// softwareID looks for the identifiers that systems and SDKs make.
func (s *search) softwareID(m meaning, l leaf) bool {
	t := l.text
	uuid := isUUID(t)
	switch m {
	case anAdvertisingID:
		if uuid || isHash(t) || len(t) == 16 && isHex64(t) {
			return s.addID(AdvertisingID, l)
		}
	case anAdjustID:
		if uuid {
			return s.addID(AdvertisingID, l)
		}
		if isHash(t) {
			return s.addID(InstallationID, l)
		}
	case aVendorID:
		if uuid || isHash(t) {
			return s.addID(IDFV, l)
		}
	case anAndroidID:
		if isHex64(t) || isHash(t) || isSigned(t) {
			return s.addID(AndroidID, l)
		}
	case anAppSetID: // random; advertising servers number their pages as "asid", with times
		if isRandomUUID(t) && t[14] == '4' {
			return s.addID(AppSetID, l)
		}
	case anInstallation:
		if isRandomUUID(bytes.TrimPrefix(t, []byte("XZ"))) || isFID(t) || isOpaque(t) { // Meta's anon_id begins with XZ
			return s.addID(InstallationID, l)
		}
	case aFID:
		return isFID(t) && isOpaque(t) && s.addID(InstallationID, l)
	case aDeviceID:
		return s.deviceID(l)
	}
	return false
}

// deviceID looks for what apps call the identifier of the device: its form tells which.
func (s *search) deviceID(l leaf) bool {
	t := l.text
	switch {
	case isIMEI(t), len(t) == 14 && isMEID(t), isMAC(t):
		if isMAC(t) {
			return s.mac(MACAddress, l)
		}
		if isIMEI(t) {
			return s.addID(IMEI, l)
		}
		return s.addID(MEID, l)
	case len(t) == 16 && isHex64(t) && !allDigits(t) && s.mayBeAndroid():
		return s.addID(AndroidID, l)
	case isRandomUUID(t), isHash(t), isFID(t), isOpaque(t):
		return s.addID(InstallationID, l)
	}
	return false
}

// mayBeAndroid reports whether the User-Agent names no other system than Android.
func (s *search) mayBeAndroid() bool {
	os := useragent.Parse(s.flow.UserAgent()).OS
	return os == useragent.Android || os == ""
}

// hardwareID looks for the numbers of phones and cards.
func (s *search) hardwareID(m meaning, l leaf) bool {
	t := l.text
	switch m {
	case anIMEI, anIMEIOrMEID:
		if bare := digitsOf(t); isIMEI(bare) || isHash(t) {
			return s.addID(IMEI, l)
		}
		if isMEID(t) { // CDMA phones have one where others have an IMEI
			return s.addID(MEID, l)
		}
	case anMEID:
		if isMEID(t) || isHash(t) {
			return s.addID(MEID, l)
		}
	case anIMSI:
		if isIMSI(t) || isHash(t) {
			return s.addID(IMSI, l)
		}
		if isICCID(t) {
			return s.addID(ICCID, l)
		}
	case anICCID:
		if bare := bytes.ReplaceAll(t, []byte(" "), nil); isICCID(bare) || isHash(t) {
			return s.addID(ICCID, l)
		}
	case aSerial, aLooseSerial:
		if isSerial(t, m == aSerial) {
			return s.addID(Serial, l)
		}
	}
	return false
}

var separators = strings.NewReplacer("-", "", ":", "", " ", "", "/", "")

// addID adds an identifier whose value is the same with and without separators, and in
// either case.
func (s *search) addID(kind string, l leaf) bool {
	bare := strings.ToLower(string(bytes.TrimPrefix(l.text, []byte("XZ"))))
	normal := separators.Replace(bare)
	if kind == InstallationID && isOpaque(l.text) && !isHash(l.text) && !isUUID(l.text) {
		normal = string(l.text) // case counts
	}
	if useless([]byte(normal)) {
		return true
	}
	masked := maskID(l.text)
	if isHash(l.text) && len(l.text) > 32 { // 32 digits may also be a UUID without hyphens
		masked += " (hashed)"
	}
	return s.add(kind, l, normal, masked)
}

// digitsOf returns a number without the separators that people write.
func digitsOf(t []byte) []byte {
	if allDigits(t) {
		return t
	}
	bare := make([]byte, 0, len(t))
	for _, c := range t {
		switch {
		case isDigit(c):
			bare = append(bare, c)
		case c != ' ' && c != '-' && c != '/':
			return nil
		}
	}
	return bare
}

// reporting are the first two digits of the type allocation codes of IMEIs: the bodies
// that allocate them (3GPP TS 23.003, 6.2.1; GSMA TS.06).
var reporting = map[string]bool{
	"01": true, "10": true, "30": true, "33": true, "35": true, "44": true, "45": true, "49": true, "50": true, "51": true, "52": true, "53": true,
	"54": true, "86": true, "91": true, "98": true, "99": true,
}

// isIMEI reports whether a number can be an IMEI: 15 digits, of which the last checks the
// others, or an IMEISV, which has two for the version of the software in its place.
func isIMEI(t []byte) bool {
	if (len(t) != 15 && len(t) != 16) || !allDigits(t) || !reporting[string(t[:2])] || distinct(t) < 4 {
		return false
	}
	return len(t) == 16 || luhn(t)
}

// isMEID reports whether a text can be a MEID: 14 digits in hexadecimal, of which the
// first is above 9 or the first two are 99, for phones that have an IMEI as well, or the same as two decimal numbers of 10 and 8 digits (3GPP2
// C.S0072, S.R0048).
func isMEID(t []byte) bool {
	switch len(t) {
	case 14, 15: // with its check digit
		letter := t[0] | 0x20
		return (letter >= 'a' && letter <= 'f' || string(t[:2]) == "99" && !allDigits(t)) && all(t, isHex) && distinct(t) >= 4
	case 18:
		if !allDigits(t) {
			return false
		}
		maker, _ := strconv.ParseUint(string(t[:10]), 10, 64)
		number, _ := strconv.ParseUint(string(t[10:]), 10, 64)
		return maker >= 0xA0000000 && maker <= 0xFFFFFFFF && number <= 0xFFFFFF
	}
	return false
}

// isIMSI reports whether a number can be an IMSI: up to 15 digits, of which the first
// three are a country's (ITU-T E.212).
func isIMSI(t []byte) bool {
	if len(t) < 14 || len(t) > 15 || !allDigits(t) || distinct(t) < 4 {
		return false
	}
	mcc, _ := strconv.Atoi(string(t[:3]))
	return isCountry(mcc)
}

// isCountry reports whether a mobile country code is in use (ITU-T E.212, annex).
func isCountry(mcc int) bool {
	for _, r := range [][2]int{
		{202, 202}, {204, 204}, {206, 206}, {208, 208}, {212, 214}, {216, 216}, {218, 222}, {225, 226}, {228, 228}, {230, 232}, {234, 235}, {238, 238}, {240, 240},
		{242, 242}, {244, 244}, {246, 248}, {250, 250}, {255, 255}, {257, 257}, {259, 260}, {262, 262}, {266, 266}, {268, 268}, {270, 270}, {272, 272}, {274, 274},
		{276, 276}, {278, 278}, {280, 280}, {282, 284}, {286, 286}, {288, 290}, {292, 295}, {297, 297}, {302, 302}, {308, 308}, {310, 316}, {330, 330}, {332, 332},
		{334, 334}, {338, 338}, {340, 340}, {342, 342}, {344, 344}, {346, 346}, {348, 348}, {350, 350}, {352, 352}, {354, 354}, {356, 356}, {358, 358}, {360, 360},
		{362, 366}, {368, 368}, {370, 370}, {372, 372}, {374, 374}, {376, 376}, {400, 402}, {404, 406}, {410, 410}, {412, 422}, {424, 432}, {434, 438}, {440, 441},
		{450, 450}, {452, 452}, {454, 457}, {460, 461}, {466, 467}, {470, 470}, {472, 472}, {502, 502}, {505, 505}, {510, 510}, {514, 515}, {520, 520}, {525, 525},
		{528, 528}, {530, 530}, {536, 537}, {539, 555}, {602, 659}, {702, 702}, {704, 704}, {706, 706}, {708, 708}, {710, 710}, {712, 712}, {714, 714}, {716, 716},
		{722, 722}, {724, 724}, {730, 730}, {732, 732}, {734, 734}, {736, 736}, {738, 738}, {740, 740}, {742, 742}, {744, 744}, {746, 746}, {748, 748}, {750, 750}, {901, 901},
	} {
		if mcc >= r[0] && mcc <= r[1] {
			return true
		}
	}
	return false
}

// isICCID reports whether a number can be that of a SIM card: 89 for telecommunications,
// and a last digit that checks the others (ITU-T E.118). Many phones leave that one out.
func isICCID(t []byte) bool {
	t = bytes.TrimRight(t, "fF") // filled up to whole bytes
	if len(t) < 18 || len(t) > 20 || !bytes.HasPrefix(t, []byte("89")) || !allDigits(t) || distinct(t) < 4 {
		return false
	}
	return len(t) != 20 || luhn(t)
}

// mixture counts the digits and the letters of a text; false where it has characters
// besides those and others.
func mixture(t []byte, others string) (digits, letters int, ok bool) {
	for _, c := range t {
		switch {
		case isDigit(c):
			digits++
		case alphanumeric(c):
			letters++
		case strings.IndexByte(others, c) < 0:
			return 0, 0, false
		}
	}
	return digits, letters, true
}

// isSerial reports whether a text can be the serial number of a device. A name that only
// says "serial" may count anything.
func isSerial(t []byte, named bool) bool {
	if len(t) < 6 || len(t) > 24 {
		return false
	}
	digits, letters, ok := mixture(t, "-")
	if !ok || digits == 0 || distinct(t) < 4 {
		return false
	}
	return letters > 0 && digits > 1 || named && len(t) >= 10 && len(t) <= 16
}

// isSigned reports whether a text is an Android ID as a number, as Google's own services
// send it.
func isSigned(t []byte) bool {
	t = bytes.TrimPrefix(t, []byte("-"))
	return len(t) >= 17 && len(t) <= 20 && allDigits(t) && distinct(t) >= 4
}

// isMeasurement reports whether a host takes the messages of Google Analytics for
// Firebase, which are protobuf without names.
func isMeasurement(host string) bool {
	return strings.HasSuffix(host, "app-measurement.com") || strings.HasSuffix(host, "app-analytics-services.com") || strings.HasSuffix(host, "app-analytics-services-att.com")
}

// measured says what a value in such a message is: of all that is in them only the
// advertising identifier and the vendor's are UUIDs.
func (s *search) measured(l leaf) meaning {
	if where, _ := s.where(l); !strings.Contains(where, "protobuf") {
		return nothing
	}
	switch {
	case isRandomUUID(l.text):
		return anAdvertisingID
	case len(l.text) == 32 && isHash(l.text), isFID(l.text):
		return anInstallation
	}
	return nothing
}
