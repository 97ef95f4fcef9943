package cmd

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"telltale/flow/plain"
	"telltale/playback"
	"telltale/policy"
	"telltale/proxy"
	"telltale/reports"
)

// noServers are flags about servers and other experiments. Nothing is forwarded here.
var noServers = []string{"passthrough", "upstream-proxy", "upstream-ca", "insecure-upstream", "resolve", "enforce", "refuse", "simulate", "modify"}

func newServe(s *streams) *cobra.Command {
	flags := &liveFlags{}
	var hosts []string
	var events bool
	c := command("serve", func(c *cobra.Command, args []string) error {
		for _, name := range noServers {
			if c.Flags().Changed(name) {
				return withHint(fmt.Errorf("--%s has no place here, since nothing is forwarded", name), "leave it out, or use telltale record")
			}
		}
		return serve(c, s, flags, hosts, events, args)
	})
	c.Args = func(c *cobra.Command, args []string) error {
		if at := c.ArgsLenAtDash(); len(args) == 0 || at == 0 || at != 1 && len(args) > 1 {
			return withHint(fmt.Errorf("%s takes one capture, and what to run behind --", c.CommandPath()), "%s --help", c.CommandPath())
		}
		return nil
	}
	flags.register(c)
	flags.gate.register(c)
	c.Flags().StringArrayVar(&hosts, "host", nil, "answer requests to hosts that match `pattern` from the recording; all others are refused; repeatable")
	c.Flags().BoolVar(&events, "events", false, "print one JSON object a line on standard output, as things happen")
	for _, name := range noServers {
		if c.Flags().Lookup(name) != nil {
			_ = c.Flags().MarkHidden(name)
		}
	}
	return c
}

// serve audits a device whose requests are answered from a recording.
func serve(c *cobra.Command, s *streams, flags *liveFlags, hosts []string, events bool, args []string) error {
	ctx, end := context.WithCancel(c.Context())
	defer end()
	recording, done, err := openPlayback(ctx, args[0], flags, hosts)
	if err != nil {
		return err
	}
	defer done()
	flags.bounded = c.Flags().Changed("for")
	name := "serve " + recordingName(args[0])
	a, err := startAudit(s, flags, func(cfg *proxy.Config) {
		cfg.Admit = recording.Decide
		// No name is asked of DNS, whoever asks for it.
		cfg.Resolve = []proxy.Resolve{{Host: "*", Port: "*", Addr: netip.AddrFrom4([4]byte{127, 0, 0, 1}), ToPort: "9"}}
	})
	if err != nil {
		return err
	}
	a.store.SetExperiments([]string{name})
	ctx, stopClock := untilClock(ctx, flags.deadline, time.Now)
	defer stopClock()
	ctx, stop := interruptible(ctx, flags.duration)
	defer stop()
	a.announce(s)
	if !flags.report.quiet {
		s.say("  answers from %s, %s; nothing is forwarded", args[0], plural(recording.Len(), "exchange"))
		for _, note := range recording.Notes() {
			s.say("  note: %s", note)
		}
	}
	var log *eventLog
	if events {
		log = startEvents(s.out, a)
	}
	trouble := a.await(ctx, s, args[1:])
	end()
	doc, failed := a.finish(ctx, s, commandLine(c, args[:1]))
	trouble = trouble || failed
	if log != nil {
		if err := log.finish(doc); err != nil {
			s.complain(err)
			trouble = true
		}
	}
	trouble = flags.conclude(s, a, doc, events, len(args) > 1) || trouble
	sayUnanswered(s, recording, masker(a.policy.Load(), flags.report.reveal))
	return s.verdictExit(doc, trouble)
}

// recordingName is what a recording is called in the flows that it answers.
func recordingName(path string) string { return plain.Text(filepath.Base(path)) }

// openPlayback opens the recording that answers.
func openPlayback(ctx context.Context, name string, flags *liveFlags, hosts []string) (*playback.Recording, func(), error) {
	if sameFile(name, flags.save) {
		return nil, nil, withHint(errors.New("--save names the recording that answers, which is only read"), "save to another file")
	}
	none, err := policy.New(nil)
	if err != nil {
		return nil, nil, err
	}
	w, err := openRecording(ctx, name, none)
	if err != nil {
		return nil, nil, err
	}
	command := "telltale serve " + quote(name)
	patterns, err := meantHosts(ctx, w.store, hosts, true, command)
	var recording *playback.Recording
	if err == nil {
		recording, err = playback.Index(ctx, w.store, playback.Options{Name: recordingName(name), Hosts: patterns})
	}
	if err != nil {
		w.close()
		return nil, nil, err
	}
	return recording, w.close, nil
}

// maxUnansweredSaid is how many requests without an answer are listed.
const maxUnansweredSaid = 10

// sayUnanswered lists what the recording had no answer to.
func sayUnanswered(s *streams, r *playback.Recording, mask func(string) string) {
	s.say("answered %s from the recording", plural(r.Answered(), "request"))
	list, total := r.Unanswered()
	if total == 0 {
		return
	}
	s.say("%s had no answer in the recording:", plural(total, "request"))
	for i, missing := range list {
		if i == maxUnansweredSaid {
			s.say("  and %d others", len(list)-i)
			return
		}
		s.say("  %s (%d)", plain.Text(reports.URL(missing.Request, mask)), missing.Count)
	}
}
