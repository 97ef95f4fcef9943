// Package reports turns the result of an audit into documents for people and
// machines: a verdict on the terminal, a Markdown audit, a page, JSON, CSV, HAR,
// and what CI systems read: SARIF, JUnit, annotations of GitHub, GitLab's list.
//
// It knows how things are said, never what is true: every number, verdict and
// explanation comes in a [Report], whose facts are those of packages capture and
// policy. [Formats] is the only list of formats; flag help, shell completion and
// the tests loop over it, and a new format is a new file and one row.
//
// What it promises, for every format:
//
//   - A clean and an inconclusive audit are documents too, which say what was
//     checked and what the verdict is worth.
//   - The same report gives the same bytes: lists have an order of their own,
//     times are UTC, and [Now] honours SOURCE_DATE_EPOCH.
//   - Text from a capture is hostile. Control and escape sequences, bidirectional
//     overrides and invisible characters are made visible, and text cannot leave
//     its place: no forged heading, table cell, link, mention, formula or command
//     (escape.go, markup.go, github.go).
//   - Never-send values go through Report.Mask, and credentials in a URL are
//     redacted: its user part and the values of parameters that are named like a
//     credential (flow.MaskURL). Report.Reveal shows all of it; documents for
//     people then name the parameters.
//   - Where a value stood that was sent, and who was told it, is said without the value
//     (proof.go, told.go); who stands behind a host comes from the catalogue (who.go).
//   - A file is written whole or not at all ([WriteFile]).
//
// It judges nothing, reads no capture by itself and prints nothing. When a
// document looks wrong, compare it with the JSON of the same report: if the fact
// is wrong there too, look in capture or policy.
package reports

import (
	"io"
	"os"
	"strconv"
	"time"

	"telltale/capture"
	"telltale/consequence"
	"telltale/declarations"
	"telltale/diagnosis"
	"telltale/flow"
	"telltale/locate"
	"telltale/policy"
	"telltale/policy/lists"
)

// The verdicts of an audit. Exit codes follow from them.
const (
	Clean        = "clean"        // contacts were seen and none is a violation
	Violations   = "violations"   // at least one violation
	Inconclusive = "inconclusive" // nothing was seen, or not all of it could be read
)

// Report is everything that a document may say. It is not changed by writing.
type Report struct {
	Tool      Tool
	Generated time.Time // see [Now]
	Policy    PolicyInfo
	// Checks are the rules by which flows were judged, in the order in which they
	// are listed. Nil means all of policy.Detectors.
	Checks   []Check
	Captures []CaptureInfo
	Verdict  string // Clean, Violations or Inconclusive: see [VerdictOf]
	Summary  capture.Summary

	// Modes are the ways in that the flows came by ("http", "har", …), which
	// decide what the capture cannot have seen.
	Modes []string
	// Notes are further sentences on the health of the audit, which appear
	// beside those of Summary.Health.
	Notes []string
	// Warnings are why a verdict is worth little: see [WarningsOf]. Every format
	// that people read puts them beside the verdict.
	Warnings []string
	// Diagnose returns why connections of a device could not be read, the most
	// important cause first, and always the same. Nil says nothing.
	Diagnose func(capture.Device) []diagnosis.Diagnosis
	// Earlier is how many contacts the capture held already when a live audit went on with
	// it; they are part of the summary.
	Earlier int
	// Baseline is the earlier audit whose violations do not count, nil without one.
	Baseline *BaselineInfo
	// Idle are the captures of a device at rest whose contacts were subtracted.
	Idle []*policy.Idle
	// Declarations are what the app says of its own privacy, beside which it was judged.
	Declarations []declarations.Declaration
	// Lists are the lists of trackers that were used beside the catalogue.
	Lists []*lists.List
	// Consequences is what followed the experiments of the audit, nil where it only observed.
	Consequences *consequence.Result
	// Origins is what was found of the violations' hosts in the app, nil where it was not at
	// hand.
	Origins *locate.Result
	// Command is the command line that was run, quoted for a shell, without
	// secrets. Empty when there was none.
	Command string

	// Reveal says that secrets are shown. Mask is then not called.
	Reveal bool
	// Mask hides never-send values in a text. Nil hides nothing.
	Mask func(string) string
	// MaskBody hides them in the content of a message, for formats that write it. Nil
	// is Mask.
	MaskBody func(header []flow.Field, body flow.Body) []byte
	// Leaks returns which never-send values a flow holds, for formats that write
	// redacted flows. Nil says nothing.
	Leaks func(*flow.Flow) []flow.Leak

	// Flows calls its argument for every flow, in the capture's order, and ends
	// with its first error. Nil when flows are not at hand; formats that need
	// them then fail.
	Flows func(func(*flow.Flow) error) error
	// Content loads the kept content of a body. Nil: bodies have it with them.
	Content func(flow.Body) ([]byte, error)
	// Redact returns a copy of a flow that is safe to hand over ([telltale/redact]), for
	// formats that write flows; credentials and never-send values are then masked by it
	// alone. Nil leaves flows as they are.
	Redact func(*flow.Flow) *flow.Flow
	// BodyLimit is how many bytes of a body a HAR file holds; longer ones lie in a folder
	// beside it. 0 is [DefaultBodyLimit], a negative one keeps all in the file. BodiesExpire
	// is until when they are kept there, zero for good.
	BodyLimit    int64
	BodiesExpire time.Time

	Color bool // use the terminal's colours; text only
	Width int  // columns of the terminal, 0 for 80; text only

	index   *index  // see indexed
	outside *bodies // where a HAR file keeps long bodies; nil for one without a folder
}

