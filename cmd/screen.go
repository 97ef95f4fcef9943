package cmd

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/flow"
	"telltale/policy"
	"telltale/reports"
	"telltale/setup"
	"telltale/tui"
)

// This file hands the screen what other packages know: it may see none of them.

// copies are the forms in which the screen copies a flow.
var copies = []tui.Copy{
	{Key: "u", Name: "URL", Text: func(f *flow.Flow, _ policy.Judgement, mask func(string) string) string {
		if mask == nil {
			return f.URL()
		}
		return mask(flow.MaskURL(f.URL()))
	}},
	{Key: "c", Name: "curl command", Text: func(f *flow.Flow, _ policy.Judgement, mask func(string) string) string {
		return reports.Curl(f, mask)
	}},
	{Key: "m", Name: "Markdown line", Text: reports.MarkdownLine},
}

// forScreen is the policy as the screen edits it. Flows are judged by what beside makes of
// it, and adopt hears of each policy that comes into force.
func (p *policyFlags) forScreen(said *notices, current *policy.Policy, beside func(policy.Judge) policy.Judge, adopt func(*policy.Policy)) tui.Policy {
	edited := tui.Policy{Current: current, File: current.File(), Options: policyOptions(), Beside: beside, Adopt: adopt}
	edited.Dropped = func() {
		fmt.Fprintf(said, "warning: decisions that were not written to %s are not in this verdict\n", edited.File)
	}
	if edited.File == "" {
		edited.File, edited.Draft = defaultPolicy, policy.NewFile("what the app may contact", p.allow)
		edited.Parse = func(text []byte) (*policy.Policy, error) {
			drafted, err := policy.Parse(defaultPolicy, text, policyOptions())
			if err == nil {
				err = p.facts.tell(drafted) // what --allow says is in the draft
			}
			return drafted, err
		}
		return edited
	}
	edited.Text, _ = os.ReadFile(edited.File) // it was read a moment ago; what is missing shows when it is written
	edited.Parse = func(text []byte) (*policy.Policy, error) {
		changed, err := policy.Parse(edited.File, text, policyOptions())
		if err == nil {
			err = p.complete(changed)
		}
		return changed, err
	}
	return edited
}

// forScreen are the reports that the screen offers.
func forScreen(base string, write func(files []string) error) tui.Reports {
	r := tui.Reports{Base: base, Write: write}
	for _, f := range reports.Formats {
		if f.Ext != "" {
			r.Formats = append(r.Formats, tui.ReportFormat{Ext: f.Ext, Help: f.Help})
		}
	}
	return r
}

// reportBase proposes the name of a report from that of its capture.
func reportBase(file string) string {
	base := file
	for _, ext := range []string{".gz", ".har", capture.Ext} {
		base = strings.TrimSuffix(base, ext)
	}
	if base == "" {
		return "audit"
	}
	return base
}

// connection is how devices reach the proxy of an audit.
func (a *audit) connection() (*tui.Connect, error) {
	host, port := splitPort(a.address())
	hosts := []string{host}
	if a.everywhere() {
		reachable, err := setup.Addresses()
		if err != nil {
			return nil, err
		}
		hosts = slices.Concat(reachable, hosts)
	}
	c := &tui.Connect{Guides: a.guides, Checklist: a.checklist, Tunnel: a.ways.tunnel.forScreen()}
	for _, h := range hosts {
		at := setup.Place{Host: h, Port: port}
		code, err := setup.QR(at.Page())
		if err != nil {
			return nil, err
		}
		c.Places = append(c.Places, tui.Place{Host: h, Port: port, Page: at.Page(), QR: code.Blocks(2, false), QRInverse: code.Blocks(2, true)})
	}
	return c, nil
}

func (a *audit) guides(at tui.Place) []tui.Guide {
	place := a.place(at)
	var guides []tui.Guide
	for _, p := range setup.Platforms {
		if steps := setup.Brief(p, place); len(steps) > 0 {
			guides = append(guides, tui.Guide{Name: p.Name, Steps: steps})
		}
	}
	return guides
}

// place names the authority too, as devices list it.
func (a *audit) place(at tui.Place) setup.Place {
	return setup.Place{Host: at.Host, Port: at.Port, Authority: a.authority.Name()}
}

// take returns what puts the flows of other captures into the temporary one.
func (w *watched) take(modes map[string]bool, progress func(done, total int)) func(*flow.Flow) error {
	done := 0
	return func(f *flow.Flow) error {
		modes[f.Mode] = true
		f.ID = w.store.NextID()
		w.excused.observe(f)
		w.store.Observe(f)
		if done++; done%1000 == 0 {
			progress(done, 0)
		}
		return nil
	}
}

// checklist says how far a device is on its way.
func (a *audit) checklist(d capture.Device, at tui.Place, found []diagnosis.Diagnosis, now time.Time) []tui.Check {
	var checks []tui.Check
	for _, item := range setup.Checklist(a.progress(d, a.place(at), found, now)) {
		checks = append(checks, tui.Check{Text: item.Text, State: checkStates[item.State], Advice: item.Advice, Diagnosed: item.Diagnosed})
	}
	return checks
}

// checkStates are the states of the screen for those of the checklist.
var checkStates = map[setup.State]tui.CheckState{
	setup.Waiting: tui.CheckWaiting, setup.Done: tui.CheckDone, setup.Skipped: tui.CheckSkipped, setup.Trouble: tui.CheckTrouble,
}
