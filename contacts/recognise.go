package contacts

import (
	"bytes"
	"encoding/binary"
)

// byteOrderMark is how some programs start a text in UTF-8.
var byteOrderMark = []byte("\xef\xbb\xbf")

// Recognise tells what a file that begins with these bytes is. [HeadSize] of them are
// enough.
func Recognise(head []byte) Format {
	if isPackets(head) {
		return PCAP
	}
	text := bytes.TrimPrefix(head, byteOrderMark)
	if start := bytes.TrimLeft(text, " \t\r\n"); len(start) > 0 && start[0] == '{' {
		if isPrivacyReport(start) {
			return PrivacyReport
		}
		return Unknown
	}
	return recogniseTable(text)
}

// isPackets knows the first bytes of libpcap's format (draft-ietf-opsawg-pcap, 4) and of
// pcapng (draft-ietf-opsawg-pcapng, 4.1).
func isPackets(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	if _, _, ok := classicMagic(head); ok {
		return true
	}
	return binary.BigEndian.Uint32(head) == blockSection && len(head) >= 12 && sectionOrder(head[8:12]) != nil
}

// reportWords are names and values that rows of the App Privacy Report have and HAR files
// have not. The first row is one of metadata, an access or a contact; their members come
// in any order.
var reportWords = [][]byte{
	[]byte(`"networkActivity"`), []byte(`"accessor"`), []byte(`"recordType"`), []byte(`"initiatedType"`),
	[]byte(`"domainType"`), []byte(`"com.apple.privacy.accounting`),
}

// isPrivacyReport looks at the first members of a JSON object.
func isPrivacyReport(start []byte) bool {
	name := bytes.TrimLeft(start[1:], " \t\r\n")
	if bytes.HasPrefix(name, []byte(`"log"`)) { // a HAR, whatever it says
		return false
	}
	for _, word := range reportWords {
		if bytes.Contains(start, word) {
			return true
		}
	}
	return false
}

// recogniseTable looks at the first line, which names the columns.
func recogniseTable(text []byte) Format {
	line, rest, whole := bytes.Cut(text, []byte("\n"))
	if isSeparatorLine(line) {
		line, _, whole = bytes.Cut(rest, []byte("\n"))
	}
	separator, ok := findSeparator(line)
	if !ok || !whole && len(text) >= HeadSize || !isText(line) {
		return Unknown
	}
	row, _ := splitRecord(line, separator, nil)
	columns := columnsOf(row)
	switch {
	case columns.have("ipproto", "dstip", "uid"):
		return PCAPdroid
	case columns.have("daddr", "uncertain"):
		return TrackerControl
	}
	return Table
}

// isText reports whether a line has nothing that no table has.
func isText(line []byte) bool {
	for _, c := range bytes.TrimRight(line, "\r") {
		if c < ' ' && c != '\t' {
			return false
		}
	}
	return len(line) > 0 && line[0] != '<' && line[0] != '['
}