// Tool is the program that made the report.
type Tool struct {
	Name, Version string
}

// PolicyInfo says which policy judged.
type PolicyInfo struct {
	Name   string // the policy's own name; may be ""
	File   string // as the user named it; "" when there was none
	Digest string // lower-case hex SHA-256 of the file; "" without one
	// Allow are the patterns of --allow, which were added to those of the file. Without a
	// file, the policy is made of them and has its name from them.
	Allow []string
}

// BaselineInfo says beside what the audit was judged. The violations that it
// excused are among Summary.Waivers, marked as known.
type BaselineInfo struct {
	File       string // as the user named it
	Violations int    // that it holds
}

// Check is one rule that was applied.
type Check struct {
	Rule        policy.Rule
	Title, Help string
	Severity    policy.Severity
}

// CaptureInfo is one input, or the live capture.
type CaptureInfo struct {
	File     string // as the user named it; "" for a live capture that was not kept
	Entries  int    // entries of a HAR, flows of a capture
	Flows    int    // that came of it; of a live capture, those of the summary count
	Producer string // program that wrote it; "" when unknown
	SHA256   string // lower-case hex of the file's digest; "" when not computed
	// Skipped counts entries that are no contact with a server, by the scheme of
	// their URL ("data").
	Skipped map[string]int
	// LeftOut counts the bodies that should have been read for the verdict, and lie
	// where they could not be.
	LeftOut int
	// Notes are sentences on what its reader met. They are said once, by
	// Summary.Health, into which the reader of the capture puts them.
	Notes []string
	Error string // why it could not be read to its end; "" when it could
}

// checks returns the rules by which flows were judged.
func (r *Report) checks() []Check {
	if r.Checks != nil {
		return r.Checks
	}
	var all []Check
	for _, d := range policy.Detectors {
		all = append(all, Check{Rule: d.Rule, Title: d.Title, Help: d.Help, Severity: d.Severity})
	}
	return all
}

// VerdictOf returns the verdict of an audit. A violation stays one whatever else
// is wrong; without one, an input that could not be read to its end, and an
// audit that saw no contact unless allowEmpty is set, are inconclusive.
func VerdictOf(s capture.Summary, captures []CaptureInfo, allowEmpty bool) string {
	if len(s.Violations) > 0 || s.Violating > 0 {
		return Violations
	}
	if damagedAny(captures) || s.Inconclusive() && !allowEmpty {
		return Inconclusive
	}
	return Clean
}

// Now returns the time to put in Report.Generated, in UTC: that of
// SOURCE_DATE_EPOCH where it holds seconds since 1970
// (reproducible-builds.org/specs/source-date-epoch), else the clock's.
func Now() time.Time {
	if s, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil && s >= 0 {
		return time.Unix(s, 0).UTC()
	}
	return time.Now().UTC().Truncate(time.Second)
}

// A Format is one kind of document.
type Format struct {
	Name string // as --format takes it
	Ext  string // of file names, with the dot, lower case; of several dots all count
	// Also are further endings of file names that mean it, lower case: names that
	// programs look for.
	Also []string
	Help string // what it is for, in a few words
	// NeedsFlows says that it is made from Report.Flows, not only from totals.
	NeedsFlows bool
	// ForPeople says that it is read by people, and so shows Report.Warnings.
	ForPeople bool
	// Private says that it holds the content of traffic, so that files of it are
	// readable by their owner alone.
	Private bool
	Write   func(w io.Writer, r *Report) error
}

// Formats lists every format. It is the only list.
var Formats = []Format{
	{Name: "text", Ext: ".txt", Help: "the verdict for people, as on the terminal", ForPeople: true, Write: writeText},
	{Name: "markdown", Ext: ".md", Help: "the audit, ready to paste as an issue", ForPeople: true, Write: writeMarkdown},
	{Name: "html", Ext: ".html", Help: "the audit as one page, to look at and to print", ForPeople: true, Write: writeHTML},
	{Name: "json", Ext: ".json", Help: "everything, for programs", Write: writeJSON},
	{Name: "csv", Ext: ".csv", Help: "one row for each host, for spreadsheets", Write: writeCSV},
	{Name: "har", Ext: ".har", Help: "every flow, for browsers' developer tools", NeedsFlows: true, Private: true, Write: writeHAR},
	{Name: "sarif", Ext: ".sarif", Also: []string{".sarif.json"}, Help: "SARIF 2.1.0, for code scanning", Write: writeSARIF},
	{Name: "junit", Ext: ".xml", Help: "test results, for Jenkins, GitLab and others", Write: writeJUnit},
	{Name: "github", Ext: ".github.txt", Help: "annotations of GitHub Actions, on standard output", ForPeople: true, Write: writeGitHub},
	{Name: "gitlab", Ext: ".gitlab.json", Also: []string{"codequality.json", "code-quality-report.json"}, Help: "GitLab's code quality report", Write: writeGitLab},
}
