package reports

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"telltale/capture"
	"telltale/policy"
)

// SARIF 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0), in the subset that GitHub's
// code scanning reads ("SARIF support for code scanning" in its documentation).
//
// Where the two differ, the log satisfies both: each result has a location in a
// file, as code scanning refuses a log otherwise, and the fingerprint stands under
// the one name that it looks at as well as under one of our own. There are no
// automationDetails: with them, the upload action ignores its input "category",
// which alone can keep apart two captures that one policy judges.
//
// Code scanning does not read suppressions and opens an alert for each result. A
// result that is excused therefore has the level note, which fails no check.
const (
	sarifVersion = "2.1.0"
	sarifSchema  = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

// Limits beside those of sarifTakes. Code scanning takes 100 locations of one result.
const (
	sarifRelated = 20
	sarifNotes   = 100    // notifications
	sarifHosts   = 10_000 // in the property bag
)

// sarifLimits bound what a log has of results.
type sarifLimits struct {
	results  int
	detailed int // with Markdown, the URL by itself and all evidence
	bytes    int // compressed, before indentation and the escapes of visibleWriter
}

// sarifTakes is what code scanning takes: it refuses a log of more than 25,000 results
// or 10 MB when compressed by gzip, and shows 5,000 results.
var sarifTakes = sarifLimits{results: 25_000, detailed: 5_000, bytes: 8_000_000}

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool         `json:"tool"`
	Invocations []sarifInvocation `json:"invocations"`
	Artifacts   []sarifArtifact   `json:"artifacts,omitempty"`
	Results     []sarifResult     `json:"results"`
	ColumnKind  string            `json:"columnKind"`
	Properties  sarifTotals       `json:"properties"`
}

// sarifTotals say in the run's property bag what a list of results cannot: the
// verdict, and what was judged and found to be allowed.
type sarifTotals struct {
	Verdict string `json:"verdict"`
	// Experiments that were on, which the verdict never stands without.
	Experiments []experimentEntry `json:"experiments,omitempty"`
	Policy      policyInfo        `json:"policy"`
	Baseline    *baseline         `json:"baseline,omitempty"`
	Summary     Summary           `json:"summary"`
	Hosts       []sarifHost       `json:"hosts"`
}

type sarifHost struct {
	Host    string `json:"host"`
	Verdict string `json:"verdict"`
	Flows   int    `json:"flows"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name            string      `json:"name"`
	Version         string      `json:"version,omitempty"`
	SemanticVersion string      `json:"semanticVersion,omitempty"`
	Rules           []sarifRule `json:"rules"`
}

// sarifRule is a reportingDescriptor (3.49).
type sarifRule struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Short    *sarifMessage `json:"shortDescription,omitempty"`
	Full     *sarifMessage `json:"fullDescription,omitempty"`
	Default  *sarifDefault `json:"defaultConfiguration,omitempty"`
	Help     *sarifMessage `json:"help,omitempty"`
	Property *sarifRuleBag `json:"properties,omitempty"`
}

type sarifDefault struct {
	Level string `json:"level"`
}

// sarifRuleBag has the names that code scanning gives a meaning to.
type sarifRuleBag struct {
	Tags             []string `json:"tags"`
	Precision        string   `json:"precision"`
	ProblemSeverity  string   `json:"problem.severity"`
	SecuritySeverity string   `json:"security-severity,omitempty"`
}

type sarifMessage struct {
	Text     string `json:"text"`
	Markdown string `json:"markdown,omitempty"`
}

type sarifInvocation struct {
	Successful    bool                `json:"executionSuccessful"`
	CommandLine   string              `json:"commandLine,omitempty"`
	End           string              `json:"endTimeUtc,omitempty"`
	Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
}

type sarifNotification struct {
	Descriptor sarifReference  `json:"descriptor"`
	Level      string          `json:"level"`
	Message    sarifMessage    `json:"message"`
	Locations  []sarifLocation `json:"locations,omitempty"`
}

type sarifReference struct {
	ID string `json:"id"`
}

type sarifArtifact struct {
	Location    sarifFile         `json:"location"`
	Description *sarifMessage     `json:"description,omitempty"`
	Roles       []string          `json:"roles"`
	Hashes      map[string]string `json:"hashes,omitempty"`
}

// sarifFile is an artifactLocation (3.4).
type sarifFile struct {
	URI  string `json:"uri"`
	Base string `json:"uriBaseId,omitempty"`
}

type sarifLocation struct {
	ID       int            `json:"id,omitempty"`
	Physical sarifPlace     `json:"physicalLocation"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	Message  *sarifMessage  `json:"message,omitempty"`
}

