package intake_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"telltale/guard/raced"
	"telltale/intake"
)

// TestArchivesInAnArchive checks that no capture in one is passed over in silence.
func TestArchivesInAnArchive(t *testing.T) {
	dir := t.TempDir()
	inner := zipped(t, "har.har", entries("inner.example"))
	t.Run("beside others", func(t *testing.T) {
		hosts, infos, troubles := read(t, intake.Options{}, write(t, filepath.Join(dir, "a.zip"),
			zipped(t, "a.har", entries("a.example"), "run/run.har.zip", inner, "shots.zip", zipped(t, "1.png", "png"))))
		clean(t, infos, troubles)
		equal(t, hosts, "a.example", "inner.example")
		equal(t, names(infos), "a.zip/a.har", "a.zip/run/run.har.zip")
	})
	t.Run("alone, in a folder", func(t *testing.T) {
		folder := filepath.Dir(write(t, filepath.Join(dir, "folder", "artifact.zip"), zipped(t, "run.har.zip", inner)))
		hosts, infos, troubles := read(t, intake.Options{}, folder)
		clean(t, infos, troubles)
		equal(t, hosts, "inner.example")
	})
	t.Run("damaged", func(t *testing.T) {
		_, infos, _ := read(t, intake.Options{}, write(t, filepath.Join(dir, "b.zip"), zipped(t, "a.har", entries("a.example"), "run.har.zip", inner[:80])))
		if len(infos) != 2 || infos[1].Err == nil || !strings.Contains(infos[1].Err.Error(), "b.zip/run.har.zip: cannot unpack the archive") {
			t.Errorf("%+v", infos)
		}
	})
	t.Run("too deep", func(t *testing.T) {
		_, infos, _ := read(t, intake.Options{}, write(t, filepath.Join(dir, "c.zip"), zipped(t, "b.zip", zipped(t, "a.zip", inner))))
		if len(infos) != 1 || infos[0].Err == nil || !strings.Contains(infos[0].Err.Error(), "an archive in an archive in an archive") {
			t.Errorf("%+v", infos)
		}
	})
	t.Run("without captures", func(t *testing.T) {
		_, infos, _ := read(t, intake.Options{}, write(t, filepath.Join(dir, "d.zip"), zipped(t, "shots.zip", zipped(t, "1.png", "png"))))
		if len(infos) != 1 || infos[0].Err == nil || !strings.Contains(infos[0].Err.Error(), "expected a capture in the archive") {
			t.Errorf("%+v", infos)
		}
	})
}

func names(infos []intake.Info) (all []string) {
	for _, info := range infos {
		folder, name := filepath.Split(info.File)
		for !strings.HasSuffix(folder, "001"+string(filepath.Separator)) && folder != "" {
			var last string
			folder, last = filepath.Split(strings.TrimSuffix(folder, string(filepath.Separator)))
			name = last + "/" + name
		}
		all = append(all, name)
	}
	return all
}

// TestMembersOfOneName checks that both are read, as often as one likes.
func TestMembersOfOneName(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "a.zip"), zipped(t, "a.har", entries("one.example"), "a.har", entries("two.example")))
	for range 2 {
		hosts, infos, troubles := read(t, intake.Options{}, path)
		clean(t, infos, troubles)
		equal(t, hosts, "one.example", "two.example")
	}
}

// TestWhatMacOSAddsIsNoCapture checks archives and folders of that system.
func TestWhatMacOSAddsIsNoCapture(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.zip"), zipped(t, "run.har", entries("a.example"), "__MACOSX/._run.har", "\x00\x05\x16\x07", "__MACOSX/run.har", "\x00"))
	write(t, filepath.Join(dir, "._b.har"), "\x00\x05\x16\x07")
	hosts, infos, troubles := read(t, intake.Options{}, dir)
	clean(t, infos, troubles)
	equal(t, hosts, "a.example")
}

// TestArchiveThatLiesAboutItsSizes makes a bomb whose directory claims that it was
// hardly packed at all.
func TestArchiveThatLiesAboutItsSizes(t *testing.T) {
	raced.SkipMeasure(t)
	bomb := entries("bomb.example")
	bomb = bomb[:len(bomb)-2] + `,"comment":"` + strings.Repeat("0", 24<<20) + `"}}`
	archive := []byte(zipped(t, "a.har", bomb))
	entry := bytes.Index(archive, []byte("PK\x01\x02")) // the central directory, APPNOTE 4.3.12
	binary.LittleEndian.PutUint32(archive[entry+20:], 0xfffffff0)
	if z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive))); err != nil || z.File[0].CompressedSize64 < 1<<31 {
		t.Fatalf("not the lie that was meant: %v", err)
	}
	_, infos, _ := read(t, intake.Options{}, write(t, filepath.Join(t.TempDir(), "a.zip"), string(archive)))
	if len(infos) != 1 || infos[0].Err == nil || !strings.Contains(infos[0].Err.Error(), "expands more than") {
		t.Errorf("%+v", infos)
	}
}
