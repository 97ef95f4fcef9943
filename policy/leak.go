package policy

import (
	"fmt"
	"slices"
	"strings"

	"telltale/exposure"
	"telltale/flow"
	"telltale/flow/content"
	"telltale/flow/unwrap"
)

// Limits of what is said of one value in one flow.
const (
	maxEvidence = 16 // places that are kept
	maxPlaces   = 4  // of them, in a sentence
)

// detectLeaks looks for the values under never-send in everything that the device
// sent, whatever the policy says of the host.
func detectLeaks(s *Sighting) []Finding {
	var findings []Finding
	for i, evidence := range s.policy.findSecrets(s.Flow) {
		if len(evidence) > 0 {
			findings = append(findings, s.leak(&s.policy.secrets[i], evidence))
		}
	}
	return findings
}

// Leaks returns which values under never-send a flow holds, and where: what a
// redacted copy of it has to say instead of holding them. What an earlier copy said
// is kept.
func (p *Policy) Leaks(f *flow.Flow) []flow.Leak {
	var leaks []flow.Leak
	for i, evidence := range p.findSecrets(f) {
		if len(evidence) == 0 {
			continue
		}
		leak := flow.Leak{Name: p.secrets[i].Name}
		for _, e := range evidence {
			leak.Where = append(leak.Where, e.text())
		}
		leaks = append(leaks, leak)
	}
	for _, leak := range f.Leaks {
		if !slices.ContainsFunc(p.secrets, func(s Secret) bool { return s.Name == leak.Name }) {
			leaks = append(leaks, leak)
		}
	}
	return leaks
}

// findSecrets returns, for each secret, the places in the flow where it stands or
// stood before it was redacted; nil where none does.
func (p *Policy) findSecrets(f *flow.Flow) [][]Evidence {
	if p.forms == nil || len(p.secrets) == 0 {
		return nil
	}
	var found [][]Evidence
	f = f.WithoutFragment()
	// Nearly every flow holds none: that is found out without asking for places.
	if held := p.forms.held(f); held != nil {
		found = p.locate(f, held)
	}
	for _, leak := range f.Leaks {
		for i := range p.secrets {
			if p.secrets[i].Name != leak.Name {
				continue
			}
			if found == nil {
				found = make([][]Evidence, len(p.secrets))
			}
			if len(found[i]) == 0 {
				found[i] = p.evidenceOf(leak.Where)
			}
		}
	}
	return found
}

// held returns the forms that stand in what the device sent, the first of each value; nil
// without any.
func (s *secretForms) held(f *flow.Flow) map[int]*secretForm {
	var held map[int]*secretForm
	unwrap.Texts(f, func(text []byte) bool {
		s.find(text, func(form *secretForm, _, _ int) bool {
			if held == nil {
				held = map[int]*secretForm{}
			}
			if held[form.secret] == nil {
				held[form.secret] = form
			}
			return true
		})
		return true
	})
	return held
}

// locate returns the evidence for the values that a flow holds.
func (p *Policy) locate(f *flow.Flow, held map[int]*secretForm) [][]Evidence {
	places := make([]leakPlaces, len(p.secrets))
	unwrap.Values(f, func(v *unwrap.Value) bool {
		where := "" // of the value, once somebody asks
		p.forms.find(v.Text, func(form *secretForm, start, end int) bool {
			at := &places[form.secret]
			if !at.wants(form.rank()) {
				return true
			}
			if where == "" {
				where = v.Where()
			}
			if i := at.take(where, form.rank(), p.Mask); i >= 0 {
				e := &at.evidence[i]
				e.Layers, e.Form, e.Masked = v.Layers, form.said(v.Text[start:end], p.secrets[form.secret].value), flow.Redacted
			}
			return true
		})
		return true
	})
	found := make([][]Evidence, len(p.secrets))
	for i := range places {
		found[i] = places[i].evidence
	}
	for i, form := range held {
		found[i] = innermost(found[i])
		if len(found[i]) == 0 { // it goes from one value of the flow over into the next
			found[i] = []Evidence{{Where: p.partWith(f, i), Form: form.how, Masked: flow.Redacted}}
		}
	}
	return found
}

