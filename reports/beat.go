package reports

import (
	"cmp"
	"slices"
	"strings"

	"telltale/cadence"
	"telltale/capture"
	"telltale/policy"
	"telltale/policy/catalog"
)

// This file tells of contacts that repeat by a timer.

// beats are the kinds of requests that keep a rhythm, those of violations first, then the
// fastest.
func (r *Report) beats() []capture.Shape {
	hosts := r.lookup().hosts
	var out []capture.Shape
	for _, s := range r.Summary.Shapes {
		if s.Rhythm.Count > 0 {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b capture.Shape) int {
		return cmp.Or(hosts[b.Host].verdict.Weight()-hosts[a.Host].verdict.Weight(), cmp.Compare(a.Rhythm.Every, b.Rhythm.Every),
			strings.Compare(a.Host, b.Host), strings.Compare(a.Path, b.Path))
	})
	return out
}

// tells says what a rhythm amounts to: "tells Google every minute that the app is open".
func (r *Report) tells(host string, beat cadence.Rhythm, st style) string {
	whom := st.data(r.clipped(host, maxHost))
	if who := r.whois(host); who.Company != "" {
		whom = st.prose(r.clipped(who.Company, maxHost))
	}
	what := "the app is open"
	if r.lookup().hosts[host].verdict == policy.Ignored || noiseOf(host) == catalog.ClassNoise {
		what = "the device is on"
	}
	return "tells " + whom + " " + beat.String() + " that " + what
}

// telling is what tells says of the host of a violation, "" where nothing repeats. Of what
// is said to a host that is allowed, the contact is not what matters.
func (r *Report) telling(f policy.Finding, st style) string {
	beat := r.lookup().hosts[f.Host].rhythm
	if beat.Count == 0 || !f.Rule.OfContact() {
		return ""
	}
	return r.tells(f.Host, beat, st)
}

// shape names a kind of request.
func (r *Report) shape(s policy.Shape, st style) string {
	return st.data(r.clipped(strings.TrimSpace(s.Method+" "+s.Host+s.Path), maxText))
}

// rhythm is a period, as JSON has it.
type rhythm struct {
	Every float64 `json:"every_seconds"`
	Count int     `json:"count"` // contacts that keep it
	Words string  `json:"words"`
}

// newRhythm returns nil for none.
func newRhythm(beat cadence.Rhythm) *rhythm {
	if beat.Count == 0 {
		return nil
	}
	return &rhythm{beat.Every.Seconds(), beat.Count, beat.String()}
}
