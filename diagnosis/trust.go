package diagnosis

import (
	"math"
	"slices"
	"time"
)

// Whether the device trusts us at all: it never did, it does no longer, or the date
// keeps it from doing so.

// nearlyAll is how many refusals that are about the date there have to be for each other
// one, for the date to explain them all.
const nearlyAll = 9

// dated reports whether most refusals of a program at a host say that our certificate is
// past, or not valid yet.
func (j *judge) dated(p *program, host string) bool {
	c, since := p.servers[host], j.dating(p, host)
	refused, _ := c.refused.since(since)
	return 2*p.outOfTime(&c.refused, since) > refused
}

// dating returns from when on refusals of a program at a host may be about the date:
// where it was read, the date was right until then.
func (j *judge) dating(p *program, host string) int64 {
	since := j.since(p)
	if !p.readFrom(host) {
		return since
	}
	last := p.lastFrom(host)
	if last == 0 {
		return math.MaxInt64 // nobody knows when
	}
	return max(since, last+1)
}

// wrongClock finds clients that say so. They look at that in a chain that they know, so
// that it says nothing against the authority. It reports whether that explains whatever
// the device refused.
func (j *judge) wrongClock() bool {
	var t trouble
	dates, others := 0, 0
	for _, p := range j.programs {
		for host, c := range p.servers {
			since := j.dating(p, host)
			n, _ := c.refused.since(since)
			switch {
			case n == 0:
			case j.dated(p, host):
				t.add(p, host, since)
				dates += p.outOfTime(&c.refused, since)
			default:
				others += n
			}
		}
		others += p.testsRefused(j.since(p))
	}
	if dates == 0 {
		return false
	}
	var one *program
	if len(t.programs) == 1 {
		one = t.programs[0]
	}
	d := j.diagnosis(WrongClock, one, &t)
	last := max(j.read.last, j.test.trusted.last)
	before := j.trusted != 0 && last < t.first // nothing was read since
	alone := (j.trusted == 0 || before) && t.refused >= nearlyAll*others
	switch {
	case before && alone:
		d.Certainty = Likely
		d.Evidence = append(d.Evidence, "Connections were read before, until "+clockTime(last)+", and none since.")
	case j.trusted != 0:
		d.Certainty = Possible
		d.Evidence = append(d.Evidence, "Other connections from this address can be read.")
	case others > dates:
		d.Certainty = Possible
	case alone && dates >= again && t.alerts.of(alertCertificateExpired) > 0:
		d.Certainty = Certain
	default:
		d.Certainty = Likely
	}
	d.Title = "the device's clock is outside the validity of telltale's certificate"
	d.Evidence = append(d.Evidence, "The alert is about the date of the certificate, and nothing against the authority.")
	if j.trusted == 0 && others > 0 {
		d.Evidence = append(d.Evidence, "Other refusals say nothing of the date: "+number(others, "connection")+".")
	}
	d.Next = []string{
		"Set the date, time and time zone of the device to automatic.",
		"If they are right: `telltale ca show` says until when the authority is valid, `telltale ca rotate` makes a new one.",
	}
	j.add(d)
	return alone
}

// testsRefused counts the tests of the set-up page that the program refused from a
// moment on, of those that say nothing of the date.
func (p *program) testsRefused(since int64) int {
	n, _ := p.test.refused.since(since)
	return n - p.outOfTime(&p.test.refused, since)
}

// witnesses are who refused since a moment.
type witnesses struct {
	refused, tests int
	said           codes
	programs       []*program
	browser        bool // a person's browser, or the set-up page's test in one
}

// firm reports whether it was no single connection that was broken off.
func (w *witnesses) firm() bool { return w.refused >= again || w.said.spoke() }

