package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"telltale/ca"
	"telltale/capture"
	"telltale/flow"
	"telltale/intake"
	"telltale/policy"
	"telltale/proxy"
	"telltale/reports"
	"telltale/setup"
)

// grace is how long an audit that was asked to end waits for what is in flight.
// Tests that look at the wait make it longer.
var grace = 5 * time.Second

// An audit is a proxy whose flows are recorded and judged: what record and demo
// run, each with its own idea of when it ends.
type audit struct {
	flags     *liveFlags
	policy    atomic.Pointer[policy.Policy] // in force; a person at the screen may change it
	authority *ca.Authority
	store     *capture.Store
	opinions  opinions // of its devices
	proxy     *proxy.Proxy
	listener  net.Listener
	ways      *ways
	closeWays func()    // when nothing comes by them any more
	path      string    // of the capture, as the user has named it
	file      string    // the same, from the root: who is told of it may be in another folder
	earlier   int       // contacts that it held before
	discard   bool      // --keep none: the capture goes when the audit ends
	expires   time.Time // when the capture may be removed; zero: when somebody removes it
	served    chan error
	feed      *audience // nil without --feed
	telling   *telling  // nil where nobody is told
	// experiments alter the traffic; nil where none can.
	experiments *experiments
}

// startAudit opens everything in the order in which it can fail cheaply: flags and
// policy first, the port before the capture, so that a refusal leaves nothing
// behind. The caller must finish the audit.
func startAudit(s *streams, flags *liveFlags, adjust func(*proxy.Config)) (*audit, error) {
	tradeMemoryForTime()
	if err := flags.report.validate(); err != nil {
		return nil, err
	}
	if err := flags.app.validate(); err != nil {
		return nil, err
	}
	pol, err := flags.policy.orNothing()
	if err != nil {
		return nil, err
	}
	if err := flags.gate.load(context.Background(), pol); err != nil {
		return nil, err
	}
	if err := flags.experiments.read(s, pol); err != nil {
		return nil, err
	}
	if err := spareFiles(flags.report.files, flags.gate.madeOf(pol, &flags.policy.facts)); err != nil {
		return nil, err
	}
	cfg, err := flags.proxyConfig()
	if err != nil {
		return nil, err
	}
	if idle := flags.ways.idle(); idle != "" {
		s.say("warning: %s", idle)
	}
	quietLibraries(s)
	a := &audit{flags: flags, closeWays: func() {}, served: make(chan error, 3)} // the HTTP proxy, SOCKS5, the transparent port
	a.policy.Store(pol)
	if a.authority, err = ca.Open(caFolder(flags.ca), flags.unlock(s)); err != nil {
		return nil, err
	}
	for _, warning := range a.authority.Warnings() {
		s.say("warning: %s", warning)
	}
	if file := flags.caPassphrase.file; file != "" && !a.authority.Protected() {
		s.say("warning: --ca-passphrase-file is of no use, since the authority's key has no passphrase; protect it with: telltale ca passphrase --ca-passphrase-file %s", quote(file))
	}
	if a.telling, err = newTelling(s, a); err != nil {
		return nil, err
	}
	if err := a.open(s, cfg, adjust); err != nil {
		return nil, err
	}
	a.telling.start()
	if pol.File() == "" && len(flags.policy.allow) == 0 && !flags.report.quiet {
		s.say("note: no policy, so every host is a violation; afterwards, write one with: telltale policy init --from CAPTURE")
	}
	go func() { a.served <- a.proxy.Serve(a.listener) }()
	a.ways.serve(a.proxy, a.served)
	return a, nil
}

// open takes the ports, then opens the capture and what records into it. Where it fails,
// nothing stays open.
func (a *audit) open(s *streams, cfg proxy.Config, adjust func(*proxy.Config)) (err error) {
	if a.listener, err = listen(a.flags.listen); err != nil {
		return err
	}
	if a.feed, err = a.flags.listenForReaders(s); err != nil {
		a.listener.Close()
		return err
	}
	if a.ways, err = a.flags.ways.listen(); err != nil {
		a.feed.abandon()
		a.listener.Close()
		return err
	}
	if err = a.openCapture(s); err == nil {
		if !a.discard { // else who asks for a report wants its bodies to outlive the capture
			a.flags.report.capture, a.flags.report.expires = a.file, a.expires
		}
		if err = a.openProxy(s, cfg, adjust); err == nil {
			if err = a.openTunnel(s); err == nil {
				if err = a.startFeed(s); err == nil {
					return nil
				}
			}
		}
		a.store.Close()
	}
	a.ways.close()
	a.feed.abandon()
	a.listener.Close()
	return err
}

// tradeMemoryForTime collects garbage half as often as Go does by itself: a proxy
// makes much of it and keeps little. It costs some 15 MiB and saves about a tenth
// of the time per request (docs/performance.md). GOGC has the last word.
func tradeMemoryForTime() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}

