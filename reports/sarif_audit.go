package reports

import (
	"compress/gzip"
	"encoding/json"
	"strings"

	"telltale/policy"
)

// This file is what a SARIF log says on the audit itself. Code scanning closes every
// alert that a log lacks, and shows no notification beside the list: an audit that
// proves nothing has results of its own, so that it is not taken for a pass.

// sarifEvent is what an audit reports on itself. Code scanning wants a description
// and help for each event that the tool declares, and so none is declared but those
// that are results too.
type sarifEvent struct {
	id, level string
}

var (
	captureDamaged = sarifEvent{"capture-damaged", "error"}    // it could not be read to its end
	proofless      = sarifEvent{Inconclusive, "error"}         // the audit proves nothing
	verdictWeak    = sarifEvent{"verdict-weak", "warning"}     // the verdict is worth little
	resultsLeftOut = sarifEvent{"results-left-out", "warning"} // there are more violations than results
	verdictNote    = sarifEvent{"verdict-note", "note"}        // what the verdict is worth
)

// rule describes an event that is a result too.
func (e sarifEvent) rule(name, title, why, remedy string) sarifRule {
	return sarifRule{
		ID: e.id, Name: name, Default: &sarifDefault{e.level}, Short: &sarifMessage{Text: title}, Full: &sarifMessage{Text: why},
		Help: &sarifMessage{
			Text:     title + "\n\nWhy it matters: " + why + "\n\nWhat to do: " + remedy,
			Markdown: "**" + title + "**\n\n**Why it matters.** " + why + "\n\n**What to do.** " + remedy,
		},
		Property: &sarifRuleBag{Tags: []string{"audit"}, Precision: "very-high", ProblemSeverity: e.level},
	}
}

// auditRules are the rules of the results that audit returns.
func (s *sarif) auditRules() []sarifRule {
	var out []sarifRule
	if damagedAny(s.r.Captures) {
		out = append(out, captureDamaged.rule("CaptureDamaged", "A capture could not be read to its end.",
			"What stands behind the damage was not judged and may break the policy.",
			"Export or record the capture again, and judge that."))
	}
	if s.r.inconclusive() {
		out = append(out, proofless.rule("AuditInconclusive", "The audit proves nothing.",
			"That no violation was found says nothing here. Alerts that its upload closes may hold all the same.",
			"Repair what the message names, and audit again."))
	}
	return out
}

// audit returns a result for each damaged capture, as far as notifications go, and one
// for an audit that proves nothing.
func (s *sarif) audit() []sarifResult {
	out := []sarifResult{}
	add := func(e sarifEvent, text, about string, at spot) {
		hash := fingerprint(e.id, about)
		out = append(out, sarifResult{
			RuleID: e.id, RuleIndex: s.index[policy.Rule(e.id)], Level: e.level, Message: sarifMessage{Text: text},
			Locations:    []sarifLocation{{Physical: s.place(at)}},
			Fingerprints: map[string]string{"primaryLocationLineHash": hash, "telltaleAudit/v1": hash},
		})
	}
	for _, c := range s.r.Captures {
		if c.Error != "" && len(out) < sarifNotes {
			add(captureDamaged, s.damage(c), c.File, spot{file: c.File})
		}
	}
	if s.r.inconclusive() {
		add(proofless, s.proofless(), "", s.r.spotOfAudit())
	}
	return out
}

// damage says what is wrong with a capture.
func (s *sarif) damage(c CaptureInfo) string {
	why := strings.TrimSuffix(whyDamaged(s.r, c, inSARIF), ".")
	if c.File == "" {
		return "The live capture could not be read: " + why + "."
	}
	return captureName(s.r, c.File, inSARIF) + " could not be read to its end: " + why + ". What could be read of it was judged."
}

// proofless says why the audit proves nothing.
func (s *sarif) proofless() string {
	return strings.Join(append([]string{capital(headline(s.r, inSARIF)) + "."}, next(s.r)...), " ")
}

// sarifRoom measures how long a log gets when it is compressed.
type sarifRoom struct {
	z          *gzip.Writer
	used, most int // bytes
}

// newSARIFRoom compresses as fast as it can, which is never better than what uploads.
func newSARIFRoom(most int) *sarifRoom {
	room := &sarifRoom{most: most}
	room.z, _ = gzip.NewWriterLevel(room, gzip.BestSpeed) // the level exists
	return room
}

func (room *sarifRoom) Write(p []byte) (int, error) {
	room.used += len(p)
	return len(p), nil
}

// takes adds a part of the log, and reports whether there was room for it.
func (room *sarifRoom) takes(part any) bool {
	_ = json.NewEncoder(room.z).Encode(part) // what cannot be encoded fails when the log is written
	return room.used <= room.most
}
