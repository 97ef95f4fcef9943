package cmd

import (
	"bytes"
	"log"
	"log/slog"
	"os"
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
