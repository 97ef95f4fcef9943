package har_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/har"
)

func TestExperimentsOfTheFile(t *testing.T) {
	day := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	w := har.NewWriter(&out, har.WriterOptions{Name: "telltale", Mask: func(s string) string { return strings.ReplaceAll(s, "t0ken", flow.Redacted) }})
	w.SetExperiments([]har.Experiment{
		{Name: "modify t0ken.json", Periods: []har.Period{{From: day, To: day.Add(time.Minute)}, {From: day.Add(time.Hour)}}},
		{Name: "no-quic"},
		{Name: "offline", Periods: []har.Period{{From: day, To: day.AddDate(9000, 0, 0)}}}, // of a clock that JSON has no year for
	})
	if err := errors.Join(w.Write(flowtest.Get("https://a.example/")), w.Close()); err != nil {
		t.Fatal(err)
	}
	_, info, err := read(t, out.Bytes())
	want := []har.Experiment{
		{Name: "modify [redacted].json", Periods: []har.Period{{From: day, To: day.Add(time.Minute)}, {From: day.Add(time.Hour)}}},
		{Name: "no-quic"},
		{Name: "offline", Periods: []har.Period{{From: day}}},
	}
	if diff := cmp.Diff(want, info.Experiments); diff != "" || err != nil || len(info.Notes) > 0 {
		t.Errorf("%s\nerror %v, notes %q", diff, err, info.Notes)
	}
}

func TestForeignExperimentsOfTheFile(t *testing.T) {
	const note = "What the file says of its own experiments"
	many := strings.Repeat(`{"name":"x"},`, 100)
	tests := map[string]struct {
		member string
		want   int
		noted  bool
	}{
		"none":           {`{}`, 0, false},
		"null":           {`null`, 0, false},
		"another form":   {`{"experiments":"offline"}`, 0, true},
		"a text":         {`"offline"`, 0, true},
		"no name":        {`{"experiments":[{"periods":[]},{"name":"offline"}]}`, 1, true},
		"a long name":    {fmt.Sprintf(`{"experiments":[{"name":%q}]}`, strings.Repeat("x", 5000)), 0, true},
		"too many":       {`{"experiments":[` + strings.TrimSuffix(many, ",") + `]}`, 64, true},
		"a bad time":     {`{"experiments":[{"name":"offline","periods":[{"from":"yesterday"}]}]}`, 0, true},
		"back in time":   {`{"experiments":[{"name":"offline","periods":[{"from":"2026-11-20T12:00:00Z","to":"2026-11-20T11:00:00Z"}]}]}`, 1, false},
		"more is known":  {`{"experiments":[{"name":"offline","kind":7}],"later":[1]}`, 1, false},
		"too many bytes": {`{"experiments":[],"x":"` + strings.Repeat("x", 5<<20) + `"}`, 0, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, info, err := read(t, []byte(`{"log":{"_telltale":`+tt.member+`,"entries":[]}}`))
			if err != nil || len(info.Experiments) != tt.want || strings.Contains(strings.Join(info.Notes, ""), note) != tt.noted {
				t.Errorf("%d experiments, notes %q, error %v", len(info.Experiments), info.Notes, err)
			}
			for _, e := range info.Experiments {
				if len(e.Periods) > 0 {
					t.Errorf("periods %v", e.Periods)
				}
			}
		})
	}
}
