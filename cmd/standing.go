package cmd

import (
	"slices"
	"strings"
	"sync"
	"time"

	"telltale/capture"
	"telltale/policy"
	"telltale/reports"
)

// This file is what is asked of an audit while people are told of it: once for each
// violation, and there may be thousands.

// standingLife is how old an answer may be. A summary of a large audit takes tens of
// milliseconds, in which nothing can be recorded.
const standingLife = time.Second

// standing is how an audit stood at a moment. It does not change.
type standing struct {
	made  time.Time
	sum   capture.Summary
	index map[string]int // of violations, by ID
	// document is the whole audit as somebody else may see it, and hosts are where its hosts
	// are, by name.
	document func() (*reports.Report, map[string]int)
}

// stands returns how the audit stands, or did a moment ago.
func (t *telling) stands() *standing {
	t.mu.Lock()
	now := t.standing
	t.mu.Unlock()
	if now != nil && time.Since(now.made) < standingLife {
		return now
	}
	a := t.audit
	now = &standing{made: time.Now(), sum: a.store.Summary(), index: map[string]int{}}
	for i, v := range now.sum.Violations {
		now.index[v.ID] = i
	}
	now.document = sync.OnceValues(func() (*reports.Report, map[string]int) {
		others := a.flags.report
		others.reveal = false // whatever the user may see: this leaves the machine
		hosts := map[string]int{}
		for i, h := range now.sum.Hosts {
			hosts[h.Name] = i
		}
		return a.documentOf(&others, now.sum, ""), hosts
	})
	t.mu.Lock()
	t.standing = now
	t.mu.Unlock()
	return now
}

// Count returns how many flows a violation has by now.
func (t *telling) Count(violation string) (n int, atLeast bool) {
	now := t.stands()
	if i, there := now.index[violation]; there {
		return now.sum.Violations[i].Count, false
	}
	return 0, true
}

// report is the audit of one violation in Markdown, for an issue.
func (t *telling) report(audit, violation string) string {
	if audit != t.Audit() {
		return ""
	}
	now := t.stands()
	i, there := now.index[violation]
	if !there {
		return ""
	}
	whole, hosts := now.document()
	doc := *whole
	sum := &doc.Summary
	sum.Violations, sum.Waivers, sum.Shapes, sum.Trails = now.sum.Violations[i:i+1:i+1], nil, nil, nil
	sum.Hosts = nil
	if h, there := hosts[sum.Violations[0].Finding.Host]; there {
		sum.Hosts = now.sum.Hosts[h : h+1 : h+1]
	}
	format, _ := reports.ByName("markdown")
	var text strings.Builder
	if err := format.Write(&text, &doc); err != nil {
		return ""
	}
	return text.String()
}

// escalates remembers what a violation is, which may be escalated under its ID.
func (t *telling) escalates(of policy.Finding) {
	if t == nil || t.findings == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.findings[of.Fingerprint()] = of
}

// settled reports whether a violation needs nobody any more: a program has waived it, or
// the policy in force no longer has it.
func (t *telling) settled(audit, violation string) bool {
	if audit != t.Audit() {
		return false
	}
	now := t.stands()
	if _, there := now.index[violation]; there {
		return false
	}
	t.mu.Lock()
	finding, known := t.findings[violation]
	waived := slices.ContainsFunc(t.waivers, func(w policy.Waiver) bool { return w.Violation == violation })
	t.mu.Unlock()
	return waived || !known || !slices.ContainsFunc(now.sum.Violations, func(v capture.Violation) bool { return isPart(finding, v.Finding) })
}

// isPart reports whether a finding is counted under another by now: it only led up to the
// contact that this is, or there were so many that names below one parent are counted
// together.
func isPart(of, row policy.Finding) bool {
	if of.Rule.OfContact() && row.Rule.OfContact() && of.Host == row.Host {
		return true
	}
	before, after, crowd := strings.Cut(row.Host, "*")
	return crowd && of.Rule == row.Rule && strings.HasPrefix(of.Host, before) && strings.HasSuffix(of.Host, strings.TrimSuffix(after, ".*"))
}

// link is the address of the page on which a violation is acknowledged.
func (t *telling) link(audit, violation string) string {
	return acknowledgementLink(t.links, t.addressees.notify.Link, audit, violation, time.Now())
}

// occurrence makes the document of a violation that somebody is to be told of.
func (t *telling) occurrence(o capture.Occurrence) []byte {
	t.escalates(o.Finding)
	return t.audit.occurrence(o)
}
