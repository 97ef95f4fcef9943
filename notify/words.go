package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"telltale/event"
	"telltale/flow/plain"
)

// others are the events of a message that are no violations.
type others struct {
	trouble, action, test []string
	devices               []string
	summary               *event.Summary
	policy                string
}

func othersOf(events []event.Event) others {
	var o others
	add := func(list *[]string, text string) {
		if text != "" && !slices.Contains(*list, text) && len(*list) < maxItems {
			*list = append(*list, text)
		}
	}
	for _, e := range events {
		o.policy = cmp.Or(o.policy, plain.Name(e.Policy, maxName))
		text := clipProse(e.Message)
		switch e.Kind {
		case event.OfTrouble:
			add(&o.trouble, cmp.Or(text, "it does not say which"))
		case event.OfAction:
			add(&o.action, cmp.Or(text, "a program asks for attention"))
		case event.OfTest:
			add(&o.test, cmp.Or(text, "Somebody tries whether messages arrive here. They do."))
		case event.OfDevice:
			name, address := plain.Name(e.Device, maxName), plain.Name(e.Client, maxName)
			if name != "" && address != "" && name != address {
				name += " (" + address + ")"
			}
			add(&o.devices, cmp.Or(name, address, "without a name"))
		case event.OfSummary:
			o.summary = e.Summary
		}
	}
	return o
}

// lines say the whole of it, but what stands in the title.
func (o others) lines(title string) []string {
	var lines []string
	for _, text := range slices.Concat(o.trouble, o.action, o.test) {
		if !strings.Contains(strings.ToLower(title), strings.ToLower(text)) {
			lines = append(lines, text)
		}
	}
	if s := o.summary; s != nil {
		lines = append(lines, fmt.Sprintf("%s to %s. %s.", counted(s.Flows, "flow"), counted(s.Hosts, "host"), verdict(s)))
	}
	if len(o.devices) > 1 {
		lines = append(lines, "New devices: "+strings.Join(o.devices, ", "))
	}
	return lines
}

// verdict says what a whole audit found.
func verdict(s *event.Summary) string {
	switch s.Verdict {
	case "clean":
		if with := withExperiments(s); with != "" {
			return "Nothing breaks the policy" + with + ": what an altered flow shows is what the app does in an experiment"
		}
		return "Nothing breaks the policy"
	case "inconclusive":
		return "This proves nothing: no flow was recorded that could be judged"
	}
	return fmt.Sprintf("%s in %s%s", counted(s.Violations, "violation"), counted(s.Violating, "flow"), withExperiments(s))
}

// maxNamedExperiments is how many experiments a message names.
const maxNamedExperiments = 4

// withExperiments is what the verdict on an audit never stands without where experiments
// were on, "" where none was.
func withExperiments(s *event.Summary) string {
	var names []string
	for _, name := range s.Experiments[:min(len(s.Experiments), maxNamedExperiments)] {
		names = append(names, plain.Name(name, maxName))
	}
	if len(names) == 0 {
		return ""
	}
	if more := len(s.Experiments) - len(names); more > 0 {
		names = append(names, number(more)+" more")
	}
	return ", with experiments: " + strings.Join(names, ", ")
}

// title is what a message says in one line.
func title(m Message, o others) string {
	var parts []string
	if len(o.trouble) > 0 {
		parts = append(parts, "telltale cannot do its work: "+o.trouble[0])
	}
	if len(m.Items) > 0 {
		parts = append(parts, violationsTitle(m))
	}
	if len(o.action) > 0 {
		parts = append(parts, o.action[0])
	}
	if o.summary != nil {
		parts = append(parts, summaryTitle(o))
	}
	switch {
	case len(o.devices) == 1:
		parts = append(parts, "new device: "+o.devices[0])
	case len(o.devices) > 1:
		parts = append(parts, counted(len(o.devices), "new device"))
	}
	if len(o.test) > 0 {
		parts = append(parts, "a test of telltale's messages")
	}
	s := capital(strings.Join(parts, "; "))
	if m.Escalated != "" {
		return "Not acknowledged — " + s
	}
	return s
}

// maxTitleHosts is how many hosts a title names.
const maxTitleHosts = 3

func violationsTitle(m Message) string {
	var hosts []string
	for _, item := range m.Items[:min(len(m.Items), maxTitleHosts)] {
		hosts = append(hosts, cut(item.Host, maxName)+" ("+item.Rule+")")
	}
	count := len(m.Items) + m.More
	s := counted(count, "violation")
	if m.Policy != "" {
		s += " of “" + plain.Name(m.Policy, maxName) + "”"
	}
	s += ": " + strings.Join(hosts, ", ")
	if more := count - len(hosts); more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	if device := onlyDevice(m.Items); device != "" {
		s = device + ": " + s
	}
	return s
}

