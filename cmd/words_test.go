package cmd

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// TestHelp checks every command's help: it says what the command does, shows how,
// and fits a terminal of 80 columns.
func TestHelp(t *testing.T) {
	var visit func(c *cobra.Command)
	seen := 0
	visit = func(c *cobra.Command) {
		seen++
		path := strings.Fields(c.CommandPath())
		var out, complaints bytes.Buffer
		if code := Main(append([]string{"help"}, path[1:]...), nil, &out, &complaints); code != ExitClean || complaints.Len() > 0 {
			t.Errorf("help %v: exit code %d, %s", path, code, complaints.String())
		}
		if c.Short == "" || !strings.Contains(out.String(), c.Long) {
			t.Errorf("help %v lacks its words:\n%s", path, out.String())
		}
		if c.Runnable() && !strings.Contains(out.String(), "Examples:\n  ") {
			t.Errorf("help %v has no example", path)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > helpWidth {
				t.Errorf("help %v has a line of %d columns: %s", path, n, line)
			}
		}
		for _, below := range c.Commands() {
			if !below.Hidden {
				visit(below)
			}
		}
	}
	visit(newRoot(&streams{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}}))
	if seen < 20 {
		t.Errorf("%d commands were looked at", seen)
	}
}
