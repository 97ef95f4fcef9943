//go:build unix

package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// excusing is a policy with a program that waives every violation of h0.example for an hour.
const excusing = `version: 1
allow: ["*.canada.ca"]
on:
  - when: {hosts: [h0.example]}
    run: [./waive.sh]
    environment: [SEEN, UNTIL]
  - when: {events: [summary]}
    run: ["true"]
`

// TestWaiversOfProgramsHoldForTheirCapture has a program waive a violation while it is
// recorded, and looks what later verdicts make of it: the same under the same policy, nothing
// under another one, and nothing for the flows of another capture.
func TestWaiversOfProgramsHoldForTheirCapture(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, excusing)
	r.env = append(r.env, "SEEN="+r.folder, "UNTIL="+time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	script := "#!/bin/sh\ncat > /dev/null\necho '{\"annotate\": \"asked for\", \"waive\": {\"until\": \"'$UNTIL'\", \"reason\": \"the lab knows\"}}'\ntouch \"$SEEN/answered\"\n"
	r.write("waive.sh", script, 0o700)
	r.write("other.yaml", strings.Replace(excusing, "\non:", "\nname: other\non:", 1), 0o600)
	r.write("none.yaml", "version: 1\nallow: [\"*.canada.ca\"]\n", 0o600)

	if code := r.recordUntil("excused.telltale", func() bool {
		out, _ := r.run("check", "excused.telltale")
		return strings.Contains(out, "the lab knows")
	}); code != 0 {
		t.Errorf("the audit ends with %d", code)
	}
	if code := r.recordUntil("counted.telltale", func() bool { return true }, "--policy", "none.yaml"); code != 1 {
		t.Errorf("the audit without programs ends with %d", code)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"same policy", []string{"check", "excused.telltale"}, 0, []string{"the lab knows", "asked for"}},
		{"a copy", []string{"check", "--redact", "excused.telltale"}, 0, []string{"the lab knows"}},
		{"other line", []string{"check", "excused.telltale", "--policy", "other.yaml"}, 1, []string{"a program had excused 1", "the lab knows"}},
		{"no program", []string{"check", "excused.telltale", "--policy", "none.yaml"}, 1, []string{"a program had excused 1", "telltale.yaml:4"}},
		{"another capture", []string{"check", "counted.telltale"}, 1, nil},
		{"one excuses not the other", []string{"check", "excused.telltale", "counted.telltale"}, 1, []string{"contacted once against the policy"}},
		{"the other way round", []string{"check", "--redact", "counted.telltale", "excused.telltale"}, 1, []string{"contacted once against the policy"}},
		{"worse", []string{"diff", "excused.telltale", "counted.telltale"}, 1, nil},
		{"same", []string{"diff", "excused.telltale", "excused.telltale"}, 0, nil},
		{"replay", []string{"replay", "excused.telltale", "--on"}, 0, []string{"violation host-not-allowed GET h0.example", "summary clean"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := r.run(c.args...)
			if code := exitOf(err); code != c.code {
				t.Errorf("it ends with %d, not %d", code, c.code)
			}
			for _, says := range c.says {
				if !strings.Contains(out, says) {
					t.Errorf("it does not say %q", says)
				}
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
	for _, format := range []string{"text", "markdown", "html", "json", "sarif"} {
		if out, err := r.run("report", "excused.telltale", "--format", format); err != nil || !strings.Contains(out, "asked for") {
			t.Errorf("%s says nothing of it: %v\n%.400s", format, err, out)
		}
	}
}

func (r *recorder) write(name, content string, mode os.FileMode) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.folder, name), []byte(content), mode); err != nil {
		r.t.Fatal(err)
	}
}

// recordUntil records one contact with h0.example until something is so, and returns how it
// ended.
func (r *recorder) recordUntil(file string, so func() bool, args ...string) (code int) {
	r.t.Helper()
	audit, client := r.start(append([]string{"--save", file}, args...)...)
	r.contact(client, 0, 1, 1)
	eventually(r.t, r.ctx, fmt.Sprintf("the end of %s", file), so)
	if err := audit.Process.Signal(syscall.SIGINT); err != nil {
		r.t.Fatal(err)
	}
	return exitOf(audit.Wait())
}

func exitOf(err error) int {
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // as exec returns it
		return exit.ExitCode()
	}
	return map[bool]int{true: 0, false: -1}[err == nil]
}
