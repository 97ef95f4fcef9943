package cmd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"telltale/capture"
	"telltale/exports"
	"telltale/flow/flowtest"
	"telltale/intake"
	"telltale/policy"
	"telltale/reports"
)

// TestExportsGoWithTheirCapture writes HAR reports with long bodies of captures and removes
// the captures in each way that there is.
func TestExportsGoWithTheirCapture(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_DATA_HOME", home)
	t.Setenv("HOME", home)
	for name, remove := range map[string]func(path string) error{
		"removed": removeCapture,
		"purged": func(string) error {
			_, _, err := purge(time.Now().Add(2 * time.Hour))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.MkdirAll(capturesFolder(), 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(capturesFolder(), name+capture.Ext)
			store, err := capture.Create(path, capture.Options{})
			if err != nil {
				t.Fatal(err)
			}
			f := flowtest.Get("https://big.example/", flowtest.ResponseBody("text/plain", strings.Repeat("long body ", 100_000)))
			f.ID = store.NextID()
			store.Observe(f)
			if err := errors.Join(store.SetExpiry(time.Now().Add(time.Hour)), store.Sync()); err != nil {
				t.Fatal(err)
			}
			pol, err := policy.New([]string{"*.example"})
			if err != nil {
				t.Fatal(err)
			}
			flags := &reportFlags{capture: path, expires: time.Now().Add(time.Hour)}
			doc := flags.document(pol, nil, store.Summary(), []reports.CaptureInfo{{File: path}})
			doc.Flows = everyFlow(store)
			file := filepath.Join(t.TempDir(), "x.har")
			if err := errors.Join(flags.writeFile(file, doc), store.Close()); err != nil {
				t.Fatal(err)
			}
			if all, err := exports.OfCapture(exportsIndex(), path); err != nil || len(all) != 1 || all[0].Expires.Sub(flags.expires).Abs() > time.Second {
				t.Fatalf("%+v, %v", all, err)
			}
			if err := remove(path); err != nil {
				t.Fatal(err)
			}
			for _, gone := range []string{path, file + ".bodies"} {
				if _, err := os.Stat(gone); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s is still there: %v", gone, err)
				}
			}
			if stored, err := intake.IsStored(file); err != nil || stored {
				t.Errorf("the report itself: %v", err)
			}
		})
	}
}
