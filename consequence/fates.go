package consequence

import (
	"slices"
	"strings"

	"telltale/flow"
)

func isSlowed(experiments []string) bool { return slices.ContainsFunc(experiments, isSlow) }

// isSlow goes by the names of package experiment, which this package must not import.
func isSlow(name string) bool { return simulation(name) == "slow" }

// simulation is the first word of the name of an experiment: the others are its variant.
func simulation(name string) string {
	word, _, _ := strings.Cut(name, " ")
	return word
}

// showsBadCertificate reports whether the client was shown a certificate that it should
// refuse.
func showsBadCertificate(f *flow.Flow) bool {
	return slices.ContainsFunc(f.Experiments, func(name string) bool {
		switch simulation(name) {
		case "bad-certificate", "clock-skew":
			return true
		}
		return false
	})
}

// showsPortal reports whether the client may have been shown the certificate of a sign-in
// page.
func showsPortal(f *flow.Flow) bool {
	return slices.ContainsFunc(f.Experiments, func(name string) bool { return simulation(name) == "captive-portal" })
}

// A fate is what became of a contact.
type fate struct {
	taken, distrusted, trusted bool
	answered                   bool // by the server, and not by an error of its own
	good                       bool // answered, and not that the request was wrong
	altered                    bool // it is not known what the server would have answered
	open                       bool // not yet answered
}

func fateOf(f *flow.Flow) (what fate) {
	bad := showsBadCertificate(f)
	what.answered = isAnswered(f)
	exchange := f.Kind == flow.HTTP || f.Kind == flow.WebSocket                                            // a tunnel has a request, too: that for itself
	what.trusted = (bad || slices.Contains(f.Notes, flow.NoteAcceptedFault)) && exchange && !f.Cleartext() // whoever answered
	switch f.Outcome {
	case flow.Blocked, flow.Simulated, flow.QUICRefused:
		what.taken = len(f.Experiments) > 0
		what.distrusted = f.Outcome == flow.Simulated && !exchange && (bad || showsPortal(f) && f.Client.Hello != nil && f.Client.Hello.Alert != "")
	case flow.ClientRefused, flow.ClientSilent, flow.HandshakeFailed:
		shown := bad || showsPortal(f)
		what.taken, what.distrusted = shown, shown
	default: // cut under way
		what.taken = !what.answered && slices.ContainsFunc(f.Experiments, cuts)
	}
	what.good = what.answered && f.Status() < 400
	what.altered = !what.taken && !what.trusted && slices.ContainsFunc(f.Experiments, rewrites)
	what.open = !f.Ended() && !what.answered && f.Status() == 0
	return what
}

// cuts reports whether contacts that an experiment altered fail by its doing.
func cuts(name string) bool {
	switch simulation(name) {
	case "flaky", "offline":
		return true
	}
	return false
}

// rewrites reports whether an experiment alters what is asked and answered.
func rewrites(name string) bool { return simulation(name) == "modify" }

// isAnswered reports whether a server answered, and not by an error of its own.
func isAnswered(f *flow.Flow) bool {
	switch f.Outcome {
	case flow.Open, flow.Completed, flow.PassedThrough, flow.Tunnelled, flow.Seen, "":
	default:
		return false
	}
	if status := f.Status(); status > 0 {
		return status < 500
	}
	if f.DNS != nil {
		return f.DNS.Code == "NOERROR"
	}
	return f.Received > 0 || f.Outcome == flow.Seen
}
