package reports

import (
	"cmp"
	"slices"
	"strings"

	"telltale/capture"
	"telltale/policy"
	"telltale/policy/catalog"
)

// This file tells of contacts that repeat by a timer.

// beatOf returns the kind of request to a host that keeps a rhythm and was made most
// often; false where there is none.
func (r *Report) beatOf(host string) (capture.Shape, bool) {
	var best capture.Shape
	for _, s := range r.lookup().shapes[host] {
		if s.Rhythm.Count > best.Rhythm.Count {
			best = s
		}
	}
	return best, best.Rhythm.Count > 0
}

// beats are the kinds of requests that keep a rhythm, those of violations first, then the
// fastest.
func (r *Report) beats() []capture.Shape {
	verdict := r.lookup().verdicts
	var out []capture.Shape
	for _, s := range r.Summary.Shapes {
		if s.Rhythm.Count > 0 {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b capture.Shape) int {
		return cmp.Or(verdict[b.Host].Weight()-verdict[a.Host].Weight(), cmp.Compare(a.Rhythm.Every, b.Rhythm.Every),
			strings.Compare(a.Host, b.Host), strings.Compare(a.Path, b.Path))
	})
	return out
}

// tells says what a rhythm amounts to: "tells Google every minute that the app is open".
func (r *Report) tells(s capture.Shape, st style) string {
	whom := st.data(r.clipped(s.Host, maxHost))
	if who := r.whois(s.Host); who.Company != "" {
		whom = st.prose(r.clipped(who.Company, maxHost))
	}
	what := "the app is open"
	if r.lookup().verdicts[s.Host] == policy.Ignored || noiseOf(s.Host) == catalog.ClassNoise {
		what = "the device is on"
	}
	return "tells " + whom + " " + s.Rhythm.String() + " that " + what
}

// telling is what tells says of the host of a violation, "" where nothing repeats. Of what
// is said to a host that is allowed, the contact is not what matters.
func (r *Report) telling(f policy.Finding, st style) string {
	s, ok := r.beatOf(f.Host)
	if !ok || !f.Rule.OfContact() {
		return ""
	}
	return r.tells(s, st)
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
func newRhythm(s capture.Shape) *rhythm {
	if s.Rhythm.Count == 0 {
		return nil
	}
	return &rhythm{s.Rhythm.Every.Seconds(), s.Rhythm.Count, s.Rhythm.String()}
}
