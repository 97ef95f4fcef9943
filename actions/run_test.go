package actions

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/event"
	"telltale/policy"
)

// The event is there to its last byte, but nobody has to read it.
func TestEventOnStandardInput(t *testing.T) {
	t.Parallel()
	long := violation()
	violationOf := *long.Violation
	violationOf.Explanation = strings.Repeat("x", 1<<20) // more than a pipe holds
	long.Violation = &violationOf
	for text, want := range map[string]string{
		`cat >"$TMPDIR/event"; tail -c 1 "$TMPDIR/event" >&2; wc -c <"$TMPDIR/event" | tr -d " " >&2`: "",
		`exec <&-; exec true`: "nothing",
		`exit 0`:              "nothing",
		`head -c 10 >&2`:      `{"event":"`,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			r := New(Config{Rules: []policy.Action{script(t, text)}, Folder: t.TempDir()})
			defer r.Close(t.Context())
			result := r.Run(t.Context(), long)[0]
			got := strings.Join(result.Output, "|")
			switch want {
			case "":
				read, err := event.Parse(long.Document())
				if err != nil || read.Violation.Explanation != violationOf.Explanation || !strings.HasPrefix(got, "}") {
					t.Error(err, got)
				}
			case "nothing":
				want = ""
				fallthrough
			default:
				if got != want {
					t.Errorf("%q", got)
				}
			}
			if result.Err != nil {
				t.Error(result.Err)
			}
		})
	}
}

// A program sees what is promised of the environment, and where it works; values that a rule
// asks for are in nothing that is shown.
func TestEnvironmentAndFolder(t *testing.T) {
	t.Setenv("TELLTALE_TEST_TOKEN", "tok-en 1/2+3")
	t.Setenv("TELLTALE_TEST_SECRET", "not for programs")
	t.Setenv("LANG", "C.UTF-8")
	a := script(t, "")
	a.Environment = []string{"TELLTALE_TEST_TOKEN", "TMPDIR", "TELLTALE_TEST_UNSET", "PATH"}
	a.Run = []string{"sh", "-c", `env >&2; pwd -P >&2; ls -ld . | cut -c1-10 >&2; ls -A >&2
[ "$TELLTALE_TEST_TOKEN" = "tok-en 1/2+3" ] || exit 7
printf '{"annotate": "token is %s"}' "$TELLTALE_TEST_TOKEN"`}
	result := one(t, a)
	var names []string
	values := map[string]string{}
	var rest []string
	for _, line := range result.Output {
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			rest = append(rest, line)
			continue
		}
		values[name] = value
		if !slices.Contains([]string{"PWD", "OLDPWD", "SHLVL", "_"}, name) { // of the shell
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "LANG PATH TELLTALE_EVENT TELLTALE_TEST_TOKEN TMPDIR" {
		t.Error(got)
	}
	if values["TELLTALE_EVENT"] != "a1b2-7" || values["LANG"] != "C.UTF-8" || values["PATH"] != os.Getenv("PATH") {
		t.Error(values)
	}
	if !strings.HasPrefix(filepath.Base(values["TMPDIR"]), folderPrefix) || len(rest) != 2 || filepath.Base(rest[0]) != filepath.Base(values["TMPDIR"]) || rest[1] != "drwx------" {
		t.Error(values["TMPDIR"], rest)
	}
	if values["TELLTALE_TEST_TOKEN"] != "[TELLTALE_TEST_TOKEN]" || result.Answer.Annotate != "token is [TELLTALE_TEST_TOKEN]" || result.Err != nil {
		t.Errorf("%+v", result)
	}
	a.Run = []string{"sh", "-c", `echo "refused: $TELLTALE_TEST_TOKEN" >&2; exit 3`}
	if err := one(t, a).Err; err == nil || !strings.HasSuffix(err.Error(), "failed: exit code 3; it said: refused: [TELLTALE_TEST_TOKEN]") {
		t.Error(err)
	}
}

func TestProgramsThatFail(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`echo '{"annotate": "x"}'; echo first >&2; printf 'last' >&2; exit 42`: "failed: exit code 42; it said: last",
		`exit 1`:        "failed: exit code 1",
		`kill -SEGV $$`: "failed: ended by signal 11 (segmentation fault)",
		`echo not json`: "its answer is refused: it is no JSON",
		`echo '{}{}'`:   "its answer is refused: something follows the object",
		`echo '{"notify": {"title": "x", "to": ["press"]}}'`: `its answer is refused: notify.to: there is no destination "press"`,
	} {
		result := one(t, script(t, text))
		var failure *Failure
		if !errors.As(result.Err, &failure) || !strings.Contains(result.Err.Error(), "telltale.yaml:31: ./program.sh for event a1b2-7: "+want) || !result.Answer.IsZero() {
			t.Errorf("%s: %+v", text, result)
		}
	}
	hint := interface{ Hint() string }(nil)
	if err := one(t, script(t, "echo no")).Err; !errors.As(err, &hint) || !strings.Contains(hint.Hint(), "docs/actions.md") {
		t.Error(err)
	}
}

