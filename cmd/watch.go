package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/intake"
	"telltale/policy"
	"telltale/reports"
	"telltale/tui"
)

func newWatch(s *streams) *cobra.Command {
	flags := &liveFlags{}
	var exit bool
	c := command("watch", func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			if err := cmp.Or(flags.ways.misplaced(args[0]), flags.experiments.misplaced(args[0])); err != nil {
				return err
			}
		}
		if err := needsScreen(s, "watch"); err != nil {
			return withHint(err, "telltale record does the same audit without a screen")
		}
		var doc *reports.Report
		var trouble bool
		var err error
		if len(args) > 0 {
			doc, trouble, err = watchFile(c, s, flags, args[0])
		} else {
			flags.bounded = c.Flags().Changed("for")
			flags.experiments.open = true
			doc, trouble, err = watchLive(c.Context(), s, flags, commandLine(c, nil))
		}
		switch {
		case err != nil:
			return err
		case exit:
			return s.verdictExit(doc, trouble)
		case trouble:
			return exitCode(ExitFailed)
		}
		return nil
	})
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 1 {
			return withHint(fmt.Errorf("%s takes one capture, found %q", c.CommandPath(), args[1]), "%s --help", c.CommandPath())
		}
		return nil
	}
	flags.register(c)
	flags.gate.rest.register(c)
	c.Flags().BoolVar(&exit, "exit-code", false, "end with 1 where the policy is broken, as record does")
	return c
}

