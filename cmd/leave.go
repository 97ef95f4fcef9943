package cmd

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"telltale/reports"
)

// This file is what a person finds in the terminal before the screen and after it.

// needsScreen says why nothing can be drawn for what needs it, nil where it can.
func needsScreen(s *streams, what string) error {
	keys, ok := s.in.(*os.File)
	if !ok || !isTerminal(keys) || !isTerminal(s.out) {
		return fmt.Errorf("%s needs a terminal to draw on and to read keys from", what)
	}
	// Consoles of Windows set no TERM.
	if kind := os.Getenv("TERM"); runtime.GOOS != "windows" && (kind == "" || kind == "dumb") {
		return fmt.Errorf("%s needs a terminal that can be drawn on, and TERM is %q", what, kind)
	}
	return nil
}

// patience is how long an end may take before somebody is told why.
const patience = 300 * time.Millisecond

// sayWhatIsAwaited tells a person why the audit has not ended yet, until stop is
// called: a terminal that stays blank for seconds looks broken.
func (a *audit) sayWhatIsAwaited(s *streams) (stop func()) {
	if !isTerminal(s.err) || a.flags.report.quiet {
		return func() {}
	}
	timer := time.AfterFunc(patience, func() {
		_ = a.store.Sync() // what came last is not counted yet
		if n := a.store.Summary().Health.Open; n == 1 {
			s.say("waiting for 1 flow that is under way; Ctrl-C ends now")
		} else if n > 1 {
			s.say("waiting for %d flows that are under way; Ctrl-C ends now", n)
		}
	})
	return func() { timer.Stop() }
}

// writtenReports are the files that were written from the screen and at the end.
type writtenReports struct {
	mu    sync.Mutex
	files []string
}

// write writes every file that can be written.
func (w *writtenReports) write(files []string, r *reportFlags, doc *reports.Report) error {
	var failed []error
	for _, file := range files {
		err := r.writeFile(file, doc)
		if err == nil {
			w.add(file)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

func (w *writtenReports) add(files ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, file := range files {
		if !slices.Contains(w.files, file) {
			w.files = append(w.files, file)
		}
	}
}

func (w *writtenReports) list() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.files)
}

// leave ends an audit that had a screen: the report as text, its files, and last
// what a person looks for, where it does not scroll away.
func (a *audit) leave(s *streams, doc *reports.Report, written *writtenReports) (trouble bool) {
	trouble = a.flags.report.tell(s, doc, written)
	trouble = a.close(s) || trouble
	path := a.path
	if a.discard {
		path = ""
	}
	a.flags.report.summarize(s, doc, path, written)
	return trouble
}

// tell writes the files that were asked for and prints the report as text, in this
// order: a terminal that is gone or stopped keeps no file from being written. What
// could not be written stands below the text, where it is seen.
func (r *reportFlags) tell(s *streams, doc *reports.Report, written *writtenReports) (trouble bool) {
	files, troubles := r.write(doc)
	written.add(files...)
	if err := r.show(s.out, "text", doc); err != nil {
		troubles = append(troubles, err)
	}
	for _, err := range troubles {
		s.complain(err)
	}
	return len(troubles) > 0
}

// summarize prints one line each for the verdict, the capture and every report, on
// standard error: "NAME: VALUE", for people and scripts. An empty capture was not kept.
func (r *reportFlags) summarize(s *streams, doc *reports.Report, capture string, written *writtenReports) {
	if r.quiet {
		return
	}
	if isTerminal(s.err) {
		s.say("")
	}
	sum := doc.Summary
	count := func(n int, noun string) string { return strings.Replace(plural(n, noun), "no ", "0 ", 1) }
	s.say("verdict: %s%s: %s, %d of %s, %s", doc.Verdict, besideVerdict(sum), count(len(sum.Violations), "violation"), sum.Violating, count(sum.Flows, "flow"), count(len(sum.Hosts), "host"))
	if capture != "" {
		s.say("capture: %s", capture)
	}
	for _, file := range written.list() {
		s.say("report: %s", file)
	}
}
