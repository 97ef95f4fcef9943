package har_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"telltale/flow"
	"telltale/guard/raced"
	"telltale/har"
)

const (
	good  = `{"request":{"method":"GET","url":"https://a.example/"},"response":{"status":200}}`
	other = `{"request":{"method":"GET","url":"https://b.example/"},"response":{"status":200}}`
)

// wrap makes a file of entries, each on a line of its own, the first on line 2.
func wrap(entries ...string) string {
	return "{\"log\":{\"entries\":[\n" + strings.Join(entries, ",\n") + "\n]}}"
}

// Damage is never a clean end: it is an error that says where it is and what was
// expected there, after the flows that are whole were delivered.
func TestDamage(t *testing.T) {
	tests := []struct {
		name, data string
		flows      int
		want       string // the whole message
		hint       string
	}{
		{"empty", "", 0, `a.har:1:1: the file is empty, expected a JSON object with "log" (byte 0)`, ""},
		{"white space", " \n\t", 0, `a.har:2:2: the file is empty, expected a JSON object with "log" (byte 3)`, ""},
		{"HTML", "<!doctype html>", 0, `a.har:1:1: expected a JSON object with "log", found '<' (byte 0)`, "this looks like HTML or XML; export the capture as HAR"},
		{"HARP", "onInputData({\"log\":{}})", 0, `a.har:1:1: expected a JSON object with "log", found 'o' (byte 0)`, "this looks like HARP, a HAR in a call of onInputData(…); take the call away around it"},
		{"a call of nothing", "(1)", 0, `a.har:1:1: expected a JSON object with "log", found '(' (byte 0)`, ""},
		{"text", "hello", 0, `a.har:1:1: expected a JSON object with "log", found 'h' (byte 0)`, ""},
		{"binary", "\x00\x01\x02\x03", 0, `a.har:1:1: expected a JSON object with "log", found the byte 0x01 (byte 0)`, ""},
		{"ZIP", "PK\x03\x04....", 0, `a.har: expected JSON, found a ZIP archive`, "unpack the archive and check the .har file in it"},
		{"zstd", "\x28\xb5\x2f\xfd....", 0, `a.har: expected JSON, found zstd data`, "unpack it with zstd -d"},
		{"list", "[]", 0, `a.har:1:1: expected a JSON object with "log", found '[' (byte 0)`, ""},
		{"empty object", "{}", 0, `a.har:1:3: expected the object to have "log", found none: this is JSON, but no HAR (byte 2)`, ""},
		{"no log", `{"a":1}`, 0, `a.har:1:8: expected the object to have "log", found none: this is JSON, but no HAR (byte 7)`, ""},
		{"log is null", `{"log":null}`, 0, `a.har:1:8: expected an object, found 'n' (byte 7)`, ""},
		{"no entries", `{"log":{"version":"1.2"}}`, 0, `a.har:1:25: expected "log" to have the array "entries", found none (byte 24)`, ""},
		{"entries are null", `{"log":{"entries":null}}`, 0, `a.har:1:19: expected "entries" to be an array, found 'n' (byte 18)`, ""},
		{"entries are an object", `{"log":{"entries":{}}}`, 0, `a.har:1:19: expected "entries" to be an array, found '{' (byte 18)`, ""},
		{"NaN", wrap(good, `{"time":NaN}`), 1, `a.har:3:9: entry 2: expected a value, found NaN, which JSON does not have (byte 111)`, ""},
		{"Infinity", wrap(`{"timings":{"wait":-Infinity}}`), 0, `a.har:2:21: entry 1: expected a digit, found Infinity, which JSON does not have (byte 40)`, ""},
		{"undefined", wrap(`{"x":undefined}`), 0, `a.har:2:6: entry 1: expected a value, found undefined, which JSON does not have (byte 25)`, ""},
		{"comma missing", wrap(good + " " + other), 1, `a.har:2:83: expected "," or "]", found '{' (byte 102)`, ""},
		{"trailing comma", `{"log":{"entries":[` + good + `,]}}`, 1, `a.har:1:102: entry 2: expected an entry, found ']' (byte 101)`, ""},
		{"raw line end in a string", wrap("{\"a\":\"x\ny\"}"), 0, `a.har:2:8: entry 1: expected a character of a string (control characters are written as escapes), found the byte 0x0a (byte 27)`, ""},
		{"bad escape", wrap(`{"a":"\q"}`), 0, `a.har:2:8: entry 1: expected an escape (one of "\/bfnrtu), found 'q' (byte 27)`, ""},
		{"truncated in the second entry", wrap(good, other)[:130], 1, `a.har:3:28: entry 2: the file ends here, expected a member name in quotes (byte 130)`, ""},
		{"truncated between entries", wrap(good, other)[:103], 1, `a.har:3:1: entry 2: the file ends here, expected an entry (byte 103)`, ""},
		{"truncated in a string", wrap(good, other)[:128], 1, `a.har:3:26: entry 2: the file ends here, expected the end of a string (byte 128)`, ""},
		{"nothing is wrong", wrap(good, other), 2, "", ""},
		{"last brace missing", strings.TrimSuffix(wrap(good), "}"), 1, `a.har:3:3: the file ends here, expected "}" or a further member of the object (byte 104)`, ""},
		{"trailing garbage", wrap(good) + "\n\n  x", 1, `a.har:5:3: expected the end of the file, found 'x' (byte 109)`, ""},
		{"two files in one", wrap(good) + wrap(other), 1, `a.har:3:4: expected the end of the file, found '{' (byte 105)`, ""},
		{"NUL at the end", wrap(good) + "\x00", 1, `a.har:3:4: expected the end of the file, found the byte 0x00 (byte 105)`, ""},
		{"nested too deep", `{"log":{"x":` + strings.Repeat("[", 20_000), 0, `a.har:1:10011: nested deeper than 10000 levels (byte 10010)`, ""},
		{"entry is null", wrap("null", good), 1, `a.har:2:1: entry 1: expected an object with a request (byte 20)`, ""},
		{"entries of wrong types", wrap("1", good, "[]", other, `"x"`), 2, `a.har:2:1: entry 1: expected an object with a request (byte 20); 2 more entries are damaged`, ""},
		{"no request", wrap(good, `{}`), 1, `a.har:3:1: entry 2: expected request.url to be an absolute URL, found none (byte 103)`, ""},
		{"URL without a host", wrap(`{"request":{"url":"https:///x"}}`, good), 1, `a.har:2:1: entry 1: expected request.url to be an absolute URL with a host, found "https:///x" (byte 20)`, ""},
		{"relative URL without Host", wrap(`{"request":{"url":"/x"}}`, good), 1, `a.har:2:1: entry 1: expected request.url to be an absolute URL with a host, found "/x" (byte 20)`, ""},
		{"damage twice", wrap(`{}`, good, `{"time":NaN}`), 1, `a.har:4:9: entry 3: expected a value, found NaN, which JSON does not have (byte 115); one more entry is damaged`, ""},
		{"contact without a record", `{"log":{"entries":[],"_contacts":[{"x":1}]}}`, 0, `a.har:1:35: expected an element of _contacts to have a _telltale object (byte 34)`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			flows, _, err := read(t, []byte(tt.data))
			if len(flows) != tt.flows {
				t.Errorf("%d flows, want %d", len(flows), tt.flows)
			}
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var damage *har.Error
			if !errors.As(err, &damage) {
				t.Fatalf("error %v", err)
			}
			if err.Error() != tt.want || damage.Hint() != tt.hint {
				t.Errorf("error %s\nwant  %s\nhint %q", err, tt.want, damage.Hint())
			}
		})
	}
}

