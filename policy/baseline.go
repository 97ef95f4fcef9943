package policy

import (
	"net/netip"
	"slices"

	"telltale/flow"
)

// A Baseline is the violations that an earlier audit had, by fingerprint. A team
// that takes up telltale late starts with one: what was there stays visible and
// counts no more, what is new fails.
type Baseline map[string]bool

// Beside returns a judge that judges as the given one does, except that findings
// which the baseline has do not count. They are marked as known, and a flow that
// has no others is waived.
func (b Baseline) Beside(judge Judge) Judge {
	if len(b) == 0 {
		return judge
	}
	return besideBaseline{judge, b}
}

type besideBaseline struct {
	judge    Judge
	baseline Baseline
}

// ReadsContent says what the judge beside it does.
func (j besideBaseline) ReadsContent() bool { return ReadsContent(j.judge) }

// DeviceName says what the judge beside it does.
func (j besideBaseline) DeviceName(addr netip.Addr) string { return DeviceName(j.judge, addr) }

// IsApp says what the judge beside it does.
func (j besideBaseline) IsApp(userAgent string) bool { return IsApp(j.judge, userAgent) }

// Judge parts the findings of a violation into new and known ones.
func (j besideBaseline) Judge(f *flow.Flow) Judgement {
	judged := j.judge.Judge(f)
	if judged.Verdict != Violation {
		return judged
	}
	var fresh, known []Finding
	for _, finding := range judged.Findings {
		if j.baseline.knows(f, finding) {
			finding.Known = true
			known = append(known, finding)
		} else {
			fresh = append(fresh, finding)
		}
	}
	switch {
	case len(known) == 0:
		return judged
	case len(fresh) > 0:
		judged.Findings, judged.Excused, judged.Source = fresh, slices.Concat(known, judged.Excused), fresh[0].Source
	default:
		judged.Verdict, judged.Findings, judged.Excused = Waived, slices.Concat(known, judged.Excused), nil
	}
	return judged
}

// knows reports whether the baseline has a finding.
func (b Baseline) knows(f *flow.Flow, finding Finding) bool {
	return slices.ContainsFunc(namesOf(finding, f), func(name string) bool { return b[name] })
}
