package notify

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"telltale/event"
	"telltale/flow/plain"
	"telltale/policy"
)

// A Composition is what a message says beside its events.
type Composition struct {
	ID string // of the message
	// Counts are the flows of each violation so far, by its ID, as far as they are known: the
	// events of a burst tell only of the first, the tenth, the hundredth … of them.
	Counts map[string]int
	// Acknowledge are the URLs of pages on which a violation can be acknowledged, by its ID.
	Acknowledge map[string]string
	File        string // of the capture, for commands; "" where it is not kept
	Escalated   string // why a second destination is told; ""
	Report      string // Markdown; ""
}

// Bounds of a message. What is longer is cut, and says so with an ellipsis.
const (
	maxItems   = 10   // of a message that people read
	maxKept    = 500  // items of a message
	maxNames   = 5    // devices and phases of an item
	maxName    = 60   // columns of a name
	maxTitle   = 200  // characters
	maxText    = 2000 // of what is said beside the items
	maxProse   = 800  // of an explanation and a remedy
	maxRequest = 300  // of a URL
	maxHost    = 255
)

// Apart parts events so that each part is of one violation, in the order in which they
// appear; what is no violation is a part of its own. An issue has one of them.
func Apart(events []event.Event) [][]event.Event {
	var parts [][]event.Event
	at := map[string]int{}
	for _, e := range events {
		if e.Violation == nil {
			parts = append(parts, []event.Event{e})
			continue
		}
		i, ok := at[e.Violation.ID]
		if !ok {
			i = len(parts)
			at[e.Violation.ID] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], e)
	}
	return parts
}

// Compose makes one message of a burst of events, which belong to one audit. Events of one
// violation become one item. The worst items come first; people get the first ten of many
// to read, programs all. Everything that came from the wire is harmless text in it, and bounded.
func Compose(events []event.Event, about Composition) Message {
	m := Message{ID: about.ID, Escalated: clip(about.Escalated, maxText), Report: about.Report}
	for _, e := range events {
		m.span(e.Time, e.Time)
		m.Audit = cmp.Or(m.Audit, plain.Name(e.Audit, maxName))
		m.Capture = cmp.Or(m.Capture, clip(e.Capture, maxRequest))
		m.Policy = cmp.Or(m.Policy, plain.Name(e.Policy, 2*maxName))
	}
	items := itemsOf(events, about)
	for i := range items {
		m.span(items[i].First, items[i].Last)
		if m.Severity != string(policy.SeverityError) {
			m.Severity = cmp.Or(items[i].Severity, m.Severity)
		}
	}
	m.Items, m.More = items[:min(len(items), maxKept)], max(0, len(items)-maxKept)
	others := othersOf(events)
	m.Kind = kindOf(events)
	m.Title = clip(title(m, others), maxTitle)
	m.Text = clipLines(others.lines(m.Title), maxText)
	m.Next = next(m, about)
	return m
}

// span widens the time of a message.
func (m *Message) span(first, last time.Time) {
	if !first.IsZero() && (m.First.IsZero() || first.Before(m.First)) {
		m.First = first
	}
	if last.After(m.Last) {
		m.Last = last
	}
}

// itemsOf returns the violations of events, the worst first.
func itemsOf(events []event.Event, about Composition) []Item {
	var items []Item
	for _, part := range Apart(events) {
		if part[0].Violation != nil {
			items = append(items, itemOf(part, about))
		}
	}
	slices.SortStableFunc(items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(weight(b.Severity), weight(a.Severity)), cmp.Compare(b.Count, a.Count), a.First.Compare(b.First), cmp.Compare(a.ID, b.ID))
	})
	return items
}

func weight(severity string) int {
	if severity == string(policy.SeverityError) {
		return 1
	}
	return 0
}

// itemOf returns the item of events of one violation. The last event of the highest count
// speaks for them.
func itemOf(events []event.Event, about Composition) Item {
	newest := events[0].Violation
	item := Item{}
	for _, e := range events {
		v := e.Violation
		if v.Count >= newest.Count {
			newest = v
		}
		if item.First.IsZero() || !v.First.IsZero() && v.First.Before(item.First) {
			item.First = v.First
		}
		if v.Last.After(item.Last) {
			item.Last = v.Last
		}
		item.Devices = addName(item.Devices, cmp.Or(e.Device, e.Client))
		item.Phases = addName(item.Phases, e.Phase)
	}
	item.ID, item.Severity = plain.Name(newest.ID, maxName), plain.Name(newest.Severity, maxName)
	item.Rule, item.Category = plain.Name(newest.Rule, maxName), plain.Name(newest.Category, maxName)
	item.Host, item.Method = clip(newest.Host, maxHost), plain.Name(newest.Method, 20)
	item.URL, item.App = clip(newest.URL, maxRequest), plain.Name(newest.App, 2*maxName)
	item.Title = clipProse(newest.Title)
	item.Explanation, item.Remedy = clipProse(newest.Explanation), clipProse(newest.Remedy)
	item.Acknowledge = link(about.Acknowledge[newest.ID])
	item.Count, item.AtLeast = newest.Count, true
	if n, ok := about.Counts[newest.ID]; ok && n >= newest.Count {
		item.Count, item.AtLeast = n, false
	}
	return item
}

// addName adds a name once, up to a few.
func addName(names []string, name string) []string {
	name = plain.Name(name, maxName)
	if name == "" || len(names) >= maxNames || slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// kindOf returns what a message is called by: the most urgent of its events.
func kindOf(events []event.Event) event.Kind {
	for _, kind := range []event.Kind{event.OfViolation, event.OfTrouble, event.OfAction, event.OfSummary, event.OfDevice, event.OfTest} {
		if slices.ContainsFunc(events, func(e event.Event) bool { return e.Kind == kind }) {
			return kind
		}
	}
	return ""
}

// clip returns a text of the wire on one line, harmless, and cut to that many characters.
func clip(s string, most int) string {
	return cut(plain.Text(cutBytes(s, 8*most)), most)
}

// clipProse does so for prose of ours, in which texts of the wire may stand.
func clipProse(s string) string {
	return cut(strings.Join(strings.Fields(strings.Join(plain.Lines(cutBytes(s, 8*maxProse)), " ")), " "), maxProse)
}

func clipLines(lines []string, most int) string {
	var b strings.Builder
	for _, line := range lines {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(line)
	}
	return cut(b.String(), most)
}

// cut returns the first characters of a text, with an ellipsis where there are more.
func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	runes := []rune(s)
	return strings.TrimRight(string(runes[:max(0, most-1)]), " \n\\") + "…"
}

// cutBytes bounds what is looked at, without parting a character.
func cutBytes(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