type sarifPlace struct {
	File   sarifFile    `json:"artifactLocation"`
	Region *sarifRegion `json:"region,omitempty"`
}

// sarifRegion is a whole line: where in the line the entry stands is not known.
type sarifRegion struct {
	Start       int           `json:"startLine"`
	StartColumn int           `json:"startColumn"`
	End         int           `json:"endLine"`
	ByteOffset  *int64        `json:"byteOffset,omitempty"`
	Snippet     *sarifMessage `json:"snippet,omitempty"`
}

type sarifLogical struct {
	Name string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

type sarifResult struct {
	RuleID       string             `json:"ruleId"`
	RuleIndex    int                `json:"ruleIndex"`
	Level        string             `json:"level"`
	Message      sarifMessage       `json:"message"`
	Locations    []sarifLocation    `json:"locations"`
	Related      []sarifLocation    `json:"relatedLocations,omitempty"`
	Fingerprints map[string]string  `json:"partialFingerprints"`
	Count        int                `json:"occurrenceCount,omitempty"`
	Baseline     string             `json:"baselineState,omitempty"`
	Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	Request      *sarifRequest      `json:"webRequest,omitempty"`
	Properties   *sarifResultBag    `json:"properties,omitempty"`
}

type sarifSuppression struct {
	Kind          string `json:"kind"`
	Status        string `json:"status"`
	Justification string `json:"justification"`
}

type sarifRequest struct {
	Method string `json:"method,omitempty"`
	Target string `json:"target"`
}

type sarifResultBag struct {
	Host     string `json:"host"`
	Subject  string `json:"subject,omitempty"`
	Category string `json:"category,omitempty"`
	Owner    string `json:"owner,omitempty"`
	App      string `json:"userAgent,omitempty"`
	Company  string `json:"company,omitempty"`
	Product  string `json:"product,omitempty"`
	Country  string `json:"country,omitempty"`
	Purpose  string `json:"purpose,omitempty"`
	// Evidence is where in what was sent the value stood.
	Evidence []evidence `json:"evidence,omitempty"`
	Tests    []string   `json:"mastg,omitempty"`
	Rhythm   *rhythm    `json:"rhythm,omitempty"`
	// Annotations are what people and the user's programs said of it.
	Annotations []opinion `json:"annotations,omitempty"`
}

// sarif builds a log.
type sarif struct {
	r      *Report
	folder string
	limits sarifLimits
	index  map[policy.Rule]int // of driver.rules
	left   int                 // violations for which there was no room
}

func writeSARIF(w io.Writer, r *Report) error {
	s := &sarif{r: r.indexed(), folder: workingFolder(), limits: sarifTakes, index: map[policy.Rule]int{}}
	return writeIndented(w, sarifLog{Schema: sarifSchema, Version: sarifVersion, Runs: []sarifRun{s.run()}}, "the report as SARIF")
}

func (s *sarif) run() sarifRun {
	r := s.r
	driver := sarifDriver{Name: r.Tool.Name, Version: r.Tool.Version, Rules: s.rules()}
	if driver.Name == "" {
		driver.Name = "telltale" // code scanning refuses an empty one
	}
	if semantic.MatchString(r.Tool.Version) {
		driver.SemanticVersion = strings.TrimPrefix(r.Tool.Version, "v")
	}
	run := sarifRun{
		Tool: sarifTool{driver}, Artifacts: s.artifacts(), ColumnKind: "unicodeCodePoints",
		Properties: sarifTotals{
			Verdict: r.Verdict, Experiments: r.experiments(), Policy: newPolicyInfo(r), Baseline: newBaseline(r), Summary: NewSummary(r), Hosts: []sarifHost{},
		},
	}
	hosts := r.Summary.Hosts
	if len(hosts) > sarifHosts {
		hosts = heaviestFirst(hosts)[:sarifHosts]
	}
	for _, h := range hosts {
		run.Properties.Hosts = append(run.Properties.Hosts, sarifHost{r.text(h.Name), string(h.Verdict), h.Flows})
	}
	room := newSARIFRoom(s.limits.bytes)
	room.takes(run)
	run.Results = s.results(room)
	run.Invocations = []sarifInvocation{s.invocation()} // which tells what was left out
	return run
}

// semantic is the form of a semantic version (semver.org, 2.0.0) of a release or of
// a build after it; what git describes otherwise is none.
var semantic = regexp.MustCompile(`^v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z][0-9A-Za-z.-]*)?(\+[0-9A-Za-z.-]+)?$`)

// rules are the checks that were applied, and those that some result is of beside
// them.
func (s *sarif) rules() []sarifRule {
	out := []sarifRule{}
	add := func(c Check) {
		if _, have := s.index[c.Rule]; !have {
			s.index[c.Rule] = len(out)
			out = append(out, sarifRuleOf(c))
		}
	}
	for _, c := range s.r.checks() {
		add(c)
	}
	for _, v := range slices.Concat(s.r.Summary.Violations, s.r.Summary.Waivers) {
		add(checkOf(v.Finding.Rule, v.Finding.Severity))
	}
	for _, rule := range s.auditRules() {
		s.index[policy.Rule(rule.ID)] = len(out)
		out = append(out, rule)
	}
	return out
}

// checkOf returns what is known of a rule that the report does not list.
func checkOf(rule policy.Rule, severity policy.Severity) Check {
	for _, d := range policy.Detectors {
		if d.Rule == rule {
			return Check{Rule: d.Rule, Title: d.Title, Help: d.Help, Severity: d.Severity}
		}
	}
	return Check{Rule: rule, Severity: severity}
}

func (s *sarif) artifacts() []sarifArtifact {
	var out []sarifArtifact
	for _, c := range s.r.Captures {
		if c.File == "" {
			continue
		}
		a := sarifArtifact{Location: s.file(c.File), Roles: []string{"analysisTarget"}}
		if c.SHA256 != "" {
			a.Hashes = map[string]string{"sha-256": c.SHA256}
		}
		text := "capture, " + plural(c.Entries, "entry", "entries")
		if c.Producer != "" {
			text += ", by " + inSARIF.data(s.r.clipped(c.Producer, maxText))
		}
		a.Description = &sarifMessage{Text: text}
		out = append(out, a)
	}
	return out
}

// file names a file. One whose place in the repository is not known has an absolute
// URI and no base.
func (s *sarif) file(name string) sarifFile {
	uri := uriOf(slashed(s.r.mask(name), s.folder))
	if strings.HasPrefix(uri, "file:") {
		return sarifFile{URI: uri}
	}
	return sarifFile{uri, "%SRCROOT%"}
}

// results are what is wrong with the audit itself, what breaks the policy and what is
// excused, as much of it as code scanning takes.
func (s *sarif) results(room *sarifRoom) []sarifResult {
	out := s.audit()
	all := slices.Concat(s.r.Summary.Violations, s.r.Summary.Waivers)
	for i, v := range all {
		res := s.result(v, i >= len(s.r.Summary.Violations), i < s.limits.detailed)
		if len(out) == s.limits.results || !room.takes(res) {
			s.left = len(all) - i
			break
		}
		out = append(out, res)
	}
	return out
}

// result is one violation, with a message in Markdown when detailed.
func (s *sarif) result(v capture.Violation, excused, detailed bool) sarifResult {
	r, f := s.r, v.Finding
	res := sarifResult{
		RuleID: string(f.Rule), RuleIndex: s.index[f.Rule], Level: sarifLevel(f.Severity), Count: v.Count,
		Locations: []sarifLocation{s.location(v, excused)},
		// Code scanning looks at the first name alone and adds the rule and file to it.
		Fingerprints: map[string]string{"primaryLocationLineHash": v.ID, "telltaleViolation/v1": v.ID},
		Properties:   s.bag(v),
	}
	if v.URL != "" && detailed {
		res.Request = &sarifRequest{r.text(v.Method), validText(r.url(v.URL))}
	}
	limit := 1
	if detailed {
		limit = sarifRelated
	}
	shown := r.evidence(v, limit)
	for i, at := range shown {
		res.Related = append(res.Related, sarifLocation{
			ID: i + 1, Physical: s.place(at), Message: &sarifMessage{Text: capital(at.note) + " shows it."},
		})
	}
	inApp := s.origins(v, len(res.Related), limit)
	res.Related = append(res.Related, inApp...)
	res.Message = s.message(v, shown, inApp, detailed)
	if r.Baseline != nil {
		res.Baseline = "new"
		if f.Known {
			res.Baseline = "unchanged"
		}
	}
	if excused {
		res.Level = "note"
		why := decided(r, f.Source, inSARIF)
		if f.Known {
			why = "known from " + baselineName(r, inSARIF)
		}
		res.Suppressions = []sarifSuppression{{"external", "accepted", why}}
	}
	return res
}

func (s *sarif) bag(v capture.Violation) *sarifResultBag {
	r, f := s.r, v.Finding
	who := r.whois(f.Host)
	bag := &sarifResultBag{
		Host: r.text(f.Host), Subject: r.text(f.Subject), Category: f.Category, Owner: r.text(f.Owner), App: r.text(v.App),
		Company: r.text(who.Company), Product: r.text(who.Product), Country: who.Country, Purpose: who.Purpose, Evidence: r.proofs(f),
		Annotations: r.annotations(v),
	}
	for _, t := range testsOf(f) {
		bag.Tests = append(bag.Tests, t.ID)
	}
	bag.Rhythm = newRhythm(r.lookup().hosts[f.Host].rhythm)
	return bag
}

func sarifLevel(s policy.Severity) string {
	if s == policy.SeverityWarning {
		return "warning"
	}
	return "error"
}

// location is where a person would act: see spotOf. An audit that was not kept and
// had no policy file is in no file; code scanning wants one all the same.
func (s *sarif) location(v capture.Violation, excused bool) sarifLocation {
	at := s.r.spotOf(v)
	loc := sarifLocation{Physical: s.place(at), Logical: []sarifLogical{{s.r.text(v.Finding.Host), "resource"}}}
	if at.file == "" {
		loc.Message = &sarifMessage{Text: "The live capture, which was not kept."}
		return loc
	}
	if at.note != "" {
		text := inSARIF.data(s.r.clipped(at.note, maxText))
		loc.Message = &sarifMessage{Text: text}
		if v.Finding.Source.File != "" && at.line > 0 && (excused && !v.Finding.Known || stands(v.Finding.Rule)) {
			loc.Physical.Region.Snippet = &sarifMessage{Text: s.r.text(at.note)}
		}
	}
	return loc
}

// stands reports whether what decided about a rule is written in the policy. Of a
// contact that nothing allows, the policy has only the place where an entry misses,
// and a snippet would not be what stands there.
func stands(rule policy.Rule) bool { return !rule.OfContact() || rule == policy.HostDenied }

func (s *sarif) place(at spot) sarifPlace {
	if at.file == "" {
		return sarifPlace{sarifFile{"live-capture", "%SRCROOT%"}, &sarifRegion{Start: 1, StartColumn: 1, End: 1}}
	}
	line := max(at.line, 1) // code scanning wants a line
	return sarifPlace{s.file(at.file), &sarifRegion{Start: line, StartColumn: 1, End: line}}
}

func (s *sarif) invocation() sarifInvocation {
	inv := sarifInvocation{
		Successful:    !damagedAny(s.r.Captures),
		CommandLine:   s.r.text(s.r.Command),
		Notifications: s.notifications(),
	}
	if !s.r.Generated.IsZero() {
		inv.End = s.r.Generated.UTC().Format(time.RFC3339)
	}
	return inv
}
