package reports

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"telltale/capture"
	"telltale/exposure"
	"telltale/policy"
)

// This file says where in what was sent a value stood that must not be there, and never
// the value.

// proofs say where a value stood and in which form, a sentence each without its full
// stop: "in the JSON of the request body, at $.user.mail, inside gzip: as typed".
func proofs(r *Report, f policy.Finding, st style) []string {
	var out []string
	for i, e := range f.Evidence {
		if i == maxListed {
			out = append(out, fmt.Sprintf("and at %s more", plural(len(f.Evidence)-i, "place", "places")))
			break
		}
		out = append(out, proof(r, e, st))
	}
	return out
}

func proof(r *Report, e policy.Evidence, st style) string {
	layers := make([]string, 0, len(e.Layers))
	for _, layer := range firstOf(e.Layers) {
		layers = append(layers, st.prose(r.clipped(layer, maxMethod)))
	}
	text := exposure.QuotedPlace(e.Where, layers, func(name string) string { return st.data(r.clipped(name, maxHost)) })
	if e.Form != "" {
		form := st.prose(r.clipped(e.Form, maxHost))
		if first, _ := utf8.DecodeRuneInString(form); unicode.IsUpper(first) { // the name of a hash
			form = "as " + form
		}
		text += ": " + form
	}
	if e.Masked != "" {
		if e.Form == "" {
			text += ":"
		} else {
			text += ","
		}
		text += " " + st.data(r.clipped(e.Masked, maxHost))
	}
	return text
}

// known is what is known of a violation beyond what its finding says: who acknowledged it
// and what else was said of it, who stands behind the host, what its rhythm amounts to, where the value stood, and which tests it bears on.
func known(r *Report, v capture.Violation, st style) []fact {
	var out []fact
	add := func(label string, texts ...string) {
		for _, text := range texts {
			if text != "" {
				out = append(out, fact{label, text})
			}
		}
	}
	out = remarks(r, v, st)
	add("Experiments", alteredBy(r, v, st))
	add("Who it is", r.whois(v.Finding.Host).who(r, st))
	add("Comes from", r.comesFrom(v.Finding.Host, st))
	if text := r.telling(v.Finding, st); text != "" {
		add("Timer", "It "+text+".")
	}
	for _, place := range proofs(r, v.Finding, st) {
		add("Found", capital(sentence(place)))
	}
	add("OWASP test", citations(v.Finding, st)...)
	return out
}

// evidence is one place, as JSON has it.
type evidence struct {
	Where  string   `json:"where"`
	Layers []string `json:"layers"` // encodings that were undone, the outermost first
	Form   string   `json:"form"`   // how the value stood there
	Masked string   `json:"masked"`
}

// proofs returns the places of a violation, masked.
func (r *Report) proofs(f policy.Finding) []evidence {
	out := make([]evidence, len(f.Evidence))
	for i, e := range f.Evidence {
		out[i] = evidence{r.text(e.Where), r.texts(e.Layers), r.text(e.Form), r.text(e.Masked)}
	}
	return out
}
