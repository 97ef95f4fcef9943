package consequence

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow/flowtest"
)

func TestStretchesAreDerivedFromFlows(t *testing.T) {
	flows := slices.Concat(background(300), every(2, 101, 200, refusing(google)), every(12, 203, 300, getting(probe)))
	r := followed(t, capture.Story{Started: time.Now(), Watched: time.Hour}, flowtest.Number(flows...)...)
	s := one(t, r)
	if !r.Derived || s.From != flowtest.Epoch.Add(seconds(101)) || s.To.Before(flowtest.Epoch.Add(seconds(199))) || s.To.After(flowtest.Epoch.Add(seconds(203))) || s.Targets[0].Tries != 50 {
		t.Errorf("%+v", s)
	}
	for _, f := range flows {
		if at := f.Times.Start.Sub(flowtest.Epoch); at >= seconds(100) && at < seconds(201) {
			f.Phase = "enforce"
		}
	}
	s = one(t, followed(t, capture.Story{}, flows...))
	if s.From != flowtest.Epoch.Add(seconds(101)) || s.To != flowtest.Epoch.Add(seconds(201)) && s.To != flowtest.Epoch.Add(seconds(203)) {
		t.Errorf("with phases: %+v", s)
	}
	if r := followed(t, capture.Story{}, background(300)...); r != nil {
		t.Errorf("without experiments: %+v", r)
	}
}

func TestSegments(t *testing.T) {
	at := func(n int) time.Time { return flowtest.Epoch.Add(time.Duration(n) * time.Second) }
	a, b := []string{"a"}, []string{"b"}
	tests := []struct {
		switches []capture.Switch
		want     string
	}{
		{nil, "[]"},
		{[]capture.Switch{{Time: at(1), Active: a}}, "[] 1[a]"},
		{[]capture.Switch{{Time: at(1), Active: a}, {Time: at(2)}}, "[] 1[a] 2[]"},
		{[]capture.Switch{{Time: at(2)}, {Time: at(1), Active: a}}, "[] 1[a] 2[]"},
		{[]capture.Switch{{Time: at(1), Active: a}, {Time: at(1), Active: b}, {Time: at(2)}}, "[] 1[b] 2[]"},
		{[]capture.Switch{{Time: at(1), Active: a}, {Time: at(1)}, {Time: at(2)}}, "[]"},
		{[]capture.Switch{{Time: at(1), Active: a}, {Time: at(2), Active: a}}, "[] 1[a]"},
	}
	for _, tt := range tests {
		segments, more := segmentsOf(tt.switches)
		got := ""
		for i, s := range segments {
			if i > 0 {
				got += fmt.Sprint(" ", int(s.from.Sub(flowtest.Epoch).Seconds()))
			}
			got += fmt.Sprint(s.experiments)
		}
		if got != tt.want || more != 0 {
			t.Errorf("%v: %s, want %s", tt.switches, got, tt.want)
		}
	}
	var many []capture.Switch
	for i := range 3 * maxStretches {
		many = append(many, capture.Switch{Time: at(2 * i), Active: a}, capture.Switch{Time: at(2*i + 1)})
	}
	segments, more := segmentsOf(many)
	if more != 2*maxStretches || len(segments) != 2*maxStretches+1 || find(segments, at(5*maxStretches)) != -1 || find(segments, at(-5)) != 0 || find(segments, at(2)) != 3 {
		t.Errorf("%d segments, %d more", len(segments), more)
	}
}

// TestTooManyRowsAreSaid has more hosts than are told apart.
func TestTooManyRowsAreSaid(t *testing.T) {
	flows := slices.Concat(background(300), every(2, 101, 200, refusing(google)))
	for i := range maxRows + 5 {
		flows = append(flows, get(fmt.Sprintf("https://h%d.example/", i), 50))
	}
	r := followed(t, on("enforce", 100, 200), flowtest.Number(flows...)...)
	if s := one(t, r); !r.Crowded || s.Undisturbed() || !slices.Contains(s.Lacking(), TooMuch) {
		t.Errorf("crowded %v, lacking %v", r.Crowded, s.Lacking())
	}
}
