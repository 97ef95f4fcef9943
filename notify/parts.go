package notify

import (
	"fmt"
	"strings"
)

// request is what was asked of the host: method and URL.
func (item Item) request() string {
	return strings.TrimSpace(item.Method + " " + item.URL)
}

// facts are what is known of a violation beside its host, in the order in which people ask:
// which rule, how often, who, in which phase, when. The names of devices and phases pass
// through quote.
func (item Item) facts(quote func(string) string) string {
	parts := []string{item.Rule}
	if item.Severity != "" && item.Severity != "error" {
		parts[0] += " (" + item.Severity + ")"
	}
	if s := times(item); s != "" {
		parts = append(parts, s)
	}
	if len(item.Devices) > 0 {
		parts = append(parts, "from "+list(item.Devices, quote))
	}
	switch len(item.Phases) {
	case 0:
	case 1:
		parts = append(parts, "in the phase "+list(item.Phases, quote))
	default:
		parts = append(parts, "in the phases "+list(item.Phases, quote))
	}
	if s := when(item.First, item.Last); s != "" {
		parts = append(parts, s)
	}
	return strings.Join(parts, " · ")
}

func list(names []string, quote func(string) string) string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = quote(name)
	}
	return strings.Join(out, ", ")
}

// rest says how many violations are not listed, "" for none.
func (m Message) rest() string {
	if m.More == 0 {
		return ""
	}
	return "And " + counted(m.More, "more violation") + "."
}

// source says where the message comes from.
func (m Message) source(quote func(string) string) string {
	var parts []string
	if m.Capture != "" {
		parts = append(parts, quote(m.Capture))
	}
	if m.Audit != "" {
		parts = append(parts, "audit "+quote(m.Audit))
	}
	if s := when(m.First, m.Last); s != "" {
		parts = append(parts, s)
	}
	return "telltale · " + strings.Join(parts, " · ")
}

// number is what an item is acknowledged by, in words.
func (item Item) number() string { return fmt.Sprintf("Its number is %s.", item.ID) }

func asItIs(s string) string { return s }

// color of a message, as 0xRRGGBB: red for errors and trouble, amber for warnings, blue for
// the rest.
func (m Message) color() int {
	switch {
	case m.Severity == "error", m.Kind == "trouble":
		return 0xd13438
	case m.Severity == "warning":
		return 0xf2a100
	}
	return 0x2878bd
}
