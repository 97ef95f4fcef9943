package reports

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"telltale/flow/plain"
)

// csvHeader names the columns. They only ever grow at the end.
var csvHeader = []string{
	"host", "verdict", "rule", "category", "flows", "violating", "unread", "bytes_sent", "bytes_received",
	"first", "last", "apps", "policy_file", "policy_line", "policy_text", "known",
}

// writeCSV writes one row for each host, in the order of the JSON (RFC 4180).
// Text that a spreadsheet would run as a formula gets a leading apostrophe.
func writeCSV(w io.Writer, r *Report) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	if err := out.Write(csvHeader); err != nil {
		return err
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
		if err := out.Write([]string{
			text(h.Name), string(h.Verdict), string(h.Rule), text(h.Category),
			strconv.Itoa(h.Flows), strconv.Itoa(h.Violating), strconv.Itoa(h.Unread),
			strconv.FormatInt(h.BytesSent, 10), strconv.FormatInt(h.BytesReceived, 10),
			csvTime(h.First), csvTime(h.Last), text(strings.Join(apps, " | ")),
			text(h.Source.File), line, text(h.Source.Text), strconv.Itoa(known[h.Name]),
		}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// csvTime writes a time in RFC 3339, UTC; an unknown one is empty.
func csvTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