// However a file is cut, it is an error, and the flows of its whole entries come.
func TestEveryTruncationIsAnError(t *testing.T) {
	data := strings.TrimSpace(string(sample(t, "chrome.har")))
	whole, _, _ := read(t, []byte(data))
	for n := 0; n < len(data); n += raced.Size(1, 11) {
		flows, _, err := read(t, []byte(data[:n]))
		var damage *har.Error
		if !errors.As(err, &damage) {
			t.Fatalf("cut at %d: error %v", n, err)
		}
		if len(flows) > len(whole) || damage.Offset > int64(n) {
			t.Fatalf("cut at %d: %d flows, error at %d", n, len(flows), damage.Offset)
		}
		for i, f := range flows {
			if line(f) != line(whole[i]) {
				t.Fatalf("cut at %d: %s", n, line(f))
			}
		}
	}
}

// TestUnpackedOnTheWay reads files that are unpacked while they are read, whole and
// damaged.
func TestUnpackedOnTheWay(t *testing.T) {
	data := gzipped(t, file(t, 200))
	unpacked := func(packed []byte) (int, error) {
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		_, err = har.Read(z, har.Options{Name: "x.har"}, func(*flow.Flow) error { n++; return nil })
		return n, err
	}
	if n, err := unpacked(data); err != nil || n != 200 {
		t.Errorf("%d flows, error %v", n, err)
	}
	if n, err := unpacked(data[:len(data)/2]); err == nil || !strings.Contains(err.Error(), "the compressed data ends early") || n == 0 {
		t.Errorf("truncated: %d flows, error %v", n, err)
	}
	bad := bytes.Clone(data)
	bad[len(bad)-5] ^= 1 // the checksum
	if n, err := unpacked(bad); err == nil || n != 200 {
		t.Errorf("damaged at the end: %d flows, error %v", n, err)
	}
}

