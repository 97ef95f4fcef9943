package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"telltale/capture"
	"telltale/exports"
	"telltale/reports"
)

// exportsIndex remembers files that were written from captures and are to expire.
func exportsIndex() string { return filepath.Join(dataHome(), "telltale", "exports.json") }

// purge removes everything whose time is over: captures, what was exported from them, and
// what processes left behind that were killed.
func purge(now time.Time) (captures, others []string, err error) {
	captures, err = capture.Purge(capturesFolder(), now, untold(now))
	exported, failed := exports.Purge(exportsIndex(), now)
	for _, path := range captures {
		more, err := exports.Remove(exportsIndex(), path)
		exported, failed = append(exported, more...), errors.Join(failed, err)
	}
	left, broken := capture.PurgeTemporary(os.TempDir(), now)
	return captures, append(exported, left...), errors.Join(err, failed, broken, sweepOutbox())
}

// sweepOutbox removes from the outbox what is kept there no longer.
func sweepOutbox() error {
	box, err := openOutbox()
	if box == nil || err != nil {
		return err
	}
	err = box.Sweep(nil, func(path string) bool {
		_, err := os.Stat(path)
		return !errors.Is(err, fs.ErrNotExist)
	})
	return errors.Join(err, box.Close())
}

// toldLate is how long a capture may be kept for people who were not told yet what it holds:
// as long as a message waits for its destination.
const toldLate = 7 * 24 * time.Hour

// untold returns what says of which captures somebody is still to be told: their recorder was
// killed, and the next one that tells takes their events.
func untold(now time.Time) func(path string) bool {
	waiting := map[string]bool{}
	if box, err := openOutbox(); box != nil && err == nil {
		defer box.Close()
		sources, _ := box.Sources() // an outbox that cannot be read is said by who delivers
		for _, source := range sources {
			if now.Sub(source.Used) < toldLate {
				waiting[source.Path] = true
			}
		}
	}
	return func(path string) bool {
		absolute, err := filepath.Abs(path)
		return err == nil && waiting[absolute]
	}
}

// purgeAtStart purges and says so.
func purgeAtStart(s *streams) {
	captures, others, err := purge(time.Now())
	if err != nil {
		s.complain(fmt.Errorf("cannot remove all that has expired: %w", err))
	}
	if len(captures) > 0 {
		s.say("note: removed %s", plural(len(captures), "expired capture"))
	}
	if len(others) > 0 {
		s.say("note: removed %s", plural(len(others), "expired export"))
	}
}

// removeCapture removes a capture and what was exported from it with an expiry.
func removeCapture(path string) error {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := capture.Remove(path); err != nil {
		return err
	}
	_, err = exports.Remove(exportsIndex(), absolute)
	return err
}

// writeFile writes a report. Long bodies lie beside it, and go with the capture that they are
// from, or when their time is over.
func (r *reportFlags) writeFile(file string, doc *reports.Report) error {
	whole := *doc
	whole.BodiesExpire = doc.Generated.Add(capture.DefaultRetention)
	if !r.expires.IsZero() {
		whole.BodiesExpire = r.expires
	}
	written, err := reports.WriteFiles(file, &whole)
	if err != nil || len(written) < 2 {
		return err
	}
	folder := filepath.Dir(written[1])
	err = exports.Add(exportsIndex(), exports.Entry{Path: folder, Capture: r.capture, Made: doc.Generated, Expires: whole.BodiesExpire})
	if err != nil {
		return fmt.Errorf("%s was written, but its bodies will not expire: %w", folder, err)
	}
	return nil
}
