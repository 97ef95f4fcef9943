package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"telltale/attribution"
	"telltale/capture"
	"telltale/policy"
)

// Schema names the shape of the JSON report. Keys may be added under the same
// name; none changes its meaning.
const Schema = "telltale.report/1"

// document is the JSON report. Unknown times are null, lists are never null.
type document struct {
	Schema    string         `json:"schema"`
	Tool      tool           `json:"tool"`
	Generated string         `json:"generated"`
	Policy    policyInfo     `json:"policy"`
	Captures  []captureEntry `json:"captures"`
	Baseline  *baseline      `json:"baseline,omitempty"`
	Verdict   string         `json:"verdict"`
	// Experiments that were on: without them beside it, no verdict says what the app does.
	Experiments []experimentEntry `json:"experiments,omitempty"`
	Warnings    []string          `json:"warnings"` // why the verdict is worth little
	Summary     Summary           `json:"summary"`
	Phases      []phase           `json:"phases,omitempty"`
	Hosts       []host            `json:"hosts"`
	Violations  []Violation       `json:"violations"`
	Waived      []Violation       `json:"waived"`
	// Trails are the identifiers that were sent, and where each of them went.
	Trails []trail `json:"trails"`
	// Rhythms are the contacts that repeat by a timer.
	Rhythms []timer `json:"rhythms"`
	// Subtracted are the kinds of requests that an idle baseline explains.
	Subtracted   []subtraction `json:"subtracted"`
	Declarations []declaration `json:"declarations"` // what the app says of its own privacy
	Lists        []listEntry   `json:"lists"`        // of trackers, that were used
	// Origins are where in the app the hosts of violations come from, where it was at hand.
	Origins *origins `json:"origins,omitempty"`
	// Consequences are what followed the experiments.
	Consequences *followedEntry `json:"consequences,omitempty"`
	Health       health         `json:"health"`
	Coverage     []covered      `json:"coverage"`
	Checks       []check        `json:"checks"`
	Command      string         `json:"command,omitempty"`
}

type tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type policyInfo struct {
	Name   string   `json:"name"`
	File   string   `json:"file"`
	SHA256 string   `json:"sha256,omitempty"`
	Allow  []string `json:"allow,omitempty"`
}

// baseline is the earlier audit whose violations do not count.
type baseline struct {
	File       string `json:"file"`
	Violations int    `json:"violations"`
}

type captureEntry struct {
	File     string         `json:"file"`
	Entries  int            `json:"entries"`
	Producer string         `json:"producer"`
	SHA256   string         `json:"sha256,omitempty"`
	Skipped  map[string]int `json:"skipped,omitempty"`
	Error    string         `json:"error,omitempty"`
}

// Summary is the totals of an audit, as JSON has them.
type Summary struct {
	Flows      int     `json:"flows"`
	Hosts      int     `json:"hosts"`
	Allowed    int     `json:"allowed"`
	Ignored    int     `json:"ignored"`
	Waived     int     `json:"waived"`
	Violating  int     `json:"violating"`
	Violations int     `json:"violations"`
	Altered    int     `json:"altered,omitempty"` // flows that experiments altered
	First      *string `json:"first"`
	Last       *string `json:"last"`
}

// phase is what was seen while a mark of the operator stood.
type phase struct {
	Name       string  `json:"name"` // "" for flows without a mark
	First      *string `json:"first"`
	Last       *string `json:"last"`
	Flows      int     `json:"flows"`
	Hosts      int     `json:"hosts"`
	Violating  int     `json:"violating"`  // flows
	Violations int     `json:"violations"` // that happened in it
}

// attributed is an app, and how it is known that it made a flow.
type attributed struct {
	App    string   `json:"app"`
	ID     string   `json:"id"`
	How    string   `json:"how"`
	Words  string   `json:"words"`
	Others []string `json:"others,omitempty"` // that fit as well
}

func (r *Report) attributed(all []attribution.Attribution) []attributed {
	out := make([]attributed, len(all))
	for i, a := range all {
		out[i] = attributed{App: r.text(a.App), ID: r.text(a.ID), How: string(a.How), Words: r.text(a.Words)}
		if len(a.Others) > 0 {
			out[i].Others = r.texts(a.Others)
		}
	}
	return out
}

