package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"telltale/proxy"
)

// The cast of the demo: the servers that Canada's COVID Alert app spoke to in
// 2020, and the one that it should not have spoken to.
const (
	demoRetrieval  = "retrieval.covid-notification.alpha.canada.ca"
	demoSubmission = "submission.covid-notification.alpha.canada.ca"
	demoProbe      = "clients3.google.com"
	demoOtherProbe = "connectivitycheck.gstatic.com" // where the app asks when that does not answer
	demoAgent      = "CovidShield/1.0.2 CFNetwork/1128.0.1 Darwin/19.6.0"
	demoPolicy     = `# The audit that found it: COVID Alert may talk to the Government of Canada.
version: 1
name: COVID Alert talks to the Government of Canada only
app:
  user-agent: "CovidShield*"
allow:
  - "*.canada.ca"
`
	// demoConsent is a part of it where the simulation is played that needs one.
	demoConsent = `consent: # nobody agreed to these
  - clients3.google.com
`
)

// demoBeat is how often the app sends its probe. The real one did every minute. Tests
// make it shorter.
var demoBeat = time.Second

func newDemo(s *streams) *cobra.Command {
	var folder string
	var screen bool
	var what experimentFlags
	c := command("demo", func(c *cobra.Command, _ []string) error {
		if screen {
			if err := needsScreen(s, "--watch"); err != nil {
				return withHint(err, "telltale demo runs without one")
			}
		}
		return demo(c.Context(), s, folder, screen, &what)
	})
	c.Args = noArguments
	what.register(c)
	c.Flags().StringVarP(&folder, "output", "o", ".", "`folder` for the policy, the capture and the reports")
	c.Flags().BoolVar(&screen, "watch", false, "show the audit on the screen of telltale watch; the app runs until you leave")
	_ = c.MarkFlagDirname("output")
	return c
}

// demo runs a whole audit on this machine: a stand-in app talks through the real
// proxy, over real TLS, to servers that play the ones on the stage of 2020.
func demo(parent context.Context, s *streams, folder string, screen bool, what *experimentFlags) error {
	ctx, end := context.WithCancel(parent)
	defer end()
	ctx, stop := interruptible(ctx, 0)
	defer stop()
	private, err := os.MkdirTemp("", "telltale-demo-*")
	if err != nil {
		return fmt.Errorf("cannot make a folder for the demo: %w", err)
	}
	defer os.RemoveAll(private)
	servers, err := startDemoServers(filepath.Join(private, "servers-ca"))
	if err != nil {
		return err
	}
	defer servers.Close()
	flags, err := demoFlags(folder, private, servers, what)
	if err != nil {
		return err
	}
	flags.experiments.later, flags.experiments.open = !screen, screen
	said := &notices{}
	talk := s
	if screen {
		talk = &streams{in: s.in, out: s.out, err: said}
	}
	a, err := startAudit(talk, flags, func(cfg *proxy.Config) { cfg.UpstreamRoots = servers.roots })
	if err != nil {
		return err
	}
	written := &writtenReports{}
	if screen {
		watchDemo(ctx, s, a, said, written)
	} else {
		s.say("the proxy listens on %s; the app and its servers run on this machine, nothing leaves it", a.address())
		if err := a.play(ctx, s); err != nil && ctx.Err() == nil {
			s.complain(err)
		}
		s.say("")
	}
	end()
	doc, trouble := a.finish(ctx, s, "telltale demo")
	if screen {
		trouble = a.leave(s, doc, written) || trouble
	} else {
		trouble = flags.conclude(s, a, doc, false, false) || trouble
	}
	s.say("\nnext: open %s in a browser, or read %s, which is ready to be pasted into an issue,", filepath.Join(folder, "audit.html"), filepath.Join(folder, "audit.md"))
	s.say("then audit an app of yours: telltale watch --allow '*.example.com'")
	return s.verdictExit(doc, trouble)
}

// play has the app live. With experiments, it lives first without them, then with them, and
// then without them again.
func (a *audit) play(ctx context.Context, s *streams) error {
	app := newDemoApp(a, func(line string) { s.say("  app: %s", line) })
	defer app.close()
	if a.flags.experiments.none() {
		return app.live(ctx, demoStory)
	}
	undisturbed := slices.Concat(demoStory, demoRoutine, demoRoutine)
	if err := app.live(ctx, undisturbed); err != nil {
		return err
	}
	if err := a.experiments.begin(); err != nil {
		return err
	}
	s.say("\n  experiments: %s", strings.Join(a.experiments.active(), ", "))
	_ = app.live(ctx, slices.Concat(demoRoutine, demoRoutine, demoRoutine, demoRoutine, demoRoutine)) // what fails is what they are for
	a.experiments.end()
	s.say("\n  experiments: none any more")
	return app.live(ctx, slices.Concat(demoRoutine, demoRoutine))
}

// watchDemo shows the audit while the app runs, until the person leaves.
func watchDemo(ctx context.Context, s *streams, a *audit, said *notices, written *writtenReports) {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		app := newDemoApp(a, func(string) {})
		defer app.close()
		for work := demoStory; ctx.Err() == nil; work = demoRoutine {
			err := app.live(ctx, work)
			if err != nil && ctx.Err() == nil && len(a.experiments.active()) == 0 {
				fmt.Fprintf(said, "warning: %v\n", err)
			}
		}
	}()
	_ = a.showScreen(ctx, s, said, nil, "telltale demo --watch", written)
	stop()
	<-ended
}

// demoFlags are the flags that a person would have typed for this audit.
func demoFlags(folder, private string, servers *demoServers, what *experimentFlags) (*liveFlags, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // reports are for sharing
		return nil, fmt.Errorf("cannot make the folder for the reports: %w", err)
	}
	file := filepath.Join(folder, "telltale-demo.yaml")
	text := demoPolicy
	if slices.ContainsFunc(what.simulate, func(s string) bool { return strings.HasPrefix(s, "consent-refused") }) {
		text += demoConsent
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil { //nolint:gosec // a policy is for sharing
		return nil, fmt.Errorf("cannot write the demo's policy: %w", err)
	}
	flags := &liveFlags{
		experiments: *what,
		listen:      "127.0.0.1:0", keep: "none", bodyLimit: "1MiB", ca: filepath.Join(private, "ca"),
		resolve: []string{"*:*:" + servers.listener.Addr().String()},
	}
	flags.policy.file = file
	for _, name := range []string{"audit.md", "audit.html", "audit.json", "audit.har"} {
		flags.report.files = append(flags.report.files, filepath.Join(folder, name))
	}
	return flags, nil
}
