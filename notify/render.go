package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"telltale/flow/plain"
	"telltale/policy"
)

// Render writes a message as one kind of destination takes it: a webhook's JSON, or the
// subject and text of an e-mail or an issue. Text that came from the wire shows as itself: it
// makes no link, no mention, no heading and no command. What is longer than the destination
// takes is cut, the least important first. An unknown kind is an error.
func Render(kind policy.DestinationKind, m Message) (Payload, error) {
	m = harmless(linked(m))
	switch kind {
	case policy.Webhook:
		return webhook(m)
	case policy.GitHub:
		return issue(m, github), nil
	case policy.GitLab:
		return issue(m, gitlab), nil
	}
	m = listed(m)
	switch kind {
	case policy.Slack:
		return slack(m)
	case policy.Teams:
		return teams(m)
	case policy.Discord:
		return discord(m)
	case policy.Mattermost:
		return mattermost(m)
	case policy.Mail:
		return mail(m), nil
	}
	return Payload{}, fmt.Errorf("no message can be written for a destination of the kind %q", kind)
}

// harmless removes from a message what could move a cursor or reorder text, should anybody
// have made it by other means than [Compose].
func harmless(m Message) Message {
	for _, s := range []*string{&m.ID, (*string)(&m.Kind), &m.Severity, &m.Title, &m.Next, &m.Audit, &m.Capture, &m.Policy, &m.Escalated} {
		*s = shown(*s, false)
	}
	m.Text, m.Report = shown(m.Text, true), shown(m.Report, true)
	m.Items = slices.Clone(m.Items)
	for i := range m.Items {
		item := &m.Items[i]
		for _, s := range []*string{
			&item.Host, &item.Category, &item.Title, &item.Method, &item.URL, &item.App, &item.Explanation, &item.Remedy,
		} {
			*s = shown(*s, false)
		}
		item.ID, item.Rule, item.Severity = word(item.ID), word(item.Rule), word(item.Severity)
		item.Devices, item.Phases = names(item.Devices), names(item.Phases)
		item.Acknowledge = link(item.Acknowledge)
	}
	return m
}

// word leaves of a word of ours, a rule or a fingerprint, what such words are made of.
func word(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, s)
}

func names(list []string) []string {
	out := make([]string, len(list))
	for i, name := range list {
		out[i] = plain.Name(name, maxName)
	}
	return out
}

// shown leaves out what does not show. Of text in lines, the line breaks stay.
func shown(s string, lines bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= ' ' && r <= '~': // nearly always
			return r
		case r == '\n' && lines, unicode.In(r, unicode.Mn, unicode.Me):
			return r
		case r == '\t' && lines:
			return ' '
		case !plain.Shows(r):
			return -1
		}
		return r
	}, s)
}

// maxLink bounds a link, in bytes: in an embed of Discord there is room for no longer one.
const maxLink = 800

// link returns the URL of a page as it can stand between any marks, "" for what is none.
func link(s string) string {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxLink || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	s = u.String()
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("<>\"`|\\()[]{}*'", r) }) {
		return ""
	}
	return s
}

// encode writes JSON as a webhook takes it, without HTML's escapes: they would count.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write message: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// manyItems is from how many violations on a message is a list: what each means, and what to
// do about it, stands in the report.
const manyItems = 4

// listed leaves of a list what people look through.
func listed(m Message) Message {
	if over := len(m.Items) - maxItems; over > 0 {
		m.Items, m.More = m.Items[:maxItems], m.More+over
	}
	if len(m.Items) < manyItems {
		return m
	}
	m.Items = slices.Clone(m.Items)
	for i := range m.Items {
		m.Items[i].Explanation, m.Items[i].Remedy, m.Items[i].Method, m.Items[i].URL, m.Items[i].App = "", "", "", "", ""
	}
	return m
}

// Steps by which a message is made shorter until it fits: characters of each explanation and
// remedy, of a URL, of what is said beside the items, and items.
var shorter = []struct{ prose, request, text, items int }{
	{maxProse, maxRequest, maxText, maxItems}, {400, maxRequest, maxText, maxItems}, {160, 160, 1000, maxItems},
	{0, 100, 500, maxItems}, {0, 100, 500, 5}, {0, 100, 300, 1},
}

// fitting writes a message, made shorter as long as it does not fit. The last step always
// does: every part of it is bounded.
func fitting[T any](m Message, write func(Message) (T, error), fits func(T) bool) (out T, err error) {
	for _, step := range shorter {
		short := m
		short.Text, short.Escalated = cut(m.Text, step.text), cut(m.Escalated, step.text)
		if over := len(m.Items) - step.items; over > 0 {
			short.Items, short.More = m.Items[:step.items], m.More+over
		}
		short.Items = slices.Clone(short.Items)
		for i := range short.Items {
			item := &short.Items[i]
			item.Explanation, item.Remedy, item.URL = cutOff(item.Explanation, step.prose), cutOff(item.Remedy, step.prose), cut(item.URL, step.request)
		}
		if out, err = write(short); err != nil || fits(out) {
			return out, err
		}
	}
	return out, err
}

// cutOff is cut that leaves nothing of nothing.
func cutOff(s string, most int) string {
	if most == 0 {
		return ""
	}
	return cut(s, most)
}