func TestOtherEncodings(t *testing.T) {
	text := wrap(`{"comment":"é 😀","request":{"method":"GET","url":"https://a.example/é😀"},"response":{"status":200}}`)
	units := utf16.Encode([]rune("\ufeff" + text))
	encode := func(order binary.AppendByteOrder, units []uint16) string {
		var out []byte
		for _, u := range units {
			out = order.AppendUint16(out, u)
		}
		return string(out)
	}
	for name, data := range map[string]string{
		"BOM": "\xef\xbb\xbf" + text, "CRLF": strings.ReplaceAll(text, "\n", "\r\n"),
		"UTF-16LE": encode(binary.LittleEndian, units), "UTF-16BE": encode(binary.BigEndian, units),
		"UTF-16LE without BOM": encode(binary.LittleEndian, units[1:]), "UTF-16BE without BOM": encode(binary.BigEndian, units[1:]),
	} {
		t.Run(name, func(t *testing.T) {
			flows, info, err := read(t, []byte(data))
			if err != nil || len(flows) != 1 || flows[0].Request.URL != "https://a.example/é😀" || flows[0].Origin.Line != 2 {
				t.Fatalf("%d flows, error %v", len(flows), err)
			}
			if strings.HasPrefix(name, "UTF-16") != (len(info.Notes) == 2) { // one is on the date
				t.Errorf("notes %q", info.Notes)
			}
		})
	}
	// Half a unit at the end, and a surrogate alone.
	if _, _, err := read(t, []byte(encode(binary.LittleEndian, units)[:101])); err == nil {
		t.Error("half a unit is no error")
	}
	alone := utf16.Encode([]rune(wrap(`{"request":{"url":"https://a.example/X"}}`)))
	for i, u := range alone {
		if u == 'X' {
			alone[i] = 0xd800
		}
	}
	if flows, _, err := read(t, []byte(encode(binary.LittleEndian, alone))); err != nil || flows[0].Request.URL != "https://a.example/\ufffd" {
		t.Errorf("error %v", err)
	}
}

// Types that hide what a verdict goes by are damage, and the flow counts.
func TestWrongTypesThatHide(t *testing.T) {
	for entry, want := range map[string]string{
		`{"request":{"url":"https://a.example/","headers":"x"}}`:                          "expected headers to be an array, found a string",
		`{"request":{"url":"https://a.example/"},"response":{"headers":7}}`:               "expected headers to be an array, found a number",
		`{"request":{"url":"https://a.example/","method":{}}}`:                            "expected request.method to be a string, found an object",
		`{"request":{"url":"https://a.example/"},"response":{"status":[200]}}`:            "expected response.status to be a number, found an array",
		`{"request":{"url":"https://a.example/"},"response":"none"}`:                      "expected response to be an object, found a string",
		`{"request":{"url":"https://a.example/"},"response":null}`:                        "",
		`{"request":{"url":"https://a.example/","headers":{"Host":"a.example"}}}`:         "",
		`{"request":{"url":"https://a.example/","method":null},"response":{"status":""}}`: "",
	} {
		flows, _, err := read(t, []byte(wrap(entry)))
		if len(flows) != 1 || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), "entry 1: "+want) {
			t.Errorf("%s: %d flows, error %v", entry, len(flows), err)
		}
	}
	flows, _, err := read(t, []byte(wrap(`{"request":{"url":["https://a.example/"]}}`)))
	if len(flows) != 0 || err == nil {
		t.Errorf("a list for a URL: %d flows, error %v", len(flows), err)
	}
}

