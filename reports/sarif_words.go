package reports

import (
	"fmt"
	"slices"
	"strings"

	"telltale/capture"
	"telltale/flow/plain"
)

// This file is what a SARIF log says in sentences.

// inSARIF shows text in a plain text message of SARIF. "[a](b)" would be a link
// there (3.11.6), so that what closes its text never stands beside what opens its
// target.
var inSARIF = style{
	data:  func(s string) string { return unlinked(plain.Text(s)) },
	prose: func(s string) string { return unlinked(strings.Join(plain.Lines(s), " ")) },
}

func unlinked(s string) string { return strings.ReplaceAll(s, "](", "] (") }

// notifications say what the list of results is worth.
func (s *sarif) notifications() []sarifNotification {
	r := s.r
	var out []sarifNotification
	tell := func(e sarifEvent, text string, files ...string) {
		if len(out) >= sarifNotes || text == "" {
			return
		}
		n := sarifNotification{Descriptor: sarifReference{e.id}, Level: e.level, Message: sarifMessage{Text: text}}
		for _, file := range files {
			n.Locations = append(n.Locations, sarifLocation{Physical: sarifPlace{File: s.file(file)}})
		}
		out = append(out, n)
	}
	if s.left > 0 {
		tell(resultsLeftOut, fmt.Sprintf("%s for which there is no room; a .json report has all.", plural(s.left, "more violation was found", "more violations were found")))
	}
	for _, c := range r.Captures {
		switch {
		case c.Error == "":
		case c.File == "":
			tell(captureDamaged, s.damage(c))
		default:
			tell(captureDamaged, s.damage(c), c.File)
		}
	}
	if r.inconclusive() {
		tell(proofless, s.proofless())
	}
	for _, warning := range warnings(r, inSARIF) {
		tell(verdictWeak, warning)
	}
	for _, note := range worth(&Report{Summary: r.Summary, Modes: r.Modes, Notes: r.Notes, Captures: undamaged(r.Captures), Mask: r.Mask, Reveal: r.Reveal, Diagnose: r.Diagnose}, inSARIF) {
		tell(verdictNote, note)
	}
	for _, text := range r.followedBriefly(inSARIF) {
		tell(verdictNote, text)
	}
	return out
}

// undamaged leaves out the captures of which a notification of their own tells.
func undamaged(captures []CaptureInfo) []CaptureInfo {
	return slices.DeleteFunc(slices.Clone(captures), func(c CaptureInfo) bool { return c.Error != "" })
}

// message says what was found: the first sentence is the title of an alert. The
// shown places and those in the app are the related locations, to which it links.
func (s *sarif) message(v capture.Violation, shown []spot, inApp []sarifLocation, detailed bool) sarifMessage {
	r, f := s.r, v.Finding
	text := []string{
		fmt.Sprintf("%s (%s).", about(r, v, inSARIF), f.Rule),
		sentence(capital(inSARIF.prose(r.clipped(f.Title, maxText)))),
		"Request: " + sentence(request(r, v, inSARIF)) + " Seen " + seen(v) + ".",
	}
	if len(shown) > 0 {
		text = append(text, "Evidence: "+links(shown)+".")
	}
	text = append(text, inAppLinks(inApp))
	if !detailed {
		return sarifMessage{Text: joined(text, " ")}
	}
	for _, k := range known(r, v, inSARIF) {
		text = append(text, k.Label+": "+sentence(k.Text))
	}
	text = append(text, lines(r, f.Message), lines(r, f.Remedy))
	return sarifMessage{Text: joined(text, "\n\n"), Markdown: s.markdown(v, shown, inApp)}
}

// lines is prose of several lines as plain text.
func lines(r *Report, text string) string {
	return unlinked(strings.Join(plain.Lines(r.clipped(text, maxProse)), "\n"))
}

// joined joins the parts that say something.
func joined(parts []string, between string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), between)
}

// links link to the related locations, which are numbered from 1.
func links(shown []spot) string {
	out := make([]string, len(shown))
	for i, at := range shown {
		out[i] = fmt.Sprintf("[%s](%d)", at.note, i+1)
	}
	return strings.Join(out, ", ")
}

func (s *sarif) markdown(v capture.Violation, shown []spot, inApp []sarifLocation) string {
	r, f := s.r, v.Finding
	parts := []string{
		fmt.Sprintf("**%s** (%s). %s", about(r, v, inMarkdown), code(string(f.Rule)), what(r, f, inMarkdown)),
		"**Request.** " + request(r, v, inMarkdown) + ", seen " + seen(v) + ".",
	}
	section := func(title, text string) {
		if text != "" {
			parts = append(parts, fmt.Sprintf("**%s.** %s", title, text))
		}
	}
	where := place(r, v, inMarkdown)
	if len(shown) > 0 {
		where += " (" + links(shown) + ")"
	}
	section("Where", where)
	if text := inAppLinks(inApp); text != "" {
		parts = append(parts, text)
	}
	for _, k := range known(r, v, inMarkdown) {
		section(k.Label, sentence(k.Text))
	}
	section("Why it matters", r.fitted(block, f.Message))
	section("Likely cause and remedy", r.fitted(block, f.Remedy))
	section("Deciding policy line", decided(r, f.Source, inMarkdown))
	return strings.Join(parts, "\n\n")
}
