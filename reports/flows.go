package reports

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/plain"
)

// flowsHeader names the columns of a list of flows. They only ever grow at the
// end.
var flowsHeader = []string{
	"id", "time", "kind", "mode", "client", "method", "url", "host", "status", "protocol", "outcome", "verdict", "rule",
	"app", "bytes_sent", "bytes_received", "duration_ms", "error", "phase",
	"destination", "resolved", "speech", "dns_type", "dns_code", "dns_answers", "datagrams_sent", "datagrams_received",
	"app_name", "app_id", "notes", "altered", "experiments",
}

// FlowsCSV returns what writes a list of flows, one row each, as they come
// (RFC 4180), and what ends it. Texts go through mask, and the user's name and
// password in a URL are redacted, unless mask is nil.
func FlowsCSV(w io.Writer, mask func(string) string) (write func(capture.Recorded) error, finish func() error) {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	r := &Report{Mask: mask, Reveal: mask == nil}
	begun := false
	begin := func() error {
		if begun {
			return nil
		}
		begun = true
		return out.Write(flowsHeader)
	}
	write = func(seen capture.Recorded) error {
		if err := begin(); err != nil {
			return err
		}
		return out.Write(flowRow(r, seen))
	}
	finish = func() error {
		if err := begin(); err != nil {
			return err
		}
		out.Flush()
		return out.Error()
	}
	return write, finish
}

func flowRow(r *Report, seen capture.Recorded) []string {
	f, j := r.withoutUser(seen.Flow), seen.Judgement
	text := func(s string) string { return spreadsheetCell(plain.Text(r.mask(s))) }
	client := ""
	if f.Client.Addr.IsValid() {
		client = f.Client.Addr.Addr().String()
	}
	elapsed := ""
	if !f.Times.End.IsZero() {
		elapsed = strconv.FormatFloat(f.Duration().Seconds()*1000, 'f', -1, 64)
	}
	row := []string{
		strconv.FormatInt(int64(f.ID), 10), csvTime(f.Times.Start), text(string(f.Kind)), text(f.Mode), client, text(f.Method()),
		spreadsheetCell(plain.Text(r.url(f.URL()))), text(f.Host()), strconv.Itoa(f.Status()), text(f.Protocol()), text(string(f.Outcome)),
		string(j.Verdict), string(j.Rule()), text(f.UserAgent()), strconv.FormatInt(f.BytesSent(), 10),
		strconv.FormatInt(f.BytesReceived(), 10), elapsed, text(f.Error), text(f.Phase),
	}
	return append(row, packetCells(f, text)...)
}

// packetCells are the columns on what has no request: packets, questions of DNS, and
// what somebody else saw.
func packetCells(f *flow.Flow, text func(string) string) []string {
	q := flow.Question{}
	if f.DNS != nil {
		q = *f.DNS
	}
	answers := make([]string, len(q.Answers))
	for i, a := range q.Answers {
		answers[i] = a.Type + " " + a.Data
	}
	return []string{
		f.Server.AddressedTo(), text(f.Server.Resolved), text(f.Speech), text(q.Type), text(q.Code), text(strings.Join(answers, " | ")),
		strconv.FormatInt(f.DatagramsSent, 10), strconv.FormatInt(f.DatagramsReceived, 10), text(f.Client.App.Name), text(f.Client.App.ID),
		text(strings.Join(f.Notes, " | ")), text(strings.Join(f.Altered, " | ")), text(strings.Join(f.Experiments, " | ")),
	}
}
