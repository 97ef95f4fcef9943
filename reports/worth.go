package reports

import (
	"fmt"
	"slices"
	"strings"

	"telltale/capture"
	"telltale/flow"
)

// This file says what a verdict is worth: "no violation" without traffic that
// could be read proves nothing.

// outcomes say why a connection could not be read.
var outcomes = map[flow.Outcome]string{
	flow.ClientRefused:     "the client refused the certificate (pinning, or the CA is not trusted)",
	flow.ClientSilent:      "the client closed the connection without a request (often pinning)",
	flow.HandshakeFailed:   "the TLS handshake with the client failed",
	flow.UpstreamFailed:    "the server could not be reached or verified",
	flow.PassedThrough:     "not decrypted, as asked",
	flow.Tunnelled:         "neither TLS nor HTTP",
	flow.Blocked:           "refused by telltale",
	flow.Simulated:         "answered, or left unanswered, by an experiment in the place of the server",
	flow.DestinationDenied: "refused: an address of this machine, its link or its other networks",
	flow.Malformed:         "a malformed message",
	flow.Abandoned:         "the client went away",
	flow.Open:              "still open when the audit ended",
	flow.QUICRefused:       "QUIC was refused, so that it came back over TCP",
	flow.Seen:              "known from somebody else, who did not see its content",
}

// worth says what the verdict is worth: what was seen, what was not, and why, for a
// document that has these sentences alone.
func worth(r *Report, st style) []string {
	return worthOf(r, st, slices.Concat(claims(r, st), devices(r, st), briefly(r, st)))
}

// worthBeside is worth for a document that has a table of devices, and sections of
// diagnoses and of what can have been seen.
func worthBeside(r *Report, st style) []string {
	if r.listsDevices() {
		return worthOf(r, st, neverRead(r, st))
	}
	return worthOf(r, st, devices(r, st))
}

// worthOf says what the verdict is worth with these further sentences, on the devices
// among others. What nobody outside can make longer comes first, so that no list of names
// crowds it out.
func worthOf(r *Report, st style, further []string) []string {
	out := damage(r, st)
	h := r.Summary.Health
	if n, hosts := unread(h); n > 0 {
		out = append(out, fmt.Sprintf("%s to %s could not be read. They are judged by the host's name alone; what was sent is unknown.",
			plural(n, "connection", "connections"), plural(hosts, "host", "hosts")))
	} else if r.Summary.Flows > 0 && len(out) == 0 && !slices.ContainsFunc(r.Modes, hasNoContent) {
		out = append(out, "Every recorded connection could be read.")
	}
	if slices.ContainsFunc(r.Modes, hasNoContent) {
		out = append(out, "Contacts out of a phone's own record or of packets have no content: they are judged by the host's name or address alone, and what was sent is unknown.")
	}
	if text := alteredWorth(r, st); text != "" {
		out = append(out, text)
	}
	tell := func(n int, one, many, rest string) {
		if n > 0 {
			out = append(out, plural(n, one, many)+rest)
		}
	}
	tell(h.Failed, "exchange", "exchanges", " did not complete (server down, client gone). A failed contact is a contact, and is judged.")
	tell(h.Open, "flow was", "flows were", " still under way when the audit ended.")
	tell(h.Omitted, "flow has", "flows have", " contents that were not recorded, as the policy asks, or left out of a redacted copy. They were searched and judged before; values that only another policy lists cannot be looked for in them.")
	if n := refusedQUIC(h); n > 0 {
		out = append(out, fmt.Sprintf("%s to %s %s refused, so that apps came back over TCP, where they could be read: nothing was missed there.",
			plural(n, "QUIC conversation", "QUIC conversations"), plural(len(h.QUICRefused), "host", "hosts"), ending(n, "was", "were")))
	}
	tell(h.Lookups, "question", "questions", " of DNS looked for no server (names of addresses, resolvers) and did not count.")
	tell(h.Nameless, "connection", "connections", " named no host and cannot be judged (port scans, garbage).")
	tell(h.Denied, "connection was", "connections were", " turned away, because the client may not use this proxy.")
	out = append(out, further...)
	for _, c := range r.Captures {
		for _, scheme := range sortedKeys(c.Skipped) {
			if isInWords(scheme) {
				out = append(out, fmt.Sprintf("%s of %s said of no contact (%s) and did not count.",
					plural(c.Skipped[scheme], "entry", "entries"), captureName(r, c.File, st), st.data(r.text(scheme))))
				continue
			}
			out = append(out, fmt.Sprintf("%s of %s reached no server (%s URLs) and did not count.",
				plural(c.Skipped[scheme], "entry", "entries"), captureName(r, c.File, st), st.data(r.clipped(scheme+":", maxMethod))))
		}
	}
	for _, note := range slices.Concat(h.Notes, r.Notes) {
		if text, ok := strings.CutPrefix(note, standardInput+": "); ok { // notes name their input
			note = "Standard input: " + text
		}
		out = append(out, st.prose(r.clipped(note, maxText)))
	}
	return out
}

