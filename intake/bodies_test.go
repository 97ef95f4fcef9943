package intake_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/intake"
)

// TestBodiesInTheFolderOfAHAR checks that long bodies of a report are read again, and that
// nothing else is by their names.
func TestBodiesInTheFolderOfAHAR(t *testing.T) {
	dir := t.TempDir()
	sum := func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
	write(t, filepath.Join(dir, "run", "x.har.bodies", sum("body")+".json"), "body")
	write(t, filepath.Join(dir, "run", "x.har.bodies", sum("gone wrong")+".json"), "KEY!")
	write(t, filepath.Join(dir, "run", "x.har.bodies", "deep", sum("body")+".json"), "body")
	write(t, filepath.Join(dir, "run", "x.har.bodies", "notes.txt"), "KEY!")
	write(t, filepath.Join(dir, "other", sum("KEY!")+".txt"), "KEY!")
	links := map[string]string{
		filepath.Join(dir, "run", "x.har.bodies", sum("KEY!")+".txt"): filepath.Join("..", "..", "other", sum("KEY!")+".txt"),
		filepath.Join(dir, "run", "y.har.bodies"):                     filepath.Join("..", "other"),
	}
	for from, to := range links {
		if err := os.Symlink(to, from); err != nil {
			t.Logf("no symbolic links here: %v", err)
		}
	}
	for name, want := range map[string]struct{ body, note string }{
		"x.har.bodies/" + sum("body") + ".json":                  {"body", ""},
		"x.har.bodies/" + sum("gone wrong") + ".json":            {"", "not what it was"},
		"x.har.bodies/" + sum("KEY!") + ".txt":                   {"", "no longer there"},
		"y.har.bodies/" + sum("KEY!") + ".txt":                   {"", "no longer there"},
		"x.har.bodies/" + sum("missing") + ".json":               {"", "no longer there"},
		"x.har.bodies/notes.txt":                                 {"", "no longer there"},
		"x.har.bodies/deep/" + sum("body") + ".json":             {"", "no longer there"},
		"../run/x.har.bodies/" + sum("body") + ".json":           {"", "leads out"},
		filepath.ToSlash(dir) + "/other/" + sum("KEY!") + ".txt": {"", "leads out"},
	} {
		digest := strings.SplitN(filepath.Base(name), ".", 2)[0]
		file := write(t, filepath.Join(dir, "run", "x.har"), `{"log":{"version":"1.2","entries":[{"request":{"method":"POST","url":"https://a.example/",
			"postData":{"mimeType":"application/json","text":"","size":4,"_file":"`+name+`","_sha256":"`+digest+`","_expires":"2026-11-28T12:00:00Z"}},"response":{"status":200}}]}}`)
		set, troubles := intake.Find(t.Context(), []string{file}, nil)
		var body flow.Body
		infos, err := set.Read(t.Context(), intake.Options{Sent: true}, func(f *flow.Flow) error {
			body = f.Request.Body
			return nil
		})
		if err != nil || len(troubles) > 0 {
			t.Fatal(err, troubles)
		}
		set.Close()
		left := 0
		if want.body == "" {
			left = 1
		}
		if string(body.Content) != want.body || body.Size != 4 || body.Truncated != (want.body == "") || infos[0].LeftOut != left || !strings.Contains(strings.Join(infos[0].Notes, " "), want.note) {
			t.Errorf("%s: %+v, %+v", name, body, infos[0])
		}
	}
	// A folder is searched for captures, of which the bodies are none.
	set, _ := intake.Find(t.Context(), []string{filepath.Join(dir, "run")}, nil)
	defer set.Close()
	if set.Len() != 1 {
		t.Errorf("%d captures in the folder", set.Len())
	}
}
