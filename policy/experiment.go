package policy

import (
	"slices"
	"strings"

	"telltale/flow"
)

// What an experiment did is no fault of the app or of its servers. Who is contacted, and
// what is sent, counts all the same: the app tried to.

// simulated reports whether no server had a part in the flow.
func simulated(f *flow.Flow) bool { return f.Outcome == flow.Simulated }

// faultShown are the experiments that show clients a certificate which they should refuse,
// as package experiment calls them. A flow names them only where it came to that.
var faultShown = []string{"bad-certificate", "clock-skew", "captive-portal"}

// shownFault reports whether the client ended the handshake where it was shown such a
// certificate: that is not pinning, and nothing that was said is unknown.
func shownFault(f *flow.Flow) bool {
	if f.Outcome == flow.Tunnelled {
		return false
	}
	return slices.ContainsFunc(f.Experiments, func(name string) bool {
		name, _, _ = strings.Cut(name, " ")
		return slices.Contains(faultShown, name)
	})
}
