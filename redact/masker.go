package redact

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"telltale/exposure"
	"telltale/flow"
	"telltale/policy"
)

// A masker makes the copy of one flow.
type masker struct {
	r *Redactor
	// known are the values that the search found in this flow, by their text; words are those
	// of them that have spaces and the like in them.
	known   map[string]value
	phrases []string
	addr    netip.Addr // of the client, where it tells something
	own     string     // as text
	harsh   bool       // leave out each text that a search finds something in
	cut     bool       // the end of the content is missing
	depth   int        // formats and encodings within each other
	counts  map[string]int
	leftOut map[string]int
}

// maxDepth is how many formats and encodings within each other are gone into. What is
// deeper, the search finds.
const maxDepth = 8

func (r *Redactor) masker(f *flow.Flow) *masker {
	m := &masker{r: r, known: map[string]value{}, counts: map[string]int{}, leftOut: map[string]int{}}
	if a := f.Client.Addr.Addr().Unmap().WithZone(""); a.IsValid() && !a.IsLoopback() && !a.IsUnspecified() {
		m.addr, m.own = a, a.String()
	}
	return m
}

// put counts a value and returns its mask.
func (m *masker) put(v value) string {
	m.counts[v.kind]++
	return m.r.mask(v.digest)
}

// take returns the mask of a text that is a value of its own, and remembers it.
func (m *masker) take(kind, text string) string {
	if v, ok := m.lookup(text); ok {
		return m.put(v)
	}
	v := value{kind, digestOf(text)}
	m.r.remember(text, v)
	return m.put(v)
}

// lookup returns what a whole text is.
func (m *masker) lookup(text string) (value, bool) {
	if v, ok := m.known[text]; ok {
		return v, true
	}
	return m.r.recall(text)
}

// learn takes in what the search found.
func (m *masker) learn(finds []exposure.Find) {
	for _, find := range finds {
		text := strings.TrimSpace(find.Text)
		if _, ok := m.known[text]; ok || len(text) < 2 || isMask(text) {
			continue
		}
		v := value{find.Kind, find.Digest}
		if v.digest == "" {
			v.digest = digestOf(text)
		}
		m.known[text] = v
		m.r.remember(text, v)
		if len(text) >= 4 {
			m.phrases = append(m.phrases, text)
		}
	}
	// Longer ones first: one may stand in another.
	slices.SortFunc(m.phrases, func(a, b string) int { return len(b) - len(a) })
}

// A side is one direction of a flow, made to look like what a device sends, since that is
// what the searches look into.
func requestSide(f *flow.Flow) *flow.Flow {
	side := *f
	side.Response, side.Leaks = nil, nil
	side.Frames = slices.DeleteFunc(slices.Clone(f.Frames), func(fr flow.Frame) bool { return !fr.FromClient })
	if f.Request != nil && strings.Contains(f.Request.URL, "#") { // a fragment is sent to nobody, and stands in the file
		request := *f.Request
		request.URL = strings.ReplaceAll(strings.ReplaceAll(request.URL, "#", "?"), "??", "?")
		side.Request = &request
	}
	return &side
}

func responseSide(f *flow.Flow) *flow.Flow {
	side := flow.Flow{ID: f.ID, Kind: f.Kind, Server: flow.Server{Dialed: f.Server.Dialed, Destination: f.Server.Destination}, Client: f.Client}
	side.Client.Hello = nil
	if r := f.Response; r != nil {
		side.Request = &flow.Request{Header: r.Header, Trailer: r.Trailer, Body: r.Body}
	}
	for _, fr := range f.Frames {
		if !fr.FromClient {
			fr.FromClient = true
			side.Frames = append(side.Frames, fr)
		}
	}
	return &side
}

// sides returns the directions that a flow has.
func (m *masker) sides(f *flow.Flow) []func(*flow.Flow) *flow.Flow {
	if f.Response == nil && len(f.Frames) == 0 {
		return []func(*flow.Flow) *flow.Flow{requestSide}
	}
	return []func(*flow.Flow) *flow.Flow{requestSide, responseSide}
}

// maxRounds is how often a flow is masked until the searches find nothing: a round knows
// what the one before left.
const maxRounds = 6

// flow returns the masked copy.
func (m *masker) flow(f *flow.Flow) *flow.Flow {
	sides := m.sides(f)
	for _, side := range sides {
		m.learn(exposure.Finds(side(f)))
	}
	var out *flow.Flow
	for round := range maxRounds {
		clear(m.counts)
		clear(m.leftOut)
		m.harsh = round > 1
		out = m.pass(f)
		if round == 0 && len(m.counts) == 0 && len(m.known) == 0 && len(m.r.policy.Secrets()) == 0 {
			break // it is what it was, in which nothing was found
		}
		if !m.left(out, sides) {
			break
		}
		if round == maxRounds-1 {
			m.bare(out)
			if m.left(out, sides) {
				nameless(out)
			}
		}
	}
	out.Leaks = m.leaks(m.r.policy.Leaks(f))
	out.Exposures, out.Examined = m.exposures(f)
	out.Omitted = f.Omitted || lacks(f, out)
	return out
}

