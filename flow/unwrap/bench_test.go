package unwrap_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"telltale/flow/flowtest"
	"telltale/flow/unwrap"
)

// analytics returns a JSON body of about so many bytes, as SDKs send them.
func analytics(size int) string {
	type event struct {
		Name       string         `json:"name"`
		Time       int64          `json:"client_event_time"`
		Session    string         `json:"session_id"`
		Properties map[string]any `json:"properties"`
	}
	var events []event
	for i := 0; ; i++ {
		events = append(events, event{
			Name: "screen_view", Time: 1790000000000 + int64(i), Session: fmt.Sprintf("6d92078a-8246-4ba4-ae5b-%012x", i),
			Properties: map[string]any{"screen": "ArticleDetailViewController", "duration_ms": 1234 + i, "dark_mode": true, "title": "Ten things to see in the old town this summer", "scale": 2.625},
		})
		if text, err := json.Marshal(map[string]any{"api_key": "0123456789abcdef0123456789abcdef", "events": events}); err != nil || len(text) >= size {
			return string(text)
		}
	}
}

func BenchmarkTextsJSON(b *testing.B) {
	f := flowtest.Post("https://api.example.com/2/httpapi", analytics(4<<10))
	b.SetBytes(int64(len(f.Request.Body.Content)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		unwrap.Texts(f, func(text []byte) bool { n += len(text); return true })
	}
}

func BenchmarkValuesJSON(b *testing.B) {
	f := flowtest.Post("https://api.example.com/2/httpapi", analytics(4<<10))
	b.SetBytes(int64(len(f.Request.Body.Content)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		unwrap.Values(f, func(v *unwrap.Value) bool { n += len(v.Text); return true })
	}
}

func BenchmarkTextsEscapedJSON(b *testing.B) {
	inner, err := json.Marshal(analytics(4 << 10))
	if err != nil {
		b.Fatal(err)
	}
	f := flowtest.Post("https://api.example.com/2/httpapi", `{"message":`+string(inner)+`}`)
	b.SetBytes(int64(len(f.Request.Body.Content)))
	b.ReportAllocs()
	for b.Loop() {
		unwrap.Texts(f, func(text []byte) bool { return true })
	}
}

func BenchmarkTextsHead(b *testing.B) {
	f := flowtest.Get("https://www.example.com/v1/articles/2026/11/some-article?utm_source=news&page=2",
		flowtest.Header("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
		flowtest.Header("Accept-Language", "de-DE,de;q=0.9"), flowtest.Header("Cookie", "sid=0123456789abcdef; theme=dark"))
	b.ReportAllocs()
	for b.Loop() {
		unwrap.Texts(f, func(text []byte) bool { return true })
	}
}

// TestPlainJSONAllocatesLittle, however many values it has.
func TestPlainJSONAllocatesLittle(t *testing.T) {
	f := flowtest.Post("https://api.example.com/2/httpapi", analytics(64<<10))
	for name, walk := range map[string]func(){
		"Texts":  func() { unwrap.Texts(f, func([]byte) bool { return true }) },
		"Values": func() { unwrap.Values(f, func(*unwrap.Value) bool { return true }) },
	} {
		// Nothing is usual; a pool may lose what it holds.
		if n := testing.AllocsPerRun(20, walk); n > 10 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
