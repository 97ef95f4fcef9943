package policy

import (
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/flow/flowtest"
)

// allocated returns how many bytes a call allocates.
func allocated(call func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	call()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestReadingsAreBounded holds what masking costs of texts that are made to cost much, in
// bytes that are read and allocated: unlike time they are the same on every machine.
func TestReadingsAreBounded(t *testing.T) {
	p := canaryPolicy()
	zeros := base64.RawStdEncoding.EncodeToString([]byte(gzipped(strings.Repeat("a ", 32<<10)))) + " "
	fill := func(s string) string { return strings.Repeat(s, 1<<20/len(s)) }
	for label, tt := range map[string]struct {
		text string
		most uint64 // MB allocated
	}{
		"segments of a path":  {fill("QUE/"), 50},
		"longer segments":     {fill("QUFBQUFB/"), 50},
		"all encodings":       {fill(`+%2525 \\u005c &amp;amp; Zm9vYmFyYmF6 666f6f626172 `), 100},
		"compressed in runs":  {fill(zeros), 100},
		"almost zlib in runs": {fill("eJwAAAAA "), 150},
	} {
		read := 0
		cost := allocated(func() {
			readings([]byte(tt.text), false, func(r *reading) bool { read += len(r.text); return true })
		})
		if read > maxRead || cost > tt.most<<20 {
			t.Errorf("%s: %d MiB read, %d MB allocated, want %d", label, read>>20, cost>>20, tt.most)
		}
	}
	if masked := p.Mask("+%25 \\n &amp; " + base64.StdEncoding.EncodeToString([]byte(gzipped("to "+canaries[0].value)))); strings.Contains(masked, "H4sI") {
		t.Errorf("not masked: %s", masked)
	}
}

// No encoding takes the bytes that another needs.
func TestReadingsShareTheBudget(t *testing.T) {
	fill := strings.Repeat(`+%2525 \\u005c &amp;amp; Zm9vYmFyYmF6 `, 1<<20/38)
	for _, hidden := range []string{
		"jane.doe%2Btest%40example.com", `jane.doe\u002btest\u0040example.com`, "jane.doe&plus;test&commat;example.com",
		base64.StdEncoding.EncodeToString([]byte(`{"m":"jane.doe\u002btest@example.com"}`)),
	} {
		held := false
		readings([]byte(fill+" "+hidden), false, func(r *reading) bool {
			held = held || strings.Contains(string(r.text), "jane.doe+test@example.com")
			return !held
		})
		if !held {
			t.Errorf("%s is not read", hidden)
		}
	}
}

// TestManyHitsAtDeepPlaces holds that a flow with a value at tens of thousands of places,
// with long names, does not cost the names of them all.
func TestManyHitsAtDeepPlaces(t *testing.T) {
	p := canaryPolicy()
	var b strings.Builder
	for i := range 190 {
		fmt.Fprintf(&b, `{"%s%d":`, strings.Repeat("a", 50), i)
	}
	b.WriteString("[")
	b.WriteString(strings.Repeat(`"`+canaries[0].value+`",`, 20_000))
	f := flowtest.Post("https://a.example/", b.String())
	var found [][]Evidence
	start := time.Now()
	cost := allocated(func() { found = p.findSecrets(f) })
	if len(found) == 0 || len(found[0]) != maxEvidence {
		t.Fatalf("found %d", len(found))
	}
	if cost > 50<<20 || time.Since(start) > 5*time.Second {
		t.Errorf("%d MB allocated in %s", cost>>20, time.Since(start))
	}
}

// A later place of a better form replaces none of those that are kept, unless it is one of
// them.
func TestBestFormOfAPlace(t *testing.T) {
	p := canaryPolicy()
	value := canaries[0].value
	f := flowtest.Post("https://a.example/", `{"a":"`+base64.StdEncoding.EncodeToString([]byte(value))+`","b":"`+value+`"}`)
	found := p.findSecrets(f)
	if len(found) == 0 || len(found[0]) != 2 || found[0][0].Form != asTyped || found[0][1].Form != asTyped {
		t.Errorf("found %+v", found)
	}
}

// Of a text with much that is compressed, hiding does not undo it all for each of its parts.
func TestHidingIsBounded(t *testing.T) {
	p := canaryPolicy()
	bomb := base64.RawURLEncoding.EncodeToString([]byte(gzipped(strings.Repeat("a", 60<<10))))
	text := "/" + strings.Repeat(bomb+"/", (maxHidden-200)/(len(bomb)+1)) + base32.StdEncoding.EncodeToString([]byte(`{"m":"`+canaries[0].value+`"}`))
	var masked string
	if cost := allocated(func() { masked = p.Mask(text) }); cost > 200<<20 {
		t.Errorf("%d MB allocated", cost>>20)
	}
	if p.forms.stands(masked) || !strings.Contains(masked, flow.Redacted) {
		t.Errorf("%d bytes are left", len(masked))
	}
}