// witnesses returns which programs of a trouble refused since a moment.
func (j *judge) witnesses(t *trouble, since int64) *witnesses {
	var all witnesses
	for _, p := range t.programs {
		w := witnesses{tests: p.testsRefused(since), said: p.test.refused.said(since)}
		w.refused = w.tests
		for _, host := range t.hosts {
			if c := p.servers[host]; c != nil {
				n, _ := c.refused.since(since)
				said := c.refused.said(since)
				w.refused += n
				w.said.merge(&said)
			}
		}
		if w.refused == 0 {
			continue
		}
		all.refused += w.refused
		all.tests += w.tests
		all.said.merge(&w.said)
		all.programs = append(all.programs, p)
		all.browser = all.browser || w.firm() && (p.is.Browser || w.tests > 0)
	}
	return &all
}

// neverTrusted is for a device of which nothing was read, and which refused. Services
// that refuse always say nothing of that.
func (j *judge) neverTrusted() {
	var t trouble
	last := int64(0)
	for _, p := range j.programs {
		for _, host := range p.hosts(func(host string, c *counts) bool {
			return c.refused.count > 0 && j.keeper(p, host) == "" && !j.dated(p, host)
		}) {
			t.add(p, host, 0)
		}
		if p.testsRefused(0) > 0 {
			last = max(last, p.test.refused.last)
			if !slices.Contains(t.programs, p) {
				t.programs = append(t.programs, p)
			}
		}
	}
	if len(t.programs) == 0 {
		for _, p := range j.programs {
			j.refuses(p) // in silence, or services that refuse always
		}
		return
	}
	last = max(last, t.last)
	fetched := j.fetched.first
	if fetched > last && !j.known.Now.IsZero() {
		return // it was not tried again since it was fetched
	}
	var one *program
	if len(t.programs) == 1 {
		one = t.programs[0]
	}
	cause, since := NotInstalled, int64(0)
	if fetched != 0 && fetched <= last {
		cause, since = NotTrusted, fetched
	}
	w := j.witnesses(&t, since)
	d := j.diagnosis(cause, one, &t)
	switch {
	case cause == NotTrusted && w.browser:
		d.Certainty = Certain
	case w.firm() && (w.browser || len(w.programs) > 1):
		d.Certainty = Likely
	default:
		d.Certainty = Possible
	}
	who := "the device"
	if one != nil && !one.is.Browser && storeOf(one) != nil {
		who = j.name(one)
	}
	d.Title = who + " does not have telltale's certificate authority"
	if cause == NotTrusted {
		d.Title = "the device does not trust telltale's certificate authority yet"
	}
	d.Evidence = append(d.Evidence, j.untrustedEvidence(w, since, last)...)
	d.Next = j.stepsForTrust(cause, one)
	j.add(d)
}

// How long, and how often, programs of which nothing else is known refuse before that
// means the device.
const (
	often    = 6
	enduring = 10 * time.Minute
)

// noLongerTrusted finds that the certificate was taken from the device, or made anew,
// while it was watched: what was read is refused now, and nothing is read any more. A
// single app may pin a part of what it does, and be the last that was seen.
func (j *judge) noLongerTrusted() bool {
	last := max(j.read.last, j.test.trusted.last) + 1
	var t trouble
	for _, p := range j.programs {
		for _, host := range p.hosts(func(host string, c *counts) bool {
			return c.read.count > 0 && c.refused.last >= last && !j.dated(p, host)
		}) {
			t.add(p, host, last)
		}
	}
	if t.refused < again || !t.alerts.spoke() || len(t.hosts) < again && len(t.programs) < again {
		return false
	}
	named, browser := 0, false
	for _, p := range t.programs {
		browser = browser || p.is.Browser
		if p.agent != "" {
			named++
		}
	}
	if !browser && named < again && (t.refused < often || t.last-last < int64(enduring)) {
		return false
	}
	d := j.diagnosis(NotTrusted, nil, &t)
	d.Key += "/again"
	d.Certainty = Likely
	d.Title = "the device no longer trusts telltale's certificate authority"
	d.Evidence = append(d.Evidence, "The same programs were read at the same hosts before, until "+clockTime(last)+"; nothing was read since.")
	d.Next = append([]string{"Was the certificate removed from the device, or the authority made anew? `telltale ca show` has its fingerprint."},
		j.installSteps(nil)...)
	j.add(d)
	return true
}
