package actions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"telltale/policy"
)

// markers makes numbers that no other process has among its arguments.
var markers atomic.Int64

// marker returns a number of seconds for sleep, by which the sleepers of a test are found.
func marker() string { return fmt.Sprintf("86400.%d%04d", os.Getpid(), markers.Add(1)) }

// sleeping returns the processes that have a marker among their arguments.
func sleeping(mark string) (found []string) {
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		if text, err := os.ReadFile(name); err == nil && bytes.Contains(text, []byte(mark)) {
			found = append(found, filepath.Dir(name)+": "+strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}

func TestProgramThatHangs(t *testing.T) {
	t.Parallel()
	mark := marker()
	a := script(t, `trap "" TERM INT HUP; sleep `+mark+` & while :; do wait; done`)
	a.Timeout = 300 * time.Millisecond
	result := one(t, a)
	if !errors.Is(result.Err, ErrTimeout) || !strings.Contains(result.Err.Error(), "telltale.yaml:31: ./program.sh for event a1b2-7: ended: it took too long (timeout: 300ms)") {
		t.Error(result.Err)
	}
	if result.Took > time.Minute {
		t.Errorf("took %v", result.Took)
	}
	if left := sleeping(mark); len(left) > 0 {
		t.Error(left)
	}
}

// What a program leaves behind ends with it, in whatever session and group it is, however
// far from its parents, and without a word in its environment.
func TestNothingIsLeftOfAProgram(t *testing.T) {
	t.Parallel()
	mark := marker()
	a := script(t, `
for i in 1 2 3 4 5 6; do
	sleep `+mark+` &
	setsid sleep `+mark+` &
	(setsid sh -c 'trap "" TERM; (env -i setsid sleep `+mark+` &) & ' &)
done
while [ "$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\000' '\n' | grep -c `+mark+`)" -lt 18 ]; do :; done
echo '{"annotate": "all are there"}'`)
	result := one(t, a)
	if result.Err != nil || result.Answer.Annotate != "all are there" {
		t.Errorf("%+v", result)
	}
	if left := sleeping(mark); len(left) > 0 {
		t.Error(left)
	}
}

func TestProgramThatForksAndForks(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"sleepers":         `i=0; while [ $i -lt 200 ]; do sleep %[1]s & setsid sleep %[1]s & (env -i setsid sleep %[1]s &); i=$((i+1)); done; wait`,
		"without an end":   `bomb() { [ $1 -gt 0 ] && { bomb $(($1-1)) & bomb $(($1-1)) & }; sleep %[1]s; }; bomb 8; wait`,
		"while it is slow": `while :; do sleep %[1]s & done`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mark := marker()
			result := one(t, script(t, fmt.Sprintf(text, mark)))
			if !errors.Is(result.Err, ErrProcesses) {
				t.Error(result.Err)
			}
			if left := sleeping(mark); len(left) > 0 {
				t.Error(left)
			}
		})
	}
}

func TestProgramThatFloods(t *testing.T) {
	t.Parallel()
	a := script(t, "yes")
	a.Output = 1 << 20
	if result := one(t, a); !errors.Is(result.Err, ErrOutput) || !strings.Contains(result.Err.Error(), "(output: 1048576 bytes)") || !result.Answer.IsZero() {
		t.Errorf("%+v", result)
	}
	// Exactly as much as is allowed is an answer.
	a = script(t, `printf '{"annotate": "exact"}'`)
	a.Output = int64(len(`{"annotate": "exact"}`))
	if result := one(t, a); result.Err != nil {
		t.Error(result.Err)
	}
	a.Output--
	if result := one(t, a); !errors.Is(result.Err, ErrOutput) || !result.Answer.IsZero() {
		t.Errorf("%+v", result)
	}
}

// Standard error never ends a program, and never is more than somebody can read.
func TestProgramThatTalks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		`yes | head -c 2000000 >&2`:                         maxShownLines,
		`yes $(printf '%0200d' 0) | head -c 2000000 >&2`:    maxShownBytes/200 + 1,
		`head -c 2000000 /dev/zero | tr '\000' x >&2`:       1,
		`head -c 2000000 /dev/zero >&2`:                     1,
		`head -c 2000000 /dev/zero | tr '\000' '\n' >&2`:    0,
		`printf 'one\r\ntwo\n\n\n  \nno end' >&2`:           3,
		`printf '\033]0;owned\007\033[31mred\033[0m\n' >&2`: 1,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			result := one(t, script(t, text+`; echo '{"annotate": "done"}'`))
			if result.Err != nil || result.Answer.Annotate != "done" || len(result.Output) != want {
				t.Errorf("%d lines, must be %d: %.300q, %v", len(result.Output), want, result.Output, result.Err)
			}
			total := 0
			for _, line := range result.Output {
				total += len(line)
				if strings.ContainsAny(line, "\x1b\a\x00\r\n") {
					t.Errorf("%q", line)
				}
			}
			if total > maxShownBytes+2*maxShownLine {
				t.Errorf("%d bytes", total)
			}
		})
	}
}

