package reports

import (
	"fmt"
	"slices"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/flow"
)

// This file counts the connections of an examination that nothing explains.

// puzzling counts the contacts of a device that could not be read because of their client.
func puzzling(d capture.Device) int { return max(0, d.Unread-total(otherwise(d.Outcomes))) }

// unexplained counts those of all that are examined.
func (e *Examination) unexplained() int {
	return e.unreadContacts() - total(otherwise(e.outcomes()))
}

// open counts the connections that could not be read, and of which nothing tells why.
func (e *examined) open() int {
	n, rest := e.Untold, e.unexplained()
	for _, p := range e.patients {
		rest -= puzzling(p.device)
		if p.device.Addr != "" || e.Untold == 0 {
			n += p.open()
		}
	}
	return n + max(0, rest)
}

// open counts those of one device. While nothing of it was read, services that refuse
// always tell nothing; nor does a guess whose connections they are.
func (p patient) open() int {
	n := puzzling(p.device)
	explained, guessed := 0, 0
	for _, d := range p.diagnoses {
		if d.Guess && !d.Blocks() {
			guessed += d.Connections
		} else {
			explained += d.Connections
		}
	}
	switch {
	case n == 0, settledBefore(p.device), settledSince(p.device):
		return 0
	case explained == 0, p.device.Decrypted.IsZero():
		return n
	}
	return min(n, guessed)
}

// settledBefore reports whether all that a device refused was before it trusted us.
func settledBefore(d capture.Device) bool {
	return d.Refused >= puzzling(d) && !d.Refusal.At.IsZero() && d.Refusal.At.Before(d.Decrypted)
}

// settledSince reports whether it was, or is of hosts that were read since.
func settledSince(d capture.Device) bool {
	return d.Refused >= puzzling(d) && !d.Evidence.Settled().IsZero()
}

// settled says that nothing of what was refused is refused any more.
func (e *examined) settled() string {
	before, until := true, e.Summary.First
	for _, p := range e.patients {
		if puzzling(p.device) > 0 && !settledBefore(p.device) {
			before = false
			if at := p.device.Evidence.Settled(); at.After(until) {
				until = at
			}
		}
	}
	were := plural(e.unexplained(), "connection was", "connections were")
	if before {
		return fmt.Sprintf("nothing stands in the way now: %s refused before the device trusted the certificate of telltale", were)
	}
	return fmt.Sprintf("nothing stands in the way now: %s refused until %s, and the same hosts were read since", were, moment(until))
}

// keepersAlone reports whether services that refuse always are all that explains anything,
// on devices of which nothing was read.
func (e *examined) keepersAlone() bool {
	for _, p := range e.patients {
		system := slices.ContainsFunc(p.diagnoses, func(d diagnosed) bool { return d.Cause == diagnosis.SystemPinning })
		if p.open() > 0 && (!system || !p.device.Decrypted.IsZero()) {
			return false
		}
	}
	return e.Untold == 0
}

// unclear says what could not be read, where nothing tells why.
func (e *examined) unclear(system bool) string {
	switch n := e.open(); {
	case n == e.Untold:
		file := "the capture"
		if slices.Equal(e.Modes, []string{"har"}) {
			file = "a HAR"
		}
		return fmt.Sprintf("%d of %s could not be read, and %s does not tell why", n, plural(e.contacts(), "contact", "contacts"), file)
	case system && e.keepersAlone():
		return "only services of Apple and Google were seen to refuse on a device of which no TLS was read: that does not tell whether an app can be read"
	default:
		return plural(n, "connection", "connections") + " could not be read, and what was seen does not tell why"
	}
}

// failure are the words for a class of failures. A file of another program does not tell
// who it was that did not trust a certificate: the program, or the proxy that it used.
func (e *Examination) failure(class string) failureWords {
	if class == flow.FailureCertificate && slices.ContainsFunc(e.Modes, func(mode string) bool { return mode != "http" }) {
		return untoldCertificate
	}
	if words, ok := failures[class]; ok {
		return words
	}
	return failures[""]
}
