package intake_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"telltale/flow"
	"telltale/intake"
)

// TestChangedFileIsAnError changes a file while it is read.
func TestChangedFileIsAnError(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"longer": func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("\n")
			return errors.Join(err, f.Close())
		},
		"replaced": func(path string) error {
			if err := os.WriteFile(path+".new", []byte(entries("new.example")), 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
		"removed":   os.Remove,
		"rewritten": func(path string) error { return os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			hosts := make([]string, 20_000) // more than is read before the first is observed
			for i := range hosts {
				hosts[i] = fmt.Sprintf("h%d.example", i)
			}
			path := write(t, filepath.Join(t.TempDir(), "x.har"), entries(hosts...))
			set, _ := intake.Find(t.Context(), []string{path}, nil)
			defer set.Close()
			done := false
			infos, err := set.Read(t.Context(), intake.Options{}, func(*flow.Flow) error {
				if done {
					return nil
				}
				done = true
				return change(path)
			})
			if err != nil && runtime.GOOS == "windows" {
				t.Skipf("this system does not let an open file be %s: %v", name, err)
			}
			var changed *intake.ChangedError
			if err != nil || len(infos) != 1 || !errors.As(infos[0].Err, &changed) || changed.Hint() == "" {
				t.Errorf("%v, %+v", err, infos)
			}
		})
	}
}

// TestChangedBetweenTwoReadings checks that a report with bodies is not made of
// another file than the verdict.
func TestChangedBetweenTwoReadings(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "x.har"), entries("a.example"))
	set, _ := intake.Find(t.Context(), []string{path}, nil)
	defer set.Close()
	nothing := func(*flow.Flow) error { return nil }
	if infos, err := set.Read(t.Context(), intake.Options{}, nothing); err != nil || infos[0].Err != nil {
		t.Fatal(err, infos)
	}
	write(t, path, entries("b.example"))
	infos, err := set.Read(t.Context(), intake.Options{}, nothing)
	var changed *intake.ChangedError
	if err != nil || !errors.As(infos[0].Err, &changed) {
		t.Errorf("%v, %+v", err, infos)
	}
}

// A reading that was stopped says nothing of what the file holds.
func TestReadingAfterOneThatWasStopped(t *testing.T) {
	const flows = 20_000 // more than is read before the first is observed
	path := write(t, filepath.Join(t.TempDir(), "x.har"), entries(slices.Repeat([]string{"a.example"}, flows)...))
	set, _ := intake.Find(t.Context(), []string{path}, nil)
	defer set.Close()
	stop := errors.New("enough")
	if _, err := set.Read(t.Context(), intake.Options{}, func(*flow.Flow) error { return stop }); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	infos, err := set.Read(t.Context(), intake.Options{}, func(*flow.Flow) error { return nil })
	if err != nil || len(infos) != 1 || infos[0].Err != nil || infos[0].Flows != flows {
		t.Errorf("%v, %+v", err, infos)
	}
}
