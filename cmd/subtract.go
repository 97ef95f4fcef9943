package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"telltale/capture"
	"telltale/compare"
	"telltale/intake"
	"telltale/policy"
	"telltale/reports"
)

// restFlags name captures of a device at rest, whose contacts do not count.
type restFlags struct {
	files []string

	atRest []*compare.AtRest
	idle   []*policy.Idle // of them, without what the audit did clearly more often
	notes  []string
}

func (r *restFlags) register(c *cobra.Command) {
	c.Flags().StringArrayVar(&r.files, "subtract", nil, "leave out what the device also does with the app closed, by the capture in `file` (record --idle); each kind of contact is listed; repeatable")
}

// load reads the captures. The policy says which requests are the app's own: they are never
// left out.
func (r *restFlags) load(ctx context.Context, pol *policy.Policy) error {
	for _, file := range r.files {
		rest, err := readAtRest(ctx, file, pol)
		if err != nil {
			return withHint(fmt.Errorf("--subtract: %w", err), "record one with the app closed: telltale record --idle --for 30m --save idle.telltale")
		}
		if n := len(rest.Own); n > 0 {
			r.notes = append(r.notes, fmt.Sprintf("%s holds %s that the policy says are the app's own: it was not closed. They are not left out.", file, plural(n, "kind of request")))
		}
		r.atRest, r.idle = append(r.atRest, rest), append(r.idle, rest.Idle())
	}
	return nil
}

func readAtRest(ctx context.Context, file string, pol *policy.Policy) (*compare.AtRest, error) {
	in, troubles := intake.Find(ctx, []string{file}, nil)
	defer in.Close()
	sum, _, _, more := judge(ctx, in, nil, intake.Options{})
	if err := errors.Join(append(troubles, more...)...); err != nil {
		return nil, err
	}
	if sum.Inconclusive() {
		return nil, fmt.Errorf("%s holds no contact, so there is nothing to leave out", file)
	}
	watched, err := watchedFor(ctx, file)
	if err != nil {
		return nil, err
	}
	var isApp func(string) bool
	if pol.KnowsApp() {
		isApp = pol.IsApp
	}
	return compare.NewAtRest(file, sum, watched, isApp), nil
}

// watchedFor returns for how long a capture of ours was recorded, 0 for others: they do not
// say.
func watchedFor(ctx context.Context, file string) (time.Duration, error) {
	if stored, err := intake.IsStored(file); err != nil || !stored {
		return 0, err
	}
	store, err := capture.Open(file, capture.Options{})
	if err != nil {
		return 0, err
	}
	defer store.Close()
	return store.Watched(ctx)
}

// beside returns a judge that leaves out what the device does at rest.
func (r *restFlags) beside(judge policy.Judge) policy.Judge {
	for _, idle := range r.idle {
		judge = idle.Beside(judge)
	}
	return judge
}

// settle compares how often things happened with how often they do at rest, and reports
// whether fewer kinds of contacts are left out from now on.
func (r *restFlags) settle(sum capture.Summary, watched time.Duration) (changed bool) {
	for i, rest := range r.atRest {
		var more []policy.Shape
		for _, faster := range rest.Faster(sum, watched) {
			more = append(more, faster.Shape)
			r.notes = append(r.notes, faster.Why+".")
		}
		r.idle[i] = rest.Idle().Without(more...)
		changed = changed || len(more) > 0
	}
	return changed
}

// apply says in a document what was left out.
func (r *restFlags) apply(doc *reports.Report) {
	doc.Idle = r.idle
	doc.Notes = append(doc.Notes, r.notes...)
}
