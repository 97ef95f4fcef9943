package drive

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// TestMain lets this program play the one that is driven: it says its arguments, or
// behaves as the first of them names.
func TestMain(m *testing.M) {
	if os.Getenv("DRIVEN") == "" {
		flag.Parse()
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case "say":
		fmt.Println(strings.Join(os.Args[2:], " "))
	case "environment":
		fmt.Println(strings.Join(os.Environ(), "\n"))
	case "windows":
		fmt.Print("one\r\ntwo\r\n")
	case "fail":
		fmt.Fprintln(os.Stderr, strings.Join(os.Args[2:], " "))
		os.Exit(3)
	case "flood":
		for range 1 << 12 {
			fmt.Println(strings.Repeat("x", 100))
		}
	case "append":
		file, err := os.OpenFile(os.Args[2], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = file.WriteString("x")
		}
		if content, _ := os.ReadFile(os.Args[2]); err == nil && len(content) == 3 {
			fmt.Println("settled")
		}
	case "leave": // a program that goes on and keeps the output open, as adb's server does
		c := exec.Command(os.Args[0], "hang")
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		if err := c.Start(); err == nil {
			fmt.Println(c.Process.Pid)
		}
	case "hang":
		never := make(chan os.Signal, 1)
		signal.Notify(never, os.Interrupt)
		<-never
	}
	os.Exit(0)
}

// self returns a command of the driven program.
func self(t *testing.T, args ...string) []string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DRIVEN", "1")
	return append([]string{path}, args...)
}