// onlyDevice returns the device of all violations, "" where there are several.
func onlyDevice(items []Item) string {
	device := ""
	for i, item := range items {
		if len(item.Devices) != 1 || i > 0 && item.Devices[0] != device {
			return ""
		}
		device = item.Devices[0]
	}
	return device
}

func summaryTitle(o others) string {
	of := ""
	if o.policy != "" {
		of = " of “" + o.policy + "”"
	}
	switch o.summary.Verdict {
	case "clean":
		return "the audit" + of + " has ended: no violation" + withExperiments(o.summary)
	case "inconclusive":
		return "the audit" + of + " has ended and proves nothing"
	}
	return "the audit" + of + " has ended: " + counted(o.summary.Violations, "violation") + withExperiments(o.summary)
}

// next says what to do now. Commands stand between backticks.
func next(m Message, about Composition) string {
	file := shellWord(about.File)
	switch m.Kind {
	case event.OfViolation:
		look := ""
		if file != "" {
			look = "Look at it with `telltale watch " + file + "`. "
		}
		return look + acknowledging(m)
	case event.OfTrouble:
		return "See to the machine that records: until then nothing may be recorded there."
	case event.OfSummary:
		if file != "" {
			return "Read the report: `telltale report " + file + " --report audit.html`."
		}
	}
	return ""
}

// acknowledging says how somebody takes charge of the violations.
func acknowledging(m Message) string {
	linked := slices.ContainsFunc(m.Items, func(item Item) bool { return link(item.Acknowledge) != "" })
	switch {
	case linked && len(m.Items) == 1:
		return "Open its link to acknowledge it, or type `telltale ack " + shellWord(m.Items[0].ID) + "`."
	case linked:
		return "Open the link of a violation to acknowledge it, or type `telltale ack` and its number."
	}
	return byCommand(m)
}

// byCommand says so for who has no link.
func byCommand(m Message) string {
	if len(m.Items) != 1 || m.More > 0 {
		return "Acknowledge one with `telltale ack` and its number, which `telltale ack` alone lists."
	}
	return "Acknowledge it with `telltale ack " + shellWord(m.Items[0].ID) + "`."
}

// linked returns a message that speaks of its links: they end soon, so that they are made
// when it is sent, and not when it is composed.
func linked(m Message) Message {
	m.Next = strings.Replace(m.Next, byCommand(m), acknowledging(m), 1)
	return m
}

// shellWord returns a text as one word of a POSIX shell (POSIX.1, 2.2.2), "" for nothing
// and for what would not show or cannot stand between backticks.
func shellWord(s string) string {
	if s == "" || !plain.Is(strings.ReplaceAll(s, `\`, "/")) || strings.Contains(s, "`") || len(s) > maxRequest {
		return ""
	}
	if strings.IndexFunc(s, func(r rune) bool {
		return r > '~' || !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@%_+=:,./-", r))
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// times says how often something happened, "" where that says nothing.
func times(item Item) string {
	switch {
	case item.Count <= 0, item.AtLeast && item.Count == 1:
		return ""
	case item.Count == 1:
		return "once"
	case item.AtLeast:
		return "at least " + number(item.Count) + " times"
	}
	return number(item.Count) + " times"
}

// when says at which moment, or between which two, in UTC.
func when(first, last time.Time) string {
	first, last = first.UTC().Truncate(time.Second), last.UTC().Truncate(time.Second)
	const day, moment = "2006-01-02", "15:04:05"
	switch {
	case first.IsZero() && last.IsZero(), first.Year() < 1:
		return ""
	case first.IsZero():
		first = last
	case !last.After(first):
		last = first
	}
	s := first.Format(day + " " + moment)
	switch {
	case last.Equal(first):
	case last.Format(day) == first.Format(day):
		s += " to " + last.Format(moment)
	default:
		s += " to " + last.Format(day+" "+moment)
	}
	return s + " UTC"
}

// counted writes a number and what it counts: "1 flow", "1,204 flows".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// number writes a number with its thousands apart.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// capital makes the first letter a capital, of words of ours: the names of devices and of
// the program keep theirs.
func capital(s string) string {
	for _, word := range []string{"the ", "new ", "a "} {
		if strings.HasPrefix(s, word) {
			return strings.ToUpper(s[:1]) + s[1:]
		}
	}
	return s
}
