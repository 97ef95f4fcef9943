package filter

import (
	"errors"
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/policy"
)

func probe() (*flow.Flow, policy.Judgement) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f := &flow.Flow{
		ID: 7, Kind: flow.HTTP, Mode: "http", Outcome: flow.Completed, Times: flow.NoTimes(start),
		Server:   flow.Server{Asked: "clients3.google.com:443"},
		Request:  &flow.Request{Method: "HEAD", URL: "https://clients3.google.com/generate_204", Proto: "HTTP/1.1", Header: []flow.Field{flow.NewField("User-Agent", "CovidShield/1.0"), flow.NewField("Cookie", "sid=topsecret")}},
		Response: &flow.Response{Status: 204, Body: flow.Body{Size: 12}},
	}
	f.Times.End = start.Add(300 * time.Millisecond)
	return f, policy.Judgement{Verdict: policy.Violation, Host: f.Host(), Findings: []policy.Finding{{Rule: policy.CaptivePortalProbe}}}
}

func TestMatch(t *testing.T) {
	for expression, want := range map[string]bool{
		``:                              true,
		`host == "clients3.google.com"`: true,
		`host endsWith ".google.com" and status == 204`:            true,
		`method in ["GET", "POST"]`:                                false,
		`duration > 250`:                                           true,
		`duration > 350`:                                           false,
		`verdict == "violation" && rule == "captive-portal-probe"`: true,
		`app matches "^Covid"`:                                     true,
		`size > 11 and received == 12`:                             true,
		`headers contains "CovidShield"`:                           true,
		`headers contains "topsecret"`:                             false,
		`path == "/generate_204" and id == 7 and port == "443"`:    true,
	} {
		m, err := Parse(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got, err := m.Match(probe()); got != want || err != nil {
			t.Errorf("%s: got %v, %v; want %v", expression, got, err, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	for expression, want := range map[string]string{
		`hots == "x"`:       "column 1: unknown field hots; did you mean host?",
		`status == "x"`:     "column 8",
		`host ==`:           "column",
		`host == "x" and (`: "column",
	} {
		_, err := Parse(expression)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", expression, err, want)
		}
	}
}

func TestFailureWhileRunning(t *testing.T) {
	m, err := Parse(`id % (id - 7) == 0`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Match(probe()); err == nil {
		t.Error("a division by zero passed for an answer")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`host == "a" and status > 3`)
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := Parse(s); err == nil {
			_, _ = m.Match(probe())
		}
	})
}
