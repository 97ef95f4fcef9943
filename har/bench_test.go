package har_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/guard/raced"
	"telltale/har"
)

// generated is a HAR file of n entries as Chrome's developer tools write them,
// about 2 kB each, made as it is read: no test needs the disk for it.
type generated struct {
	left, next int
	buf        bytes.Buffer
}

func newGenerated(n int) *generated { return &generated{left: n} }

func (g *generated) Read(p []byte) (int, error) {
	for g.buf.Len() < len(p) && g.left >= 0 {
		switch {
		case g.next == 0:
			g.buf.WriteString("{\n  \"log\": {\n    \"version\": \"1.2\",\n    \"creator\": {\n      \"name\": \"WebInspector\",\n      \"version\": \"537.36\"\n    },\n    \"pages\": [],\n    \"entries\": [")
		case g.left == 0:
			g.buf.WriteString("\n    ]\n  }\n}\n")
		}
		if g.left > 0 {
			g.entry()
		}
		g.left--
		g.next++
	}
	if g.buf.Len() == 0 {
		return 0, io.EOF
	}
	return g.buf.Read(p)
}

var (
	paragraph = strings.Repeat(`{\"name\":\"value\",\"text\":\"a sentence of moderate length\"},`, 9)
	hosts     = []string{"api.canada.ca", "clients3.google.com", "cdn.example", "www.example"}
)

func (g *generated) entry() {
	if g.next > 0 {
		g.buf.WriteByte(',')
	}
	fmt.Fprintf(&g.buf, `
      {
        "_connectionId": "%[1]d",
        "_initiator": {
          "type": "script",
          "stack": {"callFrames": [{"functionName": "load", "scriptId": "12", "url": "https://%[2]s/app.js", "lineNumber": 1, "columnNumber": 20311}]}
        },
        "_priority": "High",
        "_resourceType": "fetch",
        "cache": {},
        "connection": "443",
        "request": {
          "method": "GET",
          "url": "https://%[2]s/v1/items/%[1]d?lang=en",
          "httpVersion": "http/2.0",
          "headers": [
            {
              "name": ":authority",
              "value": "%[2]s"
            },
            {
              "name": "accept-language",
              "value": "en-CA,en;q=0.9"
            },
            {
              "name": "user-agent",
              "value": "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36"
            }
          ],
          "queryString": [
            {
              "name": "lang",
              "value": "en"
            }
          ],
          "cookies": [],
          "headersSize": -1,
          "bodySize": 0
        },
        "response": {
          "status": 200,
          "statusText": "",
          "httpVersion": "http/2.0",
          "headers": [
            {
              "name": "content-type",
              "value": "application/json"
            },
            {
              "name": "date",
              "value": "Fri, 20 Nov 2026 12:00:00 GMT"
            }
          ],
          "cookies": [],
          "content": {
            "size": 540,
            "mimeType": "application/json",
            "text": "[%[3]s0]"
          },
          "redirectURL": "",
          "headersSize": -1,
          "bodySize": -1,
          "_transferSize": 412,
          "_error": null
        },
        "serverIPAddress": "192.0.2.10",
        "startedDateTime": "2026-11-20T12:00:00.125Z",
        "time": 95.20100000000001,
        "timings": {
          "blocked": 1.5,
          "dns": 4.25,
          "ssl": 20,
          "connect": 30,
          "send": 0.2,
          "wait": 50,
          "receive": 9.25,
          "_blocked_queueing": 0.7
        }
      }`, g.next, hosts[g.next%len(hosts)], paragraph)
}

func file(tb testing.TB, entries int) []byte {
	tb.Helper()
	data, err := io.ReadAll(newGenerated(entries))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// The benchmarks read one file of 2,000 entries from memory. std is the way
// without this package: encoding/json into structs.
func BenchmarkRead(b *testing.B) {
	data := file(b, 2000)
	for _, bodies := range []bool{false, true} {
		b.Run(fmt.Sprintf("bodies=%v", bodies), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				info, err := har.Read(bytes.NewReader(data), har.Options{Bodies: bodies}, func(*flow.Flow) error { return nil })
				if err != nil || info.Entries != 2000 {
					b.Fatal(info, err)
				}
			}
		})
	}
	b.Run("std", func(b *testing.B) {
		type message struct {
			Method, URL string
			Headers     []struct{ Name, Value string }
			Content     struct{ Text string }
		}
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			var log struct {
				Log struct {
					Entries []struct{ Request, Response message }
				}
			}
			if err := json.Unmarshal(data, &log); err != nil || len(log.Log.Entries) != 2000 {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	flows, _, err := read(b, file(b, 500))
	if err != nil {
		b.Fatal(err)
	}
	var size int64
	for b.Loop() {
		counter := new(countingWriter)
		w := har.NewWriter(counter, har.WriterOptions{Name: "telltale"})
		for _, f := range flows {
			if err := w.Write(f); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		size = counter.n
	}
	b.SetBytes(size)
}

type countingWriter struct{ n int64 }

func (w *countingWriter) Write(p []byte) (int, error) {
	w.n += int64(len(p))
	return len(p), nil
}

// Reading holds one entry, whatever the size of the file: the heap after 20,000
// entries is what it was after 1,000.
func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	raced.SkipMeasure(t)
	var early, late uint64
	n := 0
	_, err := har.Read(newGenerated(20_000), har.Options{Bodies: true}, func(*flow.Flow) error {
		n++
		if n == 1000 {
			early = heap()
		}
		if n == 20_000 {
			late = heap()
		}
		return nil
	})
	if err != nil || n != 20_000 {
		t.Fatalf("%d flows, error %v", n, err)
	}
	if late > early+1<<20 {
		t.Errorf("the heap grew from %d to %d bytes", early, late)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A single string of 128 MiB costs no memory either.
func TestGiantBodyIsCut(t *testing.T) {
	raced.SkipMeasure(t)
	const size = 128 << 20
	body := io.LimitReader(endless('x'), size)
	r := io.MultiReader(
		strings.NewReader(`{"log":{"entries":[{"request":{"method":"GET","url":"https://a.example/"},"response":{"status":200,"content":{"text":"`),
		body, strings.NewReader(`"}}},{"request":{"method":"GET","url":"https://b.example/"},"response":{"status":200}}]}}`))
	before, most, n := heap(), uint64(0), 0
	_, err := har.Read(r, har.Options{Bodies: true}, func(f *flow.Flow) error {
		if most, n = max(most, heap()), n+1; n == 1 {
			if b := f.Response.Body; b.Size != size || len(b.Content) != 1<<20 || !b.Truncated {
				t.Errorf("%d bytes of %d", len(b.Content), b.Size)
			}
		}
		return nil
	})
	if err != nil || n != 2 || most > before+16<<20 {
		t.Errorf("%d flows, error %v, heap from %d to %d", n, err, before, most)
	}
}

type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}