func TestProgramThatEatsMemory(t *testing.T) {
	t.Parallel()
	// tail keeps a line until it ends, and there is no end of this one.
	alone := script(t, `head -c 1000000000 /dev/zero | tail >/dev/null`)
	alone.Memory = 64 << 20
	if result := one(t, alone); result.Err == nil || !strings.Contains(result.Err.Error(), "exit code 1; it said: tail: ") {
		t.Error(result.Err)
	}
	// Each process is within the limit, all of them are not.
	many := script(t, `for i in 1 2 3 4 5; do { head -c 30000000 /dev/zero; sleep 86400; } | tail & done; wait`)
	many.Memory = 64 << 20
	if result := one(t, many); !errors.Is(result.Err, ErrMemory) {
		t.Error(result.Err)
	}
	// The limits cannot be raised.
	raising := script(t, "")
	raising.Run = []string{"sh", "-c", `ulimit -H -v >&2; ulimit -H -c >&2; ulimit -S -v >&2`}
	raising.Memory = 100 << 20
	if result := one(t, raising); strings.Join(result.Output, " ") != "102400 0 102400" {
		t.Errorf("%v, %v", result.Output, result.Err)
	}
}

func TestProgramThatFillsTheDisk(t *testing.T) {
	t.Parallel()
	result := one(t, script(t, `head -c 1000000000 /dev/zero >big; stat -c %s big >&2`))
	if strings.Join(result.Output, " ") == "" || result.Output[len(result.Output)-1] != fmt.Sprint(maxFile) {
		t.Errorf("%v, %v", result.Output, result.Err)
	}
}

// Descriptors that somebody left open before this process was started do not reach programs.
func TestNoDescriptorIsInherited(t *testing.T) {
	left, err := unix.Dup(2) // without FD_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(left)
	a := script(t, "")
	a.Run = []string{"sh", "-c", `n=3; while [ $n -le 40 ]; do [ -e /proc/$$/fd/$n ] && ls -l /proc/$$/fd/$n >&2; n=$((n+1)); done; true`}
	if result := one(t, a); result.Err != nil || len(result.Output) > 0 {
		t.Errorf("%q, %v", result.Output, result.Err)
	}
}

// A program that kills what supervises it is ended all the same, with what it has started.
func TestProgramThatKillsItsLauncher(t *testing.T) {
	t.Parallel()
	for signal, want := range map[string]string{"KILL": "its launcher is gone", "TERM": "ended by signal 9", "HUP": "ended by signal 9"} {
		mark := marker()
		result := one(t, script(t, `setsid sleep `+mark+` & kill -`+signal+` $PPID; sleep `+mark))
		if result.Err == nil || !strings.Contains(result.Err.Error(), want) || result.Took > time.Minute {
			t.Errorf("%s: %+v", signal, result)
		}
		await(t, "the sleepers are gone", func() bool { return len(sleeping(mark)) == 0 })
	}
}

// When the audit is killed, so is the program with all that it has started, and its folder
// goes.
func TestKilledAuditLeavesNothing(t *testing.T) {
	t.Parallel()
	mark, parent := marker(), t.TempDir()
	a := script(t, `echo file >in-the-folder; setsid sleep `+mark+` & (env -i setsid sleep `+mark+` &); echo started >&2; sleep `+mark)
	c, said := auditOf(t, a.Source.File, a.Run[0], parent)
	await(t, "the program has started", func() bool { return strings.Contains(said.String(), "started") && len(sleeping(mark)) == 3 })
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.Wait()
	await(t, "the sleepers are gone", func() bool { return len(sleeping(mark)) == 0 })
	await(t, "the folder is gone", func() bool { left, err := os.ReadDir(parent); return err == nil && len(left) == 0 })
}

// When everything was killed at once, the next audit removes the folder; one that is in use,
// or somebody else's, stays.
func TestLeftOversAreRemoved(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	left := filepath.Join(parent, folderPrefix+"left")
	if err := os.MkdirAll(filepath.Join(left, "below", "it"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(left, "below"), 0); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(parent, "telltale-other")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(parent, folderPrefix+"link")); err != nil {
		t.Fatal(err)
	}
	used, err := makeFolder(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer used.remove()
	New(Config{Rules: nil, Folder: parent}) // without rules nothing is touched
	if _, err := os.Stat(left); err != nil {
		t.Error(err)
	}
	r := New(Config{Rules: []policy.Action{{Run: []string{"true"}}}, Folder: parent, Trouble: func(err error) { t.Error(err) }})
	r.Close(context.Background())
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for _, path := range []string{used.path, other, filepath.Join(parent, folderPrefix+"link")} {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
}