// source is the place in the policy that decided.
type source struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

// Violation is one violation, as JSON has it.
type Violation struct {
	ID       string   `json:"id"`
	Rule     string   `json:"rule"`
	Severity string   `json:"severity"`
	Title    string   `json:"title"`
	Host     string   `json:"host"`
	Subject  string   `json:"subject"`
	Category string   `json:"category"`
	Owner    string   `json:"owner"`
	Method   string   `json:"method"`
	URL      string   `json:"url"`
	Count    int      `json:"count"`
	Altered  int      `json:"altered,omitempty"` // of these, flows that experiments altered
	First    *string  `json:"first"`
	Last     *string  `json:"last"`
	Interval *float64 `json:"interval_seconds"` // median between flows
	App      string   `json:"app"`
	// Attributed are the apps of flows whose User-Agent names none.
	Attributed  []attributed `json:"attributed"`
	Devices     []DeviceRef  `json:"devices"`          // that sent it, at most capture.MaxClients
	Phases      []string     `json:"phases,omitempty"` // "": some flows had none
	Known       bool         `json:"known,omitempty"`  // the baseline has it, so that it does not count
	Explanation string       `json:"explanation"`
	Remedy      string       `json:"remedy"`
	Decided     *source      `json:"decided"`
	Flows       []reference  `json:"flows"`
	// Evidence is where in what was sent the value stood, of the rules about values.
	Evidence []evidence `json:"evidence"`
	Tests    []test     `json:"tests"` // of OWASP's MASTG that it bears on
	Company  string     `json:"company"`
	Product  string     `json:"product"`
	Country  string     `json:"country"`
	Purpose  string     `json:"purpose"`
	Rhythm   *rhythm    `json:"rhythm"` // that contacts of the host keep
	// Annotations are what people and the user's programs said of it, the oldest first.
	Annotations []opinion `json:"annotations,omitempty"`
}

type reference struct {
	Capture string `json:"capture"`
	Entry   int    `json:"entry"`
	Line    int    `json:"line"`
	ID      int64  `json:"id,omitempty"`
	// Destination is where the device's packets were addressed to, Resolved the name for
	// which DNS gave that address; both are left out where the way in tells neither.
	Destination string `json:"destination,omitempty"`
	Resolved    string `json:"resolved,omitempty"`
}

type health struct {
	Devices  []device     `json:"devices"`
	Unread   []unreadHost `json:"unread"`
	Failed   int          `json:"failed"`
	Nameless int          `json:"nameless"`
	Denied   int          `json:"denied"`
	Open     int          `json:"open"`
	// Omitted counts the flows whose contents were searched, and then not kept.
	Omitted int `json:"omitted"`
	// QUICRefused counts, per host, the QUIC conversations that were refused.
	QUICRefused map[string]int `json:"quic_refused"`
	Lookups     int            `json:"lookups"` // questions of DNS that look for no server
	Modes       []string       `json:"modes"`
	Notes       []string       `json:"notes"`
}

// contacting is a device with how much of its contacts could be read.
type contacting struct {
	Address   string  `json:"address"`
	Name      string  `json:"name"`
	Flows     int     `json:"flows"`
	First     *string `json:"first"`
	Last      *string `json:"last"`
	Decrypted *string `json:"decrypted"` // since when its TLS could be read
	Refused   int     `json:"refused"`
	Unread    int     `json:"unread"`
	Questions int     `json:"questions"` // of DNS, among the flows
}

type device struct {
	contacting
	Hosts     int    `json:"hosts"`
	Altered   int    `json:"altered"` // of its flows, by experiments
	Allowed   int    `json:"allowed"`
	Ignored   int    `json:"ignored"`
	Waived    int    `json:"waived"`
	Violating int    `json:"violating"`
	Verdict   string `json:"verdict"` // inconclusive: it contacted nobody
	// Diagnoses say why connections of it could not be read.
	Diagnoses []Diagnosis `json:"diagnoses"`
}

type unreadHost struct {
	Host     string         `json:"host"`
	Outcomes map[string]int `json:"outcomes"`
}

type check struct {
	Rule     string `json:"rule"`
	Title    string `json:"title"`
	Severity string `json:"severity"`
}

