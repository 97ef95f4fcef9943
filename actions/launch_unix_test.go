//go:build unix

package actions

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A process with the name of a launcher, and as many arguments, is an ordinary one unless a
// Runner has started it: it removes nothing, and does what it was asked for.
func TestANameMakesNoLauncher(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const plain, ours = "victim", folderPrefix + "1"
	for name, c := range map[string]struct {
		folder, word, said  string
		pipes, held, locked bool
	}{
		"its name alone":         {folder: plain},
		"a word alone":           {folder: ours, word: "word"},
		"no word":                {folder: ours, said: "word", pipes: true, held: true},
		"another word":           {folder: ours, word: "word", said: "ward", pipes: true, held: true},
		"nothing said":           {folder: ours, word: "word", pipes: true, held: true},
		"another folder":         {folder: plain, word: "word", said: "word", pipes: true, held: true},
		"a folder not handed on": {folder: ours, word: "word", said: "word", pipes: true},
		"a folder of another":    {folder: ours, word: "word", said: "word", pipes: true, held: true, locked: true},
		"no pipes":               {folder: ours, word: "word", held: true},
	} {
		folder := filepath.Join(t.TempDir(), c.folder)
		if err := os.MkdirAll(filepath.Join(folder, "below"), 0o700); err != nil {
			t.Fatal(err)
		}
		command := exec.Command(self)
		command.Args = []string{launcherName, "-test.run=^$", folder, "/bin/false"}
		command.Env = append(os.Environ(), launchVariable+"="+c.word)
		command.ExtraFiles = handed(t, folder, c.said, c.pipes, c.held)
		if c.locked {
			lock, err := hold(folder)
			if err != nil {
				t.Fatal(err)
			}
			defer lock.Close()
		}
		if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
			t.Errorf("%s: it did not run as usual: %v\n%s", name, err, out)
		}
		if _, err := os.Stat(filepath.Join(folder, "below")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// handed returns files for the descriptors that a launcher looks at.
func handed(t *testing.T, folder, said string, pipes, held bool) []*os.File {
	t.Helper()
	file := func(f *os.File, err error) *os.File {
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	files := []*os.File{file(os.Open(os.DevNull)), file(os.Open(os.DevNull)), file(os.Open(os.DevNull))}
	if pipes {
		for i := range 2 {
			r, w, err := os.Pipe()
			files[i] = file(r, err)
			file(w, err).WriteString(said)
		}
	}
	if held {
		files[2] = file(os.Open(folder))
	}
	return files
}
