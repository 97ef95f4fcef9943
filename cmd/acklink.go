package cmd

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"telltale/capture"
	"telltale/setup"
	"telltale/token"
)

// withAcknowledgements serves, beside the set-up page, the page that the links in messages
// open; only where messages have links.
func (a *audit) withAcknowledgements(page http.Handler) http.Handler {
	if a.telling == nil || a.telling.links == nil {
		return page
	}
	return setup.WithAcknowledgement(page, setup.NewAcknowledgement(setup.Acknowledgements{
		Check: func(text string) (subject string, err error) {
			claim, err := a.telling.links.Check(text, token.Acknowledge, time.Now())
			return claim.Subject, err
		},
		Describe:    a.acknowledgeable,
		Acknowledge: a.acknowledgeLinked,
		Refused: func(address string, err error) {
			a.store.Note(fmt.Sprintf("a link that acknowledges was refused to %s: %v", hostOf(address), err))
		},
	}))
}

// errElsewhere says that a link is of another audit.
var errElsewhere = errors.New("this link is of another audit, which does not run here now; acknowledge it with telltale ack")

// linked returns the violation of a link's subject, as this audit has it.
func (a *audit) linked(subject string) (capture.Violation, error) {
	audit, id, _ := strings.Cut(subject, "/")
	if audit != a.store.AuditID() {
		return capture.Violation{}, errElsewhere
	}
	violations := a.store.Summary().Violations
	i := slices.IndexFunc(violations, func(v capture.Violation) bool { return v.ID == id })
	if i < 0 {
		return capture.Violation{}, errors.New("this violation is none any more: the policy was changed, or it was waived")
	}
	return violations[i], nil
}

// acknowledgeable describes the violation of a link.
func (a *audit) acknowledgeable(subject string) (setup.Acknowledgeable, error) {
	v, err := a.linked(subject)
	if err != nil {
		return setup.Acknowledgeable{}, err
	}
	pol := a.policy.Load()
	mask := masker(pol, false)
	out := setup.Acknowledgeable{
		Title: mask(v.Finding.Title), Rule: string(v.Finding.Rule), Host: mask(v.Finding.Host), Policy: mask(pol.Name()),
		Count: v.Count, First: v.First, Last: v.Last,
	}
	for _, n := range v.Annotations {
		if n.Kind == capture.Acknowledged {
			out.Acknowledged, out.By = n.Time, n.Author
			break
		}
	}
	return out, nil
}

// acknowledgeLinked notes that somebody who had a link knows of its violation.
func (a *audit) acknowledgeLinked(subject string) error {
	v, err := a.linked(subject)
	if err != nil {
		return err
	}
	return a.acknowledge(v.ID, byLink)
}

// takeAcknowledgements keeps in the capture what telltale ack has acknowledged elsewhere.
// It costs one look at an index of the outbox. Not for several goroutines at once.
func (a *audit) takeAcknowledgements() {
	t := a.telling
	if t == nil || t.delivery == nil {
		return
	}
	list, last, err := t.delivery.Acknowledgements(t.acknowledged)
	if err != nil {
		return // delivery says what is wrong with the outbox; the next look is soon
	}
	for _, ack := range list {
		if err := a.store.Annotate(acknowledgement(ack.Violation, ack.By, ack.Time)); err != nil {
			a.store.Note(fmt.Sprintf("an acknowledgement of %s is not in the capture: %v", ack.Violation, err))
		}
	}
	t.acknowledged = last
}
