package har_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"telltale/flow"
	"telltale/har"
)

// archived is what Playwright writes for recordHar with content "attach", or into
// a .zip: the HAR and its bodies side by side, named by their SHA-1, the messages
// of a WebSocket by a random name.
var archived = map[string]string{
	"har.har": wrap(
		`{"startedDateTime":"2026-03-01T10:00:00.000Z","request":{"method":"POST","url":"https://play.example/api","postData":{"mimeType":"application/x-www-form-urlencoded","text":"","params":[{"name":"a","value":"1 2"}],"_file":"c03d6229849e17c205126db057fb866f03bfbd39.dat"},"bodySize":5},
"response":{"status":200,"headers":[{"name":"content-encoding","value":"gzip"}],"content":{"size":8,"mimeType":"application/json","compression":0,"_file":"2fa65658741c8c2f81db36d6ceb595d3d6596d23.json"},"bodySize":28}}`,
		`{"startedDateTime":"2026-03-01T10:00:00.000Z","request":{"method":"GET","url":"wss://play.example/ws","bodySize":-1},"response":{"status":101,"content":{"size":-1,"mimeType":"x-unknown","_file":"185806bbcac509cc02d5d37830e76bec.jsonl"},"bodySize":-1},"_resourceType":"websocket"}`,
		`{"startedDateTime":"2026-03-01T10:00:00.000Z","request":{"method":"GET","url":"https://play.example/old"},"response":{"status":200,"content":{"size":4,"mimeType":"image/png","_sha1":"69440ff08eaf293d247e5a4b89182ae6dd15e4f5.png"},"bodySize":4}}`,
	),
	"c03d6229849e17c205126db057fb866f03bfbd39.dat":  "a=1+2",
	"2fa65658741c8c2f81db36d6ceb595d3d6596d23.json": `{"n":19}`,
	"69440ff08eaf293d247e5a4b89182ae6dd15e4f5.png":  "R0lGODlhAQABAA==", // content, whatever it looks like
	"185806bbcac509cc02d5d37830e76bec.jsonl": `{"type":"send","time":1772359200250.5,"opcode":1,"data":"hello"}` + "\n" +
		`{"type":"receive","time":1772359200260,"opcode":2,"data":"AQID"}` + "\n",
}

