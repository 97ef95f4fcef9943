package tui

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeysAreDocumented holds the table of keys in the documentation against that of
// the program; -update writes it anew.
func TestKeysAreDocumented(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- keys: written by the tests of package tui -->\n", "<!-- end of keys -->"
	file := filepath.Join("..", "docs", "watch.md")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(content), begin)
	written, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the keys between %q and %q", file, begin, end)
	}
	want := keyTable()
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if written != want {
		t.Errorf("the keys in %s are not those of the program; go test ./tui -run %s -update writes:\n%s", file, t.Name(), want)
	}
}

// keyTable writes the keys as Markdown, by topic.
func keyTable() string {
	var b strings.Builder
	for _, topic := range []string{topicLook, topicFind, topicDecide, topicLeave} {
		fmt.Fprintf(&b, "\n| %s | |\n| --- | --- |\n", topic)
		for i := range bindings {
			if row := &bindings[i]; row.topic == topic && !row.hidden {
				fmt.Fprintf(&b, "| `%s` | %s |\n", row.label(), row.help)
			}
		}
	}
	return b.String() + "\n"
}
