package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunProfilesACommand(t *testing.T) {
	folder := t.TempDir()
	t.Setenv(folderVariable, folder)
	var out strings.Builder
	if code := run([]string{"version"}, strings.NewReader(""), &out, io.Discard); code != 0 || !strings.Contains(out.String(), "telltale") {
		t.Errorf("exit code %d, said %q", code, out.String())
	}
	if info, err := os.Stat(filepath.Join(folder, "version.pprof")); err != nil || info.Size() == 0 {
		t.Errorf("no profile: %v", err)
	}
	t.Setenv(folderVariable, filepath.Join(folder, "missing"))
	if code := run([]string{"version"}, strings.NewReader(""), io.Discard, io.Discard); code != 2 {
		t.Errorf("without a place for the profile: exit code %d", code)
	}
}