// What cannot be run is said at the start, and again for each event.
func TestProgramsThatCannotBeRun(t *testing.T) {
	t.Parallel()
	place := script(t, "")
	folder := filepath.Dir(place.Source.File)
	for name, text := range map[string]string{"no-shebang": "true\n", "no-interpreter": "#!/nowhere/sh\n", "not-executable": "#!/bin/sh\n", "empty": ""} {
		mode := os.FileMode(0o700)
		if name == "not-executable" {
			mode = 0o600
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for run, want := range map[string]struct {
		check bool
		err   string
	}{
		"./not-there":           {true, "no such file or directory"},
		"./not-executable":      {true, "permission denied"},
		".":                     {true, "cannot run it: "},
		"./":                    {true, "cannot run it: "},
		"":                      {true, "run names no program"},
		"telltale-test-nowhere": {true, "executable file not found in $PATH"},
		"./no-shebang":          {false, "exec format error"},
		"./empty":               {false, "exec format error"},
		"./no-interpreter":      {false, "no such file or directory"},
	} {
		a := place
		a.Run = []string{run, "--token=s3cret"}
		r := New(Config{Rules: []policy.Action{a}, Folder: t.TempDir()})
		if got := r.Check(); (len(got) == 1) != want.check || want.check && !strings.Contains(got[0].Error(), want.err) {
			t.Errorf("%q: check says %v", run, got)
		}
		err := r.Run(t.Context(), violation())[0].Err
		if err == nil || !strings.Contains(err.Error(), want.err) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", run, err)
		}
		r.Close(t.Context())
	}
}

// A program is found beside the policy, wherever this process is, by an absolute path, and
// in PATH; it gets its arguments as they are.
func TestWhereProgramsAre(t *testing.T) {
	t.Parallel()
	a := script(t, `printf '%s|' "$0" "$@" >&2`)
	folder := filepath.Dir(a.Source.File)
	for _, run := range [][]string{
		{"./program.sh", "$(id)", "a b", "", "*"},
		{"../" + filepath.Base(folder) + "/program.sh", "$(id)", "a b", "", "*"},
		{filepath.Join(folder, "program.sh"), "$(id)", "a b", "", "*"},
	} {
		a.Run = run
		want := filepath.Join(folder, "program.sh") + "|$(id)|a b||*|"
		if result := one(t, a); result.Err != nil || strings.Join(result.Output, "") != want {
			t.Errorf("%q: %q, %v", run, result.Output, result.Err)
		}
	}
	a.Run = []string{"true"}
	if err := one(t, a).Err; err != nil {
		t.Error(err)
	}
}

// A program that makes its folder hard to remove does not succeed.
func TestFolderIsRemovedWhateverIsInIt(t *testing.T) {
	t.Parallel()
	result := one(t, script(t, `mkdir -p a/b/c; echo x >a/b/c/file; ln -s / a/root; chmod 0 a/b/c/file a/b/c a/b a .; mkfifo pipe 2>/dev/null; true`))
	if result.Err != nil {
		t.Error(result.Err)
	}
	if result.Took > time.Minute {
		t.Error(result.Took)
	}
}