// leakPlaces are the first places of one value in a flow, each with the form that says
// most. A flow may have tens of thousands of them, with names of kilobytes: most must cost
// nothing.
type leakPlaces struct {
	evidence []Evidence
	ranks    []rank
	known    map[string]int // index of the evidence, by the place before it was masked
}

// wants reports whether a form of this rank can still matter.
func (l *leakPlaces) wants(r rank) bool {
	return len(l.ranks) < maxEvidence || slices.ContainsFunc(l.ranks, func(kept rank) bool { return r < kept })
}

// take returns the index of the evidence at a place, if a form of this rank is to be written
// there, and -1 otherwise.
func (l *leakPlaces) take(where string, r rank, mask func(string) string) int {
	i, known := l.known[where]
	if !known {
		// Places that are the same when they are masked fill nothing: they are bounded, too.
		if len(l.evidence) == maxEvidence || len(l.known) == 4*maxEvidence {
			return -1
		}
		if l.known == nil {
			l.known = map[string]int{}
		}
		masked := mask(where)
		i = slices.IndexFunc(l.evidence, func(e Evidence) bool { return e.Where == masked })
		if i < 0 {
			l.known[where] = len(l.evidence)
			l.evidence, l.ranks = append(l.evidence, Evidence{Where: masked}), append(l.ranks, r)
			return len(l.evidence) - 1
		}
		l.known[where] = i
	}
	if r >= l.ranks[i] {
		return -1
	}
	l.ranks[i] = r
	return i
}

// innermost leaves out the places that only wrap another: of JSON in a string, the string.
func innermost(evidence []Evidence) []Evidence {
	return slices.DeleteFunc(slices.Clone(evidence), func(outer Evidence) bool {
		return slices.ContainsFunc(evidence, func(e Evidence) bool { return strings.HasPrefix(e.Where, outer.Where+" ") })
	})
}

// rank orders the forms of one value at one place: that which says most comes first. What
// is encoded is met as it stands, too, and a hash in hexadecimal as its bytes.
type rank int

func (f *secretForm) rank() rank {
	switch {
	case f.hash != "" && strings.Contains(f.how, ", in "):
		return 1
	case f.hash != "":
		return 3
	case strings.HasPrefix(f.how, "in hexadecimal"), strings.HasPrefix(f.how, "in base64"), strings.HasPrefix(f.how, "in UTF-16"):
		return 2
	}
	return 0
}

// said names the form for people, who may wonder about letters in another case.
func (f *secretForm) said(text []byte, value string) string {
	if f.how == asTyped && string(text) != value {
		return "in another case of its letters"
	}
	return f.how
}

// partWith returns the part of a flow that holds a value, as package unwrap names places.
func (p *Policy) partWith(f *flow.Flow, secret int) string {
	otherwise := "body"
	if f.Request == nil || len(f.Request.Body.Content) == 0 {
		otherwise = "URL"
	}
	for _, part := range partsOf(f) {
		holds := false
		readings(part.text, false, func(r *reading) bool {
			p.forms.find(r.text, func(form *secretForm, _, _ int) bool {
				holds = form.secret == secret
				return !holds
			})
			return !holds
		})
		if holds {
			return part.where
		}
	}
	return otherwise
}

// A part is a piece of what the device sent, as a whole.
type part struct {
	where string
	text  []byte
}

