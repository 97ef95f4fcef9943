package cmd

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"telltale/capture"
	"telltale/intake"
	"telltale/policy"
	"telltale/reports"
)

// reportFlags say what is written about an audit.
type reportFlags struct {
	files      []string
	reveal     bool
	allowEmpty bool
	quiet      bool
	noColor    bool
	capture    string    // that the report is of, and its exports go with; "" for none of ours, or several
	expires    time.Time // of the capture; zero: it does not, or nobody knows
}

func (r *reportFlags) register(c *cobra.Command) {
	c.Flags().StringArrayVar(&r.files, "report", nil, "write a report to `file`; its extension gives the format ("+extensions()+"); repeatable")
	c.Flags().BoolVar(&r.reveal, "reveal", false, "show credentials and never-send values in reports instead of [redacted]")
	c.Flags().BoolVar(&r.allowEmpty, "allow-empty", false, "accept an audit that saw no flow")
	c.Flags().BoolVarP(&r.quiet, "quiet", "q", false, "print nothing but errors and warnings")
	c.Flags().BoolVar(&r.noColor, "no-color", false, "print without colours (also: NO_COLOR)")
}

func extensions() string {
	all := make([]string, len(reports.Formats))
	for i, f := range reports.Formats {
		all[i] = f.Ext
	}
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return s == "" }), ", ")
}

// validate refuses report files that could not be written before any work is
// done: an hour of audit is not to end with a misspelt folder.
func (r *reportFlags) validate() error {
	for _, file := range r.files {
		if _, err := reports.ByFile(file); err != nil {
			return err
		}
		if err := reportFolder(file); err != nil {
			return err
		}
	}
	return nil
}

// reportFolder refuses a report file whose folder does not exist.
func reportFolder(file string) error {
	folder := filepath.Dir(file)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return withHint(fmt.Errorf("cannot write the report %s: there is no folder %s", file, folder), "mkdir -p %s", quote(folder))
	}
	return nil
}

// spare refuses to write a report over what it is made of.
func spare(files []string, in *intake.Set, others ...string) error {
	for _, file := range files {
		if in.Holds(file) {
			return errReplaces(file)
		}
	}
	return spareFiles(files, others)
}

// spareFiles is spare without captures.
func spareFiles(files, others []string) error {
	for _, file := range files {
		for _, other := range others {
			if sameFile(file, other) {
				return errReplaces(file)
			}
		}
	}
	return nil
}

func errReplaces(file string) error {
	return withHint(fmt.Errorf("the report %s would replace what it is made of", file), "name another file")
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// document assembles what every format needs.
func (r *reportFlags) document(pol *policy.Policy, allow []string, sum capture.Summary, captures []reports.CaptureInfo) *reports.Report {
	return &reports.Report{
		Tool:      reports.Tool{Name: "telltale", Version: version()},
		Generated: reports.Now(),
		Policy:    policyInfo(pol, allow),
		Captures:  captures,
		Verdict:   reports.VerdictOf(sum, captures, r.allowEmpty),
		Summary:   sum,
		Reveal:    r.reveal,
		Mask:      masker(pol, r.reveal),
		MaskBody:  pol.MaskBody,
		Leaks:     pol.Leaks,
		Diagnose:  diagnose(pol, sum, masker(pol, r.reveal), time.Time{}),
		Width:     80,
	}
}

// policyInfo says which policy judged, and what --allow adds to it.
func policyInfo(pol *policy.Policy, allow []string) reports.PolicyInfo {
	return reports.PolicyInfo{Name: pol.Name(), File: pol.File(), Digest: pol.Digest(), Allow: allow}
}

// masker hides the policy's never-send values, unless the user asked to see them:
// then it is nil.
func masker(pol *policy.Policy, reveal bool) func(string) string {
	if reveal {
		return nil
	}
	return pol.Mask
}

// writeAll writes the reports that were asked for and says so.
func (r *reportFlags) writeAll(s *streams, doc *reports.Report) (failed bool) {
	written, troubles := r.write(doc)
	for _, err := range troubles {
		s.complain(err)
	}
	for _, file := range written {
		if !r.quiet {
			s.say("wrote %s", file)
		}
	}
	return len(troubles) > 0
}

// write writes the reports that were asked for. One that fails does not keep the
// others from being written.
func (r *reportFlags) write(doc *reports.Report) (written []string, troubles []error) {
	for _, file := range r.files {
		if err := r.writeFile(file, doc); err != nil {
			troubles = append(troubles, err)
			continue
		}
		written = append(written, file)
	}
	return written, troubles
}

// pointToDoctor names the command that says why connections could not be read, where
// something stood in the way.
func (r *reportFlags) pointToDoctor(s *streams, doc *reports.Report, captures []string) {
	if r.quiet || len(captures) == 0 || slices.Contains(captures, intake.StandardInput) {
		return
	}
	e := reports.Examination{Report: doc}
	if e.Verdict() != reports.Unread {
		return
	}
	words := []string{"telltale doctor"}
	for _, capture := range captures {
		words = append(words, quote(capture))
	}
	if doc.Policy.File != "" && doc.Policy.File != defaultPolicy {
		words = append(words, "--policy", quote(doc.Policy.File))
	}
	s.say("hint: what keeps connections from being read: %s", strings.Join(words, " "))
}

// show writes the document to w in the named format, "none" for nothing.
func (r *reportFlags) show(w io.Writer, format string, doc *reports.Report) error {
	if r.quiet || format == "none" {
		return nil
	}
	f, ok := reports.ByName(format)
	if !ok {
		return fmt.Errorf("unknown format %q", format)
	}
	onScreen := *doc
	onScreen.Color, onScreen.Width = colour(w, r.noColor), width(w)
	return printTo(w, f.Name, func(w io.Writer) error { return f.Write(w, &onScreen) })
}