// writeJSON writes the report as contract section 6 has it, with more keys.
func writeJSON(w io.Writer, r *Report) error {
	return writeIndented(w, newDocument(r), "the report as JSON")
}

// writeIndented writes a value as JSON for people to read too, in which no character
// acts on a terminal. What names the document in an error.
func writeIndented(w io.Writer, value any, what string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(value); err != nil {
		return fmt.Errorf("encode %s: %w", what, err)
	}
	safe := &visibleWriter{w: w}
	if _, err := safe.Write(b.Bytes()); err != nil {
		return err
	}
	return safe.close()
}

func newDocument(r *Report) *document {
	r = r.indexed()
	s := r.Summary
	d := &document{
		Schema: Schema, Tool: tool{r.Tool.Name, r.Tool.Version}, Generated: r.Generated.UTC().Format(time.RFC3339),
		Policy: newPolicyInfo(r), Baseline: newBaseline(r),
		Verdict: r.Verdict, Warnings: r.texts(r.Warnings), Summary: NewSummary(r), Command: r.text(r.Command),
		Captures: newCaptures(r), Hosts: []host{}, Violations: []Violation{}, Waived: []Violation{}, Checks: []check{},
		Health: newHealth(r), Coverage: newCoverage(r), Trails: r.trails(), Rhythms: r.rhythms(), Subtracted: r.subtractions(),
		Declarations: r.declarations(), Lists: r.lists(), Experiments: r.experiments(), Consequences: r.consequences(),
	}
	if f := r.located(); f != nil {
		found := f.origins()
		d.Origins = &found
	}
	violations := violationsByPhase(s)
	for _, p := range s.Phases {
		d.Phases = append(d.Phases, phase{
			Name: r.text(p.Name), First: stamp(p.First), Last: stamp(p.Last),
			Flows: p.Flows, Hosts: p.Hosts, Violating: p.Violating, Violations: violations[p.Name],
		})
	}
	for _, h := range s.Hosts {
		d.Hosts = append(d.Hosts, r.host(h))
	}
	names := deviceNames(s.Health.Devices)
	for _, v := range s.Violations {
		d.Violations = append(d.Violations, r.violation(v, names))
	}
	for _, v := range s.Waivers {
		d.Waived = append(d.Waived, r.violation(v, names))
	}
	for _, c := range r.checks() {
		d.Checks = append(d.Checks, check{string(c.Rule), c.Title, string(c.Severity)})
	}
	return d
}

func newPolicyInfo(r *Report) policyInfo {
	return policyInfo{r.text(r.Policy.Name), r.text(r.Policy.File), r.Policy.Digest, r.texts(r.Policy.Allow)}
}

// newBaseline returns nil without one.
func newBaseline(r *Report) *baseline {
	if r.Baseline == nil {
		return nil
	}
	return &baseline{r.text(r.Baseline.File), r.Baseline.Violations}
}

func newCaptures(r *Report) []captureEntry {
	out := make([]captureEntry, len(r.Captures))
	for i, c := range r.Captures {
		out[i] = captureEntry{r.text(c.File), c.Entries, r.text(c.Producer), c.SHA256, r.skipped(c.Skipped), r.text(c.Error)}
	}
	return out
}

// skipped masks the schemes of the entries that were skipped: a capture makes them up.
func (r *Report) skipped(byScheme map[string]int) map[string]int {
	out := make(map[string]int, len(byScheme))
	for scheme, n := range byScheme {
		out[r.text(scheme)] += n
	}
	return out
}

// NewSummary returns the totals of a report.
func NewSummary(r *Report) Summary {
	s := r.Summary
	return Summary{
		Flows: s.Flows, Hosts: len(s.Hosts), Allowed: s.Allowed, Ignored: s.Ignored, Waived: s.Waived,
		Violating: s.Violating, Violations: len(s.Violations), Altered: s.Altered, First: stamp(s.First), Last: stamp(s.Last),
	}
}

// NewViolation returns a violation whose texts went through mask and whose URL
// has lost a user's name and password; devices name those that sent it. A nil mask
// reveals everything.
func NewViolation(v capture.Violation, devices []capture.Device, mask func(string) string) Violation {
	return (&Report{Mask: mask, Reveal: mask == nil}).violation(v, deviceNames(devices))
}