func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		return l, nil
	}
	var dns *net.DNSError
	var bad *net.AddrError
	if errors.As(err, &dns) || errors.As(err, &bad) {
		return nil, withHint(fmt.Errorf("--listen: %q is not HOST:PORT or :PORT: %w", addr, err), "write it as :8080, or as 192.0.2.1:8080 for one address of this machine")
	}
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return nil, withHint(fmt.Errorf("cannot listen on %s: %w", addr, err), "name an address of this machine, or listen on all of them with --listen :8080")
	}
	return nil, withHint(fmt.Errorf("cannot listen on %s: %w", addr, err), "choose another port with --listen :8081, or let the system choose with --listen :0")
}

// openCapture opens the file that the flows go to: the user's own, or one in the
// data folder that expires.
func (a *audit) openCapture(s *streams) (err error) {
	pol := a.policy.Load()
	opts := capture.Options{Judge: a.flags.gate.judge(pol), Log: toolLog(s), Seal: a.sealed(s), Leaks: func(f *flow.Flow) []flow.Leak { return a.policy.Load().Leaks(f) }}
	if a.telling != nil {
		opts.Tell = a.telling.occurrence
	}
	if r := a.flags.recording(pol); !r.KeepsAll() {
		opts.KeepBodies = func(f *flow.Flow, j policy.Judgement) bool { return r.Keeps(f.Host(), f.Port(), j) }
	}
	if a.flags.save != "" {
		a.path = a.flags.save
		if info, err := os.Stat(filepath.Dir(a.path)); err != nil || !info.IsDir() {
			return withHint(fmt.Errorf("cannot save the capture %s: there is no folder %s", a.path, filepath.Dir(a.path)), "mkdir -p %s", quote(filepath.Dir(a.path)))
		}
		if a.file, err = filepath.Abs(a.path); err != nil {
			return fmt.Errorf("cannot save the capture %s: %w", a.path, err)
		}
		if a.store, err = capture.Create(a.path, opts); err != nil {
			return err
		}
		if a.earlier = a.store.Summary().Flows; a.earlier > 0 && !a.flags.report.quiet {
			s.say("note: %s holds %s of earlier audits, and the verdict is about them too", a.path, plural(a.earlier, "contact"))
		}
		return nil
	}
	return a.openExpiring(s, opts)
}

// openExpiring opens a capture in the data folder.
func (a *audit) openExpiring(s *streams, opts capture.Options) error {
	keep, err := parseKeep(a.flags.keep)
	if err != nil {
		return err
	}
	folder := capturesFolder()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder for captures: %w", err)
	}
	purgeAtStart(s)
	a.path, a.discard = filepath.Join(folder, captureName(time.Now())), keep == keepNone
	if a.file, err = filepath.Abs(a.path); err != nil {
		return fmt.Errorf("cannot make the capture %s: %w", a.path, err)
	}
	if a.store, err = capture.Create(a.path, opts); err != nil {
		return err
	}
	at := time.Now() // where nobody wants it kept: should this process be killed, the next start removes it
	switch {
	case keep > 0:
		a.expires = at.Add(keep)
		at = a.expires
	case !a.discard:
		return nil
	}
	if err := a.store.SetExpiry(at); err != nil {
		return errors.Join(err, a.store.Close())
	}
	return nil
}

// Values of --keep that are no duration.
const (
	keepForever time.Duration = 0
	keepNone    time.Duration = -1
)

func parseKeep(s string) (time.Duration, error) {
	switch s {
	case "forever":
		return keepForever, nil
	case "none":
		return keepNone, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("--keep: %q is neither a duration such as 72h nor forever nor none", s)
	}
	return d, nil
}

func (a *audit) openProxy(s *streams, cfg proxy.Config, adjust func(*proxy.Config)) error {
	a.experiments = newExperiments(a)
	admit, err := a.admission()
	if err != nil {
		return err
	}
	cfg.Leafer, cfg.Recorder, cfg.Admit, cfg.Log = a.authority, a.store, admit, toolLog(s)
	cfg.Note = a.store.Note
	cfg.Home, cfg.Repeats = a.withAcknowledgements(setup.NewHandler(a.home())), setup.Repeats
	a.experiments.configure(&cfg)
	if adjust != nil {
		adjust(&cfg)
	}
	if a.experiments != nil && !a.flags.experiments.later {
		if err := a.experiments.begin(); err != nil {
			return err
		}
	}
	a.proxy, err = proxy.New(cfg)
	return err
}

// admission joins --passthrough and the experiments to the one question that the proxy
// asks. Without either, nothing needs asking.
func (a *audit) admission() (func(*flow.Flow) proxy.Decision, error) {
	patterns, err := a.flags.passthroughPatterns()
	if err != nil {
		return nil, err
	}
	decide := func(*flow.Flow) proxy.Decision { return proxy.Decision{} }
	switch {
	case a.experiments != nil:
		decide = a.experiments.Decide
	case len(patterns) == 0:
		return nil, nil
	}
	if len(patterns) == 0 {
		return decide, nil
	}
	return func(f *flow.Flow) proxy.Decision {
		d := decide(f)
		if d.Admission == proxy.Block || !slices.ContainsFunc(patterns, func(p policy.Pattern) bool { return p.Match(f.Host(), f.Port()) }) {
			return d
		}
		if d.Leaf != nil { // what is not decrypted is shown no certificate
			d = proxy.Decision{}
		}
		d.Admission, d.Why = proxy.PassThrough, "--passthrough"
		return d
	}, nil
}

