package reports

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"telltale/capture"
	"telltale/policy"
)

// GitLab's code quality report (docs.gitlab.com/ci/testing/code_quality, "Code
// Quality report format"): a list of issues, the subset that it reads of Code
// Climate's. GitLab compares the lists of two branches by fingerprint, so that an
// issue keeps its own however often it was seen.
//
// The list has no place for a verdict. An audit that proves nothing must not look
// like one without issues: damaged captures, an inconclusive verdict, experiments and warnings
// are issues too. What does not count is not in the list.

type gitlabIssue struct {
	Description string         `json:"description"`
	Check       string         `json:"check_name"`
	Fingerprint string         `json:"fingerprint"`
	Severity    string         `json:"severity"` // info, minor, major, critical or blocker
	Location    gitlabLocation `json:"location"`
}

type gitlabLocation struct {
	Path  string      `json:"path"`
	Lines gitlabLines `json:"lines"`
}

type gitlabLines struct {
	Begin int `json:"begin"`
}

// gitlab builds the list.
type gitlab struct {
	r      *Report
	folder string
	issues []gitlabIssue
	have   map[string]bool // by fingerprint: GitLab takes the second of two for the first
}

func writeGitLab(w io.Writer, r *Report) error {
	g := &gitlab{r: r, folder: workingFolder(), issues: []gitlabIssue{}, have: map[string]bool{}}
	g.worth()
	for _, v := range r.Summary.Violations {
		g.violation(v)
	}
	return writeIndented(w, g.issues, "the report as GitLab's code quality report")
}

// worth says what makes the list worth less.
func (g *gitlab) worth() {
	r := g.r
	for _, c := range r.Captures {
		if c.Error != "" {
			g.add("capture-damaged", "critical", captureName(r, c.File, onTerminal)+" could not be read to its end: "+whyDamaged(r, c, onTerminal), c.File, spot{file: c.File})
		}
	}
	if r.inconclusive() {
		g.add(Inconclusive, "critical", "Inconclusive: "+headline(r, onTerminal)+".", "", r.spotOfAudit())
	}
	if experimented(r.Summary) {
		g.add("experiments", "info", "The verdict is "+r.Verdict+r.besideVerdict(onTerminal)+". "+alteredWorth(r, onTerminal), "", r.spotOfAudit())
	}
	told := map[string]int{}
	for _, warning := range warnings(r, onTerminal) {
		kind, _, _ := strings.Cut(warning, ":") // without the numbers, which differ from run to run
		about := kind
		if told[kind]++; told[kind] > 1 {
			about += fmt.Sprintf(" (%d)", told[kind])
		}
		g.add("verdict-weak", "minor", warning, about, r.spotOfAudit())
	}
}

func (g *gitlab) violation(v capture.Violation) {
	r, f := g.r, v.Finding
	severity := "major"
	if f.Severity == policy.SeverityWarning {
		severity = "minor"
	}
	text := fmt.Sprintf("%s: %s. Request: %s", about(r, v, onTerminal), strings.TrimSuffix(onTerminal.prose(r.clipped(f.Title, maxText)), "."), request(r, v, onTerminal))
	at := r.spotOf(v)
	g.place(gitlabIssue{Description: text, Check: string(f.Rule), Fingerprint: fingerprint("violation", v.ID), Severity: severity}, at)
}

// add adds an issue on the audit itself. What it is about keeps it apart from
// others of its kind.
func (g *gitlab) add(check, severity, text, about string, at spot) {
	g.place(gitlabIssue{Description: text, Check: check, Fingerprint: fingerprint(check, about), Severity: severity}, at)
}

// place adds an issue. GitLab drops one without a path or a line, so that there is
// always one.
func (g *gitlab) place(issue gitlabIssue, at spot) {
	if g.have[issue.Fingerprint] {
		return
	}
	g.have[issue.Fingerprint] = true
	file := at.file
	if file == "" {
		file = "live-capture"
	}
	issue.Location = gitlabLocation{g.r.text(slashed(g.r.mask(file), g.folder)), gitlabLines{max(at.line, 1)}}
	g.issues = append(g.issues, issue)
}

// fingerprint identifies an issue across runs, in the form that GitLab expects.
func fingerprint(kind, about string) string {
	sum := sha256.Sum256([]byte("telltale\x00" + kind + "\x00" + about))
	return hex.EncodeToString(sum[:16])
}
