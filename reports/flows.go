package reports

import (
	"encoding/csv"
	"io"
	"strconv"

	"telltale/capture"
	"telltale/flow/plain"
)

// flowsHeader names the columns of a list of flows. They only ever grow at the
// end.
var flowsHeader = []string{
	"id", "time", "kind", "mode", "client", "method", "url", "host", "status", "protocol", "outcome", "verdict", "rule",
	"app", "bytes_sent", "bytes_received", "duration_ms", "error", "phase",
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
	return []string{
		strconv.FormatInt(int64(f.ID), 10), csvTime(f.Times.Start), string(f.Kind), text(f.Mode), client, text(f.Method()),
		spreadsheetCell(plain.Text(r.url(f.URL()))), text(f.Host()), strconv.Itoa(f.Status()), text(f.Protocol()), string(f.Outcome),
		string(j.Verdict), string(j.Rule()), text(f.UserAgent()), strconv.FormatInt(f.BytesSent(), 10),
		strconv.FormatInt(f.BytesReceived(), 10), elapsed, text(f.Error), text(f.Phase),
	}
}
