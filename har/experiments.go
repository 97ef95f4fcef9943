package har

import (
	"time"

	"github.com/go-json-experiment/json"
)

// An Experiment was in force while the flows of a file were recorded, also where it altered
// none of them: without any, they were observed as they were.
type Experiment struct {
	Name    string
	Periods []Period // in their order; nil where nobody knows when
}

// A Period is a time in which an experiment was in force. To is zero where it went on at the
// end of the file.
type Period struct{ From, To time.Time }

// logRecord is the _telltale member of the log: what the file says of all flows. Its form is
// part of the format, as that of record is.
type logRecord struct {
	Experiments []experimentRecord `json:"experiments,omitempty"`
}

type experimentRecord struct {
	Name    string         `json:"name"`
	Periods []periodRecord `json:"periods,omitempty"`
}

type periodRecord struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// Bounds of what the log's record may claim, which package capture stays below.
const (
	maxLogRecord      = 4 << 20 // bytes
	maxExperiments    = 64
	maxExperimentName = 4 << 10 // bytes
	maxPeriods        = 1000    // of each experiment
)

// SetExperiments says which experiments were in force while the flows were recorded, by what
// is known before [Writer.Close]. Their names are masked as texts of flows are.
func (w *Writer) SetExperiments(all []Experiment) { w.experiments = all }

// logRecord returns the record of the log, nil for nothing to say.
func (w *Writer) logRecord() ([]byte, error) {
	if len(w.experiments) == 0 {
		return nil, nil
	}
	var r logRecord
	for _, e := range w.experiments[:min(len(w.experiments), maxExperiments)] {
		written := experimentRecord{Name: w.masked(e.Name)}
		for _, p := range e.Periods[:min(len(e.Periods), maxPeriods)] {
			written.Periods = append(written.Periods, periodRecord{writable(p.From), writable(p.To)})
		}
		r.Experiments = append(r.Experiments, written)
	}
	return json.Marshal(r, marshalOptions)
}

// writable returns a time as JSON can have it, else the zero time (RFC 3339, 5.6).
func writable(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// logRecord reads the _telltale member of the log. What cannot be read is a note.
func (d *reader) logRecord() error {
	raw, err := d.s.raw(maxLogRecord)
	if err != nil {
		return err
	}
	var r logRecord
	if readable := raw != nil && json.Unmarshal(raw, &r, unmarshalOptions) == nil; !readable {
		d.note(noteLogTelltale)
		r = logRecord{}
	}
	for _, e := range r.Experiments {
		if e.Name == "" || len(e.Name) > maxExperimentName || len(d.info.Experiments) == maxExperiments {
			d.note(noteLogTelltale)
			continue
		}
		d.info.Experiments = append(d.info.Experiments, e.experiment())
	}
	return nil
}

// experiment returns what the record claims, without periods that cannot be.
func (e experimentRecord) experiment() Experiment {
	out := Experiment{Name: e.Name}
	for _, p := range e.Periods[:min(len(e.Periods), maxPeriods)] {
		p.From, p.To = p.From.UTC(), p.To.UTC()
		if p.From.IsZero() || !p.To.IsZero() && p.To.Before(p.From) {
			continue
		}
		out.Periods = append(out.Periods, Period(p))
	}
	return out
}
