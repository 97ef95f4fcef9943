package cmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"telltale/capture"
	"telltale/compare"
	"telltale/flow"
	"telltale/intake"
	"telltale/policy"
	"telltale/reports"
)

// gateFlags say beside what an audit counts, and what its verdict has to be worth.
type gateFlags struct {
	baselines []string
	strict    bool
	minFlows  int
	rest      restFlags

	known     policy.Baseline
	info      *reports.BaselineInfo
	disturbed []string // what the baselines that were recorded with experiments cannot show
}

func (g *gateFlags) register(c *cobra.Command) {
	g.registerBaseline(c)
	g.rest.register(c)
	c.Flags().BoolVar(&g.strict, "strict", false, "a clean verdict that is worth little is inconclusive: packets that came in are missing, nearly empty, mostly unread, mostly failed, or not the app's")
	c.Flags().IntVar(&g.minFlows, "min-flows", reports.FewFlows, "warn of audits with fewer than this `number` of flows")
}

func (g *gateFlags) registerBaseline(c *cobra.Command) {
	c.Flags().StringArrayVar(&g.baselines, "baseline", nil, "an earlier capture or JSON report: only violations that `file` lacks count; repeatable")
}

// load reads the baselines. A capture is judged by the policy of the audit.
func (g *gateFlags) load(ctx context.Context, pol *policy.Policy) error {
	if g.minFlows < 0 {
		return fmt.Errorf("--min-flows: %d is no number of flows", g.minFlows)
	}
	if err := g.rest.load(ctx, pol); err != nil || len(g.baselines) == 0 {
		return err
	}
	g.known = policy.Baseline{}
	for _, file := range g.baselines {
		known, isReport, err := baselineOfReport(file)
		if err == nil && !isReport {
			known, err = g.baselineOfCapture(ctx, file, pol)
		}
		if err != nil {
			return withHint(fmt.Errorf("--baseline: %w", err), "write one with: telltale check CAPTURE --report baseline.json")
		}
		maps.Copy(g.known, known)
	}
	g.info = &reports.BaselineInfo{File: strings.Join(g.baselines, ", "), Violations: len(g.known)}
	return nil
}

// madeOf returns the files that a verdict is made of beside captures.
func (g *gateFlags) madeOf(pol *policy.Policy, facts *factFlags) []string {
	return slices.Concat(g.baselines, g.rest.files, facts.listFiles, facts.declarationFiles, []string{pol.File()})
}

// judge returns what flows are judged by beside a policy.
func (g *gateFlags) judge(by policy.Judge) policy.Judge { return g.known.Beside(g.rest.beside(by)) }

// apply completes a document by what the flags ask.
func (g *gateFlags) apply(doc *reports.Report, pol *policy.Policy) {
	doc.Baseline = g.info
	doc.Notes = append(doc.Notes, g.disturbed...)
	g.rest.apply(doc)
	doc.Warnings = reports.WarningsOf(doc.Summary, doc.Captures, appUnseen(pol, doc.Summary), g.minFlows)
	doc.Notes = append(doc.Notes, unpardoned(pol, doc.Summary.Violations)...)
	if recordedNothing(doc) {
		doc.Warnings = append(doc.Warnings, fmt.Sprintf("Nothing new: this audit recorded no contact. The capture held %s before.", plural(doc.Earlier, "contact")))
	}
	if g.strict && doc.Verdict == reports.Clean && len(doc.Warnings) > 0 {
		doc.Verdict = reports.Inconclusive
	}
	if n := g.gone(doc.Summary); n > 0 {
		doc.Notes = append(doc.Notes, fmt.Sprintf("%d of the %s in the baseline did not happen here. Where they are fixed, a new baseline keeps them from coming back.", n, plural(len(g.known), "violation")))
	}
}

// recordedNothing reports whether a live audit saw no contact, though its capture holds
// those of earlier ones.
func recordedNothing(doc *reports.Report) bool {
	return doc.Earlier > 0 && doc.Summary.Flows == doc.Earlier
}

