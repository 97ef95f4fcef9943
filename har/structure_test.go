package har_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"telltale/har"
)

// schema is the structure of HAR 1.2 with what importers demand besides. A member
// whose name ends in "?" may be absent.
var schema = object{
	"log": object{
		"version": "string", "creator": object{"name": "string", "version": "string"},
		"pages": list{object{}}, // Firefox demands it, though it may be empty
		"entries": list{object{
			"startedDateTime": "date", "time": "number",
			"request": object{
				"method": "string", "url": "string", "httpVersion": "string",
				"cookies": list{cookieSchema}, "headers": list{pairSchema}, "queryString": list{pairSchema},
				"postData?":   object{"mimeType": "string", "text": "string"},
				"headersSize": "number", "bodySize": "number",
			},
			"response": object{
				"status": "number", "statusText": "string", "httpVersion": "string",
				"cookies": list{cookieSchema}, "headers": list{pairSchema},
				"content":     object{"size": "number", "mimeType": "string", "text?": "string", "encoding?": "string"},
				"redirectURL": "string", "headersSize": "number", "bodySize": "number",
			},
			"cache": object{},
			"timings": object{
				"blocked": "number", "dns": "number", "connect": "number", "ssl": "number",
				"send": "natural", "wait": "natural", "receive": "natural",
			},
			"serverIPAddress?":    "string",
			"_webSocketMessages?": list{object{"type": "string", "time": "number", "opcode": "number", "data": "string"}},
		}},
	},
}

type (
	object map[string]any
	list   struct{ element any }
)

var (
	pairSchema   = object{"name": "string", "value": "string"}
	cookieSchema = object{"name": "string", "value": "string", "httpOnly": "bool", "secure": "bool", "expires?": "date"}
)

// check complains about every place where a value differs from its schema.
func check(t *testing.T, at string, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case object:
		members, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s is %T, not an object", at, got)
			return
		}
		for name, inner := range want {
			optional := name[len(name)-1] == '?'
			if optional {
				name = name[:len(name)-1]
			}
			value, present := members[name]
			if present {
				check(t, at+"."+name, inner, value)
			} else if !optional {
				t.Errorf("%s lacks %s", at, name)
			}
		}
	case list:
		elements, ok := got.([]any)
		if !ok {
			t.Errorf("%s is %T, not an array", at, got)
		}
		for i, e := range elements {
			check(t, fmt.Sprintf("%s[%d]", at, i), want.element, e)
		}
	case string:
		if !hasType(want, got) {
			t.Errorf("%s is %#v, not a %s", at, got, want)
		}
	}
}

func hasType(want string, got any) bool {
	switch v := got.(type) {
	case string:
		_, err := time.Parse(time.RFC3339, v)
		return want == "string" || want == "date" && err == nil
	case float64:
		return want == "number" || want == "natural" && v >= 0
	case bool:
		return want == "bool"
	}
	return false
}

func TestFilesKeepToHAR12(t *testing.T) {
	flows := append(many(), secretive())
	for _, name := range []string{"chrome.har", "handmade.har", "mitmproxy.har", "charles.har"} {
		more, _, err := read(t, sample(t, name))
		if err != nil {
			t.Fatal(err)
		}
		flows = append(flows, more...)
	}
	var file map[string]any
	if err := json.Unmarshal(write(t, flows, har.WriterOptions{Reveal: true}), &file); err != nil {
		t.Fatal(err)
	}
	check(t, "file", schema, file)

	entries := file["log"].(map[string]any)["entries"].([]any)
	if len(entries) < 20 {
		t.Fatalf("%d entries", len(entries))
	}
	for i, e := range entries {
		entry := e.(map[string]any)
		sum := 0.0
		for name, value := range entry["timings"].(map[string]any) {
			if v := value.(float64); v >= 0 && name != "ssl" { // connect has it
				sum += v
			} else if v != -1 && v < 0 {
				t.Errorf("entry %d: %s is %v", i, name, v)
			}
		}
		if total := entry["time"].(float64); math.Abs(total-sum) > 1e-6 {
			t.Errorf("entry %d: time is %v, its parts make %v", i, total, sum)
		}
	}
}

func TestSchemaCatches(t *testing.T) {
	tests := []struct {
		want string
		got  any
		ok   bool
	}{
		{"string", "x", true}, {"string", nil, false}, {"string", 1.0, false}, {"date", "2026-03-01T10:00:00.000Z", true}, {"date", "2026-03-01", false},
		{"number", -1.0, true}, {"number", "1", false}, {"number", nil, false}, {"natural", 0.0, true}, {"natural", -1.0, false}, {"bool", true, true}, {"bool", 1.0, false},
	}
	for _, tt := range tests {
		if hasType(tt.want, tt.got) != tt.ok {
			t.Errorf("%#v as %s", tt.got, tt.want)
		}
	}
}
