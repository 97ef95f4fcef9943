package reports

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"telltale/exposure"
	"telltale/flow/plain"
)

// csvHeader names the columns. They only ever grow at the end.
var csvHeader = []string{
	"host", "verdict", "rule", "category", "flows", "violating", "unread", "bytes_sent", "bytes_received",
	"first", "last", "apps", "policy_file", "policy_line", "policy_text", "known",
	"company", "product", "country", "purpose", "noise", "every_seconds", "told", "altered", "experiments",
}

// writeCSV writes one row for each host, in the order of the JSON (RFC 4180).
// Text that a spreadsheet would run as a formula gets a leading apostrophe.
func writeCSV(w io.Writer, r *Report) error {
	r = r.indexed()
	told := kindsByHost(r)
	out := csv.NewWriter(w)
	out.UseCRLF = true
	if err := out.Write(csvHeader); err != nil {
		return err
	}
	var experiments []string // of the audit
	for _, e := range r.Summary.Experiments {
		experiments = append(experiments, e.Name)
	}
	known := map[string]int{} // violations that the baseline has, by host
	for _, v := range r.Summary.Waivers {
		if v.Finding.Known {
			known[v.Finding.Host]++
		}
	}
	text := func(s string) string { return spreadsheetCell(plain.Text(r.mask(s))) }
	for _, h := range r.Summary.Hosts {
		apps := make([]string, len(h.Apps))
		for i, app := range h.Apps {
			apps[i] = r.mask(app)
		}
		line := ""
		if h.Source.Line > 0 {
			line = strconv.Itoa(h.Source.Line)
		}
		who, every := r.whois(h.Name), ""
		if h.Rhythm.Count > 0 {
			every = strconv.FormatFloat(h.Rhythm.Every.Seconds(), 'f', -1, 64)
		}
		if err := out.Write([]string{
			text(h.Name), string(h.Verdict), string(h.Rule), text(h.Category),
			strconv.Itoa(h.Flows), strconv.Itoa(h.Violating), strconv.Itoa(h.Unread),
			strconv.FormatInt(h.BytesSent, 10), strconv.FormatInt(h.BytesReceived, 10),
			csvTime(h.First), csvTime(h.Last), text(strings.Join(apps, " | ")),
			text(h.Source.File), line, text(h.Source.Text), strconv.Itoa(known[h.Name]),
			text(who.Company), text(who.Product), text(who.Country), text(who.Purpose), string(noiseOf(h.Name)), every,
			text(strings.Join(told[h.Name], " | ")), strconv.Itoa(h.Altered), text(strings.Join(experiments, " | ")),
		}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// kindsByHost lists the kinds of identifiers that each host was told.
func kindsByHost(r *Report) map[string][]string {
	out := map[string][]string{}
	for _, kind := range exposure.KindsOf(r.Summary.Trails) {
		for _, t := range r.Summary.Trails {
			for _, host := range t.Hosts {
				if t.Kind == kind && !slices.Contains(out[host], kind) {
					out[host] = append(out[host], kind)
				}
			}
		}
	}
	return out
}

// csvTime writes a time in RFC 3339, UTC; an unknown one is empty.
func csvTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