// gone counts the violations of the baseline that the audit did not see.
func (g *gateFlags) gone(sum capture.Summary) int {
	n := len(g.known)
	for _, v := range sum.Waivers {
		if g.known[v.ID] {
			n--
		}
	}
	return n
}

// appUnseen reports whether the policy says which User-Agents are the app's own,
// and no contact had one.
func appUnseen(pol *policy.Policy, sum capture.Summary) bool {
	if !pol.KnowsApp() {
		return false
	}
	for _, h := range sum.Hosts {
		for _, agent := range h.Apps {
			if pol.IsApp(agent) {
				return false
			}
		}
	}
	return true
}

func baselineOfReport(file string) (known policy.Baseline, isReport bool, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, false, fmt.Errorf("cannot read the earlier audit: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, false, nil
	}
	known, isReport, err = reports.ReadBaseline(f)
	if err != nil {
		err = fmt.Errorf("%s: %w", file, err)
	}
	return known, isReport, err
}

func (g *gateFlags) baselineOfCapture(ctx context.Context, file string, pol *policy.Policy) (policy.Baseline, error) {
	in, troubles := intake.Find(ctx, []string{file}, nil)
	defer in.Close()
	excused := pardonsIn(ctx, in)
	sum, _, _, more := judge(ctx, in, excused.under(pol), needed(pol), excused.observe)
	if err := errors.Join(append(troubles, more...)...); err != nil {
		return nil, err
	}
	if sum.Inconclusive() {
		return nil, fmt.Errorf("%s holds no contact, so it is no audit to go by", file)
	}
	if caveat := compare.Caveat("The baseline "+file, experimentNames(sum)); caveat != "" {
		g.disturbed = append(g.disturbed, caveat)
	}
	known := policy.Baseline{}
	for _, v := range sum.Violations {
		known[v.ID] = true
	}
	return known, nil
}

// needed is what has to be read of captures for a verdict by a policy.
func needed(pol *policy.Policy) intake.Options {
	return intake.Options{Sent: pol.ReadsContent(), Examine: true}
}

// judge sends every flow of the inputs through a store that keeps totals alone, and before
// to those who look on. The summary has the books of the inputs, and what was said of its
// violations there; modes are the ways in by
// which the flows came, in order of appearance.
func judge(ctx context.Context, in *intake.Set, by policy.Judge, opts intake.Options, lookOn ...func(*flow.Flow)) (sum capture.Summary, infos []intake.Info, modes []string, troubles []error) {
	store := capture.New(capture.Options{Judge: by})
	infos, err := in.Read(ctx, opts, func(f *flow.Flow) error {
		f.ID = store.NextID()
		for _, look := range lookOn {
			look(f)
		}
		store.Observe(f)
		return nil
	})
	for _, info := range infos {
		for _, note := range info.Notes {
			store.Note(info.File + ": " + note)
		}
		annotate(store, info)
		if info.Err != nil {
			troubles = append(troubles, info.Err)
		}
	}
	if errors.Is(err, context.Canceled) {
		err = errInterrupted
	}
	if err = errors.Join(err, store.Close()); err != nil {
		troubles = append(troubles, err)
	}
	sum = store.Summary()
	sum.Health.Ledgers, sum.Experiments = intake.Ledgers(infos), intake.Experiments(infos, sum.Experiments)
	return sum, infos, intake.Modes(infos), troubles
}

// annotate takes over what was said of violations in an input.
func annotate(store *capture.Store, info intake.Info) {
	for _, a := range info.Annotations {
		if err := store.Annotate(a); err != nil {
			store.Note(info.File + ": " + err.Error())
			return
		}
	}
}

// tradeTimeForMemory collects garbage twice as often as Go does by itself: a verdict over
// captures makes much of it and is to stay small whatever their size. GOGC has the
// last word.
func tradeTimeForMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// errInterrupted says that somebody did not wait for the verdict.
var errInterrupted = errors.New("interrupted before everything was read, so nothing is proven")
