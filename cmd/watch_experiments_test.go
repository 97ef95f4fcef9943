package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"telltale/flow/flowtest"
	"telltale/har"
)

// A HAR that was made of an audit says on the screen which experiments were on, and claims
// nothing of the time after it.
func TestWatchedFileHasItsExperiments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "copy.har")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := har.NewWriter(file, har.WriterOptions{Name: "telltale"})
	w.SetExperiments([]har.Experiment{{Name: "no-quic", Periods: []har.Period{{From: flowtest.Epoch, To: flowtest.Epoch.Add(time.Minute)}}}})
	if err := errors.Join(w.Write(flowtest.Get("https://a.example/")), w.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	pol, err := (&policyFlags{}).orNothing()
	if err != nil {
		t.Fatal(err)
	}
	seen, err := openWatched(path, pol, &restFlags{})
	if err != nil {
		t.Fatal(err)
	}
	defer seen.close()
	if err := seen.load(t.Context(), func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	if all := seen.store.Summary().Experiments; len(all) != 1 || all[0].Name != "no-quic" || len(all[0].Periods) != 1 || !all[0].Periods[0].From.Equal(flowtest.Epoch) {
		t.Errorf("experiments %+v", all)
	}
	story, err := seen.store.Story(t.Context())
	if err != nil || !story.Started.IsZero() || story.Watched != 0 || len(story.Switches) != 2 {
		t.Errorf("story %+v, error %v", story, err)
	}
}
