package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
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

	mu    sync.Mutex     // of the rest: a screen judges and writes reports while the audit is settled
	idle  []*policy.Idle // of them, without what the audit did clearly more often
	notes []string
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
			r.notes = append(r.notes, notClosed(file, n))
		}
		r.atRest, r.idle = append(r.atRest, rest), append(r.idle, rest.Idle())
	}
	return nil
}

// notClosed says that a baseline has kinds of requests of the app under audit.
func notClosed(file string, kinds int) string {
	if kinds == 1 {
		return file + " holds a kind of request that the policy says is the app's own, so the app was not closed. That kind is not subtracted."
	}
	return fmt.Sprintf("%s holds %d kinds of requests that the policy says are the app's own, so the app was not closed. Those kinds are not subtracted.", file, kinds)
}

func readAtRest(ctx context.Context, file string, pol *policy.Policy) (*compare.AtRest, error) {
	in, troubles := intake.Find(ctx, []string{file}, nil)
	defer in.Close()
	sum, infos, _, more := judge(ctx, in, nil, intake.Options{Examine: true})
	if err := errors.Join(append(troubles, more...)...); err != nil {
		return nil, err
	}
	if sum.Inconclusive() {
		return nil, fmt.Errorf("%s holds no contact, so there is nothing to leave out", file)
	}
	var isApp func(string) bool
	if pol.KnowsApp() {
		isApp = pol.IsApp
	}
	return compare.NewAtRest(file, sum, intake.Watched(infos), isApp), nil
}

// beside returns a judge that leaves out what the device does at rest.
func (r *restFlags) beside(judge policy.Judge) policy.Judge {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, idle := range r.idle {
		judge = idle.Beside(judge)
	}
	return judge
}

// settle compares how often things happened with how often they do at rest, and reports
// whether fewer kinds of contacts are left out from now on.
func (r *restFlags) settle(sum capture.Summary, watched time.Duration) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, rest := range r.atRest {
		var more []policy.Shape
		for _, faster := range rest.Faster(sum, watched) {
			more = append(more, faster.Shape)
			if why := faster.Why + "."; !slices.Contains(r.notes, why) { // kinds may share one
				r.notes = append(r.notes, why)
			}
		}
		r.idle[i] = rest.Idle().Without(more...)
		changed = changed || len(more) > 0
	}
	return changed
}

// apply says in a document what was left out.
func (r *restFlags) apply(doc *reports.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	doc.Idle = slices.Clone(r.idle)
	doc.Notes = append(doc.Notes, r.notes...)
}