// What stands before an @ in a URL that cannot be read may be a password.
func TestUnusableURLsHidePasswords(t *testing.T) {
	for _, url := range []string{"https//user:hunter2@ x", "https://user:hunter2@"} {
		_, _, err := read(t, []byte(wrap(`{"request":{"url":"`+url+`"}}`)))
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), flow.Redacted+"@") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestFailingDisk(t *testing.T) {
	for _, n := range []int{0, 30, 130} {
		r := io.MultiReader(strings.NewReader(wrap(good, other)[:n]), iotest.ErrReader(fs.ErrPermission))
		_, err := har.Read(r, har.Options{Name: "a.har"}, func(*flow.Flow) error { return nil })
		var damage *har.Error
		if !errors.As(err, &damage) || !errors.Is(err, fs.ErrPermission) {
			t.Errorf("after %d bytes: error %v", n, err)
		}
	}
}

// Inside an entry nothing but its URL is needed: every member may be null, there twice
// or, but for those that a verdict goes by, of any other type. The flow counts in any
// case.
func TestWrongTypesInsideEntries(t *testing.T) {
	values := []string{"null", "true", "1.5e3", `"text"`, `"-1"`, `[]`, `{}`, `[null,1,"a",{},[]]`, `{"name":null,"text":[],"params":{},"value":1}`, `-0`, `1e999`, `""`}
	entryMembers := []string{
		"startedDateTime", "time", "response", "cache", "timings", "serverIPAddress", "connection", "pageref", "_error", "_failureText",
		"_wasAborted", "_resourceType", "_webSocketMessages", "_securityDetails", "_serverPort", "_tls_version", "_telltale", "_initiator",
	}
	requestMembers := []string{"method", "httpVersion", "headers", "cookies", "queryString", "postData", "headersSize", "bodySize", "_content", "_trailers", "_requestBodyStatus"}
	responseMembers := []string{"status", "statusText", "httpVersion", "headers", "content", "redirectURL", "bodySize", "_transferSize", "_error"}
	strict := regexp.MustCompile(`entry 1: expected (response|request\.method|response\.status|headers) to be (an object|a string|a number|an array), found `)
	check := func(entry string) {
		t.Helper()
		flows, _, err := read(t, []byte(wrap(entry)))
		if err != nil && !strict.MatchString(err.Error()) || len(flows) != 1 || flows[0].Host() != "a.example" {
			t.Errorf("%s: %d flows, error %v", entry, len(flows), err)
		}
	}
	for _, v := range values {
		for _, m := range entryMembers {
			check(fmt.Sprintf(`{"%s":%s,"request":{"url":"https://a.example/"},"%[1]s":%[2]s}`, m, v))
		}
		for _, m := range requestMembers {
			check(fmt.Sprintf(`{"request":{"%s":%s,"url":"https://a.example/","%[1]s":%[2]s}}`, m, v))
		}
		for _, m := range responseMembers {
			check(fmt.Sprintf(`{"request":{"url":"https://a.example/"},"response":{"%s":%s}}`, m, v))
		}
		for _, m := range []string{"text", "size", "mimeType", "encoding", "params"} {
			check(fmt.Sprintf(`{"request":{"url":"https://a.example/","postData":{"%s":%s}},"response":{"content":{"%[1]s":%[2]s}}}`, m, v))
		}
		for _, m := range []string{"version", "creator", "browser", "pages", "comment", "_tlsErrors"} {
			data := fmt.Sprintf(`{"%s":%s,"log":{"%[1]s":%[2]s,"entries":[%[3]s]}}`, m, v, good)
			if flows, _, err := read(t, []byte(data)); err != nil || len(flows) == 0 {
				t.Errorf("%s: %d flows, error %v", data, len(flows), err)
			}
		}
	}
}
