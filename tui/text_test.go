package tui

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func TestFiguresFitTheirColumns(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-1: "", 0: "0µs", 999 * time.Microsecond: "999µs", 12 * time.Millisecond: "12ms", 1200 * time.Millisecond: "1.2s",
		45 * time.Second: "45s", 185 * time.Second: "3m05s", 125 * time.Minute: "2h05m",
	} {
		if got := durationText(d); got != want {
			t.Errorf("%d ns are %q, not %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 512: "512", 1536: "1.5K", 10 << 10: "10K", 23 << 20: "23M", 5 << 30: "5.0G", 1 << 50: "1024T"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d bytes are %q, not %q", n, got, want)
		}
	}
	for n := int64(1); n > 0 && n < 1<<52; n = n*3/2 + 1 {
		if got := bytesText(n); width(got) > 6 {
			t.Errorf("%d bytes need %d columns: %s", n, width(got), got)
		}
		if d := time.Duration(n); d < 100*time.Hour && width(durationText(d)) > 6 {
			t.Errorf("%v needs %d columns: %s", d, width(durationText(d)), durationText(d))
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		if got := count(n); got != want {
			t.Errorf("%d is written %q, not %q", n, got, want)
		}
	}
	if got := sparks([]int{0, 1, 4, 8}); got != " ▂▅█" {
		t.Errorf("sparks are %q", got)
	}
}

func TestCutAtColumns(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "short", "日本語日本語", "e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301", "\x1b[1mbold and long\x1b[0m", "a日b本c語"} {
		for n := range 14 {
			for what, got := range map[string]string{"cut": cut(s, n), "cutMiddle": cutMiddle(s, n)} {
				if width(got) > n {
					t.Errorf("%s(%q, %d) has %d columns: %q", what, s, n, width(got), got)
				}
			}
			if n > 0 && (width(pad(s, n)) != n || width(padLeft(s, n)) != n) {
				t.Errorf("%q padded to %d has %d and %d columns", s, n, width(pad(s, n)), width(padLeft(s, n)))
			}
		}
	}
}

// TestClipboardOverSSH asks the terminal, for the clipboard is on its machine.
func TestClipboardOverSSH(t *testing.T) {
	t.Setenv("SSH_TTY", "/dev/pts/1")
	for _, multiplexer := range []string{"", "TMUX"} {
		t.Setenv("TMUX", "")
		t.Setenv("STY", "")
		if multiplexer != "" {
			t.Setenv(multiplexer, "x")
		}
		var out strings.Builder
		how, err := clipboardOf(&out)("a text\nof two lines")
		check(t, err)
		if want := base64.StdEncoding.EncodeToString([]byte("a text\nof two lines")); !strings.Contains(out.String(), want) || how == "" {
			t.Errorf("%s: the terminal was sent %q, %q", multiplexer, out.String(), how)
		}
		if !strings.HasPrefix(out.String(), "\x1b]52;c;") || (multiplexer == "TMUX") != strings.Contains(out.String(), "\x1bPtmux;") {
			t.Errorf("%s: the terminal was sent %q", multiplexer, out.String())
		}
	}
}
