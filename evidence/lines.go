package evidence

import (
	"fmt"
	"strings"
	"time"

	"telltale/flow/plain"
)

// Lines says a result in words, the most important first. Nothing in them moves a cursor.
func (r *Result) Lines() []string {
	lines := []string{r.headline()}
	for _, f := range r.Faults {
		lines = append(lines, "  "+f.Text)
	}
	if r.MoreFaults > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", r.MoreFaults))
	}
	if r.Links > 0 {
		lines = append(lines, fmt.Sprintf("%s, %s, contents of %s", count(r.Links, "link", "links"), count(r.Flows, "flow", "flows"), count(r.Bodies, "body", "bodies")))
	}
	if r.Older > 0 && r.Links > 0 {
		lines = append(lines, fmt.Sprintf("%s from before the chain began: not covered", count(r.Older, "flow", "flows")))
	}
	for i := range r.Sessions {
		lines = append(lines, r.Sessions[i].line(r))
		if m := r.Sessions[i].Manifest; m != nil {
			lines = append(lines, m.lines()...)
		}
	}
	if r.Annotated > 0 {
		lines = append(lines, fmt.Sprintf("annotations were added after the last session, in %s: not signed", count(r.Annotated, "link", "links")))
	}
	for i := range lines {
		lines[i] = plain.Text(lines[i])
	}
	return lines
}

// headline is the verdict as a sentence.
func (r *Result) headline() string {
	switch r.Verdict {
	case Intact:
		return "intact: as it was recorded, " + r.signers()
	case Unproven:
		return fmt.Sprintf("unproven: no chain, since an earlier version of telltale recorded it (%s)", count(r.Older, "flow", "flows"))
	case Broken:
		return "broken: not as it was recorded"
	}
	why := "the recorder did not end properly"
	if r.Recording {
		why = "it is being recorded"
	} else if n := len(r.Sessions); n > 0 && r.Sessions[n-1].Ended != nil {
		why = "its session has no manifest"
	}
	return fmt.Sprintf("unsigned: the chain holds, but it is unsigned from link %d: %s", r.SignedLinks+1, why)
}

// signers says whose keys signed the sessions.
func (r *Result) signers() string {
	others := map[Fingerprint]struct{}{}
	trusted := true
	for _, s := range r.Sessions {
		if s.Signer != nil && !s.Own {
			others[*s.Signer] = struct{}{}
		}
		trusted = trusted && (s.Signer == nil || s.Trusted)
	}
	switch {
	case trusted:
		return "signed by the key that was asked for"
	case len(others) == 0:
		return "signed by this machine's key"
	case len(others) == 1:
		return "signed by another key than this machine's: compare it"
	}
	return fmt.Sprintf("signed by %d other keys than this machine's: compare them", len(others))
}

func (s *Session) line(r *Result) string {
	text := fmt.Sprintf("session %d, links %d to %d, %s, from %s", s.ID, s.First, s.Last, count(s.Flows, "flow", "flows"), s.Started.Format(time.RFC3339))
	if s.Ended != nil {
		text += " to " + s.Ended.Format(time.RFC3339)
	}
	switch {
	case s.Own:
		text += ": signed by this machine's key " + s.Signer.String()
	case s.Trusted:
		text += ": signed by the key that was asked for, " + s.Signer.String()
	case s.Signer != nil:
		text += ": signed by another key, " + s.Signer.String()
	case s.document != nil:
		text += ": its manifest does not count"
	case s.Last <= r.SignedLinks:
		text += ": no manifest of its own; a later one signs its links"
	default:
		text += ": no manifest"
	}
	return text
}

// lines says what a manifest has beside the chain.
func (m *Manifest) lines() []string {
	lines := []string{fmt.Sprintf("  by %s %s, clocks %s from UTC (%s)", m.Tool.Name, m.Tool.Version, m.Started.LocalOffset, m.Clock)}
	if p := m.Policy; p != nil {
		lines = append(lines, fmt.Sprintf("  policy %s, SHA-256 %s", p.Name, p.SHA256))
	}
	for _, l := range m.Lists {
		lines = append(lines, fmt.Sprintf("  list %s, SHA-256 %s", l.Name, l.SHA256))
	}
	for _, d := range m.Devices {
		lines = append(lines, strings.TrimRight("  device "+d.Address+" "+d.Name, " "))
	}
	return lines
}

func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