// left reports whether the searches still find something in the copy, and takes in what.
func (m *masker) left(out *flow.Flow, sides []func(*flow.Flow) *flow.Flow) bool {
	found := false
	for _, side := range sides {
		s := side(out)
		if finds := real(exposure.Finds(s)); len(finds) > 0 {
			m.learn(finds)
			found = true
		}
		if len(m.r.policy.Leaks(s)) > 0 {
			found = true
		}
	}
	return found
}

// real leaves out the masks that a search takes for a value because of their name.
func real(finds []exposure.Find) []exposure.Find {
	return slices.DeleteFunc(finds, func(f exposure.Find) bool {
		return strings.Contains(f.Text, maskStart) || strings.HasPrefix(f.Text, "redacted-") || f.Text == flow.Redacted
	})
}

// pass masks every part of a flow once.
func (m *masker) pass(f *flow.Flow) *flow.Flow {
	out := *f
	out.Client = m.client(f.Client)
	out.Server = m.server(f.Server)
	out.Origin.Capture = m.words(fileName(f.Origin.Capture))
	out.Request, out.Response = m.request(f.Request), m.response(f.Response)
	out.Frames = m.frames(f.Frames)
	out.DNS = m.question(f.DNS)
	out.Error, out.Phase = m.words(f.Error), m.words(f.Phase)
	out.Altered, out.Experiments, out.Notes = m.all(f.Altered), m.names(f.Experiments), m.all(f.Notes)
	out.Leaks, out.Exposures = nil, nil
	return &out
}

