package cmd

import (
	"fmt"
	"time"

	"telltale/capture"
	"telltale/event"
	"telltale/reports"
)

// This file makes the documents of events: what is told of an audit, masked as reports
// are. Whatever is told, secrets are not revealed: it leaves this machine.

// eventID names an event in all the world: the audit is random, the number grows.
func eventID(audit string, seq int64) string { return fmt.Sprintf("%s-%d", audit, seq) }

// occasion returns an event of this audit, to be filled in.
func (a *audit) occasion(kind event.Kind, seq int64, at time.Time) event.Event {
	id := a.store.AuditID()
	return event.Event{
		Kind: kind, ID: eventID(id, seq), Time: at.UTC(), Audit: id, Capture: a.file, Policy: a.policy.Load().Name(),
	}
}

// occurrence is the document of a violation.
func (a *audit) occurrence(o capture.Occurrence) []byte {
	mask := masker(a.policy.Load(), false)
	f := o.Flow
	v := reports.NewViolation(capture.Violation{
		ID: o.Finding.Fingerprint(), Finding: o.Finding, Count: o.Count, Method: f.Method(), URL: f.URL(),
		App: f.UserAgent(), First: o.First, Last: f.Times.Start,
	}, nil, mask)
	e := a.occasion(event.OfViolation, o.Seq, time.Now())
	if addr := f.Client.Addr.Addr(); addr.IsValid() {
		e.Client = addr.Unmap().WithZone("").String()
	}
	e.Device, e.Phase = mask(o.Device), mask(f.Phase)
	e.Violation = &event.Violation{
		ID: v.ID, Rule: v.Rule, Severity: v.Severity, Host: v.Host, Category: v.Category, Method: v.Method, URL: v.URL,
		Count: v.Count, Altered: o.Altered, First: o.First.UTC(), Last: f.Times.Start.UTC(), App: v.App,
		Title: v.Title, Explanation: v.Explanation, Remedy: v.Remedy, Flow: int64(f.ID),
	}
	return e.Document()
}

// deviceSeen is the document of a device that is new to the audit.
func (a *audit) deviceSeen(d capture.Device) func(seq int64) []byte {
	return func(seq int64) []byte {
		mask := masker(a.policy.Load(), false)
		e := a.occasion(event.OfDevice, seq, d.First)
		e.Client, e.Device = d.Addr, mask(d.Name)
		return e.Document()
	}
}

// tellOfTrouble makes an event of something that keeps telltale from its work, where
// somebody is told of it.
func (a *audit) tellOfTrouble(problem string) {
	if a.telling != nil {
		a.store.Tell(string(event.OfTrouble), "", a.trouble(problem))
	}
}

// trouble is the document of something that keeps telltale from its work.
func (a *audit) trouble(problem string) func(seq int64) []byte {
	return func(seq int64) []byte {
		e := a.occasion(event.OfTrouble, seq, time.Now())
		e.Message = masker(a.policy.Load(), false)(problem)
		return e.Document()
	}
}

// conclusion is the document of the end of the audit.
func (a *audit) conclusion(doc *reports.Report) func(seq int64) []byte {
	return func(seq int64) []byte {
		e := a.occasion(event.OfSummary, seq, time.Now())
		sum := doc.Summary
		e.Summary = &event.Summary{
			Verdict: doc.Verdict, Flows: sum.Flows, Hosts: len(sum.Hosts), Violating: sum.Violating, Violations: len(sum.Violations),
			Experiments: experimentNames(sum),
		}
		return e.Document()
	}
}
