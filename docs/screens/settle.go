package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// looks is how often in a row a screen must look the same before it counts as drawn.
const looks = 6

// drawn returns a condition: the screen has that many rows, holds every text, and
// has come to rest.
func drawn(rows int, texts []string) func(string) bool {
	last, same := "", 0
	return func(screen string) bool {
		if now := settle(screen); now != last {
			last, same = now, 0
		}
		same++
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return same >= looks && strings.Count(screen, "\n") == rows
	}
}

// points moves the cursor of a list to the first row with a text.
func (s *studio) points(text string) step {
	return func(ctx context.Context) error { return s.terminal.Point(ctx, text) }
}

// No word boundary in front: the end of an escape sequence is a letter.
var (
	clock = regexp.MustCompile(`\d\d:\d\d:\d\d`)
	spans = regexp.MustCompile(`\d+(ms|µs)`)
	rates = regexp.MustCompile(`\d+(\.\d)?/s`)
	taped = regexp.MustCompile(`rec \d+s`)
	ports = regexp.MustCompile(`(\d+\.\d+\.\d+\.\d+:)\d{5}\b`)
	dates = regexp.MustCompile(`20\d\d-\d\d-\d\d\b`)
)

// settle rewrites what is another one in each run, at the same width: times of day
// keep their distances, durations their size, ports and dates nothing.
func settle(screen string) string {
	var first time.Time
	for _, text := range clock.FindAllString(screen, -1) {
		if at, err := time.Parse(time.TimeOnly, text); err == nil && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	screen = clock.ReplaceAllStringFunc(screen, func(text string) string {
		at, err := time.Parse(time.TimeOnly, text)
		if err != nil {
			return text
		}
		return start.Add(at.Sub(first)).Format(time.TimeOnly)
	})
	screen = spans.ReplaceAllStringFunc(screen, func(text string) string {
		digits := strings.TrimRight(text, "msµ")
		return digits[:1] + strings.Repeat("0", len(digits)-1) + text[len(digits):]
	})
	screen = rates.ReplaceAllStringFunc(screen, func(text string) string {
		if len(text) < len("2.0/s") {
			return fmt.Sprintf("%*s", len(text), "2/s")
		}
		return "2.0/s"
	})
	screen = taped.ReplaceAllStringFunc(screen, func(text string) string { return "rec 48s" })
	screen = ports.ReplaceAllString(screen, "${1}52718")
	return dates.ReplaceAllString(screen, start.Format(time.DateOnly))
}

// start is the moment at which every audit in the pictures begins.
var start = time.Date(2026, 11, 21, 10, 32, 7, 0, time.UTC)
