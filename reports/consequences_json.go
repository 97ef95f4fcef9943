package reports

import (
	"time"

	"telltale/consequence"
)

// This file is what the JSON says of what followed experiments. Durations are in seconds.

type followedEntry struct {
	Sentences []string       `json:"sentences"` // one for each stretch, as documents for people have it
	Stretches []stretchEntry `json:"stretches"`
	// Derived says that the times of stretches are those of altered flows.
	Derived bool `json:"derived"`
	// ClockSet says that the clock was set back between switches.
	ClockSet bool `json:"clock_set"`
	More     int  `json:"more"`    // stretches that were not looked at
	Crowded  bool `json:"crowded"` // hosts or kinds of requests were not looked at
}

type stretchEntry struct {
	Experiments []string      `json:"experiments"`
	From        *string       `json:"from"`
	To          *string       `json:"to"`
	Flows       int           `json:"flows"`
	Altered     int           `json:"altered"`
	Before      float64       `json:"before_seconds"` // 0: nothing to compare with
	BeforeFlows int           `json:"before_flows"`
	After       float64       `json:"after_seconds"`
	AfterFlows  int           `json:"after_flows"`
	Undisturbed bool          `json:"undisturbed"` // everything else is known to have gone on
	Lacking     []string      `json:"lacking"`     // what is missing to say so
	Targets     []targetEntry `json:"targets"`
	Instead     []pastEntry   `json:"instead"`
	Stopped     []kindEntry   `json:"stopped"`
	Changed     []kindEntry   `json:"changed"`
	Short       []kindEntry   `json:"too_short"`
	Kept        []pastEntry   `json:"kept"`
	Failed      []pastEntry   `json:"failed"`
	Otherwise   []kindEntry   `json:"answered_otherwise"`
	Rewritten   []pastEntry   `json:"rewritten"` // what was asked or answered was altered
	Trusted     []pastEntry   `json:"trusted"`
	Unseen      int           `json:"unseen"`
	Usual       int           `json:"usual_else"` // contacts to other hosts that were to be expected
	Else        int           `json:"flows_else"` // contacts to other hosts
	Devices     bool          `json:"several_devices"`
	Link        *linkEntry    `json:"link"`
}

type targetEntry struct {
	Host       string        `json:"host"`
	Tries      int           `json:"tries"`
	Blocked    int           `json:"blocked"`
	Simulated  int           `json:"simulated"`
	Distrusted int           `json:"distrusted"`
	Passed     int           `json:"passed"`
	Done       string        `json:"done"`
	Intervals  []float64     `json:"intervals_seconds"`
	Median     *float64      `json:"median_seconds"`
	Rhythm     *rhythm       `json:"rhythm"`
	Factor     float64       `json:"backoff_factor"`      // 0: intervals do not grow
	Most       *float64      `json:"backoff_max_seconds"` // null: they grew to the end
	Before     int           `json:"before"`
	Previous   *rhythm       `json:"rhythm_before"`
	Pace       float64       `json:"pace"` // how many times as often as before; 0: not known
	First      float64       `json:"first_seconds"`
	Last       float64       `json:"last_seconds"`     // from the last try to the end
	End        string        `json:"end"`              // "gave-up", "still-trying", "" for not known
	Behind     string        `json:"behind,omitempty"` // as with hosts that were contacted instead
	Delay      *float64      `json:"delay_seconds,omitempty"`
	Alone      bool          `json:"alone"` // nothing else was contacted either since
	Recovery   recoveryEntry `json:"recovery"`
	Example    int64         `json:"flow"`
}

type recoveryEntry struct {
	Contacts int      `json:"contacts"`
	After    *float64 `json:"after_seconds"` // null: none was answered
	Flow     int64    `json:"flow,omitempty"`
}

// pastEntry is a host with its contacts.
type pastEntry struct {
	Host     string   `json:"host"`
	Flows    int      `json:"flows"`
	Answered int      `json:"answered"`
	Before   int      `json:"before"`
	First    float64  `json:"first_seconds"`
	Behind   string   `json:"behind,omitempty"` // host of the contact that was taken last before
	Delay    *float64 `json:"delay_seconds,omitempty"`
	// Questions says that there were only questions for its name.
	Questions bool          `json:"questions,omitempty"`
	Recovery  recoveryEntry `json:"recovery"`
	Example   int64         `json:"flow"`
}

type kindEntry struct {
	Method string `json:"method"`
	Host   string `json:"host"`
	Path   string `json:"path"`
	Before int    `json:"before"`
	During int    `json:"during"`
	// Of both, without an error; only of what was answered otherwise.
	GoodBefore *int          `json:"good_before,omitempty"`
	Good       *int          `json:"good_during,omitempty"`
	Every      float64       `json:"every_seconds"`
	Rhythm     *rhythm       `json:"rhythm"`
	Last       float64       `json:"last_seconds"` // from the last before to the beginning
	Recovery   recoveryEntry `json:"recovery"`
	Example    int64         `json:"flow"`
}

type linkEntry struct {
	Flows           int     `json:"flows"`
	BeforeFlows     int     `json:"before_flows"`
	Median          float64 `json:"median_seconds"`
	BeforeMedian    float64 `json:"before_median_seconds"`
	Abandoned       int     `json:"abandoned"`
	BeforeAbandoned int     `json:"before_abandoned"`
	Timeouts        int     `json:"timeouts"`
	BeforeTimeouts  int     `json:"before_timeouts"`
}

