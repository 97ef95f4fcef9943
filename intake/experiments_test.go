package intake_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
	"telltale/intake"
)

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
	}, seen)
	want := []capture.Experiment{
		{Name: "enforce", Periods: []capture.Period{period(1)}},
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
