package cmd

import (
	"bytes"
	"strings"
	"testing"
)

// The code is black on white where there are colours; without them the light
// modules are drawn, for a dark screen.
func TestSetupDrawsTheCode(t *testing.T) {
	for _, test := range []struct {
		name, noColor, force, row string
	}{
		{"without colours", "1", "", "  " + strings.Repeat("█", 29) + "\n"},
		{"in colours", "", "1", "  \x1b[38;5;16;48;5;231m" + strings.Repeat(" ", 29) + "\x1b[0m\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", test.noColor)
			t.Setenv("CLICOLOR_FORCE", test.force)
			var b bytes.Buffer
			if err := drawCode(&b, "http://192.168.100.200:8080/", "The set-up page"); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(b.String(), test.row) || strings.Contains(b.String(), "\x1b") != (test.force != "") {
				t.Errorf("drawn as\n%s", b.String())
			}
			b.Reset()
			if err := drawCode(&b, "http://"+strings.Repeat("a", 900)+"/", "The set-up page"); err != nil || b.Len() > 0 {
				t.Errorf("a code that is wider than the screen: %d bytes, %v", b.Len(), err)
			}
		})
	}
}
