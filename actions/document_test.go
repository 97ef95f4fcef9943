package actions

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/policy"
)

// example writes a program of the document to a folder, if what runs it is there.
func example(t *testing.T, name, interpreter string, arguments ...string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the examples start with #!, which Windows does not know")
	}
	probe := exec.Command(interpreter, arguments...)
	probe.Env = []string{"PATH=" + os.Getenv("PATH")}
	if err := probe.Run(); err != nil {
		t.Skipf("%s is not here: %v", interpreter, err)
	}
	document, err := os.ReadFile(filepath.Join("..", "docs", "actions.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(document), "\n`"+name+"`")
	_, block, fenced := strings.Cut(after, "\n```")
	_, text, lined := strings.Cut(block, "\n")
	text, _, closed := strings.Cut(text, "\n```")
	if !ok || !fenced || !lined || !closed || !strings.HasPrefix(text, "#!") {
		t.Fatalf("the document has no %s", name)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return folder
}

// The programs that the document shows do what it says.
func TestExamplesOfTheDocument(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, folder string, program []string, beside, content string) Result {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, beside), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return one(t, policy.Action{Run: program, Timeout: time.Minute, Source: policy.Source{File: filepath.Join(folder, "telltale.yaml"), Line: 3}})
	}
	t.Run("triage.sh", func(t *testing.T) {
		t.Parallel()
		folder := example(t, "triage.sh", "jq", "--version")
		result := run(t, folder, []string{"./triage.sh"}, "known-hosts.txt", "cdn.example LAB-1\nads.example LAB-214\n")
		if diff := cmp.Diff(Answer{Annotate: "seen before: LAB-214"}, result.Answer); diff != "" || result.Err != nil {
			t.Error(result.Err, diff)
		}
		result = run(t, folder, []string{"./triage.sh"}, "known-hosts.txt", "cdn.example LAB-1\n")
		if diff := cmp.Diff(Answer{Notify: &Message{Title: "New: ads.example", Text: "no details", To: []string{"lab"}}}, result.Answer); diff != "" || result.Err != nil {
			t.Error(result.Err, diff)
		}
	})
	t.Run("promised.py", func(t *testing.T) {
		t.Parallel()
		folder := example(t, "promised.py", "python3", "-c", "pass")
		result := run(t, folder, []string{"./promised.py", "--days", "30"}, "promised.json", `{"ads.example": "V-7"}`)
		if w := result.Answer.Waive; result.Err != nil || w == nil || w.Reason != "promised in V-7" || time.Until(w.Until) < 29*24*time.Hour {
			t.Errorf("%+v", result)
		}
		result = run(t, folder, []string{"./promised.py"}, "promised.json", `{}`)
		if result.Err != nil || !result.Answer.IsZero() || strings.Join(result.Output, "") != "nothing is promised" {
			t.Errorf("%+v", result)
		}
	})
}