// watchLive runs an audit with the screen in front of it.
func watchLive(ctx context.Context, s *streams, flags *liveFlags, command string) (doc *reports.Report, trouble bool, err error) {
	said := &notices{}
	quiet := &streams{in: s.in, out: s.out, err: said}
	a, err := startAudit(quiet, flags, nil)
	if err != nil {
		return nil, false, err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	ctx, stopClock := untilClock(ctx, flags.deadline, time.Now)
	defer stopClock()
	ctx, stop := interruptible(ctx, flags.duration)
	defer stop()
	go a.sayWhenStopped(ctx, quiet)
	connect, err := a.connection()
	if err != nil {
		s.complain(err) // the screen says that no device can connect
	}
	written := &writtenReports{}
	trouble = a.showScreen(ctx, s, said, connect, command, written)
	end() // from here on, a signal ends the program at once, but for a search in the app
	doc, failed := a.finish(ctx, s, command)
	return doc, a.leave(s, doc, written) || failed || trouble, nil
}

// showScreen gives the terminal to the screen until the person leaves, and repeats
// what was said meanwhile. Without connect, devices are none of its business.
func (a *audit) showScreen(ctx context.Context, s *streams, said *notices, connect *tui.Connect, command string, written *writtenReports) (trouble bool) {
	err := tui.Run(ctx, tui.Config{
		Store: a.store, Connect: connect, Capture: captureLabel(a), Live: true, Problems: said.problems, Modes: a.ways.modes,
		Policy:     a.flags.policy.forScreen(said, a.policy.Load(), a.beside, a.adopt),
		Diagnose:   func(d capture.Device) []diagnosis.Diagnosis { return a.diagnose(d, time.Now()) },
		NameDevice: a.nameDevice, Told: a.told,
		Acknowledge: func(violation string) error { return a.acknowledge(violation, byScreen) },
		Reports: forScreen(reportBase(a.flags.save), func(files []string) error {
			doc := a.document(command)
			a.flags.app.apply(ctx, &streams{in: s.in, out: s.out, err: said}, doc, a.policy.Load(), true)
			return written.write(files, &a.flags.report, doc)
		}),
		Locate: a.flags.app.forScreen(), App: strings.Join(a.flags.app.files, ", "),
		Copies: copies, Reveal: a.flags.report.reveal, NoColor: a.flags.report.noColor,
		Experiments: a.experiments.forScreen(),
	}, s.in, s.out)
	return said.repeat(s, err)
}

// sayWhenStopped reports a proxy that ended by itself: the screen goes on, for what
// was recorded is still there to be read.
func (a *audit) sayWhenStopped(ctx context.Context, s *streams) {
	select {
	case err := <-a.served:
		s.complain(fmt.Errorf("the proxy stopped: %w", err))
		a.tellOfTrouble(fmt.Sprintf("the proxy stopped: %v", err))
	case <-ctx.Done():
	}
}

func captureLabel(a *audit) string {
	switch {
	case a.discard:
		return "not kept"
	case a.flags.save != "":
		return a.flags.save
	}
	return filepath.Base(a.path)
}

// watchFile shows a capture that exists already.
func watchFile(c *cobra.Command, s *streams, flags *liveFlags, name string) (doc *reports.Report, trouble bool, err error) {
	if err := onlyForLive(c.Flags()); err != nil {
		return nil, false, err
	}
	if err := flags.report.validate(); err != nil {
		return nil, false, err
	}
	if err := flags.app.validate(); err != nil {
		return nil, false, err
	}
	pol, err := flags.policy.orNothing()
	if err != nil {
		return nil, false, err
	}
	if err := flags.gate.load(c.Context(), pol); err != nil {
		return nil, false, err
	}
	w, err := openWatched(name, pol, &flags.gate.rest)
	if err != nil {
		return nil, false, err
	}
	defer w.close()
	flags.report.capture = w.origin(name)
	said, written := &notices{}, &writtenReports{}
	quiet := &streams{in: s.in, out: s.out, err: said}
	quietLibraries(quiet)
	if capture.Recording(name) {
		quiet.say("warning: %s is being recorded: what comes from now on is not shown", name)
	}
	ctx, stop := interruptible(c.Context(), 0)
	defer stop()
	document := func() *reports.Report { return w.document(flags, commandLine(c, []string{name})) }
	err = tui.Run(ctx, tui.Config{
		Store: w.store, Capture: name, Load: w.load, Problems: said.problems, Modes: w.modesRead,
		Policy: flags.policy.forScreen(said, pol, w.beside, w.policy.Store),
		Diagnose: func(d capture.Device) []diagnosis.Diagnosis {
			pol := w.policy.Load()
			return w.opinions.diagnoses(d, pol, time.Now(), func() []diagnosis.Diagnosis {
				return diagnose(pol, w.store.Summary(), masker(pol, flags.report.reveal), time.Time{})(d)
			})
		},
		Reports: forScreen(reportBase(name), func(files []string) error {
			doc := document()
			flags.app.apply(ctx, quiet, doc, w.policy.Load(), true)
			return written.write(files, &flags.report, doc)
		}),
		Locate: flags.app.forScreen(), App: strings.Join(flags.app.files, ", "),
		Copies: copies, Reveal: flags.report.reveal, NoColor: flags.report.noColor,
	}, s.in, s.out)
	trouble = said.repeat(s, err, w.failed)
	if errors.Is(w.failed, context.Canceled) {
		return nil, false, withHint(errors.New("left before the whole capture was judged, so nothing is proven"),
			"stay until a verdict stands at the top, or use telltale check")
	}
	doc = document()
	trouble = flags.app.applyAfter(ctx, s, doc, w.policy.Load(), flags.report.quiet) || trouble
	trouble = flags.report.tell(s, doc, written) || trouble
	flags.report.summarize(s, doc, name, written)
	return doc, trouble, nil
}

// onlyForLive refuses flags that mean nothing for a capture that exists.
func onlyForLive(set *pflag.FlagSet) (err error) {
	both := []string{"policy", "allow", "list", "declaration", "subtract", "report", "reveal", "allow-empty", "quiet", "no-color", "exit-code", "app", "source-map"}
	set.Visit(func(f *pflag.Flag) {
		for _, name := range both {
			if f.Name == name {
				return
			}
		}
		err = withHint(fmt.Errorf("--%s is for a live audit, not for a capture that exists", f.Name), "leave out the flag, or the file")
	})
	return err
}

// watched is a capture that exists, open for the screen. A HAR is read into a
// capture that is removed afterwards, so that both can be paged and searched.
type watched struct {
	store  *capture.Store
	policy atomic.Pointer[policy.Policy] // in force; the screen may change it while a report is written
	// excused is what programs had excused while it was recorded.
	excused *pardons
	rest    *restFlags
	// settling is held while the capture is loaded: only then it is known what of the rest
	// is left out.
	settling sync.Mutex
	infos    []reports.CaptureInfo
	modes    atomic.Pointer[[]string] // ways in by which its flows came; nil until it was read
	// opinions are those of its devices.
	opinions opinions
	load     func(ctx context.Context, progress func(done, total int)) error
	folder   string // of the temporary capture; "" for none
	failed   error  // why not all of it was judged; context.Canceled: somebody has left
}

func openWatched(name string, pol *policy.Policy, rest *restFlags) (*watched, error) {
	if name == intake.StandardInput {
		return nil, withHint(errors.New("watch reads keys from standard input, so a capture cannot come from there"), "save it to a file first")
	}
	w := &watched{rest: rest, excused: &pardons{}, infos: []reports.CaptureInfo{{File: name, Producer: "telltale"}}, failed: context.Canceled}
	w.policy.Store(pol)
	isCapture, err := intake.IsStored(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the capture: %w", err)
	}
	if isCapture {
		w.load = w.judge
		if w.store, err = capture.Open(name, capture.Options{}); err != nil {
			return nil, err
		}
		w.excused.said = map[string][]capture.Annotation{name: w.store.Annotations()}
		w.excused.note(name, 0) // all of it
		return w, nil
	}
	in, troubles := intake.Find(context.Background(), []string{name}, nil)
	if len(troubles) > 0 {
		return nil, troubles[0]
	}
	w.excused = pardonsIn(context.Background(), in)
	if w.folder, err = os.MkdirTemp("", "telltale-watch-*"); err != nil {
		return nil, fmt.Errorf("cannot make a folder to read the capture into: %w", err)
	}
	if w.store, err = capture.Create(filepath.Join(w.folder, "read"+capture.Ext), capture.Options{Foreign: true, Judge: rest.beside(w.excused.under(pol))}); err != nil {
		os.RemoveAll(w.folder)
		return nil, err
	}
	w.load = func(ctx context.Context, progress func(done, total int)) error { return w.read(ctx, in, progress) }
	return w, nil
}

// origin returns the capture of ours that is shown, "" for others.
func (w *watched) origin(name string) string {
	if w.folder != "" {
		return ""
	}
	return name
}

// modesRead returns the ways in by which the flows of the capture came, as far as it was
// read.
func (w *watched) modesRead() []string {
	if read := w.modes.Load(); read != nil {
		return *read
	}
	return nil
}

// judge judges every flow of a capture of ours.
func (w *watched) judge(ctx context.Context, progress func(done, total int)) error {
	w.settling.Lock()
	defer w.settling.Unlock()
	if w.failed = w.store.Rejudge(ctx, w.rest.beside(w.excused.under(w.policy.Load())), progress); w.failed == nil {
		w.failed = w.settle(ctx, w.store.Watched, progress)
	}
	w.infos[0].Entries = w.store.Summary().Flows
	if modes, err := w.store.Modes(ctx); err == nil {
		w.modes.Store(&modes)
	}
	if w.failed != nil {
		w.infos[0].Error = w.failed.Error()
	}
	return w.failed
}

// read reads other captures into the temporary one.
func (w *watched) read(ctx context.Context, in *intake.Set, progress func(done, total int)) error {
	w.settling.Lock()
	defer w.settling.Unlock()
	modes := map[string]bool{}
	infos, err := in.Read(ctx, intake.Options{Bodies: true}, w.take(modes, progress))
	read := slices.Sorted(maps.Keys(modes))
	w.modes.Store(&read)
	troubles := []error{err}
	for _, info := range infos {
		for _, note := range info.Notes {
			w.store.Note(info.File + ": " + note)
		}
		annotate(w.store, info)
		troubles = append(troubles, info.Err)
	}
	for _, l := range intake.Ledgers(infos) {
		w.store.SetLedger(l)
	}
	if switches := intake.Switches(infos); switches != nil {
		troubles = append(troubles, w.store.CopyMarks(nil, switches))
	}
	w.infos = captureInfos(infos)
	troubles = append(troubles, w.store.Sync())
	if ctx.Err() == nil {
		watched := func(context.Context) (time.Duration, error) { return intake.Watched(infos), nil }
		troubles = append(troubles, w.settle(ctx, watched, progress))
	}
	w.failed = errors.Join(troubles...)
	return w.failed
}

// settle judges again where something happened more often than it does at rest.
func (w *watched) settle(ctx context.Context, watched func(context.Context) (time.Duration, error), progress func(done, total int)) error {
	if len(w.rest.files) == 0 {
		return nil
	}
	long, err := watched(ctx)
	if err != nil || !w.rest.settle(w.store.Summary(), long) {
		return err
	}
	return w.store.Rejudge(ctx, w.rest.beside(w.excused.under(w.policy.Load())), progress)
}

// beside returns a judge that leaves out what the device does at rest, once that is settled,
// and what programs have excused.
func (w *watched) beside(judge policy.Judge) policy.Judge {
	if pol, ok := judge.(*policy.Policy); ok {
		judge = w.excused.under(pol)
	}
	w.settling.Lock()
	defer w.settling.Unlock()
	return w.rest.beside(judge)
}

// document returns what is known of the capture at this moment.
func (w *watched) document(flags *liveFlags, command string) *reports.Report {
	pol := w.policy.Load()
	doc := flags.report.document(pol, flags.policy.allow, w.store.Summary(), w.infos)
	flags.gate.apply(doc, pol)
	flags.policy.facts.apply(doc)
	doc.Command, doc.Flows, doc.Modes = command, everyFlow(w.store), w.modesRead()
	flags.report.follow(doc, w.store)
	return doc
}

func (w *watched) close() {
	w.store.Close()
	if w.folder != "" {
		os.RemoveAll(w.folder)
	}
}

// notices keeps what would have been printed while the screen has the terminal.
type notices struct {
	mu    sync.Mutex
	lines []string
}

// Write takes whole lines, as streams.say prints them.
func (n *notices) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, strings.Split(strings.TrimRight(string(b), "\n"), "\n")...)
	return len(b), nil
}

// problems returns what was said that a person should know now.
func (n *notices) problems() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []string
	for _, line := range n.lines {
		for _, weight := range []string{"error: ", "warning: "} {
			if text, ok := strings.CutPrefix(line, weight); ok {
				all = append(all, text)
			}
		}
	}
	return all
}

// repeat prints what was said meanwhile and what went wrong, and reports whether there
// was trouble. That somebody has left is none.
func (n *notices) repeat(s *streams, errs ...error) (trouble bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range n.lines {
		s.say("%s", line)
		trouble = trouble || strings.HasPrefix(line, "error: ")
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			s.complain(err)
			trouble = true
		}
	}
	return trouble
}