// forbids asks the policy about a contact that has not been made yet.
func (a *audit) forbids(f *flow.Flow) (bool, string) {
	j := a.policy.Load().Judge(f)
	if j.Verdict != policy.Violation {
		return false, ""
	}
	return true, string(j.Rule()) + ": " + j.Findings[0].Title
}

// address returns HOST:PORT under which a program on this machine reaches the proxy.
func (a *audit) address() string {
	return reachable(a.listener.Addr())
}

// everywhere reports whether the proxy listens on all addresses, so that a phone
// can reach it.
func (a *audit) everywhere() bool {
	return a.listener.Addr().(*net.TCPAddr).AddrPort().Addr().IsUnspecified()
}

// finish stops the proxy, lets what is in flight and programs that run end, and returns the
// whole audit as a document. The capture stays open for reports; close it afterwards. Who is
// told of the audit is told the rest meanwhile. A signal ends the search in the app alone,
// though ctx, the audit's, has ended.
func (a *audit) finish(ctx context.Context, s *streams, command string) (doc *reports.Report, trouble bool) {
	trouble = a.shutDown(s)
	a.telling.settle() // what programs answer is a part of the verdict
	doc = a.document(command)
	a.telling.conclude(doc)
	a.feed.conclude(s, doc)
	return doc, a.flags.app.applyAfter(ctx, s, doc, a.policy.Load(), a.flags.report.quiet) || trouble
}

// shutDown stops the proxy, lets what is in flight end, and settles the books.
func (a *audit) shutDown(s *streams) (trouble bool) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	defer a.sayWhatIsAwaited(s)()
	if err := a.proxy.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		s.complain(fmt.Errorf("cannot stop the proxy: %w", err))
		trouble = true
	}
	a.closeWays() // and what came by them is in the books
	a.experiments.close()
	if err := a.settleRest(); err != nil {
		s.complain(err)
		trouble = true
	}
	return trouble
}

// settleRest judges again where something happened more often than it does at rest, which
// shows at the end.
func (a *audit) settleRest() error {
	if len(a.flags.gate.rest.files) == 0 {
		return nil
	}
	ctx := context.Background()
	if err := a.store.Sync(); err != nil {
		return err
	}
	watched, err := a.store.Watched(ctx)
	if err != nil {
		return err
	}
	if !a.flags.gate.rest.settle(a.store.Summary(), watched) {
		return nil
	}
	return a.store.Rejudge(ctx, a.flags.gate.judge(a.policy.Load()), nil)
}

// document returns the audit as it is at this moment.
func (a *audit) document(command string) *reports.Report {
	_ = a.store.Sync() // what it fails at, close says again
	doc := a.documentOf(&a.flags.report, a.store.Summary(), command)
	a.flags.report.follow(doc, a.store)
	return doc
}

// documentOf returns the audit as a summary has it, for somebody's eyes. It reads no flow.
func (a *audit) documentOf(flags *reportFlags, sum capture.Summary, command string) *reports.Report {
	doc := flags.document(a.policy.Load(), a.flags.policy.allow, sum, []reports.CaptureInfo{{File: a.flags.save, Entries: sum.Flows, Producer: "telltale"}})
	doc.Earlier = a.earlier
	a.flags.gate.apply(doc, a.policy.Load())
	a.flags.policy.facts.apply(doc)
	if recordedNothing(doc) && doc.Verdict == reports.Clean && !a.flags.report.allowEmpty {
		doc.Verdict = reports.Inconclusive
	}
	doc.Command, doc.Modes = command, a.ways.modes()
	doc.Flows = everyFlow(a.store)
	return doc
}

// everyFlow reads the flows of a capture with their contents, for reports that list
// them.
func everyFlow(store *capture.Store) func(yield func(*flow.Flow) error) error {
	return func(yield func(*flow.Flow) error) error {
		return intake.EachWhole(context.Background(), store, yield)
	}
}

// close waits until everybody was told who could be, closes the capture, and removes it when
// nobody wants it kept.
func (a *audit) close(s *streams) (trouble bool) {
	untold, trouble := a.telling.await(s)
	trouble = a.feed.await(s) || trouble
	err := a.store.Close()
	switch {
	case a.discard && untold:
		s.say("note: the capture is removed later, since not everybody was told what it holds: %s", a.path)
	case a.discard:
		err = errors.Join(err, capture.Remove(a.path))
	}
	if err != nil {
		s.complain(err)
		trouble = true
	}
	return trouble
}
