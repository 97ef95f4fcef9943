package policy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	numbered := func(from, to int) string {
		var b strings.Builder
		for i := from; i <= to; i++ {
			fmt.Fprintf(&b, "%d\n", i)
		}
		return b.String()
	}
	for _, test := range []struct{ name, before, after, want string }{
		{"equal", "a\nb\n", "a\nb\n", ""},
		{"both empty", "", "", ""},
		{"line endings", "a\r\nb", "a\nb\n", ""},
		{"a new file", "", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"},
		{"a removed file", "a\n", "", "@@ -1,1 +0,0 @@\n-a\n"},
		{"at the end", numbered(1, 5), numbered(1, 5) + "x\n", "@@ -3,3 +3,4 @@\n 3\n 4\n 5\n+x\n"},
		{"at the start", numbered(1, 5), "x\n" + numbered(1, 5), "@@ -1,3 +1,4 @@\n+x\n 1\n 2\n 3\n"},
		{"replaced", "1\n2\n3\n", "1\nx\n3\n", "@@ -1,3 +1,3 @@\n 1\n-2\n+x\n 3\n"},
		{"a list that begins alike", "a:\n- x1\n- x3\n", "a:\n- x1\n- x2\n- x3\n", "@@ -1,3 +1,4 @@\n a:\n - x1\n+- x2\n - x3\n"},
		{"near each other", numbered(1, 9), "1\nx\n" + numbered(2, 7) + "y\n" + numbered(8, 9),
			"@@ -1,9 +1,11 @@\n 1\n+x\n 2\n 3\n 4\n 5\n 6\n 7\n+y\n 8\n 9\n"},
		{"apart", numbered(1, 9), "1\nx\n" + numbered(2, 8) + "y\n" + "9\n",
			"@@ -1,4 +1,5 @@\n 1\n+x\n 2\n 3\n 4\n@@ -6,4 +7,5 @@\n 6\n 7\n 8\n+y\n 9\n"},
		{"raw text", "a\n", "\x1b[31m\n", "@@ -1,1 +1,1 @@\n-a\n+\x1b[31m\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := test.want
			if want != "" {
				want = "--- f.yaml\n+++ f.yaml\n" + want
			}
			if got := Diff("f.yaml", []byte(test.before), []byte(test.after)); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
	lines := DiffLines([]byte("1\n2\n3\n"), []byte("1\nx\n3\n"))
	if got := fmt.Sprint(lines[1].Line, lines[2].Line, lines[3].Line, lines[4].Line, lines[0].Line); got != "1 2 2 3 0" {
		t.Errorf("line numbers %s", got)
	}
}

// applyDiff makes the changes of a diff, believing only its hunk lines.
func applyDiff(t *testing.T, before []string, lines []DiffLine) []string {
	t.Helper()
	var out []string
	done := 0
	for i, line := range lines {
		switch line.Kind {
		case DiffHunk:
			var start, n, newStart, newN int
			if _, err := fmt.Sscanf(line.Text, "@@ -%d,%d +%d,%d @@", &start, &n, &newStart, &newN); err != nil {
				t.Fatalf("%q: %v", line.Text, err)
			}
			if n > 0 {
				start--
			}
			out = append(out, before[done:start]...)
			done = start
			if newN > 0 && len(out) != newStart-1 {
				t.Fatalf("%q stands at line %d", line.Text, len(out))
			}
		case DiffAdded:
			out = append(out, line.Text)
		default:
			if before[done] != line.Text {
				t.Fatalf("line %d of the diff: %q, in the file %q", i, line.Text, before[done])
			}
			if done++; line.Kind == DiffContext {
				out = append(out, line.Text)
			}
		}
	}
	return append(out, before[done:]...)
}

// FuzzDiff holds that a diff, applied to the first text, makes the second.
func FuzzDiff(f *testing.F) {
	f.Add([]byte("a\nb\nc\n"), []byte("a\nc\nd"))
	f.Add([]byte("1\n2\n3\n4\n5\n6\n7\n8\n9\n"), []byte("0\n1\n2\n3\n4\n5\n6\n7\n8\n10\n"))
	f.Add([]byte("a\na\nb\na\n"), []byte("b\na\na\nb\n"))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		lines := DiffLines(before, after)
		got := applyDiff(t, splitLines(before), lines)
		if want := splitLines(after); !slices.Equal(got, want) {
			t.Fatalf("applied: %q, want %q", got, want)
		}
		if bytes.Equal(before, after) && len(lines) > 0 {
			t.Fatalf("equal texts differ: %v", lines)
		}
	})
}

// TestDiffOfStrangers compares texts that are too long to be aligned.
func TestDiffOfStrangers(t *testing.T) {
	a, b := strings.Repeat("a\n", maxAligned+1), strings.Repeat("b\n", maxAligned+1)
	got := applyDiff(t, splitLines([]byte(a)), DiffLines([]byte(a), []byte(b)))
	if strings.Join(got, "\n")+"\n" != b {
		t.Error("the diff does not make the second text")
	}
}
