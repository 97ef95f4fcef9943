package pretty

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"telltale/flow"
)

// prefixedWith puts the prefix of a length-prefixed message before it.
func prefixedWith(flags byte, message string) string {
	return string(binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(message)))) + message
}

// hide masks one value, as a policy does.
func hide(value string) func(string) string {
	return func(s string) string { return strings.ReplaceAll(s, value, flow.Redacted) }
}

// golden documents. Samples in testdata with a program's name were made by it.
var goldens = map[string]func(t testing.TB) Document{
	"json": func(t testing.TB) Document {
		return Body("application/json", "", body(sample(t, "python.json")), Options{})
	},
	"json-gzip": func(t testing.TB) Document {
		return Body("application/octet-stream", "gzip", body(sample(t, "python.json.gz")), Options{})
	},
	"json-masked": func(t testing.TB) Document {
		return Body("", "", body(sample(t, "python.json")), Options{Mask: hide("9007199254740993")})
	},
	"json-cut": func(testing.TB) Document {
		b := flow.Body{Size: 3<<20 + 200<<10, Content: []byte(`{"a":[1,{"b":"some te`), Truncated: true}
		return Body("application/json", "", b, Options{})
	},
	"json-damaged": func(testing.TB) Document {
		return Body("application/json", "", body("{\"a\": 1,\n \"b\": oops, \"c\": 2}\n"), Options{})
	},
	"json-lines": func(testing.TB) Document {
		return Body("application/x-ndjson", "", body("{\"a\":1}\n{\"a\":2}\n3\n"), Options{})
	},
	"json-guarded": func(testing.TB) Document {
		return Body("text/plain", "", body(")]}'\n\n[[\"wrb.fr\",null,\"[1,[\\\"x\\\"]]\"]]"), Options{})
	},
	"form": func(t testing.TB) Document {
		return Body("application/x-www-form-urlencoded; charset=UTF-8", "", body(sample(t, "python.form")), Options{})
	},
	"query": func(testing.TB) Document { return Query("q=a%20b&x&e=%E2%80%AEevil&bad=%zz", Options{}) },
	"multipart": func(t testing.TB) Document {
		return Body(sample(t, "curl.multipart.type"), "", body(sample(t, "curl.multipart")), Options{})
	},
	"protobuf": func(t testing.TB) Document {
		return Body("application/x-protobuf", "", body(sample(t, "struct.protobuf")), Options{})
	},
	"protobuf-undeclared": func(t testing.TB) Document {
		return Body("application/octet-stream", "", body(sample(t, "descriptor.protobuf")), Options{})
	},
	"protobuf-scalars": func(testing.TB) Document {
		return Body("application/protobuf", "", body("\x08\x96\x01\x10\x80\x8c\xd5\xb4\x06\x1d\x00\x00\x80\x3f\x21\x1f\x85\xebQ\xb8\x1e\x09@\x2a\x03\x01\x02\x83\x32\x00\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x43\x08\x01\x44"), Options{})
	},
	"grpc": func(t testing.TB) Document {
		message := sample(t, "struct.protobuf")
		return Body("application/grpc+proto", "", body(prefixedWith(0, message)+prefixedWith(1, "\x00\x01unknown")+prefixedWith(0, "")+prefixedWith(0, message)[:20]), Options{})
	},
	"grpc-web": func(testing.TB) Document {
		return Body("application/grpc-web-text", "", body("AAAAAAQKAmhpgAAAAA8=Z3JwYy1zdGF0dXM6MA0K"), Options{})
	},
	"xml": func(t testing.TB) Document {
		return Body("application/xml", "", body(sample(t, "python.xml")), Options{})
	},
	"html": func(testing.TB) Document {
		return Body("text/html", "", body("<!DOCTYPE html>\n<html><body><p>unclosed<br>text\x1b[31m</body></html>\n"), Options{})
	},
	"events": func(testing.TB) Document {
		return Body("text/event-stream", "", body(": keep\nevent: add\ndata: {\"a\":[1]}\nid\n\ndata: plain\n"), Options{})
	},
	"javascript": func(testing.TB) Document {
		return Body("text/javascript", "", body("function f() {\r\n\treturn '\\x1b\u200b';\r\n}"), Options{})
	},
	"latin1": func(testing.TB) Document {
		return Body("text/plain; charset=ISO-8859-1", "", body("caf\xe9"), Options{})
	},
	"utf16": func(testing.TB) Document {
		return Body("", "", body("\xff\xfe{\x00\"\x00a\x00\"\x00:\x001\x00}\x00"), Options{})
	},
	"png":  func(t testing.TB) Document { return Body("text/html", "", body(sample(t, "chromium.png")), Options{}) },
	"jpeg": func(t testing.TB) Document { return Body("image/png", "", body(sample(t, "chromium.jpeg")), Options{}) },
	"gif":  func(t testing.TB) Document { return Body("image/gif", "", body(sample(t, "small.gif")), Options{}) },
	"webp": func(t testing.TB) Document {
		return Body("image/webp", "", body(sample(t, "chromium.webp")), Options{})
	},
	"pdf": func(testing.TB) Document {
		return Body("application/pdf", "", body("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), Options{})
	},
	"empty":   func(testing.TB) Document { return Body("text/plain", "", flow.Body{}, Options{}) },
	"missing": func(testing.TB) Document { return Body("text/plain", "gzip", flow.Body{Size: 4096}, Options{}) },
	"gzip-ends-early": func(t testing.TB) Document {
		return Body("application/json", "gzip", body(sample(t, "python.json.gz")[:120]), Options{})
	},
	"coding-unknown": func(testing.TB) Document { return Body("text/plain", "compress", body("as it is"), Options{}) },
	"frame-deflated": func(t testing.TB) Document { return deflated(t, "zlib.frame1") },
	"frame-takeover": func(t testing.TB) Document { return deflated(t, "zlib.frame2") },
	"frame-close": func(testing.TB) Document {
		return Frame(flow.Frame{Opcode: 8, Size: 8, Data: []byte("\x03\xe9going\x07")}, Options{})
	},
}

func deflated(t testing.TB, name string) Document {
	data := []byte(sample(t, name))
	return Frame(flow.Frame{Opcode: 1, Size: int64(len(data)), Data: data, Compressed: true}, Options{})
}

// TestGoldens holds a document of every format, to be read by a person whenever it
// changes.
func TestGoldens(t *testing.T) {
	for name, build := range goldens {
		t.Run(name, func(t *testing.T) {
			d := build(t)
			hold(t, d, Options{})
			file := filepath.Join("testdata", name+".golden")
			got := marked(d)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := sample(t, name+".golden"); got != want {
				t.Errorf("%s has changed (run with -update and read the difference), got:\n%s", file, got)
			}
		})
	}
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if goldens[strings.TrimSuffix(filepath.Base(file), ".golden")] == nil {
			t.Errorf("%s belongs to no case", file)
		}
	}
}
