package resources

import (
	"strings"
	"testing"

	"telltale/locate/reading"
)

// BenchmarkTexts reads the strings of tables and compiled XML, and joins those of source code.
func BenchmarkTexts(b *testing.B) {
	texts := make([]string, 20000)
	for i := range texts {
		texts[i] = "https://api.example.org/v1/" + strings.Repeat("x", i%60)
	}
	inUTF8 := tableOf(texts, []string{"string"}, []string{"url"})
	inUTF16 := chunkOf(chunkXML, nil, poolOf(false, texts...))
	code := strings.Repeat("  String url = \"https://\" + \"api.\" + HOST; // \"x\"\n  int n = call(1, 'c', other) * 2;\n", 20000)
	text := strings.Repeat(`{"url": "https://api.example.org/", "list": [1, 2, {"a": null}]},`+"\n", 20000)
	for _, bb := range []struct{ name, file, data string }{
		{"table UTF-8", "a.arsc", string(inUTF8)}, {"XML UTF-16", "a.xml", string(inUTF16)}, {"source joined", "a.java", code}, {"JSON settings", "a.json", text},
		{"XML settings", "a.xml", strings.Repeat(layout[22:], 5000)}, {"open JSON", "a.json", text},
	} {
		data := []byte(bb.data)
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				read(b, bb.name, bb.file, data)
			}
		})
	}
}

// read does what a benchmark's name says.
func read(b *testing.B, name, file string, data []byte) {
	b.Helper()
	d, err := Open(file, data)
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	switch {
	case strings.HasPrefix(name, "open"):
	case strings.HasSuffix(name, "settings"):
		d.(reading.Setter).Settings([]string{"apiKey", "baseUrl", "reachabilityUrl", "x-y"})
	case strings.HasSuffix(name, "joined"):
		d.(reading.Joiner).Joined(func(j reading.Joined) bool { n += len(j.Value); return true })
	default:
		d.Texts(func(t reading.Text) bool { n += len(t.Value); return true })
	}
}
