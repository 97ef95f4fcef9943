package coverage

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the list in the documentation anew")

// TestWaysAreDocumented holds the list in the documentation against that of the program;
// -update writes it anew.
func TestWaysAreDocumented(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- ways: written by the tests of package coverage -->\n", "<!-- end of ways -->"
	file := filepath.Join("..", "docs", "coverage.md")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(content), begin)
	written, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the ways in between %q and %q", file, begin, end)
	}
	want := wayList()
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if written != want {
		t.Errorf("%s is out of date: run `go test ./coverage -update`; it should say\n%s", file, want)
	}
}

func wayList() string {
	var b strings.Builder
	for _, w := range Ways {
		b.WriteString("\n### " + strings.ToUpper(w.Title[:1]) + w.Title[1:] + "\n\n`" + w.Mode + "`\n\n")
		for _, s := range w.Sees {
			b.WriteString("- Sees: " + s + "\n")
		}
		for _, s := range w.Blind {
			b.WriteString("- Limit: " + s + "\n")
		}
	}
	return b.String() + "\n"
}
