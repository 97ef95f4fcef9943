package reports

import (
	"bytes"
	"encoding/csv"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

func TestFlowsCSV(t *testing.T) {
	var b bytes.Buffer
	mask := func(s string) string { return strings.ReplaceAll(s, "geheim", flow.Redacted) }
	write, finish := FlowsCSV(&b, mask)
	flows := flowtest.Number(
		flowtest.Head("https://clients3.google.com/generate_204", flowtest.Phase("before consent")),
		flowtest.Refused("pinned.example"),
		flowtest.Get("https://u:p@a.example/?q=geheim", flowtest.UserAgentOf("=cmd|'/C calc'!A0\x1b[2J"), flowtest.Phase("=geheim\x1b")),
		flowtest.Get("http://open.example/", flowtest.Outcome(flow.Open)),
	)
	for _, f := range flows {
		if err := write(capture.Recorded{Flow: f, Judgement: policy.Judgement{Verdict: policy.Violation, Findings: []policy.Finding{{Rule: policy.Tracker}}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := finish(); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(b.Bytes())).ReadAll()
	if err != nil || len(rows) != 1+len(flows) || !slices.Equal(rows[0], flowsHeader) {
		t.Fatalf("%v: %q", err, rows)
	}
	want := []string{"1", "2026-11-20T12:00:00Z", "http", "http", "192.168.1.23", "HEAD", "https://clients3.google.com/generate_204",
		"clients3.google.com", "204", "HTTP/1.1", "completed", "violation", "tracker", flowtest.UserAgent, "0", "0", "100", "", "before consent",
		"", "", "", "", "", "", "0", "0", "", "", "", "", ""}
	if !slices.Equal(rows[1], want) {
		t.Errorf("got  %q\nwant %q", rows[1], want)
	}
	if rows[2][6] != "https://pinned.example" || rows[2][10] != "client-refused" {
		t.Errorf("a connection that could not be read: %q", rows[2])
	}
	if rows[3][6] != "https://[redacted]@a.example/?q=[redacted]" || rows[3][13] != `'=cmd|'/C calc'!A0\x1b[2J` || rows[3][18] != `'=[redacted]\x1b` {
		t.Errorf("a hostile flow: %q", rows[3])
	}
	if rows[4][16] != "" {
		t.Errorf("an open flow has the duration %q", rows[4][16])
	}
}

// TestFlowsCSVOfPackets checks what has no request. Names and answers come from the wire.
func TestFlowsCSVOfPackets(t *testing.T) {
	var b bytes.Buffer
	write, finish := FlowsCSV(&b, func(s string) string { return strings.ReplaceAll(s, "geheim", flow.Redacted) })
	hostile := flowtest.DNS("geheim.example\x1b[2J", flowtest.Question("TXT", "NOERROR"), flowtest.Answers("=cmd|'/C calc'!A0", "\u202egeheim"))
	for _, f := range flowtest.Number(append(deviceFlows(), hostile)...) {
		if err := write(capture.Recorded{Flow: f}); err != nil {
			t.Fatal(err)
		}
	}
	if err := finish(); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(b.Bytes())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range rows[1:] {
		got = append(got, strings.Join(append(row[5:6:6], row[19:]...), " "))
	}
	want := []string{
		"QUERY 10.99.0.1:53   A NOERROR A 192.0.2.10 0 0     ",
		"QUERY 10.99.0.1:53   HTTPS NXDOMAIN  0 0     ",
		"UDP 203.0.113.7:123 time.example NTP    1 1     ",
		"UDP 203.0.113.9:443  QUIC v1    1 0   an Alt-Svc header leads to port 8443  ",
		"PING 203.0.113.9      1 1     ",
		"CONTACT       0 0 Weather com.example.weather   ",
		`QUERY 10.99.0.1:53   TXT NOERROR TXT =cmd|'/C calc'!A0 | TXT \u{202e}[redacted] 0 0     `,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestFlowsCSVWithoutFlows checks that an empty list has its header.
func TestFlowsCSVWithoutFlows(t *testing.T) {
	var b bytes.Buffer
	_, finish := FlowsCSV(&b, nil)
	if err := finish(); err != nil || b.String() != strings.Join(flowsHeader, ",")+"\r\n" {
		t.Errorf("%v: %q", err, b.String())
	}
	_, finish = FlowsCSV(&fullDisk{}, nil)
	if err := finish(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
}
