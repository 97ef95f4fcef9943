package reports

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"strings"

	"telltale/capture"
	"telltale/flow"
	"telltale/har"
)

// errNoFlows is what a format that lists flows returns when there are none at
// hand: an empty file would look like an audit that saw nothing.
var errNoFlows = errors.New("this format lists single flows, which were not kept")

// writeHAR writes every flow as HAR 1.2.
func writeHAR(w io.Writer, r *Report) error {
	if r.Flows == nil {
		return errNoFlows
	}
	out := newHAR(w, r)
	if err := r.Flows(out.write); err != nil {
		return err
	}
	return out.finish()
}

// FlowsHAR returns what writes a list of flows as HAR 1.2, as they come, and what
// ends it. Of the report, its Tool and what it hides count, and at the end the experiments
// of its Summary.
func FlowsHAR(w io.Writer, r *Report) (write func(capture.Recorded) error, finish func() error) {
	out := newHAR(w, r)
	return func(seen capture.Recorded) error { return out.write(seen.Flow) }, out.finish
}

// harFile is a HAR under way.
type harFile struct {
	report *Report
	safe   *visibleWriter
	out    *har.Writer
}

func newHAR(w io.Writer, r *Report) *harFile {
	safe := &visibleWriter{w: w}
	opts := har.WriterOptions{Name: r.Tool.Name, Version: r.Tool.Version, Reveal: r.Reveal, Content: r.Content}
	switch {
	case r.Redact != nil: // which has masked all that there is to mask, each value in its own way
		opts.Reveal, opts.Comment = true, redactedComment
	case !r.Reveal:
		opts.Mask, opts.MaskBody, opts.Leaks = r.Mask, r.MaskBody, r.Leaks
	}
	if r.outside != nil && r.BodyLimit >= 0 {
		opts.Outside, opts.OutsideLimit, opts.Expires = r.outside.write, cmp.Or(r.BodyLimit, DefaultBodyLimit), r.BodiesExpire
	}
	return &harFile{report: r, safe: safe, out: har.NewWriter(safe, opts)}
}

func (h *harFile) write(f *flow.Flow) error {
	if h.report.Redact == nil {
		return h.out.Write(h.report.withoutUser(f))
	}
	f, err := h.report.loaded(f)
	if err != nil {
		return err
	}
	return h.out.Write(h.report.Redact(f))
}

// redactedComment says in a HAR what it is.
const redactedComment = "Redacted copy: values are masked, equal ones alike, and contents that could not be checked are left out."

// loaded returns the flow with the contents of its bodies.
func (r *Report) loaded(f *flow.Flow) (*flow.Flow, error) {
	if r.Content == nil {
		return f, nil
	}
	whole := *f
	if m := f.Request; m != nil && m.Body.Content == nil && m.Body.Digest != "" {
		content, err := r.Content(m.Body)
		if err != nil {
			return nil, err
		}
		request := *m
		request.Body.Content = content
		whole.Request = &request
	}
	if m := f.Response; m != nil && m.Body.Content == nil && m.Body.Digest != "" {
		content, err := r.Content(m.Body)
		if err != nil {
			return nil, err
		}
		response := *m
		response.Body.Content = content
		whole.Response = &response
	}
	return &whole, nil
}

func (h *harFile) finish() error {
	h.out.SetExperiments(h.report.harExperiments())
	if err := h.out.Close(); err != nil {
		return err
	}
	return h.safe.close()
}

// harExperiments returns the experiments of the audit, as the file has them for all flows:
// without them, who reads it would take those that altered nothing for none.
func (r *Report) harExperiments() []har.Experiment {
	var all []har.Experiment
	for _, known := range r.Summary.Experiments {
		e := har.Experiment{Name: known.Name}
		if r.Redact != nil { // as those of flows
			e.Name = strings.Join(r.Redact(&flow.Flow{Experiments: []string{e.Name}}).Experiments, "")
		}
		for _, p := range known.Periods {
			e.Periods = append(e.Periods, har.Period(p))
		}
		all = append(all, e)
	}
	return all
}

// withoutUser returns the flow with users' names and passwords taken out of its URLs:
// its own, those that header fields name, and those that an error quotes. A flow is
// never changed: one that has them is copied.
func (r *Report) withoutUser(f *flow.Flow) *flow.Flow {
	if r.Reveal {
		return f
	}
	copied := *f
	copied.Error = flow.WithoutUsers(f.Error)
	if m := f.Request; m != nil {
		request := *m
		request.URL, request.Header = flow.WithoutUser(m.URL), withoutUsers(m.Header)
		copied.Request = &request
	}
	if m := f.Response; m != nil {
		response := *m
		response.Header = withoutUsers(m.Header)
		copied.Response = &response
	}
	return &copied
}

// withoutUsers takes users and passwords out of the URLs that header fields name (RFC
// 9110, 10.1.3 and 10.2.2, and their kin). Where there are none, it returns the fields
// themselves.
func withoutUsers(fields []flow.Field) []flow.Field {
	out := fields
	for i, f := range fields {
		switch strings.ToLower(f.Name) {
		case "referer", "location", "content-location", "origin", "refresh":
		default:
			continue
		}
		value := f.Reveal()
		if hidden := flow.WithoutUsers(value); hidden != value {
			if &out[0] == &fields[0] {
				out = slices.Clone(fields)
			}
			out[i] = flow.NewField(f.Name, hidden)
		}
	}
	return out
}
