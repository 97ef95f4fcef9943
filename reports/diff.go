package reports

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"telltale/capture"
	"telltale/compare"
	"telltale/policy"
)

// DiffSchema names the shape of the JSON of a comparison. Keys may be added under the
// same name; none changes its meaning.
const DiffSchema = "telltale.diff/1"

// Diff is everything that a document on two captures may say. It is not changed by
// writing, and what it promises is what a [Report] does.
type Diff struct {
	Tool          Tool
	Generated     time.Time // see [Now]
	Policy        PolicyInfo
	Before, After Side
	Comparison    compare.Comparison
	// Command is the command line that was run, quoted for a shell, without secrets.
	Command string

	Reveal bool                // show secrets; Mask is then not called
	Mask   func(string) string // hides never-send values; nil hides nothing
	Color  bool                // use the terminal's colours; text only
	Width  int                 // columns of the terminal, 0 for 80; text only
}

// Side is one side of a comparison.
type Side struct {
	Captures []CaptureInfo
	Summary  capture.Summary
	Warnings []string // why it is worth little: see [WarningsOf]
}

// A DiffFormat is one kind of document on a comparison.
type DiffFormat struct {
	Name  string // as --format takes it
	Ext   string // of file names, with the dot, lower case
	Help  string // what it is for, in a few words
	Write func(w io.Writer, d *Diff) error
}

// DiffFormats lists every format of a comparison. It is the only list.
var DiffFormats = []DiffFormat{
	{Name: "text", Ext: ".txt", Help: "what changed, as on the terminal", Write: writeDiffText},
	{Name: "markdown", Ext: ".md", Help: "what changed, ready to paste into the issue that asked for it", Write: writeDiffMarkdown},
	{Name: "json", Ext: ".json", Help: "everything, for programs", Write: writeDiffJSON},
}

// DiffByName returns the format of this name.
func DiffByName(name string) (DiffFormat, bool) {
	for _, f := range DiffFormats {
		if f.Name == name {
			return f, true
		}
	}
	return DiffFormat{}, false
}

// DiffByFile returns the format that a file's name asks for. An unknown extension is
// an error that names the known ones.
func DiffByFile(path string) (DiffFormat, error) {
	known := make([]string, len(DiffFormats))
	for i, f := range DiffFormats {
		if strings.EqualFold(f.Ext, filepath.Ext(path)) {
			return f, nil
		}
		known[i] = fmt.Sprintf("%s (%s)", f.Ext, f.Name)
	}
	return DiffFormat{}, fmt.Errorf("report %q: a comparison has no format of this extension, expected one of %s", path, strings.Join(known, ", "))
}

// WriteDiffFile writes d to a file in the format that its name asks for, as
// [WriteFile] does.
func WriteDiffFile(path string, d *Diff) error {
	format, err := DiffByFile(path)
	if err != nil {
		return err
	}
	mode := shared
	if d.Reveal {
		mode = private
	}
	if err := replace(path, mode, func(w io.Writer) error { return format.Write(w, d) }); err != nil {
		return fmt.Errorf("write report %q: %w", path, cause(err))
	}
	return nil
}

// side returns one side as a report, which knows how to say most of what there is to
// be said of it.
func (d *Diff) side(s Side) *Report {
	return &Report{
		Tool: d.Tool, Generated: d.Generated, Policy: d.Policy, Captures: s.Captures, Summary: s.Summary, Warnings: s.Warnings,
		Reveal: d.Reveal, Mask: d.Mask, Color: d.Color, Width: d.Width,
	}
}

// newest returns the side that has a violation: the one after, if both do.
func (d *Diff) newest(v *compare.Violation) *Report {
	if v.After != nil {
		return d.side(d.After)
	}
	return d.side(d.Before)
}

// verdictOf is what a side says of a host; "" where it was not contacted.
func verdictOf(h *capture.Host) policy.Verdict {
	if h == nil {
		return policy.Unjudged
	}
	return h.Verdict
}
