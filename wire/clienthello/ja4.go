package clienthello

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"slices"
)

// ja4 returns the JA4 fingerprint of a ClientHello that came over a transport, 't'
// for TCP and 'q' for QUIC, by FoxIO's description (github.com/FoxIO-LLC/ja4, technical_details/JA4.md): what kind of
// client it is, then digests of its sorted cipher suites, and of its sorted
// extensions with its signature algorithms. GREASE counts nowhere.
//
// Cipher suites and extensions beyond the hundredth are left out, as the counts
// are of two digits. No client has so many.
func (w *hello) ja4(transport byte) string {
	var numbers [maxExtensions]uint16
	ciphers := collect(numbers[:0], w.ciphers)
	out := make([]byte, 0, 36)
	out = append(out, transport)
	out = append(out, w.ja4Version()...)
	out = append(out, "id"[toInt(w.hasName)])
	out = appendCount(out, len(ciphers))
	out = appendCount(out, w.count)
	out = w.appendALPN(out)

	var text [5*2*maxExtensions + 8]byte
	slices.Sort(ciphers)
	out = appendDigest(append(out, '_'), appendHex(text[:0], ciphers))

	extensions := numbers[:0]
	for _, id := range w.extensions[:w.count] {
		if id != extServerName && id != extALPN { // part one has them
			extensions = append(extensions, id)
		}
	}
	slices.Sort(extensions)
	list := appendHex(text[:0], extensions)
	if len(list) > 0 {
		if signatures := collect(numbers[:0], w.signatures); len(signatures) > 0 {
			list = appendHex(append(list, '_'), signatures)
		}
	}
	return string(appendDigest(append(out, '_'), list))
}

// ja4Version is the highest version offered.
func (w *hello) ja4Version() string {
	highest := uint16(0)
	for i := 0; i+1 < len(w.versions); i += 2 {
		if v := binary.BigEndian.Uint16(w.versions[i:]); !isGREASE(v) {
			highest = max(highest, v)
		}
	}
	if w.versions == nil {
		highest = w.version
	}
	switch highest {
	case tls.VersionTLS13:
		return "13"
	case tls.VersionTLS12:
		return "12"
	case tls.VersionTLS11:
		return "11"
	case tls.VersionTLS10:
		return "10"
	case 0x0300:
		return "s3"
	case 0x0002:
		return "s2"
	}
	return "00"
}

// appendALPN appends the first and last character of the first protocol; of its
// hexadecimal form where one of them is no letter or digit of ASCII.
func (w *hello) appendALPN(out []byte) []byte {
	if len(w.alpn) == 0 {
		return append(out, "00"...)
	}
	name := w.alpn[1 : 1+w.alpn[0]]
	first, last := name[0], name[len(name)-1]
	if isAlphanumeric(first) && isAlphanumeric(last) {
		return append(out, first, last)
	}
	const digits = "0123456789abcdef"
	return append(out, digits[first>>4], digits[last&0xf])
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// collect appends the numbers in list that are not GREASE, as far as there is room.
func collect(dst []uint16, list []byte) []uint16 {
	for i := 0; i+1 < len(list) && len(dst) < cap(dst); i += 2 {
		if v := binary.BigEndian.Uint16(list[i:]); !isGREASE(v) {
			dst = append(dst, v)
		}
	}
	return dst
}

// appendCount appends a number of two digits, 99 for any higher one.
func appendCount(out []byte, n int) []byte {
	n = min(n, 99)
	return append(out, byte('0'+n/10), byte('0'+n%10))
}

// appendHex appends numbers of four digits, parted by commas.
func appendHex(out []byte, list []uint16) []byte {
	for i, v := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = hex.AppendEncode(out, []byte{byte(v >> 8), byte(v)})
	}
	return out
}

// appendDigest appends twelve digits of SHA-256, zeros for an empty list.
func appendDigest(out, list []byte) []byte {
	if len(list) == 0 {
		return append(out, "000000000000"...)
	}
	sum := sha256.Sum256(list)
	return hex.AppendEncode(out, sum[:6])
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
