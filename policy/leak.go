package policy

import (
	"strings"

	"telltale/flow"
	"telltale/flow/content"
)

// maxScan bounds how much of a body is searched after its content coding is undone,
// in bytes: a small body may claim to be a huge one.
const maxScan = 8 << 20

// A part is a piece of what the device sent.
type part struct {
	where string
	text  []byte
}

// detectLeaks looks for the values under never-send in everything that the device
// sent, whatever the policy says of the host.
func detectLeaks(s *Sighting) []Finding {
	secrets := s.policy.secrets
	if len(secrets) == 0 {
		return nil
	}
	found := make([][]string, len(secrets))
	for _, p := range sentParts(s.Flow) {
		rs := readings(p.text, false)
		lowered := make([][]byte, len(rs))
		for i := range rs {
			lowered[i] = lowerASCII(rs[i].text)
		}
		for i := range secrets {
			if how := secrets[i].find(rs, lowered); how != "" {
				found[i] = append(found[i], p.where+" ("+how+")")
			}
		}
	}
	var findings []Finding
	for i, where := range found {
		if len(where) > 0 {
			findings = append(findings, s.leak(&secrets[i], where))
		}
	}
	return findings
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

// sentParts returns what the device sent: URL, header and trailer fields, the kept
// part of the body and of WebSocket messages.
func sentParts(f *flow.Flow) []part {
	var parts []part
	if r := f.Request; r != nil {
		parts = append(parts, part{"the URL", []byte(r.URL)})
		for _, field := range r.Header {
			parts = append(parts, part{"the header " + field.Name, []byte(field.Reveal())})
		}
		for _, field := range r.Trailer {
			parts = append(parts, part{"the trailer " + field.Name, []byte(field.Reveal())})
		}
		if len(r.Body.Content) > 0 {
			parts = append(parts, part{"the request body", bodyOf(r)})
		}
	}
	for i := range f.Frames {
		if f.Frames[i].FromClient && len(f.Frames[i].Data) > 0 {
			parts = append(parts, part{"a WebSocket message", f.Frames[i].Data})
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