func TestBodiesBesideTheFile(t *testing.T) {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	for name, content := range archived {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(f, content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		t.Fatal(err)
	}
	file, err := z.Open("har.har")
	if err != nil {
		t.Fatal(err)
	}
	var flows []*flow.Flow
	opts := har.Options{Bodies: true, Attached: func(name string) (io.ReadCloser, error) { return z.Open(name) }}
	info, err := har.Read(file, opts, func(f *flow.Flow) error { flows = append(flows, f); return nil })
	if err != nil || len(flows) != 3 || info.Notes != nil {
		t.Fatalf("%d flows, notes %q, error %v", len(flows), info.Notes, err)
	}
	if b := flows[0].Request.Body; string(b.Content) != "a=1+2" || b.Size != 5 || b.Truncated {
		t.Errorf("request body %+v", b)
	}
	if b := flows[0].Response.Body; string(b.Content) != `{"n":19}` || b.Size != 8 || b.Truncated || !b.Decoded {
		t.Errorf("response body %+v", b)
	}
	if b := flows[2].Response.Body; string(b.Content) != "R0lGODlhAQABAA==" || b.Size != 16 {
		t.Errorf("body under _sha1 %+v", b)
	}
	ws := flows[1]
	if ws.Kind != flow.WebSocket || len(ws.Frames) != 2 || ws.Sent != 5 || ws.Received != 3 || ws.Response.Body.Size != 0 {
		t.Fatalf("messages %+v, %+v", ws.Frames, ws.Response.Body)
	}
	if a, b := ws.Frames[0], ws.Frames[1]; string(a.Data) != "hello" || !a.FromClient || a.Time.UnixMicro() != 1772359200250500 || string(b.Data) != "\x01\x02\x03" {
		t.Errorf("messages %+v", ws.Frames)
	}
}

// beside is a file with one entry that keeps its body beside it.
func beside(name string) string {
	quoted, _ := json.Marshal(name) // a string always can
	return wrap(fmt.Sprintf(`{"startedDateTime":"2026-03-01T10:00:00Z","request":{"method":"GET","url":"https://a.example/"},"response":{"status":200,"bodySize":70,"content":{"size":500,"_file":%s}}}`, quoted))
}

// readBeside reads it and returns the body and the names that were asked for.
func readBeside(t *testing.T, data string, opts har.Options, open func() (io.ReadCloser, error)) (flow.Body, []string, har.Info) {
	t.Helper()
	var asked []string
	if open != nil {
		opts.Attached = func(name string) (io.ReadCloser, error) {
			asked = append(asked, name)
			return open()
		}
	}
	var body flow.Body
	info, err := har.Read(strings.NewReader(data), opts, func(f *flow.Flow) error { body = f.Response.Body; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return body, asked, info
}

func text(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func TestHostileNamesAreNotAskedFor(t *testing.T) {
	for _, name := range []string{"a.html", "resources/0beec7.css", "é.txt", "a b"} {
		body, asked, info := readBeside(t, beside(name), har.Options{Bodies: true}, text("hello"))
		if !slices.Equal(asked, []string{name}) || string(body.Content) != "hello" || body.Size != 5 || info.Notes != nil {
			t.Errorf("%q: asked %q, %+v, notes %q", name, asked, body, info.Notes)
		}
	}
	for _, name := range []string{
		"/etc/passwd", "../a", "a/../../b", "a/../b", ".", "..", "./a", "a//b", "a/", `..\a`, `a\b`, `C:\a`, "C:a", "a:b", "//host/share", "a\x00b", "a\nb", "a\x1bb", strings.Repeat("a", 2000),
	} {
		body, asked, info := readBeside(t, beside(name), har.Options{Bodies: true}, text("hello"))
		if asked != nil || body.Size != 500 || !body.Truncated || len(info.Notes) != 1 || !strings.Contains(info.Notes[0], "leads out") {
			t.Errorf("%q: asked %q, %+v, notes %q", name, asked, body, info.Notes)
		}
	}
	for _, value := range []string{"null", "7e400", "[]", "{}", "true", `""`} {
		data := strings.Replace(beside("x"), `"x"`, value, 1)
		if body, _, _ := readBeside(t, data, har.Options{Bodies: true}, text("")); body.Size > 500 {
			t.Errorf("%s: %+v", value, body)
		}
	}
}

func TestBodiesBesideAreBounded(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	body, _, info := readBeside(t, beside("a"), har.Options{Bodies: true, BodyLimit: 1000}, text(long))
	if len(body.Content) != 1000 || body.Size != 100_000 || !body.Truncated || info.Notes != nil {
		t.Errorf("%d bytes of %d, notes %q", len(body.Content), body.Size, info.Notes)
	}
	if body, _, _ := readBeside(t, beside("a"), har.Options{Bodies: true}, text("")); body.Size != 0 || body.Truncated {
		t.Errorf("an empty file: %+v", body)
	}
}

func TestBodiesBesideThatCannotBeRead(t *testing.T) {
	body, asked, info := readBeside(t, beside("a"), har.Options{}, text("hello"))
	if asked != nil || body.Size != 500 || info.Notes != nil {
		t.Errorf("without bodies: asked %q, %+v, notes %q", asked, body, info.Notes)
	}
	body, _, info = readBeside(t, beside("a"), har.Options{Bodies: true}, nil)
	if body.Size != 500 || len(info.Notes) != 1 || !strings.Contains(info.Notes[0], "left out: 1") {
		t.Errorf("without Attached: %+v, notes %q", body, info.Notes)
	}
	for name, open := range map[string]func() (io.ReadCloser, error){
		"absent":  func() (io.ReadCloser, error) { return nil, errors.New("absent") },
		"nothing": func() (io.ReadCloser, error) { return nil, nil },
		"breaks off": func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("hello"), iotest.ErrReader(io.ErrUnexpectedEOF))), nil
		},
	} {
		body, _, info = readBeside(t, beside("a"), har.Options{Bodies: true}, open)
		if body.Size != 500 || !body.Truncated || info.LeftOut != 1 || len(info.Notes) != 1 || !strings.Contains(info.Notes[0], "cannot be opened or read whole: 1") {
			t.Errorf("%s: %+v, notes %q", name, body, info.Notes)
		}
	}
	// Messages of a WebSocket that are damaged: those before the damage count.
	socket := strings.Replace(archived["har.har"], "https://play.example/old", "https://a.example/", 1)
	opts := har.Options{Bodies: true, Attached: func(name string) (io.ReadCloser, error) {
		return text(`{"type":"send","opcode":1,"data":"one"} {"type":"send","data":NaN}`)()
	}}
	var frames int
	info, err := har.Read(strings.NewReader(socket), opts, func(f *flow.Flow) error { frames += len(f.Frames); return nil })
	if err != nil || frames != 1 || info.Entries != 3 || len(info.Notes) != 1 || !strings.Contains(info.Notes[0], "read whole: 1") {
		t.Errorf("%d messages, %+v, error %v", frames, info, err)
	}
}

// The same content beside the text and in it: the text is there already.
func TestTextWinsOverTheFileBeside(t *testing.T) {
	data := strings.Replace(beside("a"), `"size":500`, `"text":"here"`, 1)
	body, asked, _ := readBeside(t, data, har.Options{Bodies: true}, text("there"))
	if asked != nil || string(body.Content) != "here" {
		t.Errorf("asked %q, %+v", asked, body)
	}
}
