package cmd

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"telltale/flow/plain"
	"telltale/reports"
	"telltale/resend"
)

// resendPrinter prints results as they come, and counts what is said at the end.
type resendPrinter struct {
	s       *streams
	lines   *json.Encoder // nil for text
	mask    func(string) string
	without map[string]int // requests that were sent without a credential, by its name
	reasons map[string]int // requests that were not sent
}

func newResendPrinter(s *streams, format string, mask func(string) string) *resendPrinter {
	p := &resendPrinter{s: s, mask: mask, without: map[string]int{}, reasons: map[string]int{}}
	if format == "json" {
		p.lines = reports.NewLines(s.out)
	}
	return p
}

// result prints one.
func (p *resendPrinter) result(r resend.Result) {
	if r.Outcome == resend.NotSent {
		p.reasons[r.Reason]++
	} else {
		for _, name := range r.Without {
			p.without[name]++
		}
	}
	if p.lines != nil {
		_ = p.lines.Encode(p.document(r))
		return
	}
	p.text(r)
}

// text prints a result for people. Those that were not sent are counted at the end.
func (p *resendPrinter) text(r resend.Result) {
	if r.Outcome == resend.NotSent {
		return
	}
	status := "-"
	if r.Outcome != resend.Failed {
		status = fmt.Sprint(r.Now.Status)
	}
	fmt.Fprintf(p.s.out, "%-8s %-7s %-4s %s\n", r.Outcome, plain.Text(r.Method), status, p.url(r.URL))
	if r.Outcome == resend.Failed {
		fmt.Fprintf(p.s.out, "         %s\n", p.safe(r.Reason))
	}
	for _, why := range r.Why {
		fmt.Fprintf(p.s.out, "         %s\n", p.safe(why))
	}
	for _, path := range r.Paths {
		fmt.Fprintf(p.s.out, "           %s\n", p.safe(path))
	}
	if len(r.Without) > 0 {
		fmt.Fprintf(p.s.out, "         sent without %s\n", p.safe(shortList(slices.Clone(r.Without))))
	}
}

func (p *resendPrinter) url(s string) string { return plain.Text(reports.URL(s, p.mask)) }

func (p *resendPrinter) safe(s string) string {
	if p.mask != nil {
		s = p.mask(s)
	}
	return plain.Text(s)
}

func (p *resendPrinter) all(list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		if p.mask != nil {
			s = p.mask(s)
		}
		out = append(out, s)
	}
	return out
}

// answerJSON is an answer for programs.
type answerJSON struct {
	Status int    `json:"status"`
	Type   string `json:"type"`
	Size   int64  `json:"size"`
}

// resultJSON is a result for programs.
type resultJSON struct {
	Event    string      `json:"event"`
	Flow     int64       `json:"flow"`
	Method   string      `json:"method"`
	URL      string      `json:"url"`
	Outcome  string      `json:"outcome"`
	Reason   string      `json:"reason,omitempty"`
	Without  []string    `json:"without"`
	Recorded *answerJSON `json:"recorded,omitempty"`
	Now      *answerJSON `json:"now,omitempty"`
	Missing  []string    `json:"missing_headers,omitempty"`
	Added    []string    `json:"added_headers,omitempty"`
	Body     string      `json:"body,omitempty"`
	Note     string      `json:"note,omitempty"`
	Paths    []string    `json:"paths,omitempty"`
	Why      []string    `json:"why"`
	Took     float64     `json:"took"`
}

func (p *resendPrinter) document(r resend.Result) resultJSON {
	out := resultJSON{
		Event: "result", Flow: int64(r.Flow), Method: r.Method, URL: reports.URL(r.URL, p.mask), Outcome: r.Outcome, Reason: strings.Join(p.all([]string{r.Reason}), ""),
		Without: p.all(r.Without), Missing: r.Missing, Added: r.Added, Body: r.Body, Note: r.Note, Paths: p.all(r.Paths), Why: p.all(r.Why),
		Took: r.Took.Round(time.Microsecond).Seconds(),
	}
	if r.Outcome == resend.Same || r.Outcome == resend.Differs {
		out.Recorded, out.Now = p.answer(r.Recorded), p.answer(r.Now)
	}
	return out
}

func (p *resendPrinter) answer(a resend.Answer) *answerJSON {
	return &answerJSON{a.Status, strings.Join(p.all([]string{a.ContentType}), ""), a.Size}
}

// summary prints the end.
func (p *resendPrinter) summary(host string, sum resend.Summary) {
	if sum.Unused != "" {
		p.s.say("warning: no request has a credential called %s; --secret replaces those of a name", p.safe(sum.Unused))
	}
	if p.lines != nil {
		_ = p.lines.Encode(map[string]any{
			"event": "summary", "host": host, "sent": sum.Sent(), "same": sum.Same, "differs": sum.Differ, "failed": sum.Failed, "not_sent": sum.NotSent, "limited": sum.Limited,
		})
		return
	}
	p.s.say("sent %s to %s: %d the same, %d different, %d without an answer", plural(sum.Sent(), "request"), host, sum.Same, sum.Differ, sum.Failed)
	for _, reason := range byCount(p.reasons) {
		p.s.say("  not sent: %s: %s", plural(p.reasons[reason], "request"), p.safe(reason))
	}
	if sum.Limited {
		p.s.say("  not sent: those beyond --limit")
	}
	for i, name := range byCount(p.without) {
		if i == maxHostsSaid {
			break
		}
		p.s.say("  sent without %s: %s; give one with --secret NAME=env:VARIABLE", p.safe(name), plural(p.without[name], "request"))
	}
}

// byCount returns the keys with the highest counts first.
func byCount(counts map[string]int) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
}
