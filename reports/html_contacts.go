package reports

import (
	"fmt"
	"strings"
	"time"

	"telltale/capture"
	"telltale/flow/plain"
)

// contactPart is the charts and the table of hosts.
type contactPart struct {
	Time     *timeChart
	Owners   *ownerChart
	Rows     []hostRow
	More     int
	Verdicts []string // of the rows, the heaviest first, for the filter
	Sparks   bool     // some rows have a drawing
	Note     string
}

type hostRow struct {
	Host, Verdict, Kind string
	Weight              int
	Rule                string
	About               string // category and programs
	Decided             string // sentence
	Flows               int
	Unread, Altered     int
	Sent, Received      string
	SentBytes           int64
	ReceivedBytes       int64
	First, Last         string
	Noise               string // that devices contact it by themselves; "" for no
	Spark               string // path of a drawing of its activity, "" without one
}

// sparkRows is how many hosts have a drawing: it is there to be looked at.
const sparkRows = 300

func newContactPart(r *Report) contactPart {
	s := r.Summary
	part := contactPart{Time: newTimeChart(s), Owners: newOwnerChart(r), Note: contentNote}
	hosts := heaviestFirst(s.Hosts)
	for i, h := range hosts[:min(len(hosts), pageRows)] {
		row := newHostRow(r, h)
		if i < sparkRows {
			row.Spark = spark(h.Activity, s)
			part.Sparks = part.Sparks || row.Spark != ""
		}
		if n := len(part.Verdicts); n == 0 || part.Verdicts[n-1] != row.Verdict {
			part.Verdicts = append(part.Verdicts, row.Verdict)
		}
		part.Rows = append(part.Rows, row)
	}
	part.More = len(hosts) - len(part.Rows)
	if notesNoise(hosts) {
		part.Note += " " + noiseNote
	}
	return part
}

func newHostRow(r *Report, h capture.Host) hostRow {
	row := hostRow{
		Host: r.short(h.Name, maxHost), Verdict: plain.Text(string(h.Verdict)), Kind: kindOf(h.Verdict), Weight: h.Verdict.Weight(),
		Rule: r.short(string(h.Rule), maxHost), Decided: decided(r, h.Source, inHTML), Flows: h.Flows, Unread: h.Unread, Altered: h.Altered,
		Sent: size(h.BytesSent), Received: size(h.BytesReceived), SentBytes: h.BytesSent, ReceivedBytes: h.BytesReceived,
		First: tableTime(h.First), Last: tableTime(h.Last), Noise: noiseWords(h.Name),
	}
	if row.Verdict == "" {
		row.Verdict = "not judged"
	}
	var about []string
	if who := r.whois(h.Name); who.Company != "" {
		about = append(about, r.short(who.Company, maxHost))
	}
	if h.Category != "" {
		about = append(about, r.short(h.Category, maxHost))
	}
	for i, app := range h.Apps {
		if i == 2 {
			about = append(about, fmt.Sprintf("and %d more", len(h.Apps)-i))
			break
		}
		about = append(about, r.short(app, 80))
	}
	row.About = strings.Join(about, " · ")
	return row
}

// spark draws when a host was contacted, on a field of 72 by 16, with the time of
// the whole audit as its width.
func spark(a capture.Activity, s capture.Summary) string {
	whole := s.Activity
	if len(a.Counts) == 0 || len(whole.Counts) == 0 {
		return ""
	}
	const columns, width, height = 24, 3, 16
	to := whole.Start.Add(whole.Width * time.Duration(len(whole.Counts)))
	row := a.Spread(whole.Start, to, columns)
	peak := 0
	for _, n := range row {
		peak = max(peak, n)
	}
	if peak == 0 {
		return ""
	}
	var b strings.Builder
	for i, n := range row {
		if n > 0 {
			h := max(height*n/peak, 2)
			fmt.Fprintf(&b, "M%d %dv-%dh2v%dz", i*width, height, h, h) // as SVG 2, 9.3 has it
		}
	}
	return b.String()
}
