package policy

import (
	"slices"
	"strings"

	"telltale/flow"
	"telltale/flow/content"
)

// maxScan bounds how much of a body is searched after its content coding is undone,
// in bytes: a small body may claim to be a huge one.
const maxScan = 8 << 20

// A part is a piece of what the device sent.
type part struct {
	where, name string
	text        []byte
}

// detectLeaks looks for the values under never-send in everything that the device
// sent, whatever the policy says of the host.
func detectLeaks(s *Sighting) []Finding {
	var findings []Finding
	for i, where := range s.policy.findSecrets(s.Flow) {
		if len(where) > 0 {
			findings = append(findings, s.leak(&s.policy.secrets[i], where))
		}
	}
	return findings
}

// Leaks returns which values under never-send a flow holds, and where: what a
// redacted copy of it has to say instead of holding them. What an earlier copy said
// is kept.
func (p *Policy) Leaks(f *flow.Flow) []flow.Leak {
	var leaks []flow.Leak
	for i, where := range p.findSecrets(f) {
		if len(where) > 0 {
			leaks = append(leaks, flow.Leak{Name: p.secrets[i].Name, Where: where})
		}
	}
	for _, leak := range f.Leaks {
		if !slices.ContainsFunc(p.secrets, func(s Secret) bool { return s.Name == leak.Name }) {
			leaks = append(leaks, leak)
		}
	}
	return leaks
}

// findSecrets returns, for each secret, the places in the flow where it stands or
// stood before it was redacted.
func (p *Policy) findSecrets(f *flow.Flow) [][]string {
	secrets := p.secrets
	if len(secrets) == 0 {
		return nil
	}
	found := make([][]string, len(secrets))
	search := func(parts []part) {
		for _, p := range parts {
			rs := searchable(p.text)
			for i := range secrets {
				if how := secrets[i].find(rs); how != "" {
					found[i] = append(found[i], p.where+p.name+" ("+how+")")
				}
			}
		}
	}
	// Nearly every head holds none: one look at all of it tells.
	if head, all := headParts(f); anyIn(secrets, all) {
		search(head)
	}
	search(bodyParts(f))
	for _, leak := range f.Leaks {
		for i := range secrets {
			if secrets[i].Name == leak.Name && len(found[i]) == 0 {
				found[i] = leak.Where
			}
		}
	}
	return found
}

func (s *Sighting) leak(secret *Secret, where []string) Finding {
	f := s.finding(ValueLeaked, secret.source)
	f.Subject = secret.Name
	f.Title = "sends " + secret.Name
	f.Message = "The policy says that " + secret.Name + " must not leave the device; it was sent to " + s.Host + " in " + strings.Join(where, ", ") + "."
	if s.contact.verdict != Violation {
		f.Message += " That the host may be contacted does not excuse it."
	}
	f.Remedy = "Find where the app puts it into the request. Values in a URL also end up in logs of servers and proxies on the way."
	return f
}

// searchable returns the readings of a text, ready for [Secret.find].
func searchable(text []byte) []reading {
	rs := readings(text, false)
	for i := range rs {
		rs[i].lowered = lowerASCII(rs[i].text)
	}
	return rs
}

func anyIn(secrets []Secret, text []byte) bool {
	rs := searchable(text)
	for i := range secrets {
		if secrets[i].find(rs) != "" {
			return true
		}
	}
	return false
}

// headParts returns what the device sent around the body: URL, header and trailer
// fields; names where there is no request. They are slices of all, with a line break behind each, which keeps the
// encoding of one from reaching into the next.
func headParts(f *flow.Flow) (parts []part, all []byte) {
	r := f.Request
	if r == nil {
		return nameParts(f)
	}
	size := len(r.URL) + 1
	for _, fields := range [][]flow.Field{r.Header, r.Trailer} {
		for _, field := range fields {
			size += len(field.Reveal()) + 1
		}
	}
	all = make([]byte, 0, size)
	parts = make([]part, 0, 1+len(r.Header)+len(r.Trailer))
	add := func(where, name, text string) {
		start := len(all)
		all = append(append(all, text...), '\n')
		parts = append(parts, part{where, name, all[start : len(all)-1]})
	}
	add("the URL", "", r.URL)
	for _, field := range r.Header {
		add("the header ", field.Name, field.Reveal())
	}
	for _, field := range r.Trailer {
		add("the trailer ", field.Name, field.Reveal())
	}
	return parts, all
}

// nameParts returns the names that the device sent where it sent no request that could be
// read: a value can leave in them too.
func nameParts(f *flow.Flow) (parts []part, all []byte) {
	if f.DNS != nil && f.DNS.Name != "" {
		parts = append(parts, part{"the name that was asked of DNS", "", []byte(f.DNS.Name)})
	}
	if f.Server.SNI != "" {
		parts = append(parts, part{"the TLS server name", "", []byte(f.Server.SNI)})
	}
	for _, p := range parts {
		all = append(append(all, p.text...), '\n')
	}
	return parts, all
}

// bodyParts returns the kept part of what the device sent as content: the body and
// WebSocket messages.
func bodyParts(f *flow.Flow) []part {
	var parts []part
	if r := f.Request; r != nil && len(r.Body.Content) > 0 {
		parts = append(parts, part{"the request body", "", bodyOf(r)})
	}
	for i := range f.Frames {
		if f.Frames[i].FromClient && len(f.Frames[i].Data) > 0 {
			parts = append(parts, part{"a WebSocket message", "", f.Frames[i].Data})
		}
	}
	return parts
}

// bodyOf returns the body without its content coding, as far as it can be undone, and
// as it came where nothing can.
func bodyOf(r *flow.Request) []byte {
	if r.Body.Decoded {
		return r.Body.Content
	}
	coding := flow.Get(r.Header, "Content-Encoding")
	if coding == "" {
		return r.Body.Content
	}
	// A cut or damaged body gives what stands before the damage.
	decoded, _ := content.Decode(coding, r.Body.Content, maxScan)
	if len(decoded) == 0 {
		return r.Body.Content
	}
	return decoded
}
