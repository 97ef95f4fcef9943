package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"telltale/capture"
	"telltale/policy"
)

// AtRest is what a device did while the app under audit was closed: an idle baseline.
type AtRest struct {
	File string
	// Own are the kinds of requests that the policy says are made by the app itself: it
	// was not closed. They are not subtracted.
	Own []policy.Shape

	shapes  map[policy.Shape]capture.Shape
	watched time.Duration
}

// NewAtRest takes a baseline from the summary of a file, judged by nobody. watched is for
// how long it was recorded, without the time between recordings; 0 where nobody knows: then
// what is there counts, from the first to the last. isApp tells the app's own User-Agents
// and may be nil.
func NewAtRest(file string, sum capture.Summary, watched time.Duration, isApp func(userAgent string) bool) *AtRest {
	r := &AtRest{File: file, shapes: map[policy.Shape]capture.Shape{}, watched: watchedFor(sum, watched)}
	for _, s := range sum.Shapes {
		switch {
		case s.Crowd(): // whatever it was
		case isApp != nil && slices.ContainsFunc(s.Agents, isApp):
			r.Own = append(r.Own, s.Shape)
		default:
			r.shapes[s.Shape] = s
		}
	}
	return r
}

func watchedFor(sum capture.Summary, known time.Duration) time.Duration {
	return cmp.Or(known, sum.Last.Sub(sum.First))
}

// Idle returns the baseline for a policy.
func (r *AtRest) Idle() *policy.Idle {
	i := &policy.Idle{File: r.File, Shapes: make(map[policy.Shape]string, len(r.shapes)), Sent: map[policy.Shape][]string{}}
	for shape, s := range r.shapes {
		if len(s.Sent) > 0 {
			i.Sent[shape] = s.Sent
		}
		if i.Shapes[shape] = s.Rhythm.String(); s.Rhythm.Count == 0 {
			i.Shapes[shape] = times(s.Flows, r.watched)
		}
	}
	return i
}

// Faster is a kind of request that an audit made clearly more often than its baseline, or
// may have made: what the device does by itself does not explain it.
type Faster struct {
	policy.Shape
	Why string // a sentence; kinds of requests may share it
}

const (
	// muchFaster is how many times the rate of the baseline is clearly more.
	muchFaster = 1.5
	// chance is how many standard deviations more than expected still are chance, where
	// there is no rhythm: the counts are taken to be those of a Poisson process.
	chance = 2
)

// Faster returns the kinds of requests that an audit, watched for so long (as in
// [NewAtRest]), made clearly faster than the baseline, sorted: to be left out of what is
// subtracted ([policy.Idle.Without]). Where both keep a rhythm, the periods are compared,
// and how many requests there were while they went on; else how many there were in all that
// was watched. Those that may have been counted together with others are among them.
func (r *AtRest) Faster(audit capture.Summary, watched time.Duration) (out []Faster) {
	watched = watchedFor(audit, watched)
	counted := map[policy.Shape]bool{} // apart from others
	var crowds []capture.Shape
	for _, s := range audit.Shapes {
		if s.Crowd() {
			crowds = append(crowds, s)
		}
		rest, ok := r.shapes[s.Shape]
		if !ok {
			continue
		}
		counted[s.Shape] = true
		if why := r.faster(rest, s, watched); why != "" {
			out = append(out, Faster{s.Shape, why})
		}
	}
	out = append(out, r.uncounted(counted, crowds)...)
	slices.SortFunc(out, func(a, b Faster) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return out
}

// uncounted returns the kinds of requests that may be among those that an audit counted
// together with others, because there were too many.
func (r *AtRest) uncounted(counted map[policy.Shape]bool, crowds []capture.Shape) (out []Faster) {
	for shape := range r.shapes {
		if !counted[shape] && slices.ContainsFunc(crowds, func(s capture.Shape) bool { return s.MayHold(shape) }) {
			out = append(out, Faster{Shape: shape})
		}
	}
	for i := range out {
		out[i].Why = fmt.Sprintf("there were more than %d kinds of requests, so that some were counted together: how often %d of those in %s came is not known, and they are not left out",
			capture.MaxShapes, len(out), r.File)
	}
	return out
}

// faster says why a kind of request is not explained by the one of the baseline, "" where
// it is.
func (r *AtRest) faster(rest, audit capture.Shape, watched time.Duration) string {
	at := r.watched
	if rest.Rhythm.Count > 0 && audit.Rhythm.Count > 0 {
		if float64(rest.Rhythm.Every) > muchFaster*float64(audit.Rhythm.Every) {
			return r.unlike(audit.Shape, audit.Rhythm.String(), "only "+rest.Rhythm.String())
		}
		at, watched = min(at, rest.Last.Sub(rest.First)), min(watched, audit.Last.Sub(audit.First))
	}
	expected := float64(rest.Flows) * seconds(watched) / seconds(at)
	if n := float64(audit.Flows); n <= muchFaster*expected || n <= expected+chance*math.Sqrt(expected)+1 {
		return ""
	}
	return r.unlike(audit.Shape, times(audit.Flows, watched), times(rest.Flows, at))
}

// unlike is the sentence on a shape that was made more often than with the app closed.
func (r *AtRest) unlike(s policy.Shape, audit, rest string) string {
	return fmt.Sprintf("%v was made %s, and with the app closed %s (%s): the device alone does not explain it", s, audit, rest, r.File)
}

func times(n int, in time.Duration) string {
	switch {
	case n == 1 && in < time.Second:
		return "once"
	case n == 1:
		return "once in " + rounded(in)
	}
	return fmt.Sprintf("%d times in %s", n, rounded(in))
}

// shortest is the time that rates are compared over at least: of less, none can be told.
const shortest = time.Minute

func seconds(d time.Duration) float64 { return max(d, shortest).Seconds() }

// rounded is a duration for people.
func rounded(d time.Duration) string {
	switch {
	case d < time.Second:
		return "less than 1 s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f minutes", d.Minutes())
	default:
		return fmt.Sprintf("%.0f hours", d.Hours())
	}
}
