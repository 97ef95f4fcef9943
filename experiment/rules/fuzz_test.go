package rules

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/martian/v3/parse"

	_ "github.com/google/martian/v3/port" // as far as martian's parser knows it
)

// FuzzParse holds that no text breaks the reading; and that what is accepted martian would
// accept as well and lose nothing of, applies to messages without an error, and leaves
// them with the length of their content.
func FuzzParse(f *testing.F) {
	for _, tt := range bad {
		f.Add([]byte(tt.text))
	}
	for _, dir := range []string{"../../docs/experiments/"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			if b, err := os.ReadFile(dir + e.Name()); err == nil && strings.HasSuffix(e.Name(), ".json") {
				f.Add(b)
			}
		}
	}
	for _, s := range []string{
		`{"priority.Group": {"modifiers": [{"priority": 1, "modifier": {"header.Copy": {"from": "A", "to": "B"}}}], "scope": ["request"]}}`,
		`{"fifo.Group": {"aggregateErrors": true, "modifiers": [{"cookie.Modifier": {"name": "a", "value": "b c,", "expires": "2026-04-01T00:00:00Z", "maxAge": -1}}, {"url.Modifier": {"path": "//a%", "query": "b"}}, {"querystring.Modifier": {"name": "q", "value": "é"}}]}}`,
		`{"port.Filter": {"port": 80, "modifier": {"header.RegexFilter": {"header": "A", "regex": "b", "modifier": {"status.Modifier": {"statusCode": 204}}}}}}`,
		`{"cookie.Filter": {"name": "a", "modifier": {"noop.Modifier": {}}, "else": {"body.Modifier": {"contentType": "a/b", "body": ""}}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse("rules.json", text)
		if err != nil {
			if r != nil || err.Error() == "" || strings.ContainsAny(err.Error(), "\x00\x07\x1b\r\t") {
				t.Fatalf("%q", err)
			}
			return
		}
		if _, err := parse.FromJSON(text); err != nil {
			t.Fatalf("martian refuses what we accept: %v", err)
		}
		complete(t, text)
		for _, asked := range []string{"", "bytes=1-99,3-4"} {
			req := asking(t, "POST", "http://api.example.com/me?q=1&%zz", "content", "Accept", "a", "Cookie", "a=1")
			if asked != "" {
				req.Header.Set("Range", asked)
			}
			if _, err := r.ModifyRequest(req); err != nil {
				t.Fatal(err)
			}
			if b, _ := io.ReadAll(req.Body); req.ContentLength != int64(len(b)) {
				t.Fatalf("%d bytes, said to be %d", len(b), req.ContentLength)
			}
			res := answering(req, 200, "content", "Set-Cookie", "a=1")
			if _, err := r.ModifyResponse(res); err != nil {
				t.Fatal(err)
			}
			if b, _ := io.ReadAll(res.Body); res.ContentLength != int64(len(b)) || res.StatusCode < 200 || res.StatusCode > 599 {
				t.Fatalf("%d: %d bytes, said to be %d", res.StatusCode, len(b), res.ContentLength)
			}
		}
	})
}

// complete says by a plain decoder, apart from the package's own reader, that every name in
// the text stands in the table, and none twice.
func complete(t *testing.T, text []byte) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	var value func(m *Modifier, item bool)
	value = func(m *Modifier, item bool) {
		tok, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		switch tok {
		case nil:
			t.Fatal("null was accepted")
		case json.Delim('['):
			for dec.More() {
				value(nil, m != nil && m.Name == "priority.Group")
			}
			dec.Token()
		case json.Delim('{'):
			seen := map[string]bool{}
			for dec.More() {
				key, _ := dec.Token()
				name := key.(string)
				next := (*Modifier)(nil)
				switch {
				case seen[name]:
					t.Fatalf("%q twice", name)
				case m != nil && m.field(name) != nil:
					if m.field(name).Kind == kindOrdered {
						next = m
					}
				case m == nil && !item && lookup(name) != nil:
					next = lookup(name)
				case item && (name == "priority" || name == "modifier"):
				default:
					t.Fatalf("%q was accepted", name)
				}
				seen[name] = true
				value(next, false)
			}
			dec.Token()
		}
	}
	value(nil, false)
	if _, err := dec.Token(); err != io.EOF {
		t.Fatal("more behind the end")
	}
}
