package capture

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"telltale/flow"
)

// The answers to a question of DNS are kept among the texts, which are searched, with a
// line for each record: owner, seconds to live, type and data, a tab between them. "@"
// stands for the name that was asked for, as in a zone file (RFC 1035, 5.1), so that many
// questions share a text. A first line without a tab is that name, where it is not spelled
// as the host is.

const specialInAnswer = "\\\r\n\t"

// ownName stands for the name of the question.
const ownName = "@"

// answersText returns the text of what a question of a flow was answered, "" where
// nothing needs to be kept.
func (w *writer) answersText(q *flow.Question, asked string) string {
	b := w.text[:0]
	if q.Name != flow.CanonicalHost(asked) {
		b = append(appendEscaped(b, q.Name, specialInAnswer), '\n')
	}
	for i := range q.Answers {
		a := &q.Answers[i]
		switch a.Name {
		case q.Name:
			b = append(b, ownName...)
		case ownName:
			b = append(b, '\\', '@')
		default:
			b = appendEscaped(b, a.Name, specialInAnswer)
		}
		b = strconv.AppendInt(append(b, '\t'), int64(min(max(a.TTL/time.Second, 0), maxTTL)), 10)
		b = appendEscaped(append(b, '\t'), a.Type, specialInAnswer)
		b = append(appendEscaped(append(b, '\t'), a.Data, specialInAnswer), '\n')
	}
	w.text = b
	return string(b)
}

// maxTTL is the longest time to live, in seconds: that of 32 bits.
const maxTTL = 1<<32 - 1

var errAnswers = errors.New("answers are not in the form owner, seconds, type, data")

// parseAnswers reads the text of answers into a question whose name is that of the host
// so far.
func parseAnswers(text string, q *flow.Question) error {
	for first := true; text != ""; first = false {
		line, rest, ok := strings.Cut(text, "\n")
		if !ok {
			return errAnswers
		}
		text = rest
		if first && strings.IndexByte(line, '\t') < 0 {
			name, err := unescape(line)
			if err != nil {
				return err
			}
			q.Name = name
			continue
		}
		a, err := parseAnswer(line, q.Name)
		if err != nil {
			return err
		}
		q.Answers = append(q.Answers, a)
	}
	return nil
}

func parseAnswer(line, name string) (a flow.Answer, err error) {
	parts := strings.Split(line, "\t")
	if len(parts) != 4 {
		return a, errAnswers
	}
	seconds, err := strconv.ParseUint(parts[1], 10, 32)
	if err != nil {
		return a, fmt.Errorf("%w: %w", errAnswers, err)
	}
	a.TTL = time.Duration(seconds) * time.Second
	for _, p := range []struct {
		to   *string
		text string
	}{{&a.Name, parts[0]}, {&a.Type, parts[2]}, {&a.Data, parts[3]}} {
		if *p.to, err = unescape(p.text); err != nil {
			return a, err
		}
	}
	if parts[0] == ownName {
		a.Name = name
	}
	return a, nil
}