// refusedQUIC counts the QUIC conversations that were refused.
func refusedQUIC(h capture.Health) (n int) {
	for _, several := range h.QUICRefused {
		n += several
	}
	return n
}

// hasNoContent reports whether flows of this way in are contacts that somebody else saw.
func hasNoContent(mode string) bool {
	switch mode {
	case "pcapdroid", "pcap", "privacy-report", "trackercontrol":
		return true
	}
	return false
}

// isInWords reports whether what was skipped is named in words, as for inputs whose
// entries have no URLs: a scheme has no space (RFC 3986, 3.1).
func isInWords(skipped string) bool {
	return len(skipped) <= maxWords && strings.Contains(skipped, " ")
}

// maxWords is how long these words may be.
const maxWords = 48

// damage says which inputs could not be read to their end.
func damage(r *Report, st style) []string {
	var out []string
	for _, c := range r.Captures {
		if c.Error == "" {
			continue
		}
		out = append(out, fmt.Sprintf("%s is damaged or cannot be read: %s. What could be read of it was judged.",
			captureName(r, c.File, st), strings.TrimSuffix(whyDamaged(r, c, st), ".")))
	}
	if more := len(out) - maxListed; more > 0 {
		out = append(out[:maxListed], plural(more, "more capture is", "more captures are")+" damaged or cannot be read.")
	}
	return out
}

// whyDamaged says why a capture could not be read to its end, without its name, which
// the error begins with.
func whyDamaged(r *Report, c CaptureInfo, st style) string {
	return st.prose(clip(strings.TrimPrefix(r.mask(c.Error), r.mask(c.File)+": "), maxText))
}

// devices say, for each device that was seen, whether its silence means
// something.
func devices(r *Report, st style) []string {
	var out []string
	for _, d := range r.Summary.Health.Devices {
		s := fmt.Sprintf("Device %s made %s", deviceName(r, d, st), plural(d.Flows, "flow", "flows"))
		if d.Decrypted.IsZero() {
			s += "; no TLS of it was ever read, so that it shows no violation proves nothing"
		} else {
			s += fmt.Sprintf("; its TLS could be read from %s on", moment(d.Decrypted))
		}
		if d.Refused > 0 {
			s += fmt.Sprintf(", and it refused the certificate in %s", plural(d.Refused, "handshake", "handshakes"))
		}
		out = append(out, s+".")
	}
	return out
}

// neverRead names the devices whose silence means nothing.
func neverRead(r *Report, st style) []string {
	var names []string
	for _, d := range r.Summary.Health.Devices {
		if d.Decrypted.IsZero() {
			names = append(names, deviceName(r, d, st))
		}
	}
	if len(names) == 0 {
		return nil
	}
	of := joinAnd(firstOf(names))
	if len(names) == 1 {
		return []string{"No TLS of device " + of + " was ever read: what it does not show proves nothing."}
	}
	return []string{"No TLS of these devices was ever read, so that what they do not show proves nothing: " + of + "."}
}

// A silence is connections to one host that could not be read for one reason.
type silence struct {
	host, why   string
	connections int
}

// silences lists the hosts whose connections could not be read, and why.
func silences(r *Report) []silence {
	var out []silence
	why := r.reasons()
	unread := r.Summary.Health.Unread
	for _, host := range sortedKeys(unread) {
		byReason := map[string]int{}
		for outcome, n := range unread[host] {
			reason, ok := outcomes[outcome]
			if !ok {
				reason = string(outcome)
			}
			if known := why[host]; known != "" && slices.Contains(byClient, outcome) {
				reason = known
			}
			byReason[reason] += n
		}
		for _, reason := range sortedKeys(byReason) {
			out = append(out, silence{host, reason, byReason[reason]})
		}
	}
	return out
}

// byClient are the outcomes that a diagnosis explains.
var byClient = []flow.Outcome{flow.ClientRefused, flow.ClientSilent, flow.HandshakeFailed}

// reasons says of each host that a diagnosis explains, in the documents that show
// diagnoses, which one that is.
func (r *Report) reasons() map[string]string {
	why := map[string]string{}
	for _, d := range r.shownDiagnoses() {
		for _, host := range d.Hosts {
			reason := surely(r, d, inData)
			switch {
			case d.Connections == 0, strings.Contains(why[host], reason):
			case why[host] == "":
				why[host] = "see \"" + unreadHeading + "\": " + reason
			default:
				why[host] += "; " + reason
			}
		}
	}
	return why
}

// unread counts the connections that could not be read, and their hosts.
func unread(h capture.Health) (connections, hosts int) {
	for _, outcomes := range h.Unread {
		n := 0
		for _, several := range outcomes {
			n += several
		}
		if n > 0 {
			hosts++
		}
		connections += n
	}
	return connections, hosts
}
