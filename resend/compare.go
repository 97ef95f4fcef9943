package resend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"telltale/flow"
	"telltale/flow/content"
)

// maxAnswer is how many bytes of an answer are read, and how many they may expand to.
const maxAnswer = 16 << 20

// How bodies compare.
const (
	BodyEqual       = "equal"
	BodySameShape   = "same shape" // JSON with the same members of the same types
	BodyDifferent   = "different"
	BodyNotCompared = "not compared" // Comparison.Note says why
)

// A Comparison is a recorded answer beside the one of now.
type Comparison struct {
	Recorded, Now Answer
	Missing       []string // header fields that matter, which only the recorded answer has
	Added         []string // which only the one of now has
	Body          string   // "" where nothing came
	Note          string
	Paths         []string // in what JSON differs, at most [maxPaths]
	Why           []string // what makes them differ, in words; nil where they are the same
}

// An Answer is what is told of one.
type Answer struct {
	Status      int
	ContentType string // without parameters
	Size        int64  // of its content, decoded
}

// answer is an answer as it is compared.
type answer struct {
	Answer
	names map[string]bool // header fields that matter
	body  []byte          // without its content coding
	why   string          // body cannot be compared; "" where it can
}

// matter are header fields whose presence an app or a browser acts upon, in lower case.
var matter = set(`accept-ranges access-control-allow-credentials access-control-allow-headers access-control-allow-methods access-control-allow-origin
	access-control-expose-headers cache-control content-disposition content-language content-security-policy deprecation etag expires last-modified link location
	permissions-policy referrer-policy refresh retry-after set-cookie strict-transport-security sunset vary www-authenticate x-content-type-options x-frame-options`)

// read takes an answer in, up to a bound.
func read(resp *http.Response) (answer, error) {
	var fields []flow.Field
	for name, values := range resp.Header {
		for _, value := range values {
			fields = append(fields, flow.NewField(name, value))
		}
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	cut := len(data) > maxAnswer
	return answerOf(resp.StatusCode, fields, data[:min(len(data), maxAnswer)], false, cut, tooLarge), nil
}

// recorded returns the recorded answer.
func (s *sending) recorded(ctx context.Context, from *flow.Response) (answer, error) {
	data, err := s.cfg.Store.Content(ctx, from.Body)
	if err != nil {
		return answer{}, fmt.Errorf("read the recorded answer: %w", err)
	}
	cut := from.Body.Truncated || int64(len(data)) < from.Body.Size && !from.Body.Decoded
	return answerOf(from.Status, from.Header, data, from.Body.Decoded, cut, "it was not recorded whole"), nil
}

const tooLarge = "it is larger than 16 MiB"

func answerOf(status int, header []flow.Field, data []byte, decoded, cut bool, whyCut string) answer {
	a := answer{Answer: Answer{Status: status, Size: int64(len(data))}, names: map[string]bool{}, body: data}
	for _, field := range header {
		if name := strings.ToLower(field.Name); matter[name] {
			a.names[name] = true
		}
	}
	a.ContentType, _, _ = mime.ParseMediaType(flow.Get(header, "Content-Type"))
	if cut {
		a.why = whyCut
		return a
	}
	coding := flow.Get(header, "Content-Encoding")
	if decoded || len(content.Codings(coding)) == 0 {
		return a
	}
	plain, err := content.Decode(coding, data, maxAnswer)
	switch {
	case errors.Is(err, content.ErrTooLarge):
		a.why, a.body = tooLarge, nil
		return a
	case err != nil:
		a.why = "its content coding cannot be undone"
		return a
	}
	a.body, a.Size = plain, int64(len(plain))
	return a
}

// compare says in what two answers differ.
func compare(recorded, now answer) Comparison {
	c := Comparison{Recorded: recorded.Answer, Now: now.Answer}
	if recorded.Status != now.Status {
		c.Why = append(c.Why, fmt.Sprintf("status %d, was %d", now.Status, recorded.Status))
	}
	if recorded.ContentType != now.ContentType {
		c.Why = append(c.Why, fmt.Sprintf("type %s, was %s", orNone(now.ContentType), orNone(recorded.ContentType)))
	}
	c.Missing, c.Added = onlyIn(recorded.names, now.names), onlyIn(now.names, recorded.names)
	if len(c.Missing) > 0 {
		c.Why = append(c.Why, "without "+strings.Join(c.Missing, ", "))
	}
	if len(c.Added) > 0 {
		c.Why = append(c.Why, "with "+strings.Join(c.Added, ", "))
	}
	c.bodies(recorded, now)
	return c
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func onlyIn(a, b map[string]bool) (only []string) {
	for name := range a {
		if !b[name] {
			only = append(only, name)
		}
	}
	slices.Sort(only)
	return only
}

// bodies compares the contents.
func (c *Comparison) bodies(recorded, now answer) {
	switch {
	case recorded.why != "":
		c.Body, c.Note = BodyNotCompared, "recorded: "+recorded.why
	case now.why != "":
		c.Body, c.Note = BodyNotCompared, now.why
		c.Why = append(c.Why, "body: "+now.why)
	case bytes.Equal(recorded.body, now.body):
		c.Body = BodyEqual
	default:
		was, isJSON := parseJSON(recorded.body)
		is, stillJSON := parseJSON(now.body)
		if !isJSON || !stillJSON {
			c.Body = BodyDifferent
			c.Why = append(c.Why, fmt.Sprintf("body of %d bytes, was %d", len(now.body), len(recorded.body)))
			return
		}
		if c.Paths = shapeDiff(was, is); len(c.Paths) == 0 {
			c.Body = BodySameShape
			return
		}
		c.Body = BodyDifferent
		c.Why = append(c.Why, "JSON of another shape")
	}
}

// parseJSON reads one JSON text; false where it is none, or only a bare word or number.
func parseJSON(data []byte) (v any, ok bool) {
	trimmed := bytes.TrimSpace(data)
	if len(trimmed) == 0 || trimmed[0] != '{' && trimmed[0] != '[' {
		return nil, false
	}
	dec := json.NewDecoder(bytes.NewReader(trimmed))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, false
	}
	return v, !dec.More()
}
