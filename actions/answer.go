package actions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"telltale/event"
	"telltale/flow/plain"
)

// MaxWaiver is how far ahead an answer may waive a violation: a program excuses for a
// while, a policy for good.
const MaxWaiver = 90 * 24 * time.Hour

// How long the texts of an answer may be, in characters. What is longer is cut, with an
// ellipsis at its end.
const (
	maxTitle      = 200
	maxReason     = 500
	maxAnnotation = 2000
	maxText       = 4000
)

// maxRecipients is how many destinations an answer may name.
const maxRecipients = 16

// An Answer is what a program may say on standard output: one JSON object, or nothing. Its
// texts are harmless on a terminal and bounded.
type Answer struct {
	Annotate string // a remark on the violation; ""
	Waive    *Waiver
	Notify   *Message
}

// A Waiver excuses the violation of the event.
type Waiver struct {
	Until  time.Time // in UTC; in the future, and at most MaxWaiver ahead
	Reason string
}

// A Message is what somebody is to be told.
type Message struct {
	Title, Text string   // one of them may be ""
	To          []string // names of destinations; nil: whoever the routes name
}

// IsZero reports whether the program wants nothing done.
func (a Answer) IsZero() bool { return a.Annotate == "" && a.Waive == nil && a.Notify == nil }

// An AnswerError says why an answer was refused. Nothing of it is applied.
type AnswerError struct{ Reason error }

// Error says what is wrong with the answer.
func (e *AnswerError) Error() string { return "its answer is refused: " + e.Reason.Error() }

// Unwrap returns the reason.
func (e *AnswerError) Unwrap() error { return e.Reason }

// Hint says where the form of an answer is described.
func (e *AnswerError) Hint() string {
	return `print nothing, or one object like {"annotate": "text"}; see docs/actions.md`
}

// An answerReader reads what a program wrote to standard output. It takes exactly what it
// knows: one object (RFC 8259) of UTF-8, without a name that is unknown, stands twice or is
// spelled in another case, and without null.
type answerReader struct {
	event        event.Event
	destinations []string
	now          time.Time
	mask         func(string) string // hides secrets that the program got
}

func (r answerReader) read(output []byte) (Answer, error) {
	output = bytes.TrimSpace(output)
	if len(output) == 0 {
		return Answer{}, nil
	}
	a, err := r.decode(output)
	e := r.event
	switch {
	case err != nil:
		return Answer{}, &AnswerError{err}
	case e.Violation == nil && a.Annotate != "":
		return Answer{}, &AnswerError{fmt.Errorf("it annotates, and the event is no violation (%s)", e.Kind)}
	case e.Violation == nil && a.Waive != nil:
		return Answer{}, &AnswerError{fmt.Errorf("it waives, and the event is no violation (%s)", e.Kind)}
	case a.Notify != nil && len(r.destinations) == 0:
		return Answer{}, &AnswerError{errors.New("it notifies, and there is no destination")}
	case a.Notify != nil:
		for _, name := range a.Notify.To {
			if !slices.Contains(r.destinations, name) {
				return Answer{}, &AnswerError{fmt.Errorf("notify.to: there is no destination %q; there are: %s", clean(name, maxTitle), strings.Join(r.destinations, ", "))}
			}
		}
	}
	return a, nil
}

func (r answerReader) decode(output []byte) (a Answer, err error) {
	if !utf8.Valid(output) {
		return a, errors.New("it is not UTF-8")
	}
	members, err := object(output, "annotate", "waive", "notify")
	if err != nil {
		return a, err
	}
	if raw, ok := members["annotate"]; ok {
		text, err := textOf(raw, "annotate")
		if err != nil {
			return a, err
		}
		a.Annotate = cleanLines(r.mask(text), maxAnnotation)
	}
	if raw, ok := members["waive"]; ok {
		if a.Waive, err = r.waiver(raw); err != nil {
			return a, fmt.Errorf("waive: %w", err)
		}
	}
	if raw, ok := members["notify"]; ok {
		if a.Notify, err = r.message(raw); err != nil {
			return a, fmt.Errorf("notify: %w", err)
		}
	}
	return a, nil
}

