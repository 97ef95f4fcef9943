package resources

import (
	"strconv"
	"strings"
)

// named are the words of one part of a configuration, by its number.
type named struct {
	at    int // offset in ResTable_config
	mask  byte
	words map[byte]string
}

// before and after are the parts that are words, in the order in which Android names them; sizes
// and the density stand between.
var (
	direction = named{28, 0xc0, map[byte]string{0x40: "ldltr", 0x80: "ldrtl"}}
	gender    = named{19, 0x03, map[byte]string{1: "neuter", 2: "feminine", 3: "masculine"}}

	screens = []named{
		{28, 0x0f, map[byte]string{1: "small", 2: "normal", 3: "large", 4: "xlarge"}},
		{28, 0x30, map[byte]string{0x10: "notlong", 0x20: "long"}},
		{48, 0x03, map[byte]string{1: "notround", 2: "round"}},
		{49, 0x03, map[byte]string{1: "nowidecg", 2: "widecg"}},
		{49, 0x0c, map[byte]string{4: "lowdr", 8: "highdr"}},
		{12, 0xff, map[byte]string{1: "port", 2: "land", 3: "square"}},
		{29, 0x0f, map[byte]string{2: "desk", 3: "car", 4: "television", 5: "appliance", 6: "watch", 7: "vrheadset"}},
		{29, 0x30, map[byte]string{0x10: "notnight", 0x20: "night"}},
	}
	inputs = []named{
		{13, 0xff, map[byte]string{1: "notouch", 2: "stylus", 3: "finger"}},
		{18, 0x03, map[byte]string{1: "keysexposed", 2: "keyshidden", 3: "keyssoft"}},
		{16, 0xff, map[byte]string{1: "nokeys", 2: "qwerty", 3: "12key"}},
		{18, 0x0c, map[byte]string{4: "navexposed", 8: "navhidden"}},
		{17, 0xff, map[byte]string{1: "nonav", 2: "dpad", 3: "trackball", 4: "wheel"}},
	}
	densities = map[int]string{120: "ldpi", 160: "mdpi", 213: "tvdpi", 240: "hdpi", 320: "xhdpi", 480: "xxhdpi",
		640: "xxxhdpi", 0xfffe: "anydpi", 0xffff: "nodpi"}
)

// configName names a ResTable_config as the folders of resources are: "fr-rCA", "sw600dp-v13"; "" of
// the default.
func configName(config []byte) string {
	if len(config) < 4 {
		return ""
	}
	var full [64]byte // what a shorter one does not have is zero
	copy(full[:], config[:min(int(u32(config, 0)), len(config), len(full))])
	c := full[:]
	var parts []string
	number := func(at int, before, after string) {
		if n := u16(c, at); n != 0 {
			parts = append(parts, before+strconv.Itoa(n)+after)
		}
	}
	word := func(n named) {
		if w := n.words[c[n.at]&n.mask]; w != "" {
			parts = append(parts, w)
		}
	}
	number(4, "mcc", "")
	if mnc := u16(c, 6); mnc == 0xffff {
		parts = append(parts, "mnc00")
	} else if mnc != 0 {
		parts = append(parts, "mnc"+pad(mnc, 2))
	}
	if l := localeOf(c); l != "" {
		parts = append(parts, l)
	}
	word(gender)
	word(direction)
	number(30, "sw", "dp")
	number(32, "w", "dp")
	number(34, "h", "dp")
	for _, n := range screens {
		word(n)
	}
	if name := densities[u16(c, 14)]; name != "" {
		parts = append(parts, name)
	} else {
		number(14, "", "dpi")
	}
	for _, n := range inputs {
		word(n)
	}
	if w, h := u16(c, 20), u16(c, 22); w != 0 || h != 0 {
		parts = append(parts, strconv.Itoa(w)+"x"+strconv.Itoa(h))
	}
	number(24, "v", "")
	return strings.Join(parts, "-")
}

func pad(n, digits int) string {
	s := strconv.Itoa(n)
	return strings.Repeat("0", max(digits-len(s), 0)) + s
}

// localeOf names a language with its region, script and variant.
func localeOf(c []byte) string {
	language, region := unpack(c[8], c[9], 'a'), unpack(c[10], c[11], '0')
	script, variant := letters(c[36:40]), letters(c[40:48])
	if c[52] != 0 { // the script was not written, but follows from the language
		script = ""
	}
	numbers := letters(c[53:61])
	return locale(language, script, region, variant, numbers)
}

func locale(language, script, region, variant, numbers string) string {
	if script == "" && variant == "" && numbers == "" {
		if region != "" {
			return strings.TrimPrefix(language+"-r"+region, "-")
		}
		return language
	}
	s := "b"
	for _, part := range []string{language, script, region, variant} {
		if part != "" {
			s += "+" + part
		}
	}
	if numbers != "" {
		s += "+u+nu+" + numbers
	}
	return s
}

// unpack reads a code of two letters, or of three that are packed into fifteen bits.
func unpack(a, b, base byte) string {
	switch {
	case a == 0:
		return ""
	case a&0x80 != 0:
		return letters([]byte{base + b&0x1f, base + (b&0xe0)>>5 + (a&0x03)<<3, base + (a&0x7c)>>2})
	}
	return letters([]byte{a, b})
}

// letters takes what may be in a code, up to the first other byte.
func letters(b []byte) string {
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return string(b[:i])
		}
	}
	return string(b)
}
