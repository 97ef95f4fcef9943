package cmd

import (
	"bytes"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// What net/http prints about servers does not reach the person's screen, and not
// the scripts that read it.
func TestLibrariesDoNotWriteToTheScreen(t *testing.T) {
	before, flags := slog.Default(), log.Flags()
	t.Cleanup(func() {
		slog.SetDefault(before)
		log.SetOutput(os.Stderr)
		log.SetFlags(flags)
	})
	var screen bytes.Buffer
	quietLibraries(&streams{err: &screen})
	log.Print("Unsolicited response received on idle HTTP channel")
	if screen.Len() > 0 {
		t.Errorf("printed %q", &screen)
	}
	slog.Error("the disk is full")
	if screen.Len() == 0 {
		t.Error("trouble in the tool is not printed")
	}
}

// CMD is told where the authority is, and may change its folder before it reads it.
func TestCAFolderIsAbsolute(t *testing.T) {
	if got := caFolder("ca"); !filepath.IsAbs(got) || filepath.Base(got) != "ca" {
		t.Errorf("--ca ca is %s", got)
	}
}
