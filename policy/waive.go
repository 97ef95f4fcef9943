package policy

import (
	"fmt"
	"slices"
	"time"

	"telltale/flow"
)

// A Waiver excuses a violation until a moment: what somebody decides while an audit runs, as
// a program of the section on does. What a file says has days, and its own form.
type Waiver struct {
	Violation string // its fingerprint ([Finding.Fingerprint]); no other is excused
	Reason    string
	Until     time.Time // flows that began before are excused
	By        string    // who says so, as findings show it: "telltale.yaml:4: on: run: ./triage.py"
}

// WithWaiver returns a copy of the policy that has one waiver more. The policy itself stays as
// it is and may judge meanwhile. A flow is excused by when it began, so that it has the same
// verdict whenever it is judged. The digest is that of the policy: the waiver is no part of
// what its files say.
func (p *Policy) WithWaiver(w Waiver) *Policy {
	own := waiver{
		violation: w.Violation, Reason: w.Reason, Until: w.Until.UTC(),
		Source: Source{Text: fmt.Sprintf("waiver by %s until %s: %s", w.By, w.Until.UTC().Format(time.RFC3339), w.Reason)},
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

// momentary reports whether the waiver is for one violation and ends at a moment, not with
// a day.
func (w *waiver) momentary() bool { return w.violation != "" }

// namesOf returns the violations that a finding is a part of, by fingerprint. What only leads
// up to a contact counts under the rule that the contact broke, whichever that was.
func namesOf(finding Finding, f *flow.Flow) []string {
	names := []string{finding.Fingerprint()}
	if !finding.Rule.OfContact() || !f.IsPrelude() {
		return names
	}
	for _, rule := range Rules {
		if rule.OfContact() && rule != finding.Rule {
			names = append(names, Finding{Rule: rule, Host: finding.Host}.Fingerprint())
		}
	}
	return names
}

// copied returns a policy that says the same, without what the former remembers of hosts.
func (p *Policy) copied() *Policy {
	return &Policy{
		name: p.name, file: p.file, text: p.text, flags: p.flags, userAg: p.userAg,
		allow: p.allow, ignore: p.ignore, deny: p.deny, consent: p.consent, waivers: p.waivers, devices: p.devices,
		secrets: p.secrets, forms: p.forms, identifiers: p.identifiers, declared: p.declared, lists: p.lists,
		require: p.require, deniesProbes: p.deniesProbes, nothing: p.nothing,
		notify: p.notify, actions: p.actions, recording: p.recording, literals: p.literals, recordLine: p.recordLine,
	}
}
