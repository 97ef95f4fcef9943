package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/spf13/cobra"

	"telltale/locate"
	"telltale/policy"
	"telltale/reports"
)

// appFlags name the app whose audit this is, so that reports can say where in it a
// contact comes from.
type appFlags struct {
	files []string
	maps  []string
}

func (a *appFlags) register(c *cobra.Command) {
	c.Flags().StringArrayVar(&a.files, "app", nil, "say where in the app in `file` (APK, IPA, bundle, folder) violating hosts come from; repeatable")
	c.Flags().StringArrayVar(&a.maps, "source-map", nil, "the source map in `file` belongs to a bundle of the app; repeatable")
}

// validate refuses files that are not there before any work is done.
func (a *appFlags) validate() error {
	if len(a.maps) > 0 && len(a.files) == 0 {
		return withHint(errors.New("--source-map has no app to belong to"), "add --app FILE")
	}
	for flag, files := range map[string][]string{"--app": a.files, "--source-map": a.maps} {
		for _, file := range files {
			if _, err := os.Stat(file); err != nil {
				err = fmt.Errorf("%s: %w", flag, err)
				if flag == "--app" {
					err = withHint(err, "%s", namesAnApp)
				}
				return err
			}
		}
	}
	return nil
}

// apply searches the app for the hosts of a document's violations. What is found changes
// no verdict; trouble says that a part of the app could not be read.
func (a *appFlags) apply(ctx context.Context, s *streams, doc *reports.Report, pol *policy.Policy, quiet bool) (trouble bool) {
	hosts := violatingHosts(doc.Summary)
	if len(a.files) == 0 || len(hosts) == 0 {
		return false
	}
	result, err := searchApps(ctx, s, a.files, locate.Wanted{Hosts: hosts}, a.maps, quiet)
	mask := masker(pol, doc.Reveal)
	if err != nil {
		s.complain(masked(fmt.Errorf("--app: %w", err), mask))
		return true
	}
	complainOf(s, "--app: ", result, mask)
	doc.Origins = result
	return len(result.Failures) > 0
}

// applyAfter is apply when all else is done: the next signal ends the search alone, so that
// the reports are written without it. It does not matter that ctx may have ended.
func (a *appFlags) applyAfter(ctx context.Context, s *streams, doc *reports.Report, pol *policy.Policy, quiet bool) (trouble bool) {
	ctx, cancel := stepOf(context.WithoutCancel(ctx))
	defer cancel()
	return a.apply(ctx, s, doc, pol, quiet)
}

// forScreen returns what looks for one host, nil where no app was named.
func (a *appFlags) forScreen() func(context.Context, string, func(locate.Progress)) (*locate.Result, error) {
	if len(a.files) == 0 {
		return nil
	}
	apps, _ := distinct(a.files)
	return func(ctx context.Context, host string, progress func(locate.Progress)) (*locate.Result, error) {
		return locate.Search(ctx, apps, locate.Wanted{Hosts: []string{host}}, locate.Options{SourceMaps: a.maps, Progress: progress})
	}
}

// A searchMeter is how far a search is.
type searchMeter struct {
	files atomic.Int64
	bytes atomic.Int64
}

func (m *searchMeter) note(p locate.Progress) {
	m.files.Store(int64(p.Files))
	m.bytes.Store(p.Bytes)
}

func (m *searchMeter) line() string {
	return fmt.Sprintf("searching: %s, %.0f MB", plural(int(m.files.Load()), "file"), float64(m.bytes.Load())/1e6)
}
