package capture_test

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"telltale/capture"
	"telltale/flow/flowtest"
	"telltale/guard/raced"
)

// The test binary runs itself as a child that does one job on a capture.
const (
	childEnv     = "CAPTURE_TEST_CHILD"
	childFileEnv = "CAPTURE_TEST_FILE"
)

func child(job, path string) {
	switch job {
	case "record": // until killed; says how many flows are safe, and waits at 1500
		wait := bufio.NewReader(os.Stdin)
		s, err := capture.Create(path, capture.Options{})
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(2)
		}
		for i := 1; ; i++ {
			s.Observe(flowtest.Post(fmt.Sprintf("https://h%d.example/%d", i%7, i), strings.Repeat("body ", i%300), flowtest.ID(s.NextID())))
			if i%500 == 0 {
				if err := s.Sync(); err != nil {
					fmt.Println("error:", err)
					os.Exit(2)
				}
				fmt.Println(i)
			}
			if i == 1500 {
				if _, err := wait.ReadString('\n'); err != nil {
					os.Exit(2)
				}
			}
		}
	case "tell": // until killed: violations all the time, but no more than a reader has time for
		s, err := capture.Create(path, telling)
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(2)
		}
		for i := 1; ; i++ {
			s.Observe(flowtest.Get(fmt.Sprintf("https://h%d.example/%d", i%97, i), flowtest.ID(s.NextID())))
			s.Observe(flowtest.Get(fmt.Sprintf("https://h%d.of-process-%d.example/%d", i%7, os.Getpid(), i), flowtest.ID(s.NextID())))
			if i%500 == 0 {
				if err := s.Sync(); err != nil {
					fmt.Println("error:", err)
					os.Exit(2)
				}
				fmt.Println(i)
			}
			if i == 1500 {
				stop := make(chan os.Signal, 1)
				signal.Notify(stop, os.Interrupt)
				<-stop
			}
		}
	case "read":
		s, err := capture.Open(path, capture.Options{Judge: hostJudge{}})
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(2)
		}
		fmt.Println(s.Summary().Flows)
		s.Close()
	case "create":
		_, err := capture.Create(path, capture.Options{})
		fmt.Println("error:", err)
	}
}

func command(t *testing.T, binary, job, path string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(binary, "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+job, childFileEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

func self(t *testing.T) string {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// query asks a file as a user would, with plain SQL.
func query(t *testing.T, path, q string, args ...any) string {
	t.Helper()
	return ask(t, path, "ro", q, args...)
}

func queryRW(t *testing.T, path, q string) string {
	t.Helper()
	return ask(t, path, "rw", q)
}

func ask(t *testing.T, path, mode, q string, args ...any) string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("%", "%25", "?", "%3f").Replace(filepath.ToSlash(path))+"?mode="+mode)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var out sql.NullString
	if err := db.QueryRow(q, args...).Scan(&out); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return out.String
}

// recordIn starts a process that records into path, stops for a line on in, and says how many
// flows are safe; until waits for so many and returns how many there are.
func recordIn(t *testing.T, path string) (cmd *exec.Cmd, in io.Writer, until func(n int) (safe int)) {
	t.Helper()
	cmd, lines := command(t, self(t), "record", path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	safe := 0
	return cmd, in, func(n int) int {
		for safe < n && lines.Scan() {
			if _, err := fmt.Sscan(lines.Text(), &safe); err != nil {
				t.Fatalf("child said %q", lines.Text())
			}
		}
		return safe
	}
}

func TestKilledRecorderLosesNothingThatWasSynced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.telltale")
	for round := 1; round <= raced.Size(3, 1); round++ {
		cmd, in, until := recordIn(t, path)
		safe := until(1500)
		if _, err := capture.Create(path, capture.Options{}); !asLocked(err, cmd.Process.Pid) {
			t.Errorf("second writer: %v", err)
		}
		if err := capture.Remove(path); !asLocked(err, cmd.Process.Pid) {
			t.Errorf("remove under a recorder: %v", err)
		}
		live, err := capture.Open(path, capture.Options{Judge: hostJudge{}})
		if err != nil {
			t.Fatalf("reading beside a recorder: %v", err)
		}
		if n := live.Summary().Flows; n < safe {
			t.Errorf("a reader sees %d of %d flows", n, safe)
		}
		live.Close()
		fmt.Fprintln(in)
		safe = until(2000)
		if err := cmd.Process.Kill(); err != nil { // SIGKILL, in the middle of its work
			t.Fatal(err)
		}
		cmd.Wait()
		safe += safeBefore(round)
		s := reopen(t, path, capture.Options{Judge: hostJudge{}})
		sum := s.Summary()
		if sum.Flows < safe {
			t.Errorf("round %d: %d flows are left of %d", round, sum.Flows, safe)
		}
		if len(sum.Health.Notes) != 1 || !strings.Contains(sum.Health.Notes[0], "killed") {
			t.Errorf("notes %q", sum.Health.Notes)
		}
		if got := query(t, path, "PRAGMA integrity_check"); got != "ok" {
			t.Errorf("integrity: %s", got)
		}
		s.Close()
	}
	s, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatalf("recording again after a kill: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// safeBefore is what earlier rounds have left at the least.
func safeBefore(round int) int { return (round - 1) * 2000 }

func asLocked(err error, pid int) bool {
	var locked *capture.LockedError
	return errors.As(err, &locked) && locked.PID == pid && locked.Hint() != "" && strings.Contains(err.Error(), fmt.Sprint(pid))
}

func TestSecondWriterInOneProcess(t *testing.T) {
	s, path := create(t, capture.Options{})
	if _, err := capture.Create(path, capture.Options{}); !asLocked(err, os.Getpid()) {
		t.Errorf("second writer: %v", err)
	}
	observe(t, s, flowtest.Get("https://x.example/", flowtest.ID(1)))
	s.Close()
	if _, err := os.Stat(path + "-lock"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock is left: %v", err)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(path + suffix); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", suffix, err)
		}
	}
	again, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestOnlyItsOwnerReadsACapture(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no mode bits; files inherit the user's folder")
	}
	s, path := create(t, capture.Options{})
	observe(t, s, flowtest.Get("https://x.example/", flowtest.ID(1)))
	check := func() {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
		if err != nil || len(files) < 3 {
			t.Fatalf("%v, %v", files, err)
		}
		for _, f := range files {
			if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", f, info.Mode(), err)
			}
		}
	}
	check()
	s.Close()
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	observe(t, again, flowtest.Get("https://x.example/", flowtest.ID(2)))
	check()
}

func TestFilesCanBeReadByOtherTools(t *testing.T) {
	s, path := create(t, capture.Options{})
	observe(t, s, everyKind()...)
	s.Close()
	if got := query(t, path, "SELECT host || ' ' || method || ' ' || url || ' ' || status || ' ' || time FROM exchanges WHERE id = 1"); got != "api.example POST https://api.example/v1?q=1&q=2 200 2026-11-20T12:00:00.000Z" {
		t.Error(got)
	}
	if got := query(t, path, "SELECT name || ' ' || flows FROM devices WHERE address = ?", flowtest.Phone.Addr().String()); !strings.HasPrefix(got, "Ann's phone ") {
		t.Error(got)
	}
	if got := query(t, path, "SELECT started IS NOT NULL AND ended >= started FROM sessions"); got != "1" {
		t.Error("the session did not end")
	}
}