func (r answerReader) waiver(raw []byte) (*Waiver, error) {
	members, err := object(raw, "until", "reason")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"until", "reason"} {
		if _, ok := members[name]; !ok {
			return nil, fmt.Errorf("%s is missing", name)
		}
	}
	written, err := textOf(members["until"], "until")
	if err != nil {
		return nil, err
	}
	until, err := moment(written)
	switch {
	case err != nil:
		return nil, err
	case !until.After(r.now):
		return nil, fmt.Errorf("until: %s is past", clean(written, maxTitle))
	case until.Sub(r.now) > MaxWaiver:
		return nil, fmt.Errorf("until: %s is more than %d days ahead", clean(written, maxTitle), MaxWaiver/(24*time.Hour))
	}
	reason, err := textOf(members["reason"], "reason")
	if err != nil {
		return nil, err
	}
	if reason = clean(r.mask(reason), maxReason); reason == "" {
		return nil, errors.New("reason is empty")
	}
	return &Waiver{Until: until, Reason: reason}, nil
}

// moment reads a time (RFC 3339), or a date, which lasts until its end in UTC, as the dates
// of a policy's waivers do.
func moment(s string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("until: %q is no date (2006-01-31) and no time (2006-01-31T12:00:00Z)", clean(s, maxTitle))
	}
	return at.UTC(), nil
}

func (r answerReader) message(raw []byte) (*Message, error) {
	members, err := object(raw, "title", "text", "to")
	if err != nil {
		return nil, err
	}
	m := &Message{}
	if raw, ok := members["title"]; ok {
		title, err := textOf(raw, "title")
		if err != nil {
			return nil, err
		}
		m.Title = clean(r.mask(title), maxTitle)
	}
	if raw, ok := members["text"]; ok {
		text, err := textOf(raw, "text")
		if err != nil {
			return nil, err
		}
		m.Text = cleanLines(r.mask(text), maxText)
	}
	if m.Title == "" && m.Text == "" {
		return nil, errors.New("it has neither a title nor a text")
	}
	if raw, ok := members["to"]; ok {
		if m.To, err = namesOf(raw); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func namesOf(raw []byte) ([]string, error) {
	var elements []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &elements) != nil {
		return nil, errors.New("to is no list of texts")
	}
	if len(elements) == 0 || len(elements) > maxRecipients {
		return nil, fmt.Errorf("to has %d names, must have 1 to %d", len(elements), maxRecipients)
	}
	var names []string
	for _, element := range elements {
		name, err := textOf(element, "to")
		switch {
		case err != nil:
			return nil, errors.New("to is no list of texts")
		case slices.Contains(names, name):
			return nil, fmt.Errorf("to has %q twice", clean(name, maxTitle))
		}
		names = append(names, name)
	}
	return names, nil
}

// object reads one JSON object and nothing behind it, whose members must be among the known
// ones, each once. The standard decoder would take a name in any case and the last of two.
func object(document []byte, known ...string) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(document))
	open, err := d.Token()
	switch {
	case err != nil:
		return nil, invalid(err)
	case open != json.Delim('{'):
		return nil, errors.New("it is no JSON object")
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, invalid(err)
		}
		name, _ := token.(string) // names of members are texts, or the decoder complains
		switch _, twice := members[name]; {
		case !slices.Contains(known, name):
			return nil, fmt.Errorf("unknown name %q; known are: %s", clean(name, maxTitle), strings.Join(known, ", "))
		case twice:
			return nil, fmt.Errorf("%s stands twice", name)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, invalid(err)
		}
		members[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, invalid(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return members, nil
}

// invalid says that a document is no JSON. What the decoder says may quote a character.
func invalid(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it is no JSON: it ends too early")
	}
	return fmt.Errorf("it is no JSON: %s", clean(err.Error(), maxReason))
}

func textOf(raw []byte, name string) (string, error) {
	var text string
	if raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return "", fmt.Errorf("%s is no text", name)
	}
	return text, nil
}

// clean returns text on one line, harmless and of at most limit characters.
func clean(s string, limit int) string {
	return cut(strings.TrimSpace(strings.Join(plain.Lines(strings.ReplaceAll(s, "\n", " ")), " ")), limit)
}

// cleanLines is clean for text that may have several lines.
func cleanLines(s string, limit int) string {
	return cut(strings.TrimSpace(strings.Join(plain.Lines(s), "\n")), limit)
}

// cut shortens text to limit characters, of which the last one then is an ellipsis.
func cut(s string, limit int) string {
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}