// fileName returns the last part of a path: folders have the names of people.
func fileName(path string) string {
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

// names masks the names of experiments, in their order.
func (m *masker) names(of []string) []string {
	out := m.all(of)
	slices.Sort(out)
	return slices.Compact(out)
}

func (m *masker) all(texts []string) []string {
	var out []string
	for _, t := range texts {
		out = append(out, m.words(t))
	}
	return out
}

// bare takes out of a copy all in which values may still stand, since masking did not help.
func (m *masker) bare(out *flow.Flow) {
	const why = "still held a value after masking"
	drop := func(b *flow.Body) {
		if b.Content != nil {
			m.leftOut[why]++
		}
		b.Content, b.Digest, b.Truncated = nil, "", b.Size > 0
	}
	if r := out.Request; r != nil {
		if i := strings.Index(r.URL, "://"); i >= 0 {
			if n := strings.IndexAny(r.URL[i+3:], "/?#"); n >= 0 {
				r.URL = r.URL[:i+3+n] + "/" + flow.Redacted
			}
		}
		r.Header, r.Trailer = bareFields(r.Header), bareFields(r.Trailer)
		drop(&r.Body)
	}
	if r := out.Response; r != nil {
		r.Header, r.Trailer = bareFields(r.Header), bareFields(r.Trailer)
		drop(&r.Body)
	}
	for i := range out.Frames {
		out.Frames[i].Data, out.Frames[i].Truncated = nil, out.Frames[i].Size > 0
	}
	out.Notes = append(slices.Clip(out.Notes), "All that could hold a value was left out of this copy: "+why+".")
}

// nameless takes the names of the server out of a copy, too: the last resort, where one of
// them is a value that cannot be masked in part.
func nameless(out *flow.Flow) {
	const nobody = "redacted.invalid"
	out.Server = flow.Server{Asked: nobody, Dialed: out.Server.Dialed, Destination: out.Server.Destination, TLS: out.Server.TLS}
	if out.Client.Hello != nil {
		hello := *out.Client.Hello
		hello.ServerName = nobody
		out.Client.Hello = &hello
	}
	if r := out.Request; r != nil {
		r.Method, r.URL, r.Header, r.Trailer = "", "https://"+nobody+"/", nil, nil
	}
	if r := out.Response; r != nil {
		r.Header, r.Trailer = nil, nil
	}
	if out.DNS != nil {
		out.DNS = &flow.Question{Name: nobody, Type: out.DNS.Type, Code: out.DNS.Code}
	}
}

// bareFields keeps the values of fields that say what a message is, and no others.
func bareFields(fields []flow.Field) []flow.Field {
	out := slices.Clone(fields)
	for i, f := range out {
		if !plainFields[strings.ToLower(f.Name)] {
			out[i] = flow.NewField(f.Name, flow.Redacted)
		}
	}
	return out
}

// leaks are facts: which value, and where it stood. Only names from the wire need a mask.
func (m *masker) leaks(leaks []flow.Leak) []flow.Leak {
	var out []flow.Leak
	for _, l := range leaks {
		out = append(out, flow.Leak{Name: l.Name, Where: m.all(l.Where)})
	}
	return out
}

// lacks reports whether the copy of a flow lacks a content that the flow has.
func lacks(f, out *flow.Flow) bool {
	gone := func(before, after []byte) bool { return len(before) > 0 && after == nil }
	if f.Request != nil && gone(f.Request.Body.Content, out.Request.Body.Content) || f.Response != nil && gone(f.Response.Body.Content, out.Response.Body.Content) {
		return true
	}
	for i := range f.Frames {
		if gone(f.Frames[i].Data, out.Frames[i].Data) {
			return true
		}
	}
	return false
}

// exposures returns what was found in a flow as a copy may say it.
func (m *masker) exposures(f *flow.Flow) ([]flow.Exposure, int) {
	found, examined := f.Exposures, f.Examined
	if examined == 0 {
		found, examined = exposure.Known(f), exposure.Version
	}
	var out []flow.Exposure
	for _, e := range found {
		e.Name, e.Where = m.words(e.Name), m.words(e.Where)
		e.Masked, e.Digest = m.r.mask(e.Digest), m.r.digest(e.Digest)
		out = append(out, e)
	}
	return out, examined
}

// words masks a sentence, or a name that stays otherwise.
func (m *masker) words(s string) string {
	if s == "" {
		return ""
	}
	return m.text(m.secrets(s))
}

// secrets takes the values under never-send out of a text.
func (m *masker) secrets(s string) string {
	as := func(secret policy.Secret) string { return m.put(value{NeverSend, digestOf(secret.Reveal())}) }
	if m.r.policy.Mask(s) == s {
		return s
	}
	return m.r.policy.MaskAs(m.wholeRuns(s, as), as)
}

// wholeRuns replaces the runs of base64 or hexadecimal that hold a value under never-send as
// a whole: with the value cut out of its middle, nobody could decode and mask the rest.
func (m *masker) wholeRuns(s string, as func(policy.Secret) string) string {
	return encodedRuns.ReplaceAllStringFunc(s, func(run string) string {
		plain, ok := decoded(run)
		if !ok || plain == "" || len(run) > maxEncoded || m.r.policy.Mask(plain) == plain {
			return run
		}
		if masked := strings.TrimSpace(m.r.policy.MaskAs(plain, as)); isMask(masked) {
			return masked // the value alone, which is the same everywhere
		}
		return m.opaque(run)
	})
}

// encodedRuns finds what may be an encoding of text.
var encodedRuns = regexp.MustCompile(`[A-Za-z0-9+/_-]{10,}={0,2}`)

// question masks a question of DNS and its answers.
func (m *masker) question(q *flow.Question) *flow.Question {
	if q == nil {
		return nil
	}
	out := flow.Question{Name: m.host(q.Name), Type: q.Type, Code: q.Code}
	for _, a := range q.Answers {
		a.Name, a.Data = m.host(a.Name), m.words(a.Data)
		out.Answers = append(out.Answers, a)
	}
	return &out
}

// server masks values in the names of a server, and nothing else.
func (m *masker) server(s flow.Server) flow.Server {
	s.Asked, s.SNI, s.Host, s.Resolved = m.host(s.Asked), m.host(s.SNI), m.host(s.Host), m.host(s.Resolved)
	if t := s.TLS; t != nil {
		tls := *t
		tls.Invalid = m.words(t.Invalid)
		if c := t.Certificate; c != nil {
			certificate := *c
			certificate.Subject, certificate.Issuer = m.secrets(c.Subject), m.secrets(c.Issuer)
			certificate.DNSNames = slices.Clone(c.DNSNames)
			for i, name := range certificate.DNSNames {
				certificate.DNSNames[i] = m.host(name)
			}
			tls.Certificate = &certificate
		}
		s.TLS = &tls
	}
	return s
}

// host masks a value in the name of a server so that it stays one: without brackets, which
// would make an address of it.
func (m *masker) host(s string) string {
	out := m.secrets(s)
	if m.own != "" && strings.HasSuffix(s, ".arpa") { // who asks for its own name
		out = strings.ReplaceAll(out, arpa(m.addr), arpa(m.r.Address(m.addr)))
	}
	for _, phrase := range m.phrases {
		if len(phrase) >= minRemembered && strings.Contains(out, phrase) && !isAddress(phrase) {
			out = strings.ReplaceAll(out, phrase, m.put(m.known[phrase]))
		}
	}
	if out == s {
		return s
	}
	return asLabel(out)
}

// asLabel writes masks as parts of a name.
func asLabel(s string) string {
	return strings.NewReplacer(maskStart, "redacted-", flow.Redacted, "redacted", "]", "").Replace(s)
}
