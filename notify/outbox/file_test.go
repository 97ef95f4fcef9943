package outbox_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"telltale/notify"
	"telltale/notify/outbox"
)

func TestNoLinkIsKept(t *testing.T) {
	path, c := newPath(t), newClock()
	box := open(t, path, c)
	m := notify.Message{ID: "m1", Items: []notify.Item{{ID: "v1", Acknowledge: "https://lab.example/ack?token=SECRETSECRET"}}}
	must(t, box.Add([]outbox.Draft{{To: lab, Message: m}}, nil))
	if m.Items[0].Acknowledge == "" {
		t.Error("the caller's message was changed")
	}
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		must(t, err)
		if bytes.Contains(content, []byte("SECRET")) {
			t.Errorf("the file%s has a permission in it", suffix)
		}
	}
}

func TestOnlyItsOwnerReadsTheOutbox(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no mode bits; files inherit the user's folder")
	}
	path, c := newPath(t), newClock()
	box := open(t, path, c)
	must(t, box.Add(drafts(lab, "m1"), nil))
	check := func() {
		t.Helper()
		for name, want := range map[string]os.FileMode{filepath.Dir(path): 0o700, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600} {
			if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
	}
	check()
	must(t, os.Chmod(path, 0o644))
	open(t, path, c)
	check()
}

func TestFilesThatAreNoOutboxAreLeftAlone(t *testing.T) {
	c := newClock()
	alter := func(statement string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			box := open(t, path, c)
			must(t, box.Add(drafts(lab, "m1"), nil))
			must(t, box.Close())
			db, err := sql.Open("sqlite", path)
			must(t, err)
			_, err = db.Exec(statement)
			must(t, err)
			must(t, db.Close())
		}
	}
	for name, test := range map[string]struct {
		make func(*testing.T, string)
		want string
	}{
		"text": {func(t *testing.T, path string) {
			must(t, os.WriteFile(path, bytes.Repeat([]byte("text "), 2000), 0o600))
		}, "is damaged"},
		"folder":  {func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, "is a folder"},
		"newer":   {alter("PRAGMA user_version = 99"), "newer telltale (version 99"},
		"foreign": {alter("PRAGMA application_id = 1"), "another program"},
		"holes": {func(t *testing.T, path string) {
			alter("VACUUM")(t, path)
			content, err := os.ReadFile(path)
			must(t, err)
			for i := 4096; i < len(content); i++ {
				content[i] = 0xff
			}
			must(t, os.WriteFile(path, content, 0o600))
		}, "is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "outbox.db")
			test.make(t, path)
			before, _ := os.ReadFile(path)
			box, err := outbox.Open(path, outbox.Options{Now: c.now})
			var file *outbox.FileError
			if !errors.As(err, &file) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) || file.Hint() == "" {
				t.Errorf("error: %v", err)
			}
			if box != nil {
				t.Error("it was opened")
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestAnEmptyFileIsANewOutbox(t *testing.T) {
	path, c := filepath.Join(t.TempDir(), "outbox.db"), newClock()
	must(t, os.WriteFile(path, nil, 0o600)) // its maker was killed
	must(t, open(t, path, c).Add(drafts(lab, "m1"), nil))
}

func TestADamagedMessageIsClaimedToBeBuried(t *testing.T) {
	path, c := newPath(t), newClock()
	box := open(t, path, c)
	must(t, box.Add(drafts(lab, "m1"), nil))
	edit(t, path, "UPDATE messages SET document = '{'")
	m, ok, err := box.Claim(lab.Identity, time.Minute)
	var broken *outbox.DocumentError
	if !errors.As(err, &broken) || !ok || m.ID != "m1" {
		t.Fatalf("claimed %+v, %v, %v", m, ok, err)
	}
	must(t, box.Bury(m, "damaged"))
	if m := one(t, box, "m1"); m.State != outbox.Dead {
		t.Errorf("it is %s", m.State)
	}
}

// edit changes the file as somebody else would.
func edit(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+strings.ReplaceAll(filepath.ToSlash(path), "?", "%3f"))
	must(t, err)
	defer db.Close()
	_, err = db.Exec(statement)
	must(t, err)
}

func TestAFullDiskTakesNothing(t *testing.T) {
	path, c := newPath(t), newClock()
	box := open(t, path, c)
	_, err := box.Register("audit", "a.telltale")
	must(t, err)
	edit(t, path, "CREATE TRIGGER full BEFORE INSERT ON messages WHEN NEW.id = 'm2' BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END")
	taking := outbox.Taking{Audit: "audit", To: 2, Drafts: drafts(lab, "m1", "m2")}
	if err := box.Take(taking); err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("error: %v", err)
	}
	list, err := box.List()
	if seq, seqErr := box.Taken("audit"); err != nil || seqErr != nil || len(list) != 0 || seq != 0 {
		t.Errorf("half of it was kept: %v, %d", list, seq)
	}
	edit(t, path, "DROP TRIGGER full")
	must(t, box.Take(taking))
}

func TestMemoryIsBounded(t *testing.T) {
	c := newClock()
	box, err := outbox.Memory(outbox.Options{Now: c.now})
	must(t, err)
	defer box.Close()
	for i := range 10 {
		var ids []string
		for n := range outbox.Capacity / 10 {
			ids = append(ids, fmt.Sprint(i, "-", n))
		}
		must(t, box.Add(drafts(lab, ids...), []outbox.Escalation{{Audit: "audit", Violation: fmt.Sprint(i % 2), To: desk, Due: c.now()}}))
	}
	if err := box.Add(drafts(lab, "more"), nil); !errors.Is(err, outbox.ErrFull) {
		t.Errorf("error: %v", err)
	}
	m, _ := claim(t, box, lab)
	must(t, box.Bury(m, "no"))
	must(t, box.Add(drafts(lab, "more"), nil))
	rest, escalations, waiting, err := box.Rest()
	if err != nil || len(rest) != outbox.Capacity+1 || waiting != outbox.Capacity || len(escalations) != 2 {
		t.Errorf("the rest: %d, %d waiting, %d escalations, %v", len(rest), waiting, len(escalations), err)
	}
}