// consequences returns nil where nothing is known of what followed.
func (r *Report) consequences() *followedEntry {
	if r.Consequences == nil {
		return nil
	}
	out := &followedEntry{
		Sentences: r.texts(r.followedBriefly(inData)), Stretches: []stretchEntry{},
		Derived: r.Consequences.Derived, ClockSet: r.Consequences.ClockSet, More: r.Consequences.More, Crowded: r.Consequences.Crowded,
	}
	for i := range r.Consequences.Stretches {
		out.Stretches = append(out.Stretches, r.stretchEntry(&r.Consequences.Stretches[i]))
	}
	return out
}

func (r *Report) stretchEntry(s *consequence.Stretch) stretchEntry {
	out := stretchEntry{
		Experiments: r.texts(s.Experiments), From: stamp(s.From), To: stamp(s.To), Flows: s.Flows, Altered: s.Altered,
		Before: s.Before.Seconds(), BeforeFlows: s.BeforeFlows, After: s.After.Seconds(), AfterFlows: s.AfterFlows,
		Undisturbed: s.Undisturbed(), Lacking: []string{}, Targets: []targetEntry{}, Unseen: s.Unseen,
		Instead: r.pastEntries(s.Instead), Kept: r.pastEntries(s.Kept), Failed: r.pastEntries(s.Failed), Trusted: r.pastEntries(s.Trusted),
		Stopped: r.kindEntries(s.Stopped), Changed: r.kindEntries(s.Changed), Short: r.kindEntries(s.Short),
		Otherwise: r.kindEntries(s.Otherwise), Rewritten: r.pastEntries(s.Rewritten), Usual: s.Usual, Else: s.Else, Devices: s.Devices,
	}
	for _, lack := range s.Lacking() {
		out.Lacking = append(out.Lacking, string(lack))
	}
	for _, t := range s.Targets {
		out.Targets = append(out.Targets, r.targetEntry(t))
	}
	if l := s.Link; l != nil {
		out.Link = &linkEntry{
			l.Flows, l.BeforeFlows, l.Median.Seconds(), l.BeforeMedian.Seconds(), l.Abandoned, l.BeforeAbandoned, l.Timeouts, l.BeforeTimeouts,
		}
	}
	return out
}

func (r *Report) targetEntry(t consequence.Target) targetEntry {
	out := targetEntry{
		Host: r.text(t.Host), Tries: t.Tries, Blocked: t.Blocked, Simulated: t.Simulated, Distrusted: t.Distrusted, Passed: t.Passed, Done: r.text(t.Done),
		Intervals: []float64{}, Median: secondsOf(t.Retry.Median), Rhythm: newRhythm(t.Retry.Rhythm), Factor: t.Retry.Factor, Most: secondsOf(t.Retry.Most),
		Before: t.Before, Previous: newRhythm(t.Previous), Pace: t.Pace, First: t.First.Seconds(), Last: t.Last.Seconds(), End: string(t.End), Alone: t.Alone,
		Recovery: recoveryOf(t.Recovery), Example: int64(t.Example),
	}
	if t.Behind != "" {
		delay := t.Delay.Seconds()
		out.Behind, out.Delay = r.text(t.Behind), &delay
	}
	for _, d := range t.Retry.Intervals {
		out.Intervals = append(out.Intervals, d.Seconds())
	}
	return out
}

func (r *Report) pastEntries(all []consequence.Host) []pastEntry {
	out := make([]pastEntry, len(all))
	for i, h := range all {
		out[i] = pastEntry{
			Host: r.text(h.Name), Flows: h.Flows, Answered: h.Answered, Before: h.Before, First: h.First.Seconds(),
			Recovery: recoveryOf(h.Recovery), Example: int64(h.Flow),
		}
		out[i].Questions = h.Questions
		if h.Behind != "" {
			delay := h.Delay.Seconds()
			out[i].Behind, out[i].Delay = r.text(h.Behind), &delay
		}
	}
	return out
}

func (r *Report) kindEntries(all []consequence.Kind) []kindEntry {
	out := make([]kindEntry, len(all))
	for i, k := range all {
		out[i] = kindEntry{
			Method: r.text(k.Method), Host: r.text(k.Host), Path: r.text(k.Path), Before: k.Before, During: k.During, Every: k.Every.Seconds(),
			Rhythm: newRhythm(k.Rhythm), Last: k.Last.Seconds(), Recovery: recoveryOf(k.Recovery), Example: int64(k.Flow),
		}
		if k.Good != k.GoodBefore {
			out[i].GoodBefore, out[i].Good = &all[i].GoodBefore, &all[i].Good
		}
	}
	return out
}

func recoveryOf(rec consequence.Recovery) recoveryEntry {
	out := recoveryEntry{Contacts: rec.Tried, Flow: int64(rec.Flow)}
	if rec.Flow != 0 {
		after := rec.After.Seconds()
		out.After = &after
	}
	return out
}

// secondsOf returns nil for none.
func secondsOf(d time.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	n := d.Seconds()
	return &n
}
