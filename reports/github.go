package reports

import (
	"fmt"
	"io"
	"strings"

	"telltale/capture"
	"telltale/flow/plain"
	"telltale/policy"
)

// Workflow commands of GitHub Actions ("Workflow commands for GitHub Actions" in its
// documentation): lines on standard output that become annotations. The runner
// takes a line for a command that begins with "::" after white space, or that has
// "##[" anywhere in it (ActionCommand of actions/runner); no line that quotes a
// capture may do either.

// githubAnnotations is how many annotations of a level are written. GitHub shows ten of a
// step and drops the others: one is left to the script of the step, which says how it
// ends.
const githubAnnotations = 9

// github builds the lines.
type github struct {
	strings.Builder
	r      *Report
	folder string
}

// annotation is one workflow command.
type annotation struct {
	level, title, message string
	at                    spot
}

func writeGitHub(w io.Writer, r *Report) error {
	r = r.indexed()
	g := &github{r: r, folder: workingFolder()}
	if err := g.verdict(); err != nil {
		return err
	}
	failures, warnings, notices := g.annotations()
	left := g.level(failures)
	left += g.level(warnings)
	left += g.level(notices)
	last := r.shouted(onTerminal) + ": " + headline(r, onTerminal) + "."
	if left > 0 {
		last += fmt.Sprintf(" %s at most are shown for each level; %s left out. A .json or .sarif report has all.",
			plural(githubAnnotations, "annotation", "annotations"), plural(left, "was", "were"))
	}
	g.line(last)
	_, err := io.WriteString(w, g.String())
	return err
}

// line writes a line that is no command, whatever it quotes.
func (g *github) line(text string) { g.WriteString(inert(text) + "\n") }

// inert breaks what the runner would take for a command.
func inert(line string) string {
	line = unbracketed(line)
	if body := strings.TrimLeft(line, " "); strings.HasPrefix(body, "::") {
		return line[:len(line)-len(body)] + `\x3a:` + body[2:]
	}
	return line
}

// verdict writes the text for people, folded away.
func (g *github) verdict() error {
	var b strings.Builder
	uncolored := *g.r
	uncolored.Color, uncolored.Width = false, maxWidth
	if err := writeText(&b, &uncolored); err != nil {
		return err
	}
	g.WriteString("::group::" + data("telltale: "+g.r.shouted(onTerminal)) + "\n")
	for line := range strings.Lines(b.String()) {
		g.line(strings.TrimSuffix(line, "\n"))
	}
	g.WriteString("::endgroup::\n")
	return nil
}

// annotations are what there is to say, by level, the most severe first.
func (g *github) annotations() (failures, warned, notices []annotation) {
	r := g.r
	for _, c := range r.Captures {
		if c.Error != "" {
			failures = append(failures, annotation{"error", "capture damaged",
				captureName(r, c.File, onTerminal) + " could not be read to its end: " + whyDamaged(r, c, onTerminal), spot{file: c.File}})
		}
	}
	if r.inconclusive() {
		failures = append(failures, annotation{"error", "inconclusive",
			strings.Join(append([]string{capital(headline(r, onTerminal)) + "."}, next(r)...), "\n"), spot{}})
	}
	for _, warning := range warnings(r, onTerminal) {
		warned = append(warned, annotation{"warning", "verdict worth little", warning, spot{}})
	}
	for _, v := range r.Summary.Violations {
		if v.Finding.Severity == policy.SeverityWarning {
			warned = append(warned, g.violation("warning", v))
		} else {
			failures = append(failures, g.violation("error", v))
		}
	}
	if r.Verdict == Clean {
		notices = append(notices, annotation{"notice", "clean" + r.besideVerdict(onTerminal), capital(headline(r, onTerminal)) + ".", spot{}})
	}
	if waived, known := excused(r); len(waived)+len(known) > 0 {
		text := fmt.Sprintf("%s not count: %d waived by the policy, %d known from %s.",
			plural(len(waived)+len(known), "violation does", "violations do"), len(waived), len(known), baselineName(r, onTerminal))
		notices = append(notices, annotation{"notice", "excused", text, spot{}})
	}
	if said := r.followedBriefly(onTerminal); len(said) > 0 {
		notices = append(notices, annotation{"notice", "what followed the experiments", strings.Join(said, "\n"), spot{}})
	}
	if why := briefly(r, onTerminal); len(why) > 0 {
		notices = append(notices, annotation{"notice", "unread", unreadHeading + ":\n" + strings.Join(why, "\n"), spot{}})
	}
	return failures, warned, notices
}

func (g *github) violation(level string, v capture.Violation) annotation {
	r, f := g.r, v.Finding
	name := plain.Text(string(f.Rule)) + ": " + plain.Text(r.clipped(f.Host, maxHost))
	text := about(r, v, onTerminal) + ".\n" + told(r, v)
	return annotation{level, name, text, r.spotOf(v)}
}

// level writes as many annotations as are shown, the last of which counts the
// others where there are more, and returns how many it left out.
func (g *github) level(all []annotation) int {
	left := 0
	if len(all) > githubAnnotations {
		left = len(all) - githubAnnotations + 1
		more := annotation{all[0].level, fmt.Sprintf("%d more", left), fmt.Sprintf("%d more of these are not shown here; a .json or .sarif report has all.", left), spot{}}
		all = append(all[:githubAnnotations-1:githubAnnotations-1], more)
	}
	for _, a := range all {
		g.command(a)
	}
	return left
}

// command writes one workflow command.
func (g *github) command(a annotation) {
	var properties []string
	if a.at.file != "" && a.at.file != standardInput {
		file := plain.Text(slashed(g.r.mask(a.at.file), g.folder))
		properties = append(properties, "file="+property(file))
		if a.at.line > 0 {
			properties = append(properties, fmt.Sprintf("line=%d", a.at.line))
		}
	}
	properties = append(properties, "title="+property("telltale: "+a.title))
	fmt.Fprintf(g, "::%s %s::%s\n", a.level, strings.Join(properties, ","), data(a.message))
}

// unbracketed breaks the older form of a command, which log viewers read as well.
func unbracketed(s string) string { return strings.ReplaceAll(s, "##[", `#\x23[`) }

// data and property escape as the runner unescapes: the percent sign first.
var (
	escapeData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	escapeProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func data(s string) string     { return escapeData.Replace(unbracketed(s)) }
func property(s string) string { return escapeProperty.Replace(unbracketed(s)) }
