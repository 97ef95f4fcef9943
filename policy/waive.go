package policy

import (
	"fmt"
	"slices"
	"time"
)

// A Waiver excuses violations until a moment: what somebody decides while an audit runs, as
// a program of the section on does. What a file says has days, and its own form.
type Waiver struct {
	Rule   Rule
	Host   Pattern
	Reason string
	Until  time.Time // flows that began before are excused
	By     string    // who says so, as findings show it: "./triage.py"
}

// WithWaiver returns a copy of the policy that has one waiver more. The policy itself stays as
// it is and may judge meanwhile. A flow is excused by when it began, so that it has the same
// verdict whenever it is judged. The digest is that of the policy: the waiver is no part of
// what its files say.
func (p *Policy) WithWaiver(w Waiver) *Policy {
	own := waiver{
		Rule: w.Rule, Pattern: w.Host, Reason: w.Reason, Until: w.Until.UTC(), momentary: true,
		Source: Source{Text: fmt.Sprintf("waiver by %s: %s at %s until %s: %s", w.By, w.Rule, w.Host, w.Until.UTC().Format(time.RFC3339), w.Reason)},
	}
	out := p.copied()
	out.waivers = append(slices.Clip(p.waivers), own)
	out.devices = slices.Clone(p.devices)
	for i := range out.devices {
		if theirs := out.devices[i].policy; theirs != nil {
			theirs = theirs.copied()
			theirs.waivers = append(slices.Clip(theirs.waivers), own)
			out.devices[i].policy = theirs
		}
	}
	return out
}

// copied returns a policy that says the same, without what the former remembers of hosts.
func (p *Policy) copied() *Policy {
	return &Policy{
		name: p.name, file: p.file, text: p.text, flags: p.flags, userAg: p.userAg,
		allow: p.allow, ignore: p.ignore, deny: p.deny, waivers: p.waivers, devices: p.devices,
		secrets: p.secrets, forms: p.forms, identifiers: p.identifiers, declared: p.declared, lists: p.lists,
		require: p.require, deniesProbes: p.deniesProbes, nothing: p.nothing,
		notify: p.notify, actions: p.actions, recording: p.recording, literals: p.literals, recordLine: p.recordLine,
	}
}
