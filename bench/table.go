package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A row is one line of the results.
type row struct {
	scenario, subject string
	cost              string // CPU or time of one operation
	rate              string
	peak              string  // memory of the process at its peak
	ratio             string  // against the smallest interceptor, or the measured value itself
	share             float64 // of the base's CPU time or rate, whichever is worse; 0 for the base
	wanted            string  // the limit; "" where there is none
	met               bool    // whether it keeps to the limit
}

// verdict says in a word whether the limit is met.
func (r row) verdict() string {
	switch {
	case r.wanted == "":
		return ""
	case r.met:
		return "met"
	}
	return "**short**"
}

// table renders rows as Markdown, aligned so that a terminal shows it as well.
func table(rows []row) string {
	lines := [][]string{{"scenario", "subject", "cost", "rate", "peak memory", "result", "wanted", ""}}
	for _, r := range rows {
		lines = append(lines, []string{r.scenario, r.subject, r.cost, r.rate, r.peak, r.ratio, r.wanted, r.verdict()})
	}
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var text strings.Builder
	for n, line := range lines {
		for i, cell := range line {
			fmt.Fprintf(&text, "| %s%s ", cell, strings.Repeat(" ", widths[i]-len([]rune(cell))))
		}
		text.WriteString("|\n")
		if n > 0 {
			continue
		}
		for _, width := range widths {
			text.WriteString("| " + strings.Repeat("-", max(width, 3)) + " ")
		}
		text.WriteString("|\n")
	}
	return text.String()
}

// machine describes what the numbers were made on.
func machine() string {
	model := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(info), "model name"); ok {
			line, _, _ := strings.Cut(rest, "\n")
			model = strings.TrimLeft(line, "\t: ")
		}
	}
	text := fmt.Sprintf("%s, %d cores of %s, %s, %s", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), model, runtime.GOOS, runtime.Version())
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		one, _, _ := strings.Cut(string(load), " ")
		text += ", load average at the end " + one
	}
	return text + "."
}

// The markers between which a document holds results.
const (
	beginMark = "<!-- bench: begin -->"
	endMark   = "<!-- bench: end -->"
)

// insert replaces what stands between the markers of a document.
func insert(document, text string) error {
	old, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(old), beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !begun || !ended {
		return fmt.Errorf("%s has no lines %s and %s", document, beginMark, endMark)
	}
	text = before + beginMark + "\n" + strings.TrimSpace(text) + "\n" + endMark + after
	return os.WriteFile(document, []byte(text), 0o644)
}

// median returns the middle value; for an even number the mean of the two.
func median[T ~int64 | ~float64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// mebibytes renders a size.
func mebibytes(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

// micros renders a duration of a microsecond and more.
func micros(d time.Duration) string { return fmt.Sprintf("%.1f µs", float64(d)/1e3) }
