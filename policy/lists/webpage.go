package lists

import "bytes"

// isWebPage tells HTML from a list. The lines of a page may look like those of a list, for
// pages show lists; what is read of them would be neither all of it nor only that.
func isWebPage(data []byte) bool {
	data = skipRemarks(data)
	if rest, ok := cutWord(data, "<!doctype"); ok {
		_, ok = cutWord(bytes.TrimLeft(rest, space), "html")
		return ok
	}
	_, ok := cutWord(data, "<html")
	return ok
}

// cutWord returns what follows a word, in whatever case.
func cutWord(data []byte, word string) (rest []byte, ok bool) {
	if len(data) < len(word) || !bytes.EqualFold(data[:len(word)], []byte(word)) {
		return nil, false
	}
	rest = data[len(word):]
	return rest, len(rest) == 0 || bytes.IndexByte([]byte(space+">"), rest[0]) >= 0
}

const space = " \t\r\n\f"

// skipRemarks returns what follows the space, the remarks of lists and of HTML, and the
// XML declaration that a file begins with.
func skipRemarks(data []byte) []byte {
	for {
		data = bytes.TrimLeft(data, space)
		end := ""
		switch {
		case bytes.HasPrefix(data, []byte("<!--")):
			end = "-->"
		case bytes.HasPrefix(data, []byte("<?xml")):
			end = "?>"
		case len(data) > 0 && (data[0] == '#' || data[0] == '!'):
			end = "\n"
		default:
			return data
		}
		_, rest, found := bytes.Cut(data, []byte(end))
		if !found {
			return nil // a remark to the end
		}
		data = rest
	}
}
