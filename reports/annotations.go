package reports

import (
	"fmt"
	"slices"
	"strings"

	"telltale/capture"
)

// opinion is what somebody said of a violation, as JSON has it.
type opinion struct {
	Kind   string  `json:"kind"` // as capture.AnnotationKind
	Author string  `json:"author"`
	Time   *string `json:"time"`
	Text   string  `json:"text,omitempty"`
	Until  *string `json:"until,omitempty"` // of excused
}

// annotations returns nil for none, so that the key is not there.
func (r *Report) annotations(v capture.Violation) []opinion {
	var out []opinion
	for _, a := range v.Annotations {
		out = append(out, opinion{string(a.Kind), r.text(a.Author), stamp(a.Time), r.text(a.Text), stamp(a.Until)})
	}
	return out
}

// maxSaid is how many annotations of a kind a document for people shows, the newest ones.
const maxSaid = 3

// remarks returns what people and programs said of a violation: first who acknowledged it.
func remarks(r *Report, v capture.Violation, st style) []fact {
	var out []fact
	for _, kind := range []capture.AnnotationKind{capture.Acknowledged, capture.Excused, capture.Remark} {
		var texts []string
		for _, a := range v.Annotations {
			if a.Kind == kind {
				texts = append(texts, saying(r, a, st))
			}
		}
		more := max(0, len(texts)-maxSaid)
		for _, text := range texts[more:] {
			out = append(out, fact{"Said", text})
		}
		if more > 0 {
			out = append(out, fact{"Said", fmt.Sprintf("%d times more %s, before; a .json report has it all", more, doneTo[kind])})
		}
	}
	return out
}

// saidBeside returns what people and programs said of a violation that does not count, beside
// that it is excused, which the line that decided says: to be added to that, "" for nothing.
func saidBeside(r *Report, v capture.Violation, st style) string {
	v.Annotations = slices.DeleteFunc(slices.Clone(v.Annotations), func(a capture.Annotation) bool { return a.Kind == capture.Excused })
	var out strings.Builder
	for _, f := range remarks(r, v, st) {
		out.WriteString(". " + f.Text)
	}
	return out.String()
}

var doneTo = map[capture.AnnotationKind]string{capture.Acknowledged: "acknowledged", capture.Excused: "excused", capture.Remark: "remarked on"}

// saying returns one annotation: what it is, by whom, when, and what was said.
func saying(r *Report, a capture.Annotation, st style) string {
	s := capital(doneTo[a.Kind])
	if !a.Until.IsZero() {
		s += " until " + moment(a.Until)
	}
	switch {
	case ways[a.Author] != "":
		s += " " + ways[a.Author]
	case a.Author != "":
		s += " by " + st.data(r.clipped(a.Author, maxHost))
	}
	s += ", " + moment(a.Time)
	if a.Text != "" {
		s += ": " + st.data(r.clipped(a.Text, maxText))
	}
	return s
}

// ways are the authors that are no program: see capture.Annotation.
var ways = map[string]string{"screen": "on the screen", "command line": "on the command line", "link": "by the link of a message"}