// partsOf returns what the device sent.
func partsOf(f *flow.Flow) (parts []part) {
	add := func(where, text string) { parts = append(parts, part{where, []byte(text)}) }
	if r := f.Request; r != nil {
		add("URL", r.URL)
		for _, field := range r.Header {
			add("header "+field.Name, field.Reveal())
		}
		for _, field := range r.Trailer {
			add("trailer "+field.Name, field.Reveal())
		}
		parts = append(parts, part{"body", bodyOf(r)})
	} else if f.DNS != nil {
		add("DNS name", f.DNS.Name)
	} else {
		add("TLS server name", f.Server.SNI)
	}
	for i := range f.Frames {
		if f.Frames[i].FromClient {
			parts = append(parts, part{fmt.Sprintf("WebSocket message %d", f.FrameOffset+i+1), f.Frames[i].Data})
		}
	}
	return parts
}

// maxScan bounds what a body becomes when its content coding is undone, in bytes: a small
// body may claim to be a huge one.
const maxScan = 8 << 20

// bodyOf returns the body without its content coding, as far as it can be undone, and
// as it came where nothing can.
func bodyOf(r *flow.Request) []byte {
	if r.Body.Decoded {
		return r.Body.Content
	}
	// A cut or damaged body gives what stands before the damage.
	decoded, _ := content.Decode(flow.Get(r.Header, "Content-Encoding"), r.Body.Content, maxScan)
	if len(decoded) == 0 {
		return r.Body.Content
	}
	return decoded
}

func (s *Sighting) leak(secret *Secret, evidence []Evidence) Finding {
	f := s.finding(ValueLeaked, secret.source)
	f.Subject = secret.Name
	f.Title = "sends " + secret.Name
	f.Evidence = evidence
	var places []string
	hashed := ""
	for _, e := range evidence {
		if len(places) < maxPlaces {
			places = append(places, exposure.Place(e.Where, e.Layers)+" ("+e.Form+")")
		}
		if name, _, ok := strings.Cut(e.Form, " of it"); ok && hashed == "" && !strings.Contains(name, " ") {
			hashed = name
		}
	}
	f.Message = "The policy says that " + secret.Name + " must not leave the device; it was sent to " + s.Host + ": " + strings.Join(places, "; ") + "."
	switch n := len(evidence) - len(places); {
	case n == 1:
		f.Message += " It stands in one more place of the request."
	case n > 1:
		f.Message += fmt.Sprintf(" It stands in %d more places of the request.", n)
	}
	f.Remedy = "Find where the app puts it into the request."
	if hashed != "" {
		f.Message += " A hash such as " + hashed + " is no disguise: whoever knows the value, or has a list of likely ones, computes the same hash and recognises it."
		f.Remedy += " Where the server only has to tell visits apart, a random number that the app makes anew serves as well as a hash and says nothing about the person."
	}
	if slices.ContainsFunc(evidence, func(e Evidence) bool { return strings.HasPrefix(e.Where, "URL") || strings.HasPrefix(e.Where, "query") }) {
		f.Remedy += " Values in a URL also end up in logs of servers and proxies on the way."
	}
	if s.contact.verdict != Violation {
		f.Message += " That the host may be contacted does not excuse it."
	}
	return f
}

// text writes evidence in one line, for a copy of the flow that no longer holds it:
// "body.json $.mail, inside gzip, base64 (as typed)".
func (e Evidence) text() string {
	s := e.Where
	if len(e.Layers) > 0 {
		s += inside + strings.Join(e.Layers, ", ")
	}
	return s + " (" + e.Form + ")"
}

const inside = ", inside "

// evidenceOf reads what text wrote. What somebody else wrote is a place.
func (p *Policy) evidenceOf(texts []string) []Evidence {
	out := make([]Evidence, 0, len(texts))
	for _, s := range texts {
		e := Evidence{Where: s, Form: "somehow", Masked: flow.Redacted}
		if i := strings.LastIndex(s, " ("); i >= 0 && strings.HasSuffix(s, ")") {
			e.Where, e.Form = s[:i], s[i+2:len(s)-1]
		}
		if i := strings.LastIndex(e.Where, inside); i >= 0 {
			e.Layers = strings.Split(e.Where[i+len(inside):], ", ")
			e.Where = e.Where[:i]
		}
		e.Where = p.Mask(e.Where)
		out = append(out, e)
	}
	return out
}
