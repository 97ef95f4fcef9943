package cmd

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"sync"

	"telltale/capture"
	"telltale/flow"
	"telltale/intake"
	"telltale/policy"
)

// This file is what programs of the policy had excused while a capture was recorded: it
// does not count in a verdict over the capture either, provided that the policy still has
// the line that runs the program. A capture of somebody else does not excuse itself.

// waiversOf returns what programs of a policy have excused, of all that was said of a
// capture's violations.
func waiversOf(pol *policy.Policy, said []capture.Annotation) (waivers []policy.Waiver) {
	for _, a := range said {
		if a.Kind == capture.Excused && isProgramOf(pol, a.Author) {
			waivers = append(waivers, policy.Waiver{Violation: a.Violation, Reason: a.Text, Until: a.Until, By: a.Author})
		}
	}
	return waivers
}

// isProgramOf reports whether the author of an annotation is a program of the policy.
func isProgramOf(pol *policy.Policy, author string) bool {
	return slices.ContainsFunc(pol.Actions(), func(rule policy.Action) bool { return capture.AuthorOf(rule.Source.String()) == author })
}

// pardoned returns a policy with what its programs have excused.
func pardoned(pol *policy.Policy, said []capture.Annotation) *policy.Policy {
	for _, w := range waiversOf(pol, said) {
		pol = pol.WithWaiver(w)
	}
	return pol
}

// pardons are what was said of violations in several captures, and which flows are of
// which.
type pardons struct {
	said map[string][]capture.Annotation // by capture
	in   *intake.Set                     // that is read; nil where each flow is noted otherwise

	mu   sync.RWMutex
	from []stretch // in the order of IDs
}

// pardonsIn reads what was said of violations in captures that are to be judged.
func pardonsIn(ctx context.Context, in *intake.Set) *pardons {
	return &pardons{said: in.Annotations(ctx), in: in}
}

// observe notes of which capture a flow is that is just read, before it is judged.
func (p *pardons) observe(f *flow.Flow) { p.note(p.in.Current(), f.ID) }

// stretch is where the flows of a capture begin.
type stretch struct {
	first   flow.ID
	capture string
}

// note says of which capture a flow is, before it is judged. Flows come in the order of IDs.
func (p *pardons) note(capture string, id flow.ID) {
	if len(p.said) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.from); n == 0 || p.from[n-1].capture != capture {
		p.from = append(p.from, stretch{id, capture})
	}
}

// captureOf returns the capture that a flow is of.
func (p *pardons) captureOf(id flow.ID) string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	i := sort.Search(len(p.from), func(i int) bool { return p.from[i].first > id })
	if i == 0 {
		return ""
	}
	return p.from[i-1].capture
}

// under returns a judge that excuses in each capture what programs of the policy have
// excused there, and nothing of the others.
func (p *pardons) under(pol *policy.Policy) policy.Judge {
	of := map[string]*policy.Policy{}
	for name, said := range p.said {
		if own := pardoned(pol, said); own != pol {
			of[name] = own
		}
	}
	if len(of) == 0 {
		return pol
	}
	return pardoning{pol, of, p}
}

// pardoning is a policy with what its programs have excused, by capture.
type pardoning struct {
	policy  *policy.Policy
	of      map[string]*policy.Policy
	pardons *pardons
}

// Judge judges by what holds for the capture that the flow is of.
func (j pardoning) Judge(f *flow.Flow) policy.Judgement {
	if own := j.of[j.pardons.captureOf(f.ID)]; own != nil {
		return own.Judge(f)
	}
	return j.policy.Judge(f)
}

// ReadsContent says what the policy does.
func (j pardoning) ReadsContent() bool { return policy.ReadsContent(j.policy) }

// DeviceName says what the policy does.
func (j pardoning) DeviceName(addr netip.Addr) string { return policy.DeviceName(j.policy, addr) }

// IsApp says what the policy does.
func (j pardoning) IsApp(userAgent string) bool { return policy.IsApp(j.policy, userAgent) }

// unpardoned says which violations count although a program had excused them: the policy
// does not run it.
func unpardoned(pol *policy.Policy, violations []capture.Violation) []string {
	n, authors := 0, map[string]bool{}
	var names []string
	for _, v := range violations {
		excused := false
		for _, a := range v.Annotations {
			if a.Kind != capture.Excused || isProgramOf(pol, a.Author) {
				continue
			}
			excused = true
			if !authors[a.Author] {
				authors[a.Author] = true
				names = append(names, a.Author)
			}
		}
		if excused {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	if more := len(names) - 3; more > 0 {
		names = append(names[:3], fmt.Sprintf("%d more", more))
	}
	return []string{fmt.Sprintf("While this was recorded, a program had excused %s that %s all the same: the policy does not have the program in its section on (%s).",
		plural(n, "violation"), map[bool]string{true: "counts", false: "count"}[n == 1], strings.Join(names, "; "))}
}
