package capture

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/flow/flowtest"
)

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

// searchable returns flows whose place of the word is told by their ID.
func searchable() []*flow.Flow {
	ws := flowtest.WebSocket("wss://ws.example/", []flow.Frame{flowtest.Text(true, 0, "ping pong framed words")})
	ws.Frames = append(ws.Frames, flow.Frame{Time: flowtest.Epoch, Opcode: 2, Data: []byte{0, 1, 2}})
	binary := flowtest.Get("https://bin.example/", flowtest.ResponseBody("image/png", "\x89PNG\x00binaryword"))
	return flowtest.Number(
		flowtest.Get("https://clients3.google.com/generate_204?Secret=Zürich"),
		flowtest.Get("https://a.example/", flowtest.Header("X-Token", "alpha beta gamma")),
		flowtest.Get("https://a.example/", flowtest.ResponseHeader("X-Answer", "headed back")),
		flowtest.Post("https://a.example/", `{"email": "ann@example.org"}`),
		flowtest.Get("https://a.example/", flowtest.ResponseBody("text/html", gzipped("<p>packed words here</p>")), flowtest.ResponseHeader("Content-Encoding", "gzip")),
		ws,
		flowtest.Failed("https://down.example/", flow.FailureTimeout),
		flowtest.Get("https://still.example/opened-path", flowtest.Outcome(flow.Open)),
		binary,
		flowtest.Get("https://a.example/", flowtest.ResponseBody("text/plain", strings.Repeat("é", maxText))),
	)
}

func TestSearch(t *testing.T) {
	tests := []struct {
		text string
		want []flow.ID
	}{
		{"generate_204", []flow.ID{1}},
		{"GENERATE 20", []flow.ID{1}}, // the last word may be only begun
		{"204 generate", nil},         // in that order
		{"generate secret", nil},      // next to each other
		{"zürich", []flow.ID{1}}, {"ZÜR", []flow.ID{1}}, {"zurich", nil},
		{"X-Token: alpha beta", []flow.ID{2}}, {"beta gam", []flow.ID{2}}, {"alpha gamma", nil},
		{"headed back", []flow.ID{3}},
		{"ann@example.org", []flow.ID{4}},
		{"packed words", []flow.ID{5}},
		{"framed words", []flow.ID{6}},
		{"could not be reached", []flow.ID{7}},
		{"opened path", []flow.ID{8}},
		{"binaryword", nil},
		{"words", []flow.ID{5, 6}},
		{"éé", []flow.ID{10}},
		{"nowhere", nil},
		{"?!", nil},
		{`" OR text:x* NEAR(`, nil}, // no syntax of the index reaches the user
		{"\xff\x00", nil},
	}
	path := filepath.Join(t.TempDir(), "x.telltale")
	s, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range searchable() {
		s.Observe(f)
	}
	check := func(what string) {
		t.Helper()
		for _, tt := range tests {
			page, err := s.Flows(context.Background(), Query{Text: tt.text})
			var got []flow.ID
			for _, r := range page {
				got = append(got, r.Flow.ID)
			}
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("%s: %q finds %v, want %v, error %v", what, tt.text, got, tt.want, err)
			}
		}
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	check("as it comes")
	// Half of it indexed, then all.
	if err := s.worker.do(func() error { _, err := s.worker.index.kind(docHeaders); return err }); err != nil {
		t.Fatal(err)
	}
	check("headers indexed")
	if err := s.worker.do(func() error { _, err := s.worker.index.step(time.Minute); return err }); err != nil {
		t.Fatal(err)
	}
	check("indexed")
	s.Close()
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	check("read back")
	n := 0
	err = s.read(context.Background(), func(c *conn) error {
		rows, err := c.integer("SELECT count(*) FROM search('words')")
		n = int(rows)
		return err
	})
	if err != nil || n != 2 {
		t.Errorf("%d documents in the index, error %v", n, err)
	}
	page, err := s.Flows(context.Background(), Query{Text: "example", Host: "a.example", Last: true, Limit: 2})
	if err != nil || len(page) != 2 || page[0].Flow.ID != 5 || page[1].Flow.ID != 10 {
		t.Errorf("text and host: %v, error %v", page, err)
	}
	s.Close()
}

// With nothing to record the index is kept up without being asked.
func TestIndexCatchesUpWhenIdle(t *testing.T) {
	s, err := Create(filepath.Join(t.TempDir(), "x.telltale"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 500 {
		s.Observe(flowtest.Get(fmt.Sprintf("https://x.example/%d", i), flowtest.ID(s.NextID())))
	}
	deadline := time.Now().Add(20 * time.Second)
	for indexed := int64(0); indexed < 500; {
		if time.Now().After(deadline) {
			t.Fatalf("%d flows are indexed", indexed)
		}
		err := s.read(context.Background(), func(c *conn) (err error) {
			indexed, err = c.integer("SELECT value FROM meta WHERE key = 'indexed_texts'")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestWords(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		" \t-":                           "",
		"Generate_204":                   " generate 204",
		"https://A.example/x?y=1":        " https a example x y 1",
		"ΑΒΓ déjà vu":                    " αβγ déjà vu",
		"a\x00b\xffc":                    " a b c",
		"e\u0301te\u0301":                " e\u0301te\u0301", // a combining mark is part of its word
		strings.Repeat("ab ", 3) + "! c": " ab ab ab c",
	} {
		if got := words(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add("Generate_204 é")
	f.Fuzz(func(t *testing.T, s string) {
		w := words(s)
		if again := words(w); again != w {
			t.Errorf("%q becomes %q becomes %q", s, w, again)
		}
	})
}
