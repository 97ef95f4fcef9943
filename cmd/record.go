package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"telltale/capture"
	"telltale/reports"
	"telltale/setup"
)

func newRecord(s *streams) *cobra.Command {
	flags := &liveFlags{}
	var events bool
	c := command("record", func(c *cobra.Command, args []string) error {
		return record(c, s, flags, events, args)
	})
	c.Args = cobra.ArbitraryArgs
	flags.register(c)
	flags.gate.register(c)
	c.Flags().BoolVar(&events, "events", false, "print one JSON object a line on standard output, as things happen")
	c.Flags().BoolVar(&flags.idle, "idle", false, "record what the device does while the app is closed, for --subtract; there is no verdict")
	return c
}

func record(c *cobra.Command, s *streams, flags *liveFlags, events bool, child []string) error {
	if len(child) > 0 && c.ArgsLenAtDash() != 0 {
		if err := cmp.Or(flags.ways.misplaced(child[0]), flags.experiments.misplaced(child[0])); err != nil {
			return err
		}
		return withHint(fmt.Errorf("unexpected argument %q", child[0]), "telltale record -- %s", quote(child[0]))
	}
	if flags.idle && !flags.experiments.none() {
		return withHint(errors.New("--idle records what a device does undisturbed, and experiments disturb it"), "leave out --idle, or the experiments")
	}
	flags.bounded = c.Flags().Changed("for")
	a, err := startAudit(s, flags, nil)
	if err != nil {
		return err
	}
	if flags.idle {
		if err := a.store.SetIdle(); err != nil {
			s.complain(err) // the recording is of use all the same
		}
	}
	ctx, end := context.WithCancel(c.Context())
	defer end()
	ctx, stopClock := untilClock(ctx, flags.deadline, time.Now)
	defer stopClock()
	ctx, stop := interruptible(ctx, flags.duration)
	defer stop()
	a.announce(s)
	var log *eventLog
	stopProgress := func() {}
	switch {
	case events:
		log = startEvents(s.out, a)
	case isTerminal(s.err) && !flags.report.quiet:
		if len(child) == 0 {
			s.say("press Ctrl-C to end the audit and see the verdict")
		}
		stopProgress = startProgress(s, a)
		if a.telling != nil {
			a.telling.said.follow(func(line string) { s.say("%s", line) })
		}
	}
	trouble := a.await(ctx, s, child)
	end() // from here on, a signal ends the program at once, but for a search in the app
	stopProgress()
	command := commandLine(c, nil)
	doc, failed := a.finish(ctx, s, command)
	if isTerminal(s.err) {
		s.say("")
	}
	trouble = trouble || failed
	if log != nil {
		if err := log.finish(doc); err != nil {
			s.complain(err)
			trouble = true
		}
	}
	if flags.idle {
		return a.concludeIdle(s, doc, trouble)
	}
	trouble = flags.conclude(s, a, doc, events, len(child) > 0) || trouble
	return s.verdictExit(doc, trouble)
}

// announce says where the proxy listens. Scripts read the first line.
func (a *audit) announce(s *streams) {
	s.say("listening on %s", a.address())
	if a.flags.report.quiet {
		return
	}
	a.announceWays(s)
	s.say("  CA certificate: %s", a.authority.CertPath())
	a.announceCapture(s)
	a.announceExperiments(s)
	a.announceFeed(s)
	if !a.everywhere() {
		return
	}
	reachable, err := setup.Addresses()
	if err != nil || len(reachable) == 0 {
		return
	}
	_, port := splitPort(a.address())
	s.say("  on a phone in the same network: set its HTTP proxy to %s, port %s, then open http://setup.telltale/", reachable[0], port)
}

// announceCapture says where the capture is, how long it is kept, and when recording ends.
func (a *audit) announceCapture(s *streams) {
	switch {
	case a.discard:
		s.say("  capture: removed when the audit ends")
	case a.expires.IsZero():
		s.say("  capture: %s, kept until you remove it", a.path)
	default:
		s.say("  capture: %s, kept until %s", a.path, localTime(a.expires))
	}
	if at := a.flags.deadline; !at.IsZero() {
		s.say("  ends at %s", at.Local().Format("2006-01-02 15:04:05 MST"))
	}
}

// announceExperiments says what is altered.
func (a *audit) announceExperiments(s *streams) {
	if active := a.experiments.active(); len(active) > 0 {
		s.say("  experiments: %s; what is recorded now is not what an app does undisturbed", strings.Join(active, ", "))
	}
}

// announceWays says where devices find the other ways in.
func (a *audit) announceWays(s *streams) {
	at := a.ways.addresses()
	if t := a.ways.tunnel; t != nil {
		s.say("  WireGuard: %s, for a device with this configuration, which is a key: %s", t.endpoint, t.config)
	}
	if socks, on := at["socks5"]; on {
		s.say("  SOCKS5: %s", socks)
	}
	if port, on := at["transparent"]; on {
		s.say("  transparent: %s, for what nftables leads there: telltale setup hotspot", port)
	}
}

// await waits until the audit is to end: at a signal, after --for, when CMD ends,
// or when the proxy itself fails.
func (a *audit) await(ctx context.Context, s *streams, child []string) (trouble bool) {
	if len(child) > 0 {
		err := a.runChild(ctx, s, child)
		if err != nil {
			s.complain(err)
		}
		return err != nil
	}
	select {
	case <-ctx.Done():
		return false
	case err := <-a.served:
		s.complain(fmt.Errorf("the proxy stopped: %w", err))
		a.tellOfTrouble(fmt.Sprintf("the proxy stopped: %v", err))
		return true
	}
}

// concludeIdle ends a recording of a device at rest. It has no verdict: there is nothing to
// compare it with.
func (a *audit) concludeIdle(s *streams, doc *reports.Report, trouble bool) error {
	trouble = a.flags.report.writeAll(s, doc) || trouble
	trouble = a.close(s) || trouble
	switch empty := doc.Summary.Inconclusive(); {
	case empty && !a.flags.report.allowEmpty:
		s.say("warning: nothing was recorded, so there is nothing that could be left out of an audit")
		trouble = true
	case a.flags.report.quiet:
	case empty:
		s.say("nothing was recorded")
	default:
		s.say("%s", atRest(doc.Summary))
		if !a.discard {
			s.say("leave them out of an audit with: telltale check CAPTURE --subtract %s", quote(a.path))
		}
	}
	if trouble {
		return exitCode(ExitFailed)
	}
	return nil
}

// atRest says what a device did with the app closed.
func atRest(sum capture.Summary) string {
	timed := 0
	for _, shape := range sum.Shapes {
		if shape.Rhythm.Count > 0 {
			timed++
		}
	}
	by := "none"
	if timed > 0 {
		by = strconv.Itoa(timed)
	}
	return fmt.Sprintf("recorded %s of the device at rest, of %s, %s by a timer", plural(sum.Flows, "contact"), plural(len(sum.Shapes), "kind"), by)
}

// conclude writes the reports and prints the verdict. With --events, standard
// output is for events alone; with CMD, it is CMD's.
func (l *liveFlags) conclude(s *streams, a *audit, doc *reports.Report, events, child bool) (trouble bool) {
	out := s.out
	if events || child {
		out = s.err
	}
	if err := l.report.show(out, "text", doc); err != nil {
		s.complain(err)
		trouble = true
	}
	trouble = l.report.writeAll(s, doc) || trouble
	trouble = a.close(s) || trouble
	if !a.discard {
		l.report.pointToDoctor(s, doc, []string{a.path})
	}
	return trouble
}