func TestOutput(t *testing.T) {
	ctx := context.Background()
	if out, err := Output(ctx, 0, self(t, "say", "hello")); err != nil || out != "hello\n" {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := Output(ctx, 0, self(t, "windows")); err != nil || out != "one\ntwo\n" {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := Output(ctx, 0, self(t, "flood")); err != nil || len(out) != maxOutput {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	_, err := Output(ctx, 0, []string{filepath.Join(t.TempDir(), "nothing")})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program that is not there: %v", err)
	}
}

// A program that is driven does not see what is meant for telltale, as passphrases are.
func TestSecretsStayHere(t *testing.T) {
	t.Setenv("TELLTALE_CA_PASSPHRASE", "sesame")
	t.Setenv("MY_TELLTALE_", "kept")
	out, err := Output(context.Background(), 0, self(t, "environment"))
	if err != nil || strings.Contains(out, "sesame") || !strings.Contains(out, "MY_TELLTALE_=kept") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestShort(t *testing.T) {
	for text, want := range map[string]string{"": "", "Pixel 8\x1b": `Pixel 8\x1b`, strings.Repeat("ü", 61): strings.Repeat("ü", 60) + "…"} {
		if got := Short(text); got != want {
			t.Errorf("Short(%q) = %q", text, got)
		}
	}
}

// What a program says in an error is harmless and short.
func TestErrorsAreHarmless(t *testing.T) {
	_, err := Output(context.Background(), 0, self(t, "fail", "\x1b[31mred\u202e", strings.Repeat("y", 5000)))
	var failed *Error
	if !errors.As(err, &failed) || failed.Reason != "exit code 3" {
		t.Fatalf("%v", err)
	}
	text := err.Error()
	if !strings.HasPrefix(text, `exit code 3: \x1b[31mred\u{202e} yyy`) || len(text) > 800 {
		t.Errorf("%d bytes: %.100q", len(text), text)
	}
}

// A command that hangs is ended after its time, and one that leaves a program behind is
// not waited for.
func TestNothingIsWaitedForTooLong(t *testing.T) {
	began := time.Now()
	_, err := Output(context.Background(), 200*time.Millisecond, self(t, "hang"))
	if err == nil || err.Error() != "no answer within 200ms" {
		t.Errorf("%v", err)
	}
	if out, err := Output(context.Background(), time.Minute, self(t, "leave")); err != nil || out == "" {
		t.Errorf("%q, %v", out, err)
	} else if process, err := os.FindProcess(number(t, out)); err == nil {
		_ = process.Kill()
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Output(ctx, 0, self(t, "hang")); err == nil {
		t.Error("a context that ended does not matter")
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

func number(t *testing.T, text string) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRun(t *testing.T) {
	say := func(words ...string) []string { return self(t, append([]string{"say"}, words...)...) }
	counter := filepath.Join(t.TempDir(), "counter")
	for _, test := range []struct {
		name  string
		steps []Step
		want  string // what is written
		err   string
	}{
		{"all well", []Step{{Do: "A", Argv: say("a")}, {Do: "B", Argv: say("b"), Says: "b"}}, "✓ A\n✓ B\n", ""},
		{"the first that fails ends it", []Step{{Do: "A", Argv: self(t, "fail", "no"), Hint: "h"}, {Do: "B", Argv: say("b")}}, "✗ A\n", "A: exit code 3: no"},
		{"one that may fail does not", []Step{{Do: "A", Argv: self(t, "fail", "no"), Optional: true}, {Do: "B", Argv: say("b")}}, "– A\n  skipped: exit code 3\n✓ B\n", ""},
		{"old programs have no exit codes", []Step{{Do: "A", Argv: say("not found"), Says: "done"}}, "✗ A\n", `A: it did not say "done": not found`},
		{"the check finds it", []Step{{Do: "A", Argv: say("a"), Check: say("8080"), Shows: "8080"}}, "✓ A\n", ""},
		{"the check compares whole lines", []Step{{Do: "A", Argv: say("a"), Check: say("18080"), Shows: "8080"}}, "✗ A\n", `A: it had no effect: expected "8080" and found: 18080`},
		{"the check fails", []Step{{Do: "A", Argv: say("a"), Check: self(t, "fail"), Shows: "8080"}}, "✗ A\n", "A: exit code 3"},
		{"the check is repeated", []Step{{Do: "A", Argv: say("a"), Check: self(t, "append", counter), Shows: "settled", Settle: time.Minute}}, "✓ A\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			err := Plan{Steps: test.steps}.Run(context.Background(), &out)
			if out.String() != test.want || fmt.Sprint(err) != cmpOr(test.err, "<nil>") {
				t.Errorf("wrote %q and failed with %v", out.String(), err)
			}
			var failed *Error
			if errors.As(err, &failed) && failed.Hint() != test.steps[0].Hint {
				t.Errorf("hint %q", failed.Hint())
			}
		})
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// A person who interrupts stops the plan, also in a step that may fail.
func TestRunIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out bytes.Buffer
	p := Plan{Steps: []Step{{Do: "A", Argv: self(t, "say"), Optional: true}, {Do: "B", Argv: self(t, "say")}}}
	if err := p.Run(ctx, &out); err == nil || out.String() != "✗ A\n" {
		t.Errorf("wrote %q, %v", out.String(), err)
	}
}

func TestPrint(t *testing.T) {
	p := Plan{
		Steps: []Step{
			{Do: "Set it", Why: "So that\nit is set.", Argv: []string{"adb", "shell", "echo 'a b' >c"}, Says: "done", Undo: []string{"adb", "unset"}},
			{Do: "See it", Argv: []string{"adb", "see"}, Check: []string{"adb", "look"}, Shows: "it"},
		},
		Notes: []string{"Mind:\n  the gap"},
	}
	var got bytes.Buffer
	p.Print(&got)
	golden := filepath.Join("testdata", "plan.sh")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got.String() != string(want) {
		t.Errorf("%v; printed\n%s", err, got.String())
	}
}

// A shell splits what Quote made into the same words.
func TestQuote(t *testing.T) {
	words := []string{"plain", "", "a b", "it's", `$(reboot) "x" \ ` + "`y`", "ü→", "*", "~", "-n", "a\nb", "#"}
	if got := Quote([]string{"a", "b=c,d:/e.f-@%+"}); got != "a b=c,d:/e.f-@%+" {
		t.Errorf("plain words are quoted: %s", got)
	}
	if runtime.GOOS == "windows" {
		t.Skip("there is no POSIX shell")
	}
	out, err := exec.Command("sh", "-c", `printf '%s\000' `+Quote(words)).Output()
	if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); err != nil || !slices.Equal(got, words) {
		t.Errorf("%q, %v", got, err)
	}
}
