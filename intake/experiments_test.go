package intake_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/har"
	"telltale/intake"
)

// TestExperimentsOfACopyAsHAR writes experiments that altered nothing into a HAR: a reader of
// it is to know of them, and when they were on.
func TestExperimentsOfACopyAsHAR(t *testing.T) {
	day := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "copy.har")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := har.NewWriter(file, har.WriterOptions{Name: "telltale"})
	w.SetExperiments([]har.Experiment{{Name: "offline", Periods: []har.Period{{From: day.Add(time.Minute)}}}, {Name: "enforce", Periods: []har.Period{{From: day, To: day.Add(time.Hour)}}}})
	if err := errors.Join(w.Write(flowtest.Get("https://a.example/")), w.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	in, troubles := intake.Find(t.Context(), []string{path}, nil)
	defer in.Close()
	infos, err := in.Read(t.Context(), intake.Options{}, func(*flow.Flow) error { return nil })
	if err = errors.Join(append(troubles, err)...); err != nil || len(infos) != 1 {
		t.Fatal(err)
	}
	want := []capture.Experiment{
		{Name: "enforce", Periods: []capture.Period{{From: day, To: day.Add(time.Hour)}}},
		{Name: "offline", Periods: []capture.Period{{From: day.Add(time.Minute)}}},
	}
	if diff := cmp.Diff(want, infos[0].Experiments); diff != "" {
		t.Error(diff)
	}
	switches := []capture.Switch{
		{Time: day, Active: []string{"enforce"}}, {Time: day.Add(time.Minute), Active: []string{"enforce", "offline"}}, {Time: day.Add(time.Hour), Active: []string{"offline"}},
	}
	if diff := cmp.Diff(switches, intake.Switches(infos)); diff != "" {
		t.Error(diff)
	}
}

// TestSwitchesOfOverlappingCaptures has one experiment on in two captures of the same time.
func TestSwitchesOfOverlappingCaptures(t *testing.T) {
	day := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	of := func(from, to int) intake.Info {
		return intake.Info{Experiments: []capture.Experiment{{Name: "offline", Periods: []capture.Period{{From: day.Add(time.Duration(from)), To: day.Add(time.Duration(to))}}}}}
	}
	want := []capture.Switch{{Time: day, Active: []string{"offline"}}, {Time: day.Add(9)}}
	if diff := cmp.Diff(want, intake.Switches([]intake.Info{of(3, 9), of(0, 5), of(0, 5)})); diff != "" {
		t.Error(diff)
	}
}

func TestExperimentsOfSeveralCaptures(t *testing.T) {
	day := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	period := func(hour int) capture.Period {
		return capture.Period{From: day.Add(time.Duration(hour) * time.Hour), To: day.Add(time.Duration(hour+1) * time.Hour)}
	}
	seen := []capture.Experiment{{Name: "flaky 1", Flows: 2, Hosts: 1}, {Name: "offline", Flows: 7, Hosts: 3}}
	got := intake.Experiments([]intake.Info{
		{Experiments: []capture.Experiment{{Name: "enforce", Periods: []capture.Period{period(1)}}, {Name: "offline", Flows: 4, Periods: []capture.Period{period(2)}}}},
		{},
		{Experiments: []capture.Experiment{{Name: "offline", Flows: 3, Periods: []capture.Period{period(5), period(7)}}}},
		{Experiments: []capture.Experiment{{Name: "enforce", Periods: []capture.Period{period(0)}}, {Name: "offline", Flows: 3, Periods: []capture.Period{period(5)}}}},
	}, seen)
	want := []capture.Experiment{
		{Name: "enforce", Periods: []capture.Period{period(0), period(1)}},
		{Name: "flaky 1", Flows: 2, Hosts: 1},
		{Name: "offline", Flows: 7, Hosts: 3, Periods: []capture.Period{period(2), period(5), period(7)}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if seen[1].Periods != nil {
		t.Error("what was given has changed")
	}
	if intake.Experiments([]intake.Info{{}}, nil) != nil {
		t.Error("an audit that only observed has experiments")
	}
}
