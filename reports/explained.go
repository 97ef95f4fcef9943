package reports

import (
	"slices"
	"strings"

	"telltale/capture"
	"telltale/policy"
)

// This file leads from a violation whose content could not be read to the diagnosis that
// says why: what a rule explains of every app is not to be read where it is known of this
// one.

// explanations are the diagnoses that a document shows, by device and host.
type explanations map[deviceHost][]diagnosed

type deviceHost struct{ device, host string }

// explain returns what explains the contacts of each device: these diagnoses, which a
// document shows.
func explain(shown []diagnosed) explanations {
	x := explanations{}
	for _, d := range shown {
		for _, host := range d.Hosts {
			key := deviceHost{d.device.Addr, host}
			x[key] = append(x[key], d)
		}
	}
	return x
}

// of refers to the diagnoses of a violation, in one sentence: "" where the violation is of
// another kind, or a device sent it of which nothing explains it.
func (x explanations) of(r *Report, v capture.Violation, st style) string {
	if v.Finding.Rule != policy.Undecryptable {
		return ""
	}
	var reasons []string
	for _, device := range v.Clients {
		all := x[deviceHost{device, v.Finding.Host}]
		if len(all) == 0 {
			return ""
		}
		for _, d := range all {
			if reason := surely(r, d, st); !slices.Contains(reasons, reason) {
				reasons = append(reasons, reason)
			}
		}
	}
	if len(reasons) == 0 {
		return ""
	}
	if more := len(reasons) - maxListed; more > 0 {
		reasons = append(reasons[:maxListed], plural(more, "more reason", "more reasons"))
	}
	return `See "` + unreadHeading + `": ` + strings.Join(reasons, "; ") + "."
}

// explainedRemedy stands in the place of the remedy of a rule where a diagnosis has steps.
const explainedRemedy = "The steps stand there. Where it may stay unread, a waiver in the policy excuses it."

// surely is what a diagnosis says, with how sure it is.
func surely(r *Report, d diagnosed, st style) string {
	s := titleOf(r, d, st)
	if sure := sureness(d.Certainty); sure != "" {
		s += " (" + sure + ")"
	}
	return s
}

// shownDiagnoses are those of a document that has room for maxDiagnoses.
func (r *Report) shownDiagnoses() []diagnosed {
	all := r.diagnoses()
	return all[:min(len(all), maxDiagnoses)]
}