// violation returns a violation whose devices are called as names says.
func (r *Report) violation(v capture.Violation, names map[string]string) Violation {
	f := v.Finding
	out := Violation{
		ID: v.ID, Rule: string(f.Rule), Severity: string(f.Severity), Title: r.text(f.Title), Host: r.text(f.Host),
		Subject: r.text(f.Subject), Category: f.Category, Owner: r.text(f.Owner), Method: r.text(v.Method),
		URL: validText(r.url(v.URL)), Count: v.Count, Altered: v.Altered, First: stamp(v.First), Last: stamp(v.Last), App: r.text(v.App),
		Explanation: r.text(f.Message), Remedy: r.text(f.Remedy), Decided: r.source(f.Source),
		Attributed: r.attributed(v.Attributed), Known: f.Known, Phases: r.texts(v.Phases), Flows: make([]reference, 0, len(v.Flows)),
		Devices: make([]DeviceRef, 0, len(v.Clients)), Evidence: r.proofs(f), Tests: []test{}, Annotations: r.annotations(v),
	}
	r.addKnown(&out, f)
	for _, addr := range v.Clients {
		out.Devices = append(out.Devices, DeviceRef{r.text(addr), r.text(names[addr])})
	}
	if v.Interval > 0 {
		seconds := v.Interval.Seconds()
		out.Interval = &seconds
	}
	for _, ref := range v.Flows {
		out.Flows = append(out.Flows, reference{
			r.text(r.captureOf(ref)), ref.Entry, ref.Line, int64(ref.ID), r.text(ref.Destination), r.text(ref.Resolved),
		})
	}
	return out
}

func newHealth(r *Report) health {
	h := r.Summary.Health
	out := health{
		Devices: []device{}, Unread: []unreadHost{}, Failed: h.Failed, Nameless: h.Nameless, Denied: h.Denied, Open: h.Open, Omitted: h.Omitted,
		QUICRefused: map[string]int{}, Lookups: h.Lookups, Modes: r.texts(r.Modes), Notes: r.texts(slices.Concat(h.Notes, r.Notes)),
	}
	for name, n := range h.QUICRefused {
		out.QUICRefused[r.text(name)] += n
	}
	for _, d := range h.Devices {
		out.Devices = append(out.Devices, r.device(d))
	}
	for _, name := range sortedKeys(h.Unread) {
		u := unreadHost{Host: r.text(name), Outcomes: map[string]int{}}
		for outcome, n := range h.Unread[name] {
			u.Outcomes[string(outcome)] = n
		}
		out.Unread = append(out.Unread, u)
	}
	return out
}

func (r *Report) device(d capture.Device) device {
	out := device{
		contacting: r.contacting(d), Hosts: d.Hosts, Altered: d.Altered,
		Allowed: d.Allowed, Ignored: d.Ignored, Waived: d.Waived, Violating: d.Violating,
		Verdict: deviceVerdict(d), Diagnoses: []Diagnosis{},
	}
	for _, found := range r.diagnose(d) {
		out.Diagnoses = append(out.Diagnoses, r.diagnosis(found))
	}
	return out
}

func (r *Report) contacting(d capture.Device) contacting {
	return contacting{
		Address: r.text(d.Addr), Name: r.text(d.Name), Flows: d.Flows, First: stamp(d.First), Last: stamp(d.Last),
		Decrypted: stamp(d.Decrypted), Refused: d.Refused, Unread: d.Unread, Questions: d.Questions,
	}
}

// source returns where the policy decided, nil when that is not known.
func (r *Report) source(s policy.Source) *source {
	if s == (policy.Source{}) {
		return nil
	}
	return &source{r.text(s.File), s.Line, r.text(s.Text)}
}

// text masks a string and writes broken UTF-8 out, which JSON would lose.
func (r *Report) text(s string) string { return validText(r.mask(s)) }

// texts is text for a list, which is never nil.
func (r *Report) texts(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = r.text(s)
	}
	return out
}

func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[i])
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// stamp writes a time in RFC 3339, UTC, to the millisecond; nil when unknown.
func stamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.999Z07:00")
	return &s
}
